"""What a part of the analytics process is, and what it is given to work with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from redis.asyncio import Redis as AsyncRedis

from feeds.bus import Batch, Snapshot
from feeds.offload import Offload

Ticks = Batch | Snapshot


@dataclass(frozen=True, slots=True)
class Desk:
    """Shared by the duties of one reign. The database is asked through `database` alone, never in `take`."""

    epoch: int
    redis: AsyncRedis
    database: Offload


class Duty(Protocol):
    """One part: it hears every batch, and has a coroutine of its own for what takes longer.

    A Snapshot with `gap` says that batches before it may have been missed: mark the gap, invent nothing.
    """

    name: str
    counters: Counter[str]
    """Told in the process's status under the duty's name."""

    def take(self, event: Ticks) -> None:
        """One batch or snapshot of the tick bus, on the event loop: quick, without waiting, and its rows are copied."""
        ...

    async def run(self) -> None:
        """Until cancelled. What it raises ends the process's reign; a store that is away must not."""
        ...


DutyMaker = Callable[[Desk], Duty]
_makers: list[DutyMaker] = []


def register_duty(maker: DutyMaker) -> None:
    """Another package's duty, made anew for each reign; from an AppConfig.ready(), so that we need not know of it."""
    if maker not in _makers:
        _makers.append(maker)


def registered_duties(desk: Desk) -> list[Duty]:
    return [maker(desk) for maker in _makers]
