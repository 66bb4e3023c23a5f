"""
Frames of candles: checks, gaps, resampling and tick sizes, independent of the source of the candles.

A frame has CANDLE_COLUMNS: date is the open time as datetime64[ms, UTC], ascending and unique; the rest is float64.
Everything is UTC: a day starts at midnight, a week on Monday.
"""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.errors import DataError
from arena.settings import TIMEFRAME_MINUTES

CANDLE_COLUMNS = ["date", "open", "high", "low", "close", "volume"]
PRICES = ["open", "high", "low", "close"]
_MONDAY_MS = 4 * 86_400_000  # 1970-01-05: weeks count from here
_DIGITS = 14  # significant digits that FreqTrade uses


def step_ms(timeframe: str) -> int:
    """Length of a candle in milliseconds. Raises DataError for an unknown timeframe."""
    if timeframe not in TIMEFRAME_MINUTES:
        raise DataError(f"Unknown timeframe {timeframe!r}. Known: {', '.join(TIMEFRAME_MINUTES)}.")
    return TIMEFRAME_MINUTES[timeframe] * 60_000


def milliseconds(dates: "pd.Series[pd.Timestamp]") -> NDArray[np.int64]:
    """Dates with a timezone as milliseconds since 1970."""
    return pd.DatetimeIndex(dates).as_unit("ms").asi8


def check(frame: pd.DataFrame, pair: str, timeframe: str, where: str) -> pd.DataFrame:
    """
    Return the frame with exactly CANDLE_COLUMNS and their types, or raise DataError.

    Refused: no rows, a missing column, dates without a timezone, duplicates, unsorted dates, prices that are no
    positive numbers, negative volume, open or close outside high and low, another timeframe. Gaps are allowed: see
    `gaps`. `where` names the file or exchange in messages. Rows are neither dropped nor changed.
    """
    step = step_ms(timeframe)
    name = f"{where}: {pair} {timeframe}"
    if missing := [column for column in CANDLE_COLUMNS if column not in frame.columns]:
        columns = ", ".join(map(str, frame.columns))
        raise DataError(f"{name} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}. Found: {columns}.")
    frame = frame[CANDLE_COLUMNS].reset_index(drop=True)
    if frame.empty:
        raise DataError(f"{name} has no candles. Give a file with at least one row, or leave the pair out.")
    frame["date"] = _dates(frame["date"], name)
    for column in CANDLE_COLUMNS[1:]:
        frame[column] = _numbers(frame, column, name)
    _check_order(frame["date"], name)
    _check_spacing(frame["date"], step, timeframe, name)
    _check_prices(frame, name)
    return frame


def gaps(frame: pd.DataFrame, timeframe: str) -> list[tuple[datetime, datetime, int]]:
    """
    Missing candles between the first and the last one. Per gap: open time of the first missing candle, open time of the
    last, number.
    """
    step = step_ms(timeframe)
    ms = milliseconds(frame["date"])
    holes = np.flatnonzero(np.diff(ms) > step)
    return [
        (utc(ms[hole] + step), utc(ms[hole + 1] - step), int((ms[hole + 1] - ms[hole]) // step - 1)) for hole in holes
    ]


def fill_gaps(frame: pd.DataFrame, timeframe: str) -> pd.DataFrame:
    """
    The frame without gaps, as FreqTrade fills it in a backtest: a missing candle has the last close as its four prices
    and volume 0. The result is never stored: the arena keeps gaps as gaps and fills them for computations.
    """
    if frame.empty:
        return frame.copy()
    step = step_ms(timeframe)
    ms = milliseconds(frame["date"])
    grid = np.arange(ms[0], ms[-1] + step, step)
    source = np.searchsorted(ms, grid, side="right") - 1  # the candle itself, or the last one before the gap
    invented = ms[source] != grid
    columns = {name: frame[name].to_numpy()[source] for name in frame.columns if name != "date"}
    for name in PRICES[:3]:
        columns[name][invented] = columns["close"][invented]
    columns["volume"][invented] = 0.0
    return pd.DataFrame({"date": _as_dates(grid), **columns})


def resample(frame: pd.DataFrame, timeframe: str) -> pd.DataFrame:
    """
    Longer candles: first open, highest high, lowest low, last close, sum of volume; aligned to UTC.

    Candles inside a longer one may be missing. The last longer candle is dropped when the frame ends before it does; so
    the last week of a market that pauses (a week that ends on Friday) is dropped too. The frame's own timeframe is its
    most common spacing; Raises DataError when the longer timeframe is no multiple of it. A frame of fewer than two
    candles gives no candle.
    """
    step = step_ms(timeframe)
    if len(frame) < 2:
        return frame.iloc[:0].copy()
    ms = milliseconds(frame["date"])
    base = _common_step(ms)
    if step % base:
        raise DataError(
            f"{_spacing(base)} candles cannot be resampled to {timeframe}. Use a multiple of {_spacing(base)}."
        )
    if step == base:
        return frame.copy()
    bucket = ms - (ms - _origin(step)) % step
    first = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
    last = np.append(first[1:], len(ms)) - 1
    longer = pd.DataFrame(
        {
            "date": _as_dates(bucket[first]),
            "open": frame["open"].to_numpy()[first],
            "high": np.maximum.reduceat(frame["high"].to_numpy(), first),
            "low": np.minimum.reduceat(frame["low"].to_numpy(), first),
            "close": frame["close"].to_numpy()[last],
            "volume": np.add.reduceat(frame["volume"].to_numpy(), first),
        }
    )
    complete = ms[-1] + base >= bucket[-1] + step
    return longer if complete else longer.iloc[:-1]


def decimals(frame: pd.DataFrame) -> NDArray[np.int16]:
    """
    Number of decimals of each price, after rounding to 14 significant digits; -1 for a whole number or no number.

    Shape (n_candles, 4) for open, high, low, close. Compute it once and pass slices of its rows to `monthly_tick`.
    Rounding follows numpy.format_float_positional: correct, ties to even; 12.5 has 1, 0.00012 has 5, 1234567890123.45
    has 1.
    """
    prices = np.abs(frame[PRICES].to_numpy(dtype=np.float64))
    return np.stack([_count(prices[:, column]) for column in range(4)], axis=1)


def monthly_tick(dates: "pd.Series[pd.Timestamp]", decimals: NDArray[np.int16]) -> "pd.Series[float]":
    """
    Tick size by month: 1/10**n, where n is the most decimals of any price in the month; nan for a month without
    decimals or prices.

    Equals freqtrade.data.btanalysis.get_tick_size_over_time of the same candles bit for bit, index and name included.
    This includes its integer overflow: where every price has decimals FreqTrade computes 10**n in int64, which is wrong
    from n = 19 on. `decimals` has the rows of `dates`.
    """
    most = decimals.max(axis=1, initial=-1).astype(np.int64)
    index = pd.DatetimeIndex(dates, name="date")
    counts = pd.Series(
        np.where(most < 0, np.nan, most) if (decimals < 0).any() else most, index=index, name="max_count"
    )
    if counts.empty:
        return counts.astype("float64")
    with np.errstate(over="ignore", divide="ignore"):
        return 1 / 10 ** counts.resample("MS").max()


def tick_sizes(frame: pd.DataFrame) -> "pd.Series[float]":
    """`monthly_tick` of a whole frame."""
    return monthly_tick(frame["date"], decimals(frame))


def _count(prices: NDArray[np.float64]) -> NDArray[np.int16]:
    """
    Decimals of one column. We turn a price into an integer of 14 digits and count its trailing zeros.

    The product with a power of ten has an error below 0.03, so its rounding is certain when it lies further than that
    from a half. numpy writes out the rest value by value (a few per cent of random numbers, no real prices).
    """
    usable = np.isfinite(prices) & (prices > 0)
    exponent = np.floor(np.log10(np.where(usable, prices, 1.0)))
    shift = (_DIGITS - 1) - exponent
    usable &= shift > 0
    with np.errstate(over="ignore"):
        scaled = np.where(usable, prices, 1.0) * np.power(10.0, np.where(usable, shift, 0.0))
    scaled[~np.isfinite(scaled)] = 0.0  # prices below 1e-294: not certain
    proved = (scaled >= 10.0 ** (_DIGITS - 1)) & (scaled < 10.0**_DIGITS - 1) & (np.abs(scaled % 1 - 0.5) > 0.05)
    digits = np.where(usable & proved, np.rint(np.where(proved, scaled, 1.0)), 1.0).astype(np.int64)
    zeros = np.zeros(len(digits), dtype=np.int64)
    for size in (8, 4, 2, 1):  # at most 13 zeros
        quotient, rest = np.divmod(digits, 10**size)
        digits = np.where(rest == 0, quotient, digits)
        zeros += size * (rest == 0)
    places = shift - zeros
    count = np.where(usable & (places > 0), places, -1).astype(np.int16)
    unproved = np.flatnonzero(usable & ~proved)
    if len(unproved):
        values, inverse = np.unique(prices[unproved], return_inverse=True)
        count[unproved] = np.array([_written(value) for value in values], dtype=np.int16)[inverse]
    return count


def _written(price: float) -> int:
    text = np.format_float_positional(price, precision=_DIGITS, unique=False, fractional=False, trim="-")
    return len(text.partition(".")[2].rstrip("0")) or -1


def _dates(dates: pd.Series, name: str) -> pd.Series:
    if not isinstance(dates.dtype, pd.DatetimeTZDtype):
        raise DataError(f"{name} has dates without a timezone, the first {dates.iloc[0]}. Store them as UTC.")
    if dates.isna().any():
        raise DataError(f"{name} has no date in row {int(np.argmax(dates.isna())) + 1}.")
    return dates.dt.tz_convert("UTC").dt.as_unit("ms")


def _numbers(frame: pd.DataFrame, column: str, name: str) -> NDArray[np.float64]:
    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = ~np.isfinite(values)
    if wrong.any():
        first = int(np.argmax(wrong))
        raise DataError(
            f"{name} has {column} {frame[column].iloc[first]} on {frame['date'].iloc[first]}, which is not a finite "
            f"number "
            f"({np.count_nonzero(wrong)} such rows). Leave such candles out; a gap is allowed."
        )
    return values


def _check_order(dates: pd.Series, name: str) -> None:
    repeated = dates.duplicated()
    if repeated.any():
        first = dates[repeated].iloc[0]
        raise DataError(
            f"{name} has {first} {int((dates == first).sum())} times, and {int(repeated.sum())} repeated dates in all. "
            "Keep one candle a date."
        )
    backwards = np.diff(milliseconds(dates)) < 0
    if backwards.any():
        row = int(np.argmax(backwards))
        raise DataError(
            f"{name} is not sorted: {dates.iloc[row + 1]} comes after {dates.iloc[row]}. Sort it, oldest candle first."
        )


def _check_spacing(dates: pd.Series, step: int, timeframe: str, name: str) -> None:
    ms = milliseconds(dates)
    if len(ms) > 1 and (common := _common_step(ms)) != step:
        raise DataError(
            f"{name} has candles that are mostly {_spacing(common)} apart, not {timeframe}, from {dates.iloc[0]} on. "
            "Correct the file's name, or the timeframe in config.json."
        )
    wrong = (ms - _origin(step)) % step != 0
    if wrong.any():
        raise DataError(
            f"{name} has {dates.iloc[int(np.argmax(wrong))]}, which is not the open time of a {timeframe} candle in "
            f"UTC ({np.count_nonzero(wrong)} such rows). Shift the dates to UTC open times."
        )


def _check_prices(frame: pd.DataFrame, name: str) -> None:
    low, high = frame["low"], frame["high"]
    for wrong, problem in [
        (frame[PRICES].min(axis=1) <= 0, "a price that is not positive"),
        (frame["volume"] < 0, "a negative volume"),
        (high < low, "its high below its low"),
        ((frame["open"] > high) | (frame["open"] < low), "its open outside low and high"),
        ((frame["close"] > high) | (frame["close"] < low), "its close outside low and high"),
    ]:
        if wrong.any():
            row = frame[wrong].iloc[0]
            values = " ".join(f"{column} {row[column]:.12g}" for column in CANDLE_COLUMNS[1:])
            raise DataError(
                f"{name} has {problem} on {row['date']}: {values} ({int(wrong.sum())} such rows). "
                "Repair or leave out such candles; a gap is allowed."
            )


def _common_step(ms: NDArray[np.int64]) -> int:
    steps, counts = np.unique(np.diff(ms), return_counts=True)
    return int(steps[np.argmax(counts)])


def _spacing(ms: int) -> str:
    names = {minutes * 60_000: name for name, minutes in TIMEFRAME_MINUTES.items()}
    return names.get(ms) or str(timedelta(milliseconds=ms))


def _origin(step: int) -> int:
    return _MONDAY_MS if step == 7 * 86_400_000 else 0


def _as_dates(ms: NDArray[np.int64]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(ms.astype("datetime64[ms]")).tz_localize("UTC")


def utc(ms: int) -> datetime:
    """The datetime of milliseconds since 1970."""
    return datetime.fromtimestamp(int(ms) / 1000, tz=UTC)
