"""What posts orders for bench.orders and watches their fills: one process, keep-alive HTTP/1.1 and one websocket.

    python -m bench.orders_load < plan.json

The plan: {bases, tokens, accounts, listeners, orders: [...bodies], phases: [{name, connections, rate | null, seconds}]}
Prints one JSON object a phase: acknowledged, refused, failed, per second, latencies in ms to acknowledged and to fill.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import Any
from urllib.parse import urlsplit

from terminal.listeners import Histogram, Listener, Tally, open_listener

ANSWER_SECONDS = 30.0
FILL_SECONDS = 5.0
BUY, SELL = "BUY", "SELL"


@dataclass
class Phase:
    """What one phase counted. Latencies are in milliseconds."""

    name: str
    acknowledged: Histogram = field(default_factory=Histogram)
    filled: Histogram = field(default_factory=Histogram)
    answers: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def report(self) -> dict[str, Any]:
        done = self.acknowledged.count
        return {
            "phase": self.name,
            "orders": done,
            "orders_per_second": round(done / self.seconds, 1),
            "to_acknowledged_ms": self.acknowledged.summary(),
            "fills_heard": self.filled.count,
            "to_fill_ms": self.filled.summary(),
            "answers": dict(self.answers),
        }


class Poster:
    """One keep-alive connection that posts one order after another."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        self.host, self.port = str(parts.hostname), int(parts.port or 80)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, token: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and answer.

        Raises:
            OSError, EOFError, TimeoutError: the connection ended; the next call opens another.
        """
        head = (
            f"POST /api/v2/orders HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nAuthorization: Token {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            reader, writer = self._streams or await self._open()
            writer.write(head.encode() + body)
            return await asyncio.wait_for(self._answer(reader), ANSWER_SECONDS)
        except (OSError, EOFError, TimeoutError):
            self._streams = None
            raise

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._streams = await asyncio.open_connection(self.host, self.port)
        return self._streams

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])}
        body = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection", "").lower() == "close":
            self._streams = None
        return int(head.split(" ", 2)[1]), json.loads(body)


class Fills:
    """Hears each account's facts, and when the first trade of an order arrived."""

    def __init__(self) -> None:
        self.posted: dict[str, tuple[float, Phase]] = {}
        self._references: dict[int, str] = {}

    def on_frame(self, frame: dict[str, Any]) -> None:
        now = time.perf_counter()
        for part in frame["parts"]:
            if isinstance(part, dict) and "facts" in part:
                for _, kind, body in part["facts"]:
                    self._on_fact(kind, body, now)

    def _on_fact(self, kind: str, body: dict[str, Any], now: float) -> None:
        if kind == "ORDER" and body["filled_quantity"]:
            since, phase = self.posted.pop(body["client_reference"], (0.0, None))
            if phase is not None:
                phase.filled.add(round((now - since) * 1000))


class Run:
    """The orders go round the accounts and the instruments, so that no account exceeds its rate."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.tokens, self.bodies = plan["tokens"], plan["orders"]
        self._bases = cycle(plan["bases"])
        self.accounts, self.listeners = plan["accounts"], plan["listeners"]
        self.fills = Fills()
        self._number = count()
        self._mark = f"{random.randrange(1 << 32):08x}"

    def next_order(self) -> tuple[str, str, bytes, bool]:
        """Reference, token, body, and whether somebody listens to its account."""
        number = next(self._number)
        reference = f"b{self._mark}-{number}"
        who = number % len(self.tokens)
        body = {**self.bodies[number % len(self.bodies)], "account": self.accounts[who], "client_reference": reference}
        return reference, self.tokens[who], json.dumps(body).encode(), who < self.listeners

    async def post(self, poster: Poster, phase: Phase, due: float) -> None:
        """One order; its latency counts from when it was due, so that a stall is not hidden by posting later."""
        reference, token, body, is_heard = self.next_order()
        if is_heard:
            self.fills.posted[reference] = (due, phase)
        try:
            status, answer = await poster.post(token, body)
        except (OSError, EOFError, TimeoutError) as error:
            phase.answers[type(error).__name__] += 1
            return
        phase.answers[str(status) if status < 400 else f"{status} {answer.get('code')}"] += 1
        if status in {200, 201}:
            phase.acknowledged.add(round((time.perf_counter() - due) * 1000))

    async def closed_loop(self, phase: Phase, connections: int, seconds: float) -> None:
        """As many as the server takes."""
        ends = time.perf_counter() + seconds

        async def keep_posting() -> None:
            poster = Poster(next(self._bases))
            while time.perf_counter() < ends:
                await self.post(poster, phase, time.perf_counter())

        await asyncio.gather(*[keep_posting() for _ in range(connections)])

    async def open_loop(self, phase: Phase, connections: int, rate: float, seconds: float) -> None:
        """So many a second, whatever the server does."""
        free: asyncio.Queue[Poster] = asyncio.Queue()
        for _ in range(connections):
            free.put_nowait(Poster(next(self._bases)))
        began = time.perf_counter()

        async def post_one(due: float) -> None:
            poster = await free.get()
            try:
                await self.post(poster, phase, due)
            finally:
                free.put_nowait(poster)

        async with asyncio.TaskGroup() as posting:
            for number in range(int(rate * seconds)):
                due = began + number / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                posting.create_task(post_one(due))

    async def play(self, name: str, connections: int, rate: float | None, seconds: float) -> Phase:
        phase = Phase(name)
        began = time.perf_counter()
        if rate is None:
            await self.closed_loop(phase, connections, seconds)
        else:
            await self.open_loop(phase, connections, rate, seconds)
        phase.seconds = time.perf_counter() - began
        with suppress(TimeoutError):
            async with asyncio.timeout(FILL_SECONDS):
                while any(other is phase for _, other in self.fills.posted.values()):
                    await asyncio.sleep(0.05)
        self.fills.posted.clear()
        return phase


async def run(plan: dict[str, Any]) -> None:
    load = Run(plan)
    listeners = []
    url = plan["bases"][0].replace("http", "ws", 1) + "/ws/market"
    for token, account in list(zip(plan["tokens"], plan["accounts"], strict=True))[: plan["listeners"]]:
        listener = Listener([f"account.{account}"], Tally())
        listener.on_frame = load.fills.on_frame
        headers = {"Authorization": f"Token {token}"}
        listeners.append(await open_listener(url, headers, listener))
    for phase in plan["phases"]:
        done = await load.play(phase["name"], phase["connections"], phase["rate"], phase["seconds"])
        print(json.dumps(done.report()), flush=True)
    for listener in listeners:
        if listener.transport is not None:
            listener.transport.disconnect()


if __name__ == "__main__":
    asyncio.run(run(json.load(sys.stdin)))
