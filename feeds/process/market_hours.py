"""When each segment trades today, remembered for the day: what the feed's watchdogs ask several times a second."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache

from feeds.core.calendar import Calendar, Sessions
from feeds.core.instrument import ExchangeSegment
from feeds.selectors import market_calendar as load_calendar

__all__ = ["MarketHours", "load_calendar"]


class MarketHours:
    """Open and closed by segment, from a calendar."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._sessions = lru_cache(maxsize=64)(self._sessions_of)

    def is_open(self, segment: ExchangeSegment, moment: datetime) -> bool:
        """Whether packets are to be expected: from the open of continuous trading to the close (aware datetimes)."""
        sessions = self._sessions(segment, moment.date())
        return sessions is not None and sessions.open <= moment < sessions.close

    def open_segments(self, moment: datetime) -> frozenset[ExchangeSegment]:
        return frozenset(segment for segment in ExchangeSegment if self.is_open(segment, moment))

    def _sessions_of(self, segment: ExchangeSegment, day: date) -> Sessions | None:
        return self._calendar.sessions(segment, day)
