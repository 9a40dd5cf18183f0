"""The phase of every segment that takes orders, told to the venue whenever it changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from feeds.core.calendar import CASH_SEGMENTS, IST, Calendar, Phase
from feeds.core.instrument import ExchangeSegment
from feeds.selectors import TRADED_SEGMENTS

BOTH_KINDS = {segment: (True, False) if segment in CASH_SEGMENTS else (True,) for segment in TRADED_SEGMENTS}
"""Whether with derivatives, without, or both: shares of the two kinds keep different hours."""


class Board(NamedTuple):
    """Instruments that keep the same hours."""

    segment: ExchangeSegment
    has_derivatives: bool


class PhaseChange(NamedTuple):
    board: Board
    phase: Phase


BOARDS = [Board(segment, kind) for segment, kinds in BOTH_KINDS.items() for kind in kinds]


class Phases:
    """What the venue was told last."""

    def __init__(self) -> None:
        self._told: dict[Board, Phase] = {}

    def changes(self, calendar: Calendar, now: datetime) -> Iterator[PhaseChange]:
        """Boards whose phase at `now` (exchange time) is not the one told last."""
        for board in BOARDS:
            phase = calendar.phase(board.segment, now, board.has_derivatives)
            if self._told.get(board) is not phase:
                self._told[board] = phase
                yield PhaseChange(board, phase)


def closed_for_today(calendar: Calendar, now: datetime) -> list[Board]:
    """Boards whose last trading phase of the day is over, and those that do not trade today."""
    today = now.astimezone(IST).date()
    closes = {board: calendar.close_at(board.segment, today, board.has_derivatives) for board in BOARDS}
    return [board for board, close in closes.items() if close is None or close <= now]


def next_change(calendar: Calendar, now: datetime) -> datetime:
    """The next moment at which any board's phase may change, at most an hour away."""
    today = now.astimezone(IST).date()
    edges = [now + timedelta(hours=1)]
    for board in BOARDS:
        sessions = calendar.sessions(board.segment, today, has_derivatives=board.has_derivatives)
        spans = sessions.phases if sessions is not None else ()
        edges += [edge for span in spans for edge in (span.start, span.end) if edge > now]
    return min(edges)
