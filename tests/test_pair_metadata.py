import json
from copy import deepcopy

import ccxt
import numpy as np
import pandas as pd
import pytest
from freqtrade.exchange import amount_to_precision, price_to_precision

from arena.errors import DataError
from arena.market import pair_metadata


def frame_of(*prices):
    dates = pd.date_range("2021-01-01", periods=len(prices), tz="UTC", unit="ms")
    column = np.array(prices, float)
    return pd.DataFrame({"date": dates, "open": column, "high": column, "low": column, "close": column, "volume": 1.0})


def frozen(market_data):
    return json.loads((market_data / "markets.json").read_text())


GOOD = {"A/USD": pair_metadata.derive(frame_of(10.25, 11.5), "A/USD")}


def test_a_derived_market_has_the_fields_of_a_real_one(market_data):
    real = frozen(market_data)["BTC/USDT"]
    derived = pair_metadata.derive(frame_of(30000.01, 40000.5), "BTC/USDT")
    assert list(derived) == list(real)
    assert pd.json_normalize(derived["limits"]).columns.tolist() == pd.json_normalize(real["limits"]).columns.tolist()
    assert derived["precision"]["price"] == real["precision"]["price"] == 0.01
    same = ("id", "symbol", "base", "quote", "spot", "active", "taker", "maker")
    assert [derived[key] for key in same] == [real[key] for key in same]


@pytest.mark.parametrize(
    ("prices", "tick"),
    [((7.0, 8.0), 1.0), ((7.5, 8.0), 0.1), ((7.5, 8.1234), 1e-4), ((24.175392150878906,), 1e-8), ((1.23e-9,), 1e-8)],
    ids=["whole", "one decimal", "the most decimals", "adjusted prices", "below the cap"],
)
def test_the_tick_is_the_last_decimal_of_any_price_down_to_1e_8(prices, tick):
    assert pair_metadata.derive(frame_of(*prices), "A/USD")["precision"]["price"] == tick


@pytest.mark.parametrize("price", [2e-9, 3e-5, 0.02, 0.7, 1.0, 9.9, 10.0, 400.0, 65000.0, 3e6, 5e8])
def test_an_amount_step_is_a_power_of_ten_worth_at_most_a_tenth_of_a_dollar(price):
    step = pair_metadata.derive(frame_of(price, price, price * 100), "A/USD")["precision"]["amount"]
    assert step == float(f"1e{round(np.log10(step))}")
    if 1e-8 < step < 1:
        assert 0.01 < step * price <= 0.1 * (1 + 1e-12)
    else:
        assert step == (1 if price <= 0.1 else 1e-8)


def test_the_smallest_order_is_about_a_dollar_in_any_stake_currency():
    by_quote = {quote: pair_metadata.derive(frame_of(0.05, 0.06), f"A/{quote}") for quote in ("USDT", "EUR", "BTC")}
    assert [by_quote[quote]["limits"]["cost"]["min"] for quote in by_quote] == [1.0, 1.0, 1e-5]
    assert by_quote["BTC"]["precision"]["amount"] * 0.055 <= 1e-6
    assert by_quote["USDT"]["limits"]["amount"]["min"] == by_quote["USDT"]["precision"]["amount"]


def test_the_derived_market_is_plain_json():
    assert json.loads(json.dumps(GOOD)) == GOOD


def test_real_and_derived_markets_pass_the_check(market_data):
    real = frozen(market_data)
    pair_metadata.check(real, tuple(real))
    pair_metadata.check(GOOD, ("A/USD",))


def test_pairs_that_are_not_asked_are_not_checked():
    pair_metadata.check({**GOOD, "B/USD": {}}, ("A/USD",))


def test_freqtrade_rounds_by_a_derived_market():
    market = pair_metadata.derive(frame_of(24.175392, 24.5), "A/USD")
    assert price_to_precision(24.17539219, market["precision"]["price"], ccxt.TICK_SIZE) == 24.175392
    assert amount_to_precision(1.23456, market["precision"]["amount"], ccxt.TICK_SIZE) == 1.234


def test_null_means_that_the_exchange_sets_no_limit_and_a_smallest_order_may_be_zero():
    market = deepcopy(GOOD)
    market["A/USD"]["precision"] = {"price": None, "amount": 1}
    market["A/USD"]["limits"]["cost"] = {"min": 0, "max": None}
    pair_metadata.check(market, ("A/USD",))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("symbol",), "B/USD", "has symbol 'B/USD'. Expected 'A/USD'"),
        (("spot",), False, "has spot False. Expected True"),
        (("quote",), None, "has quote None. Expected 'USD'"),
        (("precision", "price"), 0, r"precision.price 0\. Expected a positive number or null"),
        (("precision", "amount"), -1e-3, "precision.amount -0.001"),
        (("precision", "amount"), "0.001", "precision.amount '0.001'"),
        (("precision", "price"), float("nan"), "precision.price nan"),
        (("precision", "price"), True, "precision.price True"),
        (("limits", "cost", "min"), -5, "limits.cost.min -5"),
        (("limits", "amount", "max"), 0, "limits.amount.max 0"),
        (("limits", "amount", "max"), 1e-9, "limits.amount.min 0.001 above its max 1e-09"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(path, value, message):
    market = deepcopy(GOOD)
    *parents, key = path
    inner = market["A/USD"]
    for parent in parents:
        inner = inner[parent]
    inner[key] = value
    with pytest.raises(DataError, match=f"markets: A/USD .*{message}"):
        pair_metadata.check(market, ("A/USD",))


@pytest.mark.parametrize(
    "path", ["precision", "limits", "precision.price", "limits.cost", "limits.cost.min", "limits.price.max"]
)
def test_a_missing_field_is_named(path):
    market = deepcopy(GOOD)
    *parents, key = path.split(".")
    inner = market["A/USD"]
    for parent in parents:
        inner = inner[parent]
    del inner[key]
    with pytest.raises(DataError, match=f"A/USD lacks {path}"):
        pair_metadata.check(market, ("A/USD",))


def test_a_missing_pair_is_named_with_the_known_ones():
    with pytest.raises(DataError, match=r"B/USD is missing. Known: A/USD\."):
        pair_metadata.check(GOOD, ("A/USD", "B/USD"))
