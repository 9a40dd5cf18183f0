"""The way out to a browser whose end is full or gone, through a send that behaves as uvicorn's does."""

from __future__ import annotations

import asyncio
from typing import Any

from feeds.core.protocol import CloseCode
from feeds.fanout.links import Link


class Uvicorn:
    """Waits while the transport is full; raises once the other end is gone."""

    def __init__(self) -> None:
        self.writable = asyncio.Event()
        self.writable.set()
        self.transport = self
        self.is_gone = False
        self.sent: list[dict[str, Any]] = []

    async def send(self, message: dict[str, Any]) -> None:
        await self.writable.wait()
        if self.is_gone:
            raise ConnectionResetError
        self.sent.append(message)

    def get_write_buffer_size(self) -> int:
        return 20_000  # below every limit, and yet the transport waits until there is a quarter of it left

    def get_extra_info(self, name: str) -> None:
        return None

    def abort(self) -> None:
        self.is_gone = True
        self.writable.set()


async def test_a_line_that_was_full_has_no_room_until_the_server_says_so():
    server = Uvicorn()
    link = Link(server.send)
    assert link.has_room()
    server.writable.clear()
    assert not link.has_room()
    server.writable.set()
    assert link.has_room()


async def test_closing_a_full_line_holds_nobody_up():
    server = Uvicorn()
    link = Link(server.send)
    server.writable.clear()
    async with asyncio.timeout(0.5):
        await link.close(CloseCode.TOO_SLOW)
    assert link.closed
    server.writable.set()
    await link._farewell
    assert server.sent == [{"type": "websocket.close", "code": 4008}]


async def test_an_end_that_is_gone_is_closed_and_no_error():
    server = Uvicorn()
    link = Link(server.send)
    server.is_gone = True
    await link.send("a frame")
    assert link.closed
    assert server.sent == []
