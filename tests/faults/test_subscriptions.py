"""Faults of subscribing (F07, F12, F13): limits never breached, requests not acted on, interest that never rests."""

from __future__ import annotations

import asyncio
import random

import pytest

from feeds.core.subscriptions import Action, Mode, Planner, Step, SubscriptionClass
from feeds.core.tick import TickFlag
from feeds.dhan import wire
from feeds.simulator.subscriptions import Subscriptions, parse_request
from feeds.simulator.switches import Limits, Unconfirmed
from tests.faults.market import Market, a_market, contracts
from tests.faults.pace import FULL_TIMEOUT_SECONDS, paced, seeded

pytestmark = pytest.mark.django_db(transaction=True)

FULL_TIMEOUT = pytest.mark.timeout(FULL_TIMEOUT_SECONDS)
FEED_MODES = {Mode.FULL: wire.FeedMode.FULL, Mode.QUOTE: wire.FeedMode.QUOTE}


@pytest.mark.parametrize("operations", [1_000, pytest.param(100_000, marks=[pytest.mark.soak, FULL_TIMEOUT])])
def test_f07_whatever_is_wanted_the_simulators_own_count_never_finds_a_breach(operations, say):
    planner, dice = Planner(), random.Random(operations)
    dhan = [Subscriptions(Limits(), Unconfirmed()) for _ in range(5)]
    largest, refusals = 0, 0
    for operation in range(operations):
        # A thousand owners want up to 100,000 together, four times what fits.
        owner, size = dice.randrange(1000), dice.choice((0, 42, 100, 100))
        first = 1 + 100 * owner
        klass = dice.choice((SubscriptionClass.TIER_A, SubscriptionClass.TIER_A, SubscriptionClass.TIER_B))
        planner.want(owner, [2 << 32 | code for code in range(first, first + size)], klass)
        if operation % 500 == 499:
            lost = dice.randrange(5)
            dhan[lost] = Subscriptions(Limits(), Unconfirmed())
            planner.forget(lost)
        plan = planner.plan()
        refusals += plan.refusal is not None
        for step in plan.steps:
            largest = max(largest, carried_out(step, dhan[step.connection]))
    say(f"F07 {operations} operations, largest message {largest}, refused {refusals}, loads {[d.count for d in dhan]}")
    assert refusals
    assert largest <= 100
    assert max(held.largest for held in dhan) <= 5000
    assert [sorted(held.modes) for held in dhan] == [planner.desired(index) for index in range(5)]


def carried_out(step: Step, held: Subscriptions) -> int:
    """Write a step as its messages and let the simulator judge each; returns the largest one's size."""
    messages = wire.subscribe_messages if step.action is Action.SUBSCRIBE else wire.unsubscribe_messages
    largest = 0
    for message in messages({FEED_MODES[step.mode]: step.codes}):
        request = parse_request(message)
        assert held.breach(request) is None
        held.apply(request)
        largest = max(largest, len(request.codes))
    return largest


@paced(0.1)
async def test_f12_three_batches_that_dhan_ignored_are_found_and_healed(pace, redis):
    async with a_market(pace, redis, instruments=1500) as market:
        codes, dice = market.subscribed(), random.Random(12)
        resent = market.session.audit.resent
        lost: set[int] = set()
        for connection in dice.sample(market.connections, 3):
            mine = set(market.session.subscriptions.desired(connection.index))
            market.cause("ignore_requests", messages=1)
            connection.reconnect()
            await pace.until(lambda: not market.simulator.feed.requests_to_ignore, "a batch ignored")
            await pace.until(lambda mine=mine: len(mine & missing(market, codes)) == 100, "the rest acted on")
            lost |= mine & missing(market, codes)
        pace.say(f"F12 {len(lost)} of {len(codes)} were ignored")
        assert len(lost) == 300
        await market.within(30, lambda: market.subscribed() == codes, "F12 all 300 subscribed")
        await market.within(5, lambda: not market.flagged(TickFlag.STALE) & lost, "F12 and believed")
        assert market.session.audit.resent - resent >= 300
        assert market.session.audit.faults == 0


def missing(market: Market, codes: list[int]) -> set[int]:
    return set(codes) - set(market.subscribed())


@paced(0.1)
async def test_f12_silence_without_trades_is_no_trade_yet_and_not_a_fault(pace, redis):
    async with a_market(pace, redis, silent_share=0.2) as market:
        codes = market.simulator.market.codes
        options = codes[market.simulator.market.instruments["kind"] == 3][:400].tolist()
        silent = set(codes[market.simulator.market.silent].tolist()) & set(options)
        assert 40 < len(silent) < 160
        await market.want(options)
        async with market.feeding():
            await market.within(60, lambda: market.flagged(TickFlag.NO_TRADE_YET) == silent, "F12 no trade yet")
            board = market.board()
            assert all(board[code]["previous_close"] for code in silent)
            assert all(not board[code]["last_price"] for code in silent)
            assert market.session.audit.report() | {"resent": 0} == {
                "waiting": 0, "comparing": 0, "resent": 0, "quiet": len(silent), "missing": 0, "faults": 0,
            }  # fmt: skip
            assert market.reconnects == [0] * 5


@seeded(0.05, short=13, full=range(1, 11))
async def test_f13_however_interest_and_connections_change_dhan_ends_with_exactly_what_is_wanted(pace, redis, seed):
    dice = random.Random(seed)
    async with a_market(pace, redis, instruments=100, rate=6000.0) as market:
        pool = contracts(market.simulator, 3000)
        wanted = {"1": set(pool[:100])}
        for _ in range(60):
            await something_happens(market, dice, pool, wanted)
        desired = sorted(set().union(*wanted.values()))

        await market.within(60, lambda: market.is_believed(desired), "F13 all believed")
        market.pace.say(f"F13 seed {seed}: {len(desired)} instruments, reconnects {market.reconnects}")
        assert sum(market.reconnects) > 0
        assert not market.simulator.feed.breaches
        assert market.simulator.feed.largest_message <= 100


async def something_happens(market: Market, dice: random.Random, pool: list[int], wanted: dict[str, set[int]]) -> None:
    """A watchlist changes, a connection drops, or both; then a moment, or none."""
    if dice.random() < 0.7:
        owner = str(dice.randrange(1, 13))
        wanted[owner] = set(dice.sample(pool, dice.choice((0, 1, 42, 126, 400))))
        await market.want(sorted(wanted[owner]), owner)
    if dice.random() < 0.3 and market.numbers():
        number = dice.choice(market.numbers())
        if dice.random() < 0.5:
            market.cause("reset", connection=number)
        else:
            market.cause("close", connection=number, code=1006)
    await asyncio.sleep(dice.choice((0.0, 0.0, market.pace.real(1.0))))
