"""Black-76: price, implied volatility and greeks of European options on a future, vectorised.

Everywhere: prices, forwards and strikes in rupees, `years` to the last trading minute (calendar minutes /
525,600), `rate` continuous, `volatility` annual (0.12 is 12 %). Arguments broadcast against each other, and
results have the broadcast shape. Model and conventions: market-rules, section 9; Black (1976), "The pricing of
commodity contracts".
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


@lru_cache(maxsize=1)
def special() -> ModuleType:
    """scipy.special, loaded when the first option is priced: it takes a quarter of a second, and most processes price
    none. Who must not wait then asks for it at the start."""
    return import_module("scipy.special")


MINUTES_PER_YEAR = 525_600
DAYS_PER_YEAR = 365
VOL_POINT = 0.01

LOWEST_VOLATILITY = 1e-6
HIGHEST_VOLATILITY = 20.0
"""2,000 %: a far strike five minutes before its end shows several hundred percent, nothing real shows more."""
LAST_STEP = 1e-5
"""Of the deviation: a step so small has an error of its cube, beyond the last digit."""
LARGEST_NUMBER_OF_STEPS = 60
"""A traded chain needs two or three; bisection alone would need 45."""
SMALLEST_DIVISOR = 0.2
"""Where Halley's correction would turn a step round, it is held to five times Newton's."""
SMALLEST_MONEYNESS = 1e-20
"""Stands for a strike at the forward, whose logarithm would be infinite."""
FARTHEST_DISTANCE = 40.0
"""In deviations; a price beyond has no digit left."""
SQRT_TWO_PI = float(np.sqrt(2 * np.pi))
SQRT_HALF, SQRT_HALF_PI, LOG_SQRT_TWO_PI = float(np.sqrt(0.5)), float(np.sqrt(np.pi / 2)), float(np.log(SQRT_TWO_PI))


class Greeks(NamedTuple):
    """Sensitivities of one unit's price in rupees."""

    delta: FloatArray  # a rupee of the future
    gamma: FloatArray  # delta for a rupee of the future
    theta: FloatArray  # a calendar day
    vega: FloatArray  # a volatility point (0.01)


def price(
    forward: ArrayLike, strike: ArrayLike, years: ArrayLike, rate: ArrayLike, volatility: ArrayLike, is_call: ArrayLike
) -> FloatArray:
    """The premium in rupees of an option on `forward`."""
    sign = np.where(is_call, 1.0, -1.0)
    d1, d2 = _d1_d2(forward, strike, years, volatility)
    ndtr = special().ndtr
    undiscounted = sign * (np.asarray(forward) * ndtr(sign * d1) - np.asarray(strike) * ndtr(sign * d2))
    result: FloatArray = _discount(years, rate) * np.maximum(undiscounted, 0.0)
    return result


def greeks(
    forward: ArrayLike, strike: ArrayLike, years: ArrayLike, rate: ArrayLike, volatility: ArrayLike, is_call: ArrayLike
) -> Greeks:
    """Delta, gamma, theta a calendar day and vega a volatility point. NaN where the volatility is NaN."""
    sign = np.where(is_call, 1.0, -1.0)
    d1, _ = _d1_d2(forward, strike, years, volatility)
    discount = _discount(years, rate)
    root = np.sqrt(np.asarray(years, dtype=np.float64))
    density = discount * _density(d1)
    decay = -np.asarray(forward) * density * np.asarray(volatility) / (2 * root)
    carry = np.asarray(rate) * price(forward, strike, years, rate, volatility, is_call)
    return Greeks(
        delta=discount * sign * special().ndtr(sign * d1),
        gamma=density / (np.asarray(forward) * np.asarray(volatility) * root),
        theta=(decay + carry) / DAYS_PER_YEAR,
        vega=np.asarray(forward) * density * root * VOL_POINT,
    )


def implied_volatility(
    premium: ArrayLike, forward: ArrayLike, strike: ArrayLike, years: ArrayLike, rate: ArrayLike, is_call: ArrayLike
) -> FloatArray:
    """The volatility at which `price` is `premium`.

    NaN where there is none: a premium at or below its intrinsic value or at or above its ceiling (the future
    for a call, the strike for a put, discounted), an expired option, or anything that is not a positive number.
    """
    columns = np.broadcast_arrays(premium, forward, strike, years, rate, is_call)
    premium, forward, strike, years, rate = (np.asarray(column, dtype=np.float64) for column in columns[:5])
    with np.errstate(all="ignore"):
        time_value, solvable = _time_value(premium / _discount(years, rate), forward, strike, years, columns[5])
        result = np.full(premium.shape, np.nan)
        if solvable.any():
            result[solvable] = _solve(time_value[solvable], forward[solvable], strike[solvable], years[solvable])
    return result


def _discount(years: ArrayLike, rate: ArrayLike) -> FloatArray:
    result: FloatArray = np.exp(-np.asarray(rate, dtype=np.float64) * np.asarray(years, dtype=np.float64))
    return result


def _density(x: FloatArray) -> FloatArray:
    result: FloatArray = np.exp(-0.5 * x * x) / SQRT_TWO_PI
    return result


def _d1_d2(
    forward: ArrayLike, strike: ArrayLike, years: ArrayLike, volatility: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    deviation = np.asarray(volatility, dtype=np.float64) * np.sqrt(np.asarray(years, dtype=np.float64))
    d1 = np.log(np.asarray(forward, dtype=np.float64) / np.asarray(strike)) / deviation + 0.5 * deviation
    return d1, d1 - deviation


def _time_value(
    undiscounted: FloatArray, forward: FloatArray, strike: FloatArray, years: FloatArray, is_call: NDArray[np.bool_]
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """By parity every option's time value is the price of its out-of-the-money twin, where digits are not lost."""
    intrinsic = np.maximum(np.where(is_call, forward - strike, strike - forward), 0.0)
    time_value = undiscounted - intrinsic
    ceiling = np.minimum(forward, strike)
    numbers = np.isfinite(time_value) & (forward > 0) & (strike > 0) & (years > 0)
    return time_value, numbers & (time_value > 0) & (time_value < ceiling)


def _solve(time_value: FloatArray, forward: FloatArray, strike: FloatArray, years: FloatArray) -> FloatArray:
    """The volatility at which the out-of-the-money option costs its time value.

    In units of the mean of forward and strike one curve is left, of the log-moneyness and the deviation alone
    (Jaeckel, 2015, "Let's be rational"). Halley's steps on the logarithm of the price triple the digits; a bracket
    that bisection halves catches the start that was too far off.
    """
    root = np.sqrt(years)
    log_price = np.log(time_value) - 0.5 * np.log(forward * strike)
    moneyness = np.maximum(np.abs(np.log(forward / strike)), SMALLEST_MONEYNESS)
    deviation = _first_deviation(log_price, moneyness)
    low, high = np.zeros(deviation.shape), HIGHEST_VOLATILITY * root
    for _ in range(LARGEST_NUMBER_OF_STEPS):
        reached, following = _halley(log_price, moneyness, deviation)
        low, high = np.where(reached, low, deviation), np.where(reached, deviation, high)
        inside = (following >= low) & (following <= high)
        following = np.where(inside, following, 0.5 * (low + high))
        settled = bool((np.abs(following - deviation) <= LAST_STEP * deviation).all())
        deviation = following
        if settled:
            break
    volatility = deviation / root
    at_the_edge = (volatility > HIGHEST_VOLATILITY * 0.999) | (volatility < LOWEST_VOLATILITY)
    result: FloatArray = np.where(at_the_edge, np.nan, volatility)
    return result


def _halley(
    log_price: FloatArray, moneyness: FloatArray, deviation: FloatArray
) -> tuple[NDArray[np.bool_], FloatArray]:
    """Whether the price at this deviation reaches the wanted one, and the deviation after one step towards it."""
    distance, half = moneyness / deviation, 0.5 * deviation
    tails = special().erfcx((distance - half) * SQRT_HALF) - special().erfcx((distance + half) * SQRT_HALF)
    price_by_vega = SQRT_HALF_PI * np.maximum(tails, np.finfo(np.float64).tiny)
    missing = log_price - (np.log(price_by_vega) - 0.5 * (distance * distance + half * half) - LOG_SQRT_TWO_PI)
    newton = missing * price_by_vega
    bend = distance * distance / deviation - 0.5 * half - 1 / price_by_vega
    following: FloatArray = deviation + newton / np.maximum(1 + 0.5 * newton * bend, SMALLEST_DIVISOR)
    return missing <= 0, following


@lru_cache(maxsize=1)
def _start_table() -> tuple[FloatArray, FloatArray]:
    """Bachelier's model, where price / moneyness depends on moneyness / deviation alone: logarithms of both.

    Two models that agree to a few percent up to a deviation of one; and here the inverse is a table.
    """
    curved = np.exp(np.linspace(np.log(FARTHEST_DISTANCE), np.log(0.01), 2047))
    distance = np.append(curved, SMALLEST_MONEYNESS)  # from the curve's end on it is a straight line
    tail = np.log1p(-distance * SQRT_HALF_PI * special().erfcx(distance * SQRT_HALF))
    return tail - 0.5 * distance * distance - LOG_SQRT_TWO_PI - np.log(distance), np.log(distance)


def _first_deviation(log_price: FloatArray, moneyness: FloatArray) -> FloatArray:
    log_moneyness = np.log(moneyness)
    distance = np.interp(log_price - log_moneyness, *_start_table())
    result: FloatArray = np.exp(log_moneyness - distance)
    return result
