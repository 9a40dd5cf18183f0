"""Option chains: what prices and open interest say, over all contracts of all chains in one pass.

Columns in, columns out, in the order of a `Layout`. Prices are paise and 0 is "not known", as on the board; results
are floats with NaN for "cannot be said". Conventions: docs/analytics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.core import greeks
from feeds.core.greeks import FloatArray, Greeks

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

MODEL = "BLACK_76"
PAISE = 100
SPREAD_LIMIT_PAISE = 30
SPREAD_LIMIT_SHARE = 0.10
"""A spread up to the larger of the two has a mid worth using; beyond, nobody says where between them the price is."""
NEAR_MONEYNESS = 0.05
"""Strikes within 5 % of the forward trade all the time; those beyond may keep a last price for longer."""
FRESH_SECONDS_NEAR = 60
FRESH_SECONDS_FAR = 300
SKEW_DELTA = 0.25
SKEW_TOLERANCE = 0.10
"""A chain whose nearest strike is further from a delta of 25 has no skew to speak of."""


class Reason(IntEnum):
    """Why a contract has no implied volatility; 0: it has one."""

    NO_PRICE = 1  # neither quoted on both sides nor traded, or at a price no volatility gives
    WIDE_SPREAD = 2  # quoted too wide, and no fresh trade
    STALE = 3  # its last price is old, or its feed silent
    BELOW_INTRINSIC = 4  # cheaper than what exercising it would pay
    EXPIRED = 5
    NO_FORWARD = 6  # neither a future nor any strike with both rights priced


class BuildUp(IntEnum):
    """What price and open interest did together since yesterday; 0: one of them stood still, or is not known."""

    LONG_BUILDUP = 1
    SHORT_COVERING = 2
    SHORT_BUILDUP = 3
    LONG_UNWINDING = 4


class ForwardSource(StrEnum):
    """Where the forward of a chain comes from."""

    FUTURE = "FUTURE"
    SYNTHETIC = "SYNTHETIC"


class Contract(NamedTuple):
    """An option's place in its chain; strike in paise."""

    strike: int
    is_call: bool


class Layout:
    """Where the contracts of all chains stand: chain after chain, in each by strike, a strike's two rights together.

    A rung is one strike of one chain. Arrays over contracts, over rungs and over chains point at each other.
    """

    def __init__(self, chains: Sequence[Sequence[Contract]]) -> None:
        """Each chain sorted by strike, and none empty."""
        contracts = [contract for chain in chains for contract in chain]
        self.strike: IntArray = np.array([contract.strike for contract in contracts], np.int64)
        self.is_call: BoolArray = np.array([contract.is_call for contract in contracts], np.bool_)
        self.chain: IntArray = np.repeat(np.arange(len(chains)), [len(chain) for chain in chains])
        self.first_contract: IntArray = np.searchsorted(self.chain, np.arange(len(chains)))
        new_chain, new_strike = np.diff(self.chain, prepend=-1) != 0, np.diff(self.strike, prepend=-1) != 0
        self.rung: IntArray = np.cumsum(new_chain | new_strike) - 1
        first_of_rung = np.searchsorted(self.rung, np.arange(self.rung[-1] + 1 if contracts else 0))
        self.rung_chain: IntArray = self.chain[first_of_rung]
        self.rung_strike: IntArray = self.strike[first_of_rung]
        self.first_rung: IntArray = np.searchsorted(self.rung_chain, np.arange(len(chains)))
        self.call_at, self.put_at = self._places(self.is_call), self._places(~self.is_call)

    def _places(self, is_right: BoolArray) -> IntArray:
        """By rung, which contract has this right; -1: none."""
        places = np.full(len(self.rung_strike), -1, np.int64)
        contracts = np.flatnonzero(is_right)
        places[self.rung[contracts]] = contracts
        return places


class Market(NamedTuple):
    """What is known of each contract now: prices in paise, times in seconds since 1970, 0 = not known."""

    last_price: IntArray
    last_traded_at: IntArray
    bid_price: IntArray
    ask_price: IntArray
    previous_close: IntArray
    open_interest: IntArray
    previous_open_interest: IntArray
    volume: IntArray
    is_doubted: BoolArray  # nobody feeds it now


class Terms(NamedTuple):
    """What holds for each chain: years to the last trading minute (NaN: expired), its future's price in paise (NaN)."""

    years: FloatArray
    future: FloatArray


@dataclass(frozen=True, slots=True)
class Slices:
    """Everything said of all contracts and all chains at one moment. Volatilities are fractions, prices paise."""

    # by contract
    iv: FloatArray
    greeks: Greeks
    reason: IntArray
    oi_change: FloatArray
    build_up: IntArray
    # by chain
    years: FloatArray
    forward: FloatArray
    is_future: BoolArray
    synthetic: FloatArray
    atm_strike: FloatArray
    atm_iv: FloatArray
    straddle: FloatArray
    skew: FloatArray
    pcr_oi: FloatArray
    pcr_volume: FloatArray
    max_pain: FloatArray


def slices(layout: Layout, market: Market, terms: Terms, rate: float, now: int) -> Slices:
    """All of it. `rate` is continuous, `now` exchange time in seconds since 1970."""
    with np.errstate(all="ignore"):
        near_prices, _ = usable_prices(market, now, FRESH_SECONDS_NEAR)
        synthetic = synthetic_futures(layout, near_prices, terms.years, rate)
        is_future = np.isfinite(terms.future) & np.isfinite(terms.years)
        forward = np.where(is_future, terms.future, synthetic)
        prices, price_reason = usable_prices(market, now, _patience(layout, forward))
        rung_iv, rung_reason = _volatilities(layout, prices, price_reason, forward, terms.years, rate)
        iv = rung_iv[layout.rung]
        sensitivities = _greeks(layout, forward, terms.years, rate, iv)
        atm = _atm_rungs(layout, forward)
        return Slices(
            iv=iv,
            greeks=sensitivities,
            reason=rung_reason[layout.rung],
            oi_change=_oi_change(market),
            build_up=_build_up(market),
            years=terms.years,
            forward=forward,
            is_future=is_future,
            synthetic=synthetic,
            atm_strike=_at_rungs(layout.rung_strike.astype(np.float64), atm),
            atm_iv=_at_rungs(rung_iv, atm),
            straddle=_at_rungs(_of(prices, layout.call_at) + _of(prices, layout.put_at), atm),
            skew=_skew(layout, sensitivities.delta, rung_iv),
            pcr_oi=put_call_ratio(layout, market.open_interest),
            pcr_volume=put_call_ratio(layout, market.volume),
            max_pain=max_pain(layout, market.open_interest),
        )


def years_left(last_trade: IntArray, now: int) -> FloatArray:
    """Calendar minutes to the last trading minute as years, at least one minute; NaN from that minute on."""
    minutes = (last_trade - now) / 60
    result: FloatArray = np.where(minutes > 0, np.maximum(minutes, 1.0) / greeks.MINUTES_PER_YEAR, np.nan)
    return result


def usable_prices(market: Market, now: int, fresh_seconds: IntArray | int) -> tuple[FloatArray, IntArray]:
    """The mid of a sane spread, else a fresh last price, else NaN and the Reason."""
    is_quoted = (market.bid_price > 0) & (market.ask_price >= market.bid_price) & ~market.is_doubted
    mid = (market.bid_price + market.ask_price) / 2
    limit = np.maximum(SPREAD_LIMIT_PAISE, SPREAD_LIMIT_SHARE * mid)
    is_sane = is_quoted & (market.ask_price - market.bid_price <= limit)
    has_traded = market.last_price > 0
    is_fresh = has_traded & (now - market.last_traded_at <= fresh_seconds) & ~market.is_doubted
    price = np.where(is_sane, mid, np.where(is_fresh, market.last_price, np.nan))
    is_old = has_traded | (market.is_doubted & (market.bid_price > 0))
    missing = np.where(is_quoted, Reason.WIDE_SPREAD, np.where(is_old, Reason.STALE, Reason.NO_PRICE))
    return price, np.where(np.isnan(price), missing, 0)


def synthetic_futures(layout: Layout, prices: FloatArray, years: FloatArray, rate: float) -> FloatArray:
    """By put-call parity at the strike where call and put are nearest each other; NaN where no strike has both."""
    difference = _of(prices, layout.call_at) - _of(prices, layout.put_at)
    rungs = _first_least(layout, np.abs(difference))
    growth = np.exp(rate * years)
    return _at_rungs(layout.rung_strike.astype(np.float64), rungs) + growth * _at_rungs(difference, rungs)


def put_call_ratio(layout: Layout, amounts: IntArray) -> FloatArray:
    """The puts' sum by the calls' over each chain's contracts; NaN where the calls have none."""
    puts, calls = (_sums(layout, np.where(right, amounts, 0)) for right in (~layout.is_call, layout.is_call))
    result: FloatArray = np.where(calls > 0, puts / np.maximum(calls, 1), np.nan)
    return result


def pain(layout: Layout, open_interest: IntArray) -> IntArray:
    """By rung: what all holders together would be paid if the underlying ended at its strike, in paise."""
    strike = layout.rung_strike
    call_oi, put_oi = _amount(open_interest, layout.call_at), _amount(open_interest, layout.put_at)
    calls, call_value = _running(layout, call_oi), _running(layout, call_oi * strike)
    puts, put_value = _running(layout, put_oi), _running(layout, put_oi * strike)
    last = np.append(layout.first_rung[1:], len(strike))[layout.rung_chain] - 1
    puts_above, value_above = puts[last] - puts, put_value[last] - put_value
    result: IntArray = (strike * calls - call_value) + (value_above - strike * puts_above)
    return result


def max_pain(layout: Layout, open_interest: IntArray) -> FloatArray:
    """The strike at which least is paid, the lower of two; NaN where nobody holds anything."""
    strikes = _at_rungs(layout.rung_strike.astype(np.float64), _first_least(layout, pain(layout, open_interest)))
    result: FloatArray = np.where(_sums(layout, open_interest) > 0, strikes, np.nan)
    return result


# --- by rung ------------------------------------------------------------------------------------------


def _volatilities(
    layout: Layout, prices: FloatArray, price_reason: IntArray, forward: FloatArray, years: FloatArray, rate: float
) -> tuple[FloatArray, IntArray]:
    """One volatility a strike, of its out-of-the-money right: both rights share it. And the Reason why not."""
    at = _out_of_the_money(layout, forward)
    price, is_call = prices[at], layout.is_call[at]
    future, time = forward[layout.rung_chain], years[layout.rung_chain]
    iv = greeks.implied_volatility(price / PAISE, future / PAISE, layout.rung_strike / PAISE, time, rate, is_call)
    sign = np.where(is_call, 1.0, -1.0)
    is_below = price <= np.exp(-rate * time) * np.maximum(sign * (future - layout.rung_strike), 0.0)
    unsolved = np.where(is_below, Reason.BELOW_INTRINSIC, Reason.NO_PRICE)
    reason = np.where(np.isnan(price), price_reason[at], np.where(np.isnan(iv), unsolved, 0))
    reason = np.where(np.isnan(future), Reason.NO_FORWARD, reason)
    return iv, np.where(np.isnan(time), Reason.EXPIRED, reason)


def _out_of_the_money(layout: Layout, forward: FloatArray) -> IntArray:
    """By rung the contract to ask: the right that is out of the money, or the other where that is not listed."""
    wants_call = layout.rung_strike >= forward[layout.rung_chain]
    at = np.where(wants_call, layout.call_at, layout.put_at)
    other = np.where(wants_call, layout.put_at, layout.call_at)
    result: IntArray = np.where(at >= 0, at, other)
    return result


def _atm_rungs(layout: Layout, forward: FloatArray) -> IntArray:
    """The rung nearest to the forward, the lower of two; -1 where there is no forward, or it is beyond all strikes.

    A window of strikes around the spot may lie far below the forward of an expiry years ahead.
    """
    distance = np.abs(layout.rung_strike - forward[layout.rung_chain])
    last = np.append(layout.first_rung[1:], len(distance)) - 1
    width = layout.rung_strike[last] - layout.rung_strike[layout.first_rung]
    step = width / np.maximum(last - layout.first_rung, 1)
    reach = np.where(last > layout.first_rung, step, np.inf)[layout.rung_chain]
    return _first_least(layout, np.where(distance <= reach, distance, np.nan))


def _skew(layout: Layout, delta: FloatArray, rung_iv: FloatArray) -> FloatArray:
    """The volatility of the put whose delta is nearest -0.25 less that of the call nearest 0.25."""
    wings = []
    for wanted, places in ((-SKEW_DELTA, layout.put_at), (SKEW_DELTA, layout.call_at)):
        distance = np.abs(_of(delta, places) - wanted)
        rungs = _first_least(layout, np.where(distance <= SKEW_TOLERANCE, distance, np.nan))
        wings.append(_at_rungs(rung_iv, rungs))
    return wings[0] - wings[1]


# --- by contract --------------------------------------------------------------------------------------


def _greeks(layout: Layout, forward: FloatArray, years: FloatArray, rate: float, iv: FloatArray) -> Greeks:
    future, time = forward[layout.chain] / PAISE, years[layout.chain]
    return greeks.greeks(future, layout.strike / PAISE, time, rate, iv, layout.is_call)


def _patience(layout: Layout, forward: FloatArray) -> IntArray:
    """How old each contract's last price may be, in seconds."""
    is_far = np.abs(layout.strike / forward[layout.chain] - 1) > NEAR_MONEYNESS
    result: IntArray = np.where(is_far, FRESH_SECONDS_FAR, FRESH_SECONDS_NEAR)
    return result


def _oi_change(market: Market) -> FloatArray:
    is_known = market.previous_open_interest > 0
    result: FloatArray = np.where(is_known, market.open_interest - market.previous_open_interest, np.nan)
    return result


def _build_up(market: Market) -> IntArray:
    is_known = (market.last_price > 0) & (market.previous_close > 0) & (market.previous_open_interest > 0)
    price_change = np.sign(market.last_price - market.previous_close)
    oi_change = np.sign(market.open_interest - market.previous_open_interest)
    rising = np.where(oi_change > 0, BuildUp.LONG_BUILDUP, BuildUp.SHORT_COVERING)
    falling = np.where(oi_change > 0, BuildUp.SHORT_BUILDUP, BuildUp.LONG_UNWINDING)
    moved = is_known & (price_change != 0) & (oi_change != 0)
    result: IntArray = np.where(moved, np.where(price_change > 0, rising, falling), 0)
    return result


# --- between contracts, rungs and chains --------------------------------------------------------------


def _of(values: FloatArray, places: IntArray) -> FloatArray:
    """By rung the value of the contract at its place; NaN where there is none."""
    result: FloatArray = np.where(places >= 0, values[places], np.nan)
    return result


def _amount(values: IntArray, places: IntArray) -> IntArray:
    result: IntArray = np.where(places >= 0, values[places], 0)
    return result


def _at_rungs(values: FloatArray, rungs: IntArray) -> FloatArray:
    """By chain the value at its rung; NaN where that is -1."""
    result: FloatArray = np.where(rungs >= 0, values[rungs], np.nan)
    return result


def _first_least(layout: Layout, values: FloatArray | IntArray) -> IntArray:
    """By chain the first rung with the least value; -1 where all are NaN."""
    least = np.fmin.reduceat(values, layout.first_rung)
    at = np.flatnonzero(values == least[layout.rung_chain])
    places = np.searchsorted(layout.rung_chain[at], np.arange(len(layout.first_rung)))
    return np.where(np.isnan(least), -1, np.append(at, -1)[places])


def _sums(layout: Layout, amounts: IntArray) -> IntArray:
    result: IntArray = np.add.reduceat(amounts, layout.first_contract)
    return result


def _running(layout: Layout, amounts: IntArray) -> IntArray:
    """By rung the sum from its chain's lowest strike up to it."""
    total = np.cumsum(amounts)
    before = (total - amounts)[layout.first_rung]
    result: IntArray = total - before[layout.rung_chain]
    return result
