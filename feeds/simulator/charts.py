"""Dhan's charts: the same path of prices that the feed sends, cut into bars of any trading day up to now."""

from __future__ import annotations

from collections import deque
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from feeds import clock
from feeds.core.calendar import exchange_of, shipped_calendar
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.dhan.wire import DisconnectReason
from feeds.simulator.market import Market
from feeds.simulator.switches import Limits
from feeds.simulator.web import WebRequest, WebResponse, json_response

INTRADAY, HISTORICAL = "/v2/charts/intraday", "/v2/charts/historical"
CHART_PATHS = (INTRADAY, HISTORICAL)
INTERVALS = {"1": 60, "5": 300, "15": 900, "25": 1500, "60": 3600}
"""Seconds of the bars that Dhan has; 30 it has not, whatever one of its pages says."""
SAMPLES = 12
"""Looks at a bar's path: every five seconds of a minute."""
DAY_SAMPLES = 75
DAY = timedelta(days=1)
DAY_SECONDS = 86_400
IST_SECONDS = 19_800
DATES = ("fromDate", "toDate")
PRICES = ("open", "high", "low", "close")
BURST_SECONDS = 0.9
"""A tenth of a second is forgiven: turns taken evenly arrive a little unevenly."""

Seconds = NDArray[np.int64]


class Question(NamedTuple):
    """What a chart asks for: bars of so many seconds (0: days) from a moment to before another."""

    row: int
    key: InstrumentKey
    seconds: int
    since: datetime
    until: datetime


class BadQuestion(ValueError):
    """Something is missing, unknown or too much."""


class Charts:
    """Answers of both chart calls. An instrument that never trades has no bars."""

    def __init__(self, market: Market, limits: Limits) -> None:
        self._market = market
        self._limits = limits
        self._calendar = shipped_calendar()
        self._asked: deque[float] = deque(maxlen=max(1, int(limits.charts_per_second)))

    def respond(self, request: WebRequest) -> WebResponse:
        if self._is_too_much():
            return _throttled()
        try:
            question = self._read(request)
        except (BadQuestion, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            return _error("DH-905", "Input_Exception", "Missing required fields, bad values for parameters etc.")
        columns = self._columns(question)
        if not columns["timestamp"]:
            return _error("DH-907", "Data_Error", "Incorrect parameters, or no data present")
        return json_response(columns)

    def _is_too_much(self) -> bool:
        now = clock.monotonic()
        full = len(self._asked) == self._asked.maxlen
        if full and now - self._asked[0] < BURST_SECONDS:
            return True
        self._asked.append(now)
        return False

    # --- the question ---

    def _read(self, request: WebRequest) -> Question:
        body: dict[str, Any] = orjson.loads(request.body)
        key = InstrumentKey(ExchangeSegment[body["exchangeSegment"]], int(body["securityId"]))
        (row,) = self._market.rows(np.array([key.code], np.uint64)).tolist()
        if row < 0 or not isinstance(body["securityId"], str) or not body["instrument"]:
            raise BadQuestion
        if request.path == HISTORICAL:
            since, until = (datetime.combine(date.fromisoformat(body[name]), time(), clock.IST) for name in DATES)
            return Question(row, key, 0, since, until)
        since, until = (datetime.strptime(body[name], "%Y-%m-%d %H:%M:%S").replace(tzinfo=clock.IST) for name in DATES)
        if until - since > self._limits.days_per_chart * DAY:
            raise BadQuestion
        return Question(row, key, INTERVALS[body["interval"]], since, until)

    # --- the answer ---

    def _columns(self, question: Question) -> dict[str, list[float]]:
        starts = np.concatenate([np.empty(0, np.int64), *(self._starts(day, question) for day in self._days(question))])
        length = question.seconds or self._session_seconds(question.row)
        opened = starts if question.seconds else starts + int(self._market.instruments["session_start"][question.row])
        # Intraday leaves out the very bar that begins when the question does.
        since = question.since.timestamp() + bool(question.seconds)
        wanted = (starts >= since) & (starts < question.until.timestamp())
        wanted &= opened + length <= clock.exchange_now().timestamp()
        return self._bars(question.row, starts[wanted], opened[wanted], length)

    def _days(self, question: Question) -> list[date]:
        exchange, day = exchange_of(question.key.segment), question.since.date()
        days = [day + number * DAY for number in range((question.until.date() - day).days + 1)]
        return [day for day in days if self._calendar.is_trading_day(exchange, day)]

    def _starts(self, day: date, question: Question) -> Seconds:
        """When the day's bars begin; a day's own bar is stamped with its midnight."""
        midnight = int(datetime.combine(day, time(), clock.IST).timestamp())
        if not question.seconds:
            return np.array([midnight])
        session = self._market.instruments[["session_start", "session_end"]][question.row]
        return np.arange(midnight + session["session_start"], midnight + session["session_end"], question.seconds)

    def _session_seconds(self, row: int) -> int:
        return int(self._market.instruments["session_end"][row] - self._market.instruments["session_start"][row])

    def _bars(self, row: int, starts: Seconds, opened: Seconds, length: int) -> dict[str, list[float]]:
        """Each bar's path is looked at from its first to its last second."""
        if not len(starts) or self._market.silent[row]:
            return {name: [] for name in (*PRICES, "volume", "timestamp", "open_interest")}
        looks = np.linspace(0.0, length - 1, DAY_SAMPLES if length > max(INTERVALS.values()) else SAMPLES)
        at = opened[:, None] + looks
        price, volume, interest = (each.reshape(at.shape) for each in self._market.path(row, at.ravel()))
        _, before, _ = self._market.path(row, (opened - 1).astype(float))
        before = np.where(opened > self._day_opens(row, opened), before, 0)
        rupees = dict(zip(PRICES, (price[:, 0], price.max(axis=1), price.min(axis=1), price[:, -1]), strict=True))
        return {name: (value / 100).tolist() for name, value in rupees.items()} | {
            "volume": np.maximum(volume[:, -1] - before, 0).astype(float).tolist(),
            "timestamp": starts.astype(float).tolist(),
            "open_interest": interest[:, -1].astype(float).tolist(),
        }

    def _day_opens(self, row: int, opened: Seconds) -> Seconds:
        midnight = (opened + IST_SECONDS) // DAY_SECONDS * DAY_SECONDS - IST_SECONDS
        return midnight + int(self._market.instruments["session_start"][row])


def _throttled() -> WebResponse:
    body = {"data": {str(int(DisconnectReason.TOO_MANY_REQUESTS)): "Too many requests"}, "status": "failed"}
    return json_response(body, 429)


def _error(code: str, kind: str, text: str) -> WebResponse:
    return json_response({"errorType": kind, "errorCode": code, "errorMessage": text}, 400)
