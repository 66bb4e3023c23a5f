"""
Prepare the arena: candles in the clear up to the end of the search, validation and holdout sealed, all of it locked.
READ-ONLY: part of the contract.

Reads   config.json, and candles from the exchange in it, from files (--from) or from a sample market (--sample)
Writes  user_data/data/, data.lock.json, a line in the ledger; keys in the user's configuration directory
Exits   0 ready    2 the arena cannot be prepared, and what was there is untouched

Usage:
    uv run prepare.py                           # candles from the exchange in config.json
    uv run prepare.py --from PATH               # feather, parquet or CSV, one file a pair
    uv run prepare.py --sample [market|null|planted] [--seed N]
    uv run prepare.py                           # again: verifies, and locks a changed config.json anew
    uv run prepare.py --ledger-lost             # go on with a ledger of which entries are gone; their number of trials still counts
"""

import sys

if __name__ == "__main__":  # from here on nothing is imported but what the contract's hash or a package's RECORD covers
    _isolation = sys.modules["arena.startup.isolation"] = type(sys)("arena.startup.isolation")
    _isolation.__file__ = f"{__file__.rpartition('/')[0] or '.'}/arena/startup/isolation.py"
    with open(_isolation.__file__, "rb") as _source:
        exec(compile(_source.read(), _source.name, "exec"), _isolation.__dict__)
    _isolation.begin(__file__)

import argparse
import getpass
from pathlib import Path

from arena import settings
from arena.cli import told
from arena.errors import ArenaError, ConfigError
from arena.ledger import data_lock
from arena.ledger.data_lock import Lock
from arena.preparation import dataset
from arena.preparation.sources import Source
from arena.settings import Settings


def main() -> int:
    options = _options()
    arena = settings.load()
    with data_lock.exclusive(arena.root):
        if options.ledger_lost:
            print(f"ledger: {dataset.accept_loss(arena)} trials are gone, and count in the luck of all later ones")
        dataset.check_ledger(arena)
        locked = _read_lock(arena, options.force)
        source = _source(options, arena, locked)
        if locked is None:
            return _build(arena, source, options)
        changes = data_lock.differences(locked, arena)
        same = _same(locked, arena, source, options)
        if same and not options.force and not any(change.startswith("data ") for change in changes):
            return _ready(dataset.relock(arena, locked, changes) if changes else locked, changes)
        if not same and not options.force and not locked.source.get("demo"):
            _confirm(locked, source)
        if options.passphrase is None:
            options.passphrase = locked.facts.get("passphrase", False)
        return _build(arena, source, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    origin = parser.add_mutually_exclusive_group()
    origin.add_argument("--from", dest="path", type=Path, metavar="PATH", help="folder of candle files, or one file")
    origin.add_argument("--sample", nargs="?", const="market", choices=("market", "null", "planted"), help="a market made from a seed")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the sample market (default: 0)")
    parser.add_argument("--markets", type=Path, metavar="FILE", help="market metadata for --from (default: markets.json beside it)")
    parser.add_argument(
        "--passphrase", action=argparse.BooleanOptionalAction, help="derive the holdout's key from a passphrase instead of a key file"
    )
    parser.add_argument("--ledger-lost", action="store_true", help="go on although entries of the ledger are gone for good; how many trials they held still counts")
    parser.add_argument("--force", action="store_true", help="prepare anew, and replace another arena without asking")
    options = parser.parse_args()
    if options.markets and not options.path:
        parser.error("--markets belongs to --from")
    if options.seed and not options.sample:
        parser.error("--seed belongs to --sample")
    if options.seed < 0:
        parser.error("--seed must not be negative")
    return options


def _read_lock(arena: Settings, force: bool) -> Lock | None:
    try:
        return data_lock.read(arena.root)
    except ArenaError:
        if force:
            return None
        raise


def _source(options: argparse.Namespace, arena: Settings, locked: Lock | None) -> Source:
    """What the options name; without any, what the arena was prepared from; else the exchange in config.json."""
    if options.path:
        return dataset.source_from({"kind": "files", "path": str(options.path), "markets": options.markets and str(options.markets)}, arena)
    if options.sample:
        return dataset.source_from({"kind": "sample", "market": options.sample, "seed": options.seed}, arena)
    if locked and not locked.source.get("demo"):
        return dataset.source_from(locked.source, arena)
    return dataset.source_from({"kind": "exchange", "name": arena.exchange}, arena)


def _same(locked: Lock, arena: Settings, source: Source, options: argparse.Namespace) -> bool:
    """Whether the prepared arena is the one that is asked for."""
    described = {key: value for key, value in locked.source.items() if key not in ("label", "demo")}
    return (
        locked.arena == dataset.request(arena, source)
        and described == source.description
        and options.passphrase in (None, locked.facts.get("passphrase", False))
    )


def _confirm(locked: Lock, source: Source) -> None:
    print(f"This replaces the prepared arena ({_title(locked)}) by another one from {source.label}.")
    print("The ledger stays; its trials count wherever these candles come again.")
    if not sys.stdin.isatty():
        raise ConfigError("not replaced: nobody is there to confirm. Add --force to replace it.")
    if input("Replace it? [y/N] ").strip().lower() not in ("y", "yes"):
        raise ConfigError("not replaced.")


def _build(arena: Settings, source: Source, options: argparse.Namespace) -> int:
    passphrase = _passphrase() if options.passphrase and arena.holdout else None
    print(f"Preparing {len(arena.pairs)} pairs, {arena.timeframe}, {arena.warmup_from:%Y-%m-%d} to {dataset.last_day(arena)} from {source.label}")
    online = source.description["kind"] == "exchange"
    if online:
        source.progress = lambda pair, reached: print(f"{pair}: downloaded up to {reached:%Y-%m-%d}", flush=True)
    locked = dataset.prepare(arena, source, passphrase, print, resume=online)
    return _ready(locked, [])


def _passphrase() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("Passphrase of the holdout: ")
    if getpass.getpass("Again: ") != first:
        raise ConfigError("the two passphrases differ. Nothing was sealed.")
    return first


def _ready(locked: Lock, changes: list[str]) -> int:
    for change in changes:
        print(f"locked again: {change}")
    print(f"ready: contract {locked.contract[:8]}, {_title(locked)}")
    return 0


def _title(locked: Lock) -> str:
    return f"{len(locked.arena['pairs'])} pairs, {locked.arena['timeframe']}, search {locked.arena['ranges']['search']}, source {locked.source['label']}"


def cli() -> int:
    return told(main, "prepare", "The arena is as it was before.")


if __name__ == "__main__":
    sys.exit(cli())
