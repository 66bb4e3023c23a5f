"""
Market metadata: an exchange's facts about a pair (tick, amount step, smallest order), in ccxt's structure by pair.

prepare.py freezes it once, so that no evaluation needs the network. Without an exchange it is derived from prices.
"""

import math
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from arena.errors import DataError
from arena.market.candles import decimals

MAX_DECIMALS = 8
FEE = 0.001
_ABOUT_A_DOLLAR = {"BTC": 1e-5, "ETH": 1e-3, "BNB": 1e-2, "JPY": 100.0, "TRY": 10.0}
"""Units of a stake currency that are worth about a dollar; 1 for all others. Only the power of ten matters."""


def derive(frame: pd.DataFrame, pair: str) -> dict[str, Any]:
    """
    A plausible market, derived from prices only.

    Tick: one unit of the last decimal that any price has (after 14 significant digits), never below 1e-8, 1 for whole
    prices. Amount step: the largest power of ten that is worth at most a tenth of about a dollar at the median close,
    from 1e-8 to 1. Smallest order: one step, and about a dollar. Fees 0.001, which config.json's `fee` replaces in a
    backtest. If the real market is known, put a markets.json beside the candles: adjusted prices have decimals that
    never traded.
    """
    base, _, quote = pair.partition("/")
    dollar = _ABOUT_A_DOLLAR.get(quote, 1.0)
    tick = _power(-min(max(int(decimals(frame).max()), 0), MAX_DECIMALS))
    median = float(np.median(frame["close"]))
    step = _power(min(max(math.floor(math.log10(0.1 * dollar / median)), -MAX_DECIMALS), 0))
    return {
        "id": f"{base}{quote}",
        "symbol": pair,
        "base": base,
        "quote": quote,
        "settle": None,
        "baseId": base,
        "quoteId": quote,
        "type": "spot",
        "spot": True,
        "margin": False,
        "swap": False,
        "future": False,
        "option": False,
        "active": True,
        "contract": False,
        "linear": None,
        "inverse": None,
        "taker": FEE,
        "maker": FEE,
        "contractSize": None,
        "precision": {"price": tick, "amount": step},
        "limits": {
            "leverage": {"min": None, "max": None},
            "amount": {"min": step, "max": None},
            "price": {"min": tick, "max": None},
            "cost": {"min": dollar, "max": None},
        },
        "info": {},
    }


def check(markets: dict[str, dict[str, Any]], pairs: tuple[str, ...]) -> None:
    """
    Raises DataError unless each pair has a spot market that a backtest can use.

    Needed: symbol, base and quote of that pair, spot true, precision.price and .amount, limits.amount, .price and .cost
    with min and max. A number is finite and positive; null means that the exchange sets none; a smallest order of 0 is
    allowed.
    """
    for pair in pairs:
        market = markets.get(pair)
        if not isinstance(market, dict):
            raise DataError(f"markets: {pair} is missing. Known: {', '.join(markets) or 'none'}.")
        base, _, quote = pair.partition("/")
        for key, expected in [("symbol", pair), ("base", base), ("quote", quote), ("spot", True)]:
            if market.get(key) != expected:
                raise DataError(f"markets: {pair} has {key} {market.get(key)!r}. Expected {expected!r}.")
        for key in ("price", "amount"):
            _number(market, pair, "precision", key)
        for limit in ("amount", "price", "cost"):
            smallest = _number(market, pair, "limits", limit, "min")
            largest = _number(market, pair, "limits", limit, "max")
            if smallest is not None and largest is not None and smallest > largest:
                raise DataError(f"markets: {pair} has limits.{limit}.min {smallest} above its max {largest}.")


def _number(market: dict[str, Any], pair: str, *path: str) -> float | None:
    """The number at `path`, or None. Raises DataError when it is missing or cannot be used."""
    value: Any = market
    for key in path:
        if not isinstance(value, dict) or key not in value:
            raise DataError(
                f"markets: {pair} lacks {'.'.join(path)}. Give a positive number, or null where the exchange sets none."
            )
        value = value[key]
    if value is None:
        return None
    smallest_is_zero = path[-1] == "min" and value == 0
    if (
        not isinstance(value, Real)
        or isinstance(value, bool)
        or not math.isfinite(value)
        or not (value > 0 or smallest_is_zero)  # type: ignore[operator]  # Real promises no order with int
    ):
        raise DataError(f"markets: {pair} has {'.'.join(path)} {value!r}. Expected a positive number or null.")
    return float(value)


def _power(exponent: int) -> float:
    return float(f"1e{exponent}")  # the closest float; 10.0**exponent is not on every machine
