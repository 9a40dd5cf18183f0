"""Run the execution process: the one writer of trades, at most one of many at a time."""

from __future__ import annotations

from typing import Any

import uvloop
from django.core.management.base import BaseCommand

from feeds.core import greeks
from oms.process.runtime import run_until_signalled
from rms.span_files import span_file


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        span_file()  # read before the first order asks for it, as the library of option prices
        greeks.special()
        uvloop.run(run_until_signalled())
