"""Beat's one question a second reaches the table of due jobs, by exchange time."""

from __future__ import annotations

from datetime import datetime

import pytest

from feeds import clock, jobs
from feeds.models import JobRun
from feeds.tasks import run_due_jobs
from terminal.celery import app

CLOSE = datetime(2026, 2, 3, 15, 30, 1, tzinfo=clock.IST)


def test_beat_asks_each_second_and_the_worker_knows_the_answer() -> None:
    schedules = {entry["task"]: entry["schedule"] for entry in app.conf.beat_schedule.values()}
    assert schedules[run_due_jobs.name] == 1.0


@pytest.mark.django_db
def test_what_is_due_by_exchange_time_is_run_once(settings, monkeypatch) -> None:
    monkeypatch.setattr(jobs, "JOBS", tuple(job for job in jobs.JOBS if job.name.startswith(jobs.EOD_RELEASE)))
    settings.EXCHANGE_CLOCK_OFFSET_SECONDS = (CLOSE - clock.wall_now()).total_seconds()
    assert run_due_jobs() == [
        "eod_release.cash_with_derivatives 2026-02-03 DONE",
        "eod_release.derivatives 2026-02-03 DONE",
    ]
    assert run_due_jobs() == []
    assert JobRun.objects.count() == 2
