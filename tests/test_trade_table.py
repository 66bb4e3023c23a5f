"""run.py for a person who debugs: trades, refused signals, files outside the repository, and nothing for free."""

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from arenas import ROOT, command, prepared, sampled, strategy
from builders import HOUR

import run as commands
from arena import settings
from arena.accounting import trades
from arena.errors import LockError
from arena.evaluation import batch, context, figures
from arena.ledger import data_lock, results_log, store, strategy_files
from arena.reports import block, rejected_signals, trade_table
from arena.reports.accounts import Shown
from arena.sandbox import client

TAGGED = (
    "def populate_entry_trend(self, dataframe, metadata):\n"
    "    dataframe.loc[dataframe['fast'] > dataframe['slow'], ['enter_long', 'enter_tag']] = (1, 'fast above slow')\n  "
    "  return dataframe"
)
ONE_SLOT = {
    "max_open_trades": 1,
    "arena": {"windows": {"spring": "20210301-20210501"}, "validation": "20210501-20210601", "holdout": None},
}


def run(folder, *arguments):
    return command(commands.cli, folder, "run.py", *arguments)


def values(text, key):
    return re.findall(rf"^{key}: *(.*)$", text, re.M)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    made = prepared(tmp_path_factory.mktemp("template") / "repo", **ONE_SLOT)
    strategy(made, "Alpha", callbacks=TAGGED)
    return made


@pytest.fixture(scope="module")
def debugged(template, tmp_path_factory):
    """The arena after its strategy was asked for, and what the command said."""
    folder = tmp_path_factory.mktemp("debugged") / "repo"
    shutil.copytree(template.root, folder)
    return settings.load(folder / "config.json"), run(folder, "--strategy", "Alpha", "--trades")


@pytest.fixture
def arena(template, tmp_path):
    shutil.copytree(template.root, tmp_path / "repo")
    return settings.load(tmp_path / "repo" / "config.json")


def kept(arena):
    return store.Ledger(arena.root / store.LEDGER)


def contract(arena):
    return data_lock.read(arena.root).contract


@pytest.fixture
def elsewhere(arena, tmp_path):
    """The same strategy in a file outside the repository."""
    file = tmp_path / "drafts" / "Alpha.py"
    file.parent.mkdir()
    (arena.root / "user_data" / "strategies" / "Alpha.py").rename(file)
    return file


def table(text):
    """Rows of the printed trades, as words."""
    lines = text.split("trades: ")[1].split("entry signals:")[0].splitlines()[2:]
    return [line.split() for line in lines]


def test_a_strategy_of_the_repository_is_a_trial_with_its_trades(debugged):
    arena, done = debugged
    assert done.returncode == 0, done.stderr
    assert len(values(done.stdout, "row")) == len(values(done.stdout, "evidence")) == 1
    assert values(done.stdout, "validation")[0].startswith("not asked: ")
    assert kept(arena).n_trials(contract(arena)) == 1
    rows = table(done.stdout)
    assert len(rows) == int(values(done.stdout, "trade_count")[0]) > 20
    assert {row[0] for row in rows} == {"BTC/USDT", "ETH/USDT"}
    assert sum(float(row[8]) for row in rows) == pytest.approx(
        float(values(done.stdout, "total_profit_abs")[0]), abs=0.005 * len(rows)
    )
    assert all(row[-3:] == ["fast", "above", "slow"] for row in rows)
    assert {row[11] for row in rows} <= {"exit_signal", "stop_loss", "force_exit"}
    again = run(arena.root, "--strategy", "Alpha", "--trades")
    assert "cached: yes" in again.stdout
    assert again.stdout.split("trades: ")[1] == done.stdout.split("trades: ")[1]
    assert kept(arena).n_trials(contract(arena)) == 1


@pytest.mark.slow
def test_the_same_strategy_at_a_path_inside_the_repository_is_a_trial_too(arena):
    folder = arena.root / "drafts"
    folder.mkdir()
    inside = folder / "Inside.py"
    inside.write_text(
        (arena.root / "user_data" / "strategies" / "Alpha.py").read_text().replace("class Alpha", "class Inside")
    )
    for path in ("drafts/Inside.py", f"{arena.root}/user_data/../drafts/Inside.py"):
        assert "evidence:" in run(arena.root, "--strategy", path).stdout
    assert kept(arena).n_trials(contract(arena)) == 1


@pytest.mark.parametrize("detailed", sampled([True, False], {True}))
def test_a_file_elsewhere_is_evaluated_and_not_recorded(arena, elsewhere, detailed):
    before = kept(arena).head()
    done = run(arena.root, "--strategy", str(elsewhere), *(["--trades"] if detailed else []))
    assert done.returncode == 0, done.stderr
    assert values(done.stdout, "verdict") == [block.NOT_RECORDED]
    assert (values(done.stdout, "commit"), len(values(done.stdout, "sharpe"))) == (["unknown"], 1)
    assert not re.search(r"^(row|evidence|validation|round):|dsr=|validation=", done.stdout, re.M)
    assert ("entry signals:" in done.stdout) == detailed
    assert kept(arena).head() == before and kept(arena).n_trials(contract(arena)) == 0
    assert not (arena.root / results_log.FILE).exists()


@pytest.mark.slow
def test_a_file_elsewhere_has_the_figures_that_it_would_have_inside(arena, elsewhere):
    outside = run(arena.root, "--strategy", str(elsewhere)).stdout
    shutil.copy(elsewhere, arena.root / "user_data" / "strategies" / "Alpha.py")
    inside = run(arena.root, "--causality", "quick").stdout
    for key in ("sharpe", "total_profit_abs", "trade_count", "skipped", "bah_sharpe"):
        assert values(outside, key) == values(inside, key) != []


@pytest.mark.slow
def test_no_candle_of_the_validation_window_is_opened_for_a_file_elsewhere(arena, elsewhere):
    """Without the sealed file nothing is missing, to the end of a full check; a file inside needs it."""
    opened = context.open_arena(trade_table.beside(arena), record=False, causality="full")
    client.warm_up()
    inside = context.open_arena(arena, record=False)
    (arena.root / "user_data" / "data" / "validation.sealed").unlink()
    assert not batch.evaluate(elsewhere, opened, None).error
    with pytest.raises(LockError, match="validation.sealed"):
        inside.beyond()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (
            "./Nowhere.py",
            "there is no file Nowhere.py. --strategy takes the path of a strategy file, or a name in "
            "user_data/strategies",
        ),
        ("user_data/", "user_data is a folder. Name one strategy file"),
        ("./config.json", "config.json is no Python file"),
        (
            "user_data/strategies/Gamma.py",
            "no strategy 'user_data/strategies/Gamma.py' in user_data/strategies. There are: Alpha.",
        ),
    ],
)
def test_a_path_that_is_no_strategy_file_is_said(arena, path, words):
    done = run(arena.root, "--strategy", path, "--trades")
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_a_file_that_is_no_strategy_fails_and_shows_no_trades(arena, tmp_path):
    (tmp_path / "Notes.py").write_text("x = 1\n")
    done = run(arena.root, "--strategy", str(tmp_path / "Notes.py"), "--trades")
    assert done.returncode == 1
    assert values(done.stdout, "status") == ["FAIL: no strategy in Notes.py. It needs `class Notes(IStrategy):`"]
    assert values(done.stdout, "trades") == ["not shown: it failed"]
    assert values(done.stdout, "verdict") == [block.NOT_RECORDED]


@pytest.mark.parametrize(
    "words",
    [
        ["--trades"],
        ["--strategy", "Alpha", "--trades", "--causality", "full"],
        ["--strategy", "Alpha", "--trad"],
        ["--exp"],
    ],
)
def test_trades_are_of_one_strategy_checked_quickly_and_no_option_is_abbreviated(arena, words, capsys):
    """An abbreviation would pass by the permissions that name an option."""
    with pytest.raises(SystemExit) as ended:
        run(arena.root, *words)
    assert ended.value.code == 2


def account(arena, name, **parts):
    """An account with its trades, without the checks of an evaluation."""
    opened = context.open_arena(arena, record=False)
    client.warm_up()
    file = strategy(arena, name, **parts)
    told = strategy_files.examine(file, arena, strategy_files.read(file))
    made = figures.account(told, opened)
    return opened, Shown(told, made, trades.deals(made.claim, made.book, opened.market, arena.fee))


def reasons(opened, shown):
    claim, deals, limits = shown.account.claim, shown.deals, opened.settings
    found = rejected_signals.refused(claim, deals, shown.strategy, opened.market, opened.tables, limits.max_open_trades)
    first, last = limits.search.start_ms, int(opened.market.open_ms[-1])
    signals = claim.decisions.signals
    acting = {
        (pair, int(signals[pair].start_ms + k * opened.market.step_ms))
        for pair in signals
        for k in np.flatnonzero(signals[pair].enter)
    }
    acting = {(pair, ms) for pair, ms in acting if first <= ms < last}
    taken = {(deal.pair, deal.opened_ms - opened.market.step_ms) for deal in deals}
    told = [signal for refused in found.values() for signal in refused]
    assert len(told) == len(set(told)) and set(told) | taken == acting and not set(told) & taken, (
        "each signal has one fate"
    )
    return {reason: len(refused) for reason, refused in found.items() if refused}


def test_every_signal_of_a_replay_has_its_fate_and_slots_are_those_of_the_block(arena):
    both = "dataframe.loc[dataframe['date'].dt.hour == 5, 'exit_long'] = 1"
    callbacks = (
        f"def populate_exit_trend(self, dataframe, metadata):\n    dataframe.loc[dataframe['fast'] < "
        f"dataframe['slow'], 'exit_long'] = 1\n    {both}\n    return dataframe"
    )
    opened, shown = account(arena, "Slots", callbacks=callbacks)
    found = reasons(opened, shown)
    assert shown.account.engine.name == "replay=freqtrade"
    assert found[rejected_signals.SLOTS] == shown.account.claim.rejected > 50
    assert found[rejected_signals.HELD] > 50 and found[rejected_signals.LEAVING] > 5


def test_what_callbacks_refuse_is_told_as_theirs(arena):
    callbacks = (
        "def confirm_trade_entry(self, pair, order_type, amount, rate, time_in_force, current_time, entry_tag, side, "
        "**kwargs):\n"
        "    return current_time.hour % 4 != 0\n"
        "def custom_stake_amount(self, pair, current_time, proposed_stake, **kwargs):\n"
        "    return 0 if current_time.hour % 4 == 1 else proposed_stake\n"
        "def custom_entry_price(self, pair, trade, current_time, proposed_rate, entry_tag, side, **kwargs):\n"
        "    return proposed_rate * (0.9 if current_time.hour % 4 == 2 else 1)\n"
        "unfilledtimeout = {'entry': 30, 'exit': 30, 'unit': 'minutes'}\n"
    )
    opened, shown = account(arena, "Refuses", callbacks=callbacks)
    found = reasons(opened, shown)
    assert shown.account.engine.name == "booking"
    assert (
        found[rejected_signals.UNCONFIRMED] > 5
        and found[rejected_signals.NO_ORDER] > 5
        and found[rejected_signals.UNFILLED] > 5
    )


@pytest.mark.slow
def test_a_pair_that_cools_down_is_locked(arena):
    opened, shown = account(
        arena, "Locked", extra='protections = [{"method": "CooldownPeriod", "stop_duration_candles": 12}]'
    )
    assert reasons(opened, shown)[rejected_signals.LOCKED] > 5
    pauses = [
        b.opened_ms - a.closed_ms
        for a in shown.deals
        for b in shown.deals
        if a.pair == b.pair and b.opened_ms > a.closed_ms
    ]
    assert min(pauses) >= 12 * opened.market.step_ms


def test_nothing_is_opened_in_the_last_candle(arena):
    found = reasons(*account(arena, "Always", indicators="dataframe['fast'] = dataframe['slow'] + 1"))
    assert found[rejected_signals.LAST] == 1  # the other pair has the only slot


def test_an_account_that_ends_at_its_pairs_end_keeps_its_slot(arena):
    opened, shown = account(arena, "Always", indicators="dataframe['fast'] = dataframe['slow'] + 1")
    (held,) = [deal for deal in shown.deals if deal.exit_reason == "force_exit"]
    other = next(p for p, pair in enumerate(opened.market.pairs) if pair != held.pair)
    ends = rejected_signals._Account(
        (dataclasses.replace(held, closed_ms=held.opened_ms + HOUR),), shown.strategy, opened.market
    )
    column = (held.opened_ms - int(opened.market.open_ms[0])) // HOUR
    assert ends.positions(column + 2, other) == 1  # although its own last candle was the one before


def test_the_examples_are_named_in_the_text(debugged):
    done = debugged[1]
    told = dict(re.findall(r"^  (\d+): (.*)$", done.stdout.split("entry signals:")[1], re.M))
    (slots,) = [text for text in told.values() if text.startswith(rejected_signals.SLOTS)]
    assert re.fullmatch(
        rf"{rejected_signals.SLOTS}; for example (\w+/USDT 2021-\d\d-\d\d \d\d:00(, )?){{{trade_table.EXAMPLES}}}",
        slots,
    )
    assert str(int(values(done.stdout, "rejected_entries")[0])) in told
    counts = re.search(r"entry signals: (\d+), of them (\d+) became a trade, (\d+) did not:", done.stdout)
    assert sum(map(int, told)) == int(counts[3]) == int(counts[1]) - int(counts[2])


@pytest.mark.nightly
def test_an_exported_run_is_no_new_trial_and_is_exported_from_the_ledgers_answer_too(arena):
    first, again = (run(arena.root, "--export") for _ in range(2))
    for done in (first, again):
        assert done.returncode == 0, done.stderr
        assert re.fullmatch(
            r"user_data/backtest_results/backtest-result-\S+\.zip has Alpha", values(done.stdout, "export")[0]
        )
    assert "cached: yes" in again.stdout
    assert kept(arena).n_trials(contract(arena)) == 1
    assert (arena.root / "user_data" / "backtest_results" / ".last_result.json").is_file()
    assert Path(ROOT / ".gitignore").read_text().count("user_data/*") == 1
