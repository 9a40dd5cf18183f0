"""From the board to the tick bus: cut, publish, and when Redis is away merge, never queue, and lose no extreme."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from feeds import clock
from feeds.bus import REDIS_ERRORS, BoardLost, TickPublisher
from feeds.core.board import Board
from feeds.core.tick import TICK, TickFlag

log = logging.getLogger(__name__)

Rows = NDArray[np.void]


class Unsent:
    """Rows that were cut from the board and not published yet: one a code, the newest, however long Redis is away.

    `low` and `high` span everything since the last batch that arrived, and GAP stays until it was carried.
    """

    def __init__(self) -> None:
        self.rows: Rows = np.empty(0, TICK)
        self.oldest_received_at = 0

    def add(self, rows: Rows, packets: Rows) -> None:
        """Take a fresh cut, and those of its rows that packets changed since the one before."""
        if len(packets) and not self.oldest_received_at:
            self.oldest_received_at = int(packets["received_at"].min())
        self.rows = merged(self.rows, rows) if len(self.rows) else rows

    def followed_by(self, later: Unsent) -> Unsent:
        """Both as one, this one being the older."""
        both = Unsent()
        both.rows = merged(self.rows, later.rows) if len(self.rows) else later.rows
        both.oldest_received_at = self.oldest_received_at or later.oldest_received_at
        return both


def packets_among(rows: Rows, ages: NDArray[np.float64], seconds: float) -> Rows:
    """The rows of a cut that a packet told about within so many seconds; the others were marked or seeded.

    By `ages`, which count from when a packet was applied: one may have been read before the last cut and applied after.
    """
    return rows[ages <= seconds]


def merged(older: Rows, newer: Rows) -> Rows:
    """One row a code: the newer where both have it, with the extremes and the gap of both."""
    order = np.argsort(older["code"])
    codes = older["code"][order]
    at = np.minimum(np.searchsorted(codes, newer["code"]), len(codes) - 1)
    both = codes[at] == newer["code"]
    before = older[order[at[both]]]
    combined = newer.copy()
    combined["low"][both] = _lower(before["low"], newer["low"][both])
    combined["high"][both] = np.maximum(before["high"], newer["high"][both])
    combined["flags"][both] |= before["flags"] & np.uint32(TickFlag.GAP)
    only_older = np.ones(len(older), np.bool_)
    only_older[order[at[both]]] = False
    return np.concatenate([older[only_older], combined])


def _lower(one: NDArray[np.int32], other: NDArray[np.int32]) -> NDArray[np.int32]:
    """The lower of two lows, where 0 says that nothing traded."""
    return np.where(one == 0, other, np.where(other == 0, one, np.minimum(one, other)))


class Flusher:
    """Publishes what changed on the board; an empty batch every `heartbeat` seconds says that we live.

    `on_packets` sees every row that packets changed. `everything` names all instruments on the board, for when
    Redis has lost it.
    """

    def __init__(
        self,
        board: Board,
        publisher: TickPublisher,
        heartbeat: float,
        on_packets: Callable[[Rows], None],
        everything: Callable[[], NDArray[np.uint64]],
    ) -> None:
        self._board = board
        self._publisher = publisher
        self._heartbeat = heartbeat
        self._on_packets = on_packets
        self._everything = everything
        self._unsent = Unsent()
        self._cut_at = clock.monotonic()
        self._published_at = -heartbeat
        self.counters: Counter[str] = Counter()

    def collect(self) -> None:
        """Cut the board now: before instruments leave it, so that their last change is not lost."""
        since, self._cut_at = self._cut_at, clock.monotonic()
        rows = self._board.cut()
        if len(rows):
            packets = packets_among(rows, self._board.ages(rows["code"], self._cut_at), self._cut_at - since)
            self._on_packets(packets)
            self._unsent.add(rows, packets)

    def add(self, rows: Rows) -> None:
        """Rows that are not the board's, for the next batch."""
        self._unsent.add(rows, rows[:0])

    async def flush(self) -> None:
        """One batch, if there is anything to say.

        Raises:
            Fenced: another process owns the account's board.
        """
        self.collect()
        if not len(self._unsent.rows) and clock.monotonic() - self._published_at < self._heartbeat:
            return
        try:
            await self._publish()
        except REDIS_ERRORS as error:
            if not self.counters["redis_away"]:
                log.warning(
                    "tick bus: not published (%s); the board conflates until Redis is back", type(error).__name__
                )
            self.counters["redis_away"] += 1
            return
        self._published_at = clock.monotonic()

    async def _publish(self) -> None:
        sending, self._unsent = self._unsent, Unsent()  # what is cut meanwhile belongs to the next batch
        try:
            await self._publisher.publish(sending.rows, sending.oldest_received_at, clock.wall_nanoseconds())
        except (BoardLost, *REDIS_ERRORS) as error:
            self._unsent = sending.followed_by(self._unsent)
            if not isinstance(error, BoardLost):
                raise
            self.counters["board_lost"] += 1
            await self.publish_whole()
        else:
            self._count(len(sending.rows))

    async def publish_whole(self) -> None:
        """Everything there is, as one batch: at the start, and when Redis came back empty.

        Raises:
            Fenced, REDIS_ERRORS: as TickPublisher.publish.
        """
        whole = self._board.rows(self._everything())
        sending, self._unsent = self._unsent, Unsent()
        rows = merged(sending.rows, whole) if len(sending.rows) else whole
        try:
            await self._publisher.publish(rows, sending.oldest_received_at, clock.wall_nanoseconds(), whole=True)
        except REDIS_ERRORS:
            self._unsent = sending.followed_by(self._unsent)
            raise
        self._count(len(rows))

    def _count(self, rows: int) -> None:
        self.counters["batches"] += 1
        self.counters["rows"] += rows
