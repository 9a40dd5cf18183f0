"""What an order's representation writes out is what its declared fields are."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rest_framework.serializers import ModelSerializer

from oms.models import Order
from oms.serializers import OrderSerializer
from tests.oms.books import AT, make_order
from tests.rms import desk

pytestmark = pytest.mark.django_db

FIELDS = (
    {},
    {"limit_price": None, "order_type": "MARKET", "protection_price": 15230, "modify_request": {}},
    {"filled_quantity": 25, "filled_value": 25 * 15225, "release_at": AT + timedelta(days=1), "trigger_price": 15000},
)


@pytest.mark.parametrize("fields", FIELDS)
def test_an_order_written_out_equals_its_fields(fields):
    account = desk.make_account()
    share = desk.make_instruments()[desk.SHARE]
    pk = make_order(account, **{"user": account.owner, "instrument": share, **fields}).pk
    order = Order.objects.select_related("user", "instrument").get(pk=pk)
    assert OrderSerializer(order).data == ModelSerializer.to_representation(OrderSerializer(), order)
