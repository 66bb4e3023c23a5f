"""Small arenas for tests: a configuration, candles and orders that can be checked by hand."""

import json
from copy import deepcopy
from datetime import UTC, datetime

import numpy as np

from arena import settings
from arena.records import ORDER_KINDS, Claim, Market, Orders, Window

HOUR = 3_600_000
DAY = 24 * HOUR
START = datetime(2021, 1, 1, tzinfo=UTC)
START_MS = 1_609_459_200_000  # 2021-01-01 00:00 UTC

CONFIG = {
    "stake_currency": "USDT",
    "stake_amount": "unlimited",
    "dry_run_wallet": 1000,
    "max_open_trades": 2,
    "timeframe": "1h",
    "fee": 0.001,
    "exchange": {"name": "binance", "pair_whitelist": ["BTC/USDT", "ETH/USDT"]},
    "arena": {
        "warmup_from": "20201201",
        "windows": {"first": "20210101-20210201", "second": "20210201-20210301"},
        "validation": "20210301-20210401",
        "holdout": "20210401-20210501",
    },
}


def config(changes=()):
    """CONFIG with changes, a dict of dotted paths to values; DROP removes the key."""
    made = deepcopy(CONFIG)
    for path, value in dict(changes).items():
        *parents, key = path.split(".")
        place = made
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is DROP:
            del place[key]
        else:
            place[key] = value
    return made


DROP = object()


def arena(folder, changes=()):
    """The settings of a config.json that is written into `folder`."""
    file = folder / "config.json"
    file.write_text(json.dumps(config(changes)))
    return settings.load(file)


def market(*pairs, step_ms=HOUR):
    """
    A market of pairs A, B, C …: each a list of candles (open, high, low, close), a bare price that never moves, or
    None.
    """
    names = tuple("ABCDEFG"[: len(pairs)])
    rows = [
        [(np.nan,) * 4 if c is None else c if isinstance(c, tuple) else (c,) * 4 for c in candles] for candles in pairs
    ]
    values = np.array(rows, dtype=np.float64)
    open_ms = START_MS + step_ms * np.arange(values.shape[1], dtype=np.int64)
    return Market(names, open_ms, step_ms, *(values[:, :, column].copy() for column in range(4)))


def orders(*rows, step_ms=HOUR):
    """
    Rows of (pair number, candle, "buy" or "sell", price, amount), then if need be kind and the stop before the candle.
    """
    filled = [
        (*row, "entry" if row[2] == "buy" else "signal", np.nan)[:7] if len(row) == 5 else (*row, np.nan)[:7]
        for row in rows
    ]
    pair, candle, side, price, amount, kind, stop_before = zip(*filled, strict=True) if rows else ((),) * 7
    return Orders(
        pair=np.array(pair, dtype=np.int64),
        filled_ms=START_MS + step_ms * np.array(candle, dtype=np.int64),
        buys=np.array([{"buy": True, "sell": False}[s] for s in side], dtype=np.bool_),
        price=np.array(price, dtype=np.float64),
        amount=np.array(amount, dtype=np.float64),
        kind=np.array([ORDER_KINDS.index(k) for k in kind], dtype=np.int8),
        stop_before=np.array(stop_before, dtype=np.float64),
    )


def claim(made, profit, trades):
    """What an honest worker says of these orders."""
    return Claim(
        orders=made,
        profit=profit,
        trades=trades,
        closed_sharpe=0.0,
        rejected=0,
        first_signal_ms=None,
        warmup="",
        warmup_ms=None,
    )


def window(first, end, name="w", step_ms=HOUR):
    """From the open of one candle to the open of another, counted from START."""
    return Window(name, *(datetime.fromtimestamp((START_MS + k * step_ms) / 1000, tz=UTC) for k in (first, end)))
