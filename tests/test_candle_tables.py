"""Candles as tables, as frames and on the common grid."""

import numpy as np
import pandas as pd
import pytest
from builders import DAY, HOUR, START_MS, arena, window

from arena.errors import DataError
from arena.market.candle_tables import candle_file, frame, joined, market, read_candles, table

CANDLES = [(100.0, 110.0, 95.0, 105.0, 7.0), (105.0, 106.0, 104.0, 104.0, 0.0), (104.5, 105.0, 90.25, 91.0, 12.5)]


def stored(*candles, first=0, step_ms=HOUR):
    """A table of candles (open, high, low, close, volume) from the hour `first` on; None is a gap."""
    return np.array([(START_MS + (first + k) * step_ms, *c) for k, c in enumerate(candles) if c is not None]).reshape(
        -1, 6
    )


def flat(price):
    return (price,) * 4 + (1.0,)


def candles_frame():
    dates = (
        pd.to_datetime(["2021-01-01 00:00", "2021-01-01 01:00", "2021-01-01 02:00"]).tz_localize("UTC").as_unit("ms")
    )
    columns = zip(("open", "high", "low", "close", "volume"), zip(*CANDLES, strict=True), strict=True)
    return pd.DataFrame({"date": dates, **{name: list(values) for name, values in columns}})


def test_a_table_has_the_open_time_in_milliseconds_and_then_the_candle():
    made = table(candles_frame())
    assert made.dtype == np.float64
    assert made.tolist() == [[START_MS + k * HOUR, *candle] for k, candle in enumerate(CANDLES)]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_dates_of_any_unit_make_the_same_table(unit):
    other = candles_frame()
    other["date"] = other["date"].dt.as_unit(unit)
    assert table(other).tolist() == table(candles_frame()).tolist()


def test_a_table_becomes_the_frame_it_came_from():
    pd.testing.assert_frame_equal(frame(table(candles_frame())), candles_frame())


def test_a_frame_without_candles_has_all_columns_with_their_types():
    pd.testing.assert_frame_equal(frame(np.empty((0, 6))), candles_frame().iloc[:0])


def test_a_frame_can_be_changed_without_its_table():
    values = stored(*CANDLES)
    made = frame(values)
    made["close"] = 0.0
    made.loc[0, "open"] = -1.0
    assert values.tolist() == stored(*CANDLES).tolist()


def test_a_candle_file_is_named_as_freqtrade_names_it(tmp_path):
    assert candle_file(tmp_path, "BTC/USDT", "1h") == tmp_path / "BTC_USDT-1h.feather"


def test_candles_are_read_as_they_are_stored_with_warm_up_and_gaps(tmp_path):
    settings = arena(tmp_path)
    btc, eth = stored(flat(1.0), None, flat(2.0), first=-48), stored(*CANDLES)
    for pair, values in (("BTC/USDT", btc), ("ETH/USDT", eth)):
        frame(values).to_feather(candle_file(tmp_path, pair, "1h"))
    tables = read_candles(tmp_path, settings)
    assert list(tables) == ["BTC/USDT", "ETH/USDT"]
    assert tables["BTC/USDT"].tolist() == btc.tolist()
    assert tables["ETH/USDT"].tolist() == eth.tolist()


@pytest.mark.parametrize("content", [None, b"no feather", b""], ids=["missing", "something else", "empty"])
def test_a_candle_file_that_cannot_be_read_is_named(tmp_path, content):
    settings = arena(tmp_path)
    if content is not None:
        candle_file(tmp_path, "BTC/USDT", "1h").write_bytes(content)
    with pytest.raises(DataError, match=r"BTC_USDT-1h.feather cannot be read: .*Run `uv run prepare.py`"):
        read_candles(tmp_path, settings)


def test_a_market_is_the_window_from_its_start_to_the_candle_at_its_end(tmp_path):
    tables = {
        "BTC/USDT": stored(*(flat(float(k)) for k in range(90, 110)), first=-10),
        "ETH/USDT": stored(*(flat(5.0),) * 20),
    }
    made = market(tables, arena(tmp_path), window(0, 4))
    assert made.pairs == ("BTC/USDT", "ETH/USDT")
    assert made.step_ms == HOUR
    assert made.open_ms.tolist() == [START_MS + k * HOUR for k in range(5)]
    assert made.open.tolist() == made.close.tolist() == [[100, 101, 102, 103, 104], [5] * 5]


def test_each_price_of_a_candle_is_in_its_own_array(tmp_path):
    made = market({"BTC/USDT": stored(*CANDLES), "ETH/USDT": stored(flat(1.0))}, arena(tmp_path), window(0, 2))
    assert [made.open[0, 2], made.high[0, 2], made.low[0, 2], made.close[0, 2]] == [104.5, 105.0, 90.25, 91.0]


def test_a_gap_has_the_last_close_even_from_before_the_window(tmp_path):
    tables = {"BTC/USDT": stored(CANDLES[0], None, None, CANDLES[2], first=-1), "ETH/USDT": stored(*(flat(5.0),) * 4)}
    made = market(tables, arena(tmp_path), window(0, 3))
    assert made.low[0].tolist()[:3] == [105.0, 105.0, 90.25]
    assert made.open[0].tolist()[:3] == [105.0, 105.0, 104.5]


def test_before_its_first_and_after_its_last_candle_a_pair_has_no_price(tmp_path):
    tables = {"BTC/USDT": stored(*(flat(1.0),) * 6), "ETH/USDT": stored(flat(7.0), flat(8.0), first=2)}
    made = market(tables, arena(tmp_path), window(0, 5))
    assert np.isnan(made.close[1]).tolist() == [True, True, False, False, True, True]
    assert made.close[1, 2:4].tolist() == [7, 8]


def test_a_market_ends_with_the_last_candle_that_any_pair_has(tmp_path):
    tables = {"BTC/USDT": stored(flat(1.0)), "ETH/USDT": stored(*(flat(2.0),) * 3)}
    assert len(market(tables, arena(tmp_path), window(0, 24)).open_ms) == 3


def test_a_market_has_steps_of_the_arenas_timeframe(tmp_path):
    settings = arena(tmp_path, {"timeframe": "1d", "arena.informative_timeframes": ["1w"]})
    days = stored(flat(1.0), None, flat(3.0), step_ms=DAY)
    made = market({"BTC/USDT": days, "ETH/USDT": days}, settings, window(0, 2, step_ms=DAY))
    assert made.open_ms.tolist() == [START_MS, START_MS + DAY, START_MS + 2 * DAY]
    assert made.close[0].tolist() == [1, 1, 3]


def test_a_window_without_a_candle_is_an_error_that_names_it(tmp_path):
    tables = {"BTC/USDT": stored(flat(1.0)), "ETH/USDT": np.empty((0, 6))}
    with pytest.raises(DataError, match="no pair has a candle between 2021-01-02 and 2021-01-03"):
        market(tables, arena(tmp_path), window(24, 48))


def test_candles_that_follow_are_joined_and_the_one_at_the_border_stands_once():
    before, more = stored(*CANDLES[:2]), stored(*[flat(9.0)] * 2, first=1)
    made = joined({"BTC/USDT": before, "ETH/USDT": before[:0]}, {"BTC/USDT": more, "ETH/USDT": more, "SOL/USDT": more})
    np.testing.assert_array_equal(made["BTC/USDT"], np.concatenate([before, more[1:]]))
    assert made["ETH/USDT"] is more and made["SOL/USDT"] is more
    np.testing.assert_array_equal(joined({"BTC/USDT": before}, {})["BTC/USDT"], before)
