"""Every process of one data server as children of this one: for `up`, the fault tests and the benches."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from terminal.children import Child
from terminal.embedded import EmbeddedServerError, PostgresServer, ValkeyServer

PROJECT = Path(__file__).resolve().parent.parent
RESTART_FIRST_SECONDS = 0.5
RESTART_LIMIT_SECONDS = 10.0
DOUBLINGS = 10
"""Far beyond the limit already; after a night of failures the power would be too large for a float."""
SETTLED_SECONDS = 20.0
"""A process that lived this long starts again without waiting."""
STOPPED_LAST = "simulator"
"""So that the feed can take its leave of it; the others stop side by side."""
MESSAGE_BYTES = "65536"
"""Larger messages of a browser end its connection before they are read whole."""
TOKEN_NAME = "simulator_token"  # noqa: S105 the name of a file


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class Member:
    """One supervised process, and when it may be started again."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.started_at = 0.0
        self.failures = 0
        self.restart_at: float | None = None
        self.restarts = 0

    def start(self) -> None:
        self.child.start()
        self.started_at = time.monotonic()
        self.restart_at = None

    def note_death(self) -> None:
        lived = time.monotonic() - self.started_at
        self.failures = 0 if lived >= SETTLED_SECONDS else self.failures + 1
        doubled = RESTART_FIRST_SECONDS * 2 ** min(self.failures, DOUBLINGS)
        delay = 0.0 if self.failures == 0 else min(doubled, RESTART_LIMIT_SECONDS)
        self.restart_at = time.monotonic() + delay


class Stack:
    """The embedded servers, the simulator, feed, analytics and execution, the web replicas, the worker and beat.

    Start them in that order with `start`; `watch` starts again whatever died. All starts must come from
    the thread that stays: a child ends with the thread that started it.
    """

    def __init__(
        self,
        data: Path,
        *,
        offset_seconds: float = 0.0,
        web_ports: tuple[int, ...] = (8000,),
        simulator_port: int | None = None,
        server: str = "daphne",
        simulator_arguments: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
        durable: bool = True,
    ) -> None:
        self.data = data
        self.logs = data / "logs"
        self.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        (data / "static").mkdir(exist_ok=True)
        self.postgres = PostgresServer(data, durable=durable)
        self.valkey = ValkeyServer(data, durable=durable)
        self.web_ports = web_ports
        self.server = server
        self.simulator_port = simulator_port or free_port()
        self.simulator_arguments = simulator_arguments
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "terminal.settings",
            "PYTHONUNBUFFERED": "1",
            "DATA_DIR": os.fspath(data),
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.valkey.url,
            "DEMO": "1",
            "EXCHANGE_CLOCK_OFFSET_SECONDS": repr(offset_seconds),
            **simulator_urls(self.simulator_port),
            **(environment or {}),
        }
        self.members: dict[str, Member] = {}

    # --- starting

    def start_servers(self) -> None:
        self.postgres.start()
        self.valkey.start()

    def commands(self) -> dict[str, list[str]]:
        """Name -> command line of every process but the servers, in the order of starting."""
        manage = [sys.executable, os.fspath(PROJECT / "manage.py")]
        celery = [sys.executable, "-m", "celery", "-A", "terminal.celery"]
        commands = {
            "simulator": [
                *manage,
                "runsimulator",
                "--port",
                str(self.simulator_port),
                *self.simulator_arguments,
            ],
            "feed": [*manage, "runfeed", "--account", "demo"],
            "analytics": [*manage, "runanalytics"],
            "execution": [*manage, "runexecution"],
        }
        for number, port in enumerate(self.web_ports, start=1):
            commands["web" if number == 1 else f"web{number}"] = web_command(self.server, port)
        commands["worker"] = [*celery, "worker", "--pool", "solo", "--loglevel", "warning", "--without-gossip"]
        commands["beat"] = [*celery, "beat", "--loglevel", "warning", "--schedule", os.devnull, "--pidfile", ""]
        return commands

    def start(self, name: str) -> None:
        member = self.members.get(name) or self.members.setdefault(name, Member(self._child(name)))
        member.start()

    def _child(self, name: str) -> Child:
        return Child(
            name,
            self.commands()[name],
            environment=self.environment,
            log=self.logs / f"{name}.log",
            folder=PROJECT,
        )

    # --- watching

    def watch(self) -> list[str]:
        """Start again what died; returns the names of those started now. Waits only for a server to be ready."""
        started = []
        for server in (self.postgres, self.valkey):
            if server.child and not server.child.running:
                server.start()
                started.append(server.child.name)
        for name, member in self.members.items():
            if member.child.running:
                continue
            if member.restart_at is None:
                member.note_death()
            if member.restart_at is not None and time.monotonic() >= member.restart_at:
                member.restarts += 1
                member.start()
                started.append(name)
        return started

    def wait_until(self, condition: Callable[[], bool], seconds: float, what: str) -> float:
        """Supervise until the condition holds; returns the seconds it took.

        Raises:
            TimeoutError: it did not hold in time; the message says what was awaited and quotes the logs.
        """
        started = time.monotonic()
        while not condition():
            if time.monotonic() - started > seconds:
                raise TimeoutError(f"{what}: not within {seconds:.0f} s\n{self.log_tails()}")
            self.watch()
            time.sleep(0.05)
        return time.monotonic() - started

    def log_tails(self, lines: int = 6) -> str:
        tails = ((name, member.child.log_tail(lines)) for name, member in self.members.items())
        return "\n".join(f"--- {name}\n{tail}" for name, tail in tails if tail)

    # --- faults on purpose

    def kill(self, name: str) -> None:
        """kill -9."""
        self.members[name].child.kill()

    def pause(self, name: str) -> None:
        self.members[name].child.signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        self.members[name].child.signal(signal.SIGCONT)

    # --- stopping

    def stop(self) -> None:
        ours = [member.child for name, member in self.members.items() if name != STOPPED_LAST]
        for child in ours:
            child.ask_to_stop()
        for child in ours:
            child.stop()
        if STOPPED_LAST in self.members:
            self.members[STOPPED_LAST].child.stop()
        self.members.clear()
        for server in (self.valkey, self.postgres):
            server.stop()

    @contextmanager
    def running_servers(self) -> Iterator[Stack]:
        """Both servers up inside, everything stopped after."""
        try:
            self.start_servers()
            yield self
        finally:
            self.stop()


def simulator_urls(port: int) -> dict[str, str]:
    """The environment that puts the simulator where Dhan stands."""
    return {
        "DHAN_FEED_URL": f"ws://127.0.0.1:{port}",
        "DHAN_DEPTH_URL": f"ws://127.0.0.1:{port}/twentydepth",
        "DHAN_REST_URL": f"http://127.0.0.1:{port}/v2",
        "DHAN_MASTER_URL": f"http://127.0.0.1:{port}/api-data/api-scrip-master-detailed.csv",
    }


def web_command(server: str, port: int) -> list[str]:
    """The command line of one web replica.

    Raises:
        ValueError: the server is neither daphne nor uvicorn.
    """
    if server == "daphne":
        arguments = ["-b", "127.0.0.1", "-p", str(port), "-v", "0", "--websocket_timeout", "-1"]
        arguments += ["--websocket-max-message-size", MESSAGE_BYTES, "--websocket-max-frame-size", MESSAGE_BYTES]
        return [sys.executable, "-m", "daphne", *arguments, "terminal.asgi:application"]
    if server == "uvicorn":
        arguments = ["--host", "127.0.0.1", "--port", str(port), "--no-access-log", "--log-level", "warning"]
        arguments += ["--ws-max-size", MESSAGE_BYTES]
        return [sys.executable, "-m", "uvicorn", *arguments, "terminal.asgi:application"]
    raise ValueError(f"ASGI_SERVER must be daphne or uvicorn, not {server!r}")


__all__ = ["TOKEN_NAME", "EmbeddedServerError", "Stack", "free_port", "port_is_free", "simulator_urls"]
