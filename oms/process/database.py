"""The database of the steps: one thread with one connection that stays, for they come one after another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import Error as DatabaseError
from django.db import connection, connections

Result = TypeVar("Result")


class StepDatabase:
    """Runs functions that use the ORM, one at a time. It never tries again: whoever asked knows what was lost."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="execution-database")

    async def run(self, function: Callable[[], Result]) -> Result:
        """Call it on the thread.

        Raises:
            django.db.Error: what the database said; the next call opens a new connection.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, _call, function)

    def close(self) -> None:
        self._thread.submit(connections.close_all)
        self._thread.shutdown(wait=True)


def _call(function: Callable[[], Result]) -> Result:
    try:
        return function()
    except DatabaseError:
        connection.close()
        raise
