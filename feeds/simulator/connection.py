"""One client's feed websocket, seen from Dhan's side: its requests, its pings, its end, and the faults put on it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from feeds.dhan.wire import FeedMode
from feeds.simulator.subscriptions import Subscriptions

BUFFER_LIMIT = 4_194_304
"""Bytes unread by the client above which ticks are skipped instead of queued (about 25,000 Full packets)."""
RESET_AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER on with no time: closing sends RST instead of FIN."""


class FeedConnection(asyncio.Protocol):
    """A socket after its handshake. `number` counts accepted dials from 1."""

    def __init__(
        self,
        number: int,
        transport: asyncio.Transport,
        protocol: ServerProtocol,
        subscriptions: Subscriptions,
        opened_at: float,
        on_text: Callable[[FeedConnection, bytes], None],
        on_closed: Callable[[FeedConnection], None],
    ) -> None:
        self.number = number
        self.subscriptions = subscriptions
        self.opened_at = self.last_heard = self.last_ping = opened_at
        self.packets_sent = 0
        self.packets_skipped = 0
        self.muted = False
        self.half_open = False
        self.closing = False
        self.ignored_requests = 0
        self._transport = transport
        self._protocol = protocol
        self._on_text = on_text
        self._on_closed = on_closed
        self._heard = False
        transport.set_protocol(self)

    # --- what asyncio calls ---

    def data_received(self, data: bytes) -> None:
        self._heard = True
        self._protocol.receive_data(data)
        self._handle_events()

    def eof_received(self) -> bool:
        self._protocol.receive_eof()
        self._flush()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._on_closed(self)

    def _handle_events(self) -> None:
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode is Opcode.TEXT and not self.closing:
                self._on_text(self, bytes(event.data))
        self._flush()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if self.half_open:
                continue
            if data:
                self._transport.write(data)
            else:
                self._transport.close()

    # --- ticks ---

    @property
    def takes_ticks(self) -> bool:
        return not (self.muted or self.half_open or self.closing)

    def send_packets(self, data: bytes, count: int) -> bool:
        """Write frames of packets unless the client is too far behind; says whether they left."""
        if self._transport.get_write_buffer_size() > BUFFER_LIMIT:
            self.packets_skipped += count
            return False
        self.send(data)
        self.packets_sent += count
        return True

    def send(self, data: bytes) -> None:
        """Raw bytes, right or wrong."""
        if not (self.half_open or self._transport.is_closing()):
            self._transport.write(data)

    def slots(self) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
        """Every (instrument code, mode) that it is subscribed to."""
        pairs = [(code, mode) for code, modes in self.subscriptions.modes.items() for mode in modes]
        codes, modes = zip(*pairs, strict=True) if pairs else ((), ())
        return np.array(codes, np.uint64), np.array(modes, np.uint8)

    def modes_of(self, code: int) -> set[FeedMode]:
        return self.subscriptions.modes.get(code, set())

    # --- keep-alive and ends ---

    def beat(self, now: float, ping_seconds: float) -> None:
        """Note what was heard since the last beat, and ping when it is time."""
        if self._heard:
            self._heard, self.last_heard = False, now
        if now - self.last_ping >= ping_seconds and not self.closing:
            self.last_ping = now
            self._protocol.send_ping(b"")
            self._flush()

    def close_stream(self) -> None:
        """End of stream, without a close frame: the client sees 1006."""
        self.closing = True
        if not self.half_open:
            self._transport.close()

    def close_handshake(self, code: int, reason: str = "") -> None:
        """A close frame; the stream ends when the client has answered."""
        self.closing = True
        self._protocol.send_close(code, reason)
        self._flush()

    def reset(self) -> None:
        """RST: what is unsent is lost."""
        self.closing = True
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_ONCE)
        self._transport.abort()

    def drop_off(self) -> None:
        """Half open: the socket stays, nothing is read and nothing written, as behind a dead router."""
        self.half_open = True
        self._transport.pause_reading()

    def bury(self) -> None:
        """The end of the simulator itself, for half-open sockets too."""
        self.closing = True
        self._transport.abort()
