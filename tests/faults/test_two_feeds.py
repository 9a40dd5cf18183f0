"""Two feed processes at once (F16): the one that was stopped and goes on finds its epoch over."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest

from feeds import bus
from tests.faults.children import Managed, managing
from tests.faults.market import ACCOUNT, Market, a_market, contracts
from tests.faults.pace import paced

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


@paced(0.1)
async def test_f16_a_leader_stopped_for_half_a_minute_is_replaced_and_its_publishes_are_refused_when_it_goes_on(
    pace, redis
):
    async with a_market(pace, redis) as market, messages(market) as (heard, statuses):
        codes = contracts(market.simulator, 200)
        await market.want(codes)
        with managing("runfeed", "--account", ACCOUNT) as leader:
            await pace.until(lambda: market.status().get("epoch") == 1 and market.is_believed(codes), "the first live")
            with managing("runfeed", "--account", ACCOUNT) as other:
                await pace.until(lambda: "waits, as another process feeds it" in other.log, "the second waits")
                assert market.status()["epoch"] == 1
                await stop_until_replaced(market, leader, codes)
                leader.send(signal.SIGCONT)
                await market.within(10, lambda: "epoch 1 has ended" in leader.log, "F16 the old leader gives up")
                await pace.throughout(5, lambda: market.status()["epoch"] == 2, "F16 the epoch stays")
                await market.within(90, lambda: market.is_believed(codes), "F16 all believed under the new epoch")
                assert market.subscribed() == codes
    epochs = [epoch for epoch, _ in heard]
    assert epochs == sorted(epochs)
    assert statuses == sorted(statuses)
    assert set(epochs) == {1, 2}
    for epoch in (1, 2):
        sequences = [sequence for one, sequence in heard if one == epoch]
        assert sequences == sorted(set(sequences))


async def stop_until_replaced(market: Market, leader: Managed, codes: list[int]) -> None:
    """SIGSTOP: its sockets and its lease stay until their time is over."""
    leader.send(signal.SIGSTOP)
    await market.within(10, lambda: market.status().get("epoch") == 2, "F16 the other has taken over")
    await market.within(90, lambda: market.is_believed(codes), "F16 all believed")
    await market.pace.throughout(30, lambda: market.status()["epoch"] == 2, "F16 the leader stays stopped")


@asynccontextmanager
async def messages(market: Market) -> AsyncIterator[tuple[list[tuple[int, int]], list[int]]]:
    """(epoch, sequence) of every batch, and the epoch of every status, as Redis passes them on."""
    heard: list[tuple[int, int]] = []
    statuses: list[int] = []
    connection = bus.async_redis()
    channel = connection.pubsub(ignore_subscribe_messages=True)
    ticks, status = f"ticks.{market.account.pk}", f"status.{market.account.pk}"
    await channel.subscribe(ticks, status)

    async def read() -> None:
        while True:
            message = await channel.get_message(timeout=1.0)
            if message and message["channel"] == ticks.encode():
                batch = bus.unpack_batch(message["data"])
                heard.append((batch.epoch, batch.sequence))
            elif message:
                statuses.append(orjson.loads(message["data"])["epoch"])

    task = asyncio.create_task(read())
    try:
        yield heard, statuses
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await channel.aclose()
        await connection.aclose()
