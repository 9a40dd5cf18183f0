"""What a user asked to change of an order, as the venue is asked for it."""

from __future__ import annotations

from dataclasses import fields

from oms.core.engine_events import Change
from oms.core.order import OrderType, Validity
from oms.models import Order

CHANGEABLE = tuple(field.name for field in fields(Change))
WORDS = {"order_type": OrderType, "validity": Validity}


def change_asked(order: Order) -> Change:
    asked = {name: value for name, value in (order.modify_request or {}).items() if name in CHANGEABLE}
    return Change(**{name: WORDS[name](value) if name in WORDS else value for name, value in asked.items()})
