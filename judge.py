"""
Verify a run, open the holdout, archive. For the person: the agent never runs it.

Reads   config.json, data.lock.json, user_data/, results.tsv, run.log, versions/, git
Writes  verify   nothing that stays
        open     the ledger, versions/<v>/, versions/README.md
        close    SHA256SUMS of the version
        forward  user_data/forward/, the ledger, versions/forward.tsv
Exits   0 everything is as recorded, or done    1 something differs; each line says what
        2 it cannot be done; nothing was opened

Usage:
    uv run judge.py verify               # evaluate the committed strategies again in a clean clone
    uv run judge.py open 0.1.0           # open the holdout, once and for good, and archive the run as versions/0.1.0
    uv run judge.py close 0.1.0          # the retrospective is written: add it to SHA256SUMS
    uv run judge.py forward              # score archived strategies on candles after the arena's end
"""

import sys

if __name__ == "__main__":  # from here on, the contract's hash or a package's RECORD covers every import
    _isolation = sys.modules["arena.startup.isolation"] = type(sys)("arena.startup.isolation")
    _isolation.__file__ = f"{__file__.rpartition('/')[0] or '.'}/arena/startup/isolation.py"
    with open(_isolation.__file__, "rb") as _source:
        exec(compile(_source.read(), _source.name, "exec"), _isolation.__dict__)
    _isolation.begin(__file__)

import argparse
import getpass
import signal
from pathlib import Path

from arena import settings
from arena.cli import parser, told
from arena.errors import ArenaError
from arena.ledger import data_lock
from arena.ledger.data_lock import Lock
from arena.settings import Settings


def main() -> int:
    options = _options()
    arena = settings.load()
    if options.command == "close":
        from judge import archive

        archive.close(arena.root, options.version)
        print(f"closed: the retrospective of {options.version} is in its SHA256SUMS")
        return 0
    with data_lock.shared(arena.root):
        if options.command == "verify":
            return _verify(arena)
        return _open(arena, options) if options.command == "open" else _forward(arena, options)


def _verify(arena: Settings) -> int:
    locked = data_lock.verify(arena)
    from judge import verify_archive, verify_run

    differences = verify_archive.versions(arena, lambda: _passphrase(locked), _say)
    differences += verify_run.verify(arena, locked, _say)
    print(
        "verified: all is as the ledger has it"
        if not differences
        else f"not verified: lines above that say why: {differences}"
    )
    return 1 if differences else 0


def _open(settings: Settings, options: argparse.Namespace) -> int:
    data_lock.verify(settings)
    from arena.evaluation import context
    from judge import archive, archive_reader, holdout, summary

    archive.vacant(settings.root, options.version)
    arena, ledger = context.open_arena(settings, record=False, causality="full"), context.existing_ledger(settings)
    plan = holdout.plan(arena, ledger, options.version)
    _say(summary.before(plan))
    if plan.asked:
        _confirm(options.yes, f"Open the holdout for {len(plan.asked)} strategies, once and for good?")
    tables = context.sealed_candles(arena, _passphrase(arena.lock)) if plan.asked else ()
    judged = holdout.judge(plan, arena, ledger, tables, _say)
    _say(summary.after(judged))
    folder = archive.write(arena, ledger, plan, judged, _picture(settings.root))
    _say(
        f"archived: {folder.relative_to(settings.root)}; write its {archive_reader.RETROSPECTIVE}, then `uv run "
        f"judge.py close {options.version}`, then commit it"
    )
    return 0


def _forward(settings: Settings, options: argparse.Namespace) -> int:
    data_lock.verify(settings)
    from arena.evaluation import context
    from judge import forward, summary

    arena, ledger = context.open_arena(settings, record=False), context.existing_ledger(settings)
    frozen = forward.frozen(arena, _say)
    store = forward.refresh(arena, options.path, options.markets, _say)
    passphrase = _passphrase(arena.lock) if settings.holdout else None
    _say(summary.since(forward.score(arena, ledger, frozen, store, passphrase, _say)))
    return 0


def _picture(root: Path) -> bytes:
    from analysis import frontier

    return frontier.png(root)


def _confirm(yes: bool, question: str) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise ArenaError("nobody is there to confirm, so nothing was opened. Add --yes to open it.")
    if input(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
        raise ArenaError("nothing was opened.")


def _passphrase(locked: Lock) -> str | None:
    """Asks for the holdout's passphrase; returns None where the key is a file."""
    if not locked.facts.get("passphrase"):
        return None
    return getpass.getpass("Passphrase of the holdout: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")


def _say(text: str) -> None:
    print(text, flush=True)


def _options() -> argparse.Namespace:
    options = parser(__doc__)
    options.add_argument("--verify", action="store_true", help=argparse.SUPPRESS)  # the name of `verify` until 0.1.0
    commands = options.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("verify", help="check ledger, lock, results.tsv and archive; evaluate HEAD again in a clone")
    opener = commands.add_parser("open", help="open the holdout for the committed strategies and archive the run")
    opener.add_argument("version", metavar="VERSION", help="for example 0.1.0")
    opener.add_argument("--yes", action="store_true", help="do not ask")
    closer = commands.add_parser("close", help="add the finished retrospective to SHA256SUMS")
    closer.add_argument("version", metavar="VERSION")
    forward = commands.add_parser("forward", help="score archived strategies on candles after the arena's end")
    forward.add_argument(
        "--from", dest="path", type=Path, metavar="PATH", help="candle files (default: the arena's source)"
    )
    forward.add_argument(
        "--markets", type=Path, metavar="FILE", help="market metadata (default: markets.json beside PATH)"
    )
    chosen = options.parse_args()
    if chosen.verify and chosen.command is None:
        chosen.command = "verify"
    if chosen.command is None:
        options.error("choose a command: verify, open, close or forward")
    return chosen


def cli() -> int:
    return told(main, "judge", "What was recorded before stays.")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # acts like Ctrl-C: removes clones, kills workers
    sys.exit(cli())
