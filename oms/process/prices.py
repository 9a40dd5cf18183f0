"""The last row of every instrument that the feeds told of, for margins, marks and triggers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from feeds.core.tick import TICK

Rows = NDArray[np.void]

FIRST_CAPACITY = 4096


class Prices:
    """Rows by instrument code. Of two feeds that tell of the same one, what was received last stands."""

    def __init__(self) -> None:
        self._rows: Rows = np.zeros(FIRST_CAPACITY, TICK)
        self._slots: dict[int, int] = {}
        self._source: dict[int, int] = {}

    def take(self, rows: Rows, source: int) -> None:
        """What one feed (`source`: its account) tells now."""
        slots = self._slots_of(rows["code"].tolist())
        newer = rows["received_at"] >= self._rows["received_at"][slots]
        self._rows[slots[newer]] = rows[newer]
        self._source.update(dict.fromkeys(rows["code"][newer].tolist(), source))

    def _slots_of(self, codes: list[int]) -> NDArray[np.intp]:
        slots = np.fromiter((self._slots.setdefault(code, len(self._slots)) for code in codes), np.intp, len(codes))
        while len(self._slots) > len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])
        return slots

    def rows(self, codes: Iterable[int]) -> Rows:
        """Copies of the rows that are known of these."""
        slots = [self._slots[code] for code in codes if code in self._slots]
        return self._rows[np.array(slots, np.intp)]

    def by_source(self) -> dict[int, Rows]:
        """Every row, by the feed that told of it last."""
        codes: dict[int, list[int]] = {}
        for code, source in self._source.items():
            codes.setdefault(source, []).append(code)
        return {source: self.rows(members) for source, members in codes.items()}
