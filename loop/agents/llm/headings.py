"""Reads headings of an answer: which event, of which strategy, in any words that a model uses."""

import re
from dataclasses import dataclass

WORDS = {
    "create": "create creates created creating new add adds adding added propose proposed introduce",
    "evolve": "evolve evolves evolved evolving update updates updated modify modifies modified change changed edit "
    "edited improve improved "
    "refine refined rewrite rewritten revise revised tune tuned mutate mutated adjust adjusted fix fixed replace "
    "replaced",
    "fork": "fork forks forked forking branch clone cloned copy copied derive derived variant",
    "kill": "kill kills killed killing delete deletes deleted remove removes removed drop dropped retire retired "
    "discard discarded",
    "stable": "stable keep kept unchanged untouched hold",
    "learnings": "learnings learning learnings.md lessons",
}
EVENT = {word: event for event, words in WORDS.items() for word in words.split()}
_WORD = "|".join(sorted(map(re.escape, EVENT), key=len, reverse=True))
_MARK = re.compile(r"^\s{0,3}(?:>\s*)?(?P<mark>#{1,6}|\*\*|__|[-*+]\s+(?=\*\*)|\d{1,2}[.)]\s+(?=\*\*|#))")
_NUMBER = re.compile(r"^(?:\d{1,2}[.):]|[-*+])\s+")
_KEY = re.compile(r"^(?:strategy|action|event|change|step|round)(?:\s*\d+)?\s*[:\-–—]\s*", re.IGNORECASE)
_FILLER = re.compile(
    r"^(?:(?:a|an|the|of|my|our|new|existing|strategy|strategies|class|file|named|called|name)\b[:\s]*)+", re.IGNORECASE
)
_ARROW = re.compile(r"\s*(?:->|→|=>|-->|⟶)\s*|\s+(?:to|into|as)\s+")
_NAME = r"[^\s:()\[\],;]+"
_FIRST = re.compile(rf"^(?P<word>{_WORD})(?![\w.])\s*[:\-–—]?\s*(?P<rest>.*)$", re.IGNORECASE)
_LAST = re.compile(
    rf"^(?P<name>{_NAME})\s*(?:[:\-–—]\s*|\(\s*|\[\s*)(?P<word>{_WORD})\s*[)\]]?\s*(?:[:\-–—]\s*(?P<rest>.*))?$",
    re.IGNORECASE,
)
_ONE = re.compile(rf"^(?P<name>{_NAME})(?:\s*(?:[:;,]|[-–—]\s|\(|\[)\s*(?P<rest>.*))?$")
_TWO = re.compile(rf"^(?P<one>{_NAME})(?:{_ARROW.pattern})(?P<two>{_NAME})(?:\s*(?:[:;,]|[-–—]\s|\()\s*(?P<rest>.*))?$")
_FROM = re.compile(
    rf"^(?P<two>{_NAME})\s*[(\[]?\s*(?:from|of|parent:?)\s+(?P<one>{_NAME})\s*[)\]]?(?:\s*[:\-–—]\s*(?P<rest>.*))?$",
    re.IGNORECASE,
)
_PLAIN = re.compile(r"^(create|evolve|fork|kill)\s+[A-Z]\w*(?:\s*(?:->|→)\s*[A-Z]\w*)?\s*:?$")
_FOLDER = "user_data/strategies/"


@dataclass(frozen=True, slots=True)
class Heading:
    event: str  # create, evolve, fork, kill, stable or learnings
    # as written, without .py and the strategies' folder; for a fork, the child; empty: use the name of the class
    name: str = ""
    parent: str = ""
    rest: str = ""  # what follows the name


def heading(line: str) -> Heading | None:
    """
    Returns the heading in this line, or None for prose.

    A marked heading (`### evolve X`, `**Kill:** X`, `## X (update)`) may use any of WORDS; an unmarked one only the
    format's own words, `create X`.
    """
    if len(line) > 300:
        return None
    marked = _MARK.match(line)
    bare = line.strip()
    if not marked and not _PLAIN.match(bare):
        return None
    text = bare.replace("**", "").replace("__", "").replace("`", "").replace('"', "").strip("#>*- \t").strip()
    text = _KEY.sub("", _NUMBER.sub("", text))
    first = _FIRST.match(text)
    if first:
        return _first(EVENT[first["word"].lower()], first["rest"].strip())
    last = _LAST.match(text)
    if last and EVENT[last["word"].lower()] != "learnings":
        return Heading(EVENT[last["word"].lower()], _stem(last["name"]), rest=(last["rest"] or "").strip())
    return None


def _first(event: str, rest: str) -> Heading | None:
    """Reads a heading that begins with its event."""
    if event == "learnings":
        return (
            Heading(event)
            if not rest or rest.startswith("(") or rest.lower() in ("update", "updated", "learned", "so far", ".md")
            else None
        )
    rest = rest.strip("*: ")
    cut = _FILLER.sub("", rest).strip()
    if not cut:
        return Heading(event)
    pair = _TWO.match(cut)
    if pair:
        return Heading("fork", _stem(pair["two"]), _stem(pair["one"]), (pair["rest"] or "").strip())
    pair = _FROM.match(cut)
    if pair and event in ("create", "fork"):
        return Heading("fork", _stem(pair["two"]), _stem(pair["one"]), (pair["rest"] or "").strip())
    single = _ONE.match(cut)
    return Heading(event, _stem(single["name"]), rest=(single["rest"] or "").strip(" )]")) if single else None


def _stem(name: str) -> str:
    """
    Returns a name without its file's ending and the strategies' folder. Any other path stays and is refused as a name.
    """
    return (
        name.strip("*`'\".").removeprefix("./").removeprefix(_FOLDER).removesuffix(".py") if ".." not in name else name
    )
