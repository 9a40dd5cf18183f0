"""A running market on loopback for the feed's faults: the simulated Dhan, and the real feed process beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import numpy as np
import orjson
from channels.db import database_sync_to_async as in_database
from django.test import override_settings
from redis import Redis

from feeds import bus, clock
from feeds.core.instrument import SECURITY_ID_BITS, ExchangeSegment, InstrumentKey
from feeds.core.tick import TickFlag
from feeds.credentials import seal
from feeds.dhan.connection import Connection
from feeds.interest import Source, declare_interest
from feeds.models import DhanAccount
from feeds.process.runtime import FeedProcess
from feeds.process.session import FeedSession
from feeds.simulator import faults
from feeds.simulator.feed import Dial
from feeds.simulator.server import Simulator, SimulatorSettings, listed_on
from feeds.simulator.switches import Limits
from tests.faults.pace import Pace

ACCOUNT = "demo"
TOKEN = "the first token"
NEXT_TOKEN = "the token of the next day"
OWNER = "1"
STOP_SECONDS = 20.0
START_SECONDS = 60.0
"""Product seconds until a market must be up: five dials two seconds apart, and first packets for all."""


def make_account(token: str = TOKEN) -> DhanAccount:
    account = DhanAccount.objects.create(name=ACCOUNT, client_id="1000000001")
    seal(account, "access_token", token)
    account.save()
    return account


def renew_token(token: str) -> None:
    """What an operator, or the daily job, does in the database."""
    account = DhanAccount.objects.get(name=ACCOUNT)
    seal(account, "access_token", token)
    account.credential_version += 1
    account.save()


async def want(codes: Sequence[int], owner: str = OWNER) -> None:
    keys = [InstrumentKey.from_code(code) for code in codes]
    await in_database(declare_interest)(Source.WATCHLIST, owner, keys)


def board_of(redis: Redis, account: DhanAccount) -> bus.Rows:
    """Every row that Redis has, ordered by code."""
    rows = bus.rows_of(redis.hvals(bus.board_key(account.pk)))
    return rows[np.argsort(rows["code"])]


def status_of(redis: Redis, account: DhanAccount) -> dict[str, Any]:
    return dict(orjson.loads(redis.get(bus.status_key(account.pk)) or b"{}"))


class Market:
    """The simulator, the feed, and what each of them says. Seconds of `within` are the product's."""

    def __init__(self, pace: Pace, redis: Redis, simulator: Simulator, account: DhanAccount) -> None:
        self.pace = pace
        self.redis = redis
        self.simulator = simulator
        self.account = account
        self.process = FeedProcess(ACCOUNT)

    # --- the feed ---

    @property
    def session(self) -> FeedSession:
        assert self.process.session is not None
        return self.process.session

    @property
    def connections(self) -> list[Connection]:
        return self.session.connections

    @property
    def reconnects(self) -> list[int]:
        return [connection.reconnects for connection in self.connections]

    def live(self) -> int:
        """Connections that are up on both sides."""
        ours = sum(connection.is_live for connection in self.connections) if self.process.session else 0
        return min(ours, len(self.simulator.feed.connections))

    # --- what its readers see ---

    def board(self) -> dict[int, np.void]:
        return {int(row["code"]): row for row in board_of(self.redis, self.account)}

    def row(self, code: int) -> np.void:
        return bus.rows_of([self.redis.hget(bus.board_key(self.account.pk), code.to_bytes(8, "little"))])[0]

    def status(self) -> dict[str, Any]:
        return status_of(self.redis, self.account)

    def flagged(self, flag: TickFlag) -> set[int]:
        rows = board_of(self.redis, self.account)
        return set(rows["code"][rows["flags"] & np.uint32(flag) != 0].tolist())

    def is_believed(self, codes: Sequence[int]) -> bool:
        """Whether all of these have a price that nothing speaks against."""
        rows = board_of(self.redis, self.account)
        doubts = np.uint32(TickFlag.STALE | TickFlag.SEEDED | TickFlag.QUARANTINED)
        good = rows["code"][(rows["last_price"] > 0) & (rows["flags"] & doubts == 0)]
        return bool(np.isin(np.array(codes, np.uint64), good).all())

    # --- Dhan's side ---

    def subscribed(self) -> list[int]:
        """What the simulator has, over all connections; an instrument on two of them is there twice."""
        connections = self.simulator.feed.connections.values()
        return sorted(code for connection in connections for code in connection.subscriptions.modes)

    def numbers(self) -> list[int]:
        """The simulator's numbers of its connections, oldest first."""
        return sorted(self.simulator.feed.connections)

    def carried_by(self, number: int) -> set[int]:
        return set(self.simulator.feed.connections[number].subscriptions.modes)

    def connection_of(self, number: int) -> Connection:
        """Ours that carries what the simulator's has."""
        carried = self.carried_by(number)
        return next(connection for connection in self.connections if connection.subscribed == carried)

    def dials(self, since: int = 0) -> list[Dial]:
        return list(self.simulator.feed.dials)[since:]

    def cause(self, fault: str, **arguments: Any) -> None:
        faults.inject(self.simulator, {"fault": fault, **arguments})

    # --- what is wanted ---

    async def want(self, codes: Sequence[int], owner: str = OWNER) -> None:
        await want(codes, owner)

    async def within(self, seconds: float, condition: Callable[[], object], what: str) -> float:
        return await self.pace.within(seconds, condition, what)

    @asynccontextmanager
    async def feeding(self) -> AsyncIterator[FeedProcess]:
        """A feed process as a task of this loop, stopped and awaited in the end."""
        process = self.process = FeedProcess(ACCOUNT)
        task = asyncio.create_task(process.run())
        try:
            yield process
        finally:
            process.stop()
            async with asyncio.timeout(STOP_SECONDS):
                await task


def contracts(simulator: Simulator, count: int, segment: ExchangeSegment = ExchangeSegment.NSE_FNO) -> list[int]:
    """The first instruments of a segment that trade."""
    codes = simulator.market.codes[~simulator.market.silent]
    return codes[codes >> np.uint64(SECURITY_ID_BITS) == segment][:count].tolist()


def listed_contracts(count: int) -> list[int]:
    """The same of a simulator that is another process."""
    _, instruments, _ = listed_on(clock.exchange_today(), "spec")
    codes = instruments["code"]
    return codes[codes >> np.uint64(SECURITY_ID_BITS) == ExchangeSegment.NSE_FNO][:count].tolist()


def simulator_limits(pace: Pace) -> Limits:
    """Dhan's own timers, shortened like ours."""
    return Limits(
        ping_seconds=pace.real(10.0),
        pong_timeout_seconds=pace.real(40.0),
        quotes_per_second=1.0 if pace.is_full else 100.0,  # shortened, a stall of the machine would be a breach
    )


@contextmanager
def pointed_at(url: str) -> Iterator[None]:
    """The settings that make this simulator Dhan, as `Simulator` names them."""
    master = f"{url}/api-data/api-scrip-master-detailed.csv"
    feed = url.replace("http://", "ws://")
    with override_settings(DHAN_FEED_URL=feed, DHAN_REST_URL=f"{url}/v2", DHAN_MASTER_URL=master):
        yield


@asynccontextmanager
async def a_simulator(pace: Pace, **options: Any) -> AsyncIterator[Simulator]:
    """A Dhan on loopback that the settings point at."""
    chosen = {"token": TOKEN, "rate": 3000.0, "instrument_rate": 0.0, "limits": simulator_limits(pace)} | options
    async with Simulator(SimulatorSettings(**chosen)) as simulator:
        with pointed_at(simulator.url):
            yield simulator


@asynccontextmanager
async def a_market(pace: Pace, redis: Redis, *, instruments: int = 0, **options: Any) -> AsyncIterator[Market]:
    """A simulator and an account, and, when instruments are asked for, a feed that has all of them live."""
    account = await in_database(make_account)()
    async with a_simulator(pace, **options) as simulator:
        market = Market(pace, redis, simulator, account)
        if not instruments:
            yield market
            return
        codes = contracts(simulator, instruments)
        await market.want(codes)
        async with market.feeding():
            await market.within(START_SECONDS, lambda: market.live() == 5 and market.is_believed(codes), "all live")
            await market.within(START_SECONDS, lambda: market.status().get("state") == "LIVE", "and told so")
            yield market
