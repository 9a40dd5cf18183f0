"""Two feed processes at once (F16): the one that was stopped and goes on finds its epoch over."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from feeds import bus
from tests.faults.children import Child, managing
from tests.faults.market import ACCOUNT, Market, a_market, contracts
from tests.faults.pace import paced

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


@paced(0.1)
async def test_f16_a_leader_stopped_for_half_a_minute_is_replaced_and_its_publishes_are_refused_when_it_goes_on(
    pace, redis
):
    async with a_market(pace, redis) as market, batches(market) as heard:
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
    assert set(epochs) == {1, 2}
    for epoch in (1, 2):
        sequences = [sequence for one, sequence in heard if one == epoch]
        assert sequences == sorted(set(sequences))


async def stop_until_replaced(market: Market, leader: Child, codes: list[int]) -> None:
    """SIGSTOP: its sockets and its lease stay until their time is over."""
    leader.send(signal.SIGSTOP)
    await market.within(10, lambda: market.status().get("epoch") == 2, "F16 the other has taken over")
    await market.within(90, lambda: market.is_believed(codes), "F16 all believed")
    await market.pace.throughout(30, lambda: market.status()["epoch"] == 2, "F16 the leader stays stopped")


@asynccontextmanager
async def batches(market: Market) -> AsyncIterator[list[tuple[int, int]]]:
    """(epoch, sequence) of every batch on the account's channel, as Redis passes them on."""
    heard: list[tuple[int, int]] = []
    connection = bus.async_redis()
    channel = connection.pubsub(ignore_subscribe_messages=True)
    await channel.subscribe(f"ticks.{market.account.pk}")

    async def read() -> None:
        while True:
            if message := await channel.get_message(timeout=1.0):
                batch = bus.unpack_batch(message["data"])
                heard.append((batch.epoch, batch.sequence))

    task = asyncio.create_task(read())
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await channel.aclose()
        await connection.aclose()
