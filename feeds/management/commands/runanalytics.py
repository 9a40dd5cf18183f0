"""Run the analytics process: what is computed from ticks and stored or told, at most one of many at a time."""

from __future__ import annotations

from typing import Any

import uvloop

from feeds.analytics.runtime import AnalyticsProcess
from feeds.management.process_command import ProcessCommand
from feeds.reign import run_until_signalled


class Command(ProcessCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        uvloop.run(_run())


async def _run() -> None:
    await run_until_signalled(AnalyticsProcess())  # its events and threads belong to the running loop
