"""Eight threads on one account: the last rupee of margin goes once, the rate holds, and nothing passes a switch."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import connection

from oms import services
from oms.errors import ChangeRefused, OrderRefused
from oms.models import Order, OrderEvent
from rms import kill_switch
from rms.models import Funds, Hold, KillSwitch

THREADS = 8


def in_threads(work, count: int) -> list:
    def run(number: int):
        try:
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(run, range(count)))


def race_for_margin(floor, orders: int, affordable: int) -> None:
    """Threads ask for `orders` lots of 9,750.00 each, of which `affordable` can be paid."""
    floor.settings.ORDERS_PER_SECOND = 10**9
    Funds.objects.update(floor=floor.funds.cash - affordable * 975_000 - 974_999)

    def buy(_: int) -> str:
        try:
            return floor.place().status
        except OrderRefused as refused:
            return refused.code

    answers = in_threads(buy, orders)
    assert answers.count("TRANSIT") == affordable
    assert answers.count("INSUFFICIENT_MARGIN") == orders - affordable
    funds = floor.funds
    assert funds.held_margin == affordable * 975_000 == sum(Hold.objects.values_list("amount", flat=True))
    assert funds.available >= funds.floor


def test_the_last_rupee_of_margin_goes_once(busy_floor):
    race_for_margin(busy_floor, orders=80, affordable=20)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_the_last_rupee_of_margin_goes_once_in_ten_thousand_orders(busy_floor):
    race_for_margin(busy_floor, orders=10_000, affordable=100)


def test_no_second_holds_more_requests_than_allowed(busy_floor):
    def ask(_: int) -> None:
        with suppress(OrderRefused, ChangeRefused):
            services.cancel_order(busy_floor.place(limit_price=12_000), busy_floor.trader)

    in_threads(ask, 48)
    told = OrderEvent.objects.filter(details__counted=True).order_by("recorded_at")
    moments = list(told.values_list("recorded_at", flat=True))
    assert len(moments) >= 10
    for moment in moments:
        assert sum(moment - timedelta(seconds=1) < each <= moment for each in moments) <= 10


def test_nothing_commits_behind_a_kill_switch(busy_floor):
    busy_floor.settings.ORDERS_PER_SECOND = 10**9
    begun = threading.Event()

    def buy(number: int) -> str:
        if number == 20:
            begun.set()
        try:
            return busy_floor.place(limit_price=10_000).status
        except OrderRefused as refused:
            return refused.code

    def stop() -> int:
        try:
            begun.wait(30)
            return kill_switch.engage(actor=busy_floor.trader, reason="enough", account=busy_floor.account).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as other:
        switch = other.submit(stop)
        answers = in_threads(buy, 60)
        engaged = KillSwitch.objects.get(pk=switch.result())
    taken = Order.objects.filter(status="TRANSIT")
    assert set(answers) == {"TRANSIT", "KILL_SWITCH"}
    assert taken.count() == answers.count("TRANSIT")
    # Whatever was taken was seen by the switch, which asked for its cancellation.
    assert all(taken.values_list("cancel_requested", flat=True))
    assert not taken.filter(pk__gt=Order.objects.filter(reason_code="KILL_SWITCH").order_by("-pk")[0].pk).exists()
    assert engaged.released_at is None
