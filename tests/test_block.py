import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from arena.ledger import results_log
from arena.ledger.store import Trial
from arena.records import Checks, Evidence, GateResult, Look, Metrics, PairResult, Result, Stress, WindowResult
from arena.reports import block, round_block
from arena.reports.block import FIGURE_KEYS, HEAD_KEYS, KEYS, NOT_RECORDED, ROUND_KEYS
from arena.text import MAX_LINE, joined, printable

OWN = Metrics(
    sharpe=1.23456,
    sortino=2.5,
    calmar=0.75,
    profit=0.481,
    profit_abs=4810.5,
    max_drawdown=0.183,
    trades=41,
    win_rate=0.5,
    profit_factor=1.5,
    exposure=0.25,
    avg_position=0.4,
    turnover=12.0,
    fees=0.031,
)
HOLD = Metrics(sharpe=0.9, profit=-0.25, max_drawdown=0.7)
OK = Result(
    strategy="Trend",
    sha256="0" * 64,
    commit="abc1234",
    contract="9f2c41d0" * 8,
    source="binance",
    sandbox="full",
    engine="booking",
    seconds=1.44,
    own=OWN,
    hold=HOLD,
    sharpe_low=-0.021,
    sharpe_high=1.609,
    robust_sharpe=0.2,
    closed_sharpe=1.9,
    rejected_entries=3,
    checks=Checks("quick", 0.0125, 0.075, 0.34, 0.5, 1.1, 0.109),
    stress=Stress(0.41, 0.2, 0.62, 0.2, 0.33, -0.1, 0.8, 0.9, 0.012),
    evidence=Evidence(37, 19.24, 1.017, 0.31, 0.44, other_contracts=4),
    look=Look(asked=True, improved=True, best=0.3, looks=5),
    literals=("3: '2021-05-19'", "7: 64000"),
    windows=(WindowResult("bull", OWN, HOLD), WindowResult("bear", replace(OWN, sharpe=math.nan, trades=0), HOLD)),
    pairs=(PairResult("BTC/USDT", 41, 0.481, 0.5, 1.5, -0.25), PairResult("ETH/USDT", 0, 0.0, math.nan, math.nan, 0.1)),
    gates=(GateResult("trades", True, 41.0, 30.0, ">="), GateResult("drawdown", False, 0.183, 0.1, "<=")),
    warnings=("positions never closed",),
)
ROW = "abc1234\tevolve\tTrend\t1.2346\t-18.3\t"
FAILED = replace(
    OK,
    error="KeyError: 'rsi', in a callback",
    error_kind="StrategyError",
    frames=("Trend.py:7 confirm: x = y['rsi']",),
    gates=(),
)


def values(text):
    """What `grep '^key:'` finds, by key."""
    found = {}
    for line in text.splitlines():
        if match := re.match(r"([a-z_0-9]+):(?: +(.*))?$", line):
            found.setdefault(match[1], []).append(match[2] or "")
    return found


IN_THE_CONTRACT_LINE = ("source", "sandbox", "engine", "seconds", "cached")


def test_what_was_skipped_is_said_with_the_reason():
    assert values(block.block(replace(OK, skipped=("relabel",)), ROW))["skipped"] == ["relabel (sharpe below 1)"]
    few = GateResult("trades", False, 3, 30, ">=")
    relabel = GateResult("relabel", False, math.nan, math.nan, "", applies=False)
    found = values(block.block(replace(OK, skipped=("relabel", "stress"), gates=(*OK.gates, relabel, few)), ROW))
    assert found["skipped"] == ["relabel, stress (drawdown, trades)"] and "relabel=skipped" in found["gates"][0]
    assert "stress" not in found and "timing_p" not in found and "skipped" not in values(block.block(OK, ROW))


def test_every_key_is_found_once():
    found = values(block.block(replace(OK, skipped=("relabel",)), ROW))
    assert set(found) == set(KEYS) - set(IN_THE_CONTRACT_LINE)
    assert all(len(lines) == 1 for lines in found.values())
    assert set(IN_THE_CONTRACT_LINE) < set(HEAD_KEYS)
    for key in IN_THE_CONTRACT_LINE:
        assert len(re.findall(rf" {key}: \S", block.block(OK, ROW))) == 1


def test_a_block_in_full():
    assert block.block(OK, ROW) == (
        "---\n"
        "strategy:             Trend\n"
        "commit:               abc1234\n"
        "status:               OK\n"
        "contract:             9f2c41d0   source: binance   sandbox: full   engine: booking   seconds: 1.4   cached: "
        "no\n"
        "sharpe:               1.2346\n"
        "sharpe_ci95:          -0.02 1.61\n"
        "robust_sharpe:        0.2000\n"
        "total_profit_pct:     48.10000\n"
        "total_profit_abs:     4810.500000\n"
        "max_drawdown_pct:     -18.30\n"
        "closed_sharpe:        1.9000\n"
        "sortino:              2.5000\n"
        "calmar:               0.7500\n"
        "trade_count:          41\n"
        "win_rate_pct:         50.00\n"
        "profit_factor:        1.5000\n"
        "exposure_pct:         25.00\n"
        "avg_position_pct:     40.00\n"
        "turnover:             12.00\n"
        "fees_pct:             3.10\n"
        "rejected_entries:     3\n"
        "optimistic_fills_pct: 1.25\n"
        "hidden_loss_pct:      7.50\n"
        "top5_share_pct:       34.00\n"
        "pair_share_pct:       50.00\n"
        "relabel_sharpe:       1.1000\n"
        "bah_sharpe:           0.9000\n"
        "bah_profit_pct:       -25.00\n"
        "bah_dd_pct:           -70.00\n"
        "windows:\n"
        "  bull: sharpe=1.2346 profit_pct=48.10 dd_pct=-18.30 trades=41 bah_sharpe=0.9000 bah_profit_pct=-25.00\n"
        "  bear: sharpe=nan profit_pct=48.10 dd_pct=-18.30 trades=0 bah_sharpe=0.9000 bah_profit_pct=-25.00\n"
        "per_pair:\n"
        "  BTC/USDT: trades=41 profit_pct=48.10 wr=50.0 pf=1.50 bah_profit_pct=-25.00\n"
        "  ETH/USDT: trades=0 profit_pct=0.00 wr=nan pf=nan bah_profit_pct=10.00\n"
        "stress:               fee_x2=0.41 fee_x3=0.20 late_1=0.62 without_top5=0.20 worst_pair_out=0.33 "
        "worst_start=-0.10 "
        "slot_less=0.80 slot_more=0.90\n"
        "timing_p:             0.0120\n"
        "evidence:             trials=37 other_contracts=4 effective=19.2 luck_line=1.02 dsr=0.3100 pbo=0.44\n"
        "validation:           new best 0.30 (look 5)\n"
        "literals:             3: '2021-05-19', 7: 64000\n"
        "gates:                trades=PASS(41>=30) drawdown=FAIL(0.183>0.1)\n"
        "verdict:              REJECTED: drawdown 0.183 is not <= 0.1\n"
        "warning:              positions never closed\n"
        "row:                  abc1234\tevolve\tTrend\t1.2346\t-18.3\n"
    )


def test_what_is_not_recorded_has_figures_and_nothing_of_luck():
    gates = tuple(
        GateResult(name, name == "trades", math.nan, math.nan, "") for name in ("trades", "dsr", "validation")
    )
    found, told = (values(block.block(replace(OK, gates=gates), row)) for row in (None, ROW))
    assert found["gates"] == ["trades=PASS"] and "dsr=FAIL" in told["gates"][0]
    assert found["verdict"] == [NOT_RECORDED]
    assert set(told) - set(found) == {"evidence", "validation", "row"}
    assert all(found[key] == told[key] for key in set(found) - {"gates", "verdict"})
    failed = values(block.block(replace(OK, error="crashed"), None))
    assert failed["verdict"] == [NOT_RECORDED] and "row" not in failed


def test_stress_names_what_its_engine_cannot_say():
    found = values(
        block.block(
            replace(OK, stress=Stress(fee_x2=0.4, missing=("slot_less", "slot_more", "worst_start", "timing_p"))), ROW
        )
    )
    line = (
        "fee_x2=0.40 fee_x3=nan late_1=nan without_top5=nan worst_pair_out=nan "
        "missing=slot_less,slot_more,worst_start,timing_p"
    )
    assert found["stress"] == [line]
    assert found["timing_p"] == ["nan"]


@pytest.mark.parametrize(
    ("look", "text"),
    [
        (Look(why="a gate says no"), "not asked: a gate says no"),
        (Look(asked=True, best=0.3, looks=2), "no new best 0.30 (look 2)"),
        (Look(asked=True, best=0.3, positive=True, looks=2), "no new best 0.30, this one is above zero (look 2)"),
        (Look(asked=True, best=0.3, positive=False, looks=2), "no new best 0.30, this one is not above zero (look 2)"),
    ],
)
def test_the_validation_window_says_little(look, text):
    assert values(block.block(replace(OK, look=look), ROW))["validation"] == [text]


def test_evidence_that_is_undefined_says_why():
    found = values(block.block(replace(OK, evidence=Evidence(trials=1, effective=1.0, why="one trial alone")), ROW))
    assert found["evidence"] == [
        "trials=1 other_contracts=0 effective=1.0 luck_line=nan dsr=nan pbo=nan (one trial alone)"
    ]


def test_an_engine_says_why_it_is_not_the_replay():
    assert "engine: booking (custom_exit decides)   seconds" in block.block(
        replace(OK, engine_note="custom_exit decides"), ROW
    )


def test_a_validation_that_was_not_asked_is_told_from_one_that_failed():
    gates = (GateResult("validation", False, math.nan, math.nan, ""),)
    assert values(block.block(replace(OK, gates=gates), ROW))["gates"] == ["validation=FAIL"]
    assert values(block.block(replace(OK, gates=gates, look=Look(why="x")), ROW))["gates"] == [
        "validation=FAIL(not asked)"
    ]


def test_a_cached_answer_says_so():
    assert "cached: yes\n" in block.block(replace(OK, cached=True), ROW)


def test_every_figure_of_a_result_reaches_the_block():
    base = values(block.block(OK, ROW))
    changes = {
        "sharpe": {"own": replace(OWN, sharpe=9)},
        "sharpe_ci95": {"sharpe_low": -9},
        "robust_sharpe": {"robust_sharpe": 9},
        "total_profit_pct": {"own": replace(OWN, profit=9)},
        "total_profit_abs": {"own": replace(OWN, profit_abs=9)},
        "max_drawdown_pct": {"own": replace(OWN, max_drawdown=0.9)},
        "closed_sharpe": {"closed_sharpe": 9},
        "sortino": {"own": replace(OWN, sortino=9)},
        "calmar": {"own": replace(OWN, calmar=9)},
        "trade_count": {"own": replace(OWN, trades=9)},
        "win_rate_pct": {"own": replace(OWN, win_rate=0.9)},
        "profit_factor": {"own": replace(OWN, profit_factor=9)},
        "exposure_pct": {"own": replace(OWN, exposure=0.9)},
        "avg_position_pct": {"own": replace(OWN, avg_position=0.9)},
        "turnover": {"own": replace(OWN, turnover=9)},
        "fees_pct": {"own": replace(OWN, fees=9)},
        "rejected_entries": {"rejected_entries": 9},
        "optimistic_fills_pct": {"checks": replace(OK.checks, optimistic_fills=0.9)},
        "hidden_loss_pct": {"checks": replace(OK.checks, hidden_loss=0.9)},
        "top5_share_pct": {"checks": replace(OK.checks, top_share=0.9)},
        "pair_share_pct": {"checks": replace(OK.checks, pair_share=0.9)},
        "relabel_sharpe": {"checks": replace(OK.checks, relabel_sharpe=9)},
        "bah_sharpe": {"hold": replace(HOLD, sharpe=9)},
        "bah_profit_pct": {"hold": replace(HOLD, profit=9)},
        "bah_dd_pct": {"hold": replace(HOLD, max_drawdown=0.9)},
    }
    assert list(changes) == list(FIGURE_KEYS)
    for key, change in changes.items():
        found = values(block.block(replace(OK, **change), ROW))
        assert [k for k in found if found[k] != base[k]] == [key]
    assert values(block.block(replace(OK, sharpe_high=9), ROW))["sharpe_ci95"] == ["-0.02 9.00"]


def test_what_is_undefined_is_printed_as_nan():
    found = values(block.block(replace(OK, own=Metrics(), sharpe_low=math.nan, sharpe_high=math.nan), ROW))
    assert found["sharpe"] == found["total_profit_pct"] == found["max_drawdown_pct"] == ["nan"]
    assert found["sharpe_ci95"] == ["nan nan"]


def test_a_gate_without_a_figure_is_marked():
    gates = (
        GateResult("exposure", False, math.nan, 0.01, ">="),
        GateResult("profit", False, 0.0, 0.0, ">"),
        GateResult("trades", False, 1, 2, ">="),
    )
    assert values(block.block(replace(OK, gates=gates), ROW))["gates"] == [
        "exposure=FAIL(nan?0.01) profit=FAIL(0<=0) trades=FAIL(1<2)"
    ]


def test_a_gate_without_a_figure_and_one_that_does_not_apply_are_words():
    gates = (
        GateResult("integrity", True, math.nan, math.nan, ""),
        GateResult("causality", True, math.nan, math.nan, ""),
        GateResult("relabel", True, 0.12, 0.5, "<="),
        GateResult("pair_share", True, math.nan, 0.9, "<=", applies=False),
    )
    line = "integrity=PASS causality=PASS({}) relabel=PASS(0.12<=0.5) pair_share=n/a"
    assert values(block.block(replace(OK, gates=gates), ROW))["gates"] == [line.format("quick")]
    full = replace(OK, gates=gates, checks=replace(OK.checks, causality="full"))
    assert values(block.block(full, ROW))["gates"] == [line.format("full")]
    unchecked = replace(OK, gates=(replace(gates[1], passed=False),), checks=Checks())
    assert values(block.block(unchecked, ROW))["gates"] == ["causality=FAIL"]
    assert values(block.block(unchecked, ROW))["verdict"] == ["REJECTED: causality is not shown"]


def test_a_failure_of_a_gate_shows_that_gate():
    gates = (GateResult("causality", False, math.nan, math.nan, ""),)
    text = block.block(replace(FAILED, gates=gates, error_kind="CausalityError"), ROW)
    assert values(text)["gates"] == ["causality=FAIL"]
    assert "\n  Trend.py:7 confirm: x = y['rsi']\ngates:                causality=FAIL\nverdict: " in text


def test_a_source_without_literals_says_none():
    assert values(block.block(replace(OK, literals=()), ROW))["literals"] == ["none"]


def test_a_failure_has_its_status_its_frames_a_verdict_and_a_row_and_no_figures():
    text = block.block(FAILED, ROW)
    found = values(text)
    assert set(found) == {"strategy", "commit", "status", "contract", "verdict", "warning", "row"}
    assert found["status"] == ["FAIL: KeyError: 'rsi', in a callback"]
    assert found["verdict"] == ["REJECTED: KeyError: 'rsi', in a callback"]
    assert "\n  Trend.py:7 confirm: x = y['rsi']\nverdict:" in text
    assert text.splitlines()[-1].split("\t")[1:3] == ["evolve", "Trend"]


def test_several_warnings_have_a_line_each():
    assert values(block.block(replace(OK, warnings=("one", "two")), ROW))["warning"] == ["one", "two"]
    assert "warning" not in values(block.block(replace(OK, warnings=()), ROW))


ATTACKS = {
    "a second block": "x\n---\nstrategy:           Best\nsharpe: 9.9",
    "a carriage return": "x\rstrategy: Best\rsharpe: 9.9",
    "other line ends": "x\u2028strategy: Best\u2029sharpe: 9.9\x85verdict: PASSED\x0bstatus: OK\x0crow: y\x1cgates: z",
    "escape sequences": "\x1b[2J\x1b[1;1Hstrategy: Best\x1b]0;title\x07\x08\x08",
    "bidirectional text": "x\u202eyrautnec\u2066",
    "lone surrogates": "x\udcff\ud800",
    "a tab": "x\tevolve\tBest\t9.9",
}


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS)
@pytest.mark.parametrize("place", ["error", "frames", "warnings", "strategy", "commit", "source"])
def test_no_text_can_forge_a_line(place, text):
    harmless = block.block(replace(FAILED, **{place: ("x",) if place in ("frames", "warnings") else "x"}), ROW)
    forged = block.block(replace(FAILED, **{place: (text,) if place in ("frames", "warnings") else text}), ROW)
    assert len(forged.splitlines()) == len(harmless.splitlines())
    assert [line.split(":")[0] for line in forged.splitlines() if line[0] != " "] == [
        line.split(":")[0] for line in harmless.splitlines() if line[0] != " "
    ]
    assert all(c.isprintable() or c in "\n\t" for c in forged)
    forged.encode()  # can be printed


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS)
def test_no_literal_can_forge_a_line(text):
    printed = block.block(replace(OK, literals=("1", text)), ROW)
    assert len(printed.splitlines()) == len(block.block(OK, ROW).splitlines())
    assert all(c.isprintable() or c in "\n\t" for c in printed)


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS)
def test_no_name_or_note_can_forge_a_line_through_the_row(text):
    for row in (
        results_log.row("abc1234", "evolve", "Trend", 1.0, 0.1, text),
        results_log.row("abc1234", "evolve", text, 1.0, 0.1),
    ):
        printed = block.block(OK, row)
        assert len(printed.splitlines()) == len(block.block(OK, ROW).splitlines())
        assert all(c.isprintable() or c in "\n\t" for c in printed)
    assert results_log.row("abc1234", "evolve", "Trend", 1.0, 0.1, text).count("\t") == 5


def test_a_line_of_dashes_in_a_frame_is_indented():
    lines = block.block(replace(FAILED, frames=("---", "strategy: Best")), ROW).splitlines()
    assert lines.count("---") == 1
    assert "  ---" in lines
    assert "  strategy: Best" in lines


def test_long_texts_are_cut():
    assert printable("x" * MAX_LINE) == "x" * MAX_LINE
    assert printable("x" * (MAX_LINE + 1)) == "x" * (MAX_LINE - 1) + "…"
    assert printable("abcdef", 4) == "abc…"
    text = block.block(
        replace(FAILED, error="e" * 5000, frames=("f" * 5000,), warnings=("w" * 5000,), strategy="s" * 5000), ROW
    )
    assert max(map(len, text.splitlines())) < MAX_LINE + 40


def test_visible_text_stays_as_it_is():
    assert printable("KeyError: 'größe' → 東京") == "KeyError: 'größe' → 東京"
    assert printable("  a \n\t b  ") == "a b"


def test_the_round_block_has_its_keys_in_order():
    text = block.round_block(
        {"seconds": ["1.2"], "demands": ["A: evolve it", "B: kill it"], "active": ["2 of 3: A, B"]}
    )
    assert text == (
        "---\n"
        "round:\n"
        "active:               2 of 3: A, B\n"
        "demands:              A: evolve it\n"
        "demands:              B: kill it\n"
        "seconds:              1.2\n"
    )
    assert set(values(block.round_block({key: ["x"] for key in ROUND_KEYS}))) == {"round", *ROUND_KEYS}


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS)
def test_no_text_can_forge_a_line_of_the_round_block(text):
    assert len(block.round_block({"journal": [text]}).splitlines()) == 3


def test_names_are_joined_or_none():
    assert joined(["A", "B"]) == "A, B"
    assert joined(iter(())) == "none"


def tried(name, sharpe, *passed):
    gates = [{"gate": gate, "passed": yes} for gate, yes in zip(("trades", "drawdown", "dsr"), passed, strict=True)]
    told = json.dumps({"own": {"sharpe": sharpe}, "gates": gates})
    return Trial("abc1234", name, name, "", "", told, "", "", np.empty(0))


def test_the_best_of_a_round_is_the_best_that_passed_every_gate_but_those_of_luck():
    trials = [
        tried("Lucky", 3.0, True, False, True),
        tried("Good", 1.5, True, True, False),
        tried("Worse", 1.0, True, True, True),
    ]
    trials += [tried("Undefined", math.nan, True, True, True)]
    assert (
        round_block._ledger(trials, 4)
        == "4 trials under this contract; best that passed every gate but dsr and validation: Good at abc1234 with "
        "sharpe 1.5000"
    )
    assert (
        round_block._ledger(trials[:1], 1, 2)
        == "1 trials under this contract, 2 under others on these candles; none passed every gate but dsr and "
        "validation"
    )
