"""The trading day as the order desk sees it: the calendar, kept for some seconds, and each instrument's phase."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

from feeds import clock
from feeds.core.calendar import CASH_SEGMENTS, IST, Calendar, Phase, exchange_of
from feeds.core.instrument import ExchangeSegment, InstrumentType
from feeds.models import Instrument
from feeds.selectors import listed, market_calendar, option_underlyings
from oms.core.rules import Contract

KEPT_SECONDS = 5.0
"""A holiday that an admin enters counts after this long: reading the calendar costs more than an order does."""


@dataclass(slots=True)
class _Kept:
    calendar: Calendar
    read_at: float


_kept: _Kept | None = None


def trading_calendar() -> Calendar:
    """The calendar, at most a few seconds old."""
    global _kept
    now = clock.monotonic()
    if _kept is None or now - _kept.read_at > KEPT_SECONDS:
        _kept = _Kept(market_calendar(), now)
    return _kept.calendar


def forget_trading_day() -> None:
    """Read calendar and listings anew: between tests."""
    global _kept
    _kept = None
    _underlyings.cache_clear()


def phase_of(instrument: Instrument, moment: datetime) -> Phase:
    """What the exchange does with this very instrument at an exchange time."""
    calendar, segment = trading_calendar(), ExchangeSegment(instrument.segment)
    day = moment.astimezone(IST).date()
    with_derivatives = has_derivatives(instrument, day)
    phase = calendar.phase(segment, moment, with_derivatives)
    if instrument.expiry == day:
        sessions = calendar.sessions(segment, day, has_derivatives=with_derivatives)
        if sessions is not None and moment >= sessions.last_trade:
            return Phase.CLOSED
    return phase


def trading_date(segment: ExchangeSegment, moment: datetime) -> date:
    """The day that an order given at an exchange time belongs to: today, or the next day that trades."""
    calendar, exchange, day = trading_calendar(), exchange_of(segment), moment.astimezone(IST).date()
    return day if calendar.is_trading_day(exchange, day) else calendar.next_trading_day(exchange, day)


def has_derivatives(instrument: Instrument, day: date) -> bool:
    """Whether options or futures are listed on a share: since August 2026 these keep other hours. Others: always."""
    if instrument.segment not in CASH_SEGMENTS:
        return True
    return any(
        (int(segment), symbol) in _underlyings(day, int(segment)) for segment, symbol in option_underlyings(instrument)
    )


@lru_cache(maxsize=8)
def _underlyings(day: date, segment: int) -> frozenset[tuple[int, str]]:
    """(segment, underlying) of all that derivatives are listed on."""
    rows = listed().filter(segment=segment, expiry__gte=day).order_by()
    return frozenset(rows.values_list("segment", "underlying_symbol").distinct())


def contract_of(instrument: Instrument) -> Contract:
    """An instrument as the checks know it. MCX counts in lots, so one is the step there."""
    segment = ExchangeSegment(instrument.segment)
    return Contract(
        code=instrument.code,
        name=str(instrument),
        segment=segment,
        instrument_type=InstrumentType(instrument.instrument_type),
        lot=1 if segment is ExchangeSegment.MCX_COMM else instrument.lot_size,
        tick_size=instrument.tick_size,
        multiplier=instrument.multiplier,
        expiry=instrument.expiry,
        is_listed=instrument.is_listed,
        freeze_quantity=instrument.freeze_quantity,
        lower_limit=instrument.lower_limit or None,
        upper_limit=instrument.upper_limit or None,
    )
