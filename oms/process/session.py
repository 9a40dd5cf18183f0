"""One reign of the execution process: from taking the lease to losing it, under one epoch.

Steps come one after another: what waits, what ticked and what time it is go to the venue, and all that came of it
goes into the database in one transaction. When that fails, the venue is ahead of the database: it is thrown away
and made anew from what is written.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings
from redis.asyncio import Redis as AsyncRedis

from feeds import clock
from feeds.bus import REDIS_ERRORS, Batch, Snapshot, TickSubscriber
from feeds.core.calendar import IST, Calendar, shipped_calendar
from feeds.duties import run_together
from feeds.leases import LeaseKeeper, LeaseLost
from feeds.offload import Offload
from feeds.reign import DATABASE_AWAY
from feeds.selectors import market_calendar
from feeds.topics import values_changed
from oms import bell, failpoints
from oms.core.engine_events import Accepted, Cancelled, EngineEvent, Expired, Reason
from oms.core.matching import Rules
from oms.gateways.paper import PaperGateway
from oms.process.database import StepDatabase
from oms.process.fencing import Fenced
from oms.process.holding import Holding
from oms.process.loading import Standing, Waiting, read_standing, read_waiting
from oms.process.modifying import change_asked
from oms.process.phases import Phases, closed_for_today, next_change
from oms.process.prices import Prices
from oms.process.quarantine import TRIES, UNWRITABLE, write_apart
from oms.process.reasons import REQUESTED
from oms.process.releasing import Watched, oldest_usable, read_watched, release_due, release_touched, touched
from oms.process.status import Figures, write_status
from oms.process.timers import ExecutionTimers
from oms.process.watching import Watch
from oms.process.writing import Written, write_events
from rms.market import Market, facts, reference_codes

log = logging.getLogger(__name__)

ENDS_OF_REIGN = (LeaseLost, Fenced)
"""What ends a session without being anybody's mistake."""
AGAIN_SECONDS = 0.25
"""Between two tries to rebuild while the database is away: it is back within ten seconds, and so are we."""
CALENDAR_SECONDS = 300.0
"""An admin's new holiday is known within five minutes."""
BATCHES_KEPT = 2000
"""Of ticks that wait while the database is away, some minutes of one feed. Older ones count as a gap."""

Ticks = Batch | Snapshot
NOTHING = Waiting()


class ExecutionSession:
    """Owns the venue for one epoch; `run` returns only by an exception."""

    def __init__(
        self, lease: LeaseKeeper, redis: AsyncRedis, database: StepDatabase, offload: Offload, timers: ExecutionTimers
    ) -> None:
        self.epoch = lease.epoch
        self.timers = timers
        self.prices = Prices()
        self.figures = Figures()
        self.standing: set[int] = set()
        self._watch = Watch(lease.epoch)
        self.trades = False
        self._lease, self._redis, self._database, self._offload = lease, redis, database, offload
        self._calendar: Calendar = shipped_calendar()
        self._ticks: deque[Ticks] = deque()
        self._missed = False
        self._taken: list[Ticks] = []  # by the venue, in the step that is not written yet
        self._writing: list[EngineEvent] = []
        self._refusals = 0
        """How often the database refused what the step wrote, since it last took one."""
        self._aside: frozenset[int] = frozenset()
        self._woken = asyncio.Event()
        self._look = True
        self._looked_at = self._released_at = self._next_step = 0.0
        self._watched: list[Watched] = []
        self._touched: set[int] = set()

    async def run(self) -> None:
        """Until the lease is lost.

        Raises:
            LeaseLost, Fenced
        """
        await run_together(
            {
                "lease": self._keep_lease(),
                "ticks": self._listen(),
                "bell": self._hear(),
                "calendar": self._follow_calendar(),
                "steps": self._work(),
                "held": self._hold_instruments(),
                "risk": self._watch_risk(),
                "status": self._tell(),
            }
        )

    # --- what wakes it

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(self.timers.lease_renew)
            try:
                await self._offload.run(self._lease.renew)
            except DATABASE_AWAY as error:
                log.warning("execution: the lease could not be renewed (%s)", type(error).__name__)

    async def _listen(self) -> None:
        async for event in TickSubscriber(self._redis):
            if isinstance(event, Ticks):
                self._ticks.append(event)
                if len(self._ticks) > BATCHES_KEPT:
                    self._give_up_ticks()
                self._woken.set()

    def _give_up_ticks(self) -> None:
        """Nothing was matched for minutes: prices are taken over, what happened between them is not known."""
        log.error("execution: %d batches were not matched in time", len(self._ticks))
        while self._ticks:
            event = self._ticks.popleft()
            self.prices.take(event.rows, event.account_id)
        self._missed = True

    async def _hear(self) -> None:
        last = bell.NEVER
        while True:
            try:
                heard = await bell.heard_by(self._redis, last)
            except REDIS_ERRORS:
                await asyncio.sleep(self.timers.sweep)
                continue
            if heard != last:
                last, self._look = heard, True
                self._woken.set()

    async def _follow_calendar(self) -> None:
        while True:
            with suppress(*DATABASE_AWAY):
                self._calendar = await self._offload.run(market_calendar)
                self._phases_due = clock.exchange_now()
            await asyncio.sleep(CALENDAR_SECONDS)

    # --- steps

    async def _work(self) -> None:
        while True:
            try:
                await self._open()
                while True:
                    await self._pace()
                    await self._step()
                    await self._wait()
            except (*UNWRITABLE, *DATABASE_AWAY) as error:
                self.trades = False
                if isinstance(error, UNWRITABLE):
                    self._refusals += 1
                else:
                    self._writing = []  # whether it was committed is not known: only a rebuilding tells
                self.figures.counters["rebuilt"] += 1
                log.warning("execution: a step was not written (%s): %s", type(error).__name__, str(error).strip())
                await asyncio.sleep(AGAIN_SECONDS)

    async def _open(self) -> None:
        """The venue as the database has it, at the prices known, with the ticks that no written step has used."""
        if self._refusals >= TRIES:
            await self._write_apart()
        self._calendar = await self._database.run(market_calendar)
        now = clock.exchange_now()
        standing = await self._database.run(partial(read_standing, now.date()))
        self.gateway = PaperGateway(
            Rules(float(settings.EXECUTION_STALE_SECONDS), settings.EXCHANGE_CLOCK_OFFSET_SECONDS)
        )
        self._phases, self._phases_due = Phases(), now
        self._tell_phases(now)
        self._restore(standing, now)
        unwritten, self._taken = self._taken, []
        self._ticks.extendleft(reversed(unwritten))
        self._look = True
        log.info("execution: epoch %d has %d orders at the venue", self.epoch, len(self.standing))

    async def _write_apart(self) -> None:
        """The step that was refused so often, piece by piece. Its ticks are used; they come no second time."""
        write = partial(write_events, epoch=self.epoch, market_of=self._market_of)
        self._aside |= await self._database.run(partial(write_apart, self._writing, write))
        self.figures.counters["set_aside"] = len(self._aside)
        self._refusals, self._writing = 0, []
        self._taken.clear()

    def _restore(self, standing: Standing, now: datetime) -> None:
        orders = [order for order in standing.orders if order.id not in self._aside]
        self.gateway.restore(orders, now)
        self.standing = {order.id for order in orders}
        overdue = [order.pk for order in standing.overdue if order.pk not in self._aside]
        self._own: list[EngineEvent] = [Expired(pk, Reason.DAY_ENDED, now) for pk in overdue]
        self._missed = True
        for board in closed_for_today(self._calendar, now):
            self.gateway.expire(board.segment, now, board.has_derivatives)

    async def _pace(self) -> None:
        """A step costs much the same for one order or twenty, so at a high rate they share one. Alone none waits."""
        await asyncio.sleep(max(self._next_step - clock.monotonic(), 0.0))

    async def _wait(self) -> None:
        """Until something happened, at most until the next sweep."""
        if self._look or self._ticks or self._touched:
            return
        self._woken.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.timers.sweep):
                await self._woken.wait()

    async def _step(self) -> None:
        began, now = clock.monotonic(), clock.exchange_now()
        await self._release(began, now)
        waiting = await self._gather(began)
        now = clock.exchange_now()
        self._tell_phases(now)
        self._follow_market(now)
        self._send(waiting, now)
        self._own += self.gateway.events()
        events, self._own = self._own, []
        if events:
            failpoints.reach("before_write")
            self._writing = events
            written = await self._database.run(partial(write_events, events, self.epoch, self._market_of))
            self._refusals, self._writing = 0, []
            self._let_go(written.cut, now)
            self._note(events, written, clock.monotonic() - began)
            self._next_step = began + self.timers.step
        self._taken.clear()
        self.trades = True

    async def _release(self, moment: float, now: datetime) -> None:
        """Send what waits with us for its time or its price, once a sweep or when a price was seen."""
        if self._touched:
            seen, self._touched = self._touched, set()
            await self._database.run(partial(release_touched, seen, now, self.epoch))
        elif moment - self._released_at < self.timers.sweep:
            return
        self._released_at = moment
        self._look |= bool(await self._database.run(partial(release_due, now, self.epoch)))
        self._watched = await self._database.run(read_watched)

    async def _gather(self, now: float) -> Waiting:
        if not self._look and now - self._looked_at < self.timers.sweep:
            return NOTHING
        self._look, self._looked_at = False, now
        waiting = await self._database.run(partial(read_waiting, self._aside))
        self._look |= waiting.is_full
        if waiting.placing or waiting.cancelling or waiting.modifying:
            failpoints.reach("after_claim")
        return waiting

    def _tell_phases(self, now: datetime) -> None:
        if now < self._phases_due:
            return
        for board, phase in self._phases.changes(self._calendar, now):
            self.gateway.on_phase(board.segment, phase, now, board.has_derivatives)
        self._phases_due = next_change(self._calendar, now)

    def _follow_market(self, now: datetime) -> None:
        if self._missed:
            self._missed = False
            for source, rows in self.prices.by_source().items():
                self.gateway.on_snapshot(rows, now, source)
        while self._ticks:
            event = self._ticks.popleft()
            self._taken.append(event)
            self.prices.take(event.rows, event.account_id)
            act = self.gateway.on_ticks if isinstance(event, Batch) else self.gateway.on_snapshot
            act(event.rows, exchange_time(event.flushed_at), event.account_id)
            self._touched |= touched(
                self._watched,
                event.rows,
                event.oldest_received_at if isinstance(event, Batch) else None,
                oldest_usable(settings.EXECUTION_STALE_SECONDS),
            )
            self.figures.lag_ms = round((clock.wall_nanoseconds() - event.flushed_at) / 1e6, 2)

    def _send(self, waiting: Waiting, now: datetime) -> None:
        self._cancel(waiting, now)
        for order in waiting.modifying:
            if not self.gateway.modify(order.pk, change_asked(order), now):
                log.error("execution: order %d is to be changed and is not at the venue", order.pk)
        for order in waiting.placing:
            self.gateway.place(order, now)
        self.figures.counters["orders"] += len(waiting.placing)

    def _cancel(self, waiting: Waiting, now: datetime) -> None:
        """What never came to the venue ends here, with the exits that would have followed it. What this step has told
        of was there: it ended before it was asked to, or goes with its group."""
        absent = [order for order in waiting.cancelling if not self.gateway.cancel(order.pk, REQUESTED, now)]
        self._own += self.gateway.events()
        told = {event.order_id for event in self._own}
        never_sent = {pk for order in absent for pk in (order.pk, *waiting.exits.get(order.pk, ()))} - told
        self._own += [Cancelled(pk, REQUESTED, now) for pk in sorted(never_sent)]

    def _let_go(self, cut: Collection[int], now: datetime) -> None:
        """The venue learns which orders the writing has ended; what follows for others is told by the next step."""
        for pk in cut:
            self.gateway.cancel(pk, Reason.POSITION_CLOSED, now)
        self._own += [event for event in self.gateway.events() if event.order_id not in cut]

    def _market_of(self, codes: Collection[int]) -> Market:
        day = clock.exchange_today()
        rows = self.prices.rows({*codes, *reference_codes(codes, day)})
        return Market.of_rows(facts(day).take(codes), rows, day)

    def _note(self, events: Collection[EngineEvent], written: Written, seconds: float) -> None:
        self.standing |= {event.order_id for event in events if isinstance(event, Accepted)}
        self.standing -= written.ended
        self.figures.counters["fills"] += written.fills
        if written.fills:
            self._watch.changed()
        self.figures.stepped(seconds)

    # --- what runs beside the steps

    async def _hold_instruments(self) -> None:
        holding = Holding()
        while True:
            with suppress(*DATABASE_AWAY):
                await self._offload.run(holding.look)
            await asyncio.sleep(self.timers.held)

    async def _watch_risk(self) -> None:
        while True:
            with suppress(*DATABASE_AWAY):
                await self._offload.run(self._watch.reload)
                marks = self._watch.mark(self.prices)
                if values := self._watch.values(marks):
                    await self._offload.run(partial(values_changed, values))
                await self._offload.run(partial(self._watch.act, self._watch.totals(marks)))
            await asyncio.sleep(self.timers.watch)

    # --- what it says

    async def _tell(self) -> None:
        while True:
            with suppress(*REDIS_ERRORS):
                await write_status(self._redis, self.status())
            await asyncio.sleep(self.timers.status)

    def status(self) -> dict[str, object]:
        figures = self.figures
        return {
            "state": "LIVE" if self.trades else "STARTING",
            "epoch": self.epoch,
            "pid": os.getpid(),
            "at": round(clock.exchange_now().timestamp() * 1000),
            "resting": len(self.standing),
            "step_ms": figures.step_ms,
            "longest_step_ms": figures.longest_step_ms,
            "lag_ms": figures.lag_ms,
            "waiting_batches": len(self._ticks),
            **figures.rates(),
            "counters": dict(figures.counters),
        }


def exchange_time(wall: int) -> datetime:
    """Wall nanoseconds as exchange time."""
    return datetime.fromtimestamp(wall / 1e9, IST) + timedelta(seconds=settings.EXCHANGE_CLOCK_OFFSET_SECONDS)
