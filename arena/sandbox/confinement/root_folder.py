"""
A root folder for a worker, in memory: what may be read is mounted into it at its place, what is written stays in it,
and nothing else has a name, a size or a date there. Standard library only.

It wants a mount namespace of the worker's own and the right to mount, which a user namespace gives. What is written can
be read by no other process, and its memory is free when the last process in it ends.
"""

import ctypes
import os
import struct
import tempfile
from pathlib import Path

from arena.sandbox.confinement import kernel

MB, FILES = 64, 4096
"""Its size and the number of files in it."""
_NOSUID, _NODEV, _BIND, _REC, _PRIVATE = 2, 4, 4096, 16384, 1 << 18  # of mount
_SETATTR = 442  # mount_setattr


def enter(read: list[Path], write: list[Path], links: list[Path]) -> bool:
    """
    A small file system in memory becomes the root. What may be read is mounted into it at its place, read-only, so that
    not even the date of an access is written; links on the way are made again. Whether all of it could be done.
    """
    folder = os.fsencode(next((path for path in write if path.is_dir()), Path(tempfile.gettempdir())))
    options = f"mode=700,size={MB}m,nr_inodes={FILES}".encode()
    if kernel.libc().mount(None, b"/", None, _REC | _PRIVATE, None) or kernel.libc().mount(
        b"own", folder, b"tmpfs", _NOSUID | _NODEV, options
    ):
        return False
    try:
        root = _Root(Path(os.fsdecode(folder)))
        for path in (*read, *links, Path("/dev/null")):
            root.show(path, read)
        for path in write:
            root.at(path).mkdir(parents=True, exist_ok=True)
        here = Path.cwd()
        os.chroot(folder)
        os.chdir(here if here in write else "/")
    except OSError:
        return False
    return not os.path.lexists("/proc") and os.access("/dev/null", os.W_OK, effective_ids=True)


class _Root:
    """A folder that is about to become the root."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.mounted = folder, set[Path]()

    def at(self, path: Path) -> Path:
        return self.folder / path.relative_to("/")

    def show(self, path: Path, readable: list[Path]) -> None:
        """
        Mount what is at `path`, unless it lies below something that is there already; links on the way are made again.
        What is neither readable nor a device is only a name on the way to a link.
        """
        at, rest, links = Path("/"), list(Path(os.path.abspath(path)).parts[1:]), 0
        while rest:
            at /= rest.pop(0)
            if at in self.mounted:
                return
            if at.is_symlink():
                links += 1
                if links > 40 or not at.exists():
                    return
                target = os.readlink(at)
                self.at(at).parent.mkdir(parents=True, exist_ok=True)
                if not os.path.lexists(self.at(at)):
                    self.at(at).symlink_to(target)
                rest = [*Path(os.path.normpath(at.parent / target)).parts[1:], *rest]
                at = Path("/")
        if at in readable or at == Path("/dev/null"):
            self._mount(at)

    def _mount(self, path: Path) -> None:
        if not path.exists():
            return
        there = self.at(path)
        if path.is_dir():
            there.mkdir(parents=True, exist_ok=True)
        else:
            there.parent.mkdir(parents=True, exist_ok=True)
            there.touch()
        device = path.is_char_device()
        if kernel.libc().mount(os.fsencode(path), os.fsencode(there), None, _BIND | _REC, None):
            raise OSError(ctypes.get_errno(), f"{path} cannot be mounted")
        read_only = struct.pack("QQQQ", 1, 0, 0, 0)  # struct mount_attr: set, clear, propagation, user namespace
        if not device and kernel.libc().syscall(
            _SETATTR, -100, os.fsencode(there), 0x8000, read_only, ctypes.c_size_t(len(read_only))
        ):
            raise OSError(ctypes.get_errno(), f"{path} cannot be made read-only")
        self.mounted.add(path)
