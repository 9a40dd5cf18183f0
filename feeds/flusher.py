"""What is on its way to the tick bus: batches that could not be sent are merged, not queued, and lose no extreme."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from feeds.core.tick import TICK, TickFlag

Rows = NDArray[np.void]


class Unsent:
    """Rows that were cut from the board and not published yet: one a code, the newest, however long Redis is away.

    `low` and `high` span everything since the last batch that arrived, and GAP stays until it was carried.
    """

    def __init__(self) -> None:
        self.rows: Rows = np.empty(0, TICK)
        self.oldest_received_at = 0

    def add(self, rows: Rows, since: int) -> None:
        """Take a fresh cut; packets in it were received after `since` (wall ns)."""
        fresh = rows["received_at"][rows["received_at"] > since]
        if len(fresh) and not self.oldest_received_at:
            self.oldest_received_at = int(fresh.min())
        self.rows = merged(self.rows, rows) if len(self.rows) else rows

    def clear(self) -> None:
        self.rows = np.empty(0, TICK)
        self.oldest_received_at = 0


def merged(older: Rows, newer: Rows) -> Rows:
    """One row a code: the newer where both have it, with the extremes and the gap of both."""
    order = np.argsort(older["code"])
    codes = older["code"][order]
    at = np.minimum(np.searchsorted(codes, newer["code"]), len(codes) - 1)
    both = codes[at] == newer["code"]
    before = older[order[at[both]]]
    combined = newer.copy()
    combined["low"][both] = _lower(before["low"], newer["low"][both])
    combined["high"][both] = np.maximum(before["high"], newer["high"][both])
    combined["flags"][both] |= before["flags"] & np.uint32(TickFlag.GAP)
    only_older = np.ones(len(older), np.bool_)
    only_older[order[at[both]]] = False
    return np.concatenate([older[only_older], combined])


def _lower(one: NDArray[np.int32], other: NDArray[np.int32]) -> NDArray[np.int32]:
    """The lower of two lows, where 0 says that nothing traded."""
    return np.where(one == 0, other, np.where(other == 0, one, np.minimum(one, other)))
