"""Many rows in one statement, an array a column: a third of what the same rows cost through the ORM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from django.db import connection
from django.db.models import Model
from psycopg.types.json import Jsonb

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
    if kind == "jsonb":
        return Jsonb(value, dumps=orjson.dumps)
    return str(value) if kind == "text" else value
