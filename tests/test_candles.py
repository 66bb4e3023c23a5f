from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from conftest import CI
from freqtrade.data.btanalysis import get_tick_size_over_time
from freqtrade.data.converter import ohlcv_fill_up_missing_data
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.errors import DataError
from arena.market import candles
from arena.market.candles import CANDLE_COLUMNS

PAIRS = ("BTC", "ETH", "SOL", "BNB", "AVAX")


def alias(timeframe):
    """pandas' name of a timeframe."""
    return timeframe.replace("m", "min").replace("d", "D")


def frame_of(prices, timeframe="1h", start="2021-01-01"):
    """
    Candles that open, trade and close at one price; `prices` may have a column each for open, high, low and close.
    """
    prices = np.asarray(prices, dtype=float)
    prices = np.repeat(prices[:, None], 4, axis=1) if prices.ndim == 1 else prices
    dates = pd.date_range(start, periods=len(prices), freq=alias(timeframe), tz="UTC", unit="ms")
    return pd.DataFrame({"date": dates, **dict(zip(candles.PRICES, prices.T, strict=True)), "volume": 1.0})


def walk(n, seed=0, timeframe="1h"):
    """Real-looking candles from a seed."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
    opening = np.append(100, close)[:n]
    high, low = np.maximum(opening, close) * 1.001, np.minimum(opening, close) * 0.999
    return frame_of(np.column_stack([opening, high, low, close]), timeframe).assign(volume=rng.uniform(0, 9, n))


def real(market_data, coin):
    return pd.read_feather(market_data / "spot" / f"{coin}_USDT-1h.feather")


def same_ticks(frame):
    """Our tick sizes and FreqTrade's, which writes columns into the frame that it gets."""
    pd.testing.assert_series_equal(candles.tick_sizes(frame), get_tick_size_over_time(frame.copy()), check_exact=True)


# ---- check ----


def test_good_candles_pass_unchanged_and_lose_only_extra_columns():
    frame = walk(100)
    checked = candles.check(frame.assign(trades=1)[["trades", *reversed(CANDLE_COLUMNS)]], "A/USD", "1h", "a.csv")
    pd.testing.assert_frame_equal(checked, frame)
    assert checked.dtypes.astype(str).tolist() == ["datetime64[ms, UTC]"] + ["float64"] * 5


def test_dates_of_another_zone_and_unit_become_utc_milliseconds():
    frame = walk(48)
    other = frame.assign(date=frame["date"].dt.as_unit("ns").dt.tz_convert("Asia/Tokyo"), volume=1)
    pd.testing.assert_frame_equal(candles.check(other, "A/USD", "1h", "a.csv"), frame.assign(volume=1.0))


def change(column, row, value):
    def apply(frame):
        frame = frame.astype({column: object}) if isinstance(value, str) else frame
        frame.loc[row, column] = value
        return frame

    return apply


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f.drop(columns=["high", "low"]), r"lacks the columns high, low\. Found: date, open, close, volume"),
        (lambda f: f.iloc[:0], "no candles"),
        (lambda f: f.assign(date=f["date"].dt.tz_localize(None)), "without a timezone, the first 2021-01-01"),
        (lambda f: f.assign(date=f["date"].astype(str)), "without a timezone"),
        (change("date", 3, pd.NaT), "no date in row 4"),
        (lambda f: f.iloc[[0, 1, 2, 2, 2, 3, 3, 4]], "2021-01-01 02:00:00.* 3 times, and 3 repeated"),
        (lambda f: f.iloc[[0, 1, 3, 2, 4]], r"not sorted: 2021-01-01 02:00:00\S* comes after 2021-01-01 03:00"),
        (lambda f: f.iloc[::-1], "not sorted"),
        (change("close", 2, np.nan), "close nan on 2021-01-01 02:00:00.*1 such rows"),
        (change("volume", 2, np.inf), "volume inf"),
        (change("open", 2, "1,234.5"), "open 1,234.5 on 2021-01-01 02:00"),
        (change("low", 2, 0.0), "not positive on 2021-01-01 02:00"),
        (change("open", 2, -1.0), "not positive"),
        (change("volume", 2, -1.0), "negative volume on 2021-01-01 02:00"),
        (change("high", 2, 1.0), "high below its low on 2021-01-01 02:00"),
        (change("open", 2, 500.0), "open outside low and high on 2021-01-01 02:00"),
        (change("close", 2, 1.0), "close outside low and high on 2021-01-01 02:00"),
        (lambda f: f.iloc[::4], "mostly 4h apart, not 1h"),
        (
            lambda f: f.assign(date=f["date"] + pd.Timedelta(minutes=30)),
            "2021-01-01 00:30:00.*not the open time of a 1h candle",
        ),
    ],
)
def test_wrong_candles_are_refused_saying_what_and_where(spoil, message):
    with pytest.raises(DataError, match=message) as raised:
        candles.check(spoil(walk(40)), "A/USD", "1h", "a.csv")
    assert str(raised.value).startswith("a.csv: A/USD 1h")


def test_gaps_are_no_reason_to_refuse_and_one_candle_is_enough():
    assert len(candles.check(walk(40).drop([5, 6, 20]), "A/USD", "1h", "a.csv")) == 37
    assert len(candles.check(walk(1), "A/USD", "1h", "a.csv")) == 1


def test_weeks_open_on_monday():
    monday = frame_of([1.0, 2.0, 3.0], "7D", "2021-01-04")
    assert len(candles.check(monday, "A/USD", "1w", "a.csv")) == 3
    with pytest.raises(DataError, match="not the open time of a 1w candle"):
        candles.check(frame_of([1.0, 2.0, 3.0], "7D", "2021-01-07"), "A/USD", "1w", "a.csv")


def test_an_unknown_timeframe_is_refused_with_the_known_ones():
    with pytest.raises(DataError, match="'7m'. Known: 1m, 3m"):
        candles.check(walk(3), "A/USD", "7m", "a.csv")


def test_the_real_candles_pass(market_data):
    for coin in PAIRS:
        frame = real(market_data, coin)
        pd.testing.assert_frame_equal(candles.check(frame, f"{coin}/USDT", "1h", coin), frame)


# ---- gaps ----


def test_gaps_give_the_first_and_last_missing_candle_and_their_number():
    missing = candles.gaps(walk(48).drop([5, 20, 21, 22]), "1h")
    assert missing == [
        (datetime(2021, 1, 1, 5, tzinfo=UTC), datetime(2021, 1, 1, 5, tzinfo=UTC), 1),
        (datetime(2021, 1, 1, 20, tzinfo=UTC), datetime(2021, 1, 1, 22, tzinfo=UTC), 3),
    ]
    assert candles.gaps(walk(48), "1h") == candles.gaps(walk(1), "1h") == candles.gaps(walk(0), "1h") == []


def test_the_known_outages_of_the_real_candles_are_found(market_data):
    """market-data/README.md counts them: 32 candles in 15 gaps, 20 in 10 for the younger pairs."""
    for coin in PAIRS:
        missing = candles.gaps(real(market_data, coin), "1h")
        assert (len(missing), sum(n for *_, n in missing)) == ((10, 20) if coin in ("SOL", "AVAX") else (15, 32))


def test_gaps_are_filled_as_freqtrade_fills_them(market_data):
    for coin in PAIRS:
        frame = real(market_data, coin)
        expected = ohlcv_fill_up_missing_data(frame, "1h", coin)
        pd.testing.assert_frame_equal(candles.fill_gaps(frame, "1h"), expected, check_exact=True)


@pytest.mark.parametrize("timeframe", ["1m", "15m", "1h", "4h", "1d"])
def test_any_holes_are_filled_as_freqtrade_fills_them(timeframe):
    rng = np.random.default_rng(1)
    for keep in (0.1, 0.5, 0.95):
        frame = walk(500, timeframe=timeframe)[rng.random(500) < keep].reset_index(drop=True)
        filled = candles.fill_gaps(frame, timeframe)
        pd.testing.assert_frame_equal(filled, ohlcv_fill_up_missing_data(frame, timeframe, "A/USD"), check_exact=True)
        assert not candles.gaps(filled, timeframe)


def test_filling_an_empty_frame_gives_an_empty_frame():
    assert candles.fill_gaps(walk(0), "1h").empty


# ---- resample ----


def plainly(frame, timeframe):
    rule = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return frame.resample(alias(timeframe), on="date").agg(rule).dropna().reset_index()


def test_four_hours_are_made_by_hand():
    frame = frame_of([[10, 12, 9, 11], [11, 15, 10, 14], [14, 14, 8, 9], [9, 10, 9, 10], [10, 11, 10, 11]])
    four = candles.resample(frame, "4h")
    assert four.to_dict("records") == [
        {
            "date": pd.Timestamp("2021-01-01", tz="UTC"),
            "open": 10.0,
            "high": 15.0,
            "low": 8.0,
            "close": 10.0,
            "volume": 4.0,
        }
    ]


@pytest.mark.parametrize("timeframe", ["2h", "4h", "12h", "1d"])
def test_longer_candles_are_what_pandas_makes_of_the_real_ones(market_data, timeframe):
    frame = real(market_data, "SOL")
    longer = candles.resample(frame, timeframe)
    pd.testing.assert_frame_equal(longer, plainly(frame, timeframe), rtol=1e-12)
    candles.check(longer, "SOL/USDT", timeframe, "resampled")


def test_the_last_longer_candle_is_dropped_until_it_is_complete():
    days = [len(candles.resample(walk(hours), "1d")) for hours in (23, 24, 25, 47, 48)]
    assert days == [0, 1, 1, 1, 2]


def test_a_missing_candle_inside_does_not_make_it_incomplete():
    assert len(candles.resample(walk(48).drop([5, 30]), "1d")) == 2


def test_longer_candles_start_at_utc_hours_wherever_the_frame_starts():
    late = candles.resample(walk(48).iloc[3:], "4h")
    assert late["date"].iloc[0] == pd.Timestamp("2021-01-01 00:00", tz="UTC")
    assert late["open"].iloc[0] == walk(48)["open"].iloc[3]


def test_weeks_are_resampled_from_monday_to_sunday():
    weeks = candles.resample(walk(24 * 21), "1w")  # 2021-01-01 is a Friday
    assert [f"{date:%a %F}" for date in weeks["date"]] == ["Mon 2020-12-28", "Mon 2021-01-04", "Mon 2021-01-11"]


def test_the_same_timeframe_changes_nothing_and_a_shorter_one_is_refused():
    pd.testing.assert_frame_equal(candles.resample(walk(9), "1h"), walk(9))
    for timeframe in ("15m", "1m"):
        with pytest.raises(DataError, match=f"1h candles cannot be resampled to {timeframe}"):
            candles.resample(walk(9), timeframe)
    with pytest.raises(DataError, match="2h candles cannot be resampled to 3m"):
        candles.resample(walk(9, timeframe="2h"), "3m")


def test_resampling_twice_is_resampling_once():
    frame = walk(24 * 30)
    twice = candles.resample(candles.resample(frame, "4h"), "1d")
    pd.testing.assert_frame_equal(twice, candles.resample(frame, "1d"), rtol=1e-12)


def test_fewer_than_two_candles_give_none():
    assert candles.resample(walk(1), "4h").empty and candles.resample(walk(0), "4h").empty


# ---- tick sizes ----


@pytest.mark.slow
def test_tick_sizes_of_the_real_candles_are_freqtrades(market_data):
    for coin in PAIRS:
        frame = real(market_data, coin)
        pd.testing.assert_series_equal(candles.tick_sizes(frame), get_tick_size_over_time(frame), check_exact=True)


def test_tick_sizes_of_any_slice_follow_from_decimals_that_were_counted_once(market_data):
    rng = np.random.default_rng(0)
    for coin in PAIRS:
        frame = real(market_data, coin)
        counted = candles.decimals(frame)
        for size in (1, 2, 30, 800, 3000):
            first = int(rng.integers(len(frame) - size))
            part = slice(first, first + size)
            expected = get_tick_size_over_time(frame.iloc[part].copy())
            got = candles.monthly_tick(frame["date"].iloc[part], counted[part])
            pd.testing.assert_series_equal(got, expected, check_exact=True)


@pytest.mark.parametrize("digits", range(15))
@pytest.mark.parametrize("size", [1e-7, 1e-3, 1, 150, 4e4, 2e6, 3e9])
def test_tick_sizes_of_random_prices_are_freqtrades(digits, size):
    rng = np.random.default_rng(digits)
    prices = np.round(size * rng.uniform(0.1, 10, (120, 4)), digits)
    same_ticks(frame_of(prices, "1d"))


@settings(max_examples=150 if CI else 50, deadline=None)
@given(st.lists(st.floats(1e-12, 1e17), min_size=1, max_size=40))
def test_tick_sizes_of_any_prices_are_freqtrades(prices):
    same_ticks(frame_of(prices, "1d"))


def test_every_single_count_is_that_of_the_written_number():
    """Numbers around powers of ten, with a half behind the fourteenth digit, whole ones, and of any size."""
    rng = np.random.default_rng(0)
    powers = 10.0 ** rng.integers(-12, 17, 3000)
    halves = (rng.integers(10**13, 10**14, 3000) + 0.5) / 10.0 ** rng.integers(0, 16, 3000)
    anywhere = 10 ** rng.uniform(-300, 300, 3000)
    prices = np.concatenate(
        [
            powers,
            np.nextafter(powers, 0),
            np.nextafter(powers, np.inf),
            halves,
            np.round(halves),
            anywhere,
            [0, np.nan, np.inf],
        ]
    )
    written = [np.format_float_positional(p, precision=14, unique=False, fractional=False, trim="-") for p in prices]
    expected = [len(text.partition(".")[2].rstrip("0")) or -1 for text in written]
    counted = candles.decimals(frame_of(prices, "1m"))
    np.testing.assert_array_equal(counted, np.repeat(np.array(expected)[:, None], 4, axis=1))


def test_months_without_candles_or_with_whole_prices_only_have_no_tick():
    frame = frame_of(np.where(np.arange(400) < 31, 7.0, 7.25), "1d")
    frame = frame[(frame["date"] < "2021-05-01") | (frame["date"] >= "2021-07-01")].reset_index(drop=True)
    same_ticks(frame)
    ticks = candles.tick_sizes(frame)
    assert np.isnan(ticks.iloc[[0, 4, 5]]).all() and (ticks.iloc[[1, 2, 3, 6]] == 0.01).all()


def test_freqtrades_integer_overflow_is_reproduced_because_its_backtest_has_it():
    """19 decimals and no whole price: FreqTrade computes 10**n in int64. With one whole price it computes in floats."""
    tiny = frame_of([1.2345678901234e-7] * 9)
    same_ticks(tiny)
    assert candles.tick_sizes(tiny).iloc[0] > 1e-19
    mixed = frame_of([1.2345678901234e-7] * 8 + [1.0])
    same_ticks(mixed)
    assert candles.tick_sizes(mixed).iloc[0] == 1e-20


def test_no_candles_have_no_ticks():
    assert candles.tick_sizes(walk(0)).empty
