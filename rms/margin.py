"""What positions and orders-to-be bind of an account's money: legs from rows and prices, margins by group."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from feeds.core.instrument import ExchangeSegment, InstrumentType
from feeds.models import Instrument
from rms.core.product import Product, Style, style_of
from rms.market import Market
from rms.models import Position


@dataclass(frozen=True, slots=True)
class Pending:
    """What somebody wants to trade: a signed quantity at the worst price it may trade at (paise)."""

    reference: str
    code: int
    product: Product
    signed_quantity: int
    price: int


@dataclass(frozen=True, slots=True)
class Held:
    """An open position: signed quantity, and its average price (paise), used where the market has none."""

    code: int
    product: Product
    signed_quantity: int
    average_price: int = 0


@dataclass(frozen=True, slots=True)
class Requirement:
    """Paise bound in all, by margin group, and how each came about."""

    total: int
    by_group: dict[str, int]
    margins: dict[str, Any] = field(default_factory=dict)


def group_of(instrument: Instrument) -> str:
    """Segment and underlying of a contract (``NSE_FNO.NIFTY``), of a share its key (``NSE_EQ.2885``)."""
    if instrument.expiry is None:
        return str(instrument.key)
    return f"{ExchangeSegment(instrument.segment).name}.{instrument.underlying_symbol}"


def requirement(positions: Iterable[Held], pending: Iterable[Pending], market: Market, on: date) -> Requirement:
    by_group: dict[str, int] = {}
    for each in (*positions, *pending):
        instrument = market.instrument(each.code)
        amount = abs(each.signed_quantity) * market.price(each.code) * instrument.multiplier // 5
        paid = style_of(InstrumentType(instrument.instrument_type), each.product) is Style.PAID
        if not (paid and each.signed_quantity > 0):
            group = group_of(instrument)
            by_group[group] = by_group.get(group, 0) + amount
    return Requirement(sum(by_group.values()), by_group)


def used_margin(account_id: int, group: str, market: Market, on: date) -> tuple[int, dict[str, Any]]:
    """What the account's positions in a group bind now, and how it came about as JSON."""
    rows = Position.objects.filter(account_id=account_id).exclude(signed_quantity=0)
    held = [Held(row.instrument_id, Product(row.product), row.signed_quantity) for row in rows]
    market = market.covering([each.code for each in held])
    in_group = [each for each in held if group_of(market.instrument(each.code)) == group]
    return requirement(in_group, (), market, on).total, {}


def additional(
    account_id: int, new: Sequence[Pending], market: Market, on: date, pending: Sequence[Pending] = ()
) -> dict[str, int]:
    """What each new one must hold, by reference. `pending`: the account's live ones, which rms does not know."""
    amounts = {}
    for each in new:
        instrument = market.instrument(each.code)
        value = abs(each.signed_quantity) * each.price * instrument.multiplier
        paid = style_of(InstrumentType(instrument.instrument_type), each.product) is Style.PAID
        amounts[each.reference] = value if paid and each.signed_quantity > 0 else value // 5
    return amounts
