"""The socket of twenty levels against the simulated Dhan: open only while wanted, back after each end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import numpy as np
import pytest
from pytest_django.fixtures import Settings

from feeds import clock
from feeds.core.instrument import ExchangeSegment
from feeds.dhan.connection import ConnectionTimers
from feeds.dhan.depth_connection import DepthConnection
from feeds.dhan.governor import Credentials, DialRules, DialTimers, Governor
from feeds.simulator.server import Simulator, SimulatorSettings

TOKEN = "depth-token"
DEADLINE_SECONDS = 10.0
MORNING = datetime(2026, 2, 3, 10, tzinfo=clock.IST)
DIAL = DialTimers(
    opening=0.01, spacing=0.01, first=0.005, limit=0.03, throttled=0.2, throttled_limit=0.6, crowded=0.2,
    healthy_after=5.0,
)  # fmt: skip


@pytest.fixture(autouse=True)
def morning(settings: Settings) -> None:
    settings.EXCHANGE_CLOCK_OFFSET_SECONDS = (MORNING - clock.wall_now()).total_seconds()


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(SimulatorSettings(token=TOKEN)) as simulator:
        yield simulator


@asynccontextmanager
async def connected(simulator: Simulator, token: str = TOKEN, silence: float = 5.0) -> AsyncIterator[DepthConnection]:
    async def credentials() -> Credentials:
        return Credentials("1000000001", token, 1)

    timers = ConnectionTimers(ping=5, pong_timeout=5, handshake_timeout=2, silence=silence)
    governor = Governor(credentials, DialRules(DIAL), 0.02)
    connection = DepthConnection(
        5, url=simulator.depth_url, governor=governor, timers=timers, expects_data=lambda: True
    )
    task = asyncio.create_task(connection.run())
    try:
        yield connection
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


def some_codes(simulator: Simulator, count: int) -> list[int]:
    """Options that trade: a silent one has a book too, but not these five levels."""
    codes = simulator.market.codes
    is_option = codes >> np.uint64(32) == ExchangeSegment.NSE_FNO
    return codes[is_option & ~simulator.market.silent][:count].tolist()


def depth_subscriptions(simulator: Simulator) -> list[int]:
    return sorted(code for codes in simulator.depth.wanted.values() for code in codes)


async def test_it_dials_when_a_book_is_wanted_and_not_before(simulator: Simulator) -> None:
    async with connected(simulator) as connection:
        await asyncio.sleep(0)
        assert (connection.connects, simulator.depth.connections) == (0, {})
        (code,) = some_codes(simulator, 1)
        connection.want([code])
        await until(lambda: connection.books.value(code, 0))
        value = connection.books.value(code, 0)
        assert value is not None
        assert (len(value["bids"]), value["source"]) == (20, "TWENTY")
        assert value["asks"][0][0] > value["bids"][0][0]
        assert [level[0] for level in value["bids"]] == sorted((level[0] for level in value["bids"]), reverse=True)


async def test_what_changes_is_asked_for_while_it_is_open(simulator: Simulator) -> None:
    first, second, third = some_codes(simulator, 3)
    async with connected(simulator) as connection:
        connection.want([first, second])
        await until(lambda: depth_subscriptions(simulator) == sorted([first, second]))
        connection.want([second, third])
        await until(lambda: depth_subscriptions(simulator) == sorted([second, third]))
        await until(lambda: connection.books.value(third, 0))
        assert connection.books.value(first, 0) is None
        connection.want([])
        await until(lambda: depth_subscriptions(simulator) == [])
        assert connection.is_live, "who opens the next book does not wait for a dial"


async def test_it_comes_back_with_all_that_is_wanted(simulator: Simulator) -> None:
    codes = some_codes(simulator, 2)
    async with connected(simulator) as connection:
        connection.want(codes)
        await until(lambda: connection.books.value(codes[0], 0))
        (socket,) = simulator.depth.connections.values()
        simulator.depth.disconnect(socket, 800)
        await until(lambda: connection.connects == 2)
        await until(lambda: depth_subscriptions(simulator) == sorted(codes) and connection.books.value(codes[1], 0))


async def test_a_socket_that_falls_silent_is_given_up(simulator: Simulator) -> None:
    codes = some_codes(simulator, 1)
    async with connected(simulator, silence=0.3) as connection:
        connection.want(codes)
        await until(lambda: connection.books.value(codes[0], 0))
        for socket in simulator.depth.connections.values():
            socket.muted = True
        await until(lambda: connection.connects >= 2)


async def test_more_than_fifty_end_the_socket_at_dhan(simulator: Simulator) -> None:
    async with connected(simulator) as connection:
        connection.want(some_codes(simulator, 51))
        await until(lambda: connection.connects >= 2)
        connection.want(some_codes(simulator, 50))
        await until(lambda: len(depth_subscriptions(simulator)) == 50)


async def test_a_wrong_token_opens_no_book(simulator: Simulator) -> None:
    (code,) = some_codes(simulator, 1)
    async with connected(simulator, token="wrong") as connection:
        connection.want([code])
        await until(lambda: connection.connects == 1 and not connection.is_live)
        assert connection.books.value(code, 0) is None
        assert depth_subscriptions(simulator) == []
