"""
Genomes: drawn, read back, changed; and what they are written out as passes the arena's own checks on real candles.
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import cycle

import builders
import numpy as np
import pytest
from arenas import ROOT, prepared

from arena import settings
from arena.checks import hardcoded_history
from arena.evaluation import batch, context
from arena.ledger import strategy_files
from arena.sandbox import client
from loop.agents.genome.catalogue import FAMILIES, RULES
from loop.agents.genome.grammar import (
    MAX_CONDITIONS,
    OPTIONAL,
    SCALARS,
    Condition,
    Genome,
    GenomeError,
    Grammar,
    from_json,
    normal,
    to_json,
)
from loop.agents.genome.variation import cross, difference, mutate, parts, simpler
from loop.agents.genome.writing import genome_of, source

SHIPPED = settings.load(ROOT / "config.json")
GRAMMAR = Grammar(SHIPPED)
PAIRS = ["BTC/USDT", "ETH/USDT"]
ALWAYS = 2
"""Genomes of the covering that CI evaluates; a nightly run evaluates all of them."""


def covering(grammar):
    """
    Genomes that hold every value of every gene and every rule on every timeframe that it may look at: as few as the
    conditions of an entry allow. Most are joined by "or", so that they trade.
    """
    conditions = []
    for name in grammar.rules:
        genes, frames = grammar.genes(name), grammar.frames(name)
        for k in range(max(len(frames), *map(len, genes.values()))):
            conditions.append(
                Condition(
                    name, frames[k % len(frames)], tuple((gene, row[k % len(row)]) for gene, row in genes.items())
                )
            )
    n = -(-len(conditions) // MAX_CONDITIONS)
    leaving = cycle([next(c for c in conditions[::-1] if c.rule == name) for name in grammar.rules])
    scalars = {name: cycle(row) for name, row in SCALARS.items()}
    found = []
    for k in range(n):
        drawn = {name: next(row) for name, row in scalars.items()}
        drawn |= {"join": "and" if k % 4 == 0 else "or", "exit": {5: "opposite", 6: "none"}.get(k % 7, "signal")}
        if k % 4 == 1:  # whose share and pace show
            drawn |= {"sizing": "share", "steps": 2 + k % 2, "profit": drawn["profit"] or 0.05}
        left_by = next(leaving) if drawn["exit"] == "signal" else None
        found.append(normal(Genome(entry=tuple(conditions[k::n]), exit_condition=left_by, **drawn)))
    return found


COVERING = covering(Grammar(SHIPPED.model_copy(update={"pairs": tuple(PAIRS)})))


def drawn(n, seed=0, grammar=GRAMMAR):
    rng = np.random.default_rng(seed)
    return [grammar.random(rng) for _ in range(n)]


def a_genome(**changes):
    """Plain: above its EMA of 50, out when it falls below."""
    plain = {name: row[0] for name, row in SCALARS.items()} | {"exit": "opposite", "stop": 0.1}
    made = Genome(entry=(Condition("above_ema", "1h", (("period", 50),)),), exit_condition=None, **plain)
    return normal(replace(made, **changes))


@pytest.fixture(scope="module")
def arena(tmp_path_factory, market_data):
    """Two pairs, four months of real candles after nine of history."""
    prepared_settings = prepared(
        tmp_path_factory.mktemp("grammar"),
        {"kind": "files", "path": str(market_data / "spot"), "markets": str(market_data / "markets.json")},
        exchange={"name": "binance", "pair_whitelist": PAIRS},
        max_open_trades=2,
        arena={
            "warmup_from": "20200601",
            "windows": {"spring": "20210301-20210501", "summer": "20210501-20210701"},
            "validation": "20210701-20210801",
            "holdout": None,
        },
    )
    client.warm_up()
    return context.open_arena(prepared_settings, record=False, causality="quick")


@pytest.fixture(scope="module")
def evaluated(arena, request):
    """
    Results by number in the covering. All that this run asks for are evaluated side by side, from the first one asked
    on.
    """
    mine = [item for item in request.session.items if item.module is request.module and hasattr(item, "callspec")]
    mine = [item for item in mine if "number" in item.callspec.params]
    asked = [
        item.callspec.params["number"] for item in mine if not any(mark.name == "skip" for mark in item.own_markers)
    ]
    folder = arena.settings.root / strategy_files.FOLDER
    for number in asked:
        (folder / f"Genome{number}.py").write_text(source(COVERING[number], f"Genome{number}", arena.settings))
    pool = ThreadPoolExecutor(max_workers=(os.cpu_count() or 1) + 1)
    futures = {number: pool.submit(batch.evaluate, folder / f"Genome{number}.py", arena, None) for number in asked}
    yield lambda number: futures[number].result()
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(k, marks=[pytest.mark.nightly, *([pytest.mark.slow] if k < ALWAYS else [])])
        for k in range(len(COVERING))
    ],
)
def test_what_is_written_out_passes_every_check_on_real_candles(evaluated, number):
    result = evaluated(number)
    assert not result.error or result.error.startswith("no trades: "), (result.error, result.frames)
    if not result.error:
        assert result.checks.causality == "quick"
        assert result.engine == "replay=freqtrade", result.engine_note
        assert not {gate.gate for gate in result.gates if not gate.passed} & {
            "integrity",
            "causality",
            "determinism",
            "replay",
        }
        assert not result.literals


def test_the_genomes_that_are_evaluated_hold_every_value_of_every_gene():
    assert len(COVERING) >= 30
    grammar = Grammar(SHIPPED.model_copy(update={"pairs": tuple(PAIRS)}))
    seen = {(c.rule, gene, value) for genome in COVERING for c in genome.entry for gene, value in c.genes}
    assert seen == {
        (rule, gene, value) for rule in grammar.rules for gene, row in grammar.genes(rule).items() for value in row
    }
    frames = {(c.rule, c.timeframe) for genome in COVERING for c in genome.entry}
    assert frames == {(rule, frame) for rule in grammar.rules for frame in grammar.frames(rule)}
    assert {genome.exit_condition.rule for genome in COVERING if genome.exit_condition} == set(grammar.rules)
    for name, row in SCALARS.items():
        assert {getattr(genome, name) for genome in COVERING} == set(row), name
    for genome in COVERING:
        grammar.check(genome)


def test_a_genome_is_one_line_and_comes_back_from_it():
    for genome in drawn(300):
        line = to_json(genome)
        assert "\n" not in line
        assert from_json(line) == genome
        assert hash(from_json(line)) == hash(genome)
        assert to_json(from_json(line)) == line


def test_a_genome_comes_back_from_its_file():
    for number, genome in enumerate(drawn(100)):
        assert genome_of(source(genome, f"Trend{number}", SHIPPED)) == genome


def test_different_genomes_are_different_files():
    genomes = set(drawn(300))
    assert len({source(genome, "Trend1", SHIPPED) for genome in genomes}) == len(genomes) > 250
    # the genome's text aside: no gene is without effect
    bodies = {source(genome, "Trend1", SHIPPED).partition("Genome:")[2].partition("\n")[2] for genome in genomes}
    assert len(bodies) == len(genomes)


def test_a_file_by_someone_else_has_no_genome():
    for file in (ROOT / "examples").glob("*.py"):
        with pytest.raises(GenomeError, match="written by someone else"):
            genome_of(file.read_text())
    with pytest.raises(GenomeError, match="not Python"):
        genome_of("class")


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"entry": 3}', '{"entry": [{"rule": "rsi"}]}'])
def test_a_text_that_is_no_genome_is_refused(text):
    with pytest.raises(GenomeError, match="no genome"):
        from_json(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stop": 0.11}, "stop is 0.11. Expected one of 0.02, 0.03"),
        ({"entry": ()}, "entry has 0 conditions"),
        ({"entry": (Condition("magic", "1h", ()),)}, "rule is 'magic'"),
        (
            {"entry": (Condition("above_ema", "2h", (("period", 50),)),)},
            "above_ema.timeframe is '2h'. Expected one of 1h, 4h, 1d",
        ),
        ({"entry": (Condition("above_ema", "1h", (("period", 51),)),)}, "above_ema.period is 51"),
        ({"entry": (Condition("above_ema", "1h", (("length", 50),)),)}, "has the genes length, not period"),
        (
            {"entry": (Condition("leader_trend", "1h", (("leader", "XRP/USDT"), ("fast", 5), ("slow", 50))),)},
            "leader is 'XRP/USDT'",
        ),
        ({"exit": "signal"}, "One asks for the other"),
        ({"pace": 48}, "normal form"),
        ({"exit": "none"}, "normal form"),
    ],
)
def test_a_genome_that_the_arena_has_not_is_refused_by_name(change, message):
    with pytest.raises(GenomeError, match=message):
        GRAMMAR.check(replace(a_genome(), **change))
    with pytest.raises(GenomeError):
        source(replace(a_genome(), **change), "Trend1", SHIPPED)


def test_nothing_but_its_stop_never_ends_a_position():
    for genome in drawn(300):
        assert genome.exit != "none" or genome.hold


def test_every_rule_has_its_place_in_the_catalogue():
    assert {rule.family for rule in RULES.values()} == set(FAMILIES)
    assert set(GRAMMAR.rules) == set(RULES)


def test_a_column_has_one_meaning():
    """Rules share columns of a timeframe, so a name must stand for the same code wherever it comes from."""
    meaning = {}
    for name in GRAMMAR.rules:
        genes = GRAMMAR.genes(name)
        for k in range(max(map(len, genes.values()))):
            values = {gene: row[k % len(row)] for gene, row in genes.items()}
            for columns in (RULES[name].columns, RULES[name].leader_columns):
                for column, code in columns.items():
                    assert meaning.setdefault(column.format(**values), code.format(**values)) == code.format(**values)


def test_the_look_back_covers_what_the_indicators_need():
    for genome in drawn(300):
        text = source(genome, "Trend1", SHIPPED)
        startup = int(text.partition("startup_candle_count = ")[2].split()[0])
        genes = [
            (gene, value)
            for c in genome.conditions
            for gene, value in c.genes
            if gene in ("period", "slow", "usual", "fast", "signal")
        ]
        genes += [gene for c in genome.conditions if c.rule == "donchian" for gene in c.genes]
        assert startup >= max((value for _, value in genes), default=1)
        assert startup <= 400


def test_no_file_spells_out_dates_or_price_levels():
    for genome in drawn(200):
        assert hardcoded_history.find(source(genome, "Trend1", SHIPPED)) == ()


@pytest.mark.parametrize("timeframe", ["5m", "4h", "12h", "1d"])
def test_the_grammar_follows_the_arena(tmp_path, timeframe):
    changes = {
        "timeframe": timeframe,
        "stake_currency": "EUR",
        "exchange.pair_whitelist": ["SOL/EUR", "ADA/EUR"],
        "arena.informative_timeframes": ["1d"] if timeframe != "1d" else [],
    }
    other = builders.arena(tmp_path, changes)
    grammar = Grammar(other)
    for genome in drawn(200, grammar=grammar):
        text = source(genome, "Trend1", other)
        assert f'timeframe = "{timeframe}"' in text
        assert "USDT" not in text and "1h" not in text
        assert {c.timeframe for c in genome.conditions} <= {timeframe, "1d"}
        for c in genome.conditions:
            if c.rule == "hours":  # there is a candle in these hours
                minutes = settings.TIMEFRAME_MINUTES[timeframe]
                opens = {at // 60 for at in range(0, 1440, minutes)}
                assert any((hour - c.values["start"]) % 24 < c.values["length"] for hour in opens)
    assert ("hours" in grammar.rules) == (timeframe != "1d")


def test_a_pair_alone_is_compared_with_none(tmp_path):
    grammar = Grammar(builders.arena(tmp_path, {"exchange.pair_whitelist": ["BTC/USDT"]}))
    assert "relative strength" not in grammar.families
    assert not any(
        RULES[c.rule].family == "relative strength" for genome in drawn(200, grammar=grammar) for c in genome.conditions
    )


def test_times_are_minutes_of_the_arenas_candles(tmp_path):
    genome = a_genome(hold=12, profit=0.08, steps=3, pace=6)
    hourly = source(genome, "Trend1", SHIPPED)
    assert 'minimal_roi = {"0": 0.08, "360": 0.04, "720": -1}' in hourly  # the last step would come with the end
    quick = builders.arena(tmp_path, {"timeframe": "5m"})
    other = replace(genome, entry=(Condition("above_ema", "5m", (("period", 50),)),))
    assert 'minimal_roi = {"0": 0.08, "30": 0.04, "60": -1}' in source(other, "Trend1", quick)


def test_a_mutation_changes_a_gene_or_two_and_keeps_the_family():
    rng = np.random.default_rng(1)
    changes = []
    for genome in drawn(500):
        changed = mutate(genome, GRAMMAR, rng)
        GRAMMAR.check(changed)
        assert changed != genome
        assert changed.family == genome.family
        assert difference(genome, changed) != "nothing"
        before, after = json.loads(to_json(genome)), json.loads(to_json(changed))
        changes.append(
            sum(
                before[gene] != after[gene]
                for gene in before
                if gene not in ("pace", "reach", "share", "steps", "join")
            )
        )
    assert max(changes) <= 4  # a way out that goes takes its condition along and may leave a longest time
    assert 1 <= np.mean(changes) < 1.7


def test_mutation_reaches_every_value_of_a_gene():
    rng, genome = np.random.default_rng(2), a_genome(profit=0.08, steps=2)
    seen = {name: set() for name in SCALARS}
    for _ in range(3000):
        genome = mutate(genome, GRAMMAR, rng)
        for name in SCALARS:
            seen[name].add(getattr(genome, name))
    assert seen == {name: set(row) for name, row in SCALARS.items()}


def test_a_child_has_the_first_parents_family_and_nothing_that_neither_has():
    rng = np.random.default_rng(3)
    genomes = drawn(400)
    mixed = 0
    for first, second in zip(genomes[::2], genomes[1::2], strict=True):
        child = cross(first, second, rng)
        GRAMMAR.check(child)
        assert child.family == first.family
        assert child.entry[0].rule == first.entry[0].rule
        assert {c.rule for c in child.conditions} <= {c.rule for c in (*first.conditions, *second.conditions)}
        assert child.stop in (first.stop, second.stop)
        mixed += child not in (first, second)
    assert mixed > 150


def test_two_of_a_kind_mix_their_genes():
    first = a_genome(entry=(Condition("ema_cross", "1h", (("fast", 5), ("slow", 40))),))
    second = a_genome(entry=(Condition("ema_cross", "4h", (("fast", 30), ("slow", 200))),))
    rng = np.random.default_rng(4)
    leads = {cross(first, second, rng).entry[0] for _ in range(300)}
    assert {(c.timeframe, *c.values.values()) for c in leads} == {
        (t, f, s) for t in ("1h", "4h") for f in (5, 30) for s in (40, 200)
    }


def test_simpler_is_the_same_with_a_part_less():
    for genome in drawn(200):
        for made in simpler(genome):
            GRAMMAR.check(made)
            assert parts(made) < parts(genome)
            assert made.entry[0] == genome.entry[0]
    full = a_genome(
        entry=(*a_genome().entry, Condition("rsi", "4h", (("period", 14), ("low", 30), ("high", 60)))), profit=0.08
    )
    assert {difference(full, made) for made in simpler(full)} >= {"without rsi 14 30 60 4h", "profit 0.08 -> 0.0"}
    assert simpler(a_genome()) == ()  # without its exit it would need a longest time


def test_a_difference_is_said_in_words():
    genome = a_genome(stop=0.1)
    assert difference(genome, a_genome(stop=0.07)) == "stop 0.1 -> 0.07"
    tuned = a_genome(entry=(Condition("above_ema", "4h", (("period", 100),)),))
    assert difference(genome, tuned) == "above_ema period 50 -> 100, 1h -> 4h"
    assert difference(genome, genome) == "nothing"


def test_the_same_dice_draw_the_same():
    assert drawn(50, seed=5) == drawn(50, seed=5)
    assert drawn(50, seed=5) != drawn(50, seed=6)


def test_what_may_be_absent_is_absent_in_half_of_what_is_drawn():
    genomes = [genome for genome in drawn(1000) if genome.exit != "none"]  # the others need a longest time
    for name in OPTIONAL:
        share = np.mean([getattr(genome, name) == 0 for genome in genomes])
        assert 0.5 < share < 0.65  # by chance among its values too
