"""
The same strategy in a process that lives through time, in the worker: its candles arrive stage by stage.

A *look* populates frames that end where a stage ends and tells signals and parameters. A *walk* also runs FreqTrade's loop:
before the candle at which a stage ends is simulated, everything decided so far has been told, and the process has never
held that candle or a later one. There it forks, once or more: each child is given another candle with the same open, decides
once, tells it, and ends; the process itself is given the true candle and the next stage, and goes on.
"""

import json
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NoReturn, Protocol

import numpy as np
import pandas as pd
from freqtrade.data.converter import trim_dataframe
from freqtrade.optimize.backtesting import HEADERS

from arena.backtest import Run
from arena.candles import milliseconds
from arena.errors import StrategyError
from arena.grid import Tables

SIGNALS = HEADERS[5:]


class Link(Protocol):
    """The pipe to the trusted process."""

    def send(self, message: dict[str, Any]) -> None: ...

    def receive(self) -> tuple[dict[str, Any], Tables]: ...


def look(run: Run, link: Link, head: dict[str, Any]) -> None:
    """Populate whenever candles arrive; tell the signals since the instant that is asked for. The first have arrived."""
    run.backtesting._set_strategy(run.strategy)  # which calls bot_start
    while head["task"] != "end":
        _populate(run)
        run.notes.check()
        link.send({"stage": run.decided(head["since_ms"])})
        head, tables = link.receive()
        run.store.add(tables)
    run.check()
    link.send({"end": True})


class Walk:
    """FreqTrade's loop over stages. `run` has the first stage's candles, which end before `head`'s border."""

    def __init__(self, run: Run, link: Link, head: dict[str, Any]) -> None:
        self.run, self.link, self.head = run, link, head
        self.rows: dict[str, list[Any]] = {}
        self.child: int | None = None  # where a forked child writes
        self.since_ms = head["since_ms"]

    def through(self) -> None:
        run, bt = self.run, self.run.backtesting
        first_rows = bt._get_ohlcv_as_lists

        def as_lists(processed: dict[str, pd.DataFrame]) -> dict[str, list[Any]]:
            made = first_rows(processed)
            self.rows = {pair: made.get(pair, []) for pair in run.job.pairs}
            return self.rows

        bt._get_ohlcv_as_lists = as_lists
        bt._time_generator = self._times
        run.guard.attached |= {id(as_lists)}
        data, timerange = run.candles()
        # FreqTrade takes the range from the frames; this walk goes on to the job's end
        backtest = bt.backtest
        bt.backtest = lambda processed, start_date, end_date: backtest(
            processed=processed, start_date=start_date, end_date=datetime.fromtimestamp(run.job.end_ms / 1000, tz=start_date.tzinfo)
        )
        run.guard.attached.add(id(bt.backtest))
        bt.backtest_one_strategy(run.strategy, data, timerange)
        run.check()
        self.link.send({"stage": {**run.decided(self.since_ms), "events": run.witness.record.take()}})
        self.link.send({"end": True})

    def _times(self, start: datetime, end: datetime) -> Iterator[datetime]:
        run, step = self.run, self.run.backtesting.timeframe_td
        now = start + step
        while now <= end:
            now_ms = int(now.timestamp() * 1000)
            if now_ms == self.head["border_ms"]:
                self._border(now_ms)
            run.witness.now_ms = now_ms
            yield now
            if self.child is not None:
                self._tell_and_end()
            now += step

    def _border(self, now_ms: int) -> None:
        run, link = self.run, self.link
        run.notes.check()
        link.send({"stage": {**run.decided(self.since_ms), "events": run.witness.record.take()}})
        head, tables = link.receive()
        while head["task"] == "twin":
            twin = self._twin(now_ms, tables)
            if twin is None:
                return  # in the child: on with the other candle
            link.send({"twin": twin})
            head, tables = link.receive()
        self.head, self.since_ms = head, head["since_ms"]
        run.store.add(tables)
        frames = _populate(run)
        for pair, frame in frames.items():
            self._extend(pair, frame)

    def _twin(self, now_ms: int, tables: Tables) -> dict[str, Any] | None:
        """What a copy of this process decides at the border with another candle; None in that copy."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            self.child = writer
            self.run.witness.record.given = []
            for pair, table in tables.items():
                frame = self.run.analysed(pair)
                if frame is not None and len(table) and pair in self.rows:
                    self.rows[pair].append(_row(frame, now_ms, table[0]))
            return None
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            said = pipe.read(64 << 20)
        os.waitpid(child, 0)
        return json.loads(said) if said else {"ended": True}

    def _tell_and_end(self) -> None:
        """The child's last act."""
        notes = self.run.notes
        record = self.run.witness.record
        numbers, extremes = ([given[k] for given in record.given or ()] for k in (0, 1))
        message: dict[str, Any] = {"events": record.take(), "numbers": numbers, "extremes": extremes}
        if notes.found is not None:
            message = {"failure": str(notes.found), "frames": list(notes.found.frames)}
        self.end_child(message)

    def end_child(self, message: dict[str, Any]) -> NoReturn:
        with os.fdopen(self.child, "wb") as pipe:
            pipe.write(json.dumps(message).encode())
        sys.stdout.flush()
        os._exit(0)

    def _extend(self, pair: str, frame: pd.DataFrame) -> None:
        """Rows for FreqTrade's loop from a longer frame, made as FreqTrade makes them: signals act one candle later."""
        bt, rows = self.run.backtesting, self.rows[pair]
        frame = trim_dataframe(frame, bt.timerange, startup_candles=bt.required_startup)
        times = milliseconds(frame["date"])
        known = int(rows[-1][0].timestamp() * 1000) if rows else -1
        first = max(int(np.searchsorted(times, known, side="right")) - 1, 0)
        frame = frame.iloc[first : int(np.searchsorted(times, self.run.job.end_ms, side="right"))].copy()
        for column in SIGNALS:
            tag = column.endswith("_tag")
            if column in frame.columns:
                frame[column] = frame[column].replace([np.nan], [None if tag else 0]).shift(1)
            elif not frame.empty:
                frame[column] = None if tag else 0
        frame = frame.drop(frame.head(1).index)
        if not frame.empty:
            rows.extend(frame[HEADERS].values.tolist())


def _populate(run: Run) -> dict[str, pd.DataFrame]:
    """
    Analysed frames of all candles that have arrived, put where FreqTrade looks for them. Meanwhile the data provider knows no
    present instant, as before a backtest, when FreqTrade populates.
    """
    bt, dp = run.backtesting, run.backtesting.dataprovider
    present = dp._DataProvider__slice_date, dp._DataProvider__slice_index
    dp._DataProvider__cached_pairs_backtesting.clear()
    dp.clear_cache()
    dp._DataProvider__slice_date = None
    data, _ = run.candles()
    frames = {}
    for pair, indicators in run.strategy.advise_all_indicators(data).items():
        frames[pair] = run.strategy.ft_advise_signals(indicators, {"pair": pair})
        dp._set_cached_df(pair, bt.timeframe, frames[pair], bt.config["candle_type_def"])
    dp._DataProvider__slice_date, dp._DataProvider__slice_index = present
    return frames


def _row(frame: pd.DataFrame, now_ms: int, candle: Any) -> list[Any]:
    """The loop's row at `now_ms`: this candle, with the signals of the frame's last one."""
    last = frame.iloc[-1]
    signals = []
    for column in SIGNALS:
        value = last[column] if column in frame.columns else None
        missing = value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA
        signals.append((None if column.endswith("_tag") else 0) if missing else value)
    date = pd.Timestamp(now_ms, unit="ms", tz="UTC").as_unit("ms")
    return [date, *map(float, candle[1:5]), *signals]


def walk(run: Run, link: Link) -> None:
    """Receive the first stage and go; in a forked child even a failure is told to the process that forked it."""
    head, tables = link.receive()
    run.store.add(tables)
    made = Walk(run, link, head)
    try:
        with run.telling():
            made.through()
    except StrategyError as error:
        if made.child is None:
            raise
        made.end_child({"failure": str(error), "frames": list(error.frames)})
