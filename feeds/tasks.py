"""Celery's entry points: hints that wake the work; rows in the database decide whether there is any."""

from __future__ import annotations

from celery import shared_task

from feeds import jobs


@shared_task(name="feeds.tasks.run_due_jobs")
def run_due_jobs() -> list[str]:
    """Asked each second by beat. Returns what was run, for the worker's log."""
    return [str(run) for run in jobs.run_due()]
