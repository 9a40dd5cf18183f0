"""The latest facts of one topic, numbered without a hole, each encoded once for all who follow it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

KEPT = 1000
"""Who is further behind than this asks the REST API: the log of a busy account must not grow all day."""
FACTS_A_PART = 200
"""About 100 kB; the rest comes with the next frame."""


class FactText(NamedTuple):
    """A fact as browsers get it, `[42,"ORDER",{...}]`, and the instrument that it is about, if any."""

    offset: int
    text: str
    instrument: str | None


class FactLog:
    """The facts from `forgotten` (not that one) to `offset` (that one too)."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.forgotten = offset
        self._texts: list[str] = []
        self._joined: dict[tuple[int, int], str] = {}

    def append(self, facts: Sequence[FactText]) -> list[FactText]:
        """Take over those that are new and return them. Read twice, or by two readers at once, they count once.

        A hole means that the facts between were deleted: the log begins anew behind it.
        """
        new = [fact for fact in facts if fact.offset > self.offset]
        if new and new[0].offset != self.offset + 1:
            self._texts.clear()
            self.forgotten = new[0].offset - 1
        self._texts += [fact.text for fact in new]
        self.offset = new[-1].offset if new else self.offset
        self._trim()
        return new

    def _trim(self) -> None:
        self._joined.clear()
        if len(self._texts) > 2 * KEPT:
            self.forgotten += len(self._texts) - KEPT
            del self._texts[:-KEPT]

    def holds(self, after: int) -> bool:
        """Whether everything after this offset is still here."""
        return after >= self.forgotten

    def text(self, after: int, until: int) -> tuple[str, int]:
        """The next facts after one offset up to another, joined, and the offset of the last of them."""
        last = min(until, self.offset, after + FACTS_A_PART)
        joined = self._joined.get((after, last))
        if joined is None:
            joined = ",".join(self._texts[after - self.forgotten : last - self.forgotten])
            self._joined[after, last] = joined
        return joined, last
