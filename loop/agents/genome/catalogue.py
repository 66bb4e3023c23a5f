"""
The rules that conditions consist of: indicators with the values that their genes may have.

Texts are templates. `{gene}` is the gene's value. In an expression `[column]` is a column of the rule's own timeframe
and `<column>` one of the other pair's; plain `open` to `volume` and `date` are the traded candles. Each rule has two
expressions: `entry` is true when it favours a position, `exit` when it opposes one.

Look-backs are in candles of the rule's timeframe, so that no rule depends on the length of a candle. Levels are per
cent, deviations or points of an oscillator, so that none depends on a price.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Gene = int | float | str

FAMILIES = ("trend", "breakout", "reversion", "momentum", "volatility", "volume", "relative strength", "calendar")


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of condition."""

    name: str
    family: str  # one of FAMILIES
    # values in order, so that a small step leads to a neighbour; none: the arena supplies them
    genes: Mapping[str, tuple[Gene, ...]]
    entry: str  # expression
    exit: str
    words: str  # what `entry` says
    exit_words: str
    look_back: Callable[[Mapping[str, Any]], int]  # candles until all columns are defined
    columns: Mapping[str, str] = field(default_factory=dict)  # name -> code, on the pair's own candles
    # the same on the candles of the pair that the gene "leader" names
    leader_columns: Mapping[str, str] = field(default_factory=dict)
    base_only: bool = False  # uses the traded candles alone


_TREND = (
    Rule(
        "ema_cross", "trend", {"fast": (5, 8, 12, 20, 30), "slow": (40, 60, 80, 120, 200)},
        "[ema_{fast}] > [ema_{slow}]", "[ema_{fast}] < [ema_{slow}]", "the EMA of {fast} is above that of {slow}",
        "the EMA of {fast} is below that of {slow}", lambda g: g["slow"],
        {"ema_{fast}": "ta.EMA(dataframe, timeperiod={fast})", "ema_{slow}": "ta.EMA(dataframe, timeperiod={slow})"},
    ), Rule(
        "sma_cross", "trend", {"fast": (5, 10, 20, 30), "slow": (40, 50, 100, 150, 200)}, "[sma_{fast}] > [sma_{slow}]",
        "[sma_{fast}] < [sma_{slow}]", "the mean of {fast} closes is above that of {slow}",
        "the mean of {fast} closes is below that of {slow}", lambda g: g["slow"],
        {"sma_{fast}": "ta.SMA(dataframe, timeperiod={fast})", "sma_{slow}": "ta.SMA(dataframe, timeperiod={slow})"},
    ), Rule(
        "above_ema", "trend", {"period": (20, 50, 100, 150, 200)}, "close > [ema_{period}]", "close < [ema_{period}]",
        "the close is above the EMA of {period}", "the close is below the EMA of {period}", lambda g: g["period"],
        {"ema_{period}": "ta.EMA(dataframe, timeperiod={period})"},
    ), Rule(
        "adx", "trend", {"period": (10, 14, 20, 30), "level": (15, 20, 25, 30)},
        "([adx_{period}] > {level}) & ([plus_di_{period}] > "
        "[minus_di_{period}])", "[plus_di_{period}] < [minus_di_{period}]",
        "the ADX of {period} shows a trend above {level}, upwards", "the directional index of {period} points down",
        lambda g: 2 * g["period"],
        {
            "adx_{period}": "ta.ADX(dataframe, timeperiod={period})",
            "plus_di_{period}": "ta.PLUS_DI(dataframe, timeperiod={period})",
            "minus_di_{period}": "ta.MINUS_DI(dataframe, timeperiod={period})",
        },
    ), Rule(
        "macd", "trend", {"fast": (8, 12, 16), "slow": (21, 26, 40), "signal": (5, 9, 12)},
        "[macd_{fast}_{slow}_{signal}] > 0", "[macd_{fast}_{slow}_{signal}] < 0",
        "the MACD of {fast} and {slow} is above its signal line of {signal}",
        "the MACD of {fast} and {slow} is below its signal line of {signal}", lambda g: g["slow"] + g["signal"],
        {"macd_{fast}_{slow}_{signal}": 'ta.MACD(dataframe, fastperiod={fast}, slowperiod={slow}, '
                                        'signalperiod={signal})["macdhist"]'},
    ),
)  # fmt: skip

_BREAKOUT = (
    Rule(
        "donchian", "breakout", {"high": (10, 20, 40, 60, 100), "low": (5, 10, 20, 30, 60)},
        "close > [highest_{high}]", "close < [lowest_{low}]",
        "the close is above the highest high of {high}", "the close is below the lowest low of {low}",
        lambda g: max(g["high"], g["low"]) + 1,
        {
            "highest_{high}": 'dataframe["high"].rolling({high}).max().shift(1)',
            "lowest_{low}": 'dataframe["low"].rolling({low}).min().shift(1)',
        },
    ), Rule(
        "atr_channel", "breakout", {"period": (12, 24, 48, 96), "width": (0.5, 1.0, 1.5, 2.0, 3.0)},
        "close > [sma_{period}] + {width} * [atr_{period}]", "close < [sma_{period}]",
        "the close is more than {width} ATR above the mean of {period}", "the close is below the mean of {period}",
        lambda g: g["period"] + 1,
        {"sma_{period}": "ta.SMA(dataframe, "
                         "timeperiod={period})", "atr_{period}": "ta.ATR(dataframe, timeperiod={period})"},
    ), Rule(
        "squeeze", "breakout", {"period": (14, 20, 30), "usual": (50, 100, 150), "tightness": (0.5, 0.65, 0.8, 0.95)},
        "([band_width_{period}] < {tightness} * [usual_width_{period}_{usual}]) & (close > [band_upper_{period}])",
        "close < [band_middle_{period}]",
        "the close leaves Bollinger bands of {period} upwards that were narrower than {tightness} of their mean of "
        "{usual}",
        "the close is below the middle of the Bollinger bands of {period}",
        lambda g: g["period"] + g["usual"] + 1,
        {
            "band_upper_{period}": 'ta.BBANDS(dataframe, timeperiod={period}, nbdevup=2.0, nbdevdn=2.0)["upperband"]',
            "band_middle_{period}": "ta.SMA(dataframe, timeperiod={period})",
            "band_width_{period}": '((dataframe["band_upper_{period}"] - dataframe["band_middle_{period}"]) / '
                                   'dataframe["close"]).shift(1)',
            "usual_width_{period}_{usual}": 'dataframe["band_width_{period}"].rolling({usual}).mean()',
        },
    ),
)  # fmt: skip

_REVERSION = (
    Rule(
        "rsi", "reversion", {"period": (5, 7, 14, 21), "low": (20, 25, 30, 35, 40, 45), "high": (50, 55, 60, 65, 70)},
        "[rsi_{period}] < {low}", "[rsi_{period}] > {high}", "the RSI of {period} is below {low}",
        "the RSI of {period} is above {high}", lambda g: g["period"] + 1,
        {"rsi_{period}": "ta.RSI(dataframe, timeperiod={period})"},
    ), Rule(
        "bollinger", "reversion", {"period": (14, 20, 30, 50), "width": (1.0, 1.5, 2.0, 2.5)},
        "close < [band_lower_{period}_{width}]", "close > [band_middle_{period}]",
        "the close is below the lower Bollinger band of {period} and {width} "
        "deviations", "the close is above the middle of the Bollinger bands of {period}",
        lambda g: g["period"],
        {
            "band_lower_{period}_{width}": 'ta.BBANDS(dataframe, timeperiod={period}, nbdevup={width}, '
                                           'nbdevdn={width})["lowerband"]',
            "band_middle_{period}": "ta.SMA(dataframe, timeperiod={period})",
        },
    ), Rule(
        "zscore", "reversion",
        {"period": (12, 24, 48, 96, 150), "depth": (1.0, 1.5, 2.0, 2.5), "back": (-0.5, 0.0, 0.5, 1.0)},
        "[zscore_{period}] < -{depth}", "[zscore_{period}] > {back}",
        "the close lies {depth} deviations or more below the mean of {period}",
        "the z-score of {period} is above {back}", lambda g: g["period"],
        {"zscore_{period}": '(dataframe["close"] - dataframe["close"].rolling({period}).mean()) / '
                            'dataframe["close"].rolling({period}).std()'},
    ), Rule(
        "stochastic", "reversion", {"period": (9, 14, 21, 34), "low": (10, 15, 20, 30), "high": (60, 70, 80, 90)},
        "[stochastic_{period}] < {low}", "[stochastic_{period}] > {high}", "the stochastic of {period} is below {low}",
        "the stochastic of {period} is above {high}", lambda g: g["period"] + 4,
        {"stochastic_{period}": 'ta.STOCH(dataframe, fastk_period={period}, slowk_period=3, slowd_period=3)["slowk"]'},
    ),
)  # fmt: skip

_MOMENTUM = (
    Rule(
        "roc", "momentum", {"period": (3, 6, 12, 24, 48, 96, 168), "level": (0.0, 1.0, 2.0, 4.0, 6.0)},
        "[roc_{period}] > {level}", "[roc_{period}] < 0",
        "the price has risen by more than {level} % in {period} candles", "the price has fallen in {period} candles",
        lambda g: g["period"] + 1, {"roc_{period}": "ta.ROC(dataframe, timeperiod={period})"},
    ), Rule(
        "fall", "momentum", {"period": (1, 2, 3, 6, 12, 24), "level": (1.0, 2.0, 3.0, 5.0)},
        "[roc_{period}] < -{level}", "[roc_{period}] > {level}",
        "the price has fallen by more than {level} % in {period} candles",
        "the price has risen by more than {level} % in {period} candles", lambda g: g["period"] + 1,
        {"roc_{period}": "ta.ROC(dataframe, timeperiod={period})"},
    ),
)  # fmt: skip

_ATR = {
    "atr_share_{period}": 'ta.ATR(dataframe, timeperiod={period}) / dataframe["close"]',
    "usual_atr_{period}_{usual}": 'dataframe["atr_share_{period}"].rolling({usual}).median()',
}
_VOLATILITY = (
    Rule(
        "calm", "volatility", {"period": (7, 14, 24), "usual": (50, 100, 168), "ratio": (0.6, 0.8, 1.0, 1.2)},
        "[atr_share_{period}] < {ratio} * [usual_atr_{period}_{usual}]",
        "[atr_share_{period}] > 1.5 * [usual_atr_{period}_{usual}]",
        "the ATR of {period} is below {ratio} of its median of {usual}",
        "the ATR of {period} is above 1.5 of its median of {usual}", lambda g: g["period"] + g["usual"], _ATR,
    ), Rule(
        "lively", "volatility", {"period": (7, 14, 24), "usual": (50, 100, 168), "ratio": (0.8, 1.0, 1.2, 1.5)},
        "[atr_share_{period}] > {ratio} * [usual_atr_{period}_{usual}]",
        "[atr_share_{period}] < 0.75 * [usual_atr_{period}_{usual}]",
        "the ATR of {period} is above {ratio} of its median of {usual}",
        "the ATR of {period} is below 0.75 of its median of {usual}", lambda g: g["period"] + g["usual"], _ATR,
    ),
)  # fmt: skip

_VOLUME = (
    Rule(
        "volume_surge", "volume", {"period": (12, 24, 48, 100), "ratio": (1.2, 1.5, 2.0, 3.0)},
        "[volume_ratio_{period}] > {ratio}", "[volume_ratio_{period}] < 0.5",
        "the volume is above {ratio} of its mean of {period}", "the volume is below half of its mean of {period}",
        lambda g: g["period"],
        {"volume_ratio_{period}": 'dataframe["volume"] / dataframe["volume"].rolling({period}).mean()'},
    ), Rule(
        "volume_flow", "volume", {"period": (12, 24, 48, 100)}, "[volume_flow_{period}] > 0",
        "[volume_flow_{period}] < 0", "candles that rose had more volume than those that fell in {period}",
        "candles that fell had more volume than those that rose in {period}", lambda g: g["period"],
        {"volume_flow_{period}": 'dataframe["volume"].where(dataframe["close"] >= dataframe["open"], '
                                 '-dataframe["volume"]).rolling({period}).sum()'},
    ), Rule(
        "mfi", "volume", {"period": (7, 14, 21), "low": (20, 30, 40), "high": (50, 60, 70, 80)},
        "[mfi_{period}] < {low}", "[mfi_{period}] > {high}", "the money flow of {period} is below {low}",
        "the money flow of {period} is above {high}", lambda g: g["period"] + 1,
        {"mfi_{period}": "ta.MFI(dataframe, timeperiod={period})"},
    ),
)  # fmt: skip

_RELATIVE = (
    Rule(
        "outperforms", "relative strength",
        {"leader": (), "period": (6, 12, 24, 48, 96, 168), "margin": (0.0, 1.0, 2.0, 4.0)},
        "[roc_{period}] > <roc_{period}> + {margin}", "[roc_{period}] < <roc_{period}>",
        "the pair has gained more than {margin} points on {leader} in {period} candles",
        "{leader} has done better than the pair in {period} candles", lambda g: g["period"] + 1,
        {"roc_{period}": "ta.ROC(dataframe, timeperiod={period})"},
        {"roc_{period}": "ta.ROC(dataframe, timeperiod={period})"},
    ), Rule(
        "leader_trend", "relative strength", {"leader": (), "fast": (2, 5, 10, 20), "slow": (30, 50, 100, 200)},
        "<sma_{fast}> > <sma_{slow}>", "<sma_{fast}> < <sma_{slow}>",
        "the mean of {fast} closes of {leader} is above that of {slow}",
        "the mean of {fast} closes of {leader} is below that of {slow}", lambda g: g["slow"], {},
        {"sma_{fast}": "ta.SMA(dataframe, timeperiod={fast})", "sma_{slow}": "ta.SMA(dataframe, timeperiod={slow})"},
    ),
)  # fmt: skip

_CALENDAR = (
    Rule(
        "hours", "calendar", {"start": (0, 4, 8, 12, 16, 20), "length": (4, 8, 12)}, "(hour - {start}) % 24 < {length}",
        "(hour - {start}) % 24 >= {length}", "the candle opens in the {length} hours from {start}:00 UTC on",
        "the {length} hours from {start}:00 UTC on are over", lambda g: 1, base_only=True,
    ), Rule(
        "weekdays", "calendar", {"start": (0, 1, 2, 3, 4, 5, 6), "length": (1, 2, 3, 5)},
        "(weekday - {start}) % 7 < {length}", "(weekday - {start}) % 7 >= {length}",
        "the candle opens in the {length} days from weekday {start} on (Monday is 0)",
        "the {length} days from weekday {start} on are over (Monday is 0)", lambda g: 1, base_only=True,
    ),
)  # fmt: skip

RULES = {
    rule.name: rule
    for rule in (*_TREND, *_BREAKOUT, *_REVERSION, *_MOMENTUM, *_VOLATILITY, *_VOLUME, *_RELATIVE, *_CALENDAR)
}
