"""
Indicators by name, and which of them a strategy's text shows.

This scan of names misses what is computed by hand, under another name or in a loop, and counts what is computed but
never used. It tells a person and an agent whether a wish was understood; it does not guard anything that a lie could
gain.
"""

import ast
from collections.abc import Mapping
from difflib import get_close_matches

from loop.agents.source_text import parsed

TALIB = (
    "AC ACCBANDS AD ADOSC ADR ADX ADXR AO APO AROON AROONOSC ATR AVGDEV BBANDS BETA BOP CCI CMF CMO COPPOCK CORREL CVI "
    "DEMA DONCHIAN DPO DX "
    "EFI EMA ER ERI FOSC FRACTAL HA HMA HT_DCPERIOD HT_SINE HT_TRENDLINE HT_TRENDMODE IMI KAMA KC KDJ LINEARREG "
    "LINEARREG_SLOPE MA MACD MACDEXT "
    "MACDFIX MAMA MASSI MFI MIDPOINT MIDPRICE MINUS_DI MOM NATR NVI OBV PERCENTRANK PLUS_DI PPO PVI PVO PVT QSTICK RMA "
    "ROC ROCP ROCR RSI RVI RVOL "
    "SAR SAREXT SMA SMI STDDEV STOCH STOCHF STOCHRSI SUPERTREND T3 TEMA TRANGE TRIMA TRIX TSF TSI ULTOSC VAR VHF "
    "VORTEX VWAP VWMA WAD WILLR WMA ZLEMA"
).split()
"""Functions of TA-Lib that are indicators: no candle patterns and no arithmetic."""
SHOWN_BY: Mapping[str, tuple[frozenset[str], ...]] = {
    **{name: (frozenset({name.lower()}),) for name in TALIB},
    "BBANDS": (frozenset({"bbands"}), frozenset({"bollinger_bands"}), frozenset({"rolling", "std"})),
    "DONCHIAN": (frozenset({"donchian"}), frozenset({"rolling", "max"}), frozenset({"rolling", "min"})),
    "EMA": (frozenset({"ema"}), frozenset({"ewm"})),
    "HOUR": (frozenset({"hour"}),),
    "ICHIMOKU": (frozenset({"ichimoku"}),),
    "ROC": (frozenset({"roc"}), frozenset({"rocp"}), frozenset({"pct_change"})),
    "SMA": (frozenset({"sma"}), frozenset({"rolling", "mean"})),
    "STDDEV": (frozenset({"stddev"}), frozenset({"std"})),
    "VOLUME": (frozenset({"volume"}),),
    "WEEKDAY": (frozenset({"dayofweek"}), frozenset({"weekday"}), frozenset({"day_name"})),
    "ZSCORE": (frozenset({"zscore"}), frozenset({"rolling", "mean", "std"})),
}
"""
Indicator -> sets of lower-case names (functions, methods, attributes, columns); any complete set shows the indicator.
"""
ALSO = {
    "BOLLINGER": "BBANDS", "BOLLINGER BANDS": "BBANDS", "DONCHIAN CHANNEL": "DONCHIAN", "KELTNER": "KC",
    "MOMENTUM": "MOM", "MONEY FLOW": "MFI", "PARABOLIC SAR": "SAR", "STOCHASTIC": "STOCH", "Z-SCORE": "ZSCORE",
}  # fmt: skip
"""Other names of indicators."""
VOLATILITY = ("ATR", "NATR", "TRANGE", "STDDEV", "BBANDS", "ADR", "CVI", "VAR")
"""Indicators that say how much a price moves."""


def named(text: str) -> str:
    """Returns the indicator's name in SHOWN_BY. Raises ValueError with the nearest known one."""
    name = " ".join(text.upper().split())
    name = ALSO.get(name, name)
    if name not in SHOWN_BY:
        near = get_close_matches(name, [*SHOWN_BY, *ALSO], n=1, cutoff=0.5)
        raise ValueError(
            f"{text!r} is no indicator that is known here"
            + (f". Did you mean {near[0]!r}?" if near else ": use TA-Lib's names, such as RSI, EMA, ATR")
        )
    return name


def shown(source: str) -> frozenset[str]:
    """Returns the indicators that a strategy's text shows; none for text that is not Python."""
    tree = parsed(source)
    names = frozenset(name.lower() for node in ast.walk(tree) for name in _names(node)) if tree else frozenset()
    return frozenset(indicator for indicator, ways in SHOWN_BY.items() if any(way <= names for way in ways))


def _names(node: ast.AST) -> list[str]:
    """Returns names that are called, taken as an attribute, or looked up as a column or by a TA-Lib name."""
    if isinstance(node, ast.Attribute):
        return [node.attr]
    if isinstance(node, ast.Call):
        called = (
            node.func.attr
            if isinstance(node.func, ast.Attribute)
            else node.func.id
            if isinstance(node.func, ast.Name)
            else ""
        )
        texts = [
            argument.value
            for argument in node.args
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
        ]
        return [called, *(texts if called == "Function" else ())]
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        return [node.slice.value] if node.slice.value == "volume" else []
    return []
