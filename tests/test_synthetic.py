import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pandas as pd
import pytest
from arenas import sampled
from scipy.signal import lfilter
from scipy.stats import kurtosis

from arena.errors import DataError
from arena.market.candles import CANDLE_COLUMNS
from arena.preparation.sources import synthetic
from arena.preparation.sources.synthetic import EDGE, EDGE_HALF_LIFE_DAYS, SampleSource

PAIRS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "BNB/USDT", "AVAX/USDT")
START, END = datetime(2021, 1, 1, tzinfo=UTC), datetime(2023, 12, 31, 23, tzinfo=UTC)
SEEDS = (0, 1, 2)
FEE = 0.001


def hourly(kind: str, seed: int, *, end: datetime = END) -> dict[str, pd.DataFrame]:
    source = SampleSource(kind, seed)
    return {pair: source.candles(pair, "1h", START, end) for pair in PAIRS}


@pytest.fixture(scope="module")
def markets() -> list[dict[str, pd.DataFrame]]:
    return [hourly("market", seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def nulls() -> list[dict[str, pd.DataFrame]]:
    return [hourly("null", seed) for seed in range(6)]


def returns(frame: pd.DataFrame) -> pd.Series:
    """Log returns from close to close, by open time."""
    return np.log(frame.set_index("date").close).diff().dropna()


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(x, y)[0, 1])


# stylised facts


@pytest.mark.slow
def test_hourly_returns_have_heavy_tails_and_daily_ones_lighter(markets):
    for market in markets:
        hours = np.mean([kurtosis(returns(frame), fisher=False) for frame in market.values()])
        days = np.mean([kurtosis(returns(frame).resample("1D").sum(), fisher=False) for frame in market.values()])
        assert 9 < hours < 80
        assert 4 < days < hours


@pytest.mark.slow
def test_volatility_clusters_for_weeks(markets):
    """Autocorrelation of absolute returns; means over pairs and seeds, as one seed's tails move it."""
    lags = (1, 24, 168, 336)
    acf = np.mean([[returns(f).abs().autocorr(lag) for lag in lags] for m in markets for f in m.values()], axis=0)
    assert 0.22 < acf[0] < 0.40
    assert 0.10 < acf[1] < 0.26
    assert 0.06 < acf[3] < acf[2] < acf[1] < acf[0]


@pytest.mark.slow
def test_returns_themselves_hardly_correlate_over_time(markets):
    for market in markets:
        for frame in market.values():
            r = returns(frame)
            assert max(abs(r.autocorr(lag)) for lag in (1, 2, 3, 6, 12, 24)) < 0.06


@pytest.mark.slow
def test_jumps_stand_out_from_the_hours_around_them(markets):
    """Hours a year beyond ten standard deviations of the last day: about 2.4, and 0.3 if bars did not burst."""
    frames = [frame for market in markets for frame in market.values()]
    far = [(returns(f).abs() > 10 * returns(f).rolling(24).std().shift(1)).sum() / 3 for f in frames]
    assert 1.2 < np.mean(far) < 6


@pytest.mark.slow
def test_pairs_share_a_market_factor(markets):
    for market in markets:
        table = pd.DataFrame({pair: returns(frame) for pair, frame in market.items()}).dropna().corr().to_numpy()
        shared = table[np.triu_indices(5, 1)]
        assert 0.45 < shared.min() < shared.max() < 0.92
        assert 0.60 < shared.mean() < 0.78


@pytest.mark.slow
def test_the_new_york_afternoon_is_busy_and_the_weekend_quiet(markets):
    for market in markets:
        for column in (
            lambda f: returns(f).abs(),
            lambda f: (f.set_index("date").volume * f.set_index("date").close)[1:],
        ):
            x = pd.concat([column(frame) for frame in market.values()], axis=1).mean(axis=1)
            assert x[x.index.hour == 14].mean() > 1.25 * x[x.index.hour == 4].mean()
            assert x[x.index.day_of_week >= 5].mean() < 0.9 * x[x.index.day_of_week < 5].mean()


@pytest.mark.slow
def test_volume_rises_with_volatility_and_persists(markets):
    for market in markets:
        for frame in market.values():
            volume = np.log(frame.set_index("date").volume)[1:]
            assert correlation(volume, np.log(returns(frame).abs() + 1e-5)) > 0.15
            assert volume.autocorr(24) > 0.4


@pytest.mark.slow
def test_volatility_rises_when_the_market_falls(markets):
    """Mean correlation of a return with the absolute returns of the next 12 hours."""
    effect = []
    for market in markets:
        for frame in market.values():
            r = returns(frame)
            effect.append(correlation(r[:-12], r.abs().rolling(12).sum().shift(-12)[:-12]))
    assert -0.15 < np.mean(effect) < -0.01


def test_regimes_of_months_move_all_pairs_together():
    """Without the regimes the drift of the market is the same every month."""
    factor = synthetic._make_factor(synthetic._KINDS["market"], 0, 5 * synthetic._PER_YEAR)
    yearly = np.median(factor.drift[: 60 * 30 * synthetic._PER_DAY].reshape(60, -1), axis=1) * synthetic._PER_YEAR
    assert (yearly > 0.5).sum() > 6
    assert (yearly < -0.5).sum() > 6
    assert 4 < (np.abs(np.diff(yearly)) > 0.5).sum() < 25


@pytest.mark.slow
def test_prices_stay_plausible(markets):
    for market in markets:
        assert 1_500 < market["BTC/USDT"].close.min() < market["BTC/USDT"].close.max() < 300_000
        assert 0.2 < market["AVAX/USDT"].close.min() < market["AVAX/USDT"].close.max() < 5_000


# candles


@pytest.mark.parametrize("kind", sampled(["market", "null", "planted"], {"null"}))
def test_candles_are_valid(kind):
    source = SampleSource(kind, 3)
    steps = source.markets(PAIRS)
    for pair in PAIRS:
        frame = source.candles(pair, "1h", START, END)
        assert list(frame.columns) == CANDLE_COLUMNS
        assert str(frame.date.dtype) == "datetime64[ms, UTC]"
        assert frame.date.is_monotonic_increasing and frame.date.is_unique
        assert (frame.date.astype("int64") % 3_600_000 == 0).all()
        assert (frame.low <= frame[["open", "close"]].min(axis=1)).all()
        assert (frame.high >= frame[["open", "close"]].max(axis=1)).all()
        assert (frame[CANDLE_COLUMNS[1:]] > 0).all().all()
        for step, columns in (("price", ["open", "high", "low", "close"]), ("amount", ["volume"])):
            decimals = round(-np.log10(steps[pair]["precision"][step]))
            assert (frame[columns].round(decimals) == frame[columns]).all().all()


@pytest.mark.slow
def test_a_candle_opens_within_a_tick_of_the_last_close_except_after_an_outage(markets):
    for frame, market in zip(markets[0].values(), SampleSource("market", 0).markets(PAIRS).values(), strict=True):
        apart = (frame.open - frame.close.shift()).abs() / market["precision"]["price"]
        continues = frame.date.diff() == timedelta(hours=1)
        assert apart[continues].max() < 1.5
        assert 0.4 < (apart[continues] < 0.5).mean() < 0.6
        assert apart[~continues][1:].min() > 1.5


@pytest.mark.slow
def test_outages_are_a_few_a_year_and_the_same_for_all_pairs(markets):
    for market in markets:
        dates = [set(frame.date) for frame in market.values()]
        assert all(other == dates[0] for other in dates)
        gaps = market["BTC/USDT"].date.diff().dropna()
        gaps = gaps[gaps > timedelta(hours=1)]
        assert 4 <= len(gaps) <= 15
        assert timedelta(hours=2) <= gaps.min() and gaps.max() <= timedelta(hours=13)


def test_pairs_are_listed_before_2021_and_not_all_at_once():
    source = SampleSource("null", 0)
    early, late = datetime(2018, 1, 1, tzinfo=UTC), datetime(2020, 12, 31, tzinfo=UTC)
    first = {pair: source.candles(pair, "1d", early, late).date.iloc[0] for pair in (*PAIRS, "DOGE/USDT", "ADA/EUR")}
    assert first["BTC/USDT"] == synthetic.ORIGIN
    assert first["SOL/USDT"] == datetime(2020, 8, 11, tzinfo=UTC)
    assert first["AVAX/USDT"] == datetime(2020, 9, 22, tzinfo=UTC)
    assert len(set(first.values())) == 5


def test_an_empty_range_gives_an_empty_frame_of_the_same_form():
    source = SampleSource("null", 0)
    for start, end in (
        (START, START - timedelta(hours=1)),
        (datetime(2010, 1, 1, tzinfo=UTC), datetime(2011, 1, 1, tzinfo=UTC)),
    ):
        empty = source.candles("BTC/USDT", "1h", start, end)
        assert empty.empty
        assert (empty.dtypes == source.candles("BTC/USDT", "1h", START, START).dtypes).all()


def test_start_and_end_are_both_included():
    frame = SampleSource("null", 0).candles("BTC/USDT", "4h", START, START + timedelta(hours=8))
    assert list(frame.date) == [START, START + timedelta(hours=4), START + timedelta(hours=8)]
    off_grid = SampleSource("null", 0).candles(
        "BTC/USDT", "4h", START + timedelta(minutes=1), START + timedelta(hours=7)
    )
    assert list(off_grid.date) == [START + timedelta(hours=4)]


# the same market every time


def test_one_seed_gives_the_same_candles_and_another_seed_others():
    def month(kind: str, seed: int) -> pd.DataFrame:
        return SampleSource(kind, seed).candles("BTC/USDT", "1h", START, START + timedelta(days=30))

    first = month("market", 5)
    pd.testing.assert_frame_equal(first, month("market", 5), check_exact=True)
    for kind, seed in (("market", 6), ("null", 5), ("planted", 5)):
        both = first.merge(month(kind, seed), on="date")
        assert len(both) > 650
        assert (both.close_x != both.close_y).mean() > 0.99


def test_known_candles_come_back_on_every_platform():
    frame = SampleSource("market", 7).candles("BTC/USDT", "1h", START, START)
    assert frame.iloc[0, 1:].tolist() == [80416.15, 81456.13, 80161.12, 80219.57, 2205.5677]


def test_a_part_of_the_market_equals_the_slice_of_the_whole():
    source = SampleSource("planted", 2)
    for pair in ("BTC/USDT", "SOL/USDT"):
        whole = source.candles(pair, "1h", synthetic.ORIGIN, END)
        start, end = datetime(2021, 3, 5, 7, tzinfo=UTC), datetime(2021, 9, 1, tzinfo=UTC)
        part = SampleSource("planted", 2).candles(pair, "1h", start, end)
        expected = whole[(whole.date >= start) & (whole.date <= end)].reset_index(drop=True)
        pd.testing.assert_frame_equal(part, expected, check_exact=True)


def test_a_pair_does_not_depend_on_the_pairs_before_it():
    forward, backward = SampleSource("market", 4), SampleSource("market", 4)
    end = START + timedelta(days=20)
    one = {pair: forward.candles(pair, "1h", START, end) for pair in PAIRS}
    other = {pair: backward.candles(pair, "1h", START, end) for pair in reversed(PAIRS)}
    for pair in PAIRS:
        pd.testing.assert_frame_equal(one[pair], other[pair], check_exact=True)


@pytest.mark.parametrize(("fine", "coarse", "rule"), [("5m", "15m", "15min"), ("1h", "4h", "4h"), ("1h", "1d", "1D")])
def test_a_longer_timeframe_is_the_aggregation_of_a_shorter_one(fine, coarse, rule):
    source = SampleSource("market", 1)
    start, end = datetime(2020, 7, 1, tzinfo=UTC), datetime(2021, 6, 30, tzinfo=UTC)
    below = source.candles("SOL/USDT", fine, start, end - timedelta(minutes=1)).set_index("date")
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    expected = below.resample(rule).agg(how).dropna().reset_index()
    above = source.candles("SOL/USDT", coarse, start, end - timedelta(minutes=1))
    pd.testing.assert_frame_equal(above[CANDLE_COLUMNS[:5]], expected[CANDLE_COLUMNS[:5]], check_exact=True)
    np.testing.assert_allclose(above.volume, expected.volume, rtol=1e-12)


# nothing to find, and something to find


def sharpes(market: dict[str, pd.DataFrame], *, fee: float = FEE) -> dict[str, float]:
    """
    Annualised Sharpe ratio by rule; a fifth of the account per pair, held from the open after the signal.

    trend    buys above the highest high of 120 hours, sells below the lowest low of 60.
    knowing  knows the form of the planted drift: the steady-state Kalman-Bucy estimate of the drift is a sum of past
             log returns with exponential weights; buys when it passes half its standard deviation, sells below 0.
    hold     always invested.
    """
    gains: dict[str, list[pd.Series]] = {"trend": [], "knowing": [], "hold": []}
    mean_reversion = np.log(2) / EDGE_HALF_LIFE_DAYS / 24
    decay = np.sqrt(mean_reversion**2 + 2 * mean_reversion * EDGE**2 / (365 * 24))
    for pair, frame in market.items():
        close = frame.close.to_numpy()
        high, low = frame.high.rolling(120).max().shift().to_numpy(), frame.low.rolling(60).min().shift().to_numpy()
        estimate = lfilter([1.0], [1.0, -np.exp(-decay)], np.diff(np.log(close), prepend=np.log(close[0])))
        noise = synthetic._KINDS["null"].calm * synthetic._pair(pair).volatility * np.sqrt(1 / (365 * 24) / (2 * decay))
        for rule, buy, sell in (
            ("trend", close > high, close < low),
            ("knowing", estimate > noise / 2, estimate < 0),
            ("hold", close > 0, close < 0),
        ):
            gains[rule].append(pd.Series(gain(frame, buy, sell, fee), index=frame.date))
    daily = {rule: pd.concat(of, axis=1).fillna(0).sum(axis=1).resample("1D").sum() / 5 for rule, of in gains.items()}
    return {rule: float(day.mean() / day.std() * np.sqrt(365)) for rule, day in daily.items()}


def gain(frame: pd.DataFrame, buy: np.ndarray, sell: np.ndarray, fee: float) -> np.ndarray:
    """Return of each candle from its open to the next, as a fraction, after fees; the signal is the last candle's."""
    held = pd.Series(np.where(buy, 1.0, np.where(sell, 0.0, np.nan))).ffill().shift().fillna(0).to_numpy()
    change = np.append(frame.open.to_numpy()[1:] / frame.open.to_numpy()[:-1] - 1, 0.0)
    return held * change - fee * np.abs(np.diff(held, prepend=0.0))


@pytest.mark.slow
def test_in_the_null_the_variance_of_returns_grows_with_time_alone(nulls):
    """Variance ratios of 1 against k hours, returns scaled by the volatility of the past so that tails weigh little."""
    for hours in (4, 24, 168):
        ratios = []
        for market in nulls:
            for frame in market.values():
                r = returns(frame)
                z = (r / r.rolling(72).std().shift()).dropna().clip(-5, 5).to_numpy()
                sums = np.add.reduceat(z, np.arange(0, len(z) - hours, hours))[:-1]
                ratios.append(sums.var() / (hours * z.var()))
        assert np.mean(ratios) == pytest.approx(1, abs=0.15)


@pytest.mark.slow
def test_in_the_null_the_past_does_not_correlate_with_the_next_return(nulls):
    """
    Past returns, candle shapes, volume and volatility; a correlation that is real shows in the mean over seeds and
    pairs.
    """
    found: dict[str, list[float]] = {}
    for market in nulls:
        for frame in market.values():
            log = np.log(frame[CANDLE_COLUMNS[1:]])
            ahead = log.close.diff().shift(-1) / log.close.diff().rolling(72).std()
            features = {f"return {n}": log.close.diff(n) for n in (1, 6, 24, 168)}
            features |= {"range": log.high - log.low, "volume": log.volume.diff(), "body": log.close - log.open}
            features["wick"] = log.high + log.low - log.open - log.close
            for name, feature in features.items():
                both = pd.concat([feature, ahead.clip(-5, 5)], axis=1).dropna()
                found.setdefault(name, []).append(correlation(both.iloc[:, 0].rank(), both.iloc[:, 1]))
    for name, values in found.items():
        assert abs(np.mean(values)) < 0.008, name


@pytest.mark.slow
def test_in_the_null_the_price_is_a_martingale_not_its_logarithm(nulls):
    """At a volatility so high that a fair logarithm would raise the mean price by 30 % within 100 bars."""
    factor = synthetic._make_factor(synthetic._KINDS["null"], 0, 100)
    wild = synthetic._Pair(20.0, 1.0, 80.0, synthetic.ORIGIN, 6e7)
    last = [
        synthetic._bars(synthetic._KINDS["null"], seed, "NEW/USDT", wild, factor, 100)[3, -1] for seed in range(500)
    ]
    assert np.mean(last) / 10**wild.decimals == pytest.approx(20.0, rel=0.12)
    assert np.mean([returns(frame).mean() for market in nulls for frame in market.values()]) < 0


@pytest.mark.slow
def test_in_the_null_orders_inside_a_candle_are_fair(nulls):
    """Selling at a limit, or at a stop, instead of at the close: nothing is gained or lost on average."""
    for level in (0.005, 0.002, -0.002, -0.005):
        gains = []
        for market in nulls:
            for frame in market.values():
                hit = frame.high >= frame.open * (1 + level) if level > 0 else frame.low <= frame.open * (1 + level)
                gains.append(np.where(hit, 1 + level - frame.close / frame.open, 0.0))
        gains = np.concatenate(gains)
        assert abs(gains.mean() / gains.std()) < 0.007, level


@pytest.mark.slow
def test_rules_earn_nothing_in_the_null_and_the_planted_edge_pays(nulls):
    """Three years have a standard error of 0.6 in one seed, about 0.25 in the mean of six."""
    null = pd.DataFrame([sharpes(market, fee=0.0) for market in nulls]).mean()
    planted = pd.DataFrame([sharpes(hourly("planted", seed)) for seed in range(len(nulls))]).mean()
    assert (null.abs() < 0.6).all()
    assert (planted - null)[["trend", "knowing"]].min() > 0.8
    assert planted[["trend", "knowing"]].min() > 0.5
    assert planted[["trend", "knowing"]].max() < 2.5
    assert abs(planted.hold) < 0.6


def test_planted_differs_from_null_in_its_drift_alone():
    null, planted = (SampleSource(kind, 0) for kind in ("null", "planted"))
    a, b = (source.candles("BTC/USDT", "1h", START, END) for source in (null, planted))
    assert (a.date == b.date).all()
    assert correlation(returns(a), returns(b)) > 0.99
    drift = (returns(b) - returns(a)).rolling(24).mean()[24:]
    assert drift.autocorr(7 * 24) == pytest.approx(0.5, abs=0.25)


# what is refused


@pytest.mark.parametrize(
    ("kind", "seed", "message"),
    [
        ("bull", 0, "'bull'. Known: market, null, planted"),
        ("null", -1, "is -1. Use a whole number"),
        ("null", 1.5, "is 1.5. Use a whole number"),
        ("null", True, "is True. Use a whole number"),
    ],
)
def test_unknown_kinds_and_seeds_are_refused(kind, seed, message):
    with pytest.raises(DataError, match=message):
        SampleSource(kind, seed)


@pytest.mark.parametrize(
    ("pair", "timeframe", "start", "message"),
    [
        ("BTC/USDT", "1m", START, "no '1m' candles, its grid is 5m. Use 5m, 15m"),
        ("BTC/USDT", "1w", START, "no '1w' candles"),
        ("BTC/USDT", "7h", START, "no '7h' candles"),
        ("BTC/USDT", "1h", datetime(2021, 1, 1), "with a timezone"),
        ("BTCUSDT", "1h", START, "Expected BASE/QUOTE"),
    ],
)
def test_impossible_requests_are_refused(pair, timeframe, start, message):
    with pytest.raises(DataError, match=message):
        SampleSource("null", 0).candles(pair, timeframe, start, END)


def test_the_description_builds_the_same_source_again():
    source = SampleSource("planted", 9)
    assert source.label == "sample-planted"
    assert source.description == {"kind": "sample", "market": "planted", "seed": 9}
    again = SampleSource(source.description["market"], source.description["seed"])
    assert again.candles("ETH/USDT", "1d", START, END).equals(source.candles("ETH/USDT", "1d", START, END))


def test_metadata_has_ccxts_fields_and_a_tick_for_every_price_level():
    markets = SampleSource("null", 0).markets((*PAIRS, "DOGE/EUR"))
    assert markets["BTC/USDT"]["precision"] == {"price": 0.01, "amount": 0.00001}
    assert markets["DOGE/EUR"]["quote"] == "EUR"
    for pair, market in markets.items():
        assert market["symbol"] == pair
        assert market["limits"]["cost"]["min"] == 5.0
        assert market["taker"] == market["maker"] == FEE
        assert 1e-7 < market["precision"]["price"] / synthetic._pair(pair).price < 4e-6


def _sharpes_by_fee(kind, fees, seed):
    market = hourly(kind, seed, end=datetime(2025, 12, 31, 23, tzinfo=UTC))
    return {fee: sharpes(market, fee=fee) for fee in fees}


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            "planted",
            {
                0.0: {"knowing": 1.58, "trend": 1.52, "hold": -0.02},
                FEE: {"knowing": 1.41, "trend": 1.31, "hold": -0.02},
            },
        ),
        (
            "null",
            {
                0.0: {"knowing": -0.04, "trend": -0.01, "hold": -0.02},
                FEE: {"knowing": -0.23, "trend": -0.25, "hold": -0.02},
            },
        ),
    ],
)
def test_the_documented_sharpe_ratios_hold(kind, expected):
    """The table in the module's docstring: means over 100 seeds, 2021 to 2025."""
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        found = list(pool.map(partial(_sharpes_by_fee, kind, list(expected)), range(100)))
    for fee, rules in expected.items():
        means = pd.DataFrame([by_fee[fee] for by_fee in found]).mean()
        for rule, value in rules.items():
            assert means[rule] == pytest.approx(value, abs=0.01), (rule, fee)
