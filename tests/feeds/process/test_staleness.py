"""Rows are marked when their source is silent, and believed again when it speaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from feeds.core.board import Board
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.core.tick import TICK, TickFlag
from feeds.process.staleness import Staleness

OPEN = frozenset({ExchangeSegment.NSE_FNO})
CODES = [InstrumentKey(ExchangeSegment.NSE_FNO, number).code for number in (1, 2, 3, 4)]
CODES_OF_NOBODY = np.empty(0, np.uint64)
PLACED = [np.array(CODES[:2], np.uint64), np.array(CODES[2:], np.uint64)]


@dataclass
class Socket:
    is_live: bool = True
    heard_at: float | None = None


class Scene:
    """Two connections of two instruments each, looked at by hand."""

    def __init__(self) -> None:
        self.board = Board(10)
        self.board.add(CODES, [5] * 4)
        self.staleness = Staleness(self.board, 4.0, 2)
        self.sockets = [Socket(), Socket()]

    def hear(self, now: float, *indices: int) -> None:
        for index in indices:
            self.sockets[index].heard_at = now
            rows = np.zeros(2, TICK)
            rows["code"] = PLACED[index]
            self.staleness.heard(rows, now)

    def look(self, now: float, is_open: frozenset = OPEN, stale_alone: tuple[int, ...] = ()) -> list[bool]:
        self.staleness.look(self.sockets, PLACED, is_open, now, stale_alone)
        return [bool(flags & TickFlag.STALE) for flags in self.board.rows(CODES)["flags"]]

    def live_until(self, end: float) -> None:
        for tick in range(1, round(end * 10) + 1):
            self.hear(tick / 10, 0, 1)
            self.look(tick / 10)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_silent_connection_makes_its_own_rows_stale_until_it_speaks(scene):
    scene.live_until(20.0)
    for tick in range(201, 250):
        scene.hear(tick / 10, 1)
    assert scene.look(24.9) == [True, True, False, False]
    scene.hear(25.0, 0)
    assert scene.look(25.0) == [False] * 4
    assert [bool(flags & TickFlag.GAP) for flags in scene.board.rows(CODES)["flags"]] == [True, True, False, False]


def test_a_lost_socket_is_stale_until_the_next_one_speaks_even_if_it_was_back_between_two_looks(scene):
    scene.live_until(5.0)
    scene.staleness.went_down(0, 5.05)
    assert scene.look(5.1) == [True, True, False, False]
    scene.hear(5.2, 0)
    assert scene.look(5.3) == [False] * 4


def test_a_closed_market_is_silent_and_nobody_minds(scene):
    scene.live_until(5.0)
    assert scene.look(500.0, frozenset()) == [False] * 4


def test_a_connection_that_is_down_is_stale_in_a_closed_market_too(scene):
    scene.sockets[1].is_live = False
    assert scene.look(1.0, frozenset()) == [False, False, True, True]


def test_a_silent_segment_is_stale_though_its_connections_speak(scene):
    scene.live_until(20.0)
    for tick in range(201, 250):
        scene.sockets[0].heard_at = scene.sockets[1].heard_at = tick / 10
        scene.look(tick / 10)
    assert scene.look(24.9) == [True] * 4
    assert scene.staleness.segments == {ExchangeSegment.NSE_FNO}


def test_a_segment_whose_last_instrument_was_given_up_is_not_missed(scene):
    scene.live_until(20.0)
    scene.staleness.look(scene.sockets, [CODES_OF_NOBODY, CODES_OF_NOBODY], OPEN, 60.0)
    assert scene.staleness.segments == set()


def test_silence_counts_at_once_against_a_lively_connection_and_later_against_a_quiet_one(scene):
    def expects(now: float) -> bool:
        return scene.staleness.expects_data(0, PLACED[0], OPEN, 15.0, now)

    scene.live_until(20.0)
    assert expects(20.1)
    for beat in range(60):
        scene.hear(25.0 + beat * 5.0, 0)
        scene.look(25.0 + beat * 5.0)
    assert not expects(330.0)
    assert expects(430.0)


def test_no_data_is_expected_of_a_closed_market(scene):
    scene.live_until(5.0)
    assert not scene.staleness.expects_data(0, PLACED[0], frozenset(), 15.0, 100.0)


def test_an_instrument_that_is_stale_by_itself_is_not_helped_by_its_connection(scene):
    scene.live_until(20.0)
    for tick in range(201, 250):
        scene.hear(tick / 10, 1)
        scene.look(tick / 10, stale_alone=(CODES[1],))
    scene.hear(25.0, 0)
    assert scene.look(25.0, stale_alone=(CODES[1],)) == [False, True, False, False]
