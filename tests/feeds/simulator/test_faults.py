"""Each fault as a client meets it."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import websockets

from feeds.dhan.wire import PacketError
from feeds.simulator.control import FaultRefused, SimulatorControl
from feeds.simulator.faults import FAULTS
from tests.feeds.simulator.conftest import Client, contracts_of, feed_url, until

NIFTY = "IDX_I.13"
RELIANCE = "NSE_EQ.2885"
TCS = "NSE_EQ.11536"


@pytest.fixture
async def client(simulator, dial) -> Client:
    """A client whose RELIANCE ticks."""
    client = await dial(simulator)
    await client.subscribe(RELIANCE)
    await until(lambda: client.messages, "ticks")
    return client


async def ticks_go_on(client: Client) -> None:
    client.messages.clear()
    await until(lambda: len(client.packets.full.rows) >= 2, "ticks after the fault")


# --- ends ---


async def test_a_reset_comes_without_a_word(simulator, control, client):
    await control.inject("reset", connection=1)
    await until(lambda: client.closed, "the reset")

    assert client.close_code == 1006
    await until(lambda: not simulator.feed.connections, "the place to be free")


async def test_a_reset_is_one_on_the_wire(simulator, control):
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    path = feed_url(simulator).removeprefix(simulator.feed_url)
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: dhan\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    await control.inject("reset", connection=1)

    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 5)
    writer.close()


async def test_a_reset_in_mid_frame_leaves_half_a_packet(control, client):
    await control.inject("reset", connection=1, mid_frame=True)
    await until(lambda: client.closed, "the reset")

    assert {len(message) for message in client.messages} == {162}


async def test_a_half_open_connection_says_nothing_and_does_not_end(simulators, dial):
    simulator = await simulators(limits={"ping_seconds": 0.1, "pong_timeout_seconds": 0.6})
    client, other = await dial(simulator), await dial(simulator)
    await client.subscribe(RELIANCE)
    await other.subscribe(TCS)
    await until(lambda: client.messages and other.messages, "ticks")
    async with SimulatorControl(simulator.url) as control:
        await control.inject("half_open", connection=1)
        assert (await control.state())["connections"][0]["half_open"]
    client.messages.clear()
    await client.subscribe(TCS)
    await until(lambda: simulator.feed.counters["cut_for_silence"] == 1, "the server's own cut")

    assert client.messages == []
    assert not client.closed
    assert list(simulator.feed.connections) == [2]
    await ticks_go_on(other)


async def test_a_half_open_connection_holds_its_place_until_the_sixth_comes(simulator, control, dial):
    clients = [await dial(simulator) for _ in range(5)]
    await control.inject("half_open", connection=1)
    await dial(simulator)

    assert sorted(simulator.feed.connections) == [2, 3, 4, 5, 6]
    assert clients[0].messages == []
    assert not clients[0].closed


async def test_a_mute_connection_answers_pings_and_sends_no_data(control, client):
    await control.inject("mute", connection=1)
    await asyncio.wait_for(await client.socket.ping(), 5)
    client.messages.clear()
    await asyncio.wait_for(await client.socket.ping(), 5)

    assert client.messages == []
    await control.inject("mute", connection=1, on=False)
    await ticks_go_on(client)


@pytest.mark.parametrize("reason", [800, 804, 805, 806, 807, 808, 809, 810, 814])
async def test_a_disconnect_packet_carries_any_reason(simulator, control, client, reason):
    await control.inject("disconnect", connection=1, reason=reason)
    await until(lambda: client.closed, "the close")

    assert client.packets.disconnects == [reason]
    assert not simulator.feed.connections


async def test_a_disconnect_packet_need_not_end_the_connection(control, client):
    await control.inject("disconnect", connection=1, reason=805, close=False)
    await until(lambda: client.packets.disconnects == [805], "the packet")
    await ticks_go_on(client)


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 1012])
async def test_a_close_has_the_code_that_was_asked_for(simulator, control, client, code):
    await control.inject("close", connection=1, code=code)
    await until(lambda: client.closed, "the close")

    assert client.close_code == code
    assert not simulator.feed.connections


# --- the door ---


async def test_429_comes_for_a_number_of_dials(simulator, control, dial):
    await control.inject("throttle", dials=2)
    for _ in range(2):
        with pytest.raises(websockets.InvalidStatus) as refused:
            await dial(simulator)
        assert refused.value.response.status_code == 429
    await dial(simulator)

    assert [dial["refused"] for dial in (await control.state())["dials"]] == [429, 429, None]


async def test_429_comes_for_a_time_until_it_is_cleared(simulator, control, dial):
    await control.inject("throttle", seconds=60)
    with pytest.raises(websockets.InvalidStatus):
        await dial(simulator)
    await control.inject("clear")
    await dial(simulator)


@pytest.mark.parametrize(("open_feeds", "disconnects"), [("keep", []), ("cut", [807])])
async def test_a_token_roll_keeps_or_cuts_what_is_open(control, client, open_feeds, disconnects):
    await control.inject("roll_token", token="second-token", open_feeds=open_feeds)
    if disconnects:
        await until(lambda: client.closed, "the cut")
    else:
        await ticks_go_on(client)

    assert client.packets.disconnects == disconnects


async def test_a_token_roll_can_mute_what_is_open(control, client):
    await control.inject("roll_token", token="second-token", open_feeds="mute")

    assert (await control.state())["connections"][0]["muted"]


async def test_requests_are_ignored_and_the_later_ones_are_not(simulator, control, client):
    await control.inject("ignore_requests", messages=1)
    await client.subscribe(TCS)
    await client.subscribe(NIFTY)
    await until(lambda: NIFTY in client.heard_of, "the second request")

    assert TCS not in client.heard_of
    assert [request["ignored"] for request in (await control.state())["requests"]] == [False, True, False]


# --- bad bytes ---


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("truncated", PacketError.TRUNCATED),
        ("unknown", PacketError.UNKNOWN_CODE),
        ("extended", PacketError.WRONG_LENGTH),
        ("wrong_length", PacketError.WRONG_LENGTH),
        ("empty", PacketError.EMPTY_FRAME),
    ],
)
async def test_bad_frames_are_bad_in_their_own_way_and_ticks_go_on(control, client, kind, error):
    await control.inject("frame", connection=1, kind=kind)
    await until(lambda: client.packets.bad, f"a frame that is {kind}")

    if kind != "extended":  # ten bytes too many read as a packet of their own, of code 0
        assert client.packets.errors[error] == 1
    await ticks_go_on(client)


async def test_garbage_is_not_believed(control, client):
    await control.inject("frame", connection=1, kind="garbage", count=20)
    await until(lambda: sum(len(message) == 64 for message in client.messages) == 20, "twenty bad frames")
    await ticks_go_on(client)


async def test_three_packets_come_in_one_frame(control, client):
    await control.inject("frame", connection=1, kind="stacked")
    await until(lambda: any(len(message) == 3 * 162 for message in client.messages), "a stacked frame")

    assert client.packets.bad == 0


async def test_a_text_frame_comes_between(control, client):
    await control.inject("frame", connection=1, kind="text")
    await until(lambda: any(isinstance(message, str) for message in client.messages), "a text frame")
    await ticks_go_on(client)


async def test_a_script_sends_exactly_these_packets(control, client):
    vector = "021000000d000000b3a4b6464533296a"
    await control.inject("script", connection=1, packets=[vector, "00"])
    await until(lambda: b"\x00" in client.messages, "the script")

    assert bytes.fromhex(vector) in client.messages


# --- wrong data ---


async def test_a_frozen_instrument_stops_alone(simulator, control, client):
    await client.subscribe(TCS)
    await until(lambda: client.heard_of == {RELIANCE, TCS}, "both")
    await control.inject("freeze", instruments=[TCS])
    client.messages.clear()
    await until(lambda: len(client.packets.full.rows) > 5, "ticks")

    assert client.heard_of == {RELIANCE}
    await control.inject("freeze", instruments=[TCS], on=False)
    await until(lambda: TCS in client.heard_of, "the thaw")


async def test_a_segment_freezes_whole(control, client):
    await client.subscribe(NIFTY)
    await until(lambda: NIFTY in client.heard_of, "both")
    await control.inject("freeze_segment", segment="NSE_EQ")
    client.messages.clear()
    await until(lambda: len(client.packets.quote.rows) > 4, "ticks")

    assert client.heard_of == {NIFTY}


@pytest.mark.parametrize("price", ["nan", "inf", -1, 0, 1e30])
async def test_impossible_prices_are_sent_as_asked_and_then_stop(control, client, price):
    await control.inject("impossible", instrument=RELIANCE, values={"last_price": price}, packets=2)

    def impossible() -> np.ndarray:
        prices = client.packets.full.rows["last_price"]
        return prices[~((prices > 1000) & (prices < 1700))]

    await until(lambda: len(impossible()) == 2, "two impossible prices")
    await ticks_go_on(client)

    assert len(impossible()) == 0


async def test_a_crossed_book_is_sent_as_asked(control, client):
    await control.inject("impossible", instrument=RELIANCE, values={"bid_price": 9999})
    await until(lambda: (client.packets.full.rows["depth"]["bid_price"] == 9999).any(), "a crossed book")


async def test_a_duplicate_is_the_last_packet_again(simulators, dial):
    simulator = await simulators(rate=0.001)
    client = await dial(simulator)
    await client.subscribe(RELIANCE)
    await until(lambda: client.messages, "the first packet")
    async with SimulatorControl(simulator.url) as control:
        await control.inject("duplicate", instrument=RELIANCE, times=3)
    await until(lambda: len(client.messages) == 4, "three duplicates")

    assert len(set(client.messages)) == 1


async def test_an_old_packet_comes_after_newer_ones(simulators, dial):
    simulator = await simulators(rate=0.001)
    client = await dial(simulator)
    await client.subscribe(RELIANCE)
    await until(lambda: client.messages, "the first packet")
    async with SimulatorControl(simulator.url) as control:
        await control.inject("out_of_order", instrument=RELIANCE, seconds=30)
        truth = (await control.state(RELIANCE))["instruments"][RELIANCE]
    await until(lambda: len(client.messages) == 2, "the old one")
    new, old = client.packets.full.rows

    assert old["last_traded_at"] < new["last_traded_at"]
    assert old["volume"] < new["volume"]
    assert truth["volume"] == new["volume"]


async def test_a_burst_lifts_the_rate_for_a_time(simulators, dial):
    simulator = await simulators(rate=1.0)
    client = await dial(simulator)
    await client.subscribe(*contracts_of(simulator, 100))
    async with SimulatorControl(simulator.url) as control:
        await control.inject("burst", rate=50_000, seconds=60)
        await until(lambda: len(client.messages) > 10_000, "ten thousand packets")
        await control.inject("clear")


# --- the control itself ---


@pytest.mark.parametrize(
    ("fault", "arguments"),
    [
        ("no_such_fault", {}),
        ("reset", {"connection": 77}),
        ("frame", {"kind": "no such kind"}),
        ("freeze", {"instruments": ["NYSE.1"]}),
        ("disconnect", {}),
        ("roll_token", {"token": "x", "open_feeds": "burn"}),
        ("duplicate", {"instrument": "NSE_EQ.4000000000"}),
        ("impossible", {"instrument": "NSE_EQ.4000000000", "values": {"last_price": 1}}),
        ("impossible", {"instrument": RELIANCE, "values": {"no_such_field": 1}}),
    ],
)
async def test_a_fault_that_cannot_be_caused_is_refused(control, client, fault, arguments):
    with pytest.raises(FaultRefused):
        await control.inject(fault, **arguments)
    await ticks_go_on(client)


async def test_clear_ends_every_lasting_fault(simulator, control, client):
    await control.inject("mute")
    await control.inject("freeze", instruments=[RELIANCE])
    await control.inject("ignore_requests", messages=9)
    await control.inject("throttle", dials=9)
    await control.inject("clear")
    await ticks_go_on(client)

    assert simulator.feed.requests_to_ignore == simulator.feed.throttled_dials == 0


def test_every_fault_of_the_catalogue_is_known_by_its_name():
    assert sorted(FAULTS) == [
        "burst",
        "clear",
        "close",
        "cut_master",
        "disconnect",
        "duplicate",
        "frame",
        "freeze",
        "freeze_segment",
        "half_open",
        "ignore_requests",
        "impossible",
        "mute",
        "out_of_order",
        "reset",
        "roll_token",
        "script",
        "throttle",
        "throttle_quotes",
    ]
