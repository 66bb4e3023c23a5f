"""
Turns an answer into a proposal: every draft becomes a Change, or a line that says what is wrong and what to do instead.

This module is strict where `answer` is tolerant. `arena.ledger.strategy_files.examine` says what a file must be, as it
does when run.py evaluates it.
"""

from dataclasses import dataclass

from arena.errors import LoadError
from arena.ledger import results_log, strategy_files
from arena.settings import Settings
from loop import memory, proposal_rules
from loop.agents.llm.answer import Answer
from loop.agents.source_text import Draft, imported, renamed, strategies_in
from loop.protocol import Change, Proposal, State


@dataclass(frozen=True, slots=True)
class Settled:
    changes: tuple[Change, ...]
    learnings: str | None
    problems: tuple[str, ...]  # one line each; empty: the changes can be made


def settle(answer: Answer, state: State) -> Settled:
    """Returns what an answer changes in this round. If there are problems, only they can be used."""
    problems = list(answer.problems)
    changes: list[Change] = []
    for draft in answer.drafts:
        if _is_idle(draft, answer, state):
            continue
        try:
            change = _change(draft, state)
        except LoadError as error:
            problems.append(_where(draft, error))
            continue
        if change is not None:
            changes.append(change)
    if not problems:
        problems += _together(changes, state)
    return Settled(tuple(changes), _learnings(answer, state, problems), tuple(problems))


def _is_idle(draft: Draft, answer: Answer, state: State) -> bool:
    """Whether a heading is prose, such as `### New idea`: it has no code, names no strategy, and others have code."""
    return (
        not draft.source
        and draft.name not in state.active
        and "." not in draft.name
        and any(other.source for other in answer.drafts)
    )


def _change(draft: Draft, state: State) -> Change | None:
    """Returns one draft as a change; None if it changes nothing. Raises LoadError for what is wrong with it."""
    name = _known(draft, state)
    if draft.event == "kill":
        if name not in state.active:
            raise LoadError(f"there is no strategy {name!r} to kill. Active: {_names(state)}")
        return Change("kill", name, note=draft.note)
    if not draft.source:
        raise LoadError(f"no Python under its heading. Put the whole file of {name} into one fenced block")
    event, parent = _event(draft, name, state)
    source = _named(draft.source, name, draft.event)
    _examine(name, source, state.settings)
    if _same(source, state.active.get(name, "")):
        return None
    return Change(event, name, source, parent, draft.note or _hypothesis(source))


def _known(draft: Draft, state: State) -> str:
    """
    Returns the strategy that a draft means: its own name, an active one in other capitals, or that of its class if its
    heading names none.

    An evolve of an unknown name whose class is an active strategy means that one.
    """
    classes = strategies_in(draft.source)
    alone = classes[0] if len(classes) == 1 else ""
    if draft.name in state.active or (not draft.name and not alone):
        return draft.name
    if not draft.name or (draft.event == "evolve" and alone in state.active):
        return alone
    return next((active for active in state.active if active.lower() == draft.name.lower()), draft.name)


def _event(draft: Draft, name: str, state: State) -> tuple[str, str]:
    """Returns event and parent for this name by the rules of program.md."""
    if name in state.active:
        return "evolve", ""
    parents = {
        *state.active,
        *(tried.strategy for tried in state.history),
        *(row.strategy for row in results_log.parse(state.rows.encode()).rows),
    }
    parent = (
        next((candidate for candidate in parents if candidate.lower() == draft.parent.lower()), "")
        if draft.parent
        else ""
    )
    return ("fork", parent) if draft.event == "fork" and parent and parent != name else ("create", "")


def _named(source: str, name: str, event: str) -> str:
    """Returns the source with its only strategy called like its file, if that is possible."""
    classes = strategies_in(source)
    if len(classes) == 1 and classes[0] != name:
        source = renamed(source, classes[0], name) or source
    return source.rstrip() + "\n"


def _examine(name: str, source: str, settings: Settings) -> None:
    if name.startswith("_"):
        raise LoadError(f"{name!r} begins with an underscore, and such files are ignored. Use another name")
    if "/" in name or "\\" in name or ".." in name:
        raise LoadError(
            f"{name!r} is a path, not a name. A strategy is named like its class, and its file is made of that"
        )
    try:
        data = source.encode()
    except UnicodeEncodeError:
        raise LoadError("its text is no valid Unicode") from None
    if len(data) > strategy_files.MAX_BYTES:
        raise LoadError(f"{len(data)} bytes are larger than 1 MB")
    path = settings.root / strategy_files.FOLDER / (name + ".py" if name else "?.py")
    strategy_files.examine(path, settings, data)


def _together(changes: list[Change], state: State) -> list[str]:
    """Returns problems of changes that are each valid: the rules of the loop, and names that collide."""
    problems = proposal_rules.problems(Proposal(tuple(changes)), state, results_log.parse(state.rows.encode()))
    killed = {change.strategy for change in changes if change.event == "kill"}
    after = {name: source for name, source in state.active.items() if name not in killed}
    after |= {change.strategy: change.source for change in changes if change.event != "kill"}
    if len({name.lower() for name in after}) < len(after):
        problems.append(
            f"two names differ in capitals alone ({', '.join(after)}). Use names that any disk tells apart."
        )
    for name, source in after.items():
        for other in sorted(imported(source) & set(after) - {name}):
            problems.append(f"{name} imports {other}, so no strategy can be called {other}. Use another name.")
    return problems


def _learnings(answer: Answer, state: State, problems: list[str]) -> str | None:
    if answer.learnings is None or answer.learnings.strip() == state.learnings.strip():
        return None
    lines = len(answer.learnings.splitlines())
    if lines > memory.MAX_LINES:
        problems.append(f"learnings: {lines} lines, at most {memory.MAX_LINES}. Merge, correct, delete.")
    return answer.learnings.strip("\n") + "\n"


def _hypothesis(source: str) -> str:
    """Returns the line `Hypothesis:` of the file's docstring; empty without one."""
    line = next((line for line in source.split("\n")[:40] if line.strip().lower().startswith("hypothesis:")), "")
    return " ".join(line.partition(":")[2].split())[:300]


def _same(source: str, other: str) -> bool:
    """Whether two files are equal but for blanks at line ends."""
    return [line.rstrip() for line in source.strip().split("\n")] == [
        line.rstrip() for line in other.strip().split("\n")
    ]


def _names(state: State) -> str:
    return ", ".join(state.active) or "none"


def _where(draft: Draft, error: LoadError) -> str:
    frames = f" ({error.frames[0]})" if error.frames else ""
    line = " ".join(f"{draft.event or 'class'} {draft.name}".split())
    text = f"{line[:80]}: {error}{frames}"
    return text if text.endswith((".", "?")) else text + "."
