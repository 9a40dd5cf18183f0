"""The audit finds nothing in books that are right, and names each figure that somebody tampered with."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from rms import audit_ledger, facts, holds, ledger
from rms.audit_ledger import TradeRow, audit
from rms.fills import record_fills
from rms.models import Funds, MarginGroup, Position, Transfer
from tests.rms import desk
from tests.rms.desk import CALL, FUTURE, SHARE

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_registered(monkeypatch):
    """What the order book registers knows nothing of the fills that these tests make up."""
    monkeypatch.setattr(audit_ledger, "_trades", [])
    monkeypatch.setattr(audit_ledger, "_live_references", [])


@pytest.fixture
def books(account, market):
    """An account that traded an option and a future, sold shares, and holds margin for an order."""
    fills = [
        desk.fill(account, CALL, 65, 15_000, reference="1.1"),
        desk.fill(account, FUTURE, 65, 2_600_000, reference="2.1"),
        desk.fill(account, FUTURE, -130, 2_601_000, reference="3.1"),
        desk.fill(account, SHARE, 10, 140_000, reference="4.1"),
    ]
    with transaction.atomic():
        ledger.lock([account.pk])
        record_fills(fills, market)
    desk.pay(account, 100_000_000)
    holds.place(account.pk, {"order.9": 50_000})
    return account


TABLES = ("rms_transfer", "rms_entry", "rms_accountfact", "rms_positionchange")


def tamper(statement: str) -> None:
    """As a superuser does who switches the triggers off; undone with the test."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(statement)


def found() -> list[tuple[str, str]]:
    return [(each.check, each.subject) for each in audit().differences]


def test_books_that_were_kept_by_the_rules_are_proved(books):
    result = audit()
    assert result.differences == []
    assert (result.counts["positions"], result.counts["transfers"], result.counts["cash"]) == (3, 5, 1)


def test_an_empty_house_is_proved(db):
    assert audit().differences == []


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("UPDATE rms_entry SET amount = amount + 1 WHERE amount > 0", "transfers"),
        ("DELETE FROM rms_entry WHERE amount < 0", "transfers"),
        ("UPDATE rms_funds SET cash = cash + 1", "cash"),
        ("UPDATE rms_funds SET held_margin = held_margin + 1", "held margin"),
        ("UPDATE rms_hold SET amount = amount - 1 WHERE state = 'HELD'", "held margin"),
        ("UPDATE rms_funds SET used_margin = used_margin + 1", "used margin"),
        ("UPDATE rms_margingroup SET used_margin = used_margin + 1 WHERE used_margin > 0", "used margin"),
        ("UPDATE rms_funds SET deficit = true", "deficit"),
        ("UPDATE rms_position SET signed_quantity = signed_quantity + 1", "positions"),
        ("UPDATE rms_position SET open_cost = open_cost - 1 WHERE signed_quantity <> 0", "positions"),
        ("UPDATE rms_position SET realised_pnl = realised_pnl + 1", "positions"),
        ("UPDATE rms_position SET day_sell_value = day_sell_value + 1", "positions"),
        ("UPDATE rms_positionchange SET price = price + 1", "money of positions"),
        ("UPDATE rms_positionchange SET realised = realised + 1", "positions"),
        ("DELETE FROM rms_positionchange WHERE reference = '1.1'", "transfers of trades"),
        ("UPDATE rms_funds SET fact_offset = fact_offset + 1", "facts"),
        ('DELETE FROM rms_accountfact WHERE "offset" = 2', "facts"),
    ],
)
def test_each_kind_of_tampering_is_named(books, statement, check):
    tamper(statement)
    assert check in {name for name, _ in found()}


def test_margin_bound_where_nothing_is_open_is_named(books):
    MarginGroup.objects.create(account=books, group="X", used_margin=5)
    assert ("margin groups", f"account {books.pk}, group X") in found()


def test_a_difference_tells_both_figures(books):
    tamper(f"UPDATE rms_funds SET cash = cash + 7 WHERE account_id = {books.pk}")
    cash = Funds.objects.get(pk=books.pk).cash
    assert str(audit().differences[0]) == f"cash: {books.name} is {cash}, proved {cash - 7}"


def trades(account) -> list[TradeRow]:
    return [
        TradeRow("1.1", account.pk, CALL.code, "MARGIN", 65, 15_000, 1),
        TradeRow("2.1", account.pk, FUTURE.code, "MARGIN", 65, 2_600_000, 1),
        TradeRow("3.1", account.pk, FUTURE.code, "MARGIN", -130, 2_601_000, 1),
        TradeRow("4.1", account.pk, SHARE.code, "CNC", 10, 140_000, 1),
    ]


def test_positions_come_from_the_trades_that_the_order_book_keeps(books):
    audit_ledger.register_trades(lambda: trades(books))
    assert found() == []


def test_a_trade_that_no_position_took_is_named(books):
    audit_ledger.register_trades(lambda: [*trades(books), TradeRow("5.1", books.pk, CALL.code, "MARGIN", 65, 1, 1)])
    assert found() == [("trades", "trade 5.1")]


def test_a_position_that_no_trade_made_is_named(books):
    audit_ledger.register_trades(lambda: trades(books)[1:])
    assert found() == [("trades", "trade 1.1")]


def test_a_trade_at_another_price_is_named(books):
    audit_ledger.register_trades(lambda: [trades(books)[0]._replace(price=15_005), *trades(books)[1:]])
    assert found() == [("trades", "trade 1.1")]


def test_a_hold_of_an_order_that_ended_is_named(books):
    audit_ledger.register_live_references(lambda: ["order.8"])
    assert found() == [("holds of what ended", "hold order.9")]


def test_a_hold_of_a_live_order_is_right(books):
    audit_ledger.register_live_references(lambda: ["order.9"])
    assert found() == []


def test_the_command_says_what_it_looked_at(books):
    output = StringIO()
    call_command("auditledger", stdout=output)
    assert "positions: 3 looked at" in output.getvalue()
    assert output.getvalue().endswith("0 differences\n")


def test_the_command_exits_1_on_a_difference_and_tells_it_as_json(books):
    tamper("UPDATE rms_funds SET cash = cash + 7")
    output = StringIO()
    with pytest.raises(SystemExit) as ending:
        call_command("auditledger", "--json", stdout=output)
    told = json.loads(output.getvalue())
    assert ending.value.code == 1
    assert told["differences"][0]["check"] == "cash"
    assert told["differences"][0]["stored"] == told["differences"][0]["proved"] + 7


@pytest.mark.django_db(transaction=True)
def test_an_audit_of_its_own_sees_one_snapshot_and_writes_nothing(redis):
    account = desk.make_account(1_000)
    assert audit().differences == []
    facts.record(account.pk, facts.ALERT, {})
    assert Transfer.objects.count() == 1
    assert Position.objects.count() == 0


def test_an_audit_joins_whole_tables_and_leaves_the_connection_as_it_was(books, monkeypatch):
    seen = []

    def look():
        seen.append((setting("enable_nestloop"), setting("statement_timeout")))
        return iter(())

    monkeypatch.setitem(audit_ledger.CHECKS, "look", look)
    audit()
    assert seen == [("off", "10min")]
    assert (setting("enable_nestloop"), setting("statement_timeout")) == ("on", "30s")


def setting(name):
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return cursor.fetchone()[0]
