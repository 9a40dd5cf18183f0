"""Silence, noticed: of a connection, of a segment, of one instrument. Pure decisions; the runtime acts on them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint64]

QUIET_FACTOR = 20.0
"""A source that usually speaks every second is not suspect before twenty: illiquid is not silent."""
GAP_SMOOTHING = 0.1
LIVELY_SHARE = 1 / 8
"""Pauses up to this share of the patience are none: looks and flushes notice a busy source only now and then."""
SUSPECTS_A_ROUND = 1000
"""What one REST request can compare."""


@dataclass(slots=True)
class Source:
    """When a source last spoke (monotonic; None: not expected to), and how long it usually pauses, in seconds."""

    heard_at: float | None
    usual_gap: float = 0.0


class SilenceWatch:
    """Which of several sources (connections, segments) are silent for longer than is like them.

    The patience is `patience` seconds, more for a source that seldom speaks. A source is watched from when it is
    `expected` or `heard` until it is `excused`; its habits are remembered beyond that.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._sources: dict[Hashable, Source] = {}

    def expected(self, source: Hashable, now: float) -> None:
        """From here on the source should speak, if it was not expected to already."""
        known = self._sources.setdefault(source, Source(now))
        if known.heard_at is None:
            known.heard_at = now

    def heard(self, source: Hashable, now: float) -> None:
        known = self._sources.setdefault(source, Source(now))
        if known.heard_at is not None:
            # An outage is nobody's habit, so a pause counts as twice the patience at most.
            gap = min(now - known.heard_at, 2 * self._patience)
            if gap <= LIVELY_SHARE * self._patience:
                gap = 0.0
            known.usual_gap += GAP_SMOOTHING * (gap - known.usual_gap)
        known.heard_at = now

    def excused(self, source: Hashable) -> None:
        """It need not speak now: its market is closed, it is down, or it carries nothing."""
        if source in self._sources:
            self._sources[source].heard_at = None

    def patience(self, source: Hashable) -> float:
        """Seconds of silence that are still like this source."""
        known = self._sources.get(source)
        return max(self._patience, QUIET_FACTOR * known.usual_gap if known else 0.0)

    def is_silent(self, source: Hashable, now: float) -> bool:
        known = self._sources.get(source)
        return known is not None and known.heard_at is not None and now - known.heard_at > self.patience(source)


class InstrumentWatch:
    """Instruments that are silent for long while their connection lives: who is to be compared with REST next.

    Silence alone proves nothing, most options trade seldom. So a bounded number at a time is compared, those
    first that were never compared or longest ago.
    """

    def __init__(self, patience: float, on_its_way: float) -> None:
        """`on_its_way`: seconds for which a trade that a quote tells of may still be on its way to us."""
        self._patience = patience
        self._on_its_way = on_its_way
        self._compared_at: dict[int, float] = {}
        self._told_at: dict[int, float] = {}
        self.stale: set[int] = set()
        self.found = 0

    def suspects(self, codes: Codes, ages: NDArray[np.float64], now: float) -> list[int]:
        """Whom to compare now: at most 1,000 of the codes whose age in seconds is beyond patience."""
        silent = codes[ages > self._patience].tolist()
        self.stale.intersection_update(silent)  # who spoke again is well
        self._told_at = {code: self._told_at[code] for code in silent if code in self._told_at}
        self._compared_at = {code: at for code, at in self._compared_at.items() if now - at <= self._patience}
        return [code for code in silent if code not in self._compared_at][:SUSPECTS_A_ROUND]

    def compared(self, codes: list[int], now: float) -> None:
        self._compared_at.update(dict.fromkeys(codes, now))

    def overdue(self, codes: list[int], now: float) -> list[int]:
        """Quotes tell of trades of these that we were not sent. Returns those of whom one has told before, long enough
        ago that the packet is on its way no more; the others are suspects again at once, as a busy one's last trade
        is always a moment old."""
        for code in codes:
            self._told_at.setdefault(code, now)
            if now - self._told_at[code] < self._on_its_way:
                self._compared_at.pop(code, None)
        return [code for code in codes if now - self._told_at[code] >= self._on_its_way]

    def missed(self, code: int) -> bool:
        """The quote knows trades that we were not sent. Returns whether that is news."""
        if code in self.stale:
            return False
        self.stale.add(code)
        self.found += 1
        return True


def trades_unknown(ours: NDArray[np.void], quotes: NDArray[np.void]) -> NDArray[np.bool_]:
    """Whether each quote tells of a trade that our row does not know (rows of the same instruments, in order)."""
    has_grown = (quotes["volume"] != ours["volume"]) | (quotes["volume"] == 0)  # an index has no volume
    return np.asarray((quotes["last_traded_at"] > ours["last_traded_at"]) & has_grown, np.bool_)
