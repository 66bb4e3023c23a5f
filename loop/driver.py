"""
The loop: rounds until the budget, the agent or a person ends it, a line of progress each, and what to look at in the
end.
"""

import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np

from arena import progress
from arena.errors import ArenaError
from arena.ledger import results_log
from arena.stats import gates
from loop import budget, keep_rules, memory, round_steps
from loop.brief import compliance
from loop.brief.reading import Brief
from loop.budget import Budget, Spent
from loop.protocol import Agent, Tried, Usage
from loop.run_log import ENDS, Round
from loop.run_state import Run
from loop.worktree import LEARNINGS, RESULTS

GIVEN_UP = 3
"""Rounds in a row without a usable answer after which the agent is not asked again."""
INTERRUPTED = "interrupted"
_released = threading.Event()


class Interruption:
    """The first Ctrl-C is noted, and the loop ends when the step in hand is done; the second one ends it at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> "Interruption":
        self._before = signal.signal(signal.SIGINT, self._heard)
        self.asked = _released.is_set()  # before anybody listened
        return self

    def __exit__(self, *error: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        os.write(2, b"\ndrive: ends after this step. Ctrl-C again: at once, and the next start mends it.\n")


def tether() -> None:
    """
    From now on the end of standard input is the first Ctrl-C: whoever started this process and holds the other end
    wants it to end, or has ended. In the latter case nobody reads what it says any more, and that shall not stop it in
    the middle of a step.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is deaf to it
    parent = os.getppid()

    def watch() -> None:
        while os.read(0, 4096):
            pass
        _released.set()
        if os.getppid() != parent:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def deaf() -> Iterator[None]:
    """
    What is started in here never hears Ctrl-C, of which a terminal tells every process: whether to end is the loop's to
    decide.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass(frozen=True, slots=True)
class Best:
    """The best that was kept so far, by its Sharpe ratio over the search range."""

    tried: Tried | None = None
    round: int = 0

    @property
    def sharpe(self) -> float:
        return self.tried.result.own.sharpe if self.tried and self.tried.result else math.nan


def best(played: list[Round]) -> Best:
    found: Tried | None = None
    at = 0
    for one in played:
        for tried in one.tried:
            if tried.kept and keep_rules.best(tried.result) > keep_rules.best(found.result if found else None):
                found, at = tried, one.number
    return Best(found, at)


def play(run: Run, agent: Agent, limits: Budget, brief: Brief, *, reads: bool, population: int = 0) -> str:
    """
    Play rounds until something ends them, and return what did. What an earlier start left unfinished is finished first.

    An agent that reads is shown the best `population` trials so far.
    """
    with Interruption() as interruption:
        if run.rounds and run.rounds[-1].step not in ENDS:
            one = run.rounds[-1]
            run.say(f"round {one.number} was interrupted when it was {one.step}: going on with it")
            progress.step("", f"round {one.number}")
            run.say(line(run, round_steps.finish(run, one), limits, None, brief))
        first, began, told = len(run.rounds), time.monotonic(), set()
        agent.resume(round_steps.history(run.rounds), np.random.default_rng(run.facts.seed))
        while not (why := budget.reason(limits, spent := _spent(run, first, began))):
            if interruption.asked:
                return INTERRUPTED
            if len(run.rounds) - first >= GIVEN_UP and all(one.step == "skipped" for one in run.rounds[-GIVEN_UP:]):
                raise ArenaError(
                    f"the agent gave no usable answer {GIVEN_UP} times in a row, the last time: {run.rounds[-1].why}"
                )
            for complaint in [text for text in complaints(run) if text not in told]:
                told.add(complaint)
                run.say(complaint)
            if reads:  # what reads thinks, and that takes its time
                run.say(f"round {len(run.rounds) + 1}: asking {agent.name}")
            progress.step("", f"round {len(run.rounds) + 1}: asking {agent.name}")
            asked = round_steps.ask(run, agent, brief, reads=reads, population=population if reads else 0)
            if isinstance(asked, str):
                return f"the agent has no more: {asked}"
            one = asked
            if interruption.asked and one.step not in ENDS:
                run.say(f"round {one.number}: the answer is kept, and the next start goes on with it")
                return INTERRUPTED
            progress.step("", f"round {one.number}")
            one = round_steps.finish(run, one)
            spent = _spent(run, first, began)
            run.say(line(run, one, limits, spent, brief))
            if one.final:
                raise ArenaError(f"the agent cannot go on: {one.why}")
    return why


def complaints(run: Run) -> list[str]:
    """
    What results.tsv has that cannot be read, or breaks a rule: the loop writes no such row, so a hand did. It is left
    as it is.
    """
    written = run.journal
    return [
        *written.problems,
        *results_log.violations(written, run.settings.max_stable_rounds, run.settings.max_strategies),
    ]


def _spent(run: Run, first: int, began: float) -> Spent:
    last = run.rounds[-1] if run.rounds else None
    accepted = (
        [tried.strategy for tried in last.tried if tried.kept and tried.result and _accepted(tried)] if last else []
    )
    usage = sum((one.usage for one in run.rounds), Usage())
    since = len(run.rounds) - max(first, best(run.rounds).round)
    return Spent(
        len(run.rounds) - first, (time.monotonic() - began) / 60, since, usage, accepted[0] if accepted else ""
    )


def _accepted(tried: Tried) -> bool:
    return tried.result is not None and not tried.result.error and gates.verdict(tried.result).startswith("ACCEPTED")


def line(run: Run, one: Round, limits: Budget, spent: Spent | None, brief: Brief = Brief()) -> str:
    """One round in one line; in a second one what of the brief it does not keep."""
    of = f"/{len(run.rounds) - spent.rounds + limits.rounds}" if spent and limits.rounds is not None else ""
    if one.step == "skipped":
        return f"round {one.number}{of} skipped: {one.why}"
    asked = {change.strategy for change in one.proposal.changes}
    told = ", ".join(_figures(tried) for tried in one.tried if tried.strategy in asked)
    top, slots = best(run.rounds), sum(tried.result is not None for tried in one.tried)
    known = [
        f"{slots}/{run.settings.max_strategies} slots"
        if one.kept
        else f"{len(one.state['active'])}/{run.settings.max_strategies} slots",
        f"best {top.tried.strategy} {top.sharpe:.2f}" if top.tried else "nothing kept yet",
        f"luck line {one.luck_line:.2f}",
        f"{one.trials} trials",
        *([_cost(spent.usage)] if spent and spent.usage.requests else []),
        f"{one.seconds:.0f} s",
        *([words] if spent and (words := budget.left(limits, spent)) else []),
    ]
    if one.refused:
        known.insert(0, f"asked again {min(len(one.refused), round_steps.ASKS - 1)} times")
    departs = [
        *one.departures,
        *(
            f"{tried.strategy}: {text}"
            for tried in one.tried
            if tried.strategy in asked
            for text in compliance.earned(brief, tried)
        ),
    ]
    against = f"\nround {one.number} is not by the brief: {'; '.join(departs)}" if departs else ""
    return f"round {one.number}{of} {'kept' if one.kept else 'discarded'}: {told} | {', '.join(known)}{against}"


def _figures(tried: Tried) -> str:
    if tried.result is None:
        return f"{tried.event} {tried.strategy}"
    if tried.result.error:
        return f"{tried.event} {tried.strategy} FAIL"
    return (
        f"{tried.event} {tried.strategy} sharpe {tried.result.own.sharpe:.2f} robust {tried.result.robust_sharpe:.2f}"
    )


def _cost(usage: Usage) -> str:
    price = "price unknown" if math.isnan(usage.usd) else f"{usage.usd:.3f} USD"
    return f"{usage.input_tokens + usage.output_tokens} tokens, {price}"


def standing(played: list[Round]) -> list[Tried]:
    """
    The strategies that are active after the last kept round, each as it was evaluated last; one that is to be put back,
    as it was before.
    """
    last = next((one for one in reversed(played) if one.kept), None)
    if last is None:
        return []
    sources = {tried.strategy: tried.source for tried in last.tried if tried.result} | last.restore
    newest = {(tried.strategy, tried.source): tried for tried in round_steps.history(played) if tried.result}
    return [newest[name, source] for name, source in sorted(sources.items()) if source and (name, source) in newest]


def against(run: Run, brief: Brief) -> list[str]:
    """What of the brief the strategies that were kept do not keep."""
    kept = [
        (tried.strategy, text)
        for tried in standing(run.rounds)
        for text in (*compliance.departures(brief, tried.source, run.settings), *compliance.earned(brief, tried))
    ]
    return [f"not by the brief: {name}: {text}" for name, text in kept]


def summary(run: Run, why: str, brief: Brief = Brief()) -> str:
    """What came out of the run, all its starts."""
    played = [one for one in run.rounds if one.step == "settled"]
    top = best(run.rounds)
    usage = sum((one.usage for one in run.rounds), Usage())
    last = played[-1] if played else None
    lines = [
        f"ended: {why}",
        f"run {run.facts.run}: {len(played)} rounds played, {sum(one.kept for one in played)} kept, "
        f"{len(run.rounds) - len(played)} skipped",
    ]
    if top.tried and last:
        line_of_luck = f"luck line {last.luck_line:.2f} at {last.trials} trials"
        lines.append(f"best kept: {top.tried.strategy} of round {top.round}, sharpe {top.sharpe:.2f}; {line_of_luck}")
        lines += [
            f"  {tried.strategy}: {gates.verdict(tried.result)}"
            for tried in standing(run.rounds)
            if tried.result and not tried.result.error
        ]
    lines += against(run, brief)
    if memory.plateau(run.rounds):
        lines.append(f"plateau: {memory.PLATEAU} rounds or more without a kept gain")
    if usage.requests:
        lines.append(f"paid: {usage.requests} requests, {_cost(usage)}")
    return "\n".join(lines)


def places(run: Run) -> str:
    """Where it lies. Draws frontier.png."""
    where = run.root.relative_to(run.worktree.root)
    known = {
        f"{where}/{RESULTS}": "what was tried, and why it was kept or not",
        **({f"{where}/frontier.png": "every trial, the best kept, the luck line"} if _picture(run) else {}),
        f"{where}/{LEARNINGS}": "what was learned",
        f"git log -p {run.worktree.branch}": "what was kept",
        f"uv run drive.py show {run.facts.run} [ROUND]": "the log of it",
        f"uv run drive.py --tag {run.facts.run}": "goes on",
    }
    width = max(map(len, known))
    return "\n".join(["look at:", *(f"  {place:<{width}}  {what}" for place, what in known.items())])


def _picture(run: Run) -> bool:
    """Draw frontier.png beside results.tsv; False without a trial."""
    from analysis import frontier  # a second of libraries that no round needs

    try:
        (run.root / "frontier.png").write_bytes(frontier.png(run.root))
    except ArenaError:
        return False
    return True
