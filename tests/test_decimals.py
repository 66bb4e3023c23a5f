"""Compiled decimals against Python's own."""

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.accounting.replay.decimals import (
    EXACT,
    certain,
    exact_product,
    fraction,
    low_part,
    on_grid,
    parts,
    product,
    round8,
    round_half_up,
    round_up,
    steps_below,
)

SCALES = st.integers(0, 8).map(lambda k: 10.0**k)
FLOATS = st.floats(1e-100, 1e100)


@st.composite
def on_a_grid(draw, most=EXACT):
    """A float and the scale of a grid that its decimal lies on."""
    scale = draw(SCALES)
    return draw(st.integers(1, int(most) - 1)) / scale, scale


@st.composite
def near_a_grid(draw, most=EXACT):
    """A positive float and a scale: on the grid, in the middle of two steps, right beside one of them, or anywhere."""
    scale = draw(SCALES)
    steps = draw(st.one_of(st.integers(1, 100), st.integers(1, int(most / 10) - 2)))
    value = draw(
        st.sampled_from(
            [steps / scale, (10 * steps + 5) / (10 * scale), (10 * steps + draw(st.integers(0, 9))) / (10 * scale)]
        )
    )
    for _ in range(draw(st.integers(0, 2))):
        value = math.nextafter(value, draw(st.sampled_from([0.0, math.inf])))
    return draw(st.sampled_from([value, value * draw(st.floats(0.5, 1.0))])), scale


def by_decimal(value, scale, rounding):
    return float((Decimal(repr(value)) * int(scale)).to_integral_value(rounding) / int(scale))


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e100, 1e100).filter(lambda x: x == 0 or abs(x) > 1e-100), FLOATS)
def test_a_product_of_two_floats_is_exact(a, b):
    high, low = exact_product(a, b)
    assert high == a * b
    assert Fraction(high) + Fraction(low) == Fraction(a) * Fraction(b)


@settings(max_examples=200, deadline=None)
@given(on_a_grid())
def test_a_float_and_its_low_part_are_its_decimal(case):
    value, scale = case
    assert abs(Fraction(value) + Fraction(low_part(value, scale)) - fraction(value)) <= abs(fraction(value)) / 2**104


@settings(max_examples=200, deadline=None)
@given(on_a_grid(), on_a_grid(EXACT / 1000), st.decimals(0, "0.02", places=5).map(float))
def test_a_product_of_decimals_is_rounded_once(amount, price, fee):
    fees = parts(1 - fraction(fee))
    high, low = product(*product(amount[0], low_part(*amount), *fees), price[0], low_part(*price))
    exact = fraction(amount[0]) * fraction(price[0]) * (1 - fraction(fee))
    assert abs(Fraction(high) + Fraction(low) - exact) <= exact / 2**100
    assert high == float(exact) or not certain(high, low)


def test_one_rounding_is_not_three():
    amount, price, kept = 0.00123, 30123.45, parts(1 - fraction(0.001))
    high, low = product(*product(amount, low_part(amount, 1e5), *kept), price, low_part(price, 1e8))
    assert high == float(fraction(amount) * fraction(price) * (1 - fraction(0.001))) != amount * price * (1 - 0.001)
    assert certain(high, low)


def test_the_middle_of_two_floats_is_not_certain():
    odd, other = 2**27 - 1, 2**27 - 5  # their product has 54 bits, the last one set
    assert Fraction(float(odd * other)) != odd * other
    high, low = product(float(odd), 0.0, float(other), 0.0)
    assert not certain(high, low)
    assert certain(*product(float(odd - 1), 0.0, float(other - 1), 0.0))


@settings(max_examples=200, deadline=None)
@given(near_a_grid())
def test_steps_are_truncated_by_the_decimal_that_python_writes(case):
    value, scale = case
    assert steps_below(value, scale) == int((Decimal(repr(value)) * int(scale)).to_integral_value(ROUND_FLOOR))


def test_a_float_below_its_decimal_has_all_its_steps():
    assert math.floor(0.29 * 100.0) == 28
    assert steps_below(0.29, 100.0) == 29
    assert steps_below(math.nextafter(0.29, 0), 100.0) == 28


@settings(max_examples=200, deadline=None)
@given(near_a_grid())
def test_rounding_up_is_pythons(case):
    assert round_up(*case) == by_decimal(*case, ROUND_CEILING)


@settings(max_examples=200, deadline=None)
@given(near_a_grid())
def test_half_is_rounded_up_as_python_does(case):
    assert round_half_up(*case) == by_decimal(*case, ROUND_HALF_UP)


@pytest.mark.parametrize(
    ("value", "nearest", "above"), [(1.0049, 1.0, 1.01), (1.005, 1.01, 1.01), (1.01, 1.01, 1.01), (0.001, 0.0, 0.01)]
)
def test_rounding_by_hand(value, nearest, above):
    """1.005 is a float below its decimal: it is the decimal that counts."""
    assert Fraction(1.005) < fraction(1.005)
    assert (round_half_up(value, 100.0), round_up(value, 100.0)) == (nearest, above)


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-9, 1e9))
def test_without_a_grid_nothing_is_rounded(value):
    assert round_up(value, 0.0) == round_half_up(value, 0.0) == value


@settings(max_examples=200, deadline=None)
@given(near_a_grid())
def test_what_lies_on_a_grid_is_known(case):
    value, scale = case
    assert on_grid(value, scale) == ((Decimal(repr(value)) * int(scale)) % 1 == 0)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.floats(-2, 2),
        st.floats(-1e12, 1e12),
        st.integers(-(10**12), 10**12).map(lambda n: n / 1e9),
        st.integers(-(2**40), 2**40).map(lambda n: (2 * n + 1) / 2.0**9),
    )
)
def test_eight_decimals_are_pythons_round(value):
    assert round8(value) == round(value, 8)


def test_ties_at_eight_decimals_go_to_even():
    assert [round8(k / 2.0**9) for k in (1, 3)] == [0.00195312, 0.00585938] == [round(k / 2.0**9, 8) for k in (1, 3)]


def test_parts_add_up_to_the_fraction():
    high, low = parts(Fraction(1, 3))
    assert high == 1 / 3 and low != 0
    assert abs(Fraction(high) + Fraction(low) - Fraction(1, 3)) < Fraction(1, 2**106)
