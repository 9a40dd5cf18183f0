"""What fills do to an account: positions, cash, holds and used margin, in a few statements for any number of them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol

from feeds.core.instrument import InstrumentType
from feeds.rows import as_records, fetch_each, insert_statement, instances, locking, sent_together, write
from feeds.statements import Query
from rms import facts, holds, ledger, margin
from rms.core.margin import Margin
from rms.core.position import Effect, PositionState, apply_fill, average_price, deliver, mark_to, start_day
from rms.core.product import Product, Style, style_of
from rms.holds import Posting
from rms.ledger import Book, FundsChange, Movement
from rms.market import Market, NoMarketData
from rms.models import Position, PositionChange, Transfer

log = logging.getLogger(__name__)

Kind = PositionChange.Kind

TRANSFER_KINDS = {Kind.MARK_TO_MARKET: Transfer.Kind.MARK_TO_MARKET, Kind.EXPIRY: Transfer.Kind.EXPIRY}
"""How the money of a change is called in the ledger; the rest are trades."""


@dataclass(frozen=True, slots=True)
class Fill:
    """One change of one position. Quantity in units (lots on MCX), positive bought; price in paise; `at` exchange time.

    A MARK_TO_MARKET has no quantity: what is open is settled at the price. A DELIVERY moves shares between the position
    and the holdings, no money, and says what it `realised` against their cost there. After a fill the hold binds
    `hold_left` paise; with nothing left it has ended, unless it stays (`hold_stays`) because it may be resized later.
    """

    account_id: int
    code: int
    product: str
    signed_quantity: int
    price: int
    multiplier: int
    reference: str
    trading_date: date
    at: datetime
    hold_reference: str = ""
    hold_left: int = 0
    hold_stays: bool = False
    kind: PositionChange.Kind = Kind.TRADE
    realised: int = 0


@dataclass(frozen=True, slots=True)
class FillEffect:
    """What one fill came to. A repeated one: nothing."""

    fill: Fill
    realised: int = 0
    closed_quantity: int = 0
    opened_quantity: int = 0
    repeated: bool = False


class PositionKey(NamedTuple):
    account_id: int
    code: int
    product: str


class GroupKey(NamedTuple):
    account_id: int
    group: str


STATE_COLUMNS = tuple(column.name for column in fields(PositionState))
KNOWN = "SELECT reference FROM rms_positionchange WHERE reference = ANY(%s)"


def record_fills(fills: Sequence[Fill], market: Market) -> list[FillEffect]:
    """Let fills happen, in their order. The caller is in a transaction and has locked the accounts (`ledger.lock`).

    A reference that was recorded already changes nothing. A fill always posts: an account that it takes below its
    floor is marked a deficit. FUNDS and POSITION facts are recorded; the caller announces the accounts.
    """
    known, rows = fetch_each(_known_query(fills), _positions_query(fills))
    fresh = _fresh(fills, {reference for (reference,) in known})
    positions = _positions(fresh, instances(Position, rows))
    effects = {fill.reference: _apply(fill, positions[_key(fill)]) for fill in fresh}
    with sent_together():
        _save_positions(positions.values())
        _save_changes(fresh, effects)
        changes = _move_money(fresh, effects, market)
        _release_holds(fresh, changes)
    touched = {_group(fill, market): fill.trading_date for fill in fresh}
    for account_id, used in _recompute(touched, market).items():
        changes[account_id].used = used
    ledger.change_funds(changes, also=_position_facts(fresh, positions))
    return [_effect(fill, effects.pop(fill.reference, None)) for fill in fills]


def _effect(fill: Fill, effect: Effect | None) -> FillEffect:
    if effect is None:
        return FillEffect(fill, repeated=True)
    return FillEffect(fill, effect.realised, effect.closed_quantity, effect.opened_quantity)


def _key(fill: Fill) -> PositionKey:
    return PositionKey(fill.account_id, fill.code, fill.product)


def _group(fill: Fill, market: Market) -> GroupKey:
    return GroupKey(fill.account_id, margin.group_of(market.instrument(fill.code)))


def _known_query(fills: Sequence[Fill]) -> Query:
    return KNOWN, [[fill.reference for fill in fills]]


def _fresh(fills: Sequence[Fill], known: Collection[str]) -> list[Fill]:
    """The first of each reference that was not recorded yet."""
    first: dict[str, Fill] = {}
    for fill in fills:
        first.setdefault(fill.reference, fill)
    return [fill for reference, fill in first.items() if reference not in known]


# --- positions ----------------------------------------------------------------------------------


def _positions_query(fills: Sequence[Fill]) -> Query:
    """What to ask for the positions of fills as they are, locked by id."""
    accounts, codes = {fill.account_id for fill in fills}, {fill.code for fill in fills}
    return locking(Position, "account_id = ANY(%s) AND instrument_id = ANY(%s)", [list(accounts), list(codes)])


def _positions(fills: Sequence[Fill], rows: Iterable[Position]) -> dict[PositionKey, Position]:
    """The position of each fill: as it is stored, or one that is flat."""
    stored = {PositionKey(row.account_id, row.instrument_id, row.product): row for row in rows}
    return {
        key: stored.get(key)
        or Position(account_id=key.account_id, instrument_id=key.code, product=key.product, trading_date=day)
        for key, day in {_key(fill): fill.trading_date for fill in fills}.items()
    }


def _apply(fill: Fill, position: Position) -> Effect:
    """Change the position in memory."""
    state = state_of(position)
    if fill.trading_date > position.trading_date:
        state = start_day(state, round(average_price(state.signed_quantity, state.open_cost, fill.multiplier) or 0))
        position.trading_date = fill.trading_date
    state, effect = after(state, fill)
    for column in STATE_COLUMNS:
        setattr(position, column, getattr(state, column))
    return effect


class Taken(Protocol):
    """What a position takes: a fill that comes, or a `PositionChange` that was kept."""

    kind: Any
    signed_quantity: Any
    price: Any
    multiplier: Any
    realised: Any


def after(state: PositionState, taken: Taken) -> tuple[PositionState, Effect]:
    """The position after one change, and what that realised, closed and opened."""
    if taken.kind == Kind.MARK_TO_MARKET:
        return mark_to(state, taken.price, taken.multiplier)
    if taken.kind == Kind.DELIVERY:
        return deliver(state, taken.signed_quantity, taken.realised)
    return apply_fill(state, taken.signed_quantity, taken.price, taken.multiplier)


def state_of(position: Position) -> PositionState:
    return PositionState(**{column: getattr(position, column) for column in STATE_COLUMNS})


POSITION_COLUMNS = {
    "account_id": "bigint",
    "instrument_id": "bigint",
    "product": "text",
    **dict.fromkeys(STATE_COLUMNS, "bigint"),
    "trading_date": "date",
}
CHANGE_COLUMNS = {
    "account_id": "bigint",
    "instrument_id": "bigint",
    "product": "text",
    "reference": "text",
    "kind": "text",
    "signed_quantity": "bigint",
    "price": "bigint",
    "multiplier": "integer",
    "realised": "bigint",
    "trading_date": "date",
    "at": "timestamptz",
}
"""Columns and their types."""
SAVE_CHANGES = insert_statement("rms_positionchange", CHANGE_COLUMNS)
SAVE_POSITIONS = (
    f"{insert_statement('rms_position', POSITION_COLUMNS)} "
    "ON CONFLICT (account_id, instrument_id, product) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in (*STATE_COLUMNS, "trading_date"))
)


def _save_positions(positions: Collection[Position]) -> None:
    rows = [[getattr(position, column) for column in POSITION_COLUMNS] for position in positions]
    _write(SAVE_POSITIONS, POSITION_COLUMNS, rows)


def _save_changes(fills: Sequence[Fill], effects: dict[str, Effect]) -> None:
    _write(SAVE_CHANGES, CHANGE_COLUMNS, [_change_row(fill, effects[fill.reference].realised) for fill in fills])


def _change_row(fill: Fill, realised: int) -> tuple[object, ...]:
    identity = (fill.account_id, fill.code, fill.product, fill.reference, str(fill.kind))
    return (*identity, fill.signed_quantity, fill.price, fill.multiplier, realised, fill.trading_date, fill.at)


def _write(statement: str, columns: Iterable[str], rows: Sequence[Sequence[object]]) -> None:
    """One statement for all rows."""
    if not rows:
        return
    write(statement, [as_records(columns, rows)])


def _position_facts(fills: Sequence[Fill], positions: Mapping[PositionKey, Position]) -> list[facts.NewFact]:
    """One fact for each position that changed, as it is now."""
    multipliers = {_key(fill): fill.multiplier for fill in fills}
    return [
        (key.account_id, facts.POSITION, facts.position_body(positions[key], multiplier))
        for key, multiplier in multipliers.items()
    ]


# --- money --------------------------------------------------------------------------------------


def cash_of(fill: Fill, effect: Effect, style: Style) -> int:
    """What a fill moves into the account's cash, in paise: the whole value of what is paid, or the profit realised."""
    if fill.kind == Kind.DELIVERY:
        return 0
    if style is Style.PAID:
        return -fill.signed_quantity * fill.price * fill.multiplier
    return effect.realised


def _move_money(fills: Sequence[Fill], effects: dict[str, Effect], market: Market) -> dict[int, FundsChange]:
    """Post the transfers; returns what they add to each account's cash. An account without any is there too."""
    changes = {fill.account_id: FundsChange() for fill in fills}
    movements = []
    for fill in fills:
        style = style_of(InstrumentType(market.instrument(fill.code).instrument_type), Product(fill.product))
        amount = cash_of(fill, effects[fill.reference], style)
        if amount:
            changes[fill.account_id].cash += amount
            movements.append(_movement(fill, amount))
    ledger.post_movements(movements)
    return changes


def _movement(fill: Fill, amount: int) -> Movement:
    return Movement(
        reference=f"{fill.kind.lower()}.{fill.reference}",
        kind=TRANSFER_KINDS.get(fill.kind, Transfer.Kind.TRADE),
        account_id=fill.account_id,
        amount=amount,
        against=Book.TRADING,
        trading_date=fill.trading_date,
    )


def _release_holds(fills: Sequence[Fill], changes: dict[int, FundsChange]) -> None:
    """The last fill of a hold in this step says what it still binds."""
    postings = {fill.hold_reference: Posting(fill.hold_left, fill.hold_stays) for fill in fills if fill.hold_reference}
    for account_id, freed in holds.release_posted(postings).items():
        changes[account_id].held -= freed


# --- margin groups ------------------------------------------------------------------------------

GROUP_COLUMNS = {"account_id": "bigint", "group": "text", "used_margin": "bigint", "details": "jsonb"}
SAVE_GROUPS = (
    f'{insert_statement("rms_margingroup", GROUP_COLUMNS)} ON CONFLICT (account_id, "group") DO UPDATE SET '
    "used_margin = excluded.used_margin, details = excluded.details"
)
SUMS = """
SELECT account_id, sum(used_margin)::bigint FROM rms_margingroup WHERE account_id = ANY(%s) GROUP BY account_id
"""


def refresh_margins(touched: Iterable[GroupKey], market: Market, on: date) -> None:
    """Compute margin groups anew, as prices or parameters moved. The accounts are locked; it always posts."""
    used = _recompute(dict.fromkeys(touched, on), market)
    ledger.change_funds({account_id: FundsChange(used=total) for account_id, total in used.items()})


def _recompute(touched: dict[GroupKey, date], market: Market) -> dict[int, int]:
    """Write each group as it is now; returns each account's sum over all of its groups."""
    with sent_together():
        for on in set(touched.values()):
            _save_groups(margin.used_margins([key for key, day in touched.items() if day == on], market, on))
        [rows] = fetch_each((SUMS, [list({key.account_id for key in touched})]))
    return dict(rows)


def _save_groups(used: Mapping[tuple[int, str], Margin | NoMarketData]) -> None:
    """Where a price is wanting the group binds what it did: what happened must post all the same."""
    rows = []
    for (account_id, group), found in used.items():
        if isinstance(found, NoMarketData):
            log.warning("the margin of %s in account %d stays as it was: %s", group, account_id, found)
        else:
            rows.append((account_id, group, found.total, margin.margin_body(found)))
    _write(SAVE_GROUPS, GROUP_COLUMNS, rows)
