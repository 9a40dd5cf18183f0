"""The nearest strike, windows by rank, and an ATM that does not flap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.core.strikes import AtmTracker, nearest_strike, window

NIFTY = list(range(24_000_00, 27_500_00 + 1, 50_00))
STRIKES = st.lists(st.integers(1, 10_000_000), min_size=1, max_size=80, unique=True).map(sorted)
PRICES = st.integers(1, 10_000_000)


def ranks(strikes: list[int], price: int, count: int) -> list[tuple[int, int]]:
    return [tuple(ranked) for ranked in window(strikes, price, count)]


@pytest.mark.parametrize(
    ("price", "strike"),
    [
        (25_740_00, 25_750_00),
        (25_724_99, 25_700_00),
        (25_725_00, 25_700_00),  # a tie goes to the lower
        (25_725_01, 25_750_00),
        (1, 24_000_00),
        (99_000_00, 27_500_00),
    ],
)
def test_the_nearest_strike(price: int, strike: int) -> None:
    assert nearest_strike(price, NIFTY) == strike


def test_no_strikes_have_no_nearest() -> None:
    with pytest.raises(ValueError, match="no strikes"):
        nearest_strike(100, [])
    assert window([], 100, 21) == []


def test_21_strikes_are_atm_and_ten_on_each_side() -> None:
    chosen = ranks(NIFTY, 25_740_00, 21)
    assert chosen[0] == (-10, 25_250_00)
    assert chosen[10] == (0, 25_750_00)
    assert chosen[-1] == (10, 26_250_00)


def test_strikes_are_counted_not_calculated() -> None:
    uneven = [100, 200, 250, 300, 600, 1000]
    assert ranks(uneven, 290, 5) == [(-2, 200), (-1, 250), (0, 300), (1, 600), (2, 1000)]


def test_a_short_side_is_made_up_for_by_the_other() -> None:
    assert ranks([100, 200, 300, 400, 500, 600], 150, 5) == [(0, 100), (1, 200), (2, 300), (3, 400), (4, 500)]
    assert ranks([100, 200, 300, 400, 500, 600], 990, 5) == [(-4, 200), (-3, 300), (-2, 400), (-1, 500), (0, 600)]


def test_an_even_window_has_one_more_above() -> None:
    assert ranks([100, 200, 300, 400, 500], 300, 4) == [(-1, 200), (0, 300), (1, 400), (2, 500)]


@given(strikes=STRIKES, price=PRICES, count=st.integers(1, 99))
def test_a_window_keeps_its_count_and_its_atm_and_skips_no_strike(strikes: list[int], price: int, count: int) -> None:
    chosen = window(strikes, price, count)
    assert len(chosen) == min(count, len(strikes))
    assert [ranked.strike for ranked in chosen if ranked.rank == 0] == [nearest_strike(price, strikes)]
    first = strikes.index(chosen[0].strike)
    assert [ranked.strike for ranked in chosen] == strikes[first : first + len(chosen)]
    assert [ranked.rank for ranked in chosen] == list(range(chosen[0].rank, chosen[0].rank + len(chosen)))


def test_atm_starts_at_the_nearest_and_stays_while_the_price_is_near() -> None:
    tracker = AtmTracker(NIFTY, margin=50)
    assert tracker.atm is None
    assert tracker.update(25_740_00)
    assert tracker.atm == 25_750_00
    assert not tracker.update(25_761_00)


def test_atm_waits_a_few_ticks_past_the_midpoint() -> None:
    tracker = AtmTracker(NIFTY, margin=50, atm=25_750_00)
    assert not tracker.update(25_775_45)
    assert tracker.update(25_775_50)
    assert tracker.atm == 25_800_00
    assert not tracker.update(25_774_55)  # and as many the other way: no flapping
    assert tracker.update(25_774_50)
    assert tracker.atm == 25_750_00


def test_a_jump_over_a_strike_moves_atm_at_once() -> None:
    tracker = AtmTracker(NIFTY, margin=50, atm=25_750_00)
    assert tracker.update(25_825_10)
    assert tracker.atm == 25_850_00


def test_nonsense_moves_nothing() -> None:
    tracker = AtmTracker(NIFTY, margin=50, atm=25_750_00)
    assert not tracker.update(0)
    assert not tracker.update(-1)
    assert not AtmTracker([]).update(25_740_00)


def test_an_atm_that_is_no_longer_listed_gives_way_to_its_neighbour() -> None:
    tracker = AtmTracker(NIFTY, atm=25_750_00)
    tracker.relist([25_000_00, 25_500_00, 26_000_00])
    assert tracker.atm == 25_500_00
    tracker.relist([])
    assert tracker.atm is None


@given(prices=st.lists(st.integers(25_000_00, 26_000_00), min_size=1, max_size=60), margin=st.integers(0, 500))
def test_atm_is_never_further_than_half_a_step_and_the_margin(prices: list[int], margin: int) -> None:
    tracker = AtmTracker(NIFTY, margin=margin)
    for price in prices:
        tracker.update(price)
        assert tracker.atm is not None
        assert abs(price - tracker.atm) <= 25_00 + margin


@given(prices=st.lists(st.integers(25_775_00 - 49, 25_775_00 + 49), min_size=1, max_size=60))
def test_a_market_that_rests_on_a_midpoint_moves_atm_once_at_most(prices: list[int]) -> None:
    tracker = AtmTracker(NIFTY, margin=50)
    assert sum(tracker.update(price) for price in prices) == 1
