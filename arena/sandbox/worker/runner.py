"""
Runs FreqTrade in the worker: the only module that runs strategy code. It returns a claim, plain data for JSON.

The fork server preloads it, so it imports FreqTrade and nothing that holds a candle. FreqTrade runs unchanged except
for changes that decide no trade: the replacements in `patches`; market metadata is frozen instead of coming over the
network; candles come through a pipe instead of from files; a vectorised function computes tick sizes with the same
results; progress bars and wallet captures are off; we record every fill, every answer of a callback and every exception
that FreqTrade would swallow.

A strategy can see one difference: in backtests only, FreqTrade's tick function leaves the columns open_count to
max_count in its frames. Here they are absent, so code that iterates over all columns may decide otherwise.
"""

import importlib
import io
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from arena.startup import lazy_ccxt

lazy_ccxt.install()

import freqtrade.data.btanalysis  # noqa: F401  first: it resolves an import cycle of FreqTrade's
import freqtrade.optimize.backtesting as engine
import numpy as np
import pandas as pd
import sqlalchemy.orm
from freqtrade.configuration import Configuration
from freqtrade.configuration.directory_operations import create_userdata_dir
from freqtrade.data.converter import trim_dataframe
from freqtrade.data.history.datahandlers.idatahandler import IDataHandler
from freqtrade.data.metrics import calculate_sharpe
from freqtrade.enums import RunMode
from freqtrade.exceptions import FreqtradeException
from freqtrade.exchange import Exchange, timeframe_to_seconds
from freqtrade.strategy import IStrategy

from arena.decisions import LEAD_MS, inside
from arena.errors import LoadError, StrategyError
from arena.market.candles import CANDLE_COLUMNS, milliseconds, tick_sizes
from arena.sandbox.transport import Store
from arena.sandbox.worker import integrity, parameters, signals, stake_probe
from arena.sandbox.worker.error_capture import Notes
from arena.sandbox.worker.patches import fast_trades, skip_idle_candles
from arena.sandbox.worker.recorder import Recorder

# the exchange of the shipped arena, loaded once for all workers; a worker loads any other exchange itself
lazy_ccxt.load("binance")
for late in (
    "freqtrade.commands",
    "freqtrade.exchange.check_exchange",
    "freqtrade.data.history.datahandlers.featherdatahandler",
    "talib.abstract",
):
    importlib.import_module(late)  # FreqTrade or most strategies import these in every worker
sqlalchemy.orm.configure_mappers()

SIGNALS = signals.COLUMNS


@dataclass(frozen=True, slots=True)
class Job:
    """A worker's task: plain data. Candles follow through the pipe."""

    strategy: str
    strategy_dir: str  # holds this strategy's file and no other
    pairs: tuple[str, ...]  # its basket
    arena_pairs: tuple[str, ...]
    timeframes: tuple[str, ...]  # the arena's, then the informative ones
    config: dict[str, Any]  # FreqTrade's configuration, without the arena
    markets: dict[str, Any]  # frozen market metadata
    timerange: str
    start_ms: int  # start of the range that counts
    task: str  # "backtest", "look" or "walk"
    scratch: str = ""  # its home: in its own memory and writable, or not writable
    end_ms: int = 0  # a walk's last candle
    ticks: dict[str, list[tuple[int, float]]] | None = None  # by pair and month; None: derived from the candles
    # milliseconds: range of FreqTrade's loop where signals decide everything
    stretch: tuple[int, int] | None = None


class Run:
    """One strategy in one process: it is loaded and run, and reports on itself."""

    def __init__(self, job: Job, store: Store) -> None:
        self.job, self.store = job, store
        source = Path(job.strategy_dir, f"{job.strategy}.py")
        self.notes = Notes(source, lambda pair, timeframe: pair in job.arena_pairs and timeframe in job.timeframes)
        self.witness = Recorder(self.notes, job.arena_pairs)
        self.most_stakes = stake_probe.most(source.read_text(encoding="utf-8"))
        IDataHandler.ohlcv_load = _from(store, job.timeframes)
        Exchange._load_async_markets = lambda exchange, reload=False: exchange._api_async.set_markets(
            list(job.markets.values())
        )
        engine.get_tick_size_over_time = tick_sizes if job.ticks is None else lambda frame: None
        IStrategy.advise_all_indicators = lambda strategy, data: self.indicated(data)
        self.stretch: tuple[int, int] | None = None
        self.given: dict[str, signals.Given] = {}
        self.columns: dict[str, signals.Columns] = {}  # as FreqTrade's loop reads them
        self.parameters: dict[str, str] = {}  # their values when the populate functions had ended
        self.protections: object = None  # those that FreqTrade uses
        self.deciding: dict[str, None] = {}  # what decides during the loop, in order
        lazy_ccxt.load(job.config["exchange"]["name"].lower())
        fast_trades.install()
        skip_idle_candles.install()
        self.witness.install()
        self.guard = integrity.Guard()

    def load(self) -> None:
        """Load FreqTrade with this strategy and the arena's configuration."""
        job = self.job
        exchange = {**job.config["exchange"], "pair_whitelist": list(job.pairs)}
        arguments = {
            "config": ["-"],
            "user_data_dir": job.scratch,
            "datadir": job.scratch,
            "strategy": job.strategy,
            "strategy_path": job.strategy_dir,
            "timerange": job.timerange,
            "export": "none",
            "exportfilename": None,
            "cache": "none",
        }
        with _read_from(json.dumps({**_defaults(), **job.config, "exchange": exchange})):
            config = Configuration(arguments, RunMode.BACKTEST).get_config()
        arena_config = integrity.configured(config)
        self.notes.listen()
        self.backtesting = engine.Backtesting(config)
        self.strategy: IStrategy = self.backtesting.strategylist[0]
        declared = getattr(type(self.strategy), "timeframe", None)
        if isinstance(declared, property):
            declared = self.strategy.timeframe
        if declared is not None and declared != job.timeframes[0]:
            raise LoadError(
                f"timeframe is {declared!r}, the arena trades {job.timeframes[0]!r}. Higher ones come through "
                f"@informative"
            )
        self.backtesting.progress = None
        self.backtesting._is_backtest_runmode = False
        self.witness.attach(self.backtesting)
        self.backtesting._time_generator = self._times
        self.backtesting._get_ohlcv_as_lists = self._rows
        self.backtesting._load_protections = lambda strategy: self.protect()
        self.guard.remember(self.backtesting, arena_config, job.config["fee"], job.pairs)

    def _times(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """The candles that FreqTrade's loop simulates; each is recorded as the present one."""
        now = start + self.backtesting.timeframe_td
        while now <= end:
            self.witness.now_ms = int(now.timestamp() * 1000)
            yield now
            now += self.backtesting.timeframe_td

    def backtest(self) -> dict[str, Any]:
        """The whole range in one run. Returns the claim."""
        bt = self.backtesting
        data, timerange = self.candles()
        started = time.process_time()
        original, loop, populated = bt._get_ohlcv_as_lists, bt.backtest, []
        self.stretch = stretch = None if parameters.callbacks(self.strategy) else self.job.stretch

        def as_lists(processed: dict[str, pd.DataFrame]) -> dict[str, Any]:
            rows = original(processed)
            populated.append(time.process_time() - started)
            return rows

        def part(processed: dict[str, pd.DataFrame], start_date: datetime, end_date: datetime) -> Any:
            dates = (
                (start_date, end_date)
                if stretch is None
                else (datetime.fromtimestamp(ms / 1000, tz=start_date.tzinfo) for ms in stretch)
            )
            return loop(processed, *dates)

        bt._get_ohlcv_as_lists, bt.backtest = as_lists, part
        self.guard.attached |= {id(as_lists), id(part)}
        first, last = bt.backtest_one_strategy(self.strategy, data, timerange)
        looped = time.process_time() - started - populated[0]
        self.check()
        content = bt.all_bt_content[self.strategy.get_strategy_name()]
        trades, deciding = content["results"], list(self.deciding)
        return {
            "orders": self.witness.fills,
            "labels": self.witness.labels(
                {text for columns in self.columns.values() for text in (*columns.enter_texts, *columns.exit_texts)}
            ),
            "profit": float(trades["profit_abs"].sum()),
            "trades": len(trades),
            "closed_sharpe": float(calculate_sharpe(trades, first, last, bt.starting_balance)),
            "rejected": int(content["rejected_signals"]),
            "startup": int(bt.required_startup),
            "last_ms": int(last.timestamp() * 1000),
            "stretch": stretch,
            "populate_s": populated[0],
            "loop_s": looped,
            "callbacks": deciding,
            "decisions": {**self.decided(self.job.start_ms - LEAD_MS), "events": self.witness.record.take()},
            **_diagnosis(self),
        }

    def candles(self) -> tuple[dict[str, pd.DataFrame], Any]:
        """FreqTrade's frames and range. Tick sizes are those of the job, where it holds any."""
        data, timerange = self.backtesting.load_bt_data()
        if self.job.ticks is not None:
            self.backtesting.price_pair_prec = {
                pair: _series(months) for pair, months in self.job.ticks.items() if months
            }
        self.given = {pair: signals.given(frame) for pair, frame in data.items()}
        return data, timerange

    def indicated(self, data: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
        """As FreqTrade's advise_all_indicators; each frame must hold the candles that were given."""
        frames = {}
        for pair, frame in data.items():
            returned = self.strategy.advise_indicators(frame.copy(), {"pair": pair})
            signals.check(pair, returned, self.given[pair])
            frames[pair] = returned.copy()
        return frames

    def signalled(self, indicated: dict[str, pd.DataFrame]) -> None:
        """
        Compute entry and exit signals of all pairs and store the frames where FreqTrade expects analysed frames; then
        read the parameters and the columns that its loop uses. No code of the strategy runs between that and the loop.
        """
        bt, frames = self.backtesting, {}
        for pair, frame in indicated.items():
            for advise in (self.strategy.advise_entry, self.strategy.advise_exit):
                frame = advise(frame, {"pair": pair})
                signals.check(pair, frame, self.given[pair])
            frames[pair] = frame
            bt.dataprovider._set_cached_df(pair, bt.timeframe, frame, bt.config["candle_type_def"])
        self.parameters = parameters.parameters(self.strategy, self.protections)
        self.deciding |= dict.fromkeys(parameters.callbacks(self.strategy))
        self.columns = {pair: signals.read(pair, frame, self.given[pair]) for pair, frame in frames.items()}

    def protect(self) -> None:
        """Set FreqTrade's protections from a plain copy of the strategy's."""
        bt = self.backtesting
        self.protections = parameters.plain_setting("protections", self.strategy.protections)
        if bt.config.get("enable_protections", False):
            bt.protections = engine.ProtectionManager(bt.config, self.protections)

    def _rows(self, processed: dict[str, pd.DataFrame]) -> dict[str, list[Any]]:
        """Replaces FreqTrade's _get_ohlcv_as_lists."""
        self.signalled(processed)
        return {
            pair: signals.rows(columns, self.given[pair], slice(*self.looped(pair)))
            for pair, columns in self.columns.items()
        }

    def candidates(self, between: list[list[int]]) -> dict[str, stake_probe.Candidates]:
        """
        The candles in which each pair may enter, as rows of FreqTrade's loop: those that open within one of these
        spans, in milliseconds.
        """
        candidates = {}
        for pair, columns in self.columns.items():
            first, end = self.looped(pair)
            places = first + np.flatnonzero(columns.enter[first - 1 : end - 1])
            places = places[inside(self.given[pair].times[places], between)]
            rows = signals.rows(columns, self.given[pair], places)
            begun = int(self.given[pair].times[first]) if first < end else 0
            candidates[pair] = stake_probe.Candidates(
                begun, end - first, [row for row in rows if self.backtesting.check_for_trade_entry(row) == "long"]
            )
        return candidates

    def looped(self, pair: str) -> tuple[int, int]:
        """
        Index of a pair's first candle in FreqTrade's loop, and of the one after its last: the range after the warm-up,
        cut to `stretch` where it is set.
        """
        bt, given = self.backtesting, self.given[pair]
        trimmed = trim_dataframe(pd.DataFrame({"date": given.dates}), bt.timerange, startup_candles=bt.required_startup)
        first, end = len(given.times) - len(trimmed), len(given.times)
        if self.stretch is not None and first < end:
            start_ms, end_ms = self.stretch
            end = max(int(np.searchsorted(given.times, end_ms, side="right")), first)
            first = max(int(np.searchsorted(given.times, start_ms)), first)
        return min(first + 1, end), end

    def decided(self, since_ms: int) -> dict[str, Any]:
        """Signals from the candle at `since_ms` on and parameters, as FreqTrade's loop reads them."""
        return {
            "signals": {pair: signals.packed(columns, since_ms) for pair, columns in self.columns.items()},
            "parameters": self.parameters,
        }

    def analysed(self, pair: str) -> pd.DataFrame | None:
        """The whole frame that the strategy returned; get_analyzed_dataframe shows 1000 candles."""
        cached = self.backtesting.dataprovider._DataProvider__cached_pairs
        frame, _ = cached.get(
            (pair, self.backtesting.timeframe, self.backtesting.config["candle_type_def"]), (None, None)
        )
        return None if frame is None or frame.empty else frame

    def check(self) -> None:
        """Raises StrategyError for anything that was swallowed, replaced, overridden or changed."""
        self.notes.check()
        self.guard.check(self.backtesting, self.strategy)
        parameters.parameters(self.strategy, self.protections)  # they must still be plain
        self.deciding |= dict.fromkeys(parameters.callbacks(self.strategy))

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Turns every error of the strategy into a StrategyError with the strategy's own frames."""
        notes = self.notes
        try:
            yield
        except FreqtradeException as error:
            notes.check()
            raise StrategyError(str(error).replace("\n", " ") or type(error).__name__, notes.frames(error)) from error
        except StrategyError:
            raise
        except SystemExit as error:
            raise StrategyError(f"calls sys.exit({error.code!r})", notes.frames(error)) from error
        except BaseException as error:  # the only place where a strategy's crash becomes a recorded trial
            notes.check()
            raise StrategyError(f"{type(error).__name__}: {error}", notes.frames(error)) from error


def furnish(home: Path) -> None:
    """Make the folders that FreqTrade would make, so that it finds them where nothing can be written."""
    create_userdata_dir(str(home))


@contextmanager
def _read_from(text: str) -> Iterator[None]:
    """Give FreqTrade this text as standard input, so that no file holds it."""
    before, sys.stdin = sys.stdin, io.StringIO(text)
    try:
        yield
    finally:
        sys.stdin = before


def _from(store: Store, timeframes: tuple[str, ...]) -> Any:
    """
    Replaces FreqTrade's loading of candle files: trims, cleans and fills with the same result, several times faster.
    """

    def ohlcv_load(
        self: IDataHandler, pair: str, timeframe: str, candle_type: Any, *, timerange: Any = None,
        fill_missing: bool = True, drop_incomplete: bool = False, startup_candles: int = 0, warn_no_data: bool = True,
    ) -> pd.DataFrame:  # fmt: skip
        start = stop = None
        if timerange is not None:
            timerange = timerange.copy()
            timerange.subtract_start(timeframe_to_seconds(timeframe) * startup_candles)
            start = timerange.startts * 1000 if timerange.starttype == "date" else None
            stop = timerange.stopts * 1000 if timerange.stoptype == "date" else None
        # no candles of other timeframes
        frame = store.loaded(pair if timeframe in timeframes else "", timeframe, start, stop)
        self._check_empty_df(frame, pair, timeframe, candle_type, warn_no_data)
        return frame

    return ohlcv_load


def _series(months: list[tuple[int, float]]) -> "pd.Series[float]":
    """Tick sizes as FreqTrade keeps them. For a pair without any, the exchange's own precision holds."""
    index = pd.DatetimeIndex(np.array([ms for ms, _ in months], dtype="datetime64[ms]")).tz_localize("UTC")
    return pd.Series([tick for _, tick in months], index=index, dtype=float)


def _defaults() -> dict[str, Any]:
    """Keys that FreqTrade requires and a backtest does not use; the side "other" also allows market orders."""
    book = {"price_side": "other", "use_order_book": False, "order_book_top": 1}
    return {
        "dry_run": True,
        "entry_pricing": book,
        "exit_pricing": book,
        "pairlists": [{"method": "StaticPairList"}],
        "dataformat_ohlcv": "feather",
    }


def _diagnosis(run: Run) -> dict[str, Any]:
    """`_warmup`, or empty values when it fails: frames may hold anything, and a hint must not fail a run."""
    try:
        return _warmup(run)
    except Exception:
        return {"first_signal_ms": None, "warmup_ms": None, "warmup": ""}


def _warmup(run: Run) -> dict[str, Any]:
    """
    When the first signal came, and which indicator was defined last, for the pair that was ready first. An indicator
    that is never defined counts as defined after the last candle.
    """
    start = run.backtesting.timerange.startts * 1000
    first_signal, ready = None, None
    for pair in run.job.pairs:
        frame = run.analysed(pair)
        if frame is None:
            continue
        times = milliseconds(frame["date"])
        entered = times[run.columns[pair].enter & (times >= start)]
        if len(entered) and (first_signal is None or entered[0] < first_signal):
            first_signal = int(entered[0])
        since, column = _last_defined(frame, times)
        if ready is None or since < ready[0]:
            ready = (since, f"{column} of {pair}" if column else "")
    return {"first_signal_ms": first_signal, "warmup_ms": ready and ready[0], "warmup": ready[1] if ready else ""}


def _last_defined(frame: pd.DataFrame, times: Any) -> tuple[int, str]:
    """Open time by which every numeric column of the strategy has had a value, and the last column to get one."""
    since, name = int(times[0]), ""
    for position, column in enumerate(frame.columns):  # a name may stand twice
        values = frame.iloc[:, position]
        if column in (*CANDLE_COLUMNS, *SIGNALS) or not pd.api.types.is_float_dtype(values.dtype):
            continue
        defined = values.notna().to_numpy()
        defined_ms = int(times[defined.argmax()]) if defined.any() else int(times[-1]) + 1
        if defined_ms > since:
            since, name = defined_ms, str(column)
    return since, name
