"""What beat asks for on the dashboard's behalf."""

from __future__ import annotations

import logging

from celery import shared_task
from django.db import Error as DatabaseError

from feeds.bus import REDIS_ERRORS
from terminal.ops.history import record_sample

log = logging.getLogger(__name__)


@shared_task
def record_minute() -> None:
    """One sample for the chart of the last hours; a sample that cannot be taken is a sample less."""
    try:
        record_sample()
    except (DatabaseError, *REDIS_ERRORS) as error:
        log.warning("no sample for the chart (%s)", type(error).__name__)
