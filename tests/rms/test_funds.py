"""Money in and out: in double entry, bound by the floor, and above a threshold by two persons."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from feeds.models import AuditEntry
from rms.errors import AlreadyDecided, InsufficientFunds, RiskError, SecondPersonNeeded
from rms.funds import approve, refuse, request_funds
from rms.models import Funds, FundsRequest, TradingAccount
from tests.rms import desk

pytestmark = pytest.mark.django_db

LAKH = 10_000_000
"""1,00,000 rupees in paise."""


@pytest.fixture
def operator(db):
    return desk.make_user("operator")


@pytest.fixture
def manager(db):
    return desk.make_user("manager")


def ask(account: TradingAccount, amount: int, actor, direction: str = "IN") -> FundsRequest:
    return request_funds(account=account, direction=direction, amount=amount, actor=actor, reason="opening balance")


def cash(account: TradingAccount) -> int:
    return Funds.objects.get(pk=account.pk).cash


def test_up_to_the_threshold_money_moves_at_once(operator):
    account = desk.make_account()
    request = ask(account, 5 * LAKH, operator)
    books = dict(request.transfer.entries.values_list("ledger_account__book", "amount"))
    assert (request.state, cash(account)) == ("DONE", 5 * LAKH)
    assert books == {"CASH": 5 * LAKH, "BANK": -5 * LAKH}


def test_above_it_a_second_person_approves(operator, manager):
    account = desk.make_account()
    request = ask(account, 5 * LAKH + 1, operator)
    assert (request.state, cash(account)) == ("WAITING", 0)
    done = approve(request=request, actor=manager)
    assert (done.state, done.decided_by, cash(account)) == ("DONE", manager, 5 * LAKH + 1)


def test_nobody_approves_what_he_asked_for(operator):
    request = ask(desk.make_account(), 6 * LAKH, operator)
    with pytest.raises(SecondPersonNeeded):
        approve(request=request, actor=operator)
    assert FundsRequest.objects.get().state == "WAITING"


def test_the_database_refuses_it_too(operator):
    request = ask(desk.make_account(), 6 * LAKH, operator)
    with pytest.raises(IntegrityError, match="second_person"), transaction.atomic():
        FundsRequest.objects.filter(pk=request.pk).update(state="DONE", decided_by=operator)


def test_a_request_is_decided_once(operator, manager):
    account = desk.make_account()
    request = ask(account, 6 * LAKH, operator)
    approve(request=request, actor=manager)
    with pytest.raises(AlreadyDecided):
        approve(request=request, actor=manager)
    with pytest.raises(AlreadyDecided):
        refuse(request=request, actor=manager, reason="too late")
    assert cash(account) == 6 * LAKH


def test_a_refused_request_moves_nothing(operator, manager):
    account = desk.make_account()
    request = refuse(request=ask(account, 6 * LAKH, operator), actor=manager, reason="no such client")
    assert (request.state, request.refusal, cash(account)) == ("REFUSED", "no such client", 0)


def test_whoever_asked_may_take_it_back(operator):
    request = refuse(request=ask(desk.make_account(), 6 * LAKH, operator), actor=operator, reason="typed wrongly")
    assert request.state == "REFUSED"


def test_paying_out_leaves_the_floor(operator):
    account = desk.make_account(1_000, floor=100)
    with pytest.raises(InsufficientFunds):
        ask(account, 901, operator, "OUT")
    assert not FundsRequest.objects.exists()
    ask(account, 900, operator, "OUT")
    assert cash(account) == 100


def test_money_that_is_gone_by_now_keeps_the_request_waiting(operator, manager):
    account = desk.make_account(6 * LAKH)
    request = ask(account, 6 * LAKH, operator, "OUT")
    ask(account, LAKH, operator, "OUT")
    with pytest.raises(InsufficientFunds):
        approve(request=request, actor=manager)
    assert (FundsRequest.objects.get(pk=request.pk).state, cash(account)) == ("WAITING", 5 * LAKH)


@pytest.mark.parametrize("amount", [0, -1])
def test_an_amount_is_more_than_zero(operator, amount):
    with pytest.raises(RiskError):
        ask(desk.make_account(), amount, operator)


def test_a_reason_is_given(operator):
    with pytest.raises(RiskError):
        request_funds(account=desk.make_account(), direction="IN", amount=1, actor=operator, reason=" ")


def test_who_asked_and_who_approved_is_in_the_audit_trail(operator, manager):
    account = desk.make_account()
    approve(request=ask(account, 6 * LAKH, operator), actor=manager)
    trail = AuditEntry.objects.order_by("pk").values_list("actor__username", "action", "target", "details__amount")
    assert list(trail) == [
        ("operator", "funds.request", account.name, 6 * LAKH),
        ("manager", "funds.approve", account.name, 6 * LAKH),
    ]
