"""The topic of an account: one moment of money, positions, orders and trades, and facts of many accounts at once."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, Permission, User

from feeds import topics
from feeds.models import Instrument
from rms import facts, ledger
from rms.topics import account_id
from tests.feeds.market import make_chain
from tests.oms.books import DAY, fill, make_order, pay_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asha(db: None) -> User:
    return User.objects.create_user("asha")


def test_it_is_joined_by_owner_traders_and_those_who_see_all(asha: User) -> None:
    ravi, mira, risk = (User.objects.create_user(name) for name in ("ravi", "mira", "risk"))
    name = f"account.{ledger.open_account(name='one', owner=asha, traders=[ravi]).pk}"
    risk.user_permissions.add(Permission.objects.get(codename="view_all_accounts"))
    may = {user.username: topics.authorised(user, [name]) == {name} for user in (asha, ravi, mira, risk)}
    assert may == {"asha": True, "ravi": True, "mira": False, "risk": True}
    assert topics.authorised(AnonymousUser(), [name]) == set()


@pytest.mark.parametrize("name", ["account", "account.", "account.x", "account.-1", "account.007", "account.9" * 9])
def test_one_account_has_one_spelling(name: str) -> None:
    assert account_id(name) is None


def test_its_contents_are_money_positions_open_orders_and_trades_with_their_offset(
    asha: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_chain()
    monkeypatch.setattr("oms.topics.clock.exchange_today", lambda: DAY)
    call, put = Instrument.objects.filter(option_type__in=["CALL", "PUT"]).order_by("code")[:2]
    account = ledger.open_account(name="one", owner=asha)
    pay_in(account, 10_000_000)
    fill(make_order(account, asha, call), 25, 15_230)
    make_order(account, asha, put, client_reference="done", status="FILLED")
    contents = topics.contents_of([f"account.{account.pk}"])[f"account.{account.pk}"]
    assert [str(key) for key in contents.instruments] == [str(call.key)]
    assert contents.details["funds"]["cash"] == 10_000_000
    assert [order["client_reference"] for order in contents.details["orders"]] == ["mine-1"]
    assert [(trade["quantity"], trade["price"]) for trade in contents.details["trades"]] == [(25, 15_230)]
    assert contents.offset == 1  # the money that came in


def test_facts_of_many_accounts_come_in_one_query(asha: User, django_assert_num_queries: object) -> None:
    accounts = [ledger.open_account(name=str(number), owner=asha).pk for number in range(3)]
    facts.record_many([(account, "ALERT", {"n": n}) for n in range(4) for account in accounts])
    wanted = {f"account.{account}": after for account, after in zip(accounts, (0, 2, 4), strict=True)}
    with django_assert_num_queries(1):
        found = topics.facts_after(wanted, 3)
    assert [[fact.offset for fact in found.get(name, [])] for name in wanted] == [[1, 2, 3], [3, 4], []]
