"""
results.tsv, the agent's event log: one row per strategy and round. Read here, never written.

The file belongs to the agent, so nothing in it raises: what is not a row becomes a problem, a row that breaks a rule a
violation, and both are one line that says where, what, and what instead. A round is a maximal run of consecutive rows
with the same commit; rows inside it may stand in any order. What this cannot see: whether a row's figures are the ones
that run.py printed (the ledger has those), and what a rewritten file said before.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

FILE = "results.tsv"
COLUMNS = ("commit", "event", "strategy_name", "sharpe", "max_dd", "note")
HEADER = "\t".join(COLUMNS)
EVENTS = ("create", "evolve", "fork", "stable", "kill")
_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_ARROW = re.compile(r"→|->")


@dataclass(frozen=True, slots=True)
class Row:
    """One event of one strategy. The figures are nan for a kill, for a failed strategy and where they are undefined."""

    line: int  # in results.tsv, from 1
    commit: str  # 7 to 40 hex digits, lower case
    event: str
    strategy: str  # the child of a fork
    parent: str  # of a fork; otherwise empty
    sharpe: float
    max_drawdown: float  # positive fraction
    note: str


@dataclass(frozen=True, slots=True)
class Journal:
    """What results.tsv says, in its order, and what of it could not be read."""

    rows: tuple[Row, ...] = ()
    problems: tuple[str, ...] = ()  # one line each


@dataclass(frozen=True, slots=True)
class Round:
    number: int  # from 1
    commit: str
    rows: tuple[Row, ...]
    before: tuple[str, ...]  # active strategies when it began
    stable: Mapping[str, int]  # active strategies at its end, and for how many rounds in a row each is untouched


class _NotARow(Exception):
    """Why a line is not a row, and what instead."""


def read(path: str | Path = FILE) -> Journal:
    """The journal at `path`; empty when there is no file. Never raises: a file that cannot be read is a problem."""
    try:
        return parse(Path(path).read_bytes())
    except FileNotFoundError:
        return Journal()
    except OSError as error:
        return Journal(problems=(f"{FILE} cannot be read: {error.strerror}.",))


def parse(data: bytes) -> Journal:
    """Rows and problems of a file's bytes. BOM, CRLF, blank lines and a missing last newline are tolerated."""
    if b"\0" in data:
        return Journal(problems=(f"{FILE} is not UTF-8 text; some shells write UTF-16. Save it as UTF-8.",))
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    rows: list[Row] = []
    problems: list[str] = []
    headed = False
    for number, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        first, headed = not headed, True
        try:
            text = raw.decode()
            if first and text.strip() != HEADER:
                problems.append(f"{FILE} line {number}: the header is not {HEADER!r}. Put exactly this line first.")
            if not (first and COLUMNS[1] in text.split()[:2]):
                rows.append(_row(number, text))
        except UnicodeDecodeError:
            problems.append(f"{FILE} line {number}: is not UTF-8. Write the row again.")
        except _NotARow as error:
            unfinished = " The file ends inside this line; write the row again." if number == len(lines) else ""
            problems.append(f"{FILE} line {number}: {error}{unfinished}")
    return Journal(tuple(rows), tuple(problems))


def row(commit: str, event: str, name: str, sharpe: float, max_drawdown: float, note: str = "") -> str:
    """
    A row as results.tsv wants it, without a newline.

    `max_drawdown` is a positive fraction and becomes per cent below zero. Both figures are `-` for a kill and for a
    failed strategy, which is one that has neither. The note becomes one line of visible characters without tabs.
    """
    failed = event == "kill" or (math.isnan(sharpe) and math.isnan(max_drawdown))
    figures = ["-", "-"] if failed else [f"{sharpe:.4f}", f"{0 - 100 * max_drawdown:.1f}"]
    visible = "".join(c if c.isprintable() else " " for c in note)
    return "\t".join([commit, event, name, *figures, " ".join(visible.split())])


def after(journal: Journal, texts: Iterable[str]) -> Journal:
    """
    The journal as it will be when the rows `texts` are appended, so that rules can be told before a round is written.

    A text for a commit and strategy that has a row already is left out, and so is one that is no row, such as that of
    an uncommitted strategy.
    """
    rows = list(journal.rows)
    line = rows[-1].line if rows else 1
    for line, text in enumerate(texts, line + 1):  # noqa: B020  evaluated once
        try:
            new = _row(line, text)
        except _NotARow:
            continue
        if not any(r.strategy == new.strategy and _same(r.commit, new.commit) for r in rows):
            rows.append(new)
    return Journal(tuple(rows), journal.problems)


def rounds(journal: Journal) -> tuple[Round, ...]:
    """
    Every round with the strategies that were active before it and after it.

    An active strategy without a row counts as untouched: leaving a row out does not reset its count. A forked parent
    counts as touched, whatever its own row says.
    """
    groups: list[list[Row]] = []
    for one in journal.rows:
        if groups and _same(groups[-1][-1].commit, one.commit):
            groups[-1].append(one)
        else:
            groups.append([one])
    built: list[Round] = []
    stable: dict[str, int] = {}
    for number, rows in enumerate(groups, 1):
        before = tuple(stable)
        stable = {name: count + 1 for name, count in stable.items()}
        for one in rows:
            if one.event == "kill":
                stable.pop(one.strategy, None)
            elif one.event == "stable":
                stable.setdefault(one.strategy, 1)
            else:
                stable[one.strategy] = 0
        stable |= {one.parent: 0 for one in rows if one.parent in stable}
        built.append(Round(number, rows[0].commit, tuple(rows), before, stable))
    return tuple(built)


def active(journal: Journal) -> tuple[str, ...]:
    """Strategies whose last event is not kill, oldest first."""
    return tuple(rounds(journal)[-1].stable) if journal.rows else ()


def stable_rounds(journal: Journal, name: str) -> int:
    """For how many rounds in a row, up to the last one, `name` is untouched; 0 when it is not active."""
    return rounds(journal)[-1].stable.get(name, 0) if journal.rows else 0


def suggest_event(journal: Journal, name: str, changed: bool) -> str:
    """create, evolve or stable. `changed` compares with the commit before this one; a fork looks like a create."""
    if name not in active(journal):
        return "create"
    return "evolve" if changed else "stable"


def missing(journal: Journal, evaluated: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """
    Those (commit, strategy) that were evaluated and have no row.

    Uncommitted evaluations (`abc1234+dirty`) belong to no round and need none.
    """
    commits: dict[str, list[str]] = {}
    for one in journal.rows:
        commits.setdefault(one.strategy, []).append(one.commit)
    needed = [(commit, name) for commit, name in evaluated if _COMMIT.fullmatch(commit.lower())]
    return tuple((c, name) for c, name in needed if not any(_same(c.lower(), known) for known in commits.get(name, ())))


def demands(journal: Journal, present: Iterable[str], max_stable_rounds: int) -> tuple[str, ...]:
    """
    What the rules demand of the round after the journal's last one, one line each.

    `present` are the strategies in the folder. Call it on `after(...)` to tell the agent before it writes its rows.
    """
    stable = rounds(journal)[-1].stable if journal.rows else {}
    present = tuple(present)
    gone = [f"{name}: its file is gone, so append a kill row" for name in stable if name not in present]
    new = [f"{name}: it has no row, so append create or fork" for name in present if name not in stable]
    stale = [
        f"{name}: {count} stable rounds in a row, so evolve, fork or kill it now"
        for name, count in stable.items()
        if name in present and count >= max_stable_rounds
    ]
    return (*gone, *new, *(stale or ["touch at least one strategy"]))


def violations(journal: Journal, max_stable_rounds: int, max_strategies: int) -> tuple[str, ...]:
    """Rules that the journal's rounds broke, in order, one line each. Its last round counts as finished."""
    broken: list[str] = []
    known: set[str] = set()
    for one in rounds(journal):
        known |= {r.strategy for r in one.rows}
        broken += _broken_rows(one, known)
        broken += [
            f"round {one.number} ({one.commit}): {text}"
            for text in _broken_round(one, max_stable_rounds, max_strategies)
        ]
    return tuple(broken)


def _broken_rows(one: Round, known: set[str]) -> Iterator[str]:
    seen: set[str] = set()
    for r in one.rows:
        where = f"{FILE} line {r.line}"
        if r.strategy in seen:
            yield f"{where}: {r.strategy} has two rows in the round {one.commit}. Keep one."
            continue
        seen.add(r.strategy)
        was_active = r.strategy in one.before
        if was_active and r.event in ("create", "fork"):
            yield f"{where}: {r.event} of {r.strategy}, which is already active. Use evolve or stable."
        elif not was_active and r.event not in ("create", "fork"):
            instead = "Remove the row." if r.event == "kill" else "Use create or fork."
            yield f"{where}: {r.event} of {r.strategy}, which is not active. {instead}"
        if r.parent and r.parent not in known:
            yield f"{where}: fork of {r.parent}, which no row names. Use create, or name the parent as its rows do."


def _broken_round(one: Round, max_stable_rounds: int, max_strategies: int) -> Iterator[str]:
    if all(r.event == "stable" for r in one.rows):
        yield "every event is stable. Touch at least one strategy in a round."
    for name in one.before:
        if all(r.strategy != name for r in one.rows):
            yield f"{name} is active and has no row. Write one row per strategy and round."
    if len(one.stable) > max_strategies:
        yield f"{len(one.stable)} strategies are active, at most {max_strategies} are allowed. Kill first, then create."
    for name, count in one.stable.items():
        if count > max_stable_rounds:
            yield f"{name} is stable for {count} rounds in a row, at most {max_stable_rounds} are allowed."


def _same(commit: str, other: str) -> bool:
    return commit.startswith(other) or other.startswith(commit)


def _row(line: int, text: str) -> Row:
    cells = [cell.strip() for cell in text.rstrip().split("\t")]
    if not len(COLUMNS) - 1 <= len(cells) <= len(COLUMNS):
        raise _NotARow(f"has {len(cells)} columns, not 5 or 6. Put one tab between columns and none into the note.")
    commit, event, name, sharpe, max_dd, note = (*cells, "")[: len(COLUMNS)]
    if not _COMMIT.fullmatch(commit.lower()):
        hint = " Commit, run again and copy the new row." if commit.endswith("+dirty") else ""
        raise _NotARow(f"commit {_shown(commit)} is not 7 to 40 hex digits.{hint}")
    if event not in EVENTS:
        near = get_close_matches(event.lower(), EVENTS, n=1)
        instead = f"Did you mean {near[0]!r}?" if near else f"Use {', '.join(EVENTS)}."
        raise _NotARow(f"event {_shown(event)} is unknown. {instead}")
    parent, child = _names(event, name)
    return Row(line, commit.lower(), event, child, parent, *_figures(event, sharpe, max_dd, note), note)


def _names(event: str, name: str) -> tuple[str, str]:
    """Parent (empty unless a fork) and strategy."""
    names = [part.strip() for part in _ARROW.split(name)]
    if event == "fork" and (len(names) != 2 or names[0] == names[1]):
        raise _NotARow(f"strategy_name {_shown(name)} of a fork is not parent→child.")
    if event != "fork" and len(names) > 1:
        raise _NotARow(
            f"strategy_name {_shown(name)} names a fork, but the event is {event!r}. Use 'fork' or one name."
        )
    for part in names:
        if not part.isidentifier():
            raise _NotARow(f"strategy_name {_shown(part)} is not a class name.")
    return ("", names[0]) if len(names) == 1 else (names[0], names[1])


def _figures(event: str, sharpe: str, max_dd: str, note: str) -> tuple[float, float]:
    """Sharpe, and drawdown as a positive fraction."""
    if sharpe == max_dd == "-":
        if event != "kill" and not note:
            raise _NotARow("a failed strategy has '-' twice and a note that says why it failed. Write the note.")
        return math.nan, math.nan
    if event == "kill":
        raise _NotARow(f"a kill has '-' for sharpe and max_dd, not {_shown(sharpe)} and {_shown(max_dd)}.")
    loss = _number("max_dd", max_dd)
    if loss > 0 or loss < -100:
        raise _NotARow(f"max_dd {_shown(max_dd)} is not a loss in per cent, from -100 to 0, for example -18.3.")
    return _number("sharpe", sharpe), 0 - loss / 100


def _number(column: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if math.isinf(value):
        raise _NotARow(
            f"{column} {_shown(text)} is not a number. Write a figure, nan, or '-' in both columns when it failed."
        )
    return value


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
