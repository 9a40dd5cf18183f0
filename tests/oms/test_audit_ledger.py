"""The audit of the ledger reads the order book as it really is."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

import pytest

from feeds.clock import IST
from oms.core.order import OrderStatus
from oms.models import Order, Trade
from rms import holds, ledger
from rms.audit_ledger import audit
from rms.fills import record_fills
from tests.rms import desk
from tests.rms.desk import CALL, DAY

pytestmark = pytest.mark.django_db

AT = datetime.combine(DAY, time(10, 0), IST)


@pytest.fixture
def account(db):
    return desk.make_account(10_000_000)


@pytest.fixture
def market(db):
    return desk.market_of(desk.make_instruments())


def order(account: Any, status: OrderStatus) -> Order:
    return Order.objects.create(
        account=account, user=account.owner, client_reference=status, instrument_id=CALL.code, side="SELL",
        order_type="LIMIT", product="MARGIN", quantity=65, limit_price=15_000, status=status, trading_date=DAY,
        placed_at=AT, updated_at=AT,
    )  # fmt: skip


def trade(order: Order) -> Trade:
    return Trade.objects.create(
        order=order, account=order.account, instrument_id=CALL.code, number=1, side=order.side, product="MARGIN",
        quantity=65, price=15_000, trading_date=DAY, at=AT, epoch=1,
    )  # fmt: skip


def record(account: Any, order: Order, market: Any) -> None:
    ledger.lock([account.pk])
    record_fills([desk.fill(account, CALL, -65, 15_000, reference=f"{order.pk}.1")], market)


def test_a_trade_and_the_position_it_made_agree(account, market):
    sold = order(account, OrderStatus.FILLED)
    trade(sold)
    record(account, sold, market)
    assert audit().differences == []


def test_a_trade_that_the_position_never_took_is_found(account, market):
    sold = order(account, OrderStatus.FILLED)
    trade(sold)
    assert [each.subject for each in audit().differences] == [f"trade {sold.pk}.1"]


def test_a_position_without_its_trade_is_found(account, market):
    sold = order(account, OrderStatus.FILLED)
    record(account, sold, market)
    assert [each.subject for each in audit().differences] == [f"trade {sold.pk}.1"]


def test_only_a_live_order_holds_margin(account, market):
    live, ended = order(account, OrderStatus.OPEN), order(account, OrderStatus.CANCELLED)
    holds.place(account.pk, {f"order.{live.pk}": 100, f"order.{ended.pk}": 200})
    assert [each.subject for each in audit().differences] == [f"hold order.{ended.pk}"]
