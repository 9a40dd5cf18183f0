"""How a trailing stop follows the price: a whole jump at a time, and never back."""

from __future__ import annotations

from typing import NamedTuple

from oms.core.order import Side


class Trail(NamedTuple):
    """Where a stop stands: its trigger, and the price from which the next jump is counted."""

    trigger_price: int
    anchor: int


def next_move_at(side: Side, anchor: int, jump: int) -> int:
    """The price at which the stop moves next: above for a sale (it guards a long position), below for a buy."""
    return anchor - side.sign * jump


def follow(side: Side, trail: Trail, jump: int, price: int) -> Trail:
    """The stop after this price was seen. The same, unless the price went a jump or more in the position's favour."""
    favourable = side.sign * (trail.anchor - price)
    moved = max(favourable // jump, 0) * jump * -side.sign
    return Trail(trail.trigger_price + moved, trail.anchor + moved)
