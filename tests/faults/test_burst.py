"""A burst (F15): many times the usual packets, conflated and never queued. Simulator and feed are processes here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import numpy as np
import pytest
from channels.db import database_sync_to_async as in_database
from redis import Redis

from feeds.core.instrument import SECURITY_ID_BITS
from feeds.models import DhanAccount
from feeds.simulator.control import SimulatorControl
from tests.faults.children import Managed, managing
from tests.faults.market import (
    ACCOUNT,
    TOKEN,
    board_of,
    listed_contracts,
    make_account,
    pointed_at,
    simulator_limits,
    status_of,
    want,
)
from tests.faults.pace import Pace, paced

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

MEBIBYTE = 1 << 20
USUAL_RATE = 5_000
NO_PACKETS_SECONDS = 3_600.0


class Burst(NamedTuple):
    instruments: int
    rate: int
    seconds: float


def size(pace: Pace) -> Burst:
    return Burst(25_000, 100_000, 30.0) if pace.is_full else Burst(2_000, 20_000, 3.0)


@paced(0.2)
async def test_f15_a_burst_is_conflated_costs_no_memory_and_ends_with_every_value_exact(pace, redis):
    burst = size(pace)
    account = await in_database(make_account)()
    async with a_simulator_process(pace) as control:
        await want(listed_contracts(burst.instruments))
        with managing("runfeed", "--account", ACCOUNT) as feed:
            await pace.until(lambda: len(board_of(redis, account)) == burst.instruments, "all on the bus")
            await pace.until(lambda: status_of(redis, account)["state"] == "LIVE", "all live")
            before = await control.state()
            await control.inject("burst", rate=burst.rate, seconds=burst.seconds)
            resident = await memory_during(pace, feed, burst)
            after = await control.state()
            await pace.within(10, lambda: largest_lag(redis, account) < 1000, "F15 lag back under a second")
            await control.inject("burst", rate=0, seconds=NO_PACKETS_SECONDS)
            await is_exact_within(pace, 10, redis, account, control)
            status = status_of(redis, account)
    sent = after["packets_sent"] - before["packets_sent"]
    pace.say(
        f"F15 {sent} packets sent in {burst.seconds:g} s, {after['packets_skipped']} not, "
        f"feed's memory {min(resident) / MEBIBYTE:.1f} to {max(resident) / MEBIBYTE:.1f} MB, all values exact"
    )
    assert sent > 0.7 * burst.rate * burst.seconds
    assert max(resident) - min(resident) < 20 * MEBIBYTE
    assert [connection["reconnects"] for connection in status["connections"]] == [0] * 5


@asynccontextmanager
async def a_simulator_process(pace: Pace) -> AsyncIterator[SimulatorControl]:
    limits = simulator_limits(pace)
    options = [f"--limit={name}={getattr(limits, name)}" for name in ("ping_seconds", "pong_timeout_seconds")]
    with managing("runsimulator", f"--rate={USUAL_RATE}", "--instrument-rate=0", f"--token={TOKEN}", *options) as child:
        await pace.until(lambda: "ready http" in child.log, "the simulator ready")
        url = child.log.split("ready ")[1].split()[0]
        with pointed_at(url):
            async with SimulatorControl(url) as control:
                yield control


async def memory_during(pace: Pace, feed: Managed, burst: Burst) -> list[int]:
    """The feed's resident memory, from the first fifth of the burst to its end."""
    resident: list[int] = []
    pause = burst.seconds / pace.scale
    await pace.throughout(pause * 0.2, lambda: True, "warm")
    await pace.throughout(pause * 0.8, lambda: resident.append(feed.resident_bytes()) is None, "measured")
    return resident


def largest_lag(redis: Redis, account: DhanAccount) -> float:
    """The median lag of the slowest connection in ms; up to 1,000 are the exchange's whole seconds."""
    return max(connection["lag_ms_p50"] or 0 for connection in status_of(redis, account)["connections"])


async def is_exact_within(
    pace: Pace, seconds: float, redis: Redis, account: DhanAccount, control: SimulatorControl
) -> None:
    """The bus holds what was sent last of every instrument."""
    packets = await control.packets_sent()
    codes = packets["segment"].astype(np.uint64) << np.uint64(SECURITY_ID_BITS) | packets["security_id"]
    packets = packets[np.argsort(codes)]

    def agrees() -> bool:
        rows = board_of(redis, account)
        paise = np.rint(packets["last_price"].astype(np.float64) * 100)
        return bool((rows["volume"] == packets["volume"]).all() and (rows["last_price"] == paise).all())

    await pace.within(seconds, agrees, f"F15 {len(packets)} values exact")
