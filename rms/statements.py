"""Contract notes: an account's day as it was closed, written once, and printed."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from django.db.models import Sum
from django.template.loader import render_to_string

from feeds.core.instrument import OPTION_TYPES, InstrumentType
from feeds.models import Instrument
from rms import ledger
from rms.charges import charged_trade, day_charges
from rms.core import statement
from rms.core.charges import ChargedTrade, Charges, Line, Manner
from rms.core.position import Traded, unrealised_pnl
from rms.core.product import Product
from rms.core.settlement import day_pnl
from rms.core.statement import CASH_LINES, average_text, fifo_of_day, side_totals
from rms.fills import Kind, state_of
from rms.models import Entry, Funds, Holding, LedgerAccount, Position, PositionChange, Statement, Transfer
from rms.rupees import grouped
from rms.settlement import SEGMENTS, AccountDay, Group

TRADED_KINDS = (Kind.TRADE, Kind.CONVERSION, Kind.EXPIRY, Kind.CLOSE_OUT)
"""Changes with a quantity and a price. A delivery only moves shares to another place."""

Key = tuple[int, str]
"""Instrument code and product."""


# --- charges ------------------------------------------------------------------------------------


def post_charges(account: AccountDay, trades: Sequence[ChargedTrade]) -> Charges:
    """Charge a day's trades, given by whoever knows their orders, and what the settlement itself did. Once."""
    charges = day_charges([*trades, *_settlement_trades(account)], account.day)
    if charges.total:
        ledger.transfer(
            reference=charges_reference(account.day, account.group, account.account_id),
            kind=Transfer.Kind.CHARGES,
            account_id=account.account_id,
            amount=-charges.total,
            against=ledger.Book.CHARGES,
            trading_date=account.day,
            details={"lines": dict(charges.lines)},
        )
    return charges


def charges_reference(day: date, group: Group, account_id: int) -> str:
    return f"charges.{day}.{group}.{account_id}"


def _settlement_trades(account: AccountDay) -> Iterator[ChargedTrade]:
    for change in _changes_of_day(account):
        manner = _manner(change)
        if manner is not None:
            product = Product(change.product)
            yield charged_trade(
                change.instrument, product, change.signed_quantity, change.price, change.reference, manner
            )


def _manner(change: PositionChange) -> Manner | None:
    """How the tariff sees a change that no order made; None: it costs nothing."""
    kind = InstrumentType(change.instrument.instrument_type)
    if change.kind == Kind.CLOSE_OUT:
        return Manner.SQUARED_OFF
    if change.kind == Kind.EXPIRY and kind is InstrumentType.EQUITY:
        return Manner.DELIVERED
    if change.kind == Kind.EXPIRY and kind in OPTION_TYPES and change.signed_quantity < 0 and change.price:
        return Manner.EXERCISED
    return None


# --- writing ------------------------------------------------------------------------------------


def is_written(account_id: int, day: date, group: Group) -> bool:
    return Statement.objects.filter(account_id=account_id, trading_date=day, group=group).exists()


def write_statement(account: AccountDay, charges: Charges) -> Statement:
    """The note of a day whose settlement and charges are posted, in the same transaction. Written once."""
    changes = list(_changes_of_day(account))
    return Statement.objects.create(
        account_id=account.account_id,
        trading_date=account.day,
        group=account.group,
        content={
            "trading_date": account.day.isoformat(),
            "group": account.group,
            "account": account.account_id,
            "cash": _cash(account, changes),
            "trades": _trades(changes),
            "settlements": _settlements(account, changes),
            "charges": {"lines": dict(charges.lines), "total": charges.total},
            "positions": _positions(account, changes),
            "holdings": _holdings(account),
            "fifo": _fifo(account, changes),
        },
    )


def _changes_of_day(account: AccountDay) -> Iterable[PositionChange]:
    return PositionChange.objects.filter(
        account_id=account.account_id, trading_date=account.day, instrument__segment__in=SEGMENTS[account.group]
    ).select_related("instrument")


def _cash(account: AccountDay, changes: Iterable[PositionChange]) -> dict[str, int]:
    """Opening, what this group's day moved by kind, what else moved, closing: they add up to the paisa."""
    entries = Entry.objects.filter(ledger_account__book=LedgerAccount.Book.CASH)
    entries = entries.filter(ledger_account__account_id=account.account_id, transfer__trading_date__gte=account.day)
    since = entries.aggregate(total=Sum("amount"))["total"] or 0
    opening = Funds.objects.get(pk=account.account_id).cash - since
    own = {transfer_reference(change) for change in changes}
    own |= {charges_reference(account.day, account.group, account.account_id)}
    own |= {f"interest.{account.day}.{account.account_id}"} if account.group is Group.EQUITY else set()
    lines = dict.fromkeys(CASH_LINES, 0)
    other = 0
    for reference, kind, amount in entries.filter(transfer__trading_date=account.day).values_list(
        "transfer__reference", "transfer__kind", "amount"
    ):
        if reference in own:
            lines[LINE_OF_KIND[kind]] += amount
        else:
            other += amount
    net = sum(lines.values())
    return {"opening": opening, **lines, "net": net, "other": other, "closing": opening + net + other}


LINE_OF_KIND = {
    Transfer.Kind.TRADE: "trades",
    Transfer.Kind.MARK_TO_MARKET: "mark_to_market",
    Transfer.Kind.EXPIRY: "expiry",
    Transfer.Kind.INTEREST: "interest",
    Transfer.Kind.CHARGES: "charges",
}


def transfer_reference(change: PositionChange) -> str:
    """Of the money that a change moved, as rms.fills names it."""
    return f"{change.kind.lower()}.{change.reference}"


def _by_key(changes: Iterable[PositionChange]) -> dict[Key, list[PositionChange]]:
    found: dict[Key, list[PositionChange]] = defaultdict(list)
    for change in changes:
        found[change.instrument_id, change.product].append(change)
    return found


def _trades(changes: Iterable[PositionChange]) -> list[dict[str, Any]]:
    trades = _by_key(change for change in changes if change.kind == Kind.TRADE)
    rows = []
    for same in trades.values():
        bought, sold = side_totals(_traded(same), same[0].multiplier)
        rows.append({**_names(same[0].instrument, same[0].product), "bought": asdict(bought), "sold": asdict(sold)})
    return rows


def _traded(changes: Iterable[PositionChange]) -> list[Traded]:
    return [Traded(change.signed_quantity, change.price) for change in changes]


def _settlements(account: AccountDay, changes: Sequence[PositionChange]) -> list[dict[str, Any]]:
    """What the day's end itself did, and the money each moved."""
    settled = [change for change in changes if change.kind != Kind.TRADE]
    references = {transfer_reference(change) for change in settled}
    moved = dict(
        Entry.objects.filter(
            transfer__reference__in=references, ledger_account__account_id=account.account_id
        ).values_list("transfer__reference", "amount")
    )
    return [
        {
            **_names(change.instrument, change.product),
            "kind": change.kind,
            "quantity": change.signed_quantity,
            "price": change.price,
            "amount": moved.get(transfer_reference(change), 0),
            "realised": change.realised,
            "reference": change.reference,
        }
        for change in settled
    ]


def _positions(account: AccountDay, changes: Iterable[PositionChange]) -> list[dict[str, Any]]:
    """What is open after the day, or was open or traded in it, marked at the settlement price."""
    by_key = _by_key(change for change in changes if change.kind in TRADED_KINDS)
    rows = Position.objects.filter(
        account_id=account.account_id, instrument__segment__in=SEGMENTS[account.group], trading_date=account.day
    )
    carried = Position.objects.filter(
        account_id=account.account_id, instrument__segment__in=SEGMENTS[account.group], trading_date__lt=account.day
    ).exclude(signed_quantity=0)
    found = (rows | carried).select_related("instrument").order_by("pk")
    return [_position(account, each, by_key.get((each.instrument_id, each.product), [])) for each in found]


def _position(account: AccountDay, position: Position, fills: list[PositionChange]) -> dict[str, Any]:
    settled = account.settled.prices.get(position.instrument_id)
    price, multiplier = settled.price if settled else 0, position.instrument.multiplier
    state = state_of(position)
    carried = day_pnl(state.carried_quantity, state.carried_price, _traded(fills), price, multiplier)
    return {
        **_names(position.instrument, position.product),
        "quantity": position.signed_quantity,
        "open_cost": position.open_cost,
        "realised": position.realised_pnl,
        "settlement_price": price if settled else None,
        "price_source": settled.source if settled else None,
        "unrealised": unrealised_pnl(state, price, multiplier),
        "day_pnl": None if position.product == Product.CNC else carried,
        "method": "moving average",
    }


def _holdings(account: AccountDay) -> list[dict[str, Any]]:
    if account.group is not Group.EQUITY:
        return []
    rows = Holding.objects.filter(account_id=account.account_id, quantity__gt=0).select_related("instrument")
    return [
        {**_names(row.instrument, Product.CNC), "quantity": row.quantity, "cost": row.cost}
        for row in rows.order_by("pk")
    ]


def _fifo(account: AccountDay, changes: Iterable[PositionChange]) -> list[dict[str, Any]]:
    """For each contract traded today: its open lots and what was realised, when what came first goes first."""
    today = _by_key(change for change in changes if change.kind in TRADED_KINDS)
    codes = {code for code, _ in today}
    earlier = PositionChange.objects.filter(
        account_id=account.account_id, instrument_id__in=codes, trading_date__lt=account.day, kind__in=TRADED_KINDS
    )
    before = _by_key(earlier.order_by("pk"))
    rows = []
    for key, same in today.items():
        lots, realised = fifo_of_day(_traded(before.get(key, [])), _traded(same), same[0].multiplier)
        names = _names(same[0].instrument, same[0].product)
        rows.append({**names, "realised": realised, "lots": [list(lot) for lot in lots], "method": "FIFO"})
    return rows


def _names(instrument: Instrument, product: str) -> dict[str, str]:
    return {"instrument": str(instrument.key), "symbol": str(instrument), "product": str(product)}


# --- printing -----------------------------------------------------------------------------------


def csv_rows(note: Statement) -> Iterator[tuple[str, ...]]:
    return statement.csv_rows(note.content)


def render_csv(note: Statement) -> str:
    """The note as a CSV file's text; money is rupees."""
    text = io.StringIO()
    csv.writer(text).writerows(csv_rows(note))
    return text.getvalue()


def render_html(note: Statement) -> str:
    """The note as a whole page to be printed, or saved as PDF, from the browser."""
    content = note.content
    lines = content["charges"]["lines"]
    return render_to_string(
        "rms/statement.html",
        {
            "account": note.account.name,
            "date": note.trading_date,
            "group": note.group,
            "trades": list(_printed_trades(content["trades"])),
            "settlements": [_printed(row, "price", "amount") for row in content["settlements"]],
            "charges": [(CHARGE_NAMES[line], grouped(lines[line])) for line in Line if line in lines],
            "charges_total": grouped(content["charges"]["total"]),
            "cash": [(name, grouped(content["cash"][key]), key in CASH_SUMS) for key, name in CASH_NAMES.items()],
            "positions": [_printed_position(row) for row in content["positions"]],
            "fifo": [_printed_lots(row) for row in content["fifo"]],
            "holdings": [_printed(row, "cost") for row in content["holdings"]],
        },
    )


CHARGE_NAMES = {
    Line.BROKERAGE: "Brokerage",
    Line.EXCHANGE_TRANSACTION: "Exchange transaction charge",
    Line.INVESTOR_PROTECTION: "Investor protection fund",
    Line.SEBI: "SEBI turnover fee",
    Line.SQUARE_OFF: "Square-off by the house",
    Line.DEPOSITORY: "Depository charge",
    Line.GST: "GST",
    Line.STT: "Securities transaction tax",
    Line.CTT: "Commodities transaction tax",
    Line.STAMP: "Stamp duty",
}
CASH_NAMES = {
    "opening": "Opening balance",
    "trades": "Trades",
    "mark_to_market": "Mark to market",
    "expiry": "Expiry",
    "interest": "Interest on funded shares",
    "charges": "Charges",
    "net": "Net of this note",
    "other": "Other movements of the day",
    "closing": "Closing balance",
}
CASH_SUMS = frozenset({"opening", "net", "closing"})
SETTLEMENT_NAMES = {
    Kind.MARK_TO_MARKET: "Marked to market",
    Kind.EXPIRY: "Expiry",
    Kind.CONVERSION: "Product converted",
    Kind.DELIVERY: "Delivery",
    Kind.CLOSE_OUT: "Closed by the house",
}


def _printed_trades(trades: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for trade in trades:
        for side in ("bought", "sold"):
            total = trade[side]
            if total["quantity"]:
                average, value = average_text(total["average"]), grouped(total["value"])
                yield {**trade, "side": side, "quantity": total["quantity"], "average": average, "value": value}


def _printed(row: dict[str, Any], *money: str) -> dict[str, Any]:
    """A row with these columns as rupees, and its kind in words."""
    texts = {name: grouped(row[name]) for name in money}
    return {**row, **texts, "what": SETTLEMENT_NAMES.get(row.get("kind", ""), "")}


def _printed_position(row: dict[str, Any]) -> dict[str, Any]:
    named = {**row, "cost": row["open_cost"], "price": row["settlement_price"]}
    return _printed(named, "cost", "price", "realised", "unrealised", "day_pnl")


def _printed_lots(row: dict[str, Any]) -> dict[str, Any]:
    lots = ", ".join(f"{quantity} at {grouped(price)}" for quantity, price in row["lots"])
    return {**_printed(row, "realised"), "lots": lots}
