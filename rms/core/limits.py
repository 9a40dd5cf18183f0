"""Limits as values: of two the stricter counts, and the first that would be passed is named."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum
from typing import Any

TRUE_IS_STRICTER = frozenset({"square_off_at_loss"})
WARN_PERCENT = 80
"""Of a daily loss limit: when its owner is warned, unless somebody set another share."""


class Limit(StrEnum):
    """What may be limited of an order before it is taken."""

    ORDER_VALUE = "ORDER_VALUE"
    OPEN_ORDER_VALUE = "OPEN_ORDER_VALUE"
    ORDER_QUANTITY = "ORDER_QUANTITY"
    NET_POSITION = "NET_POSITION"


@dataclass(frozen=True, slots=True)
class Limits:
    """Money in paise, quantities in units. None: not limited."""

    order_value: int | None = None
    open_order_value: int | None = None
    order_quantity: int | None = None
    net_position: int | None = None
    orders_per_second: int | None = None
    daily_loss: int | None = None
    daily_loss_warn_percent: int = WARN_PERCENT
    square_off_at_loss: bool = True
    price_deviation_percent: Decimal | None = None
    order_to_trade_ratio: int | None = None


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that an order would pass: what it would come to, and what is allowed."""

    limit: Limit
    value: int
    allowed: int


def stricter(first: Limits, second: Limits) -> Limits:
    """The smaller of each pair of figures; loss is squared off unless both owners said otherwise."""
    chosen: dict[str, Any] = {field.name: _stricter(field.name, first, second) for field in fields(Limits)}
    return Limits(**chosen)


def _stricter(name: str, first: Limits, second: Limits) -> int | bool | Decimal | None:
    values = [value for value in (getattr(first, name), getattr(second, name)) if value is not None]
    if name in TRUE_IS_STRICTER:
        return any(values)
    return min(values, default=None)


def breach(
    limits: Limits, *, value: int, open_value: int, quantity: int, net_position: int, previous_net_position: int
) -> Breach | None:
    """The first limit that an order passes, None when it passes none.

    `value` is the order's, `open_value` that of all live orders with it, `net_position` the largest signed quantity
    that the instrument could come to; an order that brings it nearer to flat than it was never breaches.
    """
    figures = (
        (Limit.ORDER_QUANTITY, quantity, limits.order_quantity),
        (Limit.ORDER_VALUE, value, limits.order_value),
        (Limit.OPEN_ORDER_VALUE, open_value, limits.open_order_value),
        (Limit.NET_POSITION, _grown(net_position, previous_net_position), limits.net_position),
    )
    return next(
        (
            Breach(limit, figure, allowed)
            for limit, figure, allowed in figures
            if allowed is not None and figure > allowed
        ),
        None,
    )


def _grown(position: int, before: int) -> int:
    """How large a position gets; 0 when it does not grow."""
    return abs(position) if abs(position) > abs(before) else 0
