"""A process of which one works at a time: it waits for the lease, reigns while it has it, and steps down cleanly."""

from __future__ import annotations

import asyncio
import logging
import signal
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Any, Protocol

from django.db import Error as DatabaseError
from redis.asyncio import Redis as AsyncRedis

from feeds import bus
from feeds.bus import REDIS_ERRORS
from feeds.duties import run_together
from feeds.leases import LeaseKeeper
from feeds.offload import Offload, Overloaded

log = logging.getLogger(__name__)

DATABASE_AWAY = (DatabaseError, Overloaded)


class Session(Protocol):
    """One reign, under one epoch. `run` returns only by an exception."""

    epoch: int

    async def run(self) -> None: ...

    def status(self) -> dict[str, Any]: ...


class ReigningProcess(ABC):
    """Runs until `stop`: at most one process of many works, whichever holds the lease `name`.

    `ends`: what ends a session without being anybody's mistake. `pause`: seconds between two tries for the lease.
    """

    def __init__(self, name: str, ends: tuple[type[Exception], ...], pause: float) -> None:
        self.name = name
        self._ends = ends
        self._seconds = pause
        self._stopping = asyncio.Event()
        self._offload = Offload()

    @abstractmethod
    def begin(self, lease: LeaseKeeper, redis: AsyncRedis) -> Session:
        """A session for the lease that was just taken."""

    @abstractmethod
    async def tell(self, redis: AsyncRedis, status: dict[str, Any]) -> None:
        """Write the status where others read it."""

    def stop(self) -> None:
        self._stopping.set()

    def close(self) -> None:
        """Let go of threads and connections."""
        self._offload.close()

    async def run(self) -> None:
        """Until `stop`."""
        redis, lease = bus.async_redis(), LeaseKeeper(self.name)
        try:
            await self._reign_for_ever(redis, lease)
        finally:
            self.close()
            await redis.aclose()

    async def _reign_for_ever(self, redis: AsyncRedis, lease: LeaseKeeper) -> None:
        waited = False
        while not self._stopping.is_set():
            if await self._acquire(lease):
                session = self.begin(lease, redis)
                await self._reign(session)
                await self._step_down(redis, lease, session)
                waited = False
            elif not waited:
                waited = True
                log.info("%s: waits, as another process has the lease", self.name)
            await self._pause()

    async def _acquire(self, lease: LeaseKeeper) -> bool:
        try:
            return await self._offload.run(lease.acquire)
        except DATABASE_AWAY as error:
            log.warning("%s: the database is away (%s)", self.name, type(error).__name__)
            return False

    async def _reign(self, session: Session) -> None:
        """Run the session; comes back when it has ended for any reason that is nobody's mistake."""
        try:
            await run_together({"session": session.run(), "stop": self._until_stopped()})
        except self._ends as end:
            log.error("%s: epoch %d has ended: %s", self.name, session.epoch, type(end).__name__)

    async def _until_stopped(self) -> None:
        await self._stopping.wait()
        log.info("%s: stopping", self.name)

    async def _step_down(self, redis: AsyncRedis, lease: LeaseKeeper, session: Session) -> None:
        """Say that it is over and give the lease back, unless it was lost."""
        if not self._stopping.is_set():
            return
        with suppress(*REDIS_ERRORS):
            await self.tell(redis, session.status() | {"state": "STOPPED"})
        with suppress(*DATABASE_AWAY):
            await self._offload.run(lease.release)

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                await self._stopping.wait()


async def run_until_signalled(process: ReigningProcess) -> None:
    """The whole life of a process: SIGTERM and SIGINT end it cleanly."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.stop)
    await process.run()
