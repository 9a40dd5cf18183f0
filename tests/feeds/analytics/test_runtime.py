"""The analytics process against a real Valkey and a real PostgreSQL: one reigns, says so, and another follows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from django.db import connection

from feeds.analytics.runtime import LEASE, AnalyticsProcess
from feeds.analytics.status import read_status
from terminal import health

pytestmark = pytest.mark.django_db(transaction=True)

DEADLINE_SECONDS = 10.0


@pytest.fixture(autouse=True)
def _quick(settings):
    settings.LEASE_SECONDS, settings.LEASE_RENEW_SECONDS = 1.0, 0.05
    settings.FEED_STATUS_SECONDS = settings.ANALYTICS_SECONDS = 0.05


@asynccontextmanager
async def running() -> AsyncIterator[AnalyticsProcess]:
    process = AnalyticsProcess()
    task = asyncio.create_task(process.run())
    try:
        yield process
    finally:
        process.stop()
        async with asyncio.timeout(DEADLINE_SECONDS):
            await task


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.02)


def state(redis) -> str | None:
    status = read_status(redis)
    return status["state"] if status else None


async def test_it_says_that_it_lives_and_that_it_was_stopped(redis):
    assert not await asyncio.to_thread(health.analytics)
    async with running():
        await until(health.analytics)
    assert state(redis) == "STOPPED"


async def test_a_second_one_waits_until_the_first_has_gone(redis):
    async with running() as first:
        await until(lambda: first.session)
        async with running() as second:
            await until(lambda: read_status(redis))
            assert second.session is None
            first.stop()
            await until(lambda: second.session)
            assert second.session.epoch == first.session.epoch + 1


async def test_who_loses_the_lease_steps_down(redis):
    async with running() as process:
        await until(lambda: process.session)
        first = process.session
        await asyncio.to_thread(take_over)
        await until(lambda: process.session is not first)
        assert process.session.epoch == first.epoch + 2


def take_over() -> None:
    """Another process's lease, from the moment that this one's is given away, and over at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE feeds_lease SET holder = 'elsewhere 1 1', epoch = epoch + 1, expires_at = clock_timestamp()"
            " WHERE name = %s",
            [LEASE],
        )
    connection.close()
