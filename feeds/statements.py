"""Statements as they go to the database. A connection keeps them: told once and planned once, later sent as values.

What an order asks is the same twenty statements every time; parsing and planning them was half of what PostgreSQL did
for it. Plans are made without looking at values (plan_cache_mode in the settings), which suits statements that go
by keys. They are made anew when a table's statistics change, and now and then: a plan for a table that was empty a
minute ago may read all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, MutableMapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from django.conf import settings
from psycopg import Connection

from feeds import clock

Query = tuple[str, Any]
"""A statement with %s or %(name)s where values go, and its values. None: it has none and is sent as it is."""

PLACE = re.compile(r"%%|%s|%\((\w+)\)s")
MOST = 200
"""Statements of one connection. Ours are a few dozen; should one be composed anew each time, not all are kept."""

PLANS_SECONDS = 15.0
"""After so long a connection plans what it keeps again. A day's tables begin empty, and grow by thousands a minute."""


@dataclass(slots=True)
class Kept:
    """What a connection keeps: statements by their names, and since when it has their plans."""

    names: dict[str, str] = field(default_factory=dict)
    planned_at: float = field(default_factory=clock.monotonic)

    @property
    def is_stale(self) -> bool:
        return bool(self.names) and clock.monotonic() - self.planned_at >= PLANS_SECONDS


_kept: MutableMapping[Connection, Kept] = WeakKeyDictionary()
_numbers = count(1)
"""Of names: never used twice, as it is not known which statements of a message that failed are known."""


class Template(NamedTuple):
    """A statement as PREPARE takes it, and the places of its values as EXECUTE takes them."""

    text: str
    values: str


@lru_cache(maxsize=MOST)
def template(statement: str) -> Template:
    """Values become $1, $2 and so on; one that is named twice is given once."""
    places: list[str] = []

    def numbered(found: re.Match[str]) -> str:
        place = found.group()
        if place == "%%":
            return "%"
        if place == "%s" or place not in places:
            places.append(place)
            return f"${len(places)}"
        return f"${places.index(place) + 1}"

    text = PLACE.sub(numbered, statement)
    return Template(text, f"({', '.join(places)})" if places else "")


def send(cursor: Any, statements: Iterable[Query]) -> int:
    """Execute statements in one message, those with values by the name under which the connection keeps them.

    Returns how many results come before theirs, of what the connection had to be told first.

    Raises:
        django.db.Error: what the database says of any of them; none after it was executed.
    """
    kept = _kept.setdefault(cursor.connection, Kept())
    fresh: dict[str, str] = {}
    most = MOST - len(kept.names) if settings.DATABASE_KEEPS_PLANS else 0
    parts = []
    for statement, values in statements:
        name = kept.names.get(statement) or fresh.get(statement)
        if name is None and values is not None and len(fresh) < most:
            name = fresh[statement] = f"kept_{next(_numbers)}"
        asked = statement if name is None else f"EXECUTE {name}{template(statement).values}"
        parts.append(cursor.mogrify(asked, values))
    told = [f"PREPARE {name} AS {template(statement).text}" for statement, name in fresh.items()]
    if kept.is_stale:
        told.insert(0, "DISCARD PLANS")
        kept.planned_at = clock.monotonic()
    cursor.execute(";\n".join([*told, *parts]))
    kept.names.update(fresh)
    return len(told)
