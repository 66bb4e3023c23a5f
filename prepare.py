"""
Prepare the arena: store the search candles, seal validation and holdout, lock data and code.

Reads   config.json, and candles from its exchange, from files (--from) or from a sample market (--sample)
Writes  user_data/data/, data.lock.json, a row in the ledger, keys in the user's configuration directory
Exits   0 ready    2 the arena cannot be prepared, and nothing was changed

Usage:
    uv run prepare.py                    # candles from the exchange in config.json; a second run verifies them
    uv run prepare.py --from PATH        # feather, parquet or CSV files, one per pair
    uv run prepare.py --sample           # a made-up market; null: nothing to find, planted: a known small edge
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
from datetime import datetime
from pathlib import Path

from arena import settings
from arena.cli import parser, told
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
        source = _chosen(options, arena, locked)
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
    options = parser(__doc__)
    add = options.add_argument
    origin = options.add_mutually_exclusive_group()
    origin.add_argument("--from", dest="path", type=Path, metavar="PATH", help="candle files: a folder or one file")
    kinds = ("market", "null", "planted")
    origin.add_argument("--sample", nargs="?", const="market", choices=kinds, help="a made-up market (default: market)")
    add("--seed", type=int, default=0, metavar="N", help="random seed of the made-up market (default: 0)")
    add("--markets", type=Path, metavar="FILE", help="market metadata for --from (default: markets.json beside PATH)")
    add(
        "--passphrase", action=argparse.BooleanOptionalAction, help="seal the holdout with a passphrase, not a key file"
    )
    add(
        "--ledger-lost",
        action="store_true",
        help="continue although ledger entries are lost; their number still counts",
    )
    add("--force", action="store_true", help="prepare anew; replaces another arena without asking")
    chosen = options.parse_args()
    if chosen.markets and not chosen.path:
        options.error("--markets belongs to --from")
    if chosen.seed and not chosen.sample:
        options.error("--seed belongs to --sample")
    if chosen.seed < 0:
        options.error("--seed must not be negative")
    return chosen


def _read_lock(arena: Settings, force: bool) -> Lock | None:
    try:
        return data_lock.read(arena.root)
    except ArenaError:
        if force:
            return None
        raise


def _chosen(options: argparse.Namespace, arena: Settings, locked: Lock | None) -> Source:
    """
    Returns the source that the options name, else the one of the prepared arena, else the exchange in config.json.
    """
    if options.path:
        return dataset.source_from(
            {"kind": "files", "path": str(options.path), "markets": options.markets and str(options.markets)}, arena
        )
    if options.sample:
        return dataset.source_from({"kind": "sample", "market": options.sample, "seed": options.seed}, arena)
    if locked and not locked.source.get("demo"):
        return dataset.source_from(locked.source, arena)
    return dataset.source_from({"kind": "exchange", "name": arena.exchange}, arena)


def _same(locked: Lock, arena: Settings, source: Source, options: argparse.Namespace) -> bool:
    """Whether the options ask for the arena that is already prepared."""
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
    print(
        f"Preparing {len(arena.pairs)} pairs, {arena.timeframe}, {arena.warmup_from:%Y-%m-%d} to "
        f"{dataset.last_day(arena)} from {source.label}"
    )
    online = source.description["kind"] == "exchange"
    if online:
        source.progress = _progress  # type: ignore[attr-defined]  # of an exchange alone
    locked = dataset.prepare(arena, source, passphrase, print, resume=online)
    return _ready(locked, [])


def _progress(pair: str, reached: datetime) -> None:
    print(f"{pair}: downloaded up to {reached:%Y-%m-%d}", flush=True)


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
    return (
        f"{len(locked.arena['pairs'])} pairs, {locked.arena['timeframe']}, search "
        f"{locked.arena['ranges']['search']}, source {locked.source['label']}"
    )


def cli() -> int:
    return told(main, "prepare", "The arena is as it was before.")


if __name__ == "__main__":
    sys.exit(cli())
