"""The feed's door and its rules: who may connect, what is asked for, and when Dhan hangs up."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import NamedTuple

from websockets.http11 import Request as Handshake
from websockets.server import ServerProtocol

from feeds import clock
from feeds.dhan.wire import DisconnectReason, RequestCode, ResponseCode, blank_packets, encode_disconnect
from feeds.simulator import frames
from feeds.simulator.connection import FeedConnection
from feeds.simulator.pump import Pump
from feeds.simulator.subscriptions import BadRequest, Request, Subscriptions, parse_request
from feeds.simulator.switches import Limits, Unconfirmed
from feeds.simulator.web import WebRequest, WebResponse, json_response

REMEMBERED = 2_000
"""Dials, requests and breaches kept for the tests to look at; the largest ever are kept as numbers."""
MESSAGE_BYTES_LIMIT = 1_048_576
QUIET = logging.getLogger("feeds.simulator.websocket")
"""The library's own lines would show request targets, and the token is in those."""
QUIET.setLevel(logging.WARNING)


class Dial(NamedTuple):
    """One attempt to connect; times are monotonic seconds. `refused` is an HTTP status or a disconnect reason."""

    at: float
    connection: int | None
    refused: int | None


class Received(NamedTuple):
    """One request of a client."""

    at: float
    connection: int
    code: int
    instruments: int
    ignored: bool


@dataclass
class Credentials:
    """The one client and its token. A new token replaces the old, which is remembered as having been right."""

    client_id: str
    token: str
    replaced: set[str] = field(default_factory=set)

    def roll(self, token: str) -> None:
        self.replaced.add(self.token)
        self.replaced.discard(token)
        self.token = token

    def refusal(self, client_id: str, token: str, replaced_reason: int) -> int | None:
        """The reason these are refused; None if they are right."""
        if not client_id or not token:
            return DisconnectReason.AUTHENTICATION_FAILED
        if client_id != self.client_id:
            return DisconnectReason.CLIENT_ID_INVALID
        if token == self.token:
            return None
        return replaced_reason if token in self.replaced else DisconnectReason.TOKEN_INVALID


class Feed:
    """All connections of the one account."""

    def __init__(self, credentials: Credentials, limits: Limits, switches: Unconfirmed) -> None:
        self.credentials = credentials
        self.limits = limits
        self.switches = switches
        self.connections: dict[int, FeedConnection] = {}
        self.dials: deque[Dial] = deque(maxlen=REMEMBERED)
        self.received: deque[Received] = deque(maxlen=REMEMBERED)
        self.breaches: deque[str] = deque(maxlen=REMEMBERED)
        self.counters: Counter[str] = Counter()
        self.largest_message = 0
        self.largest_connection = 0
        self.largest_total = 0
        self.throttled_dials = 0
        self.throttled_until = 0.0
        self.requests_to_ignore = 0
        self._accepted = 0
        self._dropped_off: list[FeedConnection] = []
        self.pump: Pump  # set by the simulator: pump and feed know each other

    # --- the door ---

    def open(self, transport: asyncio.Transport, request: WebRequest) -> None:
        """Answer a websocket handshake."""
        now = clock.monotonic()
        status = self._refusing_status(request, now)
        if status is not None:
            self._turn_away(transport, now, status)
            return
        reason = self.credentials.refusal(
            request.query.get("clientId", ""), request.query.get("token", ""), self.switches.replaced_token_reason
        )
        if reason is not None:
            self._refuse(transport, request, now, reason)
            return
        self._accept(transport, request, now)

    def _refusing_status(self, request: WebRequest, now: float) -> int | None:
        if self.throttled_dials > 0:
            self.throttled_dials -= 1
            return 429
        if now < self.throttled_until:
            return 429
        if request.query.get("version") != "2" or request.query.get("authType") != "2":
            return 400
        return None

    def _turn_away(self, transport: asyncio.Transport, now: float, status: int) -> None:
        self.dials.append(Dial(now, None, status))
        body = json_response({"data": {"805": "Too many requests"}, "status": "failed"}, status)
        transport.write(body.head() + body.body)
        transport.close()

    def _refuse(self, transport: asyncio.Transport, request: WebRequest, now: float, reason: int) -> None:
        self.dials.append(Dial(now, None, reason))
        if self.switches.refusal_of_tokens == "http":
            response = WebResponse(401, b"{}")
            transport.write(response.head() + response.body)
        else:
            shake_hands(transport, request)
            if self.switches.refusal_of_tokens == "packet":
                transport.write(frames.frame(encode_disconnect(reason)))
        transport.close()

    def _accept(self, transport: asyncio.Transport, request: WebRequest, now: float) -> None:
        protocol = shake_hands(transport, request)
        if protocol is None:
            self.dials.append(Dial(now, None, 400))
            transport.close()
            return
        self._accepted += 1
        subscriptions = Subscriptions(self.limits, self.switches)
        connection = FeedConnection(
            self._accepted, transport, protocol, subscriptions, now, self.request_received, self.connection_closed
        )
        self.connections[connection.number] = connection
        self.dials.append(Dial(now, connection.number, None))
        if self.switches.market_status_on_connect:
            connection.send(frames.frame(blank_packets(ResponseCode.MARKET_STATUS, [0]).tobytes()))
        self._close_what_is_too_many()

    def _close_what_is_too_many(self) -> None:
        if len(self.connections) > self.limits.connections:
            choose = min if self.switches.too_many_connections_closes == "oldest" else max
            self.breaches.append(f"{len(self.connections)} connections")
            self.disconnect(self.connections[choose(self.connections)], DisconnectReason.TOO_MANY_REQUESTS)

    # --- requests ---

    def request_received(self, connection: FeedConnection, text: bytes) -> None:
        ignored = self.requests_to_ignore > 0
        try:
            request = parse_request(text)
        except BadRequest:
            self.counters["bad_requests"] += 1
            return
        self.largest_message = max(self.largest_message, len(request.codes))
        self.received.append(Received(clock.monotonic(), connection.number, request.code, len(request.codes), ignored))
        if ignored:
            self.requests_to_ignore -= 1
            return
        self._do(connection, request)

    def _do(self, connection: FeedConnection, request: Request) -> None:
        if request.code is RequestCode.DISCONNECT:
            connection.close_stream()
            self.connection_closed(connection)
            return
        reason = connection.subscriptions.breach(request)
        if reason is not None:
            self.breaches.append(f"connection {connection.number}: {reason.name}, {len(request.codes)} in a message")
            self.disconnect(connection, reason)
            return
        self._answer(connection, request, connection.subscriptions.apply(request))

    def _answer(self, connection: FeedConnection, request: Request, due: list[int]) -> None:
        self.largest_connection = max(self.largest_connection, connection.subscriptions.count)
        self.largest_total = max(self.largest_total, sum(c.subscriptions.count for c in self.connections.values()))
        self.pump.subscriptions_changed(connection)
        if due and request.mode is not None and connection.takes_ticks:
            connection.send(self.pump.previous_closes(due, clock.exchange_now().timestamp()))
            self.pump.first_packets(connection, due, request.mode)

    # --- ends ---

    def disconnect(self, connection: FeedConnection, reason: int, *, close: bool | None = None) -> None:
        """Packet 50 and the end of the stream, each unless a switch says otherwise."""
        self.counters[f"disconnect_{reason}"] += 1
        if self.switches.packet_before_close:
            connection.send(frames.frame(encode_disconnect(reason)))
        if not (self.switches.close_after_packet if close is None else close):
            return
        if self.switches.close_handshake:
            connection.close_handshake(1000)
        else:
            connection.close_stream()
        self.connection_closed(connection)

    def connection_closed(self, connection: FeedConnection) -> None:
        """Its place is free. A half-open socket itself stays, for its client must not see an end."""
        if self.connections.pop(connection.number, None) is None:
            return
        self.pump.connection_gone(connection)
        if connection.half_open:
            self._dropped_off.append(connection)

    def beat(self, now: float) -> None:
        """Ping who is due, and cut who has not been heard for too long."""
        for connection in list(self.connections.values()):
            connection.beat(now, self.limits.ping_seconds)
            if now - connection.last_heard > self.limits.pong_timeout_seconds:
                self.counters["cut_for_silence"] += 1
                connection.close_stream()
                self.connection_closed(connection)

    def send_heartbeats(self) -> None:
        heartbeat = frames.frame(blank_packets(ResponseCode.HEARTBEAT, [0]).tobytes())
        for connection in self.connections.values():
            if connection.takes_ticks:
                connection.send(heartbeat)

    def close_all(self) -> None:
        for connection in [*self.connections.values(), *self._dropped_off]:
            connection.bury()
        self.connections.clear()
        self._dropped_off.clear()


def shake_hands(transport: asyncio.Transport, request: WebRequest) -> ServerProtocol | None:
    """Write the answer to a handshake; None if it is not a good one."""
    protocol = ServerProtocol(max_size=MESSAGE_BYTES_LIMIT, logger=QUIET)
    protocol.receive_data(request.raw)
    for event in protocol.events_received():
        if isinstance(event, Handshake):
            response = protocol.accept(event)
            protocol.send_response(response)
            transport.write(b"".join(protocol.data_to_send()))
            return protocol if response.status_code == 101 else None
    return None
