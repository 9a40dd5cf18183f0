"""The sixteen scenarios of SPAN: what one long unit of a contract would lose in each.

Model: Black-76 at the contract's own volatility, one calendar day ahead, on the future it hangs on (market-rules,
section 5). Prices and losses are paise of one unit; a loss is positive, as in the exchange's files.
"""

from __future__ import annotations

from functools import lru_cache
from math import erfc, exp, isfinite, log, pi, sqrt
from typing import NamedTuple

import numpy as np

from feeds.core import greeks
from rms.core.parameters import BASIS_POINTS, ContractRules

PRICE_MOVES = (0, 0, 1 / 3, 1 / 3, -1 / 3, -1 / 3, 2 / 3, 2 / 3, -2 / 3, -2 / 3, 1, 1, -1, -1, 2, -2)
"""In price scan ranges."""
VOLATILITY_MOVES = (1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 0, 0)
"""In volatility scan ranges."""
WEIGHTS = (1.0,) * 14 + (0.35,) * 2
"""The two extreme moves count with 35 % of their loss. Exchange files hold them weighted already."""
INNER = (2, 3, 4, 5)
"""Up and down by a third of the range: their difference tells how much of a future the contract is."""

_MOVES, _VOLATILITIES, _WEIGHTS = np.array(PRICE_MOVES), np.array(VOLATILITY_MOVES), np.array(WEIGHTS)

LOOK_AHEAD_DAYS = 1
EXPIRY_DAY = 0.25
"""What is left of a contract on its last day, in days: about one session."""
LOWEST_VOLATILITY = 0.01
"""A volatility scan range never takes it below this."""
SOLVER_STEPS = 60
SOLVER_TOLERANCE = 1e-8
"""Of a volatility: a thousandth of a paisa for any contract that is listed."""


class UnitRisk(NamedTuple):
    """One long unit: its loss in each scenario, how many futures it moves like, and whether the exchange said so."""

    losses: tuple[int, ...]
    delta: float
    from_exchange: bool


@lru_cache(maxsize=16_384)
def future_risk(price: int, price_scan: int) -> UnitRisk:
    """Of a future at `price` paise whose range is `price_scan` basis points of it."""
    losses = -_MOVES * _WEIGHTS * price * price_scan / BASIS_POINTS
    return UnitRisk(_whole(losses), 1.0, False)


@lru_cache(maxsize=65_536)
def option_risk(
    price: int,
    forward: int,
    strike: int,
    days: int,
    is_call: bool,
    volatility: float | None,
    price_scan: int,
    volatility_scan: int,
    fallback_volatility: int,
    rate: float,
) -> UnitRisk:
    """Of an option at `price` on a future at `forward`, `days` calendar days from its expiry.

    A long unit never loses more than its price, whatever the model says. `volatility` None: the one that the price
    implies, or the fallback (points) where it implies none. Cached: prices stand still more often than they move.
    """
    years = max(days, EXPIRY_DAY) / greeks.DAYS_PER_YEAR
    sigma = volatility or implied_volatility(price, forward, strike, years, rate, is_call)
    sigma = sigma or fallback_volatility * greeks.VOL_POINT
    ahead = max((days - LOOK_AHEAD_DAYS) / greeks.DAYS_PER_YEAR, 1 / greeks.MINUTES_PER_YEAR)
    forwards = forward * (1 + _MOVES * price_scan / BASIS_POINTS)
    sigmas = np.maximum(sigma + _VOLATILITIES * volatility_scan * greeks.VOL_POINT, LOWEST_VOLATILITY)
    values = greeks.price(forwards, strike, ahead, rate, sigmas, is_call)
    losses = _whole(np.minimum((price - values) * _WEIGHTS, price))
    return UnitRisk(losses, _delta(losses, forward * price_scan / BASIS_POINTS), False)


def range_of(rules: ContractRules, far: bool) -> int:
    """The price scan range in basis points; `far`: beyond nine months."""
    return rules.price_scan_far if far else rules.price_scan


def implied_volatility(
    price: float, forward: float, strike: float, years: float, rate: float, is_call: bool
) -> float | None:
    """As `greeks.implied_volatility`, for one contract: fifty times as fast for the few legs of an order.

    None where there is none. Newton on the logarithm of the out-of-the-money twin's price, inside a bracket.
    """
    intrinsic = max(forward - strike if is_call else strike - forward, 0.0)
    time_value = price * exp(rate * years) - intrinsic
    if not (isfinite(time_value) and 0 < time_value < min(forward, strike)):
        return None
    root, moneyness = sqrt(years), log(forward / strike)
    low, high = greeks.LOWEST_VOLATILITY, greeks.HIGHEST_VOLATILITY
    guess = min(max(sqrt(2 * abs(moneyness) / years), 0.05), 5.0)
    for _ in range(SOLVER_STEPS):
        value, vega = _twin(forward, strike, moneyness, guess * root)
        low, high = (low, guess) if value > time_value else (guess, high)
        newton = guess - log(value / time_value) * value / (vega * root) if value > 0 and vega > 0 else 0.0
        following = newton if low < newton < high else 0.5 * (low + high)
        if abs(following - guess) <= SOLVER_TOLERANCE:
            return following
        guess = following
    return None


def _twin(forward: float, strike: float, moneyness: float, deviation: float) -> tuple[float, float]:
    """The undiscounted price of the out-of-the-money option at a strike, and its slope by the deviation."""
    sign = 1.0 if moneyness <= 0 else -1.0
    d1 = moneyness / deviation + 0.5 * deviation
    value = sign * (forward * _normal(sign * d1) - strike * _normal(sign * (d1 - deviation)))
    return value, forward * exp(-0.5 * d1 * d1) / sqrt(2 * pi)


def _normal(x: float) -> float:
    return 0.5 * erfc(-x / sqrt(2))


def _delta(losses: tuple[int, ...], price_range: float) -> float:
    up, also_up, down, also_down = (losses[scenario] for scenario in INNER)
    return (down + also_down - up - also_up) / 2 / (2 / 3 * price_range)


def _whole(losses: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[int, ...]:
    """Whole paise, half to even: from here on everything is exact."""
    return tuple(int(loss) for loss in np.rint(losses))
