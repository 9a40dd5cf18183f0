"""Money moves in double entry, once for each reference, and PostgreSQL refuses whatever would break the books."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Sum

from rms import ledger, sql
from rms.errors import InsufficientFunds, ReferenceTaken
from rms.ledger import Book, Kind, Movement
from rms.models import AccountFact, Entry, Funds, LedgerAccount, TradingAccount, Transfer
from tests.rms import desk
from tests.rms.desk import DAY

pytestmark = pytest.mark.django_db


def move(account: TradingAccount, amount: int, kind: str = Kind.FUNDS_IN, **fields) -> Transfer:
    values = {"reference": "r.1", "against": Book.BANK, "trading_date": DAY}
    return ledger.transfer(kind=kind, account_id=account.pk, amount=amount, **values | fields)


def funds(account: TradingAccount) -> Funds:
    return Funds.objects.get(pk=account.pk)


def legs(transfer: Transfer) -> dict[str, int]:
    return dict(transfer.entries.values_list("ledger_account__book", "amount"))


def alerts(account: TradingAccount) -> list[str]:
    return [
        body["code"]
        for body in AccountFact.objects.filter(account=account, kind="ALERT").values_list("body", flat=True)
    ]


# --- accounts and transfers -----------------------------------------------------------------------


def test_a_new_account_has_nothing():
    account = desk.make_account()
    assert (funds(account).cash, funds(account).available, funds(account).deficit) == (0, 0, False)


def test_accounts_share_the_books_of_the_house():
    desk.make_account()
    desk.make_account()
    books = LedgerAccount.objects.values_list("book", flat=True)
    assert sorted(books) == ["BANK", "CASH", "CASH", "CHARGES", "INTEREST", "TRADING"]


def test_what_an_account_receives_its_counterpart_gives():
    account = desk.make_account()
    assert legs(move(account, 500_000)) == {"CASH": 500_000, "BANK": -500_000}
    assert funds(account).cash == 500_000


def test_the_same_reference_again_moves_nothing():
    account = desk.make_account()
    assert move(account, 500_000) == move(account, 500_000)
    assert (funds(account).cash, Entry.objects.count(), funds(account).fact_offset) == (500_000, 2, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"amount": 500_001},
        {"kind": Kind.CORRECTION},
        {"against": Book.CHARGES},
        {"trading_date": date(2026, 2, 4)},
    ],
)
def test_a_reference_cannot_name_something_else(other):
    account = desk.make_account()
    move(account, 500_000)
    with pytest.raises(ReferenceTaken):
        move(account, **{"amount": 500_000, **other})


def test_a_reference_belongs_to_one_account():
    move(desk.make_account(), 500_000)
    with pytest.raises(ReferenceTaken):
        move(desk.make_account(), 500_000)


def test_nothing_cannot_be_moved():
    with pytest.raises(ValueError, match="nothing"):
        move(desk.make_account(), 0)


def test_who_moved_it_and_why_is_kept(account):
    move(account, 100, actor=account.owner, reason="opening balance", details={"bank": "x"})
    kept = Transfer.objects.get(reference="r.1")
    assert (kept.actor, kept.reason, kept.details) == (account.owner, "opening balance", {"bank": "x"})


# --- the floor ------------------------------------------------------------------------------------


def test_a_withdrawal_leaves_the_floor():
    account = desk.make_account(1_000, floor=300)
    with pytest.raises(InsufficientFunds) as refusal:
        move(account, -701, Kind.FUNDS_OUT)
    assert refusal.value.details == {"required": 701, "available": 700, "shortfall": 1}
    assert (funds(account).cash, Transfer.objects.count()) == (1_000, 1)
    move(account, -700, Kind.FUNDS_OUT)
    assert funds(account).cash == 300


def test_charges_always_post_and_below_the_floor_the_account_is_in_deficit():
    account = desk.make_account(1_000)
    move(account, -1_001, Kind.CHARGES, against=Book.CHARGES)
    assert (funds(account).cash, funds(account).deficit, alerts(account)) == (-1, True, ["DEFICIT"])


def test_an_account_in_deficit_withdraws_nothing():
    account = desk.make_account(1_000)
    move(account, -1_001, Kind.CHARGES, against=Book.CHARGES)
    with pytest.raises(InsufficientFunds):
        move(account, -1, Kind.FUNDS_OUT, reference="r.2")


def test_money_that_comes_in_ends_the_deficit():
    account = desk.make_account(1_000)
    move(account, -1_500, Kind.CHARGES, against=Book.CHARGES)
    move(account, 400, reference="r.2")
    assert funds(account).deficit
    move(account, 100, reference="r.3")
    assert (funds(account).deficit, alerts(account)) == (False, ["DEFICIT", "DEFICIT_CLEARED"])


def test_every_movement_is_told():
    account = desk.make_account(1_000)
    fact = AccountFact.objects.get(account=account)
    assert (fact.offset, fact.kind, fact.body["cash"], fact.body["available"]) == (1, "FUNDS", 1_000, 1_000)


def test_all_entries_of_the_house_sum_to_zero(account):
    move(account, -777, Kind.CHARGES, against=Book.CHARGES)
    desk.make_account(123_456)
    assert Entry.objects.aggregate(total=Sum("amount"))["total"] == 0


# --- the last line: what PostgreSQL itself refuses ------------------------------------------------


def ask_now() -> None:
    """What a commit would ask."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.fixture
def bare(account) -> Transfer:
    """A transfer as somebody writes it who goes past the ledger: no legs yet."""
    return Transfer(reference="bare", kind=Kind.CORRECTION, account=account, trading_date=DAY)


@transaction.atomic
def write(transfer: Transfer, **amounts: int) -> None:
    """Add these legs, by book, and commit as far as a test can."""
    if transfer.pk is None:
        transfer.save()
    for book, amount in amounts.items():
        owner = transfer.account if book == Book.CASH else None
        transfer.entries.create(ledger_account=LedgerAccount.objects.get(book=book, account=owner), amount=amount)
    ask_now()


@pytest.mark.parametrize(
    ("amounts", "why"),
    [
        ({}, "0 legs"),
        ({"CASH": 5}, "1 legs"),
        ({"CASH": 5, "BANK": -4}, "2 legs that sum to 1"),
        ({"CASH": 5, "BANK": -3, "CHARGES": -3}, "3 legs that sum to -1"),
        ({"CASH": 0, "BANK": 0}, "entry_moves_something"),
    ],
)
def test_a_transfer_that_does_not_balance_is_refused(bare, amounts, why):
    with pytest.raises(IntegrityError, match=why):
        write(bare, **amounts)


def test_a_leg_added_to_an_old_transfer_is_refused(account):
    old = Transfer.objects.get(account=account)
    with pytest.raises(IntegrityError, match="3 legs"):
        write(old, CHARGES=5)


def test_three_legs_that_balance_are_fine(bare):
    write(bare, CASH=5, BANK=-3, CHARGES=-2)
    assert legs(bare) == {"CASH": 5, "BANK": -3, "CHARGES": -2}


def test_a_movement_against_a_book_that_is_not_there_is_refused(account):
    ledger.post_movements([Movement("x", Kind.CORRECTION, account.pk, 5, "NOWHERE", DAY)])
    with pytest.raises(IntegrityError, match="1 legs"), transaction.atomic():
        ask_now()
    transaction.set_rollback(True)


APPEND_ONLY = ["rms_transfer", "rms_entry", "rms_accountfact", "rms_positionchange", "oms_orderevent", "oms_trade"]


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "DELETE FROM {} WHERE false"])
def test_what_is_only_ever_added_cannot_be_changed(account, table, statement):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(table))


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_truncate_is_refused_where_the_trigger_is_on(table):
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {table}_no_truncate")  # rolled back with the test
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            cursor.execute(f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"cash": -1}, "funds_floor_or_deficit"),
        ({"held_margin": 1_001}, "funds_floor_or_deficit"),
        ({"used_margin": 1_001}, "funds_floor_or_deficit"),
        ({"held_margin": -1}, "funds_held_not_negative"),
        ({"used_margin": -1}, "funds_used_not_negative"),
    ],
)
def test_a_row_of_funds_below_its_floor_is_refused_to_whoever_writes_it(change, constraint):
    account = desk.make_account(1_000)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Funds.objects.filter(pk=account.pk).update(**change)


@pytest.mark.parametrize(
    ("off", "on"),
    [
        (sql.DROP_BALANCED, sql.BALANCED),
        (sql.DROP_ENDED_FOR_GOOD, sql.ENDED_FOR_GOOD),
        (sql.drop_append_only(APPEND_ONLY) + sql.DROP_REFUSE_CHANGE, sql.REFUSE_CHANGE + sql.append_only(APPEND_ONLY)),
    ],
)
def test_the_last_line_can_be_migrated_back_and_forth(off, on):
    with connection.cursor() as cursor:
        cursor.execute(off)
        cursor.execute(on)
