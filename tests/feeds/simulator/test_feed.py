"""The feed over real sockets: modes, limits, tokens, keep-alive and rates."""

from __future__ import annotations

import numpy as np
import pytest
import websockets

from feeds.core.instrument import InstrumentKey
from feeds.dhan import wire
from feeds.dhan.wire import FeedMode
from feeds.simulator.control import SimulatorControl
from tests.feeds.simulator.conftest import TOKEN, Client, contracts_of, until

NIFTY = "IDX_I.13"
RELIANCE = "NSE_EQ.2885"
TCS = "NSE_EQ.11536"


# --- modes ---


async def test_an_equity_in_full_mode_sends_full_packets(simulator, dial):
    client = await dial(simulator)
    await client.subscribe(RELIANCE)
    await until(lambda: len(client.packets.full.rows) >= 3, "three Full packets")
    packet = client.packets.full.rows[-1]

    assert client.heard_of == {RELIANCE}
    assert 1000 < packet["last_price"] < 1700
    assert packet["depth"]["bid_price"][0] < packet["depth"]["ask_price"][0]
    assert client.packets.bad == 0


async def test_an_index_in_quote_mode_sends_its_previous_close_first_and_no_close_in_the_quote(simulator, dial):
    client = await dial(simulator)
    await client.subscribe(NIFTY)
    await until(lambda: len(client.packets.quote.rows), "a Quote")

    assert client.messages[0][0] == wire.ResponseCode.PREVIOUS_CLOSE
    assert client.packets.previous_close.rows["previous_close"][0] > 20_000
    assert client.packets.quote.rows["previous_close"][0] == 0


async def test_a_derivative_in_quote_mode_sends_open_interest_beside(simulator, dial):
    client = await dial(simulator)
    await client.subscribe(contracts_of(simulator, 1)[0], mode=FeedMode.QUOTE)
    await until(lambda: len(client.packets.open_interest.rows), "open interest")

    assert client.packets.open_interest.rows["open_interest"][0] > 0
    assert len(client.packets.full.rows) == 0


async def test_ticker_mode_sends_sixteen_bytes(simulator, dial):
    client = await dial(simulator)
    await client.subscribe(RELIANCE, mode=FeedMode.TICKER)
    await until(lambda: client.messages, "a Ticker")

    assert {len(message) for message in client.messages} == {16}


async def test_two_modes_of_one_instrument_both_tick(simulator, dial):
    client = await dial(simulator)
    await client.subscribe(RELIANCE, mode=FeedMode.TICKER)
    await client.subscribe(RELIANCE, mode=FeedMode.FULL)
    await until(lambda: len(client.packets.ticker.rows) > 2 and len(client.packets.full.rows) > 2, "both modes")


async def test_nothing_is_sent_after_unsubscribing(simulator, dial):
    client = await dial(simulator)
    await client.subscribe(RELIANCE, TCS)
    await until(lambda: client.heard_of == {RELIANCE, TCS}, "both")
    await client.unsubscribe(RELIANCE)
    await until(lambda: set(simulator.feed.connections[1].subscriptions.modes) == {1 << 32 | 11536}, "unsubscribed")
    client.messages.clear()
    await until(lambda: len(client.messages) > 5, "more ticks")

    assert client.heard_of == {TCS}


async def test_unsubscribing_in_another_mode_does_nothing(simulator, dial):
    client = await dial(simulator)
    await client.subscribe(RELIANCE)
    await client.unsubscribe(RELIANCE, mode=FeedMode.QUOTE)
    await until(lambda: len(simulator.feed.received) == 2, "both requests")

    assert simulator.feed.connections[1].subscriptions.count == 1


async def test_every_instrument_gets_a_first_packet_soon(simulators, dial):
    simulator = await simulators(rate=1.0)
    client = await dial(simulator)
    wanted = contracts_of(simulator, 300)
    await client.subscribe(*wanted)
    await until(lambda: client.heard_of == set(wanted), "300 first packets")


async def test_subscribing_again_sends_the_state_again(simulators, dial):
    simulator = await simulators(rate=0.001)
    client = await dial(simulator)
    await client.subscribe(RELIANCE)
    await until(lambda: len(client.packets.full.rows) == 1, "the first packet")
    await client.subscribe(RELIANCE)
    await until(lambda: len(client.packets.full.rows) == 2, "the second")


async def test_an_option_that_never_traded_stays_silent(simulators, dial):
    simulator = await simulators(silent_share=1.0)
    client = await dial(simulator)
    silent = contracts_of(simulator, 5)
    await client.subscribe(*silent, RELIANCE)
    await until(lambda: len(client.packets.full.rows) > 5, "ticks")

    assert client.heard_of == {RELIANCE}


async def test_an_unlisted_instrument_is_accepted_and_silent(simulator, dial):
    client = await dial(simulator)
    await client.subscribe("NSE_EQ.4000000000", RELIANCE)
    await until(lambda: len(client.packets.full.rows) > 2, "ticks")

    assert client.heard_of == {RELIANCE}
    assert simulator.feed.connections[1].subscriptions.count == 2


async def test_the_last_packet_received_is_the_truth_that_the_control_tells(simulators, dial):
    simulator = await simulators(rate=0.001)
    client = await dial(simulator)
    await client.subscribe(RELIANCE, NIFTY)
    await until(lambda: client.heard_of == {RELIANCE, NIFTY}, "both")
    async with SimulatorControl(simulator.url) as control:
        state = await control.state(RELIANCE)
        packets = await control.packets_sent()

    assert state["instruments"][RELIANCE]["last_price"] == client.packets.full.rows["last_price"][-1]
    assert packets["security_id"].tolist() == [13, 2885]
    assert packets[1]["volume"] == client.packets.full.rows["volume"][-1]


# --- limits ---


async def test_the_sixth_connection_closes_the_oldest_with_805(simulator, dial):
    clients = [await dial(simulator) for _ in range(6)]
    await until(lambda: clients[0].closed, "the oldest closed")

    assert clients[0].packets.disconnects == [805]
    assert clients[0].close_code == 1006
    assert sorted(simulator.feed.connections) == [2, 3, 4, 5, 6]
    assert not any(client.closed for client in clients[1:])


async def test_the_sixth_connection_closes_itself_when_switched_so(simulators, dial):
    simulator = await simulators(switches={"too_many_connections_closes": "newest"})
    clients = [await dial(simulator) for _ in range(6)]
    await until(lambda: clients[5].closed, "the newest closed")

    assert sorted(simulator.feed.connections) == [1, 2, 3, 4, 5]


async def test_one_instrument_too_many_ends_the_connection_with_804(simulators, dial):
    simulator = await simulators(limits={"instruments_per_connection": 250})
    client = await dial(simulator)
    wanted = contracts_of(simulator, 251)
    await client.subscribe(*wanted[:250])
    await until(lambda: simulator.feed.largest_connection == 250, "250 subscribed")
    await client.subscribe(wanted[250])
    await until(lambda: client.closed, "the close")

    assert client.packets.disconnects == [804]
    assert simulator.state()["breaches"] == ["connection 1: TOO_MANY_INSTRUMENTS, 1 in a message"]
    assert simulator.feed.largest_connection == 250


async def test_101_instruments_in_a_message_end_the_connection(simulator, dial):
    client = await dial(simulator)
    codes = [InstrumentKey.parse(instrument).code for instrument in contracts_of(simulator, 101)]
    await client.socket.send(wire.subscribe_messages({FeedMode.FULL: codes}, per_message=101)[0])
    await until(lambda: client.closed, "the close")

    assert client.packets.disconnects == [814]
    assert simulator.feed.largest_message == 101


async def test_a_bad_request_is_counted_and_harmless(simulator, dial):
    client = await dial(simulator)
    await client.socket.send("{}")
    await client.subscribe(RELIANCE)
    await until(lambda: client.packets.full.rows.size, "ticks")

    assert simulator.feed.counters["bad_requests"] == 1


async def test_a_disconnect_request_is_obeyed(simulator, dial):
    client = await dial(simulator)
    await client.socket.send(wire.disconnect_message())
    await until(lambda: client.closed, "the close")

    assert not simulator.feed.connections


# --- the door ---


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"token": "another"}, 809),
        ({"token": ""}, 808),
        ({"clientId": "2000000002"}, 810),
    ],
)
async def test_wrong_credentials_are_let_in_and_thrown_out(simulator, dial, query, reason):
    client = await dial(simulator, **query)
    await until(lambda: client.closed, "the close")

    assert client.packets.disconnects == [reason]
    assert simulator.state()["dials"][-1]["refused"] == reason
    assert not simulator.feed.connections


async def test_a_replaced_token_counts_as_expired(simulator, control, dial):
    await control.inject("roll_token", token="second-token")
    old = await dial(simulator)
    await until(lambda: old.closed, "the close")
    new = await dial(simulator, token="second-token")
    await new.subscribe(RELIANCE)
    await until(lambda: new.messages, "ticks on the new token")

    assert old.packets.disconnects == [807]


async def test_a_refusal_can_be_an_http_answer(simulators, dial):
    simulator = await simulators(switches={"refusal_of_tokens": "http"})
    with pytest.raises(websockets.InvalidStatus) as refused:
        await dial(simulator, token="another")

    assert refused.value.response.status_code == 401


async def test_a_refusal_can_say_nothing(simulators, dial):
    simulator = await simulators(switches={"refusal_of_tokens": "reset"})
    client = await dial(simulator, token="another")
    await until(lambda: client.closed, "the close")

    assert client.messages == []


@pytest.mark.parametrize("query", [{"version": "1"}, {"authType": ""}])
async def test_a_malformed_address_is_refused(simulator, dial, query):
    with pytest.raises(websockets.InvalidStatus) as refused:
        await dial(simulator, **query)

    assert refused.value.response.status_code == 400


async def test_the_state_never_shows_a_token(simulator, control, dial):
    await dial(simulator)

    assert TOKEN not in str(await control.state(codes=True))
    assert TOKEN not in repr(simulator.settings)


# --- keep-alive ---


async def test_who_answers_pings_stays_and_who_is_silent_is_cut(simulators, dial):
    simulator = await simulators(limits={"ping_seconds": 0.1, "pong_timeout_seconds": 0.5})
    alive, dead = await dial(simulator), await dial(simulator)
    dead.socket.transport.pause_reading()
    await until(lambda: simulator.feed.counters["cut_for_silence"] == 1, "the cut")

    assert list(simulator.feed.connections) == [1]
    assert not alive.closed


async def test_heartbeats_and_market_status_come_when_switched_on(simulators, dial):
    simulator = await simulators(switches={"market_status_on_connect": True, "heartbeat_seconds": 0.05})
    client = await dial(simulator)
    await until(lambda: len(client.messages) >= 3, "three messages")

    assert [message[0] for message in client.messages[:3]] == [7, 0, 0]


# --- switches of the packets ---


async def test_packets_are_stacked_when_switched_so(simulators, dial):
    simulator = await simulators(switches={"packets_per_frame": 4})
    client = await dial(simulator)
    await client.subscribe(*contracts_of(simulator, 40))
    await until(lambda: any(len(message) == 4 * 162 for message in client.messages), "a stacked frame")

    assert client.packets.bad == 0


async def test_previous_closes_come_for_everything_when_switched_so(simulators, dial):
    simulator = await simulators(switches={"previous_close_for": "all"})
    client = await dial(simulator)
    await client.subscribe(RELIANCE, NIFTY)
    await until(lambda: len(client.packets.previous_close.rows) == 2, "two previous closes")


@pytest.mark.parametrize(("switch", "packets"), [("full", "full"), ("quote", "quote")])
async def test_an_index_in_full_mode_is_what_the_switch_says(simulators, dial, switch, packets):
    simulator = await simulators(switches={"index_in_full_mode": switch})
    client = await dial(simulator)
    await client.subscribe(NIFTY, mode=FeedMode.FULL)
    await until(lambda: len(getattr(client.packets, packets).rows), "a packet")


async def test_volume_is_the_difference_when_switched_so(simulators, dial):
    simulator = await simulators(switches={"volume_is_cumulative": False})
    client = await dial(simulator)
    await client.subscribe(RELIANCE)
    await until(lambda: len(client.packets.full.rows) > 5, "ticks")
    volume = client.packets.full.rows["volume"].astype(np.int64)

    assert volume[0] > volume[1:].sum()


# --- rates ---


async def test_the_limit_for_one_instrument_holds_the_rate_down(simulators, dial):
    simulator = await simulators(rate=100_000.0, instrument_rate=10.0)
    client = await dial(simulator)
    await client.subscribe(RELIANCE)
    started = simulator.state()["now"]
    await until(lambda: len(client.packets.full.rows) >= 20, "twenty ticks")

    assert simulator.state()["now"] - started >= 1.5


async def test_a_client_that_does_not_read_is_skipped_and_the_others_are_not(simulators, dial):
    simulator = await simulators(rate=100_000.0, instrument_rate=0.0)
    slow, quick = await dial(simulator), await dial(simulator)
    slow.socket.transport.pause_reading()
    wanted = contracts_of(simulator, 100)
    await slow.subscribe(*wanted)
    await quick.subscribe(*wanted)
    await until(lambda: simulator.feed.connections[1].packets_skipped > 0, "skipped packets")

    assert simulator.feed.connections[2].packets_skipped == 0
    assert simulator.pump.packets_skipped == simulator.feed.connections[1].packets_skipped


async def test_a_hundred_thousand_packets_a_second_are_spread_over_all_instruments(simulators, dial):
    simulator = await simulators(rate=100_000.0, instrument_rate=0.0)
    client = await dial(simulator)
    wanted = contracts_of(simulator, 1000)
    await client.subscribe(*wanted)
    await until(lambda: len(client.messages) > 20_000, "20,000 packets")
    counts = np.unique(client.packets.full.rows["security_id"], return_counts=True)[1]

    assert len(counts) == 1000
    assert counts.max() - counts.min() <= 3


async def test_a_client_drops_off_and_its_subscriptions_are_forgotten(simulator, dial):
    client: Client = await dial(simulator)
    await client.subscribe(RELIANCE)
    await until(lambda: client.messages, "ticks")
    await client.drop()
    await until(lambda: not simulator.feed.connections, "the end")
    again = await dial(simulator)
    await again.subscribe(TCS)
    await until(lambda: len(again.packets.full.rows) > 2, "ticks")

    assert again.heard_of == {TCS}
