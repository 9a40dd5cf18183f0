"""How a day ends for a contract: the price it is settled at, and what becomes of one that expires."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from feeds.core.instrument import FUTURE_TYPES, InstrumentType, OptionType


class PriceSource(StrEnum):
    """Where a settlement price came from, the best first. The exchange's own is not on the feed."""

    BY_HAND = "BY_HAND"
    LAST_HALF_HOUR = "LAST_HALF_HOUR"  # the exchange's own: its average of the last half hour, told by a file
    UNDERLYING_CLOSE = "UNDERLYING_CLOSE"  # a future that expires: what its index or share closed at
    LAST_TRADED = "LAST_TRADED"
    CLOSE_SEEN_LATER = "CLOSE_SEEN_LATER"  # the previous close that the next trading day tells
    PREVIOUS_CLOSE = "PREVIOUS_CLOSE"  # it did not trade that day
    CARRIED = "CARRIED"  # no quote at all: what it was settled at before


class Quote(NamedTuple):
    """What the feed last said of an instrument: paise, 0 for unknown; the day of its last trade, None for unknown."""

    last_price: int
    traded_on: date | None
    previous_close: int


class Settled(NamedTuple):
    price: int
    source: PriceSource


def settlement_price(quote: Quote, day: date, next_day: date) -> Settled | None:
    """The day's price by its last quote, which may be younger than the day. None: the quote says nothing of the day.

    `next_day` is the trading day after: its previous close is the day's close.
    """
    if quote.traded_on is not None and quote.traded_on > day:
        seen = quote.traded_on == next_day and quote.previous_close > 0
        return Settled(quote.previous_close, PriceSource.CLOSE_SEEN_LATER) if seen else None
    if quote.last_price > 0 and quote.traded_on in (day, None):
        return Settled(quote.last_price, PriceSource.LAST_TRADED)
    known = quote.previous_close or quote.last_price
    return Settled(known, PriceSource.PREVIOUS_CLOSE) if known > 0 else None


class Ending(StrEnum):
    """What becomes of an expired contract."""

    CASH = "CASH"  # paid out at intrinsic, or at the settlement price
    LAPSED = "LAPSED"  # out of the money
    DELIVERED = "DELIVERED"  # the shares change hands, at the strike or at the future's settlement price
    DEVOLVED = "DEVOLVED"  # becomes a position in the month's future at the strike


IN_THE_MONEY = {
    InstrumentType.OPTIDX: Ending.CASH,
    InstrumentType.OPTSTK: Ending.DELIVERED,
    InstrumentType.OPTFUT: Ending.DEVOLVED,
}
FUTURES_ENDINGS = {InstrumentType.FUTSTK: Ending.DELIVERED}
"""The others are settled in cash."""


def intrinsic(option_type: OptionType, strike: int, underlying_price: int) -> int:
    """Paise a unit is worth at expiry, never negative."""
    difference = underlying_price - strike
    return max(0, difference if option_type is OptionType.CALL else -difference)


def ending_of_option(
    instrument_type: InstrumentType, option_type: OptionType, strike: int, underlying_price: int
) -> Ending:
    if intrinsic(option_type, strike, underlying_price) == 0:
        return Ending.LAPSED
    return IN_THE_MONEY[instrument_type]


def ending_of_future(instrument_type: InstrumentType) -> Ending:
    if instrument_type not in FUTURE_TYPES:
        raise ValueError(f"{instrument_type} is no future")
    return FUTURES_ENDINGS.get(instrument_type, Ending.CASH)


def exercised_quantity(option_type: OptionType, signed_quantity: int) -> int:
    """What its holder (positive) or writer (negative) receives of the underlying, in the contract's own units."""
    return signed_quantity if option_type is OptionType.CALL else -signed_quantity


class HandedOut(NamedTuple):
    """Shares that leave the holdings and what they had cost, and how many are not there to be delivered."""

    quantity: int
    cost: int
    short: int


def hand_out(held: int, cost: int, wanted: int) -> HandedOut:
    """Take shares out of holdings at their average cost, half to even; the last ones take what is left of it."""
    quantity = min(held, wanted)
    share = round(Fraction(cost * quantity, held)) if quantity else 0
    return HandedOut(quantity, share, wanted - quantity)


def day_pnl(
    carried_quantity: int, carried_price: int, fills: Iterable[tuple[int, int]], price: int, multiplier: int = 1
) -> int:
    """Paise a day brought: what was carried since the previous settlement, and each fill since its own price.

    `fills` are (signed quantity, price) of the day; `price` the settlement price, or the last one.
    """
    carried = carried_quantity * (price - carried_price)
    return (carried + sum(quantity * (price - paid) for quantity, paid in fills)) * multiplier
