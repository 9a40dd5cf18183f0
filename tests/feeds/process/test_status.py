"""The reconnect history: bounded, in order, and still there after the process that wrote it."""

from __future__ import annotations

from datetime import UTC, datetime

from feeds import bus
from feeds.dhan.connection import PastLife
from feeds.process.status import ENDINGS_REMEMBERED, ending_record, remember_endings

AT = datetime(2026, 2, 3, 4, 30, tzinfo=UTC)


async def remember(*lives: PastLife) -> None:
    connection = bus.async_redis()
    try:
        await remember_endings(connection, 1, [ending_record(2, life) for life in lives])
    finally:
        await connection.aclose()


async def test_what_ended_is_told_with_how_long_it_had_lived(redis):
    await remember(PastLife(AT, 61.26, "silent: no packet for 15.2 s"))
    assert bus.feed_endings([1, 2]) == {
        1: [{"at": 1770093000000, "connection": 2, "lived_seconds": 61.3, "reason": "silent: no packet for 15.2 s"}],
        2: [],
    }


async def test_the_oldest_are_forgotten(redis):
    for first in (0, 60):
        await remember(*[PastLife(AT, float(number), "lost") for number in range(first, first + 60)])
    kept = [ending["lived_seconds"] for ending in bus.feed_endings([1])[1]]
    assert kept == [float(number) for number in range(120 - ENDINGS_REMEMBERED, 120)]


async def test_nothing_that_ended_is_nothing_to_write(redis):
    await remember()
    assert redis.keys("*endings*") == []
