"""
The zoo: cheats with one hole each, every one refused for a reason of its family; honest strategies, none refused by a
check.

They stand in compact texts in tests/cheats and tests/honest; tests/zoo.py makes whole source files of them. Both run on
real candles, in an arena of three pairs and eighteen months. A cheat's file is named after its family; `needs: …` names
what it lives from and does not find here: then it is honest, or fails, and in no case better than its honest twin. A
sample of each family is slow; all of them are nightly.
"""

import ast
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import zoo
from arenas import ROOT, configured, made_once, prepared

from arena.evaluation import batch, context
from arena.ledger import strategy_files
from arena.sandbox import client

CHEATS, HONEST = zoo.load("cheats"), zoo.load("honest")
PAIRS = {"exchange": {"name": "binance", "pair_whitelist": ["BTC/USDT", "ETH/USDT", "SOL/USDT"]}, "max_open_trades": 3}

FORESIGHT = {"causality"}
CRASH = {"crash"}
REASONS = {
    "lookahead": FORESIGHT,
    "sparse": FORESIGHT,
    "length": FORESIGHT,
    "memory": FORESIGHT | {"integrity"},
    "files": FORESIGHT | CRASH,
    "callback": FORESIGHT | CRASH,
    "prices": {"integrity", "causality", "booking"},
    "engine": {"integrity", "causality", "booking", "optimistic_fills"},
    "config": {"integrity", "booking", "optimistic_fills"},
    "relabel": {"relabel"},
    "metrics": {
        "optimistic_fills", "hidden_loss", "drawdown", "trades", "window_trades", "exposure", "position", "top_share",
        "pair_share",
    },
    "attack": {"integrity", "booking", "determinism"} | CRASH,
    # dice with two sides can agree with themselves twice; vetoes by chance can leave no trade
    "random": {"determinism", "causality"} | CRASH,
}  # fmt: skip
"""Of each family, what may refuse it. A `crash` is any other failure, limits included."""

ALWAYS = {
    "LookShiftOne", "LookInformativeInside", "LookStopFit", "RareVetoExit", "LenHonestEdge", "MemClassAttribute",
    "FileTmpNotes", "KeptFrameStop", "CandleLowEntryPrice", "MaxRateRoi", "HeikinAshiOverwrite", "OwnShouldExit",
    "PatchSeriesShift", "ConfigNoFee", "GoodDaysStrings", "RowNumbers", "HairTrail", "LossesNeverRealised",
    "ForgedClaim", "ReplacesModules", "NumpyRandomEntries",
}  # fmt: skip


def reasons(result):
    """What refused it: gates, and the kind of a failure."""
    found = {gate.gate for gate in result.gates if gate.applies and not gate.passed}
    if result.error and not found:
        found = {"booking" if result.error_kind == "BookingError" else "crash"}
    return found


def tiers(names, sample):
    """All are nightly; those of the sample are slow as well, so that CI runs them."""
    return [
        pytest.param(name, marks=[pytest.mark.nightly, *([pytest.mark.slow] if name in sample else [])])
        for name in names
    ]


@pytest.fixture(scope="module")
def files():
    """The source file of each strategy. All are written once in a run."""
    folder = made_once("the zoo", zoo.write)
    return {file.stem: file for file in sorted(folder.glob("*/*.py"))}


@pytest.fixture(scope="module")
def arena(tmp_path_factory, market_data):
    settings = prepared(
        tmp_path_factory.mktemp("zoo"),
        {"kind": "files", "path": str(market_data / "spot"), "markets": str(market_data / "markets.json")},
        **PAIRS,
        arena={
            "warmup_from": "20200901",
            "windows": {"bull": "20210101-20220101", "bear": "20220101-20220701"},
            "validation": "20220701-20221001",
            "gates": {"max_drawdown": 0.9},  # what loses half is not asked in another market
            "holdout": None,
            "limits": {"seconds": 60},
        },
    )
    client.warm_up()
    return context.open_arena(settings, record=False, causality="quick")


@pytest.fixture(scope="module")
def evaluated(arena, files, request):
    """Results by name. All that this run asks for are evaluated side by side, from the first one asked on."""
    asked = [
        item.callspec.params["name"]
        for item in request.session.items
        if item.module is request.module and hasattr(item, "callspec")
    ]
    pool = ThreadPoolExecutor(max_workers=(os.cpu_count() or 1) + 1)
    head = strategy_files.head(ROOT)
    futures = {name: pool.submit(batch.evaluate, files[name], arena, head) for name in asked}
    yield lambda name: futures[name].result()
    pool.shutdown(cancel_futures=True)


def asked_in_full(file, arena):
    """
    As before the validation window: what the few instants of a quick check miss once in a while, its comb must find.
    """
    return batch.evaluate(file, replace(arena, causality="full"), strategy_files.head(ROOT))


@pytest.mark.parametrize("name", tiers([n for n, cheat in CHEATS.items() if not cheat.needs], ALWAYS))
def test_a_cheat_is_refused_for_a_reason_of_its_family(evaluated, files, arena, name):
    result, family = evaluated(name), CHEATS[name].family
    if FORESIGHT & REASONS[family] and not reasons(result) & REASONS[family]:
        result = asked_in_full(files[name], arena)
    assert reasons(result) & REASONS[family], result.error or [g for g in result.gates if not g.passed]
    if result.error_kind == "CausalityError" and "fails" not in result.error and "search range" not in result.error:
        assert re.search(
            r"causality: (\S+/USDT )?(parameter |20\d\d-\d\d-\d\d \d\d:\d\d ).* with(out)? the future", result.error
        )


@pytest.mark.parametrize("name", tiers([n for n, cheat in CHEATS.items() if cheat.needs], ALWAYS))
def test_what_finds_nothing_to_live_from_earns_nothing(evaluated, name):
    """
    Honest here, or refused: none comes near the profit that its hole gives it elsewhere, which is 167 % to 1.8 million
    %.
    """
    result = evaluated(name)
    assert result.error or result.own.sharpe < HONEST_SHARPE


HONEST_SHARPE = 2.0
"""
More than any of the honest bases of these cheats reaches on these candles (1.76), less than any of them with its hole.
"""


HONEST_ALWAYS = {"RegimeFrames", "BollingerLimit", "AtrStop", "ProtectedScalper", "BoundedAveraging"}


@pytest.mark.parametrize("name", tiers(HONEST, HONEST_ALWAYS))
def test_an_honest_strategy_passes_every_check(evaluated, name):
    result = evaluated(name)
    assert not result.error
    assert not reasons(result) & {"integrity", "causality", "determinism", "relabel", "optimistic_fills", "hidden_loss"}
    assert result.checks.causality == "quick"


def test_every_cheat_says_its_family():
    assert {cheat.family for cheat in CHEATS.values()} == set(REASONS)
    assert CHEATS.keys() >= ALWAYS
    assert len(CHEATS) >= 50
    assert len(HONEST) >= 12


def test_every_strategy_of_the_zoo_is_one_that_can_be_evaluated(files, tmp_path):
    """Its file is what the arena takes for a strategy, with the docstring and the marks that its text gives."""
    settings = configured(tmp_path, **PAIRS)
    assert files.keys() == CHEATS.keys() | HONEST.keys()
    for name, told in (CHEATS | HONEST).items():
        source = strategy_files.examine(files[name], settings).source
        tree = ast.parse(source)
        (own,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
        assert told.description and told.description == (ast.get_docstring(tree) or ast.get_docstring(own)), name
        marks = re.findall(r"^# (family|needs): (.+)$", source, re.MULTILINE)
        assert marks == [(key, text) for key in ("family", "needs") if (text := getattr(told, key))], name


def test_a_text_that_is_not_in_the_form_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(zoo.FOLDERS, "cheats", tmp_path)
    for text, fault in (
        ("### A\nIdle.\nbase: nowhere\n", "names no base"),
        ("### A\nIdle.\nbase: plain\n\n### A\nIdle.\nbase: plain\n", "stands in it twice"),
        ("### A\nIdle.\nbase: plain\nentries: True\n", "neither a key nor"),
        ("### A\nIdle.\nbase: plain\n    pass\n", "no part begins"),
    ):
        (tmp_path / "sparse.txt").write_text(text)
        with pytest.raises(ValueError, match=fault):
            zoo.load("cheats")
