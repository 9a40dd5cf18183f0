"""Database work of the websockets, on a few threads of its own: never on the tick path, never all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

THREADS = 4
"""Also the most PostgreSQL connections that websockets can take in one web process."""
WAITING_LIMIT = 5000
"""Jobs that may wait. Beyond, a handshake is refused at once rather than answered in a minute."""

Result = TypeVar("Result")


class Overloaded(Exception):
    """Too much database work is waiting already."""


class Offload:
    """Runs functions that use the ORM, a connection kept only while more work is waiting."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="hub-database")
        self._waiting = 0

    async def run(self, function: Callable[[], Result]) -> Result:
        """Call it on one of the threads.

        Raises:
            Overloaded: too many wait.
            django.db.Error: what the database said, after one retry on a fresh connection.
        """
        if self._waiting >= WAITING_LIMIT:
            raise Overloaded(f"{self._waiting} jobs are waiting")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._call, function)
        finally:
            self._waiting -= 1

    def _call(self, function: Callable[[], Result]) -> Result:
        try:
            return function()
        except (OperationalError, InterfaceError):
            connection.close()  # it broke while it was kept: PostgreSQL was restarted
            return function()
        finally:
            if self._waiting <= THREADS:
                connection.close()

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
