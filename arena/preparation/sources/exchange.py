"""
Candles from an exchange, through FreqTrade's own downloader: any exchange that FreqTrade supports, from public archives
first where it knows some. This module writes nothing to disk, because part of the range is sealed.

FreqTrade runs in a helper process, which keeps its imports and log out of this process. We kill the helper when the
network drops packets, because no client library times out reliably. It starts with the first question and ends with
`close` or with this process.

Not covered: exchanges without a history of candles (Kraken, Hyperliquid, Luno), for which FreqTrade downloads every
trade.
"""

import json
import logging
import multiprocessing
import signal
import time
import warnings
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from difflib import get_close_matches
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from arena.errors import DataError
from arena.market import candles
from arena.market.candles import CANDLE_COLUMNS
from arena.settings import TIMEFRAME_MINUTES, Settings

if TYPE_CHECKING:
    from freqtrade.exchange import Exchange

IMPORT_S = 120.0
"""Time limit for starting the helper and importing FreqTrade, which needs no network; it takes 6 s on a slow core."""
NO_NETWORK_S, MARKETS_S = 28.0, 10.0
"""
Time limit for the list of markets, import included, and the least that the list itself gets. FreqTrade would retry for
40 s or more.
"""
STRETCH_S = 180.0
"""Time limit for one stretch of candles, in addition to ccxt's own timeout of each request."""
STRETCH_CANDLES, STRETCH_DAYS = 10_000, 120
"""A stretch is the longer of the two: about ten requests for long candles, 120 daily archives for short ones."""

ARCHIVE = "https://data.binance.vision"
ARCHIVE_S = 5.0
OTHERWISE = (
    "Check the network; or use candle files with `uv run prepare.py --from PATH`, "
    "or a sample market with `uv run prepare.py --sample`."
)


class ExchangeSource:
    """
    The exchange of config.json, its ccxt_config, ccxt_async_config and ccxt_sync_config included.

    A larger `timeout` in ccxt_config also gives the list of markets more time. If set, `progress` is called with the
    pair and the date that the download has reached.
    """

    def __init__(self, settings: Settings) -> None:
        self.label = settings.exchange
        self.description: dict[str, Any] = {"kind": "exchange", "name": settings.exchange}
        self.notes: list[str] = []
        self.progress: Callable[[str, datetime], None] | None = None
        self._config = _freqtrade_config(settings)
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None
        self._loaded = False

    def candles(self, pair: str, timeframe: str, start: datetime, end: datetime) -> pd.DataFrame:
        """
        As the Protocol says, without candles that are not closed yet.

        Raises DataError for a pair or timeframe that the exchange does not have, and for a download that fails, naming
        the date that it reached.
        """
        step = candles.step_ms(timeframe)
        self._start()
        first, last = _ms(start), min(_ms(end), _ms(datetime.now(UTC)) - step)
        stretch = max(STRETCH_CANDLES * step, STRETCH_DAYS * 86_400_000)
        frames: list[pd.DataFrame] = []
        for since in range(first, last + 1, stretch):
            until = min(since + stretch, last + 1)  # exclusive
            reached = f"which reached {frames[-1]['date'].iloc[-1]:%Y-%m-%d %H:%M}" if frames else "no candle yet"
            question = ("candles", pair, timeframe, since, until, not frames)
            frame = _frame(self._ask(question, STRETCH_S, f"{pair} {timeframe}, {reached}"))
            ms = candles.milliseconds(frame["date"])
            frame = frame[(ms >= since) & (ms < until)]  # the last page extends beyond the stretch
            if len(frame):
                frames.append(frame)
            if self.progress:
                self.progress(pair, datetime.fromtimestamp(until / 1000, tz=UTC))
        if not frames:
            return _frame(np.empty((0, 6)))
        return candles.check(pd.concat(frames, ignore_index=True), pair, timeframe, self.label)

    def markets(self, pairs: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        """
        ccxt's structures of these pairs as plain JSON data, without its raw answer. Raises DataError for an unknown
        pair.
        """
        self._start()
        return json.loads(self._ask(("markets", pairs), STRETCH_S, "markets"))

    def close(self) -> None:
        """End the helper. The next question starts a new one."""
        if self._process and self._connection:
            self._process.kill()
            self._process.join()
            self._connection.close()
        self._process = self._connection = None
        self._loaded = False

    def _start(self) -> None:
        """Start a helper and load the exchange's markets. Raises DataError when there is no network."""
        began = time.monotonic()
        if not self._process:
            context = multiprocessing.get_context("spawn")
            self._connection, helper_end = context.Pipe()
            self._process = context.Process(
                target=_serve, args=(helper_end, self._config), daemon=True, name="downloader"
            )
            self._process.start()
            helper_end.close()  # so that the pipe closes when the helper ends
            self._ask(("imported",), IMPORT_S, "start of FreqTrade")
        if not self._loaded:
            section = self._config["exchange"]
            timeouts = [section.get(key, {}).get("timeout", 0) for key in ("ccxt_config", "ccxt_async_config")]
            seconds = max(MARKETS_S, NO_NETWORK_S - (time.monotonic() - began), 2 * max(timeouts) / 1000)
            self._ask(("load",), seconds, "list of markets")
            self._loaded = True

    def _ask(self, question: tuple[Any, ...], seconds: float, what: str) -> Any:
        """The helper's answer. Raises DataError when it reports an error, is silent for `seconds`, or ends."""
        assert self._process and self._connection
        try:
            self._connection.send(question)
            if self._connection.poll(seconds):
                succeeded, answer = self._connection.recv()
                if succeeded:
                    return answer
                raise DataError(f"{self.label}, {what}: {answer}")
        except (EOFError, OSError):
            self._process.join(5)
            code = self._process.exitcode
            self.close()
            raise DataError(
                f"{self.label}, {what}: the downloader ended with exit code {code}. Run it again."
            ) from None
        self.close()
        raise DataError(f"{self.label}, {what}: no answer within {seconds:.0f} s. {OTHERWISE}")


def _freqtrade_config(settings: Settings) -> dict[str, Any]:
    """The configuration that FreqTrade's download-data would use, for read-only access."""
    config = deepcopy(settings.raw)
    config["dry_run"] = True
    config["stake_currency"] = ""  # as in download-data: skips checks that only trading needs
    # FreqTrade would drop the last candle of each stretch as incomplete; `candles` knows which one really is
    config["exchange"]["_ft_has_params"] = {"ohlcv_partial_candle": False}
    return config


def _ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


def _frame(rows: np.ndarray) -> pd.DataFrame:
    """Rows of milliseconds, open, high, low, close, volume."""
    frame = pd.DataFrame(rows, columns=CANDLE_COLUMNS)
    frame["date"] = pd.to_datetime(frame["date"].astype("int64"), unit="ms", utc=True).dt.as_unit("ms")
    return frame


# ---- the helper process: FreqTrade is imported below this line only ----


def _serve(connection: Connection, config: dict[str, Any]) -> None:
    """Answer questions until the pipe closes. An answer is (True, data) or (False, reason)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl+C and ends this process
    reasons = _Reasons()
    logging.basicConfig(handlers=[reasons], level=logging.WARNING, force=True)
    warnings.simplefilter("ignore")
    downloader: _Downloader | None = None
    while True:
        try:
            name, *arguments = connection.recv()
        except EOFError:
            return
        try:
            if downloader is None:
                downloader = _Downloader(config, reasons)
            answer = True, getattr(downloader, name)(*arguments)
        except _Refused as error:
            answer = False, str(error)
        except Exception as error:  # last resort: any error of a library is a failed download
            answer = False, f"{_reason(error)}. {OTHERWISE}"
        connection.send(answer)


class _Refused(Exception):
    """The exchange answers but does not have the requested data."""


class _Reasons(logging.Handler):
    """Keeps the reason of FreqTrade's last failure, which FreqTrade logs and does not raise. Prints nothing."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self.last = _reason(record.exc_info[1])


class _Downloader:
    """FreqTrade's exchange object. Each public method answers the question of its name."""

    def __init__(self, config: dict[str, Any], reasons: _Reasons) -> None:
        self._config = config
        self._reasons = reasons
        self._exchange: Exchange

    def imported(self) -> None:
        import freqtrade.resolvers  # noqa: F401

    def load(self) -> None:
        import ccxt
        from freqtrade.enums import RunMode
        from freqtrade.exceptions import OperationalException
        from freqtrade.resolvers import ExchangeResolver

        name = self._config["exchange"]["name"]
        self._config["runmode"] = RunMode.UTIL_EXCHANGE
        try:
            self._exchange = ExchangeResolver.load_exchange(self._config, validate=False)
        except OperationalException as error:
            similar = ", ".join(get_close_matches(name, ccxt.exchanges, n=3))
            raise _Refused(
                f"{_one_line(error)}. {f'Did you mean {similar}?' if similar else 'Correct exchange.name.'}"
            ) from None
        if not self._exchange.markets:
            raise _Refused(f"{self._reasons.last or 'the answer holds none'}. {OTHERWISE}")

    def markets(self, pairs: tuple[str, ...]) -> str:
        return json.dumps({pair: {**self._market(pair), "info": {}} for pair in pairs})

    def candles(self, pair: str, timeframe: str, since: int, until: int, is_new_pair: bool) -> np.ndarray:
        """Candles from `since` to beyond `until` (milliseconds); shape (n, 6), date as milliseconds."""
        from freqtrade.enums import CandleType

        self._market(pair)
        exchange = self._exchange
        if timeframe not in exchange.timeframes:
            raise _Refused(f"no {timeframe} candles. It has {', '.join(exchange.timeframes)}.")
        if not exchange.get_option("ohlcv_has_history", True):
            raise _Refused("no history of candles, only of trades. Use candle files: `uv run prepare.py --from PATH`.")
        self._skip_archive_that_is_silent(timeframe)
        frame = exchange.get_historic_ohlcv(
            pair, timeframe, since_ms=since, candle_type=CandleType.SPOT, is_new_pair=is_new_pair, until_ms=until
        )
        if frame.empty:
            return np.empty((0, 6))
        return np.column_stack([candles.milliseconds(frame["date"]), *(frame[column] for column in CANDLE_COLUMNS[1:])])

    def _market(self, pair: str) -> dict[str, Any]:
        spot = {name: market for name, market in self._exchange.markets.items() if market.get("spot")}
        if pair not in spot:
            similar = get_close_matches(pair.upper(), spot, n=3, cutoff=0.4)
            raise _Refused(
                f"{pair} is not listed. "
                f"{'Nearest: ' + ', '.join(similar) + '.' if similar else f'{len(spot)} spot pairs are.'} "
                "Correct exchange.pair_whitelist."
            )
        return spot[pair]

    def _skip_archive_that_is_silent(self, timeframe: str) -> None:
        """
        Skip an archive that does not answer: FreqTrade would wait for it for twenty minutes, and the REST API has the
        same candles.
        """
        import requests

        section = self._config["exchange"]
        has_archive = TIMEFRAME_MINUTES[timeframe] < 60 and hasattr(self._exchange, "get_historic_ohlcv_fast")
        if has_archive and "only_from_ccxt" not in section:
            try:
                requests.head(ARCHIVE, timeout=ARCHIVE_S)
                section["only_from_ccxt"] = False
            except requests.RequestException:
                section["only_from_ccxt"] = True


def _reason(error: BaseException) -> str:
    """The error and, if libraries wrapped one, its root cause; on one line."""
    cause = error
    while cause.__cause__:
        cause = cause.__cause__
    return _one_line(error) if cause is error else f"{_one_line(error)} ({_one_line(cause)})"


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return text if len(text) <= 240 else text[:240] + "…"
