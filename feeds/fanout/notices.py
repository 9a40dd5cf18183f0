"""What other processes tell every web process over Redis: topics that hold something else, users who signed out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
from redis.asyncio import Redis

from feeds.bus import RECONNECT_SECONDS, REDIS_ERRORS
from feeds.fanout.logins import CLOSED_CHANNEL
from feeds.topics import CHANGED_CHANNEL

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class TopicsChanged:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UsersClosed:
    message: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listening:
    """From here on nothing is missed; what was said before may have been, by a Redis or a listener that was away."""


Notice = Listening | TopicsChanged | UsersClosed


async def notices(redis: Redis) -> AsyncIterator[Notice]:
    """Endless; survives Redis, and says so."""
    while True:
        try:
            async with redis.pubsub() as pubsub:
                await pubsub.subscribe(CHANGED_CHANNEL, CLOSED_CHANNEL)
                yield Listening()
                while True:
                    message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=POLL_SECONDS)
                    notice = read_notice(message) if message else None
                    if notice is not None:
                        yield notice
        except REDIS_ERRORS as error:
            log.warning("notices: Redis is away (%s)", type(error).__name__)
        await asyncio.sleep(RECONNECT_SECONDS)


def read_notice(message: dict[str, Any]) -> Notice | None:
    """None for what is not a notice of this build."""
    try:
        content = orjson.loads(message["data"])
    except ValueError:
        return None
    if message["channel"] == CHANGED_CHANNEL.encode() and isinstance(content, list):
        return TopicsChanged(tuple(name for name in content if isinstance(name, str)))
    if message["channel"] == CLOSED_CHANNEL.encode() and isinstance(content, dict):
        return UsersClosed(content)
    return None
