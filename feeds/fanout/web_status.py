"""What each web process says of itself in Redis, once a second."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings
from redis import Redis

from feeds import bus

WEBS = "webs"
"""The set of the status keys of all web processes."""
EXPIRES_SECONDS = 5
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def status_key() -> str:
    return f"web.{socket.gethostname()}.{os.getpid()}.status"


def resident_bytes() -> int:
    """Memory of this process, 0 where /proc is not."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return 0


@lru_cache(maxsize=1)
def _redis(url: str) -> Redis:
    return Redis.from_url(url, socket_timeout=bus.REPLY_SECONDS, socket_connect_timeout=bus.REPLY_SECONDS)


def publish_status(status: dict[str, Any]) -> None:
    """Raises:
    bus.REDIS_ERRORS: Redis is away.
    """
    with _redis(settings.REDIS_URL).pipeline(transaction=False) as pipe:
        pipe.set(status_key(), orjson.dumps(status), ex=EXPIRES_SECONDS)
        pipe.sadd(WEBS, status_key())
        pipe.execute()


def web_statuses() -> list[dict[str, Any]]:
    """The web processes that spoke within five seconds.

    Raises:
        bus.REDIS_ERRORS: Redis is away.
    """
    redis = _redis(settings.REDIS_URL)
    keys = sorted(redis.smembers(WEBS))
    values = redis.mget(keys) if keys else []
    if gone := [key for key, value in zip(keys, values, strict=True) if value is None]:
        redis.srem(WEBS, *gone)
    return [orjson.loads(value) for value in values if value is not None]
