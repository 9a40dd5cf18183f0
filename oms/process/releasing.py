"""What waits with us and is sent when its time or its price has come: after-market orders, forever orders."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
from django.db import transaction
from numpy.typing import NDArray

from feeds import clock
from feeds.core.calendar import Phase
from feeds.core.tick import TickFlag
from oms import trading_day
from oms.changes import Change, change, hold_reference, lock_orders, save_changes
from oms.core.engine_events import Reason
from oms.core.order import EXITS, STOP_TYPES, OrderStatus, OrderType, Role, Side, Source, Validity
from oms.core.rules import Draft, Refusal, check
from oms.desk import Desk
from oms.models import Order, OrderEvent
from oms.process.fencing import require_epoch
from oms.process.reasons import sentence
from rms import gate, ledger
from rms.core.product import Product
from rms.models import Hold

Kind = OrderEvent.Kind
Rows = NDArray[np.void]

BATCH = 200
UNUSABLE = int(TickFlag.STALE | TickFlag.QUARANTINED)
SENT_AS = {OrderType.STOP_LOSS: OrderType.LIMIT, OrderType.STOP_LOSS_MARKET: OrderType.MARKET}
"""A forever stop has been triggered when it is sent."""


# --- forever orders: which prices they wait for -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Watched:
    """A forever order, the price that sends it, and whether that is reached from below."""

    order_id: int
    code: int
    price: int
    from_below: bool
    placed_at: int  # wall ns: what a batch saw before does not count


def read_watched() -> list[Watched]:
    """All forever orders that wait."""
    rows = Order.objects.filter(status=OrderStatus.QUEUED, forever=True, cancel_requested=False).order_by("pk")
    return [watched(order) for order in rows]


def watched(order: Order) -> Watched:
    """A stop waits for a price that hurts, a limit for one as good as its own."""
    is_stop = order.order_type in STOP_TYPES
    price = order.trigger_price if is_stop else order.limit_price
    from_below = is_stop == (order.side == Side.BUY)
    return Watched(order.pk, order.instrument_id, price or 0, from_below, round(order.created_at.timestamp() * 1e9))


def touched(waiting: Sequence[Watched], rows: Rows, oldest: int | None, oldest_usable: int) -> set[int]:
    """Those whose price was seen. `oldest`: wall ns of the first packet in a batch, None for a snapshot, whose lows
    and highs say nothing; `oldest_usable`: rows received before this are stale."""
    wanted = {each.code for each in waiting}
    known = rows[np.isin(rows["code"], np.fromiter(wanted, np.uint64, len(wanted)))] if wanted else rows[:0]
    usable = known[(known["flags"] & UNUSABLE == 0) & (known["last_price"] > 0)]
    by_code = {int(row["code"]): row for row in usable[usable["received_at"] >= oldest_usable]}
    return {each.order_id for each in waiting if each.code in by_code and _is_reached(each, by_code[each.code], oldest)}


def _is_reached(each: Watched, row: Any, oldest: int | None) -> bool:
    low = high = int(row["last_price"])
    if oldest is not None and oldest >= each.placed_at and row["low"]:
        low, high = min(low, int(row["low"])), max(high, int(row["high"]))
    return high >= each.price if each.from_below else low <= each.price


# --- sending ----------------------------------------------------------------------------------------


def release_due(now: datetime, epoch: int) -> int:
    """Send the after-market orders whose time has come; what a check refuses by now is rejected. Returns how many."""
    due = Order.objects.filter(status=OrderStatus.QUEUED, release_at__lte=now, forever=False).order_by("pk")
    return _release(due.values_list("pk", flat=True)[:BATCH], now, epoch)


def release_touched(ids: Collection[int], now: datetime, epoch: int) -> int:
    """Send forever orders whose price was seen, while their market trades. Of a pair the other exit ends."""
    return _release(sorted(ids)[:BATCH], now, epoch)


@transaction.atomic
def _release(ids: Iterable[int], now: datetime, epoch: int) -> int:
    """Under the gate: a kill switch has either cancelled them, or is seen by the checks."""
    ids = list(ids)
    if not ids:
        return 0
    gate.shared()
    require_epoch(epoch)
    orders = Order.objects.filter(pk__in=ids)
    funds = ledger.lock(orders.values_list("account_id", flat=True).distinct())
    waiting = [
        row for row in lock_orders(ids).values() if row.status == OrderStatus.QUEUED and not row.cancel_requested
    ]
    changes: list[Change] = []
    for account_id, rows in groupby(sorted(waiting, key=attrgetter("account_id", "pk")), key=attrgetter("account_id")):
        own = list(rows)
        desk = Desk.open(funds[account_id], None, now, {row.instrument_id for row in own})
        for row in own:
            changes += _sent(desk, row, now)
    save_changes(changes)
    return len(changes)


def _sent(desk: Desk, row: Order, now: datetime) -> Iterator[Change]:
    if row.status != OrderStatus.QUEUED:  # the other of its pair was sent just now
        return
    if row.forever and trading_day.phase_of(desk.market.instrument(row.instrument_id), now) is not Phase.CONTINUOUS:
        return
    refusal = refusal_now(desk, row, now)
    if refusal is not None:
        yield _rejected(row, refusal, now)
        if row.role == Role.ENTRY:
            yield from (_cancelled(each, Reason.ENTRY_ENDED, now) for each in _others(row))
        return
    columns = {"order_type": SENT_AS.get(OrderType(row.order_type), row.order_type), "triggered": True}
    sent = columns if row.forever else {}
    yield change(row, Kind.RELEASED, OrderStatus.TRANSIT, at=now, trading_date=now.date(), **sent)
    if row.forever:
        yield from (_cancelled(each, Reason.OTHER_EXIT, now) for each in _others(row))


def _others(row: Order) -> Iterable[Order]:
    """The exits of its group that wait."""
    if row.group_id is None:
        return []
    others = Order.objects.filter(group_id=row.group_id, role__in=EXITS, status=OrderStatus.QUEUED).exclude(pk=row.pk)
    return lock_orders(list(others.values_list("pk", flat=True))).values()


def _rejected(row: Order, refusal: Refusal, now: datetime) -> Change:
    return change(
        row, Kind.REJECTED, OrderStatus.REJECTED, at=now,
        reason_code=refusal.code, reason=refusal.message, details=refusal.details,
    )  # fmt: skip


def _cancelled(row: Order, code: str, now: datetime) -> Change:
    return change(row, Kind.CANCELLED, OrderStatus.CANCELLED, at=now, reason_code=code, reason=sentence(code))


def refusal_now(desk: Desk, row: Order, now: datetime) -> Refusal | None:
    """Every check as if it were placed this moment, but for the margin it holds already and the rate of requests."""
    instrument = desk.market.instrument(row.instrument_id)
    draft = draft_now(row)
    context = desk.context(
        draft, trading_day.contract_of(instrument), trading_day.phase_of(instrument, now), without=row.pk
    )
    held = Hold.objects.filter(reference=hold_reference(row.pk)).values_list("amount", flat=True).first() or 0
    return check(
        draft,
        replace(context, required_margin=held, available_margin=desk.available + held, orders_in_second=0),
    )


def draft_now(row: Order) -> Draft:
    """The order as it would be sent."""
    kind = OrderType(row.order_type)
    return Draft(
        side=Side(row.side),
        order_type=SENT_AS.get(kind, kind) if row.forever else kind,
        quantity=row.quantity,
        product=Product(row.product),
        validity=Validity(row.validity),
        limit_price=row.limit_price,
        trigger_price=None if row.forever else row.trigger_price,
        disclosed_quantity=row.disclosed_quantity,
        reduces=row.reduces,
        role=Role(row.role),
        source=Source(row.source),
    )


def oldest_usable(seconds: float) -> int:
    """Wall ns of the oldest row that counts."""
    return clock.wall_nanoseconds() - round(seconds * 1e9)
