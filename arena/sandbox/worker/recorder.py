"""
Records what FreqTrade does with a strategy during its loop, in the worker: every order placed, every order filled,
every answer of a callback.

It runs in the strategy's own process, so its record is a claim. Booking checks the fills; the checks compare answers
between processes that hold different futures.
"""

import functools
import math
from datetime import datetime
from types import MethodType
from typing import Any

import freqtrade.optimize.backtesting as engine
import freqtrade.strategy.interface as interface
import numpy as np
from freqtrade.enums import ExitType
from freqtrade.persistence import LocalTrade, Order, PairLocks
from freqtrade.strategy import IStrategy
from freqtrade.strategy.strategy_wrapper import strategy_safe_wrapper

from arena.decisions import CALLBACKS, text_hash
from arena.errors import IntegrityError
from arena.records import ORDER_KINDS
from arena.sandbox.messages import MAX_TAG, MAX_TAGS
from arena.sandbox.worker import plain
from arena.sandbox.worker.error_capture import Notes
from arena.sandbox.worker.event_log import EventLog
from arena.sandbox.worker.parameters import OLD_NAMES

ENTRY, FORCED, OTHER = (ORDER_KINDS.index(kind) for kind in ("entry", "forced", "other"))
KINDS = {
    ExitType.EXIT_SIGNAL: "signal", ExitType.CUSTOM_EXIT: "custom", ExitType.ROI: "roi", ExitType.STOP_LOSS: "stop",
    ExitType.TRAILING_STOP_LOSS: "trailing", ExitType.PARTIAL_EXIT: "adjust", ExitType.FORCE_EXIT: "forced",
}  # fmt: skip

PASSED_ON = {
    **{new: (old,) for old, new in OLD_NAMES.items()},
    "adjust_order_price": ("adjust_entry_price", "adjust_exit_price"),  # for an entry, for an exit
}
"""FreqTrade's default callbacks that call the strategy again under other names."""
IGNORED = ("bot_loop_start", "order_filled")
"""FreqTrade ignores the answers of these callbacks."""
SHOWN = (float, int, str, datetime)
"""Types of a callback's arguments that are compared between worlds."""

_close_order = Order.close_bt_order
_lock_pair = PairLocks.lock_pair


class Recorder:
    def __init__(self, notes: Notes, pairs: tuple[str, ...]) -> None:
        self.notes, self.record = notes, EventLog(pairs)
        self.fills: dict[str, list[Any]] = {
            name: [] for name in ("pair", "filled_ms", "buys", "price", "amount", "kind", "stop_before")
        }
        self.tags: list[Any] = []  # per fill: the exit reason, or the entry's tag
        self.opened_ms: list[int] = []  # per fill, of its trade
        self.strategy: IStrategy | None = None
        self.now_ms = 0  # open time of the candle that is simulated
        self._why: dict[str, tuple[int, float | None]] = {}  # order id -> kind, stop at the candle's start
        self._exit: tuple[int, float | None] = (OTHER, None)
        self._stop: float | None = None
        self._wrapped: dict[Any, Any] = {}

    def install(self) -> None:
        """Record what is global to the process: callbacks, fills, locks."""
        record, fills, why = self.record, self.fills, self._why

        def close_order(order: Order, close_date: datetime, trade: LocalTrade) -> None:
            if order.ft_order_side == trade.entry_side:
                self._placed(trade, order, "entry", (ENTRY, None))  # an order that fills at once is not recorded yet
            _close_order(order, close_date, trade)
            record.note(self.now_ms, trade.pair, "filled", order.ft_price)
            kind, stop = why.get(order.order_id, (OTHER, None))
            fills["pair"].append(trade.pair)
            fills["filled_ms"].append(int(close_date.timestamp() * 1000))
            fills["buys"].append(order.ft_order_side == "buy")
            fills["price"].append(float(order.ft_price))
            fills["amount"].append(float(order.amount))
            fills["kind"].append(kind)
            fills["stop_before"].append(stop)
            self.tags.append(order.ft_order_tag if order.ft_order_side == trade.entry_side else trade.exit_reason)
            self.opened_ms.append(int(trade.open_date_utc.timestamp() * 1000))

        def lock_pair(pair: str, until: datetime, *args: Any, **kwargs: Any) -> Any:
            record.note(self.now_ms, pair, "lock_pair", until.timestamp())
            return _lock_pair(pair, until, *args, **kwargs)

        Order.close_bt_order = close_order
        PairLocks.lock_pair = staticmethod(lock_pair)
        interface.strategy_safe_wrapper = engine.strategy_safe_wrapper = self._safe_wrapper

    def attach(self, backtesting: engine.Backtesting) -> None:
        """Record what belongs to one backtest: the orders that it places, and why."""
        self.strategy = backtesting.strategylist[0]
        enter, leave = backtesting._enter_trade, backtesting._exit_trade
        signal, check = backtesting._get_exit_for_signal, backtesting._check_trade_exit

        def enter_trade(*args: Any, **kwargs: Any) -> Any:
            trade = enter(*args, **kwargs)
            if trade is not None:
                self._placed(trade, trade.orders[-1], "entry", (ENTRY, None))
            return trade

        def exit_trade(trade: LocalTrade, *args: Any, **kwargs: Any) -> Any:
            reason = kwargs.get("exit_reason") or args[-1]
            why = (FORCED, None) if reason == ExitType.FORCE_EXIT.value else self._exit
            result = leave(trade, *args, **kwargs)
            if trade.orders and trade.orders[-1].ft_order_side == trade.exit_side:
                self._placed(trade, trade.orders[-1], "exit", why)
            return result

        def exit_for_signal(trade: LocalTrade, row: Any, exit_: Any, *args: Any, **kwargs: Any) -> Any:
            kind = ORDER_KINDS.index(KINDS.get(exit_.exit_type, "other"))
            stops = exit_.exit_type in (ExitType.STOP_LOSS, ExitType.TRAILING_STOP_LOSS)
            self._exit = (kind, self._stop if stops else None)
            self.record.note(self.now_ms, trade.pair, "exit asked", kind)
            return signal(trade, row, exit_, *args, **kwargs)

        def check_exit(trade: LocalTrade, *args: Any, **kwargs: Any) -> Any:
            stop = trade.stop_loss
            self._stop = float(stop) if stop is not None and math.isfinite(stop) else None
            return check(trade, *args, **kwargs)

        backtesting._enter_trade, backtesting._exit_trade = enter_trade, exit_trade
        backtesting._get_exit_for_signal, backtesting._check_trade_exit = exit_for_signal, check_exit

    def labels(self, others: set[str]) -> dict[str, Any]:
        """Labels as they are sent: the tags of fills, and `others`; only short lines of visible text are included."""
        tags = [tag if isinstance(tag, str) else None for tag in self.tags]
        distinct = dict.fromkeys([*(tag for tag in tags if tag is not None), *sorted(others)])
        texts = [tag for tag in distinct if len(tag) <= MAX_TAG and tag.isprintable()][:MAX_TAGS]
        number_by_text: dict[str | None, int] = {text: number for number, text in enumerate(texts)}
        return {"texts": texts, "order": [number_by_text.get(tag, -1) for tag in tags], "opened_ms": self.opened_ms}

    def _placed(self, trade: LocalTrade, order: Order, side: str, why: tuple[int, float | None]) -> None:
        if order.order_id in self._why:
            return  # the order existed already: nothing new was placed
        self._why[order.order_id] = why
        self.record.note(self.now_ms, trade.pair, f"{side} price", order.ft_price)
        self.record.note(self.now_ms, trade.pair, f"{side} amount", order.amount)

    def _safe_wrapper(self, f: Any, message: str = "", default_retval: Any = None, supress_error: bool = False) -> Any:
        """
        Record what a strategy's callback answers, and what it raises before FreqTrade swallows it (logging could be
        switched off). FreqTrade's own defaults decide nothing and raise nothing: we leave them unwrapped, which saves
        time at every candle, unless they call the strategy under another name.
        """
        name = getattr(f, "__name__", "")
        if getattr(f, "__func__", None) is vars(IStrategy).get(name, self):
            if not any(_has(f.__self__, alias) for alias in PASSED_ON.get(name, ())):
                return f
        key = (f, message, default_retval, supress_error)  # a method that is called at every candle is wrapped once
        try:
            wrapped = self._wrapped.get(key)
        except TypeError:  # a default that cannot be hashed
            return self._noted(f, *key[1:])
        if wrapped is None:
            wrapped = self._wrapped[key] = self._noted(f, *key[1:])
        return wrapped

    def _noted(self, f: Any, message: str, default_retval: Any, supress_error: bool) -> Any:
        asked_name = self._asked(f)
        passed_on = getattr(f, "__func__", None) is vars(IStrategy).get(asked_name, self)

        @functools.wraps(f)
        def noted(*args: Any, **kwargs: Any) -> Any:
            given = (0, 0) if self.record.given is None else _given(kwargs)
            try:
                answer = f(*args, **kwargs)
            except Exception as error:
                self.notes.swallowed(error)
                raise
            name = PASSED_ON[asked_name][-1 if kwargs.get("is_entry") is False else 0] if passed_on else asked_name
            if name in CALLBACKS and (not passed_on or _has(f.__self__, name)):
                answer = self._plain(name, answer)
                trade = kwargs.get("trade")
                self.record.note(
                    self.now_ms, kwargs.get("pair") or (trade.pair if trade is not None else ""), name, answer, given
                )
            return answer

        # FreqTrade hands the live trade, not a copy, to functions with the qualified name of its own defaults
        noted.__qualname__ = asked_name
        return strategy_safe_wrapper(noted, message=message, default_retval=default_retval, supress_error=supress_error)

    def _asked(self, f: Any) -> str:
        """The name under which FreqTrade calls the function, whose own __name__ may differ or be missing."""
        own_name = getattr(f, "__name__", "")
        for name in sorted((*CALLBACKS, "bot_start"), key=lambda name: name != own_name):
            attribute = getattr(self.strategy, name, None)
            if attribute is f or (type(attribute) is type(f) is MethodType and attribute == f):
                return name
        if self.strategy is not None:
            self.notes.refuse(IntegrityError("integrity: a callback is another one whenever FreqTrade asks for it"))
        return own_name

    def _plain(self, name: str, answer: Any) -> Any:
        """
        The answer that FreqTrade gets, the same one that we record. Objects that can define their own behaviour are
        refused.
        """
        if type(answer) in plain.SCALARS or type(answer) in plain.NUMBERS or name in IGNORED:
            return answer
        if type(answer) is tuple:
            return tuple(self._plain(name, part) for part in answer)
        if type(answer) is np.ndarray and answer.size == 1:
            return self._plain(name, answer.reshape(-1)[0])
        text = plain.text_of(answer)
        if text is None:
            what = f"integrity: {name} answers {plain.named(answer)}; answers are numbers, texts, True, False or None"
            self.notes.refuse(IntegrityError(what))
        return text


def _has(strategy: Any, name: str) -> bool:
    return name in vars(strategy) or getattr(type(strategy), name, None) is not vars(IStrategy)[name]


def _given(handed: dict[str, Any]) -> tuple[int, int]:
    """Two hashes of a callback's arguments: of its numbers and texts, and of the trade's highest and lowest rate."""
    trade, extremes = handed.get("trade"), ""
    values = {name: value for name, value in handed.items() if value is None or isinstance(value, SHOWN)}
    if trade is not None:
        values |= {name: getattr(trade, name) for name in ("stop_loss", "amount", "stake_amount", "open_rate")}
        extremes = f"{trade.max_rate!r} {trade.min_rate!r}"
    shown = [
        f"{name} {value:.8g}" if isinstance(value, float) else f"{name} {value!r}"
        for name, value in sorted(values.items())
    ]
    return text_hash("\n".join(shown)), text_hash(extremes)
