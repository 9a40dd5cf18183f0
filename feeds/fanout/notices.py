"""What other processes tell every web process over Redis: topics that changed, new facts, values, ended logins."""

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
from feeds.topics import CHANGED_CHANNEL, FACTS_CHANNEL, VALUES_CHANNEL

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class TopicsChanged:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FactsChanged:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ValuesChanged:
    values: dict[str, tuple[str, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class UsersClosed:
    message: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listening:
    """From here on nothing is missed; what was said before may have been, by a Redis or a listener that was away."""


Notice = Listening | TopicsChanged | FactsChanged | ValuesChanged | UsersClosed


async def notices(redis: Redis) -> AsyncIterator[Notice]:
    """Endless; survives Redis, and says so."""
    while True:
        try:
            async with redis.pubsub() as pubsub:
                await pubsub.subscribe(CHANGED_CHANNEL, FACTS_CHANNEL, VALUES_CHANNEL, CLOSED_CHANNEL)
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
    channel = message["channel"].decode()
    if isinstance(content, list) and channel in {CHANGED_CHANNEL, FACTS_CHANNEL}:
        names = tuple(name for name in content if isinstance(name, str))
        return TopicsChanged(names) if channel == CHANGED_CHANNEL else FactsChanged(names)
    if isinstance(content, dict) and channel == VALUES_CHANNEL:
        return ValuesChanged({name: (value[0], value[1]) for name, value in content.items() if is_value(value)})
    if isinstance(content, dict) and channel == CLOSED_CHANNEL:
        return UsersClosed(content)
    return None


def is_value(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], dict)
