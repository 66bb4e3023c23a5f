"""
Runs FreqTrade in a process of its own that never sees a strategy run: reads trades, writes one of its backtest results.

`arena.reports.freqtrade_export` starts it as `python -m arena.reports.freqtrade_export_process`, with JSON and candles
on its standard input. FreqTrade's own code makes its trades from our orders, computes its statistics and writes its
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
"""Counts that the arena does not keep. FreqTrade's tools show N/A if they are missing, and zero would be a claim."""


def main() -> None:
    """
    Prints the name of the file that it wrote. An error ends it with a traceback, whose last line says what went wrong.
    """
    data = sys.stdin.buffer.read()
    (size,) = LENGTH.unpack_from(data)
    request = json.loads(data[LENGTH.size : LENGTH.size + size])
    store = Store(request["config"]["timeframe"])
    store.add(decode(data[LENGTH.size + size :]))
    disable_database_use(request["config"]["timeframe"])
    exchange = request["config"]["exchange"]["name"].lower()
    lazy_ccxt.load(exchange)
    request["precision_mode"] = getattr(ccxt, exchange)().precisionMode
    print(_stored(request, store))


def _stored(request: dict[str, Any], store: Store) -> str:
    """Writes the files of one result in a temporary folder and then moves them, so that nobody finds half of them."""
    results: dict[str, Any] = {"metadata": {}, "strategy": {}, "strategy_comparison": []}
    wallets, span = {}, []
    longest: dict[str, pd.DataFrame] = {}
    for strategy in request["strategies"]:
        frames, first, last = _frames(strategy, request, store)
        statistics, wallets[strategy["strategy"]] = _statistics(strategy, request, frames, first, last)
        for key in ("metadata", "strategy"):
            results[key].update(statistics[key])
        results["strategy_comparison"] += statistics["strategy_comparison"]
        longest |= {pair: frame for pair, frame in frames.items() if len(frame) >= len(longest.get(pair, ()))}
        span += [first, last]
    folder = Path(request["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as temporary:
        sources = Path(temporary, "sources")
        sources.mkdir()
        for strategy in request["strategies"]:
            (sources / f"{strategy['strategy']}.py").write_text(strategy["source"], encoding="utf-8")
        target = Path(temporary, "written")
        target.mkdir()
        name = store_backtest_results(
            {"exportdirectory": target, "original_config": request["config"]},
            results,
            time.strftime("%Y-%m-%d_%H-%M-%S", time.gmtime(request["now"])),
            market_change_data=combined_dataframes_with_rel_mean(longest, min(span), max(span)),
            wallet_summary=wallets,
            strategy_files={
                strategy["strategy"]: str(sources / f"{strategy['strategy']}.py") for strategy in request["strategies"]
            },
        ).name
        # the file that names the others moves last
        for file in sorted(target.iterdir(), key=lambda file: file.name == LAST_BT_RESULT_FN):
            file.replace(folder / file.name)
    return name


def _frames(
    strategy: dict[str, Any], request: dict[str, Any], store: Store
) -> tuple[dict[str, pd.DataFrame], Any, Any]:
    """Returns the candles as FreqTrade loads them for this strategy, and the first and last instant that it trades."""
    timerange, step_ms = TimeRange.parse_timerange(request["timerange"]), request["step_ms"]
    start = timerange.startts * 1000 - strategy["startup"] * step_ms
    loaded = {pair: store.loaded(pair, store.timeframe, start, timerange.stopts * 1000) for pair in strategy["pairs"]}
    loaded = {pair: frame for pair, frame in loaded.items() if not frame.empty}
    return loaded, *get_timerange(trim_dataframes(loaded, timerange, strategy["startup"]))


def _statistics(
    strategy: dict[str, Any], request: dict[str, Any], frames: dict[str, pd.DataFrame], first: Any, last: Any
) -> tuple[Any, pd.DataFrame]:
    """Returns FreqTrade's statistics of one strategy, and the account's history."""
    config = _config(strategy, request)
    trades = [_trade(number, trade, strategy, config, request) for number, trade in enumerate(strategy["trades"], 1)]
    results = freqtrade.data.btanalysis.trade_list_to_dataframe(trades)
    dates = pd.to_datetime(strategy["equity_ms"], unit="ms", utc=True)
    wallet = pd.DataFrame(
        {"date": dates, "currency": config["stake_currency"], "rate": 1.0, "balance": strategy["equity"]}
    )
    wallet = wallet[wallet["date"] > first].reset_index(drop=True)  # FreqTrade's loop begins one candle later
    content = {
        "results": results, "config": config, "locks": [], "rejected_signals": strategy["rejected"],
        **dict.fromkeys(UNKNOWN, 0), "final_balance": config["dry_run_wallet"] + float(results["profit_abs"].sum()),
        "wallet_summary": wallet.copy(), "run_id": strategy["run_id"], "backtest_start_time": request["now"],
        "backtest_end_time": request["now"],
    }  # fmt: skip
    stats = generate_backtest_stats(frames, {strategy["strategy"]: content}, first, last, notes=strategy["notes"])
    for name in UNKNOWN:
        del stats["strategy"][strategy["strategy"]][name]
    return stats, wallet


def _config(strategy: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Returns FreqTrade's configuration with the strategy's parameters, as they stood after its populate functions."""
    parameters = {}
    for name, text in strategy["parameters"].items():
        try:
            parameters[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            parameters[name] = text  # it is only shown
    if isinstance(table := parameters.get("minimal_roi"), dict):
        # as configurations have it
        parameters["minimal_roi"] = {str(minutes): ratio for minutes, ratio in table.items()}
    slots = request["config"]["max_open_trades"]
    fixed = {"trading_mode": "spot", "margin_mode": "", "timerange": request["timerange"]}
    return {**parameters, **request["config"], **fixed, "max_open_trades": slots if slots > 0 else float("inf")}


def _trade(
    number: int, deal: dict[str, Any], strategy: dict[str, Any], config: dict[str, Any], request: dict[str, Any]
) -> LocalTrade:
    """
    Builds FreqTrade's own trade from our orders, with FreqTrade's own arithmetic. Raises ValueError if its profit is
    not the booked one.
    """
    fills, precision = deal["fills"], request["precision"][deal["pair"]]
    tick = [size for ms, size in strategy["ticks"].get(deal["pair"], []) if ms <= deal["opened_ms"]]
    trade = LocalTrade(
        id=number, pair=deal["pair"], base_currency=deal["pair"].split("/")[0], stake_currency=config["stake_currency"],
        open_rate=fills[0]["price"], open_rate_requested=fills[0]["price"], open_date=_utc(deal["opened_ms"]),
        stake_amount=fills[0]["price"] * fills[0]["amount"], amount=0, amount_requested=fills[0]["amount"],
        fee_open=request["fee"], fee_close=request["fee"], is_open=True, enter_tag=deal["enter_tag"],
        timeframe=request["step_ms"] // 60_000, exchange=config["exchange"]["name"], is_short=False,
        trading_mode=TradingMode.SPOT, leverage=1.0, contract_size=1.0, amount_precision=precision["amount"],
        precision_mode=request["precision_mode"], stop_loss=None, stop_loss_pct=None, initial_stop_loss=None,
        initial_stop_loss_pct=None, price_precision=tick[-1] if tick else precision["price"],
        precision_mode_price=ccxt.TICK_SIZE if tick else request["precision_mode"], orders=[], max_rate=deal["high"],
        min_rate=deal["low"], exit_reason=deal["exit_reason"],
    )  # fmt: skip
    for k, fill in enumerate(fills):
        trade.orders.append(_order(k, fill, trade))
        if k + 1 < len(fills):
            trade.recalc_trade_from_orders()
    trade.close_date = _utc(deal["closed_ms"])
    trade.close(fills[-1]["price"], show_msg=False)
    if not abs(trade.close_profit_abs - deal["profit"]) <= PROFIT_TOLERANCE * abs(deal["profit"]) + ROUNDING * len(
        fills
    ):
        raise ValueError(
            f"{strategy['strategy']}: FreqTrade makes {trade.close_profit_abs} of the trade in {deal['pair']} opened "
            f"at {trade.open_date}, booked is {deal['profit']}"
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
