"""Books open on screens, told as `DEPTH` values: twenty levels where there are any, else the feed's five."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import orjson
from redis.asyncio import Redis as AsyncRedis

from feeds import clock
from feeds.core.board import Board
from feeds.core.depth import Value, five_levels
from feeds.core.instrument import SECURITY_ID_BITS, InstrumentKey
from feeds.depth import open_books
from feeds.dhan.depth_connection import DepthConnection
from feeds.dhan.depth_wire import INSTRUMENTS_PER_CONNECTION, SEGMENTS
from feeds.topics import VALUES_CHANNEL

KIND = "DEPTH"
FOLLOW_SECONDS = 1.0
TELL_SECONDS = 0.2
"""A ladder that changes faster than this is not read."""
PATIENCE_NANOSECONDS = 5 * 10**9
"""A book of twenty that was silent for longer gives way to the feed's five, which say themselves when they are old."""


class DepthDesk:
    """One feed process's books: those of the instruments on its board that somebody looks at."""

    def __init__(self, redis: AsyncRedis, board: Board, connection: DepthConnection | None) -> None:
        """`connection`: None while DEPTH_TWENTY is off."""
        self._redis = redis
        self._board = board
        self._connection = connection
        self._open: list[int] = []
        self._told: dict[int, Value] = {}

    async def follow(self) -> None:
        """See which books are open; each is told again, for a browser may have come since.

        Raises:
            REDIS_ERRORS: Redis is away.
        """
        codes = await open_books(self._redis)
        slots = self._board.slots(codes).tolist() if codes else []
        self._open = [code for code, slot in zip(codes, slots, strict=True) if slot >= 0]
        self._told.clear()
        if self._connection is not None:
            self._connection.want(with_twenty(self._open))

    async def tell(self) -> None:
        """Publish the books that changed.

        Raises:
            REDIS_ERRORS: Redis is away.
        """
        if not self._open:
            return
        values = self._values(clock.wall_nanoseconds() - PATIENCE_NANOSECONDS)
        changed = {code: value for code, value in values.items() if self._told.get(code) != value}
        if changed:
            await self._redis.publish(VALUES_CHANNEL, values_text(changed))
            self._told |= changed

    def _values(self, heard_after: int) -> dict[int, Value]:
        books = self._connection.books if self._connection is not None else None
        rows = self._board.rows(self._open)
        twenty = {code: books.value(code, heard_after) for code in self._open} if books is not None else {}
        return {code: twenty.get(code) or five_levels(row) for code, row in zip(self._open, rows, strict=True)}


def with_twenty(codes: Iterable[int]) -> Collection[int]:
    """Those that the socket has books of, as many as it takes."""
    return [code for code in codes if code >> SECURITY_ID_BITS in SEGMENTS][:INSTRUMENTS_PER_CONNECTION]


def values_text(values: dict[int, Value]) -> bytes:
    return orjson.dumps({f"depth.{InstrumentKey.from_code(code)}": [KIND, value] for code, value in values.items()})
