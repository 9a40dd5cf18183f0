"""Orders that arrive together: one transaction, and an answer for each."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction

from feeds.core.instrument import InstrumentKey
from oms import intake, services
from oms.core.order import Side
from oms.errors import OrderError, OrderRefused, ReferenceTaken
from oms.intake import Intake
from oms.models import Order
from oms.services import Asked
from rms import gate, ledger
from rms.models import Funds
from tests.oms.floor import CALL, RUPEES, Floor
from tests.rms import desk

ONE_LOT = 975_000
"""Paise that a lot of the call binds at 150.00."""


def accounts_beside(floor: Floor, number: int) -> list:
    return [desk.make_account(100_000 * RUPEES) for _ in range(number)]


def request_of(floor: Floor, account, **fields):
    return replace(floor.request(**fields), account_id=account.pk)


def held_by(account) -> int:
    return Funds.objects.get(pk=account.pk).held_margin


def test_requests_of_several_accounts_are_placed_in_one_transaction_and_answered_one_by_one(floor):
    accounts = accounts_beside(floor, 3)
    asked = [Asked(request_of(floor, account), account.owner) for account in accounts]
    first, second, third = services.place_each(asked)
    assert [order.account_id for order in (first, second, third)] == [account.pk for account in accounts]
    assert {order.status for order in (first, second, third)} == {"TRANSIT"}
    assert [held_by(account) for account in accounts] == [ONE_LOT] * 3
    assert Order.objects.get(pk=second.pk).user == accounts[1].owner


def test_what_is_refused_for_one_is_placed_for_the_others(floor):
    rich, poor = desk.make_account(100_000 * RUPEES), desk.make_account(10 * RUPEES)
    taken, refused = services.place_each(
        [Asked(request_of(floor, rich), rich.owner), Asked(request_of(floor, poor), poor.owner)]
    )
    assert services.taken(taken).status == "TRANSIT"
    with pytest.raises(OrderRefused) as refusal:
        services.taken(refused)
    assert refusal.value.code == "INSUFFICIENT_MARGIN"
    assert (held_by(rich), held_by(poor)) == (ONE_LOT, 0)


def test_what_cannot_be_asked_at_all_spoils_nothing_for_the_others(floor):
    one, two, three, four = accounts_beside(floor, 4)
    first = services.place_order(request_of(floor, one), one.owner)
    again = replace(request_of(floor, one), client_reference=first.client_reference, quantity=130)
    answers = services.place_each(
        [
            Asked(again, one.owner),
            Asked(request_of(floor, two, client_reference="no/reference"), two.owner),
            Asked(request_of(floor, three, key=InstrumentKey.parse("NSE_FNO.99999999")), three.owner),
            Asked(request_of(floor, four), four.owner),
        ]
    )
    assert [type(answer) for answer in answers] == [ReferenceTaken, OrderError, OrderRefused, Order]
    assert answers[0].details["order_id"] == first.pk
    assert answers[2].code == "UNKNOWN_INSTRUMENT"
    assert Order.objects.count() == 2


def test_the_same_reference_twice_at_once_is_one_order_and_another_request_under_it_is_refused(floor):
    request = floor.request()
    first, again, other = services.place_each(
        [Asked(each, floor.trader) for each in (request, request, replace(request, side=Side.SELL))]
    )
    assert first.pk == again.pk
    assert isinstance(other, ReferenceTaken)
    assert Order.objects.count() == 1


def test_requests_of_one_account_count_in_each_others_checks(floor):
    account = desk.make_account(10_000 * RUPEES)  # one lot, not two
    first, second = services.place_each([Asked(request_of(floor, account), account.owner) for _ in range(2)])
    assert (first.status, second.status) == ("TRANSIT", "REJECTED")
    assert second.reason_code == "INSUFFICIENT_MARGIN"


def test_two_users_of_an_account_are_never_placed_in_one_transaction(floor):
    asked = [Asked(floor.request(), floor.trader), Asked(floor.request(), desk.make_user())]
    with pytest.raises(ValueError, match="two users"):
        services.place_each(asked)


class Crowd:
    """Callers of one intake, each on a thread of its own."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._intake = Intake()
        self._threads = threads

    def come(self, request, user) -> Future:
        def place():
            try:
                return self._intake.place(request, user)
            finally:
                connection.close()

        return self._threads.submit(place)

    @property
    def waiting(self) -> int:
        return len(self._intake._waiting)

    def is_placing(self) -> bool:
        return not self.waiting and self._intake._placing.locked()


@pytest.fixture
def threads():
    with ThreadPoolExecutor(8) as pool:
        yield pool


@contextmanager
def held_up(threads: ThreadPoolExecutor, account_id: int) -> Iterator[None]:
    """Whoever wants this account waits until the block has ended."""
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                gate.shared()
                ledger.lock([account_id])
                entered.set()
                leave.wait(20)
        finally:
            connection.close()

    holder = threads.submit(hold)
    assert entered.wait(20)
    try:
        yield
    finally:
        leave.set()
        holder.result(20)


def wait_until(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def transactions_of(orders) -> int:
    """How many transactions stored these orders: PostgreSQL keeps its number with each row."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT xmin::text) FROM oms_order WHERE id = ANY(%s)", [list(orders)])
        return cursor.fetchone()[0]


def test_who_comes_while_a_transaction_runs_shares_the_next_one(busy_floor, threads):
    accounts = accounts_beside(busy_floor, 4)
    crowd = Crowd(threads)
    with held_up(threads, busy_floor.account.pk):
        alone = crowd.come(busy_floor.request(), busy_floor.trader)
        wait_until(crowd.is_placing)
        together = [crowd.come(request_of(busy_floor, account), account.owner) for account in accounts]
        wait_until(lambda: crowd.waiting == 4)
    orders = [each.result(20) for each in together]
    assert [order.account_id for order in orders] == [account.pk for account in accounts]
    assert transactions_of([order.pk for order in orders]) == 1
    assert transactions_of([alone.result(20).pk, orders[0].pk]) == 2


def test_what_the_database_refuses_for_one_is_told_to_that_one_alone(busy_floor, threads):
    """A user whose row is gone by the time of the commit."""
    good, bad = accounts_beside(busy_floor, 2)
    crowd = Crowd(threads)
    with held_up(threads, busy_floor.account.pk):
        first = crowd.come(busy_floor.request(), busy_floor.trader)
        wait_until(crowd.is_placing)
        fine = crowd.come(request_of(busy_floor, good), good.owner)
        gone = crowd.come(request_of(busy_floor, bad), User(pk=10**6, username="gone"))
        wait_until(lambda: crowd.waiting == 2)
    assert first.result(20).status == "TRANSIT"
    assert fine.result(20).status == "TRANSIT"
    with pytest.raises(IntegrityError):
        gone.result(20)
    assert (held_by(good), held_by(bad)) == (ONE_LOT, 0)


def test_in_a_transaction_of_the_callers_it_is_placed_there(floor):
    order = intake.place_order(floor.request(CALL), floor.trader)
    assert order.status == "TRANSIT"
