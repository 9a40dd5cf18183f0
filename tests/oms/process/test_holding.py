"""Held instruments follow open orders and positions."""

from __future__ import annotations

import pytest

from feeds.models import DhanAccount
from oms.models import Order
from oms.process import holding
from oms.process.holding import Holding, held_codes
from tests.oms.process.trading import CODE, an_account, an_option, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]


@pytest.fixture
def order():
    DhanAccount.objects.create(name="demo", client_id="1000000001")
    an_option()
    return send(an_account(), limit_price=12_000)


def test_what_has_an_open_order_is_taken_up_again_at_a_start(order):
    Holding().look()
    assert held_codes() == {CODE}


def test_what_has_neither_order_nor_position_is_let_go_after_a_while(order, monkeypatch):
    duty = Holding()
    duty.look()
    Order.objects.update(status="CANCELLED")
    duty.look()
    assert held_codes() == {CODE}
    monkeypatch.setattr(holding, "LINGER_SECONDS", 0.0)
    duty.look()
    assert held_codes() == set()
