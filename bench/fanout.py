"""Fan-out on one web process: updates delivered against stock Channels, and what one bad browser costs the others.

Run with `python -m bench.fanout [--server daphne|uvicorn] [--quick]`; prints one JSON object last. Everything is
real and on loopback: embedded PostgreSQL and Valkey, the web process, a feed on the tick bus, browsers in a
process of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.machine import describe
from terminal.children import Child
from terminal.embedded import EmbeddedServers, temporary_data
from terminal.stack import PROJECT, free_port, web_command

LATENCY_LIMIT_MS = 250
ALL_LATENCY_LIMIT_MS = 100
RATIO_TARGET = 5.0
TICKS_A_SECOND = 5_000
ALL_BROWSERS = 50
HELD_BROWSERS = 500
CLOSED_WITHIN_SECONDS = 10.0
UNSUBSCRIBE_LIMIT_MS = 50
NEIGHBOUR_LIMIT = 1.20
SETTLE_SECONDS = 2.0
START_SECONDS = 30.0
TRIES_A_STEP = 2
"""Each step may fail once: the two cores also run the browsers, the feed and the servers."""
UPDATES_A_BROWSER = 5 * 10
COMPLETE_SHARE = 0.95
STEPS = {
    "ours": [100, 300, 500, 600, 700, 800, 900, 1000, 1200, 1400],
    "peer": [10, 20, 30, 40, 50, 60, 80, 100, 120, 150, 200],
}
LIMITS = {
    "BROWSER_CLIENTS_PER_USER": "10000",
    "BROWSER_TOPICS_PER_CLIENT": "3000",
}


class Load:
    """A process of bench.fanout_load that answers commands."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.fanout_load", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=PROJECT,
            text=True,
        )

    def ask(self, **command: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the load ended at {command}")
        return json.loads(line)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class Bench:
    """The servers and what runs on them; every process stops with its context."""

    def __init__(self, data: Path, servers: EmbeddedServers, server: str) -> None:
        self.data = data
        self.server = server
        self.environment = {
            **os.environ,
            **servers.environment,
            **LIMITS,
            "DJANGO_SETTINGS_MODULE": "terminal.settings",
        }
        self.headers: dict[str, str] = {}

    def prepare(self) -> None:
        """Migrate, list the market and sign one user in."""
        os.environ.update(self.environment)
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        from django.conf import settings
        from django.contrib.auth.models import User
        from django.test import Client

        from bench.fanout_market import FIRST_EXPIRY, REFERENCE, contract_rows
        from feeds.models import Instrument

        index = {"code": REFERENCE.code, "segment": REFERENCE.segment, "security_id": REFERENCE.security_id}
        index |= {"instrument_type": "INDEX", "symbol": "NIFTY", "listed_on": FIRST_EXPIRY}
        Instrument.objects.bulk_create([Instrument(**fields) for fields in [index, *contract_rows()]])
        client = Client()
        client.force_login(User.objects.create_user("bench"), backend=settings.AUTHENTICATION_BACKENDS[-1])
        self.headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={client.session.session_key}"}

    @contextmanager
    def web(self, application: str = "terminal.asgi:application", server: str = "") -> Iterator[int]:
        """One web process; its port."""
        port = free_port()
        command = [*web_command(server or self.server, port)[:-1], application]
        child = Child("web", command, environment=self.environment, log=self.data / "web.log", folder=PROJECT)
        child.start()
        try:
            wait_for_port(port, child)
            yield port
        finally:
            child.stop()

    @contextmanager
    def load(self, *arguments: str) -> Iterator[Load]:
        load = Load(self.environment, *arguments)
        try:
            yield load
        finally:
            load.stop()

    @contextmanager
    def browsers(self, port: int) -> Iterator[Load]:
        headers = {**self.headers, "Origin": f"http://127.0.0.1:{port}"}
        with self.load("browsers", f"ws://127.0.0.1:{port}/ws/market", json.dumps(headers)) as load:
            yield load


def wait_for_port(port: int, child: Child) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and child.running:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the web process did not start:\n{child.log_tail()}")


def climb(load: Load, steps: list[int], seconds: float) -> dict[str, Any]:
    """Add browsers until p99 or a gap says no twice; the last step that held, and all tries."""
    best: dict[str, Any] = {}
    opened, tries = 0, []
    for count in steps:
        load.ask(open=count - opened, topics="five")
        opened = count
        for _ in range(TRIES_A_STEP):
            time.sleep(SETTLE_SECONDS)
            seen = load.ask(measure=seconds)
            tries.append({"browsers": count, "p99": seen["latency_ms"]["p99"], "gaps": seen["gaps"]})
            print(f"  {count} browsers: {seen}", file=sys.stderr)
            if holds(seen, count):
                best = seen
                break
        else:
            break
    return {**best, "tries": tries}


def holds(seen: dict[str, Any], browsers: int) -> bool:
    p99 = seen["latency_ms"]["p99"]
    is_complete = seen["updates_per_second"] >= COMPLETE_SHARE * browsers * UPDATES_A_BROWSER
    in_time = p99 is not None and p99 <= LATENCY_LIMIT_MS
    return in_time and is_complete and seen["gaps"] == 0 and seen["browsers"] == browsers


def measure_ours(bench: Bench, steps: list[int], seconds: float) -> dict[str, Any]:
    with bench.web() as port, bench.load("feed-each"), bench.browsers(port) as load:
        return climb(load, steps, seconds)


def measure_peer(bench: Bench, steps: list[int], seconds: float) -> dict[str, Any]:
    with (
        bench.web("bench.stock_fanout:application") as port,
        bench.load("feed-stock"),
        bench.load("browsers-stock", f"ws://127.0.0.1:{port}/") as load,
    ):
        return climb(load, steps, seconds)


class SilentBrowser:
    """Subscribes to everything and never reads: its kernel's buffer fills, then the server's."""

    def __init__(self, port: int, headers: dict[str, str], topics: list[str]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.opened_at = time.monotonic()
        self.socket.sendall(self._handshake(port, headers))
        self.socket.recv(4096)
        self.socket.sendall(masked_text(json.dumps({"op": "subscribe", "topics": topics})))
        self.poll = select.poll()
        self.poll.register(self.socket, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
        self.closed_after: float | None = None

    @staticmethod
    def _handshake(port: int, headers: dict[str, str]) -> bytes:
        lines = ["GET /ws/market HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade"]
        lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def watch(self, seconds: float) -> threading.Thread:
        """Note in a thread when the server closes, looking for so long; without reading, which would be cheating."""

        def look() -> None:
            if self.poll.poll(seconds * 1000):
                self.closed_after = time.monotonic() - self.opened_at

        thread = threading.Thread(target=look)
        thread.start()
        return thread

    def close(self) -> None:
        self.socket.close()


def masked_text(text: str) -> bytes:
    """One client frame; a mask of zeros is a mask."""
    payload = text.encode()
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + payload


def measure_all(bench: Bench, pairs: int, seconds: float) -> dict[str, Any]:
    """Fifty browsers on every contract, with and without a browser that never reads, in turns."""
    from bench.fanout_market import CHAIN_TOPICS

    alone, beside, closed = [], [], []
    with bench.web() as port, bench.load("feed-all", str(TICKS_A_SECOND)), bench.browsers(port) as load:
        headers = {**bench.headers, "Origin": f"http://127.0.0.1:{port}"}
        load.ask(open=ALL_BROWSERS, topics="all")
        time.sleep(SETTLE_SECONDS)
        for _ in range(pairs):
            alone.append(load.ask(measure=seconds))
            silent = SilentBrowser(port, headers, CHAIN_TOPICS)
            watching = silent.watch(CLOSED_WITHIN_SECONDS + 5)
            beside.append(load.ask(measure=seconds))
            watching.join()
            closed.append(silent.closed_after)
            silent.close()
            print(f"  alone {alone[-1]}\n  beside {beside[-1]} closed {closed[-1]}", file=sys.stderr)
        unsubscribe = load.ask(unsubscribe=True)
    return all_report(alone, beside, closed, unsubscribe)


def all_report(
    alone: list[dict[str, Any]], beside: list[dict[str, Any]], closed: list[float | None], unsubscribe: dict[str, Any]
) -> dict[str, Any]:
    p99_alone = median(seen["latency_ms"]["p99"] for seen in alone)
    p99_beside = median(seen["latency_ms"]["p99"] for seen in beside)
    delay = unsubscribe["after"]["max"] - unsubscribe["before"]["max"]
    return {
        "browsers": ALL_BROWSERS,
        "contracts": 2272,
        "ticks_per_second": TICKS_A_SECOND,
        "gaps": sum(seen["gaps"] for seen in alone + beside),
        "beyond_flush_ms": {"p50": median(seen["latency_ms"]["p50"] for seen in alone), "p99": p99_alone},
        "rows_per_second": median(seen["rows_per_second"] for seen in alone),
        "megabytes_per_second": median(seen["megabytes_per_second"] for seen in alone),
        "silent_browser": {
            "p99_without": p99_alone,
            "p99_with": p99_beside,
            "ratio": round(p99_beside / p99_alone, 3),
            "closed_after_seconds": [round(after, 2) if after is not None else None for after in closed],
        },
        "unsubscribe_2272": {**unsubscribe, "delay_ms": delay},
        "ok": p99_alone < ALL_LATENCY_LIMIT_MS
        and p99_beside / p99_alone < NEIGHBOUR_LIMIT
        and all(after is not None and after <= CLOSED_WITHIN_SECONDS for after in closed)
        and delay <= UNSUBSCRIBE_LIMIT_MS,
    }


def run(server: str, quick: bool) -> dict[str, Any]:
    seconds, pairs = (3.0, 1) if quick else (6.0, 5)
    with temporary_data("bench-") as folder, EmbeddedServers(Path(folder), durable=False) as servers:
        bench = Bench(Path(folder), servers, server)
        bench.prepare()
        everything = measure_all(bench, pairs, seconds if quick else 10.0)
        peer = measure_peer(bench, STEPS["peer"], seconds)
        ours = measure_ours(bench, STEPS["ours"][2:5] if quick else STEPS["ours"], seconds)
    ratio = round(ours.get("updates_per_second", 0) / max(peer.get("updates_per_second", 0), 1), 2)
    return {
        "bench": "fanout",
        "server": server,
        "ours": ours,
        "peer": {"name": "Channels groups on channels_redis core", **peer},
        "ratio": ratio,
        "all_contracts": everything,
        "ok": ratio >= RATIO_TARGET and ours.get("browsers", 0) >= HELD_BROWSERS and everything["ok"],
        "machine": describe(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=["daphne", "uvicorn"], default="daphne")
    parser.add_argument("--quick", action="store_true", help="a minute instead of six: one pair, few steps")
    arguments = parser.parse_args()
    print(json.dumps(run(arguments.server, arguments.quick)))


if __name__ == "__main__":
    main()
