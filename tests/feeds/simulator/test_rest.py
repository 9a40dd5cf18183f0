"""Quotes, profile and master over HTTP, asked by our own client and by a plain one."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from feeds.core.instrument import InstrumentKey
from feeds.dhan.governor import Credentials
from feeds.dhan.rest import DhanRest, DhanRestError
from feeds.simulator.control import SimulatorControl
from tests.feeds.simulator.conftest import CLIENT_ID, TOKEN, contracts_of, until

NIFTY = "IDX_I.13"
RELIANCE = "NSE_EQ.2885"


async def good_credentials() -> Credentials:
    return Credentials(CLIENT_ID, TOKEN, 1)


async def bad_credentials() -> Credentials:
    return Credentials(CLIENT_ID, "another", 1)


def code(instrument: str) -> int:
    return InstrumentKey.parse(instrument).code


@pytest.fixture
async def rest():
    """Make clients of ours; all are closed afterwards."""
    clients: list[DhanRest] = []

    def connect(simulator, credentials=good_credentials, spacing=0.0) -> DhanRest:
        clients.append(DhanRest(simulator.rest_url, credentials, spacing=spacing, throttled=0.0))
        return clients[-1]

    yield connect
    for client in clients:
        await client.aclose()


@pytest.fixture
async def http(simulator):
    async with httpx.AsyncClient(base_url=simulator.url, headers={"access-token": TOKEN}, trust_env=False) as http:
        yield http


async def test_quotes_are_the_prices_of_the_feed(simulators, dial, rest):
    simulator = await simulators(rate=0.001)
    client = await dial(simulator)
    await client.subscribe(RELIANCE)
    await until(lambda: client.messages, "the first packet")
    packet = client.packets.full.rows[0]
    row = (await rest(simulator).quotes([code(RELIANCE)]))[0]

    assert row["code"] == code(RELIANCE)
    assert abs(int(row["last_price"]) - round(float(packet["last_price"]) * 100)) < 500
    assert row["previous_close"] == round(float(packet["previous_close"]) * 100)
    assert row["volume"] >= packet["volume"]
    assert row["depth"]["bid_price"][0] < row["depth"]["ask_price"][0]


async def test_ltp_and_ohlc_have_their_own_shapes(simulators):
    simulator = await simulators(limits={"quotes_per_second": 1000})
    async with httpx.AsyncClient(base_url=simulator.url, headers={"access-token": TOKEN}, trust_env=False) as http:
        ltp = (await http.post("/v2/marketfeed/ltp", json={"NSE_EQ": [2885], "IDX_I": [13]})).json()
        ohlc = (await http.post("/v2/marketfeed/ohlc", json={"IDX_I": [13]})).json()

    assert ltp["status"] == "success"
    assert set(ltp["data"]["NSE_EQ"]["2885"]) == {"last_price"}
    assert set(ohlc["data"]["IDX_I"]["13"]) == {"last_price", "ohlc"}
    assert set(ohlc["data"]["IDX_I"]["13"]["ohlc"]) == {"open", "close", "high", "low"}


async def test_an_option_that_never_traded_says_1980(simulators):
    simulator = await simulators(silent_share=1.0)
    silent = InstrumentKey.parse(contracts_of(simulator, 1)[0])
    async with httpx.AsyncClient(base_url=simulator.url, headers={"access-token": TOKEN}, trust_env=False) as http:
        body = {silent.segment.name: [silent.security_id]}
        answer = (await http.post("/v2/marketfeed/quote", json=body)).json()
    quote = answer["data"][silent.segment.name][str(silent.security_id)]

    assert quote["last_trade_time"] == "01/01/1980 00:00:00"
    assert quote["last_price"] == 0
    assert quote["ohlc"]["close"] > 0


async def test_a_second_quote_request_within_a_second_is_refused_with_805(simulator, rest):
    await rest(simulator).quotes([code(NIFTY)])
    with pytest.raises(DhanRestError) as refused:
        await rest(simulator).quotes([code(NIFTY)])

    assert refused.value.status == 429
    assert refused.value.code == 805


async def test_quotes_are_throttled_on_command(simulator, control, rest):
    await control.inject("throttle_quotes", requests=1)
    with pytest.raises(DhanRestError):
        await rest(simulator).quotes([code(NIFTY)])

    assert len(await rest(simulator).quotes([code(NIFTY)])) == 1


async def test_a_wrong_token_is_dh_901(simulator, rest):
    with pytest.raises(DhanRestError, match="DH-901") as refused:
        await rest(simulator, bad_credentials).quotes([code(NIFTY)])

    assert refused.value.status == 401


async def test_more_than_a_thousand_instruments_are_refused(http):
    answer = await http.post("/v2/marketfeed/ltp", json={"NSE_EQ": list(range(1001))})

    assert (answer.status_code, answer.json()) == (400, {"data": {"814": "Invalid Request"}, "status": "failed"})


@pytest.mark.parametrize("body", [b"", b"[]", b'{"NYSE": [1]}', b'{"NSE_EQ": 1}', b"{}"])
async def test_what_is_no_request_is_refused(http, body):
    assert (await http.post("/v2/marketfeed/ltp", content=body)).status_code == 400


async def test_an_unlisted_instrument_is_left_out(simulator, rest):
    rows = await rest(simulator).quotes([code(NIFTY), code("NSE_EQ.4000000000")])

    assert rows["code"].tolist() == [code(NIFTY)]


async def test_the_profile_says_that_the_data_plan_is_active(http):
    assert (await http.get("/v2/profile")).json()["dataPlan"] == "Active"


async def test_an_unknown_path_is_404(http):
    assert (await http.get("/v2/orders")).status_code == 404
    assert (await http.get("/control/nothing")).status_code == 404


@pytest.mark.parametrize("name", ["api-scrip-master.csv", "api-scrip-master-detailed.csv"])
async def test_the_master_comes_whole_and_needs_no_token(simulator, name):
    async with httpx.AsyncClient(base_url=simulator.url, trust_env=False) as http:
        answer = await http.get(f"/api-data/{name}")

    assert answer.headers["content-type"] == "text/csv"
    assert len(answer.text.splitlines()) == 1 + len(simulator.market.codes) + 5


async def test_the_master_is_cut_on_command(simulator, control):
    async with httpx.AsyncClient(base_url=simulator.url, trust_env=False) as http:
        await control.inject("cut_master", bytes_sent=100_000)
        cut = await http.get("/api-data/api-scrip-master.csv")
        await control.inject("clear")
        whole = await http.get("/api-data/api-scrip-master.csv")

    assert len(cut.content) == 100_000
    assert len(whole.content) > 1_000_000


async def test_what_is_not_http_is_hung_up_on(simulator):
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    writer.write(b"nonsense\r\n\r\n")

    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_two_simulators_run_side_by_side(simulators):
    one, other = await simulators(), await simulators()
    async with SimulatorControl(one.url) as first, SimulatorControl(other.url) as second:
        assert (await first.state())["listed"] == (await second.state())["listed"] == 48_482
