"""
`simulator.replay` in plain Python: the specification. It goes candle by candle and pair by pair, with a wallet that is
always up to date and Python's own decimals. It is slow. Read it beside FreqTrade 2026.9's optimize/backtesting.py,
strategy/interface.py, persistence/trade_model.py and wallets.py, whose functions the docstrings name.
"""

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal

import numpy as np

from arena.accounting.replay.simulator import (
    ENTER,
    ENTERING,
    EXIT,
    REASONS,
    TRADE,
    Account,
    Replayed,
    ReplayError,
    ReplayInput,
    Rules,
)

_EXACTLY = Context(prec=200)  # longer than any product below
_LARGEST = 2**51
"""Compiled code cannot count more steps than this, so we refuse them here too."""


def replay(course: ReplayInput, account: Account, rules: Rules) -> Replayed:
    """
    As `simulator.replay`, with the same errors, except for products in the middle between two floats, which are exact
    here.
    """
    run = _Run(course, account, rules)
    n_pairs, n_candles = course.open.shape
    for candle in range(n_candles):
        # fixed here: a pair that closes in this candle keeps its place and cannot enter again
        held = [trade.pair for trade in run.open]
        for pair in dict.fromkeys([*held, *range(n_pairs)]):
            if course.first[pair] <= candle < course.end[pair]:
                run.process(pair, candle, enters=pair not in held and candle < n_candles - 1)
    run.close_what_is_left()
    return run.result()


@dataclass(slots=True)
class _Trade:
    pair: int
    opened: int
    entered: int
    tick: float  # of the entry's month, used until the exit
    entry_price: float
    open_rate: float
    amount: float
    stake: float
    paid: float  # money at the entry price, fee included
    cost: float  # money at the open rate, fee included
    initial_stop: float
    stop: float
    distance: float  # of the stop from the price when it was last set
    max_rate: float
    min_rate: float
    stop_before: float
    moved: bool = False
    waits: bool = False  # an exit order was placed and has not filled
    closed: int = -1
    reason: int = -1
    left: int = -1
    close_rate: float = math.nan
    profit: float = math.nan
    profit_ratio: float = math.nan


class _Run:
    def __init__(self, course: ReplayInput, account: Account, rules: Rules) -> None:
        self.course, self.account, self.rules = course, account, rules
        self.open: list[_Trade] = []  # in the order of their opening
        self.closed: list[_Trade] = []
        self.profit = 0.0
        self.fills = self.rejected = self.unfilled = 0
        self.fee = Decimal(repr(account.fee))

    def process(self, pair: int, candle: int, enters: bool) -> None:
        """
        Backtesting.backtest_loop: an unfilled exit times out; then entry; then exit, also in the candle of the entry.
        """
        trade = next((trade for trade in self.open if trade.pair == pair), None)
        if trade is not None and trade.waits:
            trade.waits = False
            self.unfilled += 1
        if enters and self.course.flags[pair, candle] & ENTER:
            if len(self.open) < self.account.slots:
                trade = self.enter(pair, candle)
            else:
                self.rejected += 1
        if trade is not None:
            self.look_for_exit(trade, candle)

    def enter(self, pair: int, candle: int) -> _Trade | None:
        """
        Backtesting._enter_trade: enters at the raw open. The trade's open rate is rounded; its profit is not computed
        from it.
        """
        course, price = self.course, float(self.course.open[pair, candle])
        stake = self.stake(pair, candle, price)
        step, tick = float(course.step[pair]), float(course.tick[pair, course.month[candle]])
        amount = _stepped(stake / price, step, ROUND_FLOOR)  # amount_to_contract_precision truncates
        if amount * step >= _LARGEST:
            raise ReplayError(f"replay: pair {pair}, candle {candle}: an amount of {amount:.10g}")
        if amount == 0.0:
            return None
        rate = _stepped(price, tick, ROUND_HALF_UP)  # recalc_trade_from_orders
        # close_bt_order discards the stop of the raw price and sets one from the rounded open rate
        stop = _stepped(rate * (1 - abs(self.rules.stoploss)), tick, ROUND_CEILING)
        trade = _Trade(
            pair, candle, self.fills, tick, price, rate, amount, stake=_product(amount, price),
            paid=_product(amount, price, 1 + self.fee), cost=_product(amount, rate, 1 + self.fee), initial_stop=stop,
            stop=stop, stop_before=stop, distance=abs(self.rules.stoploss), max_rate=rate, min_rate=rate,
        )  # fmt: skip
        self.fills += 1
        self.open.append(trade)
        return trade

    def stake(self, pair: int, candle: int, price: float) -> float:
        """
        Backtesting.get_valid_entry_price_and_stake: Wallets propose a stake, the strategy answers, Wallets validate; 0:
        no trade.
        """
        account, course = self.account, self.course
        tied = _sum([trade.stake for trade in self.open], account.compensated)
        free = account.wallet + self.profit - tied
        available = min((tied + free) * account.ratio - tied, free)  # Wallets.get_available_stake_amount
        stake = min((available + tied) / account.slots, available) if math.isnan(account.stake) else account.stake
        if available < stake:
            return 0.0
        stake = max(stake, 0.0)
        smallest, largest = self.stake_limits(pair, price)
        largest = min(largest, available)
        if self.rules.sized:
            scale = float(course.scale[0, 0] if course.scale.size == 1 else course.scale[pair, candle])
            if math.isnan(scale):
                raise ReplayError(f"replay: pair {pair}, candle {candle}: an unknown answer of custom_stake_amount")
            stake *= scale
            if self.rules.clamp:
                stake = max(smallest, min(largest, stake))
        # Wallets.validate_stake_amount
        if stake <= 0 or smallest > largest:
            return 0.0
        if stake < smallest:
            if stake * 1.3 < smallest:
                return 0.0
            stake = smallest
        return min(stake, largest)

    def stake_limits(self, pair: int, price: float) -> tuple[float, float]:
        """Exchange._get_stake_amount_limit: the stricter limit of cost and amount; the smallest stake has a reserve."""
        course, account = self.course, self.account
        lower = [
            float(course.min_cost[pair]) * account.cost_reserve,
            float(course.min_amount[pair]) * price * account.amount_reserve,
        ]
        upper = [float(course.max_cost[pair]), float(course.max_amount[pair]) * price]
        return (
            max((limit for limit in lower if not math.isnan(limit)), default=0.0),
            min((limit for limit in upper if not math.isnan(limit)), default=math.inf),
        )

    def look_for_exit(self, trade: _Trade, candle: int) -> None:
        """IStrategy.should_exit, then Backtesting._get_exit_for_signal for the first exit that gives an order."""
        rules, course = self.rules, self.course
        open_, high, low, close = (
            float(prices[trade.pair, candle]) for prices in (course.open, course.high, course.low, course.close)
        )
        flags = int(course.flags[trade.pair, candle])
        minutes = (candle - trade.opened) * rules.step_minutes
        trade.max_rate, trade.min_rate, trade.stop_before = (
            max(trade.max_rate, high),
            min(trade.min_rate, low),
            trade.stop,
        )
        self.trail(trade, high, low)
        hit = trade.stop >= low  # ft_stoploss_reached
        since, roi = self.roi(minutes)
        ignored = flags & ENTERING and rules.ignore_roi_if_entry_signal
        earned = roi is not None and not ignored and self.ratio(trade, high) > roi
        signal = flags & EXIT and rules.use_exit_signal
        if signal and (not rules.exit_profit_only or self.ratio(trade, open_) > rules.exit_profit_offset):
            self.order(trade, candle, "signal", open_)
        elif hit and not trade.moved:
            self.order(trade, candle, "stop", open_ if trade.stop > high else trade.stop)
        elif (
            earned
            and roi is not None
            and (rate := self.roi_rate(trade, since, roi, minutes, open_, high, low, close)) is not None
        ):
            self.order(trade, candle, "roi", rate)
        elif hit:
            self.order(trade, candle, "trailing", self.trailing_rate(trade, minutes, open_, high, low))

    def trail(self, trade: _Trade, high: float, low: float) -> None:
        """
        IStrategy.ft_stoploss_adjust: raises the stop from this candle's high, while it is below the low; runs before
        the stop is tested.
        """
        rules = self.rules
        if not rules.trailing_stop or trade.stop >= low:
            return
        profit, offset = self.ratio(trade, high), rules.trailing_stop_positive_offset
        if rules.trailing_only_offset_is_reached and profit < offset:
            return
        positive = not math.isnan(rules.trailing_stop_positive) and profit > offset
        distance = abs(rules.trailing_stop_positive if positive else rules.stoploss)
        stop = _stepped(high * (1 - distance), trade.tick, ROUND_CEILING)
        if stop > trade.stop:  # adjust_stop_loss: it only rises
            trade.stop, trade.distance, trade.moved = stop, distance, True

    def roi(self, minutes: int) -> tuple[int, float | None]:
        """IStrategy.min_roi_reached_entry: the last rung that began; None before the first."""
        rungs = [rung for rung, since in enumerate(self.rules.roi_minutes) if since <= minutes]
        return (int(self.rules.roi_minutes[rungs[-1]]), float(self.rules.roi_ratios[rungs[-1]])) if rungs else (0, None)

    def roi_rate(
        self, trade: _Trade, since: int, roi: float, minutes: int, open_: float, high: float, low: float, close: float
    ) -> float | None:
        """Backtesting._get_close_rate_for_roi. None: it raises, and the next exit is tried."""
        aligned = since % self.rules.step_minutes == 0
        if roi == -1 and aligned:
            return open_
        rate = (1 + roi) * trade.cost / _product(trade.amount, 1 - self.fee)  # calc_close_rate_for_roi
        if minutes > 0 and minutes == since and aligned and open_ > rate:
            return open_
        if minutes == 0 and open_ > close and trade.open_rate < open_ and rate > close:
            return None
        return min(max(rate, low), high)

    def trailing_rate(self, trade: _Trade, minutes: int, open_: float, high: float, low: float) -> float:
        """Backtesting._get_close_rate_for_stoploss for a stop that has moved."""
        rules, positive = self.rules, self.rules.trailing_stop_positive
        if trade.stop > high:
            return open_
        if minutes > 0:
            return trade.stop
        if rules.trailing_only_offset_is_reached and not math.isnan(positive) and positive != 0:
            return max(low, open_ * (1 + abs(rules.trailing_stop_positive_offset) - abs(positive)))
        return max(low, open_ * (1 - trade.distance))

    def order(self, trade: _Trade, candle: int, reason: str, rate: float) -> None:
        """
        Backtesting._exit_trade and _process_exit_order: rounds the rate to the tick and fills inside the candle or not
        at all.
        """
        rate = _stepped(rate, trade.tick, ROUND_HALF_UP)
        if not self.course.low[trade.pair, candle] <= rate <= self.course.high[trade.pair, candle]:
            trade.waits = True
            return
        if not _has_decimals(rate, 8):
            raise ReplayError(
                f"replay: pair {trade.pair}, candle {candle}: an exit at {rate!r}, which has more than 8 decimals"
            )
        value = _product(trade.amount, rate, 1 - self.fee)
        trade.waits, trade.closed, trade.reason, trade.close_rate, trade.left = (
            False,
            candle,
            REASONS.index(reason),
            rate,
            self.fills,
        )
        trade.profit = round(value - trade.paid, 8)  # recalc_trade_from_orders
        trade.profit_ratio = trade.profit / trade.paid
        self.fills += 1
        self.profit += trade.profit
        self.open.remove(trade)
        self.closed.append(trade)

    def close_what_is_left(self) -> None:
        """
        Backtesting.handle_left_open: closes each trade at its own pair's last open, in the order of the pairs' first
        candles.
        """
        for trade in sorted(self.open, key=lambda trade: (self.course.first[trade.pair], trade.pair)):
            last = int(self.course.end[trade.pair]) - 1
            self.order(trade, last, "forced", float(self.course.open[trade.pair, last]))
            if trade.waits:
                raise ReplayError(f"replay: pair {trade.pair}, candle {last}: the last exit does not fill")

    def ratio(self, trade: _Trade, rate: float) -> float:
        """LocalTrade.calc_profit_ratio"""
        return round(_product(trade.amount, rate, 1 - self.fee) / trade.cost - 1, 8)

    def result(self) -> Replayed:
        assert TRADE.names is not None
        columns = {name: np.array([getattr(trade, name) for trade in self.closed], TRADE[name]) for name in TRADE.names}
        return Replayed(
            **columns, balance=self.account.wallet + self.profit, rejected=self.rejected, unfilled=self.unfilled
        )


def _product(*factors: float | Decimal) -> float:
    """Exact product of decimals, rounded once. A float counts as the decimal that Python prints for it."""
    total = Decimal(1)
    for factor in factors:
        total = _EXACTLY.multiply(total, factor if isinstance(factor, Decimal) else Decimal(repr(factor)))
    return float(total)


def _stepped(value: float, scale: float, rounding: str) -> float:
    """A positive value, taken as its decimal, rounded to the grid of 1/scale; unchanged where the scale is 0."""
    if scale == 0.0:
        return value
    return float((Decimal(repr(value)) * int(scale)).to_integral_value(rounding) / int(scale))


def _has_decimals(value: float, most: int) -> bool:
    return -int(Decimal(repr(value)).normalize().as_tuple().exponent) <= most


def _sum(values: list[float], compensated: bool) -> float:
    """
    Python's sum() of floats: plain up to 3.11; from 3.12 on with what each addition loses, added at the end (Neumaier).
    """
    total = lost = 0.0
    for value in values:
        added = total + value
        lost += (total - added) + value if abs(total) >= abs(value) else (value - added) + total
        total = added
    return total + lost if compensated else total
