"""The execution process: the venue of paper orders, at most one process of many."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis as AsyncRedis

from feeds.leases import LeaseKeeper
from feeds.reign import ReigningProcess
from oms.process.database import StepDatabase
from oms.process.fencing import LEASE
from oms.process.session import ENDS_OF_REIGN, ExecutionSession
from oms.process.status import write_status
from oms.process.timers import ExecutionTimers


class ExecutionProcess(ReigningProcess):
    """One session for each reign; they share the connection that writes."""

    def __init__(self, timers: ExecutionTimers | None = None) -> None:
        self.timers = timers or ExecutionTimers.from_settings()
        super().__init__(LEASE, ENDS_OF_REIGN, self.timers.lease_renew)
        self._database = StepDatabase()

    def begin(self, lease: LeaseKeeper, redis: AsyncRedis) -> ExecutionSession:
        return ExecutionSession(lease, redis, self._database, self._offload, self.timers)

    async def tell(self, redis: AsyncRedis, status: dict[str, Any]) -> None:
        await write_status(redis, status)

    def close(self) -> None:
        self._database.close()
        super().close()
