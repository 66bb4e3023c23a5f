"""
What decides in a strategy besides its signals, in the worker: settings that FreqTrade reads and callbacks that it
calls.

We compare settings by type and value. They must be plain numbers, texts, lists and dicts; everything else is refused.
"""

from typing import Any

from freqtrade.strategy import IStrategy
from freqtrade.strategy.parameters import BaseParameter

from arena.decisions import CALLBACKS
from arena.errors import IntegrityError
from arena.sandbox.messages import MAX_PARAMETER
from arena.sandbox.worker import plain

SETTINGS = (
    "minimal_roi", "stoploss", "trailing_stop", "trailing_stop_positive", "trailing_stop_positive_offset",
    "trailing_only_offset_is_reached", "use_custom_stoploss", "use_custom_roi", "use_exit_signal", "exit_profit_only",
    "exit_profit_offset", "ignore_roi_if_entry_signal", "ignore_buying_expired_candle_after",
    "position_adjustment_enable", "max_entry_position_adjustment", "max_open_trades", "timeframe",
    "startup_candle_count", "order_types", "order_time_in_force", "unfilledtimeout", "protections", "can_short",
    "stake_currency", "stake_amount", "_ft_stop_uses_after_fill",
)  # fmt: skip
"""Settings that FreqTrade reads from a strategy besides signals and callbacks."""
OLD_NAMES = {
    "custom_sell": "custom_exit", "check_buy_timeout": "check_entry_timeout",
    "check_sell_timeout": "check_exit_timeout",
}  # fmt: skip
"""Old names of callbacks, which FreqTrade calls where the strategy does not define the new one."""
MAX_PARAMETERS = 500
MAX_NAME = 100


def parameters(strategy: IStrategy, protections: object = None) -> dict[str, str]:
    """
    The present settings and hyperopt parameters as texts; `protections` are those that FreqTrade uses.

    Raises IntegrityError for a setting that is not plain.
    """
    texts = {name: _setting(name, setting(strategy, name)) for name in SETTINGS if name != "protections"}
    texts["protections"] = _setting("protections", protections)
    hyperopt = {}
    for name in sorted(dir(type(strategy))):
        if isinstance(value := getattr(strategy, name, None), BaseParameter):
            hyperopt[plain.bounded(f"{name}.value", MAX_NAME)] = _told(value.value)
    listed = list(hyperopt.items())
    texts |= dict(listed[:MAX_PARAMETERS])
    if len(listed) > MAX_PARAMETERS:
        texts["others"] = plain.bounded(repr(listed[MAX_PARAMETERS:]), plain.SHOWN)
    return texts


def setting(strategy: IStrategy, name: str) -> object:
    """A setting, from the place where FreqTrade's loop reads it."""
    return strategy.config.get(name) if name == "unfilledtimeout" else getattr(strategy, name, None)


def plain_setting(name: str, value: object) -> object:
    """A copy in Python's own types. Raises IntegrityError for a value that is not plain."""
    try:
        return plain.copy(value)
    except plain.NotPlain as error:
        rule = "settings are plain numbers, texts, True, False, None, lists and dicts"
        raise IntegrityError(f"integrity: {name} {error}; {rule}") from None


def callbacks(strategy: IStrategy) -> list[str]:
    """
    What can decide during FreqTrade's loop: callbacks that the strategy defines, and settings that are computed when
    read. If there are none, signals and parameters decide everything.
    """
    classes = own_classes(strategy)
    names = [
        name
        for name in CALLBACKS
        if name != "lock_pair" and (name in vars(strategy) or any(name in vars(cls) for cls in classes))
    ]
    computed = [
        name
        for name in SETTINGS
        if name != "protections" and any(hasattr(vars(cls).get(name), "__get__") for cls in classes)
    ]
    return names + computed


def own_classes(strategy: IStrategy) -> list[type]:
    """The strategy's class and its bases, without FreqTrade's."""
    return [cls for cls in type(strategy).__mro__ if cls not in IStrategy.__mro__]


def _setting(name: str, value: object) -> str:
    return plain.bounded(_literal(plain_setting(name, value)), MAX_PARAMETER)


def _told(value: Any) -> str:
    """
    A hyperopt parameter's value as text; FreqTrade reads none. A value that is not plain becomes the name of its class,
    because its printed form may hold an address.
    """
    try:
        return plain.bounded(_literal(plain.copy(value)), MAX_PARAMETER)
    except plain.NotPlain:
        return plain.bounded(plain.named(value), MAX_PARAMETER)


def _literal(value: object) -> str:
    """A Python literal; the keys of a dict are sorted."""
    if isinstance(value, dict):
        value = dict(sorted(value.items(), key=lambda item: str(item[0])))
    return repr(value)
