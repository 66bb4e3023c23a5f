"""
Draw the sample market beside a real one, and measure both.

Reads   DIR/{BTC,ETH,SOL,BNB,AVAX}_USDT-1h.feather, FreqTrade's layout, for the real side
Writes  docs/sample-market.png, and the table of docs/sample-market.md to stdout
Exits   0, or 2 when a candle file is missing

Usage:
    uv run python docs/sample_market.py --real user_data/data/binance
    uv run python docs/sample_market.py --real user_data/data/binance --seed 3
"""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from arena.preparation.sources.synthetic import SampleSource  # noqa: E402  the script runs from a clone, which is not installed

BASES = ("BTC", "ETH", "SOL", "BNB", "AVAX")
START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2025, 12, 31, 23, tzinfo=UTC)
TWO_WEEKS = 14 * 24
N_SEEDS = 10

Market = dict[str, pd.DataFrame]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True, help="directory of FreqTrade's 1h feather files")
    parser.add_argument("--seed", type=int, default=0, help="of the sample market that is drawn (default: 0)")
    arguments = parser.parse_args()
    try:
        real = {base: _cut(pd.read_feather(arguments.real / f"{base}_USDT-1h.feather")) for base in BASES}
    except FileNotFoundError as error:
        print(f"{error.filename} not found. Give the directory that holds it with --real.", file=sys.stderr)
        return 2
    draw(real, sample(arguments.seed), arguments.seed, ROOT / "docs" / "sample-market.png")
    print(table(real, [sample(seed) for seed in range(N_SEEDS)]))
    return 0


def sample(seed: int) -> Market:
    source = SampleSource("market", seed)
    return {base: _cut(source.candles(f"{base}/USDT", "1h", START, END)) for base in BASES}


def returns(frame: pd.DataFrame) -> pd.Series:
    """Hourly log returns, close to close, by open time; a gap's return is left out, as it spans more than an hour."""
    r = np.log(frame.close).diff()
    return r[frame.index.to_series().diff() == pd.Timedelta(hours=1)]


def autocorrelation(x: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """Shape (lags,), lag 1 first, by FFT; `x` of shape (n,), without nan."""
    x = x - x.mean()
    spectrum = np.abs(np.fft.rfft(x, 2 * len(x))) ** 2
    covariance = np.fft.irfft(spectrum)[: lags + 1]
    return covariance[1:] / covariance[0]


def facts(market: Market) -> dict[str, float]:
    """Means over the pairs; the table's rows."""
    r = {base: returns(frame) for base, frame in market.items()}
    absolute = {base: np.abs(x) for base, x in r.items()}
    acf = {base: autocorrelation(x.to_numpy(), TWO_WEEKS) for base, x in absolute.items()}
    days = [np.log(frame.close.resample("1D").last()).diff().dropna() for frame in market.values()]
    together = pd.DataFrame(r).dropna().corr().to_numpy()[np.triu_indices(len(BASES), 1)]
    size = pd.DataFrame(absolute).mean(axis=1)
    by_hour, by_weekend = size.groupby(size.index.hour).mean(), size.groupby(size.index.day_of_week >= 5).mean()
    dates = market["BTC"].index.to_series().diff()

    def mean(values: object) -> float:
        return float(np.mean(list(values)))

    return {
        "volatility, annualised": mean(x.std() * np.sqrt(365 * 24) for x in r.values()),
        "kurtosis, hourly (normal is 3)": mean(x.kurt() + 3 for x in r.values()),
        "kurtosis, daily": mean(x.kurt() + 3 for x in days),
        "skewness, daily": mean(x.skew() for x in days),
        "autocorrelation of returns, 1 h": mean(x.autocorr(1) for x in r.values()),
        "autocorrelation of absolute returns, 1 h": mean(x[0] for x in acf.values()),
        "… 1 day": mean(x[23] for x in acf.values()),
        "… 1 week": mean(x[167] for x in acf.values()),
        "… 2 weeks": mean(x[335] for x in acf.values()),
        "return and next absolute return": mean(np.corrcoef(x[:-1], x.abs()[1:])[0, 1] for x in r.values()),
        "correlation across pairs, mean": float(together.mean()),
        "… lowest": float(together.min()),
        "… highest": float(together.max()),
        "absolute return, 14 h against 4 h UTC": float(by_hour[14] / by_hour[4]),
        "… weekend against weekdays": float(by_weekend[True] / by_weekend[False]),
        "log volume and log absolute return": mean(
            np.corrcoef(np.log(market[base].volume[x.index] + 1e-9), np.log(x + 1e-5))[0, 1]
            for base, x in absolute.items()
        ),
        "autocorrelation of log volume, 1 day": mean(
            np.log(frame.volume + 1e-9).autocorr(24) for frame in market.values()
        ),
        "high to low over absolute return": mean(
            np.log(f.high / f.low).mean() / absolute[b].mean() for b, f in market.items()
        ),
        "outages a year": float((dates > pd.Timedelta(hours=1)).sum() / ((END - START).days / 365)),
    }


def table(real: Market, samples: list[Market]) -> str:
    """Markdown: the real market, and mean and range over the sample's seeds."""
    left, right = facts(real), pd.DataFrame([facts(market) for market in samples])
    lines = [f"| fact | real | sample, mean of {len(samples)} seeds | lowest to highest |", "|---|---|---|---|"]
    for fact, value in left.items():
        made = right[fact]
        lines.append(f"| {fact} | {value:.2f} | {made.mean():.2f} | {made.min():.2f} to {made.max():.2f} |")
    return "\n".join(lines)


def draw(real: Market, made: Market, seed: int, path: Path) -> None:
    panels = (_prices, _distribution, _memory, _hours, _matrix)
    figure, axes = plt.subplots(
        len(panels), 2, figsize=(11, 17), height_ratios=(1.2, 1, 1, 0.8, 1.1), layout="constrained"
    )
    for row, panel in zip(axes, panels, strict=True):
        for axis, market in zip(row, (real, made), strict=True):
            panel(axis, market)
            axis.spines[["top", "right"]].set_visible(False)
        if panel is not _matrix:
            low, high = zip(*(axis.get_ylim() for axis in row), strict=True)
            plt.setp(row, ylim=(min(low), max(high)))
    axes[0, 0].set_title("real: Binance spot, 2020 to 2025\n\nprice, USDT", fontsize=11)
    axes[0, 1].set_title(f"sample market, seed {seed}\n\nprice, USDT", fontsize=11)
    axes[0, 0].legend(ncols=5, fontsize=8, frameon=False, loc="lower right")
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _prices(axis: plt.Axes, market: Market) -> None:
    for base, frame in market.items():
        axis.semilogy(frame.close.resample("1D").last(), lw=0.9, label=base)
    axis.grid(alpha=0.25)


def _distribution(axis: plt.Axes, market: Market) -> None:
    edges = np.linspace(-15, 15, 121)
    middle = (edges[1:] + edges[:-1]) / 2
    for frame in market.values():
        r = returns(frame)
        density, _ = np.histogram((r - r.mean()) / r.std(), edges, density=True)
        axis.semilogy(middle, np.where(density > 0, density, np.nan), lw=0.9)
    axis.semilogy(middle, norm.pdf(middle), "k--", lw=1, label="normal")
    axis.set(ylim=(1e-5, 2), title="density of standardised hourly returns")
    axis.legend(fontsize=8, frameon=False)


def _memory(axis: plt.Axes, market: Market) -> None:
    lags = np.arange(1, TWO_WEEKS + 1) / 24
    for name, form, colour in (("absolute returns", np.abs, "tab:red"), ("returns", np.asarray, "tab:blue")):
        all_pairs = np.array([autocorrelation(form(returns(frame).to_numpy()), TWO_WEEKS) for frame in market.values()])
        axis.plot(lags, all_pairs.T, lw=0.4, color=colour, alpha=0.25)
        axis.plot(lags, all_pairs.mean(axis=0), lw=1.3, color=colour, label=f"{name}, mean of the pairs")
    axis.axhline(0, color="k", lw=0.6)
    axis.set(title="autocorrelation by lag, days")
    axis.legend(fontsize=8, frameon=False)


def _hours(axis: plt.Axes, market: Market) -> None:
    for frame in market.values():
        size = returns(frame).abs()
        axis.plot(size.groupby(size.index.hour).mean() / size.mean(), lw=0.9)
    axis.set(title="absolute return by hour (UTC), mean is 1", xticks=range(0, 24, 4))
    axis.grid(alpha=0.25)


def _matrix(axis: plt.Axes, market: Market) -> None:
    correlation = pd.DataFrame({base: returns(frame) for base, frame in market.items()}).dropna().corr().to_numpy()
    axis.imshow(correlation, vmin=0, vmax=1, cmap="Blues")
    for (i, j), value in np.ndenumerate(correlation):
        axis.text(j, i, f"{value:.2f}", ha="center", va="center", color="white" if value > 0.6 else "black", fontsize=9)
    axis.set(title="correlation of hourly returns", xticks=range(len(BASES)), yticks=range(len(BASES)))
    axis.set(xticklabels=BASES, yticklabels=BASES)


def _cut(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_index("date").loc[START:END]


if __name__ == "__main__":
    sys.exit(main())
