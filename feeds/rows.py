"""Rows by hand-written SQL: what every order asks and writes, at a tenth of what the query builder costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, TypeVar

import orjson
from django.db import connection
from django.db.models import Model
from psycopg.pq import TransactionStatus

from feeds import statements
from feeds.statements import Query

Row = TypeVar("Row", bound=Model)
Readers = list[tuple[int, Callable[[Any, None, Any], Any]]]
"""By the place of a column what makes its value of the database's."""


def one_row(model: type[Row], condition: str, values: Sequence[Any]) -> Row | None:
    """The only row that meets a condition (SQL, with %s for each value), as an instance; None: there is none."""
    return next(iter(all_rows(model, condition, values)), None)


def all_rows(model: type[Row], condition: str, values: Sequence[Any]) -> list[Row]:
    """The rows that meet a condition, as instances."""
    [rows] = fetch_each(select(model, condition, values))
    return instances(model, rows)


def select(model: type[Model], condition: str, values: Sequence[Any]) -> Query:
    """What `all_rows` asks."""
    return f"{_select(model)[1]} WHERE {condition}", values


def locking(model: type[Model], condition: str, values: Sequence[Any]) -> Query:
    """What to ask for rows that stay locked until the transaction ends; locks are taken by key ascending.

    Raises:
        RuntimeError: there is no transaction, so nothing would stay locked.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("a lock is held until a transaction ends, and there is none")
    return select(model, f"{condition} ORDER BY {model._meta.pk.column} FOR UPDATE", values)


def lock_rows(model: type[Row], condition: str, values: Sequence[Any]) -> list[Row]:
    """The rows that meet a condition, locked (`locking`)."""
    [rows] = fetch_each(locking(model, condition, values))
    return instances(model, rows)


def instances(model: type[Row], rows: Iterable[tuple[Any, ...]]) -> list[Row]:
    """What `select` found."""
    names, _, readers = _select(model)
    return [model.from_db(connection.alias, names, _read(row, readers)) for row in rows]


def _read(row: tuple[Any, ...], readers: Readers) -> Sequence[Any]:
    """A row as its fields read it: most take what the database gives."""
    if not readers:
        return row
    values = list(row)
    for place, reader in readers:
        values[place] = reader(values[place], None, connection)
    return values


@lru_cache(maxsize=32)
def _select(model: type[Model]) -> tuple[tuple[str, ...], str, Readers]:
    fields = model._meta.concrete_fields
    columns = ", ".join(f'"{field.column}"' for field in fields)
    readers = [(place, reader) for place, field in enumerate(fields) for reader in field.get_db_converters(connection)]
    names = tuple(field.attname for field in fields)
    return names, f"SELECT {columns} FROM {model._meta.db_table}", readers  # noqa: S608 - our own names


# --- several statements in one message ------------------------------------------------------------

_waiting: ContextVar[list[Query] | None] = ContextVar("waiting", default=None)


def fetch_each(*asked: Query) -> list[list[tuple[Any, ...]]]:
    """The rows of several statements in one round trip. Each sees what is there when its turn comes. What a
    transaction asks first takes its BEGIN along, and what waits to be written (`sent_together`) goes before it.

    One message, not the protocol's pipeline: of a client that is stopped between its parts the database would wait
    for the rest without a limit, with all that the transaction has locked.
    """
    before = _taken_along()
    with connection.cursor() as cursor:
        if _begins():
            connection.connection.autocommit = True  # or the driver sends a BEGIN of its own before it
            before.insert(0, ("BEGIN", None))
        told = statements.send(cursor, [*before, *asked])
        for _ in range(told + len(before)):
            cursor.nextset()
        found = [cursor.fetchall()]
        while cursor.nextset():
            found.append(cursor.fetchall())
        return found


def _taken_along() -> list[Query]:
    """What waits to be written, no longer waiting."""
    waiting = _waiting.get()
    taken = list(waiting or ())
    if waiting:
        waiting.clear()
    return taken


def _begins() -> bool:
    """Whether a transaction was opened here of which the database has not heard. Django ends it as any other."""
    return connection.in_atomic_block and connection.connection.info.transaction_status == TransactionStatus.IDLE


def write(statement: str, values: Any) -> None:
    """Execute what gives no rows; inside `sent_together` it goes with the others."""
    waiting = _waiting.get()
    if waiting is not None:
        waiting.append((statement, values))
        return
    with connection.cursor() as cursor:
        statements.send(cursor, [(statement, values)])


@contextmanager
def sent_together() -> Iterator[None]:
    """What is given to `write` inside goes as one message, in its order: at the end, or with what `fetch_each` asks
    before. Nothing else that is read inside sees it. Inside another one it waits for the end of that."""
    if _waiting.get() is not None:
        yield
        return
    waiting: list[Query] = []
    token = _waiting.set(waiting)
    try:
        yield
    finally:
        _waiting.reset(token)
    if waiting:
        with connection.cursor() as cursor:
            statements.send(cursor, waiting)


# --- many rows in one statement -------------------------------------------------------------------


def recordset(columns: Mapping[str, str]) -> str:
    """What stands behind FROM to read rows of these columns (name -> type) from one parameter, `as_records`."""
    described = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
    return f"json_to_recordset(%s) AS ({described})"


def as_records(columns: Iterable[str], rows: Iterable[Sequence[Any]]) -> str:
    """Rows as one text for `recordset`: JSON is written and quoted once, where an array is for every element.

    Values: None, numbers below 2**63, text, dates, aware times, enumerations of these, and JSON for jsonb.
    """
    names = tuple(columns)
    return orjson.dumps([dict(zip(names, row, strict=True)) for row in rows], option=orjson.OPT_NON_STR_KEYS).decode()


def insert_statement(table: str, columns: Mapping[str, str]) -> str:
    """An INSERT of rows given `as_records`, in their order."""
    names = ", ".join(f'"{name}"' for name in columns)
    return f"INSERT INTO {table} ({names}) SELECT {names} FROM {recordset(columns)}"  # noqa: S608 - our own names
