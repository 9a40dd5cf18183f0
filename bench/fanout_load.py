"""The load of bench.fanout, each kind in a process of its own: a feed, its stock twin, and the browsers of both.

A process of browsers reads commands as JSON lines and answers each with one: {"open": topics}, {"measure": s}.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sys
from collections.abc import Callable
from typing import Any

import django
import numpy as np
import orjson
from numpy.typing import NDArray

django.setup()
logging.getLogger("picows").setLevel(logging.WARNING)

from channels.layers import get_channel_layer  # noqa: E402
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect  # noqa: E402

from bench.fanout_market import CHAIN_TOPICS, INSTRUMENT_TOPICS, Market  # noqa: E402
from feeds import bus, clock  # noqa: E402
from feeds.core.live_table import TOP_COLUMNS, columns_of  # noqa: E402
from terminal.listeners import Tally, open_listeners, report  # noqa: E402

FLUSH_SECONDS = 0.1
ACCOUNT = 1
TOPICS_A_BROWSER = 5
ROWS_A_TOPIC = 3
OPENING_AT_ONCE = 20
CHAINS_IN_USE = 10
"""Few on purpose: stock Channels pays for each `group_send`, so more topics would only make it look worse."""
GROUPS = [f"chain-{number}" for number in range(CHAINS_IN_USE)]
WATCHED_SECONDS = 2.0


async def every_flush(step: Callable[[], Any]) -> None:
    """Call it each flush on a fixed grid, late ones at once."""
    due = clock.monotonic()
    while True:
        await step()
        due = max(due + FLUSH_SECONDS, clock.monotonic() - FLUSH_SECONDS)
        await asyncio.sleep(max(0.0, due - clock.monotonic()))


async def run_feed(choose: Callable[[Market], NDArray[np.intp]]) -> None:
    """Publish as a feed process: the whole board once, then what changed at each flush."""
    market = Market()
    publisher = bus.TickPublisher(bus.async_redis(), ACCOUNT, epoch=clock.wall_nanoseconds())
    await publisher.publish(market.rows, 0, clock.wall_nanoseconds(), whole=True)

    async def flush() -> None:
        now = clock.wall_nanoseconds()
        await publisher.publish(market.changed(choose(market)), now, now)

    await every_flush(flush)


async def run_stock_feed() -> None:
    """The same updates in the same JSON, each encoded once and given to its group."""
    market, layer, sequence = Market(), get_channel_layer(), 0

    async def flush() -> None:
        nonlocal sequence
        sequence += 1
        places = market.some_of_each_chain(CHAINS_IN_USE, ROWS_A_TOPIC).reshape(CHAINS_IN_USE, ROWS_A_TOPIC)
        values = columns_of(market.changed(places.ravel()))[:, : len(TOP_COLUMNS)]
        numbered = np.column_stack([places.ravel(), values]).reshape(len(GROUPS), ROWS_A_TOPIC, -1)
        for number, group in enumerate(GROUPS):
            rows = orjson.dumps(np.ascontiguousarray(numbered[number]), option=orjson.OPT_SERIALIZE_NUMPY).decode()
            await layer.group_send(
                group, {"type": "topic.update", "text": f"[{number},{sequence - 1},{sequence},{rows}]"}
            )

    await every_flush(flush)


class StockListener(WSListener):
    """Counts what arrives and what does not, as terminal.listeners.Listener does for ours."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.welcomed = asyncio.Event()
        self.gone = asyncio.Event()
        self.errors: list[object] = []
        self._sequences: dict[int, int] = {}

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type != WSMsgType.TEXT:
            return
        message = orjson.loads(frame.get_payload_as_bytes())
        if isinstance(message, dict):
            self.welcomed.set()
            return
        now = clock.wall_nanoseconds() // 1_000_000
        number, start, end, rows = message
        self.tally.counts["gaps"] += self._sequences.get(number, start) != start
        self._sequences[number] = end
        self.tally.counts["updates"] += 1
        self.tally.counts["frames"] += 1
        column = TOP_COLUMNS.index("received_at") + 1
        for row in rows:
            self.tally.age.add(now - row[column])

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.tally.closed[0] += 1
        self.gone.set()


class Browsers:
    """The listeners of this process, opened a group at a time and measured together."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url = url
        self.headers = headers
        self.tally = Tally()
        self.open: list[Any] = []
        self._random = random.Random(1)

    async def obey(self, command: dict[str, Any]) -> dict[str, Any]:
        if "open" in command:
            await self.add(command["open"], command["topics"])
            return {"open": len(self.open)}
        if "measure" in command:
            return await self.measure(command["measure"])
        if "unsubscribe" in command:
            return await self.unsubscribe()
        return {}

    async def add(self, count: int, topics: str) -> None:
        pick = CHAIN_TOPICS if topics == "all" else None
        wanted = [pick or self._random.sample(CHAIN_TOPICS[:CHAINS_IN_USE], TOPICS_A_BROWSER) for _ in range(count)]
        self.open += await open_listeners(self.url, [self.headers], wanted, self.tally)

    async def measure(self, seconds: float) -> dict[str, Any]:
        self.tally.counts.clear()  # a gap counts in the measurement that saw it
        self.tally.begin()
        started = clock.monotonic()
        await asyncio.sleep(seconds)
        return report(self.open, self.tally, clock.monotonic() - started)

    async def unsubscribe(self) -> dict[str, Any]:
        """One browser leaves all 2,272 instruments at once; how old an unrelated browser's frames are meanwhile."""
        bystanders = Tally()
        [bystander] = await open_listeners(self.url, [self.headers], [[CHAIN_TOPICS[0]]], bystanders)
        [leaver] = await open_listeners(self.url, [self.headers], [INSTRUMENT_TOPICS], Tally())
        while len(leaver.snapshots) < len(INSTRUMENT_TOPICS):
            await asyncio.sleep(FLUSH_SECONDS)
        await asyncio.sleep(1.0)
        found = {}
        for name in ("before", "after"):
            bystanders.begin()
            await asyncio.sleep(WATCHED_SECONDS)
            found[name] = bystanders.age.summary() | {"frames": bystanders.counts["frames"]}
            if name == "before":
                leaver.send(op="unsubscribe", topics=INSTRUMENT_TOPICS)
        for listener in (bystander, leaver):
            listener.transport.disconnect()
        return found


class StockBrowsers(Browsers):
    """The stock peer's: the topics are in the address."""

    async def add(self, count: int, topics: str) -> None:
        gate = asyncio.Semaphore(OPENING_AT_ONCE)

        async def open_one() -> StockListener:
            async with gate:
                listener = StockListener(self.tally)
                groups = ",".join(self._random.sample(GROUPS, TOPICS_A_BROWSER))
                await ws_connect(lambda: listener, f"{self.url}?{groups}", websocket_handshake_timeout=30.0)
                await asyncio.wait_for(listener.welcomed.wait(), 30.0)
                return listener

        self.open += await asyncio.gather(*[open_one() for _ in range(count)])


async def serve(browsers: Browsers) -> None:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await browsers.obey(json.loads(line))), flush=True)


def main(kind: str, *arguments: str) -> None:
    if kind == "feed-each":
        asyncio.run(run_feed(lambda market: market.some_of_each_chain(CHAINS_IN_USE, ROWS_A_TOPIC)))
    elif kind == "feed-all":
        rows = int(float(arguments[0]) * FLUSH_SECONDS)
        asyncio.run(run_feed(lambda market: market.some_of_all(rows)))
    elif kind == "feed-stock":
        asyncio.run(run_stock_feed())
    elif kind == "browsers":
        asyncio.run(serve(Browsers(arguments[0], json.loads(arguments[1]))))
    elif kind == "browsers-stock":
        asyncio.run(serve(StockBrowsers(arguments[0], {})))


if __name__ == "__main__":
    main(*sys.argv[1:])
