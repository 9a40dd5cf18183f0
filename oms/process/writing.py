"""What came of a step, into the database in one transaction: fills, trades, events, holds and facts, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from feeds.clock import IST
from feeds.rows import fetch_each, instances, locking, sent_together
from oms import facts, failpoints
from oms.bulk import TRADE_COLUMNS, insert_rows
from oms.changes import Change, change, hold_reference, save_changes
from oms.core.engine_events import (
    Accepted,
    Activated,
    Cancelled,
    EngineEvent,
    Expired,
    Filled,
    Modified,
    ModifyRefused,
    Protected,
    Reason,
    Rejected,
    Trailed,
    Triggered,
)
from oms.core.order import STOP_TYPES, TERMINAL, OrderStatus, Side
from oms.models import Order, OrderEvent, Trade
from oms.process.fencing import epoch_query, require_epoch_in
from oms.process.reasons import REQUESTED, sentence
from rms import facts as account_facts
from rms import fills as money
from rms.core.product import Product
from rms.fills import Fill
from rms.market import Market
from rms.models import Funds, Holding, Position

Kind = OrderEvent.Kind
OF_ORDERS = "account_id = ANY(ARRAY(SELECT account_id FROM oms_order WHERE id = ANY(%s)))"
"""Whose orders these are; an order never changes hands."""
HELD = "SELECT reference, amount FROM rms_hold WHERE reference = ANY(%s) AND state = 'HELD'"
"""Paise that orders bind now; those that never held anything are absent."""
MarketOf = Callable[[Collection[int]], Market]
"""The prices that fills of these instruments are margined on."""


@dataclass(frozen=True, slots=True)
class Written:
    """What one step came to."""

    fills: int = 0
    ended: frozenset[int] = frozenset()
    cut: frozenset[int] = frozenset()
    """Orders that may only reduce and were ended, as nothing was left to close: the venue has to be told."""


@dataclass
class Page:
    """One step as it is being translated: orders as they stand, and what is to be written of them."""

    orders: Mapping[int, Order]
    epoch: int
    changes: list[Change] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    unfilled: dict[int, int] = field(default_factory=dict)
    """By order: what was still open before its first fill of the step."""
    asked: Mapping[int, OrderEvent] = field(default_factory=dict)
    """By order: the request to cancel it."""
    room: Room | None = None
    """None: no order of the step may only reduce."""
    cut: set[int] = field(default_factory=set)

    def add(self, order: Order, kind: str, status: OrderStatus | None, at: datetime, **more: Any) -> None:
        self.changes.append(change(order, kind, status, at=at, **more))


@transaction.atomic
def write_events(events: Sequence[EngineEvent], epoch: int, market_of: MarketOf) -> Written:
    """Write what the venue told, all or nothing, under the locks of every account concerned.

    Raises:
        Fenced: another process has taken over.
        django.db.Error: nothing was written, or (the connection broke in the commit) that is not known.
    """
    transaction.on_commit(partial(failpoints.reach, "after_commit_before_announce"))
    ids = list({event.order_id for event in events})
    filled = list({event.order_id for event in events if isinstance(event, Filled)})
    reign, _, order_rows, hold_rows = fetch_each(
        epoch_query(),
        locking(Funds, OF_ORDERS, [ids]),
        locking(Order, "id = ANY(%s)", [ids]),
        (HELD, [[hold_reference(pk) for pk in filled]]),
    )
    require_epoch_in(reign, epoch)
    orders = {order.pk: order for order in instances(Order, order_rows)}
    market = market_of({orders[pk].instrument_id for pk in filled})
    room = room_for(events, orders)
    page = translate(events, orders, epoch, market, room)
    told = [(each.account_id, facts.TRADE, facts.trade_body(each)) for each in page.trades]
    with sent_together(), account_facts.together():
        if page.trades:  # before the orders, whose ends void what a fill has not posted
            money.record_fills(fills_of(page, dict(hold_rows)), market)
        insert_rows(page.trades, TRADE_COLUMNS)
        save_changes(page.changes, also=told)
    failpoints.reach("before_commit")
    ended = frozenset(pk for pk, order in page.orders.items() if order.status in TERMINAL)
    return Written(len(page.trades), ended, frozenset(page.cut))


def translate(
    events: Sequence[EngineEvent], orders: Mapping[int, Order], epoch: int, market: Market, room: Room | None = None
) -> Page:
    """Events as changes and trades. The orders are changed in memory."""
    page = Page(orders, epoch, asked=_requests_to_cancel(orders), room=room)
    for event in events:
        order = orders[event.order_id]
        if order.pk in page.cut:
            continue
        if isinstance(event, Filled):
            fill(page, order, event, market.instrument(order.instrument_id).multiplier)
        else:
            HANDLERS[type(event)](page, order, event)
    return page


def _requests_to_cancel(orders: Mapping[int, Order]) -> dict[int, OrderEvent]:
    ids = [pk for pk, order in orders.items() if order.cancel_requested]
    if not ids:
        return {}
    events = OrderEvent.objects.filter(order__in=ids, kind=Kind.CANCEL_REQUESTED).select_related("actor")
    return {event.order_id: event for event in events}


# --- what may only reduce -------------------------------------------------------------------------

PositionKey = tuple[int, int, str]
"""Account, instrument, product."""


@dataclass
class Room:
    """Positions as the fills of a step leave them one after another, settled shares beside."""

    positions: dict[PositionKey, int]
    shares: Mapping[PositionKey, int]

    def take(self, order: Order, quantity: int) -> int:
        """How much of a fill may happen; it has happened after this."""
        key, side = _key(order), Side(order.side)
        open_now = self.positions.get(key, 0)
        if order.reduces:
            settled = self.shares.get(key, 0) if side is Side.SELL else 0
            quantity = min(quantity, max(settled - side.sign * open_now, 0))
        self.positions[key] = open_now + side.sign * quantity
        return quantity


def _key(order: Order) -> PositionKey:
    return order.account_id, order.instrument_id, str(order.product)


def room_for(events: Sequence[EngineEvent], orders: Mapping[int, Order]) -> Room | None:
    """The positions that orders which may only reduce have filled against; their accounts are locked."""
    filled = {event.order_id for event in events if isinstance(event, Filled)}
    keys = {_key(orders[pk]) for pk in filled if orders[pk].reduces}
    if not keys:
        return None
    wanted = {"account__in": {key[0] for key in keys}, "instrument__in": {key[1] for key in keys}}
    positions = Position.objects.filter(**wanted)
    shares = Holding.objects.filter(**wanted).values_list("account_id", "instrument_id", "quantity")
    return Room(
        {(row.account_id, row.instrument_id, row.product): row.signed_quantity for row in positions},
        {(account_id, code, Product.CNC.value): quantity for account_id, code, quantity in shares},
    )


# --- fills ----------------------------------------------------------------------------------------


def fill(page: Page, order: Order, event: Filled, multiplier: int) -> None:
    """What may only reduce takes no more than is open: somebody else may have closed it since the order was checked."""
    closable = event.quantity if page.room is None else page.room.take(order, event.quantity)
    if closable:
        fill_whole(page, order, replace(event, quantity=closable), multiplier)
    if closable < event.quantity:
        page.cut.add(order.pk)
        cancelled(page, order, Cancelled(order.pk, Reason.POSITION_CLOSED, event.at))


def fill_whole(page: Page, order: Order, event: Filled, multiplier: int) -> None:
    page.unfilled.setdefault(order.pk, order.remaining_quantity)
    order.filled_quantity += event.quantity
    order.filled_value += event.quantity * event.price
    status = OrderStatus.PARTIALLY_FILLED if order.remaining_quantity else OrderStatus.FILLED
    details = {"number": event.number, "quantity": event.quantity, "price": event.price}
    page.add(order, Kind.FILLED, status, event.at, details=details)
    page.trades.append(
        Trade(
            order=order, account_id=order.account_id, instrument_id=order.instrument_id, number=event.number,
            side=order.side, product=order.product, quantity=event.quantity, price=event.price, multiplier=multiplier,
            trading_date=event.at.astimezone(IST).date(), at=event.at, epoch=page.epoch,
        )
    )  # fmt: skip


def fills_of(page: Page, held: Mapping[str, int]) -> list[Fill]:
    """The trades as rms hears of them. An order that ended in this step binds nothing after its last fill."""
    fills = []
    for trade in page.trades:
        order, reference = trade.order, hold_reference(trade.order_id)
        fills.append(
            Fill(
                account_id=trade.account_id,
                code=trade.instrument_id,
                product=trade.product,
                signed_quantity=Side(trade.side).sign * trade.quantity,
                price=trade.price,
                multiplier=trade.multiplier,
                reference=f"{trade.order_id}.{trade.number}",
                trading_date=trade.trading_date,
                at=trade.at,
                hold_reference=reference if reference in held else "",
                hold_left=hold_left(order, held.get(reference, 0), page.unfilled[trade.order_id]),
                hold_stays=order.status not in TERMINAL,  # a change of the order may bind more again
            )
        )
    return fills


def hold_left(order: Order, held: int, unfilled: int) -> int:
    """Paise that the rest of an order binds: its share of what `unfilled` bound, rounded up."""
    if order.status in TERMINAL:
        return 0
    return -(-held * order.remaining_quantity // unfilled)


# --- everything else ------------------------------------------------------------------------------


def accepted(page: Page, order: Order, event: Accepted) -> None:
    """An exit that waits for its entry stays QUEUED."""
    status = None
    if order.status != OrderStatus.QUEUED:
        status = OrderStatus.TRIGGER_PENDING if order.order_type in STOP_TYPES else OrderStatus.OPEN
    page.add(order, Kind.ACCEPTED, status, event.at, details={"priority": event.priority})


def activated(page: Page, order: Order, event: Activated) -> None:
    """From waiting to the venue, by the two steps of everything that is sent."""
    details = {"quantity": event.quantity, "priority": event.priority, "trailing_anchor": event.trailing_anchor}
    status = OrderStatus.TRIGGER_PENDING if order.order_type in STOP_TYPES else OrderStatus.OPEN
    page.add(order, Kind.RELEASED, OrderStatus.TRANSIT, event.at, quantity=event.quantity)
    page.add(order, Kind.ACCEPTED, status, event.at, details=details)


def triggered(page: Page, order: Order, event: Triggered) -> None:
    details = {"price": event.price, "limit_price": event.limit_price, "priority": event.priority}
    page.add(
        order, Kind.TRIGGERED, OrderStatus.OPEN, event.at,
        details=details, triggered=True, protection_price=event.limit_price,
    )  # fmt: skip


def protected(page: Page, order: Order, event: Protected) -> None:
    details = {"protection_price": event.limit_price}
    page.add(order, Kind.PROTECTED, None, event.at, details=details, protection_price=event.limit_price)


def cancelled(page: Page, order: Order, event: Cancelled) -> None:
    """One that was asked for has the reason and the person of its request."""
    code, text, actor = event.reason_code, sentence(event.reason_code), None
    if code == REQUESTED and (request := page.asked.get(order.pk)) is not None:
        code, text, actor = request.reason_code, request.reason, request.actor
    page.add(order, Kind.CANCELLED, OrderStatus.CANCELLED, event.at, actor=actor, reason_code=code, reason=text)


def expired(page: Page, order: Order, event: Expired) -> None:
    text = sentence(event.reason_code)
    page.add(order, Kind.EXPIRED, OrderStatus.EXPIRED, event.at, reason_code=event.reason_code, reason=text)


def rejected(page: Page, order: Order, event: Rejected) -> None:
    page.add(order, Kind.REJECTED, OrderStatus.REJECTED, event.at, reason_code=event.code, reason=event.message)


CHANGED_COLUMNS = ("quantity", "limit_price", "trigger_price", "disclosed_quantity")


def modified(page: Page, order: Order, event: Modified) -> None:
    columns = {name: getattr(event, name) for name in CHANGED_COLUMNS}
    details = {**columns, "order_type": event.order_type, "priority": event.priority}
    if not event.by_group:
        columns["modify_request"] = None
    page.add(order, Kind.MODIFIED, None, event.at, details=details, order_type=event.order_type, **columns)


def modify_refused(page: Page, order: Order, event: ModifyRefused) -> None:
    page.add(
        order, Kind.MODIFY_REFUSED, None, event.at, reason_code=event.code, reason=event.message, modify_request=None
    )


def trailed(page: Page, order: Order, event: Trailed) -> None:
    details = {"trigger_price": event.trigger_price, "trailing_anchor": event.trailing_anchor}
    page.add(
        order, Kind.TRAILED, None, event.at,
        details=details, trigger_price=event.trigger_price, limit_price=event.limit_price,
    )  # fmt: skip


HANDLERS: dict[type, Callable[[Page, Order, Any], None]] = {
    Accepted: accepted,
    Activated: activated,
    Triggered: triggered,
    Protected: protected,
    Cancelled: cancelled,
    Expired: expired,
    Rejected: rejected,
    Modified: modified,
    ModifyRefused: modify_refused,
    Trailed: trailed,
}
"""How each event but a fill is written."""
