"""The fence between an execution process that lost its lease and the database."""

from __future__ import annotations

from django.db import connection

LEASE = "execution"
EPOCH = "SELECT epoch FROM feeds_lease WHERE name = %s FOR SHARE"
"""Shared: a new holder waits until this transaction is through, and then loads what it wrote."""


class Fenced(Exception):
    """Another execution process has taken over: nothing of this transaction may be written."""


def require_epoch(epoch: int) -> None:
    """Hold the lease's row for the transaction, if the epoch is still ours.

    Raises:
        Fenced: it is not.
    """
    with connection.cursor() as cursor:
        cursor.execute(EPOCH, [LEASE])
        row = cursor.fetchone()
    if row is None or row[0] != epoch:
        raise Fenced(f"epoch {epoch} of the execution is over")
