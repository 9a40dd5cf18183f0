"""What the analytics process says about itself once a second, for health and the operations page."""

from __future__ import annotations

from typing import Any

import orjson
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

KEY = "analytics.status"
EXPIRES_SECONDS = 10
"""A process that has not spoken for so long is down."""


async def write_status(redis: AsyncRedis, status: dict[str, Any]) -> None:
    """Raises REDIS_ERRORS."""
    await redis.set(KEY, orjson.dumps(status), ex=EXPIRES_SECONDS)


def read_status(redis: Redis) -> dict[str, Any] | None:
    """What the process said last; None: it is down.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    text = redis.get(KEY)
    return dict(orjson.loads(text)) if text else None
