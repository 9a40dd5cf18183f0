"""How far a price may lie from another: operating ranges (limit price protection) and the range of a stop's limit."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from feeds.core.instrument import ExchangeSegment, InstrumentType
from oms.core.data import read_data

OPERATING_RANGE = "operating_range"
STOP_RANGE = "stop_range"

EXCHANGES = {ExchangeSegment.NSE_FNO: "NSE", ExchangeSegment.BSE_FNO: "BSE"}
"""Only derivatives of these have ranges of their own; elsewhere the circuit limits are all there is."""


class Kind(StrEnum):
    """What the exchanges tell apart when they set ranges."""

    INDEX_OPTION = "INDEX_OPTION"
    STOCK_OPTION = "STOCK_OPTION"
    INDEX_FUTURE = "INDEX_FUTURE"
    STOCK_FUTURE = "STOCK_FUTURE"


KIND_OF = {
    InstrumentType.OPTIDX: Kind.INDEX_OPTION,
    InstrumentType.OPTSTK: Kind.STOCK_OPTION,
    InstrumentType.FUTIDX: Kind.INDEX_FUTURE,
    InstrumentType.FUTSTK: Kind.STOCK_FUTURE,
}


class Rule(NamedTuple):
    """The larger of a share and a distance in paise, from a day on."""

    exchange: str
    kinds: frozenset[Kind]
    percent: Decimal
    least: int
    start: date


class PriceRange(NamedTuple):
    """From the lowest to the highest price allowed, in paise, both included."""

    low: int
    high: int

    def __contains__(self, price: object) -> bool:
        return isinstance(price, int) and self.low <= price <= self.high


def operating_range(
    segment: ExchangeSegment, instrument_type: InstrumentType, reference: int, on: date
) -> PriceRange | None:
    """Which limit prices an exchange takes around a reference price; None: it sets no such range.

    The exchange's reference is the mean price of the last 30 seconds; ours is the last price.
    """
    return _around(OPERATING_RANGE, segment, instrument_type, reference, on)


def stop_range(segment: ExchangeSegment, instrument_type: InstrumentType, trigger: int, on: date) -> PriceRange | None:
    """Which limit prices a stop may have around its trigger; None: any."""
    return _around(STOP_RANGE, segment, instrument_type, trigger, on)


def _around(
    name: str, segment: ExchangeSegment, instrument_type: InstrumentType, centre: int, on: date
) -> PriceRange | None:
    rule = _rule(name, segment, instrument_type, on)
    if rule is None:
        return None
    share = int((centre * rule.percent / 100).to_integral_value(rounding=ROUND_FLOOR))
    distance = max(share, rule.least)
    return PriceRange(max(centre - distance, 0), centre + distance)


@cache
def _rule(name: str, segment: ExchangeSegment, instrument_type: InstrumentType, on: date) -> Rule | None:
    """The latest rule that holds on a day."""
    exchange, kind = EXCHANGES.get(segment), KIND_OF.get(instrument_type)
    holding = [rule for rule in _rules(name) if rule.exchange == exchange and kind in rule.kinds and rule.start <= on]
    return max(holding, key=lambda rule: rule.start, default=None)


@cache
def _rules(name: str) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            exchange=row["exchange"],
            kinds=frozenset(map(Kind, row["kinds"])),
            percent=Decimal(row["percent"]),
            least=row["least"],
            start=date.fromisoformat(row["from"]) if "from" in row else date.min,
        )
        for row in read_data("price_ranges.json")[name]
    )
