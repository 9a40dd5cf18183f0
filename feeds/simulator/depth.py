"""The simulated socket of twenty-level depth: the feed's five levels, and fifteen more behind them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from feeds import clock
from feeds.core.instrument import SECURITY_ID_BITS
from feeds.dhan import depth_wire
from feeds.dhan.depth_wire import INSTRUMENTS_PER_CONNECTION, LEVEL, LEVELS, SEGMENTS, DepthCode, DepthRequest
from feeds.dhan.wire import DisconnectReason
from feeds.simulator import frames
from feeds.simulator.connection import FeedConnection
from feeds.simulator.feed import Credentials, shake_hands
from feeds.simulator.subscriptions import BadRequest, Subscriptions, code_of
from feeds.simulator.switches import Limits, Unconfirmed
from feeds.simulator.web import WebRequest

PATH = "/twentydepth"
BOOKS_PER_SECOND = 4.0
"""How often each book is sent."""
THINNING = 0.9
"""How much of a level's quantity is left one level further out."""

FullPackets = Callable[[list[int], float], NDArray[np.void]]
"""The feed's Full packets of these instruments at an exchange time; of those that are not listed none."""


class DepthSocket:
    """All depth connections of the one account."""

    def __init__(self, credentials: Credentials, packets: FullPackets, limits: Limits, switches: Unconfirmed) -> None:
        self.connections: dict[int, FeedConnection] = {}
        self.wanted: dict[int, set[int]] = {}
        self._credentials = credentials
        self._packets = packets
        self._limits, self._switches = limits, switches
        self._accepted = 0
        self._sent_at = 0.0

    def open(self, transport: asyncio.Transport, request: WebRequest) -> None:
        """Answer a websocket handshake."""
        protocol = shake_hands(transport, request)
        if protocol is None:
            transport.close()
            return
        self._accepted += 1
        subscriptions = Subscriptions(self._limits, self._switches)
        connection = FeedConnection(
            self._accepted, transport, protocol, subscriptions, clock.monotonic(), self._request_received, self._closed
        )
        self.connections[connection.number] = connection
        self.wanted[connection.number] = set()
        client, token = request.query.get("clientId", ""), request.query.get("token", "")
        reason = self._credentials.refusal(client, token, self._switches.replaced_token_reason)
        if reason is not None:
            self.disconnect(connection, reason)

    def _request_received(self, connection: FeedConnection, text: bytes) -> None:
        try:
            message = json.loads(text)
            request = DepthRequest(message["RequestCode"])
            codes = {code_of(instrument) for instrument in message["InstrumentList"]}
        except (ValueError, KeyError, TypeError, BadRequest):
            connection.ignored_requests += 1
            return
        wanted = self.wanted[connection.number]
        if request is DepthRequest.UNSUBSCRIBE:
            wanted -= codes
        else:
            wanted |= codes
        if len(wanted) > INSTRUMENTS_PER_CONNECTION:
            self.disconnect(connection, DisconnectReason.TOO_MANY_INSTRUMENTS)

    def disconnect(self, connection: FeedConnection, reason: int) -> None:
        connection.send(frames.frame(depth_wire.encode_disconnect(reason)))
        connection.close_stream()
        self._closed(connection)

    def _closed(self, connection: FeedConnection) -> None:
        self.connections.pop(connection.number, None)
        self.wanted.pop(connection.number, None)

    def beat(self, now: float) -> None:
        for connection in list(self.connections.values()):
            connection.beat(now, self._limits.ping_seconds)

    def step(self, at: float, now: float) -> None:
        """Send every book that somebody wants, when it is time."""
        if now - self._sent_at < 1 / BOOKS_PER_SECOND or not self.connections:
            return
        self._sent_at = now
        for connection in self.connections.values():
            if connection.takes_ticks:
                self._send(connection, at)

    def _send(self, connection: FeedConnection, at: float) -> None:
        codes = sorted(code for code in self.wanted[connection.number] if code >> SECURITY_ID_BITS in SEGMENTS)
        for packet in self._packets(codes, at):
            connection.send(frames.frame(both_sides(packet)))

    def close_all(self) -> None:
        for connection in list(self.connections.values()):
            connection.bury()
        self.connections.clear()


def both_sides(packet: np.void) -> bytes:
    """The bid's and the ask's packet, stacked as Dhan sends them."""
    code = int(packet["segment"]) << SECURITY_ID_BITS | int(packet["security_id"])
    bids, asks = (further(packet["depth"], side) for side in ("bid", "ask"))
    return depth_wire.encode_side(DepthCode.BID, code, bids) + depth_wire.encode_side(DepthCode.ASK, code, asks)


def further(depth: NDArray[np.void], side: str) -> NDArray[np.void]:
    """Twenty levels whose first five are the feed's; behind the fifth each is one step of the fourth to it away."""
    levels = np.zeros(LEVELS, LEVEL)
    known = len(depth)
    levels["price"][:known] = np.round(depth[f"{side}_price"].astype(np.float64), 2)
    levels["quantity"][:known], levels["orders"][:known] = depth[f"{side}_quantity"], depth[f"{side}_orders"]
    step = levels["price"][known - 1] - levels["price"][known - 2]
    for place in range(known, LEVELS):
        before = levels[place - 1]
        levels[place] = (round(before["price"] + step, 2), int(before["quantity"] * THINNING), before["orders"])
    levels["quantity"][levels["price"] <= 0] = 0
    levels["price"] = np.maximum(levels["price"], 0.0)
    return levels
