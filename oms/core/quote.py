"""One TICK row as the matching engine reads it, and what our orders have taken of the depth it displays."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from feeds.core.tick import DEPTH_LEVEL, DEPTH_LEVELS, TICK, TickFlag

UNUSABLE = int(TickFlag.STALE | TickFlag.QUARANTINED | TickFlag.SEEDED)
"""Rows with any of these fill nothing and trigger nothing."""


READ = ("code", "volume", "received_at", "flags", "last_price", "low", "high")
VOLUME, RECEIVED_AT, FLAGS = (READ.index(name) for name in ("volume", "received_at", "flags"))
READ_OF_LEVEL = ("bid_price", "bid_quantity", "ask_price", "ask_quantity")


def _reading_type() -> np.dtype[np.void]:
    """What of a TICK row is read, as plain fields: a row's `item()` is then a flat tuple of Python integers."""
    row, level = dict[str, Any](TICK.fields or {}), dict[str, Any](DEPTH_LEVEL.fields or {})
    places = [(row[name][0], row[name][1]) for name in READ]
    for number in range(DEPTH_LEVELS):
        start = row["depth"][1] + number * DEPTH_LEVEL.itemsize
        places += [(level[name][0], start + level[name][1]) for name in READ_OF_LEVEL]
    formats, offsets = zip(*places, strict=True)
    names = [f"field_{number}" for number in range(len(places))]
    return np.dtype({"names": names, "formats": list(formats), "offsets": list(offsets), "itemsize": TICK.itemsize})


READING = _reading_type()
"""View TICK rows as this before `item()` or `tolist()`; `read_quote` takes what they give."""

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


def read_quote(row: tuple[int, ...]) -> Quote:
    """A row of READING as a tuple."""
    _, _, received_at, flags, last_price, low, high = row[:7]
    bids = [(price, quantity) for price, quantity in zip(row[7::4], row[8::4], strict=True) if price and quantity]
    asks = [(price, quantity) for price, quantity in zip(row[9::4], row[10::4], strict=True) if price and quantity]
    return Quote(received_at, flags, last_price, low, high, bids, asks)


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
