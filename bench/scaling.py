"""
How the cost of an evaluation grows: with pairs, with candles, with strategies, with trials. The table of
docs/compute.md.

Each figure is the median over --repeat runs in a sample market, the fork server started and everything imported; the
ratio is to the smallest of its row. Absolute times belong to the machine.

Usage: uv run bench/scaling.py [--repeat N]
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from arena import settings
from arena.evaluation import batch, context
from arena.ledger import strategy_files
from arena.preparation import dataset
from arena.sandbox import client
from arena.settings import Compute
from arena.stats import selection_bias

PAIRS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "BNB/USDT", "AVAX/USDT", "XRP/USDT", "ADA/USDT", "DOT/USDT")
YEARS = (1, 2, 3)
DAYS = 1095


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    client.warm_up()
    with tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder:
        evaluated(arena(Path(folder, "first"), PAIRS[:1], 1), 1)  # what there is to load is loaded
        row("pairs, one year", {n: timed(repeat, one(Path(folder, f"pairs{n}"), PAIRS[:n], 1)) for n in (1, 2, 4, 8)})
        row(
            "years of hourly candles, two pairs",
            {n: timed(repeat, one(Path(folder, f"years{n}"), PAIRS[:2], n)) for n in YEARS},
        )
        many = arena(Path(folder, "many"), PAIRS[:2], 1)
        row(
            "strategies, two pairs and a year, threads",
            {n: timed(repeat, lambda n=n: evaluated(many, n)) for n in (1, 2, 4, 8)},
        )
        evaluated(many, 16, backend="loky")
        row("… processes", {n: timed(repeat, lambda n=n: evaluated(many, n, backend="loky")) for n in (8, 16)})
    rng = np.random.default_rng(1)
    for n in (50, 500, 2000):
        returns = list(rng.normal(0, 0.01, (n, DAYS)))
        row(
            f"evidence, {DAYS} days, {n} trials",
            {n: timed(repeat, lambda returns=returns, n=n: selection_bias.evidence(returns[0], returns, n))},
        )


def row(name: str, seconds: dict[int, float]) -> None:
    first = next(iter(seconds.values()))
    print(
        f"| {name} | " + ", ".join(f"{n}: {s:.2f} s ({s / first:.1f})" for n, s in seconds.items()) + " |", flush=True
    )


def timed(repeat: int, job: Callable[[], object]) -> float:
    found = []
    for _ in range(repeat):
        started = time.perf_counter()
        job()
        found.append(time.perf_counter() - started)
    return statistics.median(found)


def one(folder: Path, pairs: tuple[str, ...], years: int) -> Callable[[], object]:
    made = arena(folder, pairs, years)
    return lambda: evaluated(made, 1)


def arena(folder: Path, pairs: tuple[str, ...], years: int) -> settings.Settings:
    """A prepared sample market with 16 copies of the trend example."""
    config = json.loads((ROOT / "config.json").read_text())
    config["exchange"]["pair_whitelist"] = list(pairs)
    config["arena"] |= {
        "windows": {"all": f"20210101-{2021 + years}0101"},
        "validation": None,
        "holdout": None,
        "warmup_from": "20201001",
    }
    own = folder / strategy_files.FOLDER
    own.mkdir(parents=True)
    source = (ROOT / "examples" / "TrendDonchian.py").read_text()
    for k in range(16):
        (own / f"Copy{k}.py").write_text(source.replace("TrendDonchian", f"Copy{k}").replace("-0.15", f"-0.1{k:02}"))
    (folder / "config.json").write_text(json.dumps(config))
    loaded = settings.load(folder / "config.json")
    dataset.prepare(
        loaded, dataset.source_from({"kind": "sample", "market": "market", "seed": 1}, loaded), None, lambda line: None
    )
    return loaded


def evaluated(made: settings.Settings, n: int, backend: str = "threads") -> None:
    opened = context.open_arena(
        made.model_copy(update={"compute": Compute(backend=backend)}), record=False, causality="quick"
    )
    files = sorted((made.root / strategy_files.FOLDER).glob("*.py"))[:n]
    assert not [result.error for result in batch.evaluate_all(files, opened) if result.error]


if __name__ == "__main__":
    main()
