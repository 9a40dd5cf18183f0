"""The analytics process: waits for the lease, lets its duties hear the ticks while it has it, steps down cleanly."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from redis.asyncio import Redis as AsyncRedis

from feeds import bus, clock
from feeds.analytics.candles import Candles
from feeds.analytics.chains import Chains
from feeds.analytics.duty import Desk, Duty, Ticks, registered_duties
from feeds.analytics.status import write_status
from feeds.bus import REDIS_ERRORS, TickSubscriber
from feeds.duties import run_together
from feeds.leases import LeaseKeeper, LeaseLost
from feeds.offload import Offload, Overloaded

log = logging.getLogger(__name__)

LEASE = "analytics"
DATABASE_AWAY = (DatabaseError, Overloaded)
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


class AnalyticsProcess:
    """Runs until `stop`: at most one process of many works, whichever holds the lease."""

    def __init__(self) -> None:
        self.session: AnalyticsSession | None = None
        self._stopping = asyncio.Event()
        self._offload = Offload()

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """Until `stop`."""
        redis, lease = bus.async_redis(), LeaseKeeper(LEASE)
        try:
            await self._reign_for_ever(redis, lease)
        finally:
            self._offload.close()
            await redis.aclose()

    async def _reign_for_ever(self, redis: AsyncRedis, lease: LeaseKeeper) -> None:
        waited = False
        while not self._stopping.is_set():
            if await self._acquire(lease):
                self.session = AnalyticsSession(lease, redis, self._offload)
                await self._reign(self.session)
                await self._step_down(redis, lease, self.session)
                waited = False
            elif not waited:
                waited = True
                log.info("analytics: waits, as another process has the lease")
            await self._pause()

    async def _acquire(self, lease: LeaseKeeper) -> bool:
        try:
            return await self._offload.run(lease.acquire)
        except DATABASE_AWAY as error:
            log.warning("analytics: the database is away (%s)", type(error).__name__)
            return False

    async def _reign(self, session: AnalyticsSession) -> None:
        """Run the session; comes back when it was stopped or another process has the lease."""
        try:
            await run_together({"session": session.run(), "stop": self._until_stopped()})
        except LeaseLost:
            log.error("analytics: epoch %d has ended: another process has the lease", session.epoch)

    async def _until_stopped(self) -> None:
        await self._stopping.wait()
        log.info("analytics: stopping")

    async def _step_down(self, redis: AsyncRedis, lease: LeaseKeeper, session: AnalyticsSession) -> None:
        """Say that it is over and give the lease back, unless it was lost."""
        if not self._stopping.is_set():
            return
        with suppress(*REDIS_ERRORS):
            await write_status(redis, session.status() | {"state": "STOPPED"})
        with suppress(*DATABASE_AWAY):
            await self._offload.run(lease.release)

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(settings.LEASE_RENEW_SECONDS):
                await self._stopping.wait()


async def run_until_signalled() -> None:
    """The whole life of the process: SIGTERM and SIGINT end it cleanly."""
    process = AnalyticsProcess()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.stop)
    await process.run()
