"""A running simulator on 2026-02-03 at 10:00 IST, and clients that dial it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pytest
import websockets

from feeds import clock
from feeds.clock import IST
from feeds.core.instrument import InstrumentKey
from feeds.dhan import wire
from feeds.simulator.control import SimulatorControl
from feeds.simulator.server import Simulator, SimulatorSettings
from feeds.simulator.switches import Limits, Unconfirmed

CLIENT_ID = "1000000001"
TOKEN = "first-token"
DEADLINE_SECONDS = 10.0
MORNING = datetime(2026, 2, 3, 10, tzinfo=IST).timestamp()


@pytest.fixture(autouse=True)
def morning(settings):
    """The exchange's clock says 2026-02-03 10:00 IST when a test begins."""
    settings.EXCHANGE_CLOCK_OFFSET_SECONDS = MORNING - clock.wall_now().timestamp()


@pytest.fixture
async def simulators():
    """Start simulators with some settings changed; all are stopped afterwards."""
    started: list[Simulator] = []

    async def start(
        limits: dict[str, Any] | None = None, switches: dict[str, Any] | None = None, **changes: Any
    ) -> Simulator:
        chosen = {"rate": 2000.0, "instrument_rate": 50.0, "token": TOKEN, "client_id": CLIENT_ID} | changes
        simulator = Simulator(
            SimulatorSettings(**chosen, limits=Limits(**(limits or {})), switches=Unconfirmed(**(switches or {})))
        )
        await simulator.start()
        started.append(simulator)
        return simulator

    yield start
    for simulator in started:
        await simulator.stop()


@pytest.fixture
async def simulator(simulators):
    return await simulators()


@pytest.fixture
async def control(simulator):
    async with SimulatorControl(simulator.url) as control:
        yield control


@pytest.fixture
async def dial():
    """Connect clients; all are dropped afterwards."""
    clients: list[Client] = []

    async def connect(simulator: Simulator, **query: str) -> Client:
        client = Client(await websockets.connect(feed_url(simulator, **query), ping_interval=None, max_size=None))
        clients.append(client)
        return client

    yield connect
    for client in clients:
        await client.drop()


def feed_url(simulator: Simulator, **query: str) -> str:
    wanted = {"version": "2", "token": TOKEN, "clientId": CLIENT_ID, "authType": "2"} | query
    return simulator.feed_url + "/?" + "&".join(f"{name}={value}" for name, value in wanted.items() if value)


class Client:
    """A feed client that keeps every message it gets, and how the socket ended."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket
        self.messages: list[bytes | str] = []
        self.close_code: int | None = None
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for message in self.socket:
                self.messages.append(message)
        except websockets.ConnectionClosed:
            pass
        self.close_code = self.socket.close_code

    @property
    def closed(self) -> bool:
        return self._reader.done()

    @property
    def packets(self) -> wire.Packets:
        return wire.decode([message for message in self.messages if isinstance(message, bytes)])

    @property
    def heard_of(self) -> set[str]:
        """The instruments of all Ticker, Quote and Full packets so far."""
        packets = self.packets
        rows = [group.rows for group in (packets.ticker, packets.quote, packets.full)]
        return {
            str(InstrumentKey.from_code(int(segment) << 32 | int(number)))
            for group in rows
            for segment, number in zip(group["segment"], group["security_id"], strict=True)
        }

    async def subscribe(self, *instruments: str, mode: wire.FeedMode | None = None) -> None:
        await self._request(wire.subscribe_messages, instruments, mode)

    async def unsubscribe(self, *instruments: str, mode: wire.FeedMode | None = None) -> None:
        await self._request(wire.unsubscribe_messages, instruments, mode)

    async def _request(self, messages: Any, instruments: tuple[str, ...], mode: wire.FeedMode | None) -> None:
        codes = [InstrumentKey.parse(instrument).code for instrument in instruments]
        for message in messages({mode: codes} if mode else wire.codes_by_mode(codes)):
            await self.socket.send(message)

    async def drop(self) -> None:
        self.socket.transport.abort()
        await self._reader


async def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        await asyncio.sleep(0.01)


def contracts_of(simulator: Simulator, count: int) -> list[str]:
    """The first options of the listing."""
    options = simulator.market.instruments["code"][simulator.market.instruments["kind"] == 3][:count]
    return [str(InstrumentKey.from_code(int(code))) for code in np.asarray(options)]
