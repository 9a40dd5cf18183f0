"""Margin held by reference until it is posted (became a position) or voided: ended once, for good.

The caller is in a transaction. Every change is one conditional statement, with the CHECKs of the tables behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection

from feeds.rows import fetch_each, write
from rms.errors import HoldEnded, InsufficientMargin, ReferenceTaken
from rms.ledger import FundsChange, change_funds, lock, shortfall
from rms.models import Hold

REFUSAL = "There is not enough margin for this."

KNOWN = "SELECT reference, account_id, original_amount FROM rms_hold WHERE reference = ANY(%s)"
PLACE = """
INSERT INTO rms_hold (account_id, reference, amount, original_amount, posted_amount, state)
SELECT account_id, reference, amount, amount, 0, 'HELD'
FROM unnest(%(accounts)s::bigint[], %(references)s::text[], %(amounts)s::bigint[])
  AS hold (account_id, reference, amount)
"""

POST = """
WITH given AS (
  SELECT * FROM unnest(%(references)s::text[], %(left)s::bigint[], %(stays)s::boolean[])
    AS posting (reference, amount, stays)
), live AS (
  SELECT id, account_id, rms_hold.amount AS before, least(given.amount, rms_hold.amount) AS after, stays
  FROM rms_hold JOIN given USING (reference) WHERE state = 'HELD' ORDER BY id FOR UPDATE OF rms_hold
), posted AS (
  UPDATE rms_hold SET amount = after, posted_amount = posted_amount + before - after,
    state = CASE WHEN after > 0 OR stays THEN 'HELD' ELSE 'POSTED' END
  FROM live WHERE rms_hold.id = live.id
)
SELECT account_id, sum(before - after)::bigint FROM live GROUP BY account_id
"""

VOID = """
WITH live AS (
  SELECT id, account_id, amount FROM rms_hold
  WHERE reference = ANY(%(references)s) AND state = 'HELD' ORDER BY id FOR UPDATE
), voided AS (
  UPDATE rms_hold SET amount = 0, state = 'VOIDED' FROM live WHERE rms_hold.id = live.id
)
SELECT account_id, sum(amount)::bigint FROM live GROUP BY account_id
"""


class NewHold(NamedTuple):
    """What is to be held, in paise."""

    account_id: int
    reference: str
    amount: int


@dataclass(frozen=True, slots=True)
class Posting:
    """What a hold still binds after a fill, in paise. `stays`: it may be resized later although nothing is left."""

    amount_left: int
    stays: bool = False


def place(account_id: int, amounts: Mapping[str, int]) -> None:
    """Hold these amounts (paise, 0 allowed), all or none. A reference that holds the same already changes nothing.

    The condition of the UPDATE binds whoever comes at the same time, locked or not.

    Raises:
        InsufficientMargin: it would leave less than the floor; nothing was written.
        ReferenceTaken: the reference held something else.
    """
    place_new(_fresh([NewHold(account_id, reference, amount) for reference, amount in amounts.items()]))


def place_new(new: Sequence[NewHold]) -> None:
    """Hold under references that were never used, in any accounts.

    Raises:
        InsufficientMargin: one would have less than its floor; the caller's transaction must not commit.
        IntegrityError: a reference was used.
    """
    totals: dict[int, int] = {}
    for hold in new:
        totals[hold.account_id] = totals.get(hold.account_id, 0) + hold.amount
    changes = {account_id: FundsChange(held=total) for account_id, total in totals.items() if total}
    changed = change_funds(changes, bound=True)
    for account_id in changes.keys() - changed.keys():
        raise InsufficientMargin(REFUSAL, **shortfall(account_id, totals[account_id]))
    if new:
        accounts, references, amounts = zip(*new, strict=True)
        values = {"accounts": list(accounts), "references": list(references), "amounts": list(amounts)}
        write(PLACE, values)


def _fresh(new: Sequence[NewHold]) -> list[NewHold]:
    """Those that are not held yet."""
    with connection.cursor() as cursor:
        cursor.execute(KNOWN, [[hold.reference for hold in new]])
        known = {reference: content for reference, *content in cursor.fetchall()}
    for hold in new:
        if known.get(hold.reference, [hold.account_id, hold.amount]) != [hold.account_id, hold.amount]:
            raise ReferenceTaken(hold.reference)
    return [hold for hold in new if hold.reference not in known]


def resize(reference: str, amount: int) -> Hold:
    """Let a live hold bind this much instead, in paise. More is bound by the floor, less always happens.

    Raises:
        InsufficientMargin: nothing was written.
        HoldEnded: it was posted or voided.
    """
    account_id = Hold.objects.values_list("account_id", flat=True).get(reference=reference)
    lock([account_id])
    hold = Hold.objects.select_for_update().get(reference=reference)
    if hold.state != Hold.State.HELD:
        raise HoldEnded(f"The hold {reference} has ended.", reference=reference, state=hold.state)
    more = amount - hold.amount
    if more and not change_funds({account_id: FundsChange(held=more)}, bound=more > 0):
        raise InsufficientMargin(REFUSAL, **shortfall(account_id, more))
    hold.amount = amount
    hold.save(update_fields=["amount"])
    return hold


def post(reference: str, amount_left: int = 0, *, stays: bool = False) -> None:
    """Let go of what became a position. With nothing left the hold has ended, unless it `stays`. Ended ones stay so."""
    _give_back(release_posted({reference: Posting(amount_left, stays)}))


def void(references: Iterable[str]) -> None:
    """Let go of what is still held. Holds that ended, and references that never held anything, change nothing."""
    with connection.cursor() as cursor:
        cursor.execute(VOID, {"references": list(references)})
        freed = dict(cursor.fetchall())
    _give_back(freed)


def release_posted(postings: Mapping[str, Posting]) -> dict[int, int]:
    """Post many holds in one statement; returns what each account got back, for the caller to take off its funds."""
    if not postings:
        return {}
    values = {
        "references": list(postings),
        "left": [posting.amount_left for posting in postings.values()],
        "stays": [posting.stays for posting in postings.values()],
    }
    [rows] = fetch_each((POST, values))
    return dict(rows)


def _give_back(freed: Mapping[int, int]) -> None:
    change_funds({account_id: FundsChange(held=-amount) for account_id, amount in freed.items() if amount})
