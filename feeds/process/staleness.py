"""Which rows may not be believed because their source is silent: marks them STALE, and takes it back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from math import inf
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from feeds.core.board import Board
from feeds.core.instrument import SECURITY_ID_BITS, ExchangeSegment
from feeds.core.tick import TickFlag
from feeds.process.watchdog import SilenceWatch

Codes = NDArray[np.uint64]
Rows = NDArray[np.void]

NO_CODES: Codes = np.empty(0, np.uint64)


class Source(Protocol):
    """What the watch needs of a connection: whether its socket is up, and when it last read a packet (monotonic)."""

    @property
    def is_live(self) -> bool: ...
    @property
    def heard_at(self) -> float | None: ...


class Staleness:
    """Watches connections and segments, each of which should speak while its market is open.

    A connection that is down makes its instruments stale, open or closed, and the first packet of its next socket
    ends that; one that is silent, or a segment that is, only in market hours. Coming back is marked as a gap.
    """

    def __init__(self, board: Board, patience: float, sources: int) -> None:
        self._board = board
        self._watch = SilenceWatch(patience)  # by index of the connection
        self._segment_watch = SilenceWatch(patience)  # apart, for a segment is a small integer too
        self._heard_at = [-inf] * sources
        self._down_at = [-inf] * sources
        self.connections: set[int] = set()
        self.segments: set[ExchangeSegment] = set()

    def heard(self, packets: Rows, now: float) -> None:
        """Rows that packets just changed speak for their segments."""
        for segment in np.unique(packets["code"] >> np.uint64(SECURITY_ID_BITS)).tolist():
            self._segment_watch.heard(ExchangeSegment(segment), now)

    def went_down(self, index: int, now: float) -> None:
        """A connection lost its socket, for however short a time: its rows are stale until the next one speaks."""
        self._down_at[index] = now
        self.connections.add(index)

    def expects_data(
        self, index: int, codes: Codes, is_open: Collection[ExchangeSegment], patience: float, now: float
    ) -> bool:
        """Whether silence of this connection counts against it: from the first second if `patience` seconds of it
        would be unlike it, else from where it has been silent for longer than it usually is."""
        if not self._trades(codes, is_open):
            return False
        return self._watch.patience(index) <= patience or self._watch.is_silent(index, now)

    def look(
        self,
        sources: Sequence[Source],
        placed: Sequence[Codes],
        is_open: Collection[ExchangeSegment],
        now: float,
        stale_alone: Collection[int] = (),
    ) -> None:
        """Mark what has fallen silent, clear what speaks again. `placed`: the codes of each connection.

        Instruments that are `stale_alone` need a packet of their own: that their connection speaks does not help them.
        """
        silent = {
            index for index, source in enumerate(sources) if self._is_stale(index, source, placed[index], is_open, now)
        }
        carried = {segment for codes in placed for segment in segments_of(codes)}
        quiet = {segment for segment in ExchangeSegment if self._is_quiet(segment, carried & set(is_open), now)}
        recovered = _affected(placed, self.connections - silent, self.segments - quiet)
        affected = _affected(placed, silent, quiet)
        self.connections, self.segments = silent, quiet
        if len(recovered):
            recovered = np.setdiff1d(recovered, np.concatenate([affected, np.array(list(stale_alone), np.uint64)]))
            self._board.clear(recovered, TickFlag.STALE)
            self._board.mark(recovered, TickFlag.GAP)
        if len(affected):
            self._board.mark(affected, TickFlag.STALE)

    def _is_stale(
        self, index: int, source: Source, codes: Codes, is_open: Collection[ExchangeSegment], now: float
    ) -> bool:
        if not source.is_live:
            self._watch.excused(index)
            self._down_at[index] = now
            return True
        if source.heard_at is not None and source.heard_at > self._heard_at[index]:
            self._heard_at[index] = source.heard_at
            self._watch.heard(index, source.heard_at)
        if not self._trades(codes, is_open):
            self._watch.excused(index)
            return False
        self._watch.expected(index, now)
        awaits_first = self._heard_at[index] <= self._down_at[index]
        return awaits_first or self._watch.is_silent(index, now)

    def _is_quiet(self, segment: ExchangeSegment, may_speak: Collection[int], now: float) -> bool:
        """Of a segment that is closed, or whose last instrument was given up, nobody expects a word."""
        if segment not in may_speak:
            self._segment_watch.excused(segment)
        return self._segment_watch.is_silent(segment, now)

    @staticmethod
    def _trades(codes: Codes, is_open: Collection[ExchangeSegment]) -> bool:
        """Whether any of these instruments is of a segment that is open."""
        return any(segment in is_open for segment in segments_of(codes))


def segments_of(codes: Codes) -> list[int]:
    return np.unique(codes >> np.uint64(SECURITY_ID_BITS)).tolist()


def _affected(placed: Sequence[Codes], connections: Iterable[int], segments: Collection[ExchangeSegment]) -> Codes:
    """The codes on these connections or of these segments."""
    found = [placed[index] for index in connections]
    if segments:
        found += [codes[np.isin(codes >> np.uint64(SECURITY_ID_BITS), list(segments))] for codes in placed]
    return np.unique(np.concatenate(found)) if found else NO_CODES
