"""
Round time: the three strategies of examples/ on four windows, in two ways in one go; then what each check costs.

ours    `run.py --causality quick`: one continuous backtest per strategy, booked, measured by window, checked,
        relabelled, recorded; workers side by side
plain   one offline `Backtesting(config).start()` per strategy and window, one after the other, in one process, as
        other projects do it; its output is thrown away, nothing is checked

Cold is the whole process from start to end; warm counts from the moment when everything is imported. Both ways work on
the same candles. The second table has the CPU seconds of each strategy alone (bench/checks.py), with --genomes those of
so many strategies of the genetic agent instead of both ways. Absolute times belong to the machine; the ratios are the
result.

Usage: uv run bench/speed.py [--from DIR_OF_CANDLES] [--repeat N] [--genomes N]    (default: a sample market)
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from arena.ledger import anchor
from arena.ledger.store import LEDGER

WINDOWS = {
    "y2021": "20210101-20220101",
    "y2022": "20220101-20230101",
    "y2023": "20230101-20240101",
    "y2024": "20240101-20250101",
}

WARM = """
import time
from pathlib import Path
from arena import settings
from arena.evaluation import batch, context
from arena.ledger import anchor
from arena.ledger.store import LEDGER
from arena.sandbox import client
arena = settings.load()
files = sorted(Path("user_data/strategies").glob("*.py"))
client.warm_up()
list(batch.evaluate_all(files[:1], context.open_arena(arena, record=False, causality="quick")))
started = time.perf_counter()
opened = context.open_arena(arena, record=False, causality="quick")
errors = [result.error for result in batch.evaluate_all(files, opened) if result.error]
print(time.perf_counter() - started if not errors else errors)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="path", type=Path, help="folder of candle files")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each way; the median counts")
    parser.add_argument(
        "--genomes", type=int, help="checks of so many strategies of the genetic agent, and nothing else"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder:
        arena = _arena(Path(folder), options.path)
        if options.genomes:
            _write_genomes(arena, options.genomes)
            _show(json.loads(_run([sys.executable, str(ROOT / "bench" / "checks.py"), "--repeat", "1"], arena)))
            return
        times: dict[tuple[str, str], list[float]] = {}
        for _ in range(options.repeat):  # in turn, so that a drift of the machine meets both
            _cold_ours(arena, times)
            times.setdefault(("ours", "warm"), []).append(float(_run([sys.executable, "-c", WARM], arena)))
            _plain(arena, times)
        checks = json.loads(
            _run([sys.executable, str(ROOT / "bench" / "checks.py"), "--repeat", str(options.repeat)], arena)
        )
    print(
        f"{'':8}{'ours s':>10}{'plain s':>10}{'ratio':>8}   (median of {options.repeat}; 3 strategies x {len(WINDOWS)} "
        f"windows)"
    )
    for state in ("cold", "warm"):
        ours, plain = (statistics.median(times[way, state]) for way in ("ours", "plain"))
        print(f"{state:8}{ours:>10.2f}{plain:>10.2f}{plain / ours:>8.2f}")
    _show(checks)


def _show(checks: dict[str, dict[str, float]]) -> None:
    columns = ("account", "stress", "relabel", "quick", "full")
    print(f"\n{'alone, CPU s':16}{''.join(f'{name:>10}' for name in columns)}   all but full")
    sums = {name: s["account"] + s["stress"] + s["relabel"] + s["quick"] for name, s in checks.items()}
    for name, s in checks.items():
        print(f"{name:16}{''.join(f'{s[column]:>10.2f}' for column in columns)}{sums[name]:>15.2f}")
    print(f"all but full: median {statistics.median(sums.values()):.2f}, most {max(sums.values()):.2f}")
    for kind, wanted in (("signals alone", False), ("callbacks", True)):
        if full := [s["full"] for s in checks.values() if s["callbacks"] == wanted]:
            print(f"full, {kind}: median {statistics.median(full):.2f}, most {max(full):.2f} of {len(full)}")


def _write_genomes(arena: Path, n: int) -> None:
    """The first n strategies of the agent's grammar from one seed, its families in turn."""
    import numpy as np

    from arena import settings
    from loop.agents.genome.grammar import Bounds, Grammar
    from loop.agents.genome.writing import source

    folder = arena / "user_data" / "strategies"
    shutil.rmtree(folder)
    folder.mkdir()
    loaded = settings.load(arena / "config.json")
    grammar, rng = Grammar(loaded, Bounds()), np.random.default_rng(7)
    for k in range(n):
        name = f"Gen{k:02}"
        (folder / f"{name}.py").write_text(
            source(grammar.random(rng, grammar.families[k % len(grammar.families)]), name, loaded)
        )


def _arena(folder: Path, path: Path | None) -> Path:
    """A copy of the contract with four windows and the examples, prepared."""
    for name in ("arena", "judge", "examples", "prepare.py", "run.py"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    config = json.loads((ROOT / "config.json").read_text())
    config["arena"] |= {"windows": WINDOWS, "validation": None, "holdout": None}
    (folder / "config.json").write_text(json.dumps(config))
    shutil.copytree(ROOT / "examples", folder / "user_data" / "strategies")
    _run([sys.executable, "prepare.py", *(["--from", str(path.resolve())] if path else ["--sample"])], folder)
    return folder


def _cold_ours(arena: Path, times: dict[tuple[str, str], list[float]]) -> None:
    (arena / LEDGER).unlink(missing_ok=True)  # an answer from the ledger would be no evaluation
    anchor.forget(arena.resolve() / LEDGER)
    started = time.perf_counter()
    _run([sys.executable, "run.py", "--causality", "quick"], arena)
    times.setdefault(("ours", "cold"), []).append(time.perf_counter() - started)


def _plain(arena: Path, times: dict[tuple[str, str], list[float]]) -> None:
    started = time.perf_counter()
    said = _run([sys.executable, str(ROOT / "bench" / "plain.py"), *WINDOWS.values()], arena)
    times.setdefault(("plain", "cold"), []).append(time.perf_counter() - started)
    times.setdefault(("plain", "warm"), []).append(json.loads(said)["seconds"])


def _run(command: list[str], cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(cwd)})
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
