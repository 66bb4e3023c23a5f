"""
The person's command. READ-ONLY: part of the contract, and never the agent's.

Reads   config.json, data.lock.json, user_data/, results.tsv, git
Writes  nothing that stays: a clone of the repository in a temporary folder
Exits   0 all is as it was recorded    1 something differs; each line says what    2 it cannot be told

Usage:
    uv run judge.py --verify        # evaluate the committed strategies again, from a clean clone, and compare with the ledger
"""

import argparse
import signal
import sys

from arena import lock, settings
from arena.console import told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--verify",
        action="store_true",
        required=True,
        help="check ledger, contract and results.tsv, evaluate the strategies of HEAD again in a clone, compare every figure with the ledger's",
    )
    parser.parse_args()
    arena = settings.load()
    with lock.shared(arena.root):
        locked = lock.verify(arena)
        from arena import verification

        differences = verification.verify(arena, locked, lambda line: print(line, flush=True))
    print("verified: all is as the ledger has it" if not differences else f"not verified: {differences} of these lines say why")
    return 1 if differences else 0


def cli() -> int:
    return told(main, "judge", "Nothing was changed.")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C: the clone is removed
    sys.exit(cli())
