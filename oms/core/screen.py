"""The last row of every instrument, and which rows of a batch reach any order: in numpy columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.core.tick import TICK, TickFlag
from oms.core.quote import FLAGS, READING, RECEIVED_AT, UNUSABLE, VOLUME
from oms.core.resting import ASLEEP, Thresholds

Rows = NDArray[np.void]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

FIRST_CAPACITY = 1024
GAP = int(TickFlag.GAP)

RAW = np.dtype((np.void, TICK.itemsize))
"""A row as bytes: copied at once, where a structured one is copied field by field."""
THRESHOLDS = np.dtype([("rise", "<i4"), ("fall", "<i4"), ("buy", "<i4"), ("sell", "<i4"), ("awake", "?")])
NOTHING_WATCHED = np.array(tuple(ASLEEP), THRESHOLDS)


class Touched(NamedTuple):
    """Of the rows that reach an order: the slot, the row as a tuple, whether it may fill, what was traded in it."""

    slots: list[int]
    rows: list[tuple[int, ...]]
    usable: list[bool]
    traded: list[int]


class Screen:
    """Instruments get a slot when they are first heard of and keep it.

    `column_rows`: smaller batches are handed on whole; a few rows are looked at sooner than columns are made of them.
    """

    def __init__(self, column_rows: int) -> None:
        self._column_rows = column_rows
        self._slot_of: dict[int, int] = {}
        self._codes: NDArray[np.uint64] = np.empty(0, np.uint64)
        self._slots: Integers = np.empty(0, np.int64)
        self._rows: Rows = np.zeros(FIRST_CAPACITY, TICK)
        self._stamps: Integers = np.zeros(FIRST_CAPACITY, np.int64)
        self._thresholds = np.full(FIRST_CAPACITY, NOTHING_WATCHED)
        self._stamp = 0

    def slot(self, code: int) -> int:
        slot = self._slot_of.get(code)
        if slot is None:
            slot = self._slot_of[code] = len(self._slot_of)
            if slot == len(self._rows):
                self._double()
        return slot

    def row(self, slot: int) -> tuple[int, ...] | None:
        """The last row, None when none came yet."""
        row: tuple[int, ...] | None = None
        if self._stamps[slot]:
            (row,) = self._rows[slot : slot + 1].view(READING).tolist()
        return row

    def stamp(self, slot: int) -> int:
        """Changes with each row of the instrument; 0 before the first."""
        return int(self._stamps[slot])

    def watch(self, slot: int, thresholds: Thresholds) -> None:
        self._thresholds[slot] = thresholds

    def uses_columns(self, rows: Rows) -> bool:
        return len(rows) >= self._column_rows

    def take(self, rows: Rows, oldest: int) -> Touched:
        """Keep the rows, and give those that reach an order. Received before `oldest` (nanoseconds): not usable."""
        if self.uses_columns(rows):
            slots = self._locate(rows["code"])
            touched = self._reaching(rows, slots, oldest)
            self._keep(rows, slots)
        else:
            few = [self.slot(code) for code in rows["code"].tolist()]
            touched = self._all(rows, few, oldest)
            self._keep(rows, few)
        return touched

    def _keep(self, rows: Rows, slots: Integers | list[int]) -> None:
        self._stamp += 1
        self._rows.view(RAW)[slots] = rows.view(RAW)
        self._stamps[slots] = self._stamp

    def _all(self, rows: Rows, slots: list[int], oldest: int) -> Touched:
        read = rows.view(READING).tolist()
        traded = [self._traded_in(row, slot) for row, slot in zip(read, slots, strict=True)]
        return Touched(slots, read, [not row[FLAGS] & UNUSABLE and row[RECEIVED_AT] >= oldest for row in read], traded)

    def _traded_in(self, row: tuple[int, ...], slot: int) -> int:
        if row[FLAGS] & GAP or not self._stamps[slot]:
            return 0
        return max(row[VOLUME] - int(self._rows["volume"][slot]), 0)

    def _reaching(self, rows: Rows, slots: Integers, oldest: int) -> Touched:
        traded = self._traded(rows, slots)
        usable = ((rows["flags"] & UNUSABLE) == 0) & (rows["received_at"] >= oldest)
        touched = np.flatnonzero(self._reached(rows, slots, usable))
        return Touched(
            slots[touched].tolist(),
            rows[touched].view(READING).tolist(),
            usable[touched].tolist(),
            traded[touched].tolist(),
        )

    def _reached(self, rows: Rows, slots: Integers, usable: Mask) -> Mask:
        watched = self._thresholds[slots]
        last, low, depth = rows["last_price"], rows["low"], rows["depth"]
        lowest = np.where(low > 0, np.minimum(low, last), last)
        ask, bid = depth["ask_price"][:, 0], depth["bid_price"][:, 0]
        reached = np.maximum(rows["high"], last) >= watched["rise"]
        reached |= (lowest > 0) & (lowest <= watched["fall"])
        reached |= (ask > 0) & (ask <= watched["buy"])
        reached |= bid >= watched["sell"]
        return np.asarray((reached & usable) | watched["awake"])

    def _traded(self, rows: Rows, slots: Integers) -> Integers:
        """Units traded since the row before. None over a gap: they may have been traded before this batch began."""
        known = (self._stamps[slots] > 0) & ((rows["flags"] & GAP) == 0)
        return np.where(known, np.maximum(rows["volume"] - self._rows["volume"][slots], 0), 0)

    def _locate(self, column: NDArray[np.uint64]) -> Integers:
        codes = np.ascontiguousarray(column)
        places = self._find(codes)
        if places is None:
            for code in codes.tolist():
                self.slot(code)
            self._sort()
            places = self._find(codes)
        return self._slots[places]

    def _find(self, codes: NDArray[np.uint64]) -> Integers | None:
        """Where the codes are among the sorted ones; None when one is not."""
        if not len(self._codes):
            return None
        places = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        return places if np.array_equal(self._codes[places], codes) else None

    def _sort(self) -> None:
        codes = np.fromiter(self._slot_of, np.uint64, len(self._slot_of))
        self._slots = np.argsort(codes)
        self._codes = codes[self._slots]

    def _double(self) -> None:
        more = len(self._rows)
        self._rows = np.concatenate([self._rows, np.zeros(more, TICK)])
        self._stamps = np.concatenate([self._stamps, np.zeros(more, np.int64)])
        self._thresholds = np.concatenate([self._thresholds, np.full(more, NOTHING_WATCHED)])
