"""Values that are sent once (F17): a reader that comes later has them, and so has the feed that is started anew."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from feeds import bus
from feeds.core.instrument import ExchangeSegment
from feeds.simulator.switches import Unconfirmed
from tests.faults.market import Market, a_market, contracts
from tests.faults.pace import paced

pytestmark = pytest.mark.django_db(transaction=True)


@paced(0.1)
async def test_f17_previous_closes_and_open_interest_reach_readers_that_come_later_and_outlive_the_feed(pace, redis):
    async with a_market(pace, redis) as market:
        indices = contracts(market.simulator, 5, ExchangeSegment.IDX_I)
        options = contracts(market.simulator, 50)
        codes = sorted(indices + options)
        await market.want(codes)
        async with market.feeding():
            await market.within(60, lambda: market.is_believed(codes), "F17 live")
            # The close of an index comes once, with its subscription; packets after it say zero.
            await until_all_ticked_again(market, codes)
            before = await a_late_reader()
            assert all(before[code]["previous_close"] for code in codes)
            assert all(before[code]["open_interest"] for code in options)
        market.simulator.pump.switches = Unconfirmed(previous_close_for="nobody")
        async with market.feeding():
            await market.within(60, lambda: market.is_believed(codes), "F17 live again, and no previous close was sent")
            await until_all_ticked_again(market, codes)
            after = await a_late_reader()
        for code in codes:
            assert after[code]["previous_close"] == before[code]["previous_close"]
        assert all(after[code]["open_interest"] for code in options)


async def until_all_ticked_again(market: Market, codes: list[int]) -> None:
    received = {code: int(row["received_at"]) for code, row in market.board().items()}
    await market.pace.until(
        lambda: all(int(row["received_at"]) > received[code] for code, row in market.board().items()), "newer packets"
    )
    assert received.keys() == set(codes)


async def a_late_reader() -> dict[int, np.void]:
    """What somebody who subscribes to the bus only now is given first."""
    connection = bus.async_redis()
    try:
        async with asyncio.timeout(10):
            async for event in bus.TickSubscriber(connection):
                if isinstance(event, bus.Snapshot):
                    return {int(row["code"]): row for row in event.rows}
    finally:
        await connection.aclose()
    raise AssertionError("the bus has ended")
