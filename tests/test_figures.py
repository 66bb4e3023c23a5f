"""What is told of a strategy: its engine, its evidence among all trials, and one answer of the validation window."""

import dataclasses
import json
import math
import re

import numpy as np
import pytest
from arenas import STRATEGY, begin_anew, evaluated, prepared, strategy
from builders import market as made_of

from arena.accounting import booking
from arena.accounting.replay import inputs
from arena.checks import relabelling
from arena.errors import DeterminismError
from arena.evaluation import batch, context, engines, figures
from arena.ledger import strategy_files
from arena.market import candle_tables
from arena.reports.block import block
from arena.sandbox import client
from arena.stats import gates, metrics
from arena.stats.gates import verdict

EASY = {
    "min_trades": 1, "min_trades_per_window": 0, "min_exposure": 0, "min_position": 0, "max_drawdown": 1,
    "min_profit": -1.0, "max_optimistic_fills": 1, "max_hidden_loss": 1, "max_top_share": 1, "max_pair_share": 1,
    "max_relabel_loss": 1, "min_dsr": 1e-9,
}  # fmt: skip
"""Gates that every strategy passes, so that the validation window is asked."""
CALLBACK = (
    "def custom_exit(self, pair, trade, current_time, **kwargs):\n    return 'late' if (current_time - "
    "trade.open_date_utc).days > 3 else None"
)


def arena_of(folder, **changes):
    settings = prepared(folder, **changes)
    client.warm_up()
    return settings


@pytest.fixture(scope="module")
def easy(tmp_path_factory):
    return arena_of(tmp_path_factory.mktemp("easy"), arena={"gates": EASY, "ladder_step": 0.5})


@pytest.fixture
def recording(easy):
    """An arena with an empty ledger and no strategies."""
    begin_anew(easy.root)
    for file in (easy.root / strategy_files.FOLDER).glob("*.py"):
        file.unlink()
    return easy


def opened(settings, causality="auto"):
    return context.open_arena(settings, record=True, causality=causality)


def compared(settings, causality="auto"):
    """
    As `opened`, with another trial to be compared with: without one there is no evidence, and validation is not asked.
    """
    arena = opened(settings, causality)
    days = (settings.search.end_ms - settings.search.start_ms) // metrics.DAY_MS
    arena.trials.returns["another"] = np.random.default_rng(1).normal(0, 0.01, days)
    return arena


def test_signals_are_replayed(recording):
    signals = evaluated(strategy(recording, "Signals"), opened(recording, "quick"))
    assert (signals.engine, signals.engine_note, signals.checks.replay) == (engines.REPLAY, "", "agrees")
    assert signals.stress.missing == ()
    by_window = [window.own.sharpe for window in signals.windows]
    assert signals.robust_sharpe == min(by_window) < max(by_window)


@pytest.mark.slow
def test_callbacks_are_booked(recording):
    callbacks = evaluated(strategy(recording, "Callbacks", callbacks=CALLBACK), opened(recording, "quick"))
    assert (callbacks.engine, callbacks.checks.replay) == (engines.BOOKING, "")
    assert callbacks.engine_note == "decided on the way by custom_exit"
    assert "timing_p" in callbacks.stress.missing


@pytest.mark.slow
def test_orders_of_a_setting_that_no_replay_knows_are_booked(recording):
    limits = evaluated(
        strategy(recording, "Limits", extra="position_adjustment_enable = True"), opened(recording, "quick")
    )
    assert (limits.engine, limits.checks.replay) == (engines.BOOKING, "")
    assert limits.engine_note == "position_adjustment_enable is True"


VOLATILITY = "dataframe['size'] = (0.01 / dataframe['close'].pct_change().rolling(24).std()).clip(0.1, 2)"


def staked(answer, before="", after=""):
    """
    Lines of a strategy whose stakes follow `answer`, an expression of `proposed_stake` and of `size`, a share by
    volatility.
    """
    return {
        "indicators": VOLATILITY,
        "callbacks": "def custom_stake_amount(self, pair, current_time, proposed_stake, min_stake, max_stake, "
        "**kwargs):\n"
        f"    frame = self.dp.get_analyzed_dataframe(pair, self.timeframe)[0]\n    size = "
        f"frame['size'].iloc[-1]\n{before}    return {answer}\n{after}",
    }


def claimed(arena, name, **parts):
    """As `engines.claimed`. The file is removed."""
    file = strategy(arena.settings, name, **parts)
    told = strategy_files.examine(file, arena.settings, strategy_files.read(file))
    file.unlink()
    return engines.claimed(told, arena)


CLAMPED = "max(min_stake or 0, min(max_stake, proposed_stake * size))"
SHARES = {
    "bare": staked("proposed_stake * size"),
    "clamped": staked(CLAMPED),
    "printing when it is asked again": staked(
        "proposed_stake * size", "    if max_stake > 1e6:\n        print('x' * 100_000)\n"
    ),
    "an earlier pair's candles": staked(
        "proposed_stake * (0.3 + 0.02 * other['date'].iloc[-1].hour + 0.01 * (len(longer) % 10))",
        "    other, longer = self.dp.get_analyzed_dataframe('BTC/USDT', '1h')[0], self.dp.get_pair_dataframe(pair, "
        "'4h')\n",
    ),
    "a later pair's candles": staked(
        "proposed_stake * (0.3 + 0.02 * self.dp.get_analyzed_dataframe('ETH/USDT', '1h')[0]['date'].iloc[-1].hour)"
    )
    # which never is in a trade
    | {"indicators": VOLATILITY + "\nif metadata['pair'] == 'ETH/USDT':\n    dataframe['fast'] = 0.0"},
    "tag, rate, side": staked(
        "proposed_stake * (0.5 if kwargs['entry_tag'] == 'even' else 0.9) * (1 - kwargs['current_rate'] % 1 / 9) * "
        "(kwargs['side'] == 'long')",
        after="def populate_entry_trend(self, dataframe, metadata):\n    dataframe['enter_long'] = (dataframe['fast'] "
        "> dataframe['slow']).astype(int)\n"
        "    return dataframe.assign(enter_tag=(dataframe['date'].dt.hour % 2).map({0: 'even', 1: 'odd'}))\n",
    ),
    "no stake on some days": staked("proposed_stake * size * (current_time.day % 3 > 0)"),
}
BOOKED = "def custom_exit(self, pair, trade, **kwargs):\n    return None\n"
"""Decides nothing, and has the orders booked all the same."""


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARES)
def test_stakes_that_are_a_share_of_what_is_proposed_are_replayed(recording, name):
    arena, parts = opened(recording, "quick"), SHARES[name]
    claim, engine = claimed(arena, "Shares", **parts)
    assert (engine.name, engine.note, engine.replay) == (engines.REPLAY, "", "agrees")
    assert engine.described.rules.sized
    told, booked = claimed(arena, "Booked", **parts | {"callbacks": parts["callbacks"] + BOOKED})
    assert (booked.name, booked.note) == (engines.BOOKING, "decided on the way by custom_exit, custom_stake_amount")
    assert inputs.difference(claim.orders, told.orders, arena.market) == ""
    assert len(claim.orders.price) > 50
    assert (claim.rejected, claim.profit) == (told.rejected, told.profit)
    assert claim.closed_sharpe == pytest.approx(told.closed_sharpe, rel=1e-9)


@pytest.mark.nightly
def test_the_figures_of_a_replay_with_stakes_are_those_of_booking_and_its_stress_is_whole(recording):
    arena, quickly, parts = compared(recording), opened(recording, "quick"), SHARES["clamped"]
    found = evaluated(strategy(recording, "Shares", **parts), arena)
    booked = evaluated(strategy(recording, "Booked", **parts | {"callbacks": parts["callbacks"] + BOOKED}), quickly)
    assert (found.engine, found.checks.replay, found.checks.causality, found.look.asked) == (
        engines.REPLAY,
        "agrees",
        "full",
        True,
    )
    assert (booked.engine, booked.checks.replay) == (engines.BOOKING, "")
    assert repr((found.own, found.windows, found.pairs, found.daily_returns)) == repr(
        (booked.own, booked.windows, booked.pairs, booked.daily_returns)
    )
    sharpes = {
        field.name: getattr(found.stress, field.name)
        for field in dataclasses.fields(found.stress)
        if field.name != "missing"
    }
    assert found.stress.missing == () and not [name for name, value in sharpes.items() if math.isnan(value)]
    assert "timing_p" in booked.stress.missing


@pytest.mark.nightly
def test_in_another_market_a_strategy_with_stakes_earns_what_freqtrades_loop_says(recording):
    file = strategy(recording, "Shares", **SHARES["clamped"])
    told, arena = strategy_files.examine(file, recording, strategy_files.read(file)), opened(recording)
    made = figures.account(told, arena)
    case = figures.case_of(told, arena, made)
    assert case.described.rules.sized
    replayed, looped = (
        relabelling.relabel(asked, np.random.default_rng(5))
        for asked in (case, dataclasses.replace(case, described=None))
    )
    assert replayed == pytest.approx(looped, rel=1e-9) and abs(looped) > 0.01


@pytest.mark.slow
def test_in_a_small_wallet_it_shows_whether_a_strategy_clamps_its_stakes(tmp_path):
    arena = opened(arena_of(tmp_path, dry_run_wallet=40, arena={"gates": EASY}))
    for answer, clamps in ((CLAMPED.replace("size", "size / 6"), True), ("proposed_stake * size / 6", False)):
        _, engine = claimed(arena, "Small", **staked(answer))
        assert (engine.name, engine.described.rules.clamp) == (engines.REPLAY, clamps)


@pytest.mark.slow
def test_a_pair_that_is_listed_late_has_its_stakes_from_then_on(tmp_path):
    pairs = {"name": "binance", "pair_whitelist": ["BTC/USDT", "AVAX/USDT", "ETH/USDT"]}
    autumn = {
        "warmup_from": "20200801",
        "windows": {"autumn": "20200815-20201101"},
        "validation": None,
        "holdout": None,
    }
    arena = opened(arena_of(tmp_path, arena=autumn, exchange=pairs))
    late = int(arena.tables["AVAX/USDT"][0, 0])
    assert late > arena.settings.search.start_ms + 30 * metrics.DAY_MS
    claim, engine = claimed(arena, "Late", **SHARES["clamped"])
    assert (engine.name, engine.replay) == (engines.REPLAY, "agrees")
    asked = claim.decisions.stakes["AVAX/USDT"]
    assert asked.open_ms[0] > late and np.isfinite(asked.scale).all()
    assert (claim.orders.pair == 1).sum() > 10


COUNTED = "def counted(self, n):\n    self.n = getattr(self, 'n', 0) + 1\n    return 0.3 + 0.1 * (self.n // n % 4)\n"
OTHERS = {
    "constant": (staked("500.0"), inputs.NO_SHARE),
    "of the account": (staked("self.wallets.get_total_stake_amount() * size / 4"), inputs.NO_SHARE),
    "counted at each answer": (staked("proposed_stake * self.counted(1)", after=COUNTED), inputs.NO_SHARE),
    "counted by forty answers": (staked("proposed_stake * self.counted(40)", after=COUNTED), inputs.NO_SHARE),
    "with the candle's own limit": (staked("min(proposed_stake * size, 4000.0)"), inputs.NO_SHARE),
    "failing when it is asked again": (staked("proposed_stake * (size / (max_stake < 1e6))"), inputs.NO_SHARE),
    "ending when it is asked "
    "again": (staked("proposed_stake", "    if max_stake > 1e6:\n        raise SystemExit(3)\n"), inputs.NO_SHARE),
    "asked too often": (staked("proposed_stake * "
                               "size") | {"indicators": VOLATILITY + "\ndataframe['fast'] = dataframe['slow'] + 1"},
                        "decided on the way by custom_stake_amount, too often to ask for each stake"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_other_stakes_are_booked_which_is_no_fault(recording, name):
    parts, why = OTHERS[name]
    _, engine = claimed(opened(recording, "quick"), "Other", **parts)
    assert (engine.name, engine.note, engine.replay) == (engines.BOOKING, why, "")
    assert engine.described is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["of the account", "counted by forty answers"])
def test_other_stakes_pass_integrity_and_fail_no_gate_of_a_replay(recording, name):
    result = evaluated(strategy(recording, "Other", **OTHERS[name][0]), opened(recording, "quick"))
    assert not result.error and not result.warnings
    assert (result.engine, result.engine_note, result.checks.replay) == (engines.BOOKING, inputs.NO_SHARE, "")
    passed = {gate.gate: gate.passed for gate in result.gates}
    assert passed["integrity"] and passed["causality"] and passed["determinism"] and passed["replay"]


def test_orders_that_do_not_follow_from_what_is_told_are_told_and_not_accepted(recording):
    arena, file = opened(recording, "quick"), strategy(recording, "Forged")
    told = strategy_files.examine(file, recording)
    claim = client.backtest(told, recording, client.Task("backtest", recording.search, arena.markets), arena.tables)
    assert engines.engine_of(told, arena, claim).replay == "agrees"
    price = np.where(np.arange(len(claim.orders.price)) == 6, 1.01, 1.0) * claim.orders.price
    engine = engines.engine_of(
        told, arena, dataclasses.replace(claim, orders=dataclasses.replace(claim.orders, price=price))
    )
    assert (engine.name, engine.replay, engine.described) == (engines.BOOKING, "differs", None)
    assert re.search(r"order 6 is .* sell .* in the replay, .* sell .* in FreqTrade's loop", engine.note)


def test_evidence_counts_every_source_and_an_old_answer_counts_the_new_ones(recording):
    first = evaluated(strategy(recording, "First"), opened(recording, "quick"))
    assert (first.evidence.trials, first.evidence.effective) == (1, 1)
    assert math.isnan(first.evidence.dsr) and "one trial alone" in first.evidence.why
    assert "dsr is undefined: one trial alone" in verdict(first)
    evaluated(strategy(recording, "Second", extra="stoploss = -0.02"), opened(recording, "quick"))
    evaluated(strategy(recording, "Broken", extra="stoploss = oops"), opened(recording, "quick"))
    again = evaluated(recording.root / strategy_files.FOLDER / "First.py", opened(recording, "quick"))
    assert again.cached
    assert again.evidence.trials == 3
    assert 1 < again.evidence.effective <= 3
    assert 0 < again.evidence.dsr < 1 and again.evidence.luck_line > 0
    assert [gate for gate in again.gates if gate.gate == "dsr"][0].figure == again.evidence.dsr


@pytest.mark.slow
def test_what_a_run_is_about_to_evaluate_counts_and_has_its_number_whichever_ends_first(recording):
    late = {"A": "for _ in range(3 * 10**7): pass"}
    files = [
        strategy(recording, name, extra=f"stoploss = -0.0{k}", indicators=late.get(name, ""))
        for k, name in enumerate(("A", "B", "C"), 2)
    ]
    arena = opened(recording, "quick")
    results = list(batch.evaluate_all(files, arena))
    assert [result.evidence.trials for result in results] == [3, 3, 3]
    assert [trial.strategy for trial in arena.ledger.trials(arena.lock.contract)] == ["A", "B", "C"]


@pytest.mark.slow
def test_a_quick_answer_does_not_keep_a_strategy_from_the_validation_window(recording):
    """And from before its code runs the ledger knows of it, as of a look from before the window is asked."""
    file = strategy(recording, "Later")
    quick = evaluated(file, compared(recording, "quick"))
    assert (
        quick.look.why.startswith("only what passed the full check")
        and evaluated(file, compared(recording, "quick")).cached
    )
    first = evaluated(file, compared(recording))
    assert (first.cached, first.checks.causality, first.look.asked) == (False, "full", True)
    again = evaluated(file, compared(recording))
    assert again.cached and again.look == first.look
    rows = opened(recording).ledger.tries()
    told = [json.loads(row.result).get("begun", "end") for row in rows]
    assert told == ["evaluation", "end", "evaluation", "look", "end"] and len({row.sha256 for row in rows}) == 1
    assert opened(recording).trials.count("") == 2 and len(opened(recording).trials.looks) == 1


REFUSED = {
    "no Python": "class Other(IStrategy:\n",
    "another timeframe": STRATEGY.format(name="Other", extra="", indicators="", callbacks="").replace(
        'timeframe = "1h"', 'timeframe: str = "5m"'
    ),
    "a package that is not there": "import no_such_package_here.sub as x\n"
    + STRATEGY.format(name="Other", extra="", indicators="", callbacks=""),
    "another name": STRATEGY.format(name="Another", extra="", indicators="", callbacks=""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_its_text_refuses_is_recorded_and_no_try_of_the_market(recording, name):
    file = recording.root / strategy_files.FOLDER / "Other.py"
    file.write_text(REFUSED[name])
    arena = opened(recording, "quick")
    (result,) = batch.evaluate_all([file], arena)
    assert (result.error_kind, bool(result.error)) == ("RefusedError", True)
    assert [
        trial.error
        for trial in map(context.RESULT.validate_json, (t.result for t in arena.ledger.trials(arena.lock.contract)))
    ] == [result.error]
    assert arena.trials.returns == opened(recording).trials.returns == {}


def test_what_only_running_it_shows_is_a_try(recording):
    file = strategy(recording, "Tried", indicators="import no_such_package_here")
    assert evaluated(file, opened(recording, "quick")).error_kind == "StrategyError"
    assert [row.error_kind for row in opened(recording).ledger.tries()] == ["Unfinished", "StrategyError"]
    assert opened(recording).trials.count("another") == 2


@pytest.mark.slow
def test_the_validation_window_tells_new_bests_by_whole_steps_and_counts_its_answers(recording):
    up = strategy(recording, "Up", extra="stoploss = -0.05")
    result = evaluated(up, compared(recording))
    assert result.checks.causality == "full"
    assert result.look.asked and result.look.looks >= 1
    assert result.look.improved == (result.look.best > 0) == (result.look.positive is None)
    assert result.look.best % 0.5 == 0
    twin = evaluated(strategy(recording, "Twin", extra="stoploss = -0.050001"), compared(recording))
    assert twin.look.asked and not twin.look.improved
    assert twin.look.best == max(result.look.best, 0.0)
    assert twin.look.looks > result.look.looks


@pytest.mark.parametrize(
    "callbacks",
    [
        pytest.param("", marks=pytest.mark.slow, id="replayed"),
        pytest.param(CALLBACK, marks=pytest.mark.nightly, id="booked"),
    ],
)
def test_no_trace_of_validation_is_kept_but_the_answer(recording, callbacks):
    """The Sharpe of the validation window, computed here in the open, stands nowhere in what is recorded."""
    arena = compared(recording)
    file = strategy(recording, "Trace", callbacks=callbacks)
    source = file.read_text()
    result = evaluated(file, arena)
    assert result.look.asked
    file.write_text(source)
    beyond, whole = arena.beyond()
    tables = {pair: np.concatenate([table, beyond[pair]]) for pair, table in arena.tables.items()}
    told = strategy_files.examine(file, recording, strategy_files.read(file))
    claim = client.backtest(told, recording, client.Task("backtest", whole, arena.markets), tables)
    market = candle_tables.market(tables, recording, whole)
    book = booking.book(
        market, claim.orders, wallet=recording.wallet, fee=recording.fee, slots=recording.max_open_trades
    )
    secret = metrics.measure(market, book, recording.validation, last=True)
    assert np.isfinite(secret.sharpe)
    assert result.look.improved == (secret.sharpe >= 0.5)
    kept = json.dumps([trial.result for trial in arena.ledger.trials(arena.lock.contract)])
    digits = {f"{abs(value):.4f}" for value in (secret.sharpe, secret.profit, secret.max_drawdown)}
    assert not [number for number in re.findall(r"\d+\.\d{4}", kept) if number in digits]


@pytest.mark.slow
def test_who_fails_a_gate_or_was_checked_quickly_is_not_asked(recording, tmp_path):
    assert evaluated(strategy(recording, "Quick"), compared(recording, "quick")).look.why.startswith(
        "only what passed the full check"
    )
    strict = arena_of(tmp_path / "strict", arena={"gates": EASY | {"min_trades": 100_000}})
    assert evaluated(strategy(strict, "Strict"), compared(strict)).look.why == "a gate says no"
    closed = arena_of(tmp_path / "closed", arena={"gates": EASY, "validation": None, "holdout": None})
    look = evaluated(strategy(closed, "Closed"), compared(closed)).look
    assert (look.asked, look.why) == (False, "there is no validation window")


@pytest.mark.slow
def test_what_may_be_luck_is_neither_checked_in_full_nor_asked(tmp_path):
    lucky = arena_of(tmp_path, arena={"gates": EASY | {"min_dsr": 0.999999}})
    result = evaluated(strategy(lucky, "Lucky"), compared(lucky))
    assert all(gate.passed for gate in result.gates if gate.gate not in gates.EVIDENCE)
    assert (result.checks.causality, result.look.asked, result.look.why) == ("quick", False, "a gate says no")


@pytest.mark.slow
def test_what_loses_or_hardly_trades_is_asked_nothing_that_decides_nothing(recording, tmp_path):
    strict = arena_of(tmp_path, arena={"gates": EASY | {"min_trades": 100_000}})
    result = evaluated(strategy(strict, "Few"), opened(strict))
    assert result.skipped == ("relabel", "stress") and result.checks.causality == "quick"
    assert math.isnan(result.checks.relabel_sharpe) and math.isnan(result.stress.fee_x2)
    (relabel,) = [gate for gate in result.gates if gate.gate == "relabel"]
    assert not relabel.applies and relabel.passed == (result.own.sharpe < gates.LOW_SHARPE)
    assert "skipped:" in block(result, "row")


@pytest.mark.slow
def test_a_strategy_that_was_evaluated_elsewhere_is_asked_more_here(recording):
    arena, file = compared(recording), strategy(recording, "Elsewhere")
    told = strategy_files.examine(file, recording, strategy_files.read(file))
    earned = dataclasses.replace(figures.earn(told, arena), made=None)
    found = figures.judged(earned, told, arena)
    assert (found["checks"].causality, found["look"].asked) == ("full", True)
    other = dataclasses.replace(
        earned, figures={**earned.figures, "daily_returns": earned.figures["daily_returns"][::-1]}
    )
    with pytest.raises(DeterminismError, match="other trades"):
        figures.judged(other, told, arena)


@pytest.mark.slow
def test_the_relabelled_market_is_the_same_each_time_and_another_for_each_source(recording):
    first = evaluated(strategy(recording, "One"), opened(recording, "quick"))
    begin_anew(recording.root)
    again = evaluated(recording.root / strategy_files.FOLDER / "One.py", opened(recording, "quick"))
    assert not again.cached
    assert again.checks.relabel_sharpe == first.checks.relabel_sharpe
    file = recording.root / strategy_files.FOLDER / "One.py"
    file.write_text(file.read_text() + "\n# another source")
    assert evaluated(file, opened(recording, "quick")).checks.relabel_sharpe != first.checks.relabel_sharpe


@pytest.mark.slow
def test_an_arena_knows_the_looks_of_its_ledger(recording):
    first = evaluated(strategy(recording, "Before"), compared(recording))
    later = opened(recording)
    assert [look.best for look in later.trials.looks] == [first.look.best]
    assert later.trials.count("another") == 2
    assert later.trials.others("another")[0].shape == (len(first.daily_returns),)
    assert later.trials.others(first.sha256) == []


@pytest.mark.parametrize("n", [2, 30, 1000, 40_000])
def test_the_stretch_lies_in_the_range_and_nobody_can_foresee_it(n):
    market = made_of([1.0] * n)
    found = {engines._stretch(market) for _ in range(20)}
    assert all(market.open_ms[0] <= first < last <= market.open_ms[-1] for first, last in found)
    assert len(found) > 1 or n <= 60 * 24 + 1
    (length,) = {(last - first) // market.step_ms for first, last in found}
    assert length == min(max(int(0.1 * n), 60 * 24), n - 1)
