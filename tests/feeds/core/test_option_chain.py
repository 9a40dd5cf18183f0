"""Chain slices against the published examples, the rules one by one, and what must hold for every chain."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.core import greeks, option_chain
from feeds.core.calendar import IST
from feeds.core.option_chain import BuildUp, Contract, Layout, Market, Reason, Slices, Terms
from tests.feeds.core.test_greeks import REFERENCE

RATE = 0.055
NOW = int(datetime(2026, 2, 3, 15, 30, tzinfo=IST).timestamp())
SEVEN_DAYS = 10_080 / 525_600
LADDER = [Contract(strike, is_call) for strike in (2_570_000, 2_575_000, 2_580_000) for is_call in (True, False)]

# greeks_reference.json, pcr_max_pain_example: strike in rupees, open interest of the call and of the put
OPEN_INTEREST = [
    (25600, 120_000, 310_000),
    (25650, 90_000, 240_000),
    (25700, 210_000, 405_000),
    (25750, 330_000, 360_000),
    (25800, 420_000, 180_000),
    (25850, 310_000, 80_000),
]
PAIN_RUPEES = [162_500_000, 105_250_000, 64_500_000, 54_500_000, 79_000_000, 133_500_000]


def market(count: int, **columns: Any) -> Market:
    """Columns of so many contracts, traded just now; what is not named is not known."""
    known = {"last_traded_at": NOW, "is_doubted": False, **columns}
    filled = {
        name: np.broadcast_to(np.asarray(known.get(name, 0)), count).astype(
            bool if name == "is_doubted" else np.float64 if name == "last_price" else np.int64
        )
        for name in Market._fields
    }
    return Market(**filled)


def terms(years: float = SEVEN_DAYS, future: float = np.nan, chains: int = 1) -> Terms:
    return Terms(np.full(chains, years), np.full(chains, future))


def sliced(contracts: list[Contract], traded: Market, of: Terms | None = None) -> Slices:
    return option_chain.slices(Layout([contracts]), traded, of or terms(), RATE, NOW)


def ladder_prices(forward: float = 25_760.0, volatility: float = 0.12) -> np.ndarray:
    """What LADDER's contracts cost, in paise."""
    strikes, calls = (np.array(column) for column in zip(*LADDER, strict=True))
    return greeks.price(forward, strikes / 100, SEVEN_DAYS, RATE, volatility, calls) * 100


# --- the published examples ---------------------------------------------------------------------------


def test_every_row_of_the_reference_is_found_from_its_price():
    is_call, forward, strike, minutes, volatility, price, delta, gamma, vega, theta = zip(*REFERENCE, strict=True)
    chains = [[Contract(strike[at] * 100, right) for right in is_call[at : at + 2]] for at in range(0, 18, 2)]
    of = Terms(np.array(minutes[::2]) / 525_600, np.array(forward[::2]) * 100)

    found = option_chain.slices(Layout(chains), market(18, last_price=np.array(price) * 100), of, RATE, NOW)

    assert found.reason.tolist() == [0] * 18
    assert found.iv == pytest.approx(volatility, rel=1e-7)
    assert found.greeks.delta == pytest.approx(delta, abs=1e-7)
    assert found.greeks.gamma == pytest.approx(gamma, rel=1e-5)
    assert found.greeks.vega == pytest.approx(vega, rel=1e-6)
    assert found.greeks.theta == pytest.approx(theta, rel=1e-6, abs=1e-7)


def test_put_call_ratio_and_max_pain_are_those_of_the_example():
    layout = Layout([[Contract(strike * 100, is_call) for strike, _, _ in OPEN_INTEREST for is_call in (True, False)]])
    held = np.array([amount for _, *both in OPEN_INTEREST for amount in both])

    assert option_chain.put_call_ratio(layout, held).tolist() == pytest.approx([1.064189], abs=5e-7)
    assert option_chain.pain(layout, held).tolist() == [rupees * 100 for rupees in PAIN_RUPEES]
    assert option_chain.max_pain(layout, held).tolist() == [2_575_000]


def test_the_synthetic_future_is_that_of_the_example():
    layout = Layout([[Contract(2_575_000, True), Contract(2_575_000, False)]])

    (synthetic,) = option_chain.synthetic_futures(layout, np.array([15_230, 14_110.0]), np.array([SEVEN_DAYS]), RATE)

    assert synthetic / 100 == pytest.approx(25_761.21182, abs=5e-6)


# --- prices -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "price", "reason", "why"),
    [
        ({"bid_price": 10_000, "ask_price": 10_100}, 10_050, 0, "the mid"),
        ({"bid_price": 10_000, "ask_price": 10_100, "last_price": 9_000}, 10_050, 0, "the mid before the last price"),
        ({"bid_price": 5, "ask_price": 35}, 20, 0, "30 paise are sane however cheap it is"),
        ({"bid_price": 5, "ask_price": 36}, None, Reason.WIDE_SPREAD, "31 are not"),
        ({"bid_price": 9_500, "ask_price": 10_500}, 10_000, 0, "a tenth of the mid is sane"),
        ({"bid_price": 9_500, "ask_price": 10_510}, None, Reason.WIDE_SPREAD, "more is not"),
        ({"bid_price": 9_500, "ask_price": 10_510, "last_price": 9_900}, 9_900, 0, "then a fresh last price"),
        ({"bid_price": 9_500, "last_price": 9_900}, 9_900, 0, "one side is no quote"),
        ({"bid_price": 10_100, "ask_price": 10_000, "last_price": 9_900}, 9_900, 0, "nor is a crossed one"),
        ({"bid_price": 10_100}, None, Reason.NO_PRICE, "a bid alone says little"),
        ({"last_price": 9_900, "last_traded_at": NOW - 60}, 9_900, 0, "a minute old is fresh"),
        ({"last_price": 9_900, "last_traded_at": NOW - 61}, None, Reason.STALE, "older is not"),
        ({"last_price": 9_900, "is_doubted": True}, None, Reason.STALE, "its feed is silent"),
        ({"bid_price": 10_000, "ask_price": 10_100, "is_doubted": True}, None, Reason.STALE, "so is the quote old"),
        ({}, None, Reason.NO_PRICE, "nothing at all"),
    ],
)
def test_the_price_of_a_contract_or_why_it_has_none(columns, price, reason, why):
    prices, reasons = option_chain.usable_prices(market(1, **columns), NOW, 60)

    assert (None if np.isnan(prices[0]) else prices[0], reasons[0]) == (price, reason), why


def test_a_far_strike_may_keep_its_last_price_for_five_minutes_and_a_near_one_for_one():
    far = [*LADDER, Contract(2_800_000, True), Contract(2_800_000, False)]
    prices = [*ladder_prices(), 150, 214_000]

    found = sliced(
        far, market(8, last_price=prices, last_traded_at=[NOW] * 4 + [NOW - 300] * 4), terms(future=2_576_000)
    )

    assert [Reason(code).name if code else None for code in found.reason] == [None] * 4 + ["STALE"] * 2 + [None] * 2


# --- volatilities -------------------------------------------------------------------------------------


def test_both_rights_of_a_strike_share_the_volatility_of_the_one_out_of_the_money():
    prices = ladder_prices()
    prices[0] *= 1.3  # the call in the money says something else

    found = sliced(LADDER, market(6, last_price=prices), terms(future=2_576_000))

    assert found.iv == pytest.approx([0.12] * 6, rel=1e-9)


def test_without_its_twin_a_contract_in_the_money_is_asked_itself():
    found = sliced([LADDER[0]], market(1, last_price=ladder_prices()[0]), terms(future=2_576_000))

    assert found.iv.tolist() == pytest.approx([0.12])


@pytest.mark.parametrize(
    ("contract", "price", "of", "reason"),
    [
        (LADDER[0], 5_900, terms(future=2_576_000), Reason.BELOW_INTRINSIC),
        (LADDER[5], 2_580_000, terms(future=2_576_000), Reason.NO_PRICE),
        (LADDER[4], 2_576_000, terms(future=2_576_000), Reason.NO_PRICE),
        (LADDER[4], 0, terms(future=2_576_000), Reason.NO_PRICE),
        (LADDER[4], 10_000, terms(), Reason.NO_FORWARD),
        (LADDER[4], 10_000, terms(years=np.nan, future=2_576_000), Reason.EXPIRED),
    ],
)
def test_a_volatility_that_cannot_be_had_is_null_with_its_reason_and_so_are_the_greeks(contract, price, of, reason):
    found = sliced([contract], market(1, last_price=price), of)

    assert found.reason.tolist() == [reason]
    assert np.isnan([found.iv, *found.greeks]).all()


def test_the_clock_runs_in_minutes_to_the_last_trading_minute_and_stops_there():
    last_trade = np.array([NOW + 10_080 * 60, NOW + 90, NOW + 1, NOW, NOW - 60])

    years = option_chain.years_left(last_trade, NOW) * 525_600

    assert years.tolist() == pytest.approx([10_080, 1.5, 1, np.nan, np.nan], nan_ok=True)


# --- the chain as a whole -----------------------------------------------------------------------------


def test_a_future_is_the_forward_and_else_the_synthetic_one_of_the_strike_where_call_and_put_meet():
    traded = market(6, last_price=ladder_prices())

    with_future, without = sliced(LADDER, traded, terms(future=2_577_000)), sliced(LADDER, traded)

    assert (with_future.forward[0], with_future.is_future[0]) == (2_577_000, True)
    assert with_future.synthetic[0] == pytest.approx(2_576_000, abs=0.01)
    assert (without.is_future[0], without.forward[0]) == (False, without.synthetic[0])


def test_the_money_is_at_the_strike_nearest_the_forward_and_at_a_tie_at_the_lower():
    traded = market(6, last_price=ladder_prices())

    assert sliced(LADDER, traded, terms(future=2_572_500)).atm_strike.tolist() == [2_570_000]
    assert sliced(LADDER, traded, terms(future=2_572_501)).atm_strike.tolist() == [2_575_000]


def test_no_strike_is_at_the_money_where_the_forward_is_more_than_a_step_beyond_them():
    traded = market(6, last_price=ladder_prices())

    assert sliced(LADDER, traded, terms(future=2_585_000)).atm_strike.tolist() == [2_580_000]
    beyond = sliced(LADDER, traded, terms(future=2_585_100))
    assert np.isnan([beyond.atm_strike, beyond.atm_iv, beyond.straddle]).all()


def test_straddle_and_volatility_at_the_money():
    prices = ladder_prices()
    found = sliced(LADDER, market(6, last_price=prices))

    assert found.straddle.tolist() == pytest.approx([prices[2] + prices[3]])
    assert found.atm_iv.tolist() == pytest.approx([0.12])


def test_the_skew_is_the_put_wing_less_the_call_wing():
    strikes = np.arange(2_520_000, 2_640_000, 10_000)
    contracts = [Contract(int(strike), is_call) for strike in strikes for is_call in (True, False)]
    smile = np.repeat(np.where(strikes < 2_576_000, 0.14, 0.11), 2)
    rights = np.tile([True, False], len(strikes))
    prices = greeks.price(25_760.0, np.repeat(strikes, 2) / 100, SEVEN_DAYS, RATE, smile, rights) * 100

    found = sliced(contracts, market(len(contracts), last_price=prices), terms(future=2_576_000))

    assert found.skew.tolist() == pytest.approx([0.03])
    assert np.isnan(sliced(LADDER, market(6, last_price=ladder_prices())).skew).all(), "no strike near a delta of 25"


def test_ratios_and_pain_of_a_chain_that_nobody_holds_are_null():
    found = sliced(LADDER, market(6))

    assert np.isnan([found.pcr_oi, found.pcr_volume, found.max_pain, found.straddle, found.atm_iv]).all()


def test_at_a_tie_the_lower_strike_pains():
    layout = Layout([[Contract(100_00, False), Contract(110_00, True)]])

    assert option_chain.max_pain(layout, np.array([10, 10])).tolist() == [100_00]


@pytest.mark.parametrize(
    ("last_price", "open_interest", "build_up"),
    [
        (110, 1100, BuildUp.LONG_BUILDUP),
        (110, 900, BuildUp.SHORT_COVERING),
        (90, 1100, BuildUp.SHORT_BUILDUP),
        (90, 900, BuildUp.LONG_UNWINDING),
        (100, 1100, 0),
        (110, 1000, 0),
        (0, 1100, 0),
    ],
)
def test_build_up_is_what_price_and_open_interest_did_since_yesterday(last_price, open_interest, build_up):
    traded = market(
        1, last_price=last_price, previous_close=100, open_interest=open_interest, previous_open_interest=1000
    )

    found = sliced([LADDER[0]], traded)

    assert (found.build_up[0], found.oi_change[0]) == (build_up, open_interest - 1000)


def test_without_yesterdays_open_interest_there_is_no_change_of_it():
    found = sliced([LADDER[0]], market(1, last_price=110, previous_close=100, open_interest=1000))

    assert np.isnan(found.oi_change[0])
    assert found.build_up[0] == 0


# --- every chain --------------------------------------------------------------------------------------

CHAIN = st.lists(
    st.tuples(st.integers(90, 110), st.booleans(), st.integers(0, 2000), st.integers(0, 10**9)),
    min_size=1,
    max_size=20,
    unique_by=lambda row: row[:2],
).map(sorted)


@settings(max_examples=60, deadline=None)
@given(chains=st.lists(CHAIN, min_size=1, max_size=4))
def test_many_chains_at_once_are_each_as_if_alone(chains):
    def of(rows: list[list[tuple[int, bool, int, int]]]) -> Slices:
        layout = Layout([[Contract(strike * 100, is_call) for strike, is_call, _, _ in chain] for chain in rows])
        price, held = (np.array([row[column] for chain in rows for row in chain]) for column in (2, 3))
        traded = market(len(price), last_price=price, open_interest=held, volume=held // 2)
        return option_chain.slices(layout, traded, terms(chains=len(rows)), RATE, NOW)

    together, alone = of(chains), [of([chain]) for chain in chains]

    for name in ("iv", "reason", "forward", "atm_strike", "straddle", "pcr_oi", "pcr_volume", "max_pain", "skew"):
        expected = np.concatenate([getattr(one, name) for one in alone])
        np.testing.assert_array_equal(getattr(together, name), expected, name)


@settings(max_examples=60, deadline=None)
@given(chain=CHAIN)
def test_pain_is_what_every_holder_would_be_paid(chain):
    layout = Layout([[Contract(strike * 100, is_call) for strike, is_call, _, _ in chain]])
    held = np.array([row[3] for row in chain])

    expected = [
        sum(
            amount * max((end - strike) if is_call else (strike - end), 0) * 100 for strike, is_call, _, amount in chain
        )
        for end in sorted({row[0] for row in chain})
    ]

    assert option_chain.pain(layout, held).tolist() == expected
