"""The time until an answer about sealed candles is none."""

import dataclasses
import time

import numpy as np
import pytest
from arenas import SHORT, cased, prepared, sampled, strategy

from arena.checks import fixed_duration
from arena.errors import ArenaError, LimitError, StrategyError
from arena.evaluation import context
from arena.sandbox import client


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    settings = prepared(tmp_path_factory.mktemp("arena"), arena=SHORT)
    client.warm_up()
    arena = context.open_arena(settings, record=False)
    made = cased(strategy(settings), arena)
    return dataclasses.replace(made, claim=dataclasses.replace(made.claim, populate_s=0.0, loop_s=0.0))


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(fixed_duration, "BASE_S", 0.3)
    monkeypatch.setattr(fixed_duration, "MARGIN_S", 0.2)


def fails(error):
    def ask(case):
        raise error

    return ask


def end(case):
    return case.settings.validation.end_ms


ENDINGS = {"an answer": lambda case: 1.5, "a failure": fails(StrategyError("x")), "a limit": fails(LimitError("y"))}


@pytest.mark.parametrize("ending", sampled(ENDINGS, {"a failure"}))
def test_whatever_comes_of_it_is_told_at_the_same_time(case, ending):
    started = time.monotonic()
    answer = fixed_duration.asked(case, end(case), ENDINGS[ending])
    assert 0.5 <= time.monotonic() - started < 0.95
    assert answer == 1.5 or np.isnan(answer)


def test_what_takes_longer_is_told_at_a_multiple_of_it():
    assert [fixed_duration.later(elapsed, 2.0) for elapsed in (0.0, 0.1, 1.99, 2.0, 5.0)] == [2.0, 2.0, 2.0, 4.0, 6.0]


def test_the_worker_has_less_time_than_that_and_never_more_than_the_arenas_limit(case):
    limits = []
    fixed_duration.asked(case, end(case), lambda asked: limits.append(asked.settings.limits.seconds) or 0.0)
    assert limits == [0.3]
    slow = dataclasses.replace(case, claim=dataclasses.replace(case.claim, populate_s=1e9))
    assert fixed_duration.time_s(slow, end(case)) == case.settings.limits.seconds


def test_time_goes_with_what_the_search_took(case):
    def seconds(**claimed):
        return (
            fixed_duration.time_s(
                dataclasses.replace(case, claim=dataclasses.replace(case.claim, **claimed)), end(case)
            )
            - 0.3
        )

    search = case.settings.search
    length = (end(case) - search.start_ms) / (search.end_ms - search.start_ms)
    assert seconds(populate_s=2.0) == pytest.approx(2 * 2.0 * length)
    assert seconds(loop_s=2.0, stretch=None) == pytest.approx(2 * 2.0 * length)
    tenth = (search.start_ms, search.start_ms + (search.end_ms - search.start_ms) // 10)
    assert seconds(loop_s=2.0, stretch=tenth) == pytest.approx(20 * 2.0 * length, rel=1e-3)


def test_an_error_of_the_arena_is_told_at_once(case):
    with pytest.raises(ArenaError):
        fixed_duration.asked(case, end(case), fails(ArenaError("interrupted.")))
