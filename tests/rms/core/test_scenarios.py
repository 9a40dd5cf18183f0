"""The sixteen scenarios of one unit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.core import greeks
from rms.core.scenarios import WEIGHTS, future_risk, implied_volatility, option_risk

# Rupees, from span_approx_vectors.json: spot 25,935.15, the February future at 25,985.60, volatility 12 %, 14 days.
FUTURE = [0, 0, -805.55, -805.55, 805.55, 805.55, -1611.11, -1611.11, 1611.11, 1611.11, -2416.66, -2416.66, 2416.66,
          2416.66, -1691.66, 1691.66]  # fmt: skip
CALL_26000 = [-69.3, 86.9, -620.76, -557.08, 178.99, 233.74, -1364.94, -1357.6, 231.67, 236.08, -2162.02, -2161.61,
              235.97, 236.08, -1600.79, 82.63]  # fmt: skip


def risk(price: int, strike: int, days: int = 14, is_call: bool = True, volatility: float | None = 0.12):
    return option_risk(price, 2_598_560, strike, days, is_call, volatility, 930, 4, 15, 0.0534)


def test_a_future_loses_its_range_by_thirds_and_35_per_cent_of_twice_it():
    assert list(future_risk(2_598_560, 930).losses) == pytest.approx([100 * loss for loss in FUTURE], abs=1)


def test_a_call_loses_what_black_76_says_a_day_later():
    assert list(risk(23_608, 2_600_000).losses) == pytest.approx([100 * loss for loss in CALL_26000], abs=1)


def test_a_long_option_never_loses_more_than_its_price():
    assert max(risk(5, 2_900_000).losses) == 5


def test_delta_says_how_many_futures_it_moves_like():
    assert future_risk(2_598_560, 930).delta == pytest.approx(1, abs=1e-5)
    assert risk(360_000, 2_240_000).delta == pytest.approx(1, abs=0.02)
    assert risk(25_045, 2_600_000, is_call=False).delta == pytest.approx(-0.49, abs=0.05)


def test_a_price_that_implies_no_volatility_is_shocked_at_the_fallback():
    below_intrinsic = risk(10_000, 2_400_000, volatility=None)

    assert below_intrinsic.losses == risk(10_000, 2_400_000, volatility=0.15).losses


def test_an_option_on_its_last_day_is_what_it_pays():
    losses = risk(20_000, 2_600_000, days=0, volatility=None).losses

    assert losses[10] == pytest.approx(20_000 - (2_598_560 * 1.093 - 2_600_000), abs=2)
    assert losses[12] == 20_000


def test_only_the_extreme_scenarios_are_weighted():
    assert WEIGHTS == (1,) * 14 + (0.35, 0.35)


@given(
    st.floats(10_000, 5_000_000),
    st.floats(0.7, 1.4),
    st.floats(0.001, 2),
    st.floats(0.03, 3),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_the_solver_of_one_agrees_with_the_solver_of_many(forward, moneyness, years, volatility, is_call):
    strike = forward * moneyness
    premium = float(greeks.price(forward, strike, years, 0.05, volatility, is_call))
    vega = float(greeks.greeks(forward, strike, years, 0.05, volatility, is_call).vega)
    theirs = float(greeks.implied_volatility(premium, forward, strike, years, 0.05, is_call))
    ours = implied_volatility(premium, forward, strike, years, 0.05, is_call)

    if vega > 0.01 and not np.isnan(theirs):
        assert ours == pytest.approx(theirs, abs=1e-5)


@pytest.mark.parametrize("premium", [0, -5, 10_000, 9_900_000, float("nan")])
def test_a_premium_that_cannot_be_has_no_volatility(premium):
    assert implied_volatility(premium, 2_600_000, 2_500_000, 0.1, 0.05, True) is None
