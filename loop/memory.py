"""
What is carried from round to round besides the ledger: learnings, nudges, the plateau. Pure functions of texts and
rounds.
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
"""Words of a nudge by which a note takes it up."""
MAX_LINES = 200
"""Of learnings.md, by program.md."""
MAX_CHARS = 40_000
"""Of learnings.md: 200 lines of 200 characters."""
SPARE = 20
"""
Lines over MAX_LINES that an agent that reads is given, to rewrite learnings.md itself; then the rule is used for it
too.
"""
FOLDED = "older rounds, discarded:"
_ROUND = re.compile(r"- round (\d+), (kept|discarded): (.*)")
_FOLD = re.compile(rf"- {FOLDED} (\d+)(?: \((.*)\))?")


def taken_up(nudge: str) -> str:
    """What a note says when it takes the nudge up."""
    return f"nudge: {' '.join(printable(nudge).split()[:FIRST_WORDS])}"


def nudges(text: str, written: Journal) -> tuple[str, ...]:
    """Lines of nudges.md that no note in results.tsv has taken up yet; blank lines and headings are none."""
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
    """Whether the last PLATEAU rounds were played without a kept gain; skipped ones do not count."""
    played = [one for one in rounds if one.step == "settled"][-PLATEAU:]
    return len(played) == PLATEAU and not any(one.kept and one.gain for one in played)


def oversize(text: str) -> str:
    """How learnings.md exceeds its size, in words; empty when it does not."""
    lines = len(text.splitlines())
    over = [f"{lines} lines, at most {MAX_LINES}"] if lines > MAX_LINES else []
    over += [f"{len(text)} characters, at most {MAX_CHARS}"] if len(text) > MAX_CHARS else []
    return "; ".join(over)


def learned(text: str, one: Round, spare: int = 0) -> str:
    """
    learnings.md after a round whose agent wrote none: a line of what happened, and by rule no more than MAX_LINES and
    MAX_CHARS. With `spare` lines the rule waits for an agent that was asked to rewrite it, and that is as long for the
    characters.
    """
    told = "; ".join(f"{tried.event} {tried.strategy}: {tried.note}" for tried in one.tried if tried.event != "stable")
    line = f"- round {one.number}, {'kept' if one.kept else 'discarded'}: {printable(told, 600)}"
    if any(known == line for known in text.splitlines()):
        return text
    longer = "\n".join([*text.rstrip().splitlines(), line]) + "\n"
    if len(longer.splitlines()) <= MAX_LINES + spare and len(longer) <= MAX_CHARS * (MAX_LINES + spare) // MAX_LINES:
        return longer
    return shortened(longer)


def shortened(text: str, chars: int = MAX_CHARS) -> str:
    """
    `compacted`, and then to three quarters of its lines again and again, until it has no more than `chars` or only
    lines of others.
    """
    text = compacted(text)
    while len(text) > chars and (less := compacted(text, 3 * len(text.splitlines()) // 4)) != text:
        text = less
    return text


def compacted(text: str, most: int = MAX_LINES) -> str:
    """
    No more than `most` lines, where that can be had from what the loop wrote: the older half of the discarded rounds
    becomes one line that counts them by event and strategy; then the oldest kept ones go. Lines of anybody else stay as
    they are.
    """
    lines = text.splitlines()
    if len(lines) <= most:
        return text
    discarded = [k for k, line in enumerate(lines) if (found := _ROUND.fullmatch(line)) and found[2] == "discarded"]
    fold = discarded[: max(len(discarded) // 2, len(lines) + 1 - most)]
    counts: Counter[str] = Counter()
    total = len(fold)
    for k, line in enumerate(lines):
        if known := _FOLD.fullmatch(line):
            total += int(known[1])
            counts.update(
                {name: int(n) for name, _, n in (part.rpartition(" ") for part in (known[2] or "").split(", ") if part)}
            )
            fold.append(k)
    for k in fold:
        if found := _ROUND.fullmatch(lines[k]):
            counts.update(" ".join(part.split(":")[0].split()[:2]) for part in found[3].split("; ")[:1])
    kept = [line for k, line in enumerate(lines) if k not in set(fold)]
    rounds = [k for k, line in enumerate(kept) if _ROUND.fullmatch(line)]
    over = len(kept) + bool(total) - most
    gone = set(rounds[:over]) if over > 0 else set()
    told = ", ".join(f"{name} {n}" for name, n in counts.most_common(8))
    head = [f"- {FOLDED} {total}" + (f" ({told})" if told else "")] if total else []
    at = next((k for k, line in enumerate(kept) if _ROUND.fullmatch(line)), len(kept))
    return "\n".join([*kept[:at], *head, *(line for k, line in enumerate(kept[at:], at) if k not in gone)]) + "\n"
