"""Dhan's charts: what is asked, what an answer means, and that nothing malformed becomes a price."""

from __future__ import annotations

from datetime import date

import httpx
import numpy as np
import orjson
import pytest

from feeds.core.candles import BarFlag
from feeds.core.history import Interval
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.dhan.charts import DhanCharts, bars_of, question
from feeds.dhan.governor import Credentials
from feeds.dhan.rest import DhanRestError
from tests.feeds.dhan.test_rest import Dhan, dhan

__all__ = ["dhan"]  # a fixture

NIFTY = InstrumentKey(ExchangeSegment.IDX_I, 13)
OPTION = InstrumentKey(ExchangeSegment.NSE_FNO, 49081)
FIRST, END = date(2026, 2, 2), date(2026, 2, 3)
ANSWER = {
    "open": [152.3, 152.35],
    "high": [153.0, 152.4],
    "low": [152.05, 150.0],
    "close": [152.35, 151.15],
    "volume": [975.0, 300.0],
    "timestamp": [1770003900.0, 1770003960.0],  # 2026-02-02 09:15 and 09:16 IST
    "open_interest": [120_000.0, 120_075.0],
}


def read(answer: object, status: int = 200) -> np.ndarray:
    return bars_of(status, orjson.dumps(answer), OPTION.code)


def test_minutes_are_asked_with_times_and_days_without() -> None:
    assert question(OPTION, "OPTIDX", Interval.FIFTEEN, FIRST, END) == (
        "/charts/intraday",
        {
            "securityId": "49081", "exchangeSegment": "NSE_FNO", "instrument": "OPTIDX", "oi": True, "interval": "15",
            "fromDate": "2026-02-02 00:00:00", "toDate": "2026-02-03 00:00:00",
        },
    )  # fmt: skip
    path, body = question(NIFTY, "INDEX", Interval.DAY, FIRST, END)
    assert (path, body["fromDate"], body["toDate"]) == ("/charts/historical", "2026-02-02", "2026-02-03")
    assert "interval" not in body


def test_parallel_columns_become_bars_in_paise() -> None:
    rows = read(ANSWER)
    assert rows[["start", "open", "high", "low", "close", "volume", "open_interest"]].tolist() == [
        (1770003900, 15_230, 15_300, 15_205, 15_235, 975, 120_000),
        (1770003960, 15_235, 15_240, 15_000, 15_115, 300, 120_075),
    ]
    assert set(rows["code"].tolist()) == {OPTION.code}
    assert set(rows["flags"].tolist()) == {BarFlag.HISTORY}


def test_bars_ascend_and_come_once_whatever_dhan_sends_and_interest_may_be_absent() -> None:
    twice = {name: [values[1], values[0], values[1]] for name, values in ANSWER.items() if name != "open_interest"}
    rows = read(twice)
    assert rows["start"].tolist() == [1770003900, 1770003960]
    assert rows["open_interest"].tolist() == [0, 0]


def test_no_bars_are_an_answer() -> None:
    assert len(read({name: [] for name in ANSWER})) == 0
    assert len(read({"errorType": "Data_Error", "errorCode": "DH-907", "errorMessage": "no data"}, 400)) == 0


@pytest.mark.parametrize(
    "broken",
    [
        {"high": [153.0]},
        {"close": [152.35, -1.0]},
        {"close": [152.35, 1e12]},
        {"low": [152.05, None]},
        {"low": "152"},
        {"volume": [1, "many"]},
        {"timestamp": None},
    ],
)
def test_what_is_malformed_is_refused_whole(broken: dict) -> None:
    with pytest.raises(DhanRestError):
        read(ANSWER | broken)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"null"])
def test_what_is_no_object_is_refused(content: bytes) -> None:
    with pytest.raises(DhanRestError):
        bars_of(200, content, OPTION.code)


def test_both_shapes_of_refusals_are_understood() -> None:
    with pytest.raises(DhanRestError) as throttled:
        read({"data": {"805": "Too many requests"}, "status": "failed"}, 429)
    assert throttled.value.throttled
    with pytest.raises(DhanRestError) as refused:
        read({"errorType": "Invalid_Authentication", "errorCode": "DH-901", "errorMessage": "expired"}, 401)
    assert refused.value.account_refused


async def credentials() -> Credentials:
    return Credentials("1000000001", "canary-token-9f1", 1)


async def test_the_token_travels_in_the_header_only(dhan: Dhan) -> None:
    dhan.reply = lambda body: (200, ANSWER)
    charts = DhanCharts(dhan.url, credentials, spacing=0.0)
    rows = await charts.bars(OPTION, "OPTIDX", Interval.ONE, FIRST, END)
    await charts.aclose()
    (path, headers, body) = dhan.requests[0]
    assert (path, len(rows)) == ("/charts/intraday", 2)
    sent = {name.lower(): value for name, value in headers.items()}
    assert (sent["access-token"], sent["client-id"]) == ("canary-token-9f1", "1000000001")
    assert "canary" not in str(body)


async def test_who_cannot_be_reached_is_said_to_be(unused_tcp_port: int) -> None:
    charts = DhanCharts(f"http://127.0.0.1:{unused_tcp_port}", credentials, spacing=0.0)
    with pytest.raises(httpx.HTTPError):
        await charts.bars(OPTION, "OPTIDX", Interval.ONE, FIRST, END)
    await charts.aclose()
