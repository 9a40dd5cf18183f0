"""The latest row of every instrument as whole numbers in one matrix, ready to be cut by topic and written as JSON."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from feeds.core.tick import DEPTH_LEVELS, TICK, TickFlag

Slots = NDArray[np.intp]
Matrix = NDArray[np.int64]

NANOSECONDS_PER_MILLISECOND = 1_000_000
SECONDS_TO_MILLISECONDS = 1_000
FIRST_CAPACITY = 4096

TOP_COLUMNS = (
    "last_price",
    "last_traded_at",
    "volume",
    "open_interest",
    "bid_price",
    "ask_price",
    "bid_quantity",
    "ask_quantity",
    "average_price",
    "day_open",
    "day_high",
    "day_low",
    "previous_close",
    "previous_open_interest",
    "received_at",
    "flags",
)
"""What a list or a chain shows of an instrument. Prices in paise, times in epoch milliseconds, 0 = not known."""

LEVEL_FIELDS = ("bid_price", "ask_price", "bid_quantity", "ask_quantity", "bid_orders", "ask_orders")
DEPTH_COLUMNS = (
    "last_quantity",
    "total_buy_quantity",
    "total_sell_quantity",
    "open_interest_high",
    "open_interest_low",
    *(f"{field}_{level}" for level in range(1, DEPTH_LEVELS + 1) for field in LEVEL_FIELDS),
)
"""What one instrument's own page shows beside them: five levels of depth, best first."""

COLUMNS = TOP_COLUMNS + DEPTH_COLUMNS
COLUMN_INDEX = {name: index for index, name in enumerate(COLUMNS)}
BEST = {"bid_price", "ask_price", "bid_quantity", "ask_quantity"}


def column_values(name: str, rows: NDArray[np.void]) -> NDArray[np.int64]:
    """One column of TICK rows, in the units that browsers get."""
    if name == "received_at":
        return np.asarray(rows["received_at"] // NANOSECONDS_PER_MILLISECOND, np.int64)
    if name == "last_traded_at":
        return np.asarray(rows["last_traded_at"] * SECONDS_TO_MILLISECONDS, np.int64)
    if name in BEST:
        return np.asarray(rows["depth"][name][:, 0], np.int64)
    field, _, level = name.rpartition("_")
    if field in LEVEL_FIELDS and level.isdigit():
        return np.asarray(rows["depth"][field][:, int(level) - 1], np.int64)
    return np.asarray(rows[name], np.int64)


def columns_of(rows: NDArray[np.void]) -> Matrix:
    values = np.empty((len(rows), len(COLUMNS)), np.int64)
    for index, name in enumerate(COLUMNS):
        values[:, index] = column_values(name, rows)
    return values


class LiveTable:
    """Rows by instrument code. A row keeps its slot until `keep_only`; `changed_at[slot]` is its last change's flush.

    An instrument that was asked for but never heard of has a row of zeros flagged STALE.
    """

    def __init__(self) -> None:
        self.values: Matrix = np.zeros((FIRST_CAPACITY, len(COLUMNS)), np.int64)
        self.changed_at: NDArray[np.int64] = np.zeros(FIRST_CAPACITY, np.int64)
        self._sources: NDArray[np.int64] = np.zeros(FIRST_CAPACITY, np.int64)
        self.size = 0
        self._sorted_codes: NDArray[np.uint64] = np.empty(0, np.uint64)
        self._sorted_slots: Slots = np.empty(0, np.intp)

    def slots(self, codes: Sequence[int] | NDArray[np.uint64]) -> Slots:
        """The slots of these codes in their order, new ones for new codes."""
        wanted = np.asarray(codes, np.uint64)
        found, known = self._find(wanted)
        if not known.all():
            self._add(np.unique(wanted[~known]))
            found, _ = self._find(wanted)
        return found

    def _find(self, codes: NDArray[np.uint64]) -> tuple[Slots, NDArray[np.bool_]]:
        if not self.size:
            return np.zeros(len(codes), np.intp), np.zeros(len(codes), np.bool_)
        at = np.minimum(np.searchsorted(self._sorted_codes, codes), self.size - 1)
        return self._sorted_slots[at], self._sorted_codes[at] == codes

    def _add(self, codes: NDArray[np.uint64]) -> None:
        first, self.size = self.size, self.size + len(codes)
        while self.size > len(self.values):
            self.values = np.concatenate([self.values, np.zeros_like(self.values)])
            self.changed_at = np.concatenate([self.changed_at, np.zeros_like(self.changed_at)])
            self._sources = np.concatenate([self._sources, np.zeros_like(self._sources)])
        self.values[first : self.size, COLUMN_INDEX["flags"]] = TickFlag.STALE
        all_codes = np.concatenate([self._sorted_codes, codes])
        all_slots = np.concatenate([self._sorted_slots, np.arange(first, self.size, dtype=np.intp)])
        order = np.argsort(all_codes)
        self._sorted_codes, self._sorted_slots = all_codes[order], all_slots[order]

    def codes(self) -> NDArray[np.uint64]:
        """Every code that has a row, in ascending order."""
        return self._sorted_codes

    def sources(self, slots: Slots) -> NDArray[np.int64]:
        """Which account said each row last; 0: nobody."""
        return self._sources[slots]

    def fed_since(self, milliseconds: int) -> Slots:
        """The slots of rows received since then (epoch ms)."""
        return np.flatnonzero(self.values[: self.size, COLUMN_INDEX["received_at"]] >= milliseconds)

    def keep_only(self, slots: Slots) -> None:
        """Forget every other row. All slots are given anew: ask for them again."""
        kept = np.unique(slots)
        codes = np.empty(self.size, np.uint64)
        codes[self._sorted_slots] = self._sorted_codes
        self.size, codes = len(kept), codes[kept]
        self.values, self.changed_at = _with_room(self.values[kept]), _with_room(self.changed_at[kept])
        self._sources = _with_room(self._sources[kept])
        self._sorted_slots = np.argsort(codes)
        self._sorted_codes = codes[self._sorted_slots]

    def merge(self, rows: NDArray[np.void], flush: int, source: int = 0) -> Slots:
        """Take over TICK rows as changes of this flush; returns the slots changed. The last of equal codes wins.

        `source` is the account that says it. What another account said last gives way only to what was received
        later: an instrument that moved is still on the old account's board.
        """
        if rows.dtype != TICK:
            raise ValueError(f"not TICK rows: {rows.dtype}")
        slots = self.slots(rows["code"])
        foreign = self._sources[slots] != source
        if foreign.any():
            newer = column_values("received_at", rows) >= self.values[slots, COLUMN_INDEX["received_at"]]
            rows, slots = rows[newer | ~foreign], slots[newer | ~foreign]
            self._sources[slots] = source
        self.values[slots] = columns_of(rows)
        self.changed_at[slots] = flush
        return slots


def _with_room(column: NDArray[np.int64]) -> NDArray[np.int64]:
    """Never smaller than at first, for growth doubles."""
    missing = max(FIRST_CAPACITY - len(column), 0)
    return np.concatenate([column, np.zeros((missing, *column.shape[1:]), np.int64)])
