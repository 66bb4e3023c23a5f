"""
Whether the strategy left alone what belongs to the arena, in the worker: settings, FreqTrade's and pandas' functions, the
candles in the frames that it returns.

These checks run in the process that they check. They find accidents and every plain attempt; what gets past them still has
to pass booking, which runs elsewhere, and the comparison of decisions between processes.
"""

import builtins
import sys
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import freqtrade.data.btanalysis  # noqa: F401  first: it resolves an import cycle of FreqTrade's
import freqtrade.optimize.backtesting as engine
import freqtrade.wallets as wallets
import numpy as np
import pandas as pd
from freqtrade.data import dataprovider
from freqtrade.persistence import CustomDataWrapper, LocalTrade, Order, PairLocks, Trade
from freqtrade.persistence.base import ModelBase
from freqtrade.strategy import IStrategy
from freqtrade.strategy.hyper import HyperStrategyMixin

from arena.candles import PRICES, milliseconds
from arena.claims import CALLBACKS
from arena.decisions import SETTINGS, own_classes
from arena.errors import IntegrityError, when
from arena.feed import Store

OWN = frozenset(CALLBACKS) - {"lock_pair"} | set(SETTINGS) | {
    "populate_indicators", "populate_entry_trend", "populate_exit_trend", "populate_buy_trend", "populate_sell_trend", "bot_start",
    "informative_pairs", "version", "plot_config", "plot_annotations", "buy_params", "sell_params", "custom_sell", "check_buy_timeout",
    "check_sell_timeout", "process_only_new_candles", "disable_dataframe_checks", "INTERFACE_VERSION", "__init__", "__doc__",
    "__module__", "__file__", "__source__", "__qualname__", "__annotations__", "__dict__", "__weakref__", "__abstractmethods__", "_abc_impl", "__firstlineno__",
    "__static_attributes__", "__parameters__", "__orig_bases__", "__slots__", "__annotate__", "__annotate_func__", "__annotations_cache__",
    "__conditional_annotations__",
}  # fmt: skip
"""What a strategy's class may define although IStrategy, or Python's object, has it too."""
ALWAYS_REFUSED = ("__getattribute__", "__getattr__", "__setattr__", "__delattr__", "__class__", "__new__", "__init_subclass__")
_CLASSES = (
    engine.Backtesting, LocalTrade, Trade, Order, ModelBase, PairLocks, CustomDataWrapper, wallets.Wallets, dataprovider.DataProvider,
    IStrategy, HyperStrategyMixin, pd.DataFrame, pd.Series, pd.core.generic.NDFrame, pd.core.base.PandasObject, pd.Timestamp,
    pd.core.window.Rolling, pd.core.indexing._LocIndexer, pd.core.indexing._iLocIndexer, Store,
)  # fmt: skip
_WATCHED = ("arena", "freqtrade", "numpy", "pandas", "json", "os", "sys", "time", "zlib", "base64", "struct", "builtins")
"""Modules, those below arena and freqtrade included, whose functions and whose place in sys.modules stay what they are."""


def _modules() -> list[ModuleType]:
    below = ("arena.", "freqtrade.")
    return [module for name, module in list(sys.modules.items()) if isinstance(module, ModuleType) and (name in _WATCHED or name.startswith(below))]


def _functions(owner: type | ModuleType) -> dict[str, Any]:
    kinds = (FunctionType, BuiltinFunctionType, ModuleType, staticmethod, classmethod, property, type, np.ufunc, type(np.mean))
    return {name: value for name, value in vars(owner).items() if isinstance(value, kinds)}


class Guard:
    """Made before the strategy is loaded; `check` afterwards."""

    def __init__(self) -> None:
        """After the arena's own replacements are in place, before any code of the strategy."""
        modules = _modules()
        self.before = [(owner, _functions(owner)) for owner in (*_CLASSES, *modules)]
        self.places = {module.__name__: sys.modules[module.__name__] for module in modules if module.__name__ in sys.modules}
        self.names = [(owner, set(vars(owner))) for owner in (*_CLASSES, builtins)]
        self.trace = sys.gettrace(), sys.getprofile()
        self.settings: dict[str, Any] = {}

    def remember(self, backtesting: engine.Backtesting, config: dict[str, Any], fee: float, pairs: tuple[str, ...]) -> None:
        """What must hold from here to the end. `config` is the arena's, before the strategy saw a copy."""
        self.settings = {
            **{f"config.{key}": value for key, value in config.items()},
            "fee": fee,
            "pairs": list(pairs),
            "position_stacking": False,
        }
        self.attached = {id(value) for value in vars(backtesting).values() if callable(value)}

    def check(self, backtesting: engine.Backtesting, strategy: IStrategy) -> None:
        """Raises IntegrityError naming the first thing that is not as it was."""
        self._check_settings(backtesting)
        _check_class(strategy)
        if (sys.gettrace(), sys.getprofile()) != self.trace:
            raise IntegrityError("integrity: sets a trace or profile function for the process")
        for name, module in self.places.items():
            if sys.modules.get(name) is not module:
                raise IntegrityError(f"integrity: puts another module in the place of {name}")
        for owner, known in self.before:
            for name, value in known.items():
                if vars(owner).get(name) is not value:
                    raise IntegrityError(f"integrity: replaces {owner.__name__}.{name}")
        for owner, names in self.names:
            for name in set(vars(owner)) - names - {"_"}:
                if owner is builtins:
                    raise IntegrityError(f"integrity: leaves {name!r} in builtins")
                if any(name in vars(base) for base in owner.__mro__[1:]):
                    raise IntegrityError(f"integrity: replaces {owner.__name__}.{name}")
        for name, value in vars(backtesting).items():
            if callable(value) and isinstance(value, FunctionType) and id(value) not in self.attached:
                raise IntegrityError(f"integrity: replaces Backtesting.{name}")

    def _check_settings(self, backtesting: engine.Backtesting) -> None:
        config = backtesting.config
        exchange = self.settings.get("config.exchange", {})
        now = {name: config.get(name.removeprefix("config.")) for name in self.settings if name.startswith("config.")}
        now |= {"fee": backtesting.fee, "pairs": list(backtesting.pairlists.whitelist), "position_stacking": bool(backtesting._position_stacking)}
        if "config.exchange" in now:
            now["config.exchange"] = {key: (now["config.exchange"] or {}).get(key) for key in exchange}
        for name, wanted in self.settings.items():
            if now[name] != wanted:
                raise IntegrityError(f"integrity: {name} is {_short(now[name])}, the arena's is {_short(wanted)}")
        slots, wanted = backtesting.strategy.max_open_trades, self.settings.get("config.max_open_trades", 0)
        if slots != wanted and not (wanted < 0 and slots == float("inf")):
            raise IntegrityError(f"integrity: max_open_trades is {_short(slots)}, the arena's is {wanted}")


def check_frame(store: Store, pair: str, frame: pd.DataFrame) -> None:
    """
    Date and OHLC of the frame that a strategy returned against the arena's candles, gaps filled, over the frame's span.

    Raises IntegrityError with pair, candle, and the two values.
    """
    expected = store.loaded(pair, store.timeframe, None, None)
    times = milliseconds(expected["date"])
    try:
        dates = frame["date"]
        found = milliseconds(dates)
        given = {name: frame[name].to_numpy(dtype=np.float64) for name in PRICES}
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise IntegrityError(f"integrity: {pair}: date or prices are gone from the strategy's frame ({error})") from None
    first = int(np.searchsorted(times, found[0])) if len(found) else 0
    times = times[first : first + len(found)]
    if len(times) != len(found) or (times != found).any():
        row = int(np.argmax(times != found[: len(times)])) if len(times) else 0
        at = when(int(times[row])) if len(times) else "the start"
        raise IntegrityError(f"integrity: {pair}: the rows of the strategy's frame are not the arena's candles, from {at} on")
    for name in PRICES:
        wanted = expected[name].to_numpy()[first : first + len(found)]
        wrong = given[name] != wanted
        if wrong.any():
            k = int(np.argmax(wrong))
            raise IntegrityError(
                f"integrity: {pair} {when(int(times[k]))} {name} is {given[name][k]:.10g} in the strategy's frame, the arena's is {wanted[k]:.10g}"
            )


def _check_class(strategy: IStrategy) -> None:
    """What decides trades besides callbacks, signals and settings is FreqTrade's."""
    if type(type(strategy)).__module__ not in ("abc", "builtins"):
        raise IntegrityError(f"integrity: the class has a metaclass of its own, {type(type(strategy)).__name__}")
    engine_names = {name for cls in (IStrategy, HyperStrategyMixin) for name in vars(cls)}
    own = own_classes(strategy)
    for place in (*map(vars, own), {n: v for n, v in vars(strategy).items() if isinstance(v, FunctionType)}):
        for name in place:
            if name in ALWAYS_REFUSED or (name in engine_names and name not in OWN):
                raise IntegrityError(f"integrity: overrides {name}, which is FreqTrade's own")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
