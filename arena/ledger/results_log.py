"""
Reads results.tsv, the agent's event log: one row per strategy and round. Never writes it.

The file belongs to the agent, so its content raises no error: a line that is no row becomes a problem, a row that
breaks a rule a violation. Both are one line that says where, what, and what to do instead. A round is a maximal run of
consecutive rows with the same commit, in any order. Not covered: whether a row's figures are those that run.py printed
(the ledger has them), and what a rewritten file said before.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """One event of one strategy. Figures are nan for a kill, for a failed strategy and where undefined."""

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
    """The rows of results.tsv in their order, and what could not be read."""

    rows: tuple[Row, ...] = ()
    problems: tuple[str, ...] = ()  # one line each


@dataclass(frozen=True, slots=True)
class Round:
    number: int  # from 1
    commit: str
    rows: tuple[Row, ...]
    before: tuple[str, ...]  # active strategies when the round began
    # active strategies at its end, each with the number of consecutive rounds in which it was untouched
    stable: Mapping[str, int]


class _NotARow(Exception):
    """Says why a line is no row, and what to write instead."""


def read(path: str | Path = FILE) -> Journal:
    """The journal at `path`; empty when there is no file. Never raises: an unreadable file becomes a problem."""
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
            if first and COLUMNS[1] in text.split()[:2]:
                continue
            if (n := text.rstrip().count("\t") + 1) > len(COLUMNS):  # a tab in the note: the row can be read
                problems.append(f"{FILE} line {number}: {_column_count(n)}")
            rows.append(_row(number, text))
        except UnicodeDecodeError:
            problems.append(f"{FILE} line {number}: is not UTF-8. Write the row again.")
        except _NotARow as error:
            unfinished = " The file ends inside this line; write the row again." if number == len(lines) else ""
            problems.append(f"{FILE} line {number}: {error}{unfinished}")
    return Journal(tuple(rows), tuple(problems))


def row(commit: str, event: str, name: str, sharpe: float, max_drawdown: float, note: str = "") -> str:
    """
    A row in the format of results.tsv, without a newline.

    `max_drawdown` is a positive fraction and becomes per cent below zero. Both figures are `-` for a kill and for a
    failed strategy, which is one that has neither. The note becomes one line of visible characters without tabs.
    """
    failed = event == "kill" or (math.isnan(sharpe) and math.isnan(max_drawdown))
    figures = ["-", "-"] if failed else [f"{sharpe:.4f}", f"{0 - 100 * max_drawdown:.1f}"]
    visible = "".join(character if character.isprintable() else " " for character in note)
    return "\t".join([commit, event, name, *figures, " ".join(visible.split())])


def after(journal: Journal, texts: Iterable[str]) -> Journal:
    """
    The journal as it will be after the rows `texts` are appended, so that we can show the rules before a round is
    written.

    We skip a text for a commit and strategy that already has a row, and a text that is no row, such as that of an
    uncommitted strategy.
    """
    rows = list(journal.rows)
    line = rows[-1].line if rows else 1
    for line, text in enumerate(texts, line + 1):  # noqa: B020  evaluated once
        try:
            new = _row(line, text)
        except _NotARow:
            continue
        if not any(earlier.strategy == new.strategy and _same(earlier.commit, new.commit) for earlier in rows):
            rows.append(new)
    return Journal(tuple(rows), journal.problems)


def rounds(journal: Journal) -> tuple[Round, ...]:
    """
    All rounds, each with the strategies that were active before and after it.

    An active strategy without a row counts as untouched: a missing row does not reset its count. A forked parent counts
    as touched, whatever its own row says.
    """
    groups: list[list[Row]] = []
    for row in journal.rows:
        if groups and _same(groups[-1][-1].commit, row.commit):
            groups[-1].append(row)
        else:
            groups.append([row])
    built: list[Round] = []
    stable: dict[str, int] = {}
    for number, rows in enumerate(groups, 1):
        before = tuple(stable)
        stable = {name: count + 1 for name, count in stable.items()}
        for row in rows:
            if row.event == "kill":
                stable.pop(row.strategy, None)
            elif row.event == "stable":
                stable.setdefault(row.strategy, 1)
            else:
                stable[row.strategy] = 0
        stable |= {row.parent: 0 for row in rows if row.parent in stable}
        built.append(Round(number, rows[0].commit, tuple(rows), before, stable))
    return tuple(built)


def active(journal: Journal) -> tuple[str, ...]:
    """Strategies whose last event is not kill, oldest first."""
    return tuple(rounds(journal)[-1].stable) if journal.rows else ()


def stable_rounds(journal: Journal, name: str) -> int:
    """In how many consecutive rounds, up to the last one, `name` was untouched; 0 when it is not active."""
    return rounds(journal)[-1].stable.get(name, 0) if journal.rows else 0


def suggest_event(journal: Journal, name: str, changed: bool) -> str:
    """
    create, evolve or stable. `changed`: whether the file differs from the previous commit. A fork looks like a create.
    """
    if name not in active(journal):
        return "create"
    return "evolve" if changed else "stable"


def missing(journal: Journal, evaluated: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """
    The (commit, strategy) pairs that were evaluated and have no row.

    Uncommitted evaluations (`abc1234+dirty`) belong to no round and need no row.
    """
    commits: dict[str, list[str]] = {}
    for row in journal.rows:
        commits.setdefault(row.strategy, []).append(row.commit)
    needed = [(commit, name) for commit, name in evaluated if _COMMIT.fullmatch(commit.lower())]
    return tuple(
        (c, name) for c, name in needed if not any(_same(c.lower(), logged) for logged in commits.get(name, ()))
    )


def begun(journal: Journal, evaluated: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """
    The (commit, strategy) pairs from the first one on that has a row: earlier ones belong to an earlier results.tsv.
    None while there is no row.
    """
    for k, (commit, name) in enumerate(evaluated):
        if any(row.strategy == name and _same(commit.lower(), row.commit) for row in journal.rows):
            return evaluated[k:]
    return ()


def demands(journal: Journal, present: Iterable[str], max_stable_rounds: int) -> tuple[str, ...]:
    """
    What the rules require of the round after the journal's last one, one line each.

    `present` are the strategies in the folder. Call it with `after(...)` to inform the agent before it writes its rows.
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
    """Rules that the journal's rounds broke, in order, one line each. The last round counts as finished."""
    broken: list[str] = []
    named: set[str] = set()
    for round_ in rounds(journal):
        named |= {row.strategy for row in round_.rows}
        broken += _broken_rows(round_, named)
        broken += [
            f"round {round_.number} ({round_.commit}): {text}"
            for text in _broken_round(round_, max_stable_rounds, max_strategies)
        ]
    return tuple(broken)


def _broken_rows(round_: Round, named: set[str]) -> Iterator[str]:
    seen: set[str] = set()
    for row in round_.rows:
        where = f"{FILE} line {row.line}"
        if row.strategy in seen:
            yield f"{where}: {row.strategy} has two rows in the round {round_.commit}. Keep one."
            continue
        seen.add(row.strategy)
        was_active = row.strategy in round_.before
        if was_active and row.event in ("create", "fork"):
            yield f"{where}: {row.event} of {row.strategy}, which is already active. Use evolve or stable."
        elif not was_active and row.event not in ("create", "fork"):
            instead = "Remove the row." if row.event == "kill" else "Use create or fork."
            yield f"{where}: {row.event} of {row.strategy}, which is not active. {instead}"
        if row.parent and row.parent not in named:
            yield f"{where}: fork of {row.parent}, which no row names. Use create, or name the parent as its rows do."


def _broken_round(round_: Round, max_stable_rounds: int, max_strategies: int) -> Iterator[str]:
    if all(row.event == "stable" for row in round_.rows):
        yield "every event is stable. Touch at least one strategy in a round."
    for name in round_.before:
        if all(row.strategy != name for row in round_.rows):
            yield f"{name} is active and has no row. Write one row per strategy and round."
    if len(round_.stable) > max_strategies:
        yield (
            f"{len(round_.stable)} strategies are active, at most {max_strategies} are allowed. "
            f"Kill first, then create."
        )
    for name, count in round_.stable.items():
        if count > max_stable_rounds:
            yield f"{name} is stable for {count} rounds in a row, at most {max_stable_rounds} are allowed."


def _same(commit: str, other: str) -> bool:
    return commit.startswith(other) or other.startswith(commit)


def _row(line: int, text: str) -> Row:
    cells = [cell.strip() for cell in text.rstrip().split("\t")]
    if len(cells) < len(COLUMNS) - 1:
        raise _NotARow(_column_count(len(cells)))
    commit, event, name, sharpe, max_dd, *notes = cells
    note = " ".join(notes)
    if not _COMMIT.fullmatch(commit.lower()):
        hint = " Commit, run again and copy the new row." if commit.endswith("+dirty") else ""
        raise _NotARow(f"commit {_shown(commit)} is not 7 to 40 hex digits.{hint}")
    if event not in EVENTS:
        similar = get_close_matches(event.lower(), EVENTS, n=1)
        instead = f"Did you mean {similar[0]!r}?" if similar else f"Use {', '.join(EVENTS)}."
        raise _NotARow(f"event {_shown(event)} is unknown. {instead}")
    parent, child = _names(event, name)
    return Row(line, commit.lower(), event, child, parent, *_figures(event, sharpe, max_dd, note), note)


def _column_count(n: int) -> str:
    return f"has {n} columns, not 5 or 6. Put one tab between columns and none into the note."


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
