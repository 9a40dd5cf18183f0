"""Margin is held by reference, bound by the floor, and ends once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import IntegrityError, connection, transaction

from rms import holds, ledger
from rms.errors import HoldEnded, InsufficientMargin, ReferenceTaken
from rms.models import AccountFact, Funds, Hold, TradingAccount
from tests.rms import desk

pytestmark = pytest.mark.django_db

THREADS = 8


@pytest.fixture
def account(db) -> TradingAccount:
    """With 10.00."""
    return desk.make_account(1_000)


def figures(account: TradingAccount) -> tuple[int, int]:
    funds = Funds.objects.get(pk=account.pk)
    return funds.held_margin, funds.available


def hold(reference: str) -> tuple[int, int, str]:
    row = Hold.objects.get(reference=reference)
    return row.amount, row.posted_amount, row.state


def test_a_hold_binds_what_was_available(account):
    holds.place(account.pk, {"order.1": 300, "order.2": 200})
    assert (figures(account), hold("order.1")) == ((500, 500), (300, 0, "HELD"))


def test_the_last_paisa_may_be_held_and_no_more(account):
    holds.place(account.pk, {"order.1": 1_000})
    with pytest.raises(InsufficientMargin) as refusal:
        holds.place(account.pk, {"order.2": 1})
    assert refusal.value.details == {"required": 1, "available": 0, "shortfall": 1}
    assert (figures(account), Hold.objects.count()) == ((1_000, 0), 1)


def test_several_are_held_all_or_none(account):
    with pytest.raises(InsufficientMargin):
        holds.place(account.pk, {"order.1": 600, "order.2": 600})
    assert (figures(account), Hold.objects.count()) == ((0, 1_000), 0)


def test_a_hold_leaves_the_floor():
    account = desk.make_account(1_000, floor=300)
    with pytest.raises(InsufficientMargin):
        holds.place(account.pk, {"order.1": 701})
    holds.place(account.pk, {"order.1": 700})


def test_an_order_that_reduces_holds_nothing_even_in_deficit(account):
    ledger.transfer(
        reference="c", kind=ledger.Kind.CHARGES, account_id=account.pk, amount=-2_000,
        against=ledger.Book.CHARGES, trading_date=desk.DAY,
    )  # fmt: skip
    holds.place(account.pk, {"order.1": 0})
    with pytest.raises(InsufficientMargin):
        holds.place(account.pk, {"order.2": 1})
    assert hold("order.1") == (0, 0, "HELD")


def test_the_same_reference_again_holds_nothing_more(account):
    holds.place(account.pk, {"order.1": 300})
    holds.place(account.pk, {"order.1": 300, "order.2": 100})
    assert figures(account) == (400, 600)


def test_a_reference_cannot_hold_something_else(account):
    holds.place(account.pk, {"order.1": 300})
    with pytest.raises(ReferenceTaken):
        holds.place(account.pk, {"order.1": 301})
    with pytest.raises(ReferenceTaken):
        holds.place(desk.make_account(1_000).pk, {"order.1": 300})


def test_a_posted_part_is_free_of_the_hold(account):
    holds.place(account.pk, {"order.1": 300})
    holds.post("order.1", 100)
    assert (hold("order.1"), figures(account)) == ((100, 200, "HELD"), (100, 900))
    holds.post("order.1")
    assert (hold("order.1"), figures(account)) == ((0, 300, "POSTED"), (0, 1_000))


def test_a_post_never_binds_more(account):
    holds.place(account.pk, {"order.1": 300})
    holds.post("order.1", 500)
    assert (hold("order.1"), figures(account)) == ((300, 0, "HELD"), (300, 700))


def test_a_hold_may_stay_with_nothing_left_and_grow_again(account):
    holds.place(account.pk, {"order.1": 300})
    holds.post("order.1", 0, stays=True)
    assert hold("order.1") == (0, 300, "HELD")
    holds.resize("order.1", 50)
    assert figures(account) == (50, 950)


def test_a_void_gives_everything_back(account):
    other = desk.make_account(500)
    holds.place(account.pk, {"order.1": 300, "order.2": 200})
    holds.place(other.pk, {"order.3": 500})
    holds.void(["order.1", "order.2", "order.3"])
    assert (figures(account), figures(other), hold("order.1")) == ((0, 1_000), (0, 500), (0, 0, "VOIDED"))


@pytest.mark.parametrize("end", [lambda: holds.post("order.1"), lambda: holds.void(["order.1"])])
def test_a_hold_ends_once(account, end):
    holds.place(account.pk, {"order.1": 300, "order.2": 200})
    end()
    ended = hold("order.1")
    holds.void(["order.1", "order.1"])
    holds.post("order.1", 0)
    assert (hold("order.1"), figures(account)) == (ended, (200, 800))
    with pytest.raises(HoldEnded):
        holds.resize("order.1", 10)


@pytest.mark.parametrize("change", [{"state": "HELD"}, {"state": "POSTED"}, {"posted_amount": 5}])
def test_the_database_keeps_an_ended_hold_ended(account, change):
    holds.place(account.pk, {"order.1": 300})
    holds.void(["order.1"])
    with pytest.raises(IntegrityError, match=r"order\.1 was voided for good"), transaction.atomic():
        Hold.objects.filter(reference="order.1").update(**change)


def test_what_never_held_anything_is_voided_without_effect(account):
    holds.void(["order.77"])
    holds.void([])
    holds.post("order.77")
    assert figures(account) == (0, 1_000)


def test_a_hold_grows_within_what_is_available(account):
    holds.place(account.pk, {"order.1": 300})
    holds.resize("order.1", 1_000)
    with pytest.raises(InsufficientMargin) as refusal:
        holds.resize("order.1", 1_100)
    assert refusal.value.details == {"required": 100, "available": 0, "shortfall": 100}
    assert (hold("order.1"), figures(account)) == ((1_000, 0, "HELD"), (1_000, 0))


def test_a_hold_always_shrinks(account):
    holds.place(account.pk, {"order.1": 1_000})
    holds.resize("order.1", 10)
    assert figures(account) == (10, 990)


def test_what_is_available_is_told(account):
    holds.place(account.pk, {"order.1": 300})
    holds.void(["order.1"])
    told = AccountFact.objects.filter(account=account, kind="FUNDS").values_list("body__available", flat=True)
    assert list(told) == [1_000, 700, 1_000]


# --- the last rupee -------------------------------------------------------------------------------


def race(account_id: int, tries: int, amount: int) -> int:
    """Eight threads hold, and give every third back, as fast as they can; returns how many were refused."""
    start = Barrier(THREADS)

    def trader(number: int) -> int:
        refused = 0
        start.wait(timeout=30)
        for attempt in range(tries // THREADS):
            reference = f"race.{number}.{attempt}"
            try:
                with transaction.atomic():
                    holds.place(account_id, {reference: amount})
                    if attempt % 3 == 0:
                        holds.void([reference])
            except InsufficientMargin:
                refused += 1
                with transaction.atomic():
                    ledger.lock([account_id])
                    holds.void([f"race.{number}.{attempt - 1}"])
        connection.close()
        return refused

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(trader, range(THREADS)))


def recheck(account_id: int, limit: int) -> int:
    """Every commit's figures, from the facts it left: none over the limit. Returns how many there were."""
    told = (
        AccountFact.objects.filter(account_id=account_id, kind="FUNDS").order_by("offset").values_list("offset", "body")
    )
    for offset, body in told:
        assert 0 <= body["held_margin"] <= limit, (offset, body)
        assert body["available"] == limit - body["held_margin"] >= 0, (offset, body)
    assert [offset for offset, _ in told] == list(range(1, len(told) + 1))
    return len(told)


def last_rupee(tries: int) -> None:
    account = desk.make_account(1_000)
    refused = race(account.pk, tries, 70)
    live = sum(Hold.objects.filter(account=account, state="HELD").values_list("amount", flat=True))
    assert figures(account) == (live, 1_000 - live)
    assert refused > 0
    assert recheck(account.pk, 1_000) > tries // 4


@pytest.mark.django_db(transaction=True)
def test_eight_threads_never_hold_more_than_there_is(redis):
    """I6, rechecked from the history of every commit."""
    last_rupee(320)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.django_db(transaction=True)
def test_eight_threads_never_hold_more_than_there_is_at_full_length(redis):
    last_rupee(10_000)
