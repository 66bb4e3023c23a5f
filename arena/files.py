"""Writes files of the repository whole or not at all, and hashes files."""

import hashlib
import os
import tempfile
from pathlib import Path


def write_whole(file: Path, data: bytes) -> None:
    """
    Write a temporary file beside it, then rename: a reader sees the old file or the new one, and a full disk keeps the
    old one.
    """
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fchmod(out.fileno(), 0o644)
            os.fsync(out.fileno())
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def file_sha256(file: Path) -> str:
    """sha256 of a file's bytes, in hex. Raises OSError."""
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
