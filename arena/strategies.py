"""Strategy files as the trusted process sees them: found, read and examined as text. None is ever imported here."""

import ast
import hashlib
import subprocess
from difflib import get_close_matches
from pathlib import Path

from arena.errors import ArenaError, LoadError
from arena.records import Strategy
from arena.settings import Settings

FOLDER = Path("user_data", "strategies")


def find(folder: Path, cap: int | None) -> list[Path]:
    """
    Strategy files in alphabetical order; names with a leading underscore are left out.

    Raises ArenaError when there is none, or more than `cap`.
    """
    files = sorted(f for f in folder.glob("*.py") if not f.name.startswith("_"))
    if not files:
        raise ArenaError(
            f"no strategies in {folder}. Copy _template.py.example to YourName.py with the class YourName, or try `uv run run.py --demo`."
        )
    if cap is not None and len(files) > cap:
        names = ", ".join(f.stem for f in files)
        raise ArenaError(f"{len(files)} strategies in {folder} ({names}), the cap arena.max_strategies is {cap}. Remove {len(files) - cap}.")
    return files


def examine(path: Path, settings: Settings) -> Strategy:
    """
    Read one file and check what can be checked without running it.

    Raises
    ------
    LoadError
        Not a regular UTF-8 file, a syntax error, no strategy or several, a class named unlike its file, or a bad basket.
    """
    name = path.stem
    if not name.isidentifier() or not name.isascii():
        raise LoadError(f"file name {path.name!r} is no class name. Use letters, digits and underscores")
    if path.is_symlink() or not path.is_file():
        raise LoadError(f"{path.name} is not a regular file")
    data = path.read_bytes()
    try:
        source = data.decode("utf-8-sig")
        tree = ast.parse(source, filename=path.name)
    except UnicodeDecodeError:
        raise LoadError(f"{path.name} is not UTF-8 text") from None
    except SyntaxError as error:
        if error.lineno is None:  # a null byte
            raise LoadError(f"{path.name} is not Python: {error.msg}") from None
        line = (error.text or "").strip()
        raise LoadError(f"SyntaxError: {error.msg}, line {error.lineno}", (f"{path.name}:{error.lineno}: {line}",)) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise LoadError(f"{path.name} is not Python: {error}") from None
    own = _strategy_class(tree, name)
    return Strategy(name, path, source, hashlib.sha256(data).hexdigest(), _basket(own, settings.pairs))


def content(path: Path) -> bytes:
    """The file's bytes; none for what is not a regular file."""
    return path.read_bytes() if path.is_file() and not path.is_symlink() else b""


def commits(root: Path, paths: list[Path]) -> dict[Path, str]:
    """Short hash of HEAD for each file, with `+dirty` where the file is not as committed; `unknown` outside git."""
    head = _git(root, "rev-parse", "--short=7", "HEAD")
    if head is None:
        return dict.fromkeys(paths, "unknown")
    return {path: head + ("" if _is_as_in(root, "HEAD", path) else "+dirty") for path in paths}


def touched(root: Path, path: Path) -> bool:
    """Whether the file differs from the commit before the one that is evaluated: from HEAD when dirty, else from HEAD~1."""
    return not (_is_as_in(root, "HEAD", path) and _is_as_in(root, "HEAD~1", path))


def _is_as_in(root: Path, commit: str, path: Path) -> bool:
    """Compares contents, because git's own status can be told to overlook a file."""
    name = path.relative_to(root) if path.is_relative_to(root) else path
    blob = _git(root, "rev-parse", "--verify", "--quiet", f"{commit}:./{name.as_posix()}")
    if not blob:
        return False
    data = content(path)
    digest = hashlib.sha1 if len(blob) == 40 else hashlib.sha256
    return digest(b"blob %d\0" % len(data) + data).hexdigest() == blob


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _strategy_class(tree: ast.Module, name: str) -> ast.ClassDef:
    """The one class that derives, here or through a class of this file, from IStrategy."""
    imports = [name for node in tree.body if isinstance(node, ast.ImportFrom) for name in node.names]
    roots = {"IStrategy", *(name.asname for name in imports if name.name == "IStrategy" and name.asname)}
    found: dict[str, ast.ClassDef] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and any(base in found or base in roots for base in map(_last_name, node.bases)):
            found[node.name] = node
    if len(found) > 1:
        raise LoadError(f"holds {len(found)} strategies ({', '.join(found)}). One strategy a file")
    if name in found:
        return found[name]
    if found:
        raise LoadError(f"the class is {next(iter(found))}, the file is {name}.py. Name them alike")
    raise LoadError(f"no strategy in {name}.py. It needs `class {name}(IStrategy):`")


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _basket(own: ast.ClassDef, pairs: tuple[str, ...]) -> tuple[str, ...]:
    for node in own.body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        if not any(isinstance(t, ast.Name) and t.id == "pair_basket" for t in targets):
            continue
        try:
            basket = ast.literal_eval(node.value)
        except (ValueError, TypeError):
            basket = None
        if not isinstance(basket, (list, tuple)) or not basket or not all(isinstance(p, str) for p in basket):
            raise LoadError('pair_basket must be a literal list of pairs, for example ["BTC/USDT", "ETH/USDT"]')
        for pair in basket:
            if pair not in pairs:
                near = get_close_matches(pair, pairs, n=1)
                hint = f"Did you mean {near[0]!r}?" if near else f"It trades {', '.join(pairs)}"
                raise LoadError(f"pair_basket names {pair!r}, which the arena does not trade. {hint}")
        if len(set(basket)) != len(basket):
            raise LoadError("pair_basket names a pair twice")
        return tuple(basket)
    return pairs
