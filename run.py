"""
Evaluate every strategy in user_data/strategies. Read-only for the agent.

Reads   config.json, data.lock.json, user_data/
Writes  one `---` block per strategy and one `round:` block to stdout, one row per trial to user_data/ledger.db;
        with --export files in user_data/backtest_results/
Exits   0 every strategy was evaluated (gates may have said no)
        1 a strategy failed, or its trades are not those recorded    2 the arena cannot be used

Usage:
    uv run run.py > run.log 2>&1
    uv run run.py --strategy MeanRevRsi      # only this one
    uv run run.py --strategy PATH --trades   # a file outside the repository, with its trades; nothing is recorded
    uv run run.py --demo                     # the strategies of examples/; nothing is recorded
"""

import sys

if __name__ == "__main__":  # from here on, the contract's hash or a package's RECORD covers every import
    _isolation = sys.modules["arena.startup.isolation"] = type(sys)("arena.startup.isolation")
    _isolation.__file__ = f"{__file__.rpartition('/')[0] or '.'}/arena/startup/isolation.py"
    with open(_isolation.__file__, "rb") as _source:
        exec(compile(_source.read(), _source.name, "exec"), _isolation.__dict__)
    _isolation.begin(__file__)

import argparse
import signal
import time
from pathlib import Path

from arena import settings
from arena.cli import Live, parser, told
from arena.errors import ArenaError
from arena.ledger import data_lock, strategy_files
from arena.sandbox import client
from arena.settings import Settings

EXAMPLES = Path("examples")


def main() -> int:
    started = time.perf_counter()
    options = _options()
    arena = settings.load()
    files = _files(arena.root / (EXAMPLES if options.demo else strategy_files.FOLDER), options, arena)
    outside = not all(file.is_relative_to(arena.root) for file in files)
    if options.demo and data_lock.read(arena.root) is None:
        _prepare_sample(arena)
    with data_lock.shared(arena.root):
        data_lock.verify(arena)
        client.warm_up()  # the sandbox loads FreqTrade while this process imports libraries and reads candles
        from arena.evaluation import batch, context
        from arena.reports import block, freqtrade_export, round_block, trade_table

        arena = trade_table.beside(arena) if outside else arena
        depth = "quick" if options.trades or (outside and options.causality == "auto") else options.causality
        opened = context.open_arena(arena, record=not (options.demo or outside), causality=depth)
        results, rows, differs = [], [], False
        with Live(sys.stderr, steps=False) as live:
            for result in batch.evaluate_all(files, opened):
                results.append(result)
                rows.append(round_block.row(result, opened))
                live.say(block.block(result, None if outside else rows[-1]))
                if options.trades:
                    live.say(trade_table.shown(result, files[0], opened))
        if options.export:
            lines, differs = freqtrade_export.export(results, files, opened)
            print(*lines, "", sep="\n", flush=True)
        if options.demo:
            print(_what_next(opened.lock.source["label"]))
        elif not options.strategy:
            print(round_block.summary(results, rows, opened, time.perf_counter() - started), flush=True)
    return 1 if differs or any(result.error for result in results) else 0


def _options() -> argparse.Namespace:
    options = parser(__doc__)
    options.allow_abbrev = False
    add = options.add_argument
    which = options.add_mutually_exclusive_group()
    which.add_argument("--strategy", metavar="NAME|PATH", help="evaluate only this one (default: all)")
    which.add_argument(
        "--demo", action="store_true", help="evaluate examples/; makes a sample market if nothing is prepared"
    )
    depths = ("auto", "quick", "full")
    add(
        "--causality",
        choices=depths,
        default="auto",
        help="depth of the lookahead check; auto: full where all else passes",
    )
    add("--trades", action="store_true", help="with --strategy: list its trades and the entry signals that became none")
    add("--export", action="store_true", help="write FreqTrade's own result files to user_data/backtest_results")
    chosen = options.parse_args()
    if chosen.trades and not chosen.strategy:
        options.error("--trades shows one strategy: add --strategy NAME or PATH")
    if chosen.causality == "full" and chosen.trades:
        options.error("--trades checks quickly and does not ask the validation window: leave --causality full out")
    return chosen


def _files(folder: Path, options: argparse.Namespace, arena: Settings) -> list[Path]:
    if options.strategy and (file := strategy_files.by_path(options.strategy, folder)):
        return [file]
    files = strategy_files.find(folder, None if options.demo else arena.max_strategies)
    if not options.strategy:
        return files
    chosen = [file for file in files if file.stem == Path(options.strategy).stem]
    if not chosen:
        raise ArenaError(
            f"no strategy {options.strategy!r} in {strategy_files.FOLDER}. There are: "
            f"{', '.join(f.stem for f in files)}."
        )
    return chosen


def _prepare_sample(arena: Settings) -> None:
    from arena.preparation import dataset

    print("Nothing is prepared here: making a sample market.")
    dataset.prepare_sample(arena, print)
    print()


def _what_next(source: str) -> str:
    return f"""\
That was the demonstration, on {source}; nothing was recorded. Next:
  uv run prepare.py                   candles from the exchange in config.json (--from PATH: your files)
  user_data/strategies/               put up to three strategies there; _template.py.example shows how
  uv run run.py                       evaluates and records them
  program.md                          what to tell a coding agent: "Read program.md and begin."
"""


def cli() -> int:
    return told(main, "arena", "What was evaluated before is recorded; what was under way counts as a try.")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # acts like Ctrl-C and leaves no process behind
    sys.exit(cli())
