"""The bars of one chart: our own minutes and Dhan's history as one series, and the points of a sparkline.

Dhan's history is asked for up to yesterday in the interval nearest to the chart's, and for today by the minute, only
when minutes of our own are missing. Days that it lacks are filled from our own. `docs/candles.md` says what wins where.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from feeds import candles, clock, history
from feeds.core.calendar import Exchange, exchange_of
from feeds.core.candles import MINUTE, BarFlag, merge, missing_minutes, no_bars, resample, resample_days
from feeds.core.history import BASES, Interval, first_day, page_of_today, pages
from feeds.core.instrument import ExchangeSegment
from feeds.history import Found, Wanted
from feeds.models import Instrument
from feeds.selectors import market_calendar

Bars = NDArray[np.void]

OPENS = {Exchange.NSE_BSE: time(9, 15), Exchange.MCX: time(9, 0)}
"""What bars longer than a minute are aligned to, on days of other hours too."""
MINUTES_A_DAY = {Exchange.NSE_BSE: 375, Exchange.MCX: 870}
UNSETTLED = timedelta(minutes=3)
"""Dhan's latest minutes come late: what is missing of ours in them is not asked for yet."""
SPARKLINE_POINTS = 60


class HistoryState(StrEnum):
    """How much of the history is in the answer."""

    COMPLETE = "COMPLETE"
    PENDING = "PENDING"  # it was asked for: ask again in a second
    UNAVAILABLE = "UNAVAILABLE"  # Dhan does not say, or nobody asks for what is no longer listed


class Source(StrEnum):
    """Whose bars were merged."""

    NONE = "NONE"
    OWN = "OWN"
    DHAN = "DHAN"
    BOTH = "OWN+DHAN"


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars ascending in time, the running one last."""

    bars: Bars
    source: Source
    history: HistoryState


@dataclass(frozen=True, slots=True)
class Window:
    """Which bars are wanted: the newest `limit` of those that start from `since` on and before `until`."""

    since: datetime | None
    until: datetime
    limit: int


def chart(instrument: Instrument, interval: Interval, window: Window) -> Chart:
    """One instrument's bars. What has to be asked of Dhan is waited for HISTORY_WAIT_SECONDS at most.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    days, today = _days(instrument, interval, window), clock.exchange_today()
    ours_today = _own_today(instrument, today) if today in days else no_bars()
    found = _history(instrument, interval, days, ours_today)
    is_today = found.bars["start"] >= _start_of(today)
    earlier = _earlier(instrument, BASES[interval], [day for day in days if day < today], found.bars[~is_today])
    minutes = merge(ours_today, found.bars[is_today], own_from=_start_of(today))
    bars = np.concatenate([_in_interval(part, interval, instrument) for part in (earlier, minutes)])
    return Chart(
        bars=_within(bars, window),
        source=_source(np.concatenate([earlier, minutes])),
        history=_state(instrument, found),
    )


def _within(bars: Bars, window: Window) -> Bars:
    wanted = bars["start"] < window.until.timestamp()
    if window.since is not None:
        wanted &= bars["start"] >= window.since.timestamp()
    return bars[wanted][-window.limit :]


def _days(instrument: Instrument, interval: Interval, window: Window) -> list[date]:
    """The calendar days to look at: as many as the limit needs, or the window holds."""
    end = (window.until - timedelta(microseconds=1)).astimezone(clock.IST).date() + timedelta(days=1)
    end = min(end, clock.exchange_today() + timedelta(days=1))
    bars_a_day = 1.0
    if interval.minutes is not None:
        bars_a_day = MINUTES_A_DAY[_exchange(instrument)] / interval.minutes
    first = first_day(end, window.limit, bars_a_day)
    if window.since is not None:
        first = max(first, window.since.astimezone(clock.IST).date())
    return [first + timedelta(days=number) for number in range((end - first).days)]


def _own_today(instrument: Instrument, today: date) -> Bars:
    """Written minutes and those of the last few, which may not be written yet: the later word on a minute wins."""
    written, recent = candles.read(instrument.code, [today]), candles.recent([instrument.code])
    recent = recent[recent["start"] >= _start_of(today)]
    return merge(recent, written[~np.isin(written["start"], recent["start"])], own_from=0)


def _history(instrument: Instrument, interval: Interval, days: list[date], ours_today: Bars) -> Found:
    """Everything that Dhan has to be asked for, in one go."""
    today, base = clock.exchange_today(), BASES[interval]
    wanted = []
    if instrument.is_listed and days:
        wanted = pages(instrument.key, base, days[0], days[-1] + timedelta(days=1), today)
        if today in days and _lacks(instrument, ours_today):
            wanted.append(page_of_today(instrument.key, today))
    return history.find([Wanted(page, instrument.instrument_type) for page in wanted], settings.HISTORY_WAIT_SECONDS)


def _lacks(instrument: Instrument, ours_today: Bars) -> bool:
    """Whether there is a minute since the open without a whole bar of ours, late enough for Dhan to have it."""
    now = clock.exchange_now()
    sessions = market_calendar().sessions(ExchangeSegment(instrument.segment), now.date())
    if sessions is None:
        return False
    until = min(now - UNSETTLED, sessions.close)
    return len(missing_minutes(ours_today, int(sessions.open.timestamp()), int(until.timestamp()))) > 0


def _earlier(instrument: Instrument, base: Interval, days: list[date], told: Bars) -> Bars:
    """Bars of the days before today.

    By the minute ours are read for every day, else only for days that the history lacks: they would be thousands.
    """
    lacking = days if base is Interval.ONE else sorted(set(days) - _days_of(told))
    ours = _in_interval(candles.read(instrument.code, lacking), base, instrument)
    return merge(ours, told, own_from=_start_of(clock.exchange_today()))


def _days_of(bars: Bars) -> set[date]:
    return {datetime.fromtimestamp(start, clock.IST).date() for start in bars["start"].tolist()}


def _in_interval(bars: Bars, interval: Interval, instrument: Instrument) -> Bars:
    if interval.minutes is None:
        return resample_days(bars)
    opens = OPENS[_exchange(instrument)]
    return resample(bars, interval.minutes, (opens.hour * 60 + opens.minute) * MINUTE)


def _state(instrument: Instrument, found: Found) -> HistoryState:
    if found.refused or not instrument.is_listed:
        return HistoryState.UNAVAILABLE
    return HistoryState.PENDING if found.pending else HistoryState.COMPLETE


def _source(bars: Bars) -> Source:
    is_history = (bars["flags"] & np.uint32(BarFlag.HISTORY)) != 0
    if not len(bars):
        return Source.NONE
    return Source.DHAN if is_history.all() else Source.BOTH if is_history.any() else Source.OWN


def _exchange(instrument: Instrument) -> Exchange:
    return exchange_of(ExchangeSegment(instrument.segment))


def _start_of(day: date) -> int:
    return int(datetime.combine(day, time(), clock.IST).timestamp())


def partial_starts(bars: Bars) -> list[int]:
    """When the bars begin of which ticks may be missing."""
    starts: list[int] = bars["start"][(bars["flags"] & np.uint32(BarFlag.PARTIAL)) != 0].tolist()
    return starts


def sparklines(codes: Collection[int]) -> dict[int, list[int]]:
    """By code the last closes of today's minutes (paise), the running one's too; empty where there is none.

    Raises:
        REDIS_ERRORS: Redis is away.
    """
    today = clock.exchange_today()
    closes = candles.latest_closes(codes, today, SPARKLINE_POINTS)
    for bar in candles.recent(codes):
        if bar["start"] >= _start_of(today):
            closes[int(bar["code"])][int(bar["start"])] = int(bar["close"])
    return {code: [close for _, close in sorted(points.items())][-SPARKLINE_POINTS:] for code, points in closes.items()}
