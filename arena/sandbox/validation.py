"""
Checks a worker's answer field by field. It must be JSON of bounded size, with the expected types and finite numbers.
Anything else is refused; the error shows where it is wrong and none of its content.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    FiniteFloat,
    ValidationError,
    model_validator,
)

from arena.decisions import INSTANTS_MS, MAX_TEXT, Decisions, Events, Labels, Stakes
from arena.errors import IntegrityError, LimitError, LoadError, StrategyError
from arena.records import ORDER_KINDS, Claim, Orders
from arena.sandbox.messages import (
    MAX_EVENTS,
    MAX_PARAMETER,
    MAX_STAKES,
    MAX_TAG,
    MAX_TAGS,
    MAX_TEXTS,
    unpack_events,
    unpack_signals,
)

FAILURES = {kind.__name__: kind for kind in (StrategyError, LoadError, LimitError, IntegrityError)}
MAX_INT = 2**53
MAX_CANDLES = 5_000_000
MAX_FRAMES = 20
MAX_ENTRIES = 1000
"""Most pairs or parameters."""
MAX_PLACE = 200
MAX_SHOWN = 2000
"""Characters of an error message or of a line of the strategy's code."""

Int = Annotated[int, Field(ge=-MAX_INT, le=MAX_INT)]
Instant = Annotated[int, Field(ge=INSTANTS_MS[0], le=INSTANTS_MS[1])]
Text = Annotated[str, Field(max_length=2000)]
Name = Annotated[str, Field(max_length=100)]
Packed = str
T = TypeVar("T")
Column = Annotated[list[T], FailFast()]
"""
Validation stops at the first wrong value: a message full of wrong values would otherwise produce gigabytes of errors.
"""


def _few(value: Any) -> Any:
    if isinstance(value, dict) and len(value) > MAX_ENTRIES:
        raise ValueError(f"more than {MAX_ENTRIES} entries")
    return value


Few = BeforeValidator(_few)


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _few_keys(cls, data: Any) -> Any:
        """Raises one error, however many unknown keys there are."""
        if isinstance(data, dict) and not data.keys() <= cls.model_fields.keys():
            raise ValueError("unknown keys")
        return data


class _Columns(_Closed):
    pair: Column[Name]
    filled_ms: Column[Instant]
    buys: Column[bool]
    price: Column[FiniteFloat]
    amount: Column[FiniteFloat]
    kind: Column[Annotated[int, Field(ge=0, lt=len(ORDER_KINDS))]]
    stop_before: Column[FiniteFloat | None]


class _Signals(_Closed):
    start_ms: Instant
    n: Annotated[int, Field(ge=0, le=MAX_CANDLES)]
    enter: Packed
    exit: Packed
    enter_tag: Packed
    exit_tag: Packed


class _Events(_Closed):
    n: Annotated[int, Field(ge=0, le=MAX_EVENTS)]
    columns: Column[Packed]
    texts: Annotated[list[Annotated[str, Field(max_length=MAX_TEXT)]], Field(max_length=MAX_TEXTS)]


class _Stakes(_Closed):
    open_ms: Annotated[Column[Instant], Field(max_length=MAX_STAKES)]
    scale: Annotated[Column[Annotated[FiniteFloat, Field(ge=0)] | None], Field(max_length=MAX_STAKES)]


class _Decisions(_Closed):
    signals: Annotated[dict[Name, _Signals], Few]
    parameters: Annotated[dict[Name, Annotated[str, Field(max_length=MAX_PARAMETER)]], Few]
    events: _Events | None = None
    stakes: Annotated[dict[Name, _Stakes], Few] | None = None


class _Labels(_Closed):
    texts: Annotated[list[Annotated[str, Field(max_length=MAX_TAG)]], Field(max_length=MAX_TAGS)]
    order: Column[Annotated[int, Field(ge=-1, lt=MAX_TAGS)]]
    opened_ms: Column[Instant]


class _Claim(_Closed):
    orders: _Columns
    labels: _Labels
    profit: FiniteFloat
    trades: Int
    closed_sharpe: FiniteFloat
    rejected: Int
    first_signal_ms: Instant | None
    warmup_ms: Instant | None
    warmup: Text
    startup: Annotated[int, Field(ge=0, le=MAX_CANDLES)]
    last_ms: Instant
    stretch: Annotated[list[Instant], Field(min_length=2, max_length=2)] | None = None
    populate_s: Annotated[FiniteFloat, Field(ge=0)]
    loop_s: Annotated[FiniteFloat, Field(ge=0)]
    callbacks: Annotated[list[Name], Field(max_length=100)]
    decisions: _Decisions


class _Failure(_Closed):
    error: str
    kind: Name
    frames: Column[str]


class _Twin(_Closed):
    events: _Events | None = None
    numbers: Annotated[Column[Int], Field(max_length=MAX_EVENTS)] = []
    extremes: Annotated[Column[Int], Field(max_length=MAX_EVENTS)] = []
    failure: str = ""
    frames: Column[str] = []
    ended: bool = False


class _Answer(_Closed):
    claim: _Claim | None = None
    failure: _Failure | None = None
    stage: _Decisions | None = None
    twin: _Twin | None = None
    end: bool = False


def claim(answer: bytes, pairs: tuple[str, ...]) -> Claim:
    """
    The answer of a backtest. Raises StrategyError for a failure that the worker reports and for an answer that is no
    claim.
    """
    message = _parse(answer).claim
    if message is None:
        raise StrategyError("the worker's answer is neither a claim nor a failure")
    columns = message.orders
    if len({len(getattr(columns, name)) for name in type(columns).model_fields}) != 1:
        raise StrategyError("the worker's answer is not a claim: columns of orders have different lengths")
    number_by_pair = {pair: number for number, pair in enumerate(pairs)}
    if unknown := set(columns.pair) - number_by_pair.keys():
        raise StrategyError(f"orders for a pair outside the arena: {min(unknown)}")
    orders = Orders(
        pair=np.array([number_by_pair[order_pair] for order_pair in columns.pair], dtype=np.int64),
        filled_ms=np.array(columns.filled_ms, dtype=np.int64),
        buys=np.array(columns.buys, dtype=np.bool_),
        price=np.array(columns.price, dtype=np.float64),
        amount=np.array(columns.amount, dtype=np.float64),
        kind=np.array(columns.kind, dtype=np.int8),
        stop_before=np.array([np.nan if stop is None else stop for stop in columns.stop_before], dtype=np.float64),
    )
    fields = {
        "orders": orders,
        "labels": _labels(message.labels, len(orders.price)),
        "decisions": _decisions(message.decisions, pairs),
        "callbacks": tuple(name for name in message.callbacks if name.isprintable()),
        "stretch": (message.stretch[0], message.stretch[1]) if message.stretch else None,
    }
    return Claim(**{name: getattr(message, name) for name in type(message).model_fields} | fields)


def stage(answer: bytes, pairs: tuple[str, ...]) -> Decisions | None:
    """Decisions in one stage of a look or a walk; None at the end. Raises StrategyError as `claim` does."""
    message = _parse(answer)
    if message.end:
        return None
    if message.stage is None:
        raise StrategyError("the worker's answer is no stage")
    return _decisions(message.stage, pairs)


def twin(answer: bytes) -> Events | str | None:
    """
    Decisions with another candle; an error text when the strategy failed there, None when the copy ended without an
    answer.
    """
    message = _parse(answer).twin
    if message is None:
        raise StrategyError("the worker's answer is no decision with another candle")
    if message.failure:
        return message.failure[:MAX_SHOWN]
    if message.events is None:
        return None
    events = _checked(_events, message.events)
    if len(message.numbers) != len(message.extremes) or len(message.numbers) not in (0, len(events)):
        raise StrategyError("the worker's answer is not a claim: what callbacks were handed needs two numbers an event")
    given = np.array([message.numbers, message.extremes], dtype=np.int64).T if message.numbers else None
    return replace(events, given=given)


def _parse(answer: bytes) -> _Answer:
    try:
        message = _Answer.model_validate_json(answer)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise StrategyError(f"the worker's answer is not a claim: {where[:MAX_PLACE]}: {first['msg']}") from None
    if message.failure is not None:
        kind = FAILURES.get(message.failure.kind, StrategyError)
        raise kind(
            message.failure.error[:MAX_SHOWN], tuple(line[:MAX_SHOWN] for line in message.failure.frames[:MAX_FRAMES])
        )
    return message


def _decisions(message: _Decisions, pairs: tuple[str, ...]) -> Decisions:
    if unknown := message.signals.keys() - set(pairs):
        raise StrategyError(f"signals for a pair outside the arena: {min(unknown)}")
    signals = {pair: _checked(unpack_signals, **dict(packed)) for pair, packed in message.signals.items()}
    events = None if message.events is None else _checked(_events, message.events)
    return Decisions(
        signals, message.parameters, events, None if message.stakes is None else _stakes(message.stakes, pairs)
    )


def _stakes(columns_by_pair: dict[str, _Stakes], pairs: tuple[str, ...]) -> dict[str, Stakes]:
    if unknown := columns_by_pair.keys() - set(pairs):
        raise StrategyError(f"stakes for a pair outside the arena: {min(unknown)}")
    stakes = {}
    for pair, columns in columns_by_pair.items():
        scale = np.array([np.nan if share is None else share for share in columns.scale], dtype=np.float64)
        stakes[pair] = Stakes(np.array(columns.open_ms, dtype=np.int64), scale)
        if len(columns.open_ms) != len(scale) or (np.diff(stakes[pair].open_ms) <= 0).any():
            raise StrategyError("the worker's answer is not a claim: stakes need one instant each, ascending")
    return stakes


def _labels(message: _Labels, n: int) -> Labels:
    labels = Labels(
        tuple(message.texts), np.array(message.order, dtype=np.int64), np.array(message.opened_ms, dtype=np.int64)
    )
    if not len(labels.order) == len(labels.opened_ms) == n or (labels.order >= len(labels.texts)).any():
        raise StrategyError("the worker's answer is not a claim: labels need one text and one instant an order")
    return labels


def _events(message: _Events) -> Events:
    return unpack_events(message.n, message.columns, message.texts)


def _checked(unpack: Callable[..., T], *arguments: Any, **named: Any) -> T:
    try:
        return unpack(*arguments, **named)
    except ValueError as error:
        raise StrategyError(f"the worker's answer is not a claim: {error}") from None
