"""
A cache of compiled functions per user: a fresh clone, a worktree and a second run share what one of them has compiled.

Numba stores compiled code beside the module and checks only that file for changes, although a function in another file
may have changed. Here one folder holds the code compiled from one state of all modules with compiled code, under one
version of Python and Numba, so nothing in it is ever stale.

Compiled code runs in the trusted process. So the folder lies outside the repository, belongs to the user alone, and no
variable changes its path; where that does not hold, code is kept for this process only.
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
"""Where Numba stores the compiled code of other packages, as without this module."""


class Locator(UserProvidedCacheLocator):
    """Gives Numba, which finds this class by name, the folder for the present state of MODULES."""

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        super().__init__(py_func, py_file)
        self._cache_path = str(folder())

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> Self | None:
        return cls(py_func, py_file) if Path(py_file).is_relative_to(ARENA) else None


config.CACHE_LOCATOR_CLASSES = f"{__name__}.{Locator.__name__},{_OTHERS}"  # type: ignore[attr-defined]
inlined = njit(error_model="numpy", nogil=True)
"""Decorator for functions that only compiled functions call; they become part of their callers."""
kept = njit(cache=True, error_model="numpy", nogil=True)
"""Decorator for functions that Python calls; compiled at the first call and stored."""


@functools.cache
def folder() -> Path:
    """
    Folder of compiled code of the present state: in the user's private folder, or a temporary one where that is
    impossible.
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
    """Raises ArenaError if this folder holds Numba's settings file, which Numba reads from the working folder."""
    if os.path.lexists(file := folder / ".numba_config.yaml"):
        raise ArenaError(f"{file} would change how Numba compiles the arena's code. Remove it.")


def state(arena: Path) -> str:
    """A name for everything that determines compiled code, with the modules in this folder."""
    digest = hashlib.sha256(f"{sys.version} {numba.__version__}".encode())
    for name in MODULES:
        digest.update(hashlib.sha256((arena / name).read_bytes()).digest())
    return digest.hexdigest()[:32]
