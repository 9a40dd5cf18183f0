"""Accounts and money over REST: who may what, and figures in rupees."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from feeds.models import Instrument
from rms import ledger
from rms.models import TradingAccount
from terminal.accounts.roles import ensure_roles
from tests.feeds.market import make_chain
from tests.oms.books import make_books, pay_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def asha(db: None) -> User:
    return User.objects.create_user("asha")


@pytest.fixture
def account(asha: User) -> TradingAccount:
    account = ledger.open_account(name="one", owner=asha)
    pay_in(account, 10_000_000)
    return account


def signed_in(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


def of_role(name: str, role: str) -> APIClient:
    user = User.objects.create_user(name)
    user.groups.add(ensure_roles()[role])
    return signed_in(user)


def ask_in(client: APIClient, account: TradingAccount, amount: str) -> Any:
    body = {"direction": "IN", "amount": amount, "reason": "more"}
    return client.post(f"/api/v2/accounts/{account.pk}/funds-requests", body, format="json")


def test_the_books_of_an_account_are_in_rupees(asha: User, account: TradingAccount) -> None:
    client, address = signed_in(asha), f"/api/v2/accounts/{account.pk}"
    funds = client.get(f"{address}/funds").json()
    assert (funds["cash"], funds["available"], funds["deficit"]) == ("100000.00", "100000.00", False)
    [entry] = client.get(f"{address}/ledger").json()["results"]
    assert (entry["amount"], entry["kind"]) == ("100000.00", "FUNDS_IN")
    assert client.get(f"{address}/ledger", {"first": "2026-02-04"}).json()["count"] == 0
    assert client.get("/api/v2/accounts").json()["results"][0]["can_trade"]


def test_facts_are_paged_from_an_offset(asha: User, account: TradingAccount) -> None:
    pay_in(account, 500, "second")
    client, address = signed_in(asha), f"/api/v2/accounts/{account.pk}/facts"
    told = client.get(address, {"limit": 1}).json()
    assert ([fact["offset"] for fact in told["facts"]], told["offset"], told["more"]) == ([1], 2, True)
    rest = client.get(address, {"after": 1}).json()
    assert ([fact["body"]["cash"] for fact in rest["facts"]], rest["more"]) == ([10_000_500], False)


def test_a_traders_money_waits_for_somebody_who_manages_funds(asha: User, account: TradingAccount) -> None:
    asked = ask_in(signed_in(asha), account, "1000.00").json()
    assert (asked["state"], asked["amount"]) == ("WAITING", "1000.00")
    address = f"/api/v2/funds-requests/{asked['id']}/approve"
    assert signed_in(asha).post(address).status_code == 403
    assert of_role("olga", "operator").post(address).status_code == 403
    risk = of_role("rita", "risk")
    assert risk.post(address).json()["state"] == "DONE"
    again = risk.post(address)
    assert (again.status_code, again.json()["code"]) == (409, "ALREADY_DECIDED")
    assert signed_in(asha).get(f"/api/v2/accounts/{account.pk}/funds").json()["cash"] == "101000.00"


def test_above_the_threshold_nobody_approves_his_own(account: TradingAccount) -> None:
    risk = of_role("rita", "risk")
    assert ask_in(risk, account, "500000.00").json()["state"] == "DONE"
    asked = ask_in(risk, account, "500000.01").json()
    answer = risk.post(f"/api/v2/funds-requests/{asked['id']}/approve")
    assert (answer.status_code, answer.json()["code"]) == (409, "SECOND_PERSON_NEEDED")


def test_limits_are_set_by_risk_and_null_takes_one_away(asha: User, account: TradingAccount) -> None:
    address, risk = f"/api/v2/accounts/{account.pk}/limits", of_role("rita", "risk")
    told = risk.patch(address, {"daily_loss": "25000.00", "order_quantity": 650}, format="json").json()
    assert (told["account"]["daily_loss"], told["effective"]["order_quantity"]) == ("25000.00", 650)
    told = risk.patch(address, {"order_quantity": None}, format="json").json()
    assert (told["account"]["daily_loss"], told["account"]["order_quantity"]) == ("25000.00", None)
    assert signed_in(asha).patch(address, {"daily_loss": None}, format="json").status_code == 403


def test_a_switch_is_released_by_a_second_person_who_manages_risk(asha: User, account: TradingAccount) -> None:
    body = {"scope": "ACCOUNT", "account": account.pk, "reason": "looks wrong"}
    rita, omar = of_role("rita", "risk"), of_role("omar", "risk")
    switch = rita.post("/api/v2/kill-switches", body, format="json").json()
    address, because = f"/api/v2/kill-switches/{switch['id']}/release", {"reason": "looked at"}
    assert signed_in(asha).post(address, because, format="json").status_code == 403
    own = rita.post(address, because, format="json")
    assert (own.status_code, own.json()["code"]) == (409, "SECOND_PERSON_NEEDED")
    assert omar.post(address, because, format="json").json()["released_by"] == "omar"
    assert omar.get("/api/v2/kill-switches", {"standing": True}).json()["count"] == 0


def test_a_trader_stops_himself_and_his_account_but_nobody_else(asha: User, account: TradingAccount) -> None:
    client = signed_in(asha)

    def engage(**body: object) -> int:
        return client.post("/api/v2/kill-switches", {"reason": "enough", **body}, format="json").status_code

    assert engage(scope="USER") == engage(scope="ACCOUNT", account=account.pk) == 201
    assert engage(scope="HOUSE") == engage(scope="USER", user="rita") == 403
    assert engage(scope="ACCOUNT") == 400


def test_a_statement_is_told_printed_and_saved(asha: User) -> None:
    make_chain()
    note = make_books(asha, Instrument.objects.get(symbol="NIFTY-0-CALL"))["rms/statement"]
    client, address = signed_in(asha), f"/api/v2/statements/{note.pk}"
    assert client.get(address).json()["content"]["cash"]["closing"] == "100000.00"
    page, file = client.get(f"{address}/page"), client.get(f"{address}/file")
    assert page["Content-Type"].startswith("text/html")
    assert "1,00,000.00" in page.content.decode()
    assert file["Content-Disposition"].endswith('-2026-02-03-equity.csv"')


def test_charges_are_estimated_by_line(asha: User, settings: Any) -> None:
    make_chain()
    order = {"instrument": "NSE_FNO.49001", "side": "SELL", "product": "INTRADAY", "quantity": 75, "price": "100.00"}
    told = signed_in(asha).post("/api/v2/charges", {"orders": [order]}, format="json").json()
    lines = {line["line"]: line["amount"] for line in told["lines"]}
    assert lines["BROKERAGE"] == "20.00"
    assert told["total"] == f"{sum(float(amount) for amount in lines.values()):.2f}"
