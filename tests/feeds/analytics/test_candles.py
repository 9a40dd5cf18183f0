"""The duty that makes candles, on a real bus, Valkey and PostgreSQL: minutes are written, and no stop loses any."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date, datetime

import numpy as np
import pytest
from django.db import DatabaseError
from redis import Redis

from feeds import candles, clock
from feeds.analytics.candles import Candles, hours_of
from feeds.analytics.duty import Desk
from feeds.bus import Batch, Snapshot, async_redis
from feeds.core.calendar import shipped_calendar
from feeds.core.candles import BarFlag
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.core.tick import TICK
from feeds.offload import Offload
from tests.feeds.market import in_database

pytestmark = pytest.mark.django_db(transaction=True)

OPTION = InstrumentKey(ExchangeSegment.NSE_FNO, 49081)
TUESDAY = date(2026, 2, 3)
DEADLINE_SECONDS = 10.0


class Market:
    """The exchange's clock, which a test sets, and the events that the bus would bring."""

    def __init__(self, settings) -> None:
        self._settings = settings
        self.volume = 0
        self.set(9, 14, 50)

    def set(self, hour: int, minute: int, second: int) -> None:
        self.now = datetime(2026, 2, 3, hour, minute, second, tzinfo=clock.IST)
        self._settings.EXCHANGE_CLOCK_OFFSET_SECONDS = self.now.timestamp() - clock.wall_now().timestamp()

    def row(self, price: int, traded: int = 0) -> np.ndarray:
        rows = np.zeros(1, TICK)
        self.volume += traded
        rows["code"], rows["last_price"], rows["volume"] = OPTION.code, price, self.volume
        rows["last_traded_at"] = int(self.now.timestamp())
        rows["low"] = rows["high"] = price if traded else 0
        return rows

    def trade(self, price: int, traded: int = 75) -> Batch:
        return Batch(1, 1, 1, 0, clock.wall_nanoseconds(), self.row(price, traded))

    def snapshot(self, price: int, gap: bool = False) -> Snapshot:
        return Snapshot(1, 1, 1, clock.wall_nanoseconds(), self.row(price), gap)


@pytest.fixture
def market(settings, redis: Redis) -> Market:
    return Market(settings)


@pytest.fixture(autouse=True)
def _quick(monkeypatch) -> None:
    monkeypatch.setattr("feeds.analytics.candles.SECONDS", 0.02)


@asynccontextmanager
async def running(first: Snapshot) -> AsyncIterator[Candles]:
    """From the moment that it has taken up what another left behind and heard the first snapshot."""
    redis, database = async_redis(), Offload()
    duty = Candles(Desk(1, redis, database))
    duty.take(first)
    task = asyncio.create_task(duty.run())
    try:
        await until(lambda: "restored" in duty.counters)
        yield duty
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        database.close()
        await redis.aclose()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await in_database(condition):
            await asyncio.sleep(0.02)


def written() -> list[tuple[int, ...]]:
    names = ["open", "high", "low", "close", "volume", "flags"]
    return [tuple(row) for row in candles.read(OPTION.code, [TUESDAY])[names].tolist()]


def kept() -> list[int]:
    return candles.recent([OPTION.code])["close"].tolist()


async def test_a_minute_is_kept_while_it_runs_and_written_when_it_is_over(market: Market) -> None:
    async with running(market.snapshot(15_000)) as duty:
        market.set(9, 15, 10)
        duty.take(market.trade(15_100))
        await until(lambda: kept() == [15_100])
        assert await in_database(written) == []
        market.set(9, 15, 30)
        duty.take(market.trade(15_050))
        market.set(9, 16, 5)
        await until(lambda: written() == [(15_100, 15_100, 15_050, 15_050, 150, 0)])
        await until(lambda: duty.counters["written"] == 1)


async def test_who_comes_after_a_kill_goes_on_with_the_minute_and_marks_only_what_it_missed(market: Market) -> None:
    async with running(market.snapshot(15_000)) as duty:
        market.set(9, 15, 10)
        duty.take(market.trade(15_100))
        await until(kept)
    market.set(9, 15, 20)
    market.trade(14_900)  # nobody hears it
    async with running(market.snapshot(14_900)) as duty:
        market.set(9, 15, 40)
        duty.take(market.trade(15_000))
        market.set(9, 16, 10)
        duty.take(market.trade(15_200))
        market.set(9, 17, 5)
        await until(lambda: len(written()) == 2)
        assert await in_database(written) == [
            (15_100, 15_100, 14_900, 15_000, 225, BarFlag.PARTIAL),
            (15_200, 15_200, 15_200, 15_200, 75, 0),
        ]


async def test_a_minute_that_was_over_but_not_written_is_written_by_who_comes_after(market: Market) -> None:
    async with running(market.snapshot(15_000)) as duty:
        market.set(9, 15, 58)
        duty.take(market.trade(15_100))
        market.set(9, 16, 1)
        duty.take(market.trade(15_200))
        await until(lambda: kept() == [15_100, 15_200])
    async with running(market.snapshot(15_200)):
        await until(lambda: [bar[3] for bar in written()] == [15_100])
        market.set(9, 17, 5)
        await until(lambda: [bar[3] for bar in written()] == [15_100, 15_200])


async def test_a_database_that_is_away_delays_candles_and_loses_none(market: Market, monkeypatch) -> None:
    refused = []

    def refuse(bars: np.ndarray) -> int:
        refused.append(len(bars))
        raise DatabaseError("away")

    async with running(market.snapshot(15_000)) as duty:
        with monkeypatch.context() as away:
            away.setattr(candles, "write", refuse)
            for minute in range(15, 18):
                market.set(9, minute, 10)
                duty.take(market.trade(15_000 + minute))
            await until(lambda: refused and refused[-1] == 2)
        market.set(9, 18, 5)
        await until(lambda: [bar[3] for bar in written()] == [15_015, 15_016, 15_017])


async def test_a_gap_on_the_bus_marks_the_minute_and_is_counted(market: Market) -> None:
    async with running(market.snapshot(15_000)) as duty:
        market.set(9, 15, 10)
        duty.take(market.trade(15_100))
        market.trade(15_300)
        duty.take(market.snapshot(15_300, gap=True))
        market.set(9, 16, 5)
        await until(lambda: written() == [(15_100, 15_300, 15_100, 15_300, 150, BarFlag.PARTIAL)])
        assert duty.counters["gaps"] == 1


def test_hours_are_those_of_the_day_and_of_no_closed_segment() -> None:
    republic_day, thursday = date(2026, 1, 26), date(2026, 1, 15)
    assert hours_of(republic_day, shipped_calendar()) == {}
    hours = hours_of(TUESDAY, shipped_calendar())
    opens = datetime(2026, 2, 3, 9, 15, tzinfo=clock.IST).timestamp()
    assert hours[ExchangeSegment.NSE_FNO] == (opens, opens + 375 * 60)
    assert hours[ExchangeSegment.MCX_COMM].opens == opens - 15 * 60
    # Municipal elections: NSE and BSE closed, MCX in the evening.
    assert set(hours_of(thursday, shipped_calendar())) == {ExchangeSegment.MCX_COMM}
