"""Until when a watchlist's subscriptions are wanted today. Pure."""

from __future__ import annotations

from datetime import datetime, time

from feeds.core.calendar import IST, Calendar
from feeds.core.instrument import ExchangeSegment


def is_wanted(segment: ExchangeSegment, now: datetime, calendar: Calendar, pinned: time | None = None) -> bool:
    """Whether the segment trades today and its end of day, which releases Tier A, is still ahead.

    Before the open counts: who adds an instrument at eight wants its first tick. `pinned` is the release time for
    all segments, if one is set; else each segment's own close.
    """
    day = now.astimezone(IST).date()
    close = calendar.close_at(segment, day)
    if close is None:
        return False
    return now < (datetime.combine(day, pinned, IST) if pinned else close)
