"""The duty against a real Valkey and PostgreSQL: ticks on the bus become facts, once, whatever is restarted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from pytest_django.fixtures import Settings

from alerts import services
from alerts.core.crossing import Column, Direction
from alerts.models import Alert, Firing, UserFact
from feeds import clock
from feeds.analytics.runtime import AnalyticsProcess
from feeds.models import Instrument
from tests.feeds.market import Feed, row

pytestmark = pytest.mark.django_db(transaction=True)

DEADLINE_SECONDS = 10.0


@pytest.fixture(autouse=True)
def quick(settings: Settings) -> None:
    settings.LEASE_SECONDS, settings.LEASE_RENEW_SECONDS = 1.0, 0.05


@pytest.fixture
async def feed() -> AsyncIterator[Feed]:
    feed = Feed()
    yield feed
    await feed.close()


@asynccontextmanager
async def watching(count: int) -> AsyncIterator[AnalyticsProcess]:
    """The analytics process, once it watches so many alerts."""
    process = AnalyticsProcess()
    task = asyncio.create_task(process.run())
    try:
        await until(lambda: watched(process) == count)
        yield process
    finally:
        process.stop()
        async with asyncio.timeout(DEADLINE_SECONDS):
            await task


def watched(process: AnalyticsProcess) -> int | None:
    duties = process.session.duties if process.session else []
    return next((duty.counters.get("watched") for duty in duties if duty.name == "alerts"), None)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await sync_to_async(condition)():
            await asyncio.sleep(0.02)


@sync_to_async
def make(user: User, instrument: Instrument, level: int = 150_000, **values: Any) -> Alert:
    return services.create_alert(
        user=user, instrument=instrument, column=Column.LAST_PRICE, direction=Direction.ABOVE, level=level, **values
    )


def fired() -> list[int]:
    return list(Firing.objects.order_by("pk").values_list("reached", flat=True))


def price(instrument: Instrument, last: int, high: int = 0) -> np.ndarray:
    rows = row(instrument.key, last)
    rows["high"] = rows["low"] = high
    return rows


async def test_a_touch_between_two_batches_is_told(asha: User, reliance: Instrument, feed: Feed) -> None:
    await make(asha, reliance)
    async with watching(1) as process:
        await feed.publish(price(reliance, 149_000), whole=True)
        await until(lambda: process.session and process.session.status()["lag_ms"] is not None)  # it hears this feed
        await feed.publish(price(reliance, 149_500, high=150_005))
        await until(lambda: fired() == [150_005])
    facts = await sync_to_async(lambda: list(UserFact.objects.values_list("kind", flat=True)))()
    assert facts == ["ALERT", "ALERT_FIRED"]


async def test_one_that_is_set_while_it_watches_is_judged_by_the_last_known_price(
    asha: User, reliance: Instrument, feed: Feed
) -> None:
    await feed.publish(price(reliance, 151_000), whole=True)
    async with watching(0):
        await make(asha, reliance)
        await until(lambda: fired() == [151_000])


async def test_after_a_restart_nothing_is_told_twice_and_nothing_is_forgotten(
    asha: User, reliance: Instrument, feed: Feed
) -> None:
    await make(asha, reliance, repeat=True)
    later = await make(asha, reliance, level=160_000)
    async with watching(2):
        await feed.publish(price(reliance, 151_000, high=152_000), whole=True)
        await until(lambda: fired() == [151_000] or fired() == [152_000])
    told = await sync_to_async(fired)()
    async with watching(2):
        await feed.publish(price(reliance, 151_500, high=152_000))
    assert await sync_to_async(fired)() == told, "beyond its level since before the restart"
    await feed.publish(price(reliance, 161_000))
    async with watching(2):
        await until(lambda: Alert.objects.get(pk=later.pk).status == "FIRED")
    assert await sync_to_async(fired)() == [*told, 161_000]


async def test_a_repeating_one_fires_again_after_it_went_back(asha: User, reliance: Instrument, feed: Feed) -> None:
    alert = await make(asha, reliance, repeat=True)
    async with watching(1):
        for number, (beyond, back) in enumerate([(151_000, 149_000), (150_500, 148_000)], start=1):
            await feed.publish(price(reliance, beyond), whole=True)
            await until(lambda count=number: len(fired()) == count)
            await feed.publish(price(reliance, back))
            await until(lambda: Alert.objects.get(pk=alert.pk).armed)
    assert await sync_to_async(fired)() == [151_000, 150_500]


async def test_the_alerts_of_expired_contracts_end(asha: User, options: list[Instrument], settings: Settings) -> None:
    alert = await make(asha, options[0])
    shift = (options[0].expiry - clock.wall_now().date()).days + 2
    settings.EXCHANGE_CLOCK_OFFSET_SECONDS = shift * 86_400
    async with watching(1):
        await until(lambda: Alert.objects.get(pk=alert.pk).status == "EXPIRED")
