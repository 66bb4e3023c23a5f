"""
Let the loop run by itself: an agent proposes, each proposal is committed, evaluated, written down, and kept or taken back.

Reads   config.json, data.lock.json, user_data/, nudges.md, a brief
Writes  the branch autoresearch/<tag> in its own worktree user_data/worktrees/<tag>, there results.tsv, learnings.md and
        frontier.png; user_data/runs/<tag>/; a row per trial to user_data/ledger.db; a sample market if nothing is prepared;
        brief.toml, if questions were asked for it. Never the checkout's other files, its branch or index
Exits   0 ended by its budget or its agent    2 the arena or the agent cannot be used    130 interrupted; go on with the same tag

Usage:
    uv run drive.py                                          # a genetic search, eight rounds, no key and no network
    uv run drive.py --rounds 100 --minutes 480 --patience 30
    uv run drive.py --agent llm --provider ollama --model qwen3:8b
    uv run drive.py --agent command --command 'claude -p --permission-mode acceptEdits'      # the prompt on standard input
    uv run drive.py --agent command --command 'codex exec {prompt}'
    uv run drive.py --brief examples/briefs/trend_with_stop.toml            # what you want; --brief without a value asks
    uv run drive.py --agent replay --transcript user_data/runs/RUN --tag again
    uv run drive.py --seeds 1..8 --jitter                    # eight runs side by side, as many at a time as there are cores
    uv run drive.py show RUN [ROUND]                         # the log of a run; drive.py diff RUN A B: two rounds side by side
    uv run drive.py leaderboard --picture race.png           # runs side by side, and their race at equal numbers of trials
"""

import sys

if __name__ == "__main__":  # from here on nothing is imported but what the contract's hash or a package's RECORD covers
    _isolation = sys.modules["arena.startup.isolation"] = type(sys)("arena.startup.isolation")
    _isolation.__file__ = f"{__file__.rpartition('/')[0] or '.'}/arena/startup/isolation.py"
    with open(_isolation.__file__, "rb") as _source:
        exec(compile(_source.read(), _source.name, "exec"), _isolation.__dict__)
    _isolation.begin(__file__)

import argparse
import signal
from datetime import date
from pathlib import Path

from arena import settings
from arena.cli import Live, told
from arena.errors import ArenaError
from arena.ledger import data_lock
from arena.settings import Settings


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
            client.warm_up()  # FreqTrade loads there, while git and the log are looked at here
        with Live(sys.stdout, steps=not options.tether) as live:
            opened = run_state.open_run(worktree, options.agent, options.seed, live.say, options.start)
            live.say(f"run {worktree.tag}: {agent.name}, branch {worktree.branch}, in {worktree.folder.relative_to(arena.root)}")
            why = driver.play(opened, agent, _budget(options), brief, reads=registry.AGENTS[options.agent].reads, population=options.population)
        _say(driver.summary(opened, why, brief))
        places = driver.places(opened)
        if not options.tether:
            _say(places)
    return 130 if why == driver.INTERRUPTED else 0


def _options() -> argparse.Namespace:
    from loop import budget
    from loop.agents import registry

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _add_readers(parser)
    who = parser.add_argument_group("who proposes")
    who.add_argument("--agent", choices=registry.AGENTS, default="genetic", help="(default: genetic)")
    who.add_argument("--seed", type=_count, default=0, help="of the agent's dice (default: 0)")
    who.add_argument("--brief", nargs="?", default="", help="what you want: a file such as brief.toml, or words; without a value it is asked")
    who.add_argument("--population", type=_count, default=3, metavar="N", help="of the best so far, how many are shown to agents that read (default: 3)")
    who.add_argument("--first", default="", metavar="FAMILY", help="of genetic and random: what they begin with (default: drawn)")
    who.add_argument("--provider", default="ollama", help="of llm: a name, or the address of an endpoint (default: ollama)")
    who.add_argument("--model", help="of llm")
    who.add_argument("--temperature", type=_degree, default=0.8, help="of llm (default: 0.8)")
    who.add_argument("--context", type=_count, metavar="N", help="of llm: tokens that the model reads (default: what is known of it)")
    who.add_argument("--command", metavar="LINE", help="of command: a program and its arguments; {prompt} in it is replaced, else it is standard input")
    who.add_argument("--answer-minutes", type=_positive, default=20.0, metavar="N", help="of command: time for one answer (default: 20)")
    who.add_argument("--transcript", metavar="FOLDER", help="of replay: the rounds of an earlier run")
    limits = parser.add_argument_group("how long; what is not given is no limit")
    limits.add_argument("--tag", help="names run, branch and folder; the same tag goes on (default: today's date)")
    limits.add_argument("--start", default="HEAD", metavar="COMMIT", help="a new run's branch begins there, with the strategies that stand there (default: HEAD)")
    limits.add_argument("--rounds", type=_count, default=8, help="of this start; with --seeds of each run in all (default: 8)")
    limits.add_argument("--minutes", type=_positive, help="of this start; a round that has begun is finished")
    limits.add_argument("--patience", type=_count, metavar="N", help="rounds without a new best")
    limits.add_argument("--max-usd", type=_positive, metavar="USD", help="of the whole run; ends when the price is unknown")
    limits.add_argument("--max-tokens", type=_count, metavar="N", help="of the whole run, input and output")
    limits.add_argument("--stop-at", choices=budget.STOPS, help="a strategy that passes every gate")
    limits.add_argument("--tether", action="store_true", help="end as after Ctrl-C when standard input ends: for programs that start this one")
    many = parser.add_argument_group("several runs side by side")
    many.add_argument("--seeds", type=_seeds, metavar="A..B", help="a run for each seed, tagged TAG-sSEED; default TAG: date and agent")
    many.add_argument("--jobs", type=_count, metavar="N", help="runs at a time (default: cores)")
    many.add_argument("--jitter", action="store_true", help="each seed begins otherwise too: first family, temperature, order of the brief's lines")
    return parser.parse_args()


def _add_readers(parser: argparse.ArgumentParser) -> None:
    """Commands that look at runs."""
    readers = parser.add_subparsers(dest="command_name", metavar="{show,diff,leaderboard}")
    show = readers.add_parser("show", help="a run's rounds, or one of them in full")
    show.add_argument("run")
    show.add_argument("round", nargs="?", type=int)
    diff = readers.add_parser("diff", help="two rounds of a run side by side")
    diff.add_argument("run")
    diff.add_argument("first", type=int)
    diff.add_argument("second", type=int)
    board = readers.add_parser("leaderboard", help="runs side by side")
    board.add_argument("runs", nargs="*", metavar="RUN", help="(default: all under the contract of now, also what was played by program.md here)")
    board.add_argument("--json", action="store_true", help="as JSON; what is undefined is null")
    board.add_argument("--picture", type=Path, metavar="FILE", help="png, svg or pdf: the race at equal numbers of trials")


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


def _budget(options: argparse.Namespace):
    from loop.budget import Budget

    return Budget(options.rounds, options.minutes, options.patience, options.max_usd, options.max_tokens, options.stop_at)


def _brief(arena: Settings, options: argparse.Namespace):
    """What the person wants. What of it the agent cannot honour is told; `options.bounds` is what it leaves of a grammar."""
    from loop.agents import registry
    from loop.brief import grammar_bounds, reading, wizard

    if options.brief is None and not sys.stdin.isatty():
        raise ArenaError("--brief without a value asks questions on a terminal, and standard input is none. Name a file or say it in words: --brief brief.toml")
    made = wizard.hold(arena, input, _say) if options.brief is None else reading.load(options.brief, arena)
    agent = registry.AGENTS[options.agent]
    options.bounds, unmet = grammar_bounds.bounds(made, arena) if agent.breeds else (None, ())
    for words in unmet:
        _say(f"brief: the agent {options.agent} cannot honour {words}")
    if made != reading.Brief() and not agent.reads and not agent.breeds:
        _say(f"brief: the agent {options.agent} honours nothing of it; what departs from it is told")
    options.brief = reading.FILE if options.brief is None else options.brief
    return made


def _prepare(arena: Settings) -> None:
    """A sample market, where nothing is prepared."""
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
        print(f"drive: {', '.join(failed)} did not end well. The same command goes on with what is left.", file=sys.stderr)
    return 130 if interrupted else 2 if failed else 0


def _show(arena: Settings, options: argparse.Namespace) -> int:
    from loop import inspect_run, leaderboard

    if options.command_name == "leaderboard":
        boards = leaderboard.read(arena.root, options.runs)
        print(leaderboard.as_json(boards) if options.json else leaderboard.table(boards))
        if options.picture:
            print(leaderboard.draw(boards[0], options.picture), file=sys.stderr if options.json else sys.stdout)
        return 0
    print(inspect_run.show(arena.root, options.run, options.round) if options.command_name == "show" else inspect_run.diff(arena.root, options.run, options.first, options.second))
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def cli() -> int:
    return told(main, "drive", "What was played is kept; the same command goes on.")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like a second Ctrl-C
    sys.exit(cli())
