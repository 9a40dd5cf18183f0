"""Who moved most: rows of the board in the order of what they did today, in one pass."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.void]
Floats = NDArray[np.float64]


class MoverKind(StrEnum):
    """By what they are put in order. Open interest gained or lost since the previous day, as a share of it."""

    GAINERS = "GAINERS"
    LOSERS = "LOSERS"
    MOST_ACTIVE = "MOST_ACTIVE"
    OI_GAINERS = "OI_GAINERS"
    OI_LOSERS = "OI_LOSERS"


FALLING = frozenset({MoverKind.LOSERS, MoverKind.OI_LOSERS})


def movers(rows: Rows, multipliers: NDArray[np.int64], kind: MoverKind, limit: int) -> NDArray[np.intp]:
    """Places of the rows that moved that way, the furthest first; equal ones by instrument. Who did not is absent."""
    moved = measure(rows, multipliers, kind)
    towards = -moved if kind in FALLING else moved
    which = np.flatnonzero(towards > 0)
    order = np.lexsort((rows["code"][which], -towards[which]))
    return which[order[:limit]]


def measure(rows: Rows, multipliers: NDArray[np.int64], kind: MoverKind) -> Floats:
    """Percent, or paise traded; 0 where it is not known."""
    if kind in (MoverKind.GAINERS, MoverKind.LOSERS):
        return change_percent(rows["last_price"], rows["previous_close"])
    if kind is MoverKind.MOST_ACTIVE:
        return traded_value(rows, multipliers).astype(np.float64)
    return change_percent(rows["open_interest"], rows["previous_open_interest"])


def change_percent(now: NDArray[np.integer], before: NDArray[np.integer]) -> Floats:
    """0 where either is not known."""
    is_known = (now > 0) & (before > 0)
    change = now.astype(np.float64) - before
    return np.where(is_known, 100.0 * change / np.where(before > 0, before, 1), 0.0)


def traded_value(rows: Rows, multipliers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Paise: the day's volume at its average price. An option's is its premium."""
    return rows["volume"] * rows["average_price"].astype(np.int64) * multipliers
