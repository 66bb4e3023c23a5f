"""A run's log in the terminal: all its rounds in a line each, one of them in full, or two side by side."""

import difflib
from pathlib import Path

from arena.errors import ArenaError
from loop.run_log import Log, Round, runs


def show(root: Path, run: str, number: int | None) -> str:
    """The run, or its round `number`. Raises ArenaError where there is none."""
    played = _rounds(root, run)
    return "\n".join(map(_short, played)) if number is None else _full(_one(played, run, number))


def diff(root: Path, run: str, first: int, second: int) -> str:
    """What differs between the strategies of two rounds, and their rows."""
    played = _rounds(root, run)
    one, other = _one(played, run, first), _one(played, run, second)
    before, after = _sources(one), _sources(other)
    lines = [f"round {first}: {_outcome(one)}", f"round {second}: {_outcome(other)}"]
    lines += difflib.unified_diff(
        list(one.rows), list(other.rows), f"rows of round {first}", f"rows of round {second}", lineterm=""
    )
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, "").splitlines(), after.get(name, "").splitlines()
        lines += difflib.unified_diff(
            old, new, f"{name}.py of round {first}", f"{name}.py of round {second}", lineterm=""
        )
    return "\n".join(lines)


def _rounds(root: Path, run: str) -> list[Round]:
    if run not in (known := runs(root)):
        raise ArenaError(f"there is no run {run!r}. There are: {', '.join(known) or 'none'}.")
    return Log(root, run).rounds()


def _one(played: list[Round], run: str, number: int) -> Round:
    found = next((one for one in played if one.number == number), None)
    if found is None:
        raise ArenaError(
            f"the run {run} has no round {number}. It has {f'1 to {played[-1].number}' if played else 'none yet'}."
        )
    return found


def _outcome(one: Round) -> str:
    if one.step in ("skipped", "settled", "written", "evaluated"):
        word = "skipped" if one.step == "skipped" else "kept" if one.kept else "discarded"
        return f"{word}: {one.why}"
    return f"interrupted when it was {one.step}"


def _short(one: Round) -> str:
    told = ", ".join(f"{change.event} {change.strategy}" for change in one.proposal.changes)
    return f"{one.number:4d} {one.commit[:7] or '-------'} {one.seconds:6.1f} s  {told or 'no change'}  {_outcome(one)}"


def _full(one: Round) -> str:
    record, usage = one.proposal.record, one.usage
    lines = [
        f"run {one.run}, round {one.number}, {one.started}, agent {one.agent}, seed {one.seed}",
        f"builds on {one.head[:7]}, commit {one.commit[:7] or 'none'}, contract {one.contract[:8]}, "
        f"{one.seconds:.1f} s",
        f"versions: {', '.join(f'{name} {number}' for name, number in one.versions.items())}",
        f"paid: {usage.requests} requests, {usage.input_tokens} tokens in, {usage.output_tokens} out, "
        f"{usage.usd:.4f} USD",
        f"outcome: {_outcome(one)}",
    ]
    lines += [f"refused: {'; '.join(found)}" for found in one.refused]
    lines += [f"not by the brief: {text}" for text in one.departures]
    lines += [f"undone: {path}" for path in record.get("undone", ())]
    for key, value in one.state.items():
        if key != "active" and value:
            lines.append(f"was shown {key}: {'; '.join(map(str, value)) if isinstance(value, list | tuple) else value}")
    for key, value in record.items():
        if key != "undone":
            lines += [f"--- {key}", value if isinstance(value, str) else str(value)]
    before = one.state["active"]
    for name, source in one.files.items():
        old = before.get(name, "").splitlines()
        lines += difflib.unified_diff(
            old, (source or "").splitlines(), f"{name}.py before", f"{name}.py in this round", lineterm=""
        )
    return "\n".join([*lines, one.blocks.rstrip(), *(["rows:", *one.rows] if one.rows else [])])


def _sources(one: Round) -> dict[str, str]:
    return {tried.strategy: tried.source for tried in one.tried if tried.source}
