"""Trials belong to the candles: whoever changes the contract keeps the count, and other candles begin anew."""

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest

from arena.evaluation import context
from arena.ledger import trial_history
from arena.ledger.store import EVALUATION, LOOK, Entry, Ledger, returns_bytes
from arena.ledger.trial_history import Candles, Tried, on_candles_of, share_search, share_validation
from arena.records import Evidence, Look, Result
from arena.stats import selection_bias
from arena.stats.metrics import DAY_MS

HOUR = DAY_MS // 24
FIRST = 18_628  # 2021-01-01
PAIRS = ("BTC/USDT", "ETH/USDT")
ARENA = {
    "pairs": list(PAIRS),
    "timeframe": "1h",
    "source": "exchange",
    "ranges": {"search": "20210101-20210701", "validation": "20210701-20211001"},
}


def prices(seed, hours=24 * 400):
    """An hourly walk from 2020-12-01 on, as a table of candles."""
    close = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, hours)))
    opened = (FIRST - 31) * DAY_MS + HOUR * np.arange(hours)
    return np.column_stack([opened, close, close, close, close, np.ones(hours)])


def coarse(table, hours):
    """The same market in longer candles."""
    whole = table[: len(table) // hours * hours].reshape(-1, hours, 6)
    return np.column_stack(
        [
            whole[:, 0, 0],
            whole[:, 0, 1],
            whole[:, :, 2].max(axis=1),
            whole[:, :, 3].min(axis=1),
            whole[:, -1, 4],
            whole[:, :, 5].sum(axis=1),
        ]
    )


TABLES = {"BTC/USDT": prices(1), "ETH/USDT": prices(2), "SOL/USDT": prices(3)}


def candles(
    pairs=PAIRS, search="20210101-20210701", validation="20210701-20211001", tables=TABLES, sealed="s1", **changes
):
    arena = ARENA | {"pairs": list(pairs), "ranges": {"search": search, "validation": validation}} | changes
    return trial_history.candles_of(arena, tables, sealed)


def noisy(pair, factor):
    table = TABLES[pair].copy()
    table[:, 1:5] *= factor * np.exp(np.random.default_rng(9).normal(0, 0.0005, (len(table), 1)))
    return table


SAME = {
    "the same": candles(),
    "a window moved by a day": candles(search="20210102-20210702"),
    "a longer range": candles(search="20210101-20210901"),
    "a shorter range": candles(search="20210301-20210501"),
    "a later half": candles(search="20210401-20211001"),
    "another pair beside": candles(pairs=(*PAIRS, "SOL/USDT")),
    "one pair of the two": candles(pairs=("ETH/USDT",)),
    "longer candles": candles(tables={pair: coarse(table, 24) for pair, table in TABLES.items()}, timeframe="1d"),
    "another exchange": candles(
        tables=TABLES | {"BTC/USDT": noisy("BTC/USDT", 1.001)}, pairs=("BTC/USDT",), source="files"
    ),
    "another unit": candles(tables={"BTC/USDT": noisy("BTC/USDT", 0.85)}, pairs=("BTC/USDT",)),
    "another name": candles(tables={"XBT/EUR": noisy("BTC/USDT", 0.85)}, pairs=("XBT/EUR",)),
    "no validation": candles(validation=None),
}
OTHER = {
    "other pairs": candles(pairs=("SOL/USDT",)),
    "other years": candles(search="20210701-20211001", validation=None),
    "days in common, but few": candles(search="20210615-20211101", validation=None),
    "a sample market under the same names": candles(tables={"BTC/USDT": prices(11), "ETH/USDT": prices(12)}),
}


@pytest.mark.parametrize("name", SAME)
def test_candles_of_one_market_and_years_are_the_same_luck(name):
    assert share_search(SAME["the same"], SAME[name]) and share_search(SAME[name], SAME["the same"])


@pytest.mark.parametrize("name", OTHER)
def test_other_candles_are_another_luck(name):
    assert not share_search(SAME["the same"], OTHER[name]) and not share_search(OTHER[name], SAME["the same"])


def test_weeks_are_compared_with_days():
    monday = TABLES["BTC/USDT"][6 * 24 :]  # 2020-12-01 is a Tuesday
    assert share_search(
        SAME["the same"], candles(tables={"BTC/USDT": coarse(monday, 7 * 24)}, pairs=("BTC/USDT",), timeframe="1w")
    )


def test_a_short_arena_shares_with_itself_and_a_market_that_rests_with_itself():
    short = candles(search="20210101-20210111")
    assert share_search(short, short) and share_search(short, SAME["the same"])
    flat = TABLES["BTC/USDT"].copy()
    flat[:, 1:5] = 5.0
    resting = candles(tables={"BTC/USDT": flat}, pairs=("BTC/USDT",))
    assert share_search(resting, resting) and not share_search(resting, SAME["the same"])


def test_validation_windows_are_shared_by_their_content_or_their_days_in_one_market():
    here = SAME["the same"]
    assert share_validation(here, candles(search="20210101-20210801", validation="20210801-20211001", sealed="s2"))
    assert not share_validation(here, candles(validation="20211001-20220101", sealed="s2"))
    assert not share_validation(here, replace(OTHER["a sample market under the same names"], sealed="s2"))
    assert not share_validation(here, candles(validation=None))
    assert share_validation(here, replace(OTHER["other years"], validation=here.validation, sealed=here.sealed))
    assert share_validation(here, replace(OTHER["other years"], validation=here.validation, sealed="s2")), (
        "of one source and pair, and nothing says otherwise"
    )
    assert not share_validation(
        here, replace(OTHER["other years"], validation=here.validation, sealed="s2", source="another")
    )


def test_a_description_is_read_as_it_was_written(book):
    described(book, "c1", SAME["another pair beside"])
    (back,) = trial_history.described(book).values()
    for name in Candles.__slots__:
        assert np.array_equal(
            getattr(back, name), getattr(SAME["another pair beside"], name), equal_nan=name == "closes"
        )
    assert np.isfinite(back.closes).all() and back.closes.shape == (3, 181)
    assert back.closes[0, 0] == np.float32(TABLES["BTC/USDT"][32 * 24 - 1, 4]), "the close of the first day"


@pytest.fixture
def book(tmp_path):
    return Ledger(tmp_path / "ledger.db")


def described(book, contract, of):
    book.append(
        Entry(
            "contract",
            contract,
            result=json.dumps({"before": None, "changes": [], "candles": trial_history.description(of)}),
        )
    )


def evaluated(book, contract, sha, returns=None, *, look=None, source="exchange", error=""):
    result = asdict(
        Result("S", sha, "abc", contract, source, "full", "", 0.0, error=error, error_kind=error, look=look or Look())
    )
    book.append(
        Entry(
            "trial",
            contract,
            "S",
            sha,
            error_kind=error,
            result=json.dumps(result),
            returns=returns_bytes(() if returns is None else returns),
        )
    )


def daily(seed, n=181):
    return np.random.default_rng(seed).normal(0.001, 0.01, n)


def test_whoever_changes_the_contract_keeps_the_count(book):
    described(book, "c1", SAME["the same"])
    described(book, "c2", SAME["a window moved by a day"])
    for k in range(4):
        evaluated(book, "c1", f"a{k}", daily(k))
    evaluated(book, "c1", "failed", error="CausalityError")
    evaluated(book, "c2", "a0", daily(0))
    evaluated(book, "c2", "b", daily(9))
    found = on_candles_of(book, "c2")
    assert (set(found.own), set(found.elsewhere)) == ({"a0", "b"}, {"a0", "a1", "a2", "a3", "failed"})
    assert (found.count, found.others(), found.others("a1")) == (6, 4, 3), "the same source is one try under both"
    seen = context.Trials(book, "c2")
    assert (seen.count("b"), seen.count("new"), seen.elsewhere("b")) == (6, 7, 4)


def test_other_candles_and_refused_files_count_nothing(book):
    for k, (name, of) in enumerate([("the same", SAME["the same"]), *OTHER.items()]):
        described(book, name, of)
        evaluated(book, name, f"s{k}", daily(k))
    evaluated(book, "the same", "refused", error="RefusedError")
    assert on_candles_of(book, "the same").count == 1


def test_of_a_contract_that_was_never_described_the_source_tells(book):
    evaluated(book, "old", "a", daily(1))
    evaluated(book, "older", "b", daily(2), source="sample-market")
    described(book, "c1", SAME["the same"])
    evaluated(book, "c1", "c", daily(3))
    found = on_candles_of(book, "c1")
    assert found.elsewhere == {"a": None} and found.count == 2
    assert on_candles_of(book, "old").count == 2 and on_candles_of(book, "older").count == 1


def test_begun_without_an_end_is_a_try_and_the_end_that_comes_later_is_the_same_one(book):
    described(book, "c1", SAME["the same"])
    book.begin(Entry("trial", "c1", sha256="a"), EVALUATION)
    assert on_candles_of(book, "c1").own == {"a": None}
    evaluated(book, "c1", "a", daily(1))
    book.begin(Entry("trial", "c1", sha256="a"), EVALUATION)
    evaluated(book, "c1", "a", error="LimitError")
    found = on_candles_of(book, "c1")
    assert found.count == 1 and np.array_equal(found.own["a"], daily(1)), "neither takes back what is known"


def looks(book, contract="c1"):
    return [(look.asked, look.best) for look in on_candles_of(book, contract).looks]


def test_a_look_that_was_begun_is_a_look_until_the_window_has_answered(book):
    described(book, "c1", SAME["the same"])
    book.begin(Entry("trial", "c1", sha256="a"), EVALUATION)
    assert looks(book) == []
    book.begin(Entry("trial", "c1", sha256="a"), LOOK)
    book.begin(Entry("trial", "c1", sha256="a"), EVALUATION)
    ((asked, best),) = looks(book)
    assert asked and math.isnan(best)
    evaluated(book, "c1", "a", daily(1))  # a quick check, which does not ask
    assert len(looks(book)) == 1
    evaluated(book, "c1", "a", daily(1), look=Look(asked=True, improved=True, best=0.4))
    assert looks(book) == [(True, 0.4)]


def test_where_nobody_knows_whether_the_window_was_asked_it_counts_until_the_end(book):
    described(book, "c1", SAME["the same"])
    book.begin(Entry("trial", "c1", sha256="a"), "evaluation and perhaps look")
    assert len(looks(book)) == 1
    evaluated(book, "c1", "a", daily(1))
    assert looks(book) == []


def test_the_ladder_goes_on_where_another_contract_left_it(book):
    described(book, "c1", SAME["the same"])
    described(book, "c2", candles(search="20210101-20210801", validation="20210801-20211001", sealed="s2"))
    described(book, "c3", candles(validation="20211001-20220101", sealed="s3"))
    evaluated(book, "c1", "a", daily(1), look=Look(asked=True, improved=True, best=0.4))
    assert looks(book, "c2") == [(True, 0.4)] and looks(book, "c3") == []
    assert context.Trials(book, "c2").look(0.3, 0.1) == Look(
        asked=True, improved=False, best=0.4, positive=True, looks=3
    )


def test_lost_entries_count_as_tries(book):
    described(book, "c1", SAME["the same"])
    for k in range(3):
        evaluated(book, "c1", f"a{k}", daily(k))
    book.path.unlink()
    assert book.accept_loss() == 3
    described(book, "c1", SAME["the same"])
    evaluated(book, "c1", "b", daily(9))
    assert (on_candles_of(book, "c1").count, on_candles_of(book, "c1").others()) == (4, 3)


def test_returns_of_other_ranges_are_moved_to_the_days_of_this_one():
    rows = Tried(
        elsewhere={
            "early": (-2, np.arange(60.0)),
            "late": (150, np.arange(60.0)),
            "whole": (-1, np.arange(190.0)),
            "far": (400, np.arange(60.0)),
            "failed": None,
        }
    )
    placed = rows.placed(181)
    assert [row[:3].tolist() for row in placed.whole] == [[1.0, 2.0, 3.0]]
    early, late = placed.filled
    assert early[:3].tolist() == [2.0, 3.0, 4.0] and (early[58:] == np.mean(np.arange(2.0, 60))).all()
    assert late[150:].tolist() == list(np.arange(31.0)) and (late[:150] == 15).all()
    assert rows.placed(181, apart="whole").whole == []


def evidence(own, others, total):
    placed = Tried(elsewhere=dict(enumerate(others))).placed(len(own))
    return selection_bias.evidence(own, [own, *placed.whole], total, placed.filled)


def test_copies_of_one_trial_under_another_contract_count_little_more_than_one_and_gaps_count_more():
    own = daily(1, 400)
    copies = [
        evidence(own, [(at, own[at:] + daily(k, 400)[at:] / 50) for k in range(2, 12)], 11).effective
        for at in (0, 40, 200)
    ]
    assert 1 < copies[0] < 2 and copies[0] < copies[1] < copies[2] < 11
    assert evidence(own, [None] * 10, 11).effective == 11


@pytest.mark.parametrize(
    "other",
    [
        None,
        (0, daily(5, 400)),
        (-9, daily(5, 400)),
        (300, daily(5, 400)),
        (0, np.zeros(400)),
        (0, np.full(400, np.nan)),
    ],
)
def test_one_more_trial_of_another_contract_never_makes_luck_smaller(other):
    own = daily(1, 400)
    known = [(0, daily(k, 400)) for k in range(2, 6)]
    before, after = evidence(own, known, 5), evidence(own, [*known, other], 6)
    assert (
        after.trials == 6 and after.effective >= before.effective - 0.01 and after.luck_line >= before.luck_line - 0.001
    )


def test_the_block_says_how_many_come_from_other_contracts():
    from arena.reports.block import _evidence

    assert _evidence(Evidence(trials=41, other_contracts=4)).startswith("trials=41 other_contracts=4 effective=nan ")
