"""Leases: one process may act under a name, until when by database time, with an epoch that fences the one before."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection

from feeds.models import Lease

START_FIELD = 19
"""Of /proc/<pid>/stat after the command's closing bracket: starttime, in clock ticks since boot (proc(5), field 22)."""
DEAD_STATES = frozenset("ZXx")
"""A killed process whose parent has not yet collected it still has a pid, and will never act again."""

ACQUIRE = """
INSERT INTO feeds_lease (name, holder, epoch, expires_at) VALUES (%(name)s, %(holder)s, 1, clock_timestamp() + %(term)s)
ON CONFLICT (name) DO UPDATE
SET holder = excluded.holder, epoch = feeds_lease.epoch + 1, expires_at = excluded.expires_at
WHERE feeds_lease.expires_at <= clock_timestamp() OR feeds_lease.holder = %(gone)s
RETURNING epoch
"""
RENEW = """
UPDATE feeds_lease SET expires_at = clock_timestamp() + %(term)s
WHERE name = %(name)s AND holder = %(holder)s AND epoch = %(epoch)s
"""


class LeaseLost(Exception):
    """Another process has taken the lease: stop acting at once."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A process: its host, pid and start, since a pid alone is given out again."""

    host: str
    pid: int
    started: int

    @classmethod
    def this_process(cls) -> Holder:
        return cls(socket.gethostname(), os.getpid(), _started(os.getpid()) or 0)

    @classmethod
    def parse(cls, text: str) -> Holder:
        host, pid, started = text.rsplit(" ", 2)
        return cls(host, int(pid), int(started))

    def __str__(self) -> str:
        return f"{self.host} {self.pid} {self.started}"

    def is_gone(self) -> bool:
        """True only when it surely is: on this very host, and its pid free or another process's."""
        return self.host == socket.gethostname() and _started(self.pid) != self.started


class LeaseKeeper:
    """Takes, renews and gives back one lease. `epoch` is what every write of the holder carries; 0: not held.

    Expiry is by database time. A lease that expired while nobody took it may still be renewed: its epoch is
    the highest yet. Calls touch the database, so an event loop runs them in a thread.
    """

    def __init__(self, name: str, holder: Holder | None = None) -> None:
        self.name = name
        self.holder = holder or Holder.this_process()
        self.epoch = 0

    def acquire(self) -> bool:
        """Take the lease if it is free, has expired or its holder on this host is gone. False: somebody has it."""
        row = self._execute(ACQUIRE, gone=self._gone_holder())
        self.epoch = row[0] if row else 0
        return row is not None

    def renew(self) -> None:
        """Hold it for another term.

        Raises:
            LeaseLost: another process has it.
            django.db.Error: the database is away; the epoch still fences, so the caller may try again.
        """
        if not self._changed(RENEW, settings.LEASE_SECONDS):
            self.epoch = 0
            raise LeaseLost(self.name)

    def release(self) -> None:
        """Give it back, so that the next one need not wait. Does nothing when it is lost already."""
        self._changed(RENEW, 0.0)
        self.epoch = 0

    def _gone_holder(self) -> str | None:
        text = Lease.objects.filter(name=self.name).values_list("holder", flat=True).first()
        return text if text is not None and Holder.parse(text).is_gone() else None

    def _execute(self, sql: str, **values: object) -> tuple[int] | None:
        term = timedelta(seconds=settings.LEASE_SECONDS)
        with connection.cursor() as cursor:
            cursor.execute(sql, {"name": self.name, "holder": str(self.holder), "term": term, **values})
            return cursor.fetchone()

    def _changed(self, sql: str, seconds: float) -> bool:
        values = {"name": self.name, "holder": str(self.holder), "epoch": self.epoch}
        with connection.cursor() as cursor:
            cursor.execute(sql, {**values, "term": timedelta(seconds=seconds)})
            return cursor.rowcount == 1


def _started(pid: int) -> int | None:
    """When a living process of this host started, in ticks since boot; None when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in DEAD_STATES else int(fields[START_FIELD])
