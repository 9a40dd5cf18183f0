"""Chain analytics: once a second the chains that changed are computed again and told."""

from __future__ import annotations

import asyncio
from collections import Counter

from django.conf import settings

from feeds.analytics.duty import Desk, Ticks
from feeds.core.live_table import LiveTable


class Chains:
    """Keeps the last row of every instrument, and tells of each chain whose rows changed."""

    name = "chains"

    def __init__(self, desk: Desk) -> None:
        self.counters: Counter[str] = Counter()
        self._desk = desk
        self._table = LiveTable()
        self._round = 0

    def take(self, event: Ticks) -> None:
        self._table.merge(event.rows, self._round, event.account_id)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(settings.ANALYTICS_SECONDS)
            self._round += 1
