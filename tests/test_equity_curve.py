"""The quick curves of equity are the booked ones."""

import numpy as np
import pytest
from builders import DAY, HOUR, market, orders

from arena.accounting import booking, equity_curve
from arena.accounting.replay.simulator import REASONS, TRADE
from arena.stats import metrics

FEE, WALLET = 0.002, 1000.0


def random_market(rng, n_pairs=3, n=24 * 20, step_ms=HOUR):
    """Pairs that wander; the second is listed late, the third ends early."""
    made = market(*([10.0 * (p + 1)] * n for p in range(n_pairs)), step_ms=step_ms)
    closes = made.close * np.exp(np.cumsum(rng.normal(0, 0.01, made.close.shape), axis=1))
    opens = np.concatenate([made.open[:, :1], closes[:, :-1]], axis=1)
    made.open[:], made.close[:] = opens, closes
    made.high[:], made.low[:] = np.maximum(opens, closes), np.minimum(opens, closes)
    for values in (made.open, made.high, made.low, made.close):
        values[1, : n // 4] = np.nan
        values[2, -n // 5 :] = np.nan
    return made


def random_trades(rng, made, each=8):
    """
    Rows of TRADE that follow each other in each pair, and the same as orders; what is open at a pair's end is forced
    out.
    """
    trades, fills = [], []
    for p in range(len(made.pairs)):
        known = np.flatnonzero(~np.isnan(made.open[p]))
        cuts = np.sort(rng.choice(known[:-1], size=2 * each, replace=False))
        cuts[-1] = known[-1]
        for opened, closed in zip(cuts[::2], cuts[1::2], strict=True):
            amount = float(rng.uniform(0.1, 1.0))
            row = np.zeros((), dtype=TRADE)
            reason = REASONS.index("forced") if closed == known[-1] else REASONS.index("signal")
            row["pair"], row["opened"], row["closed"], row["reason"], row["amount"] = p, opened, closed, reason, amount
            row["entry_price"], row["close_rate"] = made.open[p, opened], made.open[p, closed]
            trades.append(row)
            late = len(made.open_ms) if reason == REASONS.index("forced") else closed
            fills += [(int(opened), 0, p, "buy", row["entry_price"], amount, int(opened))]
            fills += [(int(late), 1, p, "sell", row["close_rate"], amount, int(closed))]
    told = [(p, candle, side, float(price), amount) for _, _, p, side, price, amount, candle in sorted(fills)]
    return np.array(trades, dtype=TRADE), orders(*told, step_ms=made.step_ms)


@pytest.mark.parametrize("step_ms", [HOUR, 4 * HOUR, DAY, 5 * HOUR], ids=["1h", "4h", "1d", "5h"])
@pytest.mark.parametrize("seed", range(4))
def test_both_curves_and_their_sharpe_are_the_booked_ones(seed, step_ms):
    rng = np.random.default_rng(seed)
    made = random_market(rng, step_ms=step_ms)
    trades, told = random_trades(rng, made)
    booked = booking.book(made, told, wallet=WALLET, fee=FEE, slots=0)
    wanted = metrics.daily_equity(made.open_ms, booked.equity_open)
    marks, days = booking.last_known(made.open, made.close), metrics.midnights(made.open_ms)
    assert equity_curve.of_trades(trades, len(trades), FEE, WALLET, marks, days) == pytest.approx(wanted, rel=1e-12)
    column = np.maximum.accumulate((told.filled_ms - made.open_ms[0]) // step_ms)
    units = np.where(told.buys, told.amount, -told.amount)
    by_orders = equity_curve.of_orders(
        told.pair, column, units, told.price, fee=FEE, wallet=WALLET, marks=marks, days=days
    )
    assert by_orders == pytest.approx(wanted, rel=1e-12)
    assert equity_curve.sharpe(wanted) == pytest.approx(metrics.sharpe(wanted[1:] / wanted[:-1] - 1), rel=1e-9)


def test_only_the_first_n_trades_count():
    rng = np.random.default_rng(1)
    made = random_market(rng)
    trades, _ = random_trades(rng, made)
    marks, days = booking.last_known(made.open, made.close), metrics.midnights(made.open_ms)
    some = equity_curve.of_trades(trades, 3, FEE, WALLET, marks, days)
    assert (some == equity_curve.of_trades(trades[:3], 3, FEE, WALLET, marks, days)).all()
    assert some[-1] != equity_curve.of_trades(trades, len(trades), FEE, WALLET, marks, days)[-1]
    assert (equity_curve.of_trades(trades, 0, FEE, WALLET, marks, days) == WALLET).all()


@pytest.mark.parametrize("curve", [[1000.0], [1000.0, 1010.0], [1000.0] * 5, [1000.0, 1010.0, 1020.1]])
def test_a_curve_that_does_not_vary_has_no_sharpe(curve):
    curve = np.array(curve)
    assert np.isnan(equity_curve.sharpe(curve)) == np.isnan(metrics.sharpe(curve[1:] / curve[:-1] - 1))
    assert np.isnan(equity_curve.sharpe(curve))


def test_the_reason_that_is_booked_last_is_the_replays():
    assert REASONS[equity_curve.FORCED] == "forced"
