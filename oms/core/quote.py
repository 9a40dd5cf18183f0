"""One TICK row as the matching engine reads it, and what our orders have taken of the depth it displays."""

from __future__ import annotations

from typing import Any, NamedTuple

from feeds.core.tick import DEPTH_LEVEL, TICK, TickFlag

UNUSABLE = TickFlag.STALE | TickFlag.QUARANTINED | TickFlag.SEEDED
"""Rows with any of these fill nothing and trigger nothing."""


def _places(names: tuple[str, ...] | None, *wanted: str) -> tuple[int, ...]:
    return tuple((names or ()).index(name) for name in wanted)


_RECEIVED, _LAST, _LOW, _HIGH, _FLAGS, _DEPTH = _places(
    TICK.names, "received_at", "last_price", "low", "high", "flags", "depth"
)
_BID, _ASK, _BID_QUANTITY, _ASK_QUANTITY = _places(
    DEPTH_LEVEL.names, "bid_price", "ask_price", "bid_quantity", "ask_quantity"
)

Levels = list[tuple[int, int]]
"""Price and displayed quantity, best first."""


class Quote(NamedTuple):
    """Prices in paise; `low` and `high` of the trades since the batch before, 0 without one."""

    received_at: int
    flags: int
    last_price: int
    low: int
    high: int
    bids: Levels
    asks: Levels

    @property
    def is_usable(self) -> bool:
        return not self.flags & UNUSABLE

    @property
    def lowest(self) -> int:
        """The lowest price that the batch told, 0 without any. The last counts: a batch may have been passed over."""
        return min(self.low, self.last_price) if self.low else self.last_price

    @property
    def highest(self) -> int:
        return max(self.high, self.last_price)


def read_quote(row: tuple[Any, ...]) -> Quote:
    """A row as `rows[n].item()` or `rows.tolist()` gives it."""
    depth = row[_DEPTH]
    return Quote(
        row[_RECEIVED],
        row[_FLAGS],
        row[_LAST],
        row[_LOW],
        row[_HIGH],
        [(level[_BID], level[_BID_QUANTITY]) for level in depth if level[_BID] and level[_BID_QUANTITY]],
        [(level[_ASK], level[_ASK_QUANTITY]) for level in depth if level[_ASK] and level[_ASK_QUANTITY]],
    )


class Taken:
    """What was taken from one side's levels. It stays taken until the level's price or quantity changes."""

    __slots__ = ("_of",)

    def __init__(self) -> None:
        self._of: dict[int, tuple[int, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._of)

    def left(self, price: int, displayed: int) -> int:
        return displayed - self._of[price][1] if price in self._of else displayed

    def take(self, price: int, displayed: int, quantity: int) -> None:
        self._of[price] = displayed, displayed - self.left(price, displayed) + quantity

    def refresh(self, levels: Levels) -> int:
        """Forget what new levels no longer show as it was; gives the quantity forgotten."""
        if not self._of:
            return 0
        shown = dict(levels)
        changed = [price for price, (displayed, _) in self._of.items() if shown.get(price) != displayed]
        return sum(self._of.pop(price)[1] for price in changed)
