"""
Converts a worker's report (signals, parameters) and the arena's own candles into a replay's inputs, and the replay's
trades back into orders. Pure.

Prices, ticks, limits of orders, fee, wallet and slots are the arena's. Of the worker's claim we use only signals and
parameters, which the checks of causality compare; we trust none of its orders. We also use stakes where it reports
them: these are unverified, so the caller compares the resulting orders with FreqTrade's over the whole range.
"""

import ast
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from arena.accounting.replay import simulator
from arena.accounting.replay.simulator import ENTER, ENTERING, EXIT, Account, Replayed, ReplayInput, Rules
from arena.decisions import Decisions, Signals, Stakes
from arena.errors import when
from arena.market.candle_tables import Tables
from arena.market.scenarios import Ticks
from arena.records import ORDER_KINDS, Market, Orders, Strategy
from arena.settings import Settings

POWER = 1e-9
"""A tick within this relative distance of a power of ten counts as one."""
NO_SHARE = "custom_stake_amount is not a share of what is proposed"


class NotReplayable(Exception):
    """The replay cannot represent this strategy; the message says why."""


class ReplaySpec(NamedTuple):
    """
    A strategy in one market with one account, fully described by signals, parameters and, where it has some, stakes.
    """

    course: ReplayInput
    account: Account
    rules: Rules


def described(
    strategy: Strategy,
    settings: Settings,
    tables: Tables,
    market: Market,
    markets: dict[str, Any],
    ticks: Ticks,
    decided: Decisions,
) -> ReplaySpec:
    """
    Everything that a replay needs. Where custom_stake_amount decides, it includes shares of stakes, and we assume that
    the strategy does not clamp them. Raises NotReplayable for a strategy that it cannot represent exactly.
    """
    description = ReplaySpec(
        course(strategy, settings, tables, market, markets, ticks, decided),
        account_of(settings),
        rules(settings, decided),
    )
    if decided.stakes is not None:
        scale = _scale(decided.stakes, market, description.course.flags.shape[1])
        description = description._replace(
            course=description.course._replace(scale=scale), rules=description.rules._replace(sized=True)
        )
    if reason := simulator.refusal(*description):
        raise NotReplayable(reason)
    return description


def part(made: ReplaySpec, market: Market, start_ms: int, end_ms: int) -> ReplaySpec:
    """The same strategy from the candle after `start_ms` up to the one at `end_ms`, as if the range ended there."""
    first, last = ((ms - int(market.open_ms[0])) // market.step_ms for ms in (start_ms, end_ms))
    base, n = made.course, min(last + 1, made.course.flags.shape[1])
    names = ("open", "high", "low", "close", "flags", *(["scale"] if made.rules.sized else []))
    arrays = {name: np.ascontiguousarray(getattr(base, name)[:, :n]) for name in names}
    end = np.minimum(base.end, n)
    shortened = base._replace(
        **arrays, month=base.month[:n], end=end, first=np.clip(base.first, first + 1, np.maximum(end, first + 1))
    )
    return made._replace(course=shortened._replace(first=np.minimum(shortened.first, shortened.end)))


def span(made: ReplayInput) -> tuple[int, int]:
    """Columns of the first candle whose signals count, and of the last candle."""
    return int(made.first[made.end > made.first].min()) - 1, made.flags.shape[1] - 1


def replayed(made: ReplaySpec, settings: Settings, decided: Decisions) -> Replayed:
    """The trades. Raises NotReplayable where the run shows that they would differ from FreqTrade's."""
    try:
        result = simulator.replay(*made)
    except simulator.ReplayError as error:
        raise NotReplayable(str(error)) from None
    if result.unfilled and exits_wait(settings, decided):
        raise NotReplayable("an exit did not fill in its candle, and unfilledtimeout is longer than that")
    return result


def course(
    strategy: Strategy,
    settings: Settings,
    tables: Tables,
    market: Market,
    markets: dict[str, Any],
    ticks: Ticks,
    decided: Decisions,
) -> ReplayInput:
    """
    Candles and signals as a replay needs them: one row per pair of the arena; pairs outside the basket have no candles.

    `market` begins at the start of the range; the replay uses its columns up to the last candle of the basket. Raises
    Outside.
    """
    startup = rule(decided.parameters, "startup_candle_count", int)
    columns_by_row = {
        row: columns(tables[pair], market, startup) for row, pair in enumerate(market.pairs) if pair in strategy.pairs
    }
    n = max((end for _, end in columns_by_row.values()), default=0)
    if n == 0:
        raise NotReplayable("no candle of its pairs lies in the range")
    first, end = np.zeros(len(market.pairs), dtype=np.int64), np.zeros(len(market.pairs), dtype=np.int64)
    flags = np.zeros((len(market.pairs), n), dtype=np.uint8)
    for row, (begin, stop) in columns_by_row.items():
        if stop - begin > 0:
            first[row], end[row] = begin, stop
            flags[row, begin:stop] = _flags(decided.signals.get(market.pairs[row]), market, begin, stop)
    month, tick = _ticks(market, n, markets, ticks)
    limits = [markets[pair]["limits"] for pair in market.pairs]
    return ReplayInput(
        open=np.ascontiguousarray(market.open[:, :n]),
        high=np.ascontiguousarray(market.high[:, :n]),
        low=np.ascontiguousarray(market.low[:, :n]),
        close=np.ascontiguousarray(market.close[:, :n]),
        flags=flags,
        first=first,
        end=end,
        tick=tick,
        month=month,
        step=np.array([_per_unit(markets[pair]["precision"]["amount"], pair, "amount step") for pair in market.pairs]),
        min_cost=_limit(limits, "cost", "min"),
        max_cost=_limit(limits, "cost", "max"),
        min_amount=_limit(limits, "amount", "min"),
        max_amount=_limit(limits, "amount", "max"),
        scale=np.ones((1, 1)),
    )


def account_of(settings: Settings, fee: float | None = None) -> Account:
    """
    The arena's account, optionally with another fee. Raises NotReplayable for settings that a replay does not support.
    """
    stake = settings.raw["stake_amount"]
    if settings.raw.get("amend_last_stake_amount"):
        raise NotReplayable("amend_last_stake_amount is set")
    return simulator.account(
        wallet=settings.wallet,
        ratio=settings.raw.get("tradable_balance_ratio", 0.99),
        stake=None if stake == "unlimited" else stake,
        slots=settings.max_open_trades if settings.max_open_trades > 0 else -1,
        fee=settings.fee if fee is None else fee,
        amount_reserve_percent=settings.raw.get("amount_reserve_percent", 0.05),
    )


def rules(settings: Settings, decided: Decisions) -> Rules:
    """
    The parameters that decide a strategy's exits. Raises NotReplayable for parameters that a replay does not support.
    """
    parameters = decided.parameters
    for name, allowed in _PLAIN.items():
        if (value := _value(parameters, name)) not in allowed:
            raise NotReplayable(f"{name} is {value!r}")
    table = _value(parameters, "minimal_roi")
    if not isinstance(table, dict) or not all(
        _is_number(entry) for rung in table.items() for entry in (_minutes(rung[0]), rung[1])
    ):
        raise NotReplayable("minimal_roi is no table of minutes and ratios")
    positive = _value(parameters, "trailing_stop_positive")
    return simulator.rules(
        rule(parameters, "stoploss", float),
        {_minutes(minutes): ratio for minutes, ratio in table.items()},
        settings.step_ms // 60_000,
        trailing_stop=rule(parameters, "trailing_stop", bool),
        trailing_stop_positive=None if positive is None else rule(parameters, "trailing_stop_positive", float),
        trailing_stop_positive_offset=rule(parameters, "trailing_stop_positive_offset", float),
        trailing_only_offset_is_reached=rule(parameters, "trailing_only_offset_is_reached", bool),
        use_exit_signal=rule(parameters, "use_exit_signal", bool),
        exit_profit_only=rule(parameters, "exit_profit_only", bool),
        exit_profit_offset=rule(parameters, "exit_profit_offset", float),
        ignore_roi_if_entry_signal=rule(parameters, "ignore_roi_if_entry_signal", bool),
    )


_PLAIN: dict[str, tuple[Any, ...]] = {
    "use_custom_stoploss": (False, None),
    "use_custom_roi": (False, None),
    "position_adjustment_enable": (False, None),
    "can_short": (False, None),
    "protections": (None, [], ()),
}
"""Values with which trades follow from signals alone."""


def rule(said: dict[str, str], name: str, kind: type) -> Any:
    """One parameter as a number or a bool. Raises NotReplayable for another type."""
    value = _value(said, name)
    fits = (
        isinstance(value, bool)
        if kind is bool
        else isinstance(value, int) and not isinstance(value, bool)
        if kind is int
        else _is_number(value)
    )
    if not fits:
        raise NotReplayable(f"{name} is {value!r}")
    return kind(value)


def exits_wait(settings: Settings, decided: Decisions) -> bool:
    """Whether an unfilled exit order outlives the next candle. A replay makes a new order in each candle instead."""
    timeout = _value(decided.parameters, "unfilledtimeout")
    minutes = timeout.get("exit") if isinstance(timeout, dict) and timeout.get("unit", "minutes") == "minutes" else None
    return not _is_number(minutes) or minutes > settings.step_ms // 60_000


def orders(made: Replayed, market: Market) -> Orders:
    """The fills of a replay: entries and exits in the order of their time."""
    n = len(made.pair)
    kinds = np.array([ORDER_KINDS.index(reason) for reason in simulator.REASONS], dtype=np.int8)
    stops = np.isin(made.reason, [simulator.REASONS.index("stop"), simulator.REASONS.index("trailing")])
    order = np.argsort(np.concatenate([made.entered, made.left]), kind="stable")

    def both(at_entry: NDArray, at_exit: NDArray) -> NDArray:
        return np.concatenate([at_entry, at_exit])[order]

    return Orders(
        pair=both(made.pair, made.pair),
        filled_ms=both(market.open_ms[made.opened], market.open_ms[made.closed]),
        buys=both(np.ones(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)),
        price=both(made.entry_price, made.close_rate),
        amount=both(made.amount, made.amount),
        kind=both(np.full(n, ORDER_KINDS.index("entry"), dtype=np.int8), kinds[made.reason]),
        stop_before=both(np.full(n, np.nan), np.where(stops, made.stop_before, np.nan)),
    )


def difference(mine: Orders, theirs: Orders, market: Market) -> str:
    """The first order in which two accounts differ, in words; empty when there is none."""
    names = ("pair", "filled_ms", "buys", "price", "amount", "kind", "stop_before")
    n = min(len(mine.price), len(theirs.price))
    unequal = np.zeros(n, dtype=np.bool_)
    for name in names:
        a, b = getattr(mine, name)[:n], getattr(theirs, name)[:n]
        unequal |= ~((a == b) | ((a != a) & (b != b)))
    if not unequal.any() and len(mine.price) == len(theirs.price):
        return ""
    k = int(np.argmax(unequal)) if unequal.any() else n
    return f"order {k} is {_told(mine, k, market)} in the replay, {_told(theirs, k, market)} in FreqTrade's loop"


def _told(orders: Orders, k: int, market: Market) -> str:
    if k >= len(orders.price):
        return "missing"
    verb = "buy" if orders.buys[k] else f"sell ({ORDER_KINDS[orders.kind[k]]})"
    return (
        f"{market.pairs[orders.pair[k]]} {when(int(orders.filled_ms[k]))} {verb} {orders.amount[k]:.10g} at "
        f"{orders.price[k]:.10g}"
    )


def columns(table: NDArray[np.float64], market: Market, startup: int) -> tuple[int, int]:
    """
    First and end column of a pair in FreqTrade's loop. It loads candles from `startup` candles before the range on,
    drops as many from the pair's own first one, and one more, whose signals trade in the next candle.
    """
    start_ms, step = int(market.open_ms[0]), market.step_ms
    times = table[:, 0].astype(np.int64)
    loaded = times[(times >= start_ms - startup * step) & (times <= int(market.open_ms[-1]))]
    if not len(loaded):
        return 0, 0
    first = max((int(loaded[0]) - start_ms) // step + startup + 1, 1)
    end = (int(loaded[-1]) - start_ms) // step + 1
    return (first, end) if first < end else (0, 0)


def _flags(signals: Signals | None, market: Market, begin: int, stop: int) -> NDArray[np.uint8]:
    """Flag bits of each candle, from the signals of the candle before it."""
    if signals is None or not len(signals.enter):
        raise NotReplayable("a pair has no signals")
    start, remainder = divmod(int(market.open_ms[begin]) - market.step_ms - signals.start_ms, market.step_ms)
    if remainder or start < 0 or start + stop - begin > len(signals.enter):
        raise NotReplayable("a pair's signals do not reach over the range")
    enter, leave = (column[start : start + stop - begin] for column in (signals.enter, signals.exit))
    return (enter & ~leave) * np.uint8(ENTER) + (leave & ~enter) * np.uint8(EXIT) + enter * np.uint8(ENTERING)


def _scale(stakes: dict[str, Stakes], market: Market, n: int) -> NDArray[np.float64]:
    """
    (n_pairs, n) custom_stake_amount's answer divided by the proposal, in the candle of the entry; nan where unknown.
    """
    scale = np.full((len(market.pairs), n), np.nan)
    for pair, stake in stakes.items():
        column, remainder = np.divmod(stake.open_ms - market.open_ms[0], market.step_ms)
        if remainder.any() or (column < 0).any() or (column >= n).any():
            raise NotReplayable("stakes are told of candles outside the range")
        scale[market.pairs.index(pair), column] = stake.scale
    if np.isnan(scale).all():
        raise NotReplayable(NO_SHARE)
    return scale


def _ticks(
    market: Market, n: int, markets: dict[str, Any], ticks: Ticks
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """
    The month of each candle, and ticks per unit of price by pair and month: the latest known month's tick, else the
    exchange's.
    """
    months = market.open_ms[:n].astype("datetime64[ms]").astype("datetime64[M]")
    month = (months - months[0]).astype(np.int64)
    starts = np.arange(months[0], months[-1] + 1).astype("datetime64[ms]").astype(np.int64)
    tick = np.zeros((len(market.pairs), len(starts)))
    for row, pair in enumerate(market.pairs):
        monthly = ticks.get(pair, [])
        latest = np.searchsorted([ms for ms, _ in monthly], starts, side="right") - 1
        exchange_tick = markets[pair]["precision"]["price"]
        for column, index in enumerate(latest):
            size = monthly[index][1] if index >= 0 else exchange_tick
            tick[row, column] = 0.0 if size is None else _per_unit(size, pair, "tick")
    return month, tick


def _per_unit(size: float | None, pair: str, what: str) -> float:
    """How many steps make one unit: a power of ten."""
    if size is None or not size > 0:
        raise NotReplayable(f"{pair} has no {what}")
    decimals = round(-np.log10(size))
    if abs(size * 10.0**decimals - 1) > POWER:
        raise NotReplayable(f"{pair} has the {what} {size:g}, which is no power of ten")
    return float(10**decimals) if decimals >= 0 else 10.0**decimals


def _limit(limits: list[dict[str, Any]], what: str, which: str) -> NDArray[np.float64]:
    return np.array([np.nan if (value := limit[what][which]) is None else float(value) for limit in limits])


def _value(parameters: dict[str, str], name: str) -> Any:
    try:
        return ast.literal_eval(parameters[name])
    except (KeyError, ValueError, SyntaxError, MemoryError, RecursionError):
        raise NotReplayable(f"{name} is no plain value") from None


def _minutes(key: Any) -> Any:
    return int(key) if isinstance(key, str) and key.isdigit() else key


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
