"""Orders from the database as the venue knows them: what waits to be sent, and what stands there after a restart."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from operator import attrgetter

from django.db.models import Count, Q, QuerySet

from feeds import clock
from feeds.core.instrument import ExchangeSegment, InstrumentType
from feeds.rows import all_rows
from oms.core.engine_events import EngineOrder
from oms.core.order import AT_THE_VENUE, EXITS, STOP_TYPES, OrderStatus, OrderType, Role, Side, Validity
from oms.models import LIVE_VALUES, Order, OrderEvent, OrderGroup, Trade
from oms.trading_day import has_derivatives
from rms.market import facts

BATCH = 500
"""Orders of one step: enough that a step costs little for each, few enough that none waits long for its commit."""
MATCHED_TOGETHER = frozenset({OrderGroup.Kind.BRACKET, OrderGroup.Kind.OCO})
"""Slices and baskets are orders of their own at the venue."""
TO_EXECUTE = f"""(status = 'TRANSIT' OR status IN ({", ".join(f"'{value}'" for value in LIVE_VALUES)})
AND (cancel_requested OR NOT modify_request = 'null'))"""
"""The condition of the index `order_to_execute`."""
KEPT_STATE = ("priority", "trailing_anchor")
"""What the venue told of an order and no column has: events keep it in their details."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What users asked, oldest first: orders to be sent with the exits that wait for them, and changes of others."""

    placing: Sequence[EngineOrder] = ()
    modifying: Sequence[Order] = ()
    cancelling: Sequence[Order] = ()
    exits: Mapping[int, Sequence[int]] = field(default_factory=dict)
    """By entry that is to be cancelled: its exits that wait, which end with it if it never was at the venue."""
    is_full: bool = False
    """There may be more."""


def read_waiting(aside: Collection[int] = ()) -> Waiting:
    """One batch of what the index `order_to_execute` holds, but for what was set aside."""
    orders = all_rows(Order, f"{TO_EXECUTE} AND id <> ALL(%s::bigint[]) ORDER BY id LIMIT {BATCH}", [list(aside)])
    _know_instruments_and_groups(orders)
    entries = {order.group_id: order for order in orders if order.role == Role.ENTRY}
    exits = list(_waiting_exits(entries)) if entries else []
    cancelled: dict[int, list[int]] = {}
    for each in exits:
        if entries[each.group_id].cancel_requested:
            cancelled.setdefault(entries[each.group_id].pk, []).append(each.pk)
    placed = [order for order in orders if order.status == OrderStatus.TRANSIT and not order.cancel_requested]
    placed_groups = {order.group_id for order in placed if order.role == Role.ENTRY}
    following = [each for each in exits if each.group_id in placed_groups and not each.cancel_requested]
    waits = engine_orders(following, waits=True)
    return Waiting(
        placing=sorted(engine_orders(placed) + waits, key=attrgetter("id")),
        modifying=[order for order in orders if _only_to_modify(order)],
        cancelling=[order for order in orders if order.cancel_requested],
        exits=cancelled,
        is_full=len(orders) == BATCH,
    )


def _know_instruments_and_groups(orders: Sequence[Order]) -> None:
    """Give each what the venue is told of it: its instrument, as this process knows it, and its group."""
    known = facts(clock.exchange_today()).take(order.instrument_id for order in orders)
    groups = OrderGroup.objects.in_bulk({order.group_id for order in orders if order.group_id is not None})
    for order in orders:
        order.instrument = known[order.instrument_id]
        order.group = groups.get(order.group_id)


def _only_to_modify(order: Order) -> bool:
    return order.modify_request is not None and not order.cancel_requested and order.status != OrderStatus.TRANSIT


def _waiting_exits(groups: Collection[int | None]) -> QuerySet[Order]:
    exits = Order.objects.filter(group__in=list(groups), role__in=EXITS, status=OrderStatus.QUEUED, forever=False)
    return exits.select_related("instrument", "group").order_by("pk")


@dataclass(frozen=True, slots=True)
class Standing:
    """The book after a restart. `overdue`: orders of an earlier day, whose close nobody saw."""

    orders: list[EngineOrder]
    overdue: list[Order]


def read_standing(today: date) -> Standing:
    """Every order at the venue, exits that wait for such entries among them."""
    at_venue = list(Order.objects.filter(status__in=AT_THE_VENUE).select_related("instrument", "group").order_by("pk"))
    overdue = [order for order in at_venue if order.trading_date < today]
    present = [order for order in at_venue if order.trading_date >= today]
    entries = {order.group_id for order in present if order.role == Role.ENTRY}
    exits = list(_waiting_exits(entries)) if entries else []
    orders = engine_orders(present) + engine_orders(exits, waits=True)
    return Standing(_with_state(orders), overdue)


def engine_orders(orders: Iterable[Order], *, waits: bool = False) -> list[EngineOrder]:
    """As the venue is told of them."""
    today = clock.exchange_today()
    return [engine_order(order, waits, has_derivatives(order.instrument, today)) for order in orders]


def engine_order(order: Order, waits: bool, has_derivatives: bool) -> EngineOrder:
    instrument = order.instrument
    group = order.group if order.group is not None and order.group.kind in MATCHED_TOGETHER else None
    return EngineOrder(
        id=order.pk,
        account=order.account_id,
        code=instrument.code,
        segment=ExchangeSegment(instrument.segment),
        side=Side(order.side),
        order_type=OrderType(order.order_type),
        quantity=order.quantity,
        limit_price=order.limit_price,
        trigger_price=order.trigger_price if order.order_type in STOP_TYPES else None,
        validity=Validity(order.validity),
        disclosed_quantity=order.disclosed_quantity,
        instrument_type=InstrumentType(instrument.instrument_type),
        tick_size=instrument.tick_size,
        has_derivatives=has_derivatives,
        group=group.pk if group is not None else None,
        role=Role(order.role),
        waits=waits,
        trailing_jump=group.trailing_jump if group is not None and order.role == Role.STOP else 0,
        filled=order.filled_quantity,
        triggered=order.triggered,
        protection_price=order.protection_price,
    )


def _with_state(orders: Sequence[EngineOrder]) -> list[EngineOrder]:
    """With what their events and trades tell: priority, the anchor of a trailing stop, the number of fills."""
    ids = [order.id for order in orders]
    state: dict[int, dict[str, int]] = {pk: {} for pk in ids}
    told = OrderEvent.objects.filter(Q(details__has_any_keys=KEPT_STATE), order__in=ids).order_by("order", "sequence")
    for pk, details in told.values_list("order_id", "details"):
        state[pk] |= {name: details[name] for name in KEPT_STATE if name in details}
    counts = Trade.objects.filter(order__in=ids).values_list("order_id").annotate(Count("pk")).order_by()
    fills = dict(counts)
    return [replace(order, **state[order.id], fills=fills.get(order.id, 0)) for order in orders]
