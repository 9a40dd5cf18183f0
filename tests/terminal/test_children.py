"""Supervised children: their logs, and how long a failing one waits."""

from __future__ import annotations

import sys
import time

from terminal.children import LOG_BYTES, Child
from terminal.stack import RESTART_LIMIT_SECONDS, Member


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
