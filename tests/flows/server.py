"""A running data server as the flows see it: by REST, websocket and database, and beside the simulator's truth."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
from redis import Redis, RedisError

from feeds import clock
from feeds.core.instrument import ExchangeSegment
from feeds.dhan.wire import FULL
from terminal.listeners import sign_in
from terminal.stack import Stack, free_port
from tests import prepared
from tests.faults.clients_fixtures import ReturningBrowser

START = datetime(2026, 2, 3, 10, 0, tzinfo=clock.IST)
REPLICAS = 2
RATE = "1600"
READY_SECONDS = 90.0
TIER_B = 2272
REFERENCES = 8
NEVER_SENT = (0, 0)
ANSWER_SECONDS = 5.0
REST_SECONDS = 15.0
CHAINS_A_BROWSER = 4
PREPARE = """
import django
django.setup()
from django.conf import settings
from terminal import demo
demo.load(settings.DATA_DIR)
demo.prepare_market()
"""


@contextmanager
def running(folder: Path, *, replicas: int = REPLICAS, rate: str = RATE) -> Iterator[Server]:
    """Everything that `up` starts, with web replicas, at ten on 2026-02-03, ready to use."""
    prepared.copy("morning", folder, make_morning)
    stack = stack_at_ten(folder, web_ports=tuple(free_port() for _ in range(replicas)), rate=rate)
    with stack.running_servers():
        server = Server(stack)
        for name in stack.commands():
            stack.start(name)
        stack.wait_until(server.is_ready, READY_SECONDS, "the whole server")
        yield server


def make_morning(folder: Path) -> None:
    """The data of a demo whose morning's jobs are done."""
    prepared.migrated(folder)
    stack = stack_at_ten(folder)
    with stack.running_servers():
        stack.start("simulator")
        stack.wait_until(Server(stack).simulator_answers, READY_SECONDS, "the simulator")
        prepared.run(PREPARE, stack.environment)


def stack_at_ten(folder: Path, web_ports: tuple[int, ...] = (), rate: str = RATE) -> Stack:
    return Stack(
        folder,
        offset_seconds=offset_to(START),
        web_ports=web_ports,
        simulator_arguments=("--rate", rate),
        environment={"BROWSER_CLIENTS_PER_USER": "1000", "LOGIN_RATE_PER_MINUTE": "1000"},
        durable=False,
    )


def offset_to(moment: datetime) -> float:
    """What EXCHANGE_CLOCK_OFFSET_SECONDS makes it this moment now."""
    return (moment - clock.wall_now()).total_seconds()


class Server:
    """Questions to one Stack from outside; whoever asks is a demo user."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.bases = [f"http://127.0.0.1:{port}" for port in stack.web_ports]
        self.sockets = [f"ws://127.0.0.1:{port}/ws/market" for port in stack.web_ports]
        self._simulator = httpx.Client(base_url=f"http://127.0.0.1:{stack.simulator_port}", timeout=ANSWER_SECONDS)
        self._cookies: dict[str, str] = {}

    def start_at(self, moment: datetime, *names: str) -> None:
        """Start these processes again with exchange time shifted to this moment."""
        self.stack.environment["EXCHANGE_CLOCK_OFFSET_SECONDS"] = repr(offset_to(moment))
        for name in names:
            self.stack.members.pop(name).child.stop()
        for name in names:
            self.stack.start(name)

    def wait_until(self, condition: Callable[[], bool], seconds: float, what: str) -> float:
        """Look after the processes until it holds; the seconds it took. A failure tells what the feed last said."""
        try:
            return self.stack.wait_until(condition, seconds, what)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n--- feed status\n{self.feed_status()}") from None

    # --- whether it runs

    def simulator_answers(self) -> bool:
        try:
            return self._simulator.get("/control/state").status_code == 200
        except httpx.HTTPError:
            return False

    def is_ready(self) -> bool:
        """Every web replica is ready, and the feed has everything of Tier B subscribed."""
        return all(answers(f"{base}/health/ready") for base in self.bases) and self.tier_b_is_complete()

    def tier_b_is_complete(self) -> bool:
        status = self.feed_status()
        return (
            status.get("state") == "LIVE"
            and (status["tier_b"], status["references"]) == (TIER_B, REFERENCES)
            and all(c["state"] == "LIVE" and c["subscribed"] == c["placed"] for c in status["connections"])
            and sum(c["subscribed"] for c in status["connections"]) >= TIER_B + REFERENCES
        )

    def feed_status(self) -> dict[str, Any]:
        """What the feed last said of itself; empty when it or Valkey is away."""
        try:
            with Redis.from_url(self.stack.valkey.url, socket_timeout=ANSWER_SECONDS) as redis:
                keys = redis.keys("feed.*.status")
                return json.loads(redis.get(keys[0]) or "{}") if keys else {}
        except (RedisError, OSError):
            return {}

    def publish(self, channel: str, message: Any) -> None:
        """Say something to all web processes."""
        with Redis.from_url(self.stack.valkey.url) as redis:
            redis.publish(channel, json.dumps(message))

    # --- people

    @property
    def trader(self) -> dict[str, str]:
        return self.signed_in("trader")

    def signed_in(self, username: str) -> dict[str, str]:
        """The cookie of a demo user's page, signed in once."""
        if username not in self._cookies:
            logins = json.loads((self.stack.data / "demo-logins.json").read_text())
            self._cookies[username] = sign_in(self.bases[0], username, logins[username])["Cookie"]
        return {"Cookie": self._cookies[username]}

    def rest(self, method: str, path: str, body: Any = None, username: str = "trader") -> httpx.Response:
        """A request of a user's page."""
        base, token = self.bases[0], "t" * 32
        cookies = f"{self.signed_in(username)['Cookie']}; csrftoken={token}"
        headers = {"Cookie": cookies, "X-CSRFToken": token, "Origin": base}
        return httpx.request(method, base + path, json=body, headers=headers, timeout=REST_SECONDS)

    # --- what is stored

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.stack.postgres.url) as connection:
            return connection.execute(sql, values).fetchall()

    def chain_topics(self) -> list[str]:
        """The topics of all always-on chains, in the order of their definitions."""
        rows = self.query(
            "SELECT DISTINCT d.position, d.segment, d.underlying_symbol, c.expiry FROM feeds_chaincontract c"
            " JOIN feeds_chaindefinition d ON d.id = c.definition_id ORDER BY d.position, c.expiry"
        )
        return [f"chain.{ExchangeSegment(segment).name}.{symbol}.{expiry}" for _, segment, symbol, expiry in rows]

    # --- the truth

    def sent(self) -> dict[str, tuple[int, int]]:
        """Last price in paise and volume of every instrument, as the simulator last sent it."""
        packets = np.frombuffer(self._simulator.get("/control/sent").content, FULL)
        prices = np.rint(packets["last_price"].astype(np.float64) * 100).astype(np.int64)
        names = [
            f"{ExchangeSegment(int(s)).name}.{i}"
            for s, i in zip(packets["segment"], packets["security_id"], strict=True)
        ]
        return dict(zip(names, zip(prices.tolist(), packets["volume"].tolist(), strict=True), strict=True))

    @contextmanager
    def frozen(self) -> Iterator[dict[str, tuple[int, int]]]:
        """Nothing ticks inside; yields what was sent last."""
        segments = {name.partition(".")[0] for name in self.sent()}
        for segment in segments:
            self._inject(fault="freeze_segment", segment=segment)
        try:
            yield self.sent()
        finally:
            self._inject(fault="clear")

    def script(self, **command: Any) -> None:
        """Decide what an instrument shows."""
        self._simulator.post("/control/prices", json=command).raise_for_status()

    def _inject(self, **command: Any) -> None:
        self._simulator.post("/control/faults", json=command).raise_for_status()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=ANSWER_SECONDS).status_code == 200
    except httpx.HTTPError:
        return False


class Crowd:
    """Browsers that listen in a thread of their own, so that whoever looks after the processes may block."""

    def __init__(self, server: Server, count: int, topics: Sequence[Sequence[str]]) -> None:
        self.browsers = [
            ReturningBrowser(
                server.sockets[number % len(server.sockets) :] + server.sockets[: number % len(server.sockets)],
                server.trader,
                topics[number % len(topics)],
            )
            for number in range(count)
        ]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Crowd:
        self._thread.start()
        self._life: Future[None] = asyncio.run_coroutine_threadsafe(self._live(), self._loop)
        return self

    async def _live(self) -> None:
        async with asyncio.TaskGroup() as lives:
            for browser in self.browsers:
                lives.create_task(browser.live())

    def __exit__(self, *_: object) -> None:
        self._life.cancel()
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.1), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @property
    def is_complete(self) -> bool:
        return all(browser.is_complete for browser in self.browsers)

    def is_fresh(self, since: int) -> bool:
        """Whether every row of every browser was received by the feed after that epoch millisecond."""
        return self.is_complete and all(row["received_at"] > since for row in self.rows())

    def differences(self, truth: dict[str, tuple[int, int]]) -> list[tuple[dict[str, Any], tuple[int, int]]]:
        """The rows of any browser that are not what was sent last, each beside what was."""
        shown = ((row, truth.get(row["instrument"], NEVER_SENT)) for row in self.rows())
        return [(row, sent) for row, sent in shown if (row["last_price"], row["volume"]) != sent]

    def shows(self, truth: dict[str, tuple[int, int]]) -> bool:
        return self.is_complete and not self.differences(truth)

    def rows(self) -> Iterator[dict[str, Any]]:
        for browser in self.browsers:
            for told in list(browser.listener.snapshots.values()):
                for instrument, row in zip(told["instruments"], told["rows"], strict=True):
                    yield {"instrument": instrument, **dict(zip(told["columns"], row, strict=True))}

    def names(self) -> set[str]:
        """The names of the watchlists that are shown."""
        return {told["details"]["name"] for browser in self.browsers for told in browser.listener.snapshots.values()}

    def marks(self) -> dict[ReturningBrowser, tuple[int, int]]:
        """For each browser how often it was opened, and how many gaps it was shown since."""
        return {browser: (browser.opened, browser.listener.tally.counts["gaps"]) for browser in self.browsers}
