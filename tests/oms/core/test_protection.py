"""A market order gets a limit: the last price and the protection of that day, on the tick."""

from __future__ import annotations

from datetime import date

import hypothesis.strategies as st
import pytest
from hypothesis import given

from feeds.core.instrument import InstrumentType
from oms.core.order import Side
from oms.core.protection import protected_price

DAY = date(2026, 2, 3)
OPTION, SHARE, FUTURE = InstrumentType.OPTIDX, InstrumentType.EQUITY, InstrumentType.FUTIDX


@pytest.mark.parametrize(
    ("last", "buy", "sell"),
    [
        (40_00, 48_00, 32_00),  # 20 % up to 50 rupees
        (50_00, 60_00, 40_00),
        (50_05, 55_05, 45_05),  # 10 % up to 200: 55.055 and 45.045, both on the tick inside
        (152_30, 167_50, 137_10),
        (200_00, 220_00, 180_00),
        (1_000_00, 1_050_00, 950_00),  # 5 % up to 1,000
        (5_000_00, 5_100_00, 4_900_00),  # 2 % up to 5,000, and beyond
        (9_000_00, 9_180_00, 8_820_00),
    ],
)
def test_options_follow_the_published_steps(last, buy, sell):
    assert protected_price(Side.BUY, last, 5, OPTION, DAY) == buy
    assert protected_price(Side.SELL, last, 5, OPTION, DAY) == sell


def test_shares_and_futures_have_two_per_cent():
    assert protected_price(Side.BUY, 2_500_00, 10, SHARE, DAY) == 2_550_00
    assert protected_price(Side.SELL, 24_051_80, 10, FUTURE, DAY) == 23_570_80


def test_the_cheapest_option_can_still_be_sold_at_one_tick():
    assert protected_price(Side.SELL, 5, 5, OPTION, DAY) == 5
    assert protected_price(Side.BUY, 5, 5, OPTION, DAY) == 5


def test_a_day_before_the_first_table_is_answered_by_the_first():
    assert protected_price(Side.BUY, 40_00, 5, OPTION, date(2020, 1, 1)) == 48_00


@given(st.integers(1, 200_000), st.sampled_from((1, 5, 10, 100)), st.sampled_from(tuple(InstrumentType)))
def test_it_is_on_the_tick_and_never_beyond_a_fifth_of_the_price(ticks, tick, kind):
    last = ticks * tick
    buy, sell = (protected_price(side, last, tick, kind, DAY) for side in (Side.BUY, Side.SELL))
    assert buy % tick == sell % tick == 0
    assert last * 4 <= sell * 5 <= last * 5 <= buy * 5 <= last * 6
