"""Books of twenty levels as they stand, and a book of any depth as browsers are told it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feeds.core.instrument import SECURITY_ID_BITS
from feeds.core.price import MAXIMUM_PAISE, PAISE_PER_RUPEE

NANOSECONDS_PER_MILLISECOND = 1_000_000

Level = list[int]
"""Price in paise, quantity, orders."""
Value = dict[str, Any]


class DepthSource(StrEnum):
    """Where a book is from: the socket of twenty levels, or the feed's own packets."""

    TWENTY = "TWENTY"
    FIVE = "FIVE"


@dataclass(slots=True)
class Book:
    """Both sides of one instrument, best first; a side is replaced as a whole."""

    bids: list[Level] = field(default_factory=list)
    asks: list[Level] = field(default_factory=list)
    at: int = 0  # wall nanoseconds of the last packet


class Books:
    """The books of one socket, by instrument code."""

    def __init__(self) -> None:
        self._books: dict[int, Book] = {}

    def apply(self, sides: NDArray[np.void], bid_code: int, received_at: int) -> None:
        """Take over sides in order of arrival; of two of the same side the later one stays."""
        codes = sides["segment"].astype(np.int64) << SECURITY_ID_BITS | sides["security_id"]
        for code, side in zip(codes.tolist(), sides, strict=True):
            book = self._books.setdefault(code, Book())
            if side["response_code"] == bid_code:
                book.bids = levels_of(side["levels"])
            else:
                book.asks = levels_of(side["levels"])
            book.at = received_at

    def keep_only(self, codes: Collection[int]) -> None:
        """Forget the others: what is not subscribed any more is old."""
        self._books = {code: book for code, book in self._books.items() if code in codes}

    def value(self, code: int, heard_after: int) -> Value | None:
        """The book for browsers; None when nothing of it came after that moment (wall nanoseconds)."""
        book = self._books.get(code)
        if book is None or book.at <= heard_after:
            return None
        return depth_value(book.bids, book.asks, book.at, DepthSource.TWENTY)


def levels_of(levels: NDArray[np.void]) -> list[Level]:
    """Levels with a price that can be one. A double holds paise exactly."""
    paise = np.rint(levels["price"] * PAISE_PER_RUPEE)
    is_real = (paise > 0) & (paise <= MAXIMUM_PAISE)
    columns = (paise[is_real].astype(np.int64), levels["quantity"][is_real], levels["orders"][is_real])
    return [list(level) for level in zip(*(column.tolist() for column in columns), strict=True)]


def five_levels(row: np.void) -> Value:
    """The feed's own five levels of one TICK row."""
    return depth_value(
        side_of(row["depth"], "bid"), side_of(row["depth"], "ask"), int(row["received_at"]), DepthSource.FIVE
    )


def side_of(depth: NDArray[np.void], side: str) -> list[Level]:
    columns = (depth[f"{side}_price"], depth[f"{side}_quantity"], depth[f"{side}_orders"])
    return [list(level) for level in zip(*(column.tolist() for column in columns), strict=True) if level[0] > 0]


def depth_value(bids: list[Level], asks: list[Level], at: int, source: DepthSource) -> Value:
    """The body of a `DEPTH` value (docs/websocket.md)."""
    levels = 20 if source is DepthSource.TWENTY else 5
    return {
        "levels": levels, "bids": bids, "asks": asks, "at": at // NANOSECONDS_PER_MILLISECOND, "source": source.value,
    }  # fmt: skip
