"""Dhan's REST as far as market data needs it: quotes, charts, profile and the instrument master."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from feeds import clock
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.dhan.wire import DisconnectReason
from feeds.simulator import master
from feeds.simulator.charts import CHART_PATHS, Charts
from feeds.simulator.feed import Credentials
from feeds.simulator.market import Kind, Market
from feeds.simulator.switches import Limits, Unconfirmed
from feeds.simulator.universe import Universe
from feeds.simulator.web import WebRequest, WebResponse, json_response

NEVER_TRADED = "01/01/1980 00:00:00"
MASTERS: dict[str, Callable[[Universe], str]] = {
    "/api-data/api-scrip-master.csv": master.compact,
    "/api-data/api-scrip-master-detailed.csv": master.detailed,
}
QUOTE_PATHS = ("/v2/marketfeed/ltp", "/v2/marketfeed/ohlc", "/v2/marketfeed/quote")


class Rest:
    """Answers of one account. `token_refusals` and `master_cut` are faults that the control sets."""

    def __init__(
        self, market: Market, universe: Universe, credentials: Credentials, limits: Limits, switches: Unconfirmed
    ) -> None:
        self._market = market
        self._universe = universe
        self._credentials = credentials
        self._limits = limits
        self._switches = switches
        self._charts = Charts(market, limits)
        self._masters: dict[str, bytes] = {}
        self._quoted_at = -np.inf
        self.requests_to_throttle = 0
        self.master_bytes: int | None = None

    def respond(self, request: WebRequest) -> WebResponse:
        if request.path in MASTERS:
            return self._master(request.path)
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        if request.path in QUOTE_PATHS:
            return self._quotes(request)
        if request.path in CHART_PATHS:
            return self._charts.respond(request)
        if request.path == "/v2/profile":
            return json_response(self._profile())
        return WebResponse(404, b"{}")

    def _master(self, path: str) -> WebResponse:
        if path not in self._masters:
            self._masters[path] = MASTERS[path](self._universe).encode()
        body = self._masters[path]
        return WebResponse(200, body[: self.master_bytes], "text/csv")

    def _refusal(self, request: WebRequest) -> WebResponse | None:
        client_id = request.headers.get("client-id", self._credentials.client_id)
        token = request.headers.get("access-token", "")
        if self._credentials.refusal(client_id, token, self._switches.replaced_token_reason) is None:
            return None
        text = "Client ID or user generated access token is invalid or expired."
        error = {"errorType": "Invalid_Authentication", "errorCode": "DH-901", "errorMessage": text}
        return json_response(error, 401)

    def _profile(self) -> dict[str, str]:
        return {
            "dhanClientId": self._credentials.client_id,
            "tokenValidity": "31/12/2099 23:59",
            "activeSegment": "Equity, Derivative, Commodity",
            "ddpi": "Active",
            "mtf": "Deactive",
            "dataPlan": "Active",
            "dataValidity": "2099-12-31 23:59:59.0",
        }

    # --- quotes ---

    def _quotes(self, request: WebRequest) -> WebResponse:
        if self._is_too_soon():
            return data_error(DisconnectReason.TOO_MANY_REQUESTS, "Too many requests", 429)
        try:
            codes = wanted_codes(request.body)
        except (ValueError, KeyError, TypeError, AttributeError):
            return data_error(DisconnectReason.BAD_REQUEST, "Invalid Request", 400)
        if not 0 < len(codes) <= self._limits.instruments_per_quote:
            return data_error(DisconnectReason.BAD_REQUEST, "Invalid Request", 400)
        kind = request.path.rpartition("/")[2]
        return json_response({"data": self._by_segment(codes, kind), "status": "success"})

    def _is_too_soon(self) -> bool:
        if self.requests_to_throttle > 0:
            self.requests_to_throttle -= 1
            return True
        now = clock.monotonic()
        # A tenth is forgiven: turns taken a second apart arrive a little unevenly.
        too_soon = bool(now - self._quoted_at < 0.9 / self._limits.quotes_per_second)
        if not too_soon:
            self._quoted_at = now
        return too_soon

    def _by_segment(self, codes: list[int], kind: str) -> dict[str, dict[str, Any]]:
        rows = self._market.rows(np.array(codes, np.uint64))
        rows = rows[rows >= 0]
        if not self._switches.quotes_for_silent_instruments:
            rows = rows[~self._market.silent[rows]]
        now = clock.exchange_now().timestamp()
        packets = self._market.packets(rows, np.full(len(rows), now))
        answer: dict[str, dict[str, Any]] = {}
        for row, packet in zip(rows.tolist(), packets, strict=True):
            has_book = self._market.instruments["kind"][row] != Kind.INDEX
            segment = ExchangeSegment(int(packet["segment"])).name
            answer.setdefault(segment, {})[str(packet["security_id"])] = quote(packet, kind, bool(has_book))
        return answer


def wanted_codes(body: bytes) -> list[int]:
    """The instrument codes of a request body such as {"NSE_EQ": [2885]}; ids are whole numbers.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it is something else.
    """
    wanted: dict[str, list[int]] = orjson.loads(body)
    return [
        InstrumentKey(ExchangeSegment[segment], int(security_id)).code
        for segment, security_ids in wanted.items()
        for security_id in security_ids
    ]


def data_error(code: int, text: str, status: int) -> WebResponse:
    return json_response({"data": {str(int(code)): text}, "status": "failed"}, status)


def quote(packet: NDArray[np.void], kind: str, has_book: bool) -> dict[str, Any]:
    """One instrument's answer in the shape of /marketfeed/ltp, ohlc or quote; prices in rupees."""
    answer: dict[str, Any] = {"last_price": _rupees(packet["last_price"])}
    if kind == "ltp":
        return answer
    names = {"open": "day_open", "close": "previous_close", "high": "day_high", "low": "day_low"}
    answer["ohlc"] = {theirs: _rupees(packet[ours]) for theirs, ours in names.items()}
    if kind == "quote":
        answer |= _rest_of_quote(packet, has_book)
    return answer


def _rest_of_quote(packet: NDArray[np.void], has_book: bool) -> dict[str, Any]:
    change = _rupees(packet["last_price"]) - _rupees(packet["previous_close"]) if packet["last_price"] else 0.0
    return {
        "average_price": _rupees(packet["average_price"]),
        "buy_quantity": int(packet["total_buy_quantity"]),
        "sell_quantity": int(packet["total_sell_quantity"]),
        "depth": {side: _levels(packet, ours) if has_book else [] for side, ours in (("buy", "bid"), ("sell", "ask"))},
        "last_quantity": int(packet["last_quantity"]),
        "last_trade_time": _trade_time(int(packet["last_traded_at"])),
        "lower_circuit_limit": _rupees(packet["previous_close"] * 0.8),
        "upper_circuit_limit": _rupees(packet["previous_close"] * 1.2),
        "net_change": round(change, 2),
        "oi": int(packet["open_interest"]),
        "oi_day_high": int(packet["open_interest_high"]),
        "oi_day_low": int(packet["open_interest_low"]),
        "volume": int(packet["volume"]),
    }


def _levels(packet: NDArray[np.void], side: str) -> list[dict[str, Any]]:
    return [
        {
            "quantity": int(level[f"{side}_quantity"]),
            "orders": int(level[f"{side}_orders"]),
            "price": _rupees(level[f"{side}_price"]),
        }
        for level in packet["depth"]
    ]


def _rupees(value: Any) -> float:
    return round(float(value), 2)


def _trade_time(wire_seconds: int) -> str:
    """Wire time is the Indian wall clock read as if it were UTC, so UTC prints it as it is."""
    if not wire_seconds:
        return NEVER_TRADED
    return datetime.fromtimestamp(wire_seconds, UTC).strftime("%d/%m/%Y %H:%M:%S")
