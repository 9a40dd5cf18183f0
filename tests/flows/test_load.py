"""As much as one Dhan account carries: 500 underlyings beside all chains, through planner, feed and simulator."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest
from channels.db import database_sync_to_async as in_database
from django.contrib.auth.models import User
from django.test import override_settings

from feeds import clock
from feeds.core.instrument import InstrumentType
from feeds.interest import CapacityExceeded, capacity
from feeds.models import Instrument
from feeds.process.runtime import FeedProcess
from feeds.simulator.server import Simulator, SimulatorSettings
from feeds.simulator.switches import Limits
from terminal import demo
from watchlists.services import Change, add_items, remove_items

pytestmark = pytest.mark.django_db(transaction=True)

MORNING = datetime(2026, 2, 3, 10, 0, tzinfo=clock.IST)
DEADLINE_SECONDS = 60.0
ITEMS = 500
TIER_B, TIER_B_REFERENCES = 2272, 8


@pytest.fixture(autouse=True)
def morning(settings) -> None:
    settings.EXCHANGE_CLOCK_OFFSET_SECONDS = (MORNING - clock.wall_now()).total_seconds()
    settings.FEED_DIAL_SPACING_SECONDS = 0.05
    settings.FEED_FIRST_PACKET_SECONDS = 120.0  # five connections' first packets share two cores with this test


class Desk:
    """A trader with one watchlist, as the product's own services see it."""

    def __init__(self) -> None:
        self.user = User.objects.get(username="trader")
        stocks = Instrument.objects.filter(segment=1, is_listed=True, instrument_type=InstrumentType.EQUITY)
        optional = set(Instrument.objects.filter(option_type="CALL").values_list("underlying_security_id", flat=True))
        self.stocks = [stock for stock in stocks.order_by("code") if stock.security_id in optional]
        self.watchlist = self.user.watchlists.create(name="load", position=9)

    def add(self, stocks: list[Instrument]) -> Change:
        return add_items(user=self.user, instruments=stocks, watchlist_id=self.watchlist.pk)

    def remove(self, stocks: list[Instrument]) -> Change:
        return remove_items(user=self.user, codes=[stock.code for stock in stocks], watchlist_id=self.watchlist.pk)


@asynccontextmanager
async def the_demo_with_a_feed(data: Path):
    """The product's own demo database, its morning's jobs, a simulator with Dhan's limits, and a feed."""
    token = demo.issue_token(data)
    limits = Limits(ping_seconds=60.0, pong_timeout_seconds=240.0, quotes_per_second=100.0)
    async with Simulator(SimulatorSettings(token=token, rate=2000.0, limits=limits)) as simulator:
        urls = {"DHAN_FEED_URL": simulator.feed_url, "DHAN_REST_URL": simulator.rest_url}
        with override_settings(**urls, DHAN_MASTER_URL=simulator.master_url):
            await in_database(demo.load)(data)
            await in_database(demo.prepare_market)()
            process = FeedProcess(demo.ACCOUNT)
            task = asyncio.create_task(process.run())
            try:
                yield simulator, process
            finally:
                process.stop()
                async with asyncio.timeout(DEADLINE_SECONDS):
                    await task


async def until(condition, what: str) -> None:
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not condition():
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"never came: {what}")


def loads(simulator: Simulator) -> list[int]:
    return sorted(connection.subscriptions.count for connection in simulator.feed.connections.values())


@pytest.mark.parametrize("changes", [20, pytest.param(1_000, marks=[pytest.mark.soak, pytest.mark.timeout(900)])])
async def test_five_hundred_items_beside_all_chains_are_carried_and_what_does_not_fit_is_refused_whole(
    redis, tmp_path, changes
):
    async with the_demo_with_a_feed(tmp_path) as (simulator, process):
        desk = await in_database(Desk)()
        assert len(desk.stocks) > 560
        change = await in_database(desk.add)(desk.stocks[:ITEMS])
        assert (change.subscriptions, change.references) == (21_000, 500)
        assert (change.capacity.tier_b, change.capacity.references) == (TIER_B, TIER_B_REFERENCES + ITEMS)
        used = change.capacity.used
        assert used == TIER_B + TIER_B_REFERENCES + 21_500
        await until(lambda: sum(loads(simulator)) == used, "all subscribed at the simulator")

        fits = change.capacity.free // 43
        await in_database(desk.add)(desk.stocks[ITEMS : ITEMS + fits])
        with pytest.raises(CapacityExceeded) as refused:
            await in_database(desk.add)(desk.stocks[ITEMS + fits : ITEMS + fits + 1])
        assert refused.value.details["additional"] == 43
        assert refused.value.details["free"] == 25_000 - used - 43 * fits
        assert await in_database(desk.watchlist.items.count)() == ITEMS + fits
        await until(lambda: sum(loads(simulator)) == used + 43 * fits, "full at the simulator")

        await added_and_removed(desk, simulator, process, changes)
        feed = simulator.feed
        print(
            f"largest connection {feed.largest_connection}, message {feed.largest_message}, total {feed.largest_total}"
        )
        assert feed.largest_connection <= 5_000
        assert feed.largest_message <= 100
        assert feed.largest_total <= 25_000
        assert not feed.breaches
        assert [connection.reconnects for connection in process.session.connections] == [0] * 5


async def added_and_removed(desk: Desk, simulator: Simulator, process: FeedProcess, changes: int) -> None:
    """Random items leave and come; after each the loads, at the simulator, are within ten of each other."""
    dice = random.Random(4)
    held = list(desk.stocks[:ITEMS])
    out = desk.stocks[ITEMS + 40 :]
    await in_database(desk.remove)(desk.stocks[ITEMS : ITEMS + 40])
    for _ in range(changes):
        if dice.random() < 0.5 and out:
            stock = out.pop(dice.randrange(len(out)))
            held.append(stock)
            try:
                await in_database(desk.add)([stock])
            except CapacityExceeded:
                out.append(held.pop())
        else:
            stock = held.pop(dice.randrange(len(held)))
            out.append(stock)
            await in_database(desk.remove)([stock])
        wanted = (await in_database(capacity)()).total.used
        await until(lambda wanted=wanted: sum(loads(simulator)) == wanted, "Dhan has what is wanted")
        assert loads(simulator)[-1] - loads(simulator)[0] <= 10
