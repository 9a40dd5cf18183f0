"""Until when an addition is subscribed today."""

from __future__ import annotations

from datetime import datetime, time

import pytest

from feeds.core.calendar import IST, shipped_calendar
from feeds.core.instrument import ExchangeSegment
from watchlists.core.hours import is_wanted

CALENDAR = shipped_calendar()


@pytest.mark.parametrize(
    ("segment", "moment", "wanted"),
    [
        (ExchangeSegment.NSE_FNO, "2026-02-03 08:00", True),
        (ExchangeSegment.NSE_FNO, "2026-02-03 15:29", True),
        (ExchangeSegment.NSE_FNO, "2026-02-03 15:30", False),
        (ExchangeSegment.NSE_FNO, "2026-08-11 15:35", True),  # F&O trades to 15:40 since August 2026
        (ExchangeSegment.NSE_FNO, "2026-02-07 11:00", False),  # Saturday
        (ExchangeSegment.NSE_EQ, "2026-01-26 11:00", False),  # Republic Day
        (ExchangeSegment.MCX_COMM, "2026-02-03 22:00", True),
        (ExchangeSegment.MCX_COMM, "2026-02-03 23:56", False),
    ],
)
def test_wanted_until_the_segment_closes_on_days_it_trades(segment: ExchangeSegment, moment: str, wanted: bool) -> None:
    now = datetime.strptime(moment, "%Y-%m-%d %H:%M").replace(tzinfo=IST)
    assert is_wanted(segment, now, CALENDAR) is wanted


def test_a_pinned_release_counts_for_all_segments() -> None:
    now = datetime(2026, 2, 3, 16, 0, tzinfo=IST)
    assert not is_wanted(ExchangeSegment.MCX_COMM, now, CALENDAR, time(15, 30))
    assert is_wanted(ExchangeSegment.MCX_COMM, now, CALENDAR)
