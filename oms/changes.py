"""The one way an order's status changes: checked against the table, told as an event, written in bulk with its fact."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from feeds.rows import as_records, lock_rows, recordset, write
from oms import facts
from oms.bulk import EVENT_COLUMNS, MUTABLE, ORDER_COLUMNS, insert_rows, values_of
from oms.core.order import TERMINAL, OrderStatus, next_status
from oms.models import Order, OrderEvent
from rms import facts as account_facts
from rms import holds
from rms.facts import NewFact
from rms.models import Hold

Kind = OrderEvent.Kind

UPDATED = {"id": "bigint", **MUTABLE}
UPDATE = (
    f"WITH given AS (SELECT * FROM {recordset(UPDATED)}) "  # noqa: S608 - names of our columns
    f"UPDATE oms_order SET {', '.join(f'{name} = given.{name}' for name in MUTABLE)} "
    "FROM given WHERE oms_order.id = given.id AND oms_order.id = ANY(ARRAY(SELECT id FROM given))"
)
"""The keys stand there twice, as without the array a hundred rows are expected of the text, and all orders are read."""
REASON_LENGTH = 200
UNFILLED_ENDS = frozenset({OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.EXPIRED})
"""What remains of an order's hold is given back; a filled one's was posted with its last fill."""


@dataclass(frozen=True, slots=True)
class Change:
    """One event that waits to be written, and the order as it stands after it."""

    order: Order
    event: OrderEvent
    settled: Mapping[str, Any] | None = None
    """The request that a modification or its refusal answers."""


def hold_reference(order_id: int) -> str:
    """How rms knows the margin of an order."""
    return f"order.{order_id}"


def lock_orders(ids: Collection[int]) -> dict[int, Order]:
    """The orders by id, locked until the transaction ends. What is to be changed is read here, after the funds rows."""
    found = lock_rows(Order, "id = ANY(%s)", [list(ids)])
    return {order.pk: order for order in found}


def change(
    order: Order,
    kind: str,
    status: OrderStatus | None = None,
    *,
    at: datetime,
    actor: AbstractBaseUser | None = None,
    reason_code: str = "",
    reason: str = "",
    details: Mapping[str, Any] | None = None,
    **columns: Any,
) -> Change:
    """Let something happen to an order, in memory: `save_changes` writes it.

    `status` None leaves the status; `columns` are further fields of the order, all among MUTABLE. A reason given with
    a status becomes the order's own. A new order has no status yet (""): it comes from nothing.

    Raises:
        ImpossibleTransition: the status cannot follow the one it has.
    """
    if status is not None:
        order.status = next_status(OrderStatus(order.status) if order.status else None, status)
        if reason_code:
            order.reason_code, order.reason = reason_code, reason[:REASON_LENGTH]
    settled = order.modify_request if "modify_request" in columns and columns["modify_request"] is None else None
    for name, value in columns.items():
        setattr(order, name, value)
    order.sequence += 1
    order.updated_at = at
    event = OrderEvent(
        account_id=order.account_id, sequence=order.sequence, kind=kind, status=order.status, actor=actor,
        reason_code=reason_code, reason=reason[:REASON_LENGTH], details=dict(details or {}), at=at,
    )  # fmt: skip
    return Change(order, event, settled)


def save_changes(changes: Sequence[Change], also: Sequence[NewFact] = ()) -> None:
    """Write changes in the caller's transaction, under the funds rows of their accounts and the orders' own.

    New orders have their ids already. One event each, one ORDER fact for each order as it stands after its last, and
    the hold of whatever was cancelled, rejected or expired is voided. `also` are facts to be told behind them.
    Browsers hear of it after the commit.
    """
    if not changes:
        return
    orders = list({each.order.pk or id(each.order): each.order for each in changes}.values())
    known = [order for order in orders if not order._state.adding]
    _insert([order for order in orders if order._state.adding])
    _update(known)
    for each in changes:
        each.event.order_id = each.order.pk
    insert_rows([each.event for each in changes], EVENT_COLUMNS)
    ended = [order.pk for order in known if order.status in UNFILLED_ENDS]
    if ended:
        holds.void([hold_reference(pk) for pk in ended])
    for each in changes:
        if each.settled is not None and each.order.status not in TERMINAL:
            _give_back(each)
    record_facts([*((order.account_id, facts.ORDER, facts.order_body(order)) for order in orders), *also])


def _give_back(answered: Change) -> None:
    """After a modification or its refusal bind no more than the order then needs: its share for what is left."""
    order, request = answered.order, answered.settled or {}
    amount = request["held" if answered.event.kind == Kind.MODIFY_REFUSED else "hold"]
    unfilled = order.quantity - request["filled_quantity"]
    left = -(-amount * order.remaining_quantity // unfilled) if unfilled > 0 else 0
    reference = hold_reference(order.pk)
    if Hold.objects.filter(reference=reference, state=Hold.State.HELD, amount__gt=left).exists():
        holds.resize(reference, left)


def record_facts(bodies: Sequence[NewFact]) -> None:
    """Facts in this order, and word of them to every hub after the commit."""
    account_facts.record_many(bodies)
    account_facts.announce({account_id for account_id, _, _ in bodies})


def _insert(orders: Sequence[Order]) -> None:
    insert_rows(orders, ORDER_COLUMNS)
    for order in orders:
        order._state.adding = False


def _update(orders: Sequence[Order]) -> None:
    if not orders:
        return
    write(UPDATE, [as_records(UPDATED, values_of(orders, UPDATED))])
