"""The processes of the product as children of a test: for faults that happen to a whole process, or need its core."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection

from terminal.children import Child, Process

STOP_SECONDS = 15.0
URLS = ("DHAN_FEED_URL", "DHAN_REST_URL", "DHAN_MASTER_URL")


class Managed:
    """One `manage.py` command. `log` is what it has written so far."""

    def __init__(self, child: Child, path: Path) -> None:
        assert child.process
        self.process = child.process
        self._path = path

    @property
    def log(self) -> str:
        return self._path.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def resident_bytes(self) -> int:
        """Its memory now (VmRSS of proc(5))."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


@contextmanager
def managing(*arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Managed]:
    """A child that uses the servers, the settings and the database of this test; stopped in the end."""
    with tempfile.TemporaryDirectory(prefix="bt-fault-") as folder:
        child = Child(
            arguments[0],
            [sys.executable, "manage.py", *arguments],
            environment=os.environ | of_this_test() | dict(environment or {}),
            log=Path(folder) / "log",
            folder=settings.BASE_DIR,
            stop_signal=signal.SIGKILL,  # when this test dies: it may be one that SIGSTOP holds
        )
        child.start()
        managed = Managed(child, Path(folder) / "log")
        try:
            yield managed
        finally:
            stop(managed.process)
            print(managed.log)  # pytest shows it when the test failed


def stop(process: Process) -> None:
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_SECONDS)


def of_this_test() -> dict[str, str]:
    """The environment that gives a child the timers, clock, addresses and database of this test."""
    timers = {name: repr(getattr(settings, name)) for name in (*settings.SCALED_TIMERS, "FEED_SYNC_SECONDS")}
    return timers | {name: getattr(settings, name) for name in URLS} | {
        "FEED_TIME_SCALE": "1",
        "FEED_FLUSH_SECONDS": repr(settings.FEED_FLUSH_SECONDS),
        "DHAN_QUOTE_SPACING_SECONDS": repr(settings.DHAN_QUOTE_SPACING_SECONDS),
        "EXCHANGE_CLOCK_OFFSET_SECONDS": repr(settings.EXCHANGE_CLOCK_OFFSET_SECONDS),
        "DATABASE_URL": database_url(),
        "REDIS_URL": settings.REDIS_URL,
    }  # fmt: skip


def database_url() -> str:
    """Where this test's own database is: the configured server, the name that the test run chose."""
    configured, name = settings.DATABASE_URL, connection.settings_dict["NAME"]
    head, _, query = configured.partition("?")
    return head.rpartition("/")[0] + f"/{name}" + (f"?{query}" if query else "")
