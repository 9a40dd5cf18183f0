"""The fence between an execution process that lost its lease and the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from feeds.rows import fetch_each
from feeds.statements import Query

LEASE = "execution"
EPOCH = """
SELECT epoch, set_config('idle_in_transaction_session_timeout', %s, true) FROM feeds_lease WHERE name = %s FOR SHARE
"""
"""Shared: a new holder waits until this transaction is through, and then loads what it wrote. A process that is stopped
in the middle of one holds everybody's locks: PostgreSQL ends it after as long as a lease lasts."""


class Fenced(Exception):
    """Another execution process has taken over: nothing of this transaction may be written."""


def require_epoch(epoch: int) -> None:
    """Hold the lease's row for the transaction, if the epoch is still ours.

    Raises:
        Fenced: it is not.
    """
    [rows] = fetch_each(epoch_query())
    require_epoch_in(rows, epoch)


def epoch_query() -> Query:
    """What `require_epoch` asks, to be sent with what is locked behind it."""
    return EPOCH, [f"{settings.LEASE_SECONDS * 1000:.0f}ms", LEASE]


def require_epoch_in(rows: Sequence[tuple[Any, ...]], epoch: int) -> None:
    """`require_epoch`, of what `epoch_query` found.

    Raises:
        Fenced
    """
    if not rows or rows[0][0] != epoch:
        raise Fenced(f"epoch {epoch} of the execution is over")
