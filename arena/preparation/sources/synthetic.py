"""
A sample market for use without data or network, generated from a seed. Nothing in it is real.

Time runs on a fixed grid of five-minute bars from ORIGIN on. Inside a bar the log price of a pair is a Brownian path,

    dx = (drift - s**2 / 2) dt + s dW,    s**2 = (beta * s_market)**2 + s_own**2,

so the price is a martingale wherever drift is 0, whatever s does. Both volatilities are exponentials of sums of AR(1)
processes with half-lives from an hour to months, which gives heavy tails and slowly decaying clusters. They depend on
the hour, the day of the week and the regime, and rise when the market falls. A burst, this market's jump, is a bar
whose s is many times larger. High and low follow the law of the maximum and the minimum of a Brownian bridge between
open and close, so an order that fills inside a candle is as fair as one at its close.

market   made to look like a market, not to test a statistic: months of bull, bear and sideways, shared through beta;
         slow trends of single pairs; bursts that lean down; and, so that prices stay plausible for many years, no
         - s**2 / 2, a slow growth, and a pull towards the path of that growth.
null     drift 0. The price is the martingale, not its logarithm: then no order has an expected profit before fees,
         while a log martingale would pay s**2 / 2 for holding. In return the median falls, by about a quarter a year
         for a pair of 77 % volatility. All volatility is 0.65 of the market's, which keeps that fall small.
planted  null plus a latent drift per pair, EDGE * s_pair * z, where s_pair is the pair's long-run volatility and z a
         stationary AR(1) of mean 0 and variance 1 with a half-life of EDGE_HALF_LIFE_DAYS, independent of all else.
         Sharpe ratio a year, mean (standard deviation) over the seeds 0 to 99, five pairs, 2021 to 2025:

                             planted, no fee   planted, 0.1 % a side   null, no fee    null, 0.1 % a side
             knowing rule    1.58 (0.55)       1.41 (0.55)             -0.04 (0.44)    -0.23 (0.45)
             breakout        1.52 (0.60)       1.31 (0.59)             -0.01 (0.48)    -0.25 (0.48)
             holding         -0.02 (0.54)      -0.02 (0.54)            -0.02 (0.49)    -0.02 (0.49)

         The knowing rule uses the steady-state Kalman-Bucy estimate of the drift: long when it exceeds half its
         standard deviation, flat below 0. The breakout buys above the high of 120 hours and sells below the low of 60.
         tests/test_synthetic.py defines both and measures this table when slow tests run.

With one seed the kinds use the same random numbers; null and planted differ only in the drift. A sample market has no
order book, spreads, delistings or news, and no trade moves its price.

Source of the extremes: Glasserman (2003), Monte Carlo Methods in Financial Engineering, section 6.4,
doi:10.1007/978-0-387-21617-1. Deviation: we draw maximum and minimum independently, given open and close.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import lfilter

from arena.errors import DataError
from arena.market.candles import CANDLE_COLUMNS
from arena.settings import TIMEFRAME_MINUTES

Floats = NDArray[np.float64]

ORIGIN = datetime(2019, 1, 1, tzinfo=UTC)
"""First bar of every sample market; its first pairs are listed then."""
END = datetime(2040, 1, 1, tzinfo=UTC)
"""No bar opens at or after this instant; it bounds memory."""
BAR_MINUTES = 5
EDGE = 4.0
"""Annualised Sharpe ratio of a pair whose planted drift is one standard deviation."""
EDGE_HALF_LIFE_DAYS = 7.0

_PER_DAY = 1440 // BAR_MINUTES
_PER_YEAR = 365 * _PER_DAY
_FACTOR_VOLATILITY = 0.60  # annualised, of the market factor, before echoes of bursts and regimes
_LEVERAGE = 0.25  # correlation of a fall of the market with the next change of its log volatility
_BURSTS_PER_YEAR = 40  # of the market factor, and of each pair
_BURST_SCALE = 14.0  # factor on the volatility of the bar
_BURST_ECHO = 0.6  # what a burst adds to the log volatility of the hours after it
_REGIMES = np.array([[1.2, 1.0], [-1.05, 1.15], [0.0, 0.7]])  # bull, bear, sideways: drift a year, factor on volatility
_REGIME_DAYS = (50, 270)  # shortest and longest
# mean absolute hourly return by hour (UTC) and by day from Monday, as on large spot exchanges
_HOURS = [1.20, 1.09, 0.96, 0.90, 0.83, 0.87, 0.89, 0.92, 1.01, 0.90, 0.90, 0.88,
          1.03, 1.15, 1.29, 1.23, 1.11, 1.06, 0.98, 0.98, 1.00, 0.96, 0.96, 0.91]  # fmt: skip
_DAYS = [1.09, 1.09, 1.08, 1.03, 1.05, 0.80, 0.86]


@dataclass(frozen=True, slots=True)
class _Kind:
    regimes: float  # share of the regimes' drift that applies
    lean: float  # mean of a burst, in its standard deviations
    edge: float  # as EDGE
    half_life_days: float
    calm: float  # factor on all volatility
    fair: float  # share of - s**2 / 2 that applies; 1 makes the price a martingale
    growth: float  # a year, of the log price at beta 1
    pull_days: float  # half-life of the distance from the path of growth


_KINDS = {
    "market": _Kind(1.0, -0.25, 0.6, 60.0, 1.0, 0.0, 0.2, 500.0),
    "null": _Kind(0.0, 0.0, 0.0, EDGE_HALF_LIFE_DAYS, 0.65, 1.0, 0.0, np.inf),
    "planted": _Kind(0.0, 0.0, EDGE, EDGE_HALF_LIFE_DAYS, 0.65, 1.0, 0.0, np.inf),
}


@dataclass(frozen=True, slots=True)
class _Pair:
    price: float  # at listing
    beta: float
    own: float  # annualised volatility that the factor does not explain
    listed: datetime
    turnover: float  # money traded in an ordinary day

    @property
    def decimals(self) -> int:
        """Decimals of the price: a tick is 0.3 to 3 millionths of the first price, still small after a fall by 99 %."""
        return int(np.ceil(5.5 - np.log10(self.price)))

    @property
    def amount_decimals(self) -> int:
        """Decimals of an amount: a step is worth some tenths of the quote currency."""
        return max(0, int(np.rint(np.log10(self.price) + 0.7)))

    @property
    def volatility(self) -> float:
        return float(np.hypot(self.beta * _FACTOR_VOLATILITY, self.own))


_PAIRS = {
    "BTC": _Pair(15_000.0, 0.95, 0.28, ORIGIN, 1.5e9),
    "ETH": _Pair(600.0, 1.20, 0.32, ORIGIN, 8e8),
    "BNB": _Pair(100.0, 1.10, 0.56, ORIGIN, 1.5e8),
    "SOL": _Pair(20.0, 1.45, 0.80, datetime(2020, 8, 11, 6, tzinfo=UTC), 2e8),
    "AVAX": _Pair(20.0, 1.45, 0.80, datetime(2020, 9, 22, 6, tzinfo=UTC), 6e7),
}


@dataclass(frozen=True, slots=True)
class _Factor:
    """What all pairs share. Arrays have shape (n_bars,); log returns per bar."""

    shock: Floats  # return without drift
    sd: Floats  # standard deviation of shock
    drift: Floats
    mood: Floats  # log of the factor on every pair's volatility, season and regime included
    open: NDArray[np.bool_]  # False during an outage


class SampleSource:
    """
    A sample market as a Source.

    A candle depends only on the kind, the seed and the pair: not on the other pairs, their order, or the requested
    range. A longer timeframe is the exact aggregation of a shorter one. Where platforms differ in the last bit of exp,
    a price at a rounding border can differ by a tick; another version of numpy may draw other numbers.

    Parameters
    ----------
    kind : "market", "null" or "planted"
        See the module. With one seed the three share their noise, outages and listings.
    seed : int
        Not negative.

    Raises
    ------
    DataError
        Unknown kind, or a seed that is not a whole number from 0 on.
    """

    def __init__(self, kind: Literal["market", "null", "planted"], seed: int) -> None:
        if kind not in _KINDS:
            raise DataError(f"there is no sample market {kind!r}. Known: {', '.join(_KINDS)}.")
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise DataError(f"the seed of a sample market is {seed!r}. Use a whole number from 0 on.")
        self.label = f"sample-{kind}"
        self.description: dict[str, Any] = {"kind": "sample", "market": kind, "seed": seed}
        self._kind = _KINDS[kind]
        self._seed = seed
        self._factor: _Factor | None = None

    def candles(self, pair: str, timeframe: str, start: datetime, end: datetime) -> pd.DataFrame:
        """
        Candles with start <= date <= end, each complete; none before the pair's listing, none in an outage.

        Returns
        -------
        pandas.DataFrame with the columns date, open, high, low, close, volume
            date: open time, datetime64[ms, UTC]; prices in the quote currency, on the tick of `markets`; volume in the
            base currency, positive. The first candle after an outage opens where the hidden market price has moved in
            the meantime.

        Raises
        ------
        DataError
            A timeframe that is no multiple of 5 minutes or is longer than a day, an instant without a timezone, or a
            pair that is not BASE/QUOTE.
        """
        spec = _pair(pair)
        step = TIMEFRAME_MINUTES.get(timeframe, 0)
        if step % BAR_MINUTES or not 0 < step <= 1440:
            allowed = [
                name for name, minutes in TIMEFRAME_MINUTES.items() if minutes % BAR_MINUTES == 0 and minutes <= 1440
            ]
            raise DataError(
                f"a sample market has no {timeframe!r} candles, its grid is {BAR_MINUTES}m. Use {', '.join(allowed)}."
            )
        if start.tzinfo is None or end.tzinfo is None:
            raise DataError(f"candles from {start} to {end}: give both instants with a timezone.")
        bars_per_candle = step // BAR_MINUTES
        first = (
            -((ORIGIN - start) // timedelta(minutes=step)) * bars_per_candle
        )  # the first candle that opens at or after start
        listed = _bar(spec.listed)
        stop = min((_bar(end) // bars_per_candle + 1) * bars_per_candle, _bar(END))
        if stop <= max(first, listed):
            return _frame(np.empty(0, np.int64), np.empty((5, 0)))
        factor = self._shared(stop)
        rows = _bars(self._kind, self._seed, pair, spec, factor, stop)
        bars = np.flatnonzero(factor.open[:stop])
        bars = bars[bars >= max(first, listed)]
        return _aggregate(bars, rows[:, bars], bars_per_candle, spec)

    def markets(self, pairs: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        """Market metadata in ccxt's structure by pair; DataError for a pair that is not BASE/QUOTE."""
        return {pair: _metadata(pair, _pair(pair)) for pair in pairs}

    def _shared(self, n_bars: int) -> _Factor:
        if self._factor is None or len(self._factor.sd) < n_bars:
            self._factor = _make_factor(self._kind, self._seed, n_bars)
        return self._factor


def _make_factor(kind: _Kind, seed: int, n_bars: int) -> _Factor:
    regime = _regimes(_stream(seed, "regimes"), n_bars)
    normal = _stream(seed, "factor").standard_normal(n_bars)
    burst, scale = _bursts(_stream(seed, "factor bursts"), n_bars)
    falls = -_lagged(normal)
    mood = (
        _ar(_stream(seed, "minutes"), n_bars, 1 / 24, 0.30)
        + _ar(_stream(seed, "hours"), n_bars, 1 / 3, 0.30, falls)
        + _ar(_stream(seed, "days"), n_bars, 8.0, 0.35, falls)
        + _ar(_stream(seed, "months"), n_bars, 75.0, 0.25)
        + lfilter([_BURST_ECHO], [1.0, -_keep(1 / 3)], _lagged(burst))
        - (2 * 0.30**2 + 0.35**2 + 0.25**2)  # makes the mean of exp(2 * mood) equal to 1
        + np.log(_season(n_bars) * _REGIMES[regime, 1])
    )
    sd = kind.calm * _FACTOR_VOLATILITY / np.sqrt(_PER_YEAR) * np.exp(mood) * scale
    drift = kind.regimes * _REGIMES[regime, 0] / _PER_YEAR + kind.lean * burst * sd
    return _Factor(sd * normal, sd, drift, mood, _trading(seed, n_bars))


def _bars(kind: _Kind, seed: int, pair: str, spec: _Pair, factor: _Factor, n_bars: int) -> Floats:
    """
    Shape (5, n_bars): open, high, low, close in ticks, volume in amount steps; whole numbers; outages are still
    included.
    """

    def stream(name: str) -> np.random.Generator:
        return _stream(seed, f"{pair} {name}")

    burst, scale = _bursts(stream("bursts"), n_bars)
    own_mood = _ar(stream("hours"), n_bars, 1 / 4, 0.30) + _ar(stream("weeks"), n_bars, 15.0, 0.30) - 2 * 0.30**2
    own_sd = kind.calm * spec.own / np.sqrt(_PER_YEAR) * np.exp(0.8 * factor.mood[:n_bars] + own_mood) * scale
    variance = (spec.beta * factor.sd[:n_bars]) ** 2 + own_sd**2
    latent = _ar(stream("drift"), n_bars, kind.half_life_days, 1.0)
    drift = spec.beta * factor.drift[:n_bars] + kind.lean * burst * own_sd
    drift += kind.edge * kind.calm * spec.volatility / _PER_YEAR * latent
    noise = spec.beta * factor.shock[:n_bars] + own_sd * stream("noise").standard_normal(n_bars)
    change = drift - kind.fair * variance / 2 + noise

    path = lfilter([1.0], [1.0, -_keep(kind.pull_days)], change)
    path += kind.growth * spec.beta / _PER_YEAR * np.arange(n_bars)
    change = np.diff(path, prepend=0.0)
    close = np.exp(path - path[_bar(spec.listed)]) * (spec.price * 10**spec.decimals)
    before = np.concatenate(([close[0]], close[:-1]))
    up, down = (
        np.sqrt(change**2 + 2 * variance * stream(name).standard_exponential(n_bars)) for name in ("high", "low")
    )
    high, low = before * np.exp((change + up) / 2), before * np.exp((change - down) / 2)
    close, before, high, low = (np.maximum(np.rint(price), 1.0) for price in (close, before, high, low))
    # in every second bar the first trade is one tick away from the last trade of the bar before
    uniform = stream("open").random(n_bars)
    opening = np.maximum(before + (uniform < 0.25) - (uniform > 0.75), 1.0)
    high = np.maximum(high, np.maximum(opening, close))
    low = np.minimum(low, np.minimum(opening, close))

    usual = kind.calm * spec.volatility / np.sqrt(_PER_YEAR)
    surprise = np.abs(change) / np.sqrt(variance)
    interest = _ar(stream("interest"), n_bars, 10.0, 0.35) + _ar(stream("attention"), n_bars, 1 / 4, 0.35)
    interest += 0.35 * stream("volume").standard_normal(n_bars)
    money = spec.turnover / _PER_DAY * np.exp(0.7 * np.log(variance / usual**2) + 0.4 * surprise + interest)
    volume = np.maximum(np.rint(money * 10 ** (spec.amount_decimals + spec.decimals) / close), 1.0)
    return np.stack([opening, high, low, close, volume])


def _aggregate(bars: NDArray[np.int64], rows: Floats, bars_per_candle: int, spec: _Pair) -> pd.DataFrame:
    """
    Candles from bars. We add up whole ticks and steps and divide once, so that every timeframe has the same last digit.
    """
    if not len(bars):
        return _frame(bars, rows)
    bucket = bars // bars_per_candle
    first = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
    last = np.append(first[1:], len(bars)) - 1
    high, low, volume = (
        np.maximum.reduceat(rows[1], first),
        np.minimum.reduceat(rows[2], first),
        np.add.reduceat(rows[4], first),
    )
    prices = np.stack([rows[0, first], high, low, rows[3, last]]) / 10.0**spec.decimals
    return _frame(bucket[first] * bars_per_candle, np.vstack([prices, volume / 10.0**spec.amount_decimals]))


def _frame(bars: NDArray[np.int64], columns: Floats) -> pd.DataFrame:
    stamps = bars * (BAR_MINUTES * 60_000) + int(ORIGIN.timestamp() * 1000)
    dates = pd.DatetimeIndex(stamps.astype("datetime64[ms]")).tz_localize("UTC")
    return pd.DataFrame(dict(zip(CANDLE_COLUMNS, [dates, *columns], strict=True)))


def _stream(seed: int, name: str) -> np.random.Generator:
    """
    Random numbers of one purpose, drawn from ORIGIN on in a single call: a longer market begins with the shorter one.

    Python's own hash changes from process to process; SHA-256 does not.
    """
    digest = hashlib.sha256(f"touchstone sample {seed} {name}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def _ar(rng: np.random.Generator, n_bars: int, half_life_days: float, sd: float, falls: Floats | None = None) -> Floats:
    """Stationary AR(1), mean 0 and standard deviation `sd`, its innovations correlated with `falls` by _LEVERAGE."""
    keep = _keep(half_life_days)
    shocks = rng.standard_normal(n_bars)
    if falls is not None:
        shocks = np.sqrt(1 - _LEVERAGE**2) * shocks + _LEVERAGE * falls
    shocks *= sd * np.sqrt(1 - keep**2)
    shocks[0] /= np.sqrt(1 - keep**2)  # the first value has the stationary variance
    return lfilter([1.0], [1.0, -keep], shocks)


def _keep(half_life_days: float) -> float:
    """Share that is left after one bar."""
    return 0.5 ** (1 / (half_life_days * _PER_DAY))


def _bursts(rng: np.random.Generator, n_bars: int) -> tuple[Floats, Floats]:
    """Which bars burst (1 or 0), and the factor on each bar's volatility, whose mean square is 1."""
    chance = _BURSTS_PER_YEAR / _PER_YEAR
    burst = (rng.random(n_bars) < chance).astype(np.float64)
    return burst, np.where(burst > 0, _BURST_SCALE, 1.0) / np.sqrt(1 + chance * (_BURST_SCALE**2 - 1))


def _lagged(values: Floats) -> Floats:
    """Values shifted by one bar: volatility depends only on the past, so the price stays a martingale."""
    return np.concatenate(([0.0], values[:-1]))


def _season(n_bars: int) -> Floats:
    """Factor on volatility by the time of the week, mean square 1."""
    hour = np.arange(_PER_DAY) * BAR_MINUTES / 60
    day = np.interp(hour, np.arange(24) + 0.5, _HOURS, period=24)
    week = np.roll(np.outer(_DAYS, day), -ORIGIN.weekday(), axis=0).ravel()
    return np.resize(week / np.sqrt(np.mean(week**2)), n_bars)


def _regimes(rng: np.random.Generator, n_bars: int) -> NDArray[np.int64]:
    """Row of _REGIMES for each bar. A regime never follows itself; 200 of them last beyond END."""
    turns = rng.integers(1, 3, 200)
    days = rng.uniform(*_REGIME_DAYS, 200)
    return np.repeat(np.cumsum(turns) % 3, np.rint(days * _PER_DAY).astype(np.int64))[:n_bars]


def _trading(seed: int, n_bars: int) -> NDArray[np.bool_]:
    """False in the outages of the exchange: two to five a year of one to six hours, the same for all pairs."""
    trading = np.ones(n_bars, np.bool_)
    for year in range(ORIGIN.year, END.year):
        rng = _stream(seed, f"outages {year}")
        january = _bar(datetime(year, 1, 1, tzinfo=UTC))
        for hour, hours in zip(rng.integers(0, 8754, 5)[: rng.integers(2, 6)], rng.integers(1, 7, 5), strict=False):
            trading[january + hour * 12 : january + (hour + hours) * 12] = False
    return trading


def _bar(instant: datetime) -> int:
    """Bar that holds the instant; negative before ORIGIN."""
    return (instant - ORIGIN) // timedelta(minutes=BAR_MINUTES)


def _pair(pair: str) -> _Pair:
    """
    Properties of a pair: for the five of config.json by their base, for others from the hash of the name, listed in
    2019 or 2020.
    """
    base, slash, quote = pair.partition("/")
    if not (base and slash and quote):
        raise DataError(f"a sample market has no pair {pair!r}. Expected BASE/QUOTE, for example BTC/USDT.")
    if base in _PAIRS:
        return _PAIRS[base]
    uniform = _stream(0, f"pair {pair}").random(5)
    return _Pair(
        price=float(0.1 * 5_000 ** uniform[0]),  # 0.1 to 500
        beta=float(0.9 + 0.6 * uniform[1]),
        own=float(0.3 + 0.5 * uniform[2]),
        listed=ORIGIN + timedelta(hours=int(700 * uniform[3]) * 24 + 6),
        turnover=float(1e6 * 100 ** uniform[4]),
    )


def _metadata(pair: str, spec: _Pair) -> dict[str, Any]:
    base, quote = pair.split("/")
    tick, step = float(f"1e-{spec.decimals}"), float(f"1e-{spec.amount_decimals}")
    return {
        "id": base + quote, "symbol": pair, "base": base, "quote": quote, "settle": None, "baseId": base,
        "quoteId": quote, "type": "spot", "spot": True, "margin": False, "swap": False, "future": False,
        "option": False, "active": True, "contract": False, "linear": None, "inverse": None, "taker": 0.001,
        "maker": 0.001, "contractSize": None,
        "precision": {"price": tick, "amount": step},
        "limits": {
            "leverage": {"min": None, "max": None}, "amount": {"min": step, "max": 9e9},
            "price": {"min": tick, "max": 1e9}, "cost": {"min": 5.0, "max": 9e6},
        },
        "info": {},
    }  # fmt: skip
