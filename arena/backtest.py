"""
FreqTrade, in the worker: the only module that runs strategy code. What it returns is a claim, plain data for JSON.

Preloaded by the fork server, so it imports FreqTrade and nothing that holds a candle. FreqTrade runs unchanged but for
things that decide no trade: the replacements of `quicken`; markets come frozen instead of over the network; tick sizes are
computed by a vectorised function with the same results; progress bars and wallet captures are off; every fill and every
exception that FreqTrade would swallow is noted.

One difference can be seen by a strategy: FreqTrade's tick function leaves the columns open_count to max_count in its
frames, in backtests alone. Here they are not there, so code that goes over all columns may decide otherwise.
"""

import functools
import json
import logging
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arena import lean_ccxt

lean_ccxt.install()

import freqtrade.data.btanalysis  # noqa: E402, F401  first: it resolves an import cycle of FreqTrade's
import freqtrade.optimize.backtesting as engine  # noqa: E402
import freqtrade.strategy.interface as interface
import pandas as pd
from freqtrade.configuration import Configuration
from freqtrade.data.metrics import calculate_sharpe
from freqtrade.enums import RunMode
from freqtrade.exceptions import FreqtradeException
from freqtrade.exchange import Exchange
from freqtrade.persistence import LocalTrade, Order
from freqtrade.strategy.strategy_wrapper import strategy_safe_wrapper

from arena import quicken
from arena.candles import milliseconds, tick_sizes
from arena.errors import LoadError, StrategyError
from arena.grid import candle_file

lean_ccxt.load("binance")  # the exchange of the shipped arena, once for all workers; another one is loaded by its worker

SIGNALS = ("enter_long", "exit_long", "enter_short", "exit_short", "enter_tag", "exit_tag")
CANDLES = ("date", "open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is told: paths and plain data."""

    strategy: str
    strategy_dir: str  # holds this strategy's file and no other
    pairs: tuple[str, ...]
    config: dict[str, Any]  # FreqTrade's configuration, without the arena
    data_dir: str
    markets: str  # path of the frozen market metadata
    timerange: str
    scratch: str  # private and writable


def run(job: Job) -> dict[str, Any]:
    """
    Run one backtest and return the claim.

    Raises
    ------
    StrategyError
        Whatever the strategy did wrong, with its own frames.
    """
    Exchange._load_async_markets = _frozen_markets(json.loads(Path(job.markets).read_text()))
    engine.get_tick_size_over_time = tick_sizes
    lean_ccxt.load(job.config["exchange"]["name"].lower())
    quicken.install()
    notes = _Notes(job)
    _note_errors(notes)
    fills = _record_fills()
    try:
        backtesting = _load(job, notes)
        strategy = backtesting.strategylist[0]
        data, timerange = backtesting.load_bt_data()
        first, last = backtesting.backtest_one_strategy(strategy, data, timerange)
    except FreqtradeException as error:
        notes.check()
        raise StrategyError(_sentence(error), notes.frames(error)) from error
    except StrategyError:
        raise
    except SystemExit as error:
        raise StrategyError(f"calls sys.exit({error.code!r})", notes.frames(error)) from error
    except BaseException as error:  # the one place where a strategy's crash becomes a recorded trial
        notes.check()
        raise StrategyError(f"{type(error).__name__}: {error}", notes.frames(error)) from error
    notes.check()
    content = backtesting.all_bt_content[strategy.get_strategy_name()]
    trades = content["results"]
    return {
        "orders": fills,
        "profit": float(trades["profit_abs"].sum()),
        "trades": len(trades),
        "closed_sharpe": float(calculate_sharpe(trades, first, last, backtesting.starting_balance)),
        "rejected": int(content["rejected_signals"]),
        **_diagnosis(backtesting, job),
    }


def _load(job: Job, notes: "_Notes") -> engine.Backtesting:
    scratch = Path(job.scratch)
    config_file = scratch / "config.json"
    exchange = {**job.config["exchange"], "pair_whitelist": list(job.pairs)}
    config_file.write_text(json.dumps({**_defaults(), **job.config, "exchange": exchange}))
    arguments = {
        "config": [str(config_file)],
        "user_data_dir": str(scratch),
        "datadir": job.data_dir,
        "strategy": job.strategy,
        "strategy_path": job.strategy_dir,
        "timerange": job.timerange,
        "export": "none",
        "exportfilename": None,
        "cache": "none",
    }
    config = Configuration(arguments, RunMode.BACKTEST).get_config()
    notes.listen()
    backtesting = engine.Backtesting(config)
    declared = getattr(type(backtesting.strategylist[0]), "timeframe", None)
    if isinstance(declared, property):
        declared = backtesting.strategylist[0].timeframe
    if declared is not None and declared != job.config["timeframe"]:
        raise LoadError(f"timeframe is {declared!r}, the arena trades {job.config['timeframe']!r}. Higher ones come through @informative")
    backtesting.progress = None
    backtesting._is_backtest_runmode = False
    return backtesting


def _defaults() -> dict[str, Any]:
    """Keys that FreqTrade wants and a backtest does not use; "other" is the side that allows market orders too."""
    book = {"price_side": "other", "use_order_book": False, "order_book_top": 1}
    return {
        "dry_run": True,
        "entry_pricing": book,
        "exit_pricing": book,
        "pairlists": [{"method": "StaticPairList"}],
        "dataformat_ohlcv": "feather",
    }


def _frozen_markets(markets: dict[str, Any]):
    def load(self: Exchange, reload: bool = False) -> None:
        self._api_async.set_markets(list(markets.values()))

    return load


def _record_fills() -> dict[str, list[Any]]:
    """Columns of filled orders in the order of their fills; FreqTrade appends to them while it runs."""
    fills: dict[str, list[Any]] = {"pair": [], "filled_ms": [], "buys": [], "price": [], "amount": []}
    close = Order.close_bt_order

    def noted(self: Order, close_date: Any, trade: LocalTrade) -> None:
        close(self, close_date, trade)
        fills["pair"].append(trade.pair)
        fills["filled_ms"].append(int(close_date.timestamp() * 1000))
        fills["buys"].append(self.ft_order_side == "buy")
        fills["price"].append(float(self.ft_price))
        fills["amount"].append(float(self.amount))

    Order.close_bt_order = noted
    return fills


def _note_errors(notes: "_Notes") -> None:
    """
    Whatever a strategy's callback raises is noted before FreqTrade swallows it; logging could be switched off. FreqTrade's own
    defaults raise nothing and need no wrapper, which saves the time of making one at every candle.
    """

    def safe_wrapper(f: Any, message: str = "", default_retval: Any = None, supress_error: bool = False) -> Any:
        if getattr(f, "__qualname__", "").startswith("IStrategy."):
            return f

        @functools.wraps(f)
        def noted(*args: Any, **kwargs: Any) -> Any:
            try:
                return f(*args, **kwargs)
            except Exception as error:
                notes.swallowed(error)
                raise

        return strategy_safe_wrapper(noted, message=message, default_retval=default_retval, supress_error=supress_error)

    interface.strategy_safe_wrapper = engine.strategy_safe_wrapper = safe_wrapper


def _diagnosis(backtesting: engine.Backtesting, job: Job) -> dict[str, Any]:
    """`_warmup`, or nothing known: frames may hold what nobody thought of, and a hint must not fail a run."""
    try:
        return _warmup(backtesting, job)
    except Exception:
        return {"first_signal_ms": None, "warmup_ms": None, "warmup": ""}


def _warmup(backtesting: engine.Backtesting, job: Job) -> dict[str, Any]:
    """
    When the first signal came, and which indicator was defined last, for the pair that was ready first. An indicator
    that never is counts as defined after the last candle.
    """
    analysed = backtesting.dataprovider._DataProvider__cached_pairs  # whole; get_analyzed_dataframe shows 1000 candles
    start = backtesting.timerange.startts * 1000
    first_signal, ready = None, None
    for pair in job.pairs:
        frame, _ = analysed.get((pair, backtesting.timeframe, backtesting.config["candle_type_def"]), (None, None))
        if frame is None or frame.empty:
            continue
        times = milliseconds(frame["date"])
        if "enter_long" in frame:
            entries = pd.to_numeric(frame["enter_long"]).to_numpy(dtype=float, na_value=0.0)
            signals = times[(entries == 1) & (times >= start)]
            if len(signals) and (first_signal is None or signals[0] < first_signal):
                first_signal = int(signals[0])
        since, column = _last_defined(frame, times)
        if ready is None or since < ready[0]:
            ready = (since, f"{column} of {pair}" if column else "")
    return {"first_signal_ms": first_signal, "warmup_ms": ready and ready[0], "warmup": ready[1] if ready else ""}


def _last_defined(frame: pd.DataFrame, times: Any) -> tuple[int, str]:
    """Open time since which every numeric column of the strategy has had a value once, and the last such column."""
    since, name = int(times[0]), ""
    for position, column in enumerate(frame.columns):  # a name may stand twice
        values = frame.iloc[:, position]
        if column in (*CANDLES, *SIGNALS) or not pd.api.types.is_float_dtype(values.dtype):
            continue
        defined = values.notna().to_numpy()
        at = int(times[defined.argmax()]) if defined.any() else int(times[-1]) + 1
        if at > since:
            since, name = at, str(column)
    return since, name


class _Notes(logging.Handler):
    """What FreqTrade swallows or only logs: exceptions in callbacks, files that do not import, candles that are not there."""

    def __init__(self, job: Job) -> None:
        super().__init__(logging.WARNING)
        self.job, self.found = job, None

    def listen(self) -> None:
        root = logging.getLogger()
        for handler in list(root.handlers):
            root.removeHandler(handler)
        root.setLevel(logging.WARNING)
        root.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if self.found is not None:
            return
        error = sys.exc_info()[1]
        if record.name == "freqtrade.resolvers.iresolver" and error is not None:
            self.found = LoadError(f"does not import: {type(error).__name__}: {error}", self.frames(error))
        elif record.name == "freqtrade.data.history.datahandlers.idatahandler":
            text = record.getMessage()
            wanted = text.removeprefix("No history for ").split(" found")[0]
            if wanted != text and not self._is_there(wanted):
                self.found = StrategyError(f"asks for candles that the arena does not have: {wanted}")

    def swallowed(self, error: Exception) -> None:
        if self.found is None:
            self.found = StrategyError(f"{type(error).__name__}: {error}, in a callback", self.frames(error))

    def _is_there(self, wanted: str) -> bool:
        """Whether the arena has such candles, if perhaps none yet: `wanted` is pair, kind and timeframe."""
        pair, _, timeframe = wanted.replace(" ", "").split(",")
        return candle_file(Path(self.job.data_dir), pair, timeframe).exists()

    def check(self) -> None:
        if self.found is not None:
            raise self.found

    def frames(self, error: BaseException) -> tuple[str, ...]:
        """The strategy's own lines, outermost first."""
        source = str(Path(self.job.strategy_dir, f"{self.job.strategy}.py").resolve())
        lines = []
        while error is not None:
            for frame in traceback.extract_tb(error.__traceback__):
                if frame.filename == source:
                    lines.append(f"{self.job.strategy}.py:{frame.lineno} {frame.name}: {frame.line}")
            if isinstance(error, SyntaxError) and error.filename == source:
                lines.append(f"{self.job.strategy}.py:{error.lineno}: {(error.text or '').strip()}")
            error = error.__cause__ if not lines else None
        return tuple(lines)


def _sentence(error: BaseException) -> str:
    return str(error).replace("\n", " ") or type(error).__name__
