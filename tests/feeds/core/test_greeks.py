"""Black-76 against published rows, against vollib, and against what must hold for every option."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vollib.black import black
from vollib.black.greeks import analytical

from feeds.core import greeks

RATE = 0.055

# is call, forward, strike, minutes, volatility, price, delta, gamma, vega a point, theta a day: greeks_reference.json,
# where three implementations agree to 2e-12.
REFERENCE = [
    (True, 25740.0, 25750, 10080, 0.115, 158.44959869, 0.49292673, 0.0009720406, 14.20379873, -11.64353013),
    (False, 25740.0, 25750, 10080, 0.115, 168.43905631, -0.50601903, 0.0009720406, 14.20379873, -11.64202487),
    (True, 25740.0, 25750, 330, 0.14, 31.2492136, 0.45659656, 0.0043918813, 2.55772766, -78.12224508),
    (False, 25740.0, 25750, 330, 0.14, 41.24886829, -0.54336891, 0.0043918813, 2.55772766, -78.12073828),
    (True, 25740.0, 25750, 5, 0.2, 2.55175302, 0.26455283, 0.0206110509, 0.25981359, -748.26275644),
    (False, 25740.0, 25750, 5, 0.2, 12.55174779, -0.73544665, 0.0206110509, 0.25981359, -748.26124959),
    (True, 25860.0, 26850, 30570, 0.13, 46.35902209, 0.1181038, 0.0002437445, 12.32467215, -3.76661372),
    (False, 25860.0, 26850, 30570, 0.13, 1033.19715569, -0.8787024, 0.0002437445, 12.32467215, -3.61791208),
    (True, 25860.0, 23000, 30570, 0.19, 2852.72911125, 0.99189201, 1.20118e-05, 0.88768676, 0.03262564),
    (False, 25860.0, 23000, 30570, 0.19, 1.86339196, -0.00491419, 1.20118e-05, 0.88768676, -0.39695686),
    (True, 83900.0, 83900, 3210, 0.12, 313.78388726, 0.50170206, 0.0005068639, 26.14846564, -70.33363435),
    (False, 83900.0, 83900, 3210, 0.12, 313.78388726, -0.49796209, 0.0005068639, 26.14846564, -70.33363435),
    (True, 5780.0, 5800, 20160, 0.36, 152.69695612, 0.49347648, 0.0009767985, 4.50607391, -5.77051447),
    (False, 5780.0, 5800, 20160, 0.36, 172.65480881, -0.50441615, 0.0009767985, 4.50607391, -5.76750712),
    (True, 310.0, 300, 24480, 0.62, 21.69844415, 0.62087218, 0.0091376293, 0.25357397, -0.45912996),
    (False, 310.0, 300, 24480, 0.62, 11.72402781, -0.37656945, 0.0091376293, 0.25357397, -0.46063296),
    (True, 27150.0, 27000, 473760, 0.135, 1389.14747143, 0.51647865, 0.0001084736, 97.29724974, -1.78689658),
    (False, 27150.0, 27000, 473760, 0.135, 1246.40245288, -0.43515481, 0.0001084736, 97.29724974, -1.8084061),
]
IS_CALL, FORWARD, STRIKE, MINUTES, VOLATILITY, PRICE, DELTA, GAMMA, VEGA, THETA = (
    np.array(column) for column in zip(*REFERENCE, strict=True)
)
YEARS = MINUTES / greeks.MINUTES_PER_YEAR


def test_prices_are_those_of_the_reference_rows():
    assert greeks.price(FORWARD, STRIKE, YEARS, RATE, VOLATILITY, IS_CALL) == pytest.approx(PRICE, abs=6e-9)


def test_greeks_are_those_of_the_reference_rows():
    ours = greeks.greeks(FORWARD, STRIKE, YEARS, RATE, VOLATILITY, IS_CALL)

    assert ours.delta == pytest.approx(DELTA, abs=6e-9)
    assert ours.gamma == pytest.approx(GAMMA, abs=6e-11)
    assert ours.vega == pytest.approx(VEGA, abs=6e-9)
    assert ours.theta == pytest.approx(THETA, abs=6e-9)


def test_implied_volatility_gives_back_the_volatility_of_the_reference_rows():
    ours = greeks.implied_volatility(PRICE, FORWARD, STRIKE, YEARS, RATE, IS_CALL)

    assert ours == pytest.approx(VOLATILITY, rel=1e-7)


@given(
    forward=st.floats(50, 100_000),
    moneyness=st.floats(-3, 3),
    minutes=st.integers(5, 2_000_000),
    volatility=st.floats(0.05, 1.5),
    is_call=st.booleans(),
)
def test_price_and_greeks_agree_with_vollib(forward, moneyness, minutes, volatility, is_call):
    years = minutes / greeks.MINUTES_PER_YEAR
    strike = forward * np.exp(moneyness * volatility * np.sqrt(years))
    right = "c" if is_call else "p"
    ours = greeks.greeks(forward, strike, years, RATE, volatility, is_call)

    assert greeks.price(forward, strike, years, RATE, volatility, is_call) == pytest.approx(
        black(right, forward, strike, years, RATE, volatility), rel=1e-9, abs=1e-9 * forward
    )
    assert ours.delta == pytest.approx(analytical.delta(right, forward, strike, years, RATE, volatility), abs=1e-9)
    assert ours.gamma == pytest.approx(analytical.gamma(right, forward, strike, years, RATE, volatility), rel=1e-6)
    assert ours.theta == pytest.approx(
        analytical.theta(right, forward, strike, years, RATE, volatility), rel=1e-6, abs=1e-6
    )
    assert ours.vega == pytest.approx(
        analytical.vega(right, forward, strike, years, RATE, volatility), rel=1e-6, abs=1e-9
    )


@given(
    forward=st.floats(50, 100_000),
    moneyness=st.floats(-4, 4),
    minutes=st.integers(5, 2_000_000),
    volatility=st.floats(0.03, 3.0),
)
def test_volatility_survives_the_way_through_the_price_and_back(forward, moneyness, minutes, volatility):
    years = minutes / greeks.MINUTES_PER_YEAR
    strike = forward * np.exp(moneyness * volatility * np.sqrt(years))
    is_out_of_the_money_call = strike > forward
    premium = greeks.price(forward, strike, years, RATE, volatility, is_out_of_the_money_call)

    back = greeks.implied_volatility(premium, forward, strike, years, RATE, is_out_of_the_money_call)

    assert back == pytest.approx(volatility, rel=1e-6)


@given(forward=st.floats(50, 100_000), strike=st.floats(50, 100_000), minutes=st.integers(1, 1_000_000))
def test_call_less_put_is_the_discounted_distance_to_the_strike(forward, strike, minutes):
    years = minutes / greeks.MINUTES_PER_YEAR
    call, put = (greeks.price(forward, strike, years, RATE, 0.2, is_call) for is_call in (True, False))

    assert call - put == pytest.approx((forward - strike) * np.exp(-RATE * years), abs=1e-8 * max(forward, strike))


@pytest.mark.parametrize(
    ("premium", "why"),
    [
        (739.0, "below intrinsic: 740 rupees in the money"),
        (0.0, "nothing"),
        (-1.0, "negative"),
        (25_750.0, "above the future itself"),
        (float("nan"), "not a number"),
        (float("inf"), "not finite"),
    ],
)
def test_there_is_no_volatility_for_an_impossible_premium(premium, why):
    assert np.isnan(greeks.implied_volatility(premium, 25_740.0, 25_000.0, 0.00001, RATE, True)), why


def test_there_is_no_volatility_after_expiry():
    assert np.isnan(greeks.implied_volatility(100.0, 25_740.0, 25_750.0, 0.0, RATE, True))


def test_one_bad_premium_leaves_its_neighbours_alone():
    premiums = [158.44959869, 0.0, 168.43905631]

    volatilities = greeks.implied_volatility(premiums, 25_740.0, 25_750.0, YEARS[0], RATE, [True, True, False])

    assert volatilities[[0, 2]] == pytest.approx([0.115, 0.115], rel=1e-7)
    assert np.isnan(volatilities[1])


def test_an_array_of_strikes_meets_a_single_future():
    strikes = np.array([25_650, 25_700, 25_750])

    premiums = greeks.price(25_740.0, strikes, YEARS[0], RATE, 0.115, True)

    assert premiums.shape == (3,)
    assert (np.diff(premiums) < 0).all()
