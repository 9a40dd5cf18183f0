"""Books of twenty levels, and a book of any depth as browsers are told it."""

from __future__ import annotations

import numpy as np

from feeds.core.depth import Books, five_levels
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.core.tick import TICK
from feeds.dhan.depth_wire import LEVEL, DepthCode, decode, encode_side

OPTION = InstrumentKey(ExchangeSegment.NSE_FNO, 47_317).code
NANOSECONDS = 10**9


def sides(*given: tuple[DepthCode, list[tuple[float, int, int]]], code: int = OPTION) -> np.ndarray:
    return decode([encode_side(which, code, np.array(levels, LEVEL)) for which, levels in given]).sides


def test_sides_come_apart_and_make_one_book() -> None:
    books = Books()
    books.apply(sides((DepthCode.BID, [(100.0, 75, 1), (99.95, 150, 2)])), DepthCode.BID, 5 * NANOSECONDS)
    books.apply(sides((DepthCode.ASK, [(100.05, 225, 3)])), DepthCode.BID, 6 * NANOSECONDS)
    assert books.value(OPTION, 0) == {
        "levels": 20, "bids": [[10_000, 75, 1], [9_995, 150, 2]], "asks": [[10_005, 225, 3]], "at": 6_000,
        "source": "TWENTY",
    }  # fmt: skip


def test_of_two_of_one_side_the_later_stays() -> None:
    books = Books()
    books.apply(sides((DepthCode.BID, [(1.0, 1, 1)]), (DepthCode.BID, [(2.0, 2, 2)])), DepthCode.BID, NANOSECONDS)
    value = books.value(OPTION, 0)
    assert value is not None
    assert value["bids"] == [[200, 2, 2]]


def test_levels_that_are_no_price_are_left_out() -> None:
    books = Books()
    levels = [(float("nan"), 1, 1), (-1.0, 1, 1), (0.0, 0, 0), (1e12, 1, 1), (131_072.05, 5, 1)]
    books.apply(sides((DepthCode.ASK, levels)), DepthCode.BID, NANOSECONDS)
    value = books.value(OPTION, 0)
    assert value is not None
    assert value["asks"] == [[13_107_205, 5, 1]], "a double holds what a float32 cannot"


def test_what_is_silent_or_not_wanted_has_no_book() -> None:
    books = Books()
    books.apply(sides((DepthCode.BID, [(1.0, 1, 1)])), DepthCode.BID, NANOSECONDS)
    assert books.value(OPTION, NANOSECONDS) is None
    assert books.value(OPTION + 1, 0) is None
    books.keep_only([OPTION + 1])
    assert books.value(OPTION, 0) is None


def test_the_feeds_own_five_levels_are_a_book_too() -> None:
    row = np.zeros(1, TICK)[0]
    row["received_at"] = 7 * NANOSECONDS
    row["depth"]["bid_price"][:2], row["depth"]["bid_quantity"][:2], row["depth"]["bid_orders"][:2] = (
        (15_230, 15_225), (75, 150), (1, 2),
    )  # fmt: skip
    assert five_levels(row) == {
        "levels": 5, "bids": [[15_230, 75, 1], [15_225, 150, 2]], "asks": [], "at": 7_000, "source": "FIVE",
    }  # fmt: skip
