"""The execution process: waits for the lease, reigns while it has it, and steps down cleanly."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress

from redis.asyncio import Redis as AsyncRedis

from feeds import bus
from feeds.bus import REDIS_ERRORS
from feeds.duties import run_together
from feeds.leases import LeaseKeeper
from feeds.offload import Offload
from oms.process.database import StepDatabase
from oms.process.fencing import LEASE
from oms.process.session import DATABASE_AWAY, ENDS_OF_REIGN, ExecutionSession
from oms.process.status import write_status
from oms.process.timers import ExecutionTimers

log = logging.getLogger(__name__)


class ExecutionProcess:
    """Runs until `stop`: at most one process of many works, whichever holds the lease."""

    def __init__(self, timers: ExecutionTimers | None = None) -> None:
        self.timers = timers or ExecutionTimers.from_settings()
        self.session: ExecutionSession | None = None
        self._stopping = asyncio.Event()
        self._offload = Offload()
        self._database = StepDatabase()

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """Until `stop`."""
        redis, lease = bus.async_redis(), LeaseKeeper(LEASE)
        try:
            await self._reign_for_ever(redis, lease)
        finally:
            self._database.close()
            self._offload.close()
            await redis.aclose()

    async def _reign_for_ever(self, redis: AsyncRedis, lease: LeaseKeeper) -> None:
        waited = False
        while not self._stopping.is_set():
            if await self._acquire(lease):
                self.session = ExecutionSession(lease, redis, self._database, self._offload, self.timers)
                await self._reign(self.session)
                await self._step_down(redis, lease, self.session)
                waited = False
            elif not waited:
                waited = True
                log.info("execution: waits, as another process has the lease")
            await self._pause()

    async def _acquire(self, lease: LeaseKeeper) -> bool:
        try:
            return await self._offload.run(lease.acquire)
        except DATABASE_AWAY as error:
            log.warning("execution: the database is away (%s)", type(error).__name__)
            return False

    async def _reign(self, session: ExecutionSession) -> None:
        """Run the session; comes back when it has ended for any reason that is nobody's mistake."""
        try:
            await run_together({"session": session.run(), "stop": self._until_stopped()})
        except ENDS_OF_REIGN as end:
            log.error("execution: epoch %d has ended: %s", session.epoch, type(end).__name__)

    async def _until_stopped(self) -> None:
        await self._stopping.wait()
        log.info("execution: stopping")

    async def _step_down(self, redis: AsyncRedis, lease: LeaseKeeper, session: ExecutionSession) -> None:
        """Say that it is over and give the lease back, unless it was lost."""
        if not self._stopping.is_set():
            return
        with suppress(*REDIS_ERRORS):
            await write_status(redis, session.status() | {"state": "STOPPED"})
        with suppress(*DATABASE_AWAY):
            await self._offload.run(lease.release)

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.timers.lease_renew):
                await self._stopping.wait()


async def run_until_signalled() -> None:
    """The whole life of the process: SIGTERM and SIGINT end it cleanly."""
    process = ExecutionProcess()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.stop)
    await process.run()
