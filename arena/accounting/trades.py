"""
A booked account, trade by trade, in FreqTrade's terms: rates, reasons, tags. Pure.

Times, prices, amounts and profits are those of the orders that were booked. The strategy supplies tags of signals and
orders, and the opening time of a trade whose first order had to wait; no figure of a block depends on them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from arena.decisions import Labels, tag_hash
from arena.records import ORDER_KINDS, Book, Claim, Market, Trade

REASONS = {
    "signal": "exit_signal", "custom": "custom_exit", "roi": "roi", "stop": "stop_loss",
    "trailing": "trailing_stop_loss", "adjust": "partial_exit", "forced": "force_exit",
}  # fmt: skip
"""FreqTrade's names of exit reasons, by kind of order."""
TAGGED = ("signal", "custom", "adjust", "other")
"""Kinds of exits that carry the strategy's own tag, if it gives one."""


@dataclass(frozen=True, slots=True)
class Fill:
    """One completely filled order."""

    filled_ms: int
    buys: bool
    price: float
    amount: float  # base currency
    tag: str | None  # reason; None where it is unknown


@dataclass(frozen=True, slots=True)
class TradeView:
    """A trade as FreqTrade's tools show it, from its first order until the position is flat."""

    pair: str
    opened_ms: int  # time at which its first order was placed
    closed_ms: int
    open_rate: float  # mean price of the units held at the end
    close_rate: float  # of the last order
    stake: float  # money paid for all its entries, without fees
    profit: float  # money, fees included
    profit_ratio: float  # of the money paid, fees included
    exit_reason: str
    enter_tag: str | None
    high: float  # highest and lowest price of its candles
    low: float
    fills: tuple[Fill, ...]


def deals(claim: Claim, book: Book, market: Market, fee: float) -> tuple[TradeView, ...]:
    """Closed trades in the order of their closes, as FreqTrade lists them. `claim` holds the booked orders."""
    tags = list(_tags(claim, market))
    labelled = claim.stretch is None and len(claim.labels.opened_ms) == len(claim.orders.price)
    return tuple(
        _deal(trade, claim, market, fee, tags, labelled)
        for trade in sorted(book.trades, key=lambda trade: trade.orders[-1])
    )


def _deal(trade: Trade, claim: Claim, market: Market, fee: float, tags: list[str | None], labelled: bool) -> TradeView:
    orders, numbers = claim.orders, list(trade.orders)
    fills = tuple(
        Fill(int(orders.filled_ms[k]), bool(orders.buys[k]), float(orders.price[k]), float(orders.amount[k]), tags[k])
        for k in numbers
    )
    first, last = ((ms - int(market.open_ms[0])) // market.step_ms for ms in (trade.open_ms, trade.close_ms))
    pair, open_rate = market.pairs.index(trade.pair), _mean_price(fills)
    opened_ms = int(claim.labels.opened_ms[numbers[0]]) if labelled else trade.open_ms
    reason = tags[numbers[-1]]
    assert reason is not None  # of a sale, which ends every trade
    return TradeView(
        pair=trade.pair,
        opened_ms=opened_ms if int(market.open_ms[0]) <= opened_ms <= trade.open_ms else trade.open_ms,
        closed_ms=trade.close_ms,
        open_rate=open_rate,
        close_rate=fills[-1].price,
        stake=trade.stake,
        profit=trade.profit,
        profit_ratio=trade.profit / (trade.stake * (1 + fee)),
        exit_reason=reason,
        enter_tag=tags[numbers[0]],
        high=max(float(np.nanmax(market.high[pair, first : last + 1])), fills[0].price),
        low=min(float(np.nanmin(market.low[pair, first : last + 1])), fills[0].price),
        fills=fills,
    )


def _mean_price(fills: tuple[Fill, ...]) -> float:
    """Mean cost of the units held at the end. An exit removes units at the mean price and does not change it."""
    units = money = price = 0.0
    for fill in fills:
        units += fill.amount if fill.buys else -fill.amount
        money += fill.amount * (fill.price if fill.buys else -price)
        if fill.buys:
            price = money / units
    return price


def _tags(claim: Claim, market: Market) -> Iterator[str | None]:
    """
    The tag of each order: as the worker reported it or, where its loop did not run over the whole range, from the
    signals' hashes.
    """
    orders, labels = claim.orders, claim.labels
    text_by_hash = {tag_hash(text): text for text in ("", *labels.texts)}
    for k in range(len(orders.price)):
        kind, tag = ORDER_KINDS[orders.kind[k]], None
        if orders.buys[k] or kind in TAGGED:
            tag = _told(labels, k) if claim.stretch is None else _of_signal(claim, market, k, text_by_hash)
        yield tag if orders.buys[k] else tag or REASONS.get(kind, kind)


def _of_signal(claim: Claim, market: Market, k: int, text_by_hash: dict[int, str]) -> str | None:
    """The tag of the signal, in the candle before, that caused an order; None where its text was not reported."""
    signals = claim.decisions.signals[market.pairs[claim.orders.pair[k]]]
    index = (int(claim.orders.filled_ms[k]) - market.step_ms - signals.start_ms) // market.step_ms
    tag = int((signals.enter_tag if claim.orders.buys[k] else signals.exit_tag)[index])
    return text_by_hash.get(tag) if tag else ""


def _told(labels: Labels, k: int) -> str | None:
    return labels.texts[labels.order[k]] if k < len(labels.order) and labels.order[k] >= 0 else None
