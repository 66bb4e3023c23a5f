"""
The loop: plays rounds until the budget, the agent or a person ends it, prints a line for each, and says in the end
where to look.
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
"""Rounds in a row without a usable answer after which the run ends."""
INTERRUPTED = "interrupted"
_released = threading.Event()


class Interruption:
    """Notes the first Ctrl-C, so that the loop ends after the current step; the second one ends it at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> "Interruption":
        self._before = signal.signal(signal.SIGINT, self._heard)
        self.asked = _released.is_set()  # standard input may have closed before this
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
    Treats the end of standard input as the first Ctrl-C: whoever started this process and holds the other end wants it
    to end, or has ended. In the latter case nobody reads the output any more, which must not stop this process in the
    middle of a step.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores SIGINT
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
    Makes processes started inside ignore Ctrl-C, which a terminal sends to every process: the loop decides when to end.
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass(frozen=True, slots=True)
class Best:
    """The best trial kept so far, by its Sharpe ratio over the search range."""

    tried: Tried | None = None
    round: int = 0

    @property
    def sharpe(self) -> float:
        return self.tried.result.own.sharpe if self.tried and self.tried.result else math.nan


def best(played: list[Round]) -> Best:
    best_trial: Tried | None = None
    best_round = 0
    for round_ in played:
        for tried in round_.tried:
            if tried.kept and keep_rules.best(tried.result) > keep_rules.best(
                best_trial.result if best_trial else None
            ):
                best_trial, best_round = tried, round_.number
    return Best(best_trial, best_round)


def play(run: Run, agent: Agent, limits: Budget, brief: Brief, *, reads: bool, population: int = 0) -> str:
    """
    Plays rounds until something ends them, and returns the reason. Finishes first what an earlier start left
    unfinished.

    An agent that reads is shown the best `population` trials so far.
    """
    with Interruption() as interruption:
        if run.rounds and run.rounds[-1].step not in ENDS:
            round_ = run.rounds[-1]
            run.say(f"round {round_.number} was interrupted when it was {round_.step}: going on with it")
            progress.step("", f"round {round_.number}")
            run.say(line(run, round_steps.finish(run, round_), limits, None, brief))
        first, began, reported = len(run.rounds), time.monotonic(), set()
        agent.resume(round_steps.history(run.rounds), np.random.default_rng(run.facts.seed))
        while not (why := budget.reason(limits, spent := _spent(run, first, began))):
            if interruption.asked:
                return INTERRUPTED
            if len(run.rounds) - first >= GIVEN_UP and all(
                round_.step == "skipped" for round_ in run.rounds[-GIVEN_UP:]
            ):
                raise ArenaError(
                    f"the agent gave no usable answer {GIVEN_UP} times in a row, the last time: {run.rounds[-1].why}"
                )
            for complaint in [text for text in complaints(run) if text not in reported]:
                reported.add(complaint)
                run.say(complaint)
            if reads:  # an agent that reads also thinks, and that takes time
                run.say(f"round {len(run.rounds) + 1}: asking {agent.name}")
            progress.step("", f"round {len(run.rounds) + 1}: asking {agent.name}")
            answer = round_steps.ask(run, agent, brief, reads=reads, population=population if reads else 0)
            if isinstance(answer, str):
                return f"the agent has no more: {answer}"
            round_ = answer
            if interruption.asked and round_.step not in ENDS:
                run.say(f"round {round_.number}: the answer is kept, and the next start goes on with it")
                return INTERRUPTED
            progress.step("", f"round {round_.number}")
            round_ = round_steps.finish(run, round_)
            spent = _spent(run, first, began)
            run.say(line(run, round_, limits, spent, brief))
            if round_.final:
                raise ArenaError(f"the agent cannot go on: {round_.why}")
    return why


def complaints(run: Run) -> list[str]:
    """
    Returns unreadable rows and broken rules of results.tsv. The loop writes none, so a person did; the file stays as it
    is.
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
    usage = sum((round_.usage for round_ in run.rounds), Usage())
    since = len(run.rounds) - max(first, best(run.rounds).round)
    return Spent(
        len(run.rounds) - first, (time.monotonic() - began) / 60, since, usage, accepted[0] if accepted else ""
    )


def _accepted(tried: Tried) -> bool:
    return tried.result is not None and not tried.result.error and gates.verdict(tried.result).startswith("ACCEPTED")


def line(run: Run, one: Round, limits: Budget, spent: Spent | None, brief: Brief = Brief()) -> str:
    """Returns a round in one line, and in a second one where it departs from the brief."""
    of = f"/{len(run.rounds) - spent.rounds + limits.rounds}" if spent and limits.rounds is not None else ""
    if one.step == "skipped":
        return f"round {one.number}{of} skipped: {one.why}"
    changed = {change.strategy for change in one.proposal.changes}
    figures = ", ".join(_figures(tried) for tried in one.tried if tried.strategy in changed)
    top, slots = best(run.rounds), sum(tried.result is not None for tried in one.tried)
    facts = [
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
        facts.insert(0, f"asked again {min(len(one.refused), round_steps.ASKS - 1)} times")
    departs = [
        *one.departures,
        *(
            f"{tried.strategy}: {text}"
            for tried in one.tried
            if tried.strategy in changed
            for text in compliance.earned(brief, tried)
        ),
    ]
    deviation = f"\nround {one.number} is not by the brief: {'; '.join(departs)}" if departs else ""
    return f"round {one.number}{of} {'kept' if one.kept else 'discarded'}: {figures} | {', '.join(facts)}{deviation}"


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
    Returns the strategies active after the last kept round, as last evaluated; one that is to be put back, as before.
    """
    last = next((round_ for round_ in reversed(played) if round_.kept), None)
    if last is None:
        return []
    sources = {tried.strategy: tried.source for tried in last.tried if tried.result} | last.restore
    newest = {(tried.strategy, tried.source): tried for tried in round_steps.history(played) if tried.result}
    return [newest[name, source] for name, source in sorted(sources.items()) if source and (name, source) in newest]


def against(run: Run, brief: Brief) -> list[str]:
    """Returns where the kept strategies depart from the brief."""
    kept = [
        (tried.strategy, text)
        for tried in standing(run.rounds)
        for text in (*compliance.departures(brief, tried.source, run.settings), *compliance.earned(brief, tried))
    ]
    return [f"not by the brief: {name}: {text}" for name, text in kept]


def summary(run: Run, why: str, brief: Brief = Brief()) -> str:
    """Returns what came out of the run, over all its starts."""
    played = [round_ for round_ in run.rounds if round_.step == "settled"]
    top = best(run.rounds)
    usage = sum((round_.usage for round_ in run.rounds), Usage())
    last = played[-1] if played else None
    lines = [
        f"ended: {why}",
        f"run {run.facts.run}: {len(played)} rounds played, {sum(round_.kept for round_ in played)} kept, "
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
    """Returns where the run's files lie. Draws frontier.png."""
    where = run.root.relative_to(run.worktree.root)
    descriptions = {
        f"{where}/{RESULTS}": "what was tried, and why it was kept or not",
        **({f"{where}/frontier.png": "every trial, the best kept, the luck line"} if _picture(run) else {}),
        f"{where}/{LEARNINGS}": "what was learned",
        f"git log -p {run.worktree.branch}": "what was kept",
        f"uv run drive.py show {run.facts.run} [ROUND]": "the log of it",
        f"uv run drive.py --tag {run.facts.run}": "goes on",
    }
    width = max(map(len, descriptions))
    return "\n".join(["look at:", *(f"  {place:<{width}}  {what}" for place, what in descriptions.items())])


def _picture(run: Run) -> bool:
    """Draws frontier.png beside results.tsv; returns False without a trial."""
    from analysis import frontier  # takes a second to import; no round needs it

    try:
        (run.root / "frontier.png").write_bytes(frontier.png(run.root))
    except ArenaError:
        return False
    return True
