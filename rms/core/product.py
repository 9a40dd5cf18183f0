"""Products, and how each kind of instrument is paid for."""

from __future__ import annotations

from enum import StrEnum

from feeds.core.instrument import OPTION_TYPES, InstrumentType


class Product(StrEnum):
    """Dhan's productType. CNC is delivery, MARGIN carries futures and options over, MTF is funded delivery."""

    CNC = "CNC"
    INTRADAY = "INTRADAY"
    MARGIN = "MARGIN"
    MTF = "MTF"


class Style(StrEnum):
    """What a fill does to cash at once."""

    PAID = "PAID"  # the whole price changes hands: options' premium, delivery shares
    MARGINED = "MARGINED"  # nothing changes hands but margin, profit and loss: futures, intraday and funded shares


def style_of(instrument_type: InstrumentType, product: Product) -> Style:
    if instrument_type in OPTION_TYPES or (instrument_type is InstrumentType.EQUITY and product is Product.CNC):
        return Style.PAID
    return Style.MARGINED
