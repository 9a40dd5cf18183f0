"""Dhan's live market feed as bytes: packets in, request messages out. Pure: no socket, no clock.

Layouts and sizes: DhanHQ v2 "Live Market Feed" and "Annexure", little-endian, checked against the official client.
A declared length covers the whole packet with its header, whatever the documentation says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from struct import Struct
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from feeds.core.instrument import SECURITY_ID_BITS, SECURITY_ID_MASK, ExchangeSegment

IST_OFFSET_SECONDS = 19_800
"""Trade times are the Indian wall clock written as if it were UTC."""

INSTRUMENTS_PER_MESSAGE = 100
"""Dhan's limit for one request message."""

SAMPLES_KEPT = 4
"""Unknown packets kept of each batch, to be looked at by a person."""

SAMPLE_BYTES = 64


class RequestCode(IntEnum):
    """What a client asks; an unsubscribe is its subscribe plus one."""

    DISCONNECT = 12
    SUBSCRIBE_TICKER = 15
    UNSUBSCRIBE_TICKER = 16
    SUBSCRIBE_QUOTE = 17
    UNSUBSCRIBE_QUOTE = 18
    SUBSCRIBE_FULL = 21
    UNSUBSCRIBE_FULL = 22


class FeedMode(IntEnum):
    """How much is sent of an instrument; the value is the code that subscribes to it."""

    TICKER = RequestCode.SUBSCRIBE_TICKER
    QUOTE = RequestCode.SUBSCRIBE_QUOTE
    FULL = RequestCode.SUBSCRIBE_FULL


class ResponseCode(IntEnum):
    """The first byte of a packet. INDEX is named by the documentation but its layout is not."""

    HEARTBEAT = 0
    INDEX = 1
    TICKER = 2
    OLD_DEPTH = 3
    QUOTE = 4
    OPEN_INTEREST = 5
    PREVIOUS_CLOSE = 6
    MARKET_STATUS = 7
    FULL = 8
    DISCONNECT = 50


class DisconnectReason(IntEnum):
    """Why Dhan closes a socket, or refuses data over REST. Other numbers can come and stay plain integers."""

    INTERNAL_ERROR = 800
    TOO_MANY_INSTRUMENTS = 804
    TOO_MANY_REQUESTS = 805
    NOT_SUBSCRIBED_TO_DATA = 806
    TOKEN_EXPIRED = 807
    AUTHENTICATION_FAILED = 808
    TOKEN_INVALID = 809
    CLIENT_ID_INVALID = 810
    BAD_EXPIRY = 811
    BAD_DATE = 812
    BAD_SECURITY_ID = 813
    BAD_REQUEST = 814


class PacketError(StrEnum):
    """Why bytes were not believed, or not as they declared themselves."""

    EMPTY_FRAME = "empty_frame"
    TEXT_FRAME = "text_frame"  # counted by the connection: the feed answers in binary only
    TRUNCATED = "truncated"  # fewer bytes left than the packet needs; they are dropped
    WRONG_LENGTH = "wrong_length"  # declared length is not the packet's; the size of its code is used
    UNKNOWN_CODE = "unknown_code"  # skipped by its declared length, a sample is kept


class BadPacket(ValueError):
    """One packet that cannot be read (`decode_one` only; `decode` counts instead of raising)."""

    def __init__(self, reason: PacketError, packet: bytes) -> None:
        super().__init__(f"{reason}: {packet[:SAMPLE_BYTES].hex()}")
        self.reason = reason


# --- layouts ----------------------------------------------------------------------------------

HEADER = np.dtype([("response_code", "u1"), ("length", "<u2"), ("segment", "u1"), ("security_id", "<u4")])
TICKER = np.dtype([*HEADER.descr, ("last_price", "<f4"), ("last_traded_at", "<u4")])
PREVIOUS_CLOSE = np.dtype([*HEADER.descr, ("previous_close", "<f4"), ("previous_open_interest", "<u4")])
OPEN_INTEREST = np.dtype([*HEADER.descr, ("open_interest", "<u4")])
DISCONNECT = np.dtype([*HEADER.descr, ("reason", "<u2")])

_TRADE = [
    *HEADER.descr,
    ("last_price", "<f4"),
    ("last_quantity", "<u2"),
    ("last_traded_at", "<u4"),
    ("average_price", "<f4"),
    ("volume", "<u4"),
    ("total_sell_quantity", "<u4"),  # sell before buy, and close before high and low: so it is sent
    ("total_buy_quantity", "<u4"),
]
_DAY = [("day_open", "<f4"), ("previous_close", "<f4"), ("day_high", "<f4"), ("day_low", "<f4")]
LEVEL = np.dtype(
    [
        ("bid_quantity", "<u4"),
        ("ask_quantity", "<u4"),
        ("bid_orders", "<u2"),
        ("ask_orders", "<u2"),
        ("bid_price", "<f4"),
        ("ask_price", "<f4"),
    ]
)
QUOTE = np.dtype([*_TRADE, *_DAY])
FULL = np.dtype(
    [
        *_TRADE,
        ("open_interest", "<u4"),
        ("open_interest_high", "<u4"),
        ("open_interest_low", "<u4"),
        *_DAY,
        ("depth", LEVEL, (5,)),
    ]
)

LAYOUTS: Mapping[ResponseCode, np.dtype[np.void]] = {
    ResponseCode.TICKER: TICKER,
    ResponseCode.QUOTE: QUOTE,
    ResponseCode.OPEN_INTEREST: OPEN_INTEREST,
    ResponseCode.PREVIOUS_CLOSE: PREVIOUS_CLOSE,
    ResponseCode.FULL: FULL,
    ResponseCode.DISCONNECT: DISCONNECT,
}
SIZES: Mapping[int, int] = {
    ResponseCode.HEARTBEAT: 8,
    ResponseCode.INDEX: 16,
    ResponseCode.OLD_DEPTH: 112,
    ResponseCode.MARKET_STATUS: 8,
    **{code: layout.itemsize for code, layout in LAYOUTS.items()},
}
"""Bytes of each code's packet. Those without a layout are counted and skipped."""

_CODE_AND_LENGTH = Struct("<BH")
_SIZE_OF_CODE = np.zeros(256, np.int64)
_SIZE_OF_CODE[list(SIZES)] = list(SIZES.values())


# --- decoding ---------------------------------------------------------------------------------


class Group(NamedTuple):
    """The packets of one code in order of arrival, and each one's place among all packets of the batch."""

    rows: NDArray[np.void]
    places: NDArray[np.int64]


def _no_packets(code: ResponseCode) -> Group:
    return Group(np.empty(0, LAYOUTS[code]), np.empty(0, np.int64))


@dataclass
class Packets:
    """One decoded batch. Prices are float32 rupees as sent; trade times are seconds since 1970 UTC (0: never)."""

    ticker: Group = field(default_factory=lambda: _no_packets(ResponseCode.TICKER))
    quote: Group = field(default_factory=lambda: _no_packets(ResponseCode.QUOTE))
    open_interest: Group = field(default_factory=lambda: _no_packets(ResponseCode.OPEN_INTEREST))
    previous_close: Group = field(default_factory=lambda: _no_packets(ResponseCode.PREVIOUS_CLOSE))
    full: Group = field(default_factory=lambda: _no_packets(ResponseCode.FULL))
    disconnects: list[int] = field(default_factory=list)
    count: int = 0  # packets understood, the skipped ones with them
    skipped: Counter[ResponseCode] = field(default_factory=Counter)
    errors: Counter[PacketError] = field(default_factory=Counter)
    samples: list[bytes] = field(default_factory=list)

    @property
    def bad(self) -> int:
        return sum(self.errors.values())


def decode(frames: bytes | bytearray | memoryview | Sequence[bytes]) -> Packets:
    """Read one websocket message, or a batch of them in order of arrival. Never raises; what is wrong is counted.

    Packets of one code stay in order of arrival; `Group.places` orders them across codes. Frames that hold one
    packet, or packets of one code, are read without any Python work for each; only mixed or damaged ones are walked.
    """
    if isinstance(frames, (bytes, bytearray, memoryview)):
        frames = [bytes(frames)]
    packets = Packets()
    if not frames:
        return packets
    lengths = np.fromiter(map(len, frames), np.int64, len(frames))
    if _alike(frames[0], lengths):
        joined = np.frombuffer(bytearray().join(frames), LAYOUTS[ResponseCode(frames[0][0])])
        if (joined["response_code"] == frames[0][0]).all() and (joined["length"] == joined.itemsize).all():
            _keep(packets, ResponseCode(frames[0][0]), joined, np.arange(len(joined)))
            return packets
    _decode_mixed(packets, frames, lengths)
    return packets


def decode_one(packet: bytes) -> Packets:
    """Read exactly one packet.

    Raises:
        BadPacket: it is damaged, of an unknown code, or more than one.
    """
    packets = decode(packet)
    if packets.errors:
        raise BadPacket(next(iter(packets.errors)), packet)
    if packets.count != 1:
        raise BadPacket(PacketError.WRONG_LENGTH, packet)
    return packets


def _alike(first: bytes, lengths: NDArray[np.int64]) -> bool:
    """Whether all frames may hold nothing but packets of the first one's code, and so be one array."""
    code = first[0] if first else -1
    return code in LAYOUTS and bool((lengths % SIZES[code] == 0).all() and lengths.all())


def _decode_mixed(packets: Packets, frames: Sequence[bytes], lengths: NDArray[np.int64]) -> None:
    """Find every packet of the batch, then gather those of each code into one array."""
    # The padding lets a header be read at the start of any frame, however short the last one is.
    buffer = np.frombuffer(bytearray().join([*frames, bytes(HEADER.itemsize)]), np.uint8)
    starts = np.cumsum(lengths) - lengths
    codes = buffer[starts]
    declared = buffer[starts + 1].astype(np.int64) | buffer[starts + 2].astype(np.int64) << 8
    single = (lengths > 0) & (declared == lengths) & (_SIZE_OF_CODE[codes] == lengths)
    offsets, found = starts[single], codes[single]
    others = np.flatnonzero(~single)
    if len(others):
        walked = [place for frame in others for place in _walk(packets, frames[frame], int(starts[frame]))]
        offsets = np.concatenate([offsets, np.array([offset for offset, _ in walked], np.int64)])
        found = np.concatenate([found, np.array([code for _, code in walked], np.uint8)])
        order = np.argsort(offsets, kind="stable")
        offsets, found = offsets[order], found[order]
    for code in np.unique(found):
        places = np.flatnonzero(found == code)
        _gather(packets, ResponseCode(int(code)), buffer, offsets[places], places)


def _walk(packets: Packets, frame: bytes, start: int) -> list[tuple[int, int]]:
    """The (offset in the batch, code) of each packet stacked in a frame, by the length fields.

    A length that is too small or runs past the frame is not believed: the code's own size is used.
    """
    if not frame:
        packets.errors[PacketError.EMPTY_FRAME] += 1
        return []
    places = []
    offset, end = 0, len(frame)
    while offset < end:
        code, length = _CODE_AND_LENGTH.unpack_from(frame, offset) if end - offset >= HEADER.itemsize else (-1, 0)
        size, left = SIZES.get(code, 0), end - offset
        if size > left or code < 0:
            packets.errors[PacketError.TRUNCATED] += 1
            break
        if size:
            places.append((start + offset, code))
            if length != size:
                packets.errors[PacketError.WRONG_LENGTH] += 1
        else:
            _keep_sample(packets, frame[offset:])
            packets.errors[PacketError.UNKNOWN_CODE] += 1
        if not max(size, HEADER.itemsize) <= length <= left:
            length = size or left
        offset += length
    return places


def _keep_sample(packets: Packets, packet: bytes) -> None:
    if len(packets.samples) < SAMPLES_KEPT:
        packets.samples.append(packet[:SAMPLE_BYTES])


def _gather(
    packets: Packets,
    code: ResponseCode,
    buffer: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    places: NDArray[np.int64],
) -> None:
    """Copy the packets of one code out of the batch: one block of bytes for each, no field by field."""
    if code not in LAYOUTS:
        packets.skipped[code] += len(offsets)
        packets.count += len(offsets)
        if code == ResponseCode.INDEX:  # nobody has documented this one: the first real ones are worth a look
            _keep_sample(packets, buffer[offsets[0] : offsets[0] + SIZES[code]].tobytes())
        return
    size = SIZES[code]
    windows = np.ndarray(len(buffer) - size + 1, np.dtype((np.void, size)), buffer, 0, (1,))
    _keep(packets, code, windows[offsets].view(LAYOUTS[code]), places)


def _keep(packets: Packets, code: ResponseCode, rows: NDArray[np.void], places: NDArray[np.int64]) -> None:
    packets.count += len(rows)
    if code == ResponseCode.DISCONNECT:
        packets.disconnects.extend(rows["reason"].tolist())
        return
    if "last_traded_at" in rows.dtype.names:
        rows["last_traded_at"] -= np.minimum(rows["last_traded_at"], IST_OFFSET_SECONDS)
    setattr(packets, code.name.lower(), Group(rows, places))


# --- requests ---------------------------------------------------------------------------------


def mode_of(code: int) -> FeedMode:
    """Indices have no book: Quote. Everything that trades: Full."""
    return FeedMode.QUOTE if code >> SECURITY_ID_BITS == ExchangeSegment.IDX_I else FeedMode.FULL


def codes_by_mode(codes: Iterable[int]) -> dict[FeedMode, list[int]]:
    """Instrument codes (`InstrumentKey.code`) under the mode in which each is fed."""
    modes: dict[FeedMode, list[int]] = {}
    for code in codes:
        modes.setdefault(mode_of(code), []).append(code)
    return modes


def subscribe_messages(
    codes: Mapping[FeedMode, Sequence[int]], per_message: int = INSTRUMENTS_PER_MESSAGE
) -> list[str]:
    """JSON texts that subscribe to these instrument codes, at most `per_message` in each."""
    return _messages(codes, per_message, 0)


def unsubscribe_messages(
    codes: Mapping[FeedMode, Sequence[int]], per_message: int = INSTRUMENTS_PER_MESSAGE
) -> list[str]:
    """JSON texts that take back a subscription: Dhan wants the code of the same mode."""
    return _messages(codes, per_message, 1)


def disconnect_message() -> str:
    return f'{{"RequestCode":{RequestCode.DISCONNECT:d}}}'


def _messages(codes: Mapping[FeedMode, Sequence[int]], per_message: int, taken_back: int) -> list[str]:
    return [
        _message(mode + taken_back, wanted[first : first + per_message])
        for mode, wanted in codes.items()
        for first in range(0, len(wanted), per_message)
    ]


def _message(request: int, codes: Sequence[int]) -> str:
    # By hand, not by json: 5,000 instruments are written at every reconnect, and nothing here needs escaping.
    instruments = ",".join(
        f'{{"ExchangeSegment":"{_SEGMENT_NAMES[code >> SECURITY_ID_BITS]}","SecurityId":"{code & SECURITY_ID_MASK}"}}'
        for code in map(int, codes)
    )
    return f'{{"RequestCode":{request:d},"InstrumentCount":{len(codes)},"InstrumentList":[{instruments}]}}'


_SEGMENT_NAMES = {segment.value: segment.name for segment in ExchangeSegment}


# --- encoding, for the simulator and the tests ------------------------------------------------


def blank_packets(code: ResponseCode, instruments: ArrayLike) -> NDArray[np.void]:
    """Packets of one code for these instrument codes: headers filled, bodies zero. `.tobytes()` is the wire.

    Fields carry what is sent: float32 rupees, and trade times through `wire_time`.
    """
    wanted = np.atleast_1d(np.asarray(instruments, np.uint64))
    rows = np.zeros(len(wanted), LAYOUTS.get(code, np.dtype([*HEADER.descr, ("body", "V", SIZES[code] - 8)])))
    rows["response_code"] = code
    rows["length"] = SIZES[code]
    rows["segment"] = wanted >> np.uint64(SECURITY_ID_BITS)
    rows["security_id"] = wanted & np.uint64(SECURITY_ID_MASK)
    return rows


def encode(code: ResponseCode, instruments: ArrayLike, **fields: ArrayLike) -> bytes:
    """Packets of one code, stacked: `encode(ResponseCode.TICKER, [code], last_price=[152.3], last_traded_at=[...])`."""
    rows = blank_packets(code, instruments)
    for name, values in fields.items():
        rows[name] = values
    return rows.tobytes()


def encode_full(instruments: ArrayLike, **fields: ArrayLike) -> bytes:
    return encode(ResponseCode.FULL, instruments, **fields)


def encode_quote(instruments: ArrayLike, **fields: ArrayLike) -> bytes:
    return encode(ResponseCode.QUOTE, instruments, **fields)


def encode_ticker(instruments: ArrayLike, **fields: ArrayLike) -> bytes:
    return encode(ResponseCode.TICKER, instruments, **fields)


def encode_open_interest(instruments: ArrayLike, **fields: ArrayLike) -> bytes:
    return encode(ResponseCode.OPEN_INTEREST, instruments, **fields)


def encode_previous_close(instruments: ArrayLike, **fields: ArrayLike) -> bytes:
    return encode(ResponseCode.PREVIOUS_CLOSE, instruments, **fields)


def encode_disconnect(reason: int) -> bytes:
    return encode(ResponseCode.DISCONNECT, [0], reason=reason)


def wire_time(utc_seconds: ArrayLike) -> NDArray[np.uint32]:
    """Seconds since 1970 UTC as Dhan sends them: the Indian wall clock; 0 (never traded) stays 0."""
    seconds = np.asarray(utc_seconds, np.int64)
    return np.where(seconds > 0, seconds + IST_OFFSET_SECONDS, 0).astype(np.uint32)
