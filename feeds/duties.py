"""Tasks that live and end together: the first that ends takes all others with it, however deaf they are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any

log = logging.getLogger(__name__)

CANCEL_AGAIN_SECONDS = 0.5
"""asyncio.wait_for of Python 3.11, which libraries use, loses a cancellation that meets a result: it is sent again."""


async def run_together(duties: Mapping[str, Coroutine[Any, Any, None]]) -> None:
    """Run all of them until one ends; cancel the rest, wait for them, and raise what the first one raised."""
    tasks = {asyncio.create_task(duty, name=name) for name, duty in duties.items()}
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _cancel(tasks)
    for task in ended:
        task.result()


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel until all have ended. Being cancelled meanwhile changes nothing: they are not left behind."""
    pending = {task for task in tasks if not task.done()}
    cancelled = False
    while pending:
        for task in pending:
            task.cancel()
        try:
            _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_SECONDS)
        except asyncio.CancelledError:
            cancelled = True
            pending = {task for task in pending if not task.done()}
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.debug("%s ended with %s", task.get_name(), type(error).__name__)
    if cancelled:
        raise asyncio.CancelledError
