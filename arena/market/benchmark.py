"""Buy and hold of the whole arena: the profit of doing nothing, with the same wallet, fee and marks."""

import numpy as np
from numpy.typing import NDArray

from arena.records import Market, Metrics, Window
from arena.stats.metrics import between, curve_figures, daily_returns


def hold(market: Market, window: Window, fee: float) -> Metrics:
    """
    Put equal money into every pair at the window's start and hold it to the end; pay the fee at both. A pair that is
    listed later is bought at its first candle; its share stays in cash until then. A pair that ends early keeps the
    value of its last close.
    """
    span = between(market, window)
    opens, closes = market.open[:, span], market.close[:, span]
    figures = curve_figures(
        market, _held(opens, closes, opens, fee).mean(axis=0), _held(opens, closes, closes, fee).mean(axis=0)[:-1], span
    )
    return Metrics(**figures)


def hold_returns(market: Market, window: Window, fee: float) -> NDArray[np.float64]:
    """(n_days,) daily returns of `hold`, as fractions, oldest first."""
    span = between(market, window)
    opens, closes = market.open[:, span], market.close[:, span]
    return daily_returns(market.open_ms[span], _held(opens, closes, opens, fee).mean(axis=0))


def hold_pair(market: Market, pair: int, window: Window, fee: float) -> float:
    """Profit of holding one pair alone over the window, as a fraction; nan when it has no candle there."""
    span = between(market, window)
    opens, closes = market.open[pair : pair + 1, span], market.close[pair : pair + 1, span]
    return float(_held(opens, closes, opens, fee)[0, -1] - 1) if np.isfinite(opens).any() else float("nan")


def _held(
    opens: NDArray[np.float64], closes: NDArray[np.float64], marks: NDArray[np.float64], fee: float
) -> NDArray[np.float64]:
    """(n_pairs, n_candles) value at `marks` of 1 invested in each pair at its first open; sold at the last open."""
    worth = np.ones_like(marks)
    for p in range(len(opens)):
        listed = np.flatnonzero(np.isfinite(opens[p]))
        if not len(listed):
            continue
        first, last = listed[0], listed[-1]
        units = 1 / (opens[p, first] * (1 + fee))
        worth[p, first:] = units * np.where(np.isnan(marks[p, first:]), closes[p, last], marks[p, first:])
        worth[p, -1] *= 1 - fee
        if marks is opens:
            worth[p, first] = 1.0  # value before its order, at the open at which it buys
    return worth
