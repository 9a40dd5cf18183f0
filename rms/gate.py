"""One door for everything new: trading goes through it side by side, a kill switch closes it and waits its turn.

Both locks are PostgreSQL's and last until the transaction ends, so nothing commits after a switch that had not seen it.
"""

from __future__ import annotations

from django.db import connection

from feeds.rows import fetch_each
from feeds.statements import Query

GATE = 0x62747632
"""The advisory lock's number ("btv2"): the only one this project takes."""


def shared() -> None:
    """Go through the gate, before any other lock of a transaction that places, releases or triggers something new."""
    fetch_each(shared_query())


def shared_query() -> Query:
    """What `shared` asks, to be sent with what is locked behind it."""
    return _lock("SELECT pg_advisory_xact_lock_shared(%s)")


def exclusive() -> None:
    """Wait until all who went through have committed, and hold the gate shut until this transaction ends."""
    fetch_each(_lock("SELECT pg_advisory_xact_lock(%s)"))


def _lock(statement: str) -> Query:
    if not connection.in_atomic_block:
        raise RuntimeError("the gate is held until a transaction ends, and there is none")
    return statement, [GATE]
