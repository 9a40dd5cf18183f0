"""A user sees his own accounts and those he was given; anybody else's is as if it did not exist."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User

from rms import ledger, selectors
from rms.errors import AccountMissing
from rms.fills import record_fills
from tests.rms import desk
from tests.rms.desk import CALL, DAY, NEXT_DAY

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(db) -> User:
    return desk.make_user("owner")


@pytest.fixture
def stranger(db) -> User:
    return desk.make_user("stranger")


def test_an_owner_sees_his_accounts_and_no_others(owner):
    mine = desk.make_account(owner=owner)
    desk.make_account()
    assert list(selectors.accounts_of(owner)) == [mine]


def test_an_account_that_was_given_is_seen_once(owner, stranger):
    account = ledger.open_account(name="Shared", owner=owner, traders=[owner, stranger])
    assert list(selectors.accounts_of(owner)) == [account]
    assert selectors.account_for(stranger, account.pk) == account


def test_anothers_account_is_missing(owner, stranger):
    account = desk.make_account(owner=owner)
    with pytest.raises(AccountMissing):
        selectors.account_for(stranger, account.pk)
    with pytest.raises(AccountMissing):
        selectors.account_for(owner, account.pk + 1)


def test_the_permission_shows_all_accounts_and_trades_none(owner, stranger):
    account = desk.make_account(owner=owner)
    stranger.user_permissions.add(Permission.objects.get(codename="view_all_accounts"))
    watcher = User.objects.get(pk=stranger.pk)
    assert selectors.account_for(watcher, account.pk) == account
    assert not selectors.may_trade(watcher, account)
    assert selectors.may_trade(owner, account)


def test_the_ledger_is_read_newest_first_between_dates(owner):
    account = desk.make_account(1_000, owner=owner)
    ledger.transfer(
        reference="x", kind=ledger.Kind.CHARGES, account_id=account.pk, amount=-10, against=ledger.Book.CHARGES,
        trading_date=NEXT_DAY,
    )  # fmt: skip
    assert [entry.amount for entry in selectors.ledger_of(account)] == [-10, 1_000]
    assert [entry.amount for entry in selectors.ledger_of(account, last=DAY)] == [1_000]
    assert [entry.amount for entry in selectors.ledger_of(account, first=NEXT_DAY)] == [-10]


def test_open_positions_can_be_told_from_the_days(owner, market):
    account = desk.make_account(10_000_000, owner=owner)
    record_fills([desk.fill(account, CALL, 65, 15_000), desk.fill(account, CALL, -65, 15_000)], market)
    assert selectors.positions_of(account).count() == 1
    assert not selectors.positions_of(account, is_open=True).exists()
    assert selectors.funds_of(account).cash == 10_000_000


def test_who_sees_an_account_now_is_told_for_many_at_once(owner, stranger, django_assert_num_queries):
    account = ledger.open_account(name="Shared", owner=owner, traders=[stranger])
    pairs = {(owner.pk, account.pk), (stranger.pk, account.pk)}
    with django_assert_num_queries(2):
        assert selectors.seen_of(pairs) == pairs
    account.traders.clear()
    assert selectors.seen_of(pairs) == {(owner.pk, account.pk)}
    stranger.user_permissions.add(Permission.objects.get(codename="view_all_accounts"))
    assert selectors.seen_of(pairs) == pairs
