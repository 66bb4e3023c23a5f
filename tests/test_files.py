import gzip
import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType

from arena.errors import DataError
from arena.market import candles
from arena.preparation.sources.files import FileSource

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def hours(n=48, timeframe="1h"):
    rng = np.random.default_rng(0)
    close = np.round(100 + np.cumsum(rng.normal(size=n)), 2)
    opening = np.append(100.0, close)[:n]
    dates = pd.date_range("2021-01-01", periods=n, freq=timeframe.replace("d", "D"), tz="UTC", unit="ms")
    high, low = np.maximum(opening, close) + 0.5, np.minimum(opening, close) - 0.5
    return pd.DataFrame(
        {"date": dates, "open": opening, "high": high, "low": low, "close": close, "volume": np.arange(n) + 0.5}
    )


def read(folder, pair="BTC/USDT", timeframe="1h", start=FIRST, end=LAST):
    return FileSource(folder).candles(pair, timeframe, start, end)


def write(file, frame):
    """By the name's suffix, in the plainest way."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.name.endswith(".feather"):
        frame.to_feather(file)
    elif file.name.endswith(".parquet"):
        frame.to_parquet(file)
    else:
        frame.to_csv(file, index=False)
    return file


# ---- what is read ----


@pytest.mark.parametrize(
    "name",
    [
        "BTC_USDT-1h.feather",
        "BTC_USDT-1h.parquet",
        "BTC_USDT-1h.csv",
        "BTC_USDT-1h.csv.gz",
        "BTCUSDT-1h.csv",
        "BTC-USDT_1h.csv",
        "btcusdt_1H.CSV",
        "BTC_USDT.csv",
        "BTCUSDT.parquet",
        "BTC-1h.csv",
        "BTC.csv",
        "data/BTC_USDT-1h.feather",
        "binance/BTC_USDT-1h.feather",
        "data/binance/BTC_USDT-1h.feather",
    ],
)
def test_a_pair_is_found_by_the_name_of_its_file(tmp_path, name):
    write(tmp_path / name, hours())
    pd.testing.assert_frame_equal(read(tmp_path), hours())


@pytest.mark.parametrize(
    "name",
    [
        "ETHBTC-1h.csv",
        "BTC_USD-1h.csv",
        "BTC_USDT_USDT-1h-futures.feather",
        "BTC_USDT-1h.json",
        "a/b/c/BTC_USDT-1h.csv",
        ".BTC_USDT-1h.csv",
    ],
)
def test_other_files_are_not_taken_and_are_listed(tmp_path, name):
    write(tmp_path / name, hours())
    with pytest.raises(DataError, match="No candles of BTC/USDT 1h in .*Expected BTC_USDT-1h with one of") as raised:
        read(tmp_path)
    assert (name in str(raised.value)) == (not name.startswith("a/"))


def test_freqtrades_own_files_are_read(tmp_path):
    """Written by FreqTrade's data handler, as another user_data has them."""
    (tmp_path / "data" / "binance").mkdir(parents=True)
    get_datahandler(tmp_path / "data" / "binance", "feather").ohlcv_store("BTC/USDT", "1h", hours(), CandleType.SPOT)
    pd.testing.assert_frame_equal(read(tmp_path), hours())


def test_the_range_includes_both_ends(tmp_path):
    write(tmp_path / "BTC_USDT-1h.csv", hours())
    part = read(tmp_path, start=datetime(2021, 1, 1, 5, tzinfo=UTC), end=datetime(2021, 1, 1, 8, tzinfo=UTC))
    pd.testing.assert_frame_equal(part, hours()[5:9].reset_index(drop=True))
    assert read(tmp_path, start=datetime(2031, 1, 1, tzinfo=UTC)).empty


def test_a_source_says_what_it_is_and_can_be_built_again(tmp_path):
    write(tmp_path / "BTC_USDT-1h.csv", hours())
    source = FileSource(tmp_path)
    assert (source.label, source.description) == ("files", {"kind": "files", "path": str(tmp_path)})
    assert json.loads(json.dumps(source.description)) == source.description
    given = write(tmp_path / "m.csv", hours())
    assert FileSource(tmp_path, given).description["markets"] == str(given)


@pytest.mark.parametrize(
    "header",
    [
        "date,open,high,low,close,volume",
        "Date,Open,High,Low,Close,Volume",
        "DATETIME,O,H,L,C,VOL",
        "timestamp,open,high,low,close,Volume USDT",
        "Open time,Open,High,Low,Close,Volume BTC",
        "open_time,open,high,low,close,vol",
        "unix,open,high,low,close,volume",
        " Time , Open , High , Low , Close , Volume ",
    ],
)
def test_common_headers_are_understood(tmp_path, header):
    frame = hours()
    frame.columns = header.split(",")
    write(tmp_path / "BTC.csv", frame)
    pd.testing.assert_frame_equal(read(tmp_path), hours())


def test_columns_may_have_any_order_and_company(tmp_path):
    frame = hours().assign(**{"Adj Close": 1.0, "trades": 7, "close_time": 5, "Volume USDT": 1e9})
    write(tmp_path / "BTC.csv", frame[sorted(frame.columns, reverse=True)])
    pd.testing.assert_frame_equal(read(tmp_path), hours())


def test_the_volume_is_the_base_currencys_where_both_are_there(tmp_path):
    frame = hours().rename(columns={"volume": "Volume BTC"})
    write(tmp_path / "BTC.csv", frame.assign(**{"Volume USDT": 1e9})[["Volume USDT", *frame.columns]])
    pd.testing.assert_frame_equal(read(tmp_path), hours())


@pytest.mark.parametrize("per_second", [1, 1000, 1_000_000], ids=["seconds", "milliseconds", "microseconds"])
@pytest.mark.parametrize("suffix", [".csv", ".feather"])
def test_numbers_are_time_since_1970_in_the_unit_that_they_have(tmp_path, per_second, suffix):
    dates = hours()["date"].astype("int64") // 1000 * per_second
    write(tmp_path / f"BTC{suffix}", hours().assign(date=dates))
    pd.testing.assert_frame_equal(read(tmp_path), hours())


def test_a_file_may_change_its_unit_as_binances_did(tmp_path):
    ms = hours()["date"].astype("int64")
    write(tmp_path / "BTC.csv", hours().assign(date=np.where(ms > ms[20], ms * 1000, ms)))
    pd.testing.assert_frame_equal(read(tmp_path), hours())


@pytest.mark.parametrize(
    "text",
    [
        "%Y-%m-%d %H:%M:%S+00:00",
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y-%m-%d %H:%MZ",
        "%Y-%m-%dT%H:%M:%S.000Z",
        "%Y-%m-%d %H:%M:%S UTC",
    ],
)
def test_iso_dates_with_a_timezone_are_read(tmp_path, text):
    write(tmp_path / "BTC.csv", hours().assign(date=hours()["date"].dt.strftime(text)))
    pd.testing.assert_frame_equal(read(tmp_path), hours())


def test_another_timezone_becomes_utc(tmp_path):
    tokyo = hours()["date"].dt.tz_convert("Asia/Tokyo")
    write(tmp_path / "BTC.csv", hours().assign(date=tokyo))
    pd.testing.assert_frame_equal(read(tmp_path), hours())
    write(tmp_path / "BTC.csv", hours().assign(date=tokyo.dt.tz_localize(None).dt.strftime("%Y-%m-%d %H:%M:%S+09:00")))
    pd.testing.assert_frame_equal(read(tmp_path), hours())
    write(tmp_path / "p" / "BTC.parquet", hours().assign(date=tokyo))
    pd.testing.assert_frame_equal(read(tmp_path / "p"), hours())


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_date_alone_is_midnight_utc(tmp_path, suffix):
    days = hours(timeframe="1d")
    write(tmp_path / f"BTC{suffix}", days.assign(date=days["date"].dt.date))
    pd.testing.assert_frame_equal(read(tmp_path, timeframe="1d"), days)


def test_a_byte_order_mark_is_no_part_of_the_first_header(tmp_path):
    (tmp_path / "BTC.csv").write_bytes(b"\xef\xbb\xbf" + hours().to_csv(index=False).encode())
    pd.testing.assert_frame_equal(read(tmp_path), hours())


def test_dates_may_be_the_index_of_a_parquet_file(tmp_path):
    write(tmp_path / "BTC.parquet", hours().set_index("date"))
    pd.testing.assert_frame_equal(read(tmp_path), hours())


def test_a_number_is_preferred_where_a_file_has_two_time_columns(tmp_path):
    frame = hours().assign(unix=hours()["date"].astype("int64"), date=hours()["date"].dt.strftime("%m/%d/%Y %H:%M"))
    write(tmp_path / "BTC.csv", frame)
    pd.testing.assert_frame_equal(read(tmp_path), hours())


def test_prices_are_read_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(0)
    close = rng.uniform(1, 2, 500)
    frame = hours(500).assign(open=close, high=close, low=close, close=close)
    write(tmp_path / "BTC.csv", frame)
    pd.testing.assert_frame_equal(read(tmp_path), frame, check_exact=True)


# ---- which file ----


def test_the_asked_timeframe_is_preferred_to_a_shorter_one(tmp_path):
    write(tmp_path / "BTC_USDT-1h.csv", hours())
    write(tmp_path / "BTC_USDT-4h.csv", candles.resample(hours(), "4h").assign(volume=7.0))
    assert (read(tmp_path, timeframe="4h")["volume"] == 7.0).all()


def test_without_it_a_shorter_one_is_resampled_and_noted(tmp_path):
    write(tmp_path / "BTC_USDT-1h.csv", hours(99))
    source = FileSource(tmp_path)
    pd.testing.assert_frame_equal(source.candles("BTC/USDT", "1d", FIRST, LAST), candles.resample(hours(99), "1d"))
    assert source.notes == ["BTC/USDT: 1d candles are resampled from 1h in BTC_USDT-1h.csv."]


def test_the_longest_of_the_shorter_ones_is_resampled(tmp_path):
    write(tmp_path / "BTC_USDT-1h.csv", hours(48))
    write(tmp_path / "BTC_USDT-4h.csv", candles.resample(hours(48), "4h").assign(volume=7.0))
    assert (read(tmp_path, timeframe="1d")["volume"] == 42.0).all()


def test_a_file_that_does_not_name_its_timeframe_is_resampled_by_what_it_holds(tmp_path):
    write(tmp_path / "BTC.csv", hours())
    pd.testing.assert_frame_equal(read(tmp_path, timeframe="4h"), candles.resample(hours(), "4h"))
    with pytest.raises(DataError, match="BTC.csv holds 1h candles of BTC/USDT, from which 15m cannot be made"):
        read(tmp_path, timeframe="15m")


def test_a_longer_timeframe_or_one_that_does_not_divide_is_no_help(tmp_path):
    write(tmp_path / "BTC_USDT-8h.csv", hours())
    for timeframe in ("1h", "12h"):
        with pytest.raises(DataError, match=f"No candles of BTC/USDT {timeframe}.*Found: BTC_USDT-8h.csv"):
            read(tmp_path, timeframe=timeframe)


def test_a_file_in_the_folder_is_preferred_to_one_below_it(tmp_path):
    write(tmp_path / "BTC_USDT-1h.csv", hours())
    write(tmp_path / "old" / "BTC_USDT-1h.csv", hours(5))
    assert len(read(tmp_path)) == 48


def test_two_files_for_one_pair_are_refused(tmp_path):
    write(tmp_path / "data" / "binance" / "BTC_USDT-1h.feather", hours())
    write(tmp_path / "data" / "kraken" / "BTC_USDT-1h.feather", hours())
    with pytest.raises(
        DataError, match="several files for BTC/USDT 1h: data/binance/BTC_USDT-1h.feather, data/kraken/BTC_USDT"
    ):
        read(tmp_path)
    assert len(read(tmp_path / "data" / "kraken")) == 48


def test_one_file_serves_one_pair_whatever_its_name(tmp_path):
    source = FileSource(write(tmp_path / "prices.csv", hours()))
    assert (
        len(source.candles("BTC/USDT", "1h", FIRST, LAST))
        == len(source.candles("BTC/USDT", "4h", FIRST, LAST)) * 4
        == 48
    )
    with pytest.raises(DataError, match="prices.csv is one file, but BTC/USDT and ETH/USDT were asked"):
        source.candles("ETH/USDT", "1h", FIRST, LAST)


def test_a_path_that_does_not_exist_or_is_no_candle_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="nowhere does not exist"):
        FileSource(tmp_path / "nowhere")
    (tmp_path / "a.xlsx").write_text("")
    with pytest.raises(DataError, match="a.xlsx is no candle file. Known: .feather"):
        read(tmp_path / "a.xlsx")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="Found: nothing"):
        read(tmp_path / "empty")


# ---- what is refused ----


def test_a_time_of_day_without_a_timezone_is_refused(tmp_path):
    naive = hours()["date"].dt.tz_localize(None)
    write(tmp_path / "csv" / "BTC.csv", hours().assign(date=naive))
    with pytest.raises(
        DataError, match=r"BTC.csv has the date 2021-01-01 00:00:00, a time of day without a timezone. Add Z"
    ):
        read(tmp_path / "csv")
    for suffix in ("feather", "parquet"):
        write(tmp_path / suffix / f"BTC.{suffix}", hours().assign(date=naive))
        with pytest.raises(
            DataError, match=f"BTC.{suffix} has dates without a timezone, the first 2021-01-01 00:00:00. Store"
        ):
            read(tmp_path / suffix)


def test_one_date_without_a_timezone_among_good_ones_is_refused(tmp_path):
    text = hours()["date"].dt.strftime("%Y-%m-%d %H:%M:%SZ")
    text[7] = "2021-01-01 07:00:00"
    write(tmp_path / "BTC.csv", hours().assign(date=text))
    with pytest.raises(DataError, match="2021-01-01 07:00:00, a time of day without"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("date", "message"),
    [
        ("01/02/2021", "date '01/02/2021'. Expected 2021-01-01"),
        ("yesterday", "date 'yesterday'"),
        ("2021-02-31", "a date that does not exist"),
        ("20210101", "date 20210101, which is not seconds, milliseconds or microseconds"),
        ("0", "date 0, which is not seconds"),
        ("", "no date in row 1"),
    ],
)
def test_dates_that_need_a_guess_are_refused(tmp_path, date, message):
    write(tmp_path / "BTC.csv", hours().assign(date=[date] * 48))
    with pytest.raises(DataError, match=message):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("date;open;high;low;close;volume\n1;2;3;4;5;6\n", "lacks a column for date, open.* Found: date;open;high"),
        ("1609459200,1,1,1,1,1\n1609462800,1,1,1,1,1\n", "lacks a column for date.* Found: 1609459200"),
        ("date,open,high,low,close\n2021-01-01,1,1,1,1\n", "lacks a column for volume"),
        ("date,open,high,low,close,volume\n2021-01-01,1,1,1,1,1,\n", "more fields in its rows than in its header"),
        ("date,open,high,low,close,volume\n", "no candles"),
        ("", "cannot be read: No columns"),
        ('date,open,high,low,close,volume\n2021-01-01,"1,5",1,1,1,1\n', "open 1,5 on 2021-01-01"),
    ],
    ids=["semicolons", "no header", "no volume", "a field too many", "no rows", "no bytes", "a decimal comma"],
)
def test_a_csv_that_is_not_one_is_refused(tmp_path, text, message):
    (tmp_path / "BTC-1d.csv").write_text(text)
    with pytest.raises(DataError, match=f"BTC-1d.csv.*{message}"):
        read(tmp_path, timeframe="1d")


@pytest.mark.parametrize("name", ["BTC.feather", "BTC.parquet", "BTC.csv.gz", "BTC.csv"])
def test_a_broken_file_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80\xff\x00 not what the name says")
    with pytest.raises(DataError, match=f"^{name} "):
        read(tmp_path)


def test_a_truncated_archive_is_refused(tmp_path):
    whole = gzip.compress(hours(500).to_csv(index=False).encode())
    (tmp_path / "BTC.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="BTC.csv.gz cannot be read"):
        read(tmp_path)


def test_what_candles_may_not_be_is_refused_with_the_name_of_the_file(tmp_path):
    write(tmp_path / "deep" / "BTC_USDT-1h.csv", hours().iloc[::-1])
    with pytest.raises(DataError, match="^deep/BTC_USDT-1h.csv: BTC/USDT 1h is not sorted"):
        read(tmp_path)
    write(tmp_path / "BTC_USDT-1h.csv", hours(timeframe="1d"))
    with pytest.raises(DataError, match="mostly 1d apart, not 1h"):
        read(tmp_path)


# ---- rounding ----


def test_highs_and_lows_that_miss_by_rounding_are_widened_and_counted(tmp_path):
    frame = hours()
    frame.loc[3, "high"] = frame.loc[3, ["open", "close"]].max() * (1 - 5e-7)
    frame.loc[9, "low"] = frame.loc[9, ["open", "close"]].min() * (1 + 5e-7)
    write(tmp_path / "BTC.csv", frame)
    source = FileSource(tmp_path)
    for _ in range(2):
        got = source.candles("BTC/USDT", "1h", FIRST, LAST)
    assert got.loc[3, "high"] == frame.loc[3, ["open", "close"]].max()
    assert got.loc[9, "low"] == frame.loc[9, ["open", "close"]].min()
    untouched = got.drop([3, 9]).index
    pd.testing.assert_frame_equal(got.loc[untouched], frame.loc[untouched])
    assert len(source.notes) == 1 and source.notes[0].startswith(
        "BTC/USDT: 2 candles in BTC.csv had open or close outside"
    )


def test_more_than_rounding_is_refused(tmp_path):
    frame = hours()
    frame.loc[3, "high"] = frame.loc[3, ["open", "close"]].max() * (1 - 2e-6)
    write(tmp_path / "BTC.csv", frame)
    with pytest.raises(DataError, match="outside low and high on 2021-01-01 03:00"):
        read(tmp_path)


# ---- real files ----


def test_daily_spy_is_read_and_its_37_roundings_are_noted(market_data):
    source = FileSource(market_data / "equities")
    frame = source.candles("SPY/USD", "1d", FIRST, LAST)
    assert len(frame) == 8347 and str(frame["date"].iloc[0]) == "1993-01-29 00:00:00+00:00"
    first = [24.192586597643402, 24.192586597643402, 24.072225470291944, 24.175392150878906, 1003200.0]
    assert frame.iloc[0, 1:].tolist() == first
    assert len(source.notes) == 1 and "37 candles" in source.notes[0]
    pd.testing.assert_frame_equal(read(market_data / "equities" / "SPY-1d.csv", "SPY/USD", "1d"), frame)


def test_real_feather_files_are_read_as_they_are(market_data):
    source = FileSource(market_data)
    for coin in ("BTC", "ETH", "SOL", "BNB", "AVAX"):
        frame = pd.read_feather(market_data / "spot" / f"{coin}_USDT-1h.feather")
        pd.testing.assert_frame_equal(source.candles(f"{coin}/USDT", "1h", FIRST, LAST), frame, check_exact=True)
    assert source.notes == []


# ---- markets ----


def test_markets_are_found_beside_the_candles_or_one_folder_up(market_data):
    known = json.loads((market_data / "markets.json").read_text())
    for path in (market_data, market_data / "spot", market_data / "spot" / "BTC_USDT-1h.feather"):
        assert FileSource(path).markets(("BTC/USDT",)) == {"BTC/USDT": known["BTC/USDT"]}
    assert set(FileSource(market_data).markets(("ETH/USDT", "BTC/USDT"))) == {"ETH/USDT", "BTC/USDT"}


def test_markets_may_lie_elsewhere(tmp_path):
    (tmp_path / "candles").mkdir()
    named = tmp_path / "elsewhere.json"
    named.write_text('{"BTC/USDT": {"symbol": "BTC/USDT"}}')
    source = FileSource(tmp_path / "candles", named)
    assert source.markets(("BTC/USDT",)) == {"BTC/USDT": {"symbol": "BTC/USDT"}}
    assert source.notes == [f"market metadata of BTC/USDT from {named}."]
    named.unlink()
    with pytest.raises(DataError, match="elsewhere.json does not exist"):
        source.markets(("BTC/USDT",))


def test_without_markets_there_are_none(tmp_path):
    (tmp_path / "a").mkdir()
    assert FileSource(tmp_path / "a").markets(("BTC/USDT",)) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "must hold an object .*, not a list"),
        (
            '{"ETH/USDT": {}}',
            r"lacks a market structure for BTC/USDT. It knows ETH/USDT\. Add the pair, or leave --markets out",
        ),
        ('{"ETH/USDT": {}, "BTC/USDT": 7}', "lacks a market structure for BTC/USDT"),
    ],
)
def test_named_markets_that_cannot_be_used_are_refused(tmp_path, text, message):
    file = tmp_path / "markets.json"
    file.write_text(text)
    with pytest.raises(DataError, match=f"markets.json {message}"):
        FileSource(tmp_path, file).markets(("BTC/USDT", "ETH/USDT"))


def test_markets_that_were_found_and_know_some_pairs_are_used_for_these(tmp_path):
    (tmp_path / "markets.json").write_text('{"ETH/USDT": {"symbol": "ETH/USDT"}}')
    source = FileSource(tmp_path)
    assert source.markets(("BTC/USDT", "ETH/USDT")) == {"ETH/USDT": {"symbol": "ETH/USDT"}}
    assert source.notes[0].startswith("market metadata of ETH/USDT from ")


def test_markets_of_other_pairs_altogether_belong_to_other_candles(tmp_path):
    """As markets.json of an exchange beside a folder of shares; named on the command line it is an error."""
    file = tmp_path / "markets.json"
    file.write_text('{"ETH/USDT": {}}')
    assert FileSource(tmp_path).markets(("SPY/USD",)) == {}
    with pytest.raises(DataError, match="lacks a market structure for SPY/USD"):
        FileSource(tmp_path, file).markets(("SPY/USD",))
