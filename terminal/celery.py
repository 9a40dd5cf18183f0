"""Celery: it carries hints, never facts. One beat entry a second asks "what is due?"; JobRun decides."""

from __future__ import annotations

import os

from celery import Celery

from terminal.checks import require_safe

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "terminal.settings")

require_safe()  # of worker and beat alike: celery starts both without Django's system checks

app = Celery("terminal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_scheduler = "celery.beat:Scheduler"  # no schedule of its own on disk to disagree with the clock
app.conf.beat_schedule = {
    "run-due-jobs": {
        "task": "feeds.tasks.run_due_jobs",
        "schedule": 1.0,
        "options": {"expires": 5.0},  # a backlog after an outage is one question, not thousands
    },
    "record-minute": {
        "task": "terminal.ops.tasks.record_minute",
        "schedule": 5.0,  # a dozen samples make a minute of the dashboard's chart
        "options": {"expires": 5.0},
    },
}
app.autodiscover_tasks()
