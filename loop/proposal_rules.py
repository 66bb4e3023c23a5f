"""
From a proposal to what is written: checked against program.md's rules before anything is touched. Pure.

What only running can show (a syntax error, lookahead, a crash) is no matter of this: it becomes a failed round.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from arena.errors import LoadError
from arena.ledger import results_log
from arena.ledger.results_log import Journal
from arena.ledger.strategy_files import MAX_BYTES, check_name
from arena.records import Result
from arena.text import printable
from loop.protocol import Change, Proposal, State

EVENTS = ("create", "evolve", "fork", "kill")
NOTE = 240
"""Longest part of a note that is the agent's; a row stays one readable line."""

Files = dict[str, str | None]
"""Strategy to source; None: no file."""


def stale(written: Journal, state: State) -> list[str]:
    """Active strategies that this round has to touch."""
    return [
        name for name in state.active if results_log.stable_rounds(written, name) >= state.settings.max_stable_rounds
    ]


def problems(proposal: Proposal, state: State, written: Journal) -> list[str]:
    """Why the proposal cannot be played, one line each; empty when it can."""
    if not proposal.changes:
        return ["there is no change in it. Every round touches at least one strategy."]
    found = [text for change in proposal.changes for text in _of_change(change, state, written)]
    twice = [name for name, count in Counter(change.strategy for change in proposal.changes).items() if count > 1]
    found += [f"{printable(name, 60)} is changed twice. Name each strategy once." for name in twice]
    if found:
        return found
    touched = {name for change in proposal.changes for name in (change.strategy, change.parent)}
    asked = [name for name in stale(written, state) if name not in touched]
    found += [
        f"{name} was stable for {state.settings.max_stable_rounds} rounds in a row: evolve, fork or kill it now."
        for name in asked
    ]
    left = state.active.keys() - {change.strategy for change in proposal.changes if change.event == "kill"}
    left |= {change.strategy for change in proposal.changes if change.event in ("create", "fork")}
    if not left:
        found.append("no strategy would be left. Create one in the round in which the last one is killed.")
    if len(left) > state.settings.max_strategies:
        found.append(
            f"{len(left)} strategies would be active ({', '.join(sorted(left))}), arena.max_strategies is "
            f"{state.settings.max_strategies}. "
            f"Kill {len(left) - state.settings.max_strategies} in the same round."
        )
    return found


def _of_change(change: Change, state: State, written: Journal) -> Iterator[str]:
    name = printable(change.strategy, 60)
    if change.event not in EVENTS:
        yield f"event {change.event!r} of {name} is unknown. Use {', '.join(EVENTS)}."
        return
    if refused := _no_name(change.strategy):
        yield refused
        return
    there = change.strategy in state.active
    if change.event in ("evolve", "kill") and not there:
        near = get_close_matches(change.strategy, state.active, n=1)
        instead = f"Did you mean {near[0]}?" if near else f"Active: {', '.join(state.active) or 'none'}."
        yield f"{change.event} of {name}, which is not active. {instead}"
    if change.event in ("create", "fork") and there:
        yield f"{change.event} of {name}, which is already active. Use evolve, or another name."
    known = state.active.keys() | {row.strategy for row in written.rows}
    if change.event == "fork" and (change.parent not in known or change.parent == change.strategy):
        yield (
            f"fork of {printable(change.parent, 60) or 'nothing'} to {name}: the parent is no other strategy of "
            f"this "
            f"run. Use create."
        )
    if change.event == "kill":
        return
    if not change.source.strip():
        yield f"{change.event} of {name} without a source. Give the whole file."
    elif len(change.source.encode(errors="replace")) > MAX_BYTES:
        yield f"the source of {name} is larger than 1 MB."
    elif state.active.get(change.strategy) == change.source:
        yield f"{name} is unchanged. Leave out what stays as it is."


def _no_name(name: str) -> str:
    """Why the name cannot be a strategy's; empty when it can. What holds a path separator never reaches the disk."""
    file = Path(f"{name}.py")
    if file.name != f"{name}.py" or name.startswith("_"):
        return (
            f"the name {printable(name, 60)!r} is no class name, or begins with an underscore. Use letters and digits."
        )
    try:
        check_name(file)
    except LoadError as error:
        return f"{error}."
    return ""


def files(proposal: Proposal, folder: Mapping[str, str], restore: Mapping[str, str | None]) -> Files:
    """
    What is written into the folder, whose files are `folder` now: the proposal's changes, and what the last kept commit
    left to be put back, unless it is changed anyway. What is there already is left out.
    """
    wanted = {
        **restore,
        **{change.strategy: None if change.event == "kill" else change.source for change in proposal.changes},
    }
    return {name: source for name, source in wanted.items() if folder.get(name) != source}


def message(number: int, proposal: Proposal) -> str:
    """Of the commit. The round's number makes commits of equal content differ, so that no two rounds share one."""
    told = [
        f"{change.event} {change.strategy}" + (f" from {change.parent}" if change.event == "fork" else "")
        for change in proposal.changes
    ]
    notes = [f"{change.strategy}: {printable(change.note, NOTE)}" for change in proposal.changes if change.note.strip()]
    return "\n".join([printable(f"round {number}: {', '.join(told)}", 100), *(["", *notes] if notes else [])])


def note(words: str, before: Result | None, after: Result | None, keep: bool, why: str = "") -> str:
    """Of a row: the agent's words, the figures that moved, what was decided and why."""
    parts = [printable(words, NOTE).strip()]
    if after is not None and after.error:
        parts.insert(0, f"FAIL: {printable(after.error, 120)}")
    elif after is not None:
        parts.append(_moved(before, after))
    decided = "kept" if keep else f"discarded: {why}" if why and not (after and after.error) else "discarded"
    return " -> ".join(part for part in (*parts, printable(decided, 160)) if part)


def _moved(before: Result | None, after: Result) -> str:
    rows = [
        ("robust", before and before.robust_sharpe, after.robust_sharpe, ".2f"),
        ("sharpe", before and before.own.sharpe, after.own.sharpe, ".2f"),
        ("trades", before and before.own.trades, after.own.trades, "d"),
    ]
    return ", ".join(
        f"{name} {f'{old:{form}}->' if old is not None else ''}{new:{form}}" for name, old, new, form in rows
    )
