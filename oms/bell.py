"""The bell that wakes the execution process: a Redis stream that says only "look". A lost ring costs one sweep."""

from __future__ import annotations

import logging
from functools import lru_cache

from django.conf import settings
from django.db import transaction
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from feeds.bus import REDIS_ERRORS, REPLY_SECONDS
from oms import failpoints

log = logging.getLogger(__name__)

STREAM = "orders.bell"
KEPT = 16
"""Rings that stay in the stream: one would do, for none of them says anything but that it rang."""
LONGEST_WAIT_SECONDS = REPLY_SECONDS / 2
"""A read that blocks as long as the socket may wait for a reply would look like a Redis that is away."""
NEVER = b"0-0"
"""What to have heard last at the start: whatever still stands in the stream is then heard at once."""


def ring() -> None:
    """Wake the execution process. Redis away: it finds what waits at its next sweep."""
    failpoints.reach("after_commit_before_bell")
    try:
        _blocking_redis(settings.REDIS_URL).xadd(STREAM, {"": ""}, maxlen=KEPT, approximate=True)
    except REDIS_ERRORS as error:
        log.warning("the bell was not heard (%s)", type(error).__name__)


def ring_after_commit() -> None:
    """`ring` once the transaction has committed."""
    transaction.on_commit(ring)


def heard(last: bytes = NEVER, timeout: float = LONGEST_WAIT_SECONDS) -> bytes:
    """Wait until it rings after `last`, at most `timeout` seconds; returns the last ring (`last`: none came).

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    answer = _blocking_redis(settings.REDIS_URL).xread({STREAM: last}, block=_milliseconds(timeout))
    return _last(answer, last)


async def heard_by(redis: AsyncRedis, last: bytes = NEVER, timeout: float = LONGEST_WAIT_SECONDS) -> bytes:
    """`heard` on an event loop, by a binary-safe client (`feeds.bus.async_redis`).

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    return _last(await redis.xread({STREAM: last}, block=_milliseconds(timeout)), last)


def _milliseconds(timeout: float) -> int:
    """Redis takes a block of 0 as "for ever"."""
    return max(1, int(1000 * min(timeout, LONGEST_WAIT_SECONDS)))


def _last(answer: object, last: bytes) -> bytes:
    if not answer:
        return last
    [(_, rings)] = answer.items() if isinstance(answer, dict) else answer
    rings = rings[0] if rings and isinstance(rings[0], list) else rings
    return rings[-1][0]


@lru_cache(maxsize=1)
def _blocking_redis(url: str) -> Redis:
    return Redis.from_url(
        url, decode_responses=False, socket_timeout=REPLY_SECONDS, socket_connect_timeout=REPLY_SECONDS
    )
