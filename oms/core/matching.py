"""The matching engine of paper orders: pure and deterministic. The same calls give the same events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feeds.core.calendar import Phase
from feeds.core.instrument import ExchangeSegment
from oms.core.engine_events import (
    Accepted,
    Activated,
    Cancelled,
    Change,
    EngineEvent,
    EngineOrder,
    Expired,
    Filled,
    Modified,
    ModifyRefused,
    Protected,
    Rejected,
    Trailed,
    Triggered,
)

__all__ = [
    "Accepted",
    "Activated",
    "Cancelled",
    "Change",
    "Engine",
    "EngineEvent",
    "EngineOrder",
    "Expired",
    "Filled",
    "Modified",
    "ModifyRefused",
    "Protected",
    "Rejected",
    "Rules",
    "Trailed",
    "Triggered",
]

Rows = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the engine goes by. `wall_offset_seconds`: exchange time less wall time, for the age of a row."""

    stale_seconds: float = 5.0
    wall_offset_seconds: float = 0.0


class Engine:
    """Orders of paper accounts against the displayed market. Call it from one thread, in the order of time.

    `at` is always an aware exchange time; a batch's is the moment it was flushed. What comes of a call is taken
    with `take()`. A segment is CLOSED until `on_phase` says otherwise.
    """

    def __init__(self, rules: Rules = Rules()) -> None:  # noqa: B008 - frozen
        raise NotImplementedError

    def submit(self, order: EngineOrder, at: datetime) -> None:
        """Accept or reject a new order and match it against the last row. A bracket's exits may come before or
        after their entry, with `waits`; an OCO's exits come without it."""

    def restore(self, orders: Iterable[EngineOrder], at: datetime) -> None:
        """Take up orders that were accepted before a restart: no event, no check, no match."""

    def cancel(self, order_id: int, reason_code: str, at: datetime) -> bool:
        """False when the engine does not hold the order (it ended meanwhile, or never came)."""

    def modify(self, order_id: int, change: Change, at: datetime) -> bool:
        """Modified or ModifyRefused follows. False when the engine does not hold the order."""

    def on_ticks(self, rows: Rows, at: datetime, source: int = 0) -> None:
        """One batch of TICK rows. `source`: the feed's account id; each has batches of its own."""

    def on_snapshot(self, rows: Rows, at: datetime, source: int = 0) -> None:
        """Rows that were not cut from the batch before: their depth and last price count, their low and high not."""

    def on_phase(self, segment: ExchangeSegment, phase: Phase, at: datetime, has_derivatives: bool = True) -> None:
        """From now on the segment (of cash segments: the shares with or without derivatives) is in this phase."""

    def expire(self, segment: ExchangeSegment, at: datetime, has_derivatives: bool = True) -> None:
        """End the DAY orders of a segment, as its close does: for a process that starts after it."""

    def take(self) -> list[EngineEvent]:
        """What happened since the last call, in order."""

    def order(self, order_id: int) -> EngineOrder | None:
        """An order that the engine holds, as it stands."""

    def orders(self) -> list[EngineOrder]:
        """All that it holds, by id: restored in another engine, that one goes on from here."""
