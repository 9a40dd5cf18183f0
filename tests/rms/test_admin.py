"""Accounts, limits and money in the admin: rupees in forms, an entry for every change, books to look at."""

from __future__ import annotations

from datetime import date

import pytest
from django.contrib.auth.models import User
from django.test import Client

from feeds.models import AuditEntry
from rms.models import Funds, RiskLimits, SettlementPrice, TradingAccount
from terminal.accounts.roles import Role
from tests.oms.books import exported, make_books, pay_in
from tests.rms import desk

pytestmark = pytest.mark.django_db

LIMITS = {
    "limits-TOTAL_FORMS": "1", "limits-INITIAL_FORMS": "0", "limits-MIN_NUM_FORMS": "0", "limits-MAX_NUM_FORMS": "1",
    "limits-0-daily_loss_warn_percent": "80", "limits-0-square_off_at_loss": "on",
    "holdings-TOTAL_FORMS": "0", "holdings-INITIAL_FORMS": "0",
}  # fmt: skip
BOOKS = (
    "oms/order", "oms/trade", "rms/entry", "rms/fundsrequest", "rms/hold", "rms/killswitch", "rms/margingroup",
    "rms/position", "rms/statement", "rms/transfer",
)  # fmt: skip


@pytest.fixture
def owner(people) -> User:
    return people[Role.TRADER]


@pytest.fixture
def books(owner, instruments):
    return make_books(owner, instruments[desk.CALL])


def test_an_account_is_opened_with_its_funds_row_and_books(browser, owner):
    fields = {"name": "Alpha", "owner": owner.pk, "traders": [owner.pk], "enabled": "on", "reason": "new client"}
    assert browser(Role.ADMIN).post("/admin/rms/tradingaccount/add/", fields).status_code == 302
    account = TradingAccount.objects.get()
    assert (account.owner, list(account.traders.all()), account.enabled) == (owner, [owner], True)
    assert Funds.objects.get(account=account).cash == 0
    pay_in(account, 500)
    entry = AuditEntry.objects.get(action="tradingaccount.add")
    assert (entry.actor.username, entry.reason) == ("admin", "new client")


def test_limits_of_an_account_are_set_in_rupees_beside_it_and_named_in_the_trail(browser, owner):
    account = desk.make_account(owner=owner, name="Alpha")
    fields = {"name": "Alpha", "owner": owner.pk, "enabled": "on", "reason": "agreed by letter"}
    limits = LIMITS | {"limits-0-daily_loss": "50,000.50", "limits-0-order_quantity": "1800"}
    page = f"/admin/rms/tradingaccount/{account.pk}/change/"
    assert browser(Role.ADMIN).post(page, fields | limits).status_code == 302
    row = RiskLimits.objects.get(account=account)
    assert (row.daily_loss, row.order_quantity, row.order_value) == (5_000_050, 1800, None)
    entry = AuditEntry.objects.get(action="tradingaccount.change")
    assert entry.details["values"]["limits.daily_loss"] == {"before": "-", "after": "50,000.50"}
    assert b'value="50000.50"' in browser(Role.ADMIN).get(page).content


def test_risk_changes_limits_and_the_trail_names_them_in_rupees(browser, books):
    page = f"/admin/rms/risklimits/{books['rms/risklimits'].pk}/change/"
    fields = {"daily_loss": "75000", "daily_loss_warn_percent": "70", "reason": "a good month"}
    assert browser(Role.OPERATOR).post(page, fields).status_code == 403
    assert browser(Role.RISK).post(page, fields).status_code == 302
    row = RiskLimits.objects.get()
    assert (row.daily_loss, row.daily_loss_warn_percent, row.square_off_at_loss) == (7_500_000, 70, False)
    entry = AuditEntry.objects.get(action="risklimits.change")
    assert entry.details["values"]["daily_loss"] == {"before": "50,000.00", "after": "75,000.00"}


@pytest.mark.parametrize("chosen", [(), ("account", "user")])
def test_limits_are_of_an_account_or_of_a_user(browser, books, people, chosen):
    rows = {"account": books["rms/tradingaccount"].pk, "user": people[Role.TRADER].pk}
    fields = {name: rows[name] for name in chosen} | {"daily_loss_warn_percent": "80"}
    answer = browser(Role.RISK).post("/admin/rms/risklimits/add/", fields)
    assert "choose one of the two" in str(answer.context["adminform"].form.errors)


@pytest.mark.parametrize("loss", ["0", "-5", "1.005", "a lot"])
def test_a_limit_that_is_no_amount_is_refused(browser, books, loss):
    page = f"/admin/rms/risklimits/{books['rms/risklimits'].pk}/change/"
    answer = browser(Role.RISK).post(page, {"daily_loss": loss, "daily_loss_warn_percent": "80"})
    assert "daily_loss" in answer.context["adminform"].form.errors


@pytest.mark.parametrize("book", BOOKS)
def test_nobody_adds_changes_or_deletes_in_a_book(redis, browser, books, book):
    admin: Client = browser(Role.ADMIN)
    row = books[book]
    assert admin.get(f"/admin/{book}/").status_code == 200
    assert admin.get(f"/admin/{book}/{row.pk}/change/").status_code == 200
    assert admin.post(f"/admin/{book}/{row.pk}/change/", {"reason": "x"}).status_code == 403
    for address in ("add/", f"{row.pk}/delete/"):
        assert admin.post(f"/admin/{book}/{address}").status_code == 404
    assert type(row).objects.filter(pk=row.pk).exists()


def test_a_ledger_line_shows_the_balance_after_it_whatever_is_filtered(browser, owner):
    account = desk.make_account(owner=owner, name="Alpha")
    for number, amount in enumerate((10_000_000, -2_500_050, 100), start=1):
        desk.pay(account, amount, f"funds.{number}")
    rows = browser(Role.RISK).get("/admin/rms/entry/", {"ledger_account__account__id__exact": account.pk})
    assert [row.balance for row in rows.context["cl"].result_list] == [7_500_050, 7_499_950, 10_000_000]
    out = browser(Role.RISK).get("/admin/rms/entry/", {"transfer__kind__exact": "FUNDS_OUT", "q": "funds.2"})
    balances = {row.ledger_account.book: row.balance for row in out.context["cl"].result_list}
    assert balances == {"CASH": 7_499_950, "BANK": -7_499_950}
    assert "74,999.50" in out.content.decode()


def test_the_ledger_is_exported_with_its_balances(browser, owner):
    account = desk.make_account(10_000_000, owner=owner, name="Alpha")
    desk.pay(account, -2_500_050, "funds.out")
    answer = browser(Role.RISK).get("/admin/rms/entry/export/", {"ledger_account__account__id__exact": account.pk})
    heading, last, first = exported(answer)
    assert heading.startswith("Entry,Recorded,Trading date,Ledger account,Kind,Rupees,Balance")
    assert ",Alpha cash,FUNDS_OUT,-25000.50,74999.50,funds.out," in last
    assert ",Alpha cash,FUNDS_IN,100000.00,100000.00," in first
    assert AuditEntry.objects.get().action == "entry.export"


def test_a_settlement_price_by_hand_says_so(browser, books, instruments):
    operator = browser(Role.OPERATOR)
    row: SettlementPrice = books["rms/settlementprice"]
    page = f"/admin/rms/settlementprice/{row.pk}/change/"
    assert operator.post(page, {"price": "151.25", "reason": "exchange file"}).status_code == 302
    fields = {"instrument": instruments[desk.PUT].pk, "trading_date": "2026-02-03", "price": "140.05"}
    assert operator.post("/admin/rms/settlementprice/add/", fields).status_code == 302
    rows = SettlementPrice.objects.order_by("pk").values_list("price", "source", "trading_date")
    assert list(rows) == [(15_125, "BY_HAND", date(2026, 2, 3)), (14_005, "BY_HAND", date(2026, 2, 3))]
    entry = AuditEntry.objects.get(action="settlementprice.change")
    assert entry.details["values"]["price"] == {"before": "150.00", "after": "151.25"}


def test_a_statement_is_printed_and_saved_as_it_was_written(browser, books):
    risk = browser(Role.RISK)
    page = f"/admin/rms/statement/{books['rms/statement'].pk}"
    assert "1,00,000.00" in risk.get(f"{page}/print/").content.decode()
    file = risk.get(f"{page}/csv/")
    assert file["Content-Disposition"].endswith('-2026-02-03-EQUITY.csv"')
    assert "100000.00" in file.content.decode()
    assert risk.get("/admin/rms/statement/999999/print/").status_code == 404
