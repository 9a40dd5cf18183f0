"""Dhan over HTTP: quotes in batches under the rate budget, and the instrument master as a stream of lines.

Tokens travel in headers only; no error, log line or repr of this module holds one.
"""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from itertools import islice, zip_longest
from typing import Any

import httpx
import numpy as np
import orjson
from django.conf import settings
from numpy.typing import NDArray

from feeds import clock
from feeds.core.instrument import SECURITY_ID_MASK, ExchangeSegment, InstrumentKey
from feeds.core.price import MAXIMUM_PAISE, PAISE_PER_RUPEE
from feeds.core.tick import DEPTH_LEVELS, TICK, TickFlag
from feeds.dhan.governor import Credentials, ReadCredentials
from feeds.dhan.wire import DisconnectReason

__all__ = ["Credentials", "DhanRest", "DhanRestError", "RateBudget", "answer", "master_lines", "quote_rows", "trusted"]

log = logging.getLogger(__name__)

QUOTES_PER_REQUEST = 1000
QUOTE_SPACING_SECONDS = 1.0
"""Dhan's limits for /marketfeed: 1,000 instruments a request, one request a second."""
THROTTLED_SECONDS = 60.0
"""How long to stay away after 805 or 429: repeating them can block the user."""
REQUEST_TIMEOUT_SECONDS = 10.0
MASTER_TIMEOUT_SECONDS = 60.0
MASTER_BYTES_LIMIT = 512 * 1024 * 1024
"""Today's file is 25 to 60 MB; more than this is not a master."""
UINT32_MAXIMUM = 2**32 - 1
UINT16_MAXIMUM = 2**16 - 1
INT64_MAXIMUM = 2**63 - 1
ACCOUNT_CODES = frozenset(
    {
        DisconnectReason.NOT_SUBSCRIBED_TO_DATA,
        DisconnectReason.TOKEN_EXPIRED,
        DisconnectReason.AUTHENTICATION_FAILED,
        DisconnectReason.TOKEN_INVALID,
        DisconnectReason.CLIENT_ID_INVALID,
    }
)


class DhanRestError(Exception):
    """Dhan refused, or answered with what is no answer.

    `code` is Dhan's own number (805) where it gave one, `status` the HTTP status, whichever of them tells.
    """

    def __init__(self, status: int, code: int | None, message: str) -> None:
        super().__init__(f"Dhan answered HTTP {status}, code {code}: {message[:200]}")
        self.status = status
        self.code = code

    @property
    def throttled(self) -> bool:
        return self.status == httpx.codes.TOO_MANY_REQUESTS or self.code == DisconnectReason.TOO_MANY_REQUESTS

    @property
    def account_refused(self) -> bool:
        """The token or the subscription is at fault: asking again with the same does not help."""
        return self.status == httpx.codes.UNAUTHORIZED or self.code in ACCOUNT_CODES


class RateBudget:
    """One call every `spacing` seconds; callers wait their turn in order. A pause pushes every turn back."""

    def __init__(self, spacing: float) -> None:
        self._spacing = spacing
        self._next_at = 0.0

    async def turn(self) -> None:
        now = clock.monotonic()
        mine = max(now, self._next_at)
        self._next_at = mine + self._spacing
        await asyncio.sleep(mine - now)

    def pause(self, seconds: float) -> None:
        self._next_at = max(self._next_at, clock.monotonic() + seconds)


@cache
def trusted() -> ssl.SSLContext:
    """Whose certificates are believed, for every client of a process: to read them takes 20 ms."""
    return httpx.create_ssl_context(trust_env=False)


class DhanCalls:
    """HTTP calls of one account. Credentials are asked for at each request, so a new token is used at once."""

    def __init__(
        self, base_url: str, credentials: ReadCredentials, *, spacing: float, throttled: float = THROTTLED_SECONDS
    ) -> None:
        self._credentials = credentials
        self._budget = RateBudget(spacing)
        self._throttled = throttled
        self._client = httpx.AsyncClient(
            base_url=base_url, timeout=REQUEST_TIMEOUT_SECONDS, trust_env=False, verify=trusted()
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _ask(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        await self._budget.turn()
        who = await self._credentials()
        headers = {"access-token": who.token, "client-id": who.client_id}
        return await self._client.post(path, content=orjson.dumps(body), headers=JSON_HEADERS | headers)

    @contextmanager
    def _heeding(self) -> Iterator[None]:
        """Who is told to slow down does so, and hears of it."""
        try:
            yield
        except DhanRestError as error:
            if error.throttled:
                self._budget.pause(self._throttled)
            raise


class DhanRest(DhanCalls):
    """The data calls."""

    def __init__(
        self, base_url: str, credentials: ReadCredentials, *, spacing: float = QUOTE_SPACING_SECONDS, **more: float
    ) -> None:
        super().__init__(base_url, credentials, spacing=spacing, **more)

    async def quotes(self, codes: Collection[int]) -> NDArray[np.void]:
        """The quotes of these instruments as TICK rows flagged SEEDED; those Dhan does not know are left out.

        An instrument that has not traded today has `last_traded_at` of an earlier day, or 0. The call takes a
        second for each 1,000 codes.

        Raises:
            DhanRestError: Dhan refused.
            httpx.HTTPError: Dhan could not be reached.
            CredentialsUnavailable: there is nothing to ask with.
        """
        waiting = iter(sorted(codes))
        found = [np.empty(0, TICK)]
        while batch := list(islice(waiting, QUOTES_PER_REQUEST)):
            data = await self._post("/marketfeed/quote", _by_segment(batch))
            found.append(await asyncio.to_thread(quote_rows, data))  # prices flow meanwhile
        return np.concatenate(found)

    async def _post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        response = await self._ask(path, body)
        with self._heeding():
            return answer(response.status_code, response.content)


JSON_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


def answer(status: int, content: bytes) -> Mapping[str, Any]:
    """The `data` of a good answer. Data errors come with HTTP 200 too, so `status` in the body decides.

    Raises:
        DhanRestError: a refusal in either of Dhan's two shapes, or no JSON object at all.
    """
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise DhanRestError(status, None, "the body is not a JSON object")
    data = body.get("data")
    if status == httpx.codes.OK and body.get("status") == "success" and isinstance(data, dict):
        return data
    raise refusal(status, body)


def refusal(status: int, body: Mapping[str, Any]) -> DhanRestError:
    """What Dhan said instead of an answer, in either of its two shapes."""
    data = body.get("data")
    if isinstance(data, dict):
        for code, text in data.items():
            if str(code).isdigit():
                return DhanRestError(status, int(code), str(text))
    return DhanRestError(status, None, f"{body.get('errorCode')}: {body.get('errorMessage')}")


def _by_segment(codes: Collection[int]) -> dict[str, list[int]]:
    """The request body: security ids (as numbers) by segment name."""
    body: dict[str, list[int]] = {}
    for code in codes:
        key = InstrumentKey.from_code(int(code))
        body.setdefault(key.segment.name, []).append(key.security_id)
    return body


# --- quotes to rows ------------------------------------------------------------------------------


def quote_rows(data: Mapping[str, Any]) -> NDArray[np.void]:
    """`data` of /marketfeed/quote as TICK rows. What is malformed is left out and logged, the rest stands."""
    rows = []
    received_at = clock.wall_nanoseconds()
    for segment, quotes in data.items():
        for security_id, quote in quotes.items() if isinstance(quotes, dict) else ():
            try:
                rows.append(quote_row(_code(segment, security_id), quote, received_at))
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
                log.warning("quote of %s.%s is malformed: %s", segment, security_id, type(error).__name__)
    return np.array(rows, TICK)  # all at once: a thousand quotes must not hold up the event loop


def _code(segment: str, security_id: str) -> int:
    number = int(security_id)
    if not 0 <= number <= SECURITY_ID_MASK:
        raise ValueError("security id")
    return InstrumentKey(ExchangeSegment[segment], number).code


def quote_row(code: int, quote: Mapping[str, Any], received_at: int) -> tuple[Any, ...]:
    """One quote as a TICK row's values in their order; what a quote does not tell is 0."""
    day, depth = quote.get("ohlc") or {}, quote.get("depth") or {}
    values = {
        "code": code,
        "received_at": received_at,
        "last_traded_at": traded_at(quote.get("last_trade_time")),
        "volume": min(max(0, int(quote.get("volume") or 0)), INT64_MAXIMUM),
        "last_price": paise(quote.get("last_price")),
        "average_price": paise(quote.get("average_price")),
        "day_open": paise(day.get("open")),
        "day_high": paise(day.get("high")),
        "day_low": paise(day.get("low")),
        "previous_close": paise(day.get("close")),
        "flags": int(TickFlag.SEEDED),
        "depth": _levels(depth.get("buy") or [], depth.get("sell") or []),
    } | {ours: quantity(quote.get(theirs)) for ours, theirs in QUANTITIES.items()}
    return tuple(values.get(name, 0) for name in TICK.names or ())


QUANTITIES = {
    "last_quantity": "last_quantity",
    "total_buy_quantity": "buy_quantity",
    "total_sell_quantity": "sell_quantity",
    "open_interest": "oi",
    "open_interest_high": "oi_day_high",
    "open_interest_low": "oi_day_low",
}
"""Our column, Dhan's name."""
NO_LEVEL: Mapping[str, Any] = {}


def _levels(buy: Sequence[Mapping[str, Any]], sell: Sequence[Mapping[str, Any]]) -> list[tuple[int, ...]]:
    """Five levels of DEPTH_LEVEL's values, best first."""
    pairs = zip_longest(buy[:DEPTH_LEVELS], sell[:DEPTH_LEVELS], [NO_LEVEL] * DEPTH_LEVELS, fillvalue=NO_LEVEL)
    return [
        (
            paise(bid.get("price")),
            paise(ask.get("price")),
            quantity(bid.get("quantity")),
            quantity(ask.get("quantity")),
            min(quantity(bid.get("orders")), UINT16_MAXIMUM),
            min(quantity(ask.get("orders")), UINT16_MAXIMUM),
        )
        for bid, ask, _ in pairs
    ]


def paise(rupees: Any) -> int:
    """Rupees of a JSON number or text to paise; a double holds every paisa exactly enough to round.

    Raises:
        ValueError: not a price.
    """
    value = float(rupees or 0) * PAISE_PER_RUPEE
    if not (math.isfinite(value) and 0 <= value <= MAXIMUM_PAISE):
        raise ValueError("price")
    return round(value)


def quantity(value: Any) -> int:
    return min(max(0, int(value or 0)), UINT32_MAXIMUM)


def traded_at(text: str | None) -> int:
    """`24/02/2026 15:29:58` in IST to seconds since 1970; 0 for never, which Dhan writes as 1980."""
    if not text:
        return 0
    moment = datetime.strptime(text, "%d/%m/%Y %H:%M:%S").replace(tzinfo=clock.IST)
    return 0 if moment.year <= NEVER_YEAR else int(moment.timestamp())


NEVER_YEAR = 1980


# --- the master -----------------------------------------------------------------------------------


def master_lines(url: str | None = None) -> Iterator[str]:
    """The lines of Dhan's instrument master, streamed; needs no token.

    Raises:
        httpx.HTTPError: not reached, refused, or cut before the end.
        DhanRestError: far larger than a master can be.
    """
    timeout = httpx.Timeout(MASTER_TIMEOUT_SECONDS, connect=REQUEST_TIMEOUT_SECONDS)
    options: dict[str, Any] = {"timeout": timeout, "follow_redirects": True, "trust_env": False}
    with httpx.stream("GET", url or settings.DHAN_MASTER_URL, **options) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if response.num_bytes_downloaded > MASTER_BYTES_LIMIT:
                raise DhanRestError(response.status_code, None, "the master is larger than any can be")
            yield line
