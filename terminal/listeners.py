"""Many websocket listeners in one process: each checks every sequence and measures how old what it hears is.

    LISTENER_PASSWORD=... python -m terminal.listeners --base http://127.0.0.1:8000 --browsers 50 --seconds 20

prints one JSON line: browsers, gaps, latency_ms, frames_per_second, updates_per_second, closed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import httpx
import orjson
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from feeds import clock

ACKNOWLEDGE_SECONDS = 1.0
ACKNOWLEDGE_SHARE = 4
"""A browser acknowledges within a second, sooner when it has had a quarter of its window."""
LATENCY_LIMIT_MS = 60_000
OPENING_AT_ONCE = 20
TOPICS_A_BROWSER = 5
CONNECT_SECONDS = 30.0
MILLISECOND = 1_000_000


class Histogram:
    """Latencies in whole milliseconds, counted."""

    def __init__(self) -> None:
        self._counts = [0] * (LATENCY_LIMIT_MS + 1)

    def add(self, milliseconds: int) -> None:
        self._counts[min(max(milliseconds, 0), LATENCY_LIMIT_MS)] += 1

    def merge(self, other: Histogram) -> None:
        self._counts = [mine + theirs for mine, theirs in zip(self._counts, other._counts, strict=True)]

    @property
    def count(self) -> int:
        return sum(self._counts)

    def percentile(self, share: float) -> int | None:
        """The latency that this share of all stayed within; None when there are none."""
        wanted, seen = self.count * share, 0
        for milliseconds, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return milliseconds
        return None

    def summary(self) -> dict[str, int | None]:
        return {"p50": self.percentile(0.50), "p99": self.percentile(0.99), "max": self.percentile(1.0)}


class Tally:
    """What some listeners counted while `measuring`; gaps always count."""

    def __init__(self) -> None:
        self.measuring = True
        self.age = Histogram()  # from the feed reading the packet to here, every row of every update
        self.transit = Histogram()  # from the server sending the frame to here
        self.counts: Counter[str] = Counter()
        self.closed: Counter[int] = Counter()

    def begin(self) -> None:
        """Count from now on."""
        self.age, self.transit = Histogram(), Histogram()
        self.counts = Counter({"gaps": self.counts["gaps"]})
        self.measuring = True


class Listener(WSListener):
    """One websocket. Subscribes when welcomed, acknowledges, and holds each topic's sequence to account."""

    def __init__(self, topics: Sequence[str], tally: Tally, keep_rows: bool = False) -> None:
        self.tally = tally
        self.transport: WSTransport | None = None
        self.welcomed = asyncio.Event()
        self.snapshots: dict[str, dict[str, Any]] = {}
        self.close_code: int | None = None
        self.gone = asyncio.Event()
        self.errors: list[dict[str, Any]] = []
        self.on_frame: Callable[[dict[str, Any]], None] | None = None
        self.feeds: dict[int, dict[str, Any]] = {}
        self.facts: dict[str, list[list[Any]]] = {}
        self.values: dict[str, Any] = {}
        self._offsets: dict[str, int] = {}
        self._wanted = list(topics)
        self._keep_rows = keep_rows
        self._sequences: dict[int, int] = {}
        self._names: dict[int, str] = {}
        self._age_column: dict[int, int] = {}
        self._last_frame = 0
        self._window = {"frames": 1, "bytes": 1}
        self.retry_seconds = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._unacknowledged = 0
        self._unacknowledged_bytes = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            self.close_code = int(frame.get_close_code())
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            self._on_text(frame.get_payload_as_bytes())

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.tally.closed[self.close_code or 0] += 1
        self.gone.set()

    def send(self, **command: Any) -> None:
        if self.transport is not None and not self.gone.is_set():
            self.transport.send(WSMsgType.TEXT, orjson.dumps(command))

    def value(self, topic: str, column: str, row: int = 0) -> int:
        """The latest value (needs `keep_rows`)."""
        told = self.snapshots[topic]
        return int(told["rows"][row][told["columns"].index(column)])

    def _on_text(self, payload: bytes) -> None:
        message = orjson.loads(payload)
        if message["type"] == "frame":
            self._on_frame(message, len(payload))
        elif message["type"] == "welcome":
            self._window = message["window"]
            self.retry_seconds = message["retry_milliseconds"] / 1000
            self.welcomed.set()
            if self._wanted:
                self.send(op="subscribe", topics=self._wanted)
        elif message["type"] == "error":
            self.errors.append(message)

    def _on_frame(self, frame: dict[str, Any], size: int) -> None:
        now = clock.wall_nanoseconds() // MILLISECOND
        self.tally.counts["gaps"] += frame["frame"] != self._last_frame + 1
        self._last_frame = frame["frame"]
        for part in frame["parts"]:
            if isinstance(part, list):
                self._on_update(part, now)
            elif "facts" in part:
                self._on_facts(part)
            elif "columns" in part:
                self._on_snapshot(part)
            elif "values" in part:
                self.values[part["topic"]] = part["values"]
            else:
                self.feeds[part["feed"]] = part
        self._check_positions(frame.get("positions", {}))
        if self.tally.measuring:
            self.tally.transit.add(now - frame["sent_at"])
            self.tally.counts["frames"] += 1
            self.tally.counts["bytes"] += size
        self._acknowledge(size)
        if self.on_frame is not None:
            self.on_frame(frame)

    def _on_update(self, part: list[Any], now: int) -> None:
        identity, start, end, rows = part
        if identity not in self._sequences:
            return  # sent before the server read that we left
        self.tally.counts["gaps"] += self._sequences[identity] != start
        self._sequences[identity] = end
        if self.tally.measuring:
            self.tally.counts["updates"] += 1
            self.tally.counts["rows"] += len(rows)
            column, add = self._age_column[identity], self.tally.age.add
            for row in rows:
                add(now - row[column])
        if self._keep_rows:
            told = self.snapshots[self._names[identity]]["rows"]
            for index, *values in rows:
                told[index] = values

    def _on_snapshot(self, part: dict[str, Any]) -> None:
        self.tally.counts["gaps"] += part["gap"]
        self._sequences[part["id"]] = part["sequence"]
        self._names[part["id"]] = part["topic"]
        if "offset" in part:
            self._offsets[part["topic"]] = part["offset"]
        columns = part["columns"]
        self._age_column[part["id"]] = columns.index("received_at") + 1 if columns else 0
        self.snapshots[part["topic"]] = part if self._keep_rows else {"gap": part["gap"], "epoch": part["epoch"]}

    def _on_facts(self, part: dict[str, Any]) -> None:
        """Numbered without a gap from the snapshot's offset on."""
        topic = part["topic"]
        self.tally.counts["gaps"] += part["from"] != self._offsets[topic]
        self._offsets[topic] = part["to"]
        if self._keep_rows:
            self.facts.setdefault(topic, []).extend(part["facts"])

    def _check_positions(self, positions: dict[str, int]) -> None:
        for identity, sequence in positions.items():
            self.tally.counts["gaps"] += self._sequences.get(int(identity), sequence) != sequence

    def _acknowledge(self, size: int) -> None:
        """By a timer and not by the next frame: with the window full there is none before this is said."""
        self._unacknowledged += 1
        self._unacknowledged_bytes += size
        if (
            self._unacknowledged * ACKNOWLEDGE_SHARE >= self._window["frames"]
            or self._unacknowledged_bytes * ACKNOWLEDGE_SHARE >= self._window["bytes"]
        ):
            self._send_acknowledgement()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(ACKNOWLEDGE_SECONDS, self._send_acknowledgement)

    def _send_acknowledgement(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._unacknowledged, self._unacknowledged_bytes = None, 0, 0
        self.send(op="ack", frame=self._last_frame)


async def open_listener(url: str, headers: dict[str, str], listener: Listener) -> Listener:
    """Connect one listener; with a daphne that is busy with others' handshakes this may take seconds.

    Raises:
        OSError, picows.WSError, TimeoutError: the server is not there or refused.
    """
    await ws_connect(
        lambda: listener,
        url,
        extra_headers=headers,
        websocket_handshake_timeout=CONNECT_SECONDS,
        logger_name="listeners",
    )
    await asyncio.wait_for(listener.welcomed.wait(), CONNECT_SECONDS)
    return listener


async def open_listeners(
    url: str, headers: Sequence[dict[str, str]], topics: Sequence[Sequence[str]], tally: Tally, keep_rows: bool = False
) -> list[Listener]:
    """One listener for each list of topics; the headers go round. Some at a time, as browsers would come."""
    gate = asyncio.Semaphore(OPENING_AT_ONCE)

    async def open_one(number: int) -> Listener:
        async with gate:
            listener = Listener(topics[number], tally, keep_rows)
            return await open_listener(url, headers[number % len(headers)], listener)

    return list(await asyncio.gather(*[open_one(number) for number in range(len(topics))]))


def sign_in(base: str, username: str, password: str) -> dict[str, str]:
    """The headers of a browser that signed in at the REST API."""
    with httpx.Client(base_url=base, timeout=CONNECT_SECONDS, headers={"Origin": base}) as client:
        client.get("/api/v2/session")
        token = client.cookies.get("csrftoken", "")
        answer = client.post(
            "/api/v2/session", json={"username": username, "password": password}, headers={"X-CSRFToken": token}
        )
        answer.raise_for_status()
        return {"Cookie": f"sessionid={client.cookies['sessionid']}", "Origin": base}


def demo_topics(username: str, browsers: int) -> list[list[str]]:
    """For each browser the user's first watchlist and four always-on chains, so that together they see them all."""
    import django

    django.setup()
    from feeds.models import ChainContract, ExchangeSegment
    from watchlists.models import Watchlist

    rows = ChainContract.objects.values_list("definition__segment", "definition__underlying_symbol", "expiry")
    chains = [
        f"chain.{ExchangeSegment(segment).name}.{symbol}.{expiry}"
        for segment, symbol, expiry in rows.order_by("definition__position", "expiry").distinct()
    ]
    mine = Watchlist.objects.filter(user__username=username).values_list("pk", flat=True)[:1]
    watched = [f"watchlist.{pk}" for pk in mine]
    rounds = endless(chains)
    wanted = min(TOPICS_A_BROWSER - len(watched), len(chains))
    return [watched + [next(rounds) for _ in range(wanted)] for _ in range(browsers)]


def endless(items: Sequence[str]) -> Iterator[str]:
    while items:
        yield from items


def report(listeners: Sequence[Listener], tally: Tally, seconds: float) -> dict[str, Any]:
    return {
        "browsers": sum(not listener.gone.is_set() for listener in listeners),
        "gaps": tally.counts["gaps"],
        "latency_ms": tally.age.summary(),
        "transit_ms": tally.transit.summary(),
        "frames_per_second": round(tally.counts["frames"] / seconds, 1),
        "updates_per_second": round(tally.counts["updates"] / seconds, 1),
        "rows_per_second": round(tally.counts["rows"] / seconds, 1),
        "megabytes_per_second": round(tally.counts["bytes"] / seconds / 1e6, 2),
        "closed": dict(tally.closed),
        "errors": sum(len(listener.errors) for listener in listeners),
    }


async def listen(url: str, headers: dict[str, str], topics: Sequence[Sequence[str]], seconds: float) -> dict[str, Any]:
    """Open all, listen until the time is over, and report what was seen after the last had opened."""
    tally = Tally()
    started = clock.monotonic()
    listeners = await open_listeners(url, [headers], topics, tally)
    tally.begin()
    measured_from = clock.monotonic()
    await asyncio.sleep(max(1.0, started + seconds - measured_from))
    told = report(listeners, tally, clock.monotonic() - measured_from)
    for listener in listeners:
        if listener.transport is not None:
            listener.transport.disconnect()
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description="Listen as many browsers, and report latency and gaps.")
    parser.add_argument("--base", required=True, help="e.g. http://127.0.0.1:8000")
    parser.add_argument("--browsers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--username", default="trader")
    parser.add_argument("--topics", default="demo", help="topics separated by commas, or demo")
    arguments = parser.parse_args()
    headers = sign_in(arguments.base, arguments.username, os.environ["LISTENER_PASSWORD"])
    if arguments.topics == "demo":
        topics = demo_topics(arguments.username, arguments.browsers)
    else:
        topics = [arguments.topics.split(",")] * arguments.browsers
    logging.getLogger("picows").setLevel(logging.WARNING)
    url = arguments.base.replace("http", "ws", 1) + "/ws/market"
    with suppress(KeyboardInterrupt):
        print(json.dumps(asyncio.run(listen(url, headers, topics, arguments.seconds))))


if __name__ == "__main__":
    main()
