"""Rows by hand-written SQL: what every order asks and writes, at a tenth of what the query builder costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

import orjson
from django.db import connection
from django.db.models import Model

Row = TypeVar("Row", bound=Model)
Readers = list[tuple[int, Callable[[Any, None, Any], Any]]]
"""By the place of a column what makes its value of the database's."""


def one_row(model: type[Row], condition: str, values: Sequence[Any]) -> Row | None:
    """The only row that meets a condition (SQL, with %s for each value), as an instance; None: there is none."""
    return next(iter(all_rows(model, condition, values)), None)


def all_rows(model: type[Row], condition: str, values: Sequence[Any]) -> list[Row]:
    """The rows that meet a condition, as instances; what stands behind it (ORDER BY, FOR UPDATE) counts too."""
    names, statement, readers = _select(model)
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} WHERE {condition}", values)
        found = cursor.fetchall()
    return [model.from_db(connection.alias, names, _read(row, readers)) for row in found]


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


def fetch_each(*asked: tuple[str, Any]) -> list[list[tuple[Any, ...]]]:
    """The rows of several queries (SQL, values) in one round trip. In a transaction, each sees what is there then."""
    cursors = [connection.cursor() for _ in asked]
    with pipelined():
        for cursor, (statement, values) in zip(cursors, asked, strict=True):
            cursor.execute(statement, values)
    return [cursor.fetchall() for cursor in cursors]


@contextmanager
def pipelined() -> Iterator[None]:
    """Statements inside do not wait: they go to the database with the next one whose rows are read, or at the end.

    What one of them is refused for is raised there; nothing behind it was done. Only for a transaction's own block, and
    for statements of ours: a model that is saved asks at once how many rows that met, and is told none.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


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
