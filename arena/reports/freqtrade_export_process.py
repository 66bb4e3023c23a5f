"""
FreqTrade, in a process of its own that never sees a strategy run: trades in, one of its backtest results out.

Started by `arena.reports.freqtrade_export` as `python -m arena.reports.freqtrade_export_process`, with JSON and candles
on its standard input. FreqTrade's own code makes its trades of our orders, computes its statistics and writes its
files. What our orders do not say is left out: stops, timeouts, locks.

The wallet's history in the file is the account marked to market at every candle, as one amount of the stake currency.
"""

import ast
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from arena.startup import lazy_ccxt

lazy_ccxt.install()

import ccxt  # noqa: E402
import freqtrade.data.btanalysis  # noqa: E402  first: it resolves an import cycle of FreqTrade's
import pandas as pd  # noqa: E402
from freqtrade.configuration import TimeRange  # noqa: E402
from freqtrade.constants import LAST_BT_RESULT_FN  # noqa: E402
from freqtrade.data.converter import trim_dataframes  # noqa: E402
from freqtrade.data.history import get_timerange  # noqa: E402
from freqtrade.data.metrics import combined_dataframes_with_rel_mean  # noqa: E402
from freqtrade.enums import TradingMode  # noqa: E402
from freqtrade.optimize.optimize_reports import generate_backtest_stats, store_backtest_results  # noqa: E402
from freqtrade.persistence import LocalTrade, Order  # noqa: E402
from freqtrade.persistence.usedb_context import disable_database_use  # noqa: E402

from arena.accounting.booking import PROFIT_TOLERANCE, ROUNDING  # noqa: E402
from arena.sandbox.transport import LENGTH, Store, decode  # noqa: E402

UNKNOWN = (
    "timedout_entry_orders",
    "timedout_exit_orders",
    "canceled_trade_entries",
    "canceled_entry_orders",
    "replaced_entry_orders",
)
"""Counts that nobody of us keeps: FreqTrade's tools show N/A where they are missing, and zero would be a claim."""


def main() -> None:
    """
    Prints the name of the file that it wrote. What goes wrong ends it with a traceback, whose last line says what.
    """
    data = sys.stdin.buffer.read()
    (size,) = LENGTH.unpack_from(data)
    told = json.loads(data[LENGTH.size : LENGTH.size + size])
    store = Store(told["config"]["timeframe"])
    store.add(decode(data[LENGTH.size + size :]))
    disable_database_use(told["config"]["timeframe"])
    exchange = told["config"]["exchange"]["name"].lower()
    lazy_ccxt.load(exchange)
    told["precision_mode"] = getattr(ccxt, exchange)().precisionMode
    print(_stored(told, store))


def _stored(told: dict[str, Any], store: Store) -> str:
    """The files of one result, written beside the others and then moved there: nobody finds half of them."""
    results: dict[str, Any] = {"metadata": {}, "strategy": {}, "strategy_comparison": []}
    wallets, span = {}, []
    longest: dict[str, pd.DataFrame] = {}
    for one in told["strategies"]:
        frames, first, last = _frames(one, told, store)
        made, wallets[one["strategy"]] = _statistics(one, told, frames, first, last)
        for key in ("metadata", "strategy"):
            results[key].update(made[key])
        results["strategy_comparison"] += made["strategy_comparison"]
        longest |= {pair: frame for pair, frame in frames.items() if len(frame) >= len(longest.get(pair, ()))}
        span += [first, last]
    folder = Path(told["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as beside:
        sources = Path(beside, "sources")
        sources.mkdir()
        for one in told["strategies"]:
            (sources / f"{one['strategy']}.py").write_text(one["source"], encoding="utf-8")
        written = Path(beside, "written")
        written.mkdir()
        name = store_backtest_results(
            {"exportdirectory": written, "original_config": told["config"]},
            results,
            time.strftime("%Y-%m-%d_%H-%M-%S", time.gmtime(told["now"])),
            market_change_data=combined_dataframes_with_rel_mean(longest, min(span), max(span)),
            wallet_summary=wallets,
            strategy_files={one["strategy"]: str(sources / f"{one['strategy']}.py") for one in told["strategies"]},
        ).name
        # that one names the others
        for file in sorted(written.iterdir(), key=lambda file: file.name == LAST_BT_RESULT_FN):
            file.replace(folder / file.name)
    return name


def _frames(one: dict[str, Any], told: dict[str, Any], store: Store) -> tuple[dict[str, pd.DataFrame], Any, Any]:
    """The candles as FreqTrade loads them for this strategy, and the first and last instant of what it trades."""
    timerange, step_ms = TimeRange.parse_timerange(told["timerange"]), told["step_ms"]
    start = timerange.startts * 1000 - one["startup"] * step_ms
    loaded = {pair: store.loaded(pair, store.timeframe, start, timerange.stopts * 1000) for pair in one["pairs"]}
    loaded = {pair: frame for pair, frame in loaded.items() if not frame.empty}
    return loaded, *get_timerange(trim_dataframes(loaded, timerange, one["startup"]))


def _statistics(
    one: dict[str, Any], told: dict[str, Any], frames: dict[str, pd.DataFrame], first: Any, last: Any
) -> tuple[Any, pd.DataFrame]:
    """FreqTrade's statistics of one strategy, and the account's history."""
    config = _config(one, told)
    made = [_trade(number, trade, one, config, told) for number, trade in enumerate(one["trades"], 1)]
    results = freqtrade.data.btanalysis.trade_list_to_dataframe(made)
    dates = pd.to_datetime(one["equity_ms"], unit="ms", utc=True)
    wallet = pd.DataFrame({"date": dates, "currency": config["stake_currency"], "rate": 1.0, "balance": one["equity"]})
    wallet = wallet[wallet["date"] > first].reset_index(drop=True)  # FreqTrade's loop begins one candle later
    content = {
        "results": results, "config": config, "locks": [], "rejected_signals": one["rejected"],
        **dict.fromkeys(UNKNOWN, 0), "final_balance": config["dry_run_wallet"] + float(results["profit_abs"].sum()),
        "wallet_summary": wallet.copy(), "run_id": one["run_id"], "backtest_start_time": told["now"],
        "backtest_end_time": told["now"],
    }  # fmt: skip
    stats = generate_backtest_stats(frames, {one["strategy"]: content}, first, last, notes=one["notes"])
    for name in UNKNOWN:
        del stats["strategy"][one["strategy"]][name]
    return stats, wallet


def _config(one: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """FreqTrade's configuration with the strategy's parameters in it, as they stood after its populate functions."""
    said = {}
    for name, text in one["parameters"].items():
        try:
            said[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            said[name] = text  # shown, and nothing else is done with it
    if isinstance(table := said.get("minimal_roi"), dict):
        said["minimal_roi"] = {str(minutes): ratio for minutes, ratio in table.items()}  # as configurations have it
    slots = told["config"]["max_open_trades"]
    fixed = {"trading_mode": "spot", "margin_mode": "", "timerange": told["timerange"]}
    return {**said, **told["config"], **fixed, "max_open_trades": slots if slots > 0 else float("inf")}


def _trade(
    number: int, told: dict[str, Any], one: dict[str, Any], config: dict[str, Any], run: dict[str, Any]
) -> LocalTrade:
    """
    FreqTrade's own trade of our orders, with FreqTrade's own arithmetic. Raises ValueError where its profit is not the
    booked one.
    """
    fills, precision = told["fills"], run["precision"][told["pair"]]
    tick = [size for ms, size in one["ticks"].get(told["pair"], []) if ms <= told["opened_ms"]]
    trade = LocalTrade(
        id=number, pair=told["pair"], base_currency=told["pair"].split("/")[0], stake_currency=config["stake_currency"],
        open_rate=fills[0]["price"], open_rate_requested=fills[0]["price"], open_date=_utc(told["opened_ms"]),
        stake_amount=fills[0]["price"] * fills[0]["amount"], amount=0, amount_requested=fills[0]["amount"],
        fee_open=run["fee"], fee_close=run["fee"], is_open=True, enter_tag=told["enter_tag"],
        timeframe=run["step_ms"] // 60_000, exchange=config["exchange"]["name"], is_short=False,
        trading_mode=TradingMode.SPOT, leverage=1.0, contract_size=1.0, amount_precision=precision["amount"],
        precision_mode=run["precision_mode"], stop_loss=None, stop_loss_pct=None, initial_stop_loss=None,
        initial_stop_loss_pct=None, price_precision=tick[-1] if tick else precision["price"],
        precision_mode_price=ccxt.TICK_SIZE if tick else run["precision_mode"], orders=[], max_rate=told["high"],
        min_rate=told["low"], exit_reason=told["exit_reason"],
    )  # fmt: skip
    for k, fill in enumerate(fills):
        trade.orders.append(_order(k, fill, trade))
        if k + 1 < len(fills):
            trade.recalc_trade_from_orders()
    trade.close_date = _utc(told["closed_ms"])
    trade.close(fills[-1]["price"], show_msg=False)
    if not abs(trade.close_profit_abs - told["profit"]) <= PROFIT_TOLERANCE * abs(told["profit"]) + ROUNDING * len(
        fills
    ):
        raise ValueError(
            f"{one['strategy']}: FreqTrade makes {trade.close_profit_abs} of the trade in {told['pair']} opened at "
            f"{trade.open_date}, booked is {told['profit']}"
        )
    return trade


def _order(number: int, fill: dict[str, Any], trade: LocalTrade) -> Order:
    side, price, amount, date = (
        "buy" if fill["buys"] else "sell",
        fill["price"],
        fill["amount"],
        _utc(fill["filled_ms"]),
    )
    order = Order(
        id=number, ft_trade_id=trade.id, order_id=str(number), ft_pair=trade.pair, symbol=trade.pair,
        ft_order_side=side, side=side, ft_is_open=False, status="closed", order_type="limit", ft_price=price,
        price=price, average=price, amount=amount, filled=amount, remaining=0.0,
        cost=amount * price * (1 + trade.fee_open), order_date=date, order_filled_date=date, order_update_date=date,
        ft_order_tag=fill["tag"],
    )  # fmt: skip
    order._trade_bt = trade
    return order


def _utc(ms: int) -> Any:
    return pd.Timestamp(ms, unit="ms", tz="UTC").to_pydatetime()


if __name__ == "__main__":
    main()
