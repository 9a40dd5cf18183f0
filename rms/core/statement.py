"""A contract note's figures: weighted averages per contract and side, FIFO beside them, and its lines as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feeds.core.price import rupees_text
from rms.core.charges import Line
from rms.core.position import Lot, Traded, fifo

HUNDREDTHS = 100
"""Averages are kept in hundredths of a paisa: rupees to four decimals."""

CASH_LINES = ("trades", "mark_to_market", "expiry", "interest", "charges")
"""What a day moved in an account's cash, in a note's order. Their sum is the note's net."""


@dataclass(frozen=True, slots=True)
class SideTotal:
    """All that was bought, or sold, of one contract in a day: units or lots, paise with the multiplier in it."""

    quantity: int
    value: int
    average: int


def weighted_average(fills: Iterable[Traded]) -> int:
    """Hundredths of a paisa a unit, half up; 0 without fills. Signs do not matter."""
    quantity = value = 0
    for signed_quantity, price in fills:
        quantity += abs(signed_quantity)
        value += abs(signed_quantity) * price
    return (2 * value * HUNDREDTHS + quantity) // (2 * quantity) if quantity else 0


def side_totals(fills: Iterable[Traded], multiplier: int = 1) -> tuple[SideTotal, SideTotal]:
    """Bought and sold."""
    known = list(fills)
    return (
        _side_total([fill for fill in known if fill.signed_quantity > 0], multiplier),
        _side_total([fill for fill in known if fill.signed_quantity < 0], multiplier),
    )


def _side_total(fills: Sequence[Traded], multiplier: int) -> SideTotal:
    quantity = sum(abs(fill.signed_quantity) for fill in fills)
    value = sum(abs(fill.signed_quantity) * fill.price for fill in fills) * multiplier
    return SideTotal(quantity, value, weighted_average(fills))


def fifo_of_day(before: Sequence[Traded], today: Sequence[Traded], multiplier: int = 1) -> tuple[tuple[Lot, ...], int]:
    """The lots that are open after today, and what today alone realised, when what came first goes first."""
    _, realised_before = fifo(before, multiplier)
    lots, realised = fifo((*before, *today), multiplier)
    return lots, realised - realised_before


# --- as text ------------------------------------------------------------------------------------


def average_text(average: int) -> str:
    """Hundredths of a paisa as rupees with four decimals: 1234567 -> ``"123.4567"``."""
    rupees, rest = divmod(average, 100 * HUNDREDTHS)
    return f"{rupees}.{rest:04d}"


CSV_HEADER = ("section", "instrument", "symbol", "product", "what", "quantity", "price", "amount")


def csv_rows(content: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """A statement as rows of one table with a header; money is rupees as text, an empty cell means not applicable."""
    yield CSV_HEADER
    cash = content["cash"]
    yield _amount("cash", "opening", cash["opening"])
    for trade in content["trades"]:
        yield from _trade_rows(trade)
    for change in content["settlements"]:
        yield (
            "settlement", *_names(change), change["kind"], str(change["quantity"]), rupees_text(change["price"]),
            rupees_text(change["amount"]),
        )  # fmt: skip
    for line in Line:
        if line in content["charges"]["lines"]:
            yield _amount("charges", line, content["charges"]["lines"][line])
    for name in (*CASH_LINES, "net", "other", "closing"):
        yield _amount("cash", name, cash[name])
    for holding in content["holdings"]:
        yield "holding", *_names(holding), "held", str(holding["quantity"]), "", rupees_text(holding["cost"])


def _trade_rows(trade: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for what in ("bought", "sold"):
        side = trade[what]
        if side["quantity"]:
            price, value = average_text(side["average"]), rupees_text(side["value"])
            yield "trade", *_names(trade), what, str(side["quantity"]), price, value


def _names(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["instrument"], row["symbol"], row.get("product", "CNC")


def _amount(section: str, what: str, amount: int) -> tuple[str, ...]:
    return section, "", "", "", what, "", "", rupees_text(amount)
