"""When each segment trades continuously, remembered for the day: the watchdogs ask several times a second."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache

from feeds.core.calendar import Calendar, Phase, PhaseSpan
from feeds.core.instrument import ExchangeSegment

HOURS_OF = {ExchangeSegment.IDX_I: ExchangeSegment.NSE_EQ}
"""An index is wanted for as long as its options trade, and moves while its shares do."""


class MarketHours:
    """Open and closed by segment, from a calendar. Open is continuous trading: in an auction packets may stay away
    for minutes, and a book may be crossed."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._spans = lru_cache(maxsize=64)(self._continuous_spans)

    def is_open(self, segment: ExchangeSegment, moment: datetime) -> bool:
        """Whether packets are to be expected (aware datetime)."""
        return any(span.start <= moment < span.end for span in self._spans(segment, moment.date()))

    def open_segments(self, moment: datetime) -> frozenset[ExchangeSegment]:
        return frozenset(segment for segment in ExchangeSegment if self.is_open(segment, moment))

    def _continuous_spans(self, segment: ExchangeSegment, day: date) -> tuple[PhaseSpan, ...]:
        sessions = self._calendar.sessions(HOURS_OF.get(segment, segment), day)
        return tuple(span for span in sessions.phases if span.phase is Phase.CONTINUOUS) if sessions else ()
