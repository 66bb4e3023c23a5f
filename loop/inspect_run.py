"""Shows a run's log in the terminal: all rounds in a line each, one round in full, or two side by side."""

import difflib
from pathlib import Path

from arena.errors import ArenaError
from loop.run_log import Log, Round, runs


def show(root: Path, run: str, number: int | None) -> str:
    """Returns the run, or its round `number`. Raises ArenaError if there is none."""
    played = _rounds(root, run)
    return "\n".join(map(_short, played)) if number is None else _full(_one(played, run, number))


def diff(root: Path, run: str, first: int, second: int) -> str:
    """Returns the differences between two rounds' strategies, and between their rows."""
    played = _rounds(root, run)
    first_round, second_round = _one(played, run, first), _one(played, run, second)
    before, after = _sources(first_round), _sources(second_round)
    lines = [f"round {first}: {_outcome(first_round)}", f"round {second}: {_outcome(second_round)}"]
    lines += difflib.unified_diff(
        list(first_round.rows),
        list(second_round.rows),
        f"rows of round {first}",
        f"rows of round {second}",
        lineterm="",
    )
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, "").splitlines(), after.get(name, "").splitlines()
        lines += difflib.unified_diff(
            old, new, f"{name}.py of round {first}", f"{name}.py of round {second}", lineterm=""
        )
    return "\n".join(lines)


def _rounds(root: Path, run: str) -> list[Round]:
    if run not in (names := runs(root)):
        raise ArenaError(f"there is no run {run!r}. There are: {', '.join(names) or 'none'}.")
    return Log(root, run).rounds()


def _one(played: list[Round], run: str, number: int) -> Round:
    match = next((round_ for round_ in played if round_.number == number), None)
    if match is None:
        raise ArenaError(
            f"the run {run} has no round {number}. It has {f'1 to {played[-1].number}' if played else 'none yet'}."
        )
    return match


def _outcome(round_: Round) -> str:
    if round_.step in ("skipped", "settled", "written", "evaluated"):
        word = "skipped" if round_.step == "skipped" else "kept" if round_.kept else "discarded"
        return f"{word}: {round_.why}"
    return f"interrupted when it was {round_.step}"


def _short(round_: Round) -> str:
    changes = ", ".join(f"{change.event} {change.strategy}" for change in round_.proposal.changes)
    return (
        f"{round_.number:4d} {round_.commit[:7] or '-------'} {round_.seconds:6.1f} s  {changes or 'no change'}  "
        f"{_outcome(round_)}"
    )


def _full(round_: Round) -> str:
    record, usage = round_.proposal.record, round_.usage
    lines = [
        f"run {round_.run}, round {round_.number}, {round_.started}, agent {round_.agent}, seed {round_.seed}",
        f"builds on {round_.head[:7]}, commit {round_.commit[:7] or 'none'}, contract {round_.contract[:8]}, "
        f"{round_.seconds:.1f} s",
        f"versions: {', '.join(f'{name} {number}' for name, number in round_.versions.items())}",
        f"paid: {usage.requests} requests, {usage.input_tokens} tokens in, {usage.output_tokens} out, "
        f"{usage.usd:.4f} USD",
        f"outcome: {_outcome(round_)}",
    ]
    lines += [f"refused: {'; '.join(problems)}" for problems in round_.refused]
    lines += [f"not by the brief: {text}" for text in round_.departures]
    lines += [f"undone: {path}" for path in record.get("undone", ())]
    for key, value in round_.state.items():
        if key != "active" and value:
            lines.append(f"was shown {key}: {'; '.join(map(str, value)) if isinstance(value, list | tuple) else value}")
    for key, value in record.items():
        if key != "undone":
            lines += [f"--- {key}", value if isinstance(value, str) else str(value)]
    before = round_.state["active"]
    for name, source in round_.files.items():
        old = before.get(name, "").splitlines()
        lines += difflib.unified_diff(
            old, (source or "").splitlines(), f"{name}.py before", f"{name}.py in this round", lineterm=""
        )
    return "\n".join([*lines, round_.blocks.rstrip(), *(["rows:", *round_.rows] if round_.rows else [])])


def _sources(round_: Round) -> dict[str, str]:
    return {tried.strategy: tried.source for tried in round_.tried if tried.source}
