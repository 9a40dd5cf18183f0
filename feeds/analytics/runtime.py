"""The analytics process: waits for the lease, lets its duties hear the ticks while it has it, steps down cleanly."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from typing import Any

from django.conf import settings
from redis.asyncio import Redis as AsyncRedis

from feeds import clock
from feeds.analytics.candles import Candles
from feeds.analytics.chains import Chains
from feeds.analytics.duty import Desk, Duty, Ticks, registered_duties
from feeds.analytics.status import write_status
from feeds.bus import REDIS_ERRORS, TickSubscriber
from feeds.duties import run_together
from feeds.leases import LeaseKeeper, LeaseLost
from feeds.offload import Offload
from feeds.reign import DATABASE_AWAY, ReigningProcess

log = logging.getLogger(__name__)

LEASE = "analytics"
NANOSECONDS_PER_MILLISECOND = 1_000_000


def duties(desk: Desk) -> list[Duty]:
    """Everything that hears the ticks, in the order in which it hears them."""
    return [Chains(desk), Candles(desk), *registered_duties(desk)]


class AnalyticsSession:
    """One reign: the duties of one epoch. `run` returns only by an exception."""

    def __init__(self, lease: LeaseKeeper, redis: AsyncRedis, offload: Offload) -> None:
        self.epoch = lease.epoch
        self.duties = duties(Desk(lease.epoch, redis, offload))
        self._lease, self._redis, self._offload = lease, redis, offload
        self._lag_ms: float | None = None

    async def run(self) -> None:
        """Until the lease is lost.

        Raises:
            LeaseLost
        """
        own = {"lease": self._keep_lease(), "ticks": self._listen(), "status": self._tell()}
        await run_together(own | {duty.name: duty.run() for duty in self.duties})

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(settings.LEASE_RENEW_SECONDS)
            try:
                await self._offload.run(self._lease.renew)
            except DATABASE_AWAY as error:
                log.warning("analytics: the lease could not be renewed (%s)", type(error).__name__)

    async def _listen(self) -> None:
        async for event in TickSubscriber(self._redis):
            if isinstance(event, Ticks):
                for duty in self.duties:
                    duty.take(event)
                self._lag_ms = round((clock.wall_nanoseconds() - event.flushed_at) / NANOSECONDS_PER_MILLISECOND, 2)

    async def _tell(self) -> None:
        while True:
            with suppress(*REDIS_ERRORS):
                await write_status(self._redis, self.status())
            await asyncio.sleep(settings.FEED_STATUS_SECONDS)

    def status(self) -> dict[str, Any]:
        return {
            "state": "LIVE",
            "epoch": self.epoch,
            "pid": os.getpid(),
            "at": clock.wall_nanoseconds() // NANOSECONDS_PER_MILLISECOND,
            "lag_ms": self._lag_ms,
            "duties": {duty.name: dict(duty.counters) for duty in self.duties},
        }


class AnalyticsProcess(ReigningProcess):
    """One session for each reign; the newest one is kept for whoever wants to see its duties."""

    def __init__(self) -> None:
        super().__init__(LEASE, (LeaseLost,), settings.LEASE_RENEW_SECONDS)
        self.session: AnalyticsSession | None = None

    def begin(self, lease: LeaseKeeper, redis: AsyncRedis) -> AnalyticsSession:
        self.session = AnalyticsSession(lease, redis, self._offload)
        return self.session

    async def tell(self, redis: AsyncRedis, status: dict[str, Any]) -> None:
        await write_status(redis, status)
