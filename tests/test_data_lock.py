import dataclasses
import json
import os
import shutil
import subprocess

import pandas as pd
import pytest
from builders import arena, config
from conftest import ROOT

from arena import settings
from arena.errors import ArenaError, LockError, SealError
from arena.evaluation import context
from arena.files import file_sha256, write_whole
from arena.ledger import data_lock
from arena.ledger.data_lock import Lock
from arena.market import sealing


@pytest.fixture(autouse=True)
def config_home(tmp_path, monkeypatch):
    """No test touches the user's own keys."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def prepared(tmp_path):
    """Settings of a small arena whose data and code are locked."""
    root = tmp_path / "repository"
    for name in (
        "prepare.py",
        "run.py",
        "arena/accounting/booking.py",
        "arena/preparation/sources/files.py",
        "arena/reports/block.py",
        "judge/summary.py",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"# {name}\n")
    data = root / "user_data" / "data"
    data.mkdir(parents=True)
    (data / "BTC_USDT-1h.feather").write_bytes(b"candles")
    (data / "markets.json").write_text("{}")
    settings = arena(root)
    seal_holdout(settings)
    data_lock.write(root, made(settings))
    return settings


FRAMES = {
    "BTC/USDT": pd.DataFrame(
        {"date": pd.date_range("2025", periods=2, freq="h", tz="UTC", unit="ms"), "close": [1.0, 2.0]}
    )
}


def seal_holdout(settings):
    file = settings.root / "user_data/data/holdout.sealed"
    file.write_bytes(sealing.seal(file, FRAMES, *sealing.new_key("holdout")))


def made(settings, frames=FRAMES, **changes):
    given = {
        "content": {"user_data/data/holdout.sealed": sealing.content_hash(frames)},
        "source": {"label": "binance", "kind": "exchange"},
        "arena": {"pairs": list(settings.pairs), "timeframe": "1h"},
        "facts": {"notes": ["größe"]},
    }
    return data_lock.make(settings, settings.root / data_lock.DATA, **given | changes)


def refusal(settings):
    with pytest.raises(LockError) as refused:
        data_lock.verify(settings)
    return str(refused.value)


def test_what_was_locked_verifies(prepared):
    assert data_lock.verify(prepared) == made(prepared)
    assert data_lock.differences(made(prepared), prepared) == []


def test_the_lock_knows_every_file(prepared):
    found = data_lock.verify(prepared)
    assert set(found.data) == {"user_data/data/BTC_USDT-1h.feather", "user_data/data/markets.json"}
    assert set(found.sealed) == set(found.content) == {"user_data/data/holdout.sealed"}
    assert set(found.code) == {"config.json", "arena/accounting/booking.py", "arena/preparation/sources/files.py"}
    assert set(found.presentation) == {"prepare.py", "run.py", "arena/reports/block.py", "judge/summary.py"}
    assert set(found.engines) == {"python", *data_lock.ENGINES}
    assert (found.source["label"], found.facts) == ("binance", {"notes": ["größe"]})
    assert (
        found.data["user_data/data/markets.json"] == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )  # sha256 of {}


def test_without_a_lock_the_arena_is_not_prepared(prepared):
    (prepared.root / data_lock.FILE).unlink()
    assert data_lock.read(prepared.root) is None
    assert "the arena is not prepared. Run `uv run prepare.py`" in refusal(prepared)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("user_data/data/BTC_USDT-1h.feather", "data"),
        ("user_data/data/markets.json", "data"),
        ("user_data/data/holdout.sealed", "data"),
        ("run.py", "program"),
        ("prepare.py", "program"),
        ("arena/reports/block.py", "program"),
        ("judge/summary.py", "program"),
        ("arena/accounting/booking.py", "contract"),
        ("arena/preparation/sources/files.py", "contract"),
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


NEW = {
    "arena/patch.py": "contract",
    "arena/preparation/sources/other.py": "contract",
    "judge.py": "program",
    "judge/other.py": "program",
}


@pytest.mark.parametrize("name", NEW)
def test_new_code_is_named(prepared, name):
    (prepared.root / name).write_text("")
    assert refusal(prepared).startswith(f"{NEW[name]} file {name} is new since the lock")


@pytest.mark.parametrize("name", ["BTC_USDT-5m.feather", "futures/BTC_USDT-1h-mark.feather"])
def test_new_candles_are_named(prepared, name):
    """A worker reads the folder: candles that nobody locked could tell the future."""
    file = prepared.root / data_lock.DATA / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"candles")
    assert refusal(prepared).startswith(f"data file user_data/data/{name} is new since the lock")


def test_what_a_desktop_leaves_in_a_folder_is_no_candle(prepared):
    (prepared.root / data_lock.DATA / ".DS_Store").write_bytes(b"")
    data_lock.verify(prepared)


@pytest.mark.parametrize("package", ["python", "freqtrade", "numpy", "pandas", "ta-lib"])
def test_another_version_of_an_engine_is_named(prepared, package):
    locked = made(prepared)
    now = locked.engines[package]
    write(prepared, locked, engines=locked.engines | {package: "0.0.1"})
    assert refusal(prepared).startswith(f"{package} is {now}, the arena was locked with 0.0.1")


def write(settings, locked, **changes):
    """A lock that is whole in itself and differs from what is there."""
    fields = dataclasses.asdict(locked) | changes
    fields["contract"] = data_lock.contract_of({name: fields[name] for name in data_lock.COVERED})
    data_lock.write(settings.root, Lock(**fields))


def test_every_difference_is_told(prepared):
    locked = data_lock.verify(prepared)
    (prepared.root / "run.py").unlink()
    (prepared.root / "user_data/data/markets.json").write_text("[]")
    (prepared.root / "arena/accounting/booking.py").write_text("")
    assert data_lock.differences(locked, prepared) == [
        "contract file arena/accounting/booking.py has changed since the lock",
        "program file run.py is missing",
        "data file user_data/data/markets.json has changed since the lock",
    ]


def test_the_lock_renewed_has_the_contract_of_now(prepared):
    before = data_lock.verify(prepared)
    (prepared.root / "arena/accounting/booking.py").write_text("# another\n")
    renewed = data_lock.renew(before, prepared)
    data_lock.write(prepared.root, renewed)
    assert data_lock.verify(prepared) == renewed
    assert renewed.contract != before.contract
    assert {f.name for f in dataclasses.fields(Lock) if getattr(renewed, f.name) != getattr(before, f.name)} == {
        "contract",
        "code",
    }


def test_a_lock_renewed_does_not_take_other_data(prepared):
    before = data_lock.verify(prepared)
    (prepared.root / "user_data/data/markets.json").write_text("[]")
    data_lock.write(prepared.root, data_lock.renew(before, prepared))
    assert refusal(prepared).startswith("data file user_data/data/markets.json has changed")


def test_the_same_candles_sealed_anew_are_the_same_contract(prepared):
    first = data_lock.verify(prepared)
    seal_holdout(prepared)
    assert refusal(prepared).startswith("data file user_data/data/holdout.sealed has changed")
    second = made(prepared)
    assert second.sealed != first.sealed
    assert second.contract == first.contract


def test_everything_that_decides_a_figure_changes_the_contract(prepared):
    base = made(prepared).contract
    other_frames = {"BTC/USDT": FRAMES["BTC/USDT"].assign(close=[1.0, 3.0])}
    others = [made(prepared, other_frames).contract, made(prepared, arena={"pairs": []}).contract]
    for name in (
        "config.json",
        "arena/preparation/sources/files.py",
        "arena/accounting/booking.py",
        "user_data/data/markets.json",
    ):
        file = prepared.root / name
        before = file.read_bytes()
        file.write_bytes(before + b" " if name != "config.json" else json.dumps(config({"fee": 0.002})).encode())
        others.append(made(prepared).contract)
        file.write_bytes(before)
    assert len({base, *others}) == 7
    assert made(prepared, facts={}, source={"label": "files"}).contract == base  # what is only told does not


@pytest.mark.parametrize("name", ["run.py", "arena/reports/block.py", "judge/summary.py"])
def test_code_that_prints_is_locked_and_no_part_of_the_contract(prepared, name):
    before = data_lock.verify(prepared)
    (prepared.root / name).write_text("# other words\n")
    assert refusal(prepared).startswith(f"program file {name} has changed since the lock")
    data_lock.write(prepared.root, data_lock.renew(before, prepared))
    assert data_lock.verify(prepared).contract == before.contract


def test_a_sentence_of_a_report_is_no_part_of_the_contract_and_a_sign_in_the_booking_is(tmp_path):
    """The repository's own files: a word in what a block says of validation, and the fee of an entry."""
    root = tmp_path / "copy"
    for folder in ("arena", "judge"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    here = arena(root)
    base = data_lock.code_hashes(here).contract
    edits = {
        "arena/reports/block.py": ("not recorded", "not written down"),
        "arena/accounting/booking.py": ("(1 + self.fee)", "(1 - self.fee)"),
    }
    for name, (old, new) in edits.items():
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new))
    changed = data_lock.code_hashes(here).contract
    assert {name for name in base.keys() | changed.keys() if base.get(name) != changed.get(name)} == {
        "arena/accounting/booking.py"
    }


def test_a_lock_of_before_the_two_were_told_apart_is_read(prepared):
    """Its contract is the hash of what it names, so trials under it stay readable; the next preparation locks anew."""
    raw = json.loads((prepared.root / data_lock.FILE).read_text())
    raw["code"] |= raw.pop("presentation")
    raw["contract"] = data_lock.contract_of({name: raw[name] for name in data_lock.COVERED})
    (prepared.root / data_lock.FILE).write_text(json.dumps(raw))
    assert data_lock.read(prepared.root).contract == raw["contract"]
    assert refusal(prepared).startswith("contract file arena/reports/block.py is missing")


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
    (prepared.root / data_lock.FILE).write_bytes(text.encode("utf-8", "surrogatepass"))
    assert refusal(prepared).startswith("data.lock.json cannot be read: ")
    assert "Run `uv run prepare.py --force`" in refusal(prepared)


def test_a_folder_in_place_of_the_lock_is_said(prepared):
    (prepared.root / data_lock.FILE).unlink()
    (prepared.root / data_lock.FILE).mkdir()
    assert refusal(prepared).startswith("data.lock.json cannot be read: ")


@pytest.mark.parametrize("field", ["contract", "data", "content", "code", "engines", "arena"])
def test_a_lock_that_was_edited_is_said(prepared, field):
    """The contract that a block shows is the hash of what is locked, and not what somebody wrote there."""
    file = prepared.root / data_lock.FILE
    raw = json.loads(file.read_text())
    raw[field] = "0" * 64 if field == "contract" else raw[field] | {"user_data/data/markets.json": "0" * 64}
    file.write_text(json.dumps(raw))
    assert "its contract is not the hash of what it locks" in refusal(prepared)


def test_an_edited_candle_with_an_edited_lock_is_said(prepared):
    candles = prepared.root / "user_data/data/BTC_USDT-1h.feather"
    old = file_sha256(candles)
    candles.write_bytes(b"better candles")
    file = prepared.root / data_lock.FILE
    file.write_text(file.read_text().replace(old, file_sha256(candles)))
    assert "its contract is not the hash of what it locks" in refusal(prepared)


def test_a_file_is_written_whole(tmp_path):
    file = tmp_path / "x.json"
    write_whole(file, b"first")
    write_whole(file, b"second")
    assert file.read_bytes() == b"second"
    assert os.listdir(tmp_path) == ["x.json"]


def test_the_old_file_stays_when_writing_fails(tmp_path):
    file = tmp_path / "x.json"
    write_whole(file, b"old")
    with pytest.raises(TypeError):
        write_whole(file, "no bytes")
    assert file.read_bytes() == b"old"
    assert [name for name in os.listdir(tmp_path) if "x.json" in name] == ["x.json"]


def test_the_old_file_stays_when_the_disk_is_full(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("no right to mount a file system")
    try:
        write_whole(folder / "x.json", b"old")
        with pytest.raises(OSError, match="No space left"):
            write_whole(folder / "x.json", bytes(100_000))
        assert (folder / "x.json").read_bytes() == b"old"
        assert os.listdir(folder) == ["x.json"]
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_evaluations_share_the_arena_and_a_preparation_has_it_alone(tmp_path):
    with data_lock.shared(tmp_path), data_lock.shared(tmp_path):
        with (
            pytest.raises(ArenaError, match=r"another prepare\.py or run\.py is under way here"),
            data_lock.exclusive(tmp_path),
        ):
            pass
    with data_lock.exclusive(tmp_path):
        with (
            pytest.raises(ArenaError, match=r"^prepare\.py is under way here\. Wait for it to end\.$"),
            data_lock.shared(tmp_path),
        ):
            pass
        with (
            pytest.raises(ArenaError, match=r"another prepare\.py or run\.py is under way here"),
            data_lock.exclusive(tmp_path),
        ):
            pass
    with data_lock.exclusive(tmp_path):  # free again
        pass


def test_an_arena_that_cannot_be_held_is_said(tmp_path):
    (tmp_path / "user_data").write_text("a file")
    with pytest.raises(ArenaError, match="The arena needs a writable user_data folder"), data_lock.shared(tmp_path):
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
    data_lock.verify(prepared)
    data.rename(away / "data")
    data.symlink_to(away / "data")
    assert "user_data/data is a link, which is not followed" in refusal(prepared)


@pytest.mark.parametrize("name", [data_lock.FILE, "config.json"])
def test_neither_the_lock_nor_the_configuration_may_be_a_link(prepared, tmp_path, name):
    (prepared.root / name).rename(tmp_path / name)
    (prepared.root / name).symlink_to(tmp_path / name)
    with pytest.raises(ArenaError, match=f"{name} cannot be read"):
        data_lock.read(prepared.root) if name == data_lock.FILE else settings.load(prepared.root / name)


def test_what_is_used_is_what_was_verified(prepared):
    """A file that changes after the look at all of them is refused where it is read."""
    read = data_lock.reader(data_lock.verify(prepared), prepared.root)
    assert read("markets.json") == b"{}"
    (prepared.root / data_lock.DATA / "markets.json").write_text("[]")
    with pytest.raises(LockError, match="markets.json has changed since the lock"):
        read("markets.json")


def test_a_worktree_reads_the_data_of_its_checkout_and_follows_no_other_link(prepared, tmp_path):
    place = prepared.root / "user_data" / "worktrees" / "t"
    (place / "user_data").mkdir(parents=True)
    (place / data_lock.FILE).symlink_to(f"../../../{data_lock.FILE}")
    (place / data_lock.DATA).symlink_to("../../../data")
    assert data_lock.read(place) == data_lock.read(prepared.root)
    assert data_lock.reader(data_lock.read(place), place)("markets.json") == b"{}"
    shutil.copytree(prepared.root / data_lock.DATA, tmp_path / "data")
    (place / data_lock.DATA).unlink()
    (place / data_lock.DATA).symlink_to(tmp_path / "data")
    with pytest.raises(LockError, match="cannot be read"):
        data_lock.reader(data_lock.read(place), place)("markets.json")


def test_other_candles_under_the_seal_are_refused(prepared):
    """The file's own hash is not in the contract, because each sealing gives another; what is sealed is."""
    locked, file = data_lock.read(prepared.root), prepared.root / "user_data/data/holdout.sealed"
    better = {pair: frame.assign(close=frame["close"] * 2) for pair, frame in FRAMES.items()}
    file.write_bytes(sealing.seal(file, better, *sealing.new_key("holdout")))
    data_lock.write(
        prepared.root, dataclasses.replace(locked, sealed={"user_data/data/holdout.sealed": file_sha256(file)})
    )
    edited = data_lock.verify(prepared)
    assert edited.contract == locked.contract
    with pytest.raises(SealError, match="holds other candles than those that the contract is of"):
        context.sealed_tables(prepared, edited, "holdout.sealed")
