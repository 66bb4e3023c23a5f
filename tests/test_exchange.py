"""
FreqTrade's real client against a server on loopback that plays Binance's REST API.

Starting the helper process and importing FreqTrade takes seconds, so most tests share one.
"""

import json
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest

from arena import settings
from arena.errors import DataError
from arena.market import candles, pair_metadata
from arena.preparation.sources import exchange
from arena.preparation.sources.exchange import ExchangeSource

pytestmark = pytest.mark.slow  # FreqTrade's client is loaded by a process that is started for it

HOUR_MS = 3_600_000
LISTED = datetime(2021, 1, 1, tzinfo=UTC)
DELISTED = LISTED + timedelta(hours=12_000)
OUTAGE = range(1_500, 1_507)  # hours after LISTED
FILTERS = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "maxPrice": "1000000.00000000", "tickSize": "0.01000000"},
    {"filterType": "LOT_SIZE", "minQty": "0.00100000", "maxQty": "9000.00000000", "stepSize": "0.00100000"},
    {"filterType": "NOTIONAL", "minNotional": "5.00000000", "maxNotional": "9000000.00000000"},
]
SYMBOLS = {"TOUCHUSDT": ("TOUCH", "USDT"), "STONEUSDT": ("STONE", "USDT"), "TOUCHBTC": ("TOUCH", "BTC")}


def ms(instant):
    return int(instant.timestamp() * 1000)


def candle(symbol, open_ms, step):
    """
    A row as Binance sends it, or None. TOUCH traded from LISTED to DELISTED with an outage, STONE for the last three
    days.
    """
    now = ms(datetime.now(UTC))
    first, last = (
        (ms(LISTED), ms(DELISTED)) if symbol.startswith("TOUCH") else (now - now % 86_400_000 - 3 * 86_400_000, now)
    )
    hour = (open_ms - ms(LISTED)) // HOUR_MS
    if not first <= open_ms <= last or (symbol.startswith("TOUCH") and hour in OUTAGE):
        return None
    price = 100 + (open_ms // step * 7919) % 1000 / 100
    values = [price, price + 1, price - 1, price + 0.5, 2.25]
    return [open_ms, *(f"{value:.8f}" for value in values), open_ms + step - 1, "1.0", 3, "1.0", "1.0", "0"]


def expected(start, end, step=HOUR_MS):
    rows = [candle("TOUCHUSDT", at, step) for at in range(ms(start), ms(end) + 1, step)]
    frame = pd.DataFrame([row[:6] for row in rows if row], columns=["date", "open", "high", "low", "close", "volume"])
    frame = frame.astype(dict.fromkeys(frame.columns[1:], "float64"))
    return frame.assign(date=pd.to_datetime(frame["date"], unit="ms", utc=True).dt.as_unit("ms"))


class Binance(ThreadingHTTPServer):
    """`fails` is what happens to candles from the instant `fails_from_ms` on: "500", "close", or nothing."""

    daemon_threads = True

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), _Answers)
        self.fails, self.fails_from_ms = "", 0
        self.asked = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: RET503
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        self.server.asked.append((url.path, query))
        if url.path.endswith("/exchangeInfo"):
            return self._send(
                {"symbols": [self._symbol(name) for name in SYMBOLS] if url.path.startswith("/public") else []}
            )
        assert url.path == "/public/klines"
        since, limit = int(query.get("startTime", 0)), int(query["limit"])
        if self.server.fails and since >= self.server.fails_from_ms:
            if self.server.fails == "500":
                return self._send({"code": -1000, "msg": "internal error"}, 500)
            return self.connection.shutdown(socket.SHUT_RDWR)
        self._send(self._page(query["symbol"], since, limit, {"1h": HOUR_MS, "5m": 300_000}[query["interval"]]))

    def _page(self, symbol, since, limit, step):
        """
        At most `limit` candles, the first at or after `since`, as Binance: a start before the listing gives the first
        ones.
        """
        page, at = [], max(-(-since // step) * step, ms(LISTED))
        while len(page) < limit and at <= time.time() * 1000:
            page += [row] if (row := candle(symbol, at, step)) else []
            at += step
        return page

    def _symbol(self, name):
        base, quote = SYMBOLS[name]
        return {
            "symbol": name, "status": "TRADING", "baseAsset": base, "quoteAsset": quote,
            "baseAssetPrecision": 8, "quotePrecision": 8, "orderTypes": ["LIMIT", "MARKET"],
            "isSpotTradingAllowed": True, "permissions": ["SPOT"], "filters": FILTERS,
        }  # fmt: skip

    def _send(self, answer, status=200):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def arena(folder, port):
    """An arena whose exchange is the server at `port`."""
    urls = {api: f"http://127.0.0.1:{port}/{api}" for api in ("public", "fapiPublic", "dapiPublic")}
    config = {
        "stake_currency": "USDT", "stake_amount": "unlimited", "dry_run_wallet": 1000, "max_open_trades": 2,
        "timeframe": "1h", "fee": 0.001,
        "exchange": {"name": "binance", "pair_whitelist": ["TOUCH/USDT"], "ccxt_config": {"urls": {"api": urls}, "rateLimit": 5}},
        "arena": {"warmup_from": "20210101", "windows": {"w": "20210201-20220101"}, "validation": None, "holdout": None},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    return settings.load(folder / "config.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("arena")


@pytest.fixture(scope="module")
def binance():
    server = Binance()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def shared(binance, folder):
    source = ExchangeSource(arena(folder, binance.server_port))
    yield source
    source.close()


@pytest.fixture
def source(binance, shared):
    binance.asked.clear()
    yield shared
    binance.fails = ""


@pytest.fixture(scope="module")
def misspelt(tmp_path_factory):
    # settings would refuse the name before any source sees it
    good = arena(tmp_path_factory.mktemp("arena"), free_port())
    raw = good.raw | {"exchange": good.raw["exchange"] | {"name": "binanze"}}
    source = ExchangeSource(good.model_copy(update={"exchange": "binanze", "raw": raw}))
    yield source
    source.close()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


# ---- candles ----


def test_candles_are_those_of_the_exchange_over_many_pages_with_its_gap(source, binance):
    start, end = LISTED + timedelta(hours=100), LISTED + timedelta(hours=2_600)
    frame = source.candles("TOUCH/USDT", "1h", start, end)
    pd.testing.assert_frame_equal(frame, expected(start, end), check_exact=True)
    assert len(frame) == 2_501 - len(OUTAGE) and candles.gaps(frame, "1h")[0][2] == len(OUTAGE)
    assert sum(path == "/public/klines" for path, _ in binance.asked) >= 3


@pytest.mark.parametrize("count", [1, 999, 1000, 1001, 2000])
def test_both_ends_of_the_range_are_included_whatever_the_page_size(source, count):
    start, end = LISTED + timedelta(hours=3_000), LISTED + timedelta(hours=2_999 + count)
    frame = source.candles("TOUCH/USDT", "1h", start, end)
    assert (frame["date"].iloc[0], frame["date"].iloc[-1], len(frame)) == (
        pd.Timestamp(start),
        pd.Timestamp(end),
        count,
    )


def test_a_range_may_be_longer_than_one_stretch_and_than_the_listing(source):
    told = []
    source.progress = lambda pair, reached: told.append((pair, reached))
    frame = source.candles("TOUCH/USDT", "1h", LISTED - timedelta(days=700), DELISTED + timedelta(days=700))
    source.progress = None
    pd.testing.assert_frame_equal(frame, expected(LISTED, DELISTED), check_exact=True)
    reached = [date for _, date in told]
    assert len(told) > 3 and reached == sorted(reached) and reached[-1] > DELISTED and told[0][0] == "TOUCH/USDT"


def test_a_range_without_candles_gives_an_empty_frame(source):
    for start in (LISTED - timedelta(days=90), DELISTED + timedelta(days=90)):
        frame = source.candles("TOUCH/USDT", "1h", start, start + timedelta(days=30))
        assert frame.empty and frame.dtypes.astype(str).tolist() == ["datetime64[ms, UTC]"] + ["float64"] * 5


def test_the_candle_that_is_not_closed_yet_is_left_out_and_only_that(source):
    now = datetime.now(UTC)
    frame = source.candles("STONE/USDT", "1h", now - timedelta(days=9), now + timedelta(days=9))
    assert timedelta(hours=1) <= datetime.now(UTC) - frame["date"].iloc[-1] < timedelta(hours=2, minutes=1)
    assert not candles.gaps(frame, "1h")


def test_short_candles_come_from_the_exchange_where_the_archive_has_none(source):
    """FreqTrade asks data.binance.vision for 5m candles first: unreachable, or without this pair."""
    start, end = LISTED + timedelta(hours=50), LISTED + timedelta(hours=150)
    pd.testing.assert_frame_equal(
        source.candles("TOUCH/USDT", "5m", start, end), expected(start, end, 300_000), check_exact=True
    )


def test_nothing_is_written(source, folder):
    source.candles("TOUCH/USDT", "1h", LISTED, LISTED + timedelta(days=3))
    assert [file.name for file in folder.iterdir()] == ["config.json"]


# ---- markets ----


def test_markets_are_plain_json_of_the_asked_pairs_only(source):
    known = source.markets(("TOUCH/USDT", "TOUCH/BTC"))
    assert list(known) == ["TOUCH/USDT", "TOUCH/BTC"] and json.loads(json.dumps(known)) == known
    pair_metadata.check(known, tuple(known))
    market = known["TOUCH/USDT"]
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.01, 0.001)
    assert (market["limits"]["cost"]["min"], market["info"]) == (5, {})


def test_a_source_says_what_it_is(source):
    assert (source.label, source.description) == ("binance", {"kind": "exchange", "name": "binance"})


@pytest.mark.parametrize(
    "ask", [lambda s, p: s.markets(("TOUCH/USDT", p)), lambda s, p: s.candles(p, "1h", LISTED, DELISTED)]
)
def test_a_pair_that_is_not_listed_is_refused_with_the_nearest(source, ask):
    with pytest.raises(DataError, match=r"^binance, .*TUCH/USDT is not listed. Nearest: TOUCH/USDT"):
        ask(source, "TUCH/USDT")
    with pytest.raises(DataError, match="touch/usdt is not listed. Nearest: TOUCH/USDT"):
        ask(source, "touch/usdt")
    with pytest.raises(DataError, match="QQQQQ/XXX is not listed. 3 spot pairs are"):
        ask(source, "QQQQQ/XXX")


def test_a_timeframe_that_nobody_knows_is_refused(source):
    with pytest.raises(DataError, match="Unknown timeframe '7m'"):
        source.candles("TOUCH/USDT", "7m", LISTED, DELISTED)


# ---- failures ----


@pytest.mark.parametrize("fails", ["500", "close"])
def test_a_download_that_breaks_names_the_pair_and_the_date_that_it_reached(source, binance, fails):
    binance.fails, binance.fails_from_ms = fails, ms(LISTED) + 10_500 * HOUR_MS
    with pytest.raises(
        DataError, match="binance, TOUCH/USDT 1h, which reached 2022-02-21 15:00: .*Check the network; or use"
    ):
        source.candles("TOUCH/USDT", "1h", LISTED, DELISTED)
    binance.fails_from_ms = 0
    with pytest.raises(DataError, match="binance, TOUCH/USDT 1h, no candle yet: "):
        source.candles("TOUCH/USDT", "1h", LISTED, DELISTED)
    binance.fails = ""
    assert len(source.candles("TOUCH/USDT", "1h", LISTED, LISTED + timedelta(hours=9))) == 10


def test_without_a_network_the_choices_are_told_in_one_message_and_later_it_works(tmp_path, capfd, monkeypatch):
    # FreqTrade's own answer is waited for, however slow the machine is
    monkeypatch.setattr(exchange, "MARKETS_S", 120.0)
    port = free_port()
    source = ExchangeSource(arena(tmp_path, port))
    with pytest.raises(DataError) as raised:
        source.markets(("TOUCH/USDT",))
    text = str(raised.value)
    assert text.startswith("binance, list of markets: ") and "\n" not in text and len(text) < 600
    for choice in (
        "Connect call failed",
        "Check the network",
        "`uv run prepare.py --from PATH`",
        "`uv run prepare.py --sample`",
    ):
        assert choice in text
    server = Binance(port)
    assert list(source.markets(("TOUCH/USDT",))) == ["TOUCH/USDT"]
    source.close()
    server.stop()
    assert capfd.readouterr() == ("", "")


def test_a_network_that_swallows_packets_is_given_up_at_the_deadline(tmp_path, monkeypatch):
    """A server that accepts and never answers. The deadline is shortened; with the real one it takes 28 s."""
    monkeypatch.setattr(exchange, "NO_NETWORK_S", 3.0)
    monkeypatch.setattr(exchange, "MARKETS_S", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = ExchangeSource(arena(tmp_path, silent.getsockname()[1]))
        with pytest.raises(DataError, match=r"binance, list of markets: no answer within 3 s\. Check the network"):
            source.candles("TOUCH/USDT", "1h", LISTED, DELISTED)
        assert source._process is None


def test_the_deadline_leaves_room_below_half_a_minute():
    assert exchange.MARKETS_S <= exchange.NO_NETWORK_S < 30


def test_an_exchange_that_does_not_exist_is_refused_with_the_nearest(misspelt):
    with pytest.raises(DataError, match="^binanze, list of markets: .*not supported by ccxt. Did you mean binance"):
        misspelt.markets(("TOUCH/USDT",))


def test_a_helper_that_dies_is_an_error_and_leaves_nothing_behind(misspelt):
    with pytest.raises(DataError):
        misspelt.markets(("TOUCH/USDT",))
    misspelt._process.kill()
    with pytest.raises(DataError, match="binanze, list of markets: the downloader ended with exit code -9"):
        misspelt.markets(("TOUCH/USDT",))
    assert misspelt._process is None


def test_this_process_never_loads_freqtrade():
    imports = (
        "import sys, arena.preparation.sources.exchange, arena.preparation.sources.files, arena.market.pair_metadata"
    )
    code = f"{imports}; print({{'freqtrade', 'ccxt'}} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
