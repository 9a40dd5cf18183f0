"""The way out to one browser: the server's own send, and the transport under it where it can be reached."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

Send = Callable[[dict[str, Any]], Awaitable[None]]

ABORT_AFTER_SECONDS = 1.0
"""A browser that does not read does not read the close frame either; then its buffers are taken back."""
FIRST_OWN_CODE = 3000
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
BUFFERED_LIMIT = 65_536
"""More than this not yet taken by the kernel means that the line is full: newer news later, not older news now."""
GONE = (OSError, RuntimeError)
"""What uvicorn raises when the other end went first, or when we said goodbye already; daphne says nothing."""


class Link:
    """Sends texts and closes. daphne and uvicorn hide the transport differently, and daphne never says it is full."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._farewell: asyncio.Task[None] | None = None
        self.closed = False

    async def send(self, text: str) -> None:
        """To an end that is gone nothing is sent; its consumer will hear of it. On uvicorn this waits for `has_room`,
        so that whoever sends to many asks first."""
        message = {"type": "websocket.send", "text": text}
        protocol = protocol_of(self._send)
        limit = getattr(protocol, "maxMessagePayloadSize", 0)
        if not limit:
            await self._send_unless_gone(message)
            return
        protocol.maxMessagePayloadSize = 0  # autobahn holds a server's frames to the limit of its browsers' messages
        try:
            await self._send(message)
        finally:
            protocol.maxMessagePayloadSize = limit

    async def _send_unless_gone(self, message: dict[str, Any]) -> None:
        try:
            await self._send(message)
        except GONE:
            self.closed = True

    async def close(self, code: int) -> None:
        """Send the close frame, and soon after drop what is left of the connection."""
        if self.closed:
            return
        self.closed = True
        asyncio.get_running_loop().call_later(ABORT_AFTER_SECONDS, self._abort)
        protocol = protocol_of(self._send)
        if code < FIRST_OWN_CODE and hasattr(protocol, "sendCloseFrame"):
            protocol.sendCloseFrame(code=int(code))  # autobahn lets applications say only 1000 and their own codes
        else:
            message = {"type": "websocket.close", "code": int(code)}  # an int, and no IntEnum, for autobahn
            self._farewell = asyncio.create_task(self._send_unless_gone(message))
            if self.has_room():  # else it waits behind what the browser does not read, and nobody else may
                await self._farewell

    def close_at_once(self, code: int) -> None:
        """The close frame into the kernel before this returns: a stopping Twisted has no next turn for it."""
        protocol = protocol_of(self._send)
        if not self.closed and hasattr(protocol, "sendCloseFrame"):
            self.closed = True
            protocol.sendCloseFrame(code=int(code))
            protocol.transport.doWrite()

    def stop_reading(self) -> None:
        """What the browser says next stays in the kernel: daphne would take all of it, and queue it without a limit."""
        transport = transport_of(self._send)
        if hasattr(transport, "pauseProducing"):
            transport.pauseProducing()

    @contextmanager
    def not_reading(self) -> Iterator[None]:
        """While something takes its time."""
        self.stop_reading()
        try:
            yield
        finally:
            transport = transport_of(self._send)
            if hasattr(transport, "resumeProducing") and not self.closed:
                transport.resumeProducing()

    def has_room(self) -> bool:
        """Whether a frame sent now leaves soon. uvicorn, once full, takes nothing until its buffer is near empty."""
        writable = getattr(protocol_of(self._send), "writable", None)
        return (writable is None or bool(writable.is_set())) and self.buffered() <= BUFFERED_LIMIT

    def buffered(self) -> int:
        """Bytes that the kernel has not taken yet; 0 where that cannot be seen."""
        transport = transport_of(self._send)
        if hasattr(transport, "get_write_buffer_size"):
            return int(transport.get_write_buffer_size())
        if hasattr(transport, "_tempDataLen"):
            return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)
        return 0

    def _abort(self) -> None:
        """Reset the connection. Twisted does; asyncio must be told, or the kernel keeps offering what is unsent."""
        transport = transport_of(self._send)
        if hasattr(transport, "abortConnection"):
            transport.abortConnection()
        elif hasattr(transport, "abort"):
            if (channel := transport.get_extra_info("socket")) is not None and channel.fileno() >= 0:
                channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            transport.abort()


def protocol_of(send: Send) -> Any:
    """daphne's send is a partial that holds its protocol, uvicorn's is a method of it."""
    return send.args[0] if isinstance(send, partial) and send.args else getattr(send, "__self__", None)


def transport_of(send: Send) -> Any:
    return getattr(protocol_of(send), "transport", None)


def when_daphne_stops(function: Callable[[], None]) -> None:
    """Call it when SIGTERM stops daphne, which tells neither the browsers nor their consumers; uvicorn tells both."""
    reactor = sys.modules.get("twisted.internet.reactor")
    if reactor is not None and reactor.running:
        reactor.addSystemEventTrigger("before", "shutdown", function)
