import math

import numpy as np
import pytest

from arena.records import Look
from arena.stats import ladder

STEP = 0.1


def test_a_new_best_is_rounded_to_the_step():
    assert ladder.climb(0.0, 0.3449, STEP) == Look(asked=True, improved=True, best=0.3)
    assert ladder.climb(0.0, 0.3501, STEP).best == 0.4
    assert ladder.climb(0.0, 0.7, 0.25).best == 0.75


def test_what_beats_the_best_by_less_than_a_step_changes_nothing():
    assert ladder.climb(0.3, 0.3999, STEP) == Look(asked=True, improved=False, best=0.3)
    assert ladder.climb(0.3, 0.4, STEP).improved
    assert ladder.climb(0.3, -2.0, STEP) == Look(asked=True, improved=False, best=0.3)


@pytest.mark.parametrize("sharpe", [math.nan, -math.inf])
def test_what_is_undefined_is_no_new_best(sharpe):
    assert ladder.climb(ladder.START, sharpe, STEP) == Look(asked=True, improved=False, best=0.0)


def test_the_first_best_is_what_cash_earns():
    assert ladder.best_of([]) == ladder.START == 0.0
    assert not ladder.climb(ladder.START, 0.09, STEP).improved


def test_the_best_is_the_highest_that_was_released():
    looks = [
        Look(asked=True, improved=True, best=0.2),
        Look(),
        Look(asked=True, best=0.2),
        Look(asked=True, improved=True, best=0.5),
    ]
    assert ladder.best_of(looks) == 0.5


def test_a_sign_is_a_look_of_its_own():
    looks = [Look(), Look(asked=True, best=0.2), Look(asked=True, best=0.2, positive=False)]
    assert ladder.count(looks) == 3


def test_asking_often_does_not_lift_the_released_best_above_what_is_there():
    """
    A thousand strategies that are worth 0.5, seen through noise of 0.05: the best plain answer is far off, the ladder's
    is not.
    """
    rng = np.random.default_rng(1)
    noise = rng.normal(0.5, 0.05, 1000)
    best = ladder.START
    for sharpe in noise:
        best = ladder.climb(best, float(sharpe), STEP).best
    assert noise.max() > 0.65
    assert best <= 0.6
