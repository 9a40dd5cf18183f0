"""What the clients' faults need: a real web process, a market that moves, and browsers that misbehave or come back."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from picows import WSError
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

from feeds import clock
from feeds.core.instrument import InstrumentKey
from feeds.fanout.web_status import PAGE_BYTES, web_statuses
from terminal.children import Child
from terminal.listeners import Listener, Tally, open_listener
from terminal.stack import PROJECT, free_port, web_command
from tests.feeds.market import Feed, in_database, make_chain, row, session_headers

CHAIN = "chain.NSE_FNO.NIFTY.2026-02-24"
CALL = "instrument.NSE_FNO.49001"
STRIKES = 100
DEADLINE_SECONDS = 20.0
STALLED_MILLISECONDS = 500
POLL_SECONDS = 0.02
FLUSH_SECONDS = 0.1
RETRY_SECONDS = 0.2
MEGABYTE = 1_000_000
PASSWORD = "a long password 1"
RESET = struct.pack("ii", 1, 0)
SHORT = {
    "BROWSER_SILENT_SECONDS": "1.5",
    "BROWSER_HEARTBEAT_SECONDS": "0.4",
    "BROWSER_UNACKED_BYTES": "200000",
}
"""Silence, heartbeat and window all about a fifth of the product's."""


async def until(
    condition: Callable[[], object],
    seconds: float = DEADLINE_SECONDS,
    meanwhile: Callable[[], Awaitable[None]] | None = None,
) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            if meanwhile is not None:
                await meanwhile()
            await asyncio.sleep(POLL_SECONDS)


class MovingMarket(threading.Thread):
    """A feed process as the bus sees it: every instrument at `price` and its place, a paisa more each flush."""

    def __init__(self, keys: Sequence[InstrumentKey]) -> None:
        super().__init__(daemon=True)
        self.keys = keys
        self.price = int(clock.monotonic() / FLUSH_SECONDS)  # beyond those of the tests before
        self._moving = threading.Event()
        self._moving.set()
        self._still = threading.Event()
        self._ended = threading.Event()

    def run(self) -> None:
        asyncio.run(self._publish_for_ever())

    async def _publish_for_ever(self) -> None:
        feed = Feed(epoch=clock.wall_nanoseconds())  # the web process has seen those of the tests before
        whole = True
        while not self._ended.is_set():
            if self._moving.is_set():
                self.price += 1
                rows = [row(key, self.price + place, volume=self.price) for place, key in enumerate(self.keys)]
                await feed.publish(*rows, whole=whole)
                whole = False
            else:
                await feed.publish()
                self._still.set()
            await asyncio.sleep(FLUSH_SECONDS)
        await feed.close()

    @contextmanager
    def held(self) -> Iterator[int]:
        """Prices stand still inside; yields the price of the first instrument."""
        self._still.clear()
        self._moving.clear()
        try:
            assert self._still.wait(DEADLINE_SECONDS)
            yield self.price
        finally:
            self._moving.set()

    def end(self) -> None:
        self._ended.set()
        self.join(DEADLINE_SECONDS)


@dataclass
class Web:
    """One web process on the test database; `headers` are those of a page where `user` is signed in."""

    port: int
    child: Child
    user: User
    headers: dict[str, str]
    market: MovingMarket

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/market"

    async def listener(self, *topics: str, headers: dict[str, str] | None = None) -> Listener:
        """A well-behaved browser that has its snapshots."""
        listener = Listener(topics, Tally(), keep_rows=True)
        await open_listener(self.url, self.headers if headers is None else headers, listener)
        await until(lambda: set(topics) <= set(listener.snapshots))
        return listener

    def raw(
        self, headers: dict[str, str] | None = None, path: str = "/ws/market", buffer: int = 0, waits: bool = True
    ) -> RawBrowser:
        return RawBrowser(self.port, self.headers if headers is None else headers, path, buffer, waits)

    def silent(self, *topics: str) -> RawBrowser:
        """A browser that subscribes and, unless told, never reads again."""
        browser = self.raw()
        browser.send(op="subscribe", topics=topics)
        return browser

    def log(self) -> str:
        return self.child.log_tail(100_000)

    def closed(self, code: int) -> int:
        """How many browsers this process says it closed with the code; about a second old."""
        mine = [told for told in web_statuses() if told["key"].endswith(f".{self.child.pid}.status")]
        return int(mine[0]["counters"].get(f"closed_{code}", 0)) if mine else 0

    def memory(self) -> int:
        """Resident bytes."""
        return int(Path(f"/proc/{self.child.pid}/statm").read_text().split()[1]) * PAGE_BYTES


class RawBrowser:
    """A websocket on a plain socket: the test decides when it reads, how much at once, and which bytes it sends, and
    whether it `waits` until it is let in."""

    def __init__(
        self, port: int, headers: dict[str, str], path: str = "/ws/market", buffer: int = 0, waits: bool = True
    ) -> None:
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(DEADLINE_SECONDS)
        self.socket.connect(("127.0.0.1", port))
        self._protocol = ClientProtocol(parse_uri(f"ws://127.0.0.1:{port}{path}"), max_size=None)
        self._poll = select.poll()
        self._poll.register(self.socket, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        self.messages: list[dict[str, Any]] = []
        self.status = 0
        self._ask_to_come_in(headers)
        while waits and not self.status and self.read():
            pass

    def _ask_to_come_in(self, headers: dict[str, str]) -> None:
        request = self._protocol.connect()
        request.headers.update(headers)
        self._protocol.send_request(request)
        self._flush()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self.socket.sendall(data)

    def send(self, **command: Any) -> None:
        self.send_text(orjson.dumps(command))

    def send_text(self, text: bytes) -> None:
        self._protocol.send_text(text)
        self._flush()

    def blast(self, texts: Sequence[bytes]) -> None:
        """All of them as fast as the server takes them, until it ends the connection; reads what it says meanwhile."""
        self.socket.setblocking(False)
        waiting = memoryview(b"".join(masked_text(text) for text in texts))
        poll = select.poll()
        poll.register(self.socket, select.POLLIN | select.POLLOUT)
        with suppress(OSError):
            while self.close_code is None:
                for _, event in poll.poll(DEADLINE_SECONDS * 1000):
                    if event & select.POLLIN and not self.read():
                        return
                    if event & select.POLLOUT and waiting:
                        waiting = waiting[self.socket.send(waiting[:65_536]) :]

    def fill(self, texts: Sequence[bytes]) -> None:
        """As many of them as are taken, until for half a second nothing was; reads nothing."""
        self.socket.setblocking(False)
        waiting = memoryview(b"".join(masked_text(text) for text in texts))
        poll = select.poll()
        poll.register(self.socket, select.POLLOUT)
        while waiting and poll.poll(STALLED_MILLISECONDS):
            waiting = waiting[self.socket.send(waiting[:65_536]) :]
        self.socket.settimeout(DEADLINE_SECONDS)

    def read(self, size: int = 65_536) -> bool:
        """Take what is there, at most `size` bytes, waiting for the first; False at the end of the stream."""
        try:
            data = self.socket.recv(size)
        except ConnectionResetError:
            data = b""
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                if event.opcode is Opcode.TEXT:
                    self.messages.append(orjson.loads(event.data))
            else:
                self.status = event.status_code
        return bool(data)

    def answer(self) -> dict[str, Any]:
        """The next message that is no frame of the market; an empty one when the server closed instead."""
        while True:
            while self.messages:
                message = self.messages.pop(0)
                if message["type"] not in {"frame", "welcome"}:
                    return message
            if self.close_code is not None or not self.read():
                return {}

    def read_to_the_end(self) -> int | None:
        """Everything until the server closed; the code it closed with, None without a close frame."""
        with suppress(OSError):
            while self.close_code is None and self.read():
                pass
        return self.close_code

    @property
    def snapshots(self) -> list[str]:
        """The topics of the snapshots among the messages."""
        parts = [part for message in self.messages for part in message.get("parts", ())]
        return [part["topic"] for part in parts if "topic" in part]

    @property
    def close_code(self) -> int | None:
        received = self._protocol.close_rcvd
        return int(received.code) if received is not None else None

    @property
    def has_ended(self) -> bool:
        """Whether the server ended the connection, without reading anything."""
        return bool(self._poll.poll(0))

    def reset(self) -> None:
        """Go without a word."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.socket.close()


def masked_text(text: bytes) -> bytes:
    """One client frame; a mask of zeros is a mask."""
    length = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + text


class ReturningBrowser:
    """A listener that comes back as the page does: after the delay it was told, at the next server that answers."""

    def __init__(self, urls: Sequence[str], headers: dict[str, str], topics: Sequence[str]) -> None:
        self._urls = cycle(urls)
        self._headers = headers
        self._topics = topics
        self.listener = Listener((), Tally())
        self.opened = 0

    async def live(self) -> None:
        while True:
            listener, url = Listener(self._topics, Tally(), keep_rows=True), next(self._urls)
            headers = {**self._headers, "Origin": f"http://{urlsplit(url).netloc}"}
            try:
                await open_listener(url, headers, listener)
            except (OSError, WSError, TimeoutError):
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self.listener = listener
            self.opened += 1
            await listener.gone.wait()
            await asyncio.sleep(listener.retry_seconds)

    @property
    def is_complete(self) -> bool:
        """Connected, and with every topic's snapshot."""
        return not self.listener.gone.is_set() and len(self.listener.snapshots) == len(self._topics)

    def drop(self) -> None:
        """The line breaks: no close frame, a reset."""
        if self.listener.transport is not None:
            channel = self.listener.transport.underlying_transport.get_extra_info("socket")
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.listener.transport.disconnect(graceful=False)


@contextmanager
def web_process(server: str, folder: Path, **environment: str) -> Iterator[tuple[Child, int]]:
    """A web process of this server on the test database and Valkey, for the tests of a module; its port."""
    port = free_port()
    everything = {
        **os.environ,
        "DATABASE_URL": settings.DATABASE_URL.replace("/terminal?", f"/{connection.settings_dict['NAME']}?"),
        "REDIS_URL": settings.REDIS_URL,
        "BROWSER_CLIENTS_PER_USER": "10000",
        "LOGIN_RATE_PER_MINUTE": "10000",
        **environment,
    }
    child = Child(
        "web", web_command(server, port), environment=everything, log=folder / f"{server}.log", folder=PROJECT
    )
    child.start()
    try:
        wait_until_accepting(child, port)
        yield child, port
    finally:
        child.stop()


@asynccontextmanager
async def on_the_market(process: tuple[Child, int], origin: str = "", strikes: int = STRIKES) -> AsyncIterator[Web]:
    """The process with a chain of options, a trader who is signed in, and prices that move, for one test."""
    child, port = process
    keys, user, cookie = await in_database(partial(prepare, strikes))
    web = Web(port, child, user, {"Cookie": cookie, "Origin": origin or f"http://127.0.0.1:{port}"}, MovingMarket(keys))
    began = web.market.price
    web.market.start()
    try:
        first = await web.listener(CALL)
        await until(lambda: first.value(CALL, "last_price") > began)
        first.transport.disconnect()
        yield web
    finally:
        await asyncio.to_thread(web.market.end)


def prepare(strikes: int) -> tuple[list[InstrumentKey], User, str]:
    keys, user = make_chain(strikes=strikes), User.objects.create_user("trader", password=PASSWORD)
    return keys, user, session_headers(user)["cookie"]


def wait_until_accepting(child: Child, port: int) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline and child.running:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(POLL_SECONDS)
    raise RuntimeError(f"the web process did not start:\n{child.log_tail()}")
