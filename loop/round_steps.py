"""
Plays a round in steps, each durable before the next and safe to repeat: ask, commit, evaluate, write the rows, keep or
take back. An interrupted round goes on where it was, so that no answer, no trial and no row is lost.
"""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from arena.errors import ArenaError
from arena.evaluation import batch
from arena.evaluation.context import EvaluationContext
from arena.files import write_whole
from arena.ledger import results_log, strategy_files
from arena.records import Result
from arena.reports import block
from arena.reports import round_block as blocks
from loop import best_so_far as populations
from loop import keep_rules, memory, proposal_rules
from loop.brief import compliance
from loop.brief import reading as briefs
from loop.brief.reading import Brief
from loop.keep_rules import Decision
from loop.protocol import Agent, AgentError, Proposal, State, Tried, Usage
from loop.run_log import Round
from loop.run_state import Run, write_rows
from loop.worktree import LEARNINGS, NUDGES, RESULTS

ASKS = 3
"""Most answers of an agent to one state before the round is skipped."""


@dataclass(slots=True)
class _Heard:
    """The answers to one state so far."""

    usage: Usage = Usage()
    refused: list[tuple[str, ...]] = field(default_factory=list)
    last: Proposal = Proposal()
    # a playable answer, its files, its departures from the brief
    playable: tuple[Proposal, dict[str, str | None], list[str]] | None = None


def ask(run: Run, agent: Agent, brief: Brief, *, reads: bool, population: int = 0) -> Round | str:
    """
    Returns the next round with its durable plan, a skipped round if no answer was usable, or why the agent has no more.

    `reads` says whether the agent can take up a nudge: only then the round's note acknowledges the nudges shown.
    `population` is how many of the best so far it is shown. An answer that departs from the brief is asked again like
    one that breaks a rule; if that is in vain, the one that departs least is played, and its departures are reported.
    """
    begun, started = time.perf_counter(), datetime.now(UTC).isoformat(timespec="seconds")
    folder = _sources(run)
    state = _state(run, folder, brief, population)
    base = Round(
        run.facts.run, len(run.rounds) + 1, "planned", agent.name, run.facts.seed, started, run.head,
        run.facts.contract, run.facts.versions, _short(state), Proposal(), restore=run.restore, reads=reads,
    )  # fmt: skip
    heard, failure = _Heard(), None
    try:
        if end := _hear(run, agent, brief, state, folder, heard):
            return end
    except AgentError as error:
        failure = error
        heard.usage += error.usage
    fields: dict[str, Any] = {"usage": heard.usage, "refused": tuple(heard.refused)}
    if heard.playable is None:
        failed = failure or AgentError(f"{ASKS} answers were refused, the last one: {heard.refused[-1][0]}")
        last_proposal = replace(heard.last, record=failed.record or heard.last.record)
        seconds = time.perf_counter() - begun
        return run.keep(
            replace(
                base,
                step="skipped",
                proposal=last_proposal,
                why=str(failed),
                final=failed.final,
                **fields,
                seconds=seconds,
            )
        )
    proposal, files, departs = heard.playable
    proposal = _acknowledging(proposal, state.nudges) if reads else proposal
    fields |= {
        "proposal": proposal,
        "files": files,
        "message": proposal_rules.message(base.number, proposal),
        "departures": tuple(departs),
    }
    return run.keep(replace(base, **fields, seconds=time.perf_counter() - begun))


def _hear(run: Run, agent: Agent, brief: Brief, state: State, folder: dict[str, str], heard: _Heard) -> str:
    """
    Asks until an answer keeps rules and brief, ASKS times at most. Returns why the agent has no more; empty if it has.
    """
    for _ in range(ASKS):
        heard.last = proposal = agent.propose(state)
        heard.usage += proposal.usage
        if proposal.end and not proposal.changes:
            return "" if heard.playable else proposal.end
        problems = proposal_rules.problems(proposal, state, run.journal)
        files = proposal_rules.files(proposal, folder, run.restore) if not problems else {}
        if not problems and not files:
            problems = ["after it every file would be as the last round left it. Change something else."]
        departs = compliance.problems(brief, proposal, state)
        if not problems and (heard.playable is None or len(departs) <= len(heard.playable[2])):
            heard.playable = proposal, files, departs
        if not problems and not departs:
            break
        heard.refused.append((*problems, *departs))
        state = replace(state, problems=(*problems, *departs))
    return ""


def finish(run: Run, one: Round) -> Round:
    """Plays every step that the round still lacks."""
    while one.step in _STEPS:
        started = time.perf_counter()
        done = _STEPS[one.step](run, one)
        one = run.keep(replace(done, seconds=done.seconds + time.perf_counter() - started))
    return one


def _commit(run: Run, this_round: Round) -> Round:
    return replace(
        this_round, step="committed", commit=run.worktree.commit(this_round.files, this_round.message, this_round.head)
    )


def _evaluate(run: Run, this_round: Round) -> Round:
    """Evaluates the commit and decides. The ledger answers for trials that an interrupted evaluation has recorded."""
    started = time.perf_counter()
    arena = run.opened()
    files = strategy_files.find(run.root / strategy_files.FOLDER, run.settings.max_strategies)
    results = _results(run, this_round, files, arena)
    sources = {file.stem: strategy_files.content(file).decode(errors="replace") for file in files}
    places = _places(run, this_round, results)
    decisions = _decisions(run, this_round, results, sources, places)
    verdict = keep_rules.verdict(
        decisions, killed=any(change.event == "kill" for change in this_round.proposal.changes)
    )
    back = [places[name] for name in verdict.restore if name in places]
    tried = (
        *_judged(run, this_round, results, sources, decisions, verdict.keep),
        *_gone(run, this_round, sources, back, verdict.keep),
    )
    rows = tuple(_row(each, results[0].commit) for each in tried)
    text = "".join(block.block(result, row) for result, row in zip(results, rows, strict=False))
    commits = [each.commit for each in run.rounds]
    text += blocks.summary(results, list(rows), arena, time.perf_counter() - started, of=commits)
    before = this_round.state["active"]
    return replace(
        this_round, step="evaluated", tried=tried, rows=rows, blocks=text, kept=verdict.keep,
        gain=verdict.keep and verdict.gain, why=verdict.why,
        restore={name: before.get(name) for name in (*verdict.restore, *back)} if verdict.keep else this_round.restore,
        luck_line=next((r.evidence.luck_line for r in results if not r.error), math.nan),
        trials=len(arena.trials.returns),
    )  # fmt: skip


def _results(run: Run, this_round: Round, files: list[Path], arena: EvaluationContext) -> list[Result]:
    """
    Evaluates the files as committed. A Ctrl-C that reaches all processes of the terminal can lose git's answer which
    commit that is; then git is asked again, and the ledger answers for the figures.
    """
    for _ in range(2):
        results = list(batch.evaluate_all(files, arena))
        other = [result for result in results if not this_round.commit.startswith(result.commit)]
        if not other:
            return results
        run.worktree.settle(this_round.commit)
    raise ArenaError(
        f"{other[0].strategy} was evaluated as {other[0].commit}, not as commit {this_round.commit[:7]} of round "
        f"{this_round.number}. Start again."
    )


def _write(run: Run, this_round: Round) -> Round:
    write_rows(run.root / RESULTS, this_round.rows)
    run.log.save(run.root / RESULTS)
    return replace(this_round, step="written", learnings=_learnings(run, this_round))


def _settle(run: Run, this_round: Round) -> Round:
    """Keeps the commit or takes it back; learnings.md stays in both cases."""
    if this_round.kept:
        run.worktree.settle(this_round.commit)
    else:
        run.worktree.discard(this_round.commit, this_round.head)
    write_whole(run.root / LEARNINGS, (this_round.learnings or "").encode())
    run.log.save(run.root / LEARNINGS)
    return replace(this_round, step="settled")


_STEPS: dict[str, Callable[[Run, Round], Round]] = {
    "planned": _commit,
    "committed": _evaluate,
    "evaluated": _write,
    "written": _settle,
}


def history(rounds: list[Round]) -> tuple[Tried, ...]:
    """Returns everything that was tried, oldest first."""
    return tuple(tried for round_ in rounds for tried in round_.tried)


def _sources(run: Run) -> dict[str, str]:
    folder = run.root / strategy_files.FOLDER
    return {
        file.stem: strategy_files.content(file).decode(errors="replace") for file in sorted(folder.glob("[!_]*.py"))
    }


def _restored(folder: dict[str, str], restore: dict[str, str | None]) -> dict[str, str]:
    """Returns the folder as the next round finds it, with what is put back."""
    return {name: source for name, source in sorted({**folder, **restore}.items()) if source is not None}


def _state(run: Run, folder: dict[str, str], brief: Brief, population: int) -> State:
    written = run.journal
    active = _restored(folder, run.restore)
    demands = results_log.demands(written, active, run.settings.max_stable_rounds)
    last = run.rounds[-1] if run.rounds else None
    undone = last.proposal.record.get("undone", ()) if last else ()
    return State(
        settings=run.settings,
        round=len(run.rounds) + 1,
        active=active,
        history=history(run.rounds),
        blocks=next((round_.blocks for round_ in reversed(run.rounds) if round_.blocks), ""),
        rows=run.text(RESULTS),
        demands=tuple(line for line in demands if "append" not in line),  # the loop appends rows
        learnings=run.text(LEARNINGS),
        nudges=memory.nudges(run.text(NUDGES), written),
        brief=briefs.in_words(brief, run.settings),
        plateau=memory.plateau(run.rounds),
        problems=tuple(f"undone: {path} is not yours to change" for path in undone),
        population=populations.best(history(run.rounds), population),
    )


def _short(state: State) -> dict[str, object]:
    digest = hashlib.sha256(state.learnings.encode()).hexdigest()
    names = ("active", "demands", "nudges", "brief", "plateau", "problems")
    shown = [populations.name(tried) for tried in state.population]
    return {name: getattr(state, name) for name in names} | {
        "rows": state.rows.count("\n"),
        "learnings_sha256": digest,
        "population": shown,
    }


def _acknowledging(proposal: Proposal, nudges: tuple[str, ...]) -> Proposal:
    """Returns the proposal with notes that take up every nudge shown, so that each is shown to one round."""
    notes = " ".join(change.note for change in proposal.changes).lower()
    missing = [text for line in nudges if (text := memory.taken_up(line)).lower() not in notes]
    if not missing:
        return proposal
    first, *others = proposal.changes
    room = proposal_rules.NOTE - len("; ".join(missing)) - 2
    words = "; ".join(part for part in (first.note[: max(room, 0)].strip(), *missing) if part)
    return replace(proposal, changes=(replace(first, note=words), *others))


def _judged(
    run: Run,
    this_round: Round,
    results: list[Result],
    sources: dict[str, str],
    decisions: Mapping[str, Decision],
    keep: bool,
) -> Iterator[Tried]:
    """Yields every strategy of the round with its event, whether its version stays, and its note."""
    changes = {change.strategy: change for change in this_round.proposal.changes}
    written = run.journal
    names = {row.strategy for row in written.rows}
    for result in results:
        name, change, decision = result.strategy, changes.get(result.strategy), decisions.get(result.strategy)
        touched = strategy_files.touched(run.root, run.root / strategy_files.FOLDER / f"{name}.py")
        event, parent = results_log.suggest_event(written, name, touched), ""
        if change and change.event == "fork" and event == "create" and change.parent in names:
            event, parent = "fork", change.parent
        stays = keep and (decision is None or decision.keep)
        if change and decision:
            words = proposal_rules.note(change.note, _before(run, this_round, name), result, stays, decision.why)
        else:
            words = _unasked(this_round, name, event, result, keep)
        yield Tried(
            this_round.number, event, name, parent, sources[name], replace(result, daily_returns=()), stays, words
        )


def _gone(run: Run, this_round: Round, sources: dict[str, str], back: list[str], keep: bool) -> Iterator[Tried]:
    """
    Yields strategies that are active in results.tsv but have no file any more; `back` names those that are put back.
    """
    changes = {change.strategy: change for change in this_round.proposal.changes}
    for name in results_log.active(run.journal):
        if name not in sources:
            change = changes.get(name)
            stays = keep and name not in back
            words = (
                proposal_rules.note(change.note, None, None, stays)
                if change
                else "its create was discarded and left no file"
            )
            yield Tried(this_round.number, "kill", name, "", "", None, stays if change else True, words)


def _unasked(this_round: Round, name: str, event: str, result: Result, keep: bool) -> str:
    """Returns the note on a strategy that the agent did not name in this round."""
    if result.error:
        return proposal_rules.note("", None, result, keep)
    if name in this_round.files:
        return "put back: its last change was worse, in a commit that was kept for another one"
    return {
        "create": "it was here before, or its kill was discarded",
        "evolve": "its file was changed outside the loop",
    }.get(event, "")


def _places(run: Run, this_round: Round, results: list[Result]) -> dict[str, str]:
    """Maps new strategies to the killed ones that they replace; none on a plateau, which asks for another family."""
    if this_round.state["plateau"]:
        return {}
    changes = {change.strategy: change.event for change in this_round.proposal.changes}
    new = {result.strategy: result for result in results if changes.get(result.strategy) in ("create", "fork")}
    killed = {
        name: before
        for name, event in changes.items()
        if event == "kill" and (before := _before(run, this_round, name))
    }
    return keep_rules.places(new, killed)


def _decisions(
    run: Run, this_round: Round, results: list[Result], sources: dict[str, str], places: dict[str, str]
) -> dict[str, Decision]:
    """Decides on each strategy that the agent changed and that still exists."""
    decisions, changed = {}, {change.strategy for change in this_round.proposal.changes}
    for result in results:
        name = result.strategy
        if name not in changed:
            continue
        if (before := _before(run, this_round, name)) is not None:
            decisions[name] = keep_rules.evolved(before, result, this_round.state["active"][name], sources[name])
        elif name in places:
            killed = _before(run, this_round, places[name])
            assert killed is not None  # places are of those that were evaluated
            decisions[name] = keep_rules.replaced(killed, result)
        else:
            decisions[name] = keep_rules.created(result)
    return decisions


def _before(run: Run, this_round: Round, name: str) -> Result | None:
    """Returns the newest evaluation of the strategy's version before the round; None for a new one."""
    source = this_round.state["active"].get(name)
    if source is None:
        return None
    earlier = history([each for each in run.rounds if each.number < this_round.number])
    return next(
        (each.result for each in reversed(earlier) if each.strategy == name and each.source == source and each.result),
        None,
    )


def _row(tried: Tried, commit: str) -> str:
    own = tried.result.own if tried.result else None
    name = f"{tried.parent}→{tried.strategy}" if tried.event == "fork" else tried.strategy
    return results_log.row(
        commit, tried.event, name, own.sharpe if own else 0.0, own.max_drawdown if own else 0.0, tried.note
    )


def _learnings(run: Run, this_round: Round) -> str:
    text = this_round.proposal.learnings
    if text is None:
        return memory.learned(run.text(LEARNINGS), this_round, spare=memory.SPARE if this_round.reads else 0)
    return text
