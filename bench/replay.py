"""
How long a replay takes: the first one of a process, each one after it, and what `refusal` costs.

Prints JSON for a made-up market of five pairs and five years of hourly candles: seconds of import and first call, then
by strategy the number of trades and milliseconds a replay. Run it twice: the first start after a change compiles.

Usage: python bench/replay.py
"""

import json
import time

import numpy as np

started = time.perf_counter()
from arena.accounting.replay import simulator
from arena.accounting.replay.simulator import ENTER, ENTERING, EXIT, ReplayInput

IMPORT_S = time.perf_counter() - started
PAIRS, CANDLES = 5, 43_800
TRAIL = {"trailing_stop": True, "trailing_stop_positive": 0.01, "trailing_stop_positive_offset": 0.02}
STRATEGIES = {
    "signals": (0.002, simulator.rules(-0.9, {}, 60)),
    "stop and roi": (0.002, simulator.rules(-0.05, {0: 0.05, 600: 0.02}, 60)),
    "trailing": (0.002, simulator.rules(-0.05, {}, 60, **TRAIL)),
    "many trades": (0.02, simulator.rules(-0.05, {0: 0.05, 600: 0.02}, 60, **TRAIL)),
}


def main() -> None:
    account = simulator.account(10_000, 0.99, None, PAIRS, 0.001)
    found = {}
    for name, (often, rules) in STRATEGIES.items():
        course = market(often)
        room = simulator.Room.of(course)
        first_s = best(lambda: simulator.replay_into(course, account, rules, room), 1)
        seconds = best(lambda: simulator.replay_into(course, account, rules, room), 30)
        found.setdefault("first_call_s", first_s)
        found.setdefault("refusal_ms", best(lambda: simulator.refusal(course, account, rules), 5) * 1e3)
        found[name] = {"trades": simulator.replay_into(course, account, rules, room), "ms": round(seconds * 1e3, 3)}
    print(json.dumps({"import_s": IMPORT_S} | found, indent=1))


def market(often: float) -> ReplayInput:
    """Random walks with two decimals; an entry and an exit signal in a candle with this probability each."""
    rng = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.005, (PAIRS, CANDLES)), axis=1))
    open_ = np.concatenate([close[:, :1], close[:, :-1]], axis=1)
    spread = np.exp(rng.exponential(0.003, (PAIRS, CANDLES)))
    prices = (open_, np.maximum(open_, close) * spread, np.minimum(open_, close) / spread, close)
    draw = rng.random((PAIRS, CANDLES))
    flags = np.where(draw < often, ENTER | ENTERING, np.where(draw > 1 - often, EXIT, 0)).astype(np.uint8)
    none, month = np.full(PAIRS, np.nan), np.arange(CANDLES, dtype=np.int64) // 730
    return ReplayInput(
        *(np.maximum(np.round(table, 2), 0.01) for table in prices), flags, np.zeros(PAIRS, np.int64),
        np.full(PAIRS, CANDLES), np.full((PAIRS, int(month[-1]) + 1), 100.0), month, np.full(PAIRS, 1e5),
        np.full(PAIRS, 5.0), none, none, none, np.ones((1, 1)),
    )  # fmt: skip


def best(call, times: int) -> float:
    """Seconds of the quickest of several calls."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


if __name__ == "__main__":
    main()
