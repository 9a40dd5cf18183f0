"""The ledger: double entry in paise. The only module that writes entries and the row of funds they add up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction

from feeds.rows import as_records, fetch_each, instances, locking, recordset, write
from feeds.statements import Query
from rms import facts
from rms.errors import InsufficientFunds, ReferenceTaken
from rms.models import Funds, LedgerAccount, TradingAccount, Transfer

Book = LedgerAccount.Book
Kind = Transfer.Kind

HOUSE_BOOKS = (Book.BANK, Book.TRADING, Book.CHARGES, Book.INTEREST)
BOUND_BY_FLOOR = frozenset({Kind.FUNDS_OUT})
"""What a person asks for is refused below the floor. What the market did has happened: it posts, and marks a deficit.
"""

DEFICIT = "DEFICIT"
DEFICIT_CLEARED = "DEFICIT_CLEARED"


@dataclass(frozen=True, slots=True)
class Movement:
    """One transfer to make: `amount` paise for the account's cash (negative: it pays), as much from the other book."""

    reference: str
    kind: Transfer.Kind
    account_id: int
    amount: int
    against: LedgerAccount.Book
    trading_date: date
    actor: AbstractBaseUser | None = None
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class FundsChange:
    """What to add to an account's cash and held margin, in paise, and the used margin it has then (None: as it was)."""

    cash: int = 0
    held: int = 0
    used: int | None = None


# --- accounts -----------------------------------------------------------------------------------


@transaction.atomic
def open_account(
    *,
    name: str,
    owner: AbstractBaseUser,
    traders: Iterable[AbstractBaseUser] = (),
    route: str = TradingAccount.Route.PAPER,
    floor: int = 0,
) -> TradingAccount:
    """A trading account with no money, its funds row and its cash book."""
    account = TradingAccount.objects.create(name=name, owner=owner, route=route)
    account.traders.set(traders)
    Funds.objects.create(account=account, floor=floor, deficit=floor > 0)
    books = [LedgerAccount(book=book) for book in HOUSE_BOOKS]
    LedgerAccount.objects.bulk_create([*books, LedgerAccount(book=Book.CASH, account=account)], ignore_conflicts=True)
    return account


def lock(account_ids: Iterable[int]) -> dict[int, Funds]:
    """The funds rows of these accounts, locked by id ascending until the transaction ends: the first lock of all."""
    [rows] = fetch_each(lock_query(account_ids))
    return locked(rows)


def lock_query(account_ids: Iterable[int]) -> Query:
    """What `lock` asks, to be sent with others."""
    return locking(Funds, "account_id = ANY(%s)", [list(set(account_ids))])


def locked(rows: Iterable[tuple[Any, ...]]) -> dict[int, Funds]:
    """What `lock_query` found, by account."""
    return {funds.account_id: funds for funds in instances(Funds, rows)}


# --- transfers ----------------------------------------------------------------------------------


@transaction.atomic
def transfer(
    *,
    reference: str,
    kind: Transfer.Kind,
    account_id: int,
    amount: int,
    against: LedgerAccount.Book,
    trading_date: date,
    actor: AbstractBaseUser | None = None,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
) -> Transfer:
    """Move `amount` paise into (negative: out of) an account's cash, once for its reference.

    The same reference again returns the first transfer and changes nothing. Cash, deficit and facts follow.

    Raises:
        ReferenceTaken: the reference moved something else.
        InsufficientFunds: a withdrawal would leave less than the floor.
        ValueError: nothing is to be moved.
    """
    asked = Movement(reference, kind, account_id, amount, against, trading_date, actor, reason, details or {})
    lock([account_id])
    with connection.cursor() as cursor:
        cursor.execute(POST, [_as_given([asked])])
        is_new = cursor.fetchone() is not None
    if not is_new:
        return _the_first(asked)
    if not change_funds({account_id: FundsChange(cash=amount)}, bound=kind in BOUND_BY_FLOOR):
        raise InsufficientFunds("The account does not have that much to spare.", **shortfall(account_id, -amount))
    return Transfer.objects.get(reference=reference)


def _the_first(asked: Movement) -> Transfer:
    first = Transfer.objects.get(reference=asked.reference)
    entry = first.entries.select_related("ledger_account").get(ledger_account__account__isnull=False)
    against = first.entries.select_related("ledger_account").get(ledger_account__account=None).ledger_account.book
    content = (first.kind, first.account_id, entry.amount, against, first.trading_date)
    if content != (asked.kind, asked.account_id, asked.amount, asked.against, asked.trading_date):
        raise ReferenceTaken(asked.reference)
    return first


def shortfall(account_id: int, required: int) -> dict[str, int]:
    """What a refusal for want of money tells, in paise; available is what may be bound or withdrawn."""
    funds = Funds.objects.get(pk=account_id)
    available = funds.available - funds.floor
    return {"required": required, "available": available, "shortfall": required - available}


MOVEMENT_COLUMNS = {
    "reference": "text",
    "kind": "text",
    "account_id": "bigint",
    "amount": "bigint",
    "book": "text",
    "trading_date": "date",
    "actor_id": "bigint",
    "reason": "text",
    "details": "jsonb",
}
POST = f"""
WITH given AS (
  SELECT * FROM {recordset(MOVEMENT_COLUMNS)}
), made AS (
  INSERT INTO rms_transfer (reference, kind, account_id, trading_date, actor_id, reason, details)
  SELECT reference, kind, account_id, trading_date, actor_id, reason, details FROM given
  ON CONFLICT (reference) DO NOTHING
  RETURNING id, reference
), legs AS (
  INSERT INTO rms_entry (transfer_id, ledger_account_id, amount)
  SELECT made.id, side.id, leg.amount FROM made JOIN given USING (reference)
  CROSS JOIN LATERAL (VALUES ('CASH', account_id, given.amount), (given.book, NULL, -given.amount))
    AS leg (book, account_id, amount)
  JOIN rms_ledgeraccount AS side ON side.book = leg.book AND side.account_id IS NOT DISTINCT FROM leg.account_id
)
SELECT reference FROM made
"""  # noqa: S608 - names of our columns


def post_movements(movements: Sequence[Movement]) -> None:
    """Insert transfers and their entries in one statement, but for references that were posted before.

    Only a part of the change: the caller holds the locks and follows with `change_funds` in the same transaction.
    """
    if movements:
        write(POST, [_as_given(movements)])


def _as_given(movements: Sequence[Movement]) -> str:
    """Raises: ValueError."""
    if any(not movement.amount for movement in movements):
        raise ValueError("a transfer of nothing")
    return as_records(MOVEMENT_COLUMNS, map(_row_of, movements))


def _row_of(movement: Movement) -> tuple[Any, ...]:
    return (
        movement.reference, movement.kind, movement.account_id, movement.amount, movement.against,
        movement.trading_date, movement.actor.pk if movement.actor else None, movement.reason, dict(movement.details),
    )  # fmt: skip


# --- the row of funds ---------------------------------------------------------------------------

AVAILABLE = "funds.cash + given.cash - funds.held_margin - given.held - coalesce(given.used, funds.used_margin)"
CHANGE = f"""
WITH given AS (
  SELECT * FROM unnest(%(accounts)s::bigint[], %(cash)s::bigint[], %(held)s::bigint[], %(used)s::bigint[])
    AS change (account_id, cash, held, used)
), before AS (
  SELECT account_id, deficit FROM rms_funds WHERE account_id = ANY(%(accounts)s) ORDER BY account_id FOR UPDATE
)
UPDATE rms_funds AS funds SET
  cash = funds.cash + given.cash,
  held_margin = funds.held_margin + given.held,
  used_margin = coalesce(given.used, funds.used_margin),
  deficit = {AVAILABLE} < funds.floor
FROM given JOIN before USING (account_id)
WHERE funds.account_id = given.account_id AND (NOT %(bound)s OR {AVAILABLE} >= funds.floor)
RETURNING funds.account_id, funds.cash, funds.held_margin, funds.used_margin, funds.floor, funds.deficit,
  funds.fact_offset, before.deficit
"""  # noqa: S608 - a term of our own columns
"""Bound: not at all when it would leave less than the floor. Otherwise it happens, and says what it is now."""


def change_funds(
    changes: Mapping[int, FundsChange], *, bound: bool = False, also: Sequence[facts.NewFact] = ()
) -> dict[int, Funds]:
    """Apply the changes in one conditional UPDATE and record FUNDS facts, and an ALERT where a deficit began or ended.
    `also` are facts to be told behind them.

    Returns the rows as they are now; with `bound`, an account that would fall below its floor is missing and unchanged.
    """
    if not changes:
        return {}
    values = {
        "accounts": list(changes),
        "cash": [change.cash for change in changes.values()],
        "held": [change.held for change in changes.values()],
        "used": [change.used for change in changes.values()],
        "bound": bound,
    }
    [rows] = fetch_each((CHANGE, values))
    columns = ("account_id", "cash", "held_margin", "used_margin", "floor", "deficit", "fact_offset")
    changed = {row[0]: Funds(**dict(zip(columns, row, strict=False))) for row in rows}
    own = [fact for row in rows for fact in _facts(changed[row[0]], was_deficit=row[-1])]
    last = facts.record_many([*own, *also])
    for account_id, offset in last.items():
        changed[account_id].fact_offset = offset
    return changed


def _facts(funds: Funds, *, was_deficit: bool) -> list[facts.NewFact]:
    body = facts.funds_body(funds)
    told: list[facts.NewFact] = [(funds.account_id, facts.FUNDS, body)]
    if funds.deficit != was_deficit:
        code = DEFICIT if funds.deficit else DEFICIT_CLEARED
        told.append((funds.account_id, facts.ALERT, {"code": code, **body}))
    return told
