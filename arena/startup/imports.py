"""
What a trusted process imports, and from where. Standard library only: `arena.startup.isolation` runs it before anything
else is imported.

Our own packages come only from source, compiled from the bytes that we hash. Of installed packages we see only files
that a RECORD names: other files, folders or compiled code beside them are ignored. Each file must have the sha256 in
its RECORD. A file that was hashed before is recognised by device, inode, size and times, which we store in the user's
own folder.

Not covered: a RECORD that was edited along with its files; the standard library. We check a library that another one
loads, and an extension module that changes while it is loaded, only once it is in memory, and only on Linux.
"""

import base64
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    BuiltinImporter,
    ExtensionFileLoader,
    FrozenImporter,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
)
from importlib.util import spec_from_file_location
from types import CodeType, ModuleType

OWN = ("arena", "judge", "loop", "analysis")
"""Packages of this repository."""
RACY_NS = 2_000_000_000
"""A file that changed less than this ago may change again with the same times."""
_RECORD = re.compile(rb'^"?([^,"\n]+)"?,sha256=([\w-]+),', re.MULTILINE)

Read = Callable[[str, str], bytes]


class Finder(PathFinder):
    """
    The only finder beside those of built-in and frozen modules. `problems` has one sentence for each file that differs
    from what it should be.
    """

    def __init__(
        self,
        root: str,
        standard: list[str],
        packages: list[str],
        *,
        read: Read,
        loaded: dict[str, str],
        noted: str | None,
    ) -> None:
        self.root, self.standard, self.packages = root, standard, packages
        self.installed = Installed(packages, noted)
        self._read, self._loaded = read, loaded

    @property
    def problems(self) -> list[str]:
        return self.installed.problems

    def install(self) -> None:
        sys.meta_path[:] = [BuiltinImporter, FrozenImporter, self]

    def find_spec(  # type: ignore[override]  # PathFinder's is a method of the class; sys.meta_path asks an object
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] in OWN:
            return self._own(name)
        places = [*self.standard, *sys.path, *self.packages] if path is None else list(path)
        portions = []
        for place in dict.fromkeys(places):
            if self.installed.holds(place):
                spec = self.installed.spec(name, place)
            elif any(below(place, folder) for folder in self.standard):
                spec = PathFinder.find_spec(name, [place], target)
            else:
                continue
            if spec is not None and spec.loader is not None:
                return spec
            portions += list(spec.submodule_search_locations or ()) if spec is not None else []
        return _namespace(name, portions) if portions else None

    def _own(self, name: str) -> ModuleSpec | None:
        base = name.replace(".", "/")
        for file, folder in ((f"{base}/__init__.py", os.path.join(self.root, base)), (f"{base}.py", None)):
            try:
                data = self._read(self.root, file)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise ImportError(f"{file} cannot be read: {error}", name=name) from None
            self._loaded[file] = hashlib.sha256(data).hexdigest()
            path = os.path.join(self.root, file)
            return spec_from_file_location(
                name, path, loader=OwnSource(name, path, data), submodule_search_locations=[folder] if folder else None
            )
        return None


class OwnSource(SourceFileLoader):
    """Source that was read and hashed already. It neither reads nor writes compiled code."""

    def __init__(self, name: str, path: str, data: bytes) -> None:
        super().__init__(name, path)
        self.data = data

    def get_data(self, path: str) -> bytes:
        return self.data if path == self.path else super().get_data(path)

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.data, self.path)


class PackageSource(SourceFileLoader):
    """
    A package's source. The source has the hash in the RECORD, and the name of its compiled file contains that hash.
    """

    def __init__(self, name: str, path: str, installed: "Installed") -> None:
        super().__init__(name, path)
        self.installed = installed

    def get_data(self, path: str) -> bytes:
        if path != self.path and path.endswith(".pyc") and not self._is_kept(path):
            raise FileNotFoundError(f"{path} is not read")
        data = super().get_data(self._kept(path))
        if path == self.path and not self.installed.agrees(path, data):
            raise ImportError(f"{path} is not what was installed", name=self.name, path=path)
        return data

    def set_data(self, path: str, data: bytes, *, _mode: int = 0o600) -> None:  # type: ignore[override]
        if self._is_kept(path):
            super().set_data(self._kept(path), data, _mode=0o600)

    def _kept(self, path: str) -> str:
        return f"{path}.{self.installed.digest(self.path)}" if self._is_kept(path) else path

    def _is_kept(self, path: str) -> bool:
        """Whether a path is a compiled file in the user's own folder."""
        return sys.pycache_prefix is not None and below(path, sys.pycache_prefix) and path.endswith(".pyc")


class PackageLibrary(ExtensionFileLoader):
    """A package's extension module."""

    def __init__(self, name: str, path: str, installed: "Installed") -> None:
        super().__init__(name, path)
        self.installed = installed

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        before = _mark(self.path)
        module = super().create_module(spec)
        if _mark(self.path) != before:
            self.installed.problems.append(f"{self.path} changed while it was loaded")
            raise ImportError(f"{self.path} changed while it was loaded", name=self.name, path=self.path)
        return module


class Installed:
    """The files that the RECORDs of installed packages name, by absolute path, and whether they are unchanged."""

    def __init__(self, folders: list[str], noted: str | None) -> None:
        self.folders, self._noted = folders, noted
        self.problems: list[str] = []
        self._digests: dict[str, str] = {}
        self._folders: set[str] = set()
        for folder in folders:
            for record in _records(folder):
                digests = ((name.decode(), digest.decode()) for name, digest in _RECORD.findall(record))
                self._digests.update(
                    (f"{folder}/{name}", digest) for name, digest in digests if not name.startswith(("/", ".."))
                )
        for path in self._digests:
            while (path := path.rpartition("/")[0]) not in self._folders and path:
                self._folders.add(path)
        self._marks = self._read_marks()
        self._changed = False

    def holds(self, place: str) -> bool:
        """Whether this folder is, or lies in, a folder of packages."""
        return any(below(place, folder) for folder in self.folders)

    def spec(self, name: str, place: str) -> ModuleSpec | None:
        """
        As Python's own finder for one folder: a package comes before an extension module, which comes before source.
        """
        base = f"{place}/{name.rpartition('.')[2]}"
        for stem, inner in ((f"{base}/__init__", [base]), (base, None)):
            for suffix, loader in _SUFFIXES:
                if (path := stem + suffix) in self._digests:
                    if not self.verified(path):
                        raise ImportError(f"{path} is not what was installed", name=name, path=path)
                    return spec_from_file_location(
                        name, path, loader=loader(name, path, self), submodule_search_locations=inner
                    )
        return _namespace(name, [base]) if base in self._folders else None

    def digest(self, path: str) -> str:
        """sha256 of a file according to its RECORD."""
        return self._digests[path]

    def verified(self, path: str) -> bool:
        """Whether a RECORD names a file and the file has its hash. A file that differs is added to the problems."""
        if path not in self._digests:
            return self._differs(path, "belongs to no installed package")
        try:
            mark = _mark(path)
            if self._marks.get(path) == [*mark, self._digests[path]]:
                return True
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            return self._differs(path, f"cannot be read: {error.strerror}")
        if not self.agrees(path, data):
            return False
        if time.time_ns() - max(mark[-2:]) > RACY_NS and _mark(path) == mark:
            self._marks[path] = [*mark, self._digests[path]]
            self._changed = True
        return True

    def agrees(self, path: str, data: bytes) -> bool:
        """Whether these bytes have the file's hash."""
        text = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        return text == self._digests[path] or self._differs(path, "is not what was installed")

    def check_libraries(self, root: str) -> None:
        """Verify every file below `root` or a folder of packages whose code is in this process's memory (Linux)."""
        try:
            with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as file:
                lines = [line.split(maxsplit=5) for line in file]
        except OSError:
            return
        for path in sorted({line[5].rstrip("\n") for line in lines if len(line) == 6 and "x" in line[1]}):
            if self.holds(path) or below(path, root):
                self.verified(path)

    def keep_marks(self) -> None:
        """Store what was hashed, for the next process."""
        if not (self._noted and self._changed):
            return
        try:
            beside = f"{self._noted}.{os.getpid()}"
            with open(beside, "w", encoding="utf-8") as file:
                json.dump(self._read_marks() | self._marks, file)
            os.replace(beside, self._noted)
        except OSError:
            pass  # hashed again next time

    def _read_marks(self) -> dict[str, list]:
        try:
            with open(self._noted or os.devnull, encoding="utf-8") as file:
                return dict(json.load(file))
        except (OSError, ValueError, TypeError):
            return {}

    def _differs(self, path: str, how: str) -> bool:
        text = f"{path} {how}"
        if text not in self.problems:
            self.problems.append(text)
        return False


def _records(folder: str) -> Iterator[bytes]:
    for entry in os.listdir(folder):
        if entry.endswith(".dist-info"):
            try:
                with open(f"{folder}/{entry}/RECORD", "rb") as file:
                    yield file.read()
            except OSError:
                continue  # such a package counts as without files


def _mark(path: str) -> tuple[int, ...]:
    status = os.stat(path)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _namespace(name: str, folders: list[str]) -> ModuleSpec:
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = folders
    return spec


def below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


_SUFFIXES = [*((suffix, PackageLibrary) for suffix in EXTENSION_SUFFIXES), (".py", PackageSource)]
