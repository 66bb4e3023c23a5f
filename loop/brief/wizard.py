"""
Asks a person for a brief, for `drive.py --brief` without a value. Enter takes the value in brackets.

Writes only the file that is named at the end; it replaces an existing file only after a yes.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from arena.errors import ArenaError
from arena.files import write_whole
from arena.settings import Settings
from loop.agents.genome.catalogue import FAMILIES
from loop.brief import reading
from loop.brief.reading import METHODS, NEEDS_THRESHOLD, OPERATORS, Brief

Ask = Callable[[str], str]
Say = Callable[[str], None]
Told = dict[str, Any]


def hold(settings: Settings, ask: Ask, say: Say) -> Brief:
    """Returns the brief that was agreed on and writes its file. Raises ArenaError when the answers end before that."""
    file = settings.root / reading.FILE
    try:
        if file.exists():
            say(f"There is a {file.name}.")
            if _yes(ask, say, "Use it as it is?"):
                return reading.load(str(file), settings)
        say("Eight questions; Enter takes what stands in brackets, or leaves it open.")
        answers = _questions(settings, ask, say)
        text = written(answers)
        brief = reading.parse(text, settings)
        say(f"\n{text}\nwhich an agent reads as:\n\n{reading.in_words(brief, settings) or '(nothing: all is free)'}\n")
        file = _place(file, ask, say)
    except EOFError:
        raise ArenaError("the answers ended before the brief was written. Nothing was written.") from None
    write_whole(file, text.encode())
    say(f"written: {file.name}. Next time: uv run drive.py --brief {file.name}")
    return brief


def written(told: Told) -> str:
    """Returns the answers as TOML: plain values first, then tables, then lists of tables."""
    plain = {key: value for key, value in told.items() if not _is_table(value) and not _is_rows(value)}
    lines = _lines(plain)
    for key, value in told.items():
        if _is_table(value) and value:
            lines += ["", f"[{key}]", *_lines(value)]
    for key, value in told.items():
        for row in value if _is_rows(value) else ():
            lines += ["", f"[[{key}]]", *_lines(row)]
    return "\n".join(lines).strip() + "\n"


def _lines(table: Told) -> list[str]:
    """Writes values as JSON. TOML has the same texts, numbers and lists, but for one control character."""
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "") for key, value in table.items()]


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_table, value))


def _questions(settings: Settings, ask: Ask, say: Say) -> Told:
    answers: Told = {}

    def put(question: str, key: str, read: Callable[[str], Any], default: str) -> None:
        """Asks one question until its answer can be used with the earlier ones."""
        answers.update(_answer(settings, ask, say, f"{question} [{default}] ", lambda text: {key: read(text)}, answers))

    put(f"1 pairs, of {', '.join(settings.pairs)}", "pairs", _list, "all")
    others = ", ".join(settings.informative_timeframes)
    put(
        f"2 timeframes besides {settings.timeframe}, of {others or 'none'}; none: -", "timeframes", _list_or_none, "all"
    )
    put(f"3 paradigms, of {', '.join(FAMILIES)}", "families", _list, "any")
    for kind, number in (("entry", 4), ("exit", 5)):
        rows: list[Told] = []
        words = "as RSI, or RSI below 30 on 4h, or EMA rising; operators: " + ", ".join(OPERATORS)
        say(f"{number} conditions of {kind}, one a line, {words}")
        while row := _answer(
            settings,
            ask,
            say,
            f"  {kind} {len(rows) + 1} [no {'more' if rows else 'condition'}] ",
            partial(_row, kind, rows),
            answers,
        ):
            rows = row[kind]
            answers.update(row)
    put(f"6 stake, of {', '.join(METHODS)}", "sizing", lambda text: {"method": _list(text)}, "any")
    put("7 stop-loss in per cent, from and to, as 3 10", "risk", lambda text: {"stop": _per_cents(text)}, "any")
    put("8 in your own words, what else", "text", str, "nothing")
    return answers


def _answer(settings: Settings, ask: Ask, say: Say, question: str, read: Callable[[str], Told], answers: Told) -> Told:
    """Returns what an answer adds to `answers`; empty for Enter. Explains an unusable answer and asks again."""
    while text := ask(question).strip():
        try:
            added = read(text)
            reading.parse(written(answers | added), settings, "that")
        except (ArenaError, ValueError) as error:
            say(f"  {error}")
            continue
        return added
    return {}


def _row(kind: str, rows: list[Told], text: str) -> Told:
    """Reads a condition in words, such as `RSI below 30 on 4h`."""
    head, _, frames = text.partition(" on ")
    words = head.replace(",", " ").split()
    row: Told = {"indicator": words[0]}
    if words[1:]:
        row["operator"] = words[1]
        limits = [_number(word) for word in words[2:]]
        row |= {"threshold": limits} if limits or words[1] in NEEDS_THRESHOLD else {}
    row |= {"timeframe": _list(frames)} if frames.strip() else {}
    return {kind: [*rows, row]}


def _number(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _list_or_none(text: str) -> list[str]:
    return [] if text == "-" else _list(text)


def _per_cents(text: str) -> list[float]:
    try:
        fractions = [round(float(part) / 100, 6) for part in text.replace("%", " ").replace(",", " ").split()]
    except ValueError:
        fractions = []
    if len(fractions) not in (1, 2):
        raise ValueError(f"{text!r} is no range. Expected one or two numbers, for example 3 10.")
    return [fractions[0], fractions[-1]]


def _place(file: Path, ask: Ask, say: Say) -> Path:
    """Asks for the file; replaces an existing one only after a yes."""
    while True:
        name = ask(f"file name [{file.name}] ").strip() or file.name
        place = file.parent / name
        if Path(name).name != name or place.suffix != ".toml":
            say("  Expected a plain name that ends in .toml.")
        elif not place.exists() or _yes(ask, say, f"{name} is there. Replace it?", default=False):
            return place


def _yes(ask: Ask, say: Say, question: str, *, default: bool = True) -> bool:
    while True:
        text = ask(f"{question} [{'Y/n' if default else 'y/N'}] ").strip().lower()
        if text in ("", "y", "yes", "n", "no"):
            return default if not text else text[0] == "y"
        say("  Answer y or n.")
