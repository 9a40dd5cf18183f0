"""`manage.py up` says in one line why it will not start."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from terminal.embedded import PostgresServer, temporary_data

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def data():
    with temporary_data("bt-up-") as folder:
        yield Path(folder)


def up(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL"}}
    return subprocess.run(
        [sys.executable, "manage.py", "up", *arguments],
        cwd=PROJECT,
        env={**environment, "DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_taken_port_is_told_in_one_line(data):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = up(data, "--port", str(port))
    assert result.returncode == 1
    assert result.stderr.strip().splitlines() == [f"CommandError: port {port} is taken; choose another with --port"]


def test_a_second_copy_is_told_in_one_line(data):
    with (data / "up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = up(data, "--port", "0")
    assert result.returncode == 1
    assert result.stderr.strip().splitlines() == [f"CommandError: a second copy: another `up` already runs on {data}"]


def test_a_start_that_was_refused_leaves_exchange_time_where_it_was(data):
    result = up(data, "--port", "0", "--at", "half past three")
    assert result.returncode == 1
    assert result.stderr.strip().startswith('CommandError: --at takes "YYYY-MM-DD HH:MM" in IST')
    server = PostgresServer(data, durable=False)
    server.start()
    try:
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT count(*) FROM feeds_exchangeclockmark").fetchone() == (0,)
    finally:
        server.stop()
