"""
Candles from files: another FreqTrade user_data, or a folder with one feather, parquet or CSV file per pair.

We find files by name, ignoring case: BTC_USDT, BTCUSDT, BTC-USDT or the base alone (SPY for SPY/USD), then the
timeframe (-1h or _1h), which may be missing. They lie in the folder or up to two levels below it. Of several files we
take the one in the nearest folder, then prefer the timeframe itself to a shorter one, which is resampled.

Times are UTC: seconds, milliseconds or microseconds since 1970, dates (2021-01-01), or ISO date-times with a timezone.
Ambiguous times are refused, never guessed. Not read: FreqTrade's json and hdf5 files, CSV without a header.
"""

import json
import re
import zlib
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from arena.errors import DataError
from arena.market import candles
from arena.market.candles import CANDLE_COLUMNS
from arena.settings import TIMEFRAME_MINUTES

SUFFIXES = (".feather", ".parquet", ".csv", ".csv.gz")
HEADERS = {
    "date": ("date", "datetime", "timestamp", "time", "open time", "unix"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol"),
}
ROUNDING = 1e-6
"""
A close up to this far above the high (as a fraction of the price) comes from rounding of adjusted prices and is no
error.
"""

_TIMEFRAME = re.compile(r"[-_](\d+[mhdwHDW])$")
_DAY = r"\d{4}-\d{2}-\d{2}"
_ZONED = _DAY + r"[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)? ?(?:Z|UTC|[+-]\d{2}:?\d{2})"
# 1973 and 2286: within this range the unit of a number since 1970 is unambiguous
_EPOCH_FROM_S, _EPOCH_TO_S = 1e8, 1e10


class FileSource:
    """
    Candles below `path`, which is a folder or, for one pair, a file.

    `markets` names a markets.json (ccxt's structures by pair); by default we use one in the folder or in its parent.
    `notes` holds one sentence for each repair or assumption.
    """

    label = "files"

    def __init__(self, path: Path, markets: Path | None = None) -> None:
        self.path = Path(path).resolve()
        if not self.path.exists():
            raise DataError(f"{self.path} does not exist. Give a folder of candle files, or one file.")
        self.description: dict[str, Any] = {"kind": "files", "path": str(self.path)}
        self.notes: list[str] = []
        self._markets = Path(markets).resolve() if markets else None
        if self._markets:
            self.description["markets"] = str(self._markets)
        self._only_pair = ""  # the pair to which a single file belongs

    def candles(self, pair: str, timeframe: str, start: datetime, end: datetime) -> pd.DataFrame:
        """
        As the Protocol says. We check every row of the file, also outside start and end.

        Raises DataError when there is no file or more than one, and for data that `candles.check` refuses.
        """
        step = candles.step_ms(timeframe)
        file, stated = self._find(pair, timeframe)
        where = file.name if file == self.path else str(file.relative_to(self.path))
        frame = self._widen(_read(file, pair, where), pair, where)
        stored = stated or _timeframe_of(frame) or timeframe
        if candles.step_ms(stored) > step or step % candles.step_ms(stored):
            raise DataError(
                f"{where} holds {stored} candles of {pair}, from which {timeframe} cannot be made. Give a file of "
                f"{timeframe}."
            )
        frame = candles.check(frame, pair, stored, where)
        if stored != timeframe:
            self._note(f"{pair}: {timeframe} candles are resampled from {stored} in {where}.")
            frame = candles.resample(frame, timeframe)
        return frame[(frame["date"] >= start) & (frame["date"] <= end)].reset_index(drop=True)

    def markets(self, pairs: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        """
        Market structures of the requested pairs that markets.json has.

        Raises DataError for a file that is not JSON, and for an explicitly named file that does not exist or lacks a
        pair.
        """
        folder = self.path if self.path.is_dir() else self.path.parent
        if self._markets and not self._markets.is_file():
            raise DataError(f"{self._markets} does not exist. Give a JSON file with ccxt's market structures by pair.")
        places = [self._markets] if self._markets else [folder / "markets.json", folder.parent / "markets.json"]
        file = next((place for place in places if place.is_file()), None)
        if file is None:
            return {}
        try:
            markets = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{file} is not JSON: {error}. Correct it or remove it.") from None
        if not isinstance(markets, dict):
            raise DataError(f"{file} must hold an object {{pair: market}}, not a {type(markets).__name__}.")
        missing = [pair for pair in pairs if not isinstance(markets.get(pair), dict)]
        if missing and self._markets:
            raise DataError(
                f"{file} lacks a market structure for {', '.join(missing)}. It knows {', '.join(list(markets)[:20])}. "
                "Add the pair, or leave --markets out: markets are then derived from prices."
            )
        selected = {pair: markets[pair] for pair in pairs if pair not in missing}
        if selected:
            self._note(f"market metadata of {', '.join(selected)} from {file}.")
        return selected

    def _find(self, pair: str, timeframe: str) -> tuple[Path, str | None]:
        """The file to read and the timeframe in its name, if any."""
        if self.path.is_file():
            if self._only_pair not in ("", pair):
                raise DataError(
                    f"{self.path.name} is one file, but {self._only_pair} and {pair} were asked. Give a folder of "
                    f"files."
                )
            _suffix(self.path)
            self._only_pair = pair
            return self.path, _split(self.path)[1]
        candidates = []
        for depth, folder in _folders(self.path):
            for file in (entry for entry in _entries(folder) if entry.is_file() and _is_candles(entry)):
                name, stated = _split(file)
                rank = _rank(name, pair), _distance(stated, timeframe)
                if None not in rank:
                    candidates.append(((depth, *rank), file, stated))
        if not candidates:
            raise DataError(self._nothing(pair, timeframe))
        best = min(key for key, _, _ in candidates)
        best_files = [(file, stated) for key, file, stated in candidates if key == best]
        if len(best_files) > 1:
            names = ", ".join(str(file.relative_to(self.path)) for file, _ in best_files)
            raise DataError(
                f"{self.path} has several files for {pair} {timeframe}: {names}. Give the folder of one of them."
            )
        return best_files[0]

    def _nothing(self, pair: str, timeframe: str) -> str:
        files = [
            str(file.relative_to(self.path))
            for _, folder in _folders(self.path)
            for file in _entries(folder)
            if file.is_file()
        ]
        listed = ", ".join(files[:12]) + (f" and {len(files) - 12} more" if len(files) > 12 else "")
        return (
            f"No candles of {pair} {timeframe} in {self.path}. Expected {pair.replace('/', '_')}-{timeframe} with "
            f"one of "
            f"{', '.join(SUFFIXES)}, or a shorter timeframe that divides it. Found: {listed or 'nothing'}."
        )

    def _widen(self, frame: pd.DataFrame, pair: str, where: str) -> pd.DataFrame:
        """
        Widen high and low to include open and close where only rounding separates them. `check` refuses larger
        differences.
        """
        prices = frame[candles.PRICES].apply(pd.to_numeric, errors="coerce")
        top, bottom = prices.max(axis=1, skipna=False), prices.min(axis=1, skipna=False)
        beyond = (top > prices["high"]) | (bottom < prices["low"])
        small = (top - prices["high"] <= ROUNDING * top) & (prices["low"] - bottom <= ROUNDING * bottom)
        repaired = beyond & small
        if not repaired.any():
            return frame
        frame = frame.assign(high=frame["high"].where(~repaired, top), low=frame["low"].where(~repaired, bottom))
        self._note(
            f"{pair}: {int(repaired.sum())} candles in {where} had open or close outside high and low by rounding; "
            f"high and low now include them, first on {frame['date'][repaired].iloc[0]:%Y-%m-%d}."
        )
        return frame

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _folders(path: Path) -> list[tuple[int, Path]]:
    """The folder and the folders up to two levels below it, each with its depth."""
    folders, level = [(0, path)], [path]
    for depth in (1, 2):
        level = [
            entry for folder in level for entry in _entries(folder) if entry.is_dir() and not entry.name.startswith(".")
        ]
        folders += [(depth, folder) for folder in level]
    return folders


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except PermissionError:  # another user's folder beside the candles
        return []


def _suffix(file: Path) -> str:
    for suffix in SUFFIXES:
        if file.name.lower().endswith(suffix):
            return suffix
    raise DataError(
        f"{file.name} is no candle file. Known: {', '.join(SUFFIXES)}; FreqTrade's convert-data makes feather of its "
        f"others."
    )


def _is_candles(file: Path) -> bool:
    return file.name.lower().endswith(SUFFIXES) and not file.name.startswith(".")


def _split(file: Path) -> tuple[str, str | None]:
    """ "BTC_USDT-1h.csv.gz" to ("BTC_USDT", "1h"); None without a timeframe that the arena knows."""
    stem = file.name[: -len(_suffix(file))]
    match = _TIMEFRAME.search(stem)
    if not match or match[1].lower() not in TIMEFRAME_MINUTES:
        return stem, None
    return stem[: match.start()], match[1].lower()


def _rank(name: str, pair: str) -> int | None:
    """0 when the name is the whole pair, 1 for its base alone, None for another pair."""
    base, _, quote = pair.lower().partition("/")
    name = name.lower()
    if name in (f"{base}_{quote}", f"{base}-{quote}", f"{base}{quote}"):
        return 0
    return 1 if name == base else None


def _distance(named: str | None, timeframe: str) -> int | None:
    """
    0 for the timeframe itself, 1 for a file that names none, more for shorter timeframes; None for one that does not
    divide it.
    """
    wanted = TIMEFRAME_MINUTES[timeframe]
    if named is None:
        return 1
    multiple, remainder = divmod(wanted, TIMEFRAME_MINUTES[named])
    return None if remainder or not multiple else (0 if multiple == 1 else multiple)


def _timeframe_of(frame: pd.DataFrame) -> str | None:
    """The timeframe of the rows, for a file that names none."""
    if len(frame) < 2:
        return None
    step = frame["date"].diff().mode().iloc[0] / pd.Timedelta(minutes=1)
    return next((name for name, minutes in TIMEFRAME_MINUTES.items() if minutes == step), None)


def _read(file: Path, pair: str, where: str) -> pd.DataFrame:
    """The file's columns under the arena's names, dates in UTC."""
    try:
        raw = _open(file)
    except (OSError, EOFError, ValueError, zlib.error) as error:  # the base classes of pandas' and pyarrow's errors
        raise DataError(
            f"{where} cannot be read: {str(error).splitlines()[0]}. Write it again, or convert it to CSV."
        ) from None
    if not isinstance(raw.index, pd.RangeIndex):
        if _suffix(file).startswith(".csv"):  # pandas would shift every column by one
            raise DataError(
                f"{where} has more fields in its rows than in its header. Name every column in the first line."
            )
        raw = raw.reset_index()
    raw.columns = [str(column).strip() for column in raw.columns]
    chosen = {name: _column(raw, name, pair) for name in CANDLE_COLUMNS}
    if missing := [name for name, column in chosen.items() if column is None]:
        raise DataError(f"{where} lacks a column for {', '.join(missing)}. Found: {', '.join(raw.columns)}.")
    frame = pd.DataFrame({name: raw[column].reset_index(drop=True) for name, column in chosen.items()})
    if not frame.empty:
        frame["date"] = _utc(frame["date"], where)
    return frame


def _open(file: Path) -> pd.DataFrame:
    match _suffix(file):
        case ".feather":
            return pd.read_feather(file)
        case ".parquet":
            return pd.read_parquet(file)
        case _:
            return pd.read_csv(file, skipinitialspace=True, encoding="utf-8-sig")


def _column(raw: pd.DataFrame, name: str, pair: str) -> str | None:
    """
    The file's column for one of ours. Of several time columns we take one that needs no interpretation (numbers, or a
    date type); of several volumes that in the base currency, as FreqTrade has it.
    """
    headers = {" ".join(column.lower().replace("_", " ").split()): column for column in reversed(raw.columns)}
    names = HEADERS[name]
    if name == "volume":
        base, _, quote = pair.lower().partition("/")
        names = (*names, f"volume {base}", f"volume {quote}")
    matches = [headers[header] for header in names if header in headers]
    if name == "date":
        matches.sort(key=lambda column: pd.api.types.is_string_dtype(raw[column].dtype))
    return matches[0] if matches else None


def _utc(dates: pd.Series, where: str) -> pd.Series:
    """
    Dates as datetime64[ms, UTC]. Raises DataError naming the first value that is no date, or has a time of day without
    a timezone.
    """
    if dates.isna().any():
        raise DataError(
            f"{where} has no date in row {int(np.argmax(dates.isna())) + 1}. Remove the row or add its date."
        )
    if isinstance(dates.dtype, pd.DatetimeTZDtype):
        return dates.dt.tz_convert("UTC").dt.as_unit("ms")
    if pd.api.types.is_datetime64_dtype(dates):
        raise DataError(
            f"{where} has dates without a timezone, the first {dates.iloc[0]}. Store them as UTC "
            '(pandas: frame["date"] = frame["date"].dt.tz_localize("UTC")).'
        )
    if pd.api.types.is_numeric_dtype(dates) and not pd.api.types.is_bool_dtype(dates):
        return _from_epoch(dates, where)
    return _from_text(dates.astype(str).str.strip(), where)


def _from_epoch(numbers: pd.Series, where: str) -> pd.Series:
    ms = np.full(len(numbers), -1.0)
    values = numbers.to_numpy(dtype=np.float64)
    for per_second in (1, 1e3, 1e6):  # a file may change its unit, as Binance's files did in 2025
        inside = (values >= _EPOCH_FROM_S * per_second) & (values < _EPOCH_TO_S * per_second)
        ms[inside] = values[inside] / per_second * 1000
    if (wrong := ms < 0).any():
        first = numbers[wrong].iloc[0]
        raise DataError(
            f"{where} has the date {first}, which is not seconds, milliseconds or microseconds since 1970. "
            "Write dates as 2021-01-01, or 2021-01-01 12:00:00+00:00."
        )
    return pd.to_datetime(pd.Series(np.rint(ms).astype(np.int64)), unit="ms", utc=True).dt.as_unit("ms")


def _from_text(texts: pd.Series, where: str) -> pd.Series:
    days = texts.str.fullmatch(_DAY)
    if (wrong := ~(days | texts.str.fullmatch(_ZONED))).any():
        first = texts[wrong].iloc[0]
        if re.match(_DAY + r"[T ]\d", first):
            raise DataError(
                f"{where} has the date {first}, a time of day without a timezone. Add Z or +00:00 when it is UTC."
            )
        raise DataError(
            f"{where} has the date {first!r}. Expected 2021-01-01, 2021-01-01 12:00:00+00:00, or a number since 1970."
        )
    try:
        return pd.to_datetime(texts.str.replace(" ?UTC$", "Z", regex=True), utc=True, format="ISO8601").dt.as_unit("ms")
    except ValueError as error:
        raise DataError(f"{where} has a date that does not exist: {str(error).splitlines()[0]}.") from None
