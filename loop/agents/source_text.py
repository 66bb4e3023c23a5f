"""
Handles Python in an answer as text: which strategies it holds, where it ends, another name for its class. Never runs
it.
"""

import ast
import io
import keyword
import tokenize
import warnings
from dataclasses import dataclass

TRIMS = 6
"""How often text after the code is cut off before the rest counts as broken."""
_BEGINS = ("import ", "from ", "class ", "@", '"""', "'''", "# ")


@dataclass(frozen=True, slots=True)
class Draft:
    """What an answer wants to do to one strategy, before any check."""

    event: str  # create, evolve, fork or kill; empty: create or evolve, whichever fits
    name: str  # empty: use the name of the class
    parent: str = ""
    note: str = ""
    source: str = ""


def parsed(source: str) -> ast.Module | None:
    """Returns the syntax tree; None for text that is not Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings about the strategy's own code, such as an odd escape
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def classes_of(source: str) -> tuple[str, ...]:
    """Returns the names after `class` at the beginning of a line, whether or not the text is valid Python."""
    return tuple(
        line[6:].split("(")[0].split(":")[0].strip() for line in source.split("\n") if line.startswith("class ")
    )


def strategies_in(source: str) -> tuple[str, ...]:
    """Returns classes that derive from IStrategy, directly or through one another; none for text that is not Python."""
    tree = parsed(source) if "IStrategy" in source else None
    names: dict[str, None] = {}
    for node in tree.body if tree else ():
        if isinstance(node, ast.ClassDef):
            bases = [base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases]
            if any(base == "IStrategy" or base in names for base in bases):
                names[node.name] = None
    return tuple(names)


def imported(source: str) -> set[str]:
    """Returns the packages that a file imports anywhere; none for text that is not Python."""
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
    Returns the Python with a class in a text that has prose before or after it; empty if there is none.

    Only a line at the left margin ends it: code that breaks off inside a method does not count as whole.
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
    Whether code begins here, not a sentence such as `from now on`: the line, or the docstring it opens, is Python.
    """
    line = lines[at]
    if line.startswith(('"""', "'''", "@", "# ")):
        return any(later.startswith(("import ", "from ", "class ")) for later in lines[at + 1 : at + 40])
    if line.startswith("class "):
        return line.rstrip().endswith(":") or "#" in line
    return parsed(line) is not None or line.rstrip().endswith(("(", "\\"))


def renamed(source: str, old: str, new: str) -> str | None:
    """Returns the source with its class called `new`; None if that name is invalid or already used in it."""
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
