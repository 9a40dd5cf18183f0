"""A market for the tests: rows published as a feed process would, and browsers on the real ASGI application."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from feeds import bus, clock
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType
from feeds.core.tick import TICK
from feeds.models import Instrument
from terminal.asgi import application

DEADLINE_SECONDS = 10.0
ORIGIN = "http://localhost:8000"
DAY = date(2026, 2, 3)


def row(key: InstrumentKey, last_price: int, volume: int = 0) -> np.ndarray:
    """One TICK row, received now."""
    rows = np.zeros(1, TICK)
    rows["code"], rows["last_price"], rows["volume"] = key.code, last_price, volume
    rows["received_at"] = clock.wall_nanoseconds()
    return rows


def make_instrument(key: InstrumentKey, symbol: str, **fields: Any) -> Instrument:
    return Instrument.objects.create(
        code=key.code,
        segment=key.segment,
        security_id=key.security_id,
        symbol=symbol,
        listed_on=DAY,
        **{"instrument_type": InstrumentType.EQUITY, **fields},
    )


def make_chain(symbol: str = "NIFTY", strikes: int = 2) -> list[InstrumentKey]:
    """An index (security id 13) and calls and puts on it, security ids from 49001."""
    spot = InstrumentKey(ExchangeSegment.IDX_I, 13)
    make_instrument(spot, symbol, instrument_type=InstrumentType.INDEX)
    keys = [spot]
    for rank in range(strikes):
        for side, option_type in enumerate(("CALL", "PUT")):
            key = InstrumentKey(ExchangeSegment.NSE_FNO, 49001 + 2 * rank + side)
            make_instrument(
                key,
                f"{symbol}-{rank}-{option_type}",
                instrument_type=InstrumentType.OPTIDX,
                underlying_symbol=symbol,
                underlying_security_id=13,
                expiry=date(2026, 2, 24),
                strike=2_600_000 + 5_000 * rank,
                option_type=option_type,
            )
            keys.append(key)
    return keys


class Feed:
    """What a feed process does to the bus."""

    def __init__(self, account_id: int = 1, epoch: int = 1) -> None:
        self.redis = bus.async_redis()
        self.publisher = bus.TickPublisher(self.redis, account_id, epoch)

    async def publish(self, *rows: np.ndarray, whole: bool = False) -> None:
        batch = np.concatenate([np.empty(0, TICK), *rows])
        await self.publisher.publish(batch, 0, clock.wall_nanoseconds(), whole=whole)

    async def close(self) -> None:
        await self.redis.aclose()


class Browser:
    """One websocket to the application in this process. Checks every sequence, and keeps what it was told."""

    def __init__(self, headers: dict[str, str], path: str = "ws/market", acknowledges: bool = True) -> None:
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        self.socket = WebsocketCommunicator(application, path, headers=pairs)
        self.messages: list[dict[str, Any]] = []
        self.topics: dict[str, dict[str, Any]] = {}
        self.feeds: dict[int, dict[str, Any]] = {}
        self.facts: dict[str, list[list[Any]]] = {}  # by topic, as they came
        self.offsets: dict[str, int] = {}
        self.values: dict[str, list[Any]] = {}
        self.acknowledges = acknowledges
        self.frames = 0
        self.gaps = 0
        self.unread = 0

    async def open(self) -> dict[str, Any]:
        """Connect; returns the welcome."""
        connected, code = await self.socket.connect(timeout=DEADLINE_SECONDS)
        assert connected, code
        return await self.receive()

    async def send(self, **command: Any) -> None:
        await self.socket.send_to(text_data=json.dumps(command))

    async def receive(self) -> dict[str, Any]:
        message = json.loads(await self.socket.receive_from(timeout=DEADLINE_SECONDS))
        self.messages.append(message)
        if message["type"] == "frame":
            self.frames += 1
            assert message["frame"] == self.frames
            for part in message["parts"]:
                self._take(part)
            if self.acknowledges:
                await self.send(op="ack", frame=self.frames)
        return message

    def _take(self, part: Any) -> None:
        if isinstance(part, list):
            identity, start, end, rows = part
            topic = next(topic for topic in self.topics.values() if topic["id"] == identity)
            self.gaps += topic["sequence"] != start
            topic["sequence"] = end
            for index, *values in rows:
                topic["rows"][index] = values
        elif "facts" in part:
            self._take_facts(part)
        elif "values" in part:
            self.values[part["topic"]] = part["values"]
        elif "topic" in part:
            self.topics[part["topic"]] = part
            self.offsets[part["topic"]] = part.get("offset", 0)
        else:
            self.feeds[part["feed"]] = part

    def _take_facts(self, part: dict[str, Any]) -> None:
        self.gaps += self.offsets[part["topic"]] != part["from"]
        self.offsets[part["topic"]] = part["to"]
        self.facts.setdefault(part["topic"], []).extend(part["facts"])

    def value(self, topic: str, column: str, row: int = 0) -> int:
        told = self.topics[topic]
        return int(told["rows"][row][told["columns"].index(column)])

    async def until(self, condition: Callable[[], Any]) -> None:
        """Read until it holds."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not condition():
                await self.receive()

    async def until_closed(self) -> int:
        """Read until the server closes; returns the code."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                output = await self.socket.receive_output(timeout=DEADLINE_SECONDS)
                if output["type"] == "websocket.close":
                    return int(output["code"])
                self.unread += output["text"].startswith('{"type":"frame"')

    async def close(self) -> None:
        await self.socket.disconnect()


async def in_database(function: Callable[[], Any]) -> Any:
    """Run ORM code on a thread, and leave no connection behind that would keep the test database busy."""

    def call() -> Any:
        try:
            return function()
        finally:
            connection.close()

    return await sync_to_async(call, thread_sensitive=False)()


def session_headers(user: User) -> dict[str, str]:
    """The headers of a page of ours where this user has just signed in."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.session.session_key}"
    return {"cookie": cookie, "origin": ORIGIN, "host": "localhost:8000"}
