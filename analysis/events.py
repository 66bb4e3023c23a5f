"""Pictures of results.tsv: slots, events and notes."""

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from analysis.style import BEST, DISCARDED, FAILED, FAINT, KEPT, PLAIN, bars, canvas, color, whole, words
from analysis.timeline import Story
from arena.ledger import results_log
from arena.ledger.results_log import EVENTS, Journal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOTHING = "results.tsv has no row yet."
MOST = 20
"""Most words that are shown."""
ROWS = 30
"""Most strategies that are shown: the newest."""
COMMON = frozenset(
    "a about after all also an and any are as at be because been before both but by can did do does done down each "
    "else every for from had has have here "
    "how if in into is it its just less like made make many may mend more most much must next no nor not nothing now "
    "of off on once one only or other out "
    "over own per so some still such than that the their them then there these they this those through to too two "
    "under until up was were what when "
    "where which while who why will with within without would yet you your fail nan kept discarded discard keep "
    "killed".split()
)
"""Words that say nothing about an idea; `events` shows what was kept or discarded."""


def slots(of: Story) -> "Figure":
    """
    Draws the rounds in which each strategy was active, and how many were active at each round's end, with the cap.
    """
    rounds = results_log.rounds(of.journal)
    if not rounds:
        return words(NOTHING)
    spans = _spans(of.journal)
    names = list(dict.fromkeys(name for name, _, _ in spans))[-ROWS:]
    figure = canvas(2.2 + 0.26 * len(names))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1.2, 0.3 + 0.24 * len(names)])
    numbers = [journal_round.number for journal_round in rounds]
    above.bar(
        numbers,
        [len(journal_round.stable) for journal_round in rounds],
        width=1.0,
        color="0.8",
        edgecolor="white",
        lw=0.5,
    )
    above.axhline(of.settings.max_strategies, color=BEST, lw=1.4, ls="--")
    above.set_ylim(0, of.settings.max_strategies + 0.6)
    above.yaxis.get_major_locator().set_params(integer=True)
    above.set_ylabel("active")
    above.set_title(f"slots of {len(rounds)} rounds; dashed: the cap of {of.settings.max_strategies}", fontsize=10)
    active = results_log.active(of.journal)
    for name, first, last in spans:
        if name in names:
            tint = color(of.place(name)) if name in active else FAINT
            below.barh(names.index(name), last - first + 1, left=first - 0.5, height=0.62, color=tint)
    below.set_yticks(range(len(names)), names, fontsize=8)
    below.invert_yaxis()
    below.set_xlim(0.5, len(rounds) + 0.5)
    below.set_xlabel("round")
    whole(below)
    return figure


def _spans(written: Journal) -> list[tuple[str, int, int]]:
    """
    Returns name, first and last round of each stretch of activity, with the strategies in the order of their first
    rows.
    """
    begun: dict[str, int] = {}
    spans = []
    rounds = results_log.rounds(written)
    for journal_round in rounds:
        for name in journal_round.stable:
            begun.setdefault(name, journal_round.number)
        for name in [name for name in begun if name not in journal_round.stable]:
            spans.append((name, begun.pop(name), journal_round.number - 1))
    spans += [(name, first, len(rounds)) for name, first in begun.items()]
    order = list(dict.fromkeys(row.strategy for row in written.rows))
    return sorted(spans, key=lambda span: (order.index(span[0]), span[1]))


def events(of: Story) -> "Figure":
    """Draws the rows of results.tsv by event and outcome."""
    rows = of.journal.rows
    if not rows:
        return words(NOTHING)
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in EVENTS}
    for row in rows:
        failed = math.isnan(row.sharpe) and row.event != "kill"
        counts[row.event][
            "failed" if failed else "untouched" if row.event == "stable" else "kept" if of.held(row) else "discarded"
        ] += 1
    figure = canvas(3.1)
    axis = figure.add_subplot()
    left = [0] * len(EVENTS)
    for outcome, tint in (("kept", KEPT), ("discarded", DISCARDED), ("failed", FAILED), ("untouched", PLAIN)):
        mine = [counts[kind][outcome] for kind in EVENTS]
        bars = axis.barh(EVENTS, mine, left=left, color=tint, label=f"{outcome} ({sum(mine)})")
        axis.bar_label(bars, [str(n) if n else "" for n in mine], label_type="center", fontsize=8)
        left = [a + b for a, b in zip(left, mine, strict=True)]
    axis.invert_yaxis()
    axis.set_xlabel("rows of results.tsv")
    broken = len(of.journal.problems) + len(
        results_log.violations(of.journal, of.settings.max_stable_rounds, of.settings.max_strategies)
    )
    axis.set_title(
        f"{len(rows)} events in {len(results_log.rounds(of.journal))} rounds; {broken or 'no'} broken rows or rules",
        fontsize=10,
    )
    whole(axis)
    axis.legend(fontsize=8, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.24), frameon=False)
    return figure


def notes(of: Story) -> "Figure":
    """Draws the words that most notes contain, each counted once per note."""
    texts = [row.note for row in of.journal.rows if row.note]
    counts = Counter(word for text in texts for word in _words(text))
    if not counts:
        return words("No row of results.tsv has a note.")
    common = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST]
    figure = canvas(0.9 + 0.2 * len(common))
    axis = figure.add_subplot()
    bars(axis, [word for word, _ in common], [count for _, count in common], PLAIN)
    axis.set_xlabel(f"notes, of {len(texts)}, that hold the word")
    return figure


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"[^\W\d_]{3,}", text.lower()) if word not in COMMON}
