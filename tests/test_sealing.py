import base64
import json
import os
import stat
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from arena.errors import SealError
from arena.market import sealing
from arena.market.sealing import LENGTH, MAGIC, content_hash, unseal


@pytest.fixture(autouse=True)
def config_home(tmp_path, monkeypatch):
    """No test touches the user's own keys."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config"


def frame(*prices):
    dates = pd.date_range("2024-01-01", periods=len(prices), freq="1h", tz="UTC", unit="ms")
    values = np.array(prices, dtype=np.float64)
    return pd.DataFrame(
        {"date": dates, "open": values, "high": values * 2, "low": values / 2, "close": values, "volume": 1.0}
    )


FRAMES = {"ETH/USDT": frame(1234.5678901, 2345.678901), "BTC/USDT": frame(34567.890123, 45678.901234, 56789.012345)}


def sealed(file, frames=FRAMES, keyed=None):
    key, header = keyed or sealing.new_key("holdout")
    file.write_bytes(sealing.seal(file, frames, key, header))
    return file


def same(first, second):
    return list(first) == list(second) and all(first[pair].equals(second[pair]) for pair in first)


def test_what_is_sealed_comes_back_as_it_was(tmp_path):
    opened = unseal(sealed(tmp_path / "holdout.sealed"))
    assert same(opened, FRAMES)
    assert (opened["BTC/USDT"].dtypes == FRAMES["BTC/USDT"].dtypes).all()


def test_a_passphrase_opens_what_it_sealed_and_leaves_no_key(tmp_path, config_home):
    file = sealed(tmp_path / "holdout.sealed", keyed=sealing.passphrase_key("holdout", "größe"))
    assert same(unseal(file, "größe"), FRAMES)
    assert not config_home.exists()


@pytest.mark.parametrize(
    ("passphrase", "message"),
    [("Correct", "the passphrase does not open"), ("", "does not open"), (None, "is sealed with a passphrase")],
)
def test_another_passphrase_is_refused(tmp_path, passphrase, message):
    file = sealed(tmp_path / "holdout.sealed", keyed=sealing.passphrase_key("holdout", "correct"))
    with pytest.raises(SealError, match=message):
        unseal(file, passphrase)


def test_an_empty_passphrase_seals_nothing():
    with pytest.raises(SealError, match="the passphrase is empty"):
        sealing.passphrase_key("holdout", "")


def test_the_same_passphrase_gives_another_key_each_time():
    (first, one), (second, two) = sealing.passphrase_key("holdout", "x"), sealing.passphrase_key("holdout", "x")
    assert first != second
    assert one["salt"] != two["salt"]


@pytest.mark.parametrize("mask", [0x01, 0x80])
def test_no_byte_can_be_changed(tmp_path, mask):
    """All of the head, of the nonce and of the tag; of the body every 41st byte."""
    file = sealed(tmp_path / "holdout.sealed", {"A/USDT": frame(1.5)})
    data = bytearray(file.read_bytes())
    body = len(data) - len(parts(file)[3])
    for place in (*range(body), *range(body, len(data) - 16, 41), *range(len(data) - 16, len(data))):
        data[place] ^= mask
        file.write_bytes(data)
        with pytest.raises(SealError):
            unseal(file)
        data[place] ^= mask
    file.write_bytes(data)
    assert list(unseal(file)) == ["A/USDT"]


def parts(file):
    """Magic and length, head, nonce, body."""
    data = file.read_bytes()
    at = len(MAGIC) + LENGTH.size
    end = at + struct.unpack("<I", data[len(MAGIC) : at])[0]
    return data[:at], data[at:end], data[end : end + 12], data[end + 12 :]


def test_what_was_tampered_with_is_said_to_be(tmp_path):
    file = sealed(tmp_path / "holdout.sealed")
    start, head, nonce, body = parts(file)
    for changed in (
        start + head.replace(b'"file": "holdout.sealed"', b'"file": "another.sealed"') + nonce + body,
        start + head + bytes(12) + body,
        start + head + nonce + body[:-1],
        start + head + nonce + body + b"\0",
    ):
        file.write_bytes(changed)
        with pytest.raises(SealError, match=r"holdout\.sealed cannot be decrypted: it was changed after it was sealed"):
            unseal(file)


@pytest.mark.parametrize(
    "head", [b"[1]", b"7", b"null", b"{}", b'{"kind": "key-file"}', b"\xff", b'{"kind": "passphrase"}']
)
def test_a_head_that_is_none_is_damaged(tmp_path, head):
    file = tmp_path / "holdout.sealed"
    file.write_bytes(MAGIC + LENGTH.pack(len(head)) + head + bytes(60))
    with pytest.raises(SealError, match="is damaged: its header cannot be read"):
        unseal(file, "x")


@pytest.mark.parametrize(
    "data", [b"", MAGIC[:-1], b"TOUCHSTONE-SEAL-2\n" + bytes(80)], ids=["empty", "cut", "another version"]
)
def test_another_file_is_no_seal(tmp_path, data):
    (tmp_path / "x.sealed").write_bytes(data)
    with pytest.raises(SealError, match="is not a sealed file of this version"):
        unseal(tmp_path / "x.sealed")


@pytest.mark.parametrize("length", [0, 1, 3, 4, 20, 40])
def test_a_file_that_ends_early_is_damaged(tmp_path, length):
    file = sealed(tmp_path / "holdout.sealed")
    file.write_bytes(file.read_bytes()[: len(MAGIC) + length])
    with pytest.raises(SealError, match="is damaged"):
        unseal(file)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(SealError, match=r"nothing\.sealed cannot be read: No such file"):
        unseal(tmp_path / "nothing.sealed")


def test_one_sealed_file_cannot_take_anothers_place(tmp_path):
    """The same key seals every pair of a preparation that is under way."""
    keyed = sealing.new_key("staging")
    bitcoin, ether = (
        sealed(tmp_path / f"{name}.sealed", {name: FRAMES[name.replace("_", "/")]}, keyed)
        for name in ("BTC_USDT", "ETH_USDT")
    )
    bitcoin.replace(ether)
    with pytest.raises(SealError, match=r"ETH_USDT\.sealed was sealed as BTC_USDT\.sealed"):
        unseal(ether)


def only_key(config_home):
    (file,) = (config_home / "touchstone" / "keys").iterdir()
    return file


def test_without_its_key_nothing_opens(tmp_path, config_home):
    file = sealed(tmp_path / "holdout.sealed")
    key = only_key(config_home)
    key.unlink()
    with pytest.raises(SealError, match=f"the key {key} cannot be read: No such file"):
        unseal(file)


def test_a_forgotten_key_is_gone(tmp_path, config_home):
    key, header = sealing.new_key("staging")
    assert sealing.stored_key(header) == key
    sealing.forget_key(header)
    assert not list((config_home / "touchstone" / "keys").iterdir())
    sealing.forget_key(header)  # twice does nothing
    with pytest.raises(SealError):
        sealing.stored_key(header)


@pytest.mark.parametrize("text", [b"", b"!", b"abc", base64.b64encode(b"short"), base64.b64encode(bytes(32))])
def test_a_damaged_key_is_said_to_be(tmp_path, config_home, text):
    file = sealed(tmp_path / "holdout.sealed")
    only_key(config_home).write_bytes(text)
    with pytest.raises(SealError, match=r"the key .*\.key is damaged"):
        unseal(file)


def test_keys_lie_in_the_users_configuration_and_nobody_else_reads_them(config_home):
    before = os.umask(0)
    try:
        sealing.new_key("validation")
    finally:
        os.umask(before)
    key = only_key(config_home)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    assert key.name.startswith("validation-")


def test_without_xdg_config_home_keys_lie_below_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    for value in (None, ""):
        monkeypatch.delenv("XDG_CONFIG_HOME") if value is None else monkeypatch.setenv("XDG_CONFIG_HOME", value)
        assert sealing.keys_dir() == tmp_path / "me" / ".config" / "touchstone" / "keys"


def test_a_key_that_cannot_be_written_is_said(config_home):
    config_home.write_text("a file where the folder should be")
    with pytest.raises(
        SealError, match=r"the key .* cannot be written: Not a directory\. Set XDG_CONFIG_HOME to a writable folder"
    ):
        sealing.new_key("holdout")


def test_two_keys_are_two_files(config_home):
    (first, _), (second, _) = sealing.new_key("holdout"), sealing.new_key("holdout")
    assert first != second
    assert len(list((config_home / "touchstone" / "keys").iterdir())) == 2


def test_no_price_and_no_pair_is_in_the_clear(tmp_path):
    data = sealed(tmp_path / "holdout.sealed").read_bytes()
    plain = tmp_path / "plain.feather"
    pd.concat([f.assign(pair=p) for p, f in FRAMES.items()], ignore_index=True).to_feather(
        plain, compression="uncompressed"
    )
    for value in (1234.5678901, 34567.890123):
        assert struct.pack("<d", value) in plain.read_bytes()  # this is how it would look
        assert struct.pack("<d", value) not in data
    for word in (b"USDT", b"close", b"ARROW"):
        assert word in plain.read_bytes()
        assert word not in data


def test_the_head_names_the_key_and_does_not_tell_it(tmp_path):
    key, header = sealing.new_key("holdout")
    file = sealed(tmp_path / "holdout.sealed", keyed=(key, header))
    assert json.loads(parts(file)[1]) == {**header, "file": "holdout.sealed"}
    assert key not in file.read_bytes()
    assert base64.b64encode(key) not in file.read_bytes()


def test_the_same_candles_are_never_sealed_to_the_same_bytes(tmp_path):
    keyed = sealing.new_key("holdout")
    first, second = (sealed(tmp_path / "holdout.sealed", keyed=keyed).read_bytes() for _ in range(2))
    assert first != second


def test_the_content_hash_does_not_know_the_key(tmp_path):
    file = tmp_path / "holdout.sealed"
    assert content_hash(unseal(sealed(file))) == content_hash(unseal(sealed(file))) == content_hash(FRAMES)
    assert content_hash(dict(reversed(FRAMES.items()))) == content_hash(FRAMES)


def changed(pair, row, column, value):
    frames = {p: f.copy() for p, f in FRAMES.items()}
    frames[pair].loc[row, column] = value
    return frames


def test_the_content_hash_changes_with_any_candle():
    btc, eth = FRAMES["BTC/USDT"], FRAMES["ETH/USDT"]
    others = [
        *(changed("BTC/USDT", 2, column, 1.0000001) for column in ("open", "high", "low", "close", "volume")),
        changed("ETH/USDT", 0, "open", np.nextafter(1234.5678901, 0)),
        changed("BTC/USDT", 2, "date", pd.Timestamp("2024-01-01 03:00", tz="UTC")),
        {"BTC/USDT": btc.iloc[:2], "ETH/USDT": eth},
        {"BTC/USDT": btc},
        {"BTC/USDT": eth, "ETH/USDT": btc},
        {"BTC/USDT": btc, "ETH/USD": eth},
        {"BTC/USDT": btc.rename(columns={"open": "close", "close": "open"}), "ETH/USDT": eth},
    ]
    assert len({content_hash(frames) for frames in (FRAMES, *others)}) == len(others) + 1


def test_the_unit_of_the_dates_does_not_matter():
    other = {pair: f.assign(date=f["date"].dt.as_unit("ns")) for pair, f in FRAMES.items()}
    assert content_hash(other) == content_hash(FRAMES)


def test_no_test_looks_at_the_real_keys(config_home):
    assert Path(os.environ["XDG_CONFIG_HOME"]) == config_home
    assert sealing.keys_dir().is_relative_to(config_home)
