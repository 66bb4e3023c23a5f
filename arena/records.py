"""
Records that one layer passes to the next: frozen, typed, no behaviour.

Units: instants are UTC, as datetime or as int64 milliseconds since 1970 where a name ends in `_ms`; ratios are
fractions (0.01 is 1 %); drawdown is positive (0.25 is a loss of a quarter); money is in the stake currency; Sharpe,
Sortino and Calmar are annualised with 365 days. Undefined figures are nan, never zero.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arena.decisions import Decisions, Labels


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time from the instant `start` to the instant `end`."""

    name: str
    start: datetime
    end: datetime

    @property
    def start_ms(self) -> int:
        return int(self.start.timestamp() * 1000)

    @property
    def end_ms(self) -> int:
        return int(self.end.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy file as the trusted process sees it: text, never imported."""

    name: str
    path: Path
    source: str
    sha256: str
    pairs: tuple[str, ...]  # its basket, or every pair of the arena


@dataclass(frozen=True, slots=True)
class Market:
    """
    The arena's own candles on one common grid, gaps filled with the last close as FreqTrade does.

    Arrays have shape (n_pairs, n_candles); a candle before a pair's listing or after its end is nan.
    """

    pairs: tuple[str, ...]
    open_ms: NDArray[np.int64]  # (n_candles,) open times, evenly spaced
    step_ms: int
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]


ORDER_KINDS = ("entry", "signal", "custom", "roi", "stop", "trailing", "adjust", "forced", "other")
"""
Why an order was sent. entry: opens or adds to a position; signal: exit signal; custom: custom_exit; roi; stop: the
stop-loss as it was; trailing: a stop that has moved; adjust: partial exit; forced: at the end of the candles; other.
"""


@dataclass(frozen=True, slots=True)
class Orders:
    """Filled orders in the order of their fills. All arrays have shape (n_orders,)."""

    pair: NDArray[np.int64]  # index into Market.pairs
    filled_ms: NDArray[np.int64]  # open time of the candle in which it filled
    buys: NDArray[np.bool_]
    price: NDArray[np.float64]
    amount: NDArray[np.float64]  # base currency, positive
    kind: NDArray[np.int8]  # index into ORDER_KINDS
    stop_before: NDArray[np.float64]  # exits by a stop: the stop before this candle moved it; nan elsewhere or unknown


@dataclass(frozen=True, slots=True)
class Claim:
    """What a worker says of its backtest. The arena believes nothing in it before it checks it against the candles."""

    orders: Orders
    profit: float  # FreqTrade's realised profit, money
    trades: int  # FreqTrade's closed trades
    closed_sharpe: float  # FreqTrade's closed-trade figure
    rejected: int  # entries for which no slot was free
    first_signal_ms: int | None  # open time of the first candle after a signal
    warmup: str  # the indicator that becomes defined last, where, and when; empty if all are from the start
    warmup_ms: int | None  # when, for the pair that is ready first
    startup: int = 0  # candles that FreqTrade loads before the range
    last_ms: int = 0  # open time of the last candle of the range
    # milliseconds between which the loop ran and the orders lie; None: the whole range
    stretch: tuple[int, int] | None = None
    populate_s: float = 0.0  # CPU seconds of the populate functions
    loop_s: float = 0.0  # and of FreqTrade's loop after them
    callbacks: tuple[str, ...] = ()  # the strategy's methods that can decide while candles pass
    decisions: Decisions = field(default_factory=Decisions)
    labels: Labels = field(default_factory=Labels)  # of the orders that the worker told


@dataclass(frozen=True, slots=True)
class Trade:
    """A position from flat to flat."""

    pair: str
    open_ms: int
    close_ms: int
    profit: float  # money, fees included
    stake: float  # money paid for all its entries, without fees
    # indices among all orders, in the order of the fills
    orders: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Book:
    """
    Orders booked against the candles. Each candle has two marks: at its open before its orders, at its close after
    them.

    `equity_open[k]` is what the account is worth at the instant `open_ms[k]`; the last one is after the last order.
    """

    equity_open: NDArray[np.float64]  # (n_candles,) money
    equity_close: NDArray[np.float64]  # (n_candles,) money
    invested: NDArray[np.float64]  # (n_candles,) position value at the close as a fraction of equity
    # (n_pairs, n_candles) money, fees included, marked at the close; the last at the open
    pair_profit: NDArray[np.float64]
    traded: NDArray[np.float64]  # (n_candles,) money bought and sold in this candle
    fees: NDArray[np.float64]  # (n_candles,) money
    trades: tuple[Trade, ...]
    open_profit: float  # money, of positions that never closed


@dataclass(frozen=True, slots=True)
class Metrics:
    """Return and risk between two instants of an equity curve."""

    sharpe: float = np.nan
    sortino: float = np.nan
    calmar: float = np.nan
    profit: float = np.nan  # as a fraction of the equity at the start
    profit_abs: float = np.nan
    max_drawdown: float = np.nan
    trades: int = 0
    win_rate: float = np.nan
    profit_factor: float = np.nan
    exposure: float = np.nan  # share of candles with a position
    avg_position: float = np.nan  # mean fraction of equity in positions, over the candles that have one
    turnover: float = np.nan  # money traded a year, as a multiple of the mean equity
    fees: float = np.nan  # as a fraction of the equity at the start


@dataclass(frozen=True, slots=True)
class WindowResult:
    window: str
    own: Metrics
    hold: Metrics  # buy and hold of the whole arena in this window


@dataclass(frozen=True, slots=True)
class PairResult:
    pair: str
    trades: int
    profit: float  # money, as a fraction of the wallet at the start
    win_rate: float
    profit_factor: float
    hold_profit: float  # buy and hold of this pair alone, as a fraction


@dataclass(frozen=True, slots=True)
class Checks:
    """Results of the checks beyond the account itself. nan: undefined; empty: not checked."""

    causality: str = ""  # "quick" or "full" when it passed, "" when it was not checked
    optimistic_fills: float = np.nan  # share of the profit that wishful fills make
    hidden_loss: float = np.nan  # how much deeper the marked drawdown is than that of closed trades, as a fraction
    top_share: float = np.nan  # share of the best trades in the gross profit of winners
    pair_share: float = np.nan  # share of the best pair in the positive profits by pair
    relabel_sharpe: float = np.nan  # Sharpe over the search range in the relabelled market
    relabel_loss: float = np.nan  # share of the Sharpe that relabelling takes away, 0 or more
    replay: str = ""  # "agrees" or "differs" from FreqTrade's loop, "" where a replay cannot represent the strategy


@dataclass(frozen=True, slots=True)
class Stress:
    """Annualised Sharpe ratios over the search range under harder terms. nan: undefined, or unknown to the engine."""

    fee_x2: float = np.nan
    fee_x3: float = np.nan
    late_1: float = np.nan  # entries and exits one candle later
    without_top5: float = np.nan  # without the five best trades
    worst_pair_out: float = np.nan  # the worst of the runs without one of the pairs
    worst_start: float = np.nan  # the worst of the runs that begin later
    slot_less: float = np.nan
    slot_more: float = np.nan
    timing_p: float = np.nan  # share of copies with its signals shifted in time that do as well, itself counted
    missing: tuple[str, ...] = ()  # fields that this engine cannot compute


@dataclass(frozen=True, slots=True)
class Evidence:
    """This trial against all trials on the same candles."""

    trials: int = 0  # distinct sources that were tried, including failed and unfinished ones
    effective: float = np.nan  # how many independent ones they amount to
    luck_line: float = np.nan  # annualised Sharpe that the best of them would show without skill
    # deflated Sharpe: probability that this one's true Sharpe is above zero, given that it was chosen
    dsr: float = np.nan
    pbo: float = np.nan  # probability that the best of the first half of the days is below the median in the other
    why: str = ""  # why a figure is undefined
    other_contracts: int = 0  # how many of the trials only other contracts have, or entries that the ledger has lost


@dataclass(frozen=True, slots=True)
class Look:
    """What the validation window has revealed about one strategy."""

    asked: bool = False
    improved: bool = False
    best: float = np.nan  # annualised Sharpe, rounded to the ladder's step: the best so far, this look included
    positive: bool | None = None  # the sign of its own Sharpe, where it was asked for
    looks: int = 0  # answers given so far, this one included
    why: str = ""  # why it was not asked


@dataclass(frozen=True, slots=True)
class GateResult:
    """`figure` is nan when it is undefined; the gate then says no, if it applies at all."""

    gate: str
    passed: bool
    figure: float
    limit: float
    relation: str  # ">=", "<=" or ">"; empty for a gate without a figure
    applies: bool = True  # a gate that does not apply fails nobody


@dataclass(frozen=True, slots=True)
class Result:
    """One evaluated strategy: everything that its block prints and its ledger row keeps."""

    strategy: str
    sha256: str
    commit: str
    contract: str
    source: str  # where the candles come from
    sandbox: str
    engine: str  # what the figures come from: "replay=freqtrade" or "booking"
    seconds: float
    cached: bool = False
    error: str = ""  # why it failed; empty when it did not
    error_kind: str = ""  # class of the error
    frames: tuple[str, ...] = ()
    own: Metrics = field(default_factory=Metrics)
    hold: Metrics = field(default_factory=Metrics)
    sharpe_low: float = np.nan
    sharpe_high: float = np.nan
    robust_sharpe: float = np.nan
    closed_sharpe: float = np.nan
    rejected_entries: int = 0
    checks: Checks = field(default_factory=Checks)
    stress: Stress = field(default_factory=Stress)
    skipped: tuple[str, ...] = ()  # checks that were not made, because they could not change the decision
    evidence: Evidence = field(default_factory=Evidence)
    look: Look = field(default_factory=Look)
    engine_note: str = ""  # why the figures are not a replay's
    literals: tuple[str, ...] = ()  # dates, times and large prices that the source names, printable
    windows: tuple[WindowResult, ...] = ()
    pairs: tuple[PairResult, ...] = ()
    gates: tuple[GateResult, ...] = ()  # of a failure: the one that it failed, if it is a gate
    warnings: tuple[str, ...] = ()
    daily_returns: tuple[float, ...] = ()
