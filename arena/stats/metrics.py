"""
Return and risk of an equity curve that is marked to market. Pure functions of arrays; no files, no clock.

The year has 365 days: crypto trades every day, and candles of markets that rest at weekends are filled with flat ones.
Return and risk never come from closed trades alone, which hide open losses; `hidden_loss` says how much they hide.
"""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from arena.records import Book, Market, Metrics, Trade, Window

DAY_MS = 86_400_000
DAYS_A_YEAR = 365


class CurveFigures(TypedDict):
    """Fields of Metrics that follow from an equity curve."""

    sharpe: float
    sortino: float
    calmar: float
    profit: float
    profit_abs: float
    max_drawdown: float


class TradeFigures(TypedDict):
    """Fields of Metrics that follow from closed trades."""

    trades: int
    win_rate: float
    profit_factor: float


def measure(market: Market, book: Book, window: Window, *, last: bool) -> Metrics:
    """
    Measures the slice of a book between a window's two instants.

    Parameters
    ----------
    market : Market
        The candles that were booked.
    book : Book
    window : Window
        Its instants must lie on the market's candles, or after the last one, which then is the end.
    last : bool
        Whether the window ends where the book ends; then trades that close at that very instant belong to it.
    """
    span = between(market, window)
    trades = [
        trade
        for trade in book.trades
        if window.start_ms <= trade.close_ms < window.end_ms + (market.step_ms if last else 0)
    ]
    candles = slice(span.start, span.stop if last else span.stop - 1)
    start = float(book.equity_open[span.start])
    years = (market.open_ms[span.stop - 1] - market.open_ms[span.start]) / DAY_MS / DAYS_A_YEAR
    invested = book.invested[span.start : span.stop - 1]
    positions = invested[invested > 0]
    return Metrics(
        **curve_figures(market, book.equity_open[span], book.equity_close[span.start : span.stop - 1], span),
        **trade_figures(trades),
        exposure=float(np.mean(invested > 0)) if len(invested) else np.nan,
        avg_position=float(positions.mean()) if len(positions) else np.nan,
        turnover=float(book.traded[candles].sum() / book.equity_open[span].mean() / years) if years > 0 else np.nan,
        fees=float(book.fees[candles].sum() / start),
    )


def between(market: Market, window: Window) -> slice:
    """Returns the candles from the one that opens at the window's start to the one at its end, both included."""
    first, end = (int((ms - market.open_ms[0]) // market.step_ms) for ms in (window.start_ms, window.end_ms))
    return slice(max(first, 0), min(end, len(market.open_ms) - 1) + 1)


def curve_figures(
    market: Market, equity_open: NDArray[np.float64], equity_close: NDArray[np.float64], span: slice
) -> CurveFigures:
    """
    Returns Sharpe, Sortino, Calmar, profit and drawdown of one stretch.

    Parameters
    ----------
    equity_open : float array of shape (n,)
        Money at the open of each candle of `span`, the end instant included.
    equity_close : float array of shape (n - 1,)
        Money at the close of each candle but the last.
    """
    returns = daily_returns(market.open_ms[span], equity_open)
    profit = float(equity_open[-1] / equity_open[0] - 1)
    drawdown = max_drawdown(marks(equity_open, equity_close))
    return {
        "sharpe": sharpe(returns),
        "sortino": sortino(returns),
        "calmar": calmar(profit, drawdown, float(market.open_ms[span][-1] - market.open_ms[span][0]) / DAY_MS),
        "profit": profit,
        "profit_abs": float(equity_open[-1] - equity_open[0]),
        "max_drawdown": drawdown,
    }


def marks(equity_open: NDArray[np.float64], equity_close: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Returns (2n - 1,) money at each open and the close that follows it, up to the last open. The arguments have shapes
    (n,) and (n - 1,).
    """
    return np.append(np.column_stack([equity_open[:-1], equity_close]).ravel(), equity_open[-1])


def daily_equity(open_ms: NDArray[np.int64], equity_open: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_days + 1,) equity at each UTC midnight from the first instant on; the last instant ends the last day."""
    return equity_open[midnights(open_ms)]


def daily_returns(open_ms: NDArray[np.int64], equity_open: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_days,) returns from each UTC midnight to the next, as fractions, oldest first."""
    days = daily_equity(open_ms, equity_open)
    return days[1:] / days[:-1] - 1


def midnights(open_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n_days + 1,) indices of the instants that are whole days after the first; the last instant ends the last day."""
    indices = np.flatnonzero((open_ms - open_ms[0]) % DAY_MS == 0)
    return indices if indices[-1] == len(open_ms) - 1 else np.append(indices, len(open_ms) - 1)


def sharpe(returns: NDArray[np.float64]) -> float:
    """
    Mean over standard deviation (ddof=1) of daily returns, annualised with sqrt(365); the riskless rate is zero.

    Parameters
    ----------
    returns : float array of shape (n_days,)
        Fractions, oldest first, without nan.

    Returns
    -------
    float
        nan with fewer than 2 days or returns that do not vary.

    Source
    ------
    Sharpe (1994), The Sharpe Ratio, J. Portfolio Management 21(1), 49-58, doi:10.3905/jpm.1994.409501.
    """
    if len(returns) < 2 or np.ptp(returns) <= 4 * np.finfo(float).eps * np.abs(returns).max():
        return float("nan")
    return float(returns.mean() / returns.std(ddof=1) * np.sqrt(DAYS_A_YEAR))


def sortino(returns: NDArray[np.float64]) -> float:
    """
    Mean over downside deviation of daily returns, annualised with sqrt(365); the target is zero, and days without a
    loss count as zero in the deviation. nan without a losing day.

    Source
    ------
    Sortino and Price (1994), Performance Measurement in a Downside Risk Framework, J. Investing 3(3), 59-64,
    doi:10.3905/joi.3.3.59.
    """
    downside = np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2)) if len(returns) else 0.0
    return float(returns.mean() / downside * np.sqrt(DAYS_A_YEAR)) if downside > 0 else float("nan")


def max_drawdown(equity: NDArray[np.float64]) -> float:
    """
    Largest loss from a peak as a fraction of that peak, in [0, 1] while equity stays positive. `equity`: (n,) money.
    """
    peaks = np.maximum.accumulate(equity)
    return float(np.max(1 - equity / peaks))


def hidden_loss(market: Market, book: Book) -> float:
    """
    Returns how much deeper the marked drawdown is than that of closed trades alone, as when losses are never realised.

    The account of closed trades is the money at the start plus their profits, at the candle of their close. A trade
    that closes in its pair's last candle counts as open: FreqTrade closes what is left there; the strategy did not
    decide it.

    Returns
    -------
    float
        Difference of two fractions of a peak, in [0, 1]; 0.17 when closed trades lose nothing and the account lost 17
        %. Open profit that is given back counts as well: it is a loss of the account that no closed trade shows.
    """
    wallet = float(book.equity_open[0])
    end = {
        pair: int(market.open_ms[~np.isnan(close)].max(initial=0))
        for pair, close in zip(market.pairs, market.close, strict=True)
    }
    closed: dict[int, float] = {}  # in the order of the closes, as the trades of a book are
    for trade in book.trades:
        if trade.close_ms < end[trade.pair]:
            closed[trade.close_ms] = closed.get(trade.close_ms, 0.0) + trade.profit
    realised = wallet + np.cumsum([0.0, *closed.values()])
    deeper = max_drawdown(marks(book.equity_open, book.equity_close[:-1])) - max_drawdown(realised)
    return float(np.clip(deeper, 0.0, 1.0))


def calmar(profit: float, drawdown: float, days: float) -> float:
    """Compound yearly return over the largest drawdown. nan without a drawdown, or when everything is lost."""
    if not (drawdown > 0 and days > 0 and profit > -1):
        return float("nan")
    return float(((1 + profit) ** (DAYS_A_YEAR / days) - 1) / drawdown)


def trade_figures(trades: Sequence[Trade]) -> TradeFigures:
    """Count, share of winners and profit factor (gross win over gross loss; nan without a loss) of closed trades."""
    profits = np.array([trade.profit for trade in trades])
    lost = -profits[profits < 0].sum() if len(profits) else 0.0
    return {
        "trades": len(profits),
        "win_rate": float(np.mean(profits > 0)) if len(profits) else np.nan,
        "profit_factor": float(profits[profits > 0].sum() / lost) if lost > 0 else np.nan,
    }


def closed_sharpe(profits: NDArray[np.float64], wallet: float, days: int) -> float:
    """
    FreqTrade's closed-trade figure, for comparison only: mean profit a day over the standard deviation of a trade,
    times sqrt(365). `profits`: (n_trades,) money. As FreqTrade has it, 0 without trades and -100 when they do not vary.
    """
    shares = profits / wallet
    if not len(shares):
        return 0.0
    deviation = float(np.std(shares))
    return float(shares.sum() / max(days, 1) / deviation * np.sqrt(DAYS_A_YEAR)) if deviation else -100.0


def top_share(trades: Sequence[Trade], n: int = 5) -> float:
    """
    Share of the n best trades in the gross profit of all winners, in (0, 1]; 1 with n winners or fewer, nan without
    one.
    """
    won = sorted((trade.profit for trade in trades if trade.profit > 0), reverse=True)
    return float(sum(won[:n]) / sum(won)) if won else float("nan")


def pair_share(trades: Sequence[Trade]) -> float:
    """Share of the best pair in the sum of the profits of all pairs that have one, in (0, 1]; nan when none has."""
    by_pair: dict[str, float] = {}
    for trade in trades:
        by_pair[trade.pair] = by_pair.get(trade.pair, 0.0) + trade.profit
    won = [profit for profit in by_pair.values() if profit > 0]
    return float(max(won) / sum(won)) if won else float("nan")
