"""One connection against real websockets on loopback: what it asks, what it applies, and how it takes each end."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve

from feeds import clock
from feeds.core.board import Board
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.core.tick import TickFlag
from feeds.dhan import wire
from feeds.dhan.connection import BadPacketWatch, Connection, ConnectionState, ConnectionTimers
from feeds.dhan.governor import Cause, Credentials, CredentialsUnavailable, DialRules, DialTimers, Governor
from feeds.dhan.wire import PacketError

NIFTY = InstrumentKey(ExchangeSegment.IDX_I, 13).code
OPTIONS = [InstrumentKey(ExchangeSegment.NSE_FNO, number).code for number in range(40_000, 40_250)]
WANTED = [NIFTY, *OPTIONS]
DEADLINE_SECONDS = 10.0
NO_ANSWER = 0

DIAL = DialTimers(
    opening=0.01,
    spacing=0.01,
    first=0.005,
    limit=0.03,
    throttled=0.2,
    throttled_limit=0.6,
    crowded=0.2,
    healthy_after=5.0,
)
TIMERS = ConnectionTimers(ping=5, pong_timeout=5, handshake_timeout=2, silence=5)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():
            await asyncio.sleep(0.002)


Behaviour = Callable[[ServerConnection], Awaitable[None]]


async def listen(connection: ServerConnection) -> None:
    await connection.wait_closed()


@dataclass
class Dhan:
    """A websocket server that records what it is asked; `behave` is what it does with each connection."""

    behave: Behaviour = listen
    statuses: list[int] = field(default_factory=list)  # answers to the next handshakes
    dials: list[float] = field(default_factory=list)
    queries: list[dict[str, list[str]]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    open: list[ServerConnection] = field(default_factory=list)
    server: Server | None = None

    async def check(self, connection: ServerConnection, request: Any) -> Any:
        self.dials.append(clock.monotonic())
        self.queries.append(parse_qs(urlsplit(request.path).query))
        status = self.statuses.pop(0) if self.statuses else 101
        if status == NO_ANSWER:
            await connection.wait_closed()
        return connection.respond(HTTPStatus(status), "no\n") if status != 101 else None

    async def handle(self, connection: ServerConnection) -> None:
        self.open.append(connection)
        self.requests = []  # what the newest socket is asked; the older ones write to lists of their own
        reader = asyncio.create_task(self.read(connection, self.requests))
        try:
            await self.behave(connection)
        finally:
            reader.cancel()
            self.open.remove(connection)

    async def read(self, connection: ServerConnection, requests: list[dict[str, Any]]) -> None:
        async for text in connection:
            requests.append(json.loads(text))

    def asked(self) -> int:
        return sum(request["InstrumentCount"] for request in self.requests)


@dataclass
class Desk:
    """One connection with everything around it."""

    dhan: Dhan
    connection: Connection
    governor: Governor
    board: Board
    token: list[Credentials]


@asynccontextmanager
async def desk(
    dhan: Dhan,
    timers: ConnectionTimers = TIMERS,
    wanted: list[int] = WANTED,
    expects_data: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Desk]:
    server = serve(dhan.handle, "127.0.0.1", 0, process_request=dhan.check, close_timeout=0.1, open_timeout=0.3)
    async with server as dhan.server:
        port = next(iter(dhan.server.sockets)).getsockname()[1]
        board = Board(1000)
        board.add(wanted, [5] * len(wanted))
        token = [Credentials("1000000001", "first-token", 1)]

        async def credentials() -> Credentials:
            if not token:
                raise CredentialsUnavailable("database away")
            return token[0]

        governor = Governor(credentials, DialRules(DIAL), poll_seconds=0.02)
        connection = Connection(
            0,
            url=f"ws://127.0.0.1:{port}",
            board=board,
            governor=governor,
            desired=lambda index: wanted,
            timers=timers,
            expects_data=expects_data,
        )
        owner = asyncio.create_task(connection.run())
        try:
            yield Desk(dhan, connection, governor, board, token)
        finally:
            owner.cancel()
            await asyncio.gather(owner, return_exceptions=True)


def price(code: int, rupees: float, volume: int) -> bytes:
    at = wire.wire_time(int(clock.exchange_now().timestamp()))
    return wire.encode_full([code], last_price=rupees, last_traded_at=at, volume=volume)


# --- asking -----------------------------------------------------------------------------------


async def test_it_dials_with_the_token_and_asks_for_everything_a_hundred_at_a_time() -> None:
    async with desk(Dhan()) as it:
        await until(lambda: it.dhan.asked() == 251)
        assert it.dhan.queries == [
            {"version": ["2"], "token": ["first-token"], "clientId": ["1000000001"], "authType": ["2"]}
        ]
        assert [(r["RequestCode"], r["InstrumentCount"]) for r in it.dhan.requests] == [
            (17, 1),
            (21, 100),
            (21, 100),
            (21, 50),
        ]
        assert it.connection.subscribed == set(WANTED)
        assert it.connection.state is ConnectionState.LIVE


async def test_changes_are_written_while_live_and_left_to_the_next_connect_while_not() -> None:
    async with desk(Dhan(), wanted=[NIFTY]) as it:
        assert not it.connection.subscribe(OPTIONS[:2])
        await until(lambda: it.dhan.asked() == 1)
        assert it.connection.subscribe(OPTIONS[:2])
        assert it.connection.unsubscribe(OPTIONS[:1])
        await until(lambda: len(it.dhan.requests) == 3)
        assert [(r["RequestCode"], r["InstrumentCount"]) for r in it.dhan.requests[1:]] == [(21, 2), (22, 1)]
        assert it.connection.subscribed == {NIFTY, OPTIONS[1]}


async def test_the_token_is_in_no_log_line_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    async with desk(Dhan(statuses=[429, 500, 302])) as it:
        await until(lambda: it.connection.is_live)
        it.connection.reconnect()
        await until(lambda: it.connection.connects == 2)
        assert "first-token" not in caplog.text
        assert "first-token" not in repr(vars(it.connection))


# --- receiving --------------------------------------------------------------------------------


async def test_packets_reach_the_board_single_stacked_and_fragmented() -> None:
    async def send(connection: ServerConnection) -> None:
        await connection.send(price(OPTIONS[0], 100.0, 1))
        await connection.send(price(OPTIONS[1], 101.0, 1) + price(OPTIONS[2], 102.0, 1))
        whole = price(OPTIONS[3], 103.0, 1)
        await connection.send([whole[:50], whole[50:]])
        await listen(connection)

    async with desk(Dhan(send)) as it:
        await until(lambda: it.connection.packets == 4)
        assert it.board.rows(OPTIONS[:4])["last_price"].tolist() == [10000, 10100, 10200, 10300]
        assert it.board.rows(OPTIONS[:1])["received_at"][0] > 0
        assert it.connection.heard_at is not None
        assert not it.connection.errors


async def test_odd_frames_are_counted_and_the_socket_stays() -> None:
    async def send(connection: ServerConnection) -> None:
        for frame in (b"", b"\x63\x09\x00\x00\x00\x00\x00\x00\x01", price(OPTIONS[0], 100.0, 1)[:99], "text"):
            await connection.send(frame)
        await connection.send(price(OPTIONS[0], 100.0, 1))
        await listen(connection)

    async with desk(Dhan(send)) as it:
        await until(lambda: it.connection.packets == 1 and it.connection.errors.total() == 4)
        assert it.connection.errors == {
            PacketError.EMPTY_FRAME: 1,
            PacketError.UNKNOWN_CODE: 1,
            PacketError.TRUNCATED: 1,
            PacketError.TEXT_FRAME: 1,
        }
        assert list(it.connection.samples) == [b"\x63\x09\x00\x00\x00\x00\x00\x00\x01"]
        assert (it.connection.state, it.connection.connects) == (ConnectionState.LIVE, 1)


async def test_a_stream_of_garbage_is_given_up_for_a_new_one() -> None:
    async def send(connection: ServerConnection) -> None:
        if len(dhan.dials) == 1:
            for _ in range(20):
                await connection.send(b"\xff" * 30)
        await listen(connection)

    dhan = Dhan(send)
    async with desk(dhan) as it:
        await until(lambda: it.connection.connects == 2 and it.connection.is_live)
        assert it.connection.last_ending is not None
        assert it.connection.last_ending.cause is Cause.BAD_PACKETS


def test_a_few_bad_packets_are_borne_and_more_than_one_in_a_hundred_are_not() -> None:
    watch = BadPacketWatch()
    assert not watch.add(good=10, bad=9, now=100.0)
    assert watch.add(good=0, bad=1, now=101.0)
    assert not watch.add(good=10_000, bad=100, now=120.0)
    assert watch.add(good=0, bad=2, now=121.0)


# --- ends -------------------------------------------------------------------------------------


def abort_with_reset(connection: ServerConnection) -> None:
    raw = connection.transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.transport.abort()


async def reset(connection: ServerConnection) -> None:
    connection.transport.write(b"\x82\x7e\x00\xa2half a frame")
    abort_with_reset(connection)


def closing(code: int) -> Behaviour:
    async def close(connection: ServerConnection) -> None:
        await connection.close(code)

    return close


@pytest.mark.parametrize(
    ("end", "seen"),
    [
        (closing(1000), "close 1000"),
        (closing(1001), "close 1001"),
        (closing(1011), "close 1011"),
        (closing(1012), "close 1012"),
        (reset, "without a close frame"),
    ],
    ids=["1000", "1001", "1011", "1012", "reset in mid-frame"],
)
async def test_after_any_kind_of_close_it_comes_back_and_asks_for_everything_again(end: Behaviour, seen: str) -> None:
    async def behave(connection: ServerConnection) -> None:
        if len(dhan.dials) < 4:
            await asyncio.sleep(0.02)
            await end(connection)
        else:
            await listen(connection)

    dhan = Dhan(behave)
    async with desk(dhan) as it:
        await until(lambda: it.connection.connects == 4 and it.connection.is_live)
        await until(lambda: dhan.asked() == 251)
        assert it.connection.reconnects == 3
        assert all(b - a >= DIAL.spacing for a, b in pairwise(dhan.dials))


async def test_the_close_code_is_the_reason_that_is_told() -> None:
    async with desk(Dhan(closing(1012), statuses=[])) as it:
        await until(lambda: it.connection.last_ending is not None)
        assert str(it.connection.last_ending) == "lost: close 1012"


async def test_what_a_lost_socket_fed_is_stale_with_a_gap_until_it_speaks_again() -> None:
    async def behave(connection: ServerConnection) -> None:
        await connection.send(price(OPTIONS[0], 100.0, len(dhan.dials)))
        await listen(connection)

    dhan = Dhan(behave)
    async with desk(dhan) as it:
        await until(lambda: it.connection.packets == 1)
        it.board.cut()
        it.connection.reconnect("operator")
        await until(lambda: it.connection.packets == 2)
        rows = it.board.rows(OPTIONS[:2])
        assert rows["flags"].tolist() == [TickFlag.GAP, TickFlag.GAP | TickFlag.STALE]
        assert it.connection.last_ending is not None
        assert str(it.connection.last_ending) == "asked: operator"
        (life,) = it.connection.past_lives
        assert life.reason == "asked: operator"
        assert life.seconds > 0


@pytest.mark.parametrize("reason", [806, 808, 809, 810])
async def test_a_refusal_ends_all_dialling_until_the_credentials_change(reason: int) -> None:
    async def behave(connection: ServerConnection) -> None:
        if dhan.queries[-1]["token"] == ["first-token"]:
            await connection.send(wire.encode_disconnect(reason))
            await connection.close()
        await listen(connection)

    dhan = Dhan(behave)
    async with desk(dhan) as it:
        await until(lambda: it.connection.state is ConnectionState.BLOCKED)
        await asyncio.sleep(10 * DIAL.limit)
        assert (it.connection.state, len(dhan.dials)) == (ConnectionState.BLOCKED, 1)
        assert it.connection.last_ending is not None
        assert str(reason) in it.connection.last_ending.detail
        it.token[0] = Credentials("1000000001", "second-token", 2)
        await until(lambda: it.connection.is_live)
        assert (len(dhan.dials), dhan.queries[-1]["token"]) == (2, ["second-token"])


async def test_an_expired_token_is_read_again_and_the_new_one_dials_at_once() -> None:
    async def behave(connection: ServerConnection) -> None:
        if dhan.queries[-1]["token"] == ["first-token"]:
            await connection.send(wire.encode_disconnect(807))
            abort_with_reset(connection)
        await listen(connection)

    dhan = Dhan(behave)
    async with desk(dhan) as it:
        await until(lambda: it.connection.state is ConnectionState.BLOCKED)
        it.token[0] = Credentials("1000000001", "second-token", 2)
        await until(lambda: it.connection.is_live and len(dhan.dials) == 2)


@pytest.mark.parametrize(("how", "cause"), [("429", Cause.THROTTLED), ("805", Cause.CROWDED)])
async def test_throttling_holds_the_next_dial_for_the_long_wait(how: str, cause: Cause) -> None:
    async def behave(connection: ServerConnection) -> None:
        if how == "805" and len(dhan.dials) == 1:
            await connection.send(wire.encode_disconnect(805))
        await listen(connection)

    dhan = Dhan(behave, statuses=[429] if how == "429" else [])
    async with desk(dhan) as it:
        await until(lambda: len(dhan.dials) == 2 and it.connection.is_live)
        assert dhan.dials[1] - dhan.dials[0] >= DIAL.throttled
        assert it.connection.last_ending is not None
        assert it.connection.last_ending.cause is cause


@pytest.mark.parametrize("reason", [800, 804, 811, 814, 999])
async def test_other_reasons_are_told_and_tried_again(reason: int) -> None:
    async def behave(connection: ServerConnection) -> None:
        if len(dhan.dials) == 1:
            await connection.send(wire.encode_disconnect(reason))
        await listen(connection)

    dhan = Dhan(behave)
    async with desk(dhan) as it:
        await until(lambda: len(dhan.dials) == 2 and it.connection.is_live)
        assert it.connection.last_ending is not None
        assert f"disconnect {reason}" in it.connection.last_ending.detail


async def test_a_refused_port_is_backed_off_from() -> None:
    async with desk(Dhan(), timers=ConnectionTimers(5, 5, 0.5, 5)) as it:
        await until(lambda: it.connection.is_live)
        assert it.dhan.server is not None
        it.dhan.server.close()
        await until(lambda: "dial failed" in str(it.connection.last_ending))
        assert all("dial failed" not in life.reason for life in it.connection.past_lives)


async def test_a_server_that_never_answers_the_handshake_is_left_in_time() -> None:
    async with desk(Dhan(statuses=[NO_ANSWER]), timers=ConnectionTimers(5, 5, 0.05, 5)) as it:
        await until(lambda: str(it.connection.last_ending) == "lost: dial failed: TimeoutError")
        await until(lambda: it.connection.is_live)


async def test_credentials_that_cannot_be_read_are_waited_for() -> None:
    async with desk(Dhan()) as it:
        await until(lambda: it.connection.is_live)
        kept = it.token.pop()
        it.connection.reconnect()
        await until(lambda: str(it.connection.last_ending) == "no_credentials: database away")
        it.token.append(kept)
        await until(lambda: it.connection.connects == 2 and it.connection.is_live)


# --- silence ----------------------------------------------------------------------------------


async def test_a_mute_socket_is_replaced_with_the_token_of_that_moment() -> None:
    async with desk(Dhan(), timers=ConnectionTimers(5, 5, 2, 0.2), expects_data=lambda: True) as it:
        await until(lambda: it.connection.is_live)
        it.token[0] = Credentials("1000000001", "second-token", 2)
        await until(lambda: len(it.dhan.dials) == 2)
        assert it.connection.last_ending is not None
        assert it.connection.last_ending.cause is Cause.SILENT
        assert it.dhan.queries[1]["token"] == ["second-token"]


async def test_silence_is_borne_when_the_market_is_closed_and_counts_from_its_open() -> None:
    opened = False
    async with desk(Dhan(), timers=ConnectionTimers(5, 5, 2, 0.1), expects_data=lambda: opened) as it:
        await until(lambda: it.connection.is_live)
        await asyncio.sleep(0.5)
        assert len(it.dhan.dials) == 1
        opened_at, opened = clock.monotonic(), True
        await until(lambda: len(it.dhan.dials) == 2)
        assert it.dhan.dials[1] - opened_at >= 0.08


async def test_a_half_open_socket_is_found_by_its_missing_pong() -> None:
    async def freeze(connection: ServerConnection) -> None:
        if len(dhan.dials) == 1:
            connection.protocol.receive_data = lambda data: None  # deaf: no ping is heard, none is answered
            await until(lambda: len(dhan.dials) == 2)
            abort_with_reset(connection)
        await listen(connection)

    dhan = Dhan(freeze)
    async with desk(dhan, timers=ConnectionTimers(0.05, 0.1, 2, 5)) as it:
        await until(lambda: it.connection.connects == 2)
        assert it.connection.last_ending is not None
        assert it.connection.last_ending.cause is Cause.LOST


async def test_pings_of_the_server_are_answered() -> None:
    answered = asyncio.Event()

    async def ping(connection: ServerConnection) -> None:
        await (await connection.ping(b"are you there"))
        answered.set()
        await listen(connection)

    async with desk(Dhan(ping)):
        await asyncio.wait_for(answered.wait(), DEADLINE_SECONDS)


@pytest.fixture(autouse=True)
def quiet_server(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("websockets.server").setLevel(logging.CRITICAL)
