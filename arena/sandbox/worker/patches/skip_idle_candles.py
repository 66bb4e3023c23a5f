"""
FreqTrade's candle loop without the candles at which nothing can happen, because the pair has no open trade and no entry
signal. In the worker.

Most candles of most pairs are of that kind, and FreqTrade spends as much time on them as on the rest. Callbacks see the
same as without the patch (the data provider's rows, the present date). tests/test_skip_idle_candles.py compares it with
the original.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from freqtrade.optimize.backtesting import DATE_IDX, LONG_IDX, SHORT_IDX, Backtesting
from freqtrade.persistence import LocalTrade
from freqtrade.strategy import IStrategy

_every_candle = Backtesting.time_pair_generator


def install() -> None:
    """Install the replacement in this process, permanently."""
    Backtesting.time_pair_generator = time_pair_generator


def time_pair_generator(
    self: Backtesting, start_date: datetime, end_date: datetime, pairs: list[str], data: dict[str, list[Any]]
) -> Iterator[tuple[datetime, str, Any, bool, Any]]:
    """Does what FreqTrade's method does, and calls that method for cases that it does not cover: see `_covered`."""
    if not _covered(self, pairs, data):
        yield from _every_candle(self, start_date, end_date, pairs, data)
        return
    rows = _Rows(data, pairs, start_date, self.timeframe_td)
    provider, opened = self.dataprovider, LocalTrade.bt_trades_open_pp
    shown = 0  # the step up to which the provider shows every pair's rows
    for now in self._time_generator(start_date, end_date):
        step = rows.reach(now)
        trading = [trade.pair for trade in LocalTrade.bt_trades_open]
        signalling = rows.signals.get(step, ())
        if not trading and not signalling:
            continue
        if shown < step - 1:
            for pair in pairs:
                _show(provider, rows, pair, step - 1, self.required_startup)
        for pair in dict.fromkeys([*trading, *pairs]):  # those with trades come first
            if not _show(provider, rows, pair, step, self.required_startup) or rows.ended(pair, step):
                continue
            if not opened[pair] and (pair in trading or pair not in signalling):
                continue
            row = data[pair][rows.number(pair, step)]
            provider._set_dataframe_max_date(now)
            yield now, pair, row, now == end_date, self.check_for_trade_entry(row)
        provider._set_dataframe_max_date(now)
        shown = step


class _Rows:
    """
    Which row of a pair belongs to a step, counted from `start`, and which rows may enter. Rows may be added during the
    loop.
    """

    def __init__(self, data: dict[str, list[Any]], pairs: list[str], start: datetime, candle: Any) -> None:
        self.data, self.pairs, self.start, self.candle = data, pairs, start, candle
        self.first: dict[str, int] = {}  # by pair, the step of its first row
        self.signals: dict[int, list[str]] = {}  # by step, the pairs with a signal, in the pairs' order
        self._known = dict.fromkeys(pairs, 0)

    def reach(self, now: datetime) -> int:
        """The step of an instant. First takes in rows that were added since the last call."""
        for pair in self.pairs:
            if len(self.data[pair]) != self._known[pair]:
                self._add(pair)
        return self._step(now)

    def number(self, pair: str, step: int) -> int:
        return step - self.first[pair]

    def ended(self, pair: str, step: int) -> bool:
        return self.number(pair, step) >= len(self.data[pair])

    def _step(self, at: datetime) -> int:
        return round((at - self.start) / self.candle)

    def _add(self, pair: str) -> None:
        rows = self.data[pair]
        first = self.first.setdefault(pair, self._step(rows[0][DATE_IDX]))
        for k in range(self._known[pair], len(rows)):
            if rows[k][LONG_IDX] == 1 or rows[k][SHORT_IDX] == 1:
                signalling = self.signals.setdefault(first + k, [])
                signalling.append(pair)
                signalling.sort(key=self.pairs.index)
        self._known[pair] = len(rows)


def _covered(bt: Backtesting, pairs: list[str], data: dict[str, list[Any]]) -> bool:
    """
    Covered: one timeframe, fixed pairs, no callback and no wallet capture at every candle, and rows without gaps. (A
    strategy that drops rows is refused after the run; FreqTrade takes one row per candle whatever its date.)
    """
    if bt.dynamic_pairlist or bt.timeframe_detail_td or bt._is_backtest_runmode or bt.abort:
        return False
    if type(bt.strategy).bot_loop_start is not IStrategy.bot_loop_start or "bot_loop_start" in vars(bt.strategy):
        return False
    return all(
        not rows or rows[-1][DATE_IDX] - rows[0][DATE_IDX] == (len(rows) - 1) * bt.timeframe_td
        for rows in map(data.get, pairs)
    )


def _show(provider: Any, rows: _Rows, pair: str, step: int, startup: int) -> bool:
    """
    Let the data provider show a pair's rows up to a step, as far as they exist; False where the pair has none yet.
    """
    if pair not in rows.first or step < rows.first[pair]:
        return False
    provider._set_dataframe_max_index(pair, startup + min(rows.number(pair, step) + 1, len(rows.data[pair])))
    return True
