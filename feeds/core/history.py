"""Which stretches of Dhan's history a chart needs: pages of fixed weeks, so that what two charts need is asked once."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

from feeds.core.instrument import InstrumentKey

DAYS_A_WEEK = 7
TRADING_DAYS_A_WEEK = 5
HOLIDAYS = 6
"""Calendar days added to every stretch: a long weekend must not leave a chart short."""
EARLIEST = date(2000, 1, 1)
"""Nothing is asked for from before."""


class Interval(StrEnum):
    """How long a bar is: minutes, or a day."""

    ONE = "1"
    THREE = "3"
    FIVE = "5"
    FIFTEEN = "15"
    THIRTY = "30"
    SIXTY = "60"
    DAY = "D"

    @property
    def minutes(self) -> int | None:
        """None: a day."""
        return None if self is Interval.DAY else int(self.value)


BASES = {
    Interval.ONE: Interval.ONE,
    Interval.THREE: Interval.ONE,
    Interval.FIVE: Interval.FIVE,
    Interval.FIFTEEN: Interval.FIFTEEN,
    Interval.THIRTY: Interval.FIFTEEN,
    Interval.SIXTY: Interval.FIFTEEN,
    Interval.DAY: Interval.DAY,
}
"""What is asked of Dhan, who has no bars of 3 and 30 minutes; those of an hour we align to the open ourselves."""
PAGE_WEEKS = {Interval.ONE: 1, Interval.FIVE: 4, Interval.FIFTEEN: 12, Interval.DAY: 156}
"""Some 800 to 1,900 bars a page on NSE. By the minute Dhan gives at most 90 days in one answer."""


class Page(NamedTuple):
    """Bars of one instrument from a day to before another. One that ends before today never changes."""

    key: InstrumentKey
    base: Interval
    first: date
    end: date

    def __str__(self) -> str:
        return f"{self.key}.{self.base}.{self.first}.{self.end}"


def pages(key: InstrumentKey, base: Interval, first: date, end: date, today: date) -> list[Page]:
    """The pages that hold the days from `first` to before `end`, the newest first and cut off at today."""
    found, length = [], timedelta(weeks=PAGE_WEEKS[base])
    start = _page_start(max(first, EARLIEST), length)
    while first < today and start < min(end, today):
        found.append(Page(key, base, start, min(start + length, today)))
        start += length
    return found[::-1]


def page_of_today(key: InstrumentKey, today: date) -> Page:
    return Page(key, Interval.ONE, today, today + timedelta(days=1))


def first_day(end: date, bars: int, bars_a_day: float) -> date:
    """From which day on there are surely so many bars, holidays and all."""
    trading_days = bars / bars_a_day + 1
    return end - timedelta(days=int(trading_days * DAYS_A_WEEK / TRADING_DAYS_A_WEEK) + HOLIDAYS)


def _page_start(day: date, length: timedelta) -> date:
    """Pages begin on Mondays, the same ones for ever (day 1 was a Monday)."""
    return date.fromordinal((day.toordinal() - 1) // length.days * length.days + 1)
