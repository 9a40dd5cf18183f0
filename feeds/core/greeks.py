"""Black-76: price, implied volatility and greeks of European options on a future, vectorised.

Everywhere: prices, forwards and strikes in rupees, `years` to the last trading minute (calendar minutes /
525,600), `rate` continuous, `volatility` annual (0.12 is 12 %). Arguments broadcast against each other, and
results have the broadcast shape. Model and conventions: market-rules, section 9; Black (1976), "The pricing of
commodity contracts".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

FloatArray = NDArray[np.float64]

MINUTES_PER_YEAR = 525_600
DAYS_PER_YEAR = 365
VOL_POINT = 0.01

LOWEST_VOLATILITY = 1e-6
HIGHEST_VOLATILITY = 20.0
"""2,000 %: a far strike five minutes before its end shows several hundred percent, nothing real shows more."""
VOLATILITY_TOLERANCE = 1e-12
LARGEST_NUMBER_OF_STEPS = 100
"""Newton needs about six; bisection alone would need 45."""
SQRT_TWO_PI = float(np.sqrt(2 * np.pi))


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
        delta=discount * sign * ndtr(sign * d1),
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
    """Newton on the logarithm of the price, kept inside a bracket that bisection halves when Newton leaves it.

    The start is the volatility of greatest vega (Manaster and Koehler, 1982), from which Newton does not overshoot.
    """
    is_call = forward <= strike
    root = np.sqrt(years)
    low = np.full(time_value.shape, LOWEST_VOLATILITY)
    high = np.full(time_value.shape, HIGHEST_VOLATILITY)
    guess = np.clip(np.sqrt(2 * np.abs(np.log(forward / strike)) / years), 0.05, 5.0)
    for _ in range(LARGEST_NUMBER_OF_STEPS):
        value = price(forward, strike, years, 0.0, guess, is_call)
        vega = forward * _density(_d1_d2(forward, strike, years, guess)[0]) * root
        above = value > time_value
        low, high = np.where(above, low, guess), np.where(above, guess, high)
        newton = guess - np.log(value / time_value) * value / vega
        inside = (newton > low) & (newton < high)
        following = np.where(inside, newton, 0.5 * (low + high))
        settled = bool((np.abs(following - guess) <= VOLATILITY_TOLERANCE * guess).all())
        guess = following
        if settled:
            break
    at_the_edge = (guess > HIGHEST_VOLATILITY * 0.999) | (guess < LOWEST_VOLATILITY * 1.001)
    result: FloatArray = np.where(at_the_edge, np.nan, guess)
    return result
