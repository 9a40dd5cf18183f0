"""Books open on screens: told by the feed process, twenty levels where there are any and else its own five."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from channels.db import database_sync_to_async as in_database
from pytest_django.fixtures import Settings
from redis import Redis
from redis.client import PubSub

from feeds import bus, clock
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.credentials import seal
from feeds.depth import OPEN, keep_open, open_books
from feeds.interest import Source, declare_interest
from feeds.models import DhanAccount
from feeds.process.depth import with_twenty
from feeds.process.runtime import FeedProcess
from feeds.simulator.server import Simulator, SimulatorSettings
from feeds.simulator.switches import Limits
from feeds.topics import VALUES_CHANNEL, contents_of
from tests.feeds.market import make_chain

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "depth-token"
DEADLINE_SECONDS = 20.0
MORNING = datetime(2026, 2, 3, 10, tzinfo=clock.IST)


@pytest.fixture(autouse=True)
def quick(settings: Settings) -> None:
    settings.EXCHANGE_CLOCK_OFFSET_SECONDS = (MORNING - clock.wall_now()).total_seconds()
    settings.FEED_FLUSH_SECONDS, settings.FEED_SYNC_SECONDS = 0.02, 0.2
    settings.FEED_CONNECTIONS, settings.FEED_INSTRUMENTS_TOTAL = 2, 10_000
    settings.FEED_OPENING_SPACING_SECONDS = settings.FEED_DIAL_SPACING_SECONDS = 0.02
    settings.FEED_BACKOFF_FIRST_SECONDS, settings.LEASE_RENEW_SECONDS = 0.02, 0.1


@asynccontextmanager
async def feeding(settings: Settings, *, twenty: bool) -> AsyncIterator[tuple[Simulator, int]]:
    """A feed process on the simulated Dhan, with one option that it feeds."""
    settings.DEPTH_TWENTY = twenty
    chosen = SimulatorSettings(token=TOKEN, limits=Limits(quotes_per_second=100.0))
    async with Simulator(chosen) as simulator:
        settings.DHAN_FEED_URL, settings.DHAN_REST_URL = simulator.feed_url, simulator.rest_url
        settings.DHAN_DEPTH_URL = simulator.depth_url
        code = await in_database(want_an_option)(simulator)
        process = FeedProcess("demo")
        task = asyncio.create_task(process.run())
        try:
            yield simulator, code
        finally:
            process.stop()
            async with asyncio.timeout(DEADLINE_SECONDS):
                await task


def want_an_option(simulator: Simulator) -> int:
    account = DhanAccount.objects.create(name="demo", client_id="1000000001")
    seal(account, "access_token", TOKEN)
    account.save()
    codes = simulator.market.codes
    is_option = codes >> np.uint64(32) == ExchangeSegment.NSE_FNO
    code = int(codes[is_option & ~simulator.market.silent][0])
    declare_interest(Source.WATCHLIST, "1", [InstrumentKey.from_code(code)])
    return code


async def told(listener: PubSub, code: int, is_it: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first DEPTH value of the instrument that is like this, while somebody looks at its book."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            await asyncio.to_thread(keep_open, [code])
            message = await asyncio.to_thread(listener.get_message, timeout=0.1)
            values = json.loads(message["data"]) if message else {}
            if found := values.get(f"depth.{InstrumentKey.from_code(code)}"):
                kind, value = found
                assert kind == "DEPTH"
                if is_it(value):
                    return dict(value)


@pytest.fixture
def listener(redis: Redis) -> PubSub:
    listener = redis.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(VALUES_CHANNEL)
    return listener


async def test_without_the_setting_the_feeds_five_levels_are_told(settings: Settings, listener: PubSub) -> None:
    async with feeding(settings, twenty=False) as (simulator, code):
        value = await told(listener, code, lambda value: bool(value["bids"]))
        assert (value["source"], value["levels"], len(value["bids"]), len(value["asks"])) == ("FIVE", 5, 5, 5)
        assert simulator.depth.connections == {}


async def test_with_it_twenty_are_told_and_five_when_they_fall_silent(
    settings: Settings, listener: PubSub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feeds.process.depth.PATIENCE_NANOSECONDS", 10**9)
    async with feeding(settings, twenty=True) as (simulator, code):
        value = await told(listener, code, lambda value: value["source"] == "TWENTY")
        assert (value["levels"], len(value["bids"]), len(value["asks"])) == (20, 20, 20)
        for socket in simulator.depth.connections.values():
            socket.muted = True
        fallen = await told(listener, code, lambda value: value["source"] == "FIVE")
        assert len(fallen["bids"]) == 5


def test_only_shares_and_options_of_nse_have_twenty_and_only_fifty_of_them() -> None:
    def codes(segment: ExchangeSegment, count: int) -> list[int]:
        return [InstrumentKey(segment, number).code for number in range(1, count + 1)]

    assert with_twenty(codes(ExchangeSegment.MCX_COMM, 2) + codes(ExchangeSegment.NSE_EQ, 1)) == codes(
        ExchangeSegment.NSE_EQ, 1
    )
    assert with_twenty(codes(ExchangeSegment.NSE_FNO, 60)) == codes(ExchangeSegment.NSE_FNO, 50)


async def test_a_book_is_open_for_as_long_as_somebody_says_so(redis: Redis) -> None:
    client = bus.async_redis()
    await asyncio.to_thread(keep_open, [7, 8])
    assert sorted(await open_books(client)) == [7, 8]
    redis.zadd(OPEN, {"7": 1.0})
    assert await open_books(client) == [8]
    assert redis.zcard(OPEN) == 1, "what is over is forgotten"
    await client.aclose()


def test_reading_the_topic_says_that_somebody_looks(redis: Redis) -> None:
    key = make_chain()[1]
    name = f"depth.{key}"
    contents = contents_of([name, "depth.NSE_FNO.1", "depth.x"])
    assert list(contents) == [name]
    assert (contents[name].details["instrument"], contents[name].instruments) == (str(key), ())
    assert redis.zrange(OPEN, 0, -1) == [str(key.code).encode()]
