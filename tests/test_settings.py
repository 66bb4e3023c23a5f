import json
from datetime import UTC, datetime

import pytest
from builders import DROP, arena, config
from conftest import ROOT

from arena.errors import ConfigError
from arena.settings import Compute, Gates, Limits, load


def day(text):
    return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC)


def test_the_shipped_file_is_the_designed_arena():
    shipped = load(ROOT / "config.json")
    assert (shipped.exchange, shipped.stake_currency, shipped.timeframe) == ("binance", "USDT", "1h")
    assert shipped.pairs == ("BTC/USDT", "ETH/USDT", "SOL/USDT", "BNB/USDT", "AVAX/USDT")
    assert shipped.informative_timeframes == ("4h", "1d")
    assert (shipped.wallet, shipped.fee, shipped.max_open_trades) == (10_000, 0.001, 5)
    assert shipped.warmup_from == day("20200101")
    assert [(w.name, w.start, w.end) for w in shipped.windows] == [
        ("bull_2021", day("20210101"), day("20220101")),
        ("winter_2022", day("20220101"), day("20230101")),
        ("recovery_2023", day("20230101"), day("20240101")),
    ]
    assert (shipped.search.start, shipped.search.end) == (day("20210101"), day("20240101"))
    assert (shipped.validation.start, shipped.validation.end) == (day("20240101"), day("20250101"))
    assert (shipped.holdout.start, shipped.holdout.end) == (day("20250101"), day("20260101"))
    assert (shipped.max_strategies, shipped.max_stable_rounds) == (3, 3)
    assert shipped.limits.processes == 32
    assert (shipped.limits.seconds, shipped.limits.memory_mb, shipped.limits.output_kb) == (120, 3072, 16384)


def test_the_shipped_file_spells_out_every_gate_and_limit_with_its_default():
    section = json.loads((ROOT / "config.json").read_text())["arena"]
    assert section["gates"] == Gates().model_dump()
    assert section["limits"] == Limits().model_dump()


def test_everything_in_the_file_arrives_in_the_settings(tmp_path):
    changes = {
        "stake_currency": "EUR",
        "exchange.name": "kraken",
        "exchange.pair_whitelist": ["ADA/EUR"],
        "dry_run_wallet": 77.5,
        "fee": 0.0026,
        "max_open_trades": 4,
        "timeframe": "30m",
        "arena.informative_timeframes": ["2h"],
        "arena.max_strategies": 5,
        "arena.max_stable_rounds": 6,
        "arena.warmup_from": "20201115",
        "arena.gates": {"min_trades": 7, "max_drawdown": 0.125},
        "arena.limits": {"seconds": 9, "memory_mb": 512, "output_kb": 65, "printed_kb": 2, "processes": 9},
    }
    read = arena(tmp_path, changes)
    assert (read.stake_currency, read.exchange, read.pairs) == ("EUR", "kraken", ("ADA/EUR",))
    assert (read.wallet, read.fee, read.max_open_trades) == (77.5, 0.0026, 4)
    assert (read.timeframe, read.step_ms, read.informative_timeframes) == ("30m", 1_800_000, ("2h",))
    assert (read.max_strategies, read.max_stable_rounds, read.warmup_from) == (5, 6, day("20201115"))
    assert (read.gates.min_trades, read.gates.max_drawdown, read.gates.min_trades_per_window) == (7, 0.125, 5)
    assert (read.limits.seconds, read.limits.memory_mb, read.limits.output_kb, read.limits.printed_kb) == (
        9,
        512,
        65,
        2,
    )
    assert read.limits.processes == 9
    assert read.root == tmp_path


def test_freqtrades_configuration_is_the_file_without_the_arena(tmp_path):
    read = arena(tmp_path, {"$schema": "https://schema.freqtrade.io/schema.json"})
    assert read.raw == {key: value for key, value in config().items() if key != "arena"}


def test_the_hash_is_that_of_what_the_file_says(tmp_path):
    first = arena(tmp_path).sha256
    text = (tmp_path / "config.json").read_text()
    (tmp_path / "config.json").write_text("// a comment\n" + text + "\n")
    assert load(tmp_path / "config.json").sha256 == first
    assert arena(tmp_path, {"fee": 0.002}).sha256 != first
    assert arena(tmp_path, {"arena.max_strategies": 4}).sha256 != first


def test_where_it_is_computed_is_no_part_of_the_contract(tmp_path):
    first = arena(tmp_path)
    assert first.compute == Compute(backend="loky", address=None, jobs=None)
    other = arena(tmp_path, {"arena.compute": {"backend": "dask", "address": "tcp://127.0.0.1:8786"}})
    assert other.compute.address == "tcp://127.0.0.1:8786"
    assert other.sha256 == first.sha256


@pytest.mark.parametrize("section", [{"backend": "dask"}, {"backend": "loky", "address": "tcp://127.0.0.1:1"}])
def test_an_address_belongs_to_dask(tmp_path, section):
    with pytest.raises(ConfigError, match=r"arena\.compute\.address"):
        arena(tmp_path, {"arena.compute": section})


def test_comments_and_trailing_commas_are_allowed(tmp_path):
    text = json.dumps(config(), indent=1)
    text = text.replace('"fee": 0.001,', '"fee": 0.001, // both sides\n/* of\n an order */').replace(
        '"ETH/USDT"', '"ETH/USDT",'
    )
    (tmp_path / "config.json").write_text(text)
    assert load(tmp_path / "config.json").fee == 0.001


SENSIBLE = {
    "two pairs": {},
    "one pair": {"exchange.pair_whitelist": ["BTC/USDT"]},
    "one window": {"arena.windows": {"all": "20210101-20210301"}},
    "15m": {"timeframe": "15m", "arena.informative_timeframes": ["1h", "4h", "1d"]},
    "5m with the defaults": {"timeframe": "5m"},
    "4h with the defaults": {"timeframe": "4h"},
    "1d": {"timeframe": "1d", "arena.informative_timeframes": ["1w"]},
    "1d without higher ones": {"timeframe": "1d", "arena.informative_timeframes": []},
    "a fixed stake, int": {"stake_amount": 100, "max_open_trades": -1},
    "a fixed stake, float": {"stake_amount": 99.5},
    "a stake of the whole wallet": {"stake_amount": 1000, "max_open_trades": 1},
    "no fee": {"fee": 0},
    "a wallet of cents": {"dry_run_wallet": 0.25},
    "warm-up from the start on": {"arena.warmup_from": "20210101"},
    "no validation and no holdout": {"arena.validation": None, "arena.holdout": None},
    "no holdout": {"arena.holdout": None},
    "a holdout right after the search": {"arena.validation": None, "arena.holdout": "20210301-20210401"},
    "gates that ask little": {
        "arena.gates": {
            "min_trades": 1,
            "min_trades_per_window": 0,
            "min_exposure": 0,
            "max_drawdown": 1,
            "min_profit": -1,
        }
    },
    "more of FreqTrade's keys": {
        "order_types": {"entry": "limit"},
        "pairlists": [{"method": "StaticPairList"}],
        "dry_run": True,
    },
}


@pytest.mark.parametrize("changes", SENSIBLE.values(), ids=SENSIBLE)
def test_a_sensible_arena_loads(tmp_path, changes):
    read = arena(tmp_path, changes)
    assert read.search.start == day("20210101")
    assert read.search.end == day("20210301")


def test_no_validation_is_none(tmp_path):
    read = arena(tmp_path, {"arena.validation": None, "arena.holdout": None})
    assert read.validation is None
    assert read.holdout is None


def test_the_base_timeframe_is_no_informative_one_and_none_comes_twice(tmp_path):
    assert arena(tmp_path, {"arena.informative_timeframes": ["1h", "4h", "1d", "4h"]}).informative_timeframes == (
        "4h",
        "1d",
    )


@pytest.mark.parametrize(
    ("wrong", "where", "near"),
    [
        ("stake_curency", "config.json", "stake_currency"),
        ("max_open_trade", "config.json", "max_open_trades"),
        ("$shema", "config.json", "$schema"),
        ("exchange.pair_whitelst", "exchange", "pair_whitelist"),
        ("arena.warmup_form", "arena", "warmup_from"),
        ("arena.gates.max_drawdwn", "arena.gates", "max_drawdown"),
        ("arena.limits.secnds", "arena.limits", "seconds"),
    ],
)
def test_a_misspelt_key_is_refused_with_the_nearest(tmp_path, wrong, where, near):
    with pytest.raises(ConfigError) as refused:
        arena(tmp_path, {wrong: 1})
    assert str(refused.value) == f"{where} has an unknown key {wrong.split('.')[-1]!r}. Did you mean {near!r}?"


def test_a_key_unlike_any_other_is_refused_without_a_guess(tmp_path):
    with pytest.raises(ConfigError, match=r"^arena has an unknown key 'qqqqqqq'\. Remove it\.$"):
        arena(tmp_path, {"arena.qqqqqqq": 1})


@pytest.mark.parametrize(
    "key",
    [
        "stake_currency",
        "stake_amount",
        "dry_run_wallet",
        "max_open_trades",
        "timeframe",
        "fee",
        "exchange",
        "arena",
        "exchange.name",
        "exchange.pair_whitelist",
        "arena.warmup_from",
        "arena.windows",
        "arena.validation",
        "arena.holdout",
    ],
)
def test_a_missing_key_is_named(tmp_path, key):
    where, name = ("config.json", key) if "." not in key else key.split(".")
    with pytest.raises(ConfigError) as refused:
        arena(tmp_path, {key: DROP})
    assert str(refused.value) == f"{where} lacks the key {name!r}."


REFUSED = {
    "a wallet in words": ({"dry_run_wallet": "10000"}, ["dry_run_wallet is '10000'", "valid number"]),
    "a wallet that is a truth": ({"dry_run_wallet": True}, ["dry_run_wallet is True", "valid number"]),
    "an empty wallet": ({"dry_run_wallet": 0}, ["dry_run_wallet is 0", "greater than 0"]),
    "a fee of 10 %": ({"fee": 0.1}, ["fee is 0.1", "less than 0.1"]),
    "a negative fee": ({"fee": -0.001}, ["fee is -0.001", "greater than or equal to 0"]),
    "half a slot": ({"max_open_trades": 1.5}, ["max_open_trades is 1.5", "valid integer"]),
    "slots below -1": ({"max_open_trades": -2}, ["max_open_trades is -2", "greater than or equal to -1"]),
    "no slots": ({"max_open_trades": 0}, ["max_open_trades is 0", "-1 for no limit"]),
    "unlimited stake, unlimited slots": (
        {"max_open_trades": -1},
        ["stake_amount", "max_open_trades, which is -1", "a fixed stake"],
    ),
    "a stake above the wallet": ({"stake_amount": 1000.5}, ["stake_amount 1000.5", "at most dry_run_wallet 1000"]),
    "no stake": ({"stake_amount": 0}, ["stake_amount 0", "above 0"]),
    "a stake in words": ({"stake_amount": "unlimted"}, ["stake_amount is 'unlimted'", "valid number", "'unlimited'"]),
    "futures": ({"trading_mode": "futures"}, ["trading_mode is 'futures'", "'spot'"]),
    "real money": ({"dry_run": False}, ["dry_run is False", "True"]),
    "another pair list": (
        {"pairlists": [{"method": "VolumePairList"}]},
        ["pairlists.0.method is 'VolumePairList'", "'StaticPairList'"],
    ),
    "pairs in one string": (
        {"exchange.pair_whitelist": "BTC/USDT"},
        ["exchange.pair_whitelist is 'BTC/USDT'", "valid list"],
    ),
    "no pairs": ({"exchange.pair_whitelist": []}, ["exchange.pair_whitelist is []", "at least 1 item"]),
    "another quote": (
        {"exchange.pair_whitelist": ["BTC/EUR"]},
        ["exchange.pair_whitelist has 'BTC/EUR'", "Expected BASE/USDT"],
    ),
    "no quote": ({"exchange.pair_whitelist": ["BTC"]}, ["exchange.pair_whitelist has 'BTC'", "Expected BASE/USDT"]),
    "no base": ({"exchange.pair_whitelist": ["/USDT"]}, ["exchange.pair_whitelist has '/USDT'", "Expected BASE/USDT"]),
    "a future": ({"exchange.pair_whitelist": ["BTC/USDT:USDT"]}, ["'BTC/USDT:USDT'", "Expected BASE/USDT"]),
    "a pair twice": (
        {"exchange.pair_whitelist": ["A/USDT", "B/USDT", "A/USDT"]},
        ["exchange.pair_whitelist names A/USDT twice"],
    ),
    "an unknown timeframe": ({"timeframe": "1hour"}, ["timeframe has '1hour'", "Known: 1m,"]),
    "a timeframe above a day": ({"timeframe": "1w"}, ["timeframe '1w' is longer than a day", "1d or shorter"]),
    "an unknown higher timeframe": (
        {"arena.informative_timeframes": ["4H"]},
        ["arena.informative_timeframes has '4H'", "Known: 1m,"],
    ),
    "a lower informative timeframe": (
        {"arena.informative_timeframes": ["15m"]},
        ["'15m'", "timeframe '1h'", "Use multiples of it"],
    ),
    "no multiple": (
        {"timeframe": "4h", "arena.informative_timeframes": ["6h"]},
        ["arena.informative_timeframes has '6h'", "timeframe '4h'"],
    ),
    "no windows": ({"arena.windows": {}}, ["arena.windows is empty", "YYYYMMDD-YYYYMMDD"]),
    "windows as a list": (
        {"arena.windows": ["20210101-20210301"]},
        ["arena.windows is ['20210101-20210301']", "valid dict"],
    ),
    "a window that is a number": ({"arena.windows": {"first": 2021}}, ["arena.windows.first is 2021", "valid string"]),
    "one day": ({"arena.windows": {"all": "20210101"}}, ["arena.windows.all is '20210101'", "20210101-20220101"]),
    "three days": (
        {"arena.windows": {"all": "20210101-20210201-20210301"}},
        ["arena.windows.all", "Expected a day as YYYYMMDD"],
    ),
    "a day that never was": (
        {"arena.windows": {"all": "20210101-20210229"}},
        ["arena.windows.all has '20210229'", "YYYYMMDD"],
    ),
    "days with dashes": ({"arena.warmup_from": "2020-01-01"}, ["arena.warmup_from has '2020-01-01'", "YYYYMMDD"]),
    "a reversed window": (
        {"arena.windows": {"all": "20210301-20210101"}},
        ["arena.windows.all", "its start is not before its end"],
    ),
    "an empty window": (
        {"arena.windows": {"all": "20210301-20210301"}},
        ["arena.windows.all", "its start is not before its end"],
    ),
    "overlapping windows": (
        {"arena.windows": {"a": "20210101-20210202", "b": "20210201-20210301"}},
        ["b starts 20210201, but a ends 20210202", "without gap or overlap"],
    ),
    "windows with a gap": (
        {"arena.windows": {"a": "20210101-20210131", "b": "20210201-20210301"}},
        ["b starts 20210201, but a ends 20210131", "without gap or overlap"],
    ),
    "windows out of order": (
        {"arena.windows": {"b": "20210201-20210301", "a": "20210101-20210201"}},
        ["a starts 20210101, but b ends 20210301"],
    ),
    "a window with a name of two words": (
        {"arena.windows": {"bull run": "20210101-20210301"}},
        ["'bull run'", "underscores"],
    ),
    "a window called validation": (
        {"arena.windows": {"validation": "20210101-20210301"}},
        ["arena.windows has the name 'validation'", "Use another"],
    ),
    "a window called search": (
        {"arena.windows": {"search": "20210101-20210301"}},
        ["arena.windows has the name 'search'", "Use another"],
    ),
    "validation before the end": (
        {"arena.validation": "20210201-20210401"},
        ["validation starts 20210201, but second ends 20210301"],
    ),
    "an empty validation": ({"arena.validation": ""}, ["arena.validation is ''", "Expected two days"]),
    "a holdout that overlaps": (
        {"arena.holdout": "20210315-20210501"},
        ["holdout starts 20210315, but validation ends 20210401"],
    ),
    "a holdout after a gap": (
        {"arena.validation": None, "arena.holdout": "20210401-20210501"},
        ["holdout starts 20210401, but second ends 20210301"],
    ),
    "warm-up after the start": (
        {"arena.warmup_from": "20210102"},
        ["arena.warmup_from 20210102 is after the first window's start 20210101", "an earlier one"],
    ),
    "no strategies": ({"arena.max_strategies": 0}, ["arena.max_strategies is 0", "greater than or equal to 1"]),
    "a drawdown in per cent": (
        {"arena.gates": {"max_drawdown": 25}},
        ["arena.gates.max_drawdown is 25", "less than or equal to 1"],
    ),
    "no time": ({"arena.limits": {"seconds": 0}}, ["arena.limits.seconds is 0", "greater than 0"]),
    "a share in per cent": (
        {"arena.gates": {"max_optimistic_fills": 30}},
        ["arena.gates.max_optimistic_fills is 30", "less than or equal to 1"],
    ),
    "hardly any process": (
        {"arena.limits": {"processes": 7}},
        ["arena.limits.processes is 7", "greater than or equal to 8"],
    ),
    "hardly any memory": (
        {"arena.limits": {"memory_mb": 64}},
        ["arena.limits.memory_mb is 64", "greater than or equal to 256"],
    ),
}


@pytest.mark.parametrize(("changes", "parts"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_value_is_refused_with_its_key_and_what_instead(tmp_path, changes, parts):
    with pytest.raises(ConfigError) as refused:
        arena(tmp_path, changes)
    for part in parts:
        assert part in str(refused.value)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
@pytest.mark.parametrize("key", ["dry_run_wallet", "stake_amount", "fee"])
def test_money_is_a_finite_number(tmp_path, key, number):
    (tmp_path / "config.json").write_text(json.dumps(config({key: "HERE"})).replace('"HERE"', number))
    with pytest.raises(ConfigError):
        load(tmp_path / "config.json")


def test_a_missing_file_is_said():
    with pytest.raises(ConfigError, match=r"nowhere/config\.json not found\. Run from the repository's root"):
        load("/nowhere/config.json")


def test_a_folder_in_place_of_the_file_is_said(tmp_path):
    (tmp_path / "config.json").mkdir()
    with pytest.raises(ConfigError, match=r"config\.json cannot be read: Is a directory"):
        load(tmp_path / "config.json")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"fee: 0.001", "config.json is not JSON"),
        (b'{"fee": 0.001', "config.json is not JSON"),
        (b"", "config.json is not JSON"),
        (b'{"fee": "\xff"}', "config.json is not JSON"),
        (b"[1, 2]", "must hold one object {…}, not a list"),
        (b"null", "must hold one object {…}, not a NoneType"),
    ],
    ids=["another format", "cut short", "empty", "not UTF-8", "a list", "null"],
)
def test_what_is_no_object_of_json_is_refused(tmp_path, data, message):
    (tmp_path / "config.json").write_bytes(data)
    with pytest.raises(ConfigError, match=message):
        load(tmp_path / "config.json")


def test_a_relative_path_and_the_working_directory_agree(tmp_path, monkeypatch):
    arena(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert load().root == tmp_path


def test_an_unknown_exchange_is_refused_with_the_nearest(tmp_path):
    (tmp_path / "config.json").write_text((ROOT / "config.json").read_text().replace('"binance"', '"binanze"'))
    with pytest.raises(ConfigError, match="'binanze' is no exchange that ccxt knows. Did you mean 'binance'?"):
        load(tmp_path / "config.json")
