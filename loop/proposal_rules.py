"""
Checks a proposal against program.md's rules before anything is touched, and turns it into files to write. Pure.

What only running can show (a syntax error, lookahead, a crash) is not checked here: it becomes a failed round.
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
"""Longest part of a note that comes from the agent; a row stays one readable line."""

Files = dict[str, str | None]
"""Strategy to source; None: no file."""


def stale(written: Journal, state: State) -> list[str]:
    """Returns active strategies that this round has to touch."""
    return [
        name for name in state.active if results_log.stable_rounds(written, name) >= state.settings.max_stable_rounds
    ]


def problems(proposal: Proposal, state: State, written: Journal) -> list[str]:
    """Returns why the proposal cannot be played, one line each; empty if it can."""
    if not proposal.changes:
        return ["there is no change in it. Every round touches at least one strategy."]
    complaints = [text for change in proposal.changes for text in _of_change(change, state, written)]
    twice = [name for name, count in Counter(change.strategy for change in proposal.changes).items() if count > 1]
    complaints += [f"{printable(name, 60)} is changed twice. Name each strategy once." for name in twice]
    if complaints:
        return complaints
    touched = {name for change in proposal.changes for name in (change.strategy, change.parent)}
    due = [name for name in stale(written, state) if name not in touched]
    complaints += [
        f"{name} was stable for {state.settings.max_stable_rounds} rounds in a row: evolve, fork or kill it now."
        for name in due
    ]
    left = state.active.keys() - {change.strategy for change in proposal.changes if change.event == "kill"}
    left |= {change.strategy for change in proposal.changes if change.event in ("create", "fork")}
    if not left:
        complaints.append("no strategy would be left. Create one in the round in which the last one is killed.")
    if len(left) > state.settings.max_strategies:
        complaints.append(
            f"{len(left)} strategies would be active ({', '.join(sorted(left))}), arena.max_strategies is "
            f"{state.settings.max_strategies}. "
            f"Kill {len(left) - state.settings.max_strategies} in the same round."
        )
    return complaints


def _of_change(change: Change, state: State, written: Journal) -> Iterator[str]:
    name = printable(change.strategy, 60)
    if change.event not in EVENTS:
        yield f"event {change.event!r} of {name} is unknown. Use {', '.join(EVENTS)}."
        return
    if problem := _no_name(change.strategy):
        yield problem
        return
    is_active = change.strategy in state.active
    if change.event in ("evolve", "kill") and not is_active:
        near = get_close_matches(change.strategy, state.active, n=1)
        instead = f"Did you mean {near[0]}?" if near else f"Active: {', '.join(state.active) or 'none'}."
        yield f"{change.event} of {name}, which is not active. {instead}"
    if change.event in ("create", "fork") and is_active:
        yield f"{change.event} of {name}, which is already active. Use evolve, or another name."
    names = state.active.keys() | {row.strategy for row in written.rows}
    if change.event == "fork" and (change.parent not in names or change.parent == change.strategy):
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
    """
    Returns why the name cannot be a strategy's; empty if it can. A name with a path separator never reaches the disk.
    """
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
    Returns what to write into the folder, whose files are `folder` now: the proposal's changes, and what the last kept
    commit left to put back, unless the proposal changes it. Leaves out what is there already.
    """
    wanted = {
        **restore,
        **{change.strategy: None if change.event == "kill" else change.source for change in proposal.changes},
    }
    return {name: source for name, source in wanted.items() if folder.get(name) != source}


def message(number: int, proposal: Proposal) -> str:
    """
    Returns the commit message. The round's number makes commits of equal content differ, so that rounds share none.
    """
    actions = [
        f"{change.event} {change.strategy}" + (f" from {change.parent}" if change.event == "fork" else "")
        for change in proposal.changes
    ]
    notes = [f"{change.strategy}: {printable(change.note, NOTE)}" for change in proposal.changes if change.note.strip()]
    return "\n".join([printable(f"round {number}: {', '.join(actions)}", 100), *(["", *notes] if notes else [])])


def note(words: str, before: Result | None, after: Result | None, keep: bool, why: str = "") -> str:
    """Returns the note of a row: the agent's words, the figures that moved, the decision and its reason."""
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
