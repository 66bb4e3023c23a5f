"""
Does the contract work? False discoveries where there is nothing to find, finds where there is something.

On sample markets of both kinds, `null` and `planted`, a random search tries strategies of a few honest templates, and
three readers look at all of them:

closed    takes the best by FreqTrade's closed-trade figure
marked    takes the best by the Sharpe ratio of the account, marked to market
verdict   takes what the contract accepts: gates, deflated Sharpe over all trials, validation through the ladder

A reader who takes the best always finds something; counted is what would convince if it were the only trial: a figure
that 5 % of strategies without skill exceed over these years. A find is true where the market has an edge and the
strategy earns money in the years after, which nobody has seen.

Strategies are replayed, not run: their signals come from this file, so there is nothing to sandbox and no lookahead to
look for. What the search, the validation and the years after are, stands in SPAN. The power calculation asks how often
a strategy with the Sharpe ratio of the planted market's own rule would be accepted among as many trials; where that is
below 0.8, a miss is no fault.

Usage: uv run bench/discovery.py [--markets N] [--strategies N] [--quick] [--picture FILE]
"""

import argparse
import json
import math
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import talib
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from arena.accounting import booking, pessimistic_fills
from arena.accounting.replay import inputs
from arena.decisions import Decisions, Signals
from arena.evaluation import context
from arena.market import candle_tables, scenarios
from arena.market.candles import fill_gaps
from arena.preparation.sources.synthetic import SampleSource
from arena.records import Checks, Evidence, Look, Market, Result, Strategy, Window, WindowResult
from arena.settings import Settings, load
from arena.stats import gates, metrics, selection_bias

PAIRS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "BNB/USDT", "AVAX/USDT")
TIMEFRAME, STEP_MS, STARTUP = "4h", 4 * 3_600_000, 300
SPAN = {"warmup": 2020, "search": 2021, "validation": 2033, "future": 2035, "end": 2039}
"""First of January of each year begins the part; `search` has twelve years, in three windows."""
EDGE = 1.31
"""Sharpe ratio a year of the breakout rule on planted markets after fees (docs/sample-market.md)."""


@dataclass(frozen=True, slots=True)
class World:
    """One sample market as the arena holds it."""

    kind: str
    seed: int
    settings: Settings
    tables: candle_tables.Tables
    closes: dict[str, pd.DataFrame]
    markets: dict[str, Any]
    market: Market  # of the search range


@dataclass(frozen=True, slots=True)
class Tried:
    name: str
    closed: float
    result: Result
    validation: float
    future: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markets", type=int, default=40, help="of each kind")
    parser.add_argument("--strategies", type=int, default=50, help="a market")
    parser.add_argument("--quick", action="store_true", help="8 markets of each kind, 20 strategies each")
    parser.add_argument("--picture", type=Path, help="where to draw it")
    parser.add_argument("--json", type=Path, help="where to keep every market's outcome")
    options = parser.parse_args()
    n, tries = (8, 20) if options.quick else (options.markets, options.strategies)
    asked = [(kind, seed) for seed in range(n) for kind in ("null", "planted")]
    rows = joblib.Parallel(n_jobs=-1)(joblib.delayed(searched)(kind, seed, tries) for kind, seed in asked)
    print(table(rows), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    if options.picture:
        draw(rows, options.picture)


def searched(kind: str, seed: int, n: int) -> dict[str, Any]:
    """The random search on one market, and what each reader takes from it."""
    world = made(kind, seed)
    rng = np.random.default_rng([seed, n])
    tried: list[Tried] = []
    while len(tried) < n:
        if (one := evaluated(world, *drawn(rng), len(tried))) is not None:
            tried.append(one)
    returns = [np.array(one.result.daily_returns) for one in tried]
    evidence = selection_bias.evidence(returns[0], returns, n)
    judged = verdicts(world, tried, evidence)
    accepted = [one for one, verdict in zip(tried, judged, strict=True) if verdict.startswith("ACCEPTED")]
    best = {
        "closed": max(tried, key=lambda t: t.closed),
        "marked": max(tried, key=lambda t: t.result.own.sharpe),
        "verdict": max(accepted, key=lambda t: t.result.own.sharpe) if accepted else None,
    }
    figure = {"closed": best["closed"].closed, "marked": best["marked"].result.own.sharpe}
    days = len(tried[0].result.daily_returns)
    convincing = norm.ppf(0.95) * math.sqrt(365 / (days - 1))
    return {
        "kind": kind,
        "seed": seed,
        "effective": evidence.effective,
        "luck_line": evidence.luck_line,
        "power": power(evidence.luck_line, days),
        "accepted": len(accepted),
        "reasons": sorted(verdict.split(":")[1].split()[0] for verdict in judged if not verdict.startswith("ACCEPTED")),
        **{
            reader: {
                "found": bool(one is not None and (reader == "verdict" or figure[reader] > convincing)),
                "name": one.name if one else "",
                "sharpe": one.result.own.sharpe if one else math.nan,
                "closed": one.closed if one else math.nan,
                "future": one.future if one else math.nan,
            }
            for reader, one in best.items()
        },
    }


def power(luck_line: float, days: int) -> float:
    """
    Probability that a strategy with the planted rule's Sharpe ratio passes `dsr` over so many days, against this luck
    line.
    """
    error = math.sqrt(365 / (days - 1))
    return float(norm.cdf((EDGE - luck_line) / error - norm.ppf(0.95)))


def made(kind: str, seed: int) -> World:
    settings = load(ROOT / "config.json")
    year = {name: datetime(y, 1, 1, tzinfo=UTC) for name, y in SPAN.items()}
    step = (SPAN["validation"] - SPAN["search"]) // 3
    starts = [datetime(SPAN["search"] + k * step, 1, 1, tzinfo=UTC) for k in range(3)] + [year["validation"]]
    windows = tuple(Window(f"w{k}", a, b) for k, (a, b) in enumerate(zip(starts, starts[1:], strict=False)))
    settings = settings.model_copy(
        update={
            "pairs": PAIRS,
            "timeframe": TIMEFRAME,
            "windows": windows,
            "search": Window("search", year["search"], year["validation"]),
            "validation": Window("validation", year["validation"], year["future"]),
        }
    )
    source = SampleSource(kind, seed)
    frames = {pair: source.candles(pair, TIMEFRAME, year["warmup"], year["end"]) for pair in PAIRS}
    tables = {pair: candle_tables.table(frame) for pair, frame in frames.items()}
    filled = {pair: fill_gaps(frame, TIMEFRAME) for pair, frame in frames.items()}
    market = candle_tables.market(
        scenarios.cut(tables, None, settings.search.end_ms + STEP_MS), settings, settings.search
    )
    return World(kind, seed, settings, tables, filled, source.markets(PAIRS), market)


def drawn(rng: np.random.Generator) -> tuple[str, dict[str, float], dict[str, Any]]:
    """A template, its parameters, and how it leaves."""
    template = str(rng.choice(list(TEMPLATES)))
    n = int(rng.integers(6, 90))
    parts = {"n": n, "m": int(n * rng.uniform(1.5, 3)), "x": float(rng.uniform(0, 1))}
    exits = {
        "stoploss": -round(float(rng.uniform(0.04, 0.3)), 3),
        "trailing_stop": bool(rng.random() < 0.2),
        "minimal_roi": {0: 10.0} if rng.random() < 0.7 else {0: round(float(rng.uniform(0.03, 0.3)), 3)},
    }
    return template, parts, exits


def breakout(c: pd.DataFrame, n: int, m: int, x: float) -> tuple[pd.Series, pd.Series]:
    return c["close"] > c["high"].rolling(n).max().shift(1), c["close"] < c["low"].rolling(max(n // 2, 2)).min().shift(
        1
    )


def crossing(c: pd.DataFrame, n: int, m: int, x: float) -> tuple[pd.Series, pd.Series]:
    fast, slow = talib.EMA(c["close"], n), talib.EMA(c["close"], m)
    return fast > slow * (1 + 0.01 * x), fast < slow


def momentum(c: pd.DataFrame, n: int, m: int, x: float) -> tuple[pd.Series, pd.Series]:
    gain = c["close"] / c["close"].shift(n) - 1
    return gain > 0.1 * x, gain < 0


def reversion(c: pd.DataFrame, n: int, m: int, x: float) -> tuple[pd.Series, pd.Series]:
    mean, deviation = c["close"].rolling(n).mean(), c["close"].rolling(n).std()
    return c["close"] < mean - (1 + x) * deviation, c["close"] > mean


def dip(c: pd.DataFrame, n: int, m: int, x: float) -> tuple[pd.Series, pd.Series]:
    rsi, trend = talib.RSI(c["close"], max(n // 3, 2)), talib.EMA(c["close"], m)
    return (rsi < 25 + 15 * x) & (c["close"] > trend), rsi > 60 + 10 * x


def calendar(c: pd.DataFrame, n: int, m: int, x: float) -> tuple[pd.Series, pd.Series]:
    return c["date"].dt.day_of_week == n % 7, c["date"].dt.day_of_week == (n + 1 + m % 3) % 7


TEMPLATES = {f.__name__: f for f in (breakout, crossing, momentum, reversion, dip, calendar)}


def evaluated(world: World, template: str, parts: dict[str, Any], exits: dict[str, Any], number: int) -> Tried | None:
    """
    One strategy through the contract's own account, gates and evidence; None where it makes no trade or cannot be
    replayed.
    """
    settings, name = world.settings, f"{template}{number}"
    signals = {pair: signalled(world, pair, template, parts) for pair in PAIRS}
    strategy = Strategy(name, Path(f"{name}.py"), "", "", PAIRS)
    told = Decisions(signals, {key: repr(value) for key, value in {**PARAMETERS, **exits}.items()})

    def account(window: Window, counted: Window) -> tuple[Market, Any, Any]:
        tables = scenarios.cut(world.tables, None, window.end_ms + STEP_MS)
        market = world.market if window == settings.search else candle_tables.market(tables, settings, window)
        made = inputs.described(strategy, settings, tables, market, world.markets, {pair: [] for pair in PAIRS}, told)
        trades = inputs.replayed(made, settings, told)
        orders = inputs.orders(trades, market)
        book = booking.book(market, orders, wallet=settings.wallet, fee=settings.fee, slots=settings.max_open_trades)
        return market, book, (trades, orders, metrics.measure(market, book, counted, last=True))

    try:
        market, book, (trades, orders, own) = account(settings.search, settings.search)
        beyond = account(replace(settings.search, end=settings.validation.end), settings.validation)[2][2]
        year = datetime(SPAN["end"] - 1, 12, 31, tzinfo=UTC)
        future = account(
            Window("future", settings.validation.end, year), Window("future", settings.validation.end, year)
        )[2][2]
    except inputs.NotReplayable:
        return None
    if not book.trades:
        return None
    windows = tuple(
        WindowResult(w.name, metrics.measure(market, book, w, last=w is settings.windows[-1]), own)
        for w in settings.windows
    )
    checks = Checks(
        "full",
        optimistic_fills=pessimistic_fills.optimistic_fills(market, orders, book, fee=settings.fee),
        hidden_loss=metrics.hidden_loss(market, book),
        top_share=metrics.top_share(book.trades),
        pair_share=metrics.pair_share(book.trades),
        relabel_loss=0.0,  # its signals know neither dates nor price levels
        replay="agrees",
    )
    result = Result(
        name, name, "", "", world.kind, "", "replay", 0.0, own=own, checks=checks, windows=windows,
        daily_returns=tuple(metrics.daily_returns(market.open_ms, book.equity_open)),
        gates=gates.judge(own, windows, checks, settings.gates, n_pairs=len(PAIRS)),
    )  # fmt: skip
    closed = metrics.closed_sharpe(
        trades.profit, settings.wallet, (market.open_ms[-1] - market.open_ms[0]) // metrics.DAY_MS
    )
    return Tried(name, closed, result, beyond.sharpe, future.sharpe)


PARAMETERS = {
    "startup_candle_count": STARTUP, "use_custom_stoploss": False, "use_custom_roi": False,
    "position_adjustment_enable": False, "can_short": False, "protections": [], "trailing_stop_positive": None,
    "trailing_stop_positive_offset": 0.0, "trailing_only_offset_is_reached": False, "use_exit_signal": True,
    "exit_profit_only": False, "exit_profit_offset": 0.0, "ignore_roi_if_entry_signal": False,
    "unfilledtimeout": {"exit": 10},
}  # fmt: skip


def signalled(world: World, pair: str, template: str, parts: dict[str, Any]) -> Signals:
    candles = world.closes[pair]
    enter, leave = (
        np.asarray(column.fillna(False), dtype=np.bool_) for column in TEMPLATES[template](candles, **parts)
    )
    none = np.zeros(len(candles), dtype=np.uint16)
    return Signals(int(candles["date"].iloc[0].timestamp() * 1000), enter, leave, none, none)


def verdicts(world: World, tried: list[Tried], shared: selection_bias.Evidence) -> list[str]:
    """
    What the contract says of each when all are known, the validation window asked in the order in which they were
    tried. All of `shared` but `dsr` is the same for every one of them.
    """
    asked, found = context.Trials(None, ""), []
    for one in tried:
        dsr = selection_bias.deflated_sharpe(np.array(one.result.daily_returns), shared.effective)
        evidence = Evidence(**shared._replace(dsr=dsr)._asdict())
        look = Look(why="a gate says no")
        if all(gate.passed for gate in one.result.gates) and dsr >= world.settings.gates.min_dsr:
            look = asked.look(one.validation, world.settings.ladder_step)
        judged = (*one.result.gates, *gates.evidence(evidence, look, world.settings.gates))
        found.append(gates.verdict(replace(one.result, evidence=evidence, look=look, gates=judged)))
    return found


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: shares of markets with their 95 % intervals (Wilson)."""
    null, planted = ([row for row in rows if row["kind"] == kind] for kind in ("null", "planted"))
    able = [row for row in planted if row["power"] >= 0.8]
    lines = [
        f"| reader | false discoveries on {len(null)} null | true finds on {len(planted)} planted | of the {len(able)} "
        f"with power |",
        "|---|---|---|---|",
    ]
    for reader in ("closed", "marked", "verdict"):
        false = sum(row[reader]["found"] for row in null)
        true, true_able = (
            sum(row[reader]["found"] and row[reader]["future"] > 0 for row in part) for part in (planted, able)
        )
        lines.append(
            f"| {reader} | {_share(false, len(null))} | {_share(true, len(planted))} | {_share(true_able, len(able))} |"
        )
    powers = np.array([row["power"] for row in planted])
    lines.append(f"\nPower on planted markets: median {np.median(powers):.2f}, lowest {powers.min():.2f}; effective "
                 f"trials, median "
                 f"{np.median([row['effective'] for row in rows]):.1f}; luck line, median "
                 f"{np.median([row['luck_line'] for row in null]):.2f} on null, "
                 f"{np.median([row['luck_line'] for row in planted]):.2f} on planted.")  # fmt: skip
    return "\n".join(lines)


def _share(found: int, n: int) -> str:
    if not n:
        return "-"
    low, high = binomtest(found, n).proportion_ci(method="wilson")
    return f"{found} of {n}: {100 * found / n:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def draw(rows: list[dict[str, Any]], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), sharey=True)
    for axis, kind in zip(axes, ("null", "planted"), strict=True):
        mine = sorted((row for row in rows if row["kind"] == kind), key=lambda row: row["marked"]["sharpe"])
        x: NDArray[np.int64] = np.arange(len(mine))
        axis.scatter(x, [row["closed"]["closed"] for row in mine], s=16, color="tab:orange", label="best closed figure")
        axis.scatter(x, [row["marked"]["sharpe"] for row in mine], s=16, color="tab:blue", label="best marked Sharpe")
        axis.plot(x, [row["luck_line"] for row in mine], color="grey", lw=1, label="luck line")
        taken = [k for k, row in enumerate(mine) if row["verdict"]["found"]]
        axis.scatter(
            taken,
            [mine[k]["verdict"]["sharpe"] for k in taken],
            s=70,
            facecolors="none",
            edgecolors="tab:green",
            lw=1.6,
            label="accepted",
        )
        axis.axhline(0, color="black", lw=0.6)
        axis.set_title(f"{kind}: {'nothing to find' if kind == 'null' else 'an edge to find'}, {len(mine)} markets")
        axis.set_xlabel("market, by its best marked Sharpe")
    axes[0].set_ylabel("Sharpe a year, search range")
    axes[0].legend(loc="upper left", fontsize=8)
    figure.tight_layout()
    figure.savefig(file, dpi=130)


if __name__ == "__main__":
    main()
