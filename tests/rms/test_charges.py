"""What a planned order would cost, on real instruments and with the rounding that is set."""

from __future__ import annotations

from datetime import date

import pytest

from rms.charges import Planned, charged_trade, day_charges, estimate
from rms.core.charges import Line, NoTariff
from rms.core.product import Product
from tests.rms.desk import CALL, CRUDE, DAY, SHARE

pytestmark = pytest.mark.django_db


def test_an_estimate_is_what_the_day_would_charge_if_it_was_executed(instruments) -> None:
    planned = [
        Planned(instruments[CALL], Product.MARGIN, 65, 15_000),
        Planned(instruments[CALL], Product.MARGIN, -65, 18_000),
    ]
    assert estimate(planned, DAY).total == 6_822
    assert estimate(planned, date(2026, 11, 20)).total == 7_422


def test_each_planned_order_pays_its_own_brokerage(instruments) -> None:
    one = Planned(instruments[CALL], Product.MARGIN, 65, 15_000)
    assert estimate([one, one, one], DAY).lines[Line.BROKERAGE] == 6_000


def test_lots_on_mcx_are_charged_by_the_units_in_them(instruments) -> None:
    trades = [
        charged_trade(instruments[CRUDE], Product.MARGIN, quantity, price, reference)
        for reference, quantity, price in (("1", 1, 580_000), ("2", -1, 585_000))
    ]
    assert day_charges(trades, DAY).total == 14_845


def test_selling_shares_for_delivery_includes_the_depository(instruments) -> None:
    assert estimate([Planned(instruments[SHARE], Product.CNC, -10, 140_000)], DAY).lines[Line.DEPOSITORY] == 1_250


def test_stamp_is_rounded_as_it_is_set(instruments, settings) -> None:
    buy = [Planned(instruments[CALL], Product.MARGIN, 65, 15_000)]
    assert Line.STAMP not in estimate(buy, DAY).lines
    settings.STAMP_ROUNDING = "PAISA"
    assert estimate(buy, DAY).lines[Line.STAMP] == 29


def test_a_day_without_a_tariff_is_refused(instruments) -> None:
    with pytest.raises(NoTariff):
        estimate([Planned(instruments[CALL], Product.MARGIN, 65, 15_000)], date(2024, 1, 1))
