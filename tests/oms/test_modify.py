"""Changing an order: the new total, other prices, another type; its margin is resized before."""

from __future__ import annotations

import pytest

from feeds import clock
from oms import services
from oms.changes import change, save_changes
from oms.core.order import OrderType, Side, Validity
from oms.errors import ChangeRefused, NotChangeable
from oms.models import Order, OrderEvent
from rms import kill_switch
from rms.models import Hold


def held(order: Order) -> int:
    return Hold.objects.get(reference=f"order.{order.pk}").amount


def answer(order: Order, kind: str, **columns: object) -> Order:
    """What the execution process writes when the venue has answered."""
    row = Order.objects.get(pk=order.pk)
    save_changes([change(row, kind, at=clock.exchange_now(), modify_request=None, **columns)])
    return row


def test_what_waits_here_changes_at_once_with_its_margin(floor):
    order = floor.place(forever=True, limit_price=10_000)
    changed = services.modify_order(order, floor.trader, quantity=130, limit_price=11_000)
    assert (changed.quantity, changed.limit_price, changed.status) == (130, 11_000, "QUEUED")
    assert held(order) == 130 * 11_000
    services.modify_order(order, floor.trader, quantity=65)
    assert held(order) == 65 * 11_000
    assert list(order.events.values_list("kind", flat=True)) == ["PLACED", "MODIFIED", "MODIFIED"]


def test_what_is_at_the_venue_is_asked_for_and_more_margin_held_before(floor):
    order = floor.to(floor.place(), "OPEN")
    changed = services.modify_order(order, floor.trader, quantity=130)
    assert (changed.quantity, changed.modify_request["quantity"]) == (65, 130)
    assert held(order) == 130 * 15_000
    assert OrderEvent.objects.filter(order=order, kind="MODIFY_REQUESTED", details__counted=True).count() == 1


def test_less_margin_is_given_back_when_the_change_has_happened(floor):
    order = floor.to(floor.place(quantity=130), "OPEN")
    services.modify_order(order, floor.trader, limit_price=14_000)
    assert held(order) == 130 * 15_000
    answer(order, "MODIFIED", limit_price=14_000)
    assert held(order) == 130 * 14_000


def test_a_change_that_the_venue_refuses_gives_the_added_margin_back(floor):
    order = floor.to(floor.place(), "OPEN")
    services.modify_order(order, floor.trader, quantity=195)
    answer(order, "MODIFY_REFUSED")
    assert held(order) == 975_000


def test_a_second_change_before_the_first_was_answered_joins_it(floor):
    order = floor.to(floor.place(), "OPEN")
    services.modify_order(order, floor.trader, quantity=130)
    changed = services.modify_order(order, floor.trader, limit_price=15_500)
    assert (changed.modify_request["quantity"], changed.modify_request["limit_price"]) == (130, 15_500)
    assert held(order) == 130 * 15_500


def test_another_type_drops_the_prices_it_has_no_use_for(floor):
    order = floor.place(forever=True, order_type=OrderType.STOP_LOSS, trigger_price=15_500, limit_price=15_600)
    changed = services.modify_order(order, floor.trader, order_type=OrderType.LIMIT, limit_price=14_000)
    assert (changed.order_type, changed.limit_price, changed.trigger_price) == ("LIMIT", 14_000, None)


def test_a_limit_order_may_become_a_market_order(floor):
    order = floor.to(floor.place(limit_price=14_000), "OPEN")
    changed = services.modify_order(order, floor.trader, order_type=OrderType.MARKET)
    assert changed.modify_request["order_type"] == "MARKET"
    assert changed.modify_request["limit_price"] is None
    assert held(order) == 65 * 16_500


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": 66}, "LOT_SIZE"),
        ({"quantity": 0}, "INVALID_QUANTITY"),
        ({"limit_price": 15_001}, "TICK_SIZE"),
        ({"limit_price": 30_000}, "PRICE_RANGE"),
        ({"validity": Validity.IOC, "disclosed_quantity": 65}, "DISCLOSED_QUANTITY"),
        ({"trigger_price": 15_500, "order_type": OrderType.STOP_LOSS_MARKET}, "ORDER_TYPE_NOT_TAKEN"),
        ({"quantity": 65 * 110}, "INSUFFICIENT_MARGIN"),
    ],
)
def test_a_change_meets_the_checks_of_a_new_order(floor, changes, code):
    order = floor.to(floor.place(), "OPEN")
    with pytest.raises(ChangeRefused) as refused:
        services.modify_order(order, floor.trader, **changes)
    assert refused.value.code == code
    assert (Order.objects.get(pk=order.pk).modify_request, held(order)) == (None, 975_000)


def test_what_has_ended_or_is_being_cancelled_does_not_change(floor):
    ended, leaving = floor.to(floor.place(), "OPEN", "CANCELLED"), floor.to(floor.place(), "OPEN")
    services.cancel_order(leaving, floor.trader)
    for order in (ended, leaving):
        with pytest.raises(NotChangeable):
            services.modify_order(order, floor.trader, quantity=130)


def test_the_quantity_of_a_bracket_stays(floor):
    entry = floor.place(target_price=17_000, stop_price=14_000)
    with pytest.raises(NotChangeable):
        services.modify_order(entry, floor.trader, quantity=130)
    stop = entry.group.orders.get(role="STOP")
    moved = services.modify_order(stop, floor.trader, trigger_price=14_500, limit_price=14_000)
    assert moved.modify_request["trigger_price"] == 14_500


def test_a_kill_switch_stops_changes(floor):
    order = floor.place(forever=True)
    kill_switch.engage(actor=None, reason="enough", user=floor.account.owner.__class__.objects.create(username="x"))
    services.modify_order(order, floor.trader, limit_price=14_000)
    kill_switch.engage(actor=None, reason="enough", user=floor.trader)
    order.refresh_from_db()
    assert order.status == "CANCELLED"
    with pytest.raises(NotChangeable):
        services.modify_order(order, floor.trader, limit_price=13_000)


def test_changes_count_in_the_rate(floor):
    order = floor.to(floor.place(), "OPEN")
    for price in range(12_000, 12_045, 5):
        services.modify_order(order, floor.trader, limit_price=price)
    with pytest.raises(ChangeRefused) as refused:
        services.modify_order(order, floor.trader, limit_price=13_000)
    assert refused.value.code == "RATE_EXCEEDED"


def test_an_exit_may_not_grow_beyond_the_position(floor):
    floor.fill(floor_call(floor), 65, 15_000)
    order = floor.to(floor.place(side=Side.SELL, limit_price=16_000, reduces=True), "OPEN")
    with pytest.raises(ChangeRefused) as refused:
        services.modify_order(order, floor.trader, quantity=130)
    assert refused.value.code == "REDUCE_ONLY"


def floor_call(floor):
    return next(key for key in floor.instruments if key.security_id == 49081)
