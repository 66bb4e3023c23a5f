"""
Checks, in the worker, that the strategy has not changed what belongs to the arena: settings, FreqTrade's and pandas'
functions. `arena/sandbox/worker/signals.py` checks the candles in the frames that it returns.

These checks run in the process that they check. They find accidents and every plain attempt. A strategy that evades
them still has to pass booking, which runs elsewhere, and the comparison of decisions between processes.
"""

import builtins
import sys
from inspect import get_annotations
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import freqtrade.data.btanalysis  # noqa: F401  first: it resolves an import cycle of FreqTrade's
import freqtrade.optimize.backtesting as engine
import freqtrade.wallets as wallets
import numpy as np
import pandas as pd
from freqtrade.config_schema.config_schema import CONF_SCHEMA
from freqtrade.data import dataprovider
from freqtrade.enums import CandleType, MarginMode, RunMode, TradingMode
from freqtrade.persistence import CustomDataWrapper, LocalTrade, Order, PairLocks, Trade
from freqtrade.persistence.base import ModelBase
from freqtrade.strategy import IStrategy
from freqtrade.strategy.hyper import HyperStrategyMixin

from arena.decisions import CALLBACKS
from arena.errors import IntegrityError
from arena.sandbox.transport import Store
from arena.sandbox.worker import plain
from arena.sandbox.worker.parameters import SETTINGS, own_classes

OWN = frozenset(CALLBACKS) - {"lock_pair"} | set(SETTINGS) | {
    "populate_indicators", "populate_entry_trend", "populate_exit_trend", "populate_buy_trend", "populate_sell_trend",
    "bot_start", "dp", "informative_pairs", "version", "plot_config", "plot_annotations", "buy_params", "sell_params",
    "process_only_new_candles", "disable_dataframe_checks", "INTERFACE_VERSION", "__init__", "__doc__", "__module__",
    "__file__", "__source__", "__qualname__", "__annotations__", "__dict__", "__weakref__", "__abstractmethods__",
    "_abc_impl", "__firstlineno__", "__static_attributes__", "__parameters__", "__orig_bases__", "__slots__",
    "__annotate__", "__annotate_func__", "__annotations_cache__", "__conditional_annotations__",
}  # fmt: skip
"""Names that a strategy's class may define although IStrategy, or Python's object, defines them too."""
DEFAULTS = {name: schema.get("default") for name, schema in CONF_SCHEMA["properties"].items()}
"""Keys of FreqTrade's configuration, with the default that FreqTrade sets where a key is left out."""
TAKEN = frozenset(SETTINGS) | {"process_only_new_candles", "disable_dataframe_checks", "strategy", "strategy_path"}
"""
Keys among DEFAULTS that FreqTrade takes from the strategy, or sets itself, where the configuration leaves them out.
"""
ALWAYS_REFUSED = (
    "__getattribute__",
    "__getattr__",
    "__setattr__",
    "__delattr__",
    "__class__",
    "__new__",
    "__init_subclass__",
)
_CLASSES = (
    engine.Backtesting, LocalTrade, Trade, Order, ModelBase, PairLocks, CustomDataWrapper, wallets.Wallets,
    dataprovider.DataProvider, IStrategy, HyperStrategyMixin, pd.DataFrame, pd.Series, pd.core.generic.NDFrame,
    pd.core.base.PandasObject, pd.Timestamp, pd.core.window.Rolling, pd.core.indexing._LocIndexer,
    pd.core.indexing._iLocIndexer, Store,
)  # fmt: skip
_MODES = (TradingMode, MarginMode, CandleType, RunMode)
"""FreqTrade's enumerations, which it puts into a configuration in place of texts."""
_PATH = type(Path())
_WATCHED = (
    "arena",
    "freqtrade",
    "numpy",
    "pandas",
    "json",
    "os",
    "sys",
    "time",
    "zlib",
    "base64",
    "struct",
    "builtins",
)
"""Modules whose functions and entries in sys.modules must not change; those below arena and freqtrade are included."""


def _modules() -> list[ModuleType]:
    below = ("arena.", "freqtrade.")
    return [
        module
        for name, module in list(sys.modules.items())
        if isinstance(module, ModuleType) and (name in _WATCHED or name.startswith(below))
    ]


def _functions(owner: type | ModuleType) -> dict[str, Any]:
    kinds = (
        FunctionType,
        BuiltinFunctionType,
        ModuleType,
        staticmethod,
        classmethod,
        property,
        type,
        np.ufunc,
        type(np.mean),
    )
    return {name: value for name, value in vars(owner).items() if isinstance(value, kinds)}


class Guard:
    """Records the state before the strategy is loaded; `check` compares it afterwards."""

    def __init__(self) -> None:
        """Call it after the arena's own replacements are in place and before any code of the strategy runs."""
        modules = _modules()
        self.before = [(owner, _functions(owner)) for owner in (*_CLASSES, *modules)]
        self.places = {
            module.__name__: sys.modules[module.__name__] for module in modules if module.__name__ in sys.modules
        }
        self.names = [(owner, set(vars(owner))) for owner in (*_CLASSES, builtins)]
        self.trace = sys.gettrace(), sys.getprofile()
        self.settings: dict[str, Any] = {}

    def remember(
        self, backtesting: engine.Backtesting, config: dict[str, Any], fee: float, pairs: tuple[str, ...]
    ) -> None:
        """Record what must hold until the end. `config` is the arena's, before the strategy saw a copy."""
        self.settings = {
            **{f"config.{key}": value for key, value in config.items()},
            "fee": fee,
            "pairs": list(pairs),
            "position_stacking": False,
            "can_short": False,
        }
        self.loaded = type(backtesting.strategylist[0])
        self.attached = {id(value) for value in vars(backtesting).values() if callable(value)}

    def check(self, backtesting: engine.Backtesting, strategy: IStrategy) -> None:
        """Raises IntegrityError naming the first thing that has changed."""
        self._check_settings(backtesting)
        if type(strategy) is not self.loaded or backtesting.strategy is not strategy:
            raise IntegrityError("integrity: puts another strategy in the place of the one that was loaded")
        _check_class(strategy)
        if (sys.gettrace(), sys.getprofile()) != self.trace:
            raise IntegrityError("integrity: sets a trace or profile function for the process")
        for name, module in self.places.items():
            if sys.modules.get(name) is not module:
                raise IntegrityError(f"integrity: puts another module in the place of {name}")
        for owner, functions in self.before:
            for name, value in functions.items():
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
        config, strategy = backtesting.config, backtesting.strategy
        if type(config) is not dict or strategy.config is not config:
            raise IntegrityError("integrity: config is not the one that FreqTrade gave")
        now = {name: config.get(name.removeprefix("config.")) for name in self.settings if name.startswith("config.")}
        now |= {
            "fee": backtesting.fee,
            "pairs": list(backtesting.pairlists.whitelist),
            "position_stacking": bool(backtesting._position_stacking),
        }
        now["can_short"] = backtesting._can_short
        if isinstance(exchange := now.get("config.exchange"), dict):
            now["config.exchange"] = {key: exchange.get(key) for key in self.settings["config.exchange"]}
        for name, wanted in self.settings.items():
            if not _equal(now[name], wanted):
                raise IntegrityError(f"integrity: {name} is {_short(now[name])}, the arena's is {_short(wanted)}")
        for name in sorted((DEFAULTS.keys() & config.keys()) - TAKEN):
            if f"config.{name}" not in self.settings and not _equal(config[name], DEFAULTS[name]):
                raise IntegrityError(
                    f"integrity: config.{name} is {_short(config[name])}, the arena's configuration leaves it out"
                )
        slots, wanted = strategy.max_open_trades, self.settings.get("config.max_open_trades", 0)
        if not _equal(slots, wanted) and not (wanted < 0 and _equal(slots, float("inf"))):
            raise IntegrityError(f"integrity: max_open_trades is {_short(slots)}, the arena's is {wanted}")


def _equal(now: object, wanted: object) -> bool:
    """Whether two settings are equal. A value that is not plain could define its own comparison, so it never is."""
    try:
        return _plain(now) == _plain(wanted)
    except plain.NotPlain:
        return False


def _plain(value: Any) -> Any:
    """Raises NotPlain."""
    return value.value if type(value) in _MODES else str(value) if type(value) is _PATH else plain.copy(value)


def configured(config: dict[str, Any]) -> dict[str, Any]:
    """Plain copies of the configuration's values, made before the strategy gets it."""
    return {key: _plain(value) for key, value in config.items()}


def _check_class(strategy: IStrategy) -> None:
    """Raises IntegrityError where the class overrides anything of FreqTrade's but callbacks, signals and settings."""
    if type(type(strategy)).__module__ not in ("abc", "builtins"):
        raise IntegrityError(f"integrity: the class has a metaclass of its own, {type(type(strategy)).__name__}")
    engine_names = {name for cls in (IStrategy, HyperStrategyMixin) for name in (*vars(cls), *get_annotations(cls))}
    methods = {n: v for n, v in vars(strategy).items() if callable(v) and callable(getattr(IStrategy, n, None))}
    for namespace in (*map(vars, own_classes(strategy)), methods):
        for name in namespace:
            if name in ALWAYS_REFUSED or (name in engine_names and name not in OWN):
                raise IntegrityError(f"integrity: overrides {name}, which is FreqTrade's own")


def _short(value: object) -> str:
    try:
        text = repr(_plain(value))
    except plain.NotPlain as error:
        text = f"no plain value: it {error}"
    return text if len(text) <= 60 else text[:59] + "…"
