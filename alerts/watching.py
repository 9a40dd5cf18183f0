"""The duty that watches alerts: ticks in, decisions stored, and nothing lost while a store is away."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import Error as DatabaseError

from alerts import selectors, services
from alerts.core.crossing import Decision, Watch
from feeds import bus, clock
from feeds.analytics.duty import Desk, Ticks
from feeds.bus import REDIS_ERRORS, Batch
from feeds.offload import Overloaded

log = logging.getLogger(__name__)

SYNC_SECONDS = 0.5
"""How soon a new alert is watched."""
TIDY_SECONDS = 60.0
HISTORY = timedelta(days=180)
STORE_AWAY = (DatabaseError, Overloaded, *REDIS_ERRORS)


class AlertDuty:
    """Decides on every batch at once; stores and reads in `run`. An alert decided on waits until that is stored."""

    name = "alerts"

    def __init__(self, desk: Desk) -> None:
        self.counters: Counter[str] = Counter()
        self._database = desk.database
        self._watch = Watch()
        self._version: int | None = None  # of what is watched; None: read it all again
        self._undecided: dict[int, Decision] = {}
        self._decided = asyncio.Event()
        self._tidied_at: float | None = None

    def take(self, event: Ticks) -> None:
        now, quiet = clock.exchange_now().timestamp(), settings.ALERT_QUIET_SECONDS
        if isinstance(event, Batch):
            self._keep(self._watch.decide(event.rows, now, quiet))
        else:
            self._keep(self._watch.decide_on_last(event.rows, now, quiet, only_fresh=False))

    def _keep(self, decisions: list[Decision]) -> None:
        if decisions:
            self._undecided |= {decision.id: decision for decision in decisions}
            self._decided.set()

    async def run(self) -> None:
        while True:
            try:
                await self._store()
                await self._sync()
                await self._tidy()
            except STORE_AWAY as error:
                log.warning("alerts: a store is away (%s); %d wait", type(error).__name__, len(self._undecided))
                await asyncio.sleep(SYNC_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._decided.wait(), SYNC_SECONDS)
            self._decided.clear()

    async def _store(self) -> None:
        """Write what was decided. Where that was too late, or the last time, all is read again."""
        decisions = list(self._undecided.values())
        if not decisions:
            return
        revisions = await self._database.run(partial(services.store, decisions))
        for decision in decisions:
            del self._undecided[decision.id]
        self._watch.stored(revisions)
        self._keep(self._watch.decide_on_held(clock.exchange_now().timestamp(), settings.ALERT_QUIET_SECONDS))
        self.counters["fired"] += sum(decision.fires for decision in decisions)
        if len(revisions) < len(decisions):
            self._version = None

    async def _sync(self) -> None:
        """Watch what is to be watched; who was not before is judged by what is known of its instrument now."""
        version = await self._database.run(selectors.version)
        if version == self._version:
            return
        rows = await self._database.run(partial(selectors.watched, settings.ALERT_QUIET_SECONDS))
        self._watch.load(rows, self._undecided)
        self.counters["watched"] = len(rows)
        await self._judge_fresh()
        self._version = version

    async def _judge_fresh(self) -> None:
        codes = self._watch.fresh_codes()
        if codes:
            ticks = await self._database.run(partial(bus.last_rows, codes))
            now = clock.exchange_now().timestamp()
            self._keep(self._watch.decide_on_last(ticks, now, settings.ALERT_QUIET_SECONDS, only_fresh=True))

    async def _tidy(self) -> None:
        """End the alerts of contracts that are over, and forget what is old."""
        now = clock.monotonic()
        if self._tidied_at is not None and now - self._tidied_at < TIDY_SECONDS:
            return
        self._tidied_at = now
        await self._database.run(partial(services.end_expired, clock.exchange_today()))
        await self._database.run(partial(services.forget_old, HISTORY))
