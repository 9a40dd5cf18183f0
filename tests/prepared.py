"""Data folders that are made once in a test run and copied from then on: a migrated database, a demo's morning."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from terminal.children import Child
from terminal.embedded import PostgresServer
from terminal.stack import PROJECT

FOLDER = "TESTS_PREPARED"
"""The variable that names their place: of the controller of pytest-xdist, for all its workers."""
OF_THEIR_MAKER = shutil.ignore_patterns("sockets", "logs", "*.log", "static", "valkey")
MIGRATE = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
"""


def run(script: str, environment: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory(prefix="bt-run-") as folder:
        child = Child(
            "script", [sys.executable, "-c", script], environment=environment, folder=PROJECT, log=Path(folder) / "log"
        )
        child.start()
        assert child.process
        assert child.process.wait() == 0, child.log_tail(100)


def made(name: str, make: Callable[[Path], None]) -> Path:
    """What `make` put into an empty folder. The first who asks makes it; who asks meanwhile waits."""
    kept = Path(os.environ[FOLDER]) / name
    with alone(kept):
        if not kept.exists():
            making = kept.with_name(f"{name}.new")
            shutil.rmtree(making, ignore_errors=True)  # what somebody left who failed
            make(making)
            making.rename(kept)
    return kept


def copy(name: str, target: Path, make: Callable[[Path], None]) -> None:
    """The same in the target. Where PostgreSQL must run as another user its files are elsewhere: made again."""
    kept = made(name, make)
    if (kept / "postgres").exists():
        shutil.copytree(kept, target, symlinks=True, dirs_exist_ok=True, ignore=OF_THEIR_MAKER)
    else:
        make(target)


@contextmanager
def alone(kept: Path) -> Iterator[None]:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept.with_name(f"{kept.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def migrated(target: Path) -> None:
    """A stopped PostgreSQL whose database is migrated."""
    copy("migrated", target, migrate)


def migrate_ahead() -> None:
    """While those who will want it do something else."""
    made("migrated", migrate)


def migrate(folder: Path) -> None:
    postgres = PostgresServer(folder, durable=False)
    try:
        postgres.start()
        run(MIGRATE, {**os.environ, "DJANGO_SETTINGS_MODULE": "terminal.settings", "DATABASE_URL": postgres.url})
    finally:
        postgres.stop()
