"""
The agents that call no model, in runs whose figures are a pure function of the genome: nothing is evaluated here, all
is bred.
"""

import re
from dataclasses import replace

import builders
import numpy as np
import pytest
from arenas import ROOT

from arena.ledger import strategy_files
from arena.records import GateResult, Metrics, Result
from loop.agents.genetic import FOUNDERS, Genetic, Random, population, violation
from loop.agents.genome.grammar import SCALARS, Grammar
from loop.agents.genome.variation import parts
from loop.agents.genome.writing import genome_of, source
from loop.protocol import Change, State, Tried

ROUNDS = 40
SEEDS = range(8)


@pytest.fixture(scope="module")
def arena(tmp_path_factory):
    """Two pairs, hourly candles, at most three strategies."""
    return builders.arena(tmp_path_factory.mktemp("genetic"))


def result(sharpe, robust=None, *, failed=(), error="", closed=float("nan")):
    """What an evaluation would say. `failed` are gates below their limit of 30, with their figures."""
    gates = tuple(GateResult(gate, False, figure, 30.0, ">=") for gate, figure in failed)
    robust = sharpe if robust is None else robust
    return Result(
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        0.0,
        error=error,
        own=Metrics(sharpe=sharpe),
        robust_sharpe=robust,
        closed_sharpe=closed,
        gates=gates,
    )


def state(arena, history=(), active=None, number=1, **more):
    told = {
        "blocks": "",
        "rows": "",
        "demands": ("touch at least one strategy",),
        "learnings": "",
        "nudges": (),
        "brief": "",
        "plateau": False,
    }
    return State(arena, number, dict(active or {}), tuple(history), **(told | more))


class Landscape:
    """
    A market in which every genome has a Sharpe that follows from its genes alone: each rule is worth something, each
    gene has one best value and loses with the distance from it, and every part costs a little. Three conditions joined
    by "and" trade too rarely.
    """

    def __init__(self, grammar, seed):
        rng = np.random.default_rng(seed)
        self.worth = {rule: rng.normal(0, 0.3) for rule in grammar.rules}
        self.best = {
            (rule, gene): rng.random() for rule in grammar.rules for gene in [*grammar.genes(rule), "timeframe"]
        }
        self.best |= {("", gene): rng.random() for gene in SCALARS}
        self.grammar = grammar

    def near(self, rule, gene, value, row):
        return 1 - abs(row.index(value) / max(len(row) - 1, 1) - self.best[rule, gene])

    def quality(self, condition):
        rows = self.grammar.genes(condition.rule)
        close = [self.near(condition.rule, gene, value, rows[gene]) for gene, value in condition.genes]
        close.append(self.near(condition.rule, "timeframe", condition.timeframe, self.grammar.frames(condition.rule)))
        return self.worth[condition.rule] + np.mean(close)

    def __call__(self, genome):
        entry = np.mean([self.quality(condition) for condition in genome.entry])
        rows = {gene: row for gene, row in SCALARS.items() if gene not in ("pace", "reach", "share")}
        scalars = np.mean([self.near("", gene, getattr(genome, gene), row) for gene, row in rows.items()])
        return float(entry + 2 * scalars - 0.05 * parts(genome))

    def result(self, genome):
        rare = len(genome.entry) == 3 and genome.join == "and"
        return result(self(genome), self(genome) - 0.2 * genome.stop, failed=[("trades", 10.0)] if rare else [])


def run(agent, arena, landscape, seed, rounds=ROUNDS, history=(), active=None):
    """
    Rounds as the loop has them: kills and creates stand; an evolve stays where a Sharpe rose by 0.05, none fell by more
    and no further gate fails; a plateau is five rounds in which none did. Returns what was tried, and each round's
    changes.
    """
    agent.resume(tuple(history), np.random.default_rng(seed))
    active, history, idle, all_changes = dict(active or {}), list(history), 0, []
    figures = {one.strategy: one.result for one in history if one.kept and one.result}
    for number in range(len({one.round for one in history}) + 1, rounds + 1):
        changes = agent.propose(state(arena, history, active, number, plateau=idle >= 5)).changes
        all_changes.append(changes)
        gained = False
        for change in changes:
            if change.event == "kill":
                del active[change.strategy]
                history.append(Tried(number, "kill", change.strategy, "", "", None, True, change.note))
                continue
            found = landscape.result(genome_of(change.source))
            kept = change.event != "evolve" or better(found, figures[change.strategy])
            gained |= kept and change.event == "evolve"
            if kept:
                active[change.strategy], figures[change.strategy] = change.source, found
            history.append(
                Tried(number, change.event, change.strategy, change.parent, change.source, found, kept, change.note)
            )
        idle = 0 if gained else idle + 1
        assert len(active) == arena.max_strategies
    return history, all_changes


def better(found, before):
    gains = (found.own.sharpe - before.own.sharpe, found.robust_sharpe - before.robust_sharpe)
    return max(gains) >= 0.05 and min(gains) >= -0.05 and len(found.gates) <= len(before.gates)


def best(history):
    return max(one.result.robust_sharpe for one in history if one.result and not one.result.gates)


def tried(arena, genomes, results, names=None):
    names = names or [f"Trend{k + 1}" for k in range(len(genomes))]
    made = zip(genomes, results, names, strict=True)
    return [Tried(1, "create", name, "", source(genome, name, arena), found, True, "") for genome, found, name in made]


def genomes(arena, n, family=""):
    rng = np.random.default_rng(0)
    return [Grammar(arena).random(rng, family) for _ in range(n)]


@pytest.mark.slow
def test_breeding_finds_what_chance_does_not(arena):
    """At equal numbers of trials, over several markets."""
    bred, by_chance = [], []
    for seed in SEEDS:
        landscape = Landscape(Grammar(arena), seed)
        for agent, found in ((Genetic(), bred), (Random(), by_chance)):
            history, _ = run(agent, arena, landscape, seed)
            assert sum(one.result is not None for one in history) == arena.max_strategies * ROUNDS
            found.append(best(history))
    assert sum(np.array(bred) > by_chance) >= len(SEEDS) - 1
    assert np.mean(bred) - np.mean(by_chance) > 0.2


@pytest.mark.parametrize("agent", [Genetic, Random])
def test_the_same_seed_and_history_give_the_same_proposal(arena, agent):
    landscape = Landscape(Grammar(arena), 3)
    history, changes = run(agent(), arena, landscape, 7, rounds=14)
    assert run(agent(), arena, landscape, 7, rounds=14) == (history, changes)
    assert run(agent(), arena, landscape, 8, rounds=14)[1] != changes


@pytest.mark.parametrize("agent", [Genetic, Random])
def test_an_interrupted_run_goes_on_as_it_would_have(arena, agent):
    """A new process knows the history, the folder and the seed, and nothing else."""
    history, _ = run(agent(), arena, Landscape(Grammar(arena), 3), 7, rounds=12)
    active = {}
    for one in history:
        if one.kept:
            active[one.strategy] = one.source
        if one.event == "kill":
            del active[one.strategy]
    going_on, new = agent(), agent()
    going_on.resume((), np.random.default_rng(7))
    for number in range(1, 13):
        going_on.propose(state(arena, [one for one in history if one.round < number], {}, number))
    new.resume(tuple(history), np.random.default_rng(7))
    now = state(arena, history, active, 13)
    assert going_on.propose(now) == new.propose(now)


def test_a_refused_answer_is_answered_otherwise(arena):
    agent = Genetic()
    agent.resume((), np.random.default_rng(0))
    first = agent.propose(state(arena))
    assert agent.propose(state(arena)) == first
    assert agent.propose(state(arena, problems=("it does not load",))).changes != first.changes


def test_every_change_is_a_strategy_file_of_its_name(arena, tmp_path):
    _, rounds = run(Genetic(), arena, Landscape(Grammar(arena), 1), 1, rounds=16)
    for change in (change for changes in rounds for change in changes if change.event != "kill"):
        file = tmp_path / f"{change.strategy}.py"
        file.write_text(change.source)
        assert strategy_files.examine(file, arena).name == change.strategy
        Grammar(arena).check(genome_of(change.source))


def test_what_was_tried_is_not_tried_again(arena):
    history, _ = run(Genetic(), arena, Landscape(Grammar(arena), 2), 2)
    genomes = [genome_of(one.source) for one in history if one.source]
    assert len(set(genomes)) == len(genomes)


def test_names_are_of_their_family_and_never_used_twice(arena):
    history, rounds = run(Genetic(), arena, Landscape(Grammar(arena), 3), 3)
    created = [change for changes in rounds for change in changes if change.event in ("create", "fork")]
    assert len({change.strategy for change in created}) == len(created)
    for change in created:
        family = genome_of(change.source).family.title().replace(" ", "")
        assert re.fullmatch(rf"{family}\d+", change.strategy)
    for one in history:  # and a line stays in its family
        if one.source:
            assert one.strategy.rstrip("0123456789") == genome_of(one.source).family.title().replace(" ", "")


def test_a_name_that_an_earlier_run_has_used_is_not_used(arena):
    families = [family.title().replace(" ", "") for family in Grammar(arena).families]
    rows = "".join(f"abc1234\tcreate\t{family}7\t0.1\t-3.0\tnote\n" for family in families)
    agent = Genetic()
    agent.resume((), np.random.default_rng(0))
    assert all(change.strategy.endswith("8") for change in agent.propose(state(arena, rows=rows)).changes)


def test_the_first_round_fills_the_folder_with_different_families(arena):
    agent = Genetic()
    agent.resume((), np.random.default_rng(0))
    changes = agent.propose(state(arena)).changes
    assert [change.event for change in changes] == ["create"] * arena.max_strategies
    assert len({genome_of(change.source).family for change in changes}) == arena.max_strategies


@pytest.mark.parametrize("agent", [Genetic, Random])
def test_a_run_begins_with_the_family_that_was_asked_for_and_only_begins_with_it(arena, agent):
    families = Grammar(arena).families
    for first in families:
        made = agent(first=first)
        made.resume((), np.random.default_rng(0))
        one, *others = [genome_of(change.source).family for change in made.propose(state(arena)).changes]
        assert one == first and (agent is Random or first not in others)
    history, _ = run(agent(first="calendar"), arena, Landscape(Grammar(arena), 4), 4, rounds=12)
    assert set(families) == {genome_of(one.source).family for one in history if one.source}


def test_every_family_is_tried_before_breeding_begins(arena):
    n = len(Grammar(arena).families)
    history, _ = run(Genetic(), arena, Landscape(Grammar(arena), 4), 4, rounds=FOUNDERS * n // 2)
    born = [genome_of(one.source).family for one in history if one.event == "create"]
    assert set(born) == set(Grammar(arena).families)


@pytest.mark.parametrize("cap", [1, 2, 5])
def test_the_folder_holds_what_the_arena_allows(tmp_path, cap):
    other = builders.arena(tmp_path, {"arena.max_strategies": cap})
    for agent in (Genetic(), Random()):
        _, rounds = run(agent, other, Landscape(Grammar(other), 5), 5, rounds=30)  # asserts it in every round
        assert all(sum(change.event != "kill" for change in changes) == cap for changes in rounds)


def test_the_best_line_is_never_killed(arena):
    history, rounds = run(Genetic(), arena, Landscape(Grammar(arena), 6), 6)
    for number, changes in enumerate(rounds[1:], 2):
        before = [one for one in history if one.round < number]
        killed = {one.strategy for one in before if one.event == "kill"}
        now = {one.strategy: one.source for one in before if one.kept and one.source and one.strategy not in killed}
        ranks = [member.genome for member in population([(one, genome_of(one.source)) for one in before if one.source])]
        first = min(now, key=lambda name: ranks.index(genome_of(now[name])))
        assert first not in [change.strategy for change in changes if change.event == "kill"]


def test_a_stale_stranger_gives_way_and_a_fresh_one_stays(arena):
    """A strategy by a person is no genome: it is left alone until the rules ask for a change."""
    by_hand = (ROOT / "examples" / "MeanRevRsi.py").read_text()
    agent = Genetic()
    agent.resume((), np.random.default_rng(0))
    changes = agent.propose(state(arena, active={"MeanRevRsi": by_hand})).changes
    assert "MeanRevRsi" not in [change.strategy for change in changes]
    assert len(changes) == arena.max_strategies - 1
    stale = ("MeanRevRsi: 3 stable rounds in a row, so evolve, fork or kill it now",)
    for other in (agent, Random()):
        changes = other.propose(state(arena, active={"MeanRevRsi": by_hand}, demands=stale)).changes
        assert changes[0].event == "kill" and changes[0].strategy == "MeanRevRsi"
        assert [change.event for change in changes[1:]] == ["create"] * arena.max_strategies


def test_a_folder_of_strangers_is_made_room_in(arena):
    strangers = {
        name: (ROOT / "examples" / f"{name}.py").read_text() for name in ("MeanRevRsi", "TrendDonchian", "VolBreakout")
    }
    agent = Genetic()
    agent.resume((), np.random.default_rng(0))
    assert [change.event for change in agent.propose(state(arena, active=strangers)).changes] == ["kill", "create"]


def test_a_plateau_brings_the_family_that_was_tried_least(arena):
    history, _ = run(Genetic(), arena, Landscape(Grammar(arena), 7), 7, rounds=20)
    quiet = [replace(one, note="") for one in history]  # no plateau was answered so far
    active = {one.strategy: one.source for one in history if one.kept and one.source}
    active = {
        name: text
        for name, text in active.items()
        if not any(one.event == "kill" and one.strategy == name for one in history)
    }
    families = [genome_of(one.source).family for one in history if one.source]
    fewest = min(map(families.count, Grammar(arena).families))
    for seed in range(10):
        agent = Genetic()
        agent.resume((), np.random.default_rng(seed))
        changes = agent.propose(state(arena, quiet, active, 21, plateau=True)).changes
        new = [change for change in changes if change.note.startswith("plateau: ")]
        assert len(new) == 1 and new[0].event == "create"
        # the best line goes first and may be of that family itself
        assert families.count(genome_of(new[0].source).family) <= fewest + 1
        answered = [*quiet, Tried(20, "create", new[0].strategy, "", new[0].source, result(0.0), True, new[0].note)]
        again = agent.propose(state(arena, answered, active, 21, plateau=True)).changes
        assert not [change for change in again if change.note.startswith("plateau: ")]


def test_a_note_says_what_was_changed_and_from_where(arena):
    _, rounds = run(Genetic(), arena, Landscape(Grammar(arena), 8), 8)
    notes = [change.note for changes in rounds for change in changes]
    assert all(note and "\n" not in note and "\t" not in note for note in notes)
    evolved = [change.note for changes in rounds for change in changes if change.event == "evolve"]
    told = re.compile(r"(.+; from (the (second |third )?best|number \d+) of \d+|no figures so far; drawn again)")
    assert all(told.fullmatch(note) for note in evolved)
    assert any(re.match(r"stop 0\.\d+ -> 0\.\d+; from the best of \d+", note) for note in evolved)


def test_what_fails_has_no_fitness_and_the_closed_figure_plays_no_part(arena):
    made = genomes(arena, 5)
    found = [
        result(1.0, 0.5, closed=0.1),
        result(0.9, 0.4, closed=9.0),
        result(3.0, 3.0, error="no trades: no entry signal in any pair"),
        result(float("nan"), 0.1),
        result(0.2, float("nan")),
    ]
    ranked = population(list(zip(tried(arena, made, found), made, strict=True)))
    assert [member.genome for member in ranked] == made[:2]


def test_failed_gates_come_before_any_sharpe(arena):
    made = genomes(arena, 4)
    found = [
        result(5.0, 5.0, failed=[("trades", 3.0)]),
        result(4.0, 4.0, failed=[("trades", 29.0)]),
        result(-1.0, -2.0),
        result(3.0, 3.0, failed=[("trades", 29.0), ("drawdown", float("nan"))]),
    ]
    ranked = population(list(zip(tried(arena, made, found), made, strict=True)))
    assert [member.genome for member in ranked] == [made[2], made[1], made[0], made[3]]


def test_luck_is_no_gate_for_parents():
    lucky = replace(
        result(1.0),
        gates=(GateResult("dsr", False, 0.1, 0.95, ">="), GateResult("validation", False, np.nan, np.nan, "")),
    )
    assert violation(lucky) == 0
    assert violation(result(1.0, failed=[("trades", 15.0)])) == pytest.approx(0.5)
    assert violation(replace(lucky, gates=(GateResult("relabel", False, 0.9, 0.3, "<=", applies=False),))) == 0
    assert violation(replace(lucky, gates=(GateResult("causality", False, np.nan, np.nan, ""),))) == 1


def test_neither_sharpe_alone_decides(arena):
    """One that is dominated in both comes after those that are not."""
    made = genomes(arena, 4)
    found = [result(1.0, 0.1), result(0.5, 0.4), result(0.4, 0.0), result(0.8, 0.3)]
    ranked = population(list(zip(tried(arena, made, found), made, strict=True)))
    assert ranked[-1].genome == made[2]
    assert {member.genome for member in ranked[:2]} == {made[0], made[1]}  # the ends of the front stand most apart


def test_a_line_without_figures_is_drawn_again(arena):
    made = genomes(arena, 3, "trend")
    failed = tried(arena, made, [result(np.nan, np.nan, error="no trades: no entry signal in any pair")] * 3)
    agent = Genetic()
    agent.resume(tuple(failed), np.random.default_rng(0))
    changes = agent.propose(state(arena, failed, {one.strategy: one.source for one in failed}, 2)).changes
    assert changes[0] == Change("evolve", "Trend1", changes[0].source, "", "no figures so far; drawn again")
    assert genome_of(changes[0].source) not in made


def test_chance_looks_at_no_result(arena):
    """Other results, the same draws."""
    agent = Random()
    runs = [run(agent, arena, Landscape(Grammar(arena), seed), 1, rounds=6)[1] for seed in (1, 2)]
    assert runs[0] == runs[1]
    assert {change.strategy for changes in runs[0] for change in changes} == {"Random1", "Random2", "Random3"}
