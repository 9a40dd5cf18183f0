"""The tick bus: batches from a feed process to everyone else, over Redis, with the last row of every instrument kept.

A batch is a 48-byte header and TICK rows (docs/architecture.md, "The tick bus"). One script writes the rows
into the account's hash and publishes the batch, so a reader that subscribes, then loads the hash, then skips
batches up to the hash's sequence has missed nothing.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
from django.conf import settings
from numpy.typing import NDArray
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from feeds import clock
from feeds.core.tick import TICK

log = logging.getLogger(__name__)

Rows = NDArray[np.void]

MAGIC = b"BTT2"
HEADER = struct.Struct("<4sHHIIqqqq")
BOARDS = "boards"
"""The set of account ids that ever had a board here: how a reader finds the accounts without a database."""
BOARD = "board."
"""What the key of each account's board begins with."""
REDIS_ERRORS = (RedisError, OSError)
"""What a Redis that is away raises: its own errors, and the socket's."""
REPLY_SECONDS = 2.0
"""A publish that hangs longer counts as failed, so that a paused Redis costs two seconds and not the board."""
RECONNECT_SECONDS = 0.25
POLL_SECONDS = 0.25
"""How often a waiting subscriber looks up to see who has fallen silent."""
FIELDS_A_CALL = 2000
"""Lua's stack holds about 8,000 arguments; HSET gets a quarter of that at a time."""

SCRIPT = f"""
local epoch = redis.call('HGET', KEYS[2], 'epoch')
if epoch and tonumber(epoch) > tonumber(ARGV[3]) then return 'FENCED' end
if ARGV[7] == '0' and (not epoch or redis.call('EXISTS', KEYS[1]) == 0) then return 'LOST' end
local batch, fields = ARGV[2], {{}}
for at = {HEADER.size + 1}, #batch, {TICK.itemsize} do
  fields[#fields + 1] = string.sub(batch, at, at + 7)
  fields[#fields + 1] = string.sub(batch, at, at + {TICK.itemsize - 1})
  if #fields == {FIELDS_A_CALL} then
    redis.call('HSET', KEYS[1], unpack(fields))
    fields = {{}}
  end
end
if #fields > 0 then redis.call('HSET', KEYS[1], unpack(fields)) end
redis.call('HSET', KEYS[2], 'epoch', ARGV[3], 'sequence', ARGV[4], 'flushed_at', ARGV[5])
redis.call('SADD', KEYS[3], ARGV[6])
redis.call('PUBLISH', ARGV[1], batch)
return 'OK'
"""
"""KEYS: hash, its meta, the set of boards. ARGV: channel, batch, epoch, sequence, flushed_at, account id, whole."""

LAST_ROWS = """
local found = {}
for _, account in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  found[#found + 1] = redis.call('HMGET', KEYS[2] .. account, unpack(ARGV))
end
return found
"""
"""KEYS: the set of boards, what each hash's name begins with. ARGV: fields. Of each board their values, in one round
trip: every order asks this."""


class Fenced(Exception):
    """Another feed process with a higher epoch owns this account's board: stop publishing."""


class BoardLost(Exception):
    """Redis has no board for this account (restarted empty, evicted): nothing was written, publish it whole."""


class BadBatch(ValueError):
    """Bytes that are not a batch of this build."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What changed since the batch before it. `sequence` counts from 1 in each epoch; times are wall nanoseconds."""

    account_id: int
    epoch: int
    sequence: int
    oldest_received_at: int
    flushed_at: int
    rows: Rows


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every row the account's hash holds, as of `sequence`. `gap`: batches between may have been missed."""

    account_id: int
    epoch: int
    sequence: int
    flushed_at: int
    rows: Rows
    gap: bool


@dataclass(frozen=True, slots=True)
class Status:
    """The feed process' own word about itself, once a second (docs/architecture.md)."""

    account_id: int
    status: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FeedDown:
    """Nothing, not even the heartbeat, arrived from this account for too long. The next Batch or Snapshot ends it."""

    account_id: int


Event = Batch | Snapshot | Status | FeedDown


def pack_batch(batch: Batch) -> bytes:
    header = HEADER.pack(
        MAGIC, HEADER.size, TICK.itemsize, len(batch.rows), batch.account_id,
        batch.epoch, batch.sequence, batch.oldest_received_at, batch.flushed_at,
    )  # fmt: skip
    return header + batch.rows.tobytes()


def unpack_batch(data: bytes) -> Batch:
    """Read a batch; its rows are a read-only view of the bytes.

    Raises:
        BadBatch: not a batch, of another row layout, or cut short.
    """
    if len(data) < HEADER.size:
        raise BadBatch(f"{len(data)} bytes are shorter than a header")
    magic, header, row, count, account, epoch, sequence, oldest, flushed = HEADER.unpack_from(data)
    if magic != MAGIC or header != HEADER.size or row != TICK.itemsize or len(data) != header + row * count:
        raise BadBatch(f"not a batch of this build: {magic!r}, header {header}, row {row}, rows {count}")
    return Batch(account, epoch, sequence, oldest, flushed, np.frombuffer(data, TICK, count, header))


def async_redis() -> AsyncRedis:
    """A binary-safe client for one event loop. It never retries by itself: the callers know what a retry means."""
    return AsyncRedis.from_url(
        settings.REDIS_URL,
        decode_responses=False,
        socket_timeout=REPLY_SECONDS,
        socket_connect_timeout=REPLY_SECONDS,
        retry=AsyncRetry(NoBackoff(), 0),
    )


def board_key(account_id: int) -> str:
    return f"{BOARD}{account_id}"


def meta_key(account_id: int) -> str:
    return f"{BOARD}{account_id}.meta"


def status_key(account_id: int) -> str:
    return f"feed.{account_id}.status"


class TickPublisher:
    """The one writer of an account's board in Redis, for one epoch of the feed's lease.

    Every attempt takes a new sequence. A reply that got lost may mean a batch that arrived: sending its rows
    again under its own number would make readers skip them, under the next one they at worst load again.
    """

    def __init__(self, redis: AsyncRedis, account_id: int, epoch: int) -> None:
        self.account_id = account_id
        self.epoch = epoch
        self.sequence = 0
        self._script = redis.register_script(SCRIPT)
        self._keys = [board_key(account_id), meta_key(account_id), BOARDS]

    async def publish(self, rows: Rows, oldest_received_at: int, flushed_at: int, whole: bool = False) -> Batch:
        """Write and publish one batch; `whole` says the rows are all there are, so that a lost board may be rebuilt.

        Raises:
            Fenced: a higher epoch owns the board; nothing was written.
            BoardLost: Redis has no board and `whole` was not said; nothing was written.
            REDIS_ERRORS: Redis is away; whether the batch was written is not known.
        """
        self.sequence += 1
        batch = Batch(self.account_id, self.epoch, self.sequence, oldest_received_at, flushed_at, rows)
        outcome = await self._script(keys=self._keys, args=self._arguments(batch, whole))
        if outcome == b"FENCED":
            raise Fenced(f"epoch {self.epoch} of account {self.account_id} is no longer the highest")
        if outcome == b"LOST":
            raise BoardLost(f"no board of account {self.account_id} in Redis")
        return batch

    def _arguments(self, batch: Batch, whole: bool) -> list[str | bytes | int]:
        channel = f"ticks.{self.account_id}"
        return [
            channel, pack_batch(batch), batch.epoch, batch.sequence, batch.flushed_at, batch.account_id, int(whole),
        ]  # fmt: skip


@dataclass(slots=True)
class Position:
    """How far a subscriber has read one account."""

    epoch: int = 0
    sequence: int = 0
    heard_at: float = field(default_factory=clock.monotonic)
    down: bool = False

    def reached(self, epoch: int, sequence: int) -> bool:
        return (epoch, sequence) <= (self.epoch, self.sequence)

    def is_next(self, batch: Batch) -> bool:
        return batch.epoch == self.epoch and batch.sequence == self.sequence + 1


class TickSubscriber:
    """Every account's board and batches, as an endless async iterator that survives Redis.

    Each account starts with a Snapshot; batches follow without a hole. A jump, a new epoch, a lost hash or a
    reconnect gives a new Snapshot with `gap` set. Lower epochs are refused. `silent_after` seconds without a
    message give one FeedDown.
    """

    def __init__(
        self,
        redis: AsyncRedis,
        accounts: Collection[int] | None = None,
        silent_after: float = 3.0,
        missed: bool = False,
    ) -> None:
        """`missed`: this goes on where another reader ended, so the first Snapshots have a gap before them."""
        self._redis = redis
        self._missed = missed
        self._accounts = accounts
        self._silent_after = silent_after
        self._positions: dict[int, Position] = {}
        self._looked_at = 0.0

    async def __aiter__(self) -> AsyncIterator[Event]:
        gap = self._missed
        while True:
            try:
                async with self._redis.pubsub() as pubsub:
                    await self._subscribe(pubsub)
                    async for event in self._read(pubsub, gap):
                        yield event
            except REDIS_ERRORS as error:
                log.warning("tick bus: Redis is away (%s)", type(error).__name__)
            gap = True
            for event in self._silences():
                yield event
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _subscribe(self, pubsub: PubSub) -> None:
        patterns = ("ticks.*", "status.*")
        await pubsub.psubscribe(*patterns)
        confirmed = 0
        while confirmed < len(patterns):  # loading before the server confirmed could miss a batch
            message = await pubsub.get_message(timeout=REPLY_SECONDS)
            if message is None:
                raise TimeoutError("no answer to PSUBSCRIBE")
            confirmed += message["type"] == "psubscribe"

    async def _read(self, pubsub: PubSub, gap: bool) -> AsyncIterator[Event]:
        for account_id in await self._known_accounts():
            for event in await self._load(account_id, gap):
                yield event
        while True:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=POLL_SECONDS)
            if message is not None:
                for event in await self._on_message(message["channel"], message["data"]):
                    yield event
            for event in self._silences():
                yield event

    async def _known_accounts(self) -> list[int]:
        members = await self._redis.smembers(BOARDS)
        return sorted(int(member) for member in members if self._wants(int(member)))

    def _wants(self, account_id: int) -> bool:
        return self._accounts is None or account_id in self._accounts

    async def _on_message(self, channel: bytes, data: bytes) -> list[Event]:
        kind, _, account = channel.decode().partition(".")
        if not account.isdigit() or not self._wants(int(account)):
            return []
        try:
            if kind == "status":
                return [Status(int(account), orjson.loads(data))]
            return await self._on_batch(unpack_batch(data))
        except ValueError as error:  # a BadBatch, or no JSON
            log.error("tick bus: %s", error)
            return []

    async def _on_batch(self, batch: Batch) -> list[Event]:
        position = self._positions.get(batch.account_id)
        if position is None:
            return await self._load(batch.account_id, gap=False)
        if batch.epoch < position.epoch:
            return []
        position.heard_at, position.down = clock.monotonic(), False
        if position.reached(batch.epoch, batch.sequence):
            return []
        if not position.is_next(batch):
            return await self._load(batch.account_id, gap=True)
        position.sequence = batch.sequence
        return [batch]

    async def _load(self, account_id: int, gap: bool) -> list[Event]:
        """The account's board as a Snapshot; nothing when Redis has none, or an older epoch than was read already."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(meta_key(account_id))
            pipe.hvals(board_key(account_id))
            meta, values = await pipe.execute()
        position = self._positions.setdefault(account_id, Position())
        if not meta or int(meta[b"epoch"]) < position.epoch:
            return []
        position.epoch, position.sequence = int(meta[b"epoch"]), int(meta[b"sequence"])
        # What is stored says nothing of who lives: from here on the feed has its time to speak, or is down again.
        position.heard_at, position.down = clock.monotonic(), False
        rows = rows_of(values)
        return [Snapshot(account_id, position.epoch, position.sequence, int(meta[b"flushed_at"]), rows, gap)]

    def _silences(self) -> Iterator[Event]:
        now = clock.monotonic()
        if now - self._looked_at < POLL_SECONDS:
            return
        self._looked_at = now
        for account_id, position in self._positions.items():
            if not position.down and now - position.heard_at > self._silent_after:
                position.down = True
                yield FeedDown(account_id)


def rows_of(values: Sequence[bytes | None]) -> Rows:
    """Rows from the hash's values; what is absent or of another build's size is left out."""
    return np.frombuffer(b"".join(v for v in values if v is not None and len(v) == TICK.itemsize), TICK)


async def board_pages(redis: AsyncRedis, account_id: int) -> AsyncIterator[Rows]:
    """The rows of the account's hash, some at a time, so that reading all of them holds nobody up.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    cursor = 0
    while True:
        cursor, fields = await redis.hscan(board_key(account_id), cursor, count=FIELDS_A_CALL)
        yield rows_of(list(fields.values())).copy()
        if not cursor:
            return


async def forget_rows(redis: AsyncRedis, account_id: int, codes: Collection[int]) -> None:
    """Take instruments off the account's board in Redis: they will never be fed again.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    if len(codes):
        await redis.hdel(board_key(account_id), *[int(code).to_bytes(8, "little") for code in codes])


@lru_cache(maxsize=1)
def _blocking_redis(url: str) -> Redis:
    return Redis.from_url(
        url, decode_responses=False, socket_timeout=REPLY_SECONDS, socket_connect_timeout=REPLY_SECONDS
    )


def blocking_redis() -> Redis:
    """This process's binary-safe client for code that may wait: views, jobs, commands."""
    return _blocking_redis(settings.REDIS_URL)


def last_rows(codes: Collection[int]) -> Rows:
    """The last known row of each code, from whichever account fed it last; unknown codes have none.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    redis = _blocking_redis(settings.REDIS_URL)
    fields = [int(code).to_bytes(8, "little") for code in codes]
    parts = (fields[first : first + FIELDS_A_CALL] for first in range(0, len(fields), FIELDS_A_CALL))
    boards = [board for part in parts for board in redis.eval(LAST_ROWS, 2, BOARDS, BOARD, *part)]
    return newest_rows(np.concatenate([np.empty(0, TICK), *map(rows_of, boards)]))


def newest_rows(rows: Rows) -> Rows:
    """One row a code: the one received last."""
    ordered = rows[np.lexsort((rows["received_at"], rows["code"]))]
    is_last = np.append(ordered["code"][1:] != ordered["code"][:-1], True)[: len(ordered)]
    return ordered[is_last]


def feed_statuses() -> dict[int, dict[str, Any]]:
    """The latest status of each feed by account id. A feed that has not spoken for ten seconds is absent: it is down.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    redis = _blocking_redis(settings.REDIS_URL)
    accounts = sorted(int(account) for account in redis.smembers(BOARDS))
    values = redis.mget([status_key(account) for account in accounts]) if accounts else []
    return {account: orjson.loads(value) for account, value in zip(accounts, values, strict=True) if value}


def endings_key(account_id: int) -> str:
    return f"feed.{account_id}.endings"


def feed_endings(account_ids: Collection[int]) -> dict[int, list[dict[str, Any]]]:
    """The latest ends of each feed's connections and beginnings of its process, oldest first; they outlive it.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    redis = _blocking_redis(settings.REDIS_URL)
    return {each: [orjson.loads(text) for text in redis.lrange(endings_key(each), 0, -1)] for each in account_ids}


def last_flushes() -> dict[int, int]:
    """When each account's last batch was flushed, as wall nanoseconds: what a page says of a feed that fell silent.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    redis = _blocking_redis(settings.REDIS_URL)
    flushed = {int(account): redis.hget(meta_key(int(account)), "flushed_at") for account in redis.smembers(BOARDS)}
    return {account: int(moment) for account, moment in flushed.items() if moment}
