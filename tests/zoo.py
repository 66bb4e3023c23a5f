"""
The strategies of the zoo: compact texts in, whole source files out.

tests/cheats/ holds one text file per family, named after it, and `bases.txt`; tests/honest/ holds `honest.txt`. A text
file begins with a note to its reader; then one strategy follows the other:

    ### LookShiftOne
    shift(-1): the next candle's close decides an EMA trend entry.
    base: averages
    more indicators:
        df["next"] = df["close"].shift(-1) / df["close"] - 1
    entry: (df["fast"] > df["slow"]) & (df["next"] > 0.02)
    exit: df["next"] < -0.002

- The line below the heading is the docstring.
- `base: crossing` names the entry of `bases.txt` whose parts and settings hold where the strategy has none of its own.
- `needs: files` names what a cheat lives from, where it does not find that here.
- Lines such as `import os` and `stoploss = -0.07` are imports and settings. A setting replaces the one of the same name
  in the base or in `SETTINGS`, or comes after them. Imports are sorted; those in `USUAL` are added where they are used.
- A part is indented by four spaces and copied as it stands: `module:` is code before the class, `class:` code after the
  settings, `methods:` code at the end of the class; `indicators:`, `entry:` and `exit:` are the bodies of the three
  populate functions, without the last `return df`. With `more` before its name a part follows the base's lines.
- `entry: condition` in one line is short for `df.loc[condition, "enter_long"] = 1`; so is `exit: condition`.
- `class (Other, IStrategy):` in place of `class:` names other base classes.
- `source:` is a whole file, for what has another shape.

Two more keys stand in `bases.txt` alone: `frame: dataframe` gives the populate functions' first argument another name
than `df`; `docstring: module` puts the docstring over the imports.

Usage: python tests/zoo.py NAME prints the whole source of one strategy.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent, indent

FOLDERS = {"cheats": Path(__file__).parent / "cheats", "honest": Path(__file__).parent / "honest"}
BASES = FOLDERS["cheats"] / "bases.txt"
SETTINGS = {"timeframe": '"1h"', "startup_candle_count": "100", "minimal_roi": '{"0": 10}', "stoploss": "-0.10"}
USUAL = {"np": "import numpy as np", "pd": "import pandas as pd", "ta": "import talib.abstract as ta"}
STRATEGY_IMPORT = "from freqtrade.strategy import IStrategy"
COLUMNS = {"entry": "enter_long", "exit": "exit_long"}
FUNCTIONS = {"indicators": "populate_indicators", "entry": "populate_entry_trend", "exit": "populate_exit_trend"}

KEY = re.compile(r"(base|needs|frame|docstring): (.+)")
SETTING = re.compile(r"([a-z]\w*) = (.+)")
CLASS = re.compile(r"class (\(.+\)):")
SHORT = re.compile(r"(entry|exit): (.+)")
PART = re.compile(r"((?:more )?(?:indicators|entry|exit)|module|class|methods|source):")
FRAME = "<frame>"
"""Stands for the frame's name in a condition, until the base is known."""


@dataclass
class Entry:
    """What stands below one heading."""

    name: str
    description: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    imports: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    """Code by the name of its part, without indentation."""
    classes: str = "(IStrategy)"


@dataclass(frozen=True)
class Strategy:
    """One strategy of the zoo. `family` is empty for honest ones, `needs` for most."""

    name: str
    description: str
    family: str
    needs: str
    source: str


def load(kind: str) -> dict[str, Strategy]:
    """
    All strategies of a folder, "cheats" or "honest", by name.

    Raises ValueError for a text that is not in the form, a name that stands twice, and a base that does not exist.
    """
    bases = {entry.name: entry for entry in entries(BASES)}
    found: dict[str, Strategy] = {}
    for file in sorted(FOLDERS[kind].glob("*.txt")):
        for entry in entries(file) if file != BASES else ():
            if entry.name in found:
                raise ValueError(f"{file.name}: {entry.name} stands in it twice, or in another file")
            if "source" not in entry.parts and entry.keys.get("base") not in bases:
                raise ValueError(f"{file.name}: {entry.name} names no base of {BASES.name}")
            found[entry.name] = made(entry, bases, family=file.stem if kind == "cheats" else "")
    return dict(sorted(found.items()))


def write(folder: Path) -> None:
    """The source of every strategy as `cheats/<name>.py` or `honest/<name>.py` in this folder."""
    for kind in FOLDERS:
        (folder / kind).mkdir()
        for strategy in load(kind).values():
            (folder / kind / f"{strategy.name}.py").write_text(strategy.source)


def entries(file: Path) -> Iterator[Entry]:
    """The entries of a text file, as they stand there."""
    for text in re.split(r"^### ", file.read_text(), flags=re.MULTILINE)[1:]:
        try:
            yield parsed(text)
        except ValueError as error:
            raise ValueError(f"{file.name}: {text.splitlines()[0]}: {error}") from None


def parsed(text: str) -> Entry:
    """One entry: its name, its description, then keys, imports, settings and parts."""
    name, description, *lines = text.rstrip().splitlines()
    entry, part = Entry(name, description), ""
    for line in lines:
        if line.startswith("    ") or not line:
            if not part:
                raise ValueError(f"no part begins before this line: {line!r}")
            entry.parts[part] += f"{line}\n"
        elif key := KEY.fullmatch(line):
            entry.keys[key[1]] = key[2]
        elif line.startswith(("import ", "from ")):
            entry.imports.append(line)
        elif setting := SETTING.fullmatch(line):
            entry.settings[setting[1]] = setting[2]
        elif short := SHORT.fullmatch(line):
            part = ""
            entry.parts[short[1]] = f'{FRAME}.loc[{short[2]}, "{COLUMNS[short[1]]}"] = 1'
        elif classes := CLASS.fullmatch(line):
            part, entry.classes = "class", classes[1]
            entry.parts[part] = ""
        elif heading := PART.fullmatch(line):
            part = heading[1]
            entry.parts[part] = ""
        else:
            raise ValueError(f"neither a key nor an import, a setting or a part: {line!r}")
    entry.parts = {part: dedent(code).strip("\n") for part, code in entry.parts.items()}
    return entry


def made(entry: Entry, bases: dict[str, Entry], family: str) -> Strategy:
    """The strategy that an entry and its base describe."""
    source = entry.parts["source"] if "source" in entry.parts else filled(entry, bases[entry.keys["base"]])
    needs = entry.keys.get("needs", "")
    marks = "".join(f"# {key}: {text}\n" for key, text in (("family", family), ("needs", needs)) if text)
    return Strategy(entry.name, entry.description, family, needs, f"{marks}{source}\n")


def filled(entry: Entry, base: Entry) -> str:
    """The template, filled with the parts of an entry, or else with those of its base."""
    frame, over_imports = base.keys.get("frame", "df"), base.keys.get("docstring") == "module"
    settings = SETTINGS | base.settings | entry.settings
    blocks = ["\n".join(f"{name} = {value}" for name, value in settings.items())]
    if not over_imports:
        blocks.insert(0, f'"""{entry.description}"""')
    blocks.append(part(entry, base, "class"))
    for name, function in FUNCTIONS.items():
        body = part(entry, base, name).replace(FRAME, frame)
        if not re.search(r"^return\b", body, re.MULTILINE):
            body = f"{body}\nreturn {frame}".strip()
        blocks.append(f"def {function}(self, {frame}, metadata):\n{indent(body, '    ')}")
    blocks.append(part(entry, base, "methods"))
    body = indent("\n\n".join(block for block in blocks if block), "    ")
    module = part(entry, base, "module")
    code = "\n\n\n".join(block for block in (module, f"class {entry.name}{entry.classes}:\n{body}") if block)
    docstring = f'"""{entry.description}"""\n\n' if over_imports else ""
    return f"{docstring}{imports(entry, code)}\n\n\n{code}"


def part(entry: Entry, base: Entry, name: str) -> str:
    """The strategy's own code, or the base's; that of the base and then more."""
    theirs = base.parts.get(name, "")
    return f"{theirs}\n{more}" if (more := entry.parts.get(f"more {name}")) else entry.parts.get(name, theirs)


def imports(entry: Entry, code: str) -> str:
    """The entry's imports and the usual ones, sorted as ruff sorts them: the standard library's first."""
    lines = {*entry.imports, *(line for name, line in USUAL.items() if re.search(rf"\b{name}\.", code))}
    if not any(re.match(r"from freqtrade.strategy import .*\bIStrategy\b", line) for line in lines):
        lines.add(STRATEGY_IMPORT)
    of_python = {line for line in lines if line.split()[1].split(".")[0] in sys.stdlib_module_names}
    groups = (
        sorted(group, key=lambda line: (line.startswith("from"), line)) for group in (of_python, lines - of_python)
    )
    return "\n\n".join("\n".join(group) for group in groups if group)


if __name__ == "__main__":
    print((load("cheats") | load("honest"))[sys.argv[1]].source, end="")
