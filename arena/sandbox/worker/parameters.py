"""
What decides in a strategy besides its signals, in the worker: settings that FreqTrade reads, callbacks that it asks.

Settings are compared by type and value: FreqTrade reads plain numbers, texts, lists and dicts; everything else is
refused.
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
"""What FreqTrade reads from a strategy besides signals and callbacks."""
OLD_NAMES = {
    "custom_sell": "custom_exit", "check_buy_timeout": "check_entry_timeout",
    "check_sell_timeout": "check_exit_timeout",
}  # fmt: skip
"""Callbacks that FreqTrade asks where the new one is not there."""
MAX_PARAMETERS = 500
MAX_NAME = 100


def parameters(strategy: IStrategy, protections: object = None) -> dict[str, str]:
    """
    Settings and hyperopt parameters as texts, as they stand now; `protections` are those that FreqTrade has taken.

    Raises IntegrityError for a setting that is not plain.
    """
    made = {name: _setting(name, setting(strategy, name)) for name in SETTINGS if name != "protections"}
    made["protections"] = _setting("protections", protections)
    own = {}
    for name in sorted(dir(type(strategy))):
        if isinstance(value := getattr(strategy, name, None), BaseParameter):
            own[plain.bounded(f"{name}.value", MAX_NAME)] = _told(value.value)
    listed = list(own.items())
    made |= dict(listed[:MAX_PARAMETERS])
    if len(listed) > MAX_PARAMETERS:
        made["others"] = plain.bounded(repr(listed[MAX_PARAMETERS:]), plain.SHOWN)
    return made


def setting(strategy: IStrategy, name: str) -> object:
    """A setting where FreqTrade's loop reads it."""
    return strategy.config.get(name) if name == "unfilledtimeout" else getattr(strategy, name, None)


def plain_setting(name: str, value: object) -> object:
    """A copy in Python's own types. Raises IntegrityError where that would be another value."""
    try:
        return plain.copy(value)
    except plain.NotPlain as odd:
        rule = "settings are plain numbers, texts, True, False, None, lists and dicts"
        raise IntegrityError(f"integrity: {name} {odd}; {rule}") from None


def callbacks(strategy: IStrategy) -> list[str]:
    """
    What of a strategy can decide while candles pass: callbacks that it defines, and settings that are computed when
    read. Nothing: then its signals and parameters say everything.
    """
    own = own_classes(strategy)
    names = [n for n in CALLBACKS if n != "lock_pair" and (n in vars(strategy) or any(n in vars(cls) for cls in own))]
    computed = [n for n in SETTINGS if n != "protections" and any(hasattr(vars(cls).get(n), "__get__") for cls in own)]
    return names + computed


def own_classes(strategy: IStrategy) -> list[type]:
    """The strategy's class and its bases, without FreqTrade's."""
    return [cls for cls in type(strategy).__mro__ if cls not in IStrategy.__mro__]


def _setting(name: str, value: object) -> str:
    return plain.bounded(_literal(plain_setting(name, value)), MAX_PARAMETER)


def _told(value: Any) -> str:
    """
    A hyperopt parameter's value; FreqTrade reads none. What is not plain is told by its class: its printed form may
    hold an address.
    """
    try:
        return plain.bounded(_literal(plain.copy(value)), MAX_PARAMETER)
    except plain.NotPlain:
        return plain.bounded(plain.named(value), MAX_PARAMETER)


def _literal(value: object) -> str:
    """A literal of Python, the keys of a dict in order."""
    if isinstance(value, dict):
        value = dict(sorted(value.items(), key=lambda item: str(item[0])))
    return repr(value)
