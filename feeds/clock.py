"""The three clocks. Everything that needs the time takes it from here, or as an argument.

`exchange_now` is market time and the only one that can be shifted; `wall_now` serves logins, tokens and
audit; `monotonic` serves ages, back-off and leases, and never jumps.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

IST = ZoneInfo("Asia/Kolkata")


def exchange_now() -> datetime:
    """Market time in IST."""
    return datetime.now(IST) + timedelta(seconds=settings.EXCHANGE_CLOCK_OFFSET_SECONDS)


def exchange_today() -> date:
    return exchange_now().date()


def wall_now() -> datetime:
    """Real time in UTC."""
    return datetime.now(UTC)


def wall_nanoseconds() -> int:
    """Real time as nanoseconds since 1970: the stamp on packets, comparable between processes of one host."""
    return time.time_ns()


def monotonic() -> float:
    """Seconds that only go forward."""
    return time.monotonic()
