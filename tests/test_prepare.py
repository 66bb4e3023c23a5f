"""prepare.py as a user starts it: sources, sealing, locking again, interruptions, wrong input."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys

import pandas as pd
import pytest
from arenas import SMALL, checkout, command
from waiting import until

import prepare as commands
import run
from arena.ledger import data_lock, store
from arena.market import sealing


@pytest.fixture
def repo(tmp_path):
    folder = checkout(tmp_path / "repo")
    configure(folder)
    return folder


def configure(folder, **section):
    config = json.loads((folder / "config.json").read_text()) | {k: v for k, v in SMALL.items() if k != "arena"}
    config["arena"] |= SMALL["arena"] | section
    (folder / "config.json").write_text(json.dumps(config))


def prepare(folder, *arguments, stdin=""):
    return command(commands.cli, folder, "prepare.py", *arguments, stdin=stdin)


def demo(folder):
    return command(run.cli, folder, "run.py", "--demo")


def contract(folder):
    return data_lock.read(folder).contract


def test_a_sample_market_is_prepared_sealed_and_locked(repo):
    done = prepare(repo, "--sample", "null", "--seed", "3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("ready: contract ")
    data = repo / "user_data" / "data"
    names = {f"{pair}-{timeframe}.feather" for pair in ("BTC_USDT", "ETH_USDT") for timeframe in ("1h", "4h", "1d")}
    assert {file.name for file in data.iterdir()} == names | {"markets.json", "validation.sealed", "holdout.sealed"}
    assert pd.read_feather(data / "BTC_USDT-1h.feather")["date"].iloc[-1] == pd.Timestamp("2021-09-01", tz="UTC")
    assert data_lock.read(repo).source == {"label": "sample-null", "kind": "sample", "market": "null", "seed": 3}


def test_nothing_after_the_search_is_in_the_clear_and_the_keys_lie_outside(repo):
    prepare(repo, "--sample")
    data = repo / "user_data" / "data"
    for name in ("validation", "holdout"):
        frames = sealing.unseal(data / f"{name}.sealed")
        assert set(frames) == {"BTC/USDT", "ETH/USDT"}
    assert frames["BTC/USDT"]["date"].iloc[0] == pd.Timestamp("2021-10-01", tz="UTC")
    for file in data.glob("*.feather"):
        assert pd.read_feather(file)["date"].max() <= pd.Timestamp("2021-09-01", tz="UTC")
    for key in sealing.keys_dir().iterdir():
        assert repo not in key.parents
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_second_run_verifies_and_changes_nothing(repo):
    prepare(repo, "--sample")
    before = {file: file.stat().st_mtime_ns for file in (repo / "user_data" / "data").iterdir()}
    locked = (repo / data_lock.FILE).read_bytes()
    done = prepare(repo)
    assert done.returncode == 0
    assert "ready" in done.stdout
    assert {file: file.stat().st_mtime_ns for file in (repo / "user_data" / "data").iterdir()} == before
    assert (repo / data_lock.FILE).read_bytes() == locked


def test_the_same_source_gives_the_same_contract_anywhere(repo, tmp_path):
    other = checkout(tmp_path / "other")
    configure(other)
    prepare(repo, "--sample")
    prepare(other, "--sample")
    assert contract(repo) == contract(other)
    assert (repo / "user_data/data/holdout.sealed").read_bytes() != (
        other / "user_data/data/holdout.sealed"
    ).read_bytes()


def test_a_changed_config_is_locked_again_and_the_ledger_tells(repo):
    prepare(repo, "--sample")
    before = contract(repo)
    configure(repo, gates={"min_trades": 7})
    refused = demo(repo)
    assert refused.returncode == 2
    assert "config.json has changed since the lock. Run `uv run prepare.py`" in refused.stderr
    done = prepare(repo)
    assert "locked again: contract file config.json has changed" in done.stdout
    assert contract(repo) != before
    kept = store.Ledger(repo / store.LEDGER)
    assert kept.last_contract() == contract(repo)
    assert kept.check() == []


def test_a_data_file_that_was_changed_is_made_again(repo):
    prepare(repo, "--sample")
    before = contract(repo)
    file = repo / "user_data" / "data" / "ETH_USDT-4h.feather"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    refused = demo(repo)
    assert (refused.returncode, "ETH_USDT-4h.feather has changed" in refused.stderr) == (2, True)
    assert prepare(repo).returncode == 0
    assert contract(repo) == before


def test_another_arena_is_not_put_over_this_one_without_a_word(repo):
    prepare(repo, "--sample")
    before = contract(repo)
    done = prepare(repo, "--sample", "planted")
    assert done.returncode == 2
    assert "--force" in done.stderr
    assert contract(repo) == before
    configure(repo, warmup_from="20210108")  # other candles, which nobody has asked the source for
    done = prepare(repo)
    assert (done.returncode, "--force" in done.stderr, contract(repo)) == (2, True, before)
    configure(repo)
    assert prepare(repo, "--sample", "planted", "--force").returncode == 0
    assert contract(repo) != before


def test_a_passphrase_seals_the_holdout_and_nothing_else(repo):
    done = prepare(repo, "--sample", "--passphrase", stdin="open sesame\n")
    assert done.returncode == 0, done.stderr
    data = repo / "user_data" / "data"
    assert sealing.unseal(data / "validation.sealed")
    assert sealing.unseal(data / "holdout.sealed", "open sesame")
    with pytest.raises(sealing.SealError, match="passphrase does not open"):
        sealing.unseal(data / "holdout.sealed", "open barley")
    assert prepare(repo, "--sample", "--passphrase", "--force", stdin="\n").returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize("begun", ["ledger.db", "data.new", "data"])
def test_a_kill_at_any_moment_leaves_an_arena_that_can_be_prepared(repo, begun):
    process = subprocess.Popen(
        [sys.executable, "prepare.py", "--sample"], cwd=repo, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until(lambda: (repo / "user_data" / begun).exists() or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert prepare(repo, "--sample").returncode == 0
    assert "ready" in prepare(repo).stdout
    left = {file.name for file in (repo / "user_data").iterdir()}
    assert left - {"ledger.db-wal", "ledger.db-shm"} == {"data", "strategies", "ledger.db", ".lock"}


def test_null_ranges_seal_nothing(repo):
    configure(repo, validation=None, holdout=None)
    assert prepare(repo, "--sample").returncode == 0
    assert not list((repo / "user_data" / "data").glob("*.sealed"))


CANDLES = "Date,Open,High,Low,Close,Volume\n" + "".join(
    f"{day:%Y-%m-%d},{100 + i % 7},{110 + i % 7},{90 + i % 7},{101 + i % 7},5\n"
    for i, day in enumerate(pd.date_range("2021-01-01", "2021-11-02"))
)


def daily(folder, text):
    """One pair of daily candles in a CSV."""
    config = json.loads((folder / "config.json").read_text())
    config |= {"stake_currency": "USD", "timeframe": "1d"}
    config["exchange"]["pair_whitelist"] = ["ACME/USD"]
    config["arena"]["informative_timeframes"] = []
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "csv").mkdir()
    (folder / "csv" / "ACME-1d.csv").write_text(text)


def test_a_csv_makes_a_daily_arena_with_metadata_from_prices(repo):
    daily(repo, CANDLES)
    done = prepare(repo, "--from", "csv")
    assert done.returncode == 0, done.stderr
    assert "market metadata derived from prices: ACME/USD" in done.stdout
    assert json.loads((repo / "user_data/data/markets.json").read_text())["ACME/USD"]["base"] == "ACME"


LINE = "2021-03-05,107,117,97,108,5\n"


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (CANDLES.replace("Date,Open", "Date,Opening"), "open"),
        (CANDLES.replace("2021-03-05,", "2021-03-04,"), "2021-03-04"),
        (CANDLES.replace("2021-03-05,", "2021-12-30,"), "sort"),
        (CANDLES.replace("2021-03-05,100,110,90", "2021-03-05,100,80,90"), "2021-03-05"),
        (CANDLES.replace("2021-03-05,100,", "2021-03-05,0,"), "2021-03-05"),
        (CANDLES.split("2021-08-01")[0], "candles end 2021-07-31"),
        (CANDLES.split("2021-10-15")[0], '"holdout": null'),
        ("Date,Open,High,Low,Close,Volume\n", "ACME"),
        ("", "ACME"),
    ],
    ids=[
        "header",
        "duplicate",
        "unsorted",
        "high below low",
        "zero price",
        "ends early",
        "no holdout",
        "no rows",
        "empty",
    ],
)
def test_wrong_input_is_named_and_nothing_is_half_written(repo, broken, words):
    daily(repo, broken)
    done = prepare(repo, "--from", "csv")
    assert done.returncode == 2, done.stdout
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert data_lock.read(repo) is None
    assert not (repo / "user_data" / "data").exists()


def test_a_failed_preparation_leaves_the_old_arena(repo):
    prepare(repo, "--sample")
    before = contract(repo)
    (repo / "empty").mkdir()
    assert prepare(repo, "--from", "empty", "--force").returncode == 2
    assert contract(repo) == before
    assert "ready" in prepare(repo).stdout


@pytest.mark.slow
def test_without_a_network_the_choices_are_named(repo):
    config = json.loads((repo / "config.json").read_text())
    nowhere = "http://127.0.0.1:9/api/v3"
    config["exchange"]["ccxt_config"] = {"urls": {"api": {"public": nowhere, "private": nowhere}}}
    (repo / "config.json").write_text(json.dumps(config))
    done = prepare(repo)
    assert done.returncode == 2
    assert "--from PATH" in done.stderr
    assert "--sample" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_preparations_at_a_time_are_refused(repo):
    with data_lock.exclusive(repo):
        done = prepare(repo, "--sample")
    assert done.returncode == 2
    assert "under way" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="a full disk is made with mount, which needs root")
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("this machine allows no mount")
    try:
        repo = checkout(disk / "repo")
        configure(repo)
        (disk / "ballast").write_bytes(bytes(shutil.disk_usage(disk).free - 200_000))
        done = prepare(repo, "--sample")
        assert done.returncode == 2
        assert "space" in done.stderr
        assert "Traceback" not in done.stderr
        assert data_lock.read(repo) is None
    finally:
        subprocess.run(["umount", str(disk)])
