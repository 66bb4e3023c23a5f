"""
Python in an answer, as text: which strategies it holds, where it ends, another name for its class. It is never run.
"""

import ast
import io
import keyword
import tokenize
import warnings
from dataclasses import dataclass

TRIMS = 6
"""How often what follows the code is cut off before the rest counts as broken."""
_BEGINS = ("import ", "from ", "class ", "@", '"""', "'''", "# ")


@dataclass(frozen=True, slots=True)
class Draft:
    """What an answer wants to do to one strategy, before anyone has judged it."""

    event: str  # create, evolve, fork or kill; empty: create or evolve, whichever fits
    name: str  # empty: the class says it
    parent: str = ""
    note: str = ""
    source: str = ""


def parsed(source: str) -> ast.Module | None:
    """The syntax tree; None for what is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a strategy's own, such as an odd escape
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def classes_of(source: str) -> tuple[str, ...]:
    """Names behind `class` at the beginning of a line, of Python or of what shall become some."""
    return tuple(
        line[6:].split("(")[0].split(":")[0].strip() for line in source.split("\n") if line.startswith("class ")
    )


def strategies_in(source: str) -> tuple[str, ...]:
    """Classes that derive from IStrategy, here or through one another; none for what is no Python."""
    tree = parsed(source) if "IStrategy" in source else None
    found: dict[str, None] = {}
    for node in tree.body if tree else ():
        if isinstance(node, ast.ClassDef):
            bases = [base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases]
            if any(base == "IStrategy" or base in found for base in bases):
                found[node.name] = None
    return tuple(found)


def imported(source: str) -> set[str]:
    """The packages that a file imports, wherever in it; none for what is no Python."""
    tree = parsed(source)
    names: set[str] = set()
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.split(".")[0] for name in names}


def trimmed(text: str) -> str:
    """
    The Python with a class in a text that has prose before or after it; empty where there is none.

    Only a line at the left margin ends it: code that breaks off inside a method is not taken for a whole one.
    """
    lines = text.split("\n")
    start = next((k for k, line in enumerate(lines) if line.startswith(_BEGINS) and _is_code(lines, k)), None)
    if start is None:
        return ""
    lines = lines[start:]
    for _ in range(TRIMS):
        source = "\n".join(lines).rstrip() + "\n"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(source)
        except SyntaxError as error:
            at = (error.lineno or 0) - 1
            if not 0 < at < len(lines) or lines[at][:1].isspace():
                return ""
            lines = lines[:at]
            continue
        except (ValueError, RecursionError, MemoryError):
            return ""
        return source if any(isinstance(node, ast.ClassDef) for node in tree.body) else ""
    return ""


def _is_code(lines: list[str], at: int) -> bool:
    """
    Whether code begins here rather than a sentence such as `from now on`: the line, or the docstring it opens, is
    Python.
    """
    line = lines[at]
    if line.startswith(('"""', "'''", "@", "# ")):
        return any(later.startswith(("import ", "from ", "class ")) for later in lines[at + 1 : at + 40])
    if line.startswith("class "):
        return line.rstrip().endswith(":") or "#" in line
    return parsed(line) is not None or line.rstrip().endswith(("(", "\\"))


def renamed(source: str, old: str, new: str) -> str | None:
    """The source with its class called `new`; None where that name already means something in it, or is none."""
    if not new.isidentifier() or keyword.iskeyword(new):
        return None
    try:
        marks = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (tokenize.TokenError, SyntaxError, IndentationError):
        return None
    names = [mark for mark in marks if mark.type == tokenize.NAME]
    if any(mark.string == new for mark in names):
        return None
    lines = source.splitlines(keepends=True)
    for mark in reversed(names):
        if mark.string == old:
            row, column = mark.start
            line = lines[row - 1]
            lines[row - 1] = line[:column] + new + line[column + len(old) :]
    return "".join(lines)
