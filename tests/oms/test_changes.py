"""The one function that changes a status: the table holds, events count up, facts follow, holds end."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from feeds import clock
from oms import bell
from oms.changes import change, lock_orders, save_changes
from oms.core.order import ImpossibleTransition, OrderStatus
from oms.facts import average_price
from oms.models import Order, OrderEvent
from rms import facts


def test_events_count_up_and_say_who_and_why(floor):
    order = floor.place()
    at = clock.exchange_now()
    row = lock_orders([order.pk])[order.pk]
    save_changes(
        [
            change(row, "ACCEPTED", OrderStatus.OPEN, at=at),
            change(
                row, "FILLED", OrderStatus.PARTIALLY_FILLED, at=at, details={"quantity": 5}, filled_quantity=5,
                filled_value=75_000,
            ),
            change(row, "CANCELLED", OrderStatus.CANCELLED, at=at, actor=floor.trader, reason_code="X", reason="Why."),
        ]
    )  # fmt: skip
    stored = Order.objects.get(pk=order.pk)
    assert (stored.status, stored.sequence, stored.filled_quantity, stored.reason) == ("CANCELLED", 4, 5, "Why.")
    events = OrderEvent.objects.filter(order=order).values_list("sequence", "kind", "status", "actor")
    assert list(events) == [
        (1, "PLACED", "TRANSIT", floor.trader.pk),
        (2, "ACCEPTED", "OPEN", None),
        (3, "FILLED", "PARTIALLY_FILLED", None),
        (4, "CANCELLED", "CANCELLED", floor.trader.pk),
    ]
    assert average_price(stored) == 15_000


def test_one_fact_tells_how_the_order_stands_after_its_last_event(floor):
    order = floor.to(floor.place(), "OPEN")
    bodies = [body for _, kind, body in facts.facts_after(floor.account.pk, 0, 99) if kind == "ORDER"]
    assert [(body["sequence"], body["status"]) for body in bodies] == [(1, "TRANSIT"), (2, "OPEN")]
    assert bodies[-1]["id"] == order.pk


@pytest.mark.parametrize("end", ["CANCELLED", "REJECTED", "EXPIRED"])
def test_what_ends_unfilled_gives_its_margin_back(floor, end):
    floor.to(floor.place(), end)
    assert floor.funds.held_margin == 0


def test_what_cannot_follow_is_a_defect(floor):
    order = floor.to(floor.place(), "CANCELLED")
    with pytest.raises(ImpossibleTransition):
        change(order, "ACCEPTED", OrderStatus.OPEN, at=clock.exchange_now())


def test_an_event_of_a_row_that_was_not_the_latest_is_refused_by_the_database(floor):
    order = floor.place()
    stale = Order.objects.get(pk=order.pk)
    floor.to(order, "OPEN")
    with pytest.raises(IntegrityError), transaction.atomic():
        save_changes([change(stale, "CANCELLED", OrderStatus.CANCELLED, at=clock.exchange_now())])


def test_a_hundred_orders_change_in_as_many_statements_as_one(floor):
    floor.settings.ORDERS_PER_SECOND = 1000
    one, *hundred = [floor.place(limit_price=12_000) for _ in range(31)]
    counts = []
    for orders in ([one], hundred):
        rows = [change(order, "ACCEPTED", OrderStatus.OPEN, at=clock.exchange_now()) for order in orders]
        with CaptureQueriesContext(connection) as queries:
            save_changes(rows)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 3
    assert set(Order.objects.values_list("status", flat=True)) == {"OPEN"}


def test_the_bell_is_heard_once_for_each_ring(redis):
    bell.ring()
    first = bell.heard(timeout=5)
    assert first != bell.NEVER
    assert bell.heard(first, timeout=0.01) == first
    bell.ring()
    assert bell.heard(first, timeout=5) != first
