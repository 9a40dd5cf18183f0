"""The index moves, ATM with it, and the chain's windows follow at Dhan within limits that leave no room for more."""

from __future__ import annotations

import asyncio

import pytest
from channels.db import database_sync_to_async as in_database

from feeds.bus import BOARDS, board_key
from feeds.core.tick import TICK
from feeds.models import ChainContract, ChainState
from feeds.services import rebuild_chains
from feeds.simulator.server import Simulator, SimulatorSettings
from feeds.simulator.switches import Limits
from tests.feeds.process.test_runtime import DEADLINE, TOKEN, _quick, make_account, running_feed, subscribed, until
from tests.feeds.test_services import DAY, NIFTY, OF_ONE_NIFTY_CHAIN, define, levels, list_instruments

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("_quick")]
assert _quick

PER_CONNECTION = 127
"""Five of these hold the chain, its reference and four more: a window can only move by giving up first."""
STEPS = 4
STEP = 5_000


def prepare(redis) -> None:
    account = make_account()
    list_instruments("NIFTY")
    define(account, "NIFTY")
    row = bytearray(TICK.itemsize)
    row[:8] = NIFTY.code.to_bytes(8, "little")
    price = TICK.fields["last_price"][1]
    row[price : price + 4] = levels()[NIFTY].to_bytes(4, "little")
    redis.sadd(BOARDS, account.pk)
    redis.hset(board_key(account.pk), bytes(row[:8]), bytes(row))
    rebuild_chains(DAY)


def move_index(simulator: Simulator, paise: int) -> None:
    """From now on NIFTY stands so much higher."""
    market = simulator.market
    place = market.instruments["underlying"][market.codes == NIFTY.code][0]
    market.underlyings = market.underlyings.copy()  # the array is every simulator's of this process
    market.underlyings["level"][place] += paise / 100


def atm() -> int:
    return ChainState.objects.get().atm_strike


def window() -> tuple[set[int], set[int]]:
    """The contracts of the chain with its reference, and the strikes of its nearest expiry."""
    contracts = list(ChainContract.objects.values_list("instrument_id", "expiry", "strike"))
    nearest = min(expiry for _, expiry, _ in contracts)
    strikes = {strike for _, expiry, strike in contracts if expiry == nearest}
    return {code for code, _, _ in contracts} | {NIFTY.code}, strikes


async def test_windows_follow_the_index_and_never_pass_a_limit(redis, settings):
    settings.FEED_INSTRUMENTS_PER_CONNECTION, settings.FEED_INSTRUMENTS_TOTAL = PER_CONNECTION, 5 * PER_CONNECTION
    await in_database(prepare)(redis)
    limits = Limits(quotes_per_second=100.0, instruments_per_connection=PER_CONNECTION)
    async with Simulator(SimulatorSettings(token=TOKEN, rate=4000.0, instrument_rate=0.0, limits=limits)) as simulator:
        settings.DHAN_FEED_URL, settings.DHAN_REST_URL = simulator.feed_url, simulator.rest_url
        async with running_feed():
            await until(lambda: len(subscribed(simulator)) == OF_ONE_NIFTY_CHAIN + 1, "the chain at Dhan")
            centre = await until_centred(simulator)
            for move in (STEPS * STEP, -STEPS * STEP):
                move_index(simulator, move)
                centre = await until_centred(simulator, centre + move)
        assert not simulator.feed.breaches
        assert simulator.feed.largest_connection <= PER_CONNECTION
        assert simulator.feed.largest_total <= 5 * PER_CONNECTION
        assert simulator.feed.largest_message <= 100


async def until_centred(simulator: Simulator, expected: int | None = None) -> int:
    """Until ATM is where the index stands (and is expected), and Dhan carries just its windows; returns ATM."""
    async with asyncio.timeout(DEADLINE):
        while True:
            centre, (codes, strikes) = await in_database(atm)(), await in_database(window)()
            index = float(simulator.pump.last_sent(NIFTY.code)["last_price"]) * 100
            is_there = abs(centre - index) <= STEP and abs(centre - (expected or centre)) <= STEP
            if is_there and set(subscribed(simulator)) == codes:
                ordered = sorted(strikes)
                assert (len(ordered), ordered[10]) == (21, centre)
                return centre
            await asyncio.sleep(0.02)
