"""Which strikes surround the market: the nearest one, a window by rank, and an ATM that does not flap."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

HYSTERESIS_TICKS = 10
"""How far past the midpoint between two strikes the price must go before ATM moves: half a rupee on an index."""


class RankedStrike(NamedTuple):
    """A strike in paise and how many listed strikes it lies from ATM: 0 is ATM, negative below."""

    rank: int
    strike: int


def nearest_strike(price: int, strikes: Sequence[int]) -> int:
    """The listed strike nearest to a price (paise; strikes ascending, not empty); a tie goes to the lower.

    Raises:
        ValueError: there are no strikes.
    """
    if not strikes:
        raise ValueError("no strikes")
    above = bisect_left(strikes, price)
    candidates = strikes[max(above - 1, 0) : above + 1]
    return min(candidates, key=lambda strike: (abs(strike - price), strike))


def window(strikes: Sequence[int], price: int, count: int) -> list[RankedStrike]:
    """`count` listed strikes around the one nearest to a price, chosen by rank and not by arithmetic.

    An odd count is centred on ATM, an even one holds one more above. Where one side is short, the
    other gives more, so that the count is kept; fewer come back only when fewer are listed. Strikes
    ascend and do not repeat; an empty list gives an empty window.
    """
    if not strikes:
        return []
    atm = bisect_left(strikes, nearest_strike(price, strikes))
    first = max(min(atm - (count - 1) // 2, len(strikes) - count), 0)
    return [RankedStrike(first - atm + i, strike) for i, strike in enumerate(strikes[first : first + count])]


class AtmTracker:
    """The ATM strike of one chain. It moves when the price is half a step and a margin away from it.

    Plain rounding would flap while the market rests on a midpoint, and each flap would move
    subscriptions. Prices, strikes and the margin are paise.
    """

    def __init__(self, strikes: Sequence[int], margin: int = 0, atm: int | None = None) -> None:
        self.margin = margin
        self.atm = atm
        self.relist(strikes)

    def relist(self, strikes: Sequence[int]) -> None:
        """Take the strikes that are listed now; an ATM that is gone gives way to its nearest neighbour."""
        self.strikes = sorted(set(strikes))
        if self.atm is not None:
            self.atm = nearest_strike(self.atm, self.strikes) if self.strikes else None

    def update(self, price: int) -> bool:
        """Follow the price. Returns whether ATM moved; without strikes or a price above 0 it never does."""
        if not self.strikes or price <= 0:
            return False
        nearest = nearest_strike(price, self.strikes)
        if nearest == self.atm or (self.atm is not None and self._within_margin(price, nearest, self.atm)):
            return False
        self.atm = nearest
        return True

    def _within_margin(self, price: int, nearest: int, atm: int) -> bool:
        """Whether the price is hardly past the midpoint to ATM's neighbour; a jump over it always counts."""
        neighbours = abs(bisect_left(self.strikes, nearest) - bisect_left(self.strikes, atm)) == 1
        past_midpoint = abs(price - atm) - abs(nearest - atm) / 2
        return neighbours and past_midpoint < self.margin
