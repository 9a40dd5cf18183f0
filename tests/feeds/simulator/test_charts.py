"""The simulator's charts: the same path as its feed, in Dhan's shapes and within Dhan's limits."""

from __future__ import annotations

import asyncio
from datetime import date, datetime

import httpx
import numpy as np
import pytest

from feeds.clock import IST
from feeds.core.candles import resample, resample_days
from feeds.core.history import Interval
from feeds.core.instrument import InstrumentKey
from feeds.dhan.charts import DhanCharts
from feeds.dhan.governor import Credentials
from feeds.dhan.rest import DhanRestError
from feeds.simulator.server import Simulator
from tests.feeds.simulator.conftest import CLIENT_ID, TOKEN, contracts_of

RELIANCE = InstrumentKey.parse("NSE_EQ.2885")
NIFTY = InstrumentKey.parse("IDX_I.13")
MONDAY, TUESDAY, WEDNESDAY = date(2026, 2, 2), date(2026, 2, 3), date(2026, 2, 4)
NSE_OPENS = 33_300


async def credentials() -> Credentials:
    return Credentials(CLIENT_ID, TOKEN, 1)


@pytest.fixture
async def charts(simulator: Simulator):
    made = DhanCharts(simulator.rest_url, credentials, spacing=0.0, throttled=0.0)
    yield made
    await made.aclose()


def times(bars: np.ndarray) -> list[str]:
    return [f"{datetime.fromtimestamp(start, IST):%d %H:%M}" for start in bars["start"].tolist()]


async def test_a_past_day_has_all_its_minutes_and_today_those_that_are_over(charts: DhanCharts) -> None:
    bars = await charts.bars(RELIANCE, "EQUITY", Interval.ONE, MONDAY, WEDNESDAY)
    assert len(bars) == 375 + 45  # it is ten o'clock
    assert (times(bars)[0], times(bars)[374], times(bars)[375], times(bars)[-1]) == (
        "02 09:15", "02 15:29", "03 09:15", "03 09:59",
    )  # fmt: skip
    assert (bars["low"] <= np.minimum(bars["open"], bars["close"])).all()
    assert (bars["high"] >= np.maximum(bars["open"], bars["close"])).all()
    assert (bars["volume"] > 0).all()


async def test_the_minutes_are_of_the_path_that_the_feed_sends(charts: DhanCharts, simulator: Simulator) -> None:
    bars = await charts.bars(RELIANCE, "EQUITY", Interval.ONE, TUESDAY, WEDNESDAY)
    (row,) = simulator.market.rows(np.array([RELIANCE.code], np.uint64))
    at = np.array([bars["start"][-1] + 30.0])
    price = simulator.market.packets(np.array([row]), at)["last_price"][0] * 100
    assert bars["low"][-1] - 10 <= price <= bars["high"][-1] + 10
    total = simulator.market.packets(np.array([row]), np.array([bars["start"][-1] + 59.0]))["volume"][0]
    assert bars["volume"].sum() == total


async def test_longer_bars_say_what_the_minutes_say(charts: DhanCharts) -> None:
    ones = await charts.bars(RELIANCE, "EQUITY", Interval.ONE, MONDAY, TUESDAY)
    quarters = await charts.bars(RELIANCE, "EQUITY", Interval.FIFTEEN, MONDAY, TUESDAY)
    (day,) = await charts.bars(RELIANCE, "EQUITY", Interval.DAY, MONDAY, TUESDAY)
    assert quarters["start"].tolist() == resample(ones, 15, NSE_OPENS)["start"].tolist()
    assert quarters["volume"].tolist() == resample(ones, 15, NSE_OPENS)["volume"].tolist()
    assert (day["start"], day["volume"]) == (resample_days(ones)["start"][0], ones["volume"].sum())
    assert times(quarters)[-1] == "02 15:15"


async def test_an_index_has_no_volume_and_an_option_has_open_interest(charts: DhanCharts, simulator: Simulator) -> None:
    assert set((await charts.bars(NIFTY, "INDEX", Interval.FIVE, MONDAY, TUESDAY))["volume"].tolist()) == {0}
    option = InstrumentKey.parse(contracts_of(simulator, 1)[0])
    assert ((await charts.bars(option, "OPTIDX", Interval.FIVE, MONDAY, TUESDAY))["open_interest"] > 0).all()


async def test_days_without_trading_have_no_bars(charts: DhanCharts) -> None:
    saturday = date(2026, 1, 31)
    assert len(await charts.bars(RELIANCE, "EQUITY", Interval.ONE, saturday, date(2026, 2, 1))) == 0
    assert len(await charts.bars(RELIANCE, "EQUITY", Interval.ONE, WEDNESDAY, date(2026, 2, 5))) == 0


async def test_an_option_that_never_trades_has_no_bars(simulators) -> None:
    simulator = await simulators(silent_share=1.0)
    charts = DhanCharts(simulator.rest_url, credentials, spacing=0.0)
    option = InstrumentKey.parse(contracts_of(simulator, 1)[0])
    assert len(await charts.bars(option, "OPTIDX", Interval.ONE, MONDAY, TUESDAY)) == 0
    await charts.aclose()


async def test_more_than_five_calls_in_a_second_and_more_than_ninety_days_are_refused(charts: DhanCharts) -> None:
    with pytest.raises(DhanRestError) as too_long:
        await charts.bars(RELIANCE, "EQUITY", Interval.ONE, date(2025, 11, 1), MONDAY)
    assert not too_long.value.throttled
    asked = [charts.bars(RELIANCE, "EQUITY", Interval.DAY, MONDAY, TUESDAY) for _ in range(6)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert any(isinstance(answer, DhanRestError) and answer.throttled for answer in answers)


@pytest.mark.parametrize(
    "change",
    [{"securityId": 2885}, {"securityId": "1"}, {"interval": "30"}, {"fromDate": "2026-02-02"}, {"toDate": ""}],
)
async def test_bad_questions_are_refused_as_dhan_does(simulator: Simulator, change: dict) -> None:
    good = {
        "securityId": "2885", "exchangeSegment": "NSE_EQ", "instrument": "EQUITY", "interval": "1",
        "fromDate": "2026-02-02 09:15:00", "toDate": "2026-02-02 09:20:00",
    }  # fmt: skip
    async with httpx.AsyncClient(base_url=simulator.url, headers={"access-token": TOKEN}, trust_env=False) as http:
        answer = await http.post("/v2/charts/intraday", json=good)
        # The bar exactly at fromDate is left out.
        assert [start % 3600 for start in answer.json()["timestamp"]] == [2760, 2820, 2880, 2940]
        refused = await http.post("/v2/charts/intraday", json=good | change)
    assert (refused.status_code, refused.json()["errorCode"]) == (400, "DH-905")
