"""A client of ws/market for programs: keeps each topic's rows up to date, acknowledges, reconnects, sees every gap.

    python market_client.py --url ws://127.0.0.1:8000/ws/market --token btt_... chain.NSE_FNO.NIFTY.2026-02-24

Needs only `pip install websockets`. The protocol: docs/websocket.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

ACKNOWLEDGE_SECONDS = 1.0
WINDOW_SHARE = 4
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 30.0
HEARTBEATS_MISSED = 3
FINAL_CODES = {4400, 4401, 4404}
FRAME_BYTES_LIMIT = 16 * 1024 * 1024


@dataclass
class Topic:
    """One topic as last told: a row of whole numbers for each instrument, in the order of `columns`."""

    name: str
    sequence: int
    columns: list[str]
    instruments: list[str]
    rows: list[list[int]]
    details: dict[str, Any] = field(default_factory=dict)

    def row(self, instrument: str) -> dict[str, int]:
        return dict(zip(self.columns, self.rows[self.instruments.index(instrument)], strict=True))


@dataclass(frozen=True)
class Change:
    """What one part of a frame changed: these instruments of a topic. `gap`: something between was missed."""

    topic: Topic
    instruments: list[str]
    whole: bool
    gap: bool


class MarketClient:
    """`async for change in client.changes()` connects, and connects again, until the server says not to."""

    def __init__(self, url: str, token: str, topics: Sequence[str], rate: int = 10) -> None:
        self.url = url
        self.topics: dict[str, Topic] = {}
        self.feeds: dict[int, dict[str, Any]] = {}
        self._headers = {"Authorization": f"Token {token}"}
        self._wanted = list(topics)
        self._rate = rate
        self._by_id: dict[int, Topic] = {}
        self._last_frame = 0
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._silence_seconds = 10.0

    async def changes(self) -> AsyncIterator[Change]:
        """Raises:
        ConnectionClosed: with a code that coming back does not cure (not signed in, bad messages).
        """
        delay = self._retry_seconds
        while True:
            try:
                async with connect(self.url, additional_headers=self._headers, max_size=FRAME_BYTES_LIMIT) as socket:
                    async for change in self._session(socket):
                        delay = self._retry_seconds
                        yield change
            except ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code in FINAL_CODES:
                    raise
            except (OSError, TimeoutError, InvalidStatus):
                pass  # not there yet
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, LONGEST_RETRY_SECONDS)

    async def _session(self, socket: ClientConnection) -> AsyncIterator[Change]:
        welcome = json.loads(await socket.recv())
        self._retry_seconds = welcome["retry_milliseconds"] / 1000
        self._silence_seconds = welcome["heartbeat_seconds"] * HEARTBEATS_MISSED
        self._by_id.clear()
        self._last_frame = 0
        await self._subscribe(socket, self._wanted)
        acknowledging = asyncio.create_task(self._acknowledge_in_time(socket))
        try:
            async for change in self._frames(socket, welcome["window"]):
                yield change
        finally:
            acknowledging.cancel()

    async def _frames(self, socket: ClientConnection, window: dict[str, int]) -> AsyncIterator[Change]:
        frames = size = 0
        while True:
            async with asyncio.timeout(self._silence_seconds):
                text = await socket.recv()
            message = json.loads(text)
            if message["type"] == "error":
                raise ValueError(f"{message['code']}: {message['message']} {message['details']}")
            if message["type"] != "frame":
                continue
            self._last_frame = message["frame"]
            frames, size = frames + 1, size + len(text)
            if frames * WINDOW_SHARE >= window["frames"] or size * WINDOW_SHARE >= window["bytes"]:
                frames = size = 0
                await self._acknowledge(socket)
            for change in [self._take(part) for part in message["parts"]]:
                if change is not None:
                    yield change
            await self._subscribe(socket, self._missed(message))

    def _take(self, part: Any) -> Change | None:
        """Apply one part. An update that does not follow on is left to `_missed`."""
        if isinstance(part, list):
            return self._update(*part)
        if "feed" in part:
            self.feeds[part["feed"]] = part
        return self._snapshot(part) if "rows" in part else None  # else facts or values: see trading_client.py

    def _snapshot(self, part: dict[str, Any]) -> Change:
        told = Topic(
            part["topic"], part["sequence"], part["columns"], part["instruments"], part["rows"], part["details"]
        )
        self.topics[told.name] = self._by_id[part["id"]] = told
        return Change(told, told.instruments, whole=True, gap=part["gap"])

    def _update(self, identity: int, start: int, end: int, rows: list[list[int]]) -> Change | None:
        topic = self._by_id.get(identity)
        if topic is None or topic.sequence != start:
            return None
        topic.sequence = end
        for place, *values in rows:
            topic.rows[place] = values
        return Change(topic, [topic.instruments[row[0]] for row in rows], whole=False, gap=False)

    def _missed(self, frame: dict[str, Any]) -> list[str]:
        """Topics that are not where the server says: their updates did not follow on."""
        told = {part[0]: part[2] for part in frame["parts"] if isinstance(part, list)}
        told |= {int(identity): sequence for identity, sequence in frame.get("positions", {}).items()}
        return [
            self._by_id[identity].name
            for identity, sequence in told.items()
            if identity in self._by_id and self._by_id[identity].sequence != sequence
        ]

    async def _subscribe(self, socket: ClientConnection, topics: list[str]) -> None:
        if topics:
            await socket.send(json.dumps({"op": "subscribe", "topics": topics, "rate": self._rate}))

    async def _acknowledge_in_time(self, socket: ClientConnection) -> None:
        """By the clock: with the server's window full there is no next frame to do it at."""
        told = 0
        while True:
            await asyncio.sleep(ACKNOWLEDGE_SECONDS)
            if self._last_frame != told:
                told = self._last_frame
                await self._acknowledge(socket)

    async def _acknowledge(self, socket: ClientConnection) -> None:
        await socket.send(json.dumps({"op": "ack", "frame": self._last_frame}))


async def show(client: MarketClient) -> None:
    async for change in client.changes():
        for instrument in change.instruments:
            row = change.topic.row(instrument)
            print(f"{change.topic.name} {instrument} {row['last_price'] / 100:.2f}", "after a gap" * change.gap)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("topics", nargs="+")
    parser.add_argument("--url", default="ws://127.0.0.1:8000/ws/market")
    parser.add_argument("--token", required=True)
    parser.add_argument("--rate", type=int, default=10)
    arguments = parser.parse_args()
    asyncio.run(show(MarketClient(arguments.url, arguments.token, arguments.topics, arguments.rate)))


if __name__ == "__main__":
    main()
