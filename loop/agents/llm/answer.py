"""
Reads what a model's answer proposes: tolerant here, while `to_changes` is strict.

`prompt.FORMAT` states the format. Deviations of small models are accepted where they can mean one thing only: thoughts,
prose around, fences that are missing, nested or never closed, other words for the events, bold headings, JSON. Nothing
is run, and no name in an answer is used as a path.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from loop.agents.llm import answer_json
from loop.agents.llm.headings import Heading, heading
from loop.agents.source_text import Draft, classes_of, parsed, strategies_in, trimmed

MAX_CHARS = 500_000
"""Longer answers are not read: no three strategies need that many characters."""

_THOUGHT = re.compile(
    r"(?P<code>^[ \t]*#[^\n]*)|<(?P<end>/)?(?:think|thinking|thought|reasoning)>", re.IGNORECASE | re.MULTILINE
)
_FENCE = re.compile(r"^ {0,3}(?P<mark>`{3,}|~{3,})\s*(?P<info>[^`]*)$")
_NOTE = re.compile(r"^[\s>*_-]*(note|hypothesis|why|reason|rationale)[\s*_]*:[\s*_]*(?P<text>.+)$", re.IGNORECASE)
_PARENT = re.compile(r"^[\s>*_-]*(parent|from|of)[\s*_`]*:[\s*_`]*(?P<name>\w+)", re.IGNORECASE)
_TEXTS = ("", "markdown", "md", "text", "txt", "plaintext")
_NO_NOTE = re.compile(r"^\s*([#>`~-]|\*\*?\w+\*\*?:?\s*$)")


@dataclass(frozen=True, slots=True)
class Answer:
    """What was read. Drafts are in the order of the answer, one per strategy."""

    drafts: tuple[Draft, ...] = ()
    learnings: str | None = None
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Block:
    """A fenced block, or a run of lines outside of one."""

    lines: list[str]
    fenced: bool = False
    info: str = ""
    closed: bool = True

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@dataclass(slots=True)
class _Section:
    """A heading and what follows it; the first section has none."""

    head: Heading | None
    blocks: list[_Block]


def read(text: str) -> Answer:
    """Returns what the answer proposes. It never raises: the worst result of any text is a problem."""
    if len(text) > MAX_CHARS:
        return Answer(
            problems=(
                f"the answer has {len(text)} characters, at most {MAX_CHARS} are read. Send the strategies alone.",
            )
        )
    text = spoken(text)
    if not text:
        return Answer(problems=("the answer is empty.",))
    sections = list(_sections(text))
    drafts_found = [draft for section in sections if section.head for draft in _drafts(section)]
    learnings = [_learnings(s) for s in sections if s.head and s.head.event == "learnings"]
    if not any(draft.source for draft in drafts_found):
        json_answer = answer_json.read(
            text, [block.text for section in sections for block in section.blocks if block.fenced]
        )
        if json_answer is not None:
            drafts, notes = json_answer
            drafts_found += drafts
            learnings += [notes] if notes else []
    if not any(draft.source for draft in drafts_found):
        drafts_found += _without_heading(
            block for s in sections if not s.head or s.head.event != "learnings" for block in s.blocks
        )
    problems = (
        ()
        if drafts_found
        else ("there is no strategy in the answer: no heading such as `### evolve Name`, and no block of Python.",)
    )
    return Answer(_one_each(drafts_found), next((notes for notes in reversed(learnings) if notes), None), problems)


def spoken(text: str) -> str:
    """
    Returns the answer without the model's thoughts, with plain line ends. Tags in lines that begin with `#` do not
    count.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").removeprefix("\ufeff")
    kept: list[str] = []
    start, opened = 0, False
    for tag in _THOUGHT.finditer(text):
        if tag["code"]:
            continue
        if tag["end"]:
            kept = kept if opened else []  # some chat templates put the opening tag into the prompt
            start, opened = tag.end(), False
        elif not opened:
            kept.append(text[start : tag.start()])
            start, opened = tag.end(), True
    return "".join([*kept, text[start:]]).strip()  # the text after a tag that is never closed may hold the answer


def is_thinking(text: str) -> bool:
    """Whether the answer ends inside the model's thoughts."""
    tags = [tag for tag in _THOUGHT.finditer(text) if not tag["code"]]
    return bool(tags) and not tags[-1]["end"]


def _sections(text: str) -> Iterator[_Section]:
    section = _Section(None, [])
    for block in _blocks(text.split("\n")):
        if (
            block.fenced
            and block.info in _TEXTS
            and not (section.head and section.head.event == "learnings")
            and _holds_headings(block)
        ):
            inner = list(_sections(block.text))  # the whole answer in a fence
            section.blocks += inner[0].blocks
            if len(inner) > 1:
                yield section
                yield from inner[1:-1]
                section = inner[-1]
        elif block.fenced:
            section.blocks.append(block)
        else:
            run: list[str] = []
            for line in block.lines:
                head = heading(line)
                if head is None:
                    run.append(line)
                    continue
                section.blocks.append(_Block(run))
                yield section
                section, run = _Section(head, []), []
            section.blocks.append(_Block(run))
    yield section


def _holds_headings(block: _Block) -> bool:
    return any(heading(line) for line in block.lines)


def _blocks(lines: list[str]) -> Iterator[_Block]:
    """
    Yields fenced blocks and the text between. A fence with a language inside another one is nested if it is closed too.
    Inside Python it means that the closing mark is missing, and the block ends at the last heading before it.
    """
    at, prose = 0, []
    while at < len(lines):
        opening = _FENCE.match(lines[at])
        if not opening:
            prose.append(lines[at])
            at += 1
            continue
        if prose:
            yield _Block(prose)
            prose = []
        end, after, closed = _end(lines, at, opening)
        yield _Block(_without_indent(lines[at], lines[at + 1 : end]), True, _language(opening["info"]), closed)
        at = after
    if prose:
        yield _Block(prose)


def _end(lines: list[str], start: int, opening: re.Match[str]) -> tuple[int, int, bool]:
    """Returns the first line after a fence's content, the first line after the fence, and whether it was closed."""
    mark, language = opening["mark"], _language(opening["info"])
    python, depth, heads = language not in _TEXTS, 1, []
    for at in range(start + 1, len(lines)):
        fence = _FENCE.match(lines[at])
        if fence is None:
            if depth == 1 and python and not lines[at].startswith(" ") and heading(lines[at]):
                heads.append(at)
        elif fence["mark"][0] != mark[0]:
            continue
        elif fence["info"].strip():
            if python:
                return (heads[-1], heads[-1], False) if heads else (at, at, False)
            depth += 1
        elif len(fence["mark"]) >= len(mark) or depth > 1:
            depth -= 1
            if depth == 0:
                return at, at + 1, True
    return (heads[0], heads[0], False) if heads else (len(lines), len(lines), False)


def _language(info: str) -> str:
    words = info.strip().strip("{}.").lower().split()
    return words[0].split(":")[0] if words else ""


def _without_indent(opening: str, lines: list[str]) -> list[str]:
    """Removes the indent of a fence in a list item from its content."""
    indent = len(opening) - len(opening.lstrip(" "))
    return [line[indent:] if line[:indent].isspace() else line for line in lines] if indent else lines


def _drafts(section: _Section) -> Iterator[Draft]:
    """Yields a section's draft: of the blocks that hold a strategy the one of its name, else the last complete one."""
    head = section.head
    if head is None or head.event in ("learnings", "stable"):
        return
    draft = Draft(head.event, head.name, head.parent or _parent(section), _note(section))
    if head.event == "kill":
        yield replace(draft, parent="")
        return
    fenced = [_code(block) for block in section.blocks if block.fenced and block.text.strip()]
    bare = [python for block in section.blocks if not block.fenced and (python := trimmed(block.text))]
    whole = [code for code in (fenced or bare) if strategies_in(code)]
    named = [code for code in whole if head.name in strategies_in(code)]
    broken = [code for code in fenced if classes_of(code)] or fenced
    chosen = (named or whole or ([code for code in bare if strategies_in(code)] or broken) or [""])[-1]
    yield replace(draft, source=chosen)


def _code(block: _Block) -> str:
    """Returns a block's Python, without prose after a block that was never closed."""
    if not block.closed and parsed(block.text) is None:
        return trimmed(block.text) or block.text
    return block.text


def _without_heading(blocks: Iterator[_Block]) -> Iterator[Draft]:
    """Yields strategies that no heading names, with the name of their class."""
    for block in blocks:
        code = _code(block) if block.fenced else trimmed(block.text)
        names = strategies_in(code) if code else ()
        if len(names) == 1:
            yield Draft("", names[0], source=code)


def _one_each(drafts: list[Draft]) -> tuple[Draft, ...]:
    """
    Returns per strategy the last draft that is whole Python, else the last. A kill beside code is kept, so that it is
    refused.
    """
    by_name: dict[tuple[str, bool], Draft] = {}
    for number, draft in enumerate(drafts):
        if not draft.name and not draft.source:
            continue
        name = draft.name or (strategies_in(draft.source) or (f"?{number}",))[0]
        key = name, draft.event == "kill"
        before = by_name.get(key)
        if before is not None and strategies_in(before.source) and not strategies_in(draft.source):
            continue
        by_name.pop(key, None)
        by_name[key] = draft
    return tuple(by_name.values())


def _learnings(section: _Section) -> str:
    """Returns the text of the section's fences, or else of the section itself."""
    fenced = [block.text for block in section.blocks if block.fenced and block.text.strip()]
    text = "\n\n".join(fenced) if fenced else "\n".join(block.text for block in section.blocks)
    return text.strip("\n ")


def _prose(section: _Section) -> Iterator[str]:
    yield from (line for block in section.blocks if not block.fenced for line in block.lines)


def _note(section: _Section) -> str:
    """Returns in one line: the text after `note:`, else the text after the heading, else the first line of prose."""
    before_code: list[str] = []
    for block in section.blocks:
        if block.fenced:
            break
        before_code += block.lines
    stated = next((match["text"] for line in _prose(section) if (match := _NOTE.match(line))), "")
    first = next(
        (line for line in before_code if line.strip() and not _NO_NOTE.match(line) and not _PARENT.match(line)), ""
    )
    text = stated or (section.head.rest if section.head else "") or ("" if trimmed("\n".join(before_code)) else first)
    return " ".join(text.replace("`", "").split()).strip("* ")[:300]


def _parent(section: _Section) -> str:
    return next((match["name"] for line in _prose(section) if (match := _PARENT.match(line))), "")
