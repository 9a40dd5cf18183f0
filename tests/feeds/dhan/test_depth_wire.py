"""Twenty-level packets as bytes: the documented layout, stacked messages, and damage that is counted."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.dhan import depth_wire
from feeds.dhan.depth_wire import LEVEL, DepthCode
from feeds.dhan.wire import PacketError

OPTION = InstrumentKey(ExchangeSegment.NSE_FNO, 47_317).code
SHARE = InstrumentKey(ExchangeSegment.NSE_EQ, 2_885).code


def side(code: int, prices: list[float], sequence: int = 1) -> bytes:
    """A packet of OPTION written field by field: level n has 10 n units in n orders."""
    header = struct.pack("<HBBII", 332, code, 2, 47_317, sequence)
    return header + b"".join(struct.pack("<dII", price, 10 * n, n) for n, price in enumerate(prices, start=1))


BIDS = [100 - 0.05 * n for n in range(20)]
ASKS = [100.05 + 0.05 * n for n in range(20)]


def test_bid_and_ask_stacked_in_one_message_are_two_sides() -> None:
    packets = depth_wire.decode([side(41, BIDS) + side(51, ASKS, sequence=2)])
    assert packets.sides["response_code"].tolist() == [DepthCode.BID, DepthCode.ASK]
    assert packets.sides["security_id"].tolist() == [47_317, 47_317]
    assert packets.sides["levels"]["price"][0].tolist() == BIDS
    assert packets.sides["levels"]["quantity"][1].tolist() == [10 * n for n in range(1, 21)]
    assert packets.sides["levels"]["orders"][1].tolist() == list(range(1, 21))
    assert packets.bad == 0


def test_a_level_is_where_the_document_says() -> None:
    packet = bytes.fromhex("4c012902d5b80000010000000000000000005940" + "0a00000001000000") + bytes(304)
    (row,) = depth_wire.decode([packet]).sides
    assert (row["levels"]["price"][0], row["levels"]["quantity"][0], row["levels"]["orders"][0]) == (100.0, 10, 1)


def test_a_disconnect_says_why() -> None:
    packets = depth_wire.decode([bytes.fromhex("0e00320000000000e70300002503")])
    assert (packets.disconnects, len(packets.sides), packets.bad) == ([805], 0, 0)
    assert depth_wire.decode([depth_wire.encode_disconnect(804)]).disconnects == [804]


def test_a_heartbeat_is_no_error() -> None:
    assert depth_wire.decode([bytes.fromhex("0c0000000000000000000000")]).bad == 0


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (side(41, BIDS)[:-1], PacketError.TRUNCATED),
        (b"\x4c\x01\x29", PacketError.TRUNCATED),
        (b"\x4c\x01\x63" + bytes(329), PacketError.UNKNOWN_CODE),
        (b"\x00\x00\x29" + bytes(329), PacketError.WRONG_LENGTH),
    ],
)
def test_damage_is_counted_and_what_came_before_it_is_kept(frame: bytes, error: PacketError) -> None:
    packets = depth_wire.decode([side(51, ASKS) + frame, side(41, BIDS)])
    assert dict(packets.errors) == {error: 1}
    assert packets.sides["response_code"].tolist() == [51, 41]


@given(st.lists(st.binary(max_size=700), max_size=5))
def test_any_bytes_are_read_without_an_exception(frames: list[bytes]) -> None:
    packets = depth_wire.decode(frames)
    assert packets.bad + len(packets.sides) + len(packets.disconnects) <= sum(map(len, frames))


@given(
    st.sampled_from([DepthCode.BID, DepthCode.ASK]),
    st.sampled_from([OPTION, SHARE]),
    st.lists(st.tuples(st.floats(0.05, 2e7), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)), max_size=20),
)
def test_what_is_encoded_is_decoded(code: DepthCode, instrument: int, levels: list[tuple[float, int, int]]) -> None:
    written = np.array(levels, LEVEL)
    (row,) = depth_wire.decode([depth_wire.encode_side(code, instrument, written)]).sides
    assert (row["response_code"], int(row["segment"]) << 32 | int(row["security_id"])) == (code, instrument)
    assert row["levels"][: len(levels)].tolist() == written.tolist()


def test_requests_name_segment_and_id_as_text() -> None:
    assert depth_wire.subscribe_message([OPTION, SHARE]) == (
        '{"RequestCode":23,"InstrumentCount":2,"InstrumentList":[{"ExchangeSegment":"NSE_FNO","SecurityId":"47317"},'
        '{"ExchangeSegment":"NSE_EQ","SecurityId":"2885"}]}'
    )
    assert depth_wire.unsubscribe_message([SHARE]).startswith('{"RequestCode":25,"InstrumentCount":1,')
