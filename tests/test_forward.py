"""judge.py forward: archived strategies on candles after the arena's end, and whether they go on as they did."""

import math
import shutil
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from arenas import strategy
from runs import judge, noted, opened
from test_holdout import clear
from test_run import commit

from arena import settings
from arena.market import sealing
from arena.preparation.sources.synthetic import SampleSource
from judge import archive, forward
from judge.archive_reader import SUMS

END = datetime(2021, 11, 1, tzinfo=UTC)
PAIRS = ("BTC/USDT", "ETH/USDT")


@pytest.fixture(scope="module")
def archived(tmp_path_factory):
    folder, done = opened(tmp_path_factory.mktemp("archived") / "repo")
    assert done.returncode == 0
    return folder


@pytest.fixture
def repo(archived, tmp_path):
    shutil.copytree(archived, tmp_path / "repo")
    return tmp_path / "repo"


def files(folder, first, last, **changes):
    """Candle files of the sample market over some days."""
    folder.mkdir(exist_ok=True)
    for pair in PAIRS:
        frame = SampleSource("market", 1).candles(pair, "1h", first, last)
        frame[list(changes)] = pd.DataFrame(changes, index=frame.index)
        frame.to_feather(folder / f"{pair.replace('/', '_')}-1h.feather")
    return folder


def rows(folder):
    lines = (folder / forward.RECORD).read_text().splitlines()
    return [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]


@pytest.mark.nightly
def test_the_record_grows_with_the_candles_and_only_with_them(repo, tmp_path):
    some = files(tmp_path / "some", END - timedelta(days=2), END + timedelta(days=20, hours=5))
    done = judge(repo, "forward", "--from", str(some))
    assert done.returncode == 0, done.stderr
    # 486 hours of two pairs, the first the arena's end
    assert "forward candles: 972 new, up to 2021-11-21 05:00" in done.stdout
    assert [(row["strategy"], row["first"], row["last"], row["days"], row["word"]) for row in rows(repo)] == [
        (name, "2021-11-01", "2021-11-21", "20", "too short") for name in ("Alpha", "Beta")
    ]
    again = judge(repo, "forward", "--from", str(some))
    assert "forward candles: 0 new" in again.stdout and len(rows(repo)) == len(noted(repo, "forward")) == 2
    done = judge(repo, "forward", "--from", str(files(tmp_path / "more", END, END + timedelta(days=45))))
    assert done.returncode == 0, done.stderr
    assert [row["days"] for row in rows(repo)] == ["20", "20", "45", "45"]
    assert all(float(row["band_low"]) < float(row["band_high"]) for row in rows(repo)[2:])
    assert len(noted(repo, "forward")) == 4


@pytest.mark.slow
def test_new_candles_are_on_disk_encrypted_alone(repo, tmp_path):
    some = files(tmp_path / "some", END, END + timedelta(days=5))
    prices = [float(price) for price in pd.read_feather(some / "BTC_USDT-1h.feather")["close"][20:100:20]]
    assert clear(some, prices)
    assert judge(repo, "forward", "--from", str(some)).returncode == 0
    assert not clear(repo, prices)
    frames = sealing.unseal(repo / forward.FOLDER / forward.FILE)
    assert set(frames) == set(PAIRS) and len(frames["BTC/USDT"]) == 121


@pytest.mark.slow
def test_candles_that_leave_a_hole_are_refused_and_the_store_stays(repo, tmp_path):
    done = judge(
        repo, "forward", "--from", str(files(tmp_path / "late", END + timedelta(days=9), END + timedelta(days=30)))
    )
    assert done.returncode == 2
    assert "BTC/USDT: the candles go on at 2021-11-10 00:00, those known end before 2021-11-01 00:00" in done.stderr
    assert not (repo / forward.FOLDER / forward.FILE).exists() and not (repo / forward.RECORD).exists()


@pytest.mark.slow
def test_without_newer_candles_there_is_nothing_to_score(repo, tmp_path):
    done = judge(
        repo, "forward", "--from", str(files(tmp_path / "old", END - timedelta(days=30), END - timedelta(days=1)))
    )
    assert done.returncode == 2 and "has no candle from 2021-11-01 00:00 on" in done.stderr
    done = judge(repo, "forward", "--from", str(files(tmp_path / "hours", END, END + timedelta(hours=5))))
    assert done.returncode == 2 and "do not fill a day yet" in done.stderr


@pytest.mark.slow
def test_it_is_the_frozen_source_that_is_scored(repo, tmp_path):
    some = files(tmp_path / "some", END, END + timedelta(days=31))
    strategy(settings.load(repo / "config.json"), "Alpha", indicators="raise RuntimeError('no')")
    commit(repo)
    assert judge(repo, "forward", "--from", str(some)).returncode == 0
    assert not any("FAIL" in row["word"] for row in rows(repo))
    file = repo / "versions" / "0.1.0" / "strategies" / "Alpha.py"
    file.write_text(file.read_text() + "# better\n")
    done = judge(repo, "forward", "--from", str(some))
    assert done.returncode == 2 and "strategies/Alpha.py has changed since it was archived" in done.stderr


@pytest.mark.slow
def test_a_run_whose_arena_was_another_one_is_left_out(repo, tmp_path):
    file = repo / "versions" / "0.1.0" / "meta.yaml"
    file.write_text(file.read_text().replace("warmup_from: '20210101'", "warmup_from: '20200101'"))
    (file.parent / SUMS).write_text(archive._sums(file.parent))
    done = judge(repo, "forward", "--from", str(files(tmp_path / "some", END, END + timedelta(days=3))))
    assert "0.1.0: of another arena, not scored" in done.stdout
    assert done.returncode == 2 and "no archived strategy of this arena" in done.stderr


@pytest.mark.parametrize("days", [30, 365])
@pytest.mark.slow
def test_the_band_holds_what_goes_on_as_before_and_not_what_has_changed(days):
    rng = np.random.default_rng(11)
    searched = rng.normal(0.002, 0.01, 700)
    low, high = forward.band(searched, days, np.random.default_rng(1))
    inside = [low <= forward.metrics.sharpe(rng.normal(0.002, 0.01, days)) <= high for _ in range(300)]
    assert np.mean(inside) > 0.85
    assert forward.metrics.sharpe(rng.normal(-0.004, 0.01, days)) < low


@pytest.mark.slow
def test_the_band_is_undefined_for_few_days_and_for_returns_that_do_not_vary():
    returns = np.random.default_rng(1).normal(0, 0.01, 300)
    assert all(map(math.isnan, forward.band(returns, 29, np.random.default_rng(1))))
    assert all(map(math.isnan, forward.band(np.zeros(300), 60, np.random.default_rng(1))))
