"""Run the analytics process: what is computed from ticks and stored or told, at most one of many at a time."""

from __future__ import annotations

from typing import Any

import uvloop
from django.core.checks import Tags
from django.core.management.base import BaseCommand

from feeds.analytics.runtime import AnalyticsProcess
from feeds.reign import run_until_signalled


class Command(BaseCommand):
    help = __doc__
    requires_system_checks = [Tags.security]  # all others are a third of a second, and no news since the deployment

    def handle(self, *args: Any, **options: Any) -> None:
        uvloop.run(_run())


async def _run() -> None:
    await run_until_signalled(AnalyticsProcess())  # its events and threads belong to the running loop
