"""
Seals candles that nobody may see yet: AES-256-GCM, one key per range. The disk never holds them in the clear.

The validation key and the holdout key are random files in the user's configuration directory, outside the repository,
readable by the user alone. The holdout's key can be derived from a passphrase instead (scrypt) and is then stored
nowhere.

Not covered: anyone with access to the user's account can read the key files. A passphrase prevents that for the
holdout.
"""

import base64
import hashlib
import io
import json
import os
import secrets
import struct
from pathlib import Path

import pandas as pd
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from arena.errors import SealError

MAGIC = b"TOUCHSTONE-SEAL-1\n"
LENGTH = struct.Struct("<I")
SCRYPT = {"n": 2**15, "r": 8, "p": 1}
"""Parameters of scrypt (RFC 7914). One guess costs about 32 MB and a tenth of a second."""


def keys_dir() -> Path:
    """The user's configuration directory for keys: $XDG_CONFIG_HOME or ~/.config, then touchstone/keys."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "touchstone" / "keys"


def new_key(name: str) -> tuple[bytes, dict[str, str]]:
    """A random key, stored in a file of mode 600, and the header that names it."""
    key = AESGCM.generate_key(256)
    header = {"kind": "key-file", "key_id": _key_id(key), "name": name}
    file = _key_file(header)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(base64.b64encode(key) + b"\n")
    except OSError as error:
        raise SealError(
            f"the key {file} cannot be written: {error.strerror}. Set XDG_CONFIG_HOME to a writable folder."
        ) from None
    return key, header


def stored_key(header: dict[str, str]) -> bytes:
    """The key of a key file. Raises SealError naming the file that is missing or damaged."""
    file = _key_file(header)
    try:
        key = base64.b64decode(file.read_bytes())
    except OSError as error:
        raise SealError(f"the key {file} cannot be read: {error.strerror}.") from None
    except ValueError:
        key = b""
    if _key_id(key) != header["key_id"]:
        raise SealError(f"the key {file} is damaged: it is not the key that its name says.")
    return key


def header(file: Path) -> dict[str, str]:
    """A sealed file's header, which names its key. Raises SealError for any other file."""
    return _parts(file)[0]


def forget_key(header: dict[str, str]) -> None:
    """Delete a key file; files sealed with it can no longer be opened."""
    _key_file(header).unlink(missing_ok=True)


def passphrase_key(name: str, passphrase: str) -> tuple[bytes, dict[str, str]]:
    """
    A key derived from a passphrase with a new salt, stored nowhere, and the header from which it can be derived again.
    """
    if not passphrase:
        raise SealError("the passphrase is empty.")
    salt = secrets.token_bytes(16)
    key = _derive(passphrase, salt)
    return key, {"kind": "passphrase", "salt": base64.b64encode(salt).decode(), "key_id": _key_id(key), "name": name}


def seal(file: Path, frames: dict[str, pd.DataFrame], key: bytes, header: dict[str, str]) -> bytes:
    """
    Encrypt frames by pair and return the content of `file`. The header is authenticated too, so nobody can exchange the
    range's name or the key's salt.
    """
    clear = io.BytesIO()
    pd.concat([frame.assign(pair=pair) for pair, frame in frames.items()], ignore_index=True).to_feather(clear)
    head = json.dumps({**header, "file": file.name}, sort_keys=True).encode()
    nonce = secrets.token_bytes(12)
    return MAGIC + LENGTH.pack(len(head)) + head + nonce + AESGCM(key).encrypt(nonce, clear.getvalue(), head)


def content_hash(frames: dict[str, pd.DataFrame]) -> str:
    """sha256 of candles by pair: the same for the same candles, whatever key seals them."""
    digest = hashlib.sha256()
    for pair in sorted(frames):
        frame = frames[pair]
        digest.update(f"{pair} {len(frame)} {list(frame.columns)}".encode())
        digest.update(frame["date"].dt.as_unit("ms").astype("int64").to_numpy().tobytes())
        digest.update(frame.drop(columns="date").to_numpy(dtype="<f8").tobytes())
    return digest.hexdigest()


def unseal(file: Path, passphrase: str | None = None, data: bytes | None = None) -> dict[str, pd.DataFrame]:
    """
    Decrypt into memory: candles by pair. `data` are the file's bytes, if they were read already.

    Raises
    ------
    SealError
        No such file, not a sealed file, missing key, wrong passphrase, or a file that was tampered with or renamed.
    """
    header, head, rest = _parts(file, data)
    try:
        key = _key(header, file, passphrase)
        clear = AESGCM(key).decrypt(rest[:12], rest[12:], head)
    except InvalidTag:
        raise SealError(f"{file} cannot be decrypted: it was changed after it was sealed.") from None
    except (ValueError, KeyError, TypeError):
        raise SealError(f"{file} is damaged: its header cannot be read.") from None
    if header["file"] != file.name:
        raise SealError(f"{file} was sealed as {header['file']}: it stands in another file's place.")
    table = pd.read_feather(io.BytesIO(clear))
    return {
        str(pair): frame.drop(columns="pair").reset_index(drop=True)
        for pair, frame in table.groupby("pair", sort=False)
    }


def _parts(file: Path, data: bytes | None = None) -> tuple[dict[str, str], bytes, bytes]:
    """Header, the header's bytes, and nonce with ciphertext."""
    try:
        data = file.read_bytes() if data is None else data
    except OSError as error:
        raise SealError(f"{file} cannot be read: {error.strerror}.") from None
    if not data.startswith(MAGIC):
        raise SealError(f"{file} is not a sealed file of this version.")
    start = len(MAGIC) + LENGTH.size
    try:
        (size,) = LENGTH.unpack(data[len(MAGIC) : start])
        head, rest = data[start : start + size], data[start + size :]
        header = json.loads(head)
        return {str(name): str(value) for name, value in header.items()}, head, rest
    except (struct.error, ValueError, AttributeError):
        raise SealError(f"{file} is damaged: its header cannot be read.") from None


def _key(header: dict[str, str], file: Path, passphrase: str | None) -> bytes:
    if header["kind"] == "passphrase":
        if passphrase is None:
            raise SealError(f"{file} is sealed with a passphrase.")
        key = _derive(passphrase, base64.b64decode(header["salt"]))
        if not secrets.compare_digest(_key_id(key), header["key_id"]):
            raise SealError(f"the passphrase does not open {file}.")
        return key
    return stored_key(header)


def _derive(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, **SCRYPT).derive(passphrase.encode())


def _key_file(header: dict[str, str]) -> Path:
    return keys_dir() / f"{header['name']}-{header['key_id']}.key"


def _key_id(key: bytes) -> str:
    """A name for a key that does not reveal it."""
    return hashlib.sha256(b"touchstone key id" + key).hexdigest()[:16]
