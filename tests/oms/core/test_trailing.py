"""A trailing stop follows a whole jump at a time, and never comes back."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from oms.core.order import Side
from oms.core.trailing import Trail, follow, next_move_at

PRICES = st.integers(1, 1_000_000)


def test_a_sales_stop_rises_with_the_price_by_whole_jumps():
    start = Trail(trigger_price=95_00, anchor=100_00)
    assert next_move_at(Side.SELL, 100_00, 1_00) == 101_00
    assert follow(Side.SELL, start, 1_00, 100_95) == start
    assert follow(Side.SELL, start, 1_00, 101_00) == Trail(96_00, 101_00)
    assert follow(Side.SELL, start, 1_00, 103_70) == Trail(98_00, 103_00)
    assert follow(Side.SELL, start, 1_00, 90_00) == start


def test_a_buys_stop_falls_with_the_price_by_whole_jumps():
    start = Trail(trigger_price=105_00, anchor=100_00)
    assert next_move_at(Side.BUY, 100_00, 50) == 99_50
    assert follow(Side.BUY, start, 50, 99_55) == start
    assert follow(Side.BUY, start, 50, 98_20) == Trail(103_50, 98_50)


@given(st.sampled_from(Side), PRICES, PRICES, st.integers(1, 5_000), st.lists(PRICES, max_size=20))
def test_it_never_goes_back_and_depends_on_the_best_price_alone(side, trigger, anchor, jump, prices):
    trail = start = Trail(trigger, anchor)
    for price in prices:
        after = follow(side, trail, jump, price)
        assert (trail.trigger_price - after.trigger_price) * side.sign >= 0
        trail = after
    best = min(prices, default=anchor) if side is Side.BUY else max(prices, default=anchor)
    assert trail == follow(side, start, jump, best)
