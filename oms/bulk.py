"""Many rows in one statement: a third of what the same rows cost through the ORM."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from django.db.models import Model

from feeds.rows import as_records, insert_statement, write

MUTABLE = {
    "status": "text",
    "product": "text",
    "order_type": "text",
    "quantity": "bigint",
    "disclosed_quantity": "bigint",
    "limit_price": "bigint",
    "trigger_price": "bigint",
    "protection_price": "bigint",
    "filled_quantity": "bigint",
    "filled_value": "bigint",
    "reason_code": "text",
    "reason": "text",
    "triggered": "boolean",
    "sequence": "integer",
    "release_at": "timestamptz",
    "cancel_requested": "boolean",
    "cancel_requested_by_id": "bigint",
    "modify_request": "jsonb",
    "trading_date": "date",
    "updated_at": "timestamptz",
}
"""Every column that an event may change, and its type. All are written: the rows are locked."""
ORDER_COLUMNS = {
    "id": "bigint",
    "account_id": "bigint",
    "user_id": "bigint",
    "client_reference": "text",
    "request_digest": "text",
    "source": "text",
    "group_id": "bigint",
    "role": "text",
    "instrument_id": "bigint",
    "side": "text",
    "order_type": "text",
    "validity": "text",
    "product": "text",
    "after_market": "boolean",
    "forever": "boolean",
    "reduces": "boolean",
    "placed_at": "timestamptz",
    **MUTABLE,
}
EVENT_COLUMNS = {
    "order_id": "bigint",
    "account_id": "bigint",
    "sequence": "integer",
    "kind": "text",
    "status": "text",
    "actor_id": "bigint",
    "reason_code": "text",
    "reason": "text",
    "details": "jsonb",
    "at": "timestamptz",
}
TRADE_COLUMNS = {
    "order_id": "bigint",
    "account_id": "bigint",
    "instrument_id": "bigint",
    "number": "integer",
    "side": "text",
    "product": "text",
    "quantity": "bigint",
    "price": "bigint",
    "multiplier": "integer",
    "trading_date": "date",
    "at": "timestamptz",
    "epoch": "bigint",
}
"""What is written of a row, and its type. The database gives ids and the time of recording."""


def insert_rows(rows: Sequence[Model], columns: Mapping[str, str]) -> None:
    """Insert rows of one model, in their order. They do not learn their ids."""
    if not rows:
        return
    write(insert_statement(rows[0]._meta.db_table, columns), [as_records(columns, values_of(rows, columns))])


def values_of(rows: Iterable[Model], columns: Iterable[str]) -> Iterator[tuple[Any, ...]]:
    """The columns of each row."""
    return map(attrgetter(*columns), rows)
