"""The command as a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from django.core.management import CommandError, call_command

from feeds.simulator.control import SimulatorControl

PROJECT = Path(__file__).resolve().parents[3]
MORNING_OF = "2026-02-03"
STARTS_WITHIN_SECONDS = 60


@pytest.fixture
def start(tmp_path, settings):
    """Start processes with these arguments; all are ended afterwards."""
    processes: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        environment = os.environ | {
            "DATA_DIR": str(tmp_path),
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
            "REDIS_URL": "redis://127.0.0.1:1",
            "EXCHANGE_CLOCK_OFFSET_SECONDS": repr(settings.EXCHANGE_CLOCK_OFFSET_SECONDS),
        }
        command = [sys.executable, str(PROJECT / "manage.py"), "runsimulator", *arguments]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.wait()


def ready_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    word, url = process.stdout.readline().split()
    assert word == "ready"
    return url


@pytest.mark.processes
async def test_it_says_where_it_listens_and_ends_cleanly(start, tmp_path):
    process = start("--listing", "exchange", "--rate", "1000", "--switch", "packets_per_frame=2")
    url = ready_url(process)
    async with SimulatorControl(url) as control:
        state = await control.state()
    token = (tmp_path / "secrets" / "simulator_token").read_text().strip()
    async with httpx.AsyncClient(base_url=url, headers={"access-token": token}, trust_env=False) as http:
        profile = await http.get("/v2/profile")
    process.send_signal(signal.SIGTERM)

    assert url.startswith("http://127.0.0.1:")
    assert (state["day"], state["listing"]) == (MORNING_OF, "exchange")
    assert profile.status_code == 200
    assert process.wait(STARTS_WITHIN_SECONDS) == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--switch", "no_such_switch=1"], "no_such_switch"),
        (["--switch", "packets_per_frame=many"], "packets_per_frame cannot be 'many'"),
        (["--switch", "packet_before_close=perhaps"], "packet_before_close"),
        (["--switch", "previous_close_for=everyone"], "previous_close_for"),
        (["--limit", "ping_seconds"], "ping_seconds"),
    ],
)
def test_a_wrong_switch_is_named(arguments, complaint):
    with pytest.raises(CommandError, match=complaint):
        call_command("runsimulator", *arguments)


def test_a_taken_port_is_one_line(unused_tcp_port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", unused_tcp_port))
        taken.listen()
        with pytest.raises(CommandError, match=f"port {unused_tcp_port}"):
            call_command("runsimulator", "--port", str(unused_tcp_port))
