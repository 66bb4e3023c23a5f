"""
A root folder for a worker, in memory. Readable paths are mounted into it at their place, written files stay in it, and
no other file shows its name, size or date. Standard library only.

It needs the worker's own mount namespace and the right to mount, which a user namespace gives. No other process can
read what is written, and the memory is freed when the last process in it ends.
"""

import ctypes
import os
import struct
import tempfile
from pathlib import Path

from arena.sandbox.confinement import kernel

MB, FILES = 64, 4096
"""Size of the root folder and the most files in it."""
_NOSUID, _NODEV, _BIND, _REC, _PRIVATE = 2, 4, 4096, 16384, 1 << 18  # flags of mount
_SETATTR = 442  # mount_setattr


def enter(read: list[Path], write: list[Path], links: list[Path]) -> bool:
    """
    Make a small file system in memory the root. Readable paths are mounted into it at their place, read-only, so that
    not even an access time is written; symbolic links on the way are recreated. Returns whether all of it succeeded.
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
        working_folder = Path.cwd()
        os.chroot(folder)
        os.chdir(working_folder if working_folder in write else "/")
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
        Mount `path`, unless it lies below a path that is mounted already; recreate symbolic links on the way. A path
        that is neither readable nor a device is only followed, not mounted.
        """
        place, parts, n_links = Path("/"), list(Path(os.path.abspath(path)).parts[1:]), 0
        while parts:
            place /= parts.pop(0)
            if place in self.mounted:
                return
            if place.is_symlink():
                n_links += 1
                if n_links > 40 or not place.exists():
                    return
                target = os.readlink(place)
                self.at(place).parent.mkdir(parents=True, exist_ok=True)
                if not os.path.lexists(self.at(place)):
                    self.at(place).symlink_to(target)
                parts = [*Path(os.path.normpath(place.parent / target)).parts[1:], *parts]
                place = Path("/")
        if place in readable or place == Path("/dev/null"):
            self._mount(place)

    def _mount(self, path: Path) -> None:
        if not path.exists():
            return
        target = self.at(path)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        device = path.is_char_device()
        if kernel.libc().mount(os.fsencode(path), os.fsencode(target), None, _BIND | _REC, None):
            raise OSError(ctypes.get_errno(), f"{path} cannot be mounted")
        read_only = struct.pack("QQQQ", 1, 0, 0, 0)  # struct mount_attr: set, clear, propagation, user namespace
        if not device and kernel.libc().syscall(
            _SETATTR, -100, os.fsencode(target), 0x8000, read_only, ctypes.c_size_t(len(read_only))
        ):
            raise OSError(ctypes.get_errno(), f"{path} cannot be made read-only")
        self.mounted.add(path)
