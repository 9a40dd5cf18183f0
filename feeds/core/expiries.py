"""Expiry slots: "four weekly, three monthly, one quarterly" and a date in, expiry dates out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

from feeds.core.calendar import ALWAYS_KNOWN, ONE_DAY, Calendar, Exchange, read_data
from feeds.core.instrument import ExchangeSegment

ONE_WEEK = timedelta(days=7)
NOT_KNOWN = "NOT_KNOWN"
"""Reason of a slot without a date: the exchange has not published it yet."""
QUARTER_MONTHS = (3, 6, 9, 12)
HALF_YEAR_MONTHS = (6, 12)
MONTHS = 12
WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY")
EXPIRY_EXCHANGE = {ExchangeSegment.NSE_FNO: "NSE", ExchangeSegment.BSE_FNO: "BSE"}
"""Whose expiry weekday a segment keeps; an index without weeklies keeps its exchange's too."""


class SlotKind(StrEnum):
    """What a slot counts."""

    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"
    QUARTERLY = "QUARTERLY"
    HALF_YEARLY = "HALF_YEARLY"


@dataclass(frozen=True)
class Slots:
    """How many expiries of each kind: quarterlies follow the last monthly, half-yearlies the last quarterly.

    `weekly_counts_monthly_week`: whether the monthly's own week is one of the weeklies (it then shares
    its date with the first monthly slot) or is left out.
    """

    weekly: int = 0
    weekly_counts_monthly_week: bool = False
    monthly: int = 0
    quarterly: int = 0
    half_yearly: int = 0

    @property
    def count(self) -> int:
        return self.weekly + self.monthly + self.quarterly + self.half_yearly


class Slot(NamedTuple):
    """One slot's answer: `rank` is 1-based within its kind; `expiry` None always comes with a `reason`.

    `provisional`: the date lies beyond the published calendar and may still move.
    """

    kind: SlotKind
    rank: int
    expiry: date | None
    provisional: bool = False
    reason: str = ""


class WeekdayRule(NamedTuple):
    """Contracts expire on this weekday (Monday is 0) from a day on."""

    start: date
    known_from: date
    weekday: int


class Expiry(NamedTuple):
    """A nominal expiry (the weekday by rule) and where the holidays of the day moved it."""

    nominal: date
    actual: date
    provisional: bool


def expiry_slots(underlying: str, segment: ExchangeSegment, slots: Slots, day: date, calendar: Calendar) -> list[Slot]:
    """The slots of an underlying's options as of a day, in the order weekly, monthly, quarterly, half-yearly.

    Dates are those known on that day: a holiday declared later moves nothing. Two slots may name one
    date: the expiries are the set of them (`expiry_dates`).

    Raises:
        KeyError: the segment has no options (NSE_FNO, BSE_FNO and MCX_COMM have).
    """
    if segment == ExchangeSegment.MCX_COMM:
        return _commodity_slots(underlying, slots, day, calendar)
    return _index_slots(EXPIRY_EXCHANGE[segment], slots, day, calendar)


def expiry_dates(slots: Iterable[Slot]) -> list[date]:
    """The distinct dates that slots name, in order."""
    return sorted({slot.expiry for slot in slots if slot.expiry is not None})


def commodity_futures(underlying: str, day: date) -> list[date]:
    """The known expiries of an MCX future that have not passed, nearest first; empty for an unknown one."""
    if day < date.fromisoformat(_mcx()["from"]):
        return []
    return [expiry for expiry in map(date.fromisoformat, _mcx()["futures"].get(underlying, ())) if expiry >= day]


def commodity_option_expiry(future: date, day: date, calendar: Calendar) -> date:
    """When the options on an MCX future expire: two MCX business days before it, as known on the day."""
    expiry = future
    for _ in range(_mcx()["option_business_days_before"]):
        expiry = calendar.previous_trading_day(Exchange.MCX, expiry, known_on=day)
    return expiry


def _commodity_slots(underlying: str, slots: Slots, day: date, calendar: Calendar) -> list[Slot]:
    """MCX lists monthly options alone; slots past the last published future have no date yet."""
    futures = commodity_futures(underlying, day)
    dates = [(future, commodity_option_expiry(future, day, calendar)) for future in futures]
    live = [
        Expiry(future, option, not calendar.covers(Exchange.MCX, future, known_on=day))
        for future, option in dates
        if option >= day
    ]
    return [
        *_unknown(SlotKind.WEEKLY, 0, slots.weekly),
        *_numbered(SlotKind.MONTHLY, live[: slots.monthly]),
        *_unknown(SlotKind.MONTHLY, len(live), slots.monthly),
        *_unknown(SlotKind.QUARTERLY, 0, slots.quarterly),
        *_unknown(SlotKind.HALF_YEARLY, 0, slots.half_yearly),
    ]


def _index_slots(exchange: str, slots: Slots, day: date, calendar: Calendar) -> list[Slot]:
    listing = _Listing(exchange, day, calendar)
    weekly = list(islice(listing.weekly(slots.weekly_counts_monthly_week), slots.weekly))
    monthly = list(islice(listing.monthly(), slots.monthly))
    quarterly = list(islice(listing.monthly(QUARTER_MONTHS, _after(monthly, day)), slots.quarterly))
    last = quarterly or monthly
    half_yearly = list(islice(listing.monthly(HALF_YEAR_MONTHS, _after(last, day)), slots.half_yearly))
    return [
        *_numbered(SlotKind.WEEKLY, weekly),
        *_numbered(SlotKind.MONTHLY, monthly),
        *_numbered(SlotKind.QUARTERLY, quarterly),
        *_numbered(SlotKind.HALF_YEARLY, half_yearly),
    ]


class _Listing:
    """An exchange's expiries as they were known on one day, nearest first and without end."""

    def __init__(self, exchange: str, day: date, calendar: Calendar) -> None:
        self.day = day
        self.calendar = calendar
        self.rules = [rule for rule in _weekday_rules()[exchange] if rule.known_from <= day]

    def weekly(self, counts_monthly_week: bool) -> Iterator[Expiry]:
        nominal = self.day
        while True:
            if nominal.weekday() == self._weekday(nominal) and (counts_monthly_week or not self._is_monthly(nominal)):
                yield from self._live(nominal)
            nominal += ONE_DAY

    def monthly(self, months: Sequence[int] = range(1, MONTHS + 1), start: date | None = None) -> Iterator[Expiry]:
        """The last expiry weekday of each of the months, from the start's month on."""
        start = start or self.day
        year, month = start.year, start.month
        while True:
            if month in months:
                yield from self._live(self._last_weekday(year, month))
            year, month = _next_month(year, month)

    def _live(self, nominal: date) -> Iterator[Expiry]:
        exchange = Exchange.NSE_BSE
        actual = nominal
        if not self.calendar.is_trading_day(exchange, nominal, known_on=self.day):
            actual = self.calendar.previous_trading_day(exchange, nominal, known_on=self.day)
        if actual >= self.day:
            yield Expiry(nominal, actual, not self.calendar.covers(exchange, nominal, known_on=self.day))

    def _is_monthly(self, nominal: date) -> bool:
        return nominal == self._last_weekday(nominal.year, nominal.month)

    def _last_weekday(self, year: int, month: int) -> date:
        last = date(*_next_month(year, month), 1) - ONE_DAY
        return last - timedelta(days=(last.weekday() - self._weekday(last)) % ONE_WEEK.days)

    def _weekday(self, nominal: date) -> int:
        return next(rule.weekday for rule in reversed(self.rules) if rule.start <= nominal)


def _after(expiries: Sequence[Expiry], day: date) -> date:
    """The first day of the month after the last expiry's month; the day itself when there is none."""
    if not expiries:
        return day
    nominal = expiries[-1].nominal
    return date(*_next_month(nominal.year, nominal.month), 1)


def _next_month(year: int, month: int) -> tuple[int, int]:
    return (year + 1, 1) if month == MONTHS else (year, month + 1)


def _numbered(kind: SlotKind, expiries: Iterable[Expiry]) -> list[Slot]:
    return [Slot(kind, rank, expiry.actual, expiry.provisional) for rank, expiry in enumerate(expiries, start=1)]


def _unknown(kind: SlotKind, known: int, wanted: int) -> list[Slot]:
    return [Slot(kind, rank, None, reason=NOT_KNOWN) for rank in range(known + 1, wanted + 1)]


@cache
def _weekday_rules() -> dict[str, list[WeekdayRule]]:
    data = read_data("contracts.json")["expiry_weekdays"]
    return {
        exchange: [
            WeekdayRule(
                start=date.fromisoformat(row["from"]),
                known_from=date.fromisoformat(row["known_from"]) if "known_from" in row else ALWAYS_KNOWN,
                weekday=WEEKDAYS.index(row["weekday"]),
            )
            for row in rows
        ]
        for exchange, rows in data.items()
    }


@cache
def _mcx() -> Any:
    return read_data("mcx_futures.json")
