"""
Run the loop: an agent proposes strategies; each proposal is committed, evaluated, recorded, and kept or taken back.

Reads   config.json, data.lock.json, user_data/, nudges.md, a brief
Writes  branch autoresearch/<tag> in its own worktree user_data/worktrees/<tag>, with results.tsv, learnings.md and
        frontier.png; user_data/runs/<tag>/; one row per trial in user_data/ledger.db; a sample market if nothing is
        prepared; brief.toml if you answered its questions. The checkout's own files, branch and index stay untouched
Exits   0 the budget or the agent ended the run    2 the arena or the agent cannot be used
        130 interrupted: the same command goes on

Usage:
    uv run drive.py                                    # genetic search, eight rounds; no key, no network
    uv run drive.py --agent llm --model qwen3:8b       # a local model behind Ollama
    uv run drive.py --agent command --command 'claude -p --permission-mode acceptEdits'
    uv run drive.py --seeds 1..8                       # eight runs side by side
    uv run drive.py show RUN                           # the log of a run; also: diff, leaderboard
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
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from arena import settings
from arena.cli import Live, parser, told
from arena.errors import ArenaError
from arena.ledger import data_lock
from arena.settings import Settings

if TYPE_CHECKING:
    from loop.brief.reading import Brief
    from loop.budget import Budget


def main() -> int:
    options = _options()
    arena = settings.load()
    if options.command_name:
        return _show(arena, options)
    if options.seeds:
        return _sweep(arena, options)
    from arena.sandbox import client
    from loop import driver, run_state
    from loop.agents import registry
    from loop.worktree import Worktree

    brief = _brief(arena, options)
    if options.tether:
        driver.tether()
    worktree = Worktree(arena.root, options.tag or run_state.default_tag(arena.root, f"{date.today():%Y-%m-%d}"))
    agent = registry.agent(options.agent, options, worktree)
    _prepare(arena)
    with data_lock.shared(arena.root), run_state.alone(worktree):
        data_lock.verify(arena)
        with driver.deaf():
            client.warm_up()  # the sandbox loads FreqTrade while this process checks git and the log
        with Live(sys.stdout, steps=not options.tether) as live:
            opened = run_state.open_run(worktree, options.agent, options.seed, live.say, options.start)
            live.say(
                f"run {worktree.tag}: {agent.name}, branch {worktree.branch}, in "
                f"{worktree.folder.relative_to(arena.root)}"
            )
            why = driver.play(
                opened,
                agent,
                _budget(options),
                brief,
                reads=registry.AGENTS[options.agent].reads,
                population=options.population,
            )
        _say(driver.summary(opened, why, brief))
        places = driver.places(opened)
        if not options.tether:
            _say(places)
    return 130 if why == driver.INTERRUPTED else 0


def _options() -> argparse.Namespace:
    options = parser(__doc__)
    _add_readers(options)
    _add_agents(options.add_argument_group("agent"))
    _add_limits(options.add_argument_group("limits"))
    many = options.add_argument_group("several runs")
    many.add_argument("--seeds", type=_seeds, metavar="A..B", help="one run per seed, tagged TAG-sSEED")
    many.add_argument("--jobs", type=_count, metavar="N", help="runs at the same time (default: cores)")
    many.add_argument(
        "--jitter", action="store_true", help="vary first family, temperature and order of the brief by seed"
    )
    return options.parse_args()


def _add_agents(group: argparse._ArgumentGroup) -> None:
    from loop.agents import registry

    add = group.add_argument
    add("--agent", choices=registry.AGENTS, default="genetic", help="who proposes (default: genetic)")
    add("--seed", type=_count, default=0, metavar="N", help="random seed (default: 0)")
    add(
        "--brief",
        nargs="?",
        default="",
        metavar="TEXT",
        help="what you want: a TOML file or words; alone: answer questions",
    )
    add(
        "--population",
        type=_count,
        default=3,
        metavar="N",
        help="show the N best so far to agents that read (default: 3)",
    )
    add(
        "--first",
        default="",
        metavar="FAMILY",
        help="genetic, random: family of the first strategies (default: random)",
    )
    add(
        "--provider", default="ollama", metavar="NAME", help="llm: provider or address of an endpoint (default: ollama)"
    )
    add("--model", metavar="NAME", help="llm: model")
    add("--temperature", type=_degree, default=0.8, metavar="T", help="llm: sampling temperature (default: 0.8)")
    add(
        "--context",
        type=_count,
        metavar="N",
        help="llm: context window in tokens (default: known from the model's name)",
    )
    add(
        "--command",
        metavar="LINE",
        help="command: program with arguments; the prompt replaces {prompt}, or is its stdin",
    )
    add("--answer-minutes", type=_positive, default=20.0, metavar="N", help="command: limit per answer (default: 20)")
    add("--transcript", metavar="FOLDER", help="replay: folder of the recorded run")


def _add_limits(group: argparse._ArgumentGroup) -> None:
    from loop import budget

    add = group.add_argument
    add("--tag", metavar="NAME", help="name of run, branch and folder; an existing run goes on (default: today's date)")
    add("--start", default="HEAD", metavar="COMMIT", help="commit at which a new run begins (default: HEAD)")
    add(
        "--rounds",
        type=_count,
        default=8,
        metavar="N",
        help="rounds to play now; with --seeds total per run (default: 8)",
    )
    add("--minutes", type=_positive, metavar="N", help="end after the round in which N minutes have passed")
    add("--patience", type=_count, metavar="N", help="end after N rounds without a new best")
    add("--max-usd", type=_positive, metavar="USD", help="end when the run has cost this much, or a price is unknown")
    add("--max-tokens", type=_count, metavar="N", help="end when the run has used N tokens")
    add("--stop-at", choices=budget.STOPS, help="end when a strategy passes every gate")
    add("--tether", action="store_true", help="end when standard input closes, for programs that start this one")


def _add_readers(options: argparse.ArgumentParser) -> None:
    """Adds the commands that show runs."""
    readers = options.add_subparsers(dest="command_name", metavar="{show,diff,leaderboard}")
    show = readers.add_parser("show", help="list a run's rounds, or show one in full")
    show.add_argument("run")
    show.add_argument("round", nargs="?", type=int)
    diff = readers.add_parser("diff", help="show two rounds side by side")
    diff.add_argument("run")
    diff.add_argument("first", type=int)
    diff.add_argument("second", type=int)
    board = readers.add_parser("leaderboard", help="compare runs")
    board.add_argument(
        "runs",
        nargs="*",
        metavar="RUN",
        help="(default: all runs under the current contract, those played by program.md included)",
    )
    board.add_argument("--json", action="store_true", help="print JSON")
    board.add_argument(
        "--picture", type=Path, metavar="FILE", help="draw the best so far by number of trials: png, svg or pdf"
    )


def _seeds(text: str) -> range:
    first, dots, last = text.partition("..")
    seeds = range(_count(first), _count(last if dots else first) + 1)
    if not seeds:
        raise argparse.ArgumentTypeError(f"{text} holds no seed: the first one is above the last one")
    return seeds


def _degree(text: str) -> float:
    if not 0 <= (number := float(text)) <= 2:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 2")
    return number


def _count(text: str) -> int:
    if (number := int(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text} is below zero")
    return number


def _positive(text: str) -> float:
    if not 0 < (number := float(text)) < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return number


def _budget(options: argparse.Namespace) -> "Budget":
    from loop.budget import Budget

    return Budget(
        options.rounds, options.minutes, options.patience, options.max_usd, options.max_tokens, options.stop_at
    )


def _brief(arena: Settings, options: argparse.Namespace) -> "Brief":
    """
    Returns the person's brief and reports what the agent cannot honour. Sets `options.bounds` for agents with a
    grammar.
    """
    from loop.agents import registry
    from loop.brief import grammar_bounds, reading, wizard

    if options.brief is None and not sys.stdin.isatty():
        raise ArenaError(
            "--brief without a value asks questions on a terminal, and standard input is none. Name a file or say it "
            "in words: --brief brief.toml"
        )
    brief = wizard.hold(arena, input, _say) if options.brief is None else reading.load(options.brief, arena)
    agent = registry.AGENTS[options.agent]
    options.bounds, unmet = grammar_bounds.bounds(brief, arena) if agent.breeds else (None, ())
    for words in unmet:
        _say(f"brief: the agent {options.agent} cannot honour {words}")
    if brief != reading.Brief() and not agent.reads and not agent.breeds:
        _say(f"brief: the agent {options.agent} ignores the brief; deviations are reported")
    options.brief = reading.FILE if options.brief is None else options.brief
    return brief


def _prepare(arena: Settings) -> None:
    """Makes a sample market where nothing is prepared yet."""
    if data_lock.read(arena.root) is None:
        from arena.preparation import dataset

        _say("Nothing is prepared here: making a sample market.")
        dataset.prepare_sample(arena, _say)


def _sweep(arena: Settings, options: argparse.Namespace) -> int:
    from loop import leaderboard, sweep

    options.tag = options.tag or f"{date.today():%Y-%m-%d}-{options.agent}"
    _brief(arena, options)
    runs = sweep.planned(arena, options)
    _prepare(arena)
    with data_lock.shared(arena.root):
        data_lock.verify(arena)
        interrupted, failed = sweep.play(arena, runs, options, _say)
    _say(leaderboard.table(leaderboard.read(arena.root, [run.tag for run in runs if run.begun])))
    if failed:
        print(
            f"drive: {', '.join(failed)} did not end well. The same command goes on with what is left.", file=sys.stderr
        )
    return 130 if interrupted else 2 if failed else 0


def _show(arena: Settings, options: argparse.Namespace) -> int:
    from loop import inspect_run, leaderboard

    if options.command_name == "leaderboard":
        boards = leaderboard.read(arena.root, options.runs)
        print(leaderboard.as_json(boards) if options.json else leaderboard.table(boards))
        if options.picture:
            print(leaderboard.draw(boards[0], options.picture), file=sys.stderr if options.json else sys.stdout)
        return 0
    print(
        inspect_run.show(arena.root, options.run, options.round)
        if options.command_name == "show"
        else inspect_run.diff(arena.root, options.run, options.first, options.second)
    )
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def cli() -> int:
    return told(main, "drive", "What was played is kept; the same command goes on.")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # acts like a second Ctrl-C
    sys.exit(cli())
