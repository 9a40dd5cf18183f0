"""Positions: moving average to the paisa, flips, marks, FIFO and the day's net value."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rms.core.position import (
    Effect,
    Lot,
    PositionState,
    Traded,
    apply_fill,
    average_price,
    deliver,
    fifo,
    mark_to,
    net_value_average,
    start_day,
    unrealised_pnl,
)

UPSTOX = [Traded(200, 17_500), Traded(200, 16_000), Traded(-100, 25_300)]
"""The published example of market-rules 7: bought 200 at 175 and 200 at 160, sold 100 at 253."""


def after(fills, multiplier: int = 1) -> PositionState:
    state = PositionState()
    for signed_quantity, price in fills:
        state, _ = apply_fill(state, signed_quantity, price, multiplier)
    return state


# --- the published example, three views -----------------------------------------------------------


def test_net_value_books_the_sale_into_the_average():
    assert net_value_average(UPSTOX) == Fraction(13_900)


def test_fifo_sells_what_came_first():
    lots, realised = fifo(UPSTOX)
    cost = sum(lot.signed_quantity * lot.price for lot in lots)
    assert (lots, Fraction(cost, 300), realised) == ((Lot(100, 17_500), Lot(200, 16_000)), 16_500, 780_000)


def test_the_moving_average_keeps_its_price_through_a_sale():
    state = after(UPSTOX)
    assert average_price(state.signed_quantity, state.open_cost) == 16_750
    assert (state.signed_quantity, state.realised_pnl) == (300, 855_000)


# --- single fills ---------------------------------------------------------------------------------


def test_a_first_fill_opens():
    state, effect = apply_fill(PositionState(), 65, 15_000)
    assert (state.signed_quantity, state.open_cost, state.realised_pnl) == (65, 975_000, 0)
    assert effect == Effect(0, 0, 65)


def test_a_short_costs_less_than_nothing():
    assert after([Traded(-65, 15_000)]).open_cost == -975_000


def test_a_short_that_is_bought_back_lower_earns():
    assert after([Traded(-65, 15_000), Traded(65, 14_000)]) == PositionState(
        realised_pnl=65_000,
        day_buy_quantity=65,
        day_buy_value=910_000,
        day_sell_quantity=65,
        day_sell_value=975_000,
    )


def test_a_flip_closes_first_and_opens_the_rest_at_the_price():
    state, effect = apply_fill(after([Traded(100, 1_000)]), -150, 1_200)
    assert (state.signed_quantity, state.open_cost, state.realised_pnl) == (-50, -60_000, 20_000)
    assert effect == Effect(20_000, 100, 50)


def test_crude_counts_barrels_not_lots():
    state, effect = apply_fill(after([Traded(2, 600_000)], 100), -1, 601_000, 100)
    assert (effect.realised, state.open_cost) == (100_000, 60_000_000)


def test_a_closed_part_takes_its_share_rounded_half_to_even():
    """Three units cost 10: a third is 3, the next half of 7 is 3.5 and so 4, the last takes the 3 that are left."""
    state = PositionState(signed_quantity=3, open_cost=10)
    left = []
    for _ in range(3):
        state, _ = apply_fill(state, -1, 0)
        left.append(state.open_cost)
    assert left == [7, 3, 0]
    assert state.realised_pnl == -10


def test_nothing_is_no_fill():
    with pytest.raises(ValueError, match="nothing"):
        apply_fill(PositionState(), 0, 100)


def test_an_average_of_nothing_is_none():
    assert average_price(0, 0) is None
    assert net_value_average([Traded(5, 100), Traded(-5, 120)]) is None


def test_a_mark_realises_what_is_open_and_costs_the_mark_from_then_on():
    """A future bought at 26,000 and settled at 26,100 makes its 100 rupees a unit that night, and none of it again."""
    state, effect = mark_to(after([Traded(65, 2_600_000)]), 2_610_000)
    assert (effect.realised, state.open_cost, state.realised_pnl) == (650_000, 65 * 2_610_000, 650_000)
    assert unrealised_pnl(state, 2_610_000) == 0


def test_a_new_day_forgets_the_days_figures_and_remembers_what_it_carried():
    morning = start_day(after(UPSTOX), 17_000)
    assert morning == PositionState(300, 300 * 16_750, carried_quantity=300, carried_price=17_000)


def test_a_flat_position_carries_no_price():
    assert start_day(after([Traded(1, 5), Traded(-1, 5)]), 17_000) == PositionState()


def test_delivered_shares_take_their_cost_along():
    state, effect = deliver(after([Traded(10, 1_000)]), -4)
    assert (state.signed_quantity, state.open_cost, effect) == (6, 6_000, Effect(0, 4))


def test_what_is_not_open_cannot_be_delivered():
    with pytest.raises(ValueError, match="open"):
        deliver(after([Traded(10, 1_000)]), -11)


# --- properties -----------------------------------------------------------------------------------

quantities = st.integers(-500, 500).filter(bool)
prices = st.integers(0, 10_000_000)
fills = st.lists(st.builds(Traded, quantities, prices), max_size=40)
multipliers = st.sampled_from([1, 10, 100, 1250])


class NaivePosition:
    """Average cost with exact fractions: no rounding, no cleverness."""

    def __init__(self) -> None:
        self.quantity, self.average, self.realised = 0, Fraction(0), Fraction(0)

    def fill(self, signed_quantity: int, price: int) -> None:
        for _ in range(abs(signed_quantity)):
            self.one(1 if signed_quantity > 0 else -1, price)

    def one(self, side: int, price: int) -> None:
        if self.quantity * side < 0:
            self.realised += -side * (price - self.average)
        else:
            cost = self.average * abs(self.quantity) + price
            self.average = cost / (abs(self.quantity) + 1)
        self.quantity += side


@given(fills, multipliers, prices)
def test_profit_is_cash_flow_plus_what_is_left(fills, multiplier, mark):
    """I7, to the paisa and whatever was rounded."""
    state = after(fills, multiplier)
    cash = sum(-signed_quantity * price * multiplier for signed_quantity, price in fills)
    assert state.signed_quantity == sum(each.signed_quantity for each in fills)
    made = state.realised_pnl + unrealised_pnl(state, mark, multiplier)
    assert made == cash + mark * state.signed_quantity * multiplier


@given(fills)
def test_a_flat_position_costs_nothing(fills):
    state = after(fills)
    flat, _ = apply_fill(state, -state.signed_quantity, 777) if state.signed_quantity else (state, None)
    assert (flat.signed_quantity, flat.open_cost) == (0, 0)


@given(st.lists(st.builds(Traded, st.integers(-30, 30).filter(bool), prices), max_size=20))
def test_the_moving_average_is_the_naive_one_but_for_rounding(fills):
    """Each closing rounds by half a paisa at most."""
    naive = NaivePosition()
    for each in fills:
        naive.fill(*each)
    state = after(fills)
    assert state.signed_quantity == naive.quantity
    assert abs(state.realised_pnl - naive.realised) <= len(fills)
    assert abs(state.open_cost - naive.average * naive.quantity) <= len(fills)


@given(fills, multipliers)
def test_an_effect_accounts_for_the_whole_fill(fills, multiplier):
    state = PositionState()
    for signed_quantity, price in fills:
        later, effect = apply_fill(state, signed_quantity, price, multiplier)
        assert effect.closed_quantity + effect.opened_quantity == abs(signed_quantity)
        assert later.realised_pnl - state.realised_pnl == effect.realised
        assert (
            abs(later.signed_quantity) == abs(state.signed_quantity) - effect.closed_quantity + effect.opened_quantity
        )
        state = later


@given(fills, multipliers, prices)
def test_fifo_makes_the_same_profit_in_all(fills, multiplier, mark):
    lots, realised = fifo(fills, multiplier)
    state = after(fills, multiplier)
    unrealised = sum(lot.signed_quantity * (mark - lot.price) * multiplier for lot in lots)
    assert sum(lot.signed_quantity for lot in lots) == state.signed_quantity
    assert realised + unrealised == state.realised_pnl + unrealised_pnl(state, mark, multiplier)


@given(fills)
def test_fifo_lots_point_one_way(fills):
    lots, _ = fifo(fills)
    assert len({lot.signed_quantity > 0 for lot in lots}) <= 1


@given(fills, prices, prices)
def test_marking_every_night_changes_when_profit_is_realised_and_not_how_much(fills, settlement, mark):
    marked, _ = mark_to(after(fills), settlement)
    assert marked.realised_pnl + unrealised_pnl(marked, mark) == after(fills).realised_pnl + unrealised_pnl(
        after(fills), mark
    )
