"""The websocket of twenty-level depth and the task that owns it: open only while somebody looks at a book."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection

from picows import WSMsgType, WSTransport

from feeds import clock
from feeds.core.depth import Books
from feeds.dhan import depth_wire
from feeds.dhan.connection import BadPacketWatch, ConnectionTimers, FrameCollector, dial
from feeds.dhan.depth_wire import DepthCode
from feeds.dhan.governor import Cause, CredentialsUnavailable, Ending, Governor, ending_of_reason
from feeds.dhan.wire import PacketError

log = logging.getLogger(__name__)

WATCH_SECONDS = 0.25
IDLE_SECONDS = 30.0
"""Kept open so long after the last book was closed: who goes from one to the next does not wait for a dial."""


class DepthConnection:
    """Fills books from one websocket. `run` is its owner task; `want` says of which instruments, at most fifty.

    It dials in the turns of the account's governor, as the connection behind the feed's last.
    """

    def __init__(
        self, index: int, *, url: str, governor: Governor, timers: ConnectionTimers, expects_data: Callable[[], bool]
    ) -> None:
        self.index = index
        self.books = Books()
        self.errors: Counter[PacketError] = Counter()
        self.connects = 0
        self._url = url
        self._governor = governor
        self._timers = timers
        self._expects_data = expects_data
        self._wanted: frozenset[int] = frozenset()
        self._wanted_changed = asyncio.Event()
        self._transport: WSTransport | None = None
        self._collector: FrameCollector | None = None
        self._bad_packets = BadPacketWatch(timers.bad_packets)
        self._heard_at = 0.0

    @property
    def is_live(self) -> bool:
        return self._transport is not None

    def want(self, codes: Collection[int]) -> None:
        """Books of these from now on. While live the difference is written, what is taken back first."""
        wanted = frozenset(codes)
        gone, new = sorted(self._wanted - wanted), sorted(wanted - self._wanted)
        self._wanted = wanted
        self.books.keep_only(wanted)
        if gone:
            self._send(depth_wire.unsubscribe_message(gone))
        if new:
            self._send(depth_wire.subscribe_message(new))
            self._wanted_changed.set()

    def _send(self, message: str) -> None:
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, message)

    async def run(self) -> None:
        """Own the socket until cancelled."""
        while True:
            while not self._wanted:
                self._wanted_changed.clear()
                await self._wanted_changed.wait()
            await self._live_once()

    async def _live_once(self) -> None:
        """One dial, and the life of the socket that comes of it."""
        version: int | None = None
        lived = 0.0
        try:
            async with self._governor.turn(self.index, lambda: None) as credentials:
                version = credentials.version
                collector = self._collector = FrameCollector(self._on_batch)
                query = {"token": credentials.token, "clientId": credentials.client_id, "authType": 2}
                opened = await dial(self._url, query, collector, self._timers)
            if isinstance(opened, Ending):
                ending = opened
            else:
                live_at = clock.monotonic()
                self._begin(opened)
                ending = await self._watch(collector)
                lived = clock.monotonic() - live_at
        except CredentialsUnavailable as error:
            ending = Ending(Cause.NO_CREDENTIALS, str(error))
        finally:
            self._hang_up()
        self._governor.ended(self.index, ending, lived, version)
        log.info("depth connection ended after %.1f s, %s", lived, ending)

    def _begin(self, transport: WSTransport) -> None:
        self.connects += 1
        self._transport = transport
        self._bad_packets = BadPacketWatch(self._timers.bad_packets)
        self._heard_at = clock.monotonic()
        if self._wanted:
            self._send(depth_wire.subscribe_message(sorted(self._wanted)))

    async def _watch(self, collector: FrameCollector) -> Ending:
        """Wait for the end; bring it about when nobody looks any more, or when it is silent and should not be."""
        wanted_at = clock.monotonic()
        while not collector.ended.done():
            await asyncio.wait({collector.ended}, timeout=WATCH_SECONDS)
            now = clock.monotonic()
            wanted_at = now if self._wanted else wanted_at
            if now - wanted_at > IDLE_SECONDS:
                collector.end(Ending(Cause.ASKED, "nobody looks at a book"))
            if not self._wanted or not self._expects_data():
                self._heard_at = now
            if now - self._heard_at > self._timers.silence:
                collector.end(Ending(Cause.SILENT, f"no packet for {now - self._heard_at:.1f} s"))
        return collector.ended.result()

    def _hang_up(self) -> None:
        transport, collector = self._transport, self._collector
        self._transport = self._collector = None
        if collector is not None:
            collector.hand_over()
        if transport is not None:
            transport.disconnect(graceful=False)
        self.books.keep_only(())

    def _on_batch(self, frames: list[bytes], received_at: int) -> None:
        packets = depth_wire.decode(frames)
        self.books.apply(packets.sides, DepthCode.BID, received_at)
        self.books.keep_only(self._wanted)  # Dhan may go on sending what was taken back
        self.errors.update(packets.errors)
        now = clock.monotonic()
        if len(packets.sides):
            self._heard_at = now
        if self._collector is None:
            return
        if packets.disconnects:
            self._collector.end(ending_of_reason(packets.disconnects[-1]))
        if self._bad_packets.add(len(packets.sides), packets.bad, now):
            self._collector.end(Ending(Cause.BAD_PACKETS, "too many bad packets"))
