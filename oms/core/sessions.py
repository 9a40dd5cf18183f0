"""What an exchange takes at which time of day, and when an after-market order is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache
from typing import Any

from feeds.core.calendar import IST, Calendar, Phase, exchange_of
from feeds.core.instrument import OPTION_TYPES, ExchangeSegment, InstrumentType
from oms.core.data import holding_on, read_data
from oms.core.order import OrderType, Validity

GROUPS = {
    ExchangeSegment.NSE_EQ: "cash",
    ExchangeSegment.BSE_EQ: "cash",
    ExchangeSegment.NSE_FNO: "derivatives",
    ExchangeSegment.BSE_FNO: "derivatives",
    ExchangeSegment.MCX_COMM: "mcx",
}
"""The segments that take orders here, by what their rules have in common."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What one phase takes of one kind of instrument."""

    types: frozenset[OrderType] = frozenset()
    validities: frozenset[Validity] = frozenset()
    disclosed: bool = False
    change: bool = False
    cancel: bool = False


NOTHING = Taken()


@cache
def taken_in(phase: Phase, segment: ExchangeSegment, instrument_type: InstrumentType, day: date) -> Taken:
    """The row of the phase x order type x validity table that holds on a day."""
    if segment not in GROUPS:
        return NOTHING
    data = read_data("phases.json")
    row = holding_on(data[GROUPS[segment]], day)["phases"].get(phase.value)
    if row is None:
        return NOTHING
    is_option = instrument_type in OPTION_TYPES
    if is_option and row.get("futures_only"):
        return Taken(cancel=row["cancel"])
    types = frozenset(map(OrderType, row["types"])) - (_not_on_options(segment, day) if is_option else frozenset())
    return Taken(types, frozenset(map(Validity, row["validities"])), row["disclosed"], row["change"], row["cancel"])


def _not_on_options(segment: ExchangeSegment, day: date) -> frozenset[OrderType]:
    rows: list[Any] = read_data("phases.json")["not_on_options"]
    return frozenset(
        OrderType(word)
        for row in rows
        if segment.name in row["segments"] and date.fromisoformat(row["from"]) <= day
        for word in row["types"]
    )


def least_disclosed_percent(segment: ExchangeSegment, day: date) -> str | None:
    """The least share of its quantity, in percent, that an order may disclose; None: it may not hide anything."""
    least: str | None = holding_on(read_data("disclosed_quantity.json")["rules"], day)[GROUPS[segment]]
    return least


def takes_after_market(segment: ExchangeSegment, moment: datetime, calendar: Calendar) -> bool:
    """Whether an after-market order may be given at an exchange time."""
    if segment not in GROUPS:
        return False
    day = moment.astimezone(IST).date()
    window = holding_on(read_data("after_market.json")["windows"], day)[GROUPS[segment]]
    if window is None or not calendar.is_trading_day(exchange_of(segment), day):
        return True
    opens, closes = map(time.fromisoformat, window)
    now = moment.astimezone(IST).time()
    return now >= opens or now < closes


def next_open(segment: ExchangeSegment, moment: datetime, calendar: Calendar) -> datetime | None:
    """When continuous trading opens next, after an exchange time; None: on no day whose hours are known."""
    exchange, day = exchange_of(segment), moment.astimezone(IST).date()
    while calendar.covers(exchange, day):
        sessions = calendar.sessions(segment, day)
        if sessions is not None and sessions.open > moment:
            return sessions.open
        day = calendar.next_trading_day(exchange, day)
    return None
