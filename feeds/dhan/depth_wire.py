"""Dhan's depth of twenty levels as bytes: packets in, request messages out. Pure: no socket, no clock.

Its header is not the feed's: the length comes first, and a sequence nobody explains behind. Each side of a book is a
packet of its own, usually stacked bid then ask. Prices are doubles, and there is no time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from feeds.core.instrument import SECURITY_ID_BITS, SECURITY_ID_MASK, ExchangeSegment
from feeds.dhan.wire import PacketError

LEVELS = 20
INSTRUMENTS_PER_CONNECTION = 50
"""Dhan's limit; one message may name them all."""
SEGMENTS = frozenset({ExchangeSegment.NSE_EQ, ExchangeSegment.NSE_FNO})
"""What it has books of."""


class DepthRequest(IntEnum):
    """What a client asks. To take back is 25 by the annexure and 24 by analogy: whoever counts on neither is right."""

    SUBSCRIBE = 23
    UNSUBSCRIBE = 25


class DepthCode(IntEnum):
    """The third byte of a packet."""

    HEARTBEAT = 0
    BID = 41
    DISCONNECT = 50
    ASK = 51


HEADER = np.dtype(
    [("length", "<u2"), ("response_code", "u1"), ("segment", "u1"), ("security_id", "<u4"), ("sequence", "<u4")]
)
LEVEL = np.dtype([("price", "<f8"), ("quantity", "<u4"), ("orders", "<u4")])
SIDE = np.dtype([*HEADER.descr, ("levels", LEVEL, (LEVELS,))])
DISCONNECT = np.dtype([*HEADER.descr, ("reason", "<u2")])
SIZES = {
    DepthCode.HEARTBEAT: HEADER.itemsize,
    DepthCode.BID: SIDE.itemsize,
    DepthCode.ASK: SIDE.itemsize,
    DepthCode.DISCONNECT: DISCONNECT.itemsize,
}

_LENGTH_AND_CODE = Struct("<HB")


@dataclass
class DepthPackets:
    """One decoded batch: the sides of books in order of arrival, prices in rupees as sent."""

    sides: NDArray[np.void] = field(default_factory=lambda: np.empty(0, SIDE))
    disconnects: list[int] = field(default_factory=list)
    errors: Counter[PacketError] = field(default_factory=Counter)

    @property
    def bad(self) -> int:
        return sum(self.errors.values())


def decode(frames: Iterable[bytes]) -> DepthPackets:
    """Read websocket messages in order of arrival. Never raises; what is wrong is counted."""
    packets, sides = DepthPackets(), bytearray()
    for frame in frames:
        _walk(packets, sides, frame)
    packets.sides = np.frombuffer(bytes(sides), SIDE)
    return packets


def _walk(packets: DepthPackets, sides: bytearray, frame: bytes) -> None:
    """By the length fields. One that is not its code's own size ends the frame: where the next begins is a guess."""
    offset = 0
    while offset < len(frame):
        if len(frame) - offset < HEADER.itemsize:
            packets.errors[PacketError.TRUNCATED] += 1
            return
        length, code = _LENGTH_AND_CODE.unpack_from(frame, offset)
        if (error := _mistake(length, code, len(frame) - offset)) is not None:
            packets.errors[error] += 1
            return
        _take(packets, sides, code, frame[offset : offset + length])
        offset += length


def _mistake(length: int, code: int, left: int) -> PacketError | None:
    if code not in SIZES:
        return PacketError.UNKNOWN_CODE
    if length != SIZES[DepthCode(code)]:
        return PacketError.WRONG_LENGTH
    return PacketError.TRUNCATED if length > left else None


def _take(packets: DepthPackets, sides: bytearray, code: int, packet: bytes) -> None:
    if code in (DepthCode.BID, DepthCode.ASK):
        sides += packet
    elif code == DepthCode.DISCONNECT:
        packets.disconnects.append(int(np.frombuffer(packet, DISCONNECT)["reason"][0]))


# --- requests ---------------------------------------------------------------------------------


def subscribe_message(codes: Sequence[int]) -> str:
    return _message(DepthRequest.SUBSCRIBE, codes)


def unsubscribe_message(codes: Sequence[int]) -> str:
    return _message(DepthRequest.UNSUBSCRIBE, codes)


def _message(request: DepthRequest, codes: Sequence[int]) -> str:
    instruments = ",".join(
        f'{{"ExchangeSegment":"{ExchangeSegment(code >> SECURITY_ID_BITS).name}",'
        f'"SecurityId":"{code & SECURITY_ID_MASK}"}}'
        for code in codes
    )
    return f'{{"RequestCode":{request:d},"InstrumentCount":{len(codes)},"InstrumentList":[{instruments}]}}'


# --- encoding, for the simulator and the tests ------------------------------------------------


def encode_side(code: DepthCode, instrument: int, levels: NDArray[np.void]) -> bytes:
    """One side of one book; levels that are missing are zeros."""
    packet = _blank(code, instrument, SIDE)
    packet["levels"][0, : len(levels)] = levels
    return packet.tobytes()


def encode_disconnect(reason: int) -> bytes:
    packet = _blank(DepthCode.DISCONNECT, 0, DISCONNECT)
    packet["reason"] = reason
    return packet.tobytes()


def _blank(code: DepthCode, instrument: int, layout: np.dtype[np.void]) -> NDArray[np.void]:
    packet = np.zeros(1, layout)
    packet["length"], packet["response_code"] = layout.itemsize, code
    packet["segment"], packet["security_id"] = instrument >> SECURITY_ID_BITS, instrument & SECURITY_ID_MASK
    return packet
