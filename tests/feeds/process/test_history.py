"""A chart's missing pages, from the list in Redis to Dhan (the simulator) and back to where charts look."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from redis import Redis

from feeds import clock, history
from feeds.bus import async_redis
from feeds.core.history import Interval, Page
from feeds.core.instrument import InstrumentKey
from feeds.dhan.governor import Credentials
from feeds.history import Wanted
from feeds.process.history import History
from feeds.simulator.server import Simulator, SimulatorSettings

RELIANCE = InstrumentKey.parse("NSE_EQ.2885")
MONDAY, TUESDAY = date(2026, 2, 2), date(2026, 2, 3)
PAGE = Wanted(Page(RELIANCE, Interval.ONE, MONDAY, TUESDAY), "EQUITY")


@pytest.fixture(autouse=True)
def ten_o_clock(settings) -> None:
    moment = datetime(2026, 2, 3, 10, tzinfo=clock.IST)
    settings.EXCHANGE_CLOCK_OFFSET_SECONDS = moment.timestamp() - clock.wall_now().timestamp()


@pytest.fixture
async def simulator(settings):
    async with Simulator(SimulatorSettings(token="good")) as simulator:
        settings.DHAN_REST_URL = simulator.rest_url
        yield simulator


@pytest.fixture
async def serve(redis: Redis):
    """Serve one page with this token."""
    client, made = async_redis(), []

    async def with_token(token: str) -> None:
        async def credentials() -> Credentials:
            return Credentials("1000000001", token, 1)

        made.append(History(client, credentials))
        await made[-1].serve()

    yield with_token
    for each in made:
        await each.aclose()
    await client.aclose()


async def test_what_is_asked_for_is_there_after_one_turn(simulator: Simulator, serve, redis: Redis) -> None:
    assert history.find([PAGE], 0.0).pending
    await serve("good")
    found = history.find([PAGE], 0.0)
    assert (len(found.bars), found.pending, found.refused) == (375, False, False)
    assert redis.llen(history.WANTED) == 0


async def test_what_dhan_refuses_is_said_and_not_asked_for_again_at_once(
    simulator: Simulator, serve, redis: Redis
) -> None:
    history.find([PAGE], 0.0)
    await serve("expired")
    found = history.find([PAGE], 0.0)
    assert (len(found.bars), found.pending, found.refused) == (0, False, True)
    assert redis.llen(history.WANTED) == 0


async def test_today_s_page_is_asked_for_again_after_a_while_and_the_known_one_stands_meanwhile(
    simulator: Simulator, serve, redis: Redis
) -> None:
    today = Wanted(Page(RELIANCE, Interval.ONE, TUESDAY, date(2026, 2, 4)), "EQUITY")
    history.find([today], 0.0)
    await serve("good")
    assert len(history.find([today], 0.0).bars) == 45
    assert redis.llen(history.WANTED) == 0
    redis.delete(f"{history.page_key(today.page)}.asked")  # its minute is over
    assert len(history.find([today], 0.0).bars) == 45
    assert redis.llen(history.WANTED) == 1
    await serve("expired")
    assert len(history.find([today], 0.0).bars) == 45


async def test_the_list_of_what_is_wanted_is_bounded(redis: Redis) -> None:
    redis.rpush(history.WANTED, *["x"] * history.WANTED_LIMIT)
    assert history.find([PAGE], 0.0).pending
    assert redis.llen(history.WANTED) == history.WANTED_LIMIT
