"""Trades by hand: rates, reasons and tags of orders, with the figures that were booked."""

import dataclasses

import numpy as np
import pytest
from builders import HOUR, START_MS, claim, market, orders

from arena.accounting import booking, trades
from arena.decisions import Decisions, Labels, Signals, tag_hash

FEE = 0.001
PRICES = [100, 100, (100, 130, 90, 120), 120, 80, 80]


def told(*rows, texts=(), order=None, opened=None, pairs=(PRICES,), **more):
    """Deals of these orders in a market of hand-made candles."""
    there, made = market(*pairs), orders(*rows)
    book = booking.book(there, made, wallet=10_000, fee=FEE, slots=0)
    labels = Labels(
        tuple(texts),
        np.array([-1] * len(rows) if order is None else order, dtype=np.int64),
        made.filled_ms.copy() if opened is None else START_MS + HOUR * np.array(opened, dtype=np.int64),
    )
    return book, trades.deals(dataclasses.replace(claim(made, 0.0, 0), labels=labels, **more), book, there, FEE)


def test_a_trade_has_its_rates_stake_and_profit():
    book, (deal,) = told((0, 1, "buy", 100.0, 2.0), (0, 3, "sell", 120.0, 2.0))
    assert (deal.open_rate, deal.close_rate, deal.stake) == (100.0, 120.0, 200.0)
    assert deal.profit == book.trades[0].profit == pytest.approx(240 * (1 - FEE) - 200 * (1 + FEE))
    assert deal.profit_ratio == pytest.approx(deal.profit / (200 * (1 + FEE)))
    assert (deal.opened_ms, deal.closed_ms) == (START_MS + HOUR, START_MS + 3 * HOUR)
    assert (deal.high, deal.low) == (130.0, 90.0)


def test_an_exit_leaves_the_mean_price_and_an_entry_moves_it():
    rows = (
        (0, 1, "buy", 100.0, 2.0),
        (0, 3, "sell", 120.0, 1.0, "adjust"),
        (0, 4, "buy", 80.0, 3.0),
        (0, 5, "sell", 80.0, 4.0),
    )
    _, (deal,) = told(*rows)
    assert deal.open_rate == pytest.approx((100 * 1 + 80 * 3) / 4)
    assert (deal.stake, len(deal.fills)) == (440.0, 4)
    assert [fill.tag for fill in deal.fills] == [None, "partial_exit", None, "exit_signal"]


@pytest.mark.parametrize(("kind", "reason"), trades.REASONS.items())
def test_an_exit_has_freqtrades_word_and_the_strategys_where_it_may_have_one(kind, reason):
    rows = ((0, 1, "buy", 100.0, 2.0), (0, 3, "sell", 120.0, 2.0, kind))
    assert told(*rows)[1][0].exit_reason == reason
    assert told(*rows, texts=("mine",), order=[-1, 0])[1][0].exit_reason == (
        "mine" if kind in trades.TAGGED else reason
    )


def test_without_a_loop_over_the_range_tags_are_those_of_the_candle_before():
    def column(*words):
        return np.array([tag_hash(word) for word in words], dtype=np.uint64)

    none = np.zeros(6, dtype=np.bool_)
    signals = Signals(START_MS, none, none, column("up", "no", "", "", "", ""), column("", "", "down", "no", "", ""))
    rows = ((0, 1, "buy", 100.0, 2.0), (0, 3, "sell", 120.0, 2.0), (0, 4, "buy", 80.0, 2.0), (0, 5, "sell", 80.0, 2.0))
    more = {"decisions": Decisions({"A": signals}), "stretch": (START_MS, START_MS + HOUR)}
    _, (first, second) = told(*rows, texts=("up", "down", "no"), **more)
    assert (first.enter_tag, first.exit_reason) == ("up", "down")
    assert (second.enter_tag, second.exit_reason) == ("", "exit_signal")
    _, (first, _) = told(*rows, texts=(), **more)
    assert (first.enter_tag, first.exit_reason) == (None, "exit_signal"), "a hash whose text is not told"


def test_a_trade_begins_when_its_first_order_was_placed_and_never_outside_the_range():
    rows = ((0, 2, "buy", 100.0, 2.0), (0, 3, "sell", 120.0, 2.0))
    assert told(*rows, opened=[1, 1])[1][0].opened_ms == START_MS + HOUR
    for impossible in (-5, 3, 400):
        assert told(*rows, opened=[impossible, 1])[1][0].opened_ms == START_MS + 2 * HOUR


def test_trades_come_in_the_order_of_their_last_orders():
    rows = ((0, 1, "buy", 100.0, 1.0), (1, 2, "buy", 50.0, 1.0), (1, 3, "sell", 50.0, 1.0), (0, 3, "sell", 120.0, 1.0))
    book, deals = told(*rows, pairs=(PRICES, [50] * 6))
    assert [deal.pair for deal in deals] == ["B", "A"]
    assert [trade.orders for trade in book.trades] == [(0, 3), (1, 2)]  # by time alone
