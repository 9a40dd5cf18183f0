"""Which rows may not be believed because their source is silent: marks them STALE, and takes it back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from feeds.core.board import Board
from feeds.core.instrument import SECURITY_ID_BITS, ExchangeSegment
from feeds.core.tick import TickFlag
from feeds.watchdog import SilenceWatch

Codes = NDArray[np.uint64]
Rows = NDArray[np.void]

NO_CODES: Codes = np.empty(0, np.uint64)


class Source(Protocol):
    """What the watch needs of a connection: whether its socket is up, and when it last read a packet (monotonic)."""

    @property
    def is_live(self) -> bool: ...
    @property
    def last_packet_at(self) -> float: ...


class Staleness:
    """Watches connections and segments, each of which should speak while the market is open.

    A connection that is down makes its instruments stale at once, open or closed; one that is silent, or a
    segment that is, only in market hours. Coming back is marked as a gap.
    """

    def __init__(self, board: Board, sources: Sequence[Source], patience: float) -> None:
        self._board = board
        self._sources = sources
        self._watch = SilenceWatch(patience)
        self._heard_at = [0.0] * len(sources)
        self.connections: set[int] = set()
        self.segments: set[ExchangeSegment] = set()

    def heard(self, packets: Rows, now: float) -> None:
        """Rows that packets just changed speak for their segments."""
        for segment in np.unique(packets["code"] >> np.uint64(SECURITY_ID_BITS)).tolist():
            self._watch.heard(ExchangeSegment(segment), now)

    def look(self, placed: Sequence[Codes], is_open: Collection[ExchangeSegment], now: float) -> None:
        """Mark what has fallen silent, clear what speaks again. `placed`: the codes of each connection."""
        silent = {index for index in range(len(placed)) if self._is_stale(index, placed[index], is_open, now)}
        quiet = {segment for segment in ExchangeSegment if self._is_quiet(segment, is_open, now)}
        recovered = self._affected(placed, self.connections - silent, self.segments - quiet)
        affected = self._affected(placed, silent, quiet)
        self.connections, self.segments = silent, quiet
        if len(recovered):
            recovered = np.setdiff1d(recovered, affected)
            self._board.clear(recovered, TickFlag.STALE)
            self._board.mark(recovered, TickFlag.GAP)
        if len(affected):
            self._board.mark(affected, TickFlag.STALE)

    def _is_stale(self, index: int, codes: Codes, is_open: Collection[ExchangeSegment], now: float) -> bool:
        source, name = self._sources[index], f"connection {index}"
        if not source.is_live:
            self._watch.dropped(name)
            return len(codes) > 0
        if not self._trades(codes, is_open):
            self._watch.dropped(name)
            return False
        if source.last_packet_at > self._heard_at[index]:
            self._heard_at[index] = source.last_packet_at
            self._watch.heard(name, source.last_packet_at)
        self._watch.started(name, now)
        return self._watch.is_silent(name, now)

    def _is_quiet(self, segment: ExchangeSegment, is_open: Collection[ExchangeSegment], now: float) -> bool:
        if segment not in is_open:
            self._watch.dropped(segment)
            return False
        return self._watch.is_silent(segment, now)

    @staticmethod
    def _trades(codes: Codes, is_open: Collection[ExchangeSegment]) -> bool:
        segments = np.unique(codes >> np.uint64(SECURITY_ID_BITS)).tolist()
        return any(segment in is_open for segment in segments)

    @staticmethod
    def _affected(placed: Sequence[Codes], connections: Iterable[int], segments: Collection[ExchangeSegment]) -> Codes:
        """The codes on these connections or of these segments."""
        found = [placed[index] for index in connections]
        if segments:
            found += [codes[np.isin(codes >> np.uint64(SECURITY_ID_BITS), list(segments))] for codes in placed]
        return np.unique(np.concatenate(found)) if found else NO_CODES
