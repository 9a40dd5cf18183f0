"""One door for everything new: trading goes through it side by side, a kill switch closes it and waits its turn.

Both locks are PostgreSQL's and last until the transaction ends, so nothing commits after a switch that had not seen it.
"""

from __future__ import annotations

from django.db import connection

GATE = 0x62747632
"""The advisory lock's number ("btv2"): the only one this project takes."""


def shared() -> None:
    """Go through the gate, before any other lock of a transaction that places, releases or triggers something new."""
    _lock("SELECT pg_advisory_xact_lock_shared(%s)")


def exclusive() -> None:
    """Wait until all who went through have committed, and hold the gate shut until this transaction ends."""
    _lock("SELECT pg_advisory_xact_lock(%s)")


def _lock(statement: str) -> None:
    if not connection.in_atomic_block:
        raise RuntimeError("the gate is held until a transaction ends, and there is none")
    with connection.cursor() as cursor:
        cursor.execute(statement, [GATE])
