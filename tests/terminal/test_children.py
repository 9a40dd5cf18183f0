"""Supervised children: their logs, and how long a failing one waits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from terminal.children import LOG_BYTES, Child, launched
from terminal.stack import RESTART_LIMIT_SECONDS, Member
from tests.warm import launch_warm

TELLS = """
import atexit, os, sys
atexit.register(print, "at the end")
print(os.getcwd(), os.environ["NAME"], sys.argv[1:], os.getsid(0) == os.getpid(), __name__)
sys.exit(int(os.environ["NAME"]))
"""


@pytest.fixture(params=[launched, launch_warm], autouse=True)
def launch(request, monkeypatch):
    """As `up` starts processes, and as tests do."""
    monkeypatch.setattr(Child, "launch", staticmethod(request.param))


def test_a_child_is_its_command_line_environment_and_folder_in_a_session_of_its_own(tmp_path):
    log = tmp_path / "log"
    command = [sys.executable, "-c", TELLS, "one", "two"]
    child = Child("teller", command, environment={"NAME": "7"}, folder=tmp_path, log=log)
    child.start()
    assert child.process.wait(30) == 7
    assert not child.running
    assert log.read_text() == f"{tmp_path} 7 ['one', 'two'] True __main__\nat the end\n"


def test_a_child_that_does_not_stop_in_time_is_killed(tmp_path):
    log = tmp_path / "log"
    stays = "import signal, time; signal.signal(15, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"
    child = Child("stays", [sys.executable, "-c", stays], environment={}, log=log)
    child.start()
    while "here" not in log.read_text():
        time.sleep(0.01)
    with pytest.raises(subprocess.TimeoutExpired):
        child.process.wait(0.01)
    child.stop(seconds=0.1)
    assert child.process.wait(30) == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


def test_a_large_log_is_put_aside_at_the_next_start(tmp_path):
    log = tmp_path / "feed.log"
    log.write_bytes(b"x" * (LOG_BYTES + 1))
    child = Child("feed", [sys.executable, "-c", "print('a new life')"], log=log)
    child.start()
    child.process.wait(30)
    assert log.read_text() == "a new life\n"
    assert (tmp_path / "feed.log.1").stat().st_size == LOG_BYTES + 1


def test_a_process_that_fails_for_a_night_is_still_started_again():
    member = Member(Child("feed", [sys.executable, "-c", ""]))
    for _ in range(2000):
        member.started_at = time.monotonic()
        member.note_death()
    assert member.failures == 2000
    assert member.restart_at - time.monotonic() <= RESTART_LIMIT_SECONDS
