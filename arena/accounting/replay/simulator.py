"""
Signals -> trades, as FreqTrade 2026.9 simulates them: spot, long, candle by candle, for strategies that decide only by
signals.

Compiled; its figures equal FreqTrade's bit for bit. `reference` does the same in plain Python and is the specification.
What the compiled code cannot represent is refused before a run (`refusal`) or raised during it (ReplayError); nothing
is approximated.

Not covered; the maker of a ReplayInput and Rules must rule these out: callbacks other than a linear
custom_stake_amount, protections and pair locks, position adjustment, position stacking, short and futures, detail
timeframes, dynamic pair lists, available_capital, amend_last_stake_amount, a timeout of unfilled exits that is longer
than a candle, startup candles of another strategy.

The first call with other types (an int for a float) compiles anew: make Account and Rules by `account` and `rules`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.accounting.replay import exits, loop, support
from arena.accounting.replay.decimals import fraction, parts

REASONS = ("signal", "stop", "roi", "trailing", "forced")
"""
Why a trade closed. stop: the initial stop-loss; trailing: a stop that has moved; forced: at the end of its pair's
candles.
"""
ENTER, EXIT, ENTERING = exits.ENTER, exits.EXIT, exits.ENTERING
"""
Bits of ReplayInput.flags. ENTER: enter is 1 and exit is not; EXIT: exit is set and enter is not; ENTERING: enter is not
0.
"""
SUM_IS_COMPENSATED = sum([1e100, 1.0, -1e100]) == 1.0
"""Whether this Python adds floats with compensation, as it does from 3.12 on. FreqTrade's wallet uses sum()."""
TRADE = np.dtype(
    [(name, "i8") for name in ("pair", "opened", "closed", "reason", "entered", "left")]
    + [(name, "f8") for name in ("entry_price", "open_rate", "close_rate", "amount", "stake", "profit", "profit_ratio")]
    + [(name, "f8") for name in ("max_rate", "min_rate", "stop", "initial_stop", "stop_before")]
)
"""A row of a Room. Fields as in Replayed."""
TOTALS = np.dtype(
    [("balance", "f8"), ("profit", "f8")]
    + [(name, "i8") for name in ("trades", "fills", "held", "rejected", "unfilled", "trouble", "pair", "candle")]
)
"""Fields of Room.totals: all figures besides trades, during a replay and after it."""
TROUBLES = {
    loop.UNKNOWN_SIZE: "nobody knows what custom_stake_amount would have answered",
    loop.LEFT_OPEN: "the last open lies off the candle when it is rounded to the tick, so FreqTrade's results lack the "
    "trade",
    loop.LARGE: "the amount has more steps than floats can tell apart",
    loop.OFF_GRID: "without a tick, the exit has more than 8 decimals",
    loop.DOUBT: "a product lies in the middle between two floats",
    loop.FULL: "the room has fewer rows than there are trades",
}


class ReplayError(ValueError):
    """The replay cannot compute the trades; FreqTrade itself must run."""


class ReplayInput(NamedTuple):
    """Candles and signals. Arrays are C-contiguous; a candle outside [first, end) of its pair is nan."""

    open: NDArray[np.float64]  # (n_pairs, n_candles), pairs in the whitelist's order
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    # (n_pairs, n_candles) ENTER | EXIT | ENTERING from the candle before, stored in the candle in which they act
    flags: NDArray[np.uint8]
    first: NDArray[np.int64]  # (n_pairs,) a pair's first candle
    end: NDArray[np.int64]  # (n_pairs,) one past its last; equal to `first` for a pair without candles
    # (n_pairs, n_months) ticks per unit of price, a power of ten; 0: FreqTrade knows no tick and does not round
    tick: NDArray[np.float64]
    month: NDArray[np.int64]  # (n_candles,) column of `tick` that applies to a candle
    step: NDArray[np.float64]  # (n_pairs,) amount steps per unit, a power of ten
    min_cost: NDArray[np.float64]  # (n_pairs,) money; nan here and below: none
    max_cost: NDArray[np.float64]
    min_amount: NDArray[np.float64]  # (n_pairs,) base currency
    max_amount: NDArray[np.float64]
    # (n_pairs, n_candles) or (1, 1) custom_stake_amount's answer divided by the proposal; nan: unknown
    scale: NDArray[np.float64]


class Account(NamedTuple):
    """The account's settings, made by `account`."""

    wallet: float  # money at the start
    ratio: float  # tradable_balance_ratio
    stake: float  # money per trade; nan: unlimited, a slot's share
    slots: float  # max_open_trades; inf: no limit
    fee: float  # fraction of an order's value
    paid_high: float  # 1 + fee as a pair of floats
    paid_low: float
    kept_high: float  # 1 - fee
    kept_low: float
    cost_reserve: float  # smallest stake divided by a pair's smallest cost
    amount_reserve: float  # smallest stake divided by the value of its smallest amount
    compensated: bool  # whether stakes are added as in Python 3.12 and later


class Rules(NamedTuple):
    """The strategy's rules, made by `rules`."""

    stoploss: float  # negative fraction
    trailing_stop: bool
    trailing_stop_positive: float  # nan: None
    trailing_stop_positive_offset: float
    trailing_only_offset_is_reached: bool
    roi_minutes: NDArray[np.int64]  # (n_roi,) ascending
    roi_ratios: NDArray[np.float64]  # (n_roi,)
    use_exit_signal: bool
    exit_profit_only: bool
    exit_profit_offset: float
    ignore_roi_if_entry_signal: bool
    step_minutes: int  # a candle
    sized: bool  # whether custom_stake_amount decides, by ReplayInput.scale
    clamp: bool  # whether its answer is clamped to the smallest and largest stake


@dataclass(frozen=True, slots=True)
class Replayed:
    """Trades in the order of their closes, as FreqTrade's results list them. Arrays have shape (n_trades,)."""

    pair: NDArray[np.int64]
    opened: NDArray[np.int64]  # column of the candle
    closed: NDArray[np.int64]
    reason: NDArray[np.int64]  # index into REASONS
    entered: NDArray[np.int64]  # number of the entry among all fills of the account, from 0
    left: NDArray[np.int64]  # number of the exit among them
    entry_price: NDArray[np.float64]  # open price at which the order filled
    open_rate: NDArray[np.float64]  # rounded to the tick: FreqTrade's figure
    close_rate: NDArray[np.float64]
    amount: NDArray[np.float64]  # base currency
    stake: NDArray[np.float64]  # money without fee, unrounded
    profit: NDArray[np.float64]  # money, fees included
    profit_ratio: NDArray[np.float64]  # of the money paid, fee included
    max_rate: NDArray[np.float64]
    min_rate: NDArray[np.float64]
    stop: NDArray[np.float64]  # at the close
    initial_stop: NDArray[np.float64]
    stop_before: NDArray[np.float64]  # stop at the start of the exit's candle, before that candle moved it
    balance: float  # money at the end
    rejected: int  # entries for which no slot was free
    unfilled: int  # exits that did not fill and timed out


@dataclass(frozen=True, slots=True)
class Room:
    """Arrays into which a replay writes. Reusing a Room saves the allocation of trades in many replays."""

    rows: NDArray[np.void]  # (capacity,) of TRADE, in the order of the closes; the first n of the last replay are valid
    totals: NDArray[np.void]  # (1,) of TOTALS
    pending: NDArray[np.void]  # (n_pairs,) of TRADE: open trades while a replay runs

    @classmethod
    def of(cls, course: ReplayInput, capacity: int | None = None) -> "Room":
        """A Room for at most `capacity` trades, or for as many as there are entry signals."""
        n = int(np.count_nonzero(course.flags & ENTER)) if capacity is None else capacity
        return cls(np.zeros(n, TRADE), np.zeros(1, TOTALS), np.zeros(len(course.first), TRADE))


def account(
    wallet: float,
    ratio: float,
    stake: float | None,
    slots: float,
    fee: float,
    *,
    amount_reserve_percent: float = 0.05,
    compensated: bool = SUM_IS_COMPENSATED,
) -> Account:
    """
    An Account from FreqTrade's settings: `stake` None means "unlimited", `slots` -1 means no limit.

    FreqTrade's smallest stake leaves room for a stop 5 % below, but is raised by at most half.
    """
    amount_reserve = 1.0 + amount_reserve_percent
    cost_reserve = max(min(amount_reserve / (1 - 0.05), 1.5), 1.0)
    stake = np.nan if stake is None else float(stake)
    slots = np.inf if slots == -1 else float(slots)
    pairs = (*parts(1 + fraction(float(fee))), *parts(1 - fraction(float(fee))))
    return Account(
        float(wallet), float(ratio), stake, slots, float(fee), *pairs, cost_reserve, amount_reserve, bool(compensated)
    )


def rules(
    stoploss: float,
    roi: Mapping[int, float],
    step_minutes: int,
    *,
    trailing_stop: bool = False,
    trailing_stop_positive: float | None = None,
    trailing_stop_positive_offset: float = 0.0,
    trailing_only_offset_is_reached: bool = False,
    use_exit_signal: bool = True,
    exit_profit_only: bool = False,
    exit_profit_offset: float = 0.0,
    ignore_roi_if_entry_signal: bool = False,
    sized: bool = False,
    clamp: bool = False,
) -> Rules:
    """Rules from a strategy's attributes; `roi` is minimal_roi with its minutes as numbers."""
    ladder = sorted((int(minutes), float(ratio)) for minutes, ratio in roi.items())
    return Rules(
        float(stoploss),
        bool(trailing_stop),
        np.nan if trailing_stop_positive is None else float(trailing_stop_positive),
        float(trailing_stop_positive_offset),
        bool(trailing_only_offset_is_reached),
        np.array([minutes for minutes, _ in ladder], dtype=np.int64),
        np.array([ratio for _, ratio in ladder], dtype=np.float64),
        bool(use_exit_signal),
        bool(exit_profit_only),
        float(exit_profit_offset),
        bool(ignore_roi_if_entry_signal),
        int(step_minutes),
        bool(sized),
        bool(clamp),
    )


def refusal(course: ReplayInput, account: Account, rules: Rules) -> str | None:
    """
    Why these cannot be replayed, or None. Takes about ten milliseconds for five pairs and five years; flags may change
    afterwards.
    """
    return support.refusal(course, account, rules)


def replay(course: ReplayInput, account: Account, rules: Rules, room: Room | None = None) -> Replayed:
    """
    The trades that FreqTrade makes from these signals. Call `refusal` first: this function checks nothing.

    Raises
    ------
    ReplayError
        The trades cannot be computed; the message says why, with pair number and candle: an unknown stake, an exit at
        the end that FreqTrade does not list, an amount or rate with more digits than floats can hold.
    """
    room = Room.of(course) if room is None else room
    n = replay_into(course, account, rules, room)
    totals = room.totals[0]
    columns = {name: room.rows[name][:n].copy() for name in TRADE.names}
    return Replayed(
        **columns, balance=float(totals["balance"]), rejected=int(totals["rejected"]), unfilled=int(totals["unfilled"])
    )


def replay_into(course: ReplayInput, account: Account, rules: Rules, room: Room) -> int:
    """As `replay`, but writes into room.rows and room.totals and returns the number of trades. Raises ReplayError."""
    loop.run(course, account, rules, room.rows, room.pending, room.totals)
    totals = room.totals[0]
    if totals["trouble"]:
        raise ReplayError(
            f"replay: pair {totals['pair']}, candle {totals['candle']}: {TROUBLES[int(totals['trouble'])]}"
        )
    return int(totals["trades"])
