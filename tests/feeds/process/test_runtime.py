"""The feed process against the simulated Dhan, a real Valkey and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from channels.db import database_sync_to_async as in_database
from channels.layers import get_channel_layer

from feeds import bus, clock, interest
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.core.tick import TickFlag
from feeds.credentials import seal
from feeds.interest import Source, declare_interest
from feeds.leases import Holder, LeaseKeeper
from feeds.models import DhanAccount, Lease
from feeds.process.runtime import FeedProcess
from feeds.simulator.server import Simulator, SimulatorSettings
from feeds.simulator.switches import Limits
from terminal.embedded import ValkeyServer, temporary_data

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "canary-token-77"
DEADLINE = 20.0
OPEN = datetime(2026, 2, 3, 10, 0, tzinfo=clock.IST)
EVENING = datetime(2026, 2, 3, 20, 0, tzinfo=clock.IST)


@pytest.fixture(autouse=True)
def _quick(settings):
    """The product's timers, shortened together."""
    settings.EXCHANGE_CLOCK_OFFSET_SECONDS = (OPEN - clock.wall_now()).total_seconds()
    settings.DHAN_QUOTE_SPACING_SECONDS = 0.1
    settings.FEED_FLUSH_SECONDS = 0.02
    settings.FEED_SYNC_SECONDS = 0.2
    for name, seconds in {
        "FEED_DIAL_SPACING": 0.02, "FEED_BACKOFF_FIRST": 0.02, "FEED_BACKOFF_LIMIT": 0.3, "FEED_STALE_AFTER": 0.4,
        "FEED_SILENCE_RECONNECT": 1.5, "FEED_FIRST_PACKET": 0.4, "FEED_INSTRUMENT_STALE": 1.0,
        "FEED_HEALTHY_AFTER": 2.0, "LEASE": 1.0, "LEASE_RENEW": 0.1,
    }.items():  # fmt: skip
        setattr(settings, f"{name}_SECONDS", seconds)


@asynccontextmanager
async def simulated(settings, **options):
    """A Dhan on loopback, and the settings that point at it."""
    options = {"token": TOKEN, "rate": 2000.0, "instrument_rate": 0.0} | options
    async with Simulator(SimulatorSettings(limits=Limits(quotes_per_second=100.0), **options)) as simulator:
        settings.DHAN_FEED_URL, settings.DHAN_REST_URL = simulator.feed_url, simulator.rest_url
        yield simulator


def make_account(token: str = TOKEN) -> DhanAccount:
    account = DhanAccount.objects.create(name="demo", client_id="1000000001")
    seal(account, "access_token", token)
    account.save()
    return account


@asynccontextmanager
async def running_feed():
    """A feed process as a task, stopped and awaited in the end."""
    process = FeedProcess("demo")
    task = asyncio.create_task(process.run())
    try:
        yield process
    finally:
        process.stop()
        async with asyncio.timeout(DEADLINE):
            await task


async def until(condition: Callable[[], object], what: str) -> None:
    try:
        async with asyncio.timeout(DEADLINE):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"never came: {what}")


def some_codes(simulator: Simulator, count: int, segment: ExchangeSegment = ExchangeSegment.NSE_FNO) -> list[int]:
    codes = simulator.market.codes
    return codes[codes >> np.uint64(32) == segment][:count].tolist()


async def want(codes: list[int], owner: str = "1", source: str = Source.WATCHLIST) -> None:
    await in_database(declare_interest)(source, owner, [InstrumentKey.from_code(code) for code in codes])


def board_of(redis, account: DhanAccount) -> dict[int, np.void]:
    return {int(row["code"]): row for row in bus.rows_of(redis.hvals(bus.board_key(account.pk)))}


def status_of(redis, account: DhanAccount) -> dict:
    return json.loads(redis.get(bus.status_key(account.pk)) or b"{}")


def subscribed(simulator: Simulator) -> list[int]:
    return sorted(code for connection in simulator.feed.connections.values() for code in connection.subscriptions.modes)


def stale_codes(redis, account: DhanAccount) -> set[int]:
    return {code for code, row in board_of(redis, account).items() if row["flags"] & TickFlag.STALE}


def is_all_live(redis, account, codes) -> bool:
    board = board_of(redis, account)
    doubts = TickFlag.STALE | TickFlag.SEEDED
    return all(code in board and board[code]["last_price"] and not board[code]["flags"] & doubts for code in codes)


async def test_what_is_wanted_reaches_the_bus_and_what_is_not_leaves_dhan(redis, settings):
    account = await in_database(make_account)()
    async with simulated(settings) as simulator:
        codes = some_codes(simulator, 300)
        await want(codes)
        async with running_feed() as process:
            await until(lambda: is_all_live(redis, account, codes), "every instrument live on the bus")
            assert subscribed(simulator) == codes
            assert sorted(len(connection.subscribed) for connection in process.session.connections) == [60] * 5
            await until(lambda: status_of(redis, account).get("state") == "LIVE", "a live status")
            status = status_of(redis, account)
            assert (status["tier_a"], status["tier_b"], status["capacity"]) == (300, 0, 25_000)
            assert status["sync_seconds_max"] < 5
            await want(codes[:100])
            await until(lambda: subscribed(simulator) == codes[:100], "200 unsubscribed")
            assert len(board_of(redis, account)) == 300
            given_up = set(codes[100:])
            await until(lambda: stale_codes(redis, account) == given_up, "what nobody feeds marked")
        assert not simulator.feed.breaches
        assert not simulator.feed.connections
    assert status_of(redis, account)["state"] == "STOPPED"
    assert LeaseKeeper(f"feed.{account.pk}").name


async def test_the_bus_agrees_with_what_dhan_sent_last(redis, settings):
    account = await in_database(make_account)()
    async with simulated(settings) as simulator:
        codes = some_codes(simulator, 100)
        await want(codes)
        async with running_feed():
            await until(lambda: is_all_live(redis, account, codes), "live")
            simulator.pump.rate = 0.0
            sent = {
                int(row["segment"]) << 32 | int(row["security_id"]): row for row in simulator.packets_sent()
            }  # fmt: skip

            def agrees() -> bool:
                board = board_of(redis, account)
                return all(board[code]["volume"] == sent[code]["volume"] for code in codes)

            await until(agrees, "the same volumes")
            for code, row in board_of(redis, account).items():
                assert row["last_price"] == round(float(sent[code]["last_price"]) * 100)
                assert row["depth"]["bid_quantity"].tolist() == sent[code]["depth"]["bid_quantity"].tolist()


async def test_a_nudge_syncs_at_once(redis, settings):
    settings.FEED_SYNC_SECONDS = 60.0
    account = await in_database(make_account)()
    async with simulated(settings) as simulator, running_feed() as process:
        await until(lambda: process.session and all(c.is_live for c in process.session.connections), "connected")
        codes = some_codes(simulator, 42)
        await want(codes)
        await in_database(interest.nudge)(account.pk)
        await until(lambda: subscribed(simulator) == codes, "subscribed long before the next sync")


async def test_sync_is_measured_from_the_commit_within_this_reign(redis, settings):
    await in_database(make_account)()
    async with simulated(settings), running_feed() as process:
        await until(lambda: process.session and process.session.connections[0].is_live, "reigning")
        session, now = process.session, clock.wall_nanoseconds()
        session._began_at = clock.monotonic() - 5.0
        ago = [clock.monotonic() - session._committed_at(now - seconds * 10**9) for seconds in (-60, 0, 2, 60)]
        assert [round(seconds) for seconds in ago] == [0, 0, 2, 5]
        assert clock.monotonic() - session._committed_at(None) < 1


async def test_commands_reconnect_one_connection_only(redis, settings):
    account = await in_database(make_account)()
    async with simulated(settings) as simulator:
        codes = some_codes(simulator, 50)
        await want(codes)
        async with running_feed() as process:
            await until(lambda: is_all_live(redis, account, codes), "live")
            await get_channel_layer().send(f"feed-{account.pk}", {"type": "reconnect", "connection": 2})
            await get_channel_layer().send(f"feed-{account.pk}", {"type": "no such command"})
            await until(lambda: process.session.connections[2].reconnects == 1, "a new socket")
            await until(lambda: is_all_live(redis, account, codes) and subscribed(simulator) == codes, "healed")
            assert [connection.reconnects for connection in process.session.connections] == [0, 0, 1, 0, 0]


async def test_nothing_is_expected_of_subscriptions_whose_socket_is_gone(redis, settings):
    await in_database(make_account)()
    async with simulated(settings) as simulator:
        simulator.feed.requests_to_ignore = 1000
        codes = some_codes(simulator, 50)
        await want(codes)
        async with running_feed() as process:
            await until(lambda: process.session and process.session.audit.pending() == set(codes), "all wait")
            simulator.feed.throttled_until = float("inf")
            for connection in list(simulator.feed.connections.values()):
                connection.reset()
            await until(lambda: not process.session.audit.pending(), "none waits")
            assert process.session.audit.report()["faults"] == 0


async def test_a_second_feed_waits_and_takes_over_when_the_first_stops(redis, settings):
    account = await in_database(make_account)()
    async with simulated(settings) as simulator:
        codes = some_codes(simulator, 20)
        await want(codes)
        async with running_feed() as second:
            await until(lambda: second.session, "a first epoch")
            async with running_feed() as third:
                await until(lambda: is_all_live(redis, account, codes), "live")
                await asyncio.sleep(0.3)
                assert third.session is None
                second.stop()
                await until(lambda: third.session, "the other takes over")
                await until(lambda: status_of(redis, account).get("epoch") == third.session.epoch, "its status")
                assert third.session.epoch > second.session.epoch
                await until(lambda: subscribed(simulator) == codes, "subscribed again")


def take_lease_by_force(name: str) -> None:
    Lease.objects.filter(name=name).update(expires_at=clock.wall_now())
    assert LeaseKeeper(name, Holder("elsewhere", 1, 1)).acquire()


async def test_a_feed_that_lost_its_lease_drops_its_sockets_and_waits(redis, settings):
    account = await in_database(make_account)()
    async with simulated(settings) as simulator:
        await want(some_codes(simulator, 20))
        async with running_feed() as process:
            await until(lambda: len(simulator.feed.connections) == 5, "connected")
            first = process.session
            await in_database(take_lease_by_force)(f"feed.{account.pk}")
            await until(lambda: not simulator.feed.connections, "sockets dropped")
            await until(lambda: process.session is not first, "reigning again when the thief was gone")
            assert process.session.epoch == first.epoch + 2


async def test_a_feed_fenced_on_the_bus_stops_publishing(redis, settings):
    account = await in_database(make_account)()
    async with simulated(settings) as simulator:
        await want(some_codes(simulator, 20))
        async with running_feed() as process:
            await until(lambda: len(simulator.feed.connections) == 5, "connected")
            first = process.session
            connection = bus.async_redis()
            usurper = bus.TickPublisher(connection, account.pk, first.epoch + 1)
            await usurper.publish(np.zeros(0, bus.TICK), 0, 1, whole=True)
            await until(lambda: not simulator.feed.connections, "sockets dropped")
            await until(lambda: process.session is not first, "a higher epoch")
            await connection.aclose()


async def test_values_of_the_last_run_are_there_at_once_and_marked(redis, settings):
    account = await in_database(make_account)()
    async with simulated(settings) as simulator:
        codes = some_codes(simulator, 30)
        await want(codes)
        async with running_feed():
            await until(lambda: is_all_live(redis, account, codes), "live")
        before = board_of(redis, account)
        simulator.pump.rate = 0.0
        simulator.feed.credentials.roll("nobody knows this one")
        async with running_feed() as process:
            seeded = TickFlag.SEEDED | TickFlag.STALE
            await until(
                lambda: all(row["flags"] & seeded == seeded for row in board_of(redis, account).values()), "marked"
            )
            rows = process.session.board.rows(codes)
        for row in rows:
            for field in ("last_price", "previous_close", "open_interest", "volume"):
                assert row[field] == before[int(row["code"])][field]


async def test_a_newer_token_in_the_database_is_dialled_with(redis, settings):
    account = await in_database(make_account)("an old token")

    def renew() -> None:
        seal(account, "access_token", TOKEN)
        account.credential_version += 1
        account.save()

    async with simulated(settings) as simulator, running_feed() as process:
        await until(lambda: process.session and "BLOCKED" in {c.state for c in process.session.connections}, "refused")
        dials = process.session.governor.dials
        await asyncio.sleep(0.5)
        assert process.session.governor.dials == dials
        await in_database(renew)()
        await until(lambda: len(simulator.feed.connections) == 5, "all five live with the new token")


async def test_a_mute_connection_is_stale_then_replaced_and_the_others_are_not_touched(redis, settings):
    account = await in_database(make_account)()
    async with simulated(settings) as simulator:
        codes = some_codes(simulator, 100)
        await want(codes)
        async with running_feed() as process:
            await until(lambda: is_all_live(redis, account, codes), "live")
            muted = min(simulator.feed.connections.values(), key=lambda connection: connection.number)
            mine = sorted(muted.subscriptions.modes)
            muted.muted = True

            def stale() -> list[int]:
                return sorted(code for code, row in board_of(redis, account).items() if row["flags"] & TickFlag.STALE)

            await until(lambda: stale() == mine, "its instruments stale, and no other")
            await until(lambda: process.session.state == "STALE", "the feed as a whole in doubt")
            await until(lambda: not stale() and subscribed(simulator) == codes, "reconnected and believed again")
            assert sorted(c.reconnects for c in process.session.connections) == [0, 0, 0, 0, 1]


async def test_instruments_that_never_trade_are_told_from_those_we_miss(redis, settings):
    account = await in_database(make_account)()
    async with simulated(settings, silent_share=0.3) as simulator:
        codes = some_codes(simulator, 200)
        silent = set(simulator.market.codes[simulator.market.silent].tolist()) & set(codes)
        assert 0 < len(silent) < 200
        await want(codes)
        async with running_feed() as process:
            await until(lambda: len(process.session.audit.quiet) == len(silent) if process.session else 0, "judged")
            assert process.session.audit.quiet == silent
            assert process.session.audit.report()["faults"] == 0

            def marked() -> set[int]:
                board = board_of(redis, account)
                return {code for code, row in board.items() if row["flags"] & TickFlag.NO_TRADE_YET}

            await until(lambda: marked() == silent, "marked NO_TRADE_YET, seeded from the quote")
            assert all(board_of(redis, account)[code]["previous_close"] for code in silent)


async def test_a_closed_market_is_not_stale_and_is_seeded_by_quotes(redis, settings):
    settings.EXCHANGE_CLOCK_OFFSET_SECONDS = (EVENING - clock.wall_now()).total_seconds()
    account = await in_database(make_account)()
    async with simulated(settings, rate=0.0) as simulator:
        codes = some_codes(simulator, 60)
        await want(codes)
        async with running_feed() as process:
            await until(lambda: all(row["last_price"] for row in board_of(redis, account).values()), "seeded")
            await until(lambda: len(board_of(redis, account)) == 60, "all of them")
            assert process.session.audit.report()["resent"] == 0
            await until(lambda: process.session.state == "LIVE", "live though nothing ticks")
            assert all(connection.reconnects == 0 for connection in process.session.connections)


async def test_the_feed_outlives_a_redis_that_dies_and_comes_back_empty(settings, redis):
    with temporary_data() as folder:
        server = ValkeyServer(Path(folder), durable=False)
        server.start()
        settings.REDIS_URL = server.url
        account = await in_database(make_account)()
        try:
            async with simulated(settings) as simulator:
                codes = some_codes(simulator, 50)
                await want(codes)
                async with running_feed() as process:
                    connection = bus.async_redis()

                    async def published() -> int:
                        try:
                            return len([row async for page in bus.board_pages(connection, account.pk) for row in page])
                        except bus.REDIS_ERRORS:
                            return -1

                    async def until_published(count: int) -> None:
                        async with asyncio.timeout(DEADLINE):
                            while await published() != count:
                                await asyncio.sleep(0.02)

                    await until_published(50)
                    server.kill()
                    await until_published(-1)
                    await until(lambda: process.session.flusher.counters["redis_away"] > 2, "noticed")
                    server.start()
                    await until_published(50)
                    assert all(c.reconnects == 0 for c in process.session.connections)
                    await connection.aclose()
        finally:
            server.stop()


async def test_no_log_line_holds_the_token(redis, settings, caplog):
    caplog.set_level(logging.DEBUG)
    account = await in_database(make_account)()
    async with simulated(settings, silent_share=0.3) as simulator:
        await want(some_codes(simulator, 30))
        async with running_feed() as process:
            await until(lambda: process.session and process.session.comparer.counters["quotes"], "quotes asked for")
            simulator.feed.credentials.roll("another")
            for connection in process.session.connections:
                connection.reconnect()
            await until(lambda: "BLOCKED" in {c.state for c in process.session.connections}, "refused")
    assert account.client_id
    assert TOKEN not in caplog.text
