"""A Dhan on loopback: feed, REST, master and control on one port of one process, chosen by URL alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from types import TracebackType
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from feeds import clock
from feeds.core.calendar import shipped_calendar
from feeds.core.instrument import InstrumentKey
from feeds.core.listing import Mode
from feeds.dhan.wire import FULL
from feeds.simulator import faults
from feeds.simulator.connection import FeedConnection
from feeds.simulator.depth import PATH as DEPTH_PATH
from feeds.simulator.depth import DepthSocket
from feeds.simulator.feed import Credentials, Feed
from feeds.simulator.market import Kind, Market
from feeds.simulator.prices import Step
from feeds.simulator.pump import Pump
from feeds.simulator.rest import Rest
from feeds.simulator.switches import Limits, Unconfirmed
from feeds.simulator.universe import Universe, universe
from feeds.simulator.web import WebProtocol, WebRequest, WebResponse, json_response

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
"""Elsewhere only inside a container's own network; faults are taken from loopback all the same."""
STEP_SECONDS = 0.05
LATE_STEPS = 4
"""Steps that are made up after a pause of the process; what was missed before them is left out."""
BEATS_PER_PING = 10


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """Everything that can be chosen. `rate` is packets a second over all, `instrument_rate` for one (0: no limit)."""

    host: str = HOST
    port: int = 0
    listing: Mode = "spec"
    seed: int = 1
    rate: float = 8000.0
    instrument_rate: float = 5.0
    silent_share: float = 0.0
    client_id: str = "1000000001"
    token: str = field(default="simulator", repr=False)
    limits: Limits = field(default_factory=Limits)
    switches: Unconfirmed = field(default_factory=Unconfirmed)


@lru_cache(maxsize=2)
def listed_on(day: date, mode: Mode) -> tuple[Universe, NDArray[np.void], NDArray[np.void]]:
    """A day's listing with its price columns. Kept, for tests start many simulators in one process."""
    calendar = shipped_calendar()
    listed = universe(day, calendar, mode)
    instruments, underlyings = listed.price_columns(calendar)
    return listed, instruments, underlyings


class Simulator:
    """`async with Simulator(SimulatorSettings(...)) as simulator:` serves until the block ends."""

    def __init__(self, settings: SimulatorSettings | None = None) -> None:
        self.settings = settings = settings or SimulatorSettings()
        listed, instruments, underlyings = listed_on(clock.exchange_today(), settings.listing)
        if settings.switches.open_interest_range_segments == "all":
            instruments = instruments.copy()
            instruments["has_open_interest_range"] = instruments["kind"] >= Kind.FUTURE
        self.day = listed.day
        self.market = Market(instruments, underlyings, settings.seed, settings.silent_share)
        credentials = Credentials(settings.client_id, settings.token)
        self.feed = Feed(credentials, settings.limits, settings.switches)
        self.pump = self.feed.pump = Pump(
            self.market,
            settings.switches,
            lambda: self.feed.connections,
            settings.seed,
            settings.rate,
            settings.instrument_rate,
        )
        self.depth = DepthSocket(credentials, self._full_packets, settings.limits, settings.switches)
        self.rest = Rest(self.market, listed, credentials, settings.limits, settings.switches)
        self._tasks: list[asyncio.Task[None]] = []

    # --- life ---

    async def __aenter__(self) -> Simulator:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen and tick.

        Raises:
            OSError: the port is taken.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: WebProtocol(self.respond, self._open), self.settings.host, self.settings.port
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        duties = [self._tick(), self._beat()]
        if self.settings.switches.heartbeat_seconds:
            duties.append(self._heartbeat())
        self._tasks = [asyncio.create_task(duty) for duty in duties]
        for task in self._tasks:
            task.add_done_callback(_complain)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server.close()
        self.feed.close_all()
        self.depth.close_all()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def feed_url(self) -> str:
        """For DHAN_FEED_URL."""
        return f"ws://{HOST}:{self.port}"

    @property
    def depth_url(self) -> str:
        """For DHAN_DEPTH_URL."""
        return f"{self.feed_url}{DEPTH_PATH}"

    @property
    def rest_url(self) -> str:
        """For DHAN_REST_URL."""
        return f"{self.url}/v2"

    @property
    def master_url(self) -> str:
        """For DHAN_MASTER_URL."""
        return f"{self.url}/api-data/api-scrip-master-detailed.csv"

    # --- what it does by itself ---

    async def _tick(self) -> None:
        before = clock.monotonic()
        while True:
            await asyncio.sleep(max(0.0, before + STEP_SECONDS - clock.monotonic()))
            now = clock.monotonic()
            elapsed = min(now - before, LATE_STEPS * STEP_SECONDS)
            before = now
            at = clock.exchange_now().timestamp()
            self.pump.step(at, now, elapsed)
            self.depth.step(at, now)

    async def _beat(self) -> None:
        pause = self.settings.limits.ping_seconds / BEATS_PER_PING
        await _every(pause, self._beat_all)

    def _beat_all(self) -> None:
        now = clock.monotonic()
        self.feed.beat(now)
        self.depth.beat(now)

    async def _heartbeat(self) -> None:
        await _every(self.settings.switches.heartbeat_seconds, self.feed.send_heartbeats)

    # --- websockets ---

    def _open(self, transport: asyncio.Transport, request: WebRequest) -> None:
        if request.path == DEPTH_PATH:
            self.depth.open(transport, request)
        else:
            self.feed.open(transport, request)

    def _full_packets(self, codes: list[int], at: float) -> NDArray[np.void]:
        rows = self.market.rows(np.array(codes, np.uint64))
        rows = rows[rows >= 0]
        packets = self.market.packets(rows, np.full(len(rows), at))
        self.pump.scripts.apply(rows, packets)
        return packets

    # --- HTTP ---

    def respond(self, request: WebRequest) -> WebResponse:
        """Every request that is no websocket."""
        if request.path.startswith("/control/"):
            return self._control(request) if request.from_loopback else json_response({}, 403)
        return self.rest.respond(request)

    def _control(self, request: WebRequest) -> WebResponse:
        if request.path == "/control/faults" and request.method == "POST":
            return self._inject(request)
        if request.path == "/control/prices" and request.method == "POST":
            return self._script_prices(request)
        if request.path == "/control/state":
            return self._show_state(request)
        if request.path == "/control/sent":
            return WebResponse(200, self.packets_sent().tobytes(), "application/octet-stream")
        return json_response({}, 404)

    def _show_state(self, request: WebRequest) -> WebResponse:
        try:
            return json_response(self.state(request.query.get("instruments", ""), "codes" in request.query))
        except (KeyError, ValueError) as error:
            return json_response({"error": str(error)}, 400)

    def _inject(self, request: WebRequest) -> WebResponse:
        try:
            return json_response(faults.inject(self, orjson.loads(request.body)))
        except (faults.BadFault, orjson.JSONDecodeError) as error:
            return json_response({"error": str(error)}, 400)

    def _script_prices(self, request: WebRequest) -> WebResponse:
        try:
            self.script_prices(orjson.loads(request.body))
        except (KeyError, TypeError, ValueError) as error:
            return json_response({"error": str(error)}, 400)
        return json_response({})

    def script_prices(self, command: dict[str, Any]) -> None:
        """What `POST /control/prices` asks of one instrument: `release`, `walk` with `seconds`, or one step.

        Raises:
            KeyError, TypeError, ValueError: it cannot be done.
        """
        step = dict(command)
        code = InstrumentKey.parse(step.pop("instrument")).code
        if step.get("release"):
            self.pump.release(code)
            return
        steps = [Step.parse(each) for each in step.get("walk", [step])]
        if not steps:
            raise ValueError("a walk has at least one step")
        seconds = float(step.get("seconds", 1.0))
        self.pump.script(code, steps, seconds, clock.exchange_now().timestamp(), clock.monotonic())

    def packets_sent(self) -> NDArray[np.void]:
        """The last packet of every instrument that was ever sent, as Full packets, whatever mode it went in."""
        return self.pump.sent[self.pump.times_sent > 0]

    def state(self, instruments: str = "", with_codes: bool = False) -> dict[str, Any]:
        """The truth, for tests and benches to compare with; times are monotonic seconds."""
        feed = self.feed
        return {
            "now": clock.monotonic(),
            "day": self.day.isoformat(),
            "listing": self.settings.listing,
            "listed": len(self.market.codes),
            "silent": int(self.market.silent.sum()),
            "connections": [self._connection_state(connection, with_codes) for connection in feed.connections.values()],
            "dials": [dial._asdict() for dial in feed.dials],
            "requests": [request._asdict() for request in feed.received],
            "breaches": list(feed.breaches),
            "counters": dict(feed.counters),
            "largest_message": feed.largest_message,
            "largest_connection": feed.largest_connection,
            "largest_total": feed.largest_total,
            "packets_sent": self.pump.packets_sent,
            "packets_skipped": self.pump.packets_skipped,
            "instruments": {text: self._instrument_state(text) for text in instruments.split(",") if text},
        }

    def _connection_state(self, connection: FeedConnection, with_codes: bool) -> dict[str, Any]:
        modes = connection.subscriptions.modes
        state = {
            "connection": connection.number,
            "age_seconds": clock.monotonic() - connection.opened_at,
            "subscribed": connection.subscriptions.count,
            "largest": connection.subscriptions.largest,
            "packets_sent": connection.packets_sent,
            "packets_skipped": connection.packets_skipped,
            "muted": connection.muted,
            "half_open": connection.half_open,
        }
        return state | ({"codes": {code: sorted(names) for code, names in modes.items()}} if with_codes else {})

    def _instrument_state(self, text: str) -> dict[str, Any]:
        """The last packet of one instrument by field; prices are float32 rupees, as sent."""
        code = InstrumentKey.parse(text).code
        packet = self.pump.last_sent(code)
        names = [name for name in FULL.names or () if name != "depth"]
        depth = [dict(zip(level.dtype.names, level.tolist(), strict=True)) for level in packet["depth"]]
        return {name: packet[name].item() for name in names} | {"depth": depth}


def _complain(task: asyncio.Task[None]) -> None:
    """A duty that ends by itself is a defect of the simulator, not a fault it was told to cause."""
    if not task.cancelled():
        log.critical("the simulator has stopped ticking", exc_info=task.exception())


async def _every(seconds: float, act: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        act()
