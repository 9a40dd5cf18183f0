"""The bodies of ORDER, TRADE and REFUSAL facts: paise, epoch milliseconds, and keys as websocket frames carry them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from feeds.core.instrument import InstrumentKey
from oms.models import Order, Trade

ORDER = "ORDER"
TRADE = "TRADE"
REFUSAL = "REFUSAL"


def order_body(order: Order) -> dict[str, Any]:
    """An order as it stands after its last event."""
    return {
        "id": order.pk,
        "sequence": order.sequence,
        "client_reference": order.client_reference,
        "instrument": instrument_text(order.instrument_id),
        "side": order.side,
        "order_type": order.order_type,
        "validity": order.validity,
        "product": order.product,
        "quantity": order.quantity,
        "filled_quantity": order.filled_quantity,
        "average_price": average_price(order),
        "disclosed_quantity": order.disclosed_quantity,
        "limit_price": order.limit_price,
        "trigger_price": order.trigger_price,
        "protection_price": order.protection_price,
        "triggered": order.triggered,
        "status": order.status,
        "reason_code": order.reason_code,
        "reason": order.reason,
        "source": order.source,
        "group": order.group_id,
        "role": order.role,
        "after_market": order.after_market,
        "forever": order.forever,
        "reduces": order.reduces,
        "cancel_requested": order.cancel_requested,
        "modify_requested": order.modify_request is not None,
        "release_at": milliseconds(order.release_at),
        "trading_date": order.trading_date.isoformat(),
        "placed_at": milliseconds(order.placed_at),
        "updated_at": milliseconds(order.updated_at),
    }


def trade_body(trade: Trade) -> dict[str, Any]:
    """One fill."""
    return {
        "order": trade.order_id,
        "number": trade.number,
        "instrument": instrument_text(trade.instrument_id),
        "side": trade.side,
        "product": trade.product,
        "quantity": trade.quantity,
        "price": trade.price,
        "multiplier": trade.multiplier,
        "at": milliseconds(trade.at),
    }


def refusal_body(order: Order, details: dict[str, Any]) -> dict[str, Any]:
    """Why an order was not taken, in the words its trader read."""
    return {
        "order": order.pk,
        "client_reference": order.client_reference,
        "instrument": instrument_text(order.instrument_id),
        "code": order.reason_code,
        "message": order.reason,
        "details": details,
        "at": milliseconds(order.updated_at),
    }


def average_price(order: Order) -> int | None:
    """Paise, rounded half to even; None before the first fill. `filled_value` is the exact figure."""
    if not order.filled_quantity:
        return None
    whole, rest = divmod(order.filled_value, order.filled_quantity)
    twice = 2 * rest - order.filled_quantity
    return whole + (twice > 0 or (twice == 0 and whole % 2 == 1))


def instrument_text(code: int) -> str:
    return str(InstrumentKey.from_code(code))


def milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
