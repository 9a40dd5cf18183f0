"""The last hours in figures of one minute: a ring in Redis, written by one process and drawn by the dashboard."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson
from django.conf import settings
from redis import Redis

from feeds.bus import REPLY_SECONDS
from feeds.clock import wall_nanoseconds
from feeds.leases import LeaseKeeper, LeaseLost
from terminal.ops.status import ops_status

Minute = dict[str, Any]

KEY = "ops.minutes"
"""A hash of at most MINUTES fields: a minute's field is its number modulo MINUTES, so it replaces one of long ago."""
MINUTES = 720
"""Twelve hours: a day of MCX from the pre-open on."""
MINUTE_MILLISECONDS = 60_000
NANOSECONDS_PER_MILLISECOND = 1_000_000
MEANS = ("packets_per_second", "orders_per_second", "fills_per_second")
MOSTS = ("lag_ms_p50", "lag_ms_p99", "browsers", "slow")
LASTS = ("subscribed", "reconnects", "result", "margin")
COLUMNS = ("at", *MEANS, *MOSTS, *LASTS)

_keeper = LeaseKeeper("ops.history")


def record_sample() -> bool:
    """Add how things are now to the running minute. False: another process does that.

    Raises:
        REDIS_ERRORS, django.db.Error: it cannot be read or written now.
    """
    if not _may_write(_keeper):
        return False
    add(ops_status())
    return True


def add(reading: dict[str, Any]) -> None:
    """Fold a reading into its minute. Only the holder of the lease does: it reads, then writes.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    minute = reading["at"] // MINUTE_MILLISECONDS
    redis = _redis(settings.REDIS_URL)
    folded = fold(_minute_at(redis, minute), minute * MINUTE_MILLISECONDS, sample_of(reading))
    redis.hset(KEY, str(minute % MINUTES), orjson.dumps(folded))


def history() -> list[Minute]:
    """What is known of the last MINUTES minutes, oldest first, the running one with it.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    oldest = (_this_minute() - MINUTES) * MINUTE_MILLISECONDS
    kept = [orjson.loads(text) for text in _redis(settings.REDIS_URL).hvals(KEY)]
    return sorted((each for each in kept if each["at"] > oldest), key=lambda each: int(each["at"]))


def latest_minute() -> Minute | None:
    """The last whole minute; None when nobody wrote it.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    return _minute_at(_redis(settings.REDIS_URL), _this_minute() - 1)


def sample_of(reading: dict[str, Any]) -> dict[str, Any]:
    """A moment's figures from the dashboard's reading. What is silent does nothing; what is not measured is None."""
    totals, trading = reading["totals"], reading["trading"]
    execution, house = trading["execution"], trading["house"]
    return {
        "packets_per_second": totals["packets_per_second"],
        "orders_per_second": execution.get("orders_per_second", 0.0),
        "fills_per_second": execution.get("fills_per_second", 0.0),
        "lag_ms_p50": totals["lag_ms_p50"],
        "lag_ms_p99": totals["lag_ms_p99"],
        "browsers": reading["browsers"],
        "slow": sum(web.get("slow", 0) for web in reading["web"]),
        "subscribed": totals["used"],
        "reconnects": totals["reconnects"],
        "result": house["realised"] + house["unrealised"],
        "margin": trading["margin"]["used"],
    }


def fold(minute: Minute | None, at: int, sample: dict[str, Any]) -> Minute:
    """The minute that began at `at` with one sample more: means of rates, the worst lag and crowd, else the last."""
    before: Minute = minute or {"samples": 0}
    count = before["samples"] + 1
    means = {name: before.get(name, 0.0) + (sample[name] - before.get(name, 0.0)) / count for name in MEANS}
    mosts = {name: _most(before.get(name), sample[name]) for name in MOSTS}
    lasts = {name: sample[name] for name in LASTS}
    return {"at": at, "samples": count, **means, **mosts, **lasts}


def table(minutes: list[Minute]) -> dict[str, Any]:
    """As the page takes them: names once, then rows."""
    return {"columns": COLUMNS, "rows": [[minute[name] for name in COLUMNS] for minute in minutes]}


def _most(one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None]
    return max(known, default=None)


def _may_write(keeper: LeaseKeeper) -> bool:
    """Whether this process holds the lease, or can have it now. Nobody keeps it: the next sample may be another's."""
    if keeper.epoch:
        try:
            keeper.renew()
        except LeaseLost:
            return keeper.acquire()
        return True
    return keeper.acquire()


def _minute_at(redis: Redis, number: int) -> Minute | None:
    text = redis.hget(KEY, str(number % MINUTES))
    minute = orjson.loads(text) if text else None
    return minute if minute and minute["at"] == number * MINUTE_MILLISECONDS else None


def _this_minute() -> int:
    return wall_nanoseconds() // NANOSECONDS_PER_MILLISECOND // MINUTE_MILLISECONDS


@lru_cache(maxsize=1)
def _redis(url: str) -> Redis:
    return Redis.from_url(url, socket_timeout=REPLY_SECONDS, socket_connect_timeout=REPLY_SECONDS)
