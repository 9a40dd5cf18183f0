"""At what price a day settles a contract, and what becomes of one that expires."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.core.instrument import InstrumentType, OptionType
from rms.core.position import PositionState, apply_fill, mark_to, start_day
from rms.core.settlement import (
    Ending,
    PriceSource,
    Quote,
    Settled,
    day_pnl,
    ending_of_future,
    ending_of_option,
    exercised_quantity,
    hand_out,
    intrinsic,
    settlement_price,
)

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (date(2026, 2, day) for day in (2, 3, 4, 5))


@pytest.mark.parametrize(
    ("quote", "settled"),
    [
        (Quote(15_200, TUESDAY, 15_000), Settled(15_200, PriceSource.LAST_TRADED)),
        (Quote(15_200, None, 15_000), Settled(15_200, PriceSource.LAST_TRADED)),
        (Quote(15_000, MONDAY, 15_000), Settled(15_000, PriceSource.PREVIOUS_CLOSE)),
        (Quote(15_000, MONDAY, 0), Settled(15_000, PriceSource.PREVIOUS_CLOSE)),
        (Quote(0, None, 15_000), Settled(15_000, PriceSource.PREVIOUS_CLOSE)),
        (Quote(15_900, WEDNESDAY, 15_300), Settled(15_300, PriceSource.CLOSE_SEEN_LATER)),
        (Quote(15_900, WEDNESDAY, 0), None),
        (Quote(15_900, THURSDAY, 15_400), None),
        (Quote(0, None, 0), None),
    ],
)
def test_tuesday_is_settled_at_what_the_last_quote_says_of_tuesday(quote: Quote, settled: Settled | None) -> None:
    assert settlement_price(quote, TUESDAY, WEDNESDAY) == settled


@pytest.mark.parametrize(
    ("option_type", "close", "worth"),
    [
        (OptionType.CALL, 2_612_345, 12_345),
        (OptionType.CALL, 2_600_000, 0),
        (OptionType.CALL, 2_590_000, 0),
        (OptionType.PUT, 2_590_000, 10_000),
        (OptionType.PUT, 2_600_000, 0),
    ],
)
def test_an_expired_option_is_worth_its_intrinsic_value(option_type: OptionType, close: int, worth: int) -> None:
    assert intrinsic(option_type, 2_600_000, close) == worth


def test_only_what_is_in_the_money_is_paid_delivered_or_devolved() -> None:
    endings = {
        (InstrumentType.OPTIDX, 2_610_000): Ending.CASH,
        (InstrumentType.OPTSTK, 2_610_000): Ending.DELIVERED,
        (InstrumentType.OPTFUT, 2_610_000): Ending.DEVOLVED,
        (InstrumentType.OPTIDX, 2_600_000): Ending.LAPSED,
        (InstrumentType.OPTSTK, 2_600_000): Ending.LAPSED,
        (InstrumentType.OPTFUT, 2_600_000): Ending.LAPSED,
    }
    for (kind, close), ending in endings.items():
        assert ending_of_option(kind, OptionType.CALL, 2_600_000, close) is ending


def test_futures_on_shares_deliver_and_others_end_in_cash() -> None:
    assert ending_of_future(InstrumentType.FUTSTK) is Ending.DELIVERED
    assert ending_of_future(InstrumentType.FUTIDX) is Ending.CASH
    assert ending_of_future(InstrumentType.FUTCOM) is Ending.CASH
    with pytest.raises(ValueError, match="EQUITY"):
        ending_of_future(InstrumentType.EQUITY)


@pytest.mark.parametrize(
    ("option_type", "held", "received"),
    [
        (OptionType.CALL, 250, 250),
        (OptionType.CALL, -250, -250),
        (OptionType.PUT, 250, -250),
        (OptionType.PUT, -250, 250),
    ],
)
def test_a_holder_takes_calls_and_gives_puts_and_a_writer_the_reverse(
    option_type: OptionType, held: int, received: int
) -> None:
    assert exercised_quantity(option_type, held) == received


def test_shares_leave_at_their_average_cost_and_the_last_take_what_is_left() -> None:
    assert hand_out(3, 1000, 1) == (1, 333, 0)
    assert hand_out(2, 667, 2) == (2, 667, 0)
    assert hand_out(3, 1000, 5) == (3, 1000, 2)
    assert hand_out(0, 0, 5) == (0, 0, 5)


@given(st.lists(st.integers(1, 50), max_size=8), st.integers(0, 10_000_000))
def test_handing_out_piece_by_piece_takes_the_whole_cost_and_not_a_paisa_more(pieces: list[int], cost: int) -> None:
    held = sum(pieces)
    left = cost if held else 0
    for piece in pieces:
        out = hand_out(held, left, piece)
        held, left = held - out.quantity, left - out.cost
        assert left >= 0
    assert left == 0


def test_a_day_of_a_future_is_what_was_carried_since_the_last_settlement_and_fills_since_their_own_price() -> None:
    """Carried 65 at 25,700; 65 more at 25,720; settled at 25,760: 65 x 60 + 65 x 40."""
    assert day_pnl(65, 2_570_000, [(65, 2_572_000)], 2_576_000) == 65 * 6000 + 65 * 4000
    assert day_pnl(1, 580_000, [(-1, 585_000)], 590_000, multiplier=100) == 100 * 5000


fills = st.lists(st.tuples(st.integers(-100, 100).filter(bool), st.integers(1, 100_000)), max_size=6)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(fills, st.integers(1, 100_000)), min_size=1, max_size=5))
def test_what_marking_pays_each_day_is_the_days_result_and_adds_up_over_days(days: list) -> None:
    """The ledger's money of a future (realised and marked) is section 7's day P&L, each day and in all."""
    state, paid, flow = PositionState(), 0, 0
    for traded, settled in days:
        before = state
        for quantity, price in traded:
            state, _ = apply_fill(state, quantity, price)
            flow -= quantity * price
        state, _ = mark_to(state, settled)
        assert state.realised_pnl == day_pnl(before.carried_quantity, before.carried_price, traded, settled)
        paid += state.realised_pnl
        assert paid == flow + state.signed_quantity * settled
        state = start_day(state, settled)
