"""Where exchange time starts when `up` is run: never before where this database has already been."""

from __future__ import annotations

from datetime import datetime, time

from feeds.clock import IST
from feeds.core.calendar import Calendar
from feeds.core.instrument import ExchangeSegment

FIRST_START = datetime(2026, 2, 3, 10, 0, tzinfo=IST)
"""The reference date: a Tuesday on which a NIFTY weekly expires."""
DAY_OPENS = time(9, 15)


class TimeGoesBack(ValueError):
    """The asked start lies before the time that this database has reached."""


def read_at(text: str) -> datetime:
    """ "2026-02-03 15:29" (or with seconds) as IST.

    Raises:
        ValueError: it is not a date and a time.
    """
    for form in ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=IST)
        except ValueError:
            continue
    raise ValueError(f'--at takes "YYYY-MM-DD HH:MM" in IST, not {text!r}')


def choose_start(asked: datetime | None, reached: datetime | None, calendar: Calendar) -> datetime:
    """The exchange time to start at.

    Without `asked`: the reference date the first time, else where it stopped, or 09:15 of the next trading
    day when that day's derivatives session was over.

    Raises:
        TimeGoesBack: `asked` is earlier than `reached`.
    """
    if asked is not None:
        if reached is not None and asked < reached:
            raise TimeGoesBack(
                f"exchange time has reached {reached.astimezone(IST):%Y-%m-%d %H:%M:%S} in this database and never"
                " goes back; choose a later --at, or --fresh to start with an empty one"
            )
        return asked
    if reached is None:
        return FIRST_START
    reached = reached.astimezone(IST)
    sessions = calendar.sessions(ExchangeSegment.NSE_FNO, reached.date())
    if sessions is not None and reached < sessions.close:
        return reached
    following = calendar.next_trading_day("NSE_BSE", reached.date())
    return datetime.combine(following, DAY_OPENS, tzinfo=IST)
