"""What the execution process needs of a venue: one contract for paper and, later, for a broker's order interface."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from oms.core.engine_events import Change, EngineEvent, EngineOrder


class Gateway(Protocol):
    """A venue that takes orders. Its answers are events, gathered until they are asked for; none of these calls waits.

    An order's id is its correlation id at the venue, so that what became of a call whose answer was lost can be asked.
    """

    def place(self, order: EngineOrder, at: datetime) -> None:
        """Accepted or Rejected follows; nothing, as long as the venue has not said."""

    def modify(self, order_id: int, change: Change, at: datetime) -> bool:
        """Modified or ModifyRefused follows. False: the venue does not hold the order."""

    def cancel(self, order_id: int, reason_code: str, at: datetime) -> bool:
        """Cancelled follows, unless it filled first. False: the venue does not hold the order."""

    def events(self) -> list[EngineEvent]:
        """What happened since the last call, in order."""

    def restore(self, orders: Iterable[EngineOrder], at: datetime) -> None:
        """What the database says stands at the venue. A paper venue takes it up; a broker's compares it with its own
        book, and tells the differences as events."""

    def book(self) -> list[EngineOrder]:
        """All orders that stand at the venue, by id."""

    def outcome(self, order_id: int) -> EngineOrder | None:
        """An order by its correlation id, when no answer to its placing ever came. None: the venue does not hold it."""
