"""The feed process of one account: waits for its lease, reigns while it has it, and steps down cleanly."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from redis.asyncio import Redis as AsyncRedis

from feeds import bus
from feeds.bus import REDIS_ERRORS, Fenced
from feeds.duties import run_together
from feeds.leases import LeaseKeeper
from feeds.models import DhanAccount
from feeds.offload import Offload
from feeds.process.session import DATABASE_AWAY, ENDS_OF_REIGN, FeedSession
from feeds.process.status import FeedState, write_status
from feeds.process.timers import FeedTimers

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class FeedProcess:
    """Runs one account's feed until `stop`: at most one process of many, whichever holds the lease."""

    def __init__(self, account_name: str, timers: FeedTimers | None = None) -> None:
        self.account_name = account_name
        self.timers = timers or FeedTimers.from_settings()
        self.session: FeedSession | None = None
        self._stopping = asyncio.Event()
        self._database = Offload()

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """Until `stop`.

        Raises:
            DhanAccount.DoesNotExist: there is no account of this name.
        """
        redis = bus.async_redis()
        try:
            account_id = await self._patiently(partial(find_account, self.account_name))
            if account_id is not None:
                await self._reign_for_ever(account_id, LeaseKeeper(f"feed.{account_id}"), redis)
        finally:
            self._database.close()
            await redis.aclose()

    async def _reign_for_ever(self, account_id: int, lease: LeaseKeeper, redis: AsyncRedis) -> None:
        waits = False
        while not self._stopping.is_set():
            waited, waits = waits, not await self._patiently(partial(acquire_if_enabled, lease, account_id))
            if not waits:
                self.session = FeedSession(account_id, self.account_name, lease, redis, self._database, self.timers)
                await self._reign(self.session)
                await self._step_down(lease, redis, self.session)
            elif not waited:
                log.info("account %s: waits, as another process feeds it or it is switched off", self.account_name)
            await self._pause()

    async def _reign(self, session: FeedSession) -> None:
        """Run the session; comes back when it has ended for any reason that is nobody's mistake."""
        try:
            await run_together({"session": session.run(), "stop": self._until_stopped()})
        except ENDS_OF_REIGN as end:
            log.error("account %s: epoch %d has ended: %s", session.name, session.epoch, type(end).__name__)

    async def _until_stopped(self) -> None:
        await self._stopping.wait()
        log.info("account %s: stopping", self.account_name)

    async def _step_down(self, lease: LeaseKeeper, redis: AsyncRedis, session: FeedSession) -> None:
        """Say that it is over, unless somebody else has begun; give the lease back, if it is still ours."""
        if not self._stopping.is_set():
            return
        with suppress(Fenced, *REDIS_ERRORS):
            stopped = session.status() | {"state": FeedState.STOPPED}
            await write_status(redis, session.account_id, session.epoch, stopped)
        with suppress(*DATABASE_AWAY):
            await self._database.run(lease.release)

    async def _patiently(self, question: Callable[[], Result]) -> Result | None:
        """Ask the database until it answers, or None when the process is to stop first."""
        while not self._stopping.is_set():
            try:
                return await self._database.run(question)
            except DATABASE_AWAY as error:
                log.warning("account %s: the database is away (%s)", self.account_name, type(error).__name__)
                await self._pause()
        return None

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.timers.lease_renew):
                await self._stopping.wait()


def find_account(name: str) -> int:
    """Raises DhanAccount.DoesNotExist."""
    return DhanAccount.objects.values_list("pk", flat=True).get(name=name)


def acquire_if_enabled(lease: LeaseKeeper, account_id: int) -> bool:
    """A disabled account is nobody's to feed."""
    return DhanAccount.objects.filter(pk=account_id, enabled=True).exists() and lease.acquire()


async def run_until_signalled(account_name: str) -> None:
    """The whole life of the process: SIGTERM and SIGINT end it cleanly."""
    process = FeedProcess(account_name)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.stop)
    await process.run()
