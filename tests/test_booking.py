"""Tiny markets and a fee of 1 %, so that every figure can be worked out in the head."""

from dataclasses import replace

import numpy as np
import pytest
from builders import HOUR, START_MS, claim, market, orders
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.accounting.booking import book, reconcile
from arena.errors import BookingError
from arena.records import Market, Orders, Trade
from arena.stats.metrics import max_drawdown


def booked(candles, *rows, wallet=1000.0, fee=0.01, slots=0):
    return book(candles, orders(*rows), wallet=wallet, fee=fee, slots=slots)


def at(candle):
    return START_MS + candle * HOUR


def test_one_trade_pays_the_fee_twice():
    made = booked(market([100, 110, 120]), (0, 0, "buy", 100, 5), (0, 1, "sell", 110, 5))
    cash_after_entry = 1000 - 500 * 1.01  # 495
    end = cash_after_entry + 550 * 0.99  # 1039.5
    assert made.equity_open == pytest.approx([1000, cash_after_entry + 5 * 110, end], rel=1e-14)
    assert made.equity_close == pytest.approx([cash_after_entry + 5 * 100, end, end], rel=1e-14)
    assert made.invested == pytest.approx([500 / 995, 0, 0], rel=1e-14)
    assert made.pair_profit == pytest.approx(np.array([[-5, 39.5, 39.5]]), rel=1e-12)
    assert made.traded == pytest.approx([500, 550, 0])
    assert made.fees == pytest.approx([5, 5.5, 0])
    (trade,) = made.trades
    assert trade == Trade("A", at(0), at(1), pytest.approx(39.5, rel=1e-12), 500.0)
    assert made.open_profit == 0.0


def test_nothing_ordered_is_a_flat_account():
    made = booked(market([100, 90]))
    assert list(made.equity_open) == list(made.equity_close) == [1000, 1000]
    assert made.trades == ()
    assert not made.invested.any()


def test_marks_are_the_open_before_and_the_close_after_the_orders_of_a_candle():
    candles = market([(100, 130, 90, 120), (110, 140, 80, 90), (95, 96, 94, 95)])
    made = booked(candles, (0, 0, "buy", 125, 2), (0, 1, "buy", 100, 1), fee=0)
    assert list(made.equity_open) == [
        1000,  # nothing is held yet
        750 + 2 * 110,
        650 + 3 * 95,
    ]
    assert list(made.equity_close) == [750 + 2 * 120, 650 + 3 * 90, 650 + 3 * 95]


def test_the_fee_makes_the_difference():
    rows = (0, 0, "buy", 100, 5), (0, 1, "sell", 110, 5)
    assert booked(market([100, 110]), *rows, fee=0).equity_open[-1] == 1050
    assert booked(market([100, 110]), *rows, fee=0.02).equity_open[-1] == pytest.approx(1050 - 0.02 * 1050)


def test_two_pairs_share_one_wallet():
    candles = market([100, 110, 120, 120], [10, 9, 8, 7])
    made = booked(candles, (0, 0, "buy", 100, 4), (1, 0, "buy", 10, 30), (1, 2, "sell", 8, 30), (0, 3, "sell", 120, 4))
    cash = 1000 - 400 * 1.01 - 300 * 1.01  # 293
    after_b = cash + 240 * 0.99  # 530.6
    end = after_b + 480 * 0.99  # 1005.8
    assert made.equity_open == pytest.approx([1000, cash + 440 + 270, cash + 480 + 240, end], rel=1e-14)
    assert made.equity_close == pytest.approx([cash + 400 + 300, cash + 440 + 270, after_b + 480, end], rel=1e-14)
    assert made.invested == pytest.approx([700 / 993, 710 / 1003, 480 / 1010.6, 0], rel=1e-14)
    assert made.pair_profit == pytest.approx(
        np.array([[-4, -404 + 440, -404 + 480, -404 + 480 * 0.99], [-3, -303 + 270, -303 + 237.6, -303 + 237.6]]),
        rel=1e-12,
    )
    assert [(t.pair, t.close_ms, t.stake) for t in made.trades] == [("B", at(2), 300.0), ("A", at(3), 400.0)]
    assert [t.profit for t in made.trades] == pytest.approx([-303 + 237.6, -404 + 475.2], rel=1e-12)


def test_averaging_in_and_out_is_one_trade():
    candles = market([100, 80, 90, 120])
    made = booked(candles, (0, 0, "buy", 100, 2), (0, 1, "buy", 80, 3), (0, 2, "sell", 90, 1), (0, 3, "sell", 120, 4))
    (trade,) = made.trades
    assert trade.stake == 200 + 240
    assert (trade.open_ms, trade.close_ms) == (at(0), at(3))
    assert trade.profit == pytest.approx(-440 * 1.01 + 90 * 0.99 + 480 * 0.99, rel=1e-12)  # 119.9
    assert made.equity_close == pytest.approx(
        [798 + 200, 798 - 242.4 + 400, 555.6 + 89.1 + 360, 644.7 + 475.2], rel=1e-14
    )


def test_a_position_opened_again_is_another_trade():
    made = booked(
        market([100, 110, 100, 90]),
        *[(0, k, side, p, 1) for k, side, p in zip(range(4), ["buy", "sell"] * 2, [100, 110, 100, 90], strict=True)],
    )
    assert [t.profit for t in made.trades] == pytest.approx([-101 + 108.9, -101 + 89.1], rel=1e-12)
    assert [t.stake for t in made.trades] == [100, 100]


def test_entry_and_exit_in_one_candle_leave_their_fees():
    made = booked(market([(100, 110, 90, 100), 100]), (0, 0, "buy", 95, 2), (0, 0, "sell", 105, 2))
    assert made.trades[0].profit == pytest.approx(210 * 0.99 - 190 * 1.01, rel=1e-12)  # 16
    assert made.traded == pytest.approx([400, 0])
    assert not made.invested.any()


def test_a_position_that_never_closes_is_marked_and_no_trade():
    made = booked(market([100, 110, (120, 150, 120, 140)]), (0, 0, "buy", 100, 5))
    assert made.trades == ()
    assert made.open_profit == pytest.approx(5 * 120 - 505)  # at the open of the last candle, which is the last instant
    assert made.equity_open[-1] == 495 + 600
    assert made.equity_close[-1] == 495 + 700


def test_open_profit_of_a_half_sold_position_holds_what_was_sold():
    made = booked(market([100, 110, 120]), (0, 0, "buy", 100, 4), (0, 1, "sell", 110, 1))
    assert made.open_profit == pytest.approx(-404 + 110 * 0.99 + 3 * 120, rel=1e-12)


def test_a_loss_inside_a_trade_that_ends_well_is_seen():
    made = booked(market([100, 40, 110]), (0, 0, "buy", 100, 10), (0, 2, "sell", 110, 10), fee=0)
    assert made.trades[0].profit == 100
    assert list(made.equity_close) == [1000, 400, 1100]
    assert max_drawdown(made.equity_close) == 0.6


def test_an_exit_at_the_last_candles_open_is_in_the_last_mark():
    made = booked(market([100, 110, (120, 125, 90, 91)]), (0, 0, "buy", 100, 5), (0, 2, "sell", 120, 5))
    assert made.equity_open[-1] == pytest.approx(495 + 600 * 0.99, rel=1e-14)
    assert made.open_profit == 0.0
    assert made.trades[0].close_ms == at(2)


def test_a_pair_that_lists_late_counts_nothing_before():
    made = booked(market([100, 100, 100, 100], [None, None, 10, 12]), (1, 2, "buy", 10, 10), fee=0)
    assert list(made.equity_open) == [1000, 1000, 1000, 1020]
    assert np.isfinite(made.pair_profit).all()
    assert list(made.pair_profit[1]) == [0, 0, 0, 20]


def test_a_pair_that_ends_early_keeps_its_last_close_until_its_forced_exit():
    """FreqTrade closes it after everything else, with the time and the price of the pair's own last candle."""
    candles = market([100, 100, 100, 110], [10, (11, 13, 10, 12), None, None])
    rows = (1, 0, "buy", 10, 10), (0, 0, "buy", 100, 5), (0, 3, "sell", 110, 5), (1, 1, "sell", 11, 10)
    made = booked(candles, *rows)
    cash = 1000 - 101 - 505  # 394
    assert made.equity_open == pytest.approx(
        [1000, cash + 110 + 500, cash + 120 + 500, cash + 544.5 + 108.9], rel=1e-14
    )
    assert made.equity_close == pytest.approx(
        [cash + 600, cash + 120 + 500, cash + 120 + 500, cash + 544.5 + 108.9], rel=1e-14
    )
    assert [(t.pair, t.open_ms, t.close_ms) for t in made.trades] == [("B", at(0), at(1)), ("A", at(0), at(3))]
    assert made.trades[0].profit == pytest.approx(108.9 - 101, rel=1e-12)
    assert made.traded == pytest.approx([600, 0, 0, 550 + 110])


def test_an_early_end_is_no_way_back_for_an_entry():
    """An entry at a pair's last candle, ordered after later ones, would be paid with money that came later."""
    candles = market([100, 100, 100, 110], [10, (11, 13, 10, 12), None, None])
    with pytest.raises(
        BookingError, match="order 2 B 2021-01-01 01:00 fills before an earlier order's 2021-01-01 03:00"
    ):
        booked(candles, (0, 0, "buy", 100, 5), (0, 3, "sell", 110, 5), (1, 1, "buy", 10, 10), (1, 1, "sell", 13, 10))


@pytest.mark.parametrize(
    ("entries", "exits"),
    [([0.1, 0.1, 0.1], [0.3]), ([0.3], [0.1, 0.2]), ([0.1, 0.2], [0.3]), ([0.7, 0.1], [0.8])],
    ids=["three for one", "one for two", "too little by a rounding", "too much by a rounding"],
)
def test_the_dust_of_decimal_sums_is_a_flat_position(entries, exits):
    assert sum(entries) != sum(exits)  # floats do leave dust here
    rows = [(0, 0, "buy", 100, x) for x in entries] + [(0, 1, "sell", 100, x) for x in exits]
    made = booked(market([100, 100, 100], [10, 10, 10]), *rows, (1, 2, "buy", 10, 1), slots=1)  # the slot is free again
    assert len(made.trades) == 1
    assert made.equity_close[1] == pytest.approx(1000 - sum(entries) * 2, rel=1e-12)


def test_a_millionth_of_a_position_is_no_dust():
    made = booked(market([100, 100]), (0, 0, "buy", 100, 5), (0, 1, "sell", 100, 5 * (1 - 1e-6)))
    assert made.trades == ()
    with pytest.raises(BookingError, match="sells 5.000005 at 100, the wallet held 5$"):
        booked(market([100, 100]), (0, 0, "buy", 100, 5), (0, 1, "sell", 100, 5 * (1 + 1e-6)))


def test_entry_fees_count_as_free_until_the_trade_closes():
    """As in FreqTrade's wallet: two stakes of half the wallet each fit, although their fees make cash negative."""
    candles = market([100, 100], [10, 10], [1, 1])
    halves = (0, 0, "buy", 100, 5), (1, 0, "buy", 10, 50)
    made = booked(candles, *halves)
    assert made.equity_close[0] == 1000 - 10
    with pytest.raises(BookingError, match=r"order 2 C 2021-01-01 00:00 buys for 1\.00, the wallet had 0\.00 free"):
        booked(candles, *halves, (2, 0, "buy", 1, 1))
    # A is sold for 495: with B's entry fee of 5 still free, -10 + 495 + 5 = 490
    booked(candles, *halves, (0, 1, "sell", 100, 5), (2, 1, "buy", 1, 490))
    with pytest.raises(BookingError, match=r"order 3 C 2021-01-01 01:00 buys for 491\.00, the wallet had 490\.00 free"):
        booked(candles, *halves, (0, 1, "sell", 100, 5), (2, 1, "buy", 1, 491))


def test_half_a_position_keeps_half_its_entry_fee_free():
    candles = market([100, 100], [1, 1])
    half = (0, 0, "buy", 100, 10), (0, 1, "sell", 100, 5)  # cash -10, then 485; of the entry fee 5 is still free
    booked(candles, *half, (1, 1, "buy", 1, 490))
    with pytest.raises(BookingError, match=r"buys for 490\.01, the wallet had 490\.00 free"):
        booked(candles, *half, (1, 1, "buy", 1, 490.01))


A, B = [(100, 110, 90, 105)] * 4, [None, None, (10, 12, 9, 11), (10, 12, 9, 11)]
BUY = (0, 0, "buy", 100, 2)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(0, 0, "buy", 110.5, 1)], "order 0 A 2021-01-01 00:00 buys at 110.5, the candle traded 90-110"),
        (
            [BUY, (0, 1, "sell", 110.0000001, 1)],
            "order 1 A 2021-01-01 01:00 sells at 110.0000001, the candle traded 90-110",
        ),
        ([(0, 3, "buy", 89.99, 1)], "order 0 A 2021-01-01 03:00 buys at 89.99, the candle traded 90-110"),
        ([BUY, (0, 1, "sell", 12, 1)], "order 1 A 2021-01-01 01:00 sells at 12, the candle traded 90-110"),
        ([(1, 1, "buy", 10, 1)], "order 0 B 2021-01-01 01:00 fills where the pair has no candle"),
        ([(0, -1, "buy", 100, 1)], "order 0 A fills at 2020-12-31 23:00, outside the arena's candles"),
        ([(0, 4, "buy", 100, 1)], "order 0 A fills at 2021-01-01 04:00, outside the arena's candles"),
        ([(0, 0.5, "buy", 100, 1)], "order 0 A fills at 2021-01-01 00:30, outside the arena's candles"),
        ([BUY, (2, 0, "buy", 100, 1)], "order 1 is for pair number 2, the arena has 2"),
        ([(-1, 2, "buy", 10, 1)], "order 0 is for pair number -1, the arena has 2"),
        ([BUY, (0, 1, "sell", 100, 3)], "order 1 A 2021-01-01 01:00 sells 3 at 100, the wallet held 2"),
        ([(0, 1, "sell", 100, 1)], "order 0 A 2021-01-01 01:00 sells 1 at 100, the wallet held 0"),
        (
            [BUY, (0, 1, "sell", 100, 2), (0, 2, "sell", 100, 1e-12)],
            "order 2 A 2021-01-01 02:00 sells 1e-12 at 100, the wallet held 0",
        ),
        ([(0, 0, "buy", 100, 10.1)], "order 0 A 2021-01-01 00:00 buys for 1010.00, the wallet had 1000.00 free"),
        ([(0, 2, "buy", 100, 2), (1, 2, "buy", 10, 1)], "order 1 B 2021-01-01 02:00 opens position 2 of 1 slots"),
        (
            [(0, 0, "buy", 100, np.nan)],
            "order 0 A 2021-01-01 00:00 has price 100.0 and amount nan; both must be positive",
        ),
        ([(0, 0, "buy", np.nan, 1)], "has price nan and amount 1.0; both must be positive"),
        ([(0, 0, "buy", np.inf, 1)], "has price inf and amount 1.0; both must be positive"),
        ([(0, 0, "buy", 100, np.inf)], "has price 100.0 and amount inf; both must be positive"),
        ([(0, 0, "buy", 100, -1)], "has price 100.0 and amount -1.0; both must be positive"),
        ([(0, 0, "buy", 100, 0)], "has price 100.0 and amount 0.0; both must be positive"),
        ([(0, 0, "buy", -100, 1)], "has price -100.0 and amount 1.0; both must be positive"),
        (
            [BUY, (0, 2, "sell", 100, 1), (0, 1, "sell", 100, 1)],
            "order 2 A 2021-01-01 01:00 fills before an earlier order's 2021-01-01 02:00",
        ),
    ],
    ids=[
        "above high",
        "a little above high",
        "below low",
        "far below low",
        "before listing",
        "before the range",
        "after the range",
        "off the grid",
        "unknown pair",
        "negative pair",
        "more than held",
        "nothing held",
        "dust of nothing",
        "more than the wallet",
        "one position too many",
        "nan amount",
        "nan price",
        "inf price",
        "inf amount",
        "negative amount",
        "zero amount",
        "negative price",
        "back in time",
    ],
)
def test_an_impossible_order_is_refused_by_name(rows, message):
    pair, candle, side, price, amount = zip(*rows, strict=True)
    made = Orders(
        np.array(pair),
        START_MS + (HOUR * np.array(candle)).astype(np.int64),
        np.array(side) == "buy",
        np.array(price, float),
        np.array(amount, float),
        np.zeros(len(rows), np.int8),
        np.full(len(rows), np.nan),
    )
    with pytest.raises(BookingError) as refused:
        book(market(A, B), made, wallet=1000.0, fee=0.01, slots=1)
    assert str(refused.value).startswith("booking: ")
    assert str(refused.value).endswith(message)


def test_fills_at_the_very_low_and_high_are_possible():
    made = booked(market(A), (0, 0, "buy", 90, 1), (0, 1, "sell", 110, 1), fee=0)
    assert made.trades[0].profit == 20


def test_slots_limit_positions_and_not_entries():
    candles = market([100] * 3, [10] * 3, [1] * 3)
    three = (0, 0, "buy", 100, 1), (1, 0, "buy", 10, 1), (2, 0, "buy", 1, 1)
    booked(candles, *three, slots=3)
    booked(candles, *three, slots=0)
    booked(candles, *three, slots=-1)
    booked(candles, three[0], (0, 1, "buy", 100, 1), (0, 2, "buy", 100, 1), slots=1)
    booked(candles, three[0], (0, 1, "sell", 100, 1), (1, 1, "buy", 10, 1), slots=1)
    with pytest.raises(BookingError, match="order 2 C 2021-01-01 00:00 opens position 3 of 2 slots"):
        booked(candles, *three, slots=2)


def test_a_smaller_wallet_cannot_pay():
    with pytest.raises(BookingError, match=r"buys for 500\.00, the wallet had 499\.00 free"):
        booked(market([100, 110]), (0, 0, "buy", 100, 5), wallet=499.0)


ROWS = (0, 0, "buy", 100, 5), (0, 1, "sell", 110, 5)
PROFIT = -505 + 544.5


@pytest.mark.parametrize("off", [0.0, 0.9e-6 * PROFIT, -0.9e-6 * PROFIT])
def test_a_claim_within_a_millionth_agrees(off):
    reconcile(booked(market([100, 110]), *ROWS), claim(orders(*ROWS), PROFIT + off, 1))


@pytest.mark.parametrize("off", [1.2e-6 * PROFIT, -1.2e-6 * PROFIT, 1.0, np.nan, np.inf, -np.inf])
def test_another_profit_is_refused(off):
    with pytest.raises(
        BookingError, match=r"1 trades with a profit of 39\.500000 follow from the orders, FreqTrade reports 1 with"
    ):
        reconcile(booked(market([100, 110]), *ROWS), claim(orders(*ROWS), PROFIT + off, 1))


def test_each_order_may_be_rounded_at_the_eighth_decimal():
    flat = market([100, 100])
    rows = (0, 0, "buy", 100, 5), (0, 1, "sell", 100, 5)
    made = booked(flat, *rows, fee=0)  # profit 0: nothing is allowed relative to it
    reconcile(made, claim(orders(*rows), 1.9e-8, 1))
    with pytest.raises(BookingError):
        reconcile(made, claim(orders(*rows), 2.1e-8, 1))


@pytest.mark.parametrize("trades", [0, 2])
def test_another_number_of_trades_is_refused(trades):
    with pytest.raises(BookingError, match=f"1 trades .* reports {trades} with"):
        reconcile(booked(market([100, 110]), *ROWS), claim(orders(*ROWS), PROFIT, trades))


def test_an_open_position_is_no_part_of_the_claimed_profit():
    made = booked(market([100, 110], [10, 20]), *ROWS, (1, 1, "buy", 20, 1))
    reconcile(made, claim(orders(*ROWS, (1, 1, "buy", 20, 1)), PROFIT, 1))


@st.composite
def accounts(draw):
    """A market, orders that it could have filled and a wallet that could have paid them, with a fee."""
    n_pairs, n = draw(st.integers(1, 3)), draw(st.integers(2, 7))
    number = st.floats(1, 100)
    candles = [[draw(st.tuples(number, number, number, number)) for _ in range(n)] for _ in range(n_pairs)]
    candles = [[(o, max(o, a, b, c), min(o, a, b, c), c) for o, a, b, c in row] for row in candles]
    fee = draw(st.sampled_from([0.0, 0.001, 0.02]))
    cash, units, rows = 1000.0, [0.0] * n_pairs, []
    for k in range(n):
        for p in range(n_pairs):
            what, share, where = (
                draw(st.sampled_from(["wait", "buy", "sell", "close"])),
                draw(st.floats(0.01, 0.9)),
                draw(st.floats(0, 1)),
            )
            _, high, low, _ = candles[p][k]
            price = min(max(low + where * (high - low), low), high)
            if what == "buy":
                amount = share * cash / (price * (1 + fee))
                cash, units[p] = cash - price * amount * (1 + fee), units[p] + amount
            elif what != "wait" and units[p] > 0:
                amount = units[p] * (share if what == "sell" else 1)
                cash, units[p] = cash + price * amount * (1 - fee), units[p] - amount
            else:
                continue
            rows.append((p, k, "buy" if what == "buy" else "sell", price, amount))
    return market(*candles), orders(*rows), fee


@settings(max_examples=150, deadline=None)
@given(accounts())
def test_money_is_conserved(account):
    candles, made, fee = account
    result = book(candles, made, wallet=1000.0, fee=fee, slots=0)
    gained = sum(t.profit for t in result.trades) + result.open_profit
    assert result.equity_open[-1] == pytest.approx(1000 + gained, rel=1e-9)
    assert result.equity_open[0] == 1000
    assert result.equity_close[:-1] == pytest.approx(1000 + result.pair_profit.sum(axis=0)[:-1], rel=1e-9)
    assert result.equity_open[-1] == pytest.approx(1000 + result.pair_profit[:, -1].sum(), rel=1e-9)
    assert result.traded.sum() == pytest.approx((made.price * made.amount).sum(), rel=1e-9)
    assert result.fees.sum() == pytest.approx(fee * (made.price * made.amount).sum(), rel=1e-9)
    assert (result.invested >= 0).all()


@settings(max_examples=75, deadline=None)
@given(accounts(), st.randoms(use_true_random=False))
def test_the_numbering_of_the_pairs_does_not_matter(account, random):
    candles, made, fee = account
    new = list(range(len(candles.pairs)))
    random.shuffle(new)  # pair p gets the number new[p]
    old = np.argsort(new)
    other = Market(
        tuple(candles.pairs[p] for p in old),
        candles.open_ms,
        candles.step_ms,
        *(getattr(candles, c)[old] for c in ("open", "high", "low", "close")),
    )
    again = replace(made, pair=np.array(new)[made.pair])
    first, second = (book(m, o, wallet=1000.0, fee=fee, slots=0) for m, o in ((candles, made), (other, again)))
    for name in ("equity_open", "equity_close", "invested", "traded", "fees"):
        assert getattr(second, name) == pytest.approx(getattr(first, name), rel=1e-12, abs=1e-12)
    assert second.pair_profit == pytest.approx(first.pair_profit[old], rel=1e-12, abs=1e-12)
    assert sorted(t.profit for t in second.trades) == pytest.approx(
        sorted(t.profit for t in first.trades), rel=1e-12, abs=1e-12
    )
