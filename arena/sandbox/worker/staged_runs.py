"""
The strategy in a process whose candles arrive stage by stage, in the worker.

A *look* populates frames that end where a stage ends and reports signals and parameters. A *walk* also runs FreqTrade's
loop: before it simulates the candle at which a stage ends, it has reported everything decided so far, and the process
has never held that candle or a later one. There it may fork: each child gets another candle with the same open, decides
once, reports, and ends; the process itself gets the true candle and the next stage, and goes on.
"""

import json
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NoReturn, Protocol

import numpy as np
import pandas as pd
from freqtrade.data.dataprovider import DataProvider

from arena.errors import StrategyError
from arena.market.candle_tables import Tables
from arena.sandbox.worker import parameters, signals, stake_probe
from arena.sandbox.worker.runner import Run


class Link(Protocol):
    """The pipe to the trusted process."""

    def send(self, message: dict[str, Any]) -> None: ...

    def receive(self) -> tuple[dict[str, Any], Tables]: ...


def look(run: Run, link: Link, head: dict[str, Any]) -> None:
    """
    Populate whenever candles arrive; report the signals since the requested instant and shares of stakes in the
    requested spans. The first candles have arrived already.
    """
    run.backtesting._set_strategy(run.strategy)  # which calls bot_start
    while head["task"] != "end":
        _populate(run)
        run.notes.check()
        stage = run.decided(head["since_ms"])
        if head.get("stakes") is not None:
            stage["stakes"] = stake_probe.told(run.backtesting, run.candidates(head["stakes"]), run.most_stakes)
        link.send({"stage": stage})
        head, tables = link.receive()
        run.store.add(tables)
    run.check()
    link.send({"end": True})


class Walk:
    """FreqTrade's loop over stages. `run` holds the first stage's candles, which end before the border in `head`."""

    def __init__(self, run: Run, link: Link, head: dict[str, Any]) -> None:
        self.run, self.link, self.head = run, link, head
        self.rows: dict[str, list[Any]] = {}
        self.child: int | None = None  # descriptor to which a forked child writes
        self.since_ms = head["since_ms"]

    def through(self) -> None:
        run, bt = self.run, self.run.backtesting
        first_rows = bt._get_ohlcv_as_lists

        def as_lists(processed: dict[str, pd.DataFrame]) -> dict[str, list[Any]]:
            rows = first_rows(processed)
            self.rows = {pair: rows.get(pair, []) for pair in run.job.pairs}
            return self.rows

        bt._get_ohlcv_as_lists = as_lists  # only the first stage asks for rows this way
        bt._time_generator = self._times
        run.guard.attached |= {id(as_lists)}
        data, timerange = run.candles()
        # FreqTrade takes the range from the frames; this walk continues to the job's end
        backtest = bt.backtest
        bt.backtest = lambda processed, start_date, end_date: backtest(
            processed=processed,
            start_date=start_date,
            end_date=datetime.fromtimestamp(run.job.end_ms / 1000, tz=start_date.tzinfo),
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
                return  # in the child: go on with the other candle
            link.send({"twin": twin})
            head, tables = link.receive()
        self.head, self.since_ms = head, head["since_ms"]
        run.store.add(tables)
        _populate(run)
        for pair in run.columns:
            self._extend(pair)

    def _twin(self, now_ms: int, tables: Tables) -> dict[str, Any] | None:
        """What a forked copy of this process decides at the border with another candle; None in that copy."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            self.child = writer
            self.run.witness.record.given = []
            for pair, table in tables.items():
                if len(table) and pair in self.run.columns:
                    self.rows[pair].append(
                        signals.row(self.run.columns[pair], now_ms, [float(price) for price in table[0][1:5]])
                    )
            return None
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            answer = pipe.read(64 << 20)
        os.waitpid(child, 0)
        return json.loads(answer) if answer else {"ended": True}

    def _tell_and_end(self) -> None:
        """In a forked child: report what it decided, and end."""
        notes = self.run.notes
        record = self.run.witness.record
        numbers, extremes = ([given[k] for given in record.given or ()] for k in (0, 1))
        message: dict[str, Any] = {"events": record.take(), "numbers": numbers, "extremes": extremes}
        if notes.found is not None:
            message = {"failure": str(notes.found), "frames": list(notes.found.frames)}
        self.end_child(message)

    def end_child(self, message: dict[str, Any]) -> NoReturn:
        assert self.child is not None  # in a child alone
        with os.fdopen(self.child, "wb") as pipe:
            pipe.write(json.dumps(message).encode())
        sys.stdout.flush()
        os._exit(0)

    def _extend(self, pair: str) -> None:
        """Add rows for candles that have arrived since, made like all others: signals act one candle later."""
        run, rows = self.run, self.rows[pair]
        (first, end), given = run.looped(pair), run.given[pair]
        end = min(end, int(np.searchsorted(given.times, run.job.end_ms, side="right")))
        if rows:
            first = max(first, int(np.searchsorted(given.times, int(rows[-1][0].timestamp() * 1000), side="right")))
        if first < end:
            rows.extend(signals.rows(run.columns[pair], given, slice(first, end)))


def _populate(run: Run) -> None:
    """
    Compute the signals of all candles that have arrived. Meanwhile the data provider has no present instant, as when
    FreqTrade populates before a backtest.

    If a callback has changed a setting since the last time, we report the earlier value, unless the populate functions
    change it: its effect shows in answers and orders.
    """
    dp: DataProvider = run.backtesting.dataprovider
    reported = run.parameters
    before = parameters.parameters(run.strategy, run.protections) if reported else {}
    present = dp._DataProvider__slice_date, dp._DataProvider__slice_index
    dp._DataProvider__cached_pairs_backtesting.clear()
    dp.clear_cache()
    dp._DataProvider__slice_date = None
    data, _ = run.candles()
    indicated = run.strategy.advise_all_indicators(data)
    if not reported:
        run.protect()  # FreqTrade reads the protections here, once
    run.signalled(indicated)
    for name, value in before.items():
        if name in reported and value != reported[name] and value == run.parameters.get(name):
            run.parameters[name] = reported[name]
    dp._DataProvider__slice_date, dp._DataProvider__slice_index = present


def walk(run: Run, link: Link) -> None:
    """Receive the first stage and run. A forked child reports even a failure to the process that forked it."""
    head, tables = link.receive()
    run.store.add(tables)
    walker = Walk(run, link, head)
    try:
        with run.telling():
            walker.through()
    except StrategyError as error:
        if walker.child is None:
            raise
        walker.end_child({"failure": str(error), "frames": list(error.frames)})
