"""
Does breeding find more than chance? The genetic agent against its twin by chance, with the same number of trials, on
sample markets with a planted edge.

A pair is one market, made from its own seed, and one seed of both agents, each a run of drive.py in the same small
arena. Compared is the best Sharpe ratio that was kept, when both runs have the same number of trials: the smaller of
the two. Printed are the pairs and the mean difference with its 95 % interval (Student's t over pairs, which takes
differences as normal; of few pairs it is wide).

Not covered: the search range alone is looked at. What is better there need not be better afterwards: bench/discovery.py
asks that.

Usage: uv run bench/agents.py [--pairs N] [--rounds N] [--jobs N] [--quick] [--picture FILE]
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from scipy.stats import ttest_1samp

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from analysis.race import DPI, Racer, draw
from loop.leaderboard import course
from loop.run_log import Log

AGENTS = ("genetic", "random")
ARENA = {
    "warmup_from": "20201001",
    "windows": {"first": "20210101-20210701", "second": "20210701-20220101"},
    "validation": None,
    "holdout": None,
}
PAIRS = ["BTC/USDT", "ETH/USDT"]
GIT = ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "commit.gpgsign=false"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=40, help="of each run")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time (default: cores)")
    parser.add_argument("--quick", action="store_true", help="three pairs, four rounds")
    parser.add_argument("--picture", type=Path, help="where to draw the race")
    options = parser.parse_args()
    n, rounds = (3, 4) if options.quick else (options.pairs, options.rounds)
    with tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        arenas = list(pool.map(lambda seed: arena(Path(folder, f"market{seed}"), seed), range(1, n + 1)))
        asked = [(root, seed, agent) for seed, root in enumerate(arenas, 1) for agent in AGENTS]
        racers = list(pool.map(lambda one: raced(*one, rounds), asked))
    report(racers)
    if options.picture:
        draw(racers, float("nan"), 0).savefig(options.picture, dpi=DPI)


def arena(root: Path, seed: int) -> Path:
    """A committed checkout with a planted market."""
    root.mkdir()
    for name in ("arena", "judge"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("prepare.py", "run.py", "judge.py", "program.md", ".gitignore"):
        shutil.copy(ROOT / name, root)
    config = json.loads((ROOT / "config.json").read_text())
    config["exchange"]["pair_whitelist"] = PAIRS
    config["arena"] |= ARENA
    (root / "config.json").write_text(json.dumps(config))
    (root / "user_data" / "strategies").mkdir(parents=True)
    called([sys.executable, "prepare.py", "--sample", "planted", "--seed", str(seed)], root)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "the arena"]):
        called([*GIT, *words], root)
    return root


def raced(root: Path, seed: int, agent: str, rounds: int) -> Racer:
    """One run, and how its best went up."""
    called(
        [
            sys.executable,
            str(ROOT / "drive.py"),
            "--agent",
            agent,
            "--seed",
            str(seed),
            "--rounds",
            str(rounds),
            "--tag",
            agent,
            "--tether",
        ],
        root,
    )
    best = tuple(course(one for one in Log(root, agent).rounds() if one.step == "settled"))
    print(f"market {seed}, {agent}: {len(best)} trials", file=sys.stderr, flush=True)
    return Racer(agent, f"{agent}-{seed}", best)


def called(words: list[str], root: Path) -> None:
    """
    A command to its end. Its standard input is a pipe of this process: a run that is tethered to it does not outlive
    the bench.
    """
    with tempfile.TemporaryFile("w+") as told:
        code = subprocess.Popen(words, cwd=root, stdin=subprocess.PIPE, stdout=told, stderr=subprocess.STDOUT).wait()
        if code:
            told.seek(0)
            raise SystemExit(f"{' '.join(words[:4])} failed in {root.name}: {told.read().strip()[-500:]}")


def report(racers: list[Racer]) -> None:
    """A line for each pair, then the comparison. Pairs in which an agent kept nothing are told and left out."""
    print(f"{'market':>6}{'trials':>8}{AGENTS[0]:>10}{AGENTS[1]:>10}{'difference':>12}")
    found = []
    for number, (bred, chance) in enumerate(zip(racers[::2], racers[1::2], strict=True), 1):
        n = min(len(bred.best), len(chance.best))
        ends = [one.best[n - 1] if n else float("nan") for one in (bred, chance)]
        found.append(ends[0] - ends[1])
        print(f"{number:>6}{n:>8}{ends[0]:>10.2f}{ends[1]:>10.2f}{found[-1]:>12.2f}")
    known = [one for one in found if np.isfinite(one)]
    if left_out := len(found) - len(known):
        print(f"{left_out} of {len(found)} pairs left out: nothing was kept")
    if len(known) < 2:
        print("fewer than two pairs: no interval")
        return
    low, high = ttest_1samp(known, 0.0).confidence_interval(0.95)
    ahead = sum(one > 0 for one in known)
    print(
        f"genetic minus random: mean {statistics.mean(known):.2f}, 95 % interval {low:.2f} to {high:.2f}; ahead in "
        f"{ahead} of {len(known)} pairs"
    )


if __name__ == "__main__":
    main()
