"""Candles: one-minute bars made of the ticks of every instrument at once, longer ones made of them, two sources merged.

A bar tells what was seen. A minute in which nothing traded has none, and one of which a part may have been missed is
PARTIAL: nothing is invented to fill it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntFlag
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.core.instrument import SECURITY_ID_BITS, ExchangeSegment
from feeds.core.tick import TickFlag

BAR = np.dtype(
    [
        ("code", "<u8"),  # InstrumentKey.code
        ("start", "<i8"),  # seconds since 1970 UTC of the bar's first second
        ("open", "<i4"),  # paise
        ("high", "<i4"),
        ("low", "<i4"),
        ("close", "<i4"),
        ("volume", "<i8"),  # of the bar
        ("open_interest", "<u4"),  # the last of the bar
        ("flags", "<u4"),  # BarFlag
    ]
)
RUNNING = np.dtype(
    [
        *BAR.descr,
        ("day_volume", "<i8"),  # at the latest tick: the next one's volume is the difference to it
        ("traded_at", "<i8"),  # seconds since 1970 UTC of the latest trade
    ]
)
"""A bar that may still change, with what is needed to go on with it; the store of running bars holds these rows."""

MINUTE = 60
DAY_SECONDS = 86_400
IST_SECONDS = 19_800
FIRST_CAPACITY = 4096
SEGMENTS = 256
"""A segment is one byte on the wire."""
NEVER = np.iinfo(np.int64).max
UNTOLD = np.uint32(TickFlag.STALE | TickFlag.SEEDED)
"""Rows that no packet has just told: they are no trades, and no base to count volume from."""

Rows = NDArray[np.void]
Bars = NDArray[np.void]
Slots = NDArray[np.intp]
Mask = NDArray[np.bool_]
Seconds = NDArray[np.int64]


class BarFlag(IntFlag):
    """What a reader must know before believing a bar."""

    PARTIAL = 1  # ticks of its minute may have been missed
    HISTORY = 2  # not ours, but the broker's history


class Hours(NamedTuple):
    """When a segment trades on the day, in seconds since 1970 UTC. Ticks outside make no bars."""

    opens: int
    closes: int


class _Trades(NamedTuple):
    """The rows of a batch that tell of a trade, column by column."""

    slots: Slots
    start: Seconds
    low: NDArray[np.int32]
    high: NDArray[np.int32]
    last: NDArray[np.int32]
    volume: Seconds
    open_interest: NDArray[np.uint32]
    is_partial: Mask


def no_bars() -> Bars:
    return np.empty(0, BAR)


def plain(running: Bars) -> Bars:
    """RUNNING rows as BAR rows."""
    bars: Bars = running[list(BAR.names or ())].astype(BAR)
    return bars


class Aggregator:
    """The running minute of every instrument. Not thread safe; `now` is the exchange's clock, seconds since 1970 UTC.

    A minute stays open for `grace` seconds after its end, for ticks that are still under way. What comes later than
    that counts in the next minute: its volume is not lost, its price is off by one bar.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._bars = np.zeros(FIRST_CAPACITY, RUNNING)
        self._known = np.zeros(FIRST_CAPACITY, np.bool_)
        self._doubted = np.zeros(FIRST_CAPACITY, np.bool_)  # seeded by the feed since the latest packet
        self._changed = np.zeros(FIRST_CAPACITY, np.bool_)
        self._size = 0
        self._codes = np.empty(0, np.uint64)
        self._places: Slots = np.empty(0, np.intp)
        self._opens, self._closes = np.full(SEGMENTS, NEVER), np.full(SEGMENTS, NEVER)
        self._ended: list[Bars] = []
        self._unsaved: list[Bars] = []

    def __len__(self) -> int:
        """How many instruments have been heard of."""
        return self._size

    def set_hours(self, hours: Mapping[ExchangeSegment, Hours]) -> None:
        """Bars are made within these alone; a segment that is not named makes none."""
        self._opens[:], self._closes[:] = NEVER, NEVER
        for segment, (opens, closes) in hours.items():
            self._opens[segment], self._closes[segment] = opens, closes

    def restore(self, running: Bars) -> None:
        """Go on with bars that an earlier run left behind: RUNNING rows, one an instrument."""
        slots = self._slots(running["code"])
        self._bars[slots] = running
        self._known[slots] = True

    # --- ticks in ------------------------------------------------------------------------------

    def resume(self, rows: Rows, now: float) -> None:
        """What is known after a gap, or at the start: TICK rows. Bars of which something was missed become PARTIAL.

        Where day volume and trade time are as they were nothing was missed, and nothing is marked.
        """
        rows = rows.copy()
        missed = self._missed(self._slots(rows["code"]), rows)
        rows["low"] = rows["high"] = np.where(missed, rows["last_price"], 0)
        rows["flags"] |= np.uint32(TickFlag.GAP)
        self.take(rows, now)

    def take(self, rows: Rows, now: float) -> None:
        """One batch: TICK rows, each instrument once."""
        slots = self._slots(rows["code"])
        self._doubted[slots[_has(rows, TickFlag.SEEDED)]] = True
        told = (rows["flags"] & UNTOLD) == 0
        rows, slots = rows[told], slots[told]
        unsure = ~self._known[slots] | self._doubted[slots] | _has(rows, TickFlag.GAP)
        self._mark_partial(slots[unsure & self._missed(slots, rows)])
        self._fold(self._trades(rows, slots, unsure, now))
        self._remember(rows, slots, now)

    def _missed(self, slots: Slots, rows: Rows) -> Mask:
        """Whose latest trade is another than the one we know."""
        known = self._bars[slots]
        same = (known["day_volume"] == rows["volume"]) & (known["traded_at"] == rows["last_traded_at"])
        missed: Mask = ~(same & self._known[slots])
        return missed

    def _mark_partial(self, slots: Slots) -> None:
        running = slots[self._bars["start"][slots] > 0]
        self._bars["flags"][running] |= np.uint32(BarFlag.PARTIAL)
        self._changed[running] = True

    def _trades(self, rows: Rows, slots: Slots, unsure: Mask, now: float) -> _Trades:
        """After a gap the row may tell of an old trade: it counts only when that was in a minute still open."""
        start, within = self._minutes(rows, now)
        recent = rows["last_traded_at"] >= self._oldest_open(now)
        chosen = np.flatnonzero((rows["low"] > 0) & within & (recent | ~unsure))
        rows, slots, start, unsure = rows[chosen], slots[chosen], start[chosen], unsure[chosen]
        return _Trades(
            slots=slots,
            start=np.maximum(start, self._bars["start"][slots]),
            low=rows["low"],
            high=rows["high"],
            last=rows["last_price"],
            volume=self._volume(rows, slots, start, unsure),
            open_interest=rows["open_interest"],
            is_partial=unsure,
        )

    def _minutes(self, rows: Rows, now: float) -> tuple[Seconds, Mask]:
        """The minute that each row's trade counts in, and whether its segment trades then.

        The closing print carries the very second of the close: it belongs to the last minute.
        """
        segments = (rows["code"] >> np.uint64(SECURITY_ID_BITS)).astype(np.intp) % SEGMENTS
        opens, closes = self._opens[segments], self._closes[segments]
        traded_at = np.where(rows["last_traded_at"] > 0, rows["last_traded_at"], int(now))
        start = np.clip(traded_at, self._oldest_open(now), int(now))
        within: Mask = (traded_at >= opens) & (traded_at <= closes)
        return _minute_of(np.minimum(start, closes - 1)), within

    def _oldest_open(self, now: float) -> int:
        return int(now - self._grace) // MINUTE * MINUTE

    def _volume(self, rows: Rows, slots: Slots, start: Seconds, unsure: Mask) -> Seconds:
        """What was traded since the latest tick. After a gap it is known to belong to this minute only if that was
        in the minute too; a new day counts from nothing."""
        known = self._bars[slots]
        begins_day = _day_of(rows["last_traded_at"]) > _day_of(known["traded_at"])
        base = np.where(begins_day & ~unsure, 0, known["day_volume"])
        tells = ~unsure | (self._known[slots] & (known["start"] == start))
        return np.where(tells, np.maximum(rows["volume"] - base, 0), 0)

    def _fold(self, trades: _Trades) -> None:
        """Trades into the running bars; a bar of an earlier minute ends, and a new one begins."""
        before = self._bars[trades.slots]
        is_new = before["start"] < trades.start
        ending = before[is_new & (before["start"] > 0)]
        if len(ending):
            self._ended.append(plain(ending))
            self._unsaved.append(ending)
        bars = before.copy()
        # A batch tells the lowest, the highest and the last price, not the first: the one nearest to the price before.
        opened = np.clip(np.where(before["close"] > 0, before["close"], trades.last), trades.low, trades.high)
        bars["start"] = trades.start
        bars["open"] = np.where(is_new, opened, before["open"])
        bars["high"] = np.where(is_new, trades.high, np.maximum(before["high"], trades.high))
        bars["low"] = np.where(is_new, trades.low, np.minimum(before["low"], trades.low))
        bars["close"] = trades.last
        bars["volume"] = np.where(is_new, 0, before["volume"]) + trades.volume
        bars["open_interest"] = trades.open_interest
        bars["flags"] = np.where(is_new, 0, before["flags"]) | np.where(trades.is_partial, int(BarFlag.PARTIAL), 0)
        self._bars[trades.slots] = bars
        self._changed[trades.slots] = True

    def _remember(self, rows: Rows, slots: Slots, now: float) -> None:
        """From where the next tick is counted. Open interest comes in packets of its own, between trades."""
        self._bars["day_volume"][slots] = rows["volume"]
        self._bars["traded_at"][slots] = rows["last_traded_at"]
        self._known[slots], self._doubted[slots] = True, False
        runs = self._bars["start"][slots] == int(now) // MINUTE * MINUTE
        running, interest = slots[runs], rows["open_interest"][runs]
        self._changed[running] |= self._bars["open_interest"][running] != interest
        self._bars["open_interest"][running] = interest

    # --- bars out ------------------------------------------------------------------------------

    def close(self, now: float) -> Bars:
        """The bars whose minute is over, each once, in no order; all bars of a minute come together."""
        over = self._bars["start"][: self._size]
        slots = np.flatnonzero((over > 0) & (over < self._oldest_open(now)))
        ended = np.concatenate([no_bars(), *self._ended, plain(self._bars[slots])])
        # A bar that was saved is saved once more with its last change before its row is used for the next minute.
        self._unsaved.append(self._bars[slots[self._changed[slots]]])
        self._changed[slots] = False
        self._bars["start"][slots] = 0
        waits = ended["start"] >= self._oldest_open(now)
        self._ended = [ended[waits]]
        return ended[~waits]

    def changed(self) -> Bars:
        """RUNNING rows that changed since this was asked last, also of bars that have ended meanwhile."""
        slots = np.flatnonzero(self._changed[: self._size])
        self._changed[slots] = False
        changed = np.concatenate([np.empty(0, RUNNING), *self._unsaved, self._bars[slots]])
        self._unsaved = []
        return changed[changed["start"] > 0]

    # --- slots ---------------------------------------------------------------------------------

    def _slots(self, codes: NDArray[np.uint64]) -> Slots:
        """The slot of each code, new ones for new codes."""
        found, known = self._find(codes)
        if not known.all():
            self._add(np.unique(codes[~known]))
            found, _ = self._find(codes)
        return found

    def _find(self, codes: NDArray[np.uint64]) -> tuple[Slots, Mask]:
        if not self._size:
            return np.zeros(len(codes), np.intp), np.zeros(len(codes), np.bool_)
        at = np.minimum(np.searchsorted(self._codes, codes), self._size - 1)
        return self._places[at], self._codes[at] == codes

    def _add(self, codes: NDArray[np.uint64]) -> None:
        first, self._size = self._size, self._size + len(codes)
        while self._size > len(self._bars):
            self._bars = np.concatenate([self._bars, np.zeros_like(self._bars)])
            self._known = np.concatenate([self._known, np.zeros_like(self._known)])
            self._doubted = np.concatenate([self._doubted, np.zeros_like(self._doubted)])
            self._changed = np.concatenate([self._changed, np.zeros_like(self._changed)])
        self._bars["code"][first : self._size] = codes
        together = np.concatenate([self._codes, codes])
        places = np.concatenate([self._places, np.arange(first, self._size, dtype=np.intp)])
        order = np.argsort(together)
        self._codes, self._places = together[order], places[order]


# --- bars of one instrument ------------------------------------------------------------------------


def resample(bars: Bars, minutes: int, opens: int) -> Bars:
    """Longer bars out of shorter ones of one instrument, which ascend in time.

    They begin at `opens` (seconds after midnight in India, when the session opens) and every so many minutes from
    there, before it too. A longer bar is PARTIAL when one within it is.
    """
    if not len(bars):
        return bars
    midnight = _midnight_of(bars["start"])
    length = minutes * MINUTE
    begins = midnight + opens + (bars["start"] - midnight - opens) // length * length
    return _joined(bars, begins)


def resample_days(bars: Bars) -> Bars:
    """Bars of whole days, each beginning at midnight in India."""
    return _joined(bars, _midnight_of(bars["start"])) if len(bars) else bars


def merge(own: Bars, history: Bars, own_from: int) -> Bars:
    """Two sources of one instrument as one, ascending, no moment twice.

    From `own_from` (seconds since 1970) on our own whole bars win, before it the history's. A PARTIAL bar of ours gives
    way wherever the history has one.
    """
    ours_win = (own["start"] >= own_from) & ((own["flags"] & np.uint32(BarFlag.PARTIAL)) == 0)
    rank = np.concatenate([np.where(ours_win, 0, 2), np.ones(len(history), np.int64)])
    together = np.concatenate([own, history])
    together = together[np.lexsort((rank, together["start"]))]
    merged: Bars = together[np.diff(together["start"], prepend=np.int64(-1)) != 0]
    return merged


def missing_minutes(bars: Bars, since: int, until: int) -> Seconds:
    """The minutes from `since` to before `until` that have no whole bar."""
    whole = bars["start"][(bars["flags"] & np.uint32(BarFlag.PARTIAL)) == 0]
    return np.setdiff1d(np.arange(since, until, MINUTE, dtype=np.int64), whole)


def _joined(bars: Bars, begins: Seconds) -> Bars:
    firsts = np.flatnonzero(np.diff(begins, prepend=np.int64(-1)))
    lasts = np.append(firsts[1:], len(bars)) - 1
    joined: Bars = bars[firsts]
    joined["start"] = begins[firsts]
    joined["high"] = np.maximum.reduceat(bars["high"], firsts)
    joined["low"] = np.minimum.reduceat(bars["low"], firsts)
    joined["close"] = bars["close"][lasts]
    joined["volume"] = np.add.reduceat(bars["volume"], firsts)
    joined["open_interest"] = bars["open_interest"][lasts]
    joined["flags"] = np.bitwise_or.reduceat(bars["flags"], firsts)
    return joined


def _has(rows: Rows, flag: TickFlag) -> Mask:
    has: Mask = (rows["flags"] & np.uint32(flag)) != 0
    return has


def _minute_of(seconds: Seconds) -> Seconds:
    return seconds // MINUTE * MINUTE


def _midnight_of(seconds: Seconds) -> Seconds:
    return _day_of(seconds) * DAY_SECONDS - IST_SECONDS


def _day_of(seconds: Seconds) -> Seconds:
    """Days since 1970 in India."""
    return (seconds + IST_SECONDS) // DAY_SECONDS
