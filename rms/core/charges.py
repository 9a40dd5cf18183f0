"""What trading costs beside its price: brokerage, fees and taxes by line, by the tariff of the day."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from feeds.core.instrument import FUTURE_TYPES, OPTION_TYPES, ExchangeSegment, InstrumentType
from rms.core.product import Product

DATA = Path(__file__).resolve().parent.parent / "data" / "charges.json"
PAISE = Decimal(100)
DAYS_A_YEAR = 365
ZERO = Decimal(0)


class Line(StrEnum):
    """The lines of a contract note, in its order."""

    BROKERAGE = "BROKERAGE"
    EXCHANGE_TRANSACTION = "EXCHANGE_TRANSACTION"
    INVESTOR_PROTECTION = "INVESTOR_PROTECTION"
    SEBI = "SEBI"
    SQUARE_OFF = "SQUARE_OFF"
    DEPOSITORY = "DEPOSITORY"
    GST = "GST"
    STT = "STT"
    CTT = "CTT"
    STAMP = "STAMP"


GST_BASE = (
    Line.BROKERAGE,
    Line.EXCHANGE_TRANSACTION,
    Line.INVESTOR_PROTECTION,
    Line.SEBI,
    Line.SQUARE_OFF,
    Line.DEPOSITORY,
)
"""What services tax is on: not on other taxes."""
WHOLE_RUPEES = frozenset({Line.STT, Line.CTT})


class StampRounding(StrEnum):
    """Dhan's page says rupees; one real contract note shows paise."""

    RUPEE = "RUPEE"
    PAISA = "PAISA"


class ChargeKind(StrEnum):
    """How taxes see a trade. FUNDED is taxed as delivery and differs in its brokerage alone."""

    DELIVERY = "delivery"
    FUNDED = "funded"
    INTRADAY = "intraday"
    FUTURES = "futures"
    OPTIONS = "options"
    COMMODITY_FUTURES = "commodity_futures"
    COMMODITY_OPTIONS = "commodity_options"


SHARES = {Product.CNC: ChargeKind.DELIVERY, Product.MTF: ChargeKind.FUNDED}
MARKETS = {
    ChargeKind.FUTURES: "futures",
    ChargeKind.OPTIONS: "options",
    ChargeKind.COMMODITY_FUTURES: "futures",
    ChargeKind.COMMODITY_OPTIONS: "options",
}
"""Under which name an exchange prices a kind; shares are `cash`."""
COMMODITIES = frozenset({ChargeKind.COMMODITY_FUTURES, ChargeKind.COMMODITY_OPTIONS})


class Manner(StrEnum):
    """How a trade came about, where the tariff cares."""

    ORDERED = "ORDERED"
    SQUARED_OFF = "SQUARED_OFF"  # by the house, which charges for it
    DELIVERED = "DELIVERED"  # shares against a contract: taxes of delivery, no order and no exchange
    EXERCISED = "EXERCISED"  # a contract's own end: its value is intrinsic


@dataclass(frozen=True, slots=True)
class ChargedTrade:
    """One trade as the tariff sees it. `reference` names its order: brokerage is per executed order.

    `value` is quantity x price x multiplier in paise, never negative; `signed_quantity` is positive for a buy.
    """

    code: int
    segment: ExchangeSegment
    instrument_type: InstrumentType
    product: Product
    reference: str
    signed_quantity: int
    value: int
    manner: Manner = Manner.ORDERED

    @property
    def is_buy(self) -> bool:
        return self.signed_quantity > 0

    @property
    def kind(self) -> ChargeKind:
        return kind_of(self.segment, self.instrument_type, self.product)


@dataclass(frozen=True, slots=True)
class Charges:
    """Paise by line; a line that came to nothing is absent."""

    lines: Mapping[Line, int]

    @property
    def total(self) -> int:
        return sum(self.lines.values())

    def __add__(self, other: Charges) -> Charges:
        lines = {line: self.lines.get(line, 0) + other.lines.get(line, 0) for line in Line}
        return Charges({line: amount for line, amount in lines.items() if amount})


class NoTariff(LookupError):
    """No rate is known for that day."""


def kind_of(segment: ExchangeSegment, instrument_type: InstrumentType, product: Product) -> ChargeKind:
    is_commodity = segment is ExchangeSegment.MCX_COMM
    if instrument_type in OPTION_TYPES:
        return ChargeKind.COMMODITY_OPTIONS if is_commodity else ChargeKind.OPTIONS
    if instrument_type in FUTURE_TYPES:
        return ChargeKind.COMMODITY_FUTURES if is_commodity else ChargeKind.FUTURES
    return SHARES.get(product, ChargeKind.INTRADAY)


def charges_of(
    trades: Iterable[ChargedTrade], on: date, stamp_rounding: StampRounding = StampRounding.RUPEE
) -> Charges:
    """The charges of a day's trades of one account: exact for each trade, rounded on each segment's total.

    Tax is rounded half up to the rupee, the rest half up to the paisa. Delivered shares that leave the account on
    balance cost a depository charge for each instrument.

    Raises:
        NoTariff: the day is before the tariff begins.
    """
    by_segment: dict[ExchangeSegment, list[ChargedTrade]] = defaultdict(list)
    for trade in trades:
        by_segment[trade.segment].append(trade)
    return sum((_rounded(_exact(each, on), stamp_rounding) for each in by_segment.values()), Charges({}))


def funding_interest(funded: int, on: date, days: int = 1) -> int:
    """Interest in paise on funded shares for some days: each slab's rate on the whole amount, half up to the paisa."""
    slabs = _row("funding_interest", on)["slabs"]
    yearly = next(
        Decimal(slab["yearly"])
        for slab in slabs
        if slab["up_to_rupees"] is None or funded <= slab["up_to_rupees"] * PAISE
    )
    return _half_up(funded * yearly * days / DAYS_A_YEAR)


# --- the exact sums ---------------------------------------------------------------------------------

Exact = dict[Line, Decimal]
"""Paise with all their decimals."""


def _exact(trades: Sequence[ChargedTrade], on: date) -> Exact:
    sums: Exact = defaultdict(lambda: ZERO)
    for trade in trades:
        _add_fees(sums, trade, on)
        _add_taxes(sums, trade, on)
    sums[Line.BROKERAGE] += _brokerage(trades, on)
    other = _row("other", on)
    squared_off = {trade.reference for trade in trades if trade.manner is Manner.SQUARED_OFF}
    sums[Line.SQUARE_OFF] += len(squared_off) * Decimal(other["square_off_rupees"]) * PAISE
    sums[Line.DEPOSITORY] += len(_delivered_out(trades)) * Decimal(other["depository_rupees"]) * PAISE
    sums[Line.GST] += sum((sums[line] for line in GST_BASE), ZERO) * Decimal(other["gst"])
    return sums


def _add_fees(sums: Exact, trade: ChargedTrade, on: date) -> None:
    """The exchange's and SEBI's share of what was traded on the exchange."""
    if trade.manner in (Manner.DELIVERED, Manner.EXERCISED):
        return
    exchange, market = trade.segment.name.partition("_")[0], MARKETS.get(trade.kind, "cash")
    for line, table in (
        (Line.EXCHANGE_TRANSACTION, "exchange_transaction"),
        (Line.INVESTOR_PROTECTION, "investor_protection"),
    ):
        sums[line] += trade.value * Decimal(_row(table, on, exchange=exchange)[market])
    sums[Line.SEBI] += trade.value * Decimal(_row("other", on)["sebi"])


def _add_taxes(sums: Exact, trade: ChargedTrade, on: date) -> None:
    kind = ChargeKind.DELIVERY if trade.kind is ChargeKind.FUNDED else trade.kind
    side = "buy" if trade.is_buy else "sell"
    tax = Decimal(_row("transaction_tax", on, kind=kind)[_taxed_as(trade, side)])
    sums[Line.CTT if kind in COMMODITIES else Line.STT] += trade.value * tax
    if trade.is_buy and trade.manner is not Manner.EXERCISED:
        sums[Line.STAMP] += trade.value * Decimal(_row("stamp_on_buys", on, kind=kind)["rate"])


def _taxed_as(trade: ChargedTrade, side: str) -> str:
    return "exercised" if trade.manner is Manner.EXERCISED else side


def _brokerage(trades: Iterable[ChargedTrade], on: date) -> Decimal:
    """Paise of all executed orders: what the value of an order's fills together costs."""
    values: dict[tuple[str, ChargeKind], int] = defaultdict(int)
    for trade in trades:
        if trade.manner in (Manner.ORDERED, Manner.SQUARED_OFF):
            values[trade.reference, trade.kind] += trade.value
    return sum((_brokerage_of(value, _row("brokerage", on, kind=kind)) for (_, kind), value in values.items()), ZERO)


def _brokerage_of(value: int, row: Any) -> Decimal:
    if "flat_rupees" in row:
        return Decimal(row["flat_rupees"]) * PAISE
    return min(value * Decimal(row["rate"]), Decimal(row["most_rupees"]) * PAISE)


def _delivered_out(trades: Iterable[ChargedTrade]) -> list[int]:
    """The shares of which more were sold than bought for delivery: only these leave the account's depository."""
    net: dict[int, int] = defaultdict(int)
    for trade in trades:
        if trade.kind in (ChargeKind.DELIVERY, ChargeKind.FUNDED):
            net[trade.code] += trade.signed_quantity
    return [code for code, quantity in net.items() if quantity < 0]


def _rounded(sums: Exact, stamp_rounding: StampRounding) -> Charges:
    whole = WHOLE_RUPEES | ({Line.STAMP} if stamp_rounding is StampRounding.RUPEE else frozenset())
    lines = {line: _half_up(sums[line] / PAISE) * 100 if line in whole else _half_up(sums[line]) for line in Line}
    return Charges({line: amount for line, amount in lines.items() if amount})


def _half_up(amount: Decimal) -> int:
    return int(amount.to_integral_value(rounding=ROUND_HALF_UP))


# --- the tariff -------------------------------------------------------------------------------------


@cache
def _tariff() -> Any:
    return json.loads(DATA.read_text(encoding="utf-8"))


@cache
def _row(table: str, on: date, **identity: str) -> Any:
    """The last row of a table, and of an exchange or kind in it, that began on the day or before."""
    rows = [row for row in _tariff()[table] if all(row[name] == value for name, value in identity.items())]
    begun = [row for row in rows if date.fromisoformat(row["from"]) <= on]
    if not begun:
        raise NoTariff(f"no {table} is known for {' '.join(identity.values())} on {on}")
    return max(begun, key=lambda row: row["from"])
