"""What is exported is what FreqTrade's own backtest of the same strategy exports, and FreqTrade's tools read it."""

import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys
import zipfile

import pandas as pd
import pytest
import zoo
from arenas import ROOT, prepared, strategy
from freqtrade.data.btanalysis import (
    get_backtest_market_change,
    get_backtest_wallet_change,
    load_backtest_data,
    load_backtest_stats,
)

from arena.errors import ArenaError
from arena.evaluation import batch, context
from arena.ledger import strategy_files
from arena.reports import freqtrade_export, freqtrade_export_process
from arena.sandbox import client

pytestmark = pytest.mark.slow

TAGGED = {
    "extra": "stoploss = -0.03\nminimal_roi = {'0': 0.05, '600': 0.02}\ntrailing_stop = True",
    "callbacks": "def populate_entry_trend(self, dataframe, metadata):\n"
    "    up = dataframe['fast'] > dataframe['slow']\n"
    "    dataframe.loc[up, ['enter_long', 'enter_tag']] = (1, 'morning')\n"
    "    dataframe.loc[up & (dataframe['date'].dt.hour > 11), 'enter_tag'] = 'afternoon'\n"
    "    return dataframe\n"
    "def populate_exit_trend(self, dataframe, metadata):\n"
    "    down = dataframe['fast'] < dataframe['slow']\n"
    "    dataframe.loc[down, 'exit_long'] = 1\n"
    "    dataframe.loc[down & (dataframe['date'].dt.hour > 11), 'exit_tag'] = 'crossed down'\n"
    "    return dataframe\n",
}
"""Signals with tags."""
WAITING = {
    "extra": "startup_candle_count = 40\nprocess_only_new_candles = True",
    "callbacks": "def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, **kwargs):\n"
    "    return proposed_rate * 0.996\n"
    "unfilledtimeout = {'entry': 300, 'exit': 300, 'unit': 'minutes'}\n"
    "def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):\n"
    "    return 'far enough' if current_profit > 0.03 else None\n",
}
"""Orders that wait for their price, and the strategy's own reasons to leave."""
NAMES = ("BoundedAveraging", "PartialProfit", "Tagged", "Waiting")
NOT_OURS = {*freqtrade_export_process.UNKNOWN, "backtest_run_start_ts", "backtest_run_end_ts", "wallet_stats", "trades"}
STOPS = {"initial_stop_loss_abs", "initial_stop_loss_ratio", "stop_loss_abs", "stop_loss_ratio"}


@pytest.fixture(scope="module")
def played(tmp_path_factory, market_data):
    """Strategies of several engines on real candles, their results, and both exports of them."""
    windows = {"windows": {"spring": "20210301-20210701"}, "validation": None, "holdout": None}
    settings = prepared(
        tmp_path_factory.mktemp("arena") / "repo", {"kind": "files", "path": str(market_data / "spot")}, arena=windows
    )
    folder = settings.root / strategy_files.FOLDER
    strategy(settings, "Tagged", **TAGGED)
    strategy(settings, "Waiting", **WAITING)
    for name in ("BoundedAveraging", "PartialProfit"):
        (folder / f"{name}.py").write_text(zoo.load("honest")[name].source)
    client.warm_up()
    arena = context.open_arena(settings, record=False, causality="quick")
    files = strategy_files.find(folder, None)
    results = list(batch.evaluate_all(files, arena))
    assert {result.strategy: result.error for result in results} == dict.fromkeys(NAMES, "")
    lines, differs = freqtrade_export.export(results, files, arena)
    assert not differs and len(lines) == 1
    timerange = f"{settings.search.start:%Y%m%d}-{settings.search.end:%Y%m%d}"
    command = [sys.executable, str(ROOT / "bench" / "plain.py"), timerange, "--export", "theirs"]
    done = subprocess.run(command, cwd=settings.root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    theirs = {name: settings.root / "theirs" / name for name in NAMES}
    return arena, {result.strategy: result for result in results}, settings.root / freqtrade_export.FOLDER, theirs


@pytest.mark.parametrize("name", NAMES)
def test_every_trade_is_freqtrades_own(played, name):
    ours, theirs = load_backtest_data(played[2], name), load_backtest_data(played[3][name], name)
    assert len(ours) > 20
    assert list(ours.columns) == list(theirs.columns)
    for column in theirs.columns.difference([*STOPS, "orders", "profit_abs", "profit_ratio"]):
        assert ours[column].tolist() == theirs[column].tolist(), column
    assert ours["profit_abs"].to_numpy() == pytest.approx(theirs["profit_abs"].to_numpy(), abs=1e-8)
    assert ours["profit_ratio"].to_numpy() == pytest.approx(theirs["profit_ratio"].to_numpy(), abs=1e-8)
    assert ours["orders"].tolist() == theirs["orders"].tolist()
    assert ours[sorted(STOPS)].isna().all(axis=None)


def test_the_strategies_cover_what_trades_can_be(played):
    """Partial exits, averaging, tags of both sides, every common reason, and an order that waited."""
    trades = pd.concat(load_backtest_data(played[2], name) for name in NAMES)
    assert {"exit_signal", "roi", "stop_loss", "trailing_stop_loss", "crossed down", "far enough", "force_exit"} <= set(
        trades["exit_reason"]
    )
    assert {"morning", "afternoon", ""} <= set(trades["enter_tag"])
    assert trades["orders"].map(lambda orders: sum(order["ft_is_entry"] for order in orders)).max() == 3
    assert trades["orders"].map(lambda orders: sum(not order["ft_is_entry"] for order in orders)).max() == 3
    waited = trades["open_timestamp"] < trades["orders"].map(lambda orders: orders[0]["order_filled_timestamp"])
    assert 0 < waited.sum() < len(trades)


@pytest.mark.parametrize("name", NAMES)
def test_every_statistic_that_our_orders_can_tell_is_freqtrades_own(played, name):
    ours, theirs = (load_backtest_stats(folder)["strategy"][name] for folder in (played[2], played[3][name]))
    assert set(theirs) - set(ours) == set(freqtrade_export_process.UNKNOWN)
    unlike = [key for key in set(theirs) - NOT_OURS if not same(ours[key], theirs[key])]
    assert unlike == []
    assert theirs["total_trades"] > 20 and theirs["market_change"] != 0


def same(ours, theirs):
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in theirs)
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return ours == pytest.approx(theirs, rel=1e-9, abs=1e-8) if isinstance(theirs, float) else ours == theirs


@pytest.mark.parametrize("name", NAMES)
def test_the_figures_are_those_of_the_block(played, name):
    arena, results, folder, _ = played
    stats, result = load_backtest_stats(folder)["strategy"][name], results[name]
    assert stats["total_trades"] == result.own.trades
    assert stats["profit_total_abs"] == pytest.approx(result.own.profit_abs, abs=1e-6)
    assert stats["sharpe"] == pytest.approx(result.closed_sharpe, rel=1e-6)
    assert stats["rejected_signals"] == result.rejected_entries
    per_pair = {line["key"]: line for line in stats["results_per_pair"]}
    assert {pair.pair: pair.trades for pair in result.pairs} == {
        pair.pair: per_pair[pair.pair]["trades"] for pair in result.pairs
    }
    for pair in result.pairs:
        assert per_pair[pair.pair]["profit_total_abs"] == pytest.approx(pair.profit * arena.settings.wallet, abs=1e-6)


def test_the_wallets_history_is_the_account_marked_to_market(played):
    arena, results, folder, theirs = played
    (file,) = folder.glob("*.zip")
    wallet = get_backtest_wallet_change(file, "Tagged")
    assert wallet["balance"].iloc[0] == arena.settings.wallet
    assert wallet["balance"].iloc[-1] == pytest.approx(arena.settings.wallet + results["Tagged"].own.profit_abs)
    ours, own = (
        load_backtest_stats(where)["strategy"]["Tagged"]["wallet_stats"] for where in (folder, theirs["Tagged"])
    )
    assert ours["max_drawdown_account"] == pytest.approx(own["max_drawdown_account"], rel=0.01)
    assert ours["sharpe"] == pytest.approx(own["sharpe"], rel=0.01)


def test_the_markets_change_is_freqtrades_own(played):
    (ours,), (theirs,) = played[2].glob("*.zip"), played[3]["PartialProfit"].glob("*.zip")
    pd.testing.assert_frame_equal(get_backtest_market_change(ours), get_backtest_market_change(theirs))


def test_the_file_holds_what_freqtrades_holds_and_is_no_answer_for_its_cache(played):
    _, results, folder, theirs = played
    (file,), (own,) = folder.glob("*.zip"), theirs["Tagged"].glob("*.zip")
    assert json.loads((folder / ".last_result.json").read_text()) == {"latest_backtest": file.name}
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [".last_result.json", file.name, f"{file.stem}.meta.json"]
    )
    with zipfile.ZipFile(file) as ours, zipfile.ZipFile(own) as plain:
        names = {name.replace(own.stem, file.stem) for name in plain.namelist()}
        assert names <= set(ours.namelist())
        source = ours.read(f"{file.stem}_Tagged.py")
    assert hashlib.sha256(source).hexdigest() == results["Tagged"].sha256
    ids = [load_backtest_stats(where)["metadata"]["Tagged"]["run_id"] for where in (folder, theirs["Tagged"])]
    assert ids[0] != ids[1]


def test_freqtrades_command_shows_it(played):
    arena, results, folder, _ = played
    freqtrade = shutil.which("freqtrade", path=str(ROOT / ".venv" / "bin")) or shutil.which("freqtrade")
    done = subprocess.run([freqtrade, "backtesting-show"], cwd=arena.settings.root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    for name, result in results.items():
        assert f"Result for strategy {name}" in done.stdout
        assert f"{result.own.profit_abs:.3f} USDT" in done.stdout


def test_a_strategy_that_failed_changed_or_earns_something_else_is_not_exported(played, tmp_path):
    arena, results, folder, _ = played
    before = sorted(path.name for path in folder.iterdir())
    source = arena.settings.root / strategy_files.FOLDER / "Tagged.py"
    broken = tmp_path / "Broken.py"
    broken.write_text("class Broken(IStrategy:\n")
    failed = batch.evaluate(broken, arena, None)
    assert freqtrade_export.export([failed], [broken], arena) == (["export: Broken is not exported: it failed"], False)
    changed = tmp_path / "Tagged.py"
    changed.write_text(source.read_text() + "\n# later\n")
    (line,), differs = freqtrade_export.export([results["Tagged"]], [changed], arena)
    assert line == "export: Tagged is not exported: the file has changed since it was evaluated" and differs
    other = results["Waiting"].own
    changed.write_text(source.read_text())
    forged = dataclasses.replace(results["Tagged"], own=other)
    (line,), differs = freqtrade_export.export([forged], [changed], arena)
    assert (
        differs
        and f"sharpe {results['Tagged'].own.sharpe:.4f} over" in line
        and f"the block has {other.sharpe:.4f}" in line
    )
    assert sorted(path.name for path in folder.iterdir()) == before


def test_the_other_process_refuses_trades_that_do_not_add_up(played, monkeypatch):
    arena, results, folder, _ = played
    before = sorted(path.name for path in folder.iterdir())
    file = arena.settings.root / strategy_files.FOLDER / "Tagged.py"
    told = freqtrade_export._strategy

    def more(result, one, arena):
        made = told(result, one, arena)
        made["trades"][3]["profit"] += 0.01
        return made

    monkeypatch.setattr(freqtrade_export, "_strategy", more)
    with pytest.raises(
        ArenaError,
        match=r"FreqTrade could not write user_data/backtest_results: ValueError: Tagged: FreqTrade makes .* booked is",
    ):
        freqtrade_export.export([results["Tagged"]], [file], arena)
    assert sorted(path.name for path in folder.iterdir()) == before
