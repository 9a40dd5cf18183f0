"""What a venue takes at which phase of its day, and what it refuses whatever the time."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, NamedTuple

from feeds.core.calendar import Phase
from oms.core.engine_events import Change, EngineOrder, Reason
from oms.core.order import PRICED_TYPES, STOP_TYPES, OrderType, Validity

AUCTION_PHASES = frozenset({Phase.PRE_OPEN, Phase.PRE_OPEN_LIMIT_ONLY, Phase.CLOSING_AUCTION, Phase.CLOSING_LIMIT_ONLY})
"""Limit and market orders come in and rest; no stop, no IOC, no disclosed quantity."""
LIMIT_ONLY_PHASES = frozenset({Phase.PRE_OPEN_LIMIT_ONLY, Phase.CLOSING_LIMIT_ONLY})
CLOSING_PHASES = frozenset(
    {Phase.CLOSING_REFERENCE, Phase.CLOSING_AUCTION, Phase.CLOSING_LIMIT_ONLY, Phase.CLOSING_MATCHING}
)


class Refusal(NamedTuple):
    code: Reason
    message: str


def refusal_of(order: EngineOrder, phase: Phase) -> Refusal | None:
    """Why the venue does not take the order at this phase. An exit that waits is not at the venue yet."""
    if order.order_type is OrderType.LIMIT and order.limit_price is not None and phase is Phase.CONTINUOUS:
        return None
    if lacks_price(order):
        return Refusal(Reason.PRICE_MISSING, f"A {order.order_type} order needs its limit and trigger prices.")
    if has_wrong_sign(order):
        return Refusal(
            Reason.STOP_SIGN, "A stop's limit must not be below its trigger for a buy, nor above it for a sale."
        )
    if order.waits or phase is Phase.CONTINUOUS:
        return None
    if phase not in AUCTION_PHASES:
        return Refusal(Reason.PHASE, f"The segment takes no orders now ({phase}).")
    if order.order_type in STOP_TYPES or order.validity is Validity.IOC or order.disclosed_quantity:
        return Refusal(Reason.PHASE, f"No stop, IOC or disclosed quantity while prices are found by auction ({phase}).")
    if order.order_type is OrderType.MARKET and phase in LIMIT_ONLY_PHASES:
        return Refusal(Reason.PHASE, f"Only limit orders are taken now ({phase}).")
    return None


def lacks_price(order: EngineOrder) -> bool:
    return (order.order_type in PRICED_TYPES and order.limit_price is None) or (
        order.order_type in STOP_TYPES and order.trigger_price is None
    )


def has_wrong_sign(order: EngineOrder) -> bool:
    if order.order_type is not OrderType.STOP_LOSS or order.limit_price is None or order.trigger_price is None:
        return False
    return order.side.sign * (order.limit_price - order.trigger_price) < 0


def refusal_of_change(order: EngineOrder, change: Change) -> Refusal | None:
    """Why an order that is held cannot be changed so, whatever the time."""
    if change.quantity is not None and order.group is not None and order.is_exit:
        return Refusal(Reason.EXIT_QUANTITY, "An exit's quantity follows its entry and the other exit.")
    if change.quantity is not None and change.quantity <= order.filled:
        return Refusal(Reason.BELOW_FILLED, f"{order.filled} are filled already; a new quantity must be more.")
    if order.triggered and change.trigger_price not in (None, order.trigger_price):
        return Refusal(Reason.TRIGGERED, "The stop has been triggered; its trigger cannot change any more.")
    return None


def changed(order: EngineOrder, change: Change) -> EngineOrder:
    """The order with the change. A limit given to an order that rests at its protection makes it a limit order."""
    asked = {field.name: getattr(change, field.name) for field in fields(change)}
    values: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    is_market = order.order_type is OrderType.MARKET or order.protection_price is not None
    if is_market and "limit_price" in values:
        values.setdefault("order_type", OrderType.LIMIT)
    if "limit_price" in values or "order_type" in values:
        values["protection_price"] = None
    if values.get("order_type", order.order_type) not in PRICED_TYPES:
        values["limit_price"] = None
    return replace(order, **values)


def loses_priority(before: EngineOrder, after: EngineOrder) -> bool:
    """A lower quantity keeps an order's place; another price or type, or more of it, does not."""
    return after.quantity > before.quantity or any(
        getattr(before, name) != getattr(after, name)
        for name in ("order_type", "limit_price", "trigger_price", "protection_price")
    )
