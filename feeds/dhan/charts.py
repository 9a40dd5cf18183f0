"""Dhan's charts: bars of one instrument, by the minute or by the day, under the data calls' own rate budget."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import date
from typing import Any

import httpx
import numpy as np
import orjson
from numpy.typing import NDArray

from feeds.core.candles import BAR, BarFlag, no_bars
from feeds.core.history import Interval
from feeds.core.instrument import InstrumentKey
from feeds.core.price import MAXIMUM_PAISE, PAISE_PER_RUPEE
from feeds.dhan.governor import ReadCredentials
from feeds.dhan.rest import (
    UINT32_MAXIMUM,
    DhanCalls,
    DhanRestError,
    refusal,
)

CHART_SPACING_SECONDS = 0.25
"""Dhan's limit for data calls is five a second; four leave room for clocks that differ."""
NO_DATA = "DH-907"
"""Bad parameters, or no bars in those days: ours are not bad, so there are none."""


class DhanCharts(DhanCalls):
    """The chart calls."""

    def __init__(
        self, base_url: str, credentials: ReadCredentials, *, spacing: float = CHART_SPACING_SECONDS, **more: float
    ) -> None:
        super().__init__(base_url, credentials, spacing=spacing, **more)

    async def bars(
        self, key: InstrumentKey, instrument_type: str, interval: Interval, first: date, end: date
    ) -> NDArray[np.void]:
        """BAR rows from the first day to before the last, ascending; none where Dhan has none.

        Raises:
            DhanRestError: Dhan refused, or answered with what is no bars.
            httpx.HTTPError: Dhan could not be reached.
            CredentialsUnavailable: there is nothing to ask with.
        """
        path, body = question(key, instrument_type, interval, first, end)
        response = await self._ask(path, body)
        with self._heeding():
            return await asyncio.to_thread(bars_of, response.status_code, response.content, key.code)


def question(
    key: InstrumentKey, instrument_type: str, interval: Interval, first: date, end: date
) -> tuple[str, dict[str, Any]]:
    """Path and body. Here the security id is text, and both ways of naming days leave out the last."""
    body: dict[str, Any] = {
        "securityId": str(key.security_id),
        "exchangeSegment": key.segment.name,
        "instrument": instrument_type,
        "oi": True,
    }
    if interval is Interval.DAY:
        return "/charts/historical", body | {"expiryCode": 0, "fromDate": f"{first}", "toDate": f"{end}"}
    days = {"fromDate": f"{first} 00:00:00", "toDate": f"{end} 00:00:00"}
    return "/charts/intraday", body | {"interval": interval.value} | days


def bars_of(status: int, content: bytes, code: int) -> NDArray[np.void]:
    """The parallel columns of an answer as BAR rows.

    Raises:
        DhanRestError: a refusal, columns of different lengths, or values that are no prices.
    """
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise DhanRestError(status, None, "the body is no JSON") from None
    if not isinstance(body, dict) or status != httpx.codes.OK or "timestamp" not in body:
        return _empty_or_refused(status, body)
    try:
        return _rows(body, code)
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise DhanRestError(status, None, f"malformed bars: {type(error).__name__}") from None


def _empty_or_refused(status: int, body: object) -> NDArray[np.void]:
    if not isinstance(body, dict):
        raise DhanRestError(status, None, "the body is not a JSON object")
    if body.get("errorCode") == NO_DATA:
        return no_bars()
    raise refusal(status, body)


def _rows(body: Mapping[str, Any], code: int) -> NDArray[np.void]:
    count = len(body["timestamp"])
    rows = np.zeros(count, BAR)
    rows["code"], rows["flags"] = code, BarFlag.HISTORY
    rows["start"] = _column(body["timestamp"], count, np.iinfo(np.int64).max)
    for name in ("open", "high", "low", "close"):
        rows[name] = np.rint(_column(body[name], count, MAXIMUM_PAISE / PAISE_PER_RUPEE) * PAISE_PER_RUPEE)
    rows["volume"] = _column(body["volume"], count, np.iinfo(np.int64).max)
    rows["open_interest"] = _column(body.get("open_interest") or [0] * count, count, UINT32_MAXIMUM)
    rows = rows[np.argsort(rows["start"], kind="stable")]
    return rows[np.diff(rows["start"], prepend=-1) > 0]


def _column(values: Any, count: int, most: float) -> NDArray[np.float64]:
    """Raises ValueError or TypeError: they are no numbers, too few, negative or too large."""
    column = np.array(values, np.float64)
    if column.shape != (count,) or not ((column >= 0) & (column < most)).all():
        raise ValueError("column")
    return column
