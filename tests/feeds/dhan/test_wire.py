"""The wire codec against literal packets, damaged ones, and millions of mutations."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.fuzz_wire import fuzz
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.dhan import wire
from feeds.dhan.wire import BadPacket, FeedMode, PacketError, ResponseCode, decode, decode_one

# Built from the documented layouts and cross-checked with the official client 2.3.0.
TICKER = bytes.fromhex("021000000d000000b3a4b6464533296a")
PREVIOUS_CLOSE = bytes.fromhex("061000000d000000336cb64600000000")
QUOTE = bytes.fromhex(
    "04320001450b0000cddcac4419004533296a668eac4487d61200f4010000bc0200000060ac4466e6ab440030ad443303ac44"
)
OPEN_INTEREST = bytes.fromhex("050c0002d5b8000031b42e00")
FULL = bytes.fromhex(
    "08a20002d5b80000000060404b004533296a14ae8740cd161d04d9040000a305000031b42e0041093300c0c62d000000e0403333e3400000"
    "00410000404041000000820000000100020066664640cdcc5c408200000004010000020003003333434000006040c3000000860100000300"
    "04000000404033336340040100000802000004000500cdcc3c4066666640450100008a020000050006009a9939409a996940"
)
MARKET_STATUS = bytes.fromhex("0708000100000000")
DISCONNECT_805 = bytes.fromhex("320a0000000000002503")
DISCONNECT_807 = bytes.fromhex("320a0000000000002703")
DISCONNECT_814 = bytes.fromhex("320a0000000000002e03")
STACKED = bytes.fromhex("02100002d5b80000000060404533296a050c0002d5b8000031b42e00")
ZERO_CODE = bytes.fromhex("0008000000000000")
DEPTH_20_HEADER = bytes.fromhex("4c012902d5b8000001000000")
DEPTH_200 = bytes.fromhex(
    "3c002902d5b800000300000000000000000059400a00000001000000cdccccccccfc58400a00000001000000"
    "9a99999999f958400a00000001000000"
)
DEPTH_DISCONNECT = bytes.fromhex("0e00320000000000e70300002503")
REAL_FULL_START = bytes.fromhex("08a20002f4d90000cd4c18434b00589a")
"""The first 16 bytes of a packet captured by a user of the official client (its issue 90)."""

GOLDEN = [TICKER, PREVIOUS_CLOSE, QUOTE, OPEN_INTEREST, FULL, MARKET_STATUS, DISCONNECT_805, ZERO_CODE]


def test_ticker_of_nifty_is_read_and_its_indian_wall_clock_becomes_utc() -> None:
    row = decode(TICKER).ticker.rows[0]
    assert (row["segment"], row["security_id"]) == (0, 13)
    assert row["last_price"] == np.float32(23378.35)
    assert row["last_traded_at"] == 1781065197


def test_a_time_of_zero_means_never_and_stays_zero() -> None:
    assert decode(wire.encode_ticker([13], last_traded_at=0)).ticker.rows["last_traded_at"].tolist() == [0]


def test_previous_close_is_read() -> None:
    row = decode(PREVIOUS_CLOSE).previous_close.rows[0]
    assert (row["previous_close"], row["previous_open_interest"]) == (np.float32(23350.1), 0)


def test_quote_has_sell_before_buy_and_close_before_high() -> None:
    row = decode(QUOTE).quote.rows[0]
    assert (row["segment"], row["security_id"], row["last_quantity"], row["volume"]) == (1, 2885, 25, 1234567)
    assert (row["total_sell_quantity"], row["total_buy_quantity"]) == (500, 700)
    prices = [
        row[name] for name in ("last_price", "average_price", "day_open", "previous_close", "day_high", "day_low")
    ]
    assert prices == [np.float32(price) for price in (1382.9, 1380.45, 1379.0, 1375.2, 1385.5, 1376.1)]


def test_open_interest_is_read() -> None:
    assert decode(OPEN_INTEREST).open_interest.rows["open_interest"].tolist() == [3060785]


def test_full_is_read_with_its_five_levels() -> None:
    row = decode(FULL).full.rows[0]
    assert (row["segment"], row["security_id"], row["last_price"], row["volume"]) == (2, 47317, 3.5, 69015245)
    assert (row["total_sell_quantity"], row["total_buy_quantity"]) == (1241, 1443)
    assert [row[f"open_interest{part}"] for part in ("", "_high", "_low")] == [3060785, 3344705, 3000000]
    assert [row[name] for name in ("day_open", "day_high", "day_low")] == [7.0, 8.0, 3.0]
    assert row["previous_close"] == np.float32(7.1)
    depth = row["depth"]
    assert depth["bid_price"].tolist() == [np.float32(price) for price in (3.1, 3.05, 3.0, 2.95, 2.9)]
    assert depth["ask_price"].tolist() == [np.float32(price) for price in (3.45, 3.5, 3.55, 3.6, 3.65)]
    assert depth["bid_quantity"].tolist() == [65, 130, 195, 260, 325]
    assert depth["ask_quantity"].tolist() == [130, 260, 390, 520, 650]
    assert (depth["bid_orders"].tolist(), depth["ask_orders"].tolist()) == ([1, 2, 3, 4, 5], [2, 3, 4, 5, 6])


def test_the_start_of_a_packet_from_the_real_wire_is_read() -> None:
    row = decode(REAL_FULL_START + bytes(146)).full.rows[0]
    assert (row["segment"], row["security_id"]) == (2, 55796)
    assert (row["last_price"], row["last_quantity"]) == (np.float32(152.30), 75)


@pytest.mark.parametrize(("packet", "reason"), [(DISCONNECT_805, 805), (DISCONNECT_807, 807), (DISCONNECT_814, 814)])
def test_disconnect_carries_its_reason(packet: bytes, reason: int) -> None:
    assert decode(packet).disconnects == [reason]


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        (ZERO_CODE, ResponseCode.HEARTBEAT),
        (MARKET_STATUS, ResponseCode.MARKET_STATUS),
        (wire.encode(ResponseCode.INDEX, [13]), ResponseCode.INDEX),
        (wire.encode(ResponseCode.OLD_DEPTH, [13]), ResponseCode.OLD_DEPTH),
    ],
)
def test_packets_without_a_documented_body_are_counted_and_skipped(packet: bytes, code: ResponseCode) -> None:
    packets = decode(packet + TICKER)
    assert packets.skipped == {code: 1}
    assert len(packets.ticker.rows) == 1
    assert not packets.errors


def test_the_undocumented_index_packet_is_kept_as_a_sample() -> None:
    packet = wire.encode(ResponseCode.INDEX, [13])
    assert decode(packet).samples == [packet]


def test_stacked_packets_are_all_read_and_keep_their_places() -> None:
    packets = decode([STACKED, TICKER])
    assert packets.count == 3
    assert packets.ticker.rows["security_id"].tolist() == [47317, 13]
    assert (packets.ticker.places.tolist(), packets.open_interest.places.tolist()) == ([0, 2], [1])


def test_every_golden_packet_stacked_in_one_frame_reads_as_one_by_one() -> None:
    together, apart = decode(b"".join(GOLDEN)), decode(GOLDEN)
    for name in ("ticker", "quote", "open_interest", "previous_close", "full"):
        assert getattr(together, name).rows.tobytes() == getattr(apart, name).rows.tobytes()
        assert getattr(together, name).places.tolist() == getattr(apart, name).places.tolist()
    assert (together.disconnects, together.skipped) == (apart.disconnects, apart.skipped)


@pytest.mark.parametrize("declared", [0, 1, 8, 154, 163, 65535])
def test_a_wrong_length_falls_back_to_the_size_of_the_code(declared: int) -> None:
    packet = FULL[:1] + declared.to_bytes(2, "little") + FULL[3:]
    packets = decode(packet)
    assert packets.full.rows["volume"].tolist() == [69015245]
    assert packets.errors == {PacketError.WRONG_LENGTH: 1}


def test_a_longer_packet_than_documented_is_read_and_stepped_over_whole() -> None:
    packets = decode(b"\x02\x14\x00" + TICKER[3:] + b"new!" + OPEN_INTEREST)
    assert (len(packets.ticker.rows), len(packets.open_interest.rows)) == (1, 1)
    assert packets.errors == {PacketError.WRONG_LENGTH: 1}


def test_an_unknown_code_is_stepped_over_and_a_sample_is_kept() -> None:
    unknown = bytes.fromhex("630c00020100000041424344")
    packets = decode([unknown + TICKER, unknown, unknown, unknown, unknown, unknown])
    assert len(packets.ticker.rows) == 1
    assert packets.errors == {PacketError.UNKNOWN_CODE: 6}
    assert packets.samples == [(unknown + TICKER)[:64], unknown, unknown, unknown]


@pytest.mark.parametrize("packet", [DEPTH_20_HEADER, DEPTH_200, DEPTH_DISCONNECT])
def test_packets_of_the_depth_feed_are_no_packets_of_this_one(packet: bytes) -> None:
    packets = decode(packet)
    assert packets.count == 0
    assert packets.bad >= 1


def test_empty_input_is_no_packet_and_an_empty_frame_is_counted() -> None:
    assert decode([]).count == 0
    packets = decode([b"", TICKER, b"", bytes.fromhex("630000000000000000")])
    assert packets.errors == {PacketError.EMPTY_FRAME: 2, PacketError.UNKNOWN_CODE: 1}
    assert len(packets.ticker.rows) == 1


@pytest.mark.parametrize("packet", GOLDEN, ids=lambda packet: f"code {packet[0]}")
def test_a_packet_cut_at_any_byte_is_truncated_and_harms_no_other(packet: bytes) -> None:
    for cut in range(1, len(packet)):
        packets = decode([QUOTE, packet[:cut], FULL])
        assert packets.errors == {PacketError.TRUNCATED: 1}
        assert packets.count == 2
        assert (len(packets.quote.rows), len(packets.full.rows)) == (1, 1)
        with pytest.raises(BadPacket, match="truncated"):
            decode_one(packet[:cut])


@settings(deadline=None)
@given(st.lists(st.binary(max_size=400), max_size=20))
def test_no_bytes_whatever_raise(frames: list[bytes]) -> None:
    packets = decode(frames)
    assert packets.count + packets.bad >= len(frames)
    assert len(packets.samples) <= wire.SAMPLES_KEPT


@settings(deadline=None)
@given(st.lists(st.sampled_from(GOLDEN), min_size=1, max_size=40), st.data())
def test_any_stacking_reads_the_same_packets_in_the_same_order(sequence: list[bytes], data: st.DataObject) -> None:
    cuts = data.draw(st.sets(st.integers(1, len(sequence))))
    edges = [0, *sorted(cuts), len(sequence)]
    stacked = decode([b"".join(sequence[a:b]) for a, b in pairwise(edges) if a < b])
    single = decode(sequence)
    assert (stacked.count, stacked.errors) == (single.count, single.errors)
    assert (stacked.full.places.tolist(), stacked.ticker.places.tolist()) == (
        single.full.places.tolist(),
        single.ticker.places.tolist(),
    )


def test_two_hundred_thousand_mutations_raise_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    report = fuzz(count=200_000, seed=20260203)
    with capsys.disabled():
        print(f"\nfuzzed packets: {report.mutations}, understood {report.understood}, refused {dict(report.errors)}")
    assert report.mutations == 200_000


def test_what_is_encoded_is_what_is_decoded() -> None:
    codes = [InstrumentKey(ExchangeSegment.NSE_FNO, 49081).code, InstrumentKey(ExchangeSegment.MCX_COMM, 569900).code]
    encoded = wire.encode_full(
        codes, last_price=[152.3, 5000], last_traded_at=wire.wire_time([1781065197, 0]), volume=[7, 8]
    )
    rows = decode(encoded).full.rows
    assert rows["segment"].tolist() == [2, 5]
    assert rows["security_id"].tolist() == [49081, 569900]
    assert rows["last_traded_at"].tolist() == [1781065197, 0]
    assert rows["volume"].tolist() == [7, 8]
    assert encoded[:8].hex() == "08a20002b9bf0000"


def test_encoded_disconnect_and_market_status_are_the_golden_bytes() -> None:
    assert wire.encode_disconnect(805) == DISCONNECT_805
    assert wire.encode(ResponseCode.MARKET_STATUS, [InstrumentKey(ExchangeSegment.NSE_EQ, 0).code]) == MARKET_STATUS


def test_indices_are_asked_for_in_quote_and_all_else_in_full_at_most_a_hundred_a_message() -> None:
    nifty = InstrumentKey(ExchangeSegment.IDX_I, 13)
    options = [InstrumentKey(ExchangeSegment.NSE_FNO, number) for number in range(40_000, 40_250)]
    messages = [
        json.loads(text) for text in wire.subscribe_messages(wire.codes_by_mode(k.code for k in [nifty, *options]))
    ]
    assert [(m["RequestCode"], m["InstrumentCount"]) for m in messages] == [(17, 1), (21, 100), (21, 100), (21, 50)]
    assert messages[0]["InstrumentList"] == [{"ExchangeSegment": "IDX_I", "SecurityId": "13"}]
    assert messages[1]["InstrumentList"][0] == {"ExchangeSegment": "NSE_FNO", "SecurityId": "40000"}
    assert all(m["InstrumentCount"] == len(m["InstrumentList"]) for m in messages)


def test_taking_back_uses_the_code_of_the_same_mode() -> None:
    texts = wire.unsubscribe_messages({FeedMode.TICKER: [13], FeedMode.QUOTE: [13], FeedMode.FULL: [2 << 32 | 5]})
    assert [json.loads(text)["RequestCode"] for text in texts] == [16, 18, 22]
    assert json.loads(wire.disconnect_message()) == {"RequestCode": 12}
