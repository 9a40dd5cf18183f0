"""One-minute candles: the ticks of every instrument folded into bars, kept in Redis while they run, then written."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from datetime import date
from functools import partial

import numpy as np
from django.conf import settings
from django.db import Error as DatabaseError
from numpy.typing import NDArray

from feeds import candles, clock
from feeds.analytics.duty import Desk, Ticks
from feeds.bus import REDIS_ERRORS, Snapshot
from feeds.core.calendar import GROUPS, Calendar
from feeds.core.candles import Aggregator, Hours, no_bars, plain
from feeds.core.instrument import ExchangeSegment
from feeds.offload import Overloaded
from feeds.selectors import market_calendar

log = logging.getLogger(__name__)

SECONDS = 1.0
"""How often the running bars are kept and those that are over are written: a chart asks no more often."""
UNWRITTEN_LIMIT = 500_000
"""Bars that wait for PostgreSQL, 24 MB: twenty minutes of 25,000 instruments. Beyond, the oldest are given up."""
DATABASE_AWAY = (DatabaseError, Overloaded)


class Candles:
    """Hears every tick; a second later its bar is in Redis, and a few seconds after its minute in the database."""

    name = "candles"

    def __init__(self, desk: Desk) -> None:
        self.counters: Counter[str] = Counter()
        self._desk = desk
        self._bars = Aggregator(settings.CANDLE_GRACE_SECONDS)
        self._early: list[Ticks] | None = []  # what came before the last run's bars were read
        self._unwritten = no_bars()
        self._day: date | None = None

    def take(self, event: Ticks) -> None:
        if self._early is not None:
            self._early.append(event)
        elif isinstance(event, Snapshot):
            self._bars.resume(event.rows, _now())
            self.counters["gaps"] += event.gap
        else:
            self._bars.take(event.rows, _now())

    async def run(self) -> None:
        await self._begin()
        while True:
            await asyncio.sleep(SECONDS)
            await self._keep_hours()
            await self._keep_running()
            await self._write()

    # --- beginning where another ended -----------------------------------------------------------

    async def _begin(self) -> None:
        """The day's hours and the bars that were left behind, then the ticks that came meanwhile.

        Which of those bars missed something is known by the first snapshot, so it must have come.
        """
        while self._day is None or not self._early:
            await self._keep_hours()
            await asyncio.sleep(SECONDS / 10)
        self._take_up(await self._left_behind())
        early, self._early = self._early, None
        for event in early:
            self.take(event)

    async def _left_behind(self) -> NDArray[np.void]:
        while True:
            try:
                return await candles.all_recent(self._desk.redis)
            except REDIS_ERRORS as error:
                log.warning("candles: Redis is away (%s)", type(error).__name__)
                await asyncio.sleep(SECONDS)

    def _take_up(self, left: NDArray[np.void]) -> None:
        """The newest bar of each instrument goes on; the others are over and may not be written yet."""
        newest_first = left[::-1]
        _, newest = np.unique(newest_first["code"], return_index=True)
        self._bars.restore(newest_first[newest])
        self._unwritten = plain(np.delete(newest_first, newest))
        self.counters["restored"] = len(newest)

    # --- every second ----------------------------------------------------------------------------

    async def _keep_hours(self) -> None:
        today = clock.exchange_today()
        if today == self._day:
            return
        try:
            calendar = await self._desk.database.run(market_calendar)
        except DATABASE_AWAY as error:
            log.warning("candles: the day's hours are not known yet (%s)", type(error).__name__)
            return
        self._bars.set_hours(hours_of(today, calendar))
        self._day = today

    async def _keep_running(self) -> None:
        changed = self._bars.changed()
        try:
            await candles.keep_recent(self._desk.redis, changed)
        except REDIS_ERRORS as error:
            log.warning("candles: running bars were not kept (%s)", type(error).__name__)

    async def _write(self) -> None:
        """What is over, in one statement; what cannot be written waits."""
        closed = self._bars.close(_now())
        self._unwritten = np.concatenate([self._unwritten, closed])[-UNWRITTEN_LIMIT:]
        if not len(self._unwritten):
            return
        try:
            self.counters["written"] += await self._desk.database.run(partial(candles.write, self._unwritten))
        except DATABASE_AWAY as error:
            log.warning("candles: %d bars wait for the database (%s)", len(self._unwritten), type(error).__name__)
        else:
            self._unwritten = no_bars()


def hours_of(day: date, calendar: Calendar) -> dict[ExchangeSegment, Hours]:
    """The session of each segment that trades on the day, from the open to the last close."""
    sessions = {segment: calendar.sessions(segment, day) for segment in GROUPS}
    return {
        segment: Hours(int(session.open.timestamp()), int(session.close.timestamp()))
        for segment, session in sessions.items()
        if session is not None
    }


def _now() -> float:
    return clock.exchange_now().timestamp()
