"""Bars that charts need and we do not have: fetched from Dhan one page at a time, under this account's rate budget."""

from __future__ import annotations

import logging
from collections import Counter

import httpx
from django.conf import settings
from redis.asyncio import Redis as AsyncRedis

from feeds import history
from feeds.dhan.charts import DhanCharts
from feeds.dhan.governor import CredentialsUnavailable, ReadCredentials
from feeds.dhan.rest import DhanRestError
from feeds.history import Wanted

log = logging.getLogger(__name__)

LISTEN_SECONDS = 1.0
"""Shorter than a Redis reply may take, or waiting would look like a Redis that hangs."""
HISTORY_AT_A_TIME = 3


class History:
    """Takes what is wanted, from any chart of any web process, and puts Dhan's answer where they look for it."""

    def __init__(self, redis: AsyncRedis, credentials: ReadCredentials) -> None:
        self.counters: Counter[str] = Counter()
        self._redis = redis
        self._charts = DhanCharts(settings.DHAN_REST_URL, credentials)

    async def aclose(self) -> None:
        await self._charts.aclose()

    async def serve(self) -> None:
        """The page that has waited longest; comes back after a second when none does.

        Raises:
            REDIS_ERRORS: Redis is away.
        """
        if wanted := await history.next_wanted(self._redis, LISTEN_SECONDS):
            await self._fetch(wanted)

    async def _fetch(self, wanted: Wanted) -> None:
        """A refusal is remembered for a while, so that a chart is not left waiting."""
        key, base, first, end = wanted.page
        try:
            bars = await self._charts.bars(key, wanted.instrument_type, base, first, end)
        except (DhanRestError, httpx.HTTPError, CredentialsUnavailable) as error:
            self.counters["history_refused"] += 1
            log.warning("history: no bars of %s: %s", wanted.page, error)
            await history.store_refusal(self._redis, wanted.page)
        else:
            self.counters["history_pages"] += 1
            await history.store(self._redis, wanted.page, bars)
