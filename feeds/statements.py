"""Statements as they go to the database. A connection keeps them: told once and planned once, later sent as values.

What an order asks is the same twenty statements every time; parsing and planning them was half of what PostgreSQL did
for it. Plans are made without looking at values (plan_cache_mode in the settings), which suits statements that go
by keys, and made anew when a table's statistics change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, MutableMapping
from functools import lru_cache
from itertools import count
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from django.conf import settings
from psycopg import Connection

Query = tuple[str, Any]
"""A statement with %s or %(name)s where values go, and its values. None: it has none and is sent as it is."""

PLACE = re.compile(r"%%|%s|%\((\w+)\)s")
MOST = 200
"""Statements of one connection. Ours are a few dozen; should one be composed anew each time, not all are kept."""

_kept: MutableMapping[Connection, dict[str, str]] = WeakKeyDictionary()
"""By connection the name of each statement that it knows."""
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

    Returns how many results come before theirs: one for each statement that the connection did not know yet.

    Raises:
        django.db.Error: what the database says of any of them; none after it was executed.
    """
    known = _kept.setdefault(cursor.connection, {})
    most = MOST if settings.DATABASE_KEEPS_PLANS else 0
    fresh: dict[str, str] = {}
    parts = []
    for statement, values in statements:
        name = known.get(statement) or fresh.get(statement)
        if name is None and values is not None and len(known) + len(fresh) < most:
            name = fresh[statement] = f"kept_{next(_numbers)}"
        asked = statement if name is None else f"EXECUTE {name}{template(statement).values}"
        parts.append(cursor.mogrify(asked, values))
    told = [f"PREPARE {name} AS {template(statement).text}" for statement, name in fresh.items()]
    cursor.execute(";\n".join([*told, *parts]))
    known.update(fresh)
    return len(fresh)
