"""What shares bind."""

from __future__ import annotations

import pytest

from rms.core.equity_margin import share_margin, share_rate
from rms.core.parameters import ShareRules
from rms.core.product import Product

CALM = ShareRules(900, 350, 2000, 5, 2500)
WILD = ShareRules(3000, 500, 2000, 5, 2500)


@pytest.mark.parametrize(
    ("product", "rules", "rate"),
    [
        (Product.INTRADAY, CALM, 2000),
        (Product.INTRADAY, WILD, 3500),
        (Product.MTF, CALM, 2650),
        (Product.MTF, ShareRules(500, 350, 2000, 5, 2500), 2500),
        (Product.MTF, WILD, 5500),
        (Product.CNC, CALM, 0),
    ],
)
def test_a_rate_is_var_and_elm_with_a_floor(product, rules, rate):
    assert share_rate(product, rules) == rate


def test_intraday_gives_at_most_five_times():
    assert share_margin(Product.INTRADAY, 10, 140_000, CALM) * 5 == 10 * 140_000


def test_long_and_short_bind_alike_to_the_paisa():
    assert share_margin(Product.INTRADAY, -3, 33_333, CALM) == share_margin(Product.INTRADAY, 3, 33_333, CALM) == 20_000
