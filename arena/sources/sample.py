"""
A market for people without data or network, made on the spot from a seed. Nothing in it is real.

Time runs on a fixed grid of five-minute bars from ORIGIN on. Inside a bar the log price of a pair is a Brownian path

    dx = (drift - s**2 / 2) dt + s dW,    s**2 = (beta * s_market)**2 + s_own**2,

so the price itself is a martingale wherever drift is 0, whatever s does. Both volatilities are exponentials of sums of
AR(1) processes from an hour to months, which gives heavy tails and slowly decaying clusters; they carry the hour of
the day, the day of the week, the regime, and what past returns and bursts left behind (s rises when the market falls).
A burst, the market's jump, is a bar whose s is many times larger. High and low of a bar are drawn from the law of the
maximum and minimum of a Brownian bridge between its open and close, so orders that fill inside a candle are as fair as
those at its close. The three kinds differ in the drift alone and share every random number of a seed:

market   months of bull, bear and sideways, shared through beta, with a volatility of their own; slow trends of single
         pairs; bursts that lean down. Made to look like a market, not to test a statistic.
null     drift 0. The price, not its logarithm, is the martingale: then no order has an expected profit before fees,
         while under a log martingale holding would earn s**2 / 2, which a Sharpe ratio would count as skill. The
         price of that is a falling median: a pair with 95 % volatility loses about 36 % a year in the median.
planted  null plus a latent drift per pair, `drift = EDGE * s_pair * z`: s_pair is the pair's long-run volatility
         and z a stationary AR(1) with mean 0, variance 1 and a half-life of EDGE_HALF_LIFE_DAYS, independent of
         everything else. @@PLANTED@@

What it lacks: an order book, spreads, delistings, funding, news, and any trade of one's own that moves the price.

Source of the bridge's extremes: Karatzas and Shreve (1991), Brownian Motion and Stochastic Calculus, section 4.3.C,
doi:10.1007/978-1-4612-0949-2. Maximum and minimum are drawn independently given open and close, which they are not quite.
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
from arena.settings import TIMEFRAME_MINUTES
from arena.sources import CANDLE_COLUMNS

Floats = NDArray[np.float64]

ORIGIN = datetime(2019, 1, 1, tzinfo=UTC)
"""First bar of every sample market; its first pairs are listed then."""
END = datetime(2040, 1, 1, tzinfo=UTC)
"""No bar opens at or after this instant; it bounds memory."""
BAR_MINUTES = 5
EDGE = 4.0
"""Annualised Sharpe ratio that a planted drift of one standard deviation gives its pair."""
EDGE_HALF_LIFE_DAYS = 7.0

_PER_DAY = 1440 // BAR_MINUTES
_PER_YEAR = 365 * _PER_DAY
_FACTOR_VOLATILITY = 0.60  # annualised, of the market factor
_LEVERAGE = 0.25  # correlation between a fall of the market and the next change of its log volatility
_BURSTS_PER_YEAR, _BURST_SCALE, _BURST_ECHO = 40, 12.0, 0.6
_REGIMES = np.array([[1.2, 1.0], [-1.05, 1.15], [0.0, 0.7]])  # bull, bear, sideways: drift a year, factor on volatility
_REGIME_DAYS = (50, 270)  # shortest and longest
# mean absolute hourly return by hour (UTC) and by day from Monday, as on large spot exchanges
_HOURS = [1.20, 1.09, 0.96, 0.90, 0.83, 0.87, 0.89, 0.92, 1.01, 0.90, 0.90, 0.88,
          1.03, 1.15, 1.29, 1.23, 1.11, 1.06, 0.98, 0.98, 1.00, 0.96, 0.96, 0.91]  # fmt: skip
_DAYS = [1.09, 1.09, 1.08, 1.03, 1.05, 0.80, 0.86]


@dataclass(frozen=True, slots=True)
class _Kind:
    regimes: float  # share of the regimes' drift that is there
    lean: float  # mean of a burst, in standard deviations of the burst
    edge: float  # as EDGE
    half_life_days: float
    calm: float  # factor on all volatility
    fair: float  # 1.0 where the price is the martingale, 0.0 where the log price would be
    growth: float  # a year, of the log price at beta 1
    pull_days: float  # half-life of the distance from the path of growth


_KINDS = {
    "market": _Kind(1.0, -0.25, 0.6, 60.0, 1.0, 0.0, 0.35, 500.0),
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
        """Of the price: a tick is 0.3 to 3 millionths of the first price, still fine after a fall by 99 %."""
        return int(np.ceil(5.5 - np.log10(self.price)))

    @property
    def amount_decimals(self) -> int:
        """Of an amount: a step is worth some tenths of the quote currency."""
        return max(0, int(np.rint(np.log10(self.price) + 0.7)))

    @property
    def volatility(self) -> float:
        return float(np.hypot(self.beta * _FACTOR_VOLATILITY, self.own))


_PAIRS = {
    "BTC": _Pair(15_000.0, 0.95, 0.26, ORIGIN, 1.5e9),
    "ETH": _Pair(600.0, 1.20, 0.32, ORIGIN, 8e8),
    "BNB": _Pair(100.0, 1.10, 0.48, ORIGIN, 1.5e8),
    "SOL": _Pair(20.0, 1.45, 0.75, datetime(2020, 8, 11, 6, tzinfo=UTC), 2e8),
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

    A candle depends on the kind, the seed and the pair alone: not on the other pairs, on their order, or on the range
    asked for. A longer timeframe is the exact aggregation of a shorter one. Random numbers come from PCG64 seeded by
    SHA-256; platforms can differ by a tick where a price falls on a rounding border, about one in 1e8 prices.

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
            base currency, positive. The first candle after an outage opens where the hidden market has moved meanwhile.

        Raises
        ------
        DataError
            A timeframe that is not a multiple of 5 minutes or longer than a day, an instant without a timezone, or a
            pair that is not BASE/QUOTE.
        """
        spec = _pair(pair)
        step = TIMEFRAME_MINUTES.get(timeframe, 0)
        if step % BAR_MINUTES or not 0 < step <= 1440:
            known = [name for name, minutes in TIMEFRAME_MINUTES.items() if minutes % BAR_MINUTES == 0 and minutes <= 1440]
            raise DataError(f"a sample market has no {timeframe!r} candles, its grid is {BAR_MINUTES}m. Use {', '.join(known)}.")
        if start.tzinfo is None or end.tzinfo is None:
            raise DataError(f"candles from {start} to {end}: give both instants with a timezone.")
        per = step // BAR_MINUTES
        first = -((ORIGIN - start) // timedelta(minutes=step)) * per  # the first candle that opens at or after start
        listed = _bar(spec.listed)
        stop = min((_bar(end) // per + 1) * per, _bar(END))
        if stop <= max(first, listed):
            return _frame(np.empty(0, np.int64), np.empty((5, 0)))
        factor = self._shared(stop)
        rows = _bars(self._kind, self._seed, pair, spec, factor, stop)
        bars = np.flatnonzero(factor.open[:stop])
        bars = bars[bars >= max(first, listed)]
        return _aggregate(bars, rows[:, bars], per, spec)

    def markets(self, pairs: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        """Market metadata in ccxt's structure by pair: tick, amount step, smallest cost 5, fee 0.001. Raises DataError as `candles`."""
        return {pair: _metadata(pair, _pair(pair)) for pair in pairs}

    def _shared(self, n_bars: int) -> _Factor:
        if self._factor is None or len(self._factor.sd) < n_bars:
            self._factor = _make_factor(self._kind, self._seed, n_bars)
        return self._factor


def _make_factor(kind: _Kind, seed: int, n_bars: int) -> _Factor:
    regime = _regimes(_stream(seed, "regimes"), n_bars)
    normal = _stream(seed, "factor").standard_normal(n_bars)
    burst, scale = _bursts(_stream(seed, "factor bursts"), n_bars)
    falls = -_LEVERAGE * _lagged(normal)
    mood = (
        _ar(_stream(seed, "minutes"), n_bars, 1 / 24, 0.30)
        + _ar(_stream(seed, "hours"), n_bars, 1 / 3, 0.30, shared=falls, kick=_BURST_ECHO * _lagged(burst))
        + _ar(_stream(seed, "days"), n_bars, 8.0, 0.35, shared=falls)
        + _ar(_stream(seed, "months"), n_bars, 75.0, 0.25)
        - (2 * 0.30**2 + 0.35**2 + 0.25**2)  # so that the mean of exp(2 * mood) is 1
        + np.log(_season(n_bars) * _REGIMES[regime, 1])
    )
    sd = kind.calm * _FACTOR_VOLATILITY / np.sqrt(_PER_YEAR) * np.exp(mood) * scale
    drift = kind.regimes * _REGIMES[regime, 0] / _PER_YEAR + kind.lean * burst * sd
    return _Factor(sd * normal, sd, drift, mood, _trading(seed, n_bars))


def _bars(kind: _Kind, seed: int, pair: str, spec: _Pair, factor: _Factor, n_bars: int) -> Floats:
    """Shape (5, n_bars): open, high, low, close in ticks and volume in amount steps, whole numbers, before outages are cut."""

    def stream(name: str) -> np.random.Generator:
        return _stream(seed, f"{pair} {name}")

    burst, scale = _bursts(stream("bursts"), n_bars)
    own_mood = _ar(stream("hours"), n_bars, 1 / 4, 0.30) + _ar(stream("weeks"), n_bars, 15.0, 0.30) - 2 * 0.30**2
    own_sd = kind.calm * spec.own / np.sqrt(_PER_YEAR) * np.exp(0.8 * factor.mood[:n_bars] + own_mood) * scale
    variance = (spec.beta * factor.sd[:n_bars]) ** 2 + own_sd**2
    latent = _ar(stream("drift"), n_bars, kind.half_life_days, 1.0)
    drift = kind.edge * kind.calm * spec.volatility / _PER_YEAR * latent + spec.beta * factor.drift[:n_bars] + kind.lean * burst * own_sd
    change = drift - kind.fair * variance / 2 + spec.beta * factor.shock[:n_bars] + own_sd * stream("noise").standard_normal(n_bars)

    path = lfilter([1.0], [1.0, -(0.5 ** (1 / (kind.pull_days * _PER_DAY)))], change)
    path += kind.growth * spec.beta / _PER_YEAR * np.arange(n_bars)
    change = np.diff(path, prepend=0.0)
    close = np.exp(path - path[_bar(spec.listed)]) * (spec.price * 10**spec.decimals)
    before = np.concatenate(([close[0]], close[:-1]))
    high = before * np.exp((change + np.sqrt(change**2 + 2 * variance * stream("high").standard_exponential(n_bars))) / 2)
    low = before * np.exp((change - np.sqrt(change**2 + 2 * variance * stream("low").standard_exponential(n_bars))) / 2)
    close, before, high, low = (np.maximum(np.rint(x), 1.0) for x in (close, before, high, low))
    # the first trade of a bar is a tick away from the last one of the bar before in every second bar
    u = stream("open").random(n_bars)
    opening = np.maximum(before + (u < 0.25) - (u > 0.75), 1.0)
    high = np.maximum(high, np.maximum(opening, close))
    low = np.minimum(low, np.minimum(opening, close))

    usual = kind.calm * spec.volatility / np.sqrt(_PER_YEAR)
    surprise = np.abs(change) / np.sqrt(variance)
    interest = _ar(stream("interest"), n_bars, 10.0, 0.45) + _ar(stream("attention"), n_bars, 1 / 4, 0.25)
    noise = 0.35 * stream("volume").standard_normal(n_bars)
    money = spec.turnover / _PER_DAY * np.exp(0.7 * np.log(variance / usual**2) + 0.4 * surprise + interest + noise)
    volume = np.maximum(np.rint(money * 10 ** (spec.amount_decimals + spec.decimals) / close), 1.0)
    return np.stack([opening, high, low, close, volume])


def _aggregate(bars: NDArray[np.int64], rows: Floats, per: int, spec: _Pair) -> pd.DataFrame:
    """Whole ticks and steps are added up and divided once, so that every timeframe has the same last digit."""
    if not len(bars):
        return _frame(bars, rows)
    bucket = bars // per
    first = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
    last = np.append(first[1:], len(bars)) - 1
    tick, step = 10.0**spec.decimals, 10.0**spec.amount_decimals
    columns = np.stack(
        [
            rows[0, first] / tick,
            np.maximum.reduceat(rows[1], first) / tick,
            np.minimum.reduceat(rows[2], first) / tick,
            rows[3, last] / tick,
            np.add.reduceat(rows[4], first) / step,
        ]
    )
    return _frame(bucket[first] * per, columns)


def _frame(bars: NDArray[np.int64], columns: Floats) -> pd.DataFrame:
    stamps = bars * (BAR_MINUTES * 60_000) + int(ORIGIN.timestamp() * 1000)
    dates = pd.DatetimeIndex(stamps.astype("datetime64[ms]")).tz_localize("UTC")
    return pd.DataFrame(dict(zip(CANDLE_COLUMNS, [dates, *columns], strict=True)))


def _stream(seed: int, name: str) -> np.random.Generator:
    """
    One stream per purpose, drawn from ORIGIN on in a single call: a longer market begins with the shorter one.

    Python's own hash changes from process to process; SHA-256 does not.
    """
    digest = hashlib.sha256(f"touchstone sample {seed} {name}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def _ar(
    rng: np.random.Generator, n_bars: int, half_life_days: float, sd: float, *, shared: Floats | None = None, kick: Floats | None = None
) -> Floats:
    """Stationary AR(1), mean 0 and standard deviation `sd`; `shared` is a part of its innovations, `kick` comes on top."""
    keep = 0.5 ** (1 / (half_life_days * _PER_DAY))
    shocks = rng.standard_normal(n_bars)
    if shared is not None:
        shocks = np.sqrt(1 - _LEVERAGE**2) * shocks + shared
    shocks *= sd * np.sqrt(1 - keep**2)
    shocks[0] /= np.sqrt(1 - keep**2)  # starts in its stationary law
    return lfilter([1.0], [1.0, -keep], shocks if kick is None else shocks + kick)


def _bursts(rng: np.random.Generator, n_bars: int) -> tuple[Floats, Floats]:
    """Which bars burst (1 or 0), and the factor on their volatility, which keeps the mean square at 1."""
    chance = _BURSTS_PER_YEAR / _PER_YEAR
    burst = (rng.random(n_bars) < chance).astype(np.float64)
    return burst, np.where(burst > 0, _BURST_SCALE, 1.0) / np.sqrt(1 + chance * (_BURST_SCALE**2 - 1))


def _lagged(values: Floats) -> Floats:
    """One bar later: volatility answers to the past alone, so the price stays a martingale."""
    return np.concatenate(([0.0], values[:-1]))


def _season(n_bars: int) -> Floats:
    """Factor on volatility by the time of the week, mean square 1."""
    hour = np.arange(_PER_DAY) * BAR_MINUTES / 60
    day = np.interp(hour, np.arange(24) + 0.5, _HOURS, period=24)
    week = np.roll(np.outer(_DAYS, day), -ORIGIN.weekday(), axis=0).ravel()
    return np.resize(week / np.sqrt(np.mean(week**2)), n_bars)


def _regimes(rng: np.random.Generator, n_bars: int) -> NDArray[np.int64]:
    """Row of _REGIMES by bar. One regime is never followed by itself; 200 of them last beyond END."""
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
    """The five of config.json by their base; every other pair from the hash of its name, listed in 2019 or 2020."""
    base, slash, quote = pair.partition("/")
    if not (base and slash and quote):
        raise DataError(f"a sample market has no pair {pair!r}. Expected BASE/QUOTE, for example BTC/USDT.")
    if base in _PAIRS:
        return _PAIRS[base]
    u = _stream(0, f"pair {pair}").random(5)
    return _Pair(
        price=float(0.1 * 5_000 ** u[0]),  # 0.1 to 500
        beta=float(0.9 + 0.6 * u[1]),
        own=float(0.3 + 0.5 * u[2]),
        listed=ORIGIN + timedelta(hours=int(700 * u[3]) * 24 + 6),
        turnover=float(1e6 * 100 ** u[4]),
    )


def _metadata(pair: str, spec: _Pair) -> dict[str, Any]:
    base, quote = pair.split("/")
    tick, step = float(f"1e-{spec.decimals}"), float(f"1e-{spec.amount_decimals}")
    return {
        "id": base + quote, "symbol": pair, "base": base, "quote": quote, "settle": None, "baseId": base, "quoteId": quote,
        "type": "spot", "spot": True, "margin": False, "swap": False, "future": False, "option": False, "active": True,
        "contract": False, "linear": None, "inverse": None, "taker": 0.001, "maker": 0.001, "contractSize": None,
        "precision": {"price": tick, "amount": step},
        "limits": {
            "leverage": {"min": None, "max": None},
            "amount": {"min": step, "max": 9e9},
            "price": {"min": tick, "max": 1e9},
            "cost": {"min": 5.0, "max": 9e6},
        },
        "info": {},
    }  # fmt: skip
