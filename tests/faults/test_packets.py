"""Faults in what Dhan sends (F08 to F10): malformed frames, impossible values, packets twice or out of order."""

from __future__ import annotations

import asyncio
import random
import struct
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from math import inf, nan

import numpy as np
import pytest

from feeds import bus, clock
from feeds.core.instrument import InstrumentKey
from feeds.core.tick import TickFlag
from feeds.dhan.governor import Cause
from feeds.dhan.wire import IST_OFFSET_SECONDS, decode
from tests.faults.market import Market, a_market
from tests.faults.pace import paced
from tests.feeds.dhan.test_wire import GOLDEN

pytestmark = pytest.mark.django_db(transaction=True)

GOOD_BETWEEN = 150
"""Good packets after each bad one: fewer than one in a hundred is bad, which is borne."""
NAN_WITH_PAYLOAD = struct.unpack("<f", b"\x01\x02\xc0\x7f")[0]


@paced(0.1)
async def test_f08_every_golden_packet_cut_at_every_byte_is_counted_and_dropped_and_every_socket_stays_up(pace, redis):
    async with a_market(pace, redis, instruments=500, rate=30_000.0) as market:
        codes = market.subscribed()
        cuts = [packet[:size] for packet in GOLDEN for size in range(len(packet))]
        numbers = market.numbers()
        for place in range(0, len(cuts), len(numbers)):
            for number, cut in zip(numbers, cuts[place : place + len(numbers)], strict=False):
                market.cause("script", connection=number, packets=[cut.hex()])
            good = [connection.packets for connection in market.connections]
            await pace.until(lambda good=good: has_gone_on(market, good), "good packets between the bad ones")
        errors = sum(decode(cut).errors.total() for cut in cuts)
        await market.within(1, lambda: bad_packets(market) == errors, f"F08 {len(cuts)} cuts, {errors} errors counted")
        assert market.reconnects == [0] * 5
        assert market.is_believed(codes)


def has_gone_on(market: Market, before: list[int]) -> bool:
    return all(c.packets >= count + GOOD_BETWEEN for c, count in zip(market.connections, before, strict=True))


def bad_packets(market: Market) -> int:
    return sum(connection.errors.total() for connection in market.connections)


@paced(0.1)
async def test_f08_each_kind_of_bad_frame_is_counted_by_its_reason_and_an_unknown_one_is_kept_to_be_looked_at(
    pace, redis
):
    async with a_market(pace, redis, instruments=100) as market:
        codes = market.subscribed()
        (number, *_), first = market.numbers(), market.connection_of(market.numbers()[0])
        for kind in ("truncated", "unknown", "extended", "wrong_length", "empty", "text", "stacked"):
            market.cause("frame", kind=kind, connection=number)
        await market.within(1, lambda: first.errors.total() >= 6, "F08 counted")
        assert {str(error) for error in first.errors} == {
            "truncated", "unknown_code", "wrong_length", "empty_frame", "text_frame",
        }  # fmt: skip
        assert [sample[0] for sample in first.samples] == [99]
        await market.within(2, lambda: market.status()["counters"].get("bad_unknown_code") == 1, "F08 shown")
        assert market.reconnects == [0] * 5
        assert market.is_believed(codes)


@paced(0.1)
async def test_f08_more_than_one_bad_packet_in_a_hundred_for_ten_seconds_ends_the_socket(pace, redis):
    async with a_market(pace, redis, instruments=100, rate=2000.0) as market:
        codes = market.subscribed()
        number = market.numbers()[0]
        spoiled = market.connection_of(number)
        market.cause("frame", kind="garbage", connection=number, count=2000)
        await market.within(10, lambda: spoiled.reconnects == 1, "F08 reconnected")
        assert spoiled.last_ending.cause is Cause.BAD_PACKETS
        await market.within(10, lambda: market.live() == 5 and market.is_believed(codes), "F08 believed again")
        assert sorted(market.reconnects) == [0, 0, 0, 0, 1]


IMPOSSIBLE = {
    "not a number": {"last_price": nan},
    "not a number, with a payload": {"last_price": NAN_WITH_PAYLOAD},
    "infinite": {"last_price": inf},
    "minus infinite": {"last_price": -inf},
    "negative": {"last_price": -1.0},
    "zero": {"last_price": 0.0},
    "1e30": {"last_price": 1e30},
    "average": {"average_price": nan},
    "close": {"previous_close": inf},
    "crossed book": {"bid_price": 100_000.0, "ask_price": 1.0},
    "negative bid": {"bid_price": -5.0},
    "volume goes down": {"volume": 0.0},
    "high below low": {"day_high": 1.0, "day_low": 2.0},
    "depth of zeros": dict.fromkeys(("bid_price", "ask_price", "bid_quantity", "ask_quantity"), 0.0),
}


@paced(0.1)
async def test_f09_impossible_values_are_quarantined_and_the_last_good_ones_stand(pace, redis):
    async with a_market(pace, redis, instruments=30, rate=200.0) as market:
        codes = market.subscribed()
        victims = dict(zip(codes, IMPOSSIBLE.items(), strict=False))
        async with listening() as heard:
            await pace.until(lambda: heard.keys() >= set(codes), "every instrument on the bus")
            while unseen := victims.keys() - quarantined(heard):  # a flush may hold the good packet after it already
                for code in unseen:
                    values = victims[code][1]
                    market.cause("impossible", instrument=str(InstrumentKey.from_code(code)), values=values, packets=2)
                await asyncio.sleep(pace.real(5.0))
            await market.within(5, lambda: market.is_believed(codes), "F09 believed again after a good packet")
        for code, rows in heard.items():
            name = victims.get(code, ("",))[0]
            for before, after in pairwise(rows):
                assert 0.2 < after["last_price"] / before["last_price"] < 5, name
                assert after["volume"] >= before["volume"], name
            assert_possible(np.array(rows))
        assert quarantined(heard) == victims.keys()


def assert_possible(rows: np.ndarray) -> None:
    """No row of the bus holds what no market could say."""
    book = rows["depth"]
    assert (rows["day_high"] >= rows["day_low"]).all()
    assert (rows["average_price"] >= 0).all()
    assert (rows["previous_close"] >= 0).all()
    assert (book["bid_price"] >= 0).all()
    assert ((book["bid_price"][:, 0] <= book["ask_price"][:, 0]) | (book["ask_price"][:, 0] == 0)).all()


def quarantined(heard: dict[int, list[np.void]]) -> set[int]:
    return {code for code, rows in heard.items() if any(row["flags"] & TickFlag.QUARANTINED for row in rows)}


@asynccontextmanager
async def listening() -> AsyncIterator[dict[int, list[np.void]]]:
    """Every row that the bus carries, by instrument, as a reader of it gets them."""
    heard: dict[int, list[np.void]] = defaultdict(list)
    connection = bus.async_redis()

    async def read() -> None:
        async for event in bus.TickSubscriber(connection):
            for row in getattr(event, "rows", ()):
                heard[int(row["code"])].append(row)

    task = asyncio.create_task(read())
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await connection.aclose()


@paced(0.1)
async def test_f10_packets_twice_and_out_of_order_end_where_the_stream_in_order_ends(pace, redis):
    async with a_market(pace, redis, instruments=200) as market:
        frozen = market.subscribed()[:40]
        market.cause("freeze", instruments=[str(InstrumentKey.from_code(code)) for code in frozen])
        stream = recorded(market, frozen, moments=25)
        dice = random.Random(10)
        sent = stream + dice.sample(stream, len(stream) // 3)
        dice.shuffle(sent)
        in_order, last_to_arrive = by_code(stream), by_code(sent)
        for number in market.numbers():
            mine = [packet for packet in sent if code_of(packet) in market.carried_by(number)]
            market.cause("script", connection=number, packets=[packet.tobytes().hex() for packet in mine])
        await market.within(
            2, lambda: volumes(market, frozen) == {c: int(in_order[c]["volume"]) for c in frozen}, "F10"
        )
        await market.pace.throughout(2, lambda: market.reconnects == [0] * 5, "F10 the sockets stay")
        for code in frozen:
            row = market.row(code)
            assert row["last_price"] == round(float(in_order[code]["last_price"]) * 100)
            assert row["last_traded_at"] == int(in_order[code]["last_traded_at"]) - IST_OFFSET_SECONDS
            assert row["depth"]["bid_quantity"].tolist() == last_to_arrive[code]["depth"]["bid_quantity"].tolist()
        assert market.status()["counters"]["out_of_order"] > len(stream) // 2


def recorded(market: Market, codes: list[int], moments: int) -> list[np.void]:
    """Full packets of these instruments, a second apart from now on, in order."""
    simulated = market.simulator.market
    rows = simulated.rows(np.array(codes, np.uint64))
    now = clock.exchange_now().timestamp()
    return [packet for second in range(moments) for packet in simulated.packets(rows, np.full(len(rows), now + second))]


def code_of(packet: np.void) -> int:
    return int(packet["segment"]) << 32 | int(packet["security_id"])


def by_code(packets: list[np.void]) -> dict[int, np.void]:
    """The last packet of each instrument."""
    return {code_of(packet): packet for packet in packets}


def volumes(market: Market, codes: list[int]) -> dict[int, int]:
    return {code: int(market.row(code)["volume"]) for code in codes}
