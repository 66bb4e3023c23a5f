"""
Large arenas, to their end: seconds and memory of `run.py --causality full` on sample markets. The last table of
docs/speed.md.

Memory is that of the whole group of processes at its highest, shared pages counted once (PSS), looked at five times a
second. Linux alone.

Usage: uv run bench/large.py [--only TEXT]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
PAIRS = (
    "BTC/USDT", "ETH/USDT", "SOL/USDT", "BNB/USDT", "AVAX/USDT", "XRP/USDT", "ADA/USDT", "DOT/USDT", "LTC/USDT",
    "LINK/USDT", "TRX/USDT", "DOGE/USDT", "ATOM/USDT", "UNI/USDT", "ETC/USDT", "XLM/USDT", "NEAR/USDT", "FIL/USDT",
    "ALGO/USDT", "AAVE/USDT",
)  # fmt: skip
ARENAS = {
    "5 pairs, 5 years, 1h": (5, 5, "1h"),
    "20 pairs, 5 years, 1h": (20, 5, "1h"),
    "2 pairs, 3 years, 1m": (2, 3, "1m"),
}
EXAMPLES = ("TrendDonchian", "VolBreakout")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="arenas whose name has this in it")
    only = parser.parse_args().only
    print("| arena | strategy | s | MB at most | verdict |\n|---|---|---|---|---|")
    for name, (pairs, years, timeframe) in ARENAS.items():
        if only not in name:
            continue
        with tempfile.TemporaryDirectory(prefix="touchstone-bench-") as folder:
            arena(Path(folder), PAIRS[:pairs], years, timeframe)
            for example in EXAMPLES:
                seconds, memory, said = watched(
                    [sys.executable, "run.py", "--strategy", example, "--causality", "full"], Path(folder)
                )
                verdict = next(
                    (line for line in said.splitlines() if line.startswith(("status:", "verdict:"))), said[-200:]
                )
                print(f"| {name} | {example} | {seconds:.0f} | {memory / 2**20:.0f} | {verdict} |", flush=True)


def arena(folder: Path, pairs: tuple[str, ...], years: int, timeframe: str) -> None:
    """A copy of the contract with a prepared sample market and two examples."""
    for name in ("arena", "judge", "prepare.py", "run.py"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, folder / name)
    config = json.loads((ROOT / "config.json").read_text()) | {"timeframe": timeframe, "max_open_trades": len(pairs)}
    config["exchange"]["pair_whitelist"] = list(pairs)
    config["arena"] |= {
        "windows": {"all": f"20200301-{2020 + years}0301"},
        "validation": None,
        "holdout": None,
        "warmup_from": "20200101",
    }
    config["arena"]["limits"]["seconds"] = 3600
    (folder / "config.json").write_text(json.dumps(config))
    strategies = folder / "user_data" / "strategies"
    strategies.mkdir(parents=True)
    for example in EXAMPLES:
        (strategies / f"{example}.py").write_text(
            (ROOT / "examples" / f"{example}.py").read_text().replace('timeframe = "1h"', f'timeframe = "{timeframe}"')
        )
    subprocess.run(
        [sys.executable, "prepare.py", "--sample"],
        cwd=folder,
        check=True,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(folder)},
    )


def watched(command: list[str], cwd: Path) -> tuple[float, int, str]:
    """Seconds, bytes at most, and what was printed."""
    started, most = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(
            command, cwd=cwd, stdout=out, stderr=subprocess.STDOUT, env=os.environ | {"PYTHONPATH": str(cwd)}
        )
        while process.poll() is None:
            most = max(most, memory(process.pid))
            time.sleep(0.2)
        out.seek(0)
        return time.perf_counter() - started, most, out.read()


def memory(pid: int) -> int:
    found = 0
    try:
        for process in (parent := psutil.Process(pid), *parent.children(recursive=True)):
            with open(f"/proc/{process.pid}/smaps_rollup") as lines:
                found += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    except (OSError, psutil.Error, StopIteration):
        pass  # one that has just ended
    return found


if __name__ == "__main__":
    main()
