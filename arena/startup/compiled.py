"""
Compiled functions, kept for the user: a fresh clone, a worktree and a second run share what one of them has compiled.

Numba keeps compiled code beside the module and looks at that one file to see whether it is stale; a function in another
file may have changed. Here one folder holds what was compiled from one state of all modules with compiled code, under
one Python and one version of Numba: nothing in it is ever stale.

Compiled code that is loaded runs in the trusted process. The folder lies outside the repository, belongs to the user
alone, and no variable leads elsewhere; where that does not hold, code is kept for this process only.
"""

import atexit
import contextlib
import functools
import hashlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numba
from numba import config, njit
from numba.core.caching import UserProvidedCacheLocator

from arena.errors import ArenaError
from arena.startup import isolation

MODULES = tuple(
    f"accounting/{name}.py"
    for name in ("equity_curve", "replay/decimals", "replay/exits", "replay/loop", "replay/simulator")
)
"""Files below arena/ whose functions, constants and records are compiled."""
ARENA = Path(__file__).parents[1]
_OTHERS = "UserProvidedCacheLocator,InTreeCacheLocator,UserWideCacheLocator,ZipCacheLocator"
"""Where Numba keeps what other packages compile, as without this module."""


class Locator(UserProvidedCacheLocator):
    """The folder of this state of MODULES, for functions in them; Numba asks for it by name."""

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        super().__init__(py_func, py_file)
        self._cache_path = str(folder())

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> Self | None:
        return cls(py_func, py_file) if Path(py_file).is_relative_to(ARENA) else None


config.CACHE_LOCATOR_CLASSES = f"{__name__}.{Locator.__name__},{_OTHERS}"  # type: ignore[attr-defined]
inlined = njit(error_model="numpy", nogil=True)
"""Decorator of functions that compiled functions call: they become part of their callers."""
kept = njit(cache=True, error_model="numpy", nogil=True)
"""Decorator of functions that Python calls: compiled at the first call, and kept."""


@functools.cache
def folder() -> Path:
    """
    Where compiled code of this state is kept: in the user's private folder, or a temporary one where there can be none.
    """
    private = isolation.private("compiled")
    if private is not None:
        place = Path(private, state(ARENA))
        with contextlib.suppress(OSError):
            place.mkdir(exist_ok=True, mode=0o700)
            if _is_own(place):
                return place
    temporary = Path(tempfile.mkdtemp(prefix="touchstone-compiled-"))
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    return temporary


def _is_own(place: Path) -> bool:
    status = place.lstat()
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.geteuid()
        and not status.st_mode & 0o077
        and os.access(place, os.W_OK)
    )


def refuse_settings(folder: Path) -> None:
    """Numba reads this file where a command is started, and compiles by it. Raises ArenaError where there is one."""
    if os.path.lexists(file := folder / ".numba_config.yaml"):
        raise ArenaError(f"{file} would change how Numba compiles the arena's code. Remove it.")


def state(arena: Path) -> str:
    """A name of all that compiled code is made of, with the modules in this folder."""
    digest = hashlib.sha256(f"{sys.version} {numba.__version__}".encode())
    for name in MODULES:
        digest.update(hashlib.sha256((arena / name).read_bytes()).digest())
    return digest.hexdigest()[:32]
