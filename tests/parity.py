"""
FreqTrade itself against the compiled replay and its twin: every figure of every trade, of many strategies on one
market.

A process of its own, because FreqTrade keeps its trades in classes and its markets in patched methods. Prints JSON: for
each case the number of trades, their reasons, and what differs.

Usage: python tests/parity.py CANDLES SCRATCH CASE ...; CANDLES holds feather files by pair and timeframe and
markets.json.
"""

import argparse
import contextlib
import copy
import json
import logging
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]

from arena.accounting.replay import reference, simulator
from arena.accounting.replay.simulator import ENTER, ENTERING, EXIT, REASONS, ReplayInput
from arena.market import candles

TAGS = {
    "signal": "exit_signal",
    "stop": "stop_loss",
    "roi": "roi",
    "trailing": "trailing_stop_loss",
    "forced": "force_exit",
}
BOOK = {"price_side": "other", "use_order_book": False, "order_book_top": 1}
CONFIG = {
    "stake_currency": "USDT", "stake_amount": "unlimited", "dry_run_wallet": 10000, "tradable_balance_ratio": 0.99,
    "max_open_trades": 3, "timeframe": "1h", "fee": 0.001, "trading_mode": "spot", "dry_run": True,
    "entry_pricing": BOOK, "exit_pricing": BOOK, "pairlists": [{"method": "StaticPairList"}],
    "dataformat_ohlcv": "feather", "unfilledtimeout": {"entry": 10, "exit": 10, "unit": "minutes"},
}  # fmt: skip
TWIN_TRADES = 400
"""With at most this many trades the twin is compared too."""
STRATEGY = '''\
import numpy as np
from freqtrade.strategy import IStrategy


class Base(IStrategy):
    """Signals by a coin. What each case changes stands in its class."""

    timeframe = "1h"
    startup_candle_count = 50
    minimal_roi = {}
    stoploss = -0.99
    seed, enter, leave, both, odd, sized = 1, 0.02, 0.02, 0.0, 0.0, "no"

    def coin(self, dataframe, metadata, k):
        return np.random.default_rng([self.seed, k, sum(map(ord, metadata["pair"]))]).random(len(dataframe))

    def populate_indicators(self, dataframe, metadata):
        if self.sized != "no":
            dataframe["size"] = np.round(0.05 + 2 * self.coin(dataframe, metadata, 0) ** 3, 3)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        draw = self.coin(dataframe, metadata, 1)
        dataframe.loc[draw < self.enter, "enter_long"] = 1
        dataframe.loc[draw > 1 - self.odd, "enter_long"] = 2
        dataframe.loc[draw < self.enter / 2, "enter_tag"] = "a"
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        draw = self.coin(dataframe, metadata, 2)
        dataframe.loc[draw < self.leave, "exit_long"] = 1
        dataframe.loc[draw < self.leave / 2, "exit_tag"] = "out"
        dataframe.loc[(self.coin(dataframe, metadata, 3) < self.both) & (dataframe.get("enter_long") == 1), "exit_long"] = 1
        return dataframe


class Sized(Base):
    sized = "bare"

    def custom_stake_amount(self, pair, current_time, current_rate, proposed_stake, min_stake, max_stake, leverage, entry_tag, side, **kwargs):
        size = self.dp.get_analyzed_dataframe(pair, self.timeframe)[0]["size"].iloc[-1]
        stake = proposed_stake * float(size)
        return max(min_stake or 0, min(max_stake, stake)) if self.sized == "clamped" else stake
'''


@dataclass(frozen=True, slots=True)
class Case:
    """One strategy on one market with one account. What is not named is as in STRATEGY and CONFIG."""

    strategy: dict[str, Any] = field(default_factory=dict)  # attributes of its class
    config: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)  # of all markets, as `_limited` takes them
    market: str = "as it was"  # of MARKETS
    timeframe: str = "1h"
    timerange: str = "20210101-20210701"
    no_ticks: bool = False  # the exchange's own ticks in place of those by month

    def source(self, name: str) -> str:
        lines = [f"{key} = {value!r}" for key, value in ({"timeframe": self.timeframe} | self.strategy).items()]
        return (
            f"\n\nclass {name}({'Sized' if self.strategy.get('sized', 'no') != 'no' else 'Base'}):\n    "
            + "\n    ".join(lines)
            + "\n"
        )


def _late_and_early(frame: pd.DataFrame, number: int) -> pd.DataFrame:
    """Pairs that begin and end inside the range, one with candles missing."""
    begin = ["2020", "2021-02-10 07:00", "2020", "2021-03-03", "2021-05-01 13:00"][number]
    end = ["2023", "2023", "2021-04-20 11:00", "2021-05-02", "2023"][number]
    kept = frame.loc[(frame["date"] >= pd.Timestamp(begin, tz="UTC")) & (frame["date"] < pd.Timestamp(end, tz="UTC"))]
    return kept.loc[~kept["date"].between("2021-03-20", "2021-03-22")].reset_index(drop=True)


def _rounded(frame: pd.DataFrame, decimals: "pd.Series[int]") -> pd.DataFrame:
    scale = 10.0 ** decimals.to_numpy()[:, None]
    frame[candles.PRICES] = np.maximum(np.rint(frame[candles.PRICES].to_numpy() * scale), 1.0) / scale
    return frame


def _coarse(frame: pd.DataFrame, number: int) -> pd.DataFrame:
    """
    Prices about 1 to 10 with two decimals in even months and five in odd ones, and candles that stand still: on the
    tick of the month in which a trade was opened its exit may lie off the candle.
    """
    frame[candles.PRICES] /= 10.0 ** np.floor(np.log10(frame["close"].median()))
    return _still(_rounded(frame, (frame["date"].dt.month % 2).map({0: 2 - number % 2, 1: 5})), number)


def _cheap(frame: pd.DataFrame, number: int) -> pd.DataFrame:
    """Prices of a hundred-thousandth, with eight decimals."""
    frame[candles.PRICES] /= 1e6
    return _rounded(frame, pd.Series(8, frame.index))


def _still(frame: pd.DataFrame, number: int) -> pd.DataFrame:
    """One candle in three trades at its open alone."""
    flat = frame.index.to_numpy() % 3 == number % 3
    for column in ("high", "low", "close"):
        frame.loc[flat, column] = frame.loc[flat, "open"]
    return frame


MARKETS = {
    "as it was": lambda frame, number: frame, "late and early": _late_and_early, "coarse": _coarse,
    "cheap": _cheap, "still": _still,
}  # fmt: skip
ROI = {"0": 0.05, "60": 0.03, "240": 0.01, "1440": 0}
TRAIL = {
    "trailing_stop": True,
    "stoploss": -0.08,
    "trailing_stop_positive": 0.01,
    "trailing_stop_positive_offset": 0.02,
}
ONLY = TRAIL | {
    "trailing_stop_positive": 0.005,
    "trailing_stop_positive_offset": 0.015,
    "trailing_only_offset_is_reached": True,
    "enter": 0.2,
}
WHOLE = {"amount": 1.0, "amount.min": 1.0, "amount.max": None, "price": 1e-8}
CASES = {
    "signals alone": Case(),
    "stop": Case({"stoploss": -0.03}),
    "tight stop": Case({"stoploss": -0.002, "enter": 0.3}),
    "roi ladder": Case({"minimal_roi": ROI, "stoploss": -0.1}),
    "roi that falls below "
    "zero": Case({"minimal_roi": {"0": 0.002, "30": 0.001, "90": -0.001, "300": -1}, "stoploss": -0.05, "enter": 0.3}),
    "roi that ends it": Case({"minimal_roi": {"600": -1}, "stoploss": -0.2, "use_exit_signal": False, "enter": 0.1}),
    "odd minutes": Case({"minimal_roi": {"45": 0.01, "150": 0.005, "720": -0.5, "1000": -1}, "use_exit_signal": False, "enter": 0.1}),
    "roi at once": Case({"minimal_roi": {"0": 0.0}, "enter": 0.3}),
    "trailing": Case({"trailing_stop": True, "stoploss": -0.04}),
    "trailing positive": Case(TRAIL),
    "trailing at once": Case(TRAIL | {"trailing_stop_positive_offset": 0.0, "trailing_stop_positive": 0.02, "enter": 0.2, "leave": 0}),
    "trailing after its offset": Case(ONLY),
    "trailing after no offset": Case(ONLY | {"trailing_stop_positive_offset": 0.0}),
    "trailing and roi": Case(ONLY | {"minimal_roi": {"0": 0.012, "120": 0.006}, "enter": 0.3}),
    "very tight trailing": Case(ONLY | {"trailing_stop_positive": 0.0005, "trailing_stop_positive_offset": 0.001, "enter": 0.5}),
    "profit only": Case({"exit_profit_only": True, "exit_profit_offset": 0.01, "stoploss": -0.15, "leave": 0.1}),
    "profit only from zero": Case({"exit_profit_only": True, "leave": 0.3}),
    "roi is ignored while it "
    "enters": Case({"ignore_roi_if_entry_signal": True, "minimal_roi": {"0": 0.01}, "stoploss": -0.05, "enter": 0.4}),
    "odd entries ignore roi": Case({"ignore_roi_if_entry_signal": True, "minimal_roi": {"0": 0.01}, "stoploss": -0.05, "odd": 0.4, "both": 0.3}),
    "no exit signal": Case({"use_exit_signal": False, "stoploss": -0.06, "minimal_roi": {"0": 0.06}}),
    "dense": Case({"enter": 0.7, "leave": 0.6, "stoploss": -0.01, "minimal_roi": {"0": 0.01}, "both": 0.2}),
    "hold": Case({"enter": 0.01, "leave": 0.0}),
    "market orders": Case(ONLY | {"order_types": {"entry": "market", "exit": "market", "stoploss": "market", "stoploss_on_exchange": False}}),
    "no startup": Case({"startup_candle_count": 0, "stoploss": -0.03}),
    "everything": Case(ONLY | {"minimal_roi": ROI | {"600": -1}, "exit_profit_only": True, "exit_profit_offset": 0.005, "leave": 0.3, "both": 0.2}),
    "one slot": Case({"stoploss": -0.03, "enter": 0.1}, {"max_open_trades": 1}),
    "five slots": Case(ONLY, {"max_open_trades": 5}),
    "fixed stake": Case({"stoploss": -0.03, "enter": 0.1}, {"stake_amount": 100}),
    "fixed stake that "
    "runs out": Case({"stoploss": -0.02, "enter": 0.3}, {"stake_amount": 3500, "max_open_trades": 5, "fee": 0.004}),
    "no limit of slots": Case({"stoploss": -0.03, "enter": 0.1}, {"stake_amount": 2400.5, "max_open_trades": -1}),
    "no fee": Case(ONLY, {"fee": 0.0}),
    "high fee": Case({"minimal_roi": ROI, "enter": 0.1}, {"fee": 0.01}),
    "odd fee": Case({"minimal_roi": ROI, "stoploss": -0.04}, {"fee": 0.00075}),
    "whole balance": Case({"stoploss": -0.03, "enter": 0.2}, {"tradable_balance_ratio": 1.0, "max_open_trades": 1}),
    "half the balance": Case(TRAIL, {"tradable_balance_ratio": 0.5}),
    "tiny wallet": Case({"stoploss": -0.03, "enter": 0.1}, {"dry_run_wallet": 17.3}),
    "wallet that dies": Case({"stoploss": -0.03, "enter": 0.3, "leave": 0.5}, {"dry_run_wallet": 20, "fee": 0.01}),
    "odd wallet": Case(ONLY, {"dry_run_wallet": 1234.56789}),
    "smallest cost binds": Case({"stoploss": -0.03, "enter": 0.1}, {"dry_run_wallet": 30}, {"cost.min": 10.0}),
    "smallest amount "
    "binds": Case({"stoploss": -0.03, "enter": 0.1}, {"dry_run_wallet": 1000, "amount_reserve_percent": 0.3}, {"amount.min": 0.01}),
    "largest stake binds": Case({"stoploss": -0.03, "enter": 0.1}, {}, {"cost.max": 1500.0, "amount.max": 0.05}),
    "no limits": Case(ONLY, {}, {"cost.min": None, "cost.max": None, "amount.min": None, "amount.max": None}),
    "sized": Case({"sized": "bare", "stoploss": -0.03}),
    "sized and clamped": Case({"sized": "clamped", "stoploss": -0.03, "enter": 0.1}),
    "sized in a tiny wallet": Case({"sized": "bare", "stoploss": -0.05, "enter": 0.1}, {"dry_run_wallet": 60}),
    "clamped in a tiny wallet": Case({"sized": "clamped", "stoploss": -0.05, "enter": 0.1}, {"dry_run_wallet": 60}),
    "sized from a fixed stake": Case({"sized": "bare", "enter": 0.1}, {"stake_amount": 900, "max_open_trades": -1}),
    "late and early": Case({"stoploss": -0.04, "enter": 0.05, "leave": 0.01}, market="late and early"),
    "late and early, trailing": Case(ONLY, {"max_open_trades": 5}, market="late and early"),
    "late and early, held": Case({"leave": 0.0}, {"max_open_trades": 5}, market="late and early"),
    "coarse ticks": Case(ONLY | {"minimal_roi": ROI}, market="coarse"),
    "coarse ticks, stop": Case({"stoploss": -0.01, "enter": 0.1, "leave": 0.2}, market="coarse"),
    "coarse ticks, held": Case({"trailing_stop": True, "stoploss": -0.2, "leave": 0.003}, {"max_open_trades": 5}, market="coarse"),
    "coarse ticks, roi": Case({"minimal_roi": {"0": 0.07, "2880": 0.013, "7000": -1}, "stoploss": -0.15, "leave": 0.004}, market="coarse",
                              timerange="20210101-20210610"),
    "coarse ticks, signals": Case({"enter": 0.1, "leave": 0.01}, {"max_open_trades": 5}, market="coarse", timerange="20210101-20210528"),
    "coarse ticks, profit " "only": Case({"enter": 0.1, "leave": 0.05, "exit_profit_only": True}, market="coarse", timerange="20210101-20210528"),
    "cheap": Case(ONLY, {}, WHOLE, market="cheap"),
    "cheap, stop": Case({"stoploss": -0.03, "minimal_roi": ROI}, {}, WHOLE, market="cheap"),
    "still": Case(TRAIL | {"minimal_roi": ROI}, market="still"),
    "four hours": Case(ONLY | {"minimal_roi": ROI | {"480": 0.004, "700": -1}}, timeframe="4h", timerange="20210101-20220601"),
    "days": Case(TRAIL | {"minimal_roi": {"0": 0.2, "1440": 0.1, "4000": -1}}, timeframe="1d", timerange="20210301-20220601"),
    "ticks of the exchange": Case(ONLY | {"minimal_roi": ROI}, {}, {"price": 0.1}, no_ticks=True),
    "no ticks at all": Case({"enter": 0.05, "leave": 0.1}, {}, {"price": None}, no_ticks=True),
    "a year": Case(TRAIL | {"minimal_roi": ROI}, timerange="20210101-20220101"),
    "open ends": Case(TRAIL | {"minimal_roi": ROI}, timerange="20211201-"),
}  # fmt: skip


def _drawn(number: int) -> Case:
    """Any of all that at once, by a seed."""
    rng = np.random.default_rng(number)

    def pick(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    strategy: dict[str, Any] = {"seed": number, "stoploss": pick(-0.005, -0.03, -0.1, -0.5)}
    strategy |= {"enter": pick(0.01, 0.05, 0.3), "leave": pick(0, 0.01, 0.1), "both": pick(0.0, 0.3)}
    strategy |= {"odd": pick(0.0, 0.1), "sized": pick("no", "no", "bare", "clamped")}
    strategy["minimal_roi"] = pick(
        {}, ROI, {"0": 0.02, "90": 0.004, "600": -1}, {"37": 0.03, "240": -0.01, "1000": -1}, {"0": 10}
    )
    trail, only = ({k: v for k, v in of.items() if k.startswith("trailing")} for of in (TRAIL, ONLY))
    strategy |= pick({}, {"trailing_stop": True}, trail, only)
    strategy |= {
        "exit_profit_only": pick(False, True),
        "exit_profit_offset": pick(0.0, 0.01, -0.02),
        "use_exit_signal": pick(True, True, False),
    }
    strategy |= {"ignore_roi_if_entry_signal": pick(False, True)}
    config = {
        "max_open_trades": pick(1, 2, 4, 5),
        "fee": pick(0.0, 0.00075, 0.001, 0.005, 0.01),
        "dry_run_wallet": pick(55, 1000, 77777.77),
    }
    config |= pick({}, {"stake_amount": 21.7}, {"stake_amount": 333, "max_open_trades": -1}) | {
        "tradable_balance_ratio": pick(0.99, 1.0, 0.7)
    }
    limits = pick({}, {"cost.min": 10.0}, {"cost.max": 400.0}, {"amount.min": None, "cost.min": None})
    market, timerange = (
        pick(*(name for name in MARKETS if name != "cheap")),
        pick("20210101-20210501", "20210215-20210615"),
    )
    return Case(strategy, config, limits, market, timerange=timerange)


CASES |= {f"drawn {number}": _drawn(number) for number in range(60)}


class Bench:
    """FreqTrade, offline, on folders of candles that are made once a market."""

    def __init__(self, folder: Path, scratch: Path, names: list[str]) -> None:
        import freqtrade.data.btanalysis  # noqa: F401  first: it resolves an import cycle of FreqTrade's
        import freqtrade.optimize.backtesting as engine

        self.folder, self.scratch, self.engine = folder, scratch, engine
        self.markets = json.loads((folder / "markets.json").read_text())
        self.ticks: dict[Any, Any] = {}
        self.exchanges: dict[str, Any] = {}
        self.slow_ticks = engine.get_tick_size_over_time
        engine.get_tick_size_over_time = self.tick_sizes
        strategies = scratch / "strategies"
        strategies.mkdir(parents=True, exist_ok=True)
        classes = [CASES[name].source(f"Case{k}") for k, name in enumerate(names)]
        (strategies / "Cases.py").write_text(STRATEGY + "".join(classes))

    def tick_sizes(self, frame: pd.DataFrame) -> Any:
        """FreqTrade's own figures, computed once a frame: they take most of the time."""
        key = (
            len(frame),
            frame["date"].iloc[0],
            *frame.iloc[[0, -1]][["open", "close"]].to_numpy().ravel(),
            frame["close"].sum(),
        )
        if key not in self.ticks:
            self.ticks[key] = self.slow_ticks(frame.copy())
        return self.ticks[key]

    def data(self, case: Case) -> Path:
        """The folder of a case's candles."""
        made = self.scratch / f"{case.market} {case.timeframe}"
        if not made.exists():
            made.mkdir()
            for file in sorted(self.folder.glob("*-1h.feather")):
                frame = candles.resample(pd.read_feather(file), case.timeframe)
                frame = MARKETS[case.market](
                    frame.loc[frame["date"] < "2022-07-01"].reset_index(drop=True), len(list(made.iterdir()))
                )
                frame.to_feather(made / file.name.replace("-1h", f"-{case.timeframe}"))
        return made

    def backtesting(self, case: Case, name: str) -> Any:
        from freqtrade.configuration import Configuration
        from freqtrade.enums import RunMode
        from freqtrade.exchange import Exchange
        from freqtrade.resolvers import ExchangeResolver

        exchange = {"name": "binance", "pair_whitelist": list(self.markets)}
        raw = copy.deepcopy({**CONFIG, "exchange": exchange, **case.config, "timeframe": case.timeframe})
        file = self.scratch / "config.json"
        file.write_text(json.dumps(raw))
        arguments = {
            "config": [str(file)], "user_data_dir": str(self.scratch), "datadir": str(self.data(case)),
            "strategy": name, "strategy_path": str(self.scratch / "strategies"), "timerange": case.timerange,
            "export": "none", "exportfilename": None, "cache": "none",
        }  # fmt: skip
        config = Configuration(arguments, RunMode.BACKTEST).get_config()
        logging.disable(logging.CRITICAL)
        key = json.dumps(case.limits)
        if key not in self.exchanges:
            markets = {pair: _limited(market, case.limits) for pair, market in self.markets.items()}
            Exchange._load_async_markets = lambda exchange, reload=False: exchange._api_async.set_markets(
                list(markets.values())
            )
            self.exchanges[key] = ExchangeResolver.load_exchange(config, load_leverage_tiers=True)
        self.exchanges[key]._config = config
        return self.engine.Backtesting(config, self.exchanges[key])

    def compare(self, case: Case, name: str) -> dict[str, Any]:
        made = self.backtesting(case, name)
        made.progress, made._is_backtest_runmode = None, False
        rows, processed, stops = _watch(made)
        data, timerange = made.load_bt_data()
        if case.no_ticks:
            made.price_pair_prec = {}
        made.backtest_one_strategy(made.strategylist[0], data, timerange)
        content = made.all_bt_content[made.strategy.get_strategy_name()]
        course, tags = course_of(made, rows, processed)
        start = (
            min(int(frame["date"].iloc[0].timestamp()) for frame in processed.values() if len(frame))
            + made.timeframe_secs
        )
        content |= {"pairs": list(rows), "start_s": start, "step_s": made.timeframe_secs}
        account = simulator.account(
            float(made.config["dry_run_wallet"]), made.config["tradable_balance_ratio"],
            None if made.config["stake_amount"] == "unlimited" else made.config["stake_amount"],
            made.strategy.max_open_trades, made.fee,
            amount_reserve_percent=made.config.get("amount_reserve_percent", 0.05),
        )  # fmt: skip
        rules = rules_of(made)
        found: dict[str, Any] = {"trades": len(content["results"]), "differences": [], "unfilled": int(content["timedout_exit_orders"]),
                                 "rejected": int(content["rejected_signals"])}  # fmt: skip
        if (why := simulator.refusal(course, account, rules)) is not None:
            return found | {"differences": [f"refused: {why}"]}
        try:
            ours = simulator.replay(course, account, rules)
        except simulator.ReplayError as error:
            left = len(self.engine.LocalTrade.bt_trades_open)
            return found | {"raised": str(error), "left_open": left}
        found["reasons"] = {REASONS[k]: int((ours.reason == k).sum()) for k in range(len(REASONS))}
        found["differences"] += differences(self.engine.LocalTrade.bt_trades, content, stops, course, tags, ours)
        if len(ours.pair) <= TWIN_TRADES:
            twin = reference.replay(course, account, rules)
            fields = ours.__dataclass_fields__
            found["differences"] += [
                f"twin: {f}" for f in fields if not np.array_equal(getattr(ours, f), getattr(twin, f), equal_nan=True)
            ]
            found["twin"] = True
        return found


def _limited(market: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
    """A market with other limits or precision: {"cost.min": 10.0, "step": 1.0}."""
    market = copy.deepcopy(market)
    for path, value in limits.items():
        if path in ("price", "amount"):
            market["precision"][path] = value
        else:
            kind, end = path.split(".")
            market["limits"][kind][end] = value
    return market


def _watch(made: Any) -> tuple[dict, dict, dict]:
    """
    Fills as the backtest runs: FreqTrade's own rows, the frames behind them, each trade's stop before its exit's
    candle.
    """
    rows: dict[str, list] = {}
    frames: dict[str, pd.DataFrame] = {}
    stops: dict[int, float] = {}
    as_lists, set_strategy = made._get_ohlcv_as_lists, made._set_strategy

    def watched(processed: dict[str, pd.DataFrame]) -> dict[str, list]:
        rows.update(as_lists(processed))
        frames.update(processed)
        return rows

    def watching(strategy: Any) -> None:
        set_strategy(strategy)
        should_exit = strategy.should_exit

        def noted(trade: Any, *args: Any, **more: Any) -> Any:
            stops[trade.id] = trade.stop_loss
            return should_exit(trade, *args, **more)

        strategy.should_exit = noted

    made._get_ohlcv_as_lists, made._set_strategy = watched, watching
    return rows, frames, stops


def course_of(
    made: Any, rows: dict[str, list], frames: dict[str, pd.DataFrame]
) -> tuple[ReplayInput, tuple[list, list]]:
    """The rows that FreqTrade simulated as a Course, and the entry and exit tags by pair and column."""
    step_s, pairs = made.timeframe_secs, list(rows)
    times = {pair: np.array([int(row[0].timestamp()) for row in rows[pair]], dtype=np.int64) for pair in pairs}
    starts = [int(frame["date"].iloc[0].timestamp()) for frame in frames.values() if len(frame)]
    ends = [int(frame["date"].iloc[-1].timestamp()) for frame in frames.values() if len(frame)]
    start, n = min(starts) + step_s, (max(ends) - min(starts)) // step_s
    prices = [np.full((len(pairs), n), np.nan) for _ in range(4)]
    flags, first, end = (
        np.zeros((len(pairs), n), np.uint8),
        np.zeros(len(pairs), np.int64),
        np.zeros(len(pairs), np.int64),
    )
    scale = np.full((len(pairs), n), np.nan) if "size" in next(iter(frames.values())) else np.ones((1, 1))
    tags = [[None] * n for _ in pairs], [[None] * n for _ in pairs]
    for p, pair in enumerate(pairs):
        if not rows[pair]:
            continue
        a = int(times[pair][0] - start) // step_s
        assert (np.diff(times[pair]) == step_s).all() and a >= 0, "a gap, or a candle before the start"
        b = a + len(rows[pair])
        first[p], end[p] = a, b
        columns = list(zip(*rows[pair], strict=True))
        for table, column in zip(prices, columns[1:5], strict=True):
            table[p, a:b] = column
        enter, leave = (np.array(columns[k], dtype=float) for k in (5, 6))
        flags[p, a:b] = (
            ((enter == 1) & (leave != 1)) * ENTER | ((leave != 0) & (enter == 0)) * EXIT | (enter != 0) * ENTERING
        )
        tags[0][p][a:b], tags[1][p][a:b] = columns[9], columns[10]
        if scale.size > 1:
            scale[p, a:b] = frames[pair]["size"].to_numpy()[:-1]
    limits = [made.exchange.markets[pair]["limits"] for pair in pairs]
    tick, month = ticks_of(made, pairs, start + step_s * np.arange(n, dtype=np.int64))
    bounds = [
        np.array([_or_nan(of[kind][which]) for of in limits]) for kind in ("cost", "amount") for which in ("min", "max")
    ]
    step = np.array([per_unit(made.exchange.get_precision_amount(pair)) for pair in pairs])
    return ReplayInput(*prices, flags, first, end, tick, month, step, *bounds, scale), tags


def ticks_of(made: Any, pairs: list[str], seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What Backtesting.get_pair_precision says in each month, and the month of each candle."""
    dates = pd.to_datetime(seconds, unit="s", utc=True)
    months = (dates.year * 12 + dates.month - 1).to_numpy(dtype=np.int64)
    tick = np.zeros((len(pairs), int(months[-1] - months[0]) + 1))
    for column in range(tick.shape[1]):
        year, at = divmod(int(months[0]) + column, 12)
        for p, pair in enumerate(pairs):
            tick[p, column] = per_unit(
                made.get_pair_precision(pair, pd.Timestamp(year=year, month=at + 1, day=1, tz="UTC"))[0]
            )
    return tick, months - months[0]


def per_unit(size: float | None) -> float:
    """Steps per unit of 0.01 are 100.0; of none 0.0."""
    return 0.0 if size is None else float(round(1 / float(size)))


def _or_nan(limit: float | None) -> float:
    return np.nan if limit is None else float(limit)


def rules_of(made: Any) -> simulator.Rules:
    s, sized = made.strategy, getattr(made.strategy, "sized", "no")
    return simulator.rules(
        s.stoploss, s.minimal_roi, made.timeframe_min, trailing_stop=s.trailing_stop,
        trailing_stop_positive=s.trailing_stop_positive, trailing_stop_positive_offset=s.trailing_stop_positive_offset,
        trailing_only_offset_is_reached=s.trailing_only_offset_is_reached, use_exit_signal=s.use_exit_signal,
        exit_profit_only=s.exit_profit_only, exit_profit_offset=s.exit_profit_offset,
        ignore_roi_if_entry_signal=s.ignore_roi_if_entry_signal, sized=sized != "no", clamp=sized == "clamped",
    )  # fmt: skip


def differences(
    trades: list[Any],
    content: dict,
    stops: dict,
    course: ReplayInput,
    tags: tuple[list, list],
    ours: simulator.Replayed,
) -> list[str]:
    """What is not the same, by column: how many trades, the first of them, both figures."""
    results = content["results"]
    pairs = list(dict.fromkeys(results["pair"])) if len(results) else []
    numbers = {pair: p for p, pair in enumerate(content["pairs"])}
    theirs = {
        "pair": [numbers[pair] for pair in results["pair"]],
        "opened": [int(date.timestamp()) for date in results["open_date"]],
        "closed": [int(date.timestamp()) for date in results["close_date"]],
        "tag": [trade.exit_reason for trade in trades],
        "entry_tag": [trade.enter_tag for trade in trades],
    }
    assert len(pairs) <= len(numbers)
    fills = sorted(int(order.order_id) for trade in trades for order in trade.orders if order.status == "closed")
    rank = {number: k for k, number in enumerate(fills)}
    theirs |= {
        "entered": [rank[int(trade.orders[0].order_id)] for trade in trades],
        "left": [rank[int(trade.orders[-1].order_id)] for trade in trades],
        "entry_price": [trade.orders[0].safe_price for trade in trades],
        "exit_price": [trade.orders[-1].safe_price for trade in trades],
        "stake": [trade.stake_amount for trade in trades],
        "stop_before": [stops[trade.id] for trade in trades],
    }
    columns = {"open_rate": "open_rate", "close_rate": "close_rate", "amount": "amount", "stake_amount": "rounded_stake", "profit_abs": "profit",
               "profit_ratio": "profit_ratio", "max_rate": "max_rate", "min_rate": "min_rate", "stop_loss_abs": "stop",
               "initial_stop_loss_abs": "initial_stop"}  # fmt: skip
    theirs |= {mine: results[column].tolist() for column, mine in columns.items()}
    start, step_s = content["start_s"], content["step_s"]
    mine: dict[str, list] = {name: getattr(ours, name).tolist() for name in simulator.TRADE.names}
    mine |= {name: [start + step_s * k for k in mine[name]] for name in ("opened", "closed")}
    mine["exit_price"], mine["rounded_stake"] = mine["close_rate"], [round(stake, 8) for stake in mine["stake"]]
    mine["entry_tag"] = [tags[0][p][k] for p, k in zip(ours.pair, ours.opened, strict=True)]
    own = [tags[1][p][k] for p, k in zip(ours.pair, ours.closed, strict=True)]
    mine["tag"] = [
        tag if REASONS[r] == "signal" and tag else TAGS[REASONS[r]] for r, tag in zip(ours.reason, own, strict=True)
    ]
    found = []
    for name, values in theirs.items():
        wrong = [k for k, (a, b) in enumerate(zip(values, mine[name], strict=False)) if a != b]
        if wrong or len(values) != len(mine[name]):
            first = wrong[0] if wrong else min(len(values), len(mine[name]))
            pair_of = [v[first] if first < len(v) else None for v in (values, mine[name])]
            found.append(
                f"{name}: {len(wrong)} of {len(values)} and {len(mine[name])}; trade {first}: FreqTrade {pair_of[0]}, "
                f"replay {pair_of[1]}"
            )
    sums = [
        ("rejected_signals", ours.rejected),
        ("timedout_exit_orders", ours.unfilled),
        ("final_balance", ours.balance),
    ]
    return found + [
        f"{name}: FreqTrade {content[name]}, replay {value}" for name, value in sums if content[name] != value
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("candles", type=Path)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    names = options.cases or list(CASES)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        bench = Bench(options.candles, options.scratch, names)
        found = {name: bench.compare(CASES[name], f"Case{k}") for k, name in enumerate(names)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
