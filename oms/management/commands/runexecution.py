"""Run the execution process: the one writer of trades, at most one of many at a time."""

from __future__ import annotations

from typing import Any

import uvloop

from feeds import pauses
from feeds.core import greeks
from feeds.management.process_command import ProcessCommand
from feeds.reign import run_until_signalled
from oms.process.runtime import ExecutionProcess
from rms.span_files import span_file


class Command(ProcessCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        span_file()  # read before the first order asks for it, as the library of option prices
        greeks.special()
        pauses.keep_short()
        uvloop.run(_run())


async def _run() -> None:
    await run_until_signalled(ExecutionProcess())  # its events and threads belong to the running loop
