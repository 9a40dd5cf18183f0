"""Proving the books: every balance, hold, position and fact number computed anew from what only ever grows.

`rms` may not know the tables of those who trade: they register what they know, as values, and without them
only the half that rms keeps itself is proved. SQL on their tables would tie the two schemas together unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from itertools import groupby
from typing import Any, NamedTuple

from django.db import connection, transaction

from feeds.core.instrument import InstrumentKey, InstrumentType
from feeds.models import Instrument
from rms.core.position import Effect, PositionState, start_day
from rms.core.product import Product, Style, style_of
from rms.fills import Kind, after, state_of
from rms.margin import group_of
from rms.models import Hold, MarginGroup, Position, PositionChange

CHUNK = 5_000
"""Rows that are read from the database at a time."""
WHOLE_TABLES = """
SET LOCAL enable_nestloop = off;
SET LOCAL statement_timeout = '10min'
"""
"""Each table is gone through once, whatever its statistics say: rows that came since they were taken, as on the day of
an import, are thought to be few, and of two such tables every row would be held against every other."""


class TradeRow(NamedTuple):
    """One trade as its owner keeps it; `reference` as its Fill was recorded."""

    reference: str
    account_id: int
    code: int
    product: str
    signed_quantity: int
    price: int
    multiplier: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that is not what the history makes of it."""

    check: str
    subject: str
    stored: Any
    proved: Any

    def __str__(self) -> str:
        return f"{self.check}: {self.subject} is {self.stored}, proved {self.proved}"


@dataclass(slots=True)
class Audit:
    """What was looked at, by check, and what differs."""

    counts: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {"counts": self.counts, "differences": [asdict(each) for each in self.differences]}


Trades = Callable[[], Iterable[TradeRow]]
LiveReferences = Callable[[], Iterable[str]]

_trades: list[Trades] = []
_live_references: list[LiveReferences] = []


def register_trades(provider: Trades) -> None:
    """Tell the trades that positions must come from: all of them, in any order."""
    if provider not in _trades:
        _trades.append(provider)


def register_live_references(provider: LiveReferences) -> None:
    """Tell which references may still hold margin: those of what has not ended."""
    if provider not in _live_references:
        _live_references.append(provider)


def audit() -> Audit:
    """Compare all that is stored with what it must be, on one snapshot of the database; trading goes on meanwhile."""
    result = Audit()
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        if is_outermost:
            _one_snapshot()
        with connection.cursor() as cursor:
            cursor.execute(WHOLE_TABLES)
        for name, check in CHECKS.items():
            _take(result, name, check())
        transaction.set_rollback(True)  # nothing was written; of the settings nothing stays in a caller's transaction
    return result


def _one_snapshot() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


Finding = tuple[str, Any, Any] | None
"""Subject, stored and proved; None for what was looked at and is right."""


def _take(result: Audit, name: str, findings: Iterator[Finding]) -> None:
    result.counts[name] = 0
    for finding in findings:
        result.counts[name] += 1
        if finding is not None:
            result.differences.append(Difference(name, *finding))


# --- what SQL can add up ------------------------------------------------------------------------

TRANSFERS = """
SELECT transfer.reference, count(entry.id) || ' legs, sum ' || coalesce(sum(entry.amount), 0), '2 legs or more, sum 0',
  count(entry.id) >= 2 AND sum(entry.amount) = 0
FROM rms_transfer AS transfer LEFT JOIN rms_entry AS entry ON entry.transfer_id = transfer.id
GROUP BY transfer.id
"""
CASH = """
SELECT account.name, funds.cash, coalesce(book.balance, 0)::bigint, funds.cash = coalesce(book.balance, 0)
FROM rms_funds AS funds JOIN rms_tradingaccount AS account ON account.id = funds.account_id
LEFT JOIN (
  SELECT side.account_id, sum(entry.amount) AS balance
  FROM rms_entry AS entry JOIN rms_ledgeraccount AS side ON side.id = entry.ledger_account_id
  WHERE side.book = 'CASH' GROUP BY side.account_id
) AS book ON book.account_id = funds.account_id
"""
HELD = """
SELECT account.name, funds.held_margin, coalesce(live.total, 0)::bigint, funds.held_margin = coalesce(live.total, 0)
FROM rms_funds AS funds JOIN rms_tradingaccount AS account ON account.id = funds.account_id
LEFT JOIN (SELECT account_id, sum(amount) AS total FROM rms_hold WHERE state = 'HELD' GROUP BY account_id) AS live
  ON live.account_id = funds.account_id
"""
USED = """
SELECT account.name, funds.used_margin, coalesce(bound.total, 0)::bigint, funds.used_margin = coalesce(bound.total, 0)
FROM rms_funds AS funds JOIN rms_tradingaccount AS account ON account.id = funds.account_id
LEFT JOIN (SELECT account_id, sum(used_margin) AS total FROM rms_margingroup GROUP BY account_id) AS bound
  ON bound.account_id = funds.account_id
"""
DEFICIT = """
SELECT account.name, funds.deficit, below, funds.deficit = below
FROM rms_funds AS funds JOIN rms_tradingaccount AS account ON account.id = funds.account_id
CROSS JOIN LATERAL (SELECT cash - held_margin - used_margin < floor AS below) AS computed
"""
OFFSETS = """
SELECT account.name, 'facts 1 to ' || funds.fact_offset,
  coalesce(told.count, 0) || ' facts, ' || coalesce(told.first, 0) || ' to ' || coalesce(told.last, 0),
  funds.fact_offset = coalesce(told.count, 0) AND funds.fact_offset = coalesce(told.last, 0)
  AND coalesce(told.first, 1) = 1
FROM rms_funds AS funds JOIN rms_tradingaccount AS account ON account.id = funds.account_id
LEFT JOIN (
  SELECT account_id, count(*) AS count, min("offset") AS first, max("offset") AS last
  FROM rms_accountfact GROUP BY account_id
) AS told ON told.account_id = funds.account_id
"""
MONEY = """
SELECT change.reference, coalesce(moved.amount, 0), expected.amount, coalesce(moved.amount, 0) = expected.amount
FROM rms_positionchange AS change
JOIN feeds_instrument AS instrument ON instrument.code = change.instrument_id
CROSS JOIN LATERAL (
  SELECT CASE
    WHEN change.kind = 'DELIVERY' THEN 0
    WHEN (instrument.instrument_type, change.product) IN (SELECT * FROM unnest(%(types)s::text[], %(products)s::text[]))
    THEN -change.signed_quantity * change.price * change.multiplier
    ELSE change.realised END AS amount
) AS expected
LEFT JOIN (
  SELECT transfer.reference, transfer.account_id, entry.amount FROM rms_transfer AS transfer
  JOIN rms_entry AS entry ON entry.transfer_id = transfer.id
  JOIN rms_ledgeraccount AS side ON side.id = entry.ledger_account_id AND side.book = 'CASH'
) AS moved ON moved.reference = lower(change.kind) || '.' || change.reference AND moved.account_id = change.account_id
"""
"""What each change of a position moved, against what such a change moves: its whole value, or what it realised."""

UNFOUNDED = """
SELECT transfer.reference, 'a transfer', 'no change of a position', false FROM rms_transfer AS transfer
WHERE transfer.reference LIKE 'trade.%%' AND NOT EXISTS (
  SELECT 1 FROM rms_positionchange AS change WHERE 'trade.' || change.reference = transfer.reference
)
"""


def _sql(statement: str, parameters: Mapping[str, Any] | None = None) -> Callable[[], Iterator[Finding]]:
    """A statement of (subject, stored, proved, whether that is right), one row for each that was looked at."""

    def check() -> Iterator[Finding]:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters or {})
            while rows := cursor.fetchmany(CHUNK):
                for subject, stored, proved, is_right in rows:
                    yield None if is_right else (subject, stored, proved)

    return check


PAID = [(kind, product) for kind in InstrumentType for product in Product if style_of(kind, product) is Style.PAID]


# --- positions ----------------------------------------------------------------------------------

PositionKey = tuple[int, int, str]


def _positions() -> Iterator[Finding]:
    """Each position against the fold of its changes, and each change against what it realised there."""
    stored = {(row.account_id, row.instrument_id, row.product): row for row in Position.objects.iterator(CHUNK)}
    changes = PositionChange.objects.order_by("account_id", "instrument_id", "product", "pk").iterator(CHUNK)
    for key, its_changes in groupby(changes, key=_key):
        yield from _fold(key, stored.pop(key, None), its_changes)
    for key, position in stored.items():
        yield _compare(key, position, PositionState())


def _key(change: PositionChange) -> PositionKey:
    return (change.account_id, change.instrument_id, change.product)


def _fold(key: PositionKey, position: Position | None, changes: Iterable[PositionChange]) -> Iterator[Finding]:
    """A change of a later date starts a new day, and so does the position that shows one."""
    state, day = PositionState(), date.min
    for change in changes:
        if change.trading_date > day:
            state, day = start_day(state, 0), change.trading_date
        state, effect = _step(state, change)
        if change.realised != effect.realised:
            yield (f"{_name(key)} realised by {change.reference}", change.realised, effect.realised)
    if position is not None and position.trading_date > day:
        state = start_day(state, 0)
    yield _compare(key, position, state)


def _step(state: PositionState, change: PositionChange) -> tuple[PositionState, Effect]:
    try:
        return after(state, change)
    except ValueError:  # a change that cannot follow what was before it: the figures will say so
        return state, Effect()


def _compare(key: PositionKey, position: Position | None, proved: PositionState) -> Finding:
    """The price at which a position was carried is day end's word, and not proved here."""
    stored = asdict(state_of(position) if position else PositionState())
    wrong = [name for name, figure in asdict(proved).items() if name != "carried_price" and stored[name] != figure]
    if not wrong:
        return None
    return (_name(key), {name: stored[name] for name in wrong}, {name: getattr(proved, name) for name in wrong})


def _name(key: PositionKey) -> str:
    account_id, code, product = key
    return f"account {account_id}, {InstrumentKey.from_code(code)} {product}"


def _trades_taken() -> Iterator[Finding]:
    """Each trade against the change that its fill left, and none of these without a trade."""
    if not _trades:
        return
    kept = {
        change.reference: TradeRow(
            change.reference, *_key(change), change.signed_quantity, change.price, change.multiplier
        )
        for change in PositionChange.objects.filter(kind=Kind.TRADE).iterator(CHUNK)
    }
    for provider in _trades:
        for trade in provider():
            change = kept.pop(trade.reference, None)
            yield None if change == trade else (f"trade {trade.reference}", change and change[1:], trade[1:])
    for reference, change in kept.items():
        yield (f"trade {reference}", change[1:], None)


# --- holds and margins --------------------------------------------------------------------------


def _holds_of_ended() -> Iterator[Finding]:
    """Margin that is held for what has ended: it would stay bound for ever."""
    if not _live_references:
        return
    live = {reference for provider in _live_references for reference in provider()}
    for reference, amount in Hold.objects.filter(state=Hold.State.HELD).values_list("reference", "amount"):
        yield None if reference in live else (f"hold {reference}", amount, "ended")


def _unfounded_margins() -> Iterator[Finding]:
    """Margin that is bound where nothing is open."""
    open_positions = Position.objects.exclude(signed_quantity=0).values_list("account_id", "instrument_id")
    instruments = Instrument.objects.in_bulk({code for _, code in open_positions})
    founded = {(account_id, group_of(instruments[code])) for account_id, code in open_positions}
    for bound in MarginGroup.objects.filter(used_margin__gt=0):
        right = (bound.account_id, bound.group) in founded
        yield None if right else (f"account {bound.account_id}, group {bound.group}", bound.used_margin, 0)


CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "transfers": _sql(TRANSFERS),
    "cash": _sql(CASH),
    "held margin": _sql(HELD),
    "holds of what ended": _holds_of_ended,
    "used margin": _sql(USED),
    "margin groups": _unfounded_margins,
    "deficit": _sql(DEFICIT),
    "positions": _positions,
    "money of positions": _sql(
        MONEY, {"types": [str(kind) for kind, _ in PAID], "products": [str(product) for _, product in PAID]}
    ),
    "transfers of trades": _sql(UNFOUNDED),
    "trades": _trades_taken,
    "facts": _sql(OFFSETS),
}
"""In the order they are printed."""
