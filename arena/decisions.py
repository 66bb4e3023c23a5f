"""Decisions of the populate functions, in the worker: signal columns and the parameters that stand after them."""

from typing import Any

import numpy as np
import pandas as pd
from freqtrade.strategy import IStrategy
from freqtrade.strategy.parameters import BaseParameter
from numpy.typing import NDArray

from arena.candles import milliseconds
from arena.claims import CALLBACKS, Signals, pack_signals, tag_hash

SETTINGS = (
    "minimal_roi", "stoploss", "trailing_stop", "trailing_stop_positive", "trailing_stop_positive_offset",
    "trailing_only_offset_is_reached", "use_custom_stoploss", "use_custom_roi", "use_exit_signal", "exit_profit_only",
    "exit_profit_offset", "ignore_roi_if_entry_signal", "ignore_buying_expired_candle_after", "position_adjustment_enable",
    "max_entry_position_adjustment", "max_open_trades", "timeframe", "startup_candle_count", "order_types", "order_time_in_force",
    "unfilledtimeout", "protections", "can_short", "stake_currency", "stake_amount",
)  # fmt: skip
"""What FreqTrade reads from a strategy besides signals and callbacks."""
MAX_PARAMETER = 1000
MAX_PARAMETERS = 200


def signals(frame: pd.DataFrame, since_ms: int | None = None) -> dict[str, Any]:
    """The signal columns of one pair's analysed frame, packed; candles before `since_ms` are left out."""
    times = milliseconds(frame["date"])
    first = 0 if since_ms is None else int(np.searchsorted(times, since_ms))
    frame = frame.iloc[first:]
    return pack_signals(
        Signals(
            start_ms=int(times[first]) if first < len(times) else 0,
            enter=_is_one(frame, "enter_long"),
            exit=_is_one(frame, "exit_long"),
            enter_tag=_hashes(frame, "enter_tag"),
            exit_tag=_hashes(frame, "exit_tag"),
            plain=all(_is_plain(frame, column) for column in ("enter_long", "exit_long", "enter_short", "exit_short")),
        )
    )


def tags(frame: pd.DataFrame) -> set[str]:
    """Texts of the tags in one pair's analysed frame."""
    return {str(tag) for column in ("enter_tag", "exit_tag") if column in frame for tag in frame[column].dropna().unique()}


def parameters(strategy: IStrategy) -> dict[str, str]:
    """Settings and hyperopt parameters as texts, as they stand now."""
    found = {name: _text(getattr(strategy, name, None)) for name in SETTINGS}
    for name in sorted(dir(type(strategy))):
        if isinstance(value := getattr(strategy, name, None), BaseParameter):
            found[f"{name}.value"] = _text(value.value)
    return dict(list(found.items())[:MAX_PARAMETERS])


def callbacks(strategy: IStrategy) -> list[str]:
    """
    What of a strategy can decide while candles pass: callbacks that it defines, and settings that are computed when read.
    Nothing: then its signals and parameters say everything.
    """
    own = own_classes(strategy)
    names = [n for n in CALLBACKS if n != "lock_pair" and (n in vars(strategy) or any(n in vars(cls) for cls in own))]
    computed = [n for n in SETTINGS if n != "protections" and any(hasattr(vars(cls).get(n), "__get__") for cls in own)]
    return names + computed


def own_classes(strategy: IStrategy) -> list[type]:
    """The strategy's class and its bases, without FreqTrade's."""
    return [cls for cls in type(strategy).__mro__ if cls not in IStrategy.__mro__]


def _is_one(frame: pd.DataFrame, column: str) -> NDArray[np.bool_]:
    if column not in frame:
        return np.zeros(len(frame), dtype=np.bool_)
    return pd.to_numeric(frame[column]).to_numpy(dtype=float, na_value=0.0) == 1


def _is_plain(frame: pd.DataFrame, column: str) -> bool:
    if column not in frame:
        return True
    values = pd.to_numeric(frame[column]).to_numpy(dtype=float, na_value=0.0)
    return bool(((values == 0) | (values == 1) | np.isnan(values)).all())


def _hashes(frame: pd.DataFrame, column: str) -> NDArray[np.uint16]:
    if column not in frame or frame.empty:
        return np.zeros(len(frame), dtype=np.uint16)
    codes, values = pd.factorize(frame[column])
    hashes = [tag_hash(value) for value in values] + [0]  # the code of what is missing is -1
    return np.array(hashes, dtype=np.uint16)[codes]


def _text(value: object) -> str:
    """A literal of Python where it can be one: numbers of numpy print as numbers."""
    if isinstance(value, dict):
        value = {_plain(key): _plain(entry) for key, entry in sorted(value.items(), key=lambda item: str(item[0]))}
    return repr(_plain(value))[:MAX_PARAMETER]


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value
