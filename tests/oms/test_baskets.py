"""Baskets: an iron condor with its benefit, all legs or none, and hedges first."""

from __future__ import annotations

import pytest

from feeds.core.instrument import InstrumentType, OptionType
from oms import baskets
from oms.baskets import BasketRefused, Leg
from oms.core.order import Side
from oms.errors import OrderError
from oms.models import Basket, Order, OrderGroup
from rms.core.product import Product
from rms.market import forget_facts
from tests.oms.floor import CALL, PUT
from tests.rms import desk

HIGH = CALL._replace(security_id=49091)


@pytest.fixture
def spread(floor) -> list[Leg]:
    """A call sold at 26,000 and its hedge bought at 26,500."""
    desk.make_instrument(
        HIGH, "NIFTY-Feb2026-26500-CE", option_type=OptionType.CALL, underlying_symbol="NIFTY",
        underlying_security_id=13, expiry=desk.EXPIRY, lot_size=65, instrument_type=InstrumentType.OPTIDX,
        strike=2_650_000,
    )  # fmt: skip
    forget_facts()
    floor.tick(HIGH, 5_000)
    return [leg(CALL, Side.SELL, 15_000), leg(HIGH, Side.BUY, 5_000)]


def leg(key, side: Side, price: int, quantity: int = 65) -> Leg:
    return Leg(key.code, side, quantity, Product.MARGIN, limit_price=price)


def save(floor, legs: list[Leg], name: str = "spread") -> Basket:
    return baskets.save_basket(account=floor.account, user=floor.trader, name=name, legs=legs)


def test_a_hedge_saves_margin_and_the_preview_says_how_much(floor, spread):
    seen = baskets.preview(floor.account, spread, floor.trader)
    assert seen.refusals == (None, None)
    assert 0 < seen.total < seen.without_benefit
    assert seen.benefit == seen.without_benefit - seen.total
    assert not Order.objects.exists()
    assert floor.funds.held_margin == 0


def test_the_whole_basket_holds_what_the_preview_said(floor, spread):
    total = baskets.preview(floor.account, spread, floor.trader).total
    orders = baskets.place_basket(save(floor, spread), floor.trader, client_reference="first")
    assert [(order.side, order.status, order.role, order.source) for order in orders] == [
        ("SELL", "TRANSIT", "LEG", "BASKET"),
        ("BUY", "TRANSIT", "LEG", "BASKET"),
    ]
    assert orders[1].pk < orders[0].pk  # the hedge goes first
    assert orders[0].group_id == orders[1].group_id
    assert floor.funds.held_margin == total


def test_one_refused_leg_refuses_them_all_and_is_reported(floor, spread):
    wrong = [spread[0], leg(HIGH, Side.BUY, 5_000, quantity=64)]
    with pytest.raises(BasketRefused) as refused:
        baskets.place_basket(save(floor, wrong), floor.trader, client_reference="first")
    assert [report["code"] for report in refused.value.details["legs"]] == ["", "LOT_SIZE"]
    assert not Order.objects.exists()
    assert not OrderGroup.objects.exists()
    assert baskets.preview(floor.account, wrong, floor.trader).refusals[1].code == "LOT_SIZE"


def test_a_basket_placed_twice_under_one_reference_is_placed_once(floor, spread):
    basket = save(floor, spread)
    first = baskets.place_basket(basket, floor.trader, client_reference="first")
    again = baskets.place_basket(basket, floor.trader, client_reference="first")
    assert [order.pk for order in first] == [order.pk for order in again]
    assert OrderGroup.objects.count() == 1


def test_a_basket_is_one_request_in_the_rate(floor):
    legs = [leg(PUT, Side.BUY, 14_000) for _ in range(12)]
    orders = baskets.place_basket(save(floor, legs), floor.trader, client_reference="many")
    assert len(orders) == 12
    assert floor.place().status == "TRANSIT"


def test_a_basket_has_one_to_twenty_legs(floor):
    for count in (0, 21):
        with pytest.raises(OrderError):
            save(floor, [leg(CALL, Side.BUY, 15_000)] * count)
    assert save(floor, [leg(CALL, Side.BUY, 15_000)] * 20).legs.count() == 20


def test_a_basket_keeps_its_legs_in_order_and_its_name_to_itself(floor):
    legs = [leg(CALL, Side.BUY, 15_000), leg(PUT, Side.SELL, 14_000)]
    basket = save(floor, legs)
    assert baskets.legs_of(basket) == legs
    with pytest.raises(baskets.NameTaken):
        save(floor, legs)
    renamed = baskets.save_basket(
        account=floor.account, user=floor.trader, name="other", legs=legs[::-1], basket=basket
    )
    assert (renamed.name, baskets.legs_of(renamed)) == ("other", legs[::-1])


def test_without_a_price_the_margins_are_not_known(floor):
    floor.redis.flushall()
    seen = baskets.preview(floor.account, [leg(CALL, Side.SELL, 15_000)], floor.trader)
    assert (seen.total, seen.benefit) == (None, None)
    assert seen.refusals[0].code == "NO_MARKET_DATA"
