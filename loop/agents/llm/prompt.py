"""
Writes what a model is told before a round, cut to what it can read.

The rules are the sections of program.md that concern authors of strategies; git, commands and files are the loop's own
work here. If the prompt is too long, what is worth least goes first: the best so far, older blocks, rows but for a
summary, old learnings, explanations of the block, and last the sources of strategies that did not change in the last
round.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from arena.ledger import results_log
from arena.reports import block
from arena.settings import Settings
from arena.text import joined, printable
from loop import memory
from loop.agents.llm.client import BYTES_PER_TOKEN, Message, tokens
from loop.best_so_far import told
from loop.protocol import State, Tried

SECTIONS = (3, 5, 6, 7, 8, 9)
"""Sections of program.md: what a strategy can use, keep or discard, events and rules, the block, learnings, gaming."""
LEAST = (3, 9)
"""Sections that stay in short prompts."""
BRIEF = re.compile(
    r"^(---|strategy:|status:|sharpe:|robust_sharpe:|max_drawdown_pct:|trade_count:|gates:|verdict:|warning:|demands:| "
    r" \S+: sharpe=)"
)
"""Lines of a block that stay when there is no room for all of it."""
TEMPLATE = Path("user_data", "strategies", "_template.py.example")

ROLE = """\
You are a researcher of trading strategies. Each round you propose changes to a few FreqTrade strategies; a program commits and
evaluates them, keeps or discards them by the rules below, and shows you the result in the next round. You write no file and run no
command: your answer is all that you do. The rules come from a document for agents that use git themselves; take from it what
concerns the strategies."""

FORMAT = """\
# How to answer

Answer with one part for each strategy that changes, and nothing for the others. A part is a heading, a note, and the whole file in
one fenced block:

### evolve MeanRev
note: exit at the mean, not above it -> robust_sharpe 0.2 to 0.3, more trades
```python
(the whole file MeanRev.py, from the first line to the last, with class MeanRev(IStrategy))
```

The headings are `### create Name`, `### evolve Name`, `### fork Parent -> Child`, `### kill Name`. A kill has a note and no file.
The note is one line: hypothesis -> what you expect. Leave out no part of a file: what you send replaces it.
To rewrite learnings.md, add at the end, with its whole text:

### learnings
```markdown
(what the next researcher should know, under 200 lines)
```
"""


class PromptTooLong(Exception):
    """Not even the shortest prompt fits. `needed` is an estimate of its tokens."""

    def __init__(self, needed: int) -> None:
        super().__init__(f"{needed} tokens")
        self.needed = needed


@dataclass(frozen=True, slots=True)
class Guide:
    """The parts of the repository that every prompt may contain."""

    sections: dict[int, str]  # of program.md, with their headings
    template: str


@dataclass(frozen=True, slots=True)
class Shape:
    """How much of what is known a prompt contains. None: all of it."""

    older: int = 3  # rounds before the last one whose blocks are shown
    rows: int = 60  # of results.tsv, the newest; the rest is summarised
    learnings: int | None = None  # lines
    brief: bool = False  # only the lines of BRIEF of the last blocks
    sections: tuple[int, ...] = SECTIONS
    template: bool = True
    untouched: bool = True  # sources of strategies that did not change in the last round
    population: bool = False  # the best so far, with their sources


SHAPES = (
    Shape(population=True),
    Shape(),
    Shape(older=2),
    Shape(older=1),
    Shape(older=0),
    Shape(older=0, rows=30),
    Shape(older=0, rows=12, learnings=100),
    Shape(older=0, rows=12, learnings=50, sections=(3, 5, 6, 8, 9)),
    Shape(older=0, rows=6, learnings=30, sections=LEAST, brief=True),
    Shape(older=0, rows=3, learnings=15, sections=LEAST, brief=True, template=False),
    Shape(older=0, rows=3, learnings=15, sections=(3,), brief=True, template=False),
    Shape(older=0, rows=0, learnings=8, sections=(3,), brief=True, template=False, untouched=False),
    Shape(older=0, rows=0, learnings=0, sections=(), brief=True, template=False, untouched=False),
)
"""From the fullest prompt to the shortest that makes sense."""


def guide(root: Path) -> Guide:
    """Returns the rules and the template of the repository at `root`. Raises OSError when a file is missing."""
    parts = re.split(r"^(?=## \d+\. )", (root / "program.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    sections = {int(match[1]): part.strip() for part in parts if (match := re.match(r"## (\d+)\. ", part))}
    if missing := [number for number in SECTIONS if number not in sections]:
        raise OSError(
            f"program.md has no section {missing[0]}; the prompt is made of sections {', '.join(map(str, SECTIONS))}"
        )
    return Guide(sections, (root / TEMPLATE).read_text(encoding="utf-8"))


def fitted(state: State, known: Guide, room: int) -> tuple[list[Message], Shape]:
    """
    Returns the fullest prompt of at most `room` tokens, and its shape. Raises PromptTooLong.

    Tokens are estimated from the length; see `loop.agents.llm.client.tokens`.
    """
    needed = 0
    for shape in SHAPES:
        messages = _messages(state, known, shape)
        needed = sum(tokens(message["content"]) for message in messages)
        if needed <= room:
            return messages, shape
    raise PromptTooLong(needed)


def _messages(state: State, guide: Guide, shape: Shape) -> list[Message]:
    rules = [guide.sections[number] for number in shape.sections]
    system = [ROLE, _arena(state.settings), *rules, FORMAT]
    if shape.template:
        system.insert(-1, f"# The template\n\n{_fence(guide.template, 'python')}")
    return [
        {"role": "system", "content": "\n\n".join(system)},
        {"role": "user", "content": "\n\n".join(part for part in _situation(state, shape) if part)},
    ]


def _situation(state: State, shape: Shape) -> Iterator[str]:
    """Yields what is known before this round, and last what the round asks for."""
    yield f"# Round {state.round}"
    if state.brief.strip():
        yield f"What the person wants:\n{state.brief.strip()}"
    yield _learnings(state.learnings, shape.learnings)
    yield _rows(state.rows, shape.rows)
    if shape.population and state.population:
        yield (
            f"# The best so far\n\nBy evidence, whether they are active or not. Learn from them; fork one, or "
            f"create "
            f"it again.\n\n{told(state.population, state.active)}"
        )
    yield from _older(state, shape.older)
    if state.blocks.strip():
        blocks = _brief(state.blocks) if shape.brief else state.blocks.strip()
        yield f"# The last round's blocks\n\n{_fence(blocks)}"
    yield from _sources(state, shape)
    yield _asked(state, shape)


def _arena(settings: Settings) -> str:
    """Returns config.json as far as a strategy depends on it."""
    windows = ", ".join(f"{w.name} {w.start:%Y-%m-%d} to {w.end:%Y-%m-%d}" for w in settings.windows)
    limits = settings.gates.model_dump()
    return "\n".join(
        [
            "# The arena",
            "",
            f"pairs: {', '.join(settings.pairs)}",
            f"timeframe: {settings.timeframe}; informative: {joined(settings.informative_timeframes)}",
            f"slots: {settings.max_open_trades}; wallet: {settings.wallet:g} {settings.stake_currency}; fee: "
            f"{100 * settings.fee:g} % a fill",
            f"windows: {windows}",
            f"gates: {', '.join(f'{name}={value:g}' for name, value in limits.items())}",
            f"at most {settings.max_strategies} strategies; at most {settings.max_stable_rounds} stable rounds in "
            f"a row",
        ]
    )


def _learnings(text: str, most: int | None) -> str:
    if not text.strip() or most == 0:
        return ""
    lines = text.strip().split("\n")
    if most is not None and _is_cut(text, most):
        lines = [*lines[:most], f"({len(lines) - most} more lines are left out)"]
    return "# learnings.md\n\n" + _fence("\n".join(lines), "markdown")


def _is_cut(text: str, most: int | None) -> bool:
    """Whether a prompt leaves out lines of learnings.md: a model that does not see all of it cannot rewrite it."""
    return most is not None and len(text.strip().split("\n")) > most


def _rows(text: str, most: int) -> str:
    """Returns the newest rows of results.tsv as they are, and the others by strategy with their best figure."""
    journal = results_log.parse(text.encode("utf-8", "replace"))
    if not journal.rows:
        return ""
    lines = text.replace("\r\n", "\n").split("\n")
    newest = journal.rows[-most:] if most else ()
    older = journal.rows[: len(journal.rows) - len(newest)]
    parts = ["# results.tsv", ""]
    if older:
        parts += [f"{len(older)} older rows, by strategy:", *_summary(older), ""]
    if newest:
        parts.append(_fence("\n".join([results_log.HEADER, *(lines[row.line - 1].rstrip() for row in newest)])))
    return "\n".join(parts).rstrip()


def _summary(rows: tuple[results_log.Row, ...], most: int = 15) -> list[str]:
    """Returns a line for each of the strategies that were touched last."""
    by_name: dict[str, list[results_log.Row]] = {}
    for row in rows:
        by_name[row.strategy] = [*by_name.pop(row.strategy, []), row]
    lines = []
    for name, strategy_rows in list(by_name.items())[-most:]:
        events = Counter(row.event for row in strategy_rows)
        figures = [row.sharpe for row in strategy_rows if row.sharpe == row.sharpe]
        best = f"best sharpe {max(figures):.2f}" if figures else "no figure"
        note = next((row.note for row in reversed(strategy_rows) if row.note), "")
        counted = ", ".join(f"{count} {event}" for event, count in events.items())
        lines.append(f"- {name}: {counted}; {best}" + (f"; last: {printable(note, 120)}" if note else ""))
    return [f"- {len(by_name) - most} other strategies", *lines] if len(by_name) > most else lines


def _older(state: State, most: int) -> Iterator[str]:
    """Yields blocks of the rounds before the last one, shortened, oldest first."""
    rounds = sorted({tried.round for tried in state.history})[:-1]
    for number in rounds[-most:] if most else []:
        blocks = [
            _brief(_block(tried)) for tried in state.history if tried.round == number and tried.result is not None
        ]
        if blocks:
            yield f"# Blocks of round {number}\n\n" + _fence("\n".join(blocks))


def _block(tried: Tried) -> str:
    result = tried.result
    assert result is not None
    name = f"{tried.parent}→{tried.strategy}" if tried.event == "fork" else tried.strategy
    note = f"{tried.note}{' -> kept' if tried.kept else ' -> discarded'}"
    return block.block(
        result, results_log.row(result.commit, tried.event, name, result.own.sharpe, result.own.max_drawdown, note)
    )


def _brief(blocks: str) -> str:
    return "\n".join(line for line in blocks.split("\n") if BRIEF.match(line))


def _sources(state: State, shape: Shape) -> Iterator[str]:
    """Yields the files as they are; without room, only the docstrings of resting strategies that no demand names."""
    if not state.active:
        return
    yield "# The strategies as they are now"
    last = max((tried.round for tried in state.history), default=0)
    changed = {tried.strategy for tried in state.history if tried.round == last and tried.event != "stable"}
    changed |= {name for name in state.active if any(line.startswith(f"{name}:") for line in state.demands)}
    for name, source in state.active.items():
        if shape.untouched or name in changed:
            yield f"{name}.py:\n{_fence(source, 'python')}"
        else:
            docs = (
                source.strip().split('"""')[1].strip()
                if source.strip().startswith('"""') and source.count('"""') > 1
                else "no docstring"
            )
            yield (
                f"{name}.py, {len(source.splitlines())} lines, left out for want of room; do not evolve it now. Its "
                f"docstring:\n{_fence(docs[:600])}"
            )


def _asked(state: State, shape: Shape) -> str:
    """Returns what this round has to do. It stands last, where small models still remember it."""
    free = state.settings.max_strategies - len(state.active)
    lines = ["# This round", ""]
    lines += [f"active: {joined(state.active)}; {free} of {state.settings.max_strategies} slots free"]
    lines += [f"demand: {line}" for line in state.demands]
    lines += [
        f"idea from the person, take it up soon and begin the note with `nudge:`: {line}" for line in state.nudges
    ]
    if state.plateau:
        lines.append(
            "plateau: five rounds without a kept gain. Kill the strategy with the least left to learn, and create one "
            "of another paradigm."
        )
    if (over := memory.oversize(state.learnings)) and not _is_cut(state.learnings, shape.learnings):
        lines.append(
            f"learnings.md is too long ({over}): rewrite it shorter in this answer, under `### learnings`. Merge, "
            f"correct, delete; keep what holds."
        )
    if state.problems:
        lines += ["your last answer was refused:", *(f"- {problem}" for problem in state.problems)]
    lines += [
        "",
        "Form one hypothesis, change one thing, and answer in the format above: headings, notes, whole files.",
    ]
    return "\n".join(lines)


def _fence(text: str, language: str = "") -> str:
    """Returns the text in a fence longer than any in it."""
    longest = max((len(run) for run in re.findall(r"^\s*(`{3,})", text, re.MULTILINE)), default=2)
    mark = "`" * (longest + 1)
    return f"{mark}{language}\n{text.strip(chr(10))}\n{mark}"


def clipped(message: Message, most: int) -> Message:
    """Returns the message with about `most` tokens at most; the rest is left out of its middle."""
    data = message["content"].encode("utf-8", "replace")
    half = max(most, 16) * BYTES_PER_TOKEN // 2
    if len(data) <= 2 * half:
        return message
    head, tail = (part.decode("utf-8", "ignore") for part in (data[:half], data[-half:]))
    return {**message, "content": f"{head}\n[… left out …]\n{tail}"}
