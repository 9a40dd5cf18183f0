"""The outbox: what changed in an account, numbered without a gap, in the transaction that changed it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from django.db import connection, transaction

from feeds import topics
from feeds.core.instrument import InstrumentKey
from feeds.rows import as_records, write
from rms.core.position import average_price
from rms.models import AccountFact, Funds, Position

FUNDS = "FUNDS"
POSITION = "POSITION"
ALERT = "ALERT"

Body = dict[str, Any]
NewFact = tuple[int, str, Body]
"""Account id, kind and body."""

COLUMNS = ("account_id", "kind", "body")
_gathered: ContextVar[list[NewFact] | None] = ContextVar("gathered", default=None)

RECORD = """
WITH given AS (
  SELECT * FROM ROWS FROM (json_to_recordset(%s) AS (account_id bigint, kind text, body jsonb))
    WITH ORDINALITY AS fact (account_id, kind, body, rank)
), numbered AS (
  UPDATE rms_funds AS funds SET fact_offset = funds.fact_offset + new.count
  FROM (SELECT account_id, count(*) AS count FROM given GROUP BY account_id) AS new
  WHERE funds.account_id = new.account_id
  RETURNING funds.account_id, funds.fact_offset - new.count AS before
)
INSERT INTO rms_accountfact (account_id, "offset", kind, body)
SELECT account_id, before + row_number() OVER (PARTITION BY account_id ORDER BY rank), kind, body
FROM given JOIN numbered USING (account_id)
RETURNING account_id, "offset"
"""


def record(account_id: int, kind: str, body: Body) -> int:
    """Add one fact; returns its offset. The caller holds the account's funds lock and announces when all is written."""
    return record_many([(account_id, kind, body)])[account_id]


def record_many(new: Sequence[NewFact]) -> dict[int, int]:
    """Add facts in the order given, in one statement; returns each account's last offset, inside `together` none."""
    gathering = _gathered.get()
    if gathering is not None:
        gathering.extend(new)
        return {}
    if not new:
        return {}
    last: dict[int, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(RECORD, [as_records(COLUMNS, new)])
        for account_id, offset in cursor.fetchall():
            last[account_id] = max(offset, last.get(account_id, 0))
    return last


@contextmanager
def together() -> Iterator[None]:
    """Whatever is told inside is recorded at the end, in its order, by one statement."""
    gathered: list[NewFact] = []
    token = _gathered.set(gathered)
    try:
        yield
    finally:
        _gathered.reset(token)
    if gathered:
        write(RECORD, [as_records(COLUMNS, gathered)])


def facts_after(account_id: int, offset: int, limit: int) -> list[tuple[int, str, Body]]:
    """(offset, kind, body) of an account's facts after an offset, oldest first, at most `limit`."""
    rows = AccountFact.objects.filter(account_id=account_id, offset__gt=offset).order_by("offset")[:limit]
    return list(rows.values_list("offset", "kind", "body"))


# --- telling the hubs ---------------------------------------------------------------------------


def announce(account_ids: Iterable[int]) -> None:
    """After the commit, tell every hub that these accounts have new facts. A lost hint only delays them."""
    names = [f"account.{account_id}" for account_id in sorted(set(account_ids))]
    if names:
        transaction.on_commit(partial(topics.facts_changed, *names))


# --- bodies -------------------------------------------------------------------------------------


def funds_body(funds: Funds) -> Body:
    """Money in paise."""
    return {
        "cash": funds.cash,
        "held_margin": funds.held_margin,
        "used_margin": funds.used_margin,
        "available": funds.available,
        "floor": funds.floor,
        "deficit": funds.deficit,
    }


def position_body(position: Position, multiplier: int | None = None) -> Body:
    """Money in paise, the average price rounded to one. Without a multiplier the instrument's is read."""
    units = position.instrument.multiplier if multiplier is None else multiplier
    average = average_price(position.signed_quantity, position.open_cost, units)
    return {
        "instrument": str(InstrumentKey.from_code(position.instrument_id)),
        "product": position.product,
        "quantity": position.signed_quantity,
        "average_price": None if average is None else round(average),
        "open_cost": position.open_cost,
        "multiplier": units,
        "realised_pnl": position.realised_pnl,
        "day_buy_quantity": position.day_buy_quantity,
        "day_buy_value": position.day_buy_value,
        "day_sell_quantity": position.day_sell_quantity,
        "day_sell_value": position.day_sell_value,
        "carried_quantity": position.carried_quantity,
        "carried_price": position.carried_price,
        "trading_date": position.trading_date.isoformat(),
    }
