"""
Finds dates, price levels and tables in a strategy's source, where memorised history could be written down.

A reader judges the list; the arena refuses nothing because of it. The source is read as text. Not found: a constant
that is computed (`2000 + 21`), spelled in pieces, kept in comments or taken from an allowed setting, and a price below
1000. Docstrings count only if the source reads them. Relabelled data show what memorised history is worth.
"""

import ast
import json
import re
from collections.abc import Iterator
from itertools import chain

SHOWN = 20
"""At most this many literals are named; the rest are counted."""
TABLE = 12
"""A collection of more literals than this is a table and is named once as a whole."""
PACKED = 200
"""A text longer than this without a space holds data. So does one with more than TABLE numbers in it."""
LEVEL = 1000
"""Numbers from here on can be price levels, years or instants."""
LONGEST_LOOK_BACK = 10_000
"""Candles. A greater number is no look-back, whatever its name says."""
LONGEST_DURATION_DAYS = 400

SETTINGS = {
    "INTERFACE_VERSION", "minimal_roi", "stoploss", "trailing_stop", "trailing_stop_positive",
    "trailing_stop_positive_offset", "startup_candle_count", "protections", "order_types", "order_time_in_force",
    "unfilledtimeout", "plot_config", "max_entry_position_adjustment", "ignore_buying_expired_candle_after",
    "process_only_new_candles", "pair_basket",
}  # fmt: skip
"""Names of FreqTrade's interface. In their values, only what looks like a date is reported."""
DATES = {
    "datetime", "date", "Timestamp", "to_datetime", "DatetimeIndex", "Period", "PeriodIndex", "datetime64",
    "date_range", "bdate_range", "period_range", "fromisoformat", "fromisocalendar", "fromtimestamp",
    "utcfromtimestamp", "fromordinal", "strptime", "dt_utc", "dt_from_ts", "dt_ts", "timegm", "mktime",
}  # fmt: skip
"""Functions that make an instant from their arguments."""
_ARGUMENTS = {None, "year", "month", "day", "start", "end", "arg", "data", "value", "ts_input", "date_string", "object"}
_UNITS = {1000, 1440, 3600, 10_000, 60_000, 86_400, 1_000_000, 3_600_000, 86_400_000, 1_000_000_000}
"""Milliseconds, seconds, minutes, basis points. In a product or a quotient they are no price level."""
_DAYS = {
    "weeks": 7,
    "days": 1,
    "hours": 1 / 24,
    "minutes": 1 / 1440,
    "seconds": 1 / 86_400,
    "milliseconds": 1 / 86_400_000,
}
_LOOK_BACK = re.compile(
    r"period|window|span|length|look_?back|candle|bars|halflife|lag|lookahead|shift|maxlen|size|seed|random_state|duration|^n$",
    re.I,
)
_COUNTING = {
    "rolling",
    "ewm",
    "shift",
    "diff",
    "pct_change",
    "tail",
    "head",
    "range",
    "arange",
    "IntParameter",
    "deque",
}

_YEAR = r"(?:2009|20[12]\d|203[0-5])"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATE = re.compile(
    rf"(?<!\d)(?:{_YEAR}[-/.](?:0[1-9]|1[0-2])(?!\d)"  # 2021-05, and the beginning of 2021-05-19
    rf"|{_YEAR}[-/.]\d{{1,2}}[-/.]\d{{1,2}}(?!\d)"
    rf"|\d{{1,2}}[-/.]\d{{1,2}}[-/.]{_YEAR}(?!\d)"
    rf"|{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)"  # 20210519
    rf"|{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[T ]?[0-2]\d[0-5]\d"
    rf"|{_YEAR}-?W[0-5]\d|{_YEAR}-[0-3]\d\d(?!\d)"  # weeks and days of ISO 8601
    rf"|{_YEAR}[- ]?Q[1-4]|{_YEAR}[-/. ]?{_MONTH})"
    rf"|\bQ[1-4][-/ ]?{_YEAR}(?!\d)"
    rf"|(?<![a-z]){_MONTH}[-/., ]*(?:\d{{1,2}}(?:st|nd|rd|th)?[-/., ]+)?(?:{_YEAR}|'\d\d)(?!\d)",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\s*\d{4,}(?:\.\d*)?\s*")
_NUMBER = re.compile(r"\d+")

Functions = ast.FunctionDef | ast.AsyncFunctionDef
Collections = ast.List | ast.Tuple | ast.Set | ast.Dict
Literal = int | float | complex | str | bytes


def find(source: str) -> tuple[str, ...]:
    """
    Returns what the source spells out, one printable line each, in the order of the source: `line 14: "2021-05-19"`,
    `line 9: a table of 48 numbers`. After SHOWN lines comes `and 31 more`.

    Raises SyntaxError if the source is not Python.
    """
    literals = sorted(_found(ast.parse(source), reads_docs="__doc__" in source or "getdoc" in source))
    lines = list(dict.fromkeys(f"line {line}: {text}" for line, _, text in literals))
    return tuple(lines[:SHOWN] + ([f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []))


def _found(tree: ast.Module, *, reads_docs: bool) -> Iterator[tuple[int, int, str]]:
    """Yields line, column and text of each. A node comes before those inside it, so a table swallows its elements."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    settings = {node for setting in _settings(tree) for node in ast.walk(setting)}
    seen: set[ast.AST] = (
        set()
        if reads_docs
        else {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
    )
    for node in ast.walk(tree):
        if node in seen or not isinstance(node, ast.expr):
            continue
        text = _text(node, parents, node in settings)
        if text:
            yield node.lineno, node.col_offset, text
            if not isinstance(node, ast.Constant):
                seen.update(ast.walk(node))


def _settings(tree: ast.Module) -> Iterator[ast.AST]:
    for definition in ast.walk(tree):
        if isinstance(definition, ast.ClassDef):
            for node in definition.body:
                names = [node.name] if isinstance(node, Functions) else map(_name, _targets(node))
                if SETTINGS.intersection(names):
                    yield node


def _text(node: ast.AST, parents: dict[ast.AST, ast.AST], setting: bool) -> str:
    """Returns what there is to report about this node, or an empty text."""
    if isinstance(node, ast.Call) and _name(node.func) in DATES:
        return _date_call(node)
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, (str, bytes)):
            return _of_text(value if isinstance(value, str) else value.decode("latin-1"), setting)
        if value is None or value is ...:
            return ""
        if _is_date(value):
            return _shown(value)
        return "" if setting or _is_small(value) or _is_harmless(node, value, parents) else _shown(value)
    return "" if setting else _table(node)


def _of_text(text: str, setting: bool) -> str:
    if len(text) > PACKED and not re.search(r"\s", text):
        return f"a packed text of {len(text)} characters"
    if len(numbers := _NUMBER.findall(text)) > TABLE:
        return f"a text of {len(numbers)} numbers"
    if _DATE.search(text) or (_DIGITS.fullmatch(text) and not setting):
        return _shown(text)
    return ""


def _table(node: ast.AST) -> str:
    """
    Describes collections and calls with many literals. In a dict the values are counted; its keys are their names.
    """
    if isinstance(node, ast.Call):
        literals = [value for argument in node.args if (value := _literal(argument)) is not None]
        if _name(node.func) == "dict":
            literals += [value for keyword in node.keywords if (value := _literal(keyword.value)) is not None]
    elif isinstance(node, Collections):
        literals = list(_leaves(node))
    else:
        return ""
    if len(literals) <= TABLE:
        return ""
    kinds = {"texts" if isinstance(value, (str, bytes)) else "numbers" for value in literals}
    return f"a table of {len(literals)} {kinds.pop() if len(kinds) == 1 else 'values'}"


def _leaves(collection: ast.AST) -> Iterator[Literal]:
    """Yields the literals in a collection and in those inside it."""
    waiting: list[ast.AST] = [collection]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Dict):
            waiting += node.values
        elif isinstance(node, ast.List | ast.Tuple | ast.Set):
            waiting += node.elts
        elif (value := _literal(node)) is not None:
            yield value


def _date_call(call: ast.Call) -> str:
    """
    Describes an instant that is written out. Years before 2009, when there were no coins, only count as a zero point.
    """
    arguments = [(None, argument) for argument in call.args] + [
        (keyword.arg, keyword.value) for keyword in call.keywords
    ]
    values = [_literal(node) for name, node in arguments if name in _ARGUMENTS]
    informative = [
        v
        for v in values
        if (isinstance(v, (int, float)) and not isinstance(v, bool)) or (isinstance(v, str) and re.search(r"\d", v))
    ]
    years = [
        value if isinstance(value, int) else int(match[0])
        for value in informative[:1]
        if (match := re.match(r"\d{4}", str(value)))
    ]
    if not informative or (years and years[0] < 2009) or informative == [0]:
        return ""
    return f"{_name(call.func)}({', '.join(_argument(name, node) for name, node in arguments)})"[:80]


def _argument(name: str | None, node: ast.expr) -> str:
    value = _literal(node)
    text = "..." if value is None else _shown(value)
    return f"{name}={text}" if name else text


def _is_small(value: complex) -> bool:
    return abs(value) < LEVEL or abs(value) == float("inf")


def _is_date(value: complex) -> bool:
    """Whether a number is YYYYMMDD, or seconds, milliseconds … since 1970, between 2009 and 2035."""
    if isinstance(value, complex) or not (isinstance(value, int) or value.is_integer()) or not 2e7 < value < 3e18:
        return False
    seconds = value
    while seconds > 1e11:
        seconds /= 1000
    return bool(_DATE.fullmatch(str(int(value)))) or (1_230_768_000 <= seconds < 2_082_758_400 and value not in _UNITS)


def _is_harmless(node: ast.Constant, value: complex, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether the place of a number shows that it is a look-back, a duration or a unit."""
    parent: ast.AST = parents[node]
    child: ast.AST = node
    if isinstance(value, complex):
        return False
    if (
        isinstance(parent, ast.BinOp)
        and isinstance(parent.op, ast.Mult | ast.Div | ast.FloorDiv | ast.Mod)
        and value in _UNITS
    ):
        return True
    while isinstance(parent, ast.UnaryOp | ast.BinOp | ast.IfExp | ast.List | ast.Tuple | ast.Set):
        parent, child = parents[parent], parent
    if isinstance(parent, ast.keyword):
        call = parents[parent]  # of a class's keyword it is the class
        function = _name(call.func) if isinstance(call, ast.Call) else ""
        return _is_duration(value, parent) or (value <= LONGEST_LOOK_BACK and _counts(parent.arg or "", function))
    if value > LONGEST_LOOK_BACK:
        return False
    if isinstance(parent, ast.Call):
        return _counts("", _name(parent.func)) or (_name(parent.func) in DATES and value < 2009)
    if isinstance(parent, ast.Dict):
        names = [_name(key) for key, value in zip(parent.keys, parent.values, strict=True) if value is child and key]
    elif isinstance(parent, ast.arguments):
        defaults = [
            *zip(reversed([*parent.posonlyargs, *parent.args]), reversed(parent.defaults)),
            *zip(parent.kwonlyargs, parent.kw_defaults),
        ]
        names = [argument.arg for argument, default in defaults if default is child]
    elif isinstance(parent, ast.Compare):
        return any(
            isinstance(side, ast.Call) and _name(side.func) == "len" for side in (parent.left, *parent.comparators)
        )
    else:
        names = [_name(target) for target in _targets(parent)]
    return isinstance(parent, ast.Slice) or any(_LOOK_BACK.search(name) for name in names)


def _is_duration(value: float, keyword: ast.keyword) -> bool:
    return keyword.arg in _DAYS and value * _DAYS[keyword.arg] <= LONGEST_DURATION_DAYS


def _counts(keyword: str, function: str) -> bool:
    """Whether the argument of a function is a number of candles. TA-Lib's functions are in capitals."""
    return bool(_LOOK_BACK.search(keyword)) or function in _COUNTING or (function.isupper() and len(function) > 1)


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return list(chain.from_iterable(t.elts if isinstance(t, ast.Tuple | ast.List) else [t] for t in node.targets))
    return [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr) else []


def _name(node: ast.expr) -> str:
    """Returns the last name of an expression; for a text, the text itself."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Constant):
        return str(node.value) if isinstance(node.value, str) else ""
    return node.id if isinstance(node, ast.Name) else ""


def _literal(node: ast.AST) -> Literal | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _literal(node.operand) if isinstance(node.operand, ast.Constant) else None
        return -value if isinstance(value, (int, float, complex)) else None
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, Literal) else None


def _shown(value: Literal) -> str:
    # Python refuses to turn a huge number into text
    if isinstance(value, int) and abs(value) >= 10**20:
        return f"a packed number of {value.bit_length()} bits"
    if isinstance(value, str):
        return json.dumps(value if len(value) <= 40 else value[:40] + "...")
    return repr(value)
