"""Dhan's bars, asked for when a chart needs them and kept in Redis: the web asks, a feed process fetches and stores.

Only feed processes have an account's token and its rate budget. Nobody waits for them longer than they choose.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray
from redis.asyncio import Redis as AsyncRedis

from feeds import clock
from feeds.bus import blocking_redis
from feeds.core.candles import BAR, no_bars
from feeds.core.history import Interval, Page
from feeds.core.instrument import InstrumentKey

Bars = NDArray[np.void]

WANTED = "history.wanted"
WANTED_LIMIT = 500
"""Pages that may wait: at four a second two minutes' worth. What does not fit is asked for again by its chart."""
KEPT_SECONDS = 6 * 3600
"""A page is 30 to 110 kB: what nobody looks at any more leaves within the day."""
ASKED_SECONDS = 30
"""A request that was lost is made again after this."""
REFRESHED_SECONDS = 60
"""Today's page is asked for again after this."""
REFUSED_SECONDS = 60
"""What Dhan refused is not asked for again before."""
REFUSED = b"-"
POLL_SECONDS = 0.03


class Wanted(NamedTuple):
    """A page to fetch, and what Dhan calls the instrument's kind."""

    page: Page
    instrument_type: str


class Found(NamedTuple):
    """What is there of some pages. `pending`: it was asked for; `refused`: Dhan would not say."""

    bars: Bars
    pending: bool
    refused: bool


# --- who needs bars ---------------------------------------------------------------------------------


def find(wanted: Sequence[Wanted], wait_seconds: float) -> Found:
    """The bars of these pages, those that are missing asked for and waited for a while.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    until = clock.monotonic() + wait_seconds
    values = _values(wanted)
    _ask(wanted, values)
    while None in values and clock.monotonic() < until:
        time.sleep(POLL_SECONDS)
        values = _values(wanted)
    found = [np.frombuffer(value, BAR) for value in values if value is not None and value != REFUSED]
    return Found(np.concatenate([no_bars(), *found]), None in values, REFUSED in values)


def _values(wanted: Sequence[Wanted]) -> list[bytes | None]:
    return blocking_redis().mget([page_key(each.page) for each in wanted]) if wanted else []


def _ask(wanted: Sequence[Wanted], values: Iterable[bytes | None]) -> None:
    """Put what is missing, and what may be out of date, on the list; once, whoever else asks too."""
    redis, today = blocking_redis(), clock.exchange_today()
    for each, value in zip(wanted, values, strict=True):
        grows = each.page.end > today
        if (value is None or grows) and redis.llen(WANTED) < WANTED_LIMIT:
            seconds = REFRESHED_SECONDS if grows else ASKED_SECONDS
            if redis.set(f"{page_key(each.page)}.asked", b"", nx=True, ex=seconds):
                redis.rpush(WANTED, _packed(each))


# --- who fetches them -------------------------------------------------------------------------------


async def next_wanted(redis: AsyncRedis, seconds: float) -> Wanted | None:
    """The page that has waited longest; None: nobody wanted any for so long.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    answer = await redis.blpop([WANTED], timeout=seconds)
    return _unpacked(answer[1]) if answer else None


async def store(redis: AsyncRedis, page: Page, bars: Bars) -> None:
    """Raises REDIS_ERRORS."""
    await redis.set(page_key(page), bars.tobytes(), ex=KEPT_SECONDS)


async def store_refusal(redis: AsyncRedis, page: Page) -> None:
    """Dhan will not say: charts do without. An answer from before stands.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    await redis.set(page_key(page), REFUSED, ex=REFUSED_SECONDS, nx=True)


def page_key(page: Page) -> str:
    return f"history.{page}"


def _packed(wanted: Wanted) -> bytes:
    key, base, first, end = wanted.page
    return orjson.dumps([str(key), base, first, end, wanted.instrument_type])


def _unpacked(data: bytes) -> Wanted:
    key, base, first, end, instrument_type = orjson.loads(data)
    page = Page(InstrumentKey.parse(key), Interval(base), date.fromisoformat(first), date.fromisoformat(end))
    return Wanted(page, instrument_type)
