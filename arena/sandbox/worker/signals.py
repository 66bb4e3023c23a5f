"""
The frames that a strategy returns, in the worker: checks that they hold the given candles, and reads their signals.

We read signals once, into arrays of 0 and 1 and tables of texts. FreqTrade's loop, the report, the replay and the
comparison all use these arrays: no second reading could give another result.
"""

from collections import defaultdict
from typing import Any, NamedTuple, NoReturn

import numpy as np
import pandas as pd
from freqtrade.optimize.backtesting import HEADERS
from numpy.typing import NDArray

from arena.decisions import Signals, tag_hash
from arena.errors import IntegrityError, when
from arena.market.candles import PRICES, milliseconds
from arena.sandbox.messages import MAX_SIGNAL_TAG, pack_signals
from arena.sandbox.worker import plain

COLUMNS = tuple(HEADERS[5:])
"""Columns of a frame that FreqTrade's loop reads besides date and prices."""
ENTER, EXIT, ENTER_SHORT, EXIT_SHORT, ENTER_TAG, EXIT_TAG = COLUMNS
_CELLS = frozenset({bool, int, float, type(None), type(pd.NA)}) | plain.NUMBERS
"""Allowed types of a signal in a column of objects."""


class Given(NamedTuple):
    """One pair's candles as FreqTrade loaded them, before the strategy got them. Arrays have shape (n_candles,)."""

    times: NDArray[np.int64]  # milliseconds
    dates: "pd.Series[pd.Timestamp]"
    prices: tuple[NDArray[np.float64], ...]  # as PRICES


class Columns(NamedTuple):
    """What FreqTrade reads of one pair's frame. Arrays have shape (n_candles,)."""

    times: NDArray[np.int64]
    enter: NDArray[np.bool_]
    exit: NDArray[np.bool_]
    enter_tag: NDArray[np.int64]  # index into enter_texts, -1: none
    exit_tag: NDArray[np.int64]
    enter_texts: tuple[str, ...]
    exit_texts: tuple[str, ...]


def given(frame: pd.DataFrame) -> Given:
    prices = tuple(frame[name].to_numpy(dtype=np.float64, copy=True) for name in PRICES)
    return Given(milliseconds(frame["date"]), frame["date"].copy(), prices)


def check(pair: str, frame: Any, expected: Given) -> None:
    """
    Check that a returned frame has the rows, dates and prices that were given. Raises IntegrityError with pair, candle
    and the two values.
    """
    if type(frame) is not pd.DataFrame:
        what = "no frame: a return is missing" if frame is None else f"{plain.named(frame)}, not a DataFrame"
        raise IntegrityError(f"integrity: {pair}: a populate function returns {what}")
    places = _places(pair, frame)
    try:
        times = milliseconds(frame.iloc[:, places["date"][0]])
        prices = [np.asarray(frame.iloc[:, places[name][0]].to_numpy(dtype=np.float64)) for name in PRICES]
    except Exception as error:  # a column may be anything
        gone = f"{pair}: date or prices are gone from the strategy's frame ({type(error).__name__}: {error})"
        raise IntegrityError(f"integrity: {gone}") from None
    expected_times, n = expected.times, min(len(expected.times), len(times))
    differs = expected_times[:n] != times[:n]
    if differs.any() or len(times) != len(expected_times):
        row = int(np.argmax(differs)) if differs.any() else min(n, len(expected_times) - 1)
        since = when(int(expected_times[row]))
        raise IntegrityError(
            f"integrity: {pair}: the rows of the strategy's frame are not the arena's candles, from {since} on"
        )
    for name, ours, wanted in zip(PRICES, prices, expected.prices, strict=True):
        if (wrong := ours != wanted).any():
            candle = int(np.argmax(wrong))
            values = f"{ours[candle]:.10g} in the strategy's frame, the arena's is {wanted[candle]:.10g}"
            raise IntegrityError(f"integrity: {pair} {when(int(expected_times[candle]))} {name} is {values}")


def read(pair: str, frame: pd.DataFrame, expected: Given) -> Columns:
    """The signals of a frame that has passed `check`. Raises IntegrityError for a value that is no signal."""
    places, n = _places(pair, frame), len(expected.times)

    def column(name: str, place: int | None, reading: Any, missing: Any) -> Any:
        if place is None:
            return missing
        try:
            return reading(frame.iloc[:, place])
        except _Odd as odd:
            raise IntegrityError(f"integrity: {pair} {when(int(expected.times[odd.row]))} {name} is {odd}") from None
        except Exception as error:  # a class of the strategy may raise anything when it is read
            raise IntegrityError(f"integrity: {pair}: {name} cannot be read ({type(error).__name__})") from None

    zeros, none = np.zeros(n, dtype=np.bool_), (np.full(n, -1, dtype=np.int64), ())
    first = {name: places[name][0] if name in places else None for name in (ENTER, EXIT, ENTER_SHORT, EXIT_SHORT)}
    enter, leave, _, _ = (column(name, place, _ones, zeros) for name, place in first.items())
    # FreqTrade renames buy_tag to enter_tag; with two such columns its loop takes the second one as the exit tag
    absent: tuple[int | None, ...] = (None,)
    entering, leaving = (*(places.get(ENTER_TAG) or absent), *(places.get(EXIT_TAG) or absent))[:2]
    enter_tag, enter_texts = column(ENTER_TAG, entering, _texts, none)
    exit_tag, exit_texts = column(EXIT_TAG, leaving, _texts, none)
    return Columns(expected.times, enter, leave, enter_tag, exit_tag, enter_texts, exit_texts)


def rows(columns: Columns, candles: Given, at: "slice | NDArray[np.int64]") -> list[list[Any]]:
    """
    Rows of FreqTrade's loop for the candles at these indices, each 1 or more, as its _get_ohlcv_as_lists makes them:
    the arena's prices, and the signals of the candle before. Shorts are never traded.
    """
    acted = slice(at.start - 1, at.stop - 1) if isinstance(at, slice) else at - 1
    enter, leave = (signal[acted].astype(int).tolist() for signal in (columns.enter, columns.exit))
    coded = ((columns.enter_texts, columns.enter_tag), (columns.exit_texts, columns.exit_tag))
    tags = ([(*texts, None)[code] for code in codes[acted].tolist()] for texts, codes in coded)
    prices = (values[at].tolist() for values in candles.prices)
    dates = candles.dates.iloc[at].tolist()
    shorts = [0] * len(dates)
    return list(map(list, zip(dates, *prices, enter, leave, shorts, shorts, *tags, strict=True)))


def row(columns: Columns, now_ms: int, prices: list[float]) -> list[Any]:
    """The loop's row for the candle after the frame's last one."""
    tags = ((*columns.enter_texts, None)[columns.enter_tag[-1]], (*columns.exit_texts, None)[columns.exit_tag[-1]])
    date = pd.Timestamp(now_ms, unit="ms", tz="UTC").as_unit("ms")
    return [date, *prices, int(columns.enter[-1]), int(columns.exit[-1]), 0, 0, *tags]


def packed(columns: Columns, since_ms: int) -> dict[str, Any]:
    """What the worker reports of one pair, from the candle at `since_ms` on."""
    first = int(np.searchsorted(columns.times, since_ms))

    def hashes(texts: tuple[str, ...], codes: NDArray[np.int64]) -> NDArray[np.uint64]:
        return np.array([*map(tag_hash, texts), 0], dtype=np.uint64)[codes[first:]]

    return pack_signals(
        Signals(
            start_ms=int(columns.times[first]) if first < len(columns.times) else 0,
            enter=columns.enter[first:],
            exit=columns.exit[first:],
            enter_tag=hashes(columns.enter_texts, columns.enter_tag),
            exit_tag=hashes(columns.exit_texts, columns.exit_tag),
        )
    )


class _Odd(Exception):
    """A cell is no signal: the message says what it is, `row` where it stands."""

    def __init__(self, row: int, what: str) -> None:
        super().__init__(what)
        self.row = row


def _places(pair: str, frame: pd.DataFrame) -> dict[str, list[int]]:
    """
    Numbers of the columns that FreqTrade reads, by name. Raises IntegrityError for a duplicate column that decides.
    """
    if frame.columns.nlevels != 1:
        raise IntegrityError(f"integrity: {pair}: the strategy's frame has columns of several levels")
    places: dict[str, list[int]] = defaultdict(list)
    for number, name in enumerate(frame.columns.tolist()):
        if isinstance(name, str) and str.__str__(name) in HEADERS:
            places[str.__str__(name)].append(number)
    for name, numbers in places.items():
        if len(numbers) > 1 and name not in (ENTER_TAG, EXIT_TAG):
            raise IntegrityError(f"integrity: {pair}: the strategy's frame has the column {name} twice")
    return places


def _ones(values: "pd.Series[Any]") -> NDArray[np.bool_]:
    """Which cells are 1 or True. Raises _Odd for the first cell that is not 0, 1, False, True or missing."""
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "biuf":
        numbers = np.asarray(values.to_numpy())
        is_one, cells = numbers == 1, numbers
        fits = is_one | (numbers == 0) | np.isnan(numbers)
    else:
        cells = values.tolist()
        plains = [np.nan if cell is None or cell is pd.NA else cell for cell in cells]
        is_plain = [type(cell) in _CELLS for cell in cells]  # cells of other types are never compared
        is_one = np.array([ok and bool(cell == 1) for ok, cell in zip(is_plain, plains, strict=True)], dtype=np.bool_)
        fits = [ok and bool(cell == 1 or cell == 0 or cell != cell) for ok, cell in zip(is_plain, plains, strict=True)]
        fits = np.array(fits, dtype=np.bool_)
    if not fits.all():
        row = int(np.argmin(fits))
        raise _Odd(row, f"{plain.shown(cells[row])}; signals are 0 or 1 (False, True, nan)")
    return is_one


def _texts(values: "pd.Series[Any]") -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Codes and texts of a column of tags, -1 for a missing tag. Raises _Odd for a tag that is no text, or too long."""
    codes, uniques = pd.factorize(values)
    codes, tags = np.asarray(codes, dtype=np.int64), list(uniques)
    texts = [plain.text_of(tag) for tag in tags]
    for code, (tag, text) in enumerate(zip(tags, texts, strict=True)):
        if text is None:
            _refuse(codes, code, f"{plain.shown(tag)}; tags are texts")
        if len(text) > MAX_SIGNAL_TAG:
            _refuse(codes, code, f"a text of {len(text)} characters; tags have at most {MAX_SIGNAL_TAG}")
    return codes, tuple(texts)  # type: ignore[arg-type]  # None was refused


def _refuse(codes: NDArray[np.int64], code: int, what: str) -> NoReturn:
    raise _Odd(int(np.argmax(codes == code)), what)
