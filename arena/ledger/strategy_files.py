"""
Strategy files in the trusted process: it finds, reads and examines them as text and never imports one.

A file is read once: we examine, hash, label and run the same bytes, even if the file changes meanwhile.
"""

import ast
import errno
import hashlib
import importlib.util
import keyword
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from arena import git
from arena.errors import ArenaError, LoadError
from arena.records import Strategy
from arena.settings import Settings

FOLDER = Path("user_data", "strategies")
MAX_BYTES = 1_000_000
MAX_NAME = 60
PREFIX = 7
"""Number of digits with which we name a commit."""


def find(folder: Path, cap: int | None) -> list[Path]:
    """
    Strategy files in alphabetical order, without names that begin with an underscore. Links, folders and pipes with a
    strategy's name are included; `examine` refuses them by name.

    Raises ArenaError when there is none, or more than `cap`.
    """
    entries = folder.iterdir() if folder.is_dir() else ()
    files = sorted(file for file in entries if file.name.endswith(".py") and not file.name.startswith("_"))
    if not files:
        raise ArenaError(
            f"no strategies in {folder}. Copy _template.py.example to YourName.py with the class YourName, or try `uv "
            f"run run.py --demo`."
        )
    if cap is not None and len(files) > cap:
        names = ", ".join(
            file.stem if file.stem.isidentifier() and file.stem.isascii() else ascii(file.stem) for file in files
        )
        raise ArenaError(
            f"{len(files)} strategies in {folder} ({names}), the cap arena.max_strategies is {cap}. Remove "
            f"{len(files) - cap}."
        )
    return files


def by_path(text: str, folder: Path) -> Path | None:
    """
    The file at a path; None for a bare name and for a path into `folder`, whose files are given by name.

    Raises ArenaError for a path that is no Python file.
    """
    path = Path(text).expanduser()
    if os.sep not in text or path.parent.resolve() == folder.resolve():
        return None
    if path.is_dir():
        raise ArenaError(f"{path} is a folder. Name one strategy file, for example {path / 'YourName.py'}.")
    if not path.exists():
        raise ArenaError(
            f"there is no file {path}. --strategy takes the path of a strategy file, or a name in {FOLDER}."
        )
    if path.suffix != ".py":
        raise ArenaError(f"{path} is no Python file. A strategy is one file, named like its class: YourName.py.")
    return path.parent.resolve() / path.name


def read(path: Path) -> bytes:
    """
    The file's bytes, all from one open file. It follows no link and does not wait for a pipe.

    Raises LoadError for a file that is not regular, larger than MAX_BYTES, or unreadable.
    """
    name = ascii(path.name) if not path.name.isprintable() else path.name
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise LoadError(f"{name} is not a regular file")
            with open(handle, "rb", closefd=False) as file:
                data = file.read(MAX_BYTES + 1)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link; a socket
            raise LoadError(f"{name} is not a regular file") from None
        raise LoadError(f"{name} cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise LoadError(f"{name} is larger than 1 MB")
    return data


def examine(path: Path, settings: Settings, data: bytes | None = None) -> Strategy:
    """
    Check everything that can be checked without running the code: `data`, or else the file, which is read once.

    Raises
    ------
    LoadError
        Not a regular UTF-8 file, a syntax error, no strategy or several, a class named unlike its file, a bad basket,
        another timeframe, a package that is not installed, or an import of a file beside it. Errors that only running
        the code would show are not found here; in a worker there is nothing beside the file.
    """
    name = path.stem
    check_name(path)
    data = read(path) if data is None else data
    try:
        source = data.decode("utf-8-sig")
        tree = ast.parse(source, filename=path.name)
    except UnicodeDecodeError:
        raise LoadError(f"{path.name} is not UTF-8 text") from None
    except SyntaxError as error:
        if error.lineno is None:  # a null byte
            raise LoadError(f"{path.name} is not Python: {error.msg}") from None
        line = (error.text or "").strip()
        raise LoadError(
            f"SyntaxError: {error.msg}, line {error.lineno}", (f"{path.name}:{error.lineno}: {line}",)
        ) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise LoadError(f"{path.name} is not Python: {error}") from None
    for imported in _imports(tree):
        if _is_beside(path, imported):
            raise LoadError(f"imports {imported}, a file beside it: one file is one strategy")
    _check_packages(path, tree, source)
    class_node = _strategy_class(tree, name)
    _check_timeframe(class_node, tree, settings.timeframe)
    return Strategy(name, path, source, hashlib.sha256(data).hexdigest(), _basket(class_node, settings.pairs))


def content(path: Path) -> bytes:
    """The file's bytes; empty for a file that `read` refuses."""
    try:
        return read(path)
    except LoadError:
        return b""


def head(root: Path) -> str | None:
    """Short hash of HEAD; None outside git and before the first commit."""
    return _git(root, "rev-parse", f"--short={PREFIX}", "HEAD")


def history(root: Path) -> set[str]:
    """All commits in HEAD's history, HEAD included, as PREFIX digits; empty outside git."""
    return {line[:PREFIX] for line in (_git(root, "rev-list", "HEAD") or "").split()}


def stood(root: Path) -> set[str]:
    """
    All commits that HEAD has ever pointed to in this worktree, and those in its history, as PREFIX digits.

    A discarded commit is in no branch, but in the worktree's reflog; commits of another worktree are in neither.
    """
    return history(root) | {line[:PREFIX] for line in (_git(root, "rev-list", "--walk-reflogs", "HEAD") or "").split()}


def label(root: Path, head: str | None, path: Path, data: bytes) -> str:
    """`head`, with `+dirty` where `data` differs from the file in that commit; `unknown` without a commit."""
    if head is None:
        return "unknown"
    return head + ("" if _is_as_in(root, head, path, data) else "+dirty")


def touched(root: Path, path: Path) -> bool:
    """Whether the file differs from the commit before the evaluated one: from HEAD when dirty, else from HEAD~1."""
    data = content(path)
    return not (_is_as_in(root, "HEAD", path, data) and _is_as_in(root, "HEAD~1", path, data))


def _is_as_in(root: Path, commit: str, path: Path, data: bytes) -> bool:
    """Compare contents, because git's own status can be configured to ignore a file."""
    name = path.relative_to(root) if path.is_relative_to(root) else path
    blob = _git(root, "rev-parse", "--verify", "--quiet", f"{commit}:./{name.as_posix()}")
    if not blob:
        return False
    digest = hashlib.sha1 if len(blob) == 40 else hashlib.sha256
    return digest(b"blob %d\0" % len(data) + data).hexdigest() == blob


def _git(root: Path, *arguments: str) -> str | None:
    try:
        process = subprocess.run(
            git.command(*arguments),
            cwd=root,
            env=git.environment(root),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return process.stdout.strip() if process.returncode == 0 else None


def check_name(path: Path) -> None:
    """Raises LoadError where the file's name is no valid class name."""
    name = path.stem
    if not name.isidentifier() or not name.isascii():
        raise LoadError(f"file name {ascii(path.name)} is no class name. Use letters, digits and underscores")
    if keyword.iskeyword(name):
        raise LoadError(f"file name {path.name!r} is no class name: {name} is a word of Python's own")
    if len(name) > MAX_NAME:
        raise LoadError(f"file name {name[:MAX_NAME]}… has {len(name)} letters. Use at most {MAX_NAME}")


def _imports(tree: ast.Module) -> Iterator[str]:
    """Names of all imports anywhere in the file, as they are written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            dots = "." * node.level
            yield from [dots + node.module] if node.module else (dots + alias.name for alias in node.names)


def _is_beside(path: Path, imported: str) -> bool:
    """
    Whether an import leads to the strategy's folder: relatively, by the folder's name, or by the name of a module in
    it.
    """
    first = imported.split(".")[0]
    if not first or imported.split(".")[: len(FOLDER.parts)] == list(FOLDER.parts):
        return True
    folder = path.parent / first
    return first != path.stem and (
        any(os.path.lexists(folder.with_name(first + suffix)) for suffix in (".py", ".pyc", ".so"))
        or any(folder.glob("*.py"))
    )


def _check_packages(path: Path, tree: ast.Module, source: str) -> None:
    """
    Raises LoadError where one of the file's first imports names a package that is not installed. Later imports may
    depend on code that runs before them.
    """
    for node in tree.body:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # a docstring
        else:
            return
        for name in names:
            package = name.split(".")[0]
            if not _is_installed(package):
                line = source.splitlines()[node.lineno - 1].strip()
                raise LoadError(
                    f"does not import: No module named {package!r}", (f"{path.name}:{node.lineno}: {line}",)
                )


def _is_installed(package: str) -> bool:
    try:
        return package in sys.modules or importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):  # a module without a valid spec: only its import can tell
        return True


def _check_timeframe(class_node: ast.ClassDef, tree: ast.Module, timeframe: str) -> None:
    """
    Raises LoadError where the class states another timeframe literally. The worker checks one that is computed or set
    later.
    """
    values = [
        node.value
        for node in class_node.body
        if isinstance(node, ast.Assign) and [_last_name(target) for target in node.targets] == ["timeframe"]
        or isinstance(node, ast.AnnAssign) and node.value is not None and _last_name(node.target) == "timeframe"
    ]  # fmt: skip
    other_mentions = (
        sum(
            isinstance(node, ast.Name) and node.id == "timeframe" and not isinstance(node.ctx, ast.Load)
            for node in ast.walk(class_node)
        )
        - 1
    )
    other_mentions += sum(
        isinstance(node, ast.Attribute) and node.attr == "timeframe" and not isinstance(node.ctx, ast.Load)
        for node in ast.walk(tree)
    )
    other_mentions += sum(isinstance(node, ast.Constant) and node.value == "timeframe" for node in ast.walk(tree))
    if (
        class_node.decorator_list
        or class_node.keywords
        or len(values) != 1
        or other_mentions
        or not isinstance(values[0], ast.Constant)
    ):
        return
    if isinstance(values[0].value, str) and values[0].value != timeframe:
        raise LoadError(
            f"timeframe is {values[0].value!r}, the arena trades {timeframe!r}. Higher ones come through @informative"
        )


def _strategy_class(tree: ast.Module, name: str) -> ast.ClassDef:
    """The only class that derives from IStrategy, directly or through a class of this file."""
    imports = [name for node in tree.body if isinstance(node, ast.ImportFrom) for name in node.names]
    roots = {"IStrategy", *(name.asname for name in imports if name.name == "IStrategy" and name.asname)}
    classes: dict[str, ast.ClassDef] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and any(
            base in classes or base in roots for base in map(_last_name, node.bases)
        ):
            classes[node.name] = node
    if len(classes) > 1:
        raise LoadError(f"holds {len(classes)} strategies ({', '.join(classes)}). One strategy a file")
    if name in classes:
        return classes[name]
    if classes:
        raise LoadError(f"the class is {next(iter(classes))}, the file is {name}.py. Name them alike")
    raise LoadError(f"no strategy in {name}.py. It needs `class {name}(IStrategy):`")


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _basket(class_node: ast.ClassDef, pairs: tuple[str, ...]) -> tuple[str, ...]:
    """
    The pairs that it trades, in the arena's order: FreqTrade, replay and booking process pairs in the order of their
    list.
    """
    for node in class_node.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if not any(isinstance(target, ast.Name) and target.id == "pair_basket" for target in targets):
            continue
        try:
            basket = ast.literal_eval(node.value) if node.value else None
        except (ValueError, TypeError):
            basket = None
        if not isinstance(basket, (list, tuple)) or not basket or not all(isinstance(entry, str) for entry in basket):
            raise LoadError('pair_basket must be a literal list of pairs, for example ["BTC/USDT", "ETH/USDT"]')
        for pair in basket:
            if pair not in pairs:
                similar = get_close_matches(pair, pairs, n=1)
                hint = f"Did you mean {similar[0]!r}?" if similar else f"It trades {', '.join(pairs)}"
                raise LoadError(f"pair_basket names {pair!r}, which the arena does not trade. {hint}")
        if len(set(basket)) != len(basket):
            raise LoadError("pair_basket names a pair twice")
        return tuple(pair for pair in pairs if pair in basket)
    return pairs
