"""Drafts a version's retrospective: fills the headings that data can fill and marks the others for the author. Pure."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from arena.ledger.results_log import Journal
from arena.ledger.store import Trial

MARK = "[to be written]"
NOTES = 12
"""Most notes that are quoted: the newest."""


def text(meta: dict[str, Any], trials: Iterable[Trial], written: Journal) -> str:
    """
    Returns the draft as Markdown.

    Parameters
    ----------
    meta : dict
        What meta.yaml says.
    trials : iterable of Trial
        Distinct sources, oldest first.
    written : Journal
        results.tsv.
    """
    sources = list(trials)
    parts = [
        f"# Version {meta['version']}: "
        f"retrospective", _what(meta), f"{MARK} In three sentences: what was asked, what came out, what to believe.",
        "## What was tried", _tried(sources, written), f"{MARK} Which families, why these, and which were left out.",
        "## What survived", _survived(meta), f"{MARK} What each of them lives from, in words, and why it should go on.",
        "## How far luck alone would come", _luck(meta), "## Search, validation, holdout", _shrinkage(meta),
        f"{MARK} What the shrinkage says.", "## What the gates caught", _caught(sources),
        f"{MARK} Which of these were honest accidents, and what they taught.", "## Notes of the run", _notes(written),
        "## What the arena did well and "
        "badly", f"{MARK} Unclear words, slow or confusing output, rules that made no sense, crashes.",
        "## Known limits", "\n".join(f"- {limit}" for limit in meta["limits"]), "## What next", f"{MARK} The next "
                                                                                                f"three "
                                                                                                f"experiments, "
                                                                                                f"and "
                                                                                                f"what "
                                                                                                f"would "
                                                                                                f"refute "
                                                                                                f"them.",
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _what(meta: dict[str, Any]) -> str:
    arena, counts, dates = meta["arena"], meta["counts"], meta["dates"]
    return (
        f"{len(arena['pairs'])} pairs at {arena['timeframe']} from {arena['source']}, fee {arena['fee']:g}, "
        f"{arena['slots']} slots; search {dates['search']}, "
        f"validation {dates['validation'] or 'none'}, holdout {dates['holdout'] or 'none'}. {counts['trials']} trials "
        f"in {counts['rounds']} rounds, "
        f"{counts['failed']} of them failed; {counts['validation_looks']} answers of the validation window. Contract "
        f"{meta['contract']['hash'][:8]}."
    )


def _tried(sources: list[Trial], written: Journal) -> str:
    by_name: dict[str, list[Trial]] = defaultdict(list)
    for trial in sources:
        by_name[trial.strategy].append(trial)
    events = {name: Counter(row.event for row in written.rows if row.strategy == name) for name in by_name}
    rows = []
    for name, mine in by_name.items():
        best = max(
            (value for t in mine if not math.isnan(value := json.loads(t.result)["own"]["sharpe"])), default=math.nan
        )
        counted = ", ".join(f"{event} {n}" for event, n in events[name].items()) or "no row"
        rows.append((name, str(len(mine)), str(sum(bool(t.error_kind) for t in mine)), _number(best), counted))
    return _table(("strategy", "sources", "failed", "best Sharpe in the search", "rows of results.tsv"), rows)


def _survived(meta: dict[str, Any]) -> str:
    rows = [
        (
            strategy["strategy"], strategy["commit"], strategy["verdict"], _cell(strategy["why"]),
            _cell(strategy["search_verdict"]),
        )
        for strategy in meta["strategies"]
    ]  # fmt: skip
    return _table(("strategy", "commit", "holdout", "why", "verdict in the search"), rows)


def _luck(meta: dict[str, Any]) -> str:
    peak = meta["peak"]
    if peak["luck_line"] is None:
        return "The luck line is undefined: it needs two trials."
    best = peak["sharpe_of_kept"]
    sentence = f"The best that was kept, {best['strategy']}, has {best['value']:.2f}." if best else "Nothing was kept."
    return (
        f"The best of {meta['counts']['trials']} trials, which amount to {peak['effective_trials']:.1f} independent "
        f"ones, would show a Sharpe of "
        f"{peak['luck_line']:.2f} without any skill. {sentence}"
    )


def _shrinkage(meta: dict[str, Any]) -> str:
    rows = []
    for strategy in meta["strategies"]:
        for name in ("search", "validation", "holdout"):
            part = strategy[name]
            if part:
                holding = f"{_number(part['hold_sharpe'])} ({_percent(part['hold_profit'])})"
                rows.append(
                    (
                        strategy["strategy"],
                        name,
                        str(part["days"]),
                        _number(part["sharpe"]),
                        _percent(part["profit"]),
                        _percent(part["max_drawdown"]),
                        holding,
                    )
                )
    table = _table(("strategy", "range", "days", "Sharpe", "profit", "max drawdown", "buy and hold"), rows)
    bounds = [
        f"{strategy['strategy']}: 95 % interval of the holdout's Sharpe {_number(strategy['low'])} to "
        f"{_number(strategy['high'])}; its power was {_number(strategy['power'])}."
        for strategy in meta["strategies"]
        if strategy["holdout"]
    ]
    return "\n\n".join([table, *bounds])


def _caught(sources: list[Trial]) -> str:
    failed: Counter[str] = Counter()
    for trial in sources:
        if trial.error_kind:
            failed[trial.error_kind] += 1
        failed.update(
            gate["gate"] for gate in json.loads(trial.result)["gates"] if gate["applies"] and not gate["passed"]
        )
    return _table(("gate, or kind of failure", "trials"), [(name, str(n)) for name, n in failed.most_common()])


def _notes(written: Journal) -> str:
    kept = [row for row in written.rows if row.note and row.event != "stable"][-NOTES:]
    return "\n".join(f"- `{row.commit}` {row.event} {row.strategy}: {row.note}" for row in kept) or "There are none."


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return "There is nothing to show."
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows))


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


def _number(value: float | None) -> str:
    return "undefined" if value is None or math.isnan(value) else f"{value:.2f}"


def _percent(fraction: float | None) -> str:
    return "undefined" if fraction is None or math.isnan(fraction) else f"{100 * fraction:.1f} %"
