"""Bars out of ticks: wicks and volume exact, minutes by the exchange's clock, gaps marked and nothing invented."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.core.calendar import IST
from feeds.core.candles import (
    BAR,
    Aggregator,
    BarFlag,
    Hours,
    merge,
    missing_minutes,
    no_bars,
    resample,
    resample_days,
)
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.core.tick import TICK, TickFlag

OPTION = InstrumentKey(ExchangeSegment.NSE_FNO, 49081).code
FUTURE = InstrumentKey(ExchangeSegment.NSE_FNO, 49082).code
INDEX = InstrumentKey(ExchangeSegment.IDX_I, 13).code
NSE_OPENS, MCX_OPENS = (9 * 60 + 15) * 60, 9 * 3600
PARTIAL = int(BarFlag.PARTIAL)


def at(hour: int, minute: int, second: float = 0.0, day: int = 3) -> float:
    return datetime(2026, 2, day, hour, minute, tzinfo=IST).timestamp() + second


def hours(day: int = 3) -> dict[ExchangeSegment, Hours]:
    session = Hours(int(at(9, 15, day=day)), int(at(15, 30, day=day)))
    return {ExchangeSegment.NSE_FNO: session, ExchangeSegment.IDX_I: session}


def tick(
    traded_at: float, last: int, volume: int, *, low: int = 0, high: int = 0, code: int = OPTION, **more: int
) -> np.ndarray:
    """One row of a batch in which one trade, or those between low and high, came."""
    row = np.zeros(1, TICK)
    values = {"code": code, "last_traded_at": int(traded_at), "last_price": last, "volume": volume}
    for name, value in (values | {"low": low or last, "high": high or last} | more).items():
        row[name] = value
    return row


def still(traded_at: float, last: int, volume: int, **more: int) -> np.ndarray:
    """A row that tells of no trade since the batch before, as all rows of a snapshot may."""
    row = tick(traded_at, last, volume, **more)
    row["low"] = row["high"] = 0
    return row


@pytest.fixture
def bars() -> Aggregator:
    """An aggregator that has heard of the option before the open."""
    bars = Aggregator(grace=5.0)
    bars.set_hours(hours())
    bars.resume(still(at(15, 29, day=2), 15_000, 0), at(9, 14))
    return bars


def told(closed: np.ndarray) -> list[tuple[int, ...]]:
    names = ["open", "high", "low", "close", "volume", "open_interest", "flags"]
    return [tuple(row) for row in np.sort(closed, order=["start", "code"])[names].tolist()]


def test_a_minute_has_its_first_highest_lowest_and_last_price_and_the_difference_of_day_volume(
    bars: Aggregator,
) -> None:
    bars.take(tick(at(9, 15, 1), 15_000, 75), at(9, 15, 1))
    bars.take(tick(at(9, 15, 20), 15_100, 450, low=14_905, high=15_250), at(9, 15, 20))
    bars.take(tick(at(9, 15, 59), 15_050, 525, open_interest=8_000), at(9, 15, 59))
    assert told(bars.close(at(9, 16, 4))) == []  # ticks may still be under way
    assert told(bars.close(at(9, 16, 5))) == [(15_000, 15_250, 14_905, 15_050, 525, 8_000, 0)]
    assert told(bars.close(at(9, 16, 6))) == []


def test_a_minute_without_a_trade_has_no_bar_however_the_book_moves(bars: Aggregator) -> None:
    bars.take(tick(at(9, 15, 1), 15_000, 75), at(9, 15, 1))
    bars.take(still(at(9, 15, 1), 15_000, 75), at(9, 16, 30))
    bars.take(tick(at(9, 18, 1), 15_100, 150), at(9, 18, 1))
    closed = bars.close(at(9, 20))
    assert [int(start - at(9, 15)) // 60 for start in np.sort(closed["start"])] == [0, 3]
    assert [volume for *_, volume, _, _ in told(closed)] == [75, 75]


def test_a_trade_counts_in_the_minute_in_which_it_was_made_not_in_which_it_arrived(bars: Aggregator) -> None:
    bars.take(tick(at(9, 15, 30), 15_000, 75), at(9, 15, 30))
    bars.take(tick(at(9, 15, 59), 15_100, 150), at(9, 16, 1))
    bars.take(tick(at(9, 16, 2), 15_200, 225), at(9, 16, 2))
    assert told(bars.close(at(9, 16, 5))) == [(15_000, 15_100, 15_000, 15_100, 150, 0, 0)]


def test_what_comes_after_its_minute_was_closed_keeps_its_volume_in_the_next(bars: Aggregator) -> None:
    bars.take(tick(at(9, 15, 30), 15_000, 75), at(9, 15, 30))
    bars.close(at(9, 16, 5))
    bars.take(tick(at(9, 15, 59), 15_100, 300), at(9, 16, 9))
    assert told(bars.close(at(9, 17, 5))) == [(15_100, 15_100, 15_100, 15_100, 225, 0, 0)]


def test_all_bars_of_a_minute_are_given_together_though_some_ended_early(bars: Aggregator) -> None:
    bars.resume(still(at(9, 0), 26_000_00, 0, code=FUTURE), at(9, 14))
    bars.take(np.concatenate([tick(at(9, 15, 1), 100, 75), tick(at(9, 15, 1), 200, 50, code=FUTURE)]), at(9, 15, 1))
    bars.take(tick(at(9, 16), 110, 150), at(9, 16))
    assert len(bars.close(at(9, 16, 2))) == 0
    assert set(bars.close(at(9, 16, 5))["code"].tolist()) == {OPTION, FUTURE}


def test_an_instrument_first_heard_of_in_a_minute_is_marked_and_its_volume_not_guessed(bars: Aggregator) -> None:
    bars.take(tick(at(10, 0, 20), 500, 1_000_000, code=FUTURE), at(10, 0, 21))
    bars.take(tick(at(10, 0, 40), 510, 1_000_050, code=FUTURE), at(10, 0, 41))
    bars.take(tick(at(10, 1, 10), 505, 1_000_150, code=FUTURE), at(10, 1, 11))
    assert told(bars.close(at(10, 3))) == [(500, 510, 500, 510, 50, 0, PARTIAL), (505, 505, 505, 505, 100, 0, 0)]


def test_the_first_row_of_a_new_subscription_may_tell_of_an_old_trade_and_makes_no_bar(bars: Aggregator) -> None:
    bars.take(tick(at(9, 40), 500, 1_000, code=FUTURE, flags=TickFlag.GAP), at(10, 0, 1))
    assert len(bars.close(at(10, 5))) == 0


def test_a_gap_marks_the_minute_and_day_volume_still_says_all_that_was_traded_in_it(bars: Aggregator) -> None:
    bars.take(tick(at(9, 15, 10), 15_000, 75), at(9, 15, 10))
    bars.resume(still(at(9, 15, 40), 14_800, 600), at(9, 15, 41))
    bars.take(tick(at(9, 15, 50), 14_900, 675), at(9, 15, 50))
    assert told(bars.close(at(9, 17))) == [(15_000, 15_000, 14_800, 14_900, 675, 0, PARTIAL)]


def test_a_gap_over_several_minutes_leaves_them_empty_and_gives_their_volume_to_none(bars: Aggregator) -> None:
    bars.take(tick(at(9, 15, 10), 15_000, 75), at(9, 15, 10))
    bars.resume(still(at(9, 18, 30), 14_800, 900), at(9, 18, 31))
    bars.take(tick(at(9, 19, 1), 14_900, 975), at(9, 19, 1))
    closed = bars.close(at(9, 21))
    assert [int(start - at(9, 15)) // 60 for start in np.sort(closed["start"])] == [0, 3, 4]
    assert [(volume, flags) for *_, volume, _, flags in told(closed)] == [(75, PARTIAL), (0, PARTIAL), (75, 0)]


def test_a_gap_in_which_nothing_traded_marks_nothing(bars: Aggregator) -> None:
    bars.take(tick(at(9, 15, 10), 15_000, 75), at(9, 15, 10))
    bars.resume(still(at(9, 15, 10), 15_000, 75), at(9, 15, 41))
    assert told(bars.close(at(9, 17))) == [(15_000, 15_000, 15_000, 15_000, 75, 0, 0)]


def test_rows_that_no_packet_told_are_no_trades(bars: Aggregator) -> None:
    for flag in (TickFlag.STALE, TickFlag.SEEDED):
        bars.take(tick(at(9, 15, 10), 99_999, 5_000, flags=flag), at(9, 15, 10))
    assert len(bars.close(at(9, 17))) == 0


def test_volume_is_not_counted_from_what_an_earlier_run_of_the_feed_said(bars: Aggregator) -> None:
    bars.take(tick(at(9, 20), 15_000, 75), at(9, 20))
    bars.take(still(at(9, 20), 15_000, 75, flags=TickFlag.SEEDED), at(9, 40))
    bars.take(tick(at(9, 41), 15_500, 90_000), at(9, 41))
    assert [(volume, flags) for *_, volume, _, flags in told(bars.close(at(9, 43)))] == [(75, PARTIAL), (0, PARTIAL)]


def test_before_the_open_and_after_the_close_there_are_no_bars_and_the_closing_print_is_in_the_last(
    bars: Aggregator,
) -> None:
    bars.take(tick(at(9, 7, 59), 15_000, 7_500), at(9, 8))
    bars.take(tick(at(9, 15), 15_010, 7_575), at(9, 15))
    bars.take(tick(at(15, 29, 50), 15_020, 9_000), at(15, 29, 50))
    bars.take(tick(at(15, 30), 15_030, 9_075), at(15, 30, 1))
    bars.take(tick(at(15, 41), 15_900, 9_999), at(15, 41))
    closed = bars.close(at(15, 45))
    assert [(close, volume) for _, _, _, close, volume, _, _ in told(closed)] == [(15_010, 75), (15_030, 1_500)]
    assert int(closed["start"].max()) == int(at(15, 29))


def test_a_segment_that_does_not_trade_today_has_no_bars() -> None:
    bars = Aggregator(grace=5.0)
    bars.take(tick(at(10, 0), 100, 10), at(10, 0))
    assert len(bars.close(at(11, 0))) == 0


def test_a_new_day_counts_volume_from_nothing(bars: Aggregator) -> None:
    bars.take(tick(at(15, 29), 15_000, 90_000), at(15, 29))
    bars.close(at(15, 31))
    bars.set_hours(hours(day=4))
    bars.take(tick(at(9, 15, 2, day=4), 15_100, 150), at(9, 15, 2, day=4))
    assert told(bars.close(at(9, 17, day=4))) == [(15_100, 15_100, 15_100, 15_100, 150, 0, 0)]


def test_an_index_has_bars_without_volume(bars: Aggregator) -> None:
    bars.resume(still(at(9, 14), 2_600_000, 0, code=INDEX), at(9, 14))
    for second, price in ((1, 2_600_100), (2, 2_599_000), (30, 2_601_000)):
        bars.take(tick(at(9, 15, second), price, 0, code=INDEX), at(9, 15, second))
    assert told(bars.close(at(9, 17))) == [(2_600_100, 2_601_000, 2_599_000, 2_601_000, 0, 0, 0)]


def test_another_run_goes_on_with_the_bar_it_finds_and_marks_it_only_if_it_missed_a_trade(bars: Aggregator) -> None:
    bars.resume(still(at(9, 0), 500, 0, code=FUTURE), at(9, 14))
    bars.take(tick(at(9, 15, 10), 15_000, 75, low=14_900, high=15_200), at(9, 15, 10))
    bars.take(tick(at(9, 15, 10), 500, 50, code=FUTURE), at(9, 15, 10))
    left = bars.changed()
    second = Aggregator(grace=5.0)
    second.set_hours(hours())
    second.restore(left)
    snapshot = np.concatenate([still(at(9, 15, 30), 15_100, 225), still(at(9, 15, 10), 500, 50, code=FUTURE)])
    second.resume(snapshot, at(9, 15, 31))
    assert told(second.close(at(9, 17))) == [
        (15_000, 15_200, 14_900, 15_100, 225, 0, PARTIAL),
        (500, 500, 500, 500, 50, 0, 0),
    ]


def test_what_changed_is_told_once_and_the_last_of_a_bar_that_has_ended_too(bars: Aggregator) -> None:
    bars.take(tick(at(9, 15, 10), 15_000, 75), at(9, 15, 10))
    assert bars.changed()["volume"].tolist() == [75]
    assert len(bars.changed()) == 0
    bars.take(tick(at(9, 15, 58), 15_000, 150), at(9, 15, 58))
    bars.take(tick(at(9, 16, 1), 15_000, 225), at(9, 16, 1))
    assert sorted(bars.changed()["volume"].tolist()) == [75, 150]


TRADES = st.lists(
    st.tuples(st.integers(0, 599), st.integers(100, 30_000), st.integers(1, 500)), min_size=1, max_size=60
).map(sorted)


@given(trades=TRADES, batch_seconds=st.integers(1, 7), split=st.integers(0, 60))
def test_bars_of_batches_are_those_of_single_trades_also_across_a_restart(
    trades: list[tuple[int, int, int]], batch_seconds: int, split: int
) -> None:
    """Batches tell low, high, last and day volume; restarts between two batches lose nothing."""
    bars = Aggregator(grace=10.0)
    bars.set_hours(hours())
    start, day_volume, closed = at(9, 15), 0, []
    bars.resume(still(start - 1, 100, 0), start - 1)
    batches: dict[int, list[tuple[int, int, int]]] = {}
    for trade in trades:
        batches.setdefault(trade[0] // batch_seconds, []).append(trade)
    for number, batch in enumerate(batches.values()):
        minutes: dict[int, list[tuple[int, int, int]]] = {}
        for trade in batch:  # the feed flushes many times a second: a batch is of one minute
            minutes.setdefault(trade[0] // 60, []).append(trade)
        for together in minutes.values():
            prices = [price for _, price, _ in together]
            day_volume += sum(size for _, _, size in together)
            when = start + together[-1][0]
            bars.take(tick(when, prices[-1], day_volume, low=min(prices), high=max(prices)), when)
            closed.append(bars.close(when))
            if number == split:
                left, bars = bars, Aggregator(grace=10.0)
                bars.set_hours(hours())
                running = left.changed()
                newest = running[running["start"] == running["start"].max()]
                closed.append(running[running["start"] < running["start"].max()][list(BAR.names)].astype(BAR))
                bars.restore(newest)
                bars.resume(still(when, prices[-1], day_volume), when)
    closed.append(bars.close(start + 700))
    found = {int(row["start"] - start) // 60: row for row in np.concatenate(closed)}
    expected: dict[int, list[tuple[int, int, int]]] = {}
    for trade in trades:
        expected.setdefault(trade[0] // 60, []).append(trade)
    assert set(found) == set(expected)
    for minute, made in expected.items():
        row, prices = found[minute], [price for _, price, _ in made]
        assert (row["high"], row["low"], row["close"]) == (max(prices), min(prices), prices[-1])
        assert (row["volume"], row["flags"]) == (sum(size for _, _, size in made), 0)


# --- longer bars and two sources --------------------------------------------------------------------


def minute(hour: int, minute: int, *prices: int, volume: int = 1, flags: int = 0, day: int = 3) -> np.ndarray:
    open_, high, low, close = prices if len(prices) == 4 else prices * 4
    start = int(at(hour, minute, day=day))
    return np.array([(OPTION, start, open_, high, low, close, volume, volume * 10, flags)], BAR)


def starts(bars: np.ndarray) -> list[str]:
    return [datetime.fromtimestamp(start, IST).strftime("%d %H:%M") for start in bars["start"].tolist()]


def test_longer_bars_begin_at_the_open_not_at_the_full_hour() -> None:
    ones = np.concatenate([minute(9, 15, 100), minute(10, 14, 130), minute(10, 15, 120), minute(15, 29, 90)])
    assert starts(resample(ones, 60, NSE_OPENS)) == ["03 09:15", "03 10:15", "03 15:15"]
    assert starts(resample(ones, 30, NSE_OPENS)) == ["03 09:15", "03 09:45", "03 10:15", "03 15:15"]
    assert starts(resample(ones, 60, MCX_OPENS)) == ["03 09:00", "03 10:00", "03 15:00"]


def test_a_longer_bar_has_the_first_open_the_extremes_the_last_close_and_all_volume() -> None:
    ones = np.concatenate(
        [
            minute(9, 15, 100, 110, 95, 105, volume=10),
            minute(9, 16, 105, 140, 104, 120, volume=20, flags=PARTIAL),
            minute(9, 17, 120, 121, 80, 90, volume=30),
            minute(9, 18, 90, 91, 89, 90, volume=40),
        ]
    )
    assert told(resample(ones, 3, NSE_OPENS)) == [(100, 140, 80, 90, 60, 300, PARTIAL), (90, 91, 89, 90, 40, 400, 0)]
    assert told(resample(no_bars(), 3, NSE_OPENS)) == []


def test_days_begin_at_midnight_in_india() -> None:
    ones = np.concatenate([minute(9, 15, 100, day=2), minute(23, 29, 150, day=2), minute(9, 0, 120, day=3)])
    assert starts(resample_days(ones)) == ["02 00:00", "03 00:00"]
    assert resample_days(ones)["close"].tolist() == [150, 120]


@given(
    minutes=st.lists(st.tuples(st.integers(0, 374), st.integers(1, 9_999)), min_size=1, unique_by=lambda m: m[0]).map(
        sorted
    )
)
def test_by_way_of_fifteen_minutes_an_hour_is_the_same(minutes: list[tuple[int, int]]) -> None:
    opens = datetime(2026, 2, 3, 9, 15, tzinfo=IST)
    moments = [(opens + timedelta(minutes=number), price) for number, price in minutes]
    ones = np.concatenate([minute(when.hour, when.minute, price) for when, price in moments])
    once = resample(ones, 60, NSE_OPENS)
    assert once.tolist() == resample(resample(ones, 15, NSE_OPENS), 60, NSE_OPENS).tolist()
    assert once["volume"].sum() == len(minutes)


def test_where_both_sources_have_a_minute_ours_stands_today_and_the_history_before() -> None:
    own = np.concatenate([minute(15, 29, 1, day=2), minute(9, 16, 1), minute(9, 17, 1)])
    history = np.concatenate([minute(15, 29, 2, day=2), minute(9, 15, 2), minute(9, 16, 2)])
    merged = merge(own, history, own_from=int(at(0, 0)))
    assert starts(merged) == ["02 15:29", "03 09:15", "03 09:16", "03 09:17"]
    assert merged["close"].tolist() == [2, 2, 1, 1]


def test_a_partial_minute_of_ours_gives_way_to_a_whole_one_and_stands_where_there_is_none() -> None:
    own = np.concatenate([minute(9, 15, 1, flags=PARTIAL), minute(9, 16, 1, flags=PARTIAL)])
    assert merge(own, minute(9, 15, 2), own_from=0)["close"].tolist() == [2, 1]


@given(ours=st.sets(st.integers(0, 374)), theirs=st.sets(st.integers(0, 374)), began=st.integers(0, 374))
def test_a_seam_has_no_minute_twice_and_none_that_either_had_is_lost(
    ours: set[int], theirs: set[int], began: int
) -> None:
    def some(numbers: set[int], price: int) -> np.ndarray:
        rows = np.zeros(len(numbers), BAR)
        rows["start"], rows["close"] = [int(at(9, 15)) + 60 * number for number in sorted(numbers)], price
        return rows

    own = some({number for number in ours if number >= began}, 1)
    merged = merge(own, some(theirs, 2), own_from=int(at(0, 0)))
    assert (np.diff(merged["start"]) > 0).all()
    assert set(merged["start"].tolist()) == set(own["start"].tolist()) | set(some(theirs, 2)["start"].tolist())
    assert merged[np.isin(merged["start"], own["start"])]["close"].tolist() == [1] * len(own)


def test_missing_minutes_are_those_without_a_whole_bar() -> None:
    own = np.concatenate([minute(9, 15, 1), minute(9, 17, 1, flags=PARTIAL), minute(9, 18, 1)])
    missing = missing_minutes(own, int(at(9, 15)), int(at(9, 20)))
    assert [int(start - at(9, 15)) // 60 for start in missing] == [1, 2, 4]
