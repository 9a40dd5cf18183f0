"""Which segments trade continuously, and so must be heard, at a moment."""

from __future__ import annotations

from datetime import datetime

import pytest

from feeds.clock import IST
from feeds.core.calendar import shipped_calendar
from feeds.core.instrument import ExchangeSegment
from feeds.process.market_hours import MarketHours

HOURS = MarketHours(shipped_calendar())
CASH = {ExchangeSegment.NSE_EQ, ExchangeSegment.BSE_EQ, ExchangeSegment.IDX_I}
DERIVATIVES = {ExchangeSegment.NSE_FNO, ExchangeSegment.BSE_FNO}
WATCHED = CASH | DERIVATIVES | {ExchangeSegment.MCX_COMM}
MCX = {ExchangeSegment.MCX_COMM}


@pytest.mark.parametrize(
    ("moment", "open_segments"),
    [
        ("2026-02-03 09:14:59", MCX),
        ("2026-02-03 09:15:00", WATCHED),
        ("2026-02-03 15:29:59", WATCHED),
        ("2026-02-03 15:30:00", MCX),
        ("2026-11-20 15:14:59", WATCHED),
        ("2026-11-20 15:20:00", DERIVATIVES | MCX),  # shares are in their closing auction, and no index moves
        ("2026-11-20 15:40:00", MCX),
        ("2026-07-20 23:29:59", MCX),
        ("2026-07-20 23:30:00", set()),
        ("2026-02-03 23:54:59", MCX),
        ("2026-02-01 10:00:00", WATCHED),  # the Sunday of the budget
        ("2026-02-07 10:00:00", set()),
    ],
)
def test_packets_are_expected_in_continuous_trading_only(moment, open_segments):
    at = datetime.fromisoformat(moment).replace(tzinfo=IST)
    assert HOURS.open_segments(at) & WATCHED == open_segments
