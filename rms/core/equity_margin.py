"""What shares bind: a part of their value in intraday and funded trades, all of it in delivery."""

from __future__ import annotations

from rms.core.parameters import ShareRules, portion
from rms.core.product import Product


def share_rate(product: Product, rules: ShareRules) -> int:
    """Basis points of the value that stay bound while a share is held in a product.

    Delivery binds nothing: it was paid in full, and what is sold of it is there to be delivered.
    """
    if product is Product.CNC:
        return 0
    if product is Product.MTF:
        return max(rules.value_at_risk + rules.mtf_extreme_loss_times * rules.extreme_loss, rules.mtf_floor)
    return max(rules.value_at_risk + rules.extreme_loss, rules.intraday_floor)


def share_margin(product: Product, signed_quantity: int, price: int, rules: ShareRules) -> int:
    """Paise bound by a position of shares, long or short alike."""
    return portion(abs(signed_quantity) * price, share_rate(product, rules))
