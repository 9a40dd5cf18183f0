"""The order of a basket's legs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oms.core.basket import hedges_first
from oms.core.order import Side


def test_an_iron_condor_buys_its_wings_first():
    assert hedges_first([Side.SELL, Side.BUY, Side.SELL, Side.BUY]) == [1, 3, 0, 2]


@given(st.lists(st.sampled_from(Side), max_size=20))
def test_no_leg_is_lost_and_none_is_sold_before_one_is_bought(sides):
    places = hedges_first(sides)
    assert sorted(places) == list(range(len(sides)))
    assert [sides[place] for place in places] == sorted(sides, key=lambda side: side is Side.SELL)
    bought = [place for place in places if sides[place] is Side.BUY]
    assert bought == sorted(bought)
