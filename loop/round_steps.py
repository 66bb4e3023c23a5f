"""
One round as steps, each durable before the next begins and each harmless to repeat: ask, commit, evaluate, write the
rows, keep or take back. An interrupted round goes on where it was, so that no answer, no trial and no row is lost.
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
from arena.evaluation.context import Arena
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
"""Answers that an agent may give to one state before the round is skipped."""


@dataclass(slots=True)
class _Heard:
    """What was answered to one state so far."""

    usage: Usage = Usage()
    refused: list[tuple[str, ...]] = field(default_factory=list)
    last: Proposal = Proposal()
    # by the rules: the answer, its files, how it departs from the brief
    playable: tuple[Proposal, dict[str, str | None], list[str]] | None = None


def ask(run: Run, agent: Agent, brief: Brief, *, reads: bool, population: int = 0) -> Round | str:
    """
    The next round with its plan, durable; or a skipped one, where no usable answer was had; or why the agent has no
    further one.

    `reads` says whether the agent can take up a nudge: only then the round's note acknowledges what was shown.
    `population` is how many of the best so far it is shown. An answer that departs from the brief is asked again like
    one that breaks a rule; where that is in vain, the one that departs least is played, and it is told.
    """
    begun, started = time.perf_counter(), datetime.now(UTC).isoformat(timespec="seconds")
    folder = _sources(run)
    state = _state(run, folder, brief, population)
    base = Round(
        run.facts.run, len(run.rounds) + 1, "planned", agent.name, run.facts.seed, started, run.head,
        run.facts.contract, run.facts.versions, _short(state), Proposal(), restore=run.restore, reads=reads,
    )  # fmt: skip
    heard, gone = _Heard(), None
    try:
        if end := _hear(run, agent, brief, state, folder, heard):
            return end
    except AgentError as error:
        gone = error
        heard.usage += error.usage
    made: dict[str, Any] = {"usage": heard.usage, "refused": tuple(heard.refused)}
    if heard.playable is None:
        failed = gone or AgentError(f"{ASKS} answers were refused, the last one: {heard.refused[-1][0]}")
        told = replace(heard.last, record=failed.record or heard.last.record)
        seconds = time.perf_counter() - begun
        return run.keep(
            replace(base, step="skipped", proposal=told, why=str(failed), final=failed.final, **made, seconds=seconds)
        )
    proposal, files, departs = heard.playable
    proposal = _acknowledging(proposal, state.nudges) if reads else proposal
    made |= {
        "proposal": proposal,
        "files": files,
        "message": proposal_rules.message(base.number, proposal),
        "departures": tuple(departs),
    }
    return run.keep(replace(base, **made, seconds=time.perf_counter() - begun))


def _hear(run: Run, agent: Agent, brief: Brief, state: State, folder: dict[str, str], heard: _Heard) -> str:
    """
    Ask until an answer keeps rules and brief, ASKS times at most. Returns why the agent has no more; empty when it has.
    """
    for _ in range(ASKS):
        heard.last = proposal = agent.propose(state)
        heard.usage += proposal.usage
        if proposal.end and not proposal.changes:
            return "" if heard.playable else proposal.end
        found = proposal_rules.problems(proposal, state, run.journal)
        files = proposal_rules.files(proposal, folder, run.restore) if not found else {}
        if not found and not files:
            found = ["after it every file would be as the last round left it. Change something else."]
        departs = compliance.problems(brief, proposal, state)
        if not found and (heard.playable is None or len(departs) <= len(heard.playable[2])):
            heard.playable = proposal, files, departs
        if not found and not departs:
            break
        heard.refused.append((*found, *departs))
        state = replace(state, problems=(*found, *departs))
    return ""


def finish(run: Run, one: Round) -> Round:
    """Every step that the round still lacks."""
    while one.step in _STEPS:
        started = time.perf_counter()
        done = _STEPS[one.step](run, one)
        one = run.keep(replace(done, seconds=done.seconds + time.perf_counter() - started))
    return one


def _commit(run: Run, one: Round) -> Round:
    return replace(one, step="committed", commit=run.worktree.commit(one.files, one.message, one.head))


def _evaluate(run: Run, one: Round) -> Round:
    """
    Judge what was committed, and decide. Trials that an interrupted evaluation has recorded are answered from the
    ledger.
    """
    started = time.perf_counter()
    arena = run.opened()
    files = strategy_files.find(run.root / strategy_files.FOLDER, run.settings.max_strategies)
    results = _results(run, one, files, arena)
    sources = {file.stem: strategy_files.content(file).decode(errors="replace") for file in files}
    places = _places(run, one, results)
    decisions = _decisions(run, one, results, sources, places)
    verdict = keep_rules.verdict(decisions, killed=any(change.event == "kill" for change in one.proposal.changes))
    back = [places[name] for name in verdict.restore if name in places]
    tried = (
        *_judged(run, one, results, sources, decisions, verdict.keep),
        *_gone(run, one, sources, back, verdict.keep),
    )
    rows = tuple(_row(each, results[0].commit) for each in tried)
    text = "".join(block.block(result, row) for result, row in zip(results, rows, strict=False))
    commits = [each.commit for each in run.rounds]
    text += blocks.summary(results, list(rows), arena, time.perf_counter() - started, of=commits)
    before = one.state["active"]
    return replace(
        one, step="evaluated", tried=tried, rows=rows, blocks=text, kept=verdict.keep,
        gain=verdict.keep and verdict.gain, why=verdict.why,
        restore={name: before.get(name) for name in (*verdict.restore, *back)} if verdict.keep else one.restore,
        luck_line=next((r.evidence.luck_line for r in results if not r.error), math.nan),
        trials=len(arena.trials.returns),
    )  # fmt: skip


def _results(run: Run, one: Round, files: list[Path], arena: Arena) -> list[Result]:
    """
    Of the files as they were committed. Git's answer to which commit that is can be lost to a Ctrl-C that all of the
    terminal hears: then it is asked again, and the ledger answers for the figures.
    """
    for _ in range(2):
        results = list(batch.evaluate_all(files, arena))
        other = [result for result in results if not one.commit.startswith(result.commit)]
        if not other:
            return results
        run.worktree.settle(one.commit)
    raise ArenaError(
        f"{other[0].strategy} was evaluated as {other[0].commit}, not as commit {one.commit[:7]} of round "
        f"{one.number}. Start again."
    )


def _write(run: Run, one: Round) -> Round:
    write_rows(run.root / RESULTS, one.rows)
    run.log.save(run.root / RESULTS)
    return replace(one, step="written", learnings=_learnings(run, one))


def _settle(run: Run, one: Round) -> Round:
    """Keep the commit or take it back; learnings.md outlives that."""
    if one.kept:
        run.worktree.settle(one.commit)
    else:
        run.worktree.discard(one.commit, one.head)
    write_whole(run.root / LEARNINGS, (one.learnings or "").encode())
    run.log.save(run.root / LEARNINGS)
    return replace(one, step="settled")


_STEPS: dict[str, Callable[[Run, Round], Round]] = {
    "planned": _commit,
    "committed": _evaluate,
    "evaluated": _write,
    "written": _settle,
}


def history(rounds: list[Round]) -> tuple[Tried, ...]:
    """Everything that was tried, oldest first."""
    return tuple(tried for one in rounds for tried in one.tried)


def _sources(run: Run) -> dict[str, str]:
    folder = run.root / strategy_files.FOLDER
    return {
        file.stem: strategy_files.content(file).decode(errors="replace") for file in sorted(folder.glob("[!_]*.py"))
    }


def _restored(folder: dict[str, str], restore: dict[str, str | None]) -> dict[str, str]:
    """The folder as the next round finds it: with what is put back."""
    return {name: source for name, source in sorted({**folder, **restore}.items()) if source is not None}


def _state(run: Run, folder: dict[str, str], brief: Brief, population: int) -> State:
    written = run.journal
    active = _restored(folder, run.restore)
    asked = results_log.demands(written, active, run.settings.max_stable_rounds)
    last = run.rounds[-1] if run.rounds else None
    undone = last.proposal.record.get("undone", ()) if last else ()
    return State(
        settings=run.settings,
        round=len(run.rounds) + 1,
        active=active,
        history=history(run.rounds),
        blocks=next((one.blocks for one in reversed(run.rounds) if one.blocks), ""),
        rows=run.text(RESULTS),
        demands=tuple(line for line in asked if "append" not in line),  # rows are the loop's to append
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
    """The proposal whose notes take up every nudge that was shown: each is shown to one round."""
    said = " ".join(change.note for change in proposal.changes).lower()
    missing = [text for line in nudges if (text := memory.taken_up(line)).lower() not in said]
    if not missing:
        return proposal
    first, *others = proposal.changes
    room = proposal_rules.NOTE - len("; ".join(missing)) - 2
    words = "; ".join(part for part in (first.note[: max(room, 0)].strip(), *missing) if part)
    return replace(proposal, changes=(replace(first, note=words), *others))


def _judged(
    run: Run, one: Round, results: list[Result], sources: dict[str, str], decisions: Mapping[str, Decision], keep: bool
) -> Iterator[Tried]:
    """Every strategy of the round with its event, whether its version stays, and its note."""
    changes = {change.strategy: change for change in one.proposal.changes}
    written = run.journal
    known = {row.strategy for row in written.rows}
    for result in results:
        name, change, decision = result.strategy, changes.get(result.strategy), decisions.get(result.strategy)
        touched = strategy_files.touched(run.root, run.root / strategy_files.FOLDER / f"{name}.py")
        event, parent = results_log.suggest_event(written, name, touched), ""
        if change and change.event == "fork" and event == "create" and change.parent in known:
            event, parent = "fork", change.parent
        stays = keep and (decision is None or decision.keep)
        if change and decision:
            words = proposal_rules.note(change.note, _before(run, one, name), result, stays, decision.why)
        else:
            words = _unasked(one, name, event, result, keep)
        yield Tried(one.number, event, name, parent, sources[name], replace(result, daily_returns=()), stays, words)


def _gone(run: Run, one: Round, sources: dict[str, str], back: list[str], keep: bool) -> Iterator[Tried]:
    """
    Strategies that results.tsv knows as active and that have no file any more; `back` names those that are put back.
    """
    changes = {change.strategy: change for change in one.proposal.changes}
    for name in results_log.active(run.journal):
        if name not in sources:
            change = changes.get(name)
            stays = keep and name not in back
            words = (
                proposal_rules.note(change.note, None, None, stays)
                if change
                else "its create was discarded and left no file"
            )
            yield Tried(one.number, "kill", name, "", "", None, stays if change else True, words)


def _unasked(one: Round, name: str, event: str, result: Result, keep: bool) -> str:
    """The note on a strategy that the agent did not name in this round."""
    if result.error:
        return proposal_rules.note("", None, result, keep)
    if name in one.files:
        return "put back: its last change was worse, in a commit that was kept for another one"
    return {
        "create": "it was here before, or its kill was discarded",
        "evolve": "its file was changed outside the loop",
    }.get(event, "")


def _places(run: Run, one: Round, results: list[Result]) -> dict[str, str]:
    """Which new strategy takes which killed one's place; in a plateau none does, as another family is wanted there."""
    if one.state["plateau"]:
        return {}
    changes = {change.strategy: change.event for change in one.proposal.changes}
    new = {result.strategy: result for result in results if changes.get(result.strategy) in ("create", "fork")}
    killed = {
        name: before for name, event in changes.items() if event == "kill" and (before := _before(run, one, name))
    }
    return keep_rules.places(new, killed)


def _decisions(
    run: Run, one: Round, results: list[Result], sources: dict[str, str], places: dict[str, str]
) -> dict[str, Decision]:
    """On each strategy that the agent changed and that is still there."""
    made, asked = {}, {change.strategy for change in one.proposal.changes}
    for result in results:
        name = result.strategy
        if name not in asked:
            continue
        if (before := _before(run, one, name)) is not None:
            made[name] = keep_rules.evolved(before, result, one.state["active"][name], sources[name])
        elif name in places:
            killed = _before(run, one, places[name])
            assert killed is not None  # places are of those that were evaluated
            made[name] = keep_rules.replaced(killed, result)
        else:
            made[name] = keep_rules.created(result)
    return made


def _before(run: Run, one: Round, name: str) -> Result | None:
    """The newest evaluation of what the strategy was before the round; None for a new one."""
    source = one.state["active"].get(name)
    if source is None:
        return None
    earlier = history([each for each in run.rounds if each.number < one.number])
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


def _learnings(run: Run, one: Round) -> str:
    text = one.proposal.learnings
    if text is None:
        return memory.learned(run.text(LEARNINGS), one, spare=memory.SPARE if one.reads else 0)
    return text
