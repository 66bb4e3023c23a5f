"""What is told of a strategy: its engine, its evidence among all trials, and one answer of the validation window."""

import dataclasses
import json
import math
import re

import numpy as np
import pytest
from arenas import evaluated, prepared, strategy
from builders import market as made_of

from arena import booking, evaluation, figures, grid, metrics, opening, sandbox, strategies
from arena.gates import verdict
from arena.records import Look

EASY = {
    "min_trades": 1, "min_trades_per_window": 0, "min_exposure": 0, "min_position": 0, "max_drawdown": 1, "min_profit": -1.0,
    "max_optimistic_fills": 1, "max_hidden_loss": 1, "max_top_share": 1, "max_pair_share": 1, "max_relabel_loss": 1,
}  # fmt: skip
"""Gates that every strategy passes, so that the validation window is asked."""
CALLBACK = "def custom_exit(self, pair, trade, current_time, **kwargs):\n    return 'late' if (current_time - trade.open_date_utc).days > 3 else None"


def arena_of(folder, **changes):
    settings = prepared(folder, **changes)
    sandbox.warm_up()
    return settings


@pytest.fixture(scope="module")
def easy(tmp_path_factory):
    return arena_of(tmp_path_factory.mktemp("easy"), arena={"gates": EASY, "ladder_step": 0.5})


@pytest.fixture
def recording(easy):
    """An arena with an empty ledger and no strategies."""
    (easy.root / "user_data" / "ledger.db").unlink(missing_ok=True)
    for file in (easy.root / strategies.FOLDER).glob("*.py"):
        file.unlink()
    return easy


def opened(settings, causality="auto"):
    return opening.open_arena(settings, record=True, causality=causality)


def test_signals_are_replayed_and_callbacks_are_booked(recording):
    arena = opened(recording, "quick")
    signals = evaluated(strategy(recording, "Signals"), arena)
    assert (signals.engine, signals.engine_note, signals.checks.replay) == (figures.REPLAY, "", "agrees")
    assert signals.stress.missing == ()
    callbacks = evaluated(strategy(recording, "Callbacks", callbacks=CALLBACK), arena)
    assert (callbacks.engine, callbacks.checks.replay) == (figures.BOOKING, "")
    assert callbacks.engine_note == "decided on the way by custom_exit"
    assert "timing_p" in callbacks.stress.missing
    limits = evaluated(strategy(recording, "Limits", extra="position_adjustment_enable = True"), arena)
    assert (limits.engine, limits.checks.replay) == (figures.BOOKING, "")
    assert limits.engine_note == "position_adjustment_enable is True"


FORGED = 'class Stop(float):\n    def __repr__(self):\n        return "-0.1"\nself.stoploss = Stop(-0.01)'
"""A stop at 1 % that is told as one at 10 %."""


def test_orders_that_do_not_follow_from_what_is_told_are_told_and_not_accepted(recording):
    result = evaluated(strategy(recording, "Forged", indicators=FORGED), opened(recording))
    assert not result.error
    assert result.checks.replay == "differs"
    assert result.engine == figures.BOOKING
    assert {gate.gate for gate in result.gates if not gate.passed} >= {"replay", "validation"}
    assert not result.look.asked
    (warning,) = [text for text in result.warnings if "the replay does not agree" in text]
    assert re.search(r"order \d+ is .* in the replay, .* sell \(stop\) .* in FreqTrade's loop", warning)
    assert result.engine_note in warning


def test_evidence_counts_every_source_and_an_old_answer_counts_the_new_ones(recording):
    first = evaluated(strategy(recording, "First"), opened(recording, "quick"))
    assert (first.evidence.trials, first.evidence.effective) == (1, 1)
    assert math.isnan(first.evidence.dsr) and "one trial alone" in first.evidence.why
    assert "dsr is undefined: one trial alone" in verdict(first)
    evaluated(strategy(recording, "Second", extra="stoploss = -0.02"), opened(recording, "quick"))
    evaluated(strategy(recording, "Broken", extra="stoploss = oops"), opened(recording, "quick"))
    again = evaluated(recording.root / strategies.FOLDER / "First.py", opened(recording, "quick"))
    assert again.cached
    assert again.evidence.trials == 3
    assert 1 < again.evidence.effective <= 3
    assert 0 < again.evidence.dsr < 1 and again.evidence.luck_line > 0
    assert [gate for gate in again.gates if gate.gate == "dsr"][0].figure == again.evidence.dsr


def test_what_a_run_is_about_to_evaluate_counts_whichever_ends_first(recording):
    files = [strategy(recording, name, extra=f"stoploss = -0.0{k}") for k, name in enumerate(("A", "B", "C"), 2)]
    results = list(evaluation.evaluate_all(files, opened(recording, "quick")))
    assert [result.evidence.trials for result in results] == [3, 3, 3]


def test_the_validation_window_tells_new_bests_by_whole_steps_and_counts_its_answers(recording):
    up = strategy(recording, "Up", extra="stoploss = -0.05")
    result = evaluated(up, opened(recording))
    assert result.checks.causality == "full"
    assert result.look.asked and result.look.looks >= 1
    assert result.look.improved == (result.look.best > 0)
    assert result.look.best % 0.5 == 0
    twin = evaluated(strategy(recording, "Twin", extra="stoploss = -0.050001"), opened(recording))
    assert twin.look.asked and not twin.look.improved
    assert twin.look.best == max(result.look.best, 0.0)
    assert twin.look.looks > result.look.looks


@pytest.mark.parametrize("callbacks", ["", CALLBACK], ids=["replayed", "booked"])
def test_no_trace_of_validation_is_kept_but_the_answer(recording, callbacks):
    """The Sharpe of the validation window, computed here in the open, stands nowhere in what is recorded."""
    arena = opened(recording)
    file = strategy(recording, "Trace", callbacks=callbacks)
    source = file.read_text()
    result = evaluated(file, arena)
    assert result.look.asked
    file.write_text(source)
    beyond, whole = arena.beyond()
    tables = {pair: np.concatenate([table, beyond[pair]]) for pair, table in arena.tables.items()}
    told = strategies.examine(file, recording, strategies.read(file))
    claim = sandbox.backtest(told, recording, sandbox.Task("backtest", whole, arena.markets), tables)
    market = grid.market(tables, recording, whole)
    book = booking.book(market, claim.orders, wallet=recording.wallet, fee=recording.fee, slots=recording.max_open_trades)
    secret = metrics.measure(market, book, recording.validation, last=True)
    assert np.isfinite(secret.sharpe)
    assert result.look.improved == (secret.sharpe >= 0.5)
    kept = json.dumps([trial.result for trial in arena.ledger.trials(arena.lock.contract)])
    digits = {f"{abs(value):.4f}" for value in (secret.sharpe, secret.profit, secret.max_drawdown)}
    assert not [number for number in re.findall(r"\d+\.\d{4}", kept) if number in digits]


def test_who_fails_a_gate_or_was_checked_quickly_is_not_asked(recording, tmp_path):
    assert evaluated(strategy(recording, "Quick"), opened(recording, "quick")).look.why.startswith("only what passed the full check")
    strict = arena_of(tmp_path / "strict", arena={"gates": EASY | {"min_trades": 100_000}})
    assert evaluated(strategy(strict, "Strict"), opened(strict)).look.why == "a gate says no"
    closed = arena_of(tmp_path / "closed", arena={"gates": EASY, "validation": None, "holdout": None})
    look = evaluated(strategy(closed, "Closed"), opened(closed)).look
    assert (look.asked, look.why) == (False, "there is no validation window")


def test_a_convincing_strategy_that_is_no_new_best_learns_its_sign(recording):
    """Evidence is set, not earned: what matters here is what the window answers."""
    arena = opened(recording)
    file = strategy(recording, "Sign")
    told = strategies.examine(file, recording, strategies.read(file))
    earned = figures.earn(told, arena)
    assert earned.validation is not None
    weak = dataclasses.replace(earned, validation=0.2)
    assert figures.judged(weak, told.sha256, arena)["look"] == Look(asked=True, improved=False, best=0.0, looks=1)
    arena.trials.returns["another"] = np.array(earned.figures["daily_returns"])[::-1]
    steady = np.full(len(earned.figures["daily_returns"]), 0.01) + np.tile([0.001, -0.001], len(earned.figures["daily_returns"]))[: len(earned.figures["daily_returns"])]
    strong = dataclasses.replace(weak, figures={**earned.figures, "daily_returns": tuple(steady)})
    found = figures.judged(strong, told.sha256, arena)
    assert found["evidence"].dsr > 0.95
    assert (found["look"].positive, found["look"].looks) == (True, 3)
    losing = figures.judged(dataclasses.replace(strong, validation=-0.2), told.sha256, arena)
    assert losing["look"].positive is False


def test_the_relabelled_market_is_the_same_each_time_and_another_for_each_source(recording):
    first = evaluated(strategy(recording, "One"), opened(recording, "quick"))
    (recording.root / "user_data" / "ledger.db").unlink()
    again = evaluated(recording.root / strategies.FOLDER / "One.py", opened(recording, "quick"))
    assert not again.cached
    assert again.checks.relabel_sharpe == first.checks.relabel_sharpe
    file = recording.root / strategies.FOLDER / "One.py"
    file.write_text(file.read_text() + "\n# another source")
    assert evaluated(file, opened(recording, "quick")).checks.relabel_sharpe != first.checks.relabel_sharpe


def test_an_arena_knows_the_looks_of_its_ledger(recording):
    first = evaluated(strategy(recording, "Before"), opened(recording))
    later = opened(recording)
    assert [look.best for look in later.trials.looks] == [first.look.best]
    assert later.trials.count("another") == 2
    assert later.trials.others("another")[0].shape == (len(first.daily_returns),)
    assert later.trials.others(first.sha256) == []




@pytest.mark.parametrize("n", [2, 30, 1000, 40_000])
def test_the_stretch_lies_in_the_range_and_nobody_can_foresee_it(n):
    market = made_of([1.0] * n)
    found = {figures._stretch(market) for _ in range(20)}
    assert all(market.open_ms[0] <= first < last <= market.open_ms[-1] for first, last in found)
    assert len(found) > 1 or n <= 60 * 24 + 1
    (length,) = {(last - first) // market.step_ms for first, last in found}
    assert length == min(max(int(0.1 * n), 60 * 24), n - 1)
