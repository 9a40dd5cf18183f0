"""One websocket to Dhan's live feed and the task that owns it: dial, subscribe, receive, watch, and begin again.

The listener only collects bytes. Every few milliseconds the whole batch is decoded and applied to the board.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlencode

from django.conf import settings
from picows import (
    WSAutoPingStrategy,
    WSError,
    WSFrame,
    WSHandshakeError,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,
)

from feeds import clock
from feeds.core.board import Arrival, Board
from feeds.core.tick import TickFlag
from feeds.dhan import wire
from feeds.dhan.governor import (
    Cause,
    Credentials,
    CredentialsUnavailable,
    Ending,
    Governor,
    ending_of_reason,
    ending_of_status,
)
from feeds.dhan.wire import PacketError

log = logging.getLogger(__name__)

SOCKET_LOG = logging.getLogger("feeds.dhan.socket")
SOCKET_LOG.setLevel(logging.WARNING)  # below that the library writes the handshake, and the token is in its URL

BATCH_SECONDS = 0.01
"""How long packets may gather: a tenth of a flush, and hundreds of packets for each numpy call when it matters."""

BATCH_FRAMES = 4_000
"""Decoded at once without waiting: some 3 ms of work, so that pings and the other sockets are served in time."""

MAXIMUM_FRAME_BYTES = 4 * 1024 * 1024
READ_BUFFER_BYTES = 256 * 1024

BAD_PACKETS_SHARE = 0.01
BAD_PACKETS_LEAST = 10
"""A single odd packet of a quiet hour is over a hundredth too, and no reason to lose the stream."""

WATCH_SHARE = 0.1
"""The silence watch looks ten times within the patience it has."""

SAMPLES_KEPT = 16
ENDINGS_KEPT = 100
"""More than a whole outage brings between two readings of them."""


class ConnectionState(StrEnum):
    """What the owner task is doing. Whether the data may be believed is the board's matter, row by row."""

    IDLE = "IDLE"
    WAITING = "WAITING"  # for its turn to dial: spaced, or backing off
    BLOCKED = "BLOCKED"  # Dhan refused the credentials; only new ones help
    DIALLING = "DIALLING"
    LIVE = "LIVE"


@dataclass(frozen=True, slots=True)
class PastLife:
    """A socket that was live, and what ended it."""

    ended_at: datetime
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class ConnectionTimers:
    """Seconds; see the settings of the same names."""

    ping: float
    pong_timeout: float
    handshake_timeout: float
    silence: float
    bad_packets: float = 10.0

    @classmethod
    def from_settings(cls) -> ConnectionTimers:
        return cls(
            ping=settings.FEED_PING_SECONDS,
            pong_timeout=settings.FEED_PONG_TIMEOUT_SECONDS,
            handshake_timeout=settings.FEED_HANDSHAKE_TIMEOUT_SECONDS,
            silence=settings.FEED_SILENCE_RECONNECT_SECONDS,
            bad_packets=settings.FEED_BAD_PACKETS_SECONDS,
        )


class BadPacketWatch:
    """Whether more than one packet in a hundred was bad within the last ten seconds, or as many as are given."""

    def __init__(self, seconds: float = 10.0) -> None:
        self._seconds = seconds
        self._since = 0.0
        self._good = self._bad = 0

    def add(self, good: int, bad: int, now: float) -> bool:
        """Count a batch. Returns whether the stream is to be given up."""
        if now - self._since > self._seconds:
            self._since, self._good, self._bad = now, 0, 0
        self._good += good
        self._bad += bad
        return self._bad >= BAD_PACKETS_LEAST and self._bad > BAD_PACKETS_SHARE * (self._good + self._bad)


class FrameCollector(WSListener):
    """Keeps the payloads that come in and hands them over in batches, with the time of the first of each."""

    def __init__(self, on_batch: Callable[[list[bytes], int], None]) -> None:
        self._on_batch = on_batch
        self._loop = asyncio.get_running_loop()
        self._frames: list[bytes] = []
        self._first_at = 0
        self._timer: asyncio.TimerHandle | None = None
        self._fragments: list[bytes] = []
        self.texts = 0
        self.ended: asyncio.Future[Ending] = self._loop.create_future()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.BINARY and frame.fin:
            self._collect(frame.get_payload_as_bytes())
        else:
            self._on_rare_frame(transport, frame)

    def _collect(self, payload: bytes) -> None:
        frames = self._frames
        if not frames:
            self._first_at = clock.wall_nanoseconds()
            self._timer = self._loop.call_later(BATCH_SECONDS, self.hand_over)
        frames.append(payload)
        if len(frames) >= BATCH_FRAMES:
            self.hand_over()

    def hand_over(self) -> None:
        """Give away what has gathered, now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._frames:
            frames, self._frames = self._frames, []
            self._on_batch(frames, self._first_at)

    def _on_rare_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type in (WSMsgType.BINARY, WSMsgType.CONTINUATION):
            self._fragments.append(frame.get_payload_as_bytes())
            if frame.fin:
                payload, self._fragments = b"".join(self._fragments), []
                self._collect(payload)
        elif frame.msg_type == WSMsgType.TEXT:
            self.texts += 1
        elif frame.msg_type == WSMsgType.CLOSE:
            self.end(Ending(Cause.LOST, f"close {int(frame.get_close_code().value)}"))
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.hand_over()  # the reason is often in the last packets
        self.end(Ending(Cause.LOST, "connection lost without a close frame"))

    def end(self, ending: Ending) -> None:
        """The first reason stands: what follows is its consequence."""
        self.hand_over()
        if not self.ended.done():
            self.ended.set_result(ending)


async def dial(
    url: str, query: dict[str, object], collector: FrameCollector, timers: ConnectionTimers
) -> WSTransport | Ending:
    """Open a socket of Dhan's. What prevented it comes back as an Ending; never anything that holds the URL."""
    try:
        async with asyncio.timeout(timers.handshake_timeout):
            transport, _ = await ws_connect(
                lambda: collector,
                f"{url}?{urlencode(query)}",
                websocket_handshake_timeout=None,
                enable_auto_ping=True,
                auto_ping_idle_timeout=timers.ping,
                auto_ping_reply_timeout=min(timers.pong_timeout, timers.ping),  # it takes no longer one
                auto_ping_strategy=WSAutoPingStrategy.PING_PERIODICALLY,
                max_frame_size=MAXIMUM_FRAME_BYTES,
                read_buffer_init_size=READ_BUFFER_BYTES,
                max_redirects=0,  # a redirect would carry the token to a stranger
                logger_name=SOCKET_LOG,
            )
    except WSHandshakeError as error:
        return ending_of_status(int(error.response.status)) if error.response else _failed_dial(error)
    except (OSError, WSError, TimeoutError) as error:
        return _failed_dial(error)
    return transport


class Connection:
    """Feeds a board from one websocket, for ever. `run` is its owner task; everything happens on one event loop.

    `desired(index)` gives the instrument codes it must carry, asked at every connect: nothing is remembered by
    Dhan, and nothing by us either. While LIVE the planner's changes are written with `subscribe` and `unsubscribe`;
    otherwise they write nothing, since the next connect asks for everything anew.
    """

    def __init__(
        self,
        index: int,
        *,
        url: str,
        board: Board,
        governor: Governor,
        desired: Callable[[int], Iterable[int]],
        timers: ConnectionTimers,
        expects_data: Callable[[], bool],
        on_change: Callable[[Connection], None] = lambda connection: None,
        on_written: Callable[[Connection, list[int]], None] = lambda connection, codes: None,
        per_message: int = wire.INSTRUMENTS_PER_MESSAGE,
    ) -> None:
        """`expects_data`: whether silence is suspicious now. `on_written`: these subscriptions just went out."""
        self.index = index
        self._url = url
        self._board = board
        self._governor = governor
        self._desired = desired
        self._timers = timers
        self._expects_data = expects_data
        self._on_change = on_change
        self._on_written = on_written
        self._per_message = per_message
        self._transport: WSTransport | None = None
        self._collector: FrameCollector | None = None
        self._bad_packets = BadPacketWatch(timers.bad_packets)
        self.state = ConnectionState.IDLE
        self.since: datetime = clock.wall_now()
        self.subscribed: set[int] = set()
        self.heard_at: float | None = None  # monotonic, the last packet of market data
        self.packets = 0
        self.connects = 0
        self.messages = 0
        self.last_ending: Ending | None = None
        self.past_lives: deque[PastLife] = deque(maxlen=ENDINGS_KEPT)
        self.errors: Counter[PacketError] = Counter()
        self.samples: deque[bytes] = deque(maxlen=SAMPLES_KEPT)

    @property
    def reconnects(self) -> int:
        return max(0, self.connects - 1)

    @property
    def is_live(self) -> bool:
        return self.state is ConnectionState.LIVE

    def age(self, now: float) -> float | None:
        """Seconds since the last packet of market data, None before the first."""
        return None if self.heard_at is None else now - self.heard_at

    # --- commands ------------------------------------------------------------------------------

    def subscribe(self, codes: Iterable[int]) -> bool:
        """Write these subscriptions (again, if need be). False: not live, the next connect will ask for them."""
        codes = list(codes)
        if not self.is_live:
            return False
        self._send(wire.subscribe_messages(wire.codes_by_mode(codes), self._per_message))
        self.subscribed.update(codes)
        self._on_written(self, codes)
        return True

    def unsubscribe(self, codes: Iterable[int]) -> bool:
        """Take these back. False: not live, nothing of it is subscribed."""
        codes = list(codes)
        if not self.is_live:
            return False
        self._send(wire.unsubscribe_messages(wire.codes_by_mode(codes), self._per_message))
        self.subscribed.difference_update(codes)
        return True

    def reconnect(self, why: str = "asked") -> None:
        """Give up this socket and dial a new one, or look at once whether dialling is allowed again."""
        if self._collector is not None:
            self._collector.end(Ending(Cause.ASKED, why))
        else:
            self._governor.nudge()

    def _send(self, messages: list[str]) -> None:
        if self._transport is not None:
            for message in messages:
                self._transport.send(WSMsgType.TEXT, message)
            self.messages += len(messages)

    # --- the owner task ------------------------------------------------------------------------

    async def run(self) -> None:
        """Own the socket until cancelled."""
        try:
            while True:
                await self._live_once()
        finally:
            self._enter(ConnectionState.IDLE)

    async def _live_once(self) -> None:
        """One dial, and the life of the socket that comes of it."""
        self._enter(ConnectionState.WAITING)
        version: int | None = None
        lived = 0.0
        try:
            async with self._governor.turn(self.index, self._on_barred) as credentials:
                version = credentials.version
                self._enter(ConnectionState.DIALLING)
                collector = self._collector = FrameCollector(self._on_batch)
                ending = await self._dial(credentials, collector)
            if ending is None:
                live_at = clock.monotonic()
                self._begin()
                ending = await self._watch(collector, live_at)
                lived = clock.monotonic() - live_at
        except CredentialsUnavailable as error:
            ending = Ending(Cause.NO_CREDENTIALS, str(error))
        finally:
            self._hang_up()
        self._note_end(ending, lived, version)

    def _on_barred(self) -> None:
        self._enter(ConnectionState.BLOCKED)

    async def _dial(self, credentials: Credentials, collector: FrameCollector) -> Ending | None:
        """Open the socket, or return what prevented it."""
        query = {"version": 2, "token": credentials.token, "clientId": credentials.client_id, "authType": 2}
        opened = await dial(self._url, query, collector, self._timers)
        if isinstance(opened, Ending):
            return opened
        self._transport = opened
        return None

    def _begin(self) -> None:
        """Live: ask for everything that is wanted from this connection."""
        self.connects += 1
        self._bad_packets = BadPacketWatch(self._timers.bad_packets)
        self.subscribed.clear()
        self._enter(ConnectionState.LIVE)
        self.subscribe(self._desired(self.index))

    async def _watch(self, collector: FrameCollector, live_at: float) -> Ending:
        """Wait for the end, and bring it about when silence lasts too long while packets are due."""
        excused_at = live_at
        while not collector.ended.done():
            await asyncio.wait({collector.ended}, timeout=self._timers.silence * WATCH_SHARE)
            now = clock.monotonic()
            if not self.subscribed or not self._expects_data():
                excused_at = now
            quiet = now - max(excused_at, self.heard_at or excused_at)
            if quiet > self._timers.silence:
                collector.end(Ending(Cause.SILENT, f"no packet for {quiet:.1f} s"))
        return collector.ended.result()

    def _hang_up(self) -> None:
        """Drop the socket; what it fed is stale, and something may be missing from here on."""
        transport, collector = self._transport, self._collector
        self._transport = self._collector = None
        if collector is not None:
            collector.hand_over()
        if transport is not None:
            transport.disconnect(graceful=False)
        if self.subscribed:
            self._board.mark(list(self.subscribed), TickFlag.STALE | TickFlag.GAP)
            self.subscribed.clear()

    def _note_end(self, ending: Ending, lived: float, version: int | None) -> None:
        self.last_ending = ending
        if lived:
            self.past_lives.append(PastLife(clock.wall_now(), lived, str(ending)))
        self._governor.ended(self.index, ending, lived, version)
        log.log(
            logging.ERROR if ending.cause in (Cause.REFUSED, Cause.BAD_REQUEST) else logging.WARNING,
            "connection %d ended after %.1f s, %s",
            self.index,
            lived,
            ending,
        )

    def _enter(self, state: ConnectionState) -> None:
        if state is not self.state:
            self.state = state
            self.since = clock.wall_now()
            self._on_change(self)

    # --- packets -------------------------------------------------------------------------------

    def _on_batch(self, frames: list[bytes], received_at: int) -> None:
        """Decode a batch, apply it, and see whether the stream still deserves trust."""
        packets = wire.decode(frames)
        now = clock.monotonic()
        self._board.apply(packets, Arrival(received_at, now, clock.exchange_now().timestamp()))
        data = packets.count - packets.skipped.total() - len(packets.disconnects)
        self.packets += data
        if data:
            self.heard_at = now
        self._note_oddities(packets, now)

    def _note_oddities(self, packets: wire.Packets, now: float) -> None:
        collector = self._collector
        bad = packets.bad
        if collector is not None and collector.texts:
            self.errors[PacketError.TEXT_FRAME] += collector.texts
            bad, collector.texts = bad + collector.texts, 0
        if packets.errors or packets.samples:
            self.errors.update(packets.errors)
            self.samples.extend(packets.samples)
        if collector is None:
            return
        if packets.disconnects:
            collector.end(ending_of_reason(packets.disconnects[-1]))
        if self._bad_packets.add(packets.count, bad, now):
            collector.end(Ending(Cause.BAD_PACKETS, "over 1 % bad packets in 10 s"))


def _failed_dial(error: Exception) -> Ending:
    return Ending(Cause.LOST, f"dial failed: {type(error).__name__}")
