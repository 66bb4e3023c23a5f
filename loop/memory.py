"""
What passes from round to round besides the ledger: learnings, nudges, the plateau. Pure functions of texts and rounds.
"""

import re
from collections import Counter
from collections.abc import Sequence

from arena.ledger.results_log import Journal
from arena.text import printable
from loop.run_log import Round

PLATEAU = 5
"""Rounds in a row without a kept gain."""
FIRST_WORDS = 4
"""First words of a nudge by which a note takes it up."""
MAX_LINES = 200
"""Most lines of learnings.md, by program.md."""
MAX_CHARS = 40_000
"""Most characters of learnings.md: 200 lines of 200 characters."""
SPARE = 20
"""
Lines over MAX_LINES that an agent that reads may have to rewrite learnings.md itself; beyond them the loop shortens it.
"""
FOLDED = "older rounds, discarded:"
_ROUND = re.compile(r"- round (\d+), (kept|discarded): (.*)")
_FOLD = re.compile(rf"- {FOLDED} (\d+)(?: \((.*)\))?")


def taken_up(nudge: str) -> str:
    """Returns what a note says when it takes the nudge up."""
    return f"nudge: {' '.join(printable(nudge).split()[:FIRST_WORDS])}"


def nudges(text: str, written: Journal) -> tuple[str, ...]:
    """Returns lines of nudges.md that no note in results.tsv has taken up; blank lines and headings are not nudges."""
    notes = "\n".join(_plain(row.note) for row in written.rows)
    lines = [line.strip().removeprefix("- ") for line in text.splitlines()]
    return tuple(
        dict.fromkeys(
            line for line in lines if line and not line.startswith("#") and _plain(taken_up(line)) not in notes
        )
    )


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def plateau(rounds: Sequence[Round]) -> bool:
    """Whether the last PLATEAU played rounds had no kept gain; skipped rounds do not count."""
    played = [round_ for round_ in rounds if round_.step == "settled"][-PLATEAU:]
    return len(played) == PLATEAU and not any(round_.kept and round_.gain for round_ in played)


def oversize(text: str) -> str:
    """Says how learnings.md exceeds its size; empty if it does not."""
    lines = len(text.splitlines())
    over = [f"{lines} lines, at most {MAX_LINES}"] if lines > MAX_LINES else []
    over += [f"{len(text)} characters, at most {MAX_CHARS}"] if len(text) > MAX_CHARS else []
    return "; ".join(over)


def learned(text: str, one: Round, spare: int = 0) -> str:
    """
    Returns learnings.md after a round whose agent wrote none: with a line about the round, and shortened to MAX_LINES
    and MAX_CHARS. An agent that was asked to rewrite it may have `spare` lines more, and characters in proportion.
    """
    events = "; ".join(
        f"{tried.event} {tried.strategy}: {tried.note}" for tried in one.tried if tried.event != "stable"
    )
    line = f"- round {one.number}, {'kept' if one.kept else 'discarded'}: {printable(events, 600)}"
    if any(existing == line for existing in text.splitlines()):
        return text
    longer = "\n".join([*text.rstrip().splitlines(), line]) + "\n"
    if len(longer.splitlines()) <= MAX_LINES + spare and len(longer) <= MAX_CHARS * (MAX_LINES + spare) // MAX_LINES:
        return longer
    return shortened(longer)


def shortened(text: str, chars: int = MAX_CHARS) -> str:
    """
    Applies `compacted`, then again to three quarters of the lines, until `chars` remain at most or only others' lines.
    """
    text = compacted(text)
    while len(text) > chars and (less := compacted(text, 3 * len(text.splitlines()) // 4)) != text:
        text = less
    return text


def compacted(text: str, most: int = MAX_LINES) -> str:
    """
    Returns at most `most` lines, as far as shortening the loop's own lines allows. The older half of the discarded
    rounds becomes one line that counts them by event and strategy; then the oldest kept rounds go. Lines by others stay
    as they are.
    """
    lines = text.splitlines()
    if len(lines) <= most:
        return text
    discarded = [k for k, line in enumerate(lines) if (match := _ROUND.fullmatch(line)) and match[2] == "discarded"]
    fold = discarded[: max(len(discarded) // 2, len(lines) + 1 - most)]
    counts: Counter[str] = Counter()
    total = len(fold)
    for k, line in enumerate(lines):
        if fold_match := _FOLD.fullmatch(line):
            total += int(fold_match[1])
            counts.update(
                {
                    name: int(n)
                    for name, _, n in (part.rpartition(" ") for part in (fold_match[2] or "").split(", ") if part)
                }
            )
            fold.append(k)
    for k in fold:
        if match := _ROUND.fullmatch(lines[k]):
            counts.update(" ".join(part.split(":")[0].split()[:2]) for part in match[3].split("; ")[:1])
    kept = [line for k, line in enumerate(lines) if k not in set(fold)]
    rounds = [k for k, line in enumerate(kept) if _ROUND.fullmatch(line)]
    over = len(kept) + bool(total) - most
    dropped = set(rounds[:over]) if over > 0 else set()
    counts_text = ", ".join(f"{name} {n}" for name, n in counts.most_common(8))
    head = [f"- {FOLDED} {total}" + (f" ({counts_text})" if counts_text else "")] if total else []
    at = next((k for k, line in enumerate(kept) if _ROUND.fullmatch(line)), len(kept))
    return "\n".join([*kept[:at], *head, *(line for k, line in enumerate(kept[at:], at) if k not in dropped)]) + "\n"
