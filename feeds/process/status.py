"""What a feed process says about itself once a second: figures gathered in small parts, JSON at the end."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import orjson
from django.conf import settings
from numpy.typing import NDArray
from redis.asyncio import Redis as AsyncRedis

from feeds.bus import BOARDS, Fenced, endings_key, meta_key, status_key
from feeds.dhan.connection import PastLife

STATUS_EXPIRES_SECONDS = 10
WRITE = """
local epoch = redis.call('HGET', KEYS[2], 'epoch')
if epoch and tonumber(epoch) > tonumber(ARGV[2]) then return 'FENCED' end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
redis.call('SADD', KEYS[3], ARGV[4])
redis.call('PUBLISH', ARGV[5], ARGV[1])
return 'OK'
"""
"""KEYS: status, meta of the board, the set of boards. ARGV: text, epoch, seconds it lasts, account id, channel."""
LAG_SAMPLES = 2000
"""Trades that the lag's percentiles are taken over: some seconds of a busy connection."""
LAG_SAMPLES_A_FLUSH = 200
ENDINGS_REMEMBERED = 100
"""Of one account, in Redis: some days of an ordinary line."""
SYNC_MEMORY = 600
"""Syncs that `sync_seconds_max` is taken over, so that one slow start does not colour the whole day."""


class FeedState(StrEnum):
    """Of the whole feed, and of each of its connections."""

    LIVE = "LIVE"
    STALE = "STALE"
    DOWN = "DOWN"
    STOPPED = "STOPPED"


class Lags:
    """How long trades took from the exchange to us, by connection, in ms.

    The exchange's stamp has whole seconds: up to 1,000 ms are its own.
    """

    def __init__(self) -> None:
        self._samples: dict[int, deque[int]] = defaultdict(lambda: deque(maxlen=LAG_SAMPLES))

    def add(self, packets: NDArray[np.void], placement: Callable[[int], int | None]) -> None:
        """Rows that packets just changed; those with a trade among them are samples."""
        traded = packets[packets["low"] > 0][:LAG_SAMPLES_A_FLUSH]
        lags = trade_lags(traded, settings.EXCHANGE_CLOCK_OFFSET_SECONDS).tolist()
        for code, lag in zip(traded["code"].tolist(), lags, strict=True):
            if (connection := placement(code)) is not None:
                self._samples[connection].append(lag)

    def percentiles(self, connection: int) -> dict[str, int | None]:
        samples = self._samples[connection]
        if not samples:
            return {"lag_ms_p50": None, "lag_ms_p99": None}
        p50, p99 = np.percentile(np.fromiter(samples, np.float64, len(samples)), [50, 99])
        return {"lag_ms_p50": round(p50), "lag_ms_p99": round(p99)}


class Rates:
    """The pace of counters between two looks at them, by name."""

    def __init__(self) -> None:
        self._before: dict[Hashable, tuple[int, float]] = {}

    def per_second(self, name: Hashable, count: int, now: float) -> float:
        before, at = self._before.get(name, (count, now))
        self._before[name] = (count, now)
        return round((count - before) / (now - at), 1) if now > at else 0.0


@dataclass
class SyncTimes:
    """Seconds from a change of interest being noticed to its messages being written."""

    samples: deque[float] = field(default_factory=lambda: deque(maxlen=SYNC_MEMORY))

    def add(self, seconds: float) -> None:
        self.samples.append(seconds)

    @property
    def maximum(self) -> float:
        return round(max(self.samples, default=0.0), 3)


def trade_lags(rows: NDArray[np.void], exchange_offset: float) -> NDArray[np.int64]:
    """Milliseconds from each row's trade to its receipt; `exchange_offset` is exchange minus real time, seconds."""
    received = rows["received_at"] // 1_000_000 + round(exchange_offset * 1000)
    return np.asarray(received - rows["last_traded_at"] * 1000, np.int64)


async def write_status(redis: AsyncRedis, account_id: int, epoch: int, status: dict[str, object]) -> None:
    """Store it for those who ask and publish it to those who listen.

    Raises:
        Fenced: a higher epoch owns the account's board; nothing was written.
        REDIS_ERRORS: Redis is away.
    """
    outcome = await redis.eval(  # by its text: it is sent once a second
        WRITE,
        3,
        status_key(account_id),
        meta_key(account_id),
        BOARDS,
        orjson.dumps(status),
        epoch,
        STATUS_EXPIRES_SECONDS,
        account_id,
        f"status.{account_id}",
    )
    if outcome == b"FENCED":
        raise Fenced(f"epoch {epoch} of account {account_id} is no longer the highest")


def ending_record(connection: int | None, life: PastLife) -> dict[str, object]:
    """One line of the reconnect history, `at` in epoch ms. Without a connection it is the process that began."""
    at = int(life.ended_at.timestamp() * 1000)
    return {"at": at, "connection": connection, "lived_seconds": round(life.seconds, 1), "reason": life.reason}


async def remember_endings(redis: AsyncRedis, account_id: int, records: Sequence[dict[str, object]]) -> None:
    """Add to the account's reconnect history, and forget what is oldest.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    if not records:
        return
    async with redis.pipeline(transaction=True) as pipe:
        pipe.rpush(endings_key(account_id), *[orjson.dumps(record) for record in records])
        pipe.ltrim(endings_key(account_id), -ENDINGS_REMEMBERED, -1)
        await pipe.execute()
