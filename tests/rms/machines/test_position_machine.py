"""Any sequence of fills, repeats, marks and new days against twenty naive lines, on real PostgreSQL (I7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from feeds.core.instrument import InstrumentKey
from rms import audit_ledger, ledger
from rms.audit_ledger import audit
from rms.fills import Fill, Kind, record_fills
from rms.market import Market
from rms.models import Entry, Funds, Position
from tests.rms import desk
from tests.rms.desk import CALL, CRUDE, DAY, FUTURE, SHARE
from tests.rms.machines.accounts import ask_now, check_books, length

MONEY = 10_000_000
KEYS = (CALL, FUTURE, SHARE, CRUDE)
PAID = (CALL, SHARE)


class NaivePosition:
    """Average cost, one unit after the other, in exact fractions."""

    def __init__(self) -> None:
        self.quantity, self.average, self.realised, self.flow, self.closings = 0, Fraction(0), Fraction(0), 0, 0

    def fill(self, signed_quantity: int, price: int) -> None:
        self.flow -= signed_quantity * price
        self.closings += 1
        side = 1 if signed_quantity > 0 else -1
        for _ in range(abs(signed_quantity)):
            if self.quantity * side < 0:
                self.realised -= side * (price - self.average)
            else:
                self.average = (self.average * abs(self.quantity) + price) / (abs(self.quantity) + 1)
            self.quantity += side

    def mark(self, price: int) -> None:
        self.realised += self.quantity * (price - self.average)
        self.average, self.closings = Fraction(price), self.closings + 1


class PositionMachine(RuleBasedStateMachine):
    """Two accounts in four instruments; the market's prices stand still, for margin is not what is looked at."""

    market: Market

    @initialize()
    def start(self) -> None:
        self.accounts = [desk.make_account(MONEY), desk.make_account(MONEY)]
        self.naive: dict[tuple[int, InstrumentKey], NaivePosition] = {}
        self.done: list[Fill] = []
        self.day = DAY

    def record(self, fills: list[Fill]) -> None:
        ledger.lock({each.account_id for each in fills})
        record_fills(fills, self.market)

    @rule(
        step=st.lists(
            st.tuples(st.integers(0, 1), st.sampled_from(KEYS), st.integers(-9, 9).filter(bool), st.integers(0, 3_000)),
            min_size=1,
            max_size=6,
        )
    )
    def trade(self, step: list[tuple[int, InstrumentKey, int, int]]) -> None:
        fills = []
        for side, key, signed_quantity, price in step:
            self.naive.setdefault((side, key), NaivePosition()).fill(signed_quantity, price)
            fills.append(desk.fill(self.accounts[side], key, signed_quantity, price, trading_date=self.day))
        self.record(fills)
        self.done += fills

    @rule(data=st.data())
    def tell_a_fill_again(self, data: st.DataObject) -> None:
        if self.done:
            self.record([data.draw(st.sampled_from(self.done))])

    @rule(side=st.integers(0, 1), key=st.sampled_from([FUTURE, CRUDE]), price=st.integers(0, 3_000))
    def mark(self, side: int, key: InstrumentKey, price: int) -> None:
        naive = self.naive.get((side, key))
        if naive is not None:
            naive.mark(price)
            fill = desk.fill(self.accounts[side], key, 0, price, trading_date=self.day)
            self.record([replace(fill, kind=Kind.MARK_TO_MARKET)])

    @rule()
    def sleep(self) -> None:
        self.day += timedelta(days=1)

    @invariant()
    def positions_and_cash_are_the_naive_ones(self) -> None:
        if not hasattr(self, "accounts"):
            return
        ask_now()
        for side, account in enumerate(self.accounts):
            funds = Funds.objects.get(pk=account.pk)
            check_books(funds)
            house = Entry.objects.filter(transfer__account=account, ledger_account__book="TRADING")
            assert funds.cash - MONEY == -sum(house.values_list("amount", flat=True))
            assert funds.cash - MONEY == self.cash(side, account.pk)

    def cash(self, side: int, account_id: int) -> int:
        """What the fills must have moved; and each position is compared on the way."""
        moved = 0
        for (its_side, key), naive in self.naive.items():
            if its_side != side:
                continue
            position = Position.objects.get(account_id=account_id, instrument_id=key.code)
            multiplier = 100 if key == CRUDE else 1
            flow = naive.flow * multiplier
            assert position.signed_quantity == naive.quantity
            assert abs(position.open_cost - naive.quantity * naive.average * multiplier) <= naive.closings
            # realised + unrealised = cash flow + mark x quantity, so what was realised is flow and open cost
            moved += flow if key in PAID else flow + position.open_cost
        return moved


@pytest.fixture(autouse=True)
def standing_market(market, monkeypatch):
    monkeypatch.setattr(audit_ledger, "_trades", [])
    monkeypatch.setattr(PositionMachine, "market", market, raising=False)


@pytest.mark.django_db
def test_positions_keep_their_invariants():
    run_state_machine_as_test(PositionMachine, settings=length(runs=5, steps=15))
    assert audit().differences == []


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.django_db
def test_positions_keep_their_invariants_for_100_000_steps():
    run_state_machine_as_test(PositionMachine, settings=length(runs=1_000, steps=100))
    assert audit().differences == []
