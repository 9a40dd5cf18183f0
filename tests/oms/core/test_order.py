"""The table of states: what may follow what, and that nothing follows an end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.core.order import (
    LIVE,
    TERMINAL,
    TRANSITIONS,
    ImpossibleTransition,
    OrderStatus,
    Side,
    next_status,
)


def test_an_order_begins_queued_on_its_way_or_rejected():
    assert TRANSITIONS[None] == {OrderStatus.QUEUED, OrderStatus.TRANSIT, OrderStatus.REJECTED}


def test_four_statuses_end_an_order():
    assert {"FILLED", "CANCELLED", "REJECTED", "EXPIRED"} == TERMINAL
    assert set(OrderStatus) == LIVE | TERMINAL
    assert not LIVE & TERMINAL


def test_what_was_filled_in_part_is_never_rejected():
    with pytest.raises(ImpossibleTransition, match="PARTIALLY_FILLED to REJECTED"):
        next_status(OrderStatus.PARTIALLY_FILLED, OrderStatus.REJECTED)


@given(st.lists(st.sampled_from(OrderStatus), max_size=12))
def test_any_walk_stays_inside_the_table_and_stops_at_an_end(wanted):
    status = None
    for each in wanted:
        try:
            status = next_status(status, each)
        except ImpossibleTransition:
            assert each not in TRANSITIONS[status]
            continue
        assert status is each
        if status in TERMINAL:
            assert not TRANSITIONS[status]


def test_sides_are_signed_and_have_an_opposite():
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)
    assert Side.BUY.opposite is Side.SELL
    assert Side.SELL.opposite is Side.BUY
