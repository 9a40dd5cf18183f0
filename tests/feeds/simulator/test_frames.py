"""Frames around packets, byte for byte."""

from __future__ import annotations

from feeds.dhan.wire import ResponseCode, blank_packets
from feeds.simulator import frames

TICKER_OF_NIFTY = "02 10 00 00 0d 00 00 00 00 00 00 00 00 00 00 00"


def test_a_short_payload_has_a_header_of_two_bytes():
    assert frames.frame(b"abc") == b"\x82\x03abc"


def test_a_full_packet_needs_the_long_length():
    assert frames.header(162) == bytes.fromhex("82 7e 00 a2")


def test_a_payload_over_65535_bytes_has_eight_bytes_of_length():
    assert frames.header(70_000) == bytes.fromhex("82 7f 00 00 00 00 00 01 11 70")


def test_a_text_frame_says_so():
    assert frames.frame(b"hi", frames.OPCODE_TEXT) == b"\x81\x02hi"


def test_each_packet_gets_a_frame_of_its_own():
    packets = blank_packets(ResponseCode.TICKER, [13, 13])

    assert frames.frames(packets).hex(" ") == f"82 10 {TICKER_OF_NIFTY} 82 10 {TICKER_OF_NIFTY}"


def test_stacked_packets_share_frames_and_the_rest_gets_a_shorter_one():
    packets = blank_packets(ResponseCode.TICKER, [13, 13, 13])

    assert frames.frames(packets, per_frame=2).hex(" ") == (
        f"82 20 {TICKER_OF_NIFTY} {TICKER_OF_NIFTY} 82 10 {TICKER_OF_NIFTY}"
    )


def test_no_packets_are_no_bytes():
    assert frames.frames(blank_packets(ResponseCode.FULL, [])) == b""
