"""The last row of every instrument, and which rows of a batch reach any order: all of it in numpy columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.core.tick import TICK, TickFlag
from oms.core.quote import READING, UNUSABLE
from oms.core.resting import ASLEEP, Thresholds

Rows = NDArray[np.void]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

FIRST_CAPACITY = 1024

THRESHOLDS = np.dtype([("rise", "<i4"), ("fall", "<i4"), ("buy", "<i4"), ("sell", "<i4"), ("awake", "?")])
NOTHING_WATCHED = np.array(tuple(ASLEEP), THRESHOLDS)


class Touched(NamedTuple):
    """Of the rows that reach an order: the slot, the row as a tuple, whether it may fill, what was traded in it."""

    slots: list[int]
    rows: list[tuple[int, ...]]
    usable: list[bool]
    traded: list[int]


class Screen:
    """Instruments get a slot when they are first heard of and keep it."""

    def __init__(self) -> None:
        self._codes: NDArray[np.uint64] = np.empty(0, np.uint64)
        self._slots: Integers = np.empty(0, np.int64)
        self._rows: Rows = np.zeros(FIRST_CAPACITY, TICK)
        self._stamps: Integers = np.zeros(FIRST_CAPACITY, np.int64)
        self._thresholds = np.full(FIRST_CAPACITY, NOTHING_WATCHED)
        self._stamp = 0

    def slot(self, code: int) -> int:
        return int(self._locate(np.array([code], np.uint64))[0])

    def row(self, slot: int) -> tuple[int, ...] | None:
        """The last row, None when none came yet."""
        return self._rows.view(READING)[slot].item() if self._stamps[slot] else None

    def stamp(self, slot: int) -> int:
        """Changes with each row of the instrument; 0 before the first."""
        return int(self._stamps[slot])

    def watch(self, slot: int, thresholds: Thresholds) -> None:
        self._thresholds[slot] = thresholds

    def take(self, rows: Rows, oldest: int) -> Touched:
        """Keep the rows, and give those that reach an order. Received before `oldest` (nanoseconds): not usable."""
        slots = self._locate(np.ascontiguousarray(rows["code"]))
        traded = self._traded(rows, slots)
        usable = ((rows["flags"] & int(UNUSABLE)) == 0) & (rows["received_at"] >= oldest)
        touched = np.flatnonzero(self._reached(rows, slots, usable))
        self._stamp += 1
        self._rows[slots] = rows
        self._stamps[slots] = self._stamp
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
        known = (self._stamps[slots] > 0) & ((rows["flags"] & int(TickFlag.GAP)) == 0)
        return np.where(known, np.maximum(rows["volume"] - self._rows["volume"][slots], 0), 0)

    def _locate(self, codes: NDArray[np.uint64]) -> Integers:
        places = self._find(codes)
        if len(self._codes) and np.array_equal(self._codes[places], codes):
            return self._slots[places]
        self._add(np.setdiff1d(codes, self._codes))
        return self._slots[self._find(codes)]

    def _find(self, codes: NDArray[np.uint64]) -> Integers:
        return np.minimum(np.searchsorted(self._codes, codes), max(len(self._codes) - 1, 0))

    def _add(self, codes: NDArray[np.uint64]) -> None:
        slots = np.arange(len(self._codes), len(self._codes) + len(codes))
        places = np.searchsorted(self._codes, codes)
        self._codes = np.insert(self._codes, places, codes)
        self._slots = np.insert(self._slots, places, slots)
        while len(self._codes) > len(self._rows):
            self._double()

    def _double(self) -> None:
        more = len(self._rows)
        self._rows = np.concatenate([self._rows, np.zeros(more, TICK)])
        self._stamps = np.concatenate([self._stamps, np.zeros(more, np.int64)])
        self._thresholds = np.concatenate([self._thresholds, np.full(more, NOTHING_WATCHED)])
