"""Candles at rest: one-minute bars written in batches, read by instrument, dropped by the day when kept long enough.

Our own closed minutes are rows of `feeds_candle`. Those of the last few minutes, the running one among them, are in
Redis too: until a minute is written it is read from there, also by the process that takes over.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime

import numpy as np
from django.conf import settings
from django.db import connection
from numpy.typing import NDArray
from redis.asyncio import Redis as AsyncRedis

from feeds import clock
from feeds.bus import blocking_redis
from feeds.core.calendar import Calendar, Exchange
from feeds.core.candles import BAR, MINUTE, RUNNING, BarFlag, plain
from feeds.interest import unpack
from feeds.models import Candle, Interest

Bars = NDArray[np.void]
Tier = Candle.Tier

RECENT = "candles.recent"
RECENT_MINUTES = 5
"""Redis keeps the bars of so many minutes: PostgreSQL may be away for as long without a hole, whoever is killed."""
RECENT_EXPIRES_SECONDS = 86_400
FIELDS_A_CALL = 2_000
PARTITIONS_AHEAD = 5
"""Trading days whose partitions are made before they come."""
PARTITION_NAME = re.compile(r"feeds_candle_(\d{8})_([ab])")
TIER_LETTERS = {Tier.A: "a", Tier.B: "b"}

WRITE = """
INSERT INTO feeds_candle AS kept
  (code, start, trading_date, tier, open, high, low, close, volume, open_interest, partial)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::date[], %s::smallint[], %s::int[], %s::int[], %s::int[],
  %s::int[], %s::bigint[], %s::bigint[], %s::boolean[])
ON CONFLICT (code, start, trading_date, tier) DO UPDATE SET
  (open, high, low, close, volume, open_interest, partial) = (excluded.open, excluded.high, excluded.low,
  excluded.close, excluded.volume, excluded.open_interest, excluded.partial)
WHERE kept.partial OR NOT excluded.partial
"""
"""Writing a minute again is harmless, and a whole bar is never replaced by a part of it."""

READ = """
SELECT code, start, open, high, low, close, volume, open_interest, partial::int FROM feeds_candle
WHERE code = %s AND trading_date = ANY(%s) ORDER BY start
"""

LATEST_CLOSES = """
SELECT wanted.code, latest.start, latest.close FROM unnest(%s::bigint[]) AS wanted (code), LATERAL (
  SELECT start, close FROM feeds_candle
  WHERE feeds_candle.code = wanted.code AND trading_date = %s ORDER BY start DESC LIMIT %s
) AS latest ORDER BY latest.start
"""


CLOSING_INTEREST = """
SELECT wanted.code, latest.start, latest.open_interest FROM unnest(%s::bigint[]) AS wanted (code), LATERAL (
  SELECT start, open_interest FROM feeds_candle
  WHERE feeds_candle.code = wanted.code AND trading_date = %s ORDER BY start DESC LIMIT 1
) AS latest
"""


# --- writing ---------------------------------------------------------------------------------------


def write(bars: Bars) -> int:
    """Store closed minutes in one statement, the partitions they need made first; returns how many were given."""
    if not len(bars):
        return 0
    days = [_day_of(start) for start in np.unique(bars["start"]).tolist()]
    make_partitions(set(days))
    with connection.cursor() as cursor:
        cursor.execute(WRITE, _columns(bars))
    return len(bars)


def _columns(bars: Bars) -> list[Sequence[int | date | bool]]:
    tier_b = np.isin(bars["code"], _always_on())
    starts, place = np.unique(bars["start"], return_inverse=True)
    days = [_day_of(start) for start in starts.tolist()]
    return [
        bars["code"].tolist(),
        bars["start"].tolist(),
        [days[index] for index in place.tolist()],
        np.where(tier_b, int(Tier.B), int(Tier.A)).tolist(),
        *(bars[name].tolist() for name in ("open", "high", "low", "close", "volume", "open_interest")),
        ((bars["flags"] & np.uint32(BarFlag.PARTIAL)) != 0).tolist(),
    ]


def _always_on() -> NDArray[np.uint64]:
    """What Tier B and its references want now."""
    sources = (Interest.Source.CHAIN, Interest.Source.REFERENCE)
    packed = Interest.objects.filter(source__in=sources).values_list("codes", flat=True)
    return np.concatenate([np.empty(0, np.uint64), *map(unpack, packed)])


def _day_of(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, clock.IST).date()


# --- partitions ------------------------------------------------------------------------------------


def make_partitions(days: Collection[date]) -> list[str]:
    """The days' partitions, as far as they are not there yet; returns the names of those that were made."""
    wanted = {_partition(day, tier): (day, tier) for day in sorted(days) for tier in Tier}
    missing = sorted(set(wanted) - set(partitions()))
    with connection.cursor() as cursor:
        for name in missing:
            day, tier = wanted[name]
            bounds = f"FROM ('{day:%Y-%m-%d}', {tier:d}) TO ('{day:%Y-%m-%d}', {tier + 1:d})"
            cursor.execute(f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF feeds_candle FOR VALUES {bounds}")
    return missing


def partitions() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'feeds_candle'::regclass")
        return [name for (name,) in cursor.fetchall()]


def drop_partitions(keep_from: dict[Tier, date]) -> list[str]:
    """Drop each tier's days before its first to keep; returns their names."""
    dropped = [name for name in partitions() if _is_older(name, keep_from)]
    with connection.cursor() as cursor:
        for name in sorted(dropped):
            cursor.execute(f"DROP TABLE IF EXISTS {name}")
    return dropped


def _is_older(name: str, keep_from: dict[Tier, date]) -> bool:
    if (found := PARTITION_NAME.fullmatch(name)) is None:
        return False
    first = keep_from[next(tier for tier, letter in TIER_LETTERS.items() if letter == found[2])]
    return found[1] < f"{first:%Y%m%d}"


def _partition(day: date, tier: Tier) -> str:
    return f"feeds_candle_{day:%Y%m%d}_{TIER_LETTERS[tier]}"


def keep_from(day: date, calendar: Calendar) -> dict[Tier, date]:
    """The first trading day that each tier still keeps on a day."""
    lengths = {Tier.A: settings.CANDLE_DAYS_TIER_A, Tier.B: settings.CANDLE_DAYS_TIER_B}
    return {
        tier: min(_days_back(day, length, exchange, calendar) for exchange in Exchange)
        for tier, length in lengths.items()
    }


def _days_back(day: date, count: int, exchange: Exchange, calendar: Calendar) -> date:
    """The first of so many trading days of which the day, or the one before it, is the last."""
    for _ in range(count - int(calendar.is_trading_day(exchange, day))):
        day = calendar.previous_trading_day(exchange, day)
    return day


def days_ahead(day: date, calendar: Calendar) -> set[date]:
    """The day itself and the trading days after it whose partitions should be there."""
    days = {day}
    for exchange in Exchange:
        following = day
        for _ in range(PARTITIONS_AHEAD):
            following = calendar.next_trading_day(exchange, following)
            days.add(following)
    return days


# --- reading ---------------------------------------------------------------------------------------


def read(code: int, days: Iterable[date]) -> Bars:
    """An instrument's own minutes of these days, ascending, each once, also on a day on which its tier changed."""
    with connection.cursor() as cursor:
        cursor.execute(READ, [code, sorted(days)])
        rows = np.array(cursor.fetchall(), BAR)
    return rows[np.diff(rows["start"], prepend=-1) != 0]


def latest_closes(codes: Collection[int], day: date, count: int) -> dict[int, dict[int, int]]:
    """By code the closes (paise) of its latest minutes of a day by their start, ascending; at most `count`."""
    found: dict[int, dict[int, int]] = {code: {} for code in codes}
    with connection.cursor() as cursor:
        cursor.execute(LATEST_CLOSES, [list(found), day, count])
        for code, start, close in cursor.fetchall():
            found[code][start] = close
    return found


def closing_interest(codes: Collection[int], day: date) -> dict[int, tuple[int, int]]:
    """By code the start of its last minute of a day, and the open interest then; without a bar it is absent."""
    with connection.cursor() as cursor:
        cursor.execute(CLOSING_INTEREST, [list(codes), day])
        return {code: (start, interest) for code, start, interest in cursor.fetchall()}


# --- the last few minutes, in Redis ----------------------------------------------------------------


async def keep_recent(redis: AsyncRedis, running: Bars) -> None:
    """Store RUNNING rows until they are written, and for who reads the running minute.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    async with redis.pipeline(transaction=False) as pipe:
        for start in np.unique(running["start"]).tolist():
            rows = running[running["start"] == start]
            for first in range(0, len(rows), FIELDS_A_CALL):
                pipe.hset(recent_key(start), mapping=_fields(rows[first : first + FIELDS_A_CALL]))
            pipe.expire(recent_key(start), RECENT_EXPIRES_SECONDS)
        await pipe.execute()


async def all_recent(redis: AsyncRedis) -> Bars:
    """Every RUNNING row that Redis holds, ascending in time, each instrument several times.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    values = [value for key in _recent_keys() for value in await redis.hvals(key)]
    return _recent_rows(values)


def recent(codes: Collection[int]) -> Bars:
    """These instruments' bars of the last few minutes, the running one among them, ascending in time.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    redis = blocking_redis()
    fields = [int(code).to_bytes(8, "little") for code in codes]
    if not fields:
        return np.empty(0, BAR)
    pipe = redis.pipeline(transaction=False)
    for key in _recent_keys():
        pipe.hmget(key, fields)
    return plain(_recent_rows([value for values in pipe.execute() for value in values]))


def recent_key(start: int) -> str:
    return f"{RECENT}.{start // MINUTE % RECENT_MINUTES}"


def _recent_keys() -> list[str]:
    return [f"{RECENT}.{place}" for place in range(RECENT_MINUTES)]


def _fields(rows: Bars) -> dict[bytes, bytes]:
    return {row["code"].tobytes(): row.tobytes() for row in rows}


def _recent_rows(values: Iterable[bytes | None]) -> Bars:
    """Ascending in time; what another build wrote is left out."""
    rows = np.frombuffer(b"".join(v for v in values if v is not None and len(v) == RUNNING.itemsize), RUNNING)
    return rows[np.argsort(rows["start"], kind="stable")]
