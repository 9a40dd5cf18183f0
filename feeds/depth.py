"""Which books are open on a screen: web processes say so each second, the feed processes read it."""

from __future__ import annotations

import logging
from collections.abc import Collection

from django.conf import settings
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from feeds import clock

log = logging.getLogger(__name__)

OPEN = "depth.open"
"""A sorted set: instrument code, and until when (wall seconds) its book counts as open."""
OPEN_SECONDS = 5
"""Longer than a web process takes to say it again; soon after the last browser has left nobody does."""
REPLY_SECONDS = 1.0


def keep_open(codes: Collection[int]) -> None:
    """Somebody looks at these books now. With Redis away there is nobody to tell, and nothing to be told."""
    until = clock.wall_nanoseconds() / 1e9 + OPEN_SECONDS
    redis = Redis.from_url(settings.REDIS_URL, socket_timeout=REPLY_SECONDS, socket_connect_timeout=REPLY_SECONDS)
    try:
        redis.zadd(OPEN, {str(code): until for code in codes})
    except (RedisError, OSError) as error:
        log.warning("open books were not told (%s)", type(error).__name__)
    finally:
        redis.close()


async def open_books(redis: AsyncRedis) -> list[int]:
    """The codes whose books are open, those looked at longest ago last; what is over is forgotten.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    now = clock.wall_nanoseconds() / 1e9
    await redis.zremrangebyscore(OPEN, "-inf", now)
    return [int(code) for code in await redis.zrevrange(OPEN, 0, -1)]
