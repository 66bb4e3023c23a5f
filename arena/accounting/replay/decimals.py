"""
Decimal arithmetic in compiled code, as FreqTrade does it: products of decimals rounded once, and steps of a decimal
grid.

FreqTrade treats a float as the decimal that Python prints for it (0.1 is a tenth), multiplies such decimals exactly and
rounds the result to a float once. Here a decimal is a pair of floats: `high`, the nearest float, and `low`, the
difference to the decimal, together about 106 bits. The `scale` of a grid is its steps per unit, a power of ten up to
1e22 (100.0 for steps of 0.01).

Valid while value times scale is below EXACT; for `round_half_up` below a tenth of it, because the middle between two
steps has one more digit. Within that bound different steps are different floats, so comparing floats compares decimals.
"""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np

from arena.startup.compiled import kept

EXACT = 2.0**51
"""Below this, floats distinguish different values of value times scale, also after the product is rounded."""
_SPLIT = 134217729.0  # 2**27 + 1: cuts a float into two halves whose products are exact
_DOUBT = 1.0 + 2.0**-40


def parts(value: Fraction) -> tuple[float, float]:
    """A rational number as (high, low)."""
    high = float(value)
    return high, float(value - Fraction(high))


def fraction(value: float) -> Fraction:
    """The decimal that Python prints for a float."""
    return Fraction(Decimal(repr(value)))


@kept
def exact_product(a, b):
    """a times b as (high, low), exact unless it exceeds the range of floats. Dekker 1971, doi:10.1007/BF01397083."""
    high = a * b
    t = _SPLIT * a
    a_high = t - (t - a)
    a_low = a - a_high
    t = _SPLIT * b
    b_high = t - (t - b)
    b_low = b - b_high
    return high, ((a_high * b_high - high) + a_high * b_low + a_low * b_high) + a_low * b_low


@kept
def product(a_high, a_low, b_high, b_low):
    """
    The product of two pairs as a pair, with a relative error below 2**-100. `high` is the float to which it rounds: see
    `certain`.
    """
    high, low = exact_product(a_high, b_high)
    low += a_high * b_low + a_low * b_high
    total = high + low
    return total, low - (total - high)


@kept
def certain(high, low):
    """
    Whether `high` is certainly the right float. It is not when the pair lies too near the middle of two floats for 106
    bits.
    """
    return high + low * _DOUBT == high


@kept
def low_part(value, scale):
    """The difference between a float and its decimal, which lies on the grid."""
    high, low = exact_product(value, scale)
    return ((np.rint(high) - high) - low) / scale


@kept
def on_grid(value, scale):
    """Whether a float's decimal lies on the grid."""
    return np.rint(value * scale) / scale == value


@kept
def steps_below(value, scale):
    """How many whole steps a positive value has, as a float: truncation on the grid."""
    steps = np.floor(value * scale)
    if (steps + 1.0) / scale <= value:
        return steps + 1.0
    if steps / scale > value:
        return steps - 1.0
    return steps


@kept
def round_up(value, scale):
    """The value, or the next step above it. A scale of 0 leaves it unchanged."""
    if scale == 0.0:
        return value
    steps = steps_below(value, scale)
    return value if steps / scale == value else (steps + 1.0) / scale


@kept
def round_half_up(value, scale):
    """The nearest step, the upper one in the middle. A scale of 0 leaves the value unchanged."""
    if scale == 0.0:
        return value
    steps = steps_below(value, scale)
    if value >= (2.0 * steps + 1.0) / (2.0 * scale) and steps / scale != value:
        return (steps + 1.0) / scale
    return steps / scale


@kept
def round8(value):
    """Python's round(value, 8): the nearest of the float's exact value, ties to even."""
    high, low = exact_product(value, 1e8)
    if not math.fabs(high) < 2.0**53:
        return value  # floats up here are further apart than 1e-8
    steps = np.rint(high)
    beyond = high - steps
    if beyond == 0.5 and low > 0.0:
        steps += 1.0
    elif beyond == -0.5 and low < 0.0:
        steps -= 1.0
    return steps / 1e8
