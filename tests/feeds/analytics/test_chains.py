"""Chains told by a running analytics process: what the ticks say, to browsers and to REST, and what silence does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import pytest
import pytest_asyncio

from feeds import bus, candles, clock
from feeds.analytics import chains
from feeds.analytics.runtime import AnalyticsProcess
from feeds.core.candles import BAR
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType
from feeds.models import ChainContract, ChainDefinition, ChainState, DailyVolatility, DhanAccount
from feeds.topics import VALUES_CHANNEL, ChainName, ChainTopics
from feeds.volatility import last_figures, store_day
from tests.feeds.market import Feed, in_database, make_chain, make_instrument, row

pytestmark = pytest.mark.django_db(transaction=True)

DEADLINE_SECONDS = 10.0
MORNING = datetime(2026, 2, 3, 10, 0, tzinfo=clock.IST)
TODAY = MORNING.date()
CHAIN = "chain.NSE_FNO.NIFTY.2026-02-24"
PRICES = {49001: 42_000, 49002: 39_000, 49003: 39_500, 49004: 41_500}
"""Calls and puts at 26,000 and 26,050: call and put are nearest at the second strike."""
FUTURE = InstrumentKey(ExchangeSegment.NSE_FNO, 48_000)


@pytest.fixture(autouse=True)
def _quick(settings):
    settings.LEASE_SECONDS, settings.LEASE_RENEW_SECONDS = 2.0, 0.1
    settings.ANALYTICS_SECONDS, settings.IV_RANK_DAYS = 0.05, 2
    settings.EXCHANGE_CLOCK_OFFSET_SECONDS = (MORNING - clock.wall_now()).total_seconds()


class Exchange:
    """A feed with a chain of four options, its heartbeat kept up as a feed process would."""

    def __init__(self, feed: Feed, keys: list[InstrumentKey]) -> None:
        self.feed, self.keys = feed, keys
        self.beats = True

    async def quote(self, prices: dict[int, int], whole: bool = False, **columns: int) -> None:
        rows = [self._row(number, price, **columns) for number, price in prices.items()]
        await self.feed.publish(*rows, whole=whole)

    def _row(self, number: int, price: int, **columns: int) -> np.ndarray:
        told = row(InstrumentKey(ExchangeSegment.NSE_FNO, number), price)
        told["last_traded_at"] = int(clock.exchange_now().timestamp())
        told["depth"]["bid_price"][:, 0], told["depth"]["ask_price"][:, 0] = price - 10, price + 10
        for name, value in columns.items():
            told[name] = value
        return told

    async def beat(self) -> None:
        while True:
            if self.beats:
                await self.feed.publish()
            await asyncio.sleep(0.1)


@pytest_asyncio.fixture
async def exchange(redis) -> AsyncIterator[Exchange]:
    feed = Feed()
    exchange = Exchange(feed, await in_database(make_chain))
    await exchange.quote(PRICES, whole=True, open_interest=650, previous_open_interest=600, previous_close=40_000)
    beating = asyncio.create_task(exchange.beat())
    yield exchange
    beating.cancel()
    await asyncio.wait([beating])
    await feed.close()


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


async def figures_when(condition: Callable[[dict[str, Any]], bool], topic: str = CHAIN) -> dict[str, Any]:
    """What REST has of the chain, once the condition holds."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            found = (await asyncio.to_thread(last_figures, [topic])).get(topic)
            if found and condition(found):
                return found
            await asyncio.sleep(0.02)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


def column(figures: dict[str, Any], name: str) -> list[Any]:
    return [line[figures["columns"].index(name)] for line in figures["rows"]]


async def test_a_chain_of_which_a_contract_is_fed_is_told_whole_and_in_the_topics_order(exchange):
    async with running():
        told = await figures_when(lambda found: found["atm_iv"] is not None)

    topic = await in_database(lambda: ChainTopics().contents(CHAIN))
    assert told["instruments"] == [str(key) for key in topic.instruments[1:]]
    assert (told["model"], told["rate"], told["rate_date"]) == ("BLACK_76", 5.34, "2026-02-04")
    assert (told["forward_source"], told["forward"]) == ("SYNTHETIC", told["synthetic_future"])
    assert told["synthetic_future"] == 2_602_994  # 26,050 + e^(rT) (395.00 - 415.00), T to 15:30 on 24 February
    assert told["years"] == pytest.approx(21.229166 / 365, abs=1e-5)
    assert (told["atm_strike"], told["straddle"], told["max_pain"]) == (2_605_000, 81_000, 2_600_000)
    assert (told["pcr_oi"], told["pcr_volume"]) == (1.0, None)
    assert (told["iv_rank"], told["iv_rank_reason"]) == (None, "NO_HISTORY")
    assert column(told, "oi_change") == [50] * 4
    assert column(told, "build_up") == ["LONG_BUILDUP", "SHORT_BUILDUP", "SHORT_BUILDUP", "LONG_BUILDUP"]
    assert column(told, "iv_reason") == [None] * 4
    assert column(told, "iv")[:2] == [pytest.approx(16.2, abs=0.1)] * 2


async def test_what_is_told_goes_to_the_browsers_of_the_chain_too(exchange, redis):
    with redis.pubsub() as listener:
        listener.subscribe(VALUES_CHANNEL)
        listener.get_message(timeout=DEADLINE_SECONDS)
        async with running():
            message = await asyncio.to_thread(listener.get_message, timeout=DEADLINE_SECONDS)
    kind, body = orjson.loads(message["data"])[CHAIN]
    assert (kind, body["instruments"]) == ("ANALYTICS", [f"NSE_FNO.{number}" for number in PRICES])


async def test_only_what_changed_is_told_again(exchange):
    async with running() as process:
        before = await figures_when(lambda found: found["atm_iv"] is not None)
        counters = process.session.duties[0].counters
        await until(lambda looks=counters["looks"] + 2: counters["looks"] >= looks)
        told = counters["told"]
        await until(lambda looks=counters["looks"] + 3: counters["looks"] >= looks)
        assert counters["told"] == told
        await exchange.quote({49003: 45_000})
        after = await figures_when(lambda found: found["at"] > before["at"])
    assert after["straddle"] == 86_500


async def test_a_future_of_that_expiry_is_the_forward_once_it_is_fed(exchange):
    listed = {"instrument_type": InstrumentType.FUTIDX, "underlying_symbol": "NIFTY", "expiry": date(2026, 2, 24)}
    await in_database(lambda: make_instrument(FUTURE, "NIFTY-FUT", **listed))
    async with running():
        await figures_when(lambda found: found["forward_source"] == "SYNTHETIC")
        await exchange.quote({FUTURE.security_id: 2_610_000})
        told = await figures_when(lambda found: found["forward_source"] == "FUTURE")
    assert (told["forward"], told["synthetic_future"]) == (2_610_000, 2_602_994)


async def test_prices_of_a_feed_that_fell_silent_are_stale_until_it_speaks_again(exchange, monkeypatch):
    monkeypatch.setattr(chains, "SILENT_SECONDS", 0.5)
    async with running():
        await figures_when(lambda found: found["atm_iv"] is not None)
        exchange.beats = False
        silent = await figures_when(lambda found: found["atm_iv"] is None)
        exchange.beats = True
        again = await figures_when(lambda found: found["atm_iv"] is not None)
    assert column(silent, "iv_reason") == ["NO_FORWARD"] * 4
    assert column(silent, "oi_change") == [50] * 4, "what was held is still what is known"
    assert again["straddle"] == 81_000


async def test_an_always_on_chain_shows_its_window_and_moves_with_it(exchange):
    definition = await in_database(lambda: resolve(exchange.keys[1:3]))
    async with running():
        told = await figures_when(lambda found: len(found["rows"]) == 2)
        assert told["instruments"] == ["NSE_FNO.49001", "NSE_FNO.49002"]
        await in_database(lambda: add_contracts(definition, exchange.keys[3:]))
        await exchange.quote(PRICES)
        told = await figures_when(lambda found: len(found["rows"]) == 4)
    assert (told["first_strike"], told["last_strike"]) == (2_600_000, 2_605_000)


def resolve(keys: list[InstrumentKey]) -> ChainDefinition:
    account = DhanAccount.objects.create(name="one", client_id="1000000001")
    definition = ChainDefinition.objects.create(
        underlying_symbol="NIFTY", segment=ExchangeSegment.NSE_FNO, account=account
    )
    ChainState.objects.create(definition=definition, trading_date=TODAY)
    add_contracts(definition, keys)
    return definition


def add_contracts(definition: ChainDefinition, keys: list[InstrumentKey]) -> None:
    for key in keys:
        rank, is_put = divmod(key.security_id - 49_001, 2)
        ChainContract.objects.create(
            definition=definition,
            instrument_id=key.code,
            expiry=date(2026, 2, 24),
            strike=2_600_000 + 5_000 * rank,
            option_type="PUT" if is_put else "CALL",
            rank=rank,
        )
    definition.state.save()


async def test_a_day_that_closes_is_kept_and_a_year_of_them_gives_the_rank(exchange):
    def past() -> None:
        for day, volatility in ((date(2026, 1, 30), 10.0), (date(2026, 2, 2), 20.0)):
            DailyVolatility.objects.create(
                segment=ExchangeSegment.NSE_FNO, underlying_symbol="NIFTY", day=day, expiry=day, volatility=volatility
            )

    await in_database(past)
    async with running():
        told = await figures_when(lambda found: found["atm_iv"] is not None)
    assert told["iv_rank"] == pytest.approx(10 * (told["atm_iv"] - 10), abs=0.06)

    for _ in range(2):
        assert await in_database(lambda: store_day(TODAY, (ExchangeSegment.NSE_FNO,))) == {"stored": 1}
    assert await in_database(lambda: store_day(TODAY, (ExchangeSegment.MCX_COMM,))) == {"stored": 0}
    kept = await in_database(lambda: DailyVolatility.objects.get(day=TODAY))
    assert (kept.volatility, kept.expiry) == (told["atm_iv"], date(2026, 2, 24))


async def test_chains_that_expired_are_forgotten(exchange, redis):
    old = ChainName(ExchangeSegment.NSE_FNO, "NIFTY", date(2026, 1, 27))
    await asyncio.to_thread(redis.hset, chains.CHAIN_ANALYTICS, str(old), b"{}")
    async with running():
        await figures_when(lambda found: found["atm_iv"] is not None)
    assert list(await asyncio.to_thread(last_figures)) == [CHAIN]


async def test_it_is_rebuilt_from_redis_alone_while_the_feed_only_beats(exchange):
    async with running():
        await figures_when(lambda found: found["atm_iv"] is not None)
    await asyncio.to_thread(bus.blocking_redis().delete, chains.CHAIN_ANALYTICS)
    async with running():
        told = await figures_when(lambda found: found["atm_iv"] is not None)
    assert told["straddle"] == 81_000


async def test_open_interest_that_the_feed_does_not_compare_is_compared_with_the_candles_of_the_day_before(exchange):
    close = datetime(2026, 2, 2, 15, 30, tzinfo=clock.IST)
    await in_database(lambda: write_minute(close - timedelta(minutes=1), {49001: 500, 49002: 650}))
    await exchange.quote(PRICES, open_interest=650, previous_open_interest=0)
    async with running():
        told = await figures_when(lambda found: column(found, "oi_change")[0] is not None)
    assert column(told, "oi_change") == [150, 0, None, None]


async def test_candles_that_ended_long_before_the_close_say_nothing_of_it(exchange):
    noon = datetime(2026, 2, 2, 12, 0, tzinfo=clock.IST)
    await in_database(lambda: write_minute(noon, {49001: 500}))
    await exchange.quote(PRICES, open_interest=650, previous_open_interest=0)
    async with running():
        told = await figures_when(lambda found: found["straddle"] is not None)
    assert column(told, "oi_change") == [None] * 4


def write_minute(start: datetime, interest: dict[int, int]) -> None:
    bars = np.zeros(len(interest), BAR)
    bars["code"] = [InstrumentKey(ExchangeSegment.NSE_FNO, number).code for number in interest]
    bars["start"], bars["open_interest"] = int(start.timestamp()), list(interest.values())
    bars["open"] = bars["high"] = bars["low"] = bars["close"] = 40_000
    candles.write(bars)
