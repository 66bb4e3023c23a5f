"""From a source to stored, sealed and locked data: what is kept, what is resumed, what is refused."""

import pytest
from arenas import configured, sampled

from arena.errors import DataError, SealError
from arena.ledger import data_lock
from arena.market import sealing
from arena.preparation import dataset
from arena.preparation.sources.synthetic import SampleSource


class Flaky(SampleSource):
    """A sample market behind a bad line: it breaks at `broken`, and counts what it delivered."""

    def __init__(self, broken=""):
        super().__init__("market", 1)
        self.broken, self.delivered = broken, []

    def candles(self, pair, timeframe, start, end):
        if pair == self.broken:
            raise DataError("the line is down.")
        self.delivered.append(pair)
        return super().candles(pair, timeframe, start, end)


def build(arena, source, *, resume=True):
    return dataset.prepare(arena, source, None, lambda line: None, resume=resume)


def staged(arena):
    return arena.root / dataset.STAGING


def keys(kind):
    return sorted(sealing.keys_dir().glob(f"{kind}-*.key"))


@pytest.fixture
def arena(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return configured(tmp_path / "repo")


def test_a_broken_download_goes_on_with_the_next_pair(arena):
    with pytest.raises(DataError):
        build(arena, Flaky("ETH/USDT"))
    again = Flaky()
    resumed = build(arena, again)
    assert again.delivered == ["ETH/USDT"]
    assert resumed.contract == build(arena, Flaky(), resume=False).contract


def test_what_is_kept_of_a_broken_download_is_never_in_the_clear(arena):
    with pytest.raises(DataError):
        build(arena, Flaky("ETH/USDT"))
    assert {file.name for file in staged(arena).iterdir()} == {"request.json", "key.json", "BTC_USDT.sealed"}
    assert (staged(arena) / "BTC_USDT.sealed").read_bytes().startswith(sealing.MAGIC)
    assert set(sealing.unseal(staged(arena) / "BTC_USDT.sealed")) == {"search", "validation", "holdout"}
    assert data_lock.read(arena.root) is None
    assert keys("holdout") == []


def test_a_finished_preparation_leaves_nothing_of_the_staging(arena):
    with pytest.raises(DataError):
        build(arena, Flaky("ETH/USDT"))
    assert len(keys("staging")) == 1
    build(arena, Flaky())
    assert not staged(arena).exists()
    assert keys("staging") == []


@pytest.mark.parametrize("harm", sampled(["request", "key", "file"], {"file"}))
def test_a_staging_that_does_not_fit_is_asked_for_again(arena, harm, tmp_path):
    with pytest.raises(DataError):
        build(arena, Flaky("ETH/USDT"))
    if harm == "request":
        arena = configured(arena.root, arena={"holdout": "20211001-20211120"})
    elif harm == "key":
        keys("staging")[0].unlink()
    else:
        (staged(arena) / "BTC_USDT.sealed").write_bytes(sealing.MAGIC + b"cut off")
    again = Flaky()
    build(arena, again)
    assert again.delivered == ["BTC/USDT", "ETH/USDT"]


def test_a_source_that_answers_at_once_keeps_no_staging(arena):
    with pytest.raises(DataError):
        build(arena, Flaky("ETH/USDT"), resume=False)
    assert not staged(arena).exists()


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"validation": "20210901-20231001", "holdout": None}, 'candles end .*"validation": null'),
        (
            {"warmup_from": "20180101", "windows": {"early": "20180101-20180601"}, "validation": None, "holdout": None},
            "no 1h candle .* 2018-01-01",
        ),
        ({"validation": None, "holdout": "20210901-20231101"}, 'candles end .*"holdout": null'),
    ],
)
def test_a_range_without_candles_is_refused_and_named(arena, section, message):
    asked = configured(arena.root, arena=section)
    with pytest.raises(DataError, match=message):
        build(asked, EndsIn2022(), resume=False)
    assert data_lock.read(arena.root) is None


class EndsIn2022(SampleSource):
    def __init__(self):
        super().__init__("market", 1)

    def candles(self, pair, timeframe, start, end):
        return super().candles(pair, timeframe, start, min(end, end.replace(year=2022)))


def test_the_candle_at_a_border_belongs_to_both_sides(arena):
    build(arena, Flaky(), resume=False)
    validation = sealing.unseal(arena.root / data_lock.DATA / "validation.sealed")["BTC/USDT"]
    holdout = sealing.unseal(arena.root / data_lock.DATA / "holdout.sealed")["BTC/USDT"]
    assert validation["date"].iloc[-1] == holdout["date"].iloc[0]


def test_a_sealed_file_without_its_key_says_which(arena):
    build(arena, Flaky(), resume=False)
    keys("holdout")[0].unlink()
    with pytest.raises(SealError, match="the key .*holdout-.*key cannot be read"):
        sealing.unseal(arena.root / data_lock.DATA / "holdout.sealed")
