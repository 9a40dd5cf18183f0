"""Many rows in one statement, an array a column: a third of what the same rows cost through the ORM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from django.db import connection
from django.db.models import Model
from psycopg.types.json import Jsonb

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
"""Every column that an event may change, and how an array of it is read. All are written: the rows are locked."""
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
"""What is written of a row, and how an array of it is read. The database gives ids and the time of recording."""


def insert_rows(rows: Sequence[Model], columns: Mapping[str, str]) -> None:
    """Insert rows of one model, in their order. They do not learn their ids."""
    if not rows:
        return
    names = ", ".join(columns)
    arrays = ", ".join(f"%s::{kind}[]" for kind in columns.values())
    statement = (
        f"INSERT INTO {rows[0]._meta.db_table} ({names}) SELECT {names} FROM unnest({arrays}) "  # noqa: S608 - our columns
        f"WITH ORDINALITY AS given ({names}, rank) ORDER BY rank"
    )
    values = [[_value(getattr(row, name), kind) for row in rows] for name, kind in columns.items()]
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def _value(value: Any, kind: str) -> Any:
    if kind == "jsonb" and value is not None:
        return Jsonb(value, dumps=orjson.dumps)
    return str(value) if kind == "text" else value
