"""Who moved most: each kind in its order, and who did not move that way absent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.core.movers import MoverKind, movers
from feeds.core.tick import TICK

COLUMNS = ("code", "last_price", "previous_close", "volume", "average_price", "open_interest", "previous_open_interest")
BOARD = [
    (1, 11_000, 10_000, 100, 10_500, 0, 0),
    (2, 9_500, 10_000, 5_000, 9_800, 1_200, 1_000),
    (3, 10_000, 10_000, 0, 0, 900, 1_000),
    (4, 210, 100, 9_000, 150, 5, 0),
    (5, 0, 10_000, 0, 0, 0, 700),
    (6, 12_000, 0, 1, 12_000, 3_000, 1_000),
]


def board(rows: list[tuple[int, ...]]) -> np.ndarray:
    found = np.zeros(len(rows), TICK)
    for column, values in zip(COLUMNS, zip(*rows, strict=True), strict=True):
        found[column] = values
    return found


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (MoverKind.GAINERS, [4, 1]),  # 110 and 10 percent; without a close there is no change
        (MoverKind.LOSERS, [2]),  # what has no price today has not lost everything
        (MoverKind.MOST_ACTIVE, [2, 4, 1, 6]),  # by money, not by units
        (MoverKind.OI_GAINERS, [6, 2]),
        (MoverKind.OI_LOSERS, [3]),
    ],
)
def test_each_kind_has_its_order(kind: MoverKind, codes: list[int]) -> None:
    rows = board(BOARD)
    found = movers(rows, np.ones(len(rows), np.int64), kind, 10)
    assert rows["code"][found].tolist() == codes


def test_a_lot_of_crude_is_a_hundred_barrels() -> None:
    rows = board([(1, 0, 0, 10, 600_000, 0, 0), (2, 0, 0, 100, 100_000, 0, 0)])
    found = movers(rows, np.array([100, 1]), MoverKind.MOST_ACTIVE, 10)
    assert rows["code"][found].tolist() == [1, 2]


def test_equal_ones_keep_an_order() -> None:
    rows = board([(3, 110, 100, 0, 0, 0, 0), (1, 110, 100, 0, 0, 0, 0), (2, 110, 100, 0, 0, 0, 0)])
    assert rows["code"][movers(rows, np.ones(3, np.int64), MoverKind.GAINERS, 2)].tolist() == [1, 2]


@given(st.lists(st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1)), max_size=40), st.integers(1, 10))
def test_gainers_are_the_largest_changes_and_nothing_else(prices: list[tuple[int, int]], limit: int) -> None:
    rows = board([(code, last, close, 0, 0, 0, 0) for code, (last, close) in enumerate(prices)] or [(0,) * 7])
    found = movers(rows, np.ones(len(rows), np.int64), MoverKind.GAINERS, limit)
    changes = [last / close for last, close in prices if 0 < close < last]
    told = (rows["last_price"][found] / rows["previous_close"][found]).tolist()
    assert told == pytest.approx(sorted(changes, reverse=True)[:limit])
