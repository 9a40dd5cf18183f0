"""Any sequence of payments, charges and holds against a model of a few lines, on real PostgreSQL (I4, I5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from rms import audit_ledger, holds, ledger
from rms.audit_ledger import audit
from rms.errors import HoldEnded, InsufficientFunds, InsufficientMargin, RiskError
from rms.ledger import Book, Kind
from rms.models import Funds, Hold
from tests.rms import desk
from tests.rms.desk import DAY
from tests.rms.machines.accounts import ask_now, check_books, length

amounts = st.integers(1, 1_000)
sides = st.integers(0, 1)


@dataclass
class ModelHold:
    side: int
    amount: int
    state: str = "HELD"


class LedgerMachine(RuleBasedStateMachine):
    """Two accounts, and beside them plain numbers that say what they must come to."""

    references = Bundle("references")
    transfers = Bundle("transfers")

    @initialize(floors=st.tuples(st.integers(0, 200), st.integers(0, 200)))
    def start(self, floors: tuple[int, int]) -> None:
        self.accounts = [desk.make_account(floor=floor) for floor in floors]
        self.floors = floors
        self.cash = [0, 0]
        self.holds: dict[str, ModelHold] = {}
        self.made: dict[str, dict[str, Any]] = {}

    def available(self, side: int) -> int:
        live = sum(hold.amount for hold in self.holds.values() if hold.side == side)
        return self.cash[side] - live - self.floors[side]

    def refused(self, error: type[RiskError], act: Any) -> bool:
        """Whether it was refused; a refusal rolls back."""
        try:
            with transaction.atomic():
                act()
        except error:
            return True
        return False

    def move(self, side: int, amount: int, kind: str, against: str) -> str:
        reference = f"machine.{self.accounts[0].pk}.{len(self.made)}"
        asked = {
            "reference": reference, "kind": kind, "account_id": self.accounts[side].pk, "amount": amount,
            "against": against, "trading_date": DAY,
        }  # fmt: skip
        is_out = kind == Kind.FUNDS_OUT
        fits = not is_out or self.available(side) + amount >= 0
        assert self.refused(InsufficientFunds, lambda: ledger.transfer(**asked)) == (not fits)
        if fits:
            self.cash[side] += amount
            self.made[reference] = asked
        return reference

    @rule(target=transfers, side=sides, amount=amounts)
    def pay_in(self, side: int, amount: int) -> str:
        return self.move(side, amount, Kind.FUNDS_IN, Book.BANK)

    @rule(target=transfers, side=sides, amount=amounts)
    def pay_out(self, side: int, amount: int) -> str:
        return self.move(side, -amount, Kind.FUNDS_OUT, Book.BANK)

    @rule(target=transfers, side=sides, amount=st.integers(-1_000, 1_000).filter(bool))
    def settle(self, side: int, amount: int) -> str:
        return self.move(side, amount, Kind.MARK_TO_MARKET, Book.TRADING)

    @rule(reference=transfers)
    def say_it_again(self, reference: str) -> None:
        if reference in self.made:
            ledger.transfer(**self.made[reference])

    @rule(target=references, side=sides, parts=st.lists(st.integers(0, 500), min_size=1, max_size=3))
    def place(self, side: int, parts: list[int]) -> str:
        prefix = f"hold.{self.accounts[0].pk}.{len(self.holds)}"
        wanted = {f"{prefix}.{n}": part for n, part in enumerate(parts)}
        fits = not sum(parts) or self.available(side) >= sum(parts)
        refused = self.refused(InsufficientMargin, lambda: holds.place(self.accounts[side].pk, wanted))
        assert refused == (not fits)
        if fits:
            self.holds |= {reference: ModelHold(side, part) for reference, part in wanted.items()}
        return f"{prefix}.0"

    @rule(reference=references, amount=st.integers(0, 800))
    def resize(self, reference: str, amount: int) -> None:
        hold = self.holds.get(reference)
        if hold is None:
            return
        if hold.state != "HELD":
            assert self.refused(HoldEnded, lambda: holds.resize(reference, amount))
            return
        more = amount - hold.amount
        fits = more <= 0 or self.available(hold.side) >= more
        assert self.refused(InsufficientMargin, lambda: holds.resize(reference, amount)) == (not fits)
        if fits:
            hold.amount = amount

    @rule(reference=references, left=st.integers(0, 400), stays=st.booleans())
    def post(self, reference: str, left: int, stays: bool) -> None:
        holds.post(reference, left, stays=stays)
        hold = self.holds.get(reference)
        if hold is not None and hold.state == "HELD":
            hold.amount = min(left, hold.amount)
            hold.state = "HELD" if hold.amount or stays else "POSTED"

    @rule(several=st.lists(references, max_size=4))
    def void(self, several: list[str]) -> None:
        holds.void(several)
        for reference in several:
            hold = self.holds.get(reference)
            if hold is not None and hold.state == "HELD":
                hold.amount, hold.state = 0, "VOIDED"

    @invariant()
    def the_books_are_the_models(self) -> None:
        if not hasattr(self, "accounts"):
            return
        ask_now()
        for side, account in enumerate(self.accounts):
            funds = Funds.objects.get(pk=account.pk)
            check_books(funds)
            assert funds.cash == self.cash[side]
            assert funds.available - funds.floor == self.available(side)
        stored = Hold.objects.filter(account__in=self.accounts).values_list("reference", "amount", "state")
        assert {reference: rest for reference, *rest in stored} == {
            reference: [hold.amount, hold.state] for reference, hold in self.holds.items()
        }


@pytest.fixture(autouse=True)
def of_no_orders(monkeypatch):
    monkeypatch.setattr(audit_ledger, "_live_references", [])


@pytest.mark.django_db
def test_the_ledger_keeps_its_invariants():
    run_state_machine_as_test(LedgerMachine, settings=length(runs=4, steps=20))
    assert audit().differences == []


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.django_db
def test_the_ledger_keeps_its_invariants_for_100_000_steps():
    run_state_machine_as_test(LedgerMachine, settings=length(runs=1_000, steps=100))
    assert audit().differences == []
