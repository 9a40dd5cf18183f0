"""The embedded servers: what was committed survives kill -9, and nothing outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest
import redis

from terminal import datadir
from terminal.embedded import EmbeddedServers, Unprivileged, temporary_data

PROJECT = Path(__file__).resolve().parents[2]
PARENT = """
import sys, time
from pathlib import Path
from terminal.embedded import EmbeddedServers
with EmbeddedServers(Path(sys.argv[1])) as servers:
    print(servers.postgres.child.pid, servers.valkey.child.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def servers():
    with temporary_data("bt-emb-") as folder, EmbeddedServers(Path(folder)) as running:
        yield running


def gone(pid: int) -> bool:
    """No such process, or only its unreaped remains."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


def test_postgresql_keeps_what_was_committed_through_kill_9(servers):
    with psycopg.connect(servers.postgres.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('acknowledged')")
    servers.postgres.kill()
    servers.postgres.start()
    with psycopg.connect(servers.postgres.url) as connection:
        assert connection.execute("SELECT word FROM kept").fetchall() == [("acknowledged",)]


def test_postgresql_starts_again_as_soon_as_the_last_session_of_the_killed_one_has_ended(servers):
    refused = "pre-existing shared memory block"
    with psycopg.connect(servers.postgres.url) as connection:
        session = connection.info.backend_pid
        os.kill(session, signal.SIGSTOP)
        servers.postgres.kill()

        def end_the_session() -> None:
            try:
                wait_until(lambda: refused in servers.postgres.log.read_text())
            finally:
                os.kill(session, signal.SIGKILL)

        ending = threading.Thread(target=end_the_session)
        ending.start()
        servers.postgres.start()
        ending.join()
        connection.close()
    with psycopg.connect(servers.postgres.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_valkey_comes_back_on_the_same_socket_and_can_be_made_empty(servers):
    client = redis.Redis.from_url(servers.valkey.url)
    client.set("word", "kept")
    servers.valkey.stop()
    servers.valkey.start()
    assert redis.Redis.from_url(servers.valkey.url).get("word") == b"kept"
    servers.valkey.kill()
    servers.valkey.forget()
    servers.valkey.start()
    assert redis.Redis.from_url(servers.valkey.url).get("word") is None


def test_neither_server_listens_on_a_port(servers):
    for child in (servers.postgres.child, servers.valkey.child):
        inodes = {os.readlink(f) for f in Path(f"/proc/{child.pid}/fd").iterdir()}
        tcp = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        assert not [row for row in tcp if row[3] == "0A" and f"socket:[{row[9]}]" in inodes]


def test_both_servers_die_with_a_parent_that_is_killed():
    with temporary_data("bt-par-") as folder:
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, folder],
            stdout=subprocess.PIPE,
            cwd=PROJECT,
            env={k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL", "DATA_DIR"}},
        )
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        wait_until(lambda: all(gone(pid) for pid in pids))


def test_a_data_folder_with_a_long_name_puts_its_sockets_in_a_short_one():
    deep = Path("/tmp") / ("long" * 30)
    assert len(str(datadir.sockets_folder(deep))) < 60
    assert datadir.sockets_folder(deep) != datadir.sockets_folder(deep / "other")


def test_generated_secrets_are_private_and_stay_the_same(tmp_path):
    store = datadir.Secrets(tmp_path)
    first = store.get_or_create("key")
    assert store.get_or_create("key") == first
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "secrets" / "key").stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another way to run PostgreSQL")
def test_root_without_user_namespaces_runs_postgresql_as_nobody(monkeypatch):
    monkeypatch.setattr(Unprivileged, "_namespace_works", staticmethod(lambda: False))
    with temporary_data("bt-nob-") as folder:
        servers = EmbeddedServers(Path(folder))
        try:
            with servers, psycopg.connect(servers.postgres.url) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
        finally:
            subprocess.run(["rm", "-rf", str(servers.postgres.how.home)], check=True)
