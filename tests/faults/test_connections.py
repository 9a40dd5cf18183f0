"""Faults of Dhan's sockets (F01 to F06): half-open, mute, closed, one too many, refused, expired."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise

import pytest
from channels.db import database_sync_to_async as in_database

from feeds.core.tick import TickFlag
from feeds.dhan.governor import Cause
from feeds.simulator.feed import Dial
from tests.faults.market import NEXT_TOKEN, Market, a_market, renew_token
from tests.faults.pace import Pace, paced, seeded

pytestmark = pytest.mark.django_db(transaction=True)

KINDS_OF_CLOSE = (1000, 1001, 1006, 1011, 1012, "reset")
DIALS_TOGETHER = 5
UNEVEN_SECONDS = 0.05


def instruments(pace: Pace) -> int:
    """Full connections in a soak, a tenth of that otherwise."""
    return 25_000 if pace.is_full else 2_500


@paced(0.1)
async def test_f01_a_half_open_connection_is_shown_stale_and_replaced_and_the_other_four_are_not_touched(pace, redis):
    async with a_market(pace, redis, instruments=instruments(pace), rate=0.4 * instruments(pace)) as market:
        oldest = market.numbers()[0]
        lost = market.carried_by(oldest)
        assert len(lost) == instruments(pace) // 5
        hurt = market.connection_of(oldest)
        market.cause("half_open", connection=oldest)
        await market.within(5, lambda: market.flagged(TickFlag.STALE) == lost, "F01 its prices, and no others, stale")
        await market.within(5, lambda: market.status()["state"] == "STALE", "F01 the feed's state stale")
        await market.within(25, lambda: hurt.reconnects == 1, "F01 reconnected")
        await market.within(
            15, lambda: not market.flagged(TickFlag.STALE) and market.live() == 5, "F01 its prices believed again"
        )
        assert sorted(market.reconnects) == [0, 0, 0, 0, 1]
        assert market.carried_by(market.numbers()[-1]) == lost
        assert len(market.subscribed()) == instruments(pace)


@paced(0.1)
async def test_f02_a_connection_that_went_mute_as_the_token_rolled_comes_back_with_the_token_in_the_database(
    pace, redis
):
    async with a_market(pace, redis, instruments=200) as market:
        codes = market.subscribed()
        market.cause("roll_token", token=NEXT_TOKEN, open_feeds="mute")
        await in_database(renew_token)(NEXT_TOKEN)
        await market.within(5, lambda: market.status()["state"] == "STALE", "F02 stale while pings are answered")
        assert market.live() == 5
        await market.within(
            40, lambda: min(market.reconnects) == 1 and market.is_believed(codes), "F02 all five with the new token"
        )
        assert [dial.refused for dial in market.dials()] == [None] * 10


@paced(0.05)
async def test_f03_after_ten_closes_of_each_kind_and_many_of_them_in_a_row_every_connection_is_back(pace, redis):
    async with a_market(pace, redis, instruments=100) as market:
        codes = market.subscribed()
        closes = list(KINDS_OF_CLOSE * 10)
        random.Random(3).shuffle(closes)
        # At full length one connection has thirty in a row; each wait is drawn from up to half a minute.
        cuts = (0, 30, 38, 46, 53, 60) if pace.is_full else (0, 12, 24, 36, 48, 60)
        lanes = [closes[first:last] for first, last in pairwise(cuts)]
        dialled = len(market.dials())
        await asyncio.gather(*(close_again_and_again(market, index, lane) for index, lane in enumerate(lanes)))
        await market.within(
            60, lambda: market.live() == 5 and market.is_believed(codes), "F03 all live after 60 closes"
        )
        assert market.subscribed() == codes
        assert market.reconnects == [len(lane) for lane in lanes]
        assert_spaced(market, market.dials(dialled))
        assert all(connection.last_ending.cause is Cause.LOST for connection in market.connections)


def assert_spaced(market: Market, dials: list[Dial]) -> None:
    """Two seconds from one dial to the next. What comes is looked at over some dials: it arrives unevenly."""
    together = min(DIALS_TOGETHER, len(dials) - 1)
    for first, last in zip(dials, dials[together:], strict=False):
        assert last.at - first.at > together * market.pace.real(2.0) - UNEVEN_SECONDS


async def close_again_and_again(market: Market, index: int, kinds: list[int | str]) -> None:
    """Close one of our connections each time it is back. The wait is bounded by the back-off and its limit."""
    ours = market.connections[index]
    for kind in kinds:
        before = ours.reconnects
        number = next(
            n for n in market.numbers() if market.carried_by(n) == set(market.session.subscriptions.desired(index))
        )
        if kind == "reset":
            market.cause("reset", connection=number, mid_frame=True)
        else:
            market.cause("close", connection=number, code=kind)
        # The limit of the back-off, the queue of five dials, and what a dial takes.
        await market.within(
            45, lambda before=before: ours.reconnects > before and ours.is_live, f"F03 back after {kind}"
        )
        await market.within(
            5, lambda: set(ours.subscribed) in map(market.carried_by, market.numbers()), "F03 subscribed"
        )


@seeded(0.06, short=1, full=range(1, 21))
async def test_f04_a_sixth_connection_beside_a_half_open_one_ends_in_five_after_few_dials(pace, redis, seed):
    async with a_market(pace, redis, instruments=200) as market:
        await one_half_open_until_five_live(market, random.Random(seed))


async def one_half_open_until_five_live(market: Market, chance: random.Random) -> None:
    codes = market.subscribed()
    dialled = len(market.dials())
    dead = chance.choice(market.numbers())
    market.cause("half_open", connection=dead)
    await market.within(
        60,
        lambda: dead not in market.numbers() and market.live() == 5 and market.is_believed(codes),
        "F04 five live",
    )
    dials = market.dials(dialled)
    market.pace.say(f"F04 half-open {dead}: {len(dials)} dials, {list(market.simulator.feed.breaches)}")
    assert len(dials) + 5 <= 12
    assert_spaced(market, dials)
    await market.pace.throughout(
        10, lambda: market.live() == 5 and len(market.dials(dialled)) == len(dials), "F04 calm"
    )
    assert market.subscribed() == codes


@pytest.mark.parametrize("reason", [806, 808, 809, 810])
@paced(0.05)
async def test_f05_what_new_credentials_alone_can_mend_is_not_dialled_before_they_come(pace, redis, reason):
    async with a_market(pace, redis, instruments=50) as market:
        codes = market.subscribed()
        market.cause("disconnect", reason=reason)
        await market.within(5, lambda: {c.state for c in market.connections} == {"BLOCKED"}, f"F05 {reason} blocked")
        dialled = len(market.dials())
        await market.pace.throughout(30, lambda: len(market.dials()) == dialled, f"F05 no dial after {reason}")
        market.cause("roll_token", token=NEXT_TOKEN)
        await in_database(renew_token)(NEXT_TOKEN)
        await market.within(3, lambda: len(market.dials()) == dialled + 1, "F05 one dial with the new token")
        await market.within(20, lambda: market.live() == 5 and market.is_believed(codes), "F05 all live")
        assert len(market.dials()) == dialled + 5
        assert str(reason) in market.connections[0].last_ending.detail


@paced(0.1)
async def test_f06_a_token_that_expires_in_session_keeps_the_last_prices_marked_stale_until_a_new_one_comes(
    pace, redis
):
    async with a_market(pace, redis, instruments=200) as market:
        codes = market.subscribed()
        market.cause("roll_token", token=NEXT_TOKEN, open_feeds="cut")
        market.simulator.pump.rate = 0.0
        await market.within(5, lambda: market.flagged(TickFlag.STALE) == set(codes), "F06 all stale")
        prices = {code: int(row["last_price"]) for code, row in market.board().items()}
        assert all(prices.values())
        await market.within(5, lambda: {c.state for c in market.connections} == {"BLOCKED"}, "F06 no more dials")
        assert market.status()["state"] in {"DOWN", "STALE"}
        dialled = len(market.dials())
        await market.pace.throughout(5, lambda: len(market.dials()) == dialled, "F06 no dial with the expired token")
        assert {code: int(row["last_price"]) for code, row in market.board().items()} == prices
        market.simulator.pump.rate = 3000.0
        await in_database(renew_token)(NEXT_TOKEN)
        await market.within(10, lambda: market.live() == 5 and market.is_believed(codes), "F06 all live again")
