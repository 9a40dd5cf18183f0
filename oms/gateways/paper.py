"""The paper venue: the matching engine on the feed's prices. It opens no connection to anybody."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from feeds.core.calendar import Phase
from feeds.core.instrument import ExchangeSegment
from oms.core.engine_events import Change, EngineEvent, EngineOrder
from oms.core.matching import Engine, Rules


class PaperGateway:
    """A `Gateway` that the market has to be told to: prices and phases come from the feed."""

    def __init__(self, rules: Rules) -> None:
        self._engine = Engine(rules)

    # --- the contract

    def place(self, order: EngineOrder, at: datetime) -> None:
        self._engine.submit(order, at)

    def modify(self, order_id: int, change: Change, at: datetime) -> bool:
        return self._engine.modify(order_id, change, at)

    def cancel(self, order_id: int, reason_code: str, at: datetime) -> bool:
        return self._engine.cancel(order_id, reason_code, at)

    def events(self) -> list[EngineEvent]:
        return self._engine.take()

    def restore(self, orders: Iterable[EngineOrder], at: datetime) -> None:
        self._engine.restore(orders, at)

    def book(self) -> list[EngineOrder]:
        return self._engine.orders()

    def outcome(self, order_id: int) -> EngineOrder | None:
        return self._engine.order(order_id)

    # --- the market

    def on_ticks(self, rows: NDArray[np.void], at: datetime, source: int) -> None:
        """One batch of the tick bus; `at` is the exchange time it was flushed at, `source` the feed's account."""
        self._engine.on_ticks(rows, at, source)

    def on_snapshot(self, rows: NDArray[np.void], at: datetime, source: int) -> None:
        """Rows as they stand, after a gap: what happened in between is not known."""
        self._engine.on_snapshot(rows, at, source)

    def on_phase(self, segment: ExchangeSegment, phase: Phase, at: datetime, has_derivatives: bool) -> None:
        self._engine.on_phase(segment, phase, at, has_derivatives)

    def expire(self, segment: ExchangeSegment, at: datetime, has_derivatives: bool) -> None:
        """The close of a segment that was missed."""
        self._engine.expire(segment, at, has_derivatives)
