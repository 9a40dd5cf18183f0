"""One reign of a feed process over its account: from taking the lease to losing it, under one epoch.

Each duty is a small task of its own around the same board, planner and connections; the event loop's thread
alone touches them. The database is asked in other threads and may be away: prices flow on.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from math import inf
from typing import Any

import numpy as np
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import Error as DatabaseError
from redis.asyncio import Redis as AsyncRedis

from feeds import clock
from feeds.bus import REDIS_ERRORS, Fenced, Rows, TickPublisher
from feeds.core.board import Board
from feeds.core.calendar import shipped_calendar
from feeds.core.instrument import SECURITY_ID_BITS, ExchangeSegment
from feeds.core.subscriptions import Limits, Planner
from feeds.dhan.charts import CHART_SPACING_SECONDS
from feeds.dhan.connection import Connection, ConnectionState, ConnectionTimers, PastLife
from feeds.dhan.depth_connection import DepthConnection
from feeds.dhan.depth_wire import SEGMENTS
from feeds.dhan.governor import DialRules, DialTimers, Governor
from feeds.dhan.rest import DhanRest
from feeds.duties import run_together
from feeds.interest import Source, limits
from feeds.leases import LeaseKeeper, LeaseLost
from feeds.offload import Offload, Overloaded
from feeds.process.accounts import AccountCredentials
from feeds.process.comparing import Comparer
from feeds.process.depth import FOLLOW_SECONDS, TELL_SECONDS, DepthDesk
from feeds.process.first_packet import FirstPacketAudit
from feeds.process.flusher import Flusher
from feeds.process.history import HISTORY_AT_A_TIME, History
from feeds.process.leftovers import Leftovers
from feeds.process.market_hours import MarketHours
from feeds.process.recentring import Recentring
from feeds.process.staleness import Staleness
from feeds.process.status import (
    ENDINGS_REMEMBERED,
    FeedState,
    Lags,
    Rates,
    SyncTimes,
    ending_record,
    remember_endings,
    write_status,
)
from feeds.process.subscribing import AccountDisabled, Subscriptions, read_view, seed_from_last_run, tick_sizes
from feeds.process.timers import FeedTimers
from feeds.process.watchdog import InstrumentWatch
from feeds.selectors import market_calendar

log = logging.getLogger(__name__)

DATABASE_AWAY = (DatabaseError, Overloaded)
ENDS_OF_REIGN = (LeaseLost, Fenced, AccountDisabled)
"""What ends a session without being anybody's mistake."""
COMMANDS_RETRY_SECONDS = 0.5
CALENDAR_SECONDS = 300.0
"""An admin's new holiday is known to the watchdogs within five minutes."""
LOGGED_EVERY = 60
"""Of failures of one duty, so that what fails ten times a second does not fill a disk."""
NANOSECONDS = 1_000_000_000


class FeedSession:
    """Owns the account's sockets, board and bus for one epoch; `run` returns only by an exception."""

    def __init__(
        self,
        account_id: int,
        name: str,
        lease: LeaseKeeper,
        redis: AsyncRedis,
        database: Offload,
        timers: FeedTimers,
    ) -> None:
        self.account_id = account_id
        self.name = name
        self.epoch = lease.epoch
        self.timers = timers
        self.counters: Counter[str] = Counter()
        self._lease = lease
        self._lease_database = Offload()  # its own threads: a slow query elsewhere must not cost the lease
        self._database = database
        self._redis = redis
        self._nudged = asyncio.Event()
        self._nudged_at: float | None = None  # monotonic: when the oldest change that waits was committed
        self._unseeded: set[int] = set()
        self._began_at = clock.monotonic()
        self._told_state: FeedState | None = None
        began = PastLife(clock.wall_now(), 0.0, f"process began, epoch {self.epoch}")
        self._endings = [ending_record(None, began)]
        self._credential_version: int | None = None
        self.hours = MarketHours(shipped_calendar())
        self._open: frozenset[ExchangeSegment] = frozenset()
        self._build_market(limits())
        self.board.allow_crossed(ExchangeSegment)
        self._build_dhan(AccountCredentials(account_id, database))

    # --- what it is made of -----------------------------------------------------------------------

    def _build_market(self, limits: Limits) -> None:
        """Everything between the sockets and the bus."""
        timers = self.timers
        self.board = Board(limits.total)
        self.audit = FirstPacketAudit(timers.first_packet, timers.first_packet_resends)
        self.staleness = Staleness(self.board, timers.stale_after, limits.connections)
        self.lags, self.rates, self.sync_times = Lags(), Rates(), SyncTimes()
        publisher = TickPublisher(self._redis, self.account_id, self.epoch)
        self.flusher = Flusher(self.board, publisher, timers.heartbeat, self._on_packets, self._everything)
        self.subscriptions = Subscriptions(Planner(limits), self.board, self.audit, self.flusher.collect)
        self.recentring = Recentring(self.account_id, self.board, self._database)
        self.leftovers = Leftovers(self._redis, self.account_id, self.board, self._database, self.flusher.add)

    def _build_dhan(self, credentials: AccountCredentials) -> None:
        """Everything that talks to Dhan."""
        self.governor = Governor(credentials.current, DialRules(DialTimers.from_settings()), self.timers.sync)
        self.connections = [self._connection(index) for index in range(self.subscriptions.planner.limits.connections)]
        self.subscriptions.lines = self.connections
        self.twenty = self._depth_connection() if settings.DEPTH_TWENTY else None
        self.depth = DepthDesk(self._redis, self.board, self.twenty)
        self.rest = DhanRest(
            settings.DHAN_REST_URL,
            credentials.current,
            spacing=self.timers.quote_spacing,
            throttled=self.timers.throttled,
        )
        self.history = History(self._redis, credentials.current)
        self.instruments = InstrumentWatch(self.timers.instrument_stale, self.timers.stale_after)
        self.comparer = Comparer(
            self.board,
            self.audit,
            self.instruments,
            self.rest,
            self.subscriptions.send_again,
        )

    def _connection(self, index: int) -> Connection:
        return Connection(
            index,
            url=settings.DHAN_FEED_URL,
            board=self.board,
            governor=self.governor,
            desired=self.subscriptions.desired,
            timers=ConnectionTimers.from_settings(),
            expects_data=partial(self._expects_data, index),
            on_change=self._on_connection_change,
            on_written=self._on_written,
            per_message=self.subscriptions.planner.limits.per_message,
        )

    def _depth_connection(self) -> DepthConnection:
        return DepthConnection(
            len(self.connections),
            url=settings.DHAN_DEPTH_URL,
            governor=self.governor,
            timers=ConnectionTimers.from_settings(),
            expects_data=lambda: bool(self._open & SEGMENTS),
        )

    # --- what its parts ask and tell it -------------------------------------------------------------

    def _expects_data(self, index: int) -> bool:
        codes, patience = self.subscriptions.placed[index], self.timers.silence_reconnect
        return self.staleness.expects_data(index, codes, self._open, patience, clock.monotonic())

    def _everything(self) -> np.ndarray[Any, np.dtype[np.uint64]]:
        return self.subscriptions.everything()

    def _on_packets(self, packets: Rows) -> None:
        self.audit.seen(packets)
        self.staleness.heard(packets, clock.monotonic())
        self.lags.add(packets, self.subscriptions.planner.placement)

    def _on_connection_change(self, connection: Connection) -> None:
        if connection.state is not ConnectionState.LIVE:
            self.staleness.went_down(connection.index, clock.monotonic())
            self.audit.forget(self.subscriptions.placed[connection.index].tolist())

    def _on_written(self, connection: Connection, codes: list[int]) -> None:
        """Subscriptions went out. Those of closed markets answer when they open; until then a quote must do."""
        is_open = [code for code in codes if code >> SECURITY_ID_BITS in self._open]
        self.audit.written(is_open, clock.wall_nanoseconds(), clock.monotonic())
        if len(is_open) < len(codes):
            self._seed_unheard([code for code in codes if code >> SECURITY_ID_BITS not in self._open])

    def _seed_unheard(self, codes: Iterable[int]) -> None:
        wanted = np.fromiter(codes, np.uint64)
        ages = self.board.ages(wanted, clock.monotonic())
        self.comparer.seed(wanted[np.isinf(ages)].tolist())

    # --- the reign ----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until the lease is lost, the bus is fenced or the account is switched off.

        Raises:
            LeaseLost, Fenced, AccountDisabled: the sockets are closed by then.
        """
        log.info("account %s: epoch %d begins", self.name, self.epoch)
        await self._load_calendar()
        self._look_at_the_clock()
        self._began_at = clock.monotonic()
        try:
            await run_together(self._duties())
        finally:
            await self.rest.aclose()
            await self.history.aclose()
            self._lease_database.close()

    def _duties(self) -> dict[str, Coroutine[Any, Any, None]]:
        timers = self.timers
        duties = {f"connection {connection.index}": connection.run() for connection in self.connections}
        # Several at a time: Dhan takes a second for each page, and the budget spaces them.
        for number in range(HISTORY_AT_A_TIME):
            duties[f"history {number}"] = self._repeat("history", CHART_SPACING_SECONDS, self.history.serve)
        if self.twenty is not None:
            duties["twenty levels"] = self.twenty.run()
        return duties | {
            "open books": self._repeat("open books", FOLLOW_SECONDS, self.depth.follow),
            "books": self._repeat("books", TELL_SECONDS, self.depth.tell),
            "lease": self._repeat("lease", timers.lease_renew, self._renew_lease),
            "flush": self._repeat("flush", timers.flush, self.flusher.flush),
            "sync": self._sync_for_ever(),
            "commands": self._listen(),
            "status": self._repeat("status", timers.status, self._report),
            "watch": self._repeat("watch", timers.watch, self._watch),
            "compare": self._repeat("compare", timers.quote_spacing, self._compare),
            "recentre": self._repeat("recentre", timers.sync, self.recentring.follow),
            "leftovers": self._repeat("leftovers", timers.sync, self._tidy_leftovers),
            "calendar": self._repeat("calendar", CALENDAR_SECONDS, self._load_calendar),
        }

    async def _repeat(self, name: str, seconds: float, duty: Callable[[], Awaitable[None]]) -> None:
        """A duty for ever, at an even pace. What is away is asked again; a bug in one duty does not end the prices."""
        next_at = clock.monotonic()
        while True:
            await self._attempt(name, duty)
            next_at = max(next_at + seconds, clock.monotonic())
            await asyncio.sleep(next_at - clock.monotonic())

    async def _attempt(self, name: str, duty: Callable[[], Awaitable[None]]) -> None:
        try:
            await duty()
        except ENDS_OF_REIGN:
            raise
        except (*DATABASE_AWAY, *REDIS_ERRORS) as error:
            if not self.counters[f"{name}_away"] % LOGGED_EVERY:
                log.warning("account %s: %s has to wait (%s)", self.name, name, type(error).__name__)
            self.counters[f"{name}_away"] += 1
        except Exception:
            if not self.counters[f"{name}_failed"] % LOGGED_EVERY:
                log.exception("account %s: %s failed", self.name, name)
            self.counters[f"{name}_failed"] += 1

    async def _renew_lease(self) -> None:
        await self._lease_database.run(self._lease.renew)

    async def _load_calendar(self) -> None:
        try:
            self.hours = MarketHours(await self._database.run(market_calendar))
        except DATABASE_AWAY as error:
            log.warning("account %s: the calendar stays as it is (%s)", self.name, type(error).__name__)

    # --- subscriptions ------------------------------------------------------------------------------

    async def _sync_for_ever(self) -> None:
        while True:
            await self._attempt("sync", self._sync)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.timers.sync):
                    await self._nudged.wait()

    async def _sync(self) -> None:
        """Read what changed, plan, write. The clock of `sync_seconds_max` runs from the commit, else from here."""
        self._nudged.clear()
        changed_at, self._nudged_at = self._nudged_at or clock.monotonic(), None
        try:
            view = await self._database.run(partial(read_view, self.account_id, self.subscriptions.version))
        except DATABASE_AWAY:
            self._nudged_at = changed_at  # what waits goes on waiting
            raise
        self._note_credential(view.credential_version)
        self.subscriptions.want(view.changes)
        plan = self.subscriptions.plan()
        if plan.steps:
            try:
                await self._give_rows(self.subscriptions.without_row(plan))
            finally:
                self.subscriptions.carry_out(plan)
            self.sync_times.add(clock.monotonic() - changed_at)
        if any(row.source == Source.CHAIN for row in view.changes.rows):
            self.recentring.reload_soon()
        self.counters["syncs"] += 1
        await self._seed_from_last_run()

    async def _give_rows(self, new: list[int]) -> None:
        """Rows on the board for what is about to be subscribed, with what the last run knew of it."""
        if not new:
            return
        try:
            ticks = await self._database.run(partial(tick_sizes, new))
        except DATABASE_AWAY:
            ticks = {}
        self.subscriptions.add_to_board(new, ticks)
        self._unseeded.update(new)
        with suppress(*REDIS_ERRORS):  # asked again after the messages are written
            await self._seed_from_last_run()

    async def _seed_from_last_run(self) -> None:
        """Raises REDIS_ERRORS: they are asked for again at the next sync."""
        if wanted := list(self._unseeded):
            self.counters["seeded"] += await seed_from_last_run(self._redis, self.account_id, self.board, wanted)
            self._unseeded.difference_update(wanted)

    def _note_credential(self, version: int) -> None:
        """A new credential: those that were refused may dial at once."""
        if self._credential_version not in (None, version):
            self.governor.nudge()
        self._credential_version = version

    async def _tidy_leftovers(self) -> None:
        """Not before it is known what is wanted: all the rest is left over."""
        if self.counters["syncs"]:
            await self.leftovers.tidy()

    # --- commands ------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Commands of the channel layer, for as long as Redis has them to give."""
        while True:
            heard = self.counters["commands"]
            await self._attempt("commands", self._hear)
            if self.counters["commands"] == heard:
                await asyncio.sleep(COMMANDS_RETRY_SECONDS)

    async def _hear(self) -> None:
        command = await get_channel_layer().receive(f"feed-{self.account_id}")
        self.counters["commands"] += 1
        self._obey(command)

    def _obey(self, command: dict[str, Any]) -> None:
        kind, index = command.get("type"), command.get("connection")
        if kind == "sync.now":
            self._nudged_at = min(self._nudged_at or inf, self._committed_at(command.get("at")))
            self._nudged.set()
        elif kind == "reconnect" and isinstance(index, int) and 0 <= index < len(self.connections):
            self.connections[index].reconnect()
        elif kind == "reseed":
            self.comparer.seed(self._everything().tolist())
        else:
            log.warning("account %s: command not understood: %r", self.name, str(command)[:200])

    def _committed_at(self, wall: object) -> float:
        """The monotonic moment of a commit, from its wall nanoseconds; never before the reign, nor after now."""
        now = clock.monotonic()
        age = (clock.wall_nanoseconds() - wall) / NANOSECONDS if isinstance(wall, int) else 0.0
        return min(now, max(now - age, self._began_at))

    # --- watching ------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        now = clock.monotonic()
        placed = self.subscriptions.placed
        if opened := self._look_at_the_clock():
            self._expect_first_packets(opened)
        self.staleness.look(self.connections, placed, self._open, now, self.instruments.stale)
        if resend := self.audit.due(now).resend:
            self.subscriptions.send_again(resend)
        if self.state is not self._told_state:  # a second is long for those who look at prices that stand still
            await self._report()

    def _look_at_the_clock(self) -> frozenset[ExchangeSegment]:
        """Which segments trade continuously now; returns those that have just begun to."""
        before, self._open = self._open, self.hours.open_segments(clock.exchange_now())
        if self._open != before:
            self.board.allow_crossed(set(ExchangeSegment) - self._open)
        return self._open - before

    def _expect_first_packets(self, opened: frozenset[ExchangeSegment]) -> None:
        """A market opened: those of its instruments that were subscribed before and never heard of must speak now."""
        now = clock.monotonic()
        for index, codes in enumerate(self.subscriptions.placed):
            if self.connections[index].is_live:
                of_opened = codes[np.isin(codes >> np.uint64(SECURITY_ID_BITS), list(opened))]
                unheard = of_opened[np.isinf(self.board.ages(of_opened, now))]
                self.audit.written(unheard.tolist(), clock.wall_nanoseconds(), now)

    async def _compare(self) -> None:
        live = [self.subscriptions.placed[connection.index] for connection in self.connections if connection.is_live]
        placed = np.concatenate([np.empty(0, np.uint64), *live])
        await self.comparer.compare(placed, self._open)

    # --- telling ------------------------------------------------------------------------------------

    async def _report(self) -> None:
        self._told_state = self.state
        await write_status(self._redis, self.account_id, self.epoch, self.status())
        await self._tell_endings()

    async def _tell_endings(self) -> None:
        """What ended since the last time, for the reconnect history; when Redis is away it is told with the next."""
        for connection in self.connections:
            while connection.past_lives:
                self._endings.append(ending_record(connection.index, connection.past_lives.popleft()))
        told, self._endings = self._endings[-ENDINGS_REMEMBERED:], []
        try:
            await remember_endings(self._redis, self.account_id, told)
        except REDIS_ERRORS:
            self._endings = told + self._endings
            raise

    @property
    def state(self) -> FeedState:
        """LIVE: every connection is believed. DOWN: none is up. STALE: something between."""
        if not any(connection.is_live for connection in self.connections):
            return FeedState.DOWN
        carrying = {index for index, codes in enumerate(self.subscriptions.placed) if len(codes)}
        return FeedState.STALE if self.staleness.connections & carrying or self.staleness.segments else FeedState.LIVE

    def status(self) -> dict[str, Any]:
        """As docs/architecture.md says."""
        now = clock.monotonic()
        planner = self.subscriptions.planner
        capacity = planner.capacity()
        counts = {name.lower(): count for name, count in planner.counts().items()}
        packets = sum(connection.packets for connection in self.connections)
        return {
            "account": self.account_id,
            "name": self.name,
            "epoch": self.epoch,
            "state": self.state,
            "at": clock.wall_nanoseconds() // 1_000_000,
            "connections": [self._connection_status(connection, now) for connection in self.connections],
            "packets_per_second": self.rates.per_second("all", packets, now),
            "tier_b": counts["tier_b"],
            "references": counts["reference"],
            "tier_a": counts["tier_a"],
            "wanted": capacity.used,
            "capacity": capacity.total,
            "sync_seconds_max": self.sync_times.maximum,
            "stale_segments": sorted(segment.name for segment in self.staleness.segments),
            "audit": self.audit.report() | {"stale_instruments": len(self.instruments.stale)},
            "chains": self.subscriptions.chain_counts(),
            "counters": self._all_counters(),
        }

    def _connection_status(self, connection: Connection, now: float) -> dict[str, Any]:
        age = connection.age(now)
        silent = connection.is_live and connection.index in self.staleness.connections
        return {
            "index": connection.index,
            "state": FeedState.STALE if silent else connection.state,
            "since": int(connection.since.timestamp() * 1000),
            "subscribed": len(connection.subscribed),
            "placed": len(self.subscriptions.placed[connection.index]),
            "packets_per_second": self.rates.per_second(connection.index, connection.packets, now),
            "age_seconds": None if age is None else round(age, 3),
            **self.lags.percentiles(connection.index),
            "reconnects": connection.reconnects,
            "last_reason": str(connection.last_ending) if connection.last_ending else None,
        }

    def _all_counters(self) -> dict[str, int]:
        parts = (self.counters, self.flusher.counters, self.subscriptions.counters, self.comparer.counters)
        merged: dict[str, int] = {"dials": self.governor.dials, "messages": sum(c.messages for c in self.connections)}
        for part in (*parts, self.recentring.counters, self.history.counters, self.board.counters):
            merged |= {str(name): count for name, count in part.items()}
        for connection in self.connections:
            for error, count in connection.errors.items():
                merged[f"bad_{error}"] = merged.get(f"bad_{error}", 0) + count
        return merged
