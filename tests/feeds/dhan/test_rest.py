"""Dhan's REST answers, good and bad, from a small HTTP server on loopback that says exactly what a test wants."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import numpy as np
import pytest

from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.core.tick import TickFlag
from feeds.dhan import rest
from feeds.dhan.rest import Credentials, DhanRest, DhanRestError, answer, master_lines, quote_rows, traded_at

TOKEN = "canary-token-9f1"
RELIANCE = InstrumentKey(ExchangeSegment.NSE_EQ, 2885).code
QUOTE = {
    "average_price": 1442.7,
    "buy_quantity": 1200,
    "sell_quantity": 900,
    "depth": {
        "buy": [{"quantity": 10, "orders": 2, "price": 1442.05}],
        "sell": [{"quantity": 20, "orders": 3, "price": 1442.1}],
    },
    "last_price": 1442.05,
    "last_quantity": 5,
    "last_trade_time": "03/02/2026 10:15:00",
    "ohlc": {"open": 1440, "close": 1431.5, "high": 1450.35, "low": 1438.2},
    "oi": 0,
    "oi_day_high": 0,
    "oi_day_low": 0,
    "volume": 5_000_000_000,
}


class Dhan:
    """Answers every request with `reply(body)` -> (status, body); keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], dict]] = []
        self.reply = lambda body: (200, {"data": {}, "status": "success"})
        self.raw: bytes | None = None
        self.cut = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append((self.path, dict(self.headers), body))
                status, answered = outer.reply(body)
                self._send(status, json.dumps(answered).encode())

            def do_GET(self) -> None:
                self._send(200, outer.raw or b"")

            def _send(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content) + (10 if outer.cut else 0)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def dhan():
    made = Dhan()
    yield made
    made.server.shutdown()
    made.server.server_close()


async def who() -> Credentials:
    return Credentials("1100000001", TOKEN, version=1)


@pytest.fixture
async def client(dhan):
    made = DhanRest(dhan.url + "/v2", who, spacing=0.05, throttled=0.3)
    yield made
    await made.aclose()


class TestQuotes:
    async def test_a_quote_becomes_a_seeded_row_in_paise(self, dhan, client):
        dhan.reply = lambda body: (200, {"data": {"NSE_EQ": {"2885": QUOTE}}, "status": "success"})
        (row,) = await client.quotes([RELIANCE])
        assert (row["code"], row["last_price"], row["previous_close"]) == (RELIANCE, 144205, 143150)
        assert (row["day_open"], row["day_high"], row["day_low"]) == (144000, 145035, 143820)
        assert (row["volume"], row["average_price"], row["last_quantity"]) == (5_000_000_000, 144270, 5)
        assert row["depth"][0].tolist() == (144205, 144210, 10, 20, 2, 3)
        assert row["last_traded_at"] == 1770093900  # 2026-02-03 04:45:00 UTC
        assert row["flags"] == TickFlag.SEEDED

    async def test_ids_are_numbers_by_segment_and_the_token_is_a_header(self, dhan, client):
        index = InstrumentKey(ExchangeSegment.IDX_I, 13).code
        await client.quotes([RELIANCE, index])
        ((path, headers, body),) = dhan.requests
        assert path == "/v2/marketfeed/quote"
        assert body == {"IDX_I": [13], "NSE_EQ": [2885]}
        assert headers["access-token"] == TOKEN
        assert headers["client-id"] == "1100000001"

    async def test_no_request_asks_for_more_than_1000(self, dhan, client):
        codes = [InstrumentKey(ExchangeSegment.NSE_FNO, number).code for number in range(1, 2502)]
        await client.quotes(codes)
        assert [sum(map(len, body.values())) for _, _, body in dhan.requests] == [1000, 1000, 501]

    async def test_requests_keep_their_distance(self, dhan, client):
        codes = [InstrumentKey(ExchangeSegment.NSE_FNO, number).code for number in range(1, 3002)]
        started = asyncio.get_running_loop().time()
        await client.quotes(codes)
        assert len(dhan.requests) == 4
        assert asyncio.get_running_loop().time() - started >= 3 * 0.05

    async def test_nothing_asked_is_nothing_sent(self, dhan, client):
        assert len(await client.quotes([])) == 0
        assert dhan.requests == []

    def test_a_malformed_quote_does_not_take_the_others_along(self):
        broken = [{"last_price": "x"}, {"last_price": float("nan")}, {"last_price": -1}, None, {"volume": "many"}]
        broken += [{"last_trade_time": "yesterday"}, {"last_price": 1e12}]
        quotes = {str(number): quote for number, quote in enumerate(broken, start=1)} | {"2885": QUOTE, "x": QUOTE}
        assert quote_rows({"NSE_EQ": quotes, "NO_SUCH": {"1": QUOTE}})["code"].tolist() == [RELIANCE]

    def test_numbers_may_come_as_text_or_be_missing(self):
        (row,) = quote_rows({"NSE_EQ": {"2885": {"last_price": "1442.05", "volume": "7"}}})
        assert (row["last_price"], row["volume"], row["previous_close"]) == (144205, 7, 0)

    @pytest.mark.parametrize("text", [None, "", "01/01/1980 00:00:00"])
    def test_never_traded_is_zero(self, text):
        assert traded_at(text) == 0

    def test_every_paisa_survives_the_double(self):
        for value in np.arange(0, 200_000_00, 37, dtype=np.int64).tolist():
            assert rest.paise(value / 100) == value


class TestRefusals:
    @pytest.mark.parametrize("status", [200, 400, 429])
    async def test_805_is_recognised_under_any_http_status(self, dhan, client, status):
        dhan.reply = lambda body: (status, {"data": {"805": "Too many requests"}, "status": "failed"})
        with pytest.raises(DhanRestError) as refusal:
            await client.quotes([RELIANCE])
        assert (refusal.value.code, refusal.value.throttled) == (805, True)

    async def test_a_throttled_client_stays_away(self, dhan, client):
        dhan.reply = lambda body: (429, {})
        with pytest.raises(DhanRestError):
            await client.quotes([RELIANCE])
        waiting = asyncio.ensure_future(client.quotes([RELIANCE]))
        await asyncio.sleep(0.15)
        assert len(dhan.requests) == 1
        waiting.cancel()

    @pytest.mark.parametrize(
        ("status", "body", "code"),
        [
            (200, {"data": {"806": "Data APIs not subscribed"}, "status": "failed"}, 806),
            (200, {"data": {"807": "Access token expired"}, "status": "failed"}, 807),
            (401, {"errorType": "Invalid_Authentication", "errorCode": "DH-901", "errorMessage": "expired"}, None),
        ],
    )
    def test_a_refused_account_is_told_apart(self, status, body, code):
        with pytest.raises(DhanRestError) as refusal:
            answer(status, json.dumps(body).encode())
        assert (refusal.value.code, refusal.value.account_refused, refusal.value.throttled) == (code, True, False)

    @pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"{}", b'{"status":"success"}', b'{"data":[]}'])
    def test_what_is_no_answer_is_refused(self, content):
        with pytest.raises(DhanRestError):
            answer(200, content)

    async def test_no_log_error_or_repr_holds_the_token(self, dhan, client, caplog):
        caplog.set_level(logging.DEBUG)
        dhan.reply = lambda body: (401, {"errorCode": "DH-901", "errorMessage": "bad"})
        with pytest.raises(DhanRestError) as refusal:
            await client.quotes([RELIANCE])
        assert TOKEN not in caplog.text + str(refusal.value) + repr(refusal.value) + repr(await who())


class TestMaster:
    def test_its_lines_are_streamed(self, dhan):
        dhan.raw = b"A,B\n1,2\r\n3,4\n"
        assert list(master_lines(dhan.url)) == ["A,B", "1,2", "3,4"]

    def test_a_file_cut_short_is_an_error(self, dhan):
        dhan.raw, dhan.cut = b"A,B\n1,2\n", True
        with pytest.raises(httpx.HTTPError):
            list(master_lines(dhan.url))
