import dataclasses
import json
import os
import shutil
import subprocess

import pandas as pd
import pytest
from builders import arena, config

from arena import lock, opening, seal, settings
from arena.errors import ArenaError, LockError, SealError
from arena.lock import Lock


@pytest.fixture(autouse=True)
def config_home(tmp_path, monkeypatch):
    """No test touches the user's own keys."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def prepared(tmp_path):
    """Settings of a small arena whose data and code are locked."""
    root = tmp_path / "repository"
    (root / "arena" / "sources").mkdir(parents=True)
    for name in ("prepare.py", "run.py", "arena/booking.py", "arena/sources/files.py"):
        (root / name).write_text(f"# {name}\n")
    data = root / "user_data" / "data"
    data.mkdir(parents=True)
    (data / "BTC_USDT-1h.feather").write_bytes(b"candles")
    (data / "markets.json").write_text("{}")
    settings = arena(root)
    seal_holdout(settings)
    lock.write(root, made(settings))
    return settings


FRAMES = {
    "BTC/USDT": pd.DataFrame({"date": pd.date_range("2025", periods=2, freq="h", tz="UTC", unit="ms"), "close": [1.0, 2.0]})
}


def seal_holdout(settings):
    file = settings.root / "user_data/data/holdout.sealed"
    file.write_bytes(seal.seal(file, FRAMES, *seal.new_key("holdout")))


def made(settings, frames=FRAMES, **changes):
    given = {
        "content": {"user_data/data/holdout.sealed": seal.content_hash(frames)},
        "source": {"label": "binance", "kind": "exchange"},
        "arena": {"pairs": list(settings.pairs), "timeframe": "1h"},
        "facts": {"notes": ["größe"]},
    }
    return lock.make(settings, settings.root / lock.DATA, **given | changes)


def refusal(settings):
    with pytest.raises(LockError) as refused:
        lock.verify(settings)
    return str(refused.value)


def test_what_was_locked_verifies(prepared):
    assert lock.verify(prepared) == made(prepared)
    assert lock.differences(made(prepared), prepared) == []


def test_the_lock_knows_every_file(prepared):
    found = lock.verify(prepared)
    assert set(found.data) == {"user_data/data/BTC_USDT-1h.feather", "user_data/data/markets.json"}
    assert set(found.sealed) == set(found.content) == {"user_data/data/holdout.sealed"}
    assert set(found.code) == {"config.json", "prepare.py", "run.py", "arena/booking.py", "arena/sources/files.py"}
    assert set(found.engines) == {"python", *lock.ENGINES}
    assert (found.source["label"], found.facts) == ("binance", {"notes": ["größe"]})
    assert (
        found.data["user_data/data/markets.json"] == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )  # sha256 of {}


def test_without_a_lock_the_arena_is_not_prepared(prepared):
    (prepared.root / lock.FILE).unlink()
    assert lock.read(prepared.root) is None
    assert "the arena is not prepared. Run `uv run prepare.py`" in refusal(prepared)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("user_data/data/BTC_USDT-1h.feather", "data"),
        ("user_data/data/markets.json", "data"),
        ("user_data/data/holdout.sealed", "data"),
        ("run.py", "contract"),
        ("prepare.py", "contract"),
        ("arena/booking.py", "contract"),
        ("arena/sources/files.py", "contract"),
    ],
)
def test_a_changed_and_a_missing_file_are_named(prepared, name, kind):
    file = prepared.root / name
    file.write_bytes(file.read_bytes() + b"\n")
    assert refusal(prepared).startswith(f"{kind} file {name} has changed since the lock. Run `uv run prepare.py`")
    file.unlink()
    assert refusal(prepared).startswith(f"{kind} file {name} is missing")


def test_a_changed_configuration_is_named(prepared):
    (prepared.root / "config.json").write_text(json.dumps(config({"fee": 0.0})))
    assert refusal(prepared).startswith("contract file config.json has changed since the lock")


@pytest.mark.parametrize("name", ["arena/patch.py", "arena/sources/other.py", "judge.py"])
def test_new_code_is_named(prepared, name):
    (prepared.root / name).write_text("")
    assert refusal(prepared).startswith(f"contract file {name} is new since the lock")


@pytest.mark.parametrize("name", ["BTC_USDT-5m.feather", "futures/BTC_USDT-1h-mark.feather"])
def test_new_candles_are_named(prepared, name):
    """A worker reads the folder: candles that nobody locked could tell the future."""
    file = prepared.root / lock.DATA / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"candles")
    assert refusal(prepared).startswith(f"data file user_data/data/{name} is new since the lock")


def test_what_a_desktop_leaves_in_a_folder_is_no_candle(prepared):
    (prepared.root / lock.DATA / ".DS_Store").write_bytes(b"")
    lock.verify(prepared)


@pytest.mark.parametrize("package", ["python", "freqtrade", "numpy", "pandas", "ta-lib"])
def test_another_version_of_an_engine_is_named(prepared, package):
    locked = made(prepared)
    now = locked.engines[package]
    write(prepared, locked, engines=locked.engines | {package: "0.0.1"})
    assert refusal(prepared).startswith(f"{package} is {now}, the arena was locked with 0.0.1")


def write(settings, locked, **changes):
    """A lock that is whole in itself and differs from what is there."""
    fields = dataclasses.asdict(locked) | changes
    fields["contract"] = lock.contract_of({name: fields[name] for name in lock.COVERED})
    lock.write(settings.root, Lock(**fields))


def test_every_difference_is_told(prepared):
    locked = lock.verify(prepared)
    (prepared.root / "run.py").unlink()
    (prepared.root / "user_data/data/markets.json").write_text("[]")
    (prepared.root / "arena/booking.py").write_text("")
    assert lock.differences(locked, prepared) == [
        "contract file arena/booking.py has changed since the lock",
        "contract file run.py is missing",
        "data file user_data/data/markets.json has changed since the lock",
    ]


def test_the_lock_renewed_has_the_contract_of_now(prepared):
    before = lock.verify(prepared)
    (prepared.root / "run.py").write_text("# another\n")
    renewed = lock.renew(before, prepared)
    lock.write(prepared.root, renewed)
    assert lock.verify(prepared) == renewed
    assert renewed.contract != before.contract
    assert {f.name for f in dataclasses.fields(Lock) if getattr(renewed, f.name) != getattr(before, f.name)} == {
        "contract",
        "code",
    }


def test_a_lock_renewed_does_not_take_other_data(prepared):
    before = lock.verify(prepared)
    (prepared.root / "user_data/data/markets.json").write_text("[]")
    lock.write(prepared.root, lock.renew(before, prepared))
    assert refusal(prepared).startswith("data file user_data/data/markets.json has changed")


def test_the_same_candles_sealed_anew_are_the_same_contract(prepared):
    first = lock.verify(prepared)
    seal_holdout(prepared)
    assert refusal(prepared).startswith("data file user_data/data/holdout.sealed has changed")
    second = made(prepared)
    assert second.sealed != first.sealed
    assert second.contract == first.contract


def test_everything_that_decides_a_figure_changes_the_contract(prepared):
    base = made(prepared).contract
    other_frames = {"BTC/USDT": FRAMES["BTC/USDT"].assign(close=[1.0, 3.0])}
    others = [made(prepared, other_frames).contract, made(prepared, arena={"pairs": []}).contract]
    for name in ("run.py", "config.json", "arena/booking.py", "user_data/data/markets.json"):
        file = prepared.root / name
        before = file.read_bytes()
        file.write_bytes(before + b" " if name != "config.json" else json.dumps(config({"fee": 0.002})).encode())
        others.append(made(prepared).contract)
        file.write_bytes(before)
    assert len({base, *others}) == 7
    assert made(prepared, facts={}, source={"label": "files"}).contract == base  # what is only told does not


def test_the_name_of_a_file_is_part_of_the_contract(prepared):
    base = made(prepared).contract
    file = prepared.root / "user_data/data/markets.json"
    file.rename(file.with_name("market.json"))
    assert made(prepared).contract != base


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "7", "{}", '{"format": 1}', '{"format": 0, "contract": "x"}', "\ud800"],
    ids=["empty", "cut short", "a list", "null", "a number", "no format", "no fields", "another version", "not UTF-8"],
)
def test_a_damaged_lock_is_said_with_the_way_out(prepared, text):
    (prepared.root / lock.FILE).write_bytes(text.encode("utf-8", "surrogatepass"))
    assert refusal(prepared).startswith("data.lock.json cannot be read: ")
    assert "Run `uv run prepare.py --force`" in refusal(prepared)


def test_a_folder_in_place_of_the_lock_is_said(prepared):
    (prepared.root / lock.FILE).unlink()
    (prepared.root / lock.FILE).mkdir()
    assert refusal(prepared).startswith("data.lock.json cannot be read: ")


@pytest.mark.parametrize("field", ["contract", "data", "content", "code", "engines", "arena"])
def test_a_lock_that_was_edited_is_said(prepared, field):
    """The contract that a block shows is the hash of what is locked, and not what somebody wrote there."""
    file = prepared.root / lock.FILE
    raw = json.loads(file.read_text())
    raw[field] = "0" * 64 if field == "contract" else raw[field] | {"user_data/data/markets.json": "0" * 64}
    file.write_text(json.dumps(raw))
    assert "its contract is not the hash of what it locks" in refusal(prepared)


def test_an_edited_candle_with_an_edited_lock_is_said(prepared):
    candles = prepared.root / "user_data/data/BTC_USDT-1h.feather"
    old = lock.file_sha256(candles)
    candles.write_bytes(b"better candles")
    file = prepared.root / lock.FILE
    file.write_text(file.read_text().replace(old, lock.file_sha256(candles)))
    assert "its contract is not the hash of what it locks" in refusal(prepared)


def test_a_file_is_written_whole(tmp_path):
    file = tmp_path / "x.json"
    lock.write_whole(file, b"first")
    lock.write_whole(file, b"second")
    assert file.read_bytes() == b"second"
    assert os.listdir(tmp_path) == ["x.json"]


def test_the_old_file_stays_when_writing_fails(tmp_path):
    file = tmp_path / "x.json"
    lock.write_whole(file, b"old")
    with pytest.raises(TypeError):
        lock.write_whole(file, "no bytes")
    assert file.read_bytes() == b"old"
    assert [name for name in os.listdir(tmp_path) if "x.json" in name] == ["x.json"]


def test_the_old_file_stays_when_the_disk_is_full(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("no right to mount a file system")
    try:
        lock.write_whole(folder / "x.json", b"old")
        with pytest.raises(OSError, match="No space left"):
            lock.write_whole(folder / "x.json", bytes(100_000))
        assert (folder / "x.json").read_bytes() == b"old"
        assert os.listdir(folder) == ["x.json"]
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_evaluations_share_the_arena_and_a_preparation_has_it_alone(tmp_path):
    with lock.shared(tmp_path), lock.shared(tmp_path):
        with pytest.raises(ArenaError, match=r"another prepare\.py or run\.py is under way here"), lock.exclusive(tmp_path):
            pass
    with lock.exclusive(tmp_path):
        with pytest.raises(ArenaError, match=r"^prepare\.py is under way here\. Wait for it to end\.$"), lock.shared(tmp_path):
            pass
        with pytest.raises(ArenaError, match=r"another prepare\.py or run\.py is under way here"), lock.exclusive(tmp_path):
            pass
    with lock.exclusive(tmp_path):  # free again
        pass


def test_an_arena_that_cannot_be_held_is_said(tmp_path):
    (tmp_path / "user_data").write_text("a file")
    with pytest.raises(ArenaError, match="The arena needs a writable user_data folder"), lock.shared(tmp_path):
        pass


def test_a_link_is_named_and_not_followed(prepared, tmp_path):
    """Of a candle file, and of the folders above it: what a link leads to can change between two looks."""
    data, away = prepared.root / "user_data" / "data", tmp_path / "away"
    candles = data / "BTC_USDT-1h.feather"
    away.mkdir()
    candles.rename(away / candles.name)
    candles.symlink_to(away / candles.name)
    assert "user_data/data/BTC_USDT-1h.feather is a link, which is not followed" in refusal(prepared)
    candles.unlink()
    (away / candles.name).rename(candles)
    lock.verify(prepared)
    data.rename(away / "data")
    data.symlink_to(away / "data")
    assert "user_data/data is a link, which is not followed" in refusal(prepared)


@pytest.mark.parametrize("name", [lock.FILE, "config.json"])
def test_neither_the_lock_nor_the_configuration_may_be_a_link(prepared, tmp_path, name):
    (prepared.root / name).rename(tmp_path / name)
    (prepared.root / name).symlink_to(tmp_path / name)
    with pytest.raises(ArenaError, match=f"{name} cannot be read"):
        lock.read(prepared.root) if name == lock.FILE else settings.load(prepared.root / name)


def test_what_is_used_is_what_was_verified(prepared):
    """A file that changes after the look at all of them is refused where it is read."""
    read = lock.reader(lock.verify(prepared), prepared.root)
    assert read("markets.json") == b"{}"
    (prepared.root / lock.DATA / "markets.json").write_text("[]")
    with pytest.raises(LockError, match="markets.json has changed since the lock"):
        read("markets.json")


def test_a_worktree_reads_the_data_of_its_checkout_and_follows_no_other_link(prepared, tmp_path):
    place = prepared.root / "user_data" / "worktrees" / "t"
    (place / "user_data").mkdir(parents=True)
    (place / lock.FILE).symlink_to(f"../../../{lock.FILE}")
    (place / lock.DATA).symlink_to("../../../data")
    assert lock.read(place) == lock.read(prepared.root)
    assert lock.reader(lock.read(place), place)("markets.json") == b"{}"
    shutil.copytree(prepared.root / lock.DATA, tmp_path / "data")
    (place / lock.DATA).unlink()
    (place / lock.DATA).symlink_to(tmp_path / "data")
    with pytest.raises(LockError, match="cannot be read"):
        lock.reader(lock.read(place), place)("markets.json")


def test_other_candles_under_the_seal_are_refused(prepared):
    """The file's own hash is not in the contract, because each sealing gives another; what is sealed is."""
    locked, file = lock.read(prepared.root), prepared.root / "user_data/data/holdout.sealed"
    better = {pair: frame.assign(close=frame["close"] * 2) for pair, frame in FRAMES.items()}
    file.write_bytes(seal.seal(file, better, *seal.new_key("holdout")))
    lock.write(prepared.root, dataclasses.replace(locked, sealed={"user_data/data/holdout.sealed": lock.file_sha256(file)}))
    edited = lock.verify(prepared)
    assert edited.contract == locked.contract
    with pytest.raises(SealError, match="holds other candles than those that the contract is of"):
        opening.sealed_tables(prepared, edited, "holdout.sealed")
