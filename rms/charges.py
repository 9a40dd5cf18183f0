"""Charges of real instruments: what a planned order would cost, and the tariff's settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.conf import settings

from feeds.core.instrument import ExchangeSegment, InstrumentType
from feeds.models import Instrument
from rms.core.charges import ChargedTrade, Charges, Manner, StampRounding, charges_of
from rms.core.product import Product


@dataclass(frozen=True, slots=True)
class Planned:
    """An order that could be placed: quantity signed (positive buys), units or lots; price in paise."""

    instrument: Instrument
    product: Product
    signed_quantity: int
    price: int


def estimate(planned: Sequence[Planned], on: date) -> Charges:
    """What these orders would cost if each was executed whole at its price on that day.

    Raises:
        NoTariff: no rates are known for the day.
    """
    trades = [
        charged_trade(order.instrument, order.product, order.signed_quantity, order.price, reference=str(number))
        for number, order in enumerate(planned)
    ]
    return day_charges(trades, on)


def day_charges(trades: Sequence[ChargedTrade], on: date) -> Charges:
    """`charges_of` with the rounding that is set."""
    return charges_of(trades, on, StampRounding(settings.STAMP_ROUNDING))


def charged_trade(
    instrument: Instrument,
    product: Product,
    signed_quantity: int,
    price: int,
    reference: str,
    manner: Manner = Manner.ORDERED,
) -> ChargedTrade:
    """A fill as the tariff sees it; `reference` names the order that it belongs to."""
    return ChargedTrade(
        code=instrument.code,
        segment=ExchangeSegment(instrument.segment),
        instrument_type=InstrumentType(instrument.instrument_type),
        product=Product(product),
        reference=reference,
        signed_quantity=signed_quantity,
        value=abs(signed_quantity) * price * instrument.multiplier,
        manner=manner,
    )
