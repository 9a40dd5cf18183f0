"""Of two owners' limits the stricter counts, and the first that is passed is named."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rms.core.limits import Breach, Limit, Limits, breach, stricter

NOTHING = {"value": 0, "open_value": 0, "quantity": 0, "net_position": 0, "previous_net_position": 0}


def test_the_smaller_of_each_figure_counts():
    account = Limits(order_value=100, net_position=65, price_deviation_percent=Decimal("2.5"), square_off_at_loss=False)
    user = Limits(order_value=90, orders_per_second=5, price_deviation_percent=Decimal(3), daily_loss_warn_percent=60)
    both = stricter(account, user)
    assert both.order_value == 90
    assert both.net_position == 65
    assert both.orders_per_second == 5
    assert both.price_deviation_percent == Decimal("2.5")
    assert both.daily_loss_warn_percent == 60
    assert both.square_off_at_loss
    assert both.daily_loss is None


@pytest.mark.parametrize(
    ("limits", "figures", "limit", "value", "allowed"),
    [
        (Limits(order_quantity=64), {"quantity": 65}, Limit.ORDER_QUANTITY, 65, 64),
        (Limits(order_value=100), {"value": 101}, Limit.ORDER_VALUE, 101, 100),
        (Limits(open_order_value=100), {"open_value": 101}, Limit.OPEN_ORDER_VALUE, 101, 100),
        (Limits(net_position=65), {"net_position": -130}, Limit.NET_POSITION, 130, 65),
    ],
)
def test_names_what_is_passed(limits, figures, limit, value, allowed):
    assert breach(limits, **NOTHING | figures) == Breach(limit, value, allowed)


def test_exactly_the_limit_is_allowed():
    assert breach(Limits(order_value=100), **NOTHING | {"value": 100}) is None


def test_a_position_above_its_limit_may_come_down():
    assert breach(Limits(net_position=65), **NOTHING | {"net_position": 130, "previous_net_position": 195}) is None


figures = st.none() | st.integers(0, 1000)
limits = st.builds(
    Limits, order_value=figures, open_order_value=figures, order_quantity=figures, net_position=figures,
    orders_per_second=figures, daily_loss=figures, order_to_trade_ratio=figures,
)  # fmt: skip


@given(limits, limits)
def test_neither_order_nor_repetition_matters(first, second):
    assert stricter(first, second) == stricter(second, first)
    assert stricter(first, first) == first
    for field in fields(Limits):
        together = getattr(stricter(first, second), field.name)
        assert together in (getattr(first, field.name), getattr(second, field.name))
