"""Fills change positions, cash, holds and margin together, once, and in few statements."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import transaction

from rms import facts, holds, ledger
from rms.core.product import Product
from rms.fills import Fill, FillEffect, Kind, record_fills
from rms.models import Funds, Hold, Position, PositionChange, Transfer
from tests.rms import desk
from tests.rms.desk import CALL, CRUDE, DAY, FUTURE, NEXT_DAY, PUT, SHARE, fill

pytestmark = pytest.mark.django_db


def record(market, *fills: Fill) -> list[FillEffect]:
    with transaction.atomic():
        ledger.lock({each.account_id for each in fills})
        return record_fills(fills, market)


def test_a_bought_option_is_paid_for_at_once(account, market):
    record(market, fill(account, CALL, 65, 15_000))
    funds = Funds.objects.get(account=account)
    assert (funds.cash, funds.used_margin) == (10_000_000 - 65 * 15_000, 0)
