"""
FreqTrade's candle loop, sooner: two of its helpers replaced by ones with the same results, bit for bit.

Without this a third of a backtest and more is spent in decimal arithmetic written in Python, and in deep copies that
guard a trade against callbacks. No decision of the loop is touched. tests/test_fast_trades.py holds each of them
against the original.
"""

import functools
import math
from copy import deepcopy
from datetime import datetime
from decimal import Context, Decimal
from enum import Enum
from typing import Any

import freqtrade.strategy.strategy_wrapper as wrapping
from freqtrade.enums import TradingMode
from freqtrade.persistence import LocalTrade, Order
from sqlalchemy.orm.instrumentation import manager_of_class

EXACT = Context(prec=400)
"""Products of three floats have at most 3 x 17 digits, over exponents from -324 to 308 each: nothing is rounded."""
PLAIN = (int, float, str, bool, type(None), datetime, Enum)
"""Values that cannot be changed, so that a copy may share them."""
_plain_types = set(PLAIN)

_calc_close_trade_value = LocalTrade.calc_close_trade_value
_orders = manager_of_class(Order)


def install() -> None:
    """Put the replacements in place, for this process and for good."""
    LocalTrade.calc_close_trade_value = calc_close_trade_value
    wrapping.deepcopy = copy_trade


_decimal = functools.lru_cache(maxsize=64)(lambda number: Decimal(str(number)))
"""Amounts and fees come again with every candle."""


def calc_close_trade_value(self: LocalTrade, rate: float, amount: float | None = None) -> float:
    """Close value of a spot long after fees: amount x rate x (1 - fee), exact in decimals and rounded once."""
    units, fee = amount or self.amount, self.fee_close or 0.0
    if (
        rate is None
        or self.is_short
        or (self.trading_mode or TradingMode.SPOT) != TradingMode.SPOT
        or not math.isfinite(units * rate * fee)
    ):
        return _calc_close_trade_value(self, rate, amount)
    value = EXACT.multiply(_decimal(units), Decimal(str(rate)))
    return float(EXACT.subtract(value, EXACT.multiply(value, _decimal(fee))))


def copy_trade(trade: Any) -> Any:
    """
    A trade with orders of its own, as deep as `copy.deepcopy`: nothing that can be changed is shared with the original.
    """
    if type(trade) is not LocalTrade:
        return deepcopy(trade)
    copied = LocalTrade.__new__(LocalTrade)  # type: ignore[call-overload]  # the checker does not know the class
    memo: dict[int, Any] = {id(trade): copied}
    values = dict(trade.__dict__)
    orders = values.pop("orders", None)
    copied.__dict__.update(_copied(values, memo))
    if orders is not None:
        copied.orders = memo[id(orders)] = [_copy_order(order, memo) for order in orders]
    return copied


def _copy_order(order: Order, memo: dict[int, Any]) -> Order:
    copied = memo[id(order)] = _orders.new_instance()
    values = dict(order.__dict__)
    values.pop("_sa_instance_state", None)  # SQLAlchemy's bookkeeping: the new instance has its own
    of = values.pop("_trade_bt", None)
    copied.__dict__.update(_copied(values, memo))
    if of is not None:
        copied._trade_bt = deepcopy(of, memo)  # its own trade is known
    return copied


def _copied(values: dict[str, Any], memo: dict[int, Any]) -> dict[str, Any]:
    """The same values, those that can be changed as deep copies. Most often there are none, and the types show it."""
    if not _plain_types.issuperset(map(type, values.values())):
        for name, value in values.items():
            if isinstance(value, PLAIN):
                _plain_types.add(type(value))
            else:
                values[name] = deepcopy(value, memo)
    return values
