"""Silence is told from quiet, for a connection, a segment and one instrument."""

from __future__ import annotations

import numpy as np

from feeds.core.tick import TICK
from feeds.process.watchdog import InstrumentWatch, SilenceWatch, trades_unknown


def speaking_every(seconds: float, until: float) -> SilenceWatch:
    watch = SilenceWatch(patience=4.0)
    for beat in range(1, int(until / seconds) + 1):
        watch.heard("NSE_FNO", beat * seconds)
    return watch


class TestSilence:
    def test_a_lively_source_is_silent_after_the_patience(self):
        watch = speaking_every(0.1, until=60.0)
        assert not watch.is_silent("NSE_FNO", 63.9)
        assert watch.is_silent("NSE_FNO", 64.2)

    def test_the_next_packet_ends_it(self):
        watch = speaking_every(0.1, until=60.0)
        assert watch.is_silent("NSE_FNO", 65.0)
        watch.heard("NSE_FNO", 65.0)
        assert not watch.is_silent("NSE_FNO", 65.1)

    def test_a_source_that_seldom_speaks_is_given_time(self):
        watch = speaking_every(5.0, until=600.0)
        assert not watch.is_silent("NSE_FNO", 660.0)
        assert watch.is_silent("NSE_FNO", 760.0)

    def test_a_busy_source_that_is_only_looked_at_now_and_then_is_no_seldom_speaker(self):
        watch = speaking_every(0.25, until=60.0)
        assert watch.is_silent("NSE_FNO", 64.2)

    def test_one_outage_is_not_taken_for_a_habit(self):
        watch = speaking_every(0.1, until=60.0)
        assert watch.is_silent("NSE_FNO", 360.0)
        for beat in range(50):
            watch.heard("NSE_FNO", 360.0 + beat * 0.1)
        assert watch.is_silent("NSE_FNO", 369.2)

    def test_a_source_found_silent_can_still_show_that_it_is_only_quiet(self):
        watch = SilenceWatch(patience=4.0)
        watch.expected("NSE_FNO", 0.0)
        for beat in range(1, 5):
            assert watch.is_silent("NSE_FNO", beat * 10.0) == (beat == 1)
            watch.heard("NSE_FNO", beat * 10.0)

    def test_one_that_never_spoke_is_silent_too(self):
        watch = SilenceWatch(patience=4.0)
        watch.expected("connection 2", 10.0)
        assert not watch.is_silent("connection 2", 14.0)
        assert watch.is_silent("connection 2", 14.1)

    def test_unknown_and_excused_sources_are_not(self):
        watch = speaking_every(0.1, until=60.0)
        assert not watch.is_silent("MCX_COMM", 1_000.0)
        watch.excused("NSE_FNO")
        assert not watch.is_silent("NSE_FNO", 9_000.0)
        watch.expected("NSE_FNO", 9_000.0)
        assert not watch.is_silent("NSE_FNO", 9_004.0)
        assert watch.is_silent("NSE_FNO", 9_004.1)


class TestInstruments:
    def test_only_the_long_silent_are_suspects(self):
        watch = InstrumentWatch(patience=60.0, on_its_way=4.0)
        codes = np.array([1, 2, 3], np.uint64)
        assert watch.suspects(codes, np.array([59.0, 61.0, np.inf]), now=100.0) == [2, 3]

    def test_nobody_is_compared_again_before_the_patience_is_over(self):
        watch = InstrumentWatch(patience=60.0, on_its_way=4.0)
        codes, ages = np.array([1], np.uint64), np.array([90.0])
        watch.compared([1], now=100.0)
        assert watch.suspects(codes, ages, now=160.0) == []
        assert watch.suspects(codes, ages, now=160.1) == [1]

    def test_a_round_is_bounded_and_the_next_goes_on(self):
        watch = InstrumentWatch(patience=60.0, on_its_way=4.0)
        codes, ages = np.arange(1, 2501, dtype=np.uint64), np.full(2500, 90.0)
        seen = []
        for _ in range(3):
            suspects = watch.suspects(codes, ages, now=100.0)
            watch.compared(suspects, now=100.0)
            seen.append(len(suspects))
        assert seen == [1000, 1000, 500]

    def test_a_stale_one_is_news_once_until_it_speaks(self):
        watch = InstrumentWatch(patience=60.0, on_its_way=4.0)
        codes = np.array([1], np.uint64)
        assert watch.missed(1)
        assert not watch.missed(1)
        watch.suspects(codes, np.array([90.0]), now=0.0)
        assert watch.stale == {1}
        watch.suspects(codes, np.array([0.5]), now=1.0)
        assert watch.stale == set()

    def test_a_trade_that_we_do_not_know_may_be_on_its_way_and_is_asked_about_again_at_once(self):
        watch = InstrumentWatch(patience=60.0, on_its_way=4.0)
        codes, ages = np.array([1, 2], np.uint64), np.array([70.0, 70.0])
        for now, overdue, suspects in ((100.0, [], [1]), (103.9, [], [1]), (104.0, [1], [])):
            watch.compared([1, 2], now)
            assert watch.overdue([1], now) == overdue
            assert watch.suspects(codes, ages, now) == suspects

    def test_a_packet_that_came_after_all_ends_the_suspicion(self):
        watch = InstrumentWatch(patience=60.0, on_its_way=4.0)
        codes = np.array([1], np.uint64)
        assert watch.overdue([1], 100.0) == []
        watch.suspects(codes, np.array([0.5]), now=101.0)
        assert watch.overdue([1], 170.0) == []

    def test_trades_are_unknown_when_they_are_newer_and_volume_has_grown(self):
        ours, quotes = np.zeros(4, TICK), np.zeros(4, TICK)
        ours["last_traded_at"], ours["volume"] = 1_000, [50, 50, 50, 0]
        quotes["last_traded_at"] = [1_000, 1_010, 1_010, 1_010]
        quotes["volume"] = [50, 60, 50, 0]
        assert trades_unknown(ours, quotes).tolist() == [False, True, False, True]
