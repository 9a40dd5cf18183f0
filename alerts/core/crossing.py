"""Which alerts fire: all of them beside a batch of ticks in one pass, every touch between two batches included.

An alert is *armed* while its level is ahead. A touch fires it; it is armed again when the last value is back on the
near side. Whether it is armed is stored with each firing, so that who starts again fires nothing twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.core.tick import TickFlag

PERCENT_SCALE = 10_000
"""A change is compared as change x this >= level x previous close: hundredths of a percent, without a division."""

Array = NDArray[np.int64]
Ticks = NDArray[np.void]


class Column(IntEnum):
    """What is watched. Levels are whole: paise, hundredths of a percent since the previous close, units."""

    LAST_PRICE = 1
    CHANGE_PERCENT = 2
    OPEN_INTEREST = 3
    VOLUME = 4


class Direction(IntEnum):
    """ABOVE fires at the level or beyond it upward, BELOW downward; also the sign that makes one of the two."""

    ABOVE = 1
    BELOW = -1


WATCHED = np.dtype(
    [
        ("id", "<i8"),
        ("revision", "<i8"),  # goes up with each change that is stored: who decided on an older one decided nothing
        ("code", "<u8"),
        ("column", "<i1"),
        ("direction", "<i1"),
        ("level", "<i8"),
        ("armed", "?"),
        ("quiet_until", "<f8"),  # seconds since 1970: a level that the price dances around is not told each time
        ("busy", "?"),  # a decision on it is not stored yet, and it waits for that
        ("fresh", "?"),  # no tick was seen since it was loaded
    ]
)


class Decision(NamedTuple):
    """What is to be stored of one alert. `reached` is the furthest value in its unit, `at` seconds since 1970."""

    id: int
    revision: int
    fires: bool
    armed: bool
    reached: int
    last_price: int
    at: float


class Reading(NamedTuple):
    """The values beside the levels, all signed so that further is greater: an alert below is one above, mirrored."""

    far: Array
    near: Array
    now: Array
    level: Array
    is_known: NDArray[np.bool_]


class Watch:
    """The alerts that are watched. `decide` keeps what it decided to itself until `stored` or `load`."""

    def __init__(self) -> None:
        self.rows = np.empty(0, WATCHED)
        self._held: dict[int, Ticks] = {}  # by id: what came meanwhile for who waits to be stored, as one tick

    def load(self, rows: NDArray[np.void], undecided: Collection[int] = ()) -> None:
        """Watch these from now on; those whose ids are `undecided` go on as they are here, if they are the same."""
        before = {(int(row["id"]), int(row["revision"])): row for row in self.rows}
        loaded = rows[np.argsort(rows["code"], kind="stable")]
        held, self._held = self._held, {}
        for row in loaded:
            known = before.get((int(row["id"]), int(row["revision"])))
            if known is not None and int(row["id"]) in held:
                self._held[int(row["id"])] = held[int(row["id"])]
            row["fresh"] = known is None or known["fresh"]
            if known is not None and int(row["id"]) in undecided:
                for name in ("armed", "busy", "quiet_until"):
                    row[name] = known[name]
        self.rows = loaded

    def fresh_codes(self) -> list[int]:
        """Instruments whose last known state somebody must look up: an alert on them has seen nothing yet."""
        codes: list[int] = np.unique(self.rows["code"][self.rows["fresh"]]).tolist()
        return codes

    def decide(self, ticks: Ticks, now: float, quiet_seconds: float) -> list[Decision]:
        """What a batch comes to: its low and high count, not only its last price."""
        return self._decide(ticks, np.ones(len(self.rows), np.bool_), now, quiet_seconds)

    def decide_on_last(self, ticks: Ticks, now: float, quiet_seconds: float, only_fresh: bool) -> list[Decision]:
        """The same of stored rows: their low and high are of a batch that was judged before, and count no more."""
        last = ticks.copy()
        last["low"] = last["high"] = 0
        among = self.rows["fresh"] if only_fresh else np.ones(len(self.rows), np.bool_)
        return self._decide(last, among, now, quiet_seconds)

    def decide_on_held(self, now: float, quiet_seconds: float) -> list[Decision]:
        """The same of what came while decisions were being stored: no touch of that time is lost either."""
        which = [place for place in np.flatnonzero(~self.rows["busy"]) if int(self.rows["id"][place]) in self._held]
        if not which:
            return []
        ticks = np.concatenate([self._held.pop(int(self.rows["id"][place])) for place in which])
        return self._judge(np.array(which, np.intp), ticks, now, quiet_seconds)

    def stored(self, revisions: Mapping[int, int]) -> None:
        """These are stored under these revisions. What else was decided waits for the next `load`."""
        for place in np.flatnonzero(self.rows["busy"]):
            row = self.rows[place]
            if int(row["id"]) in revisions:
                row["revision"], row["busy"] = revisions[int(row["id"])], False

    def _decide(self, ticks: Ticks, among: NDArray[np.bool_], now: float, quiet_seconds: float) -> list[Decision]:
        ticks = ticks[(ticks["flags"] & TickFlag.STALE) == 0]
        if not len(ticks) or not len(self.rows):
            return []
        ticks = ticks[np.argsort(ticks["code"])]
        places = np.minimum(np.searchsorted(ticks["code"], self.rows["code"]), len(ticks) - 1)
        is_meant = among & (ticks["code"][places] == self.rows["code"])
        for place in np.flatnonzero(is_meant & self.rows["busy"]):
            self._hold(int(self.rows["id"][place]), ticks[places[place] : places[place] + 1])
        which = np.flatnonzero(is_meant & ~self.rows["busy"])
        if not len(which):
            return []
        return self._judge(which, ticks[places[which]], now, quiet_seconds)

    def _hold(self, identity: int, tick: Ticks) -> None:
        before = self._held.get(identity)
        self._held[identity] = tick.copy() if before is None else joined(before, tick)

    def _judge(self, which: NDArray[np.intp], ticks: Ticks, now: float, quiet_seconds: float) -> list[Decision]:
        rows = self.rows[which]
        read = reading(rows, ticks)
        is_quiet = now < rows["quiet_until"]
        crossed, holds = crossings(read, rows["armed"])
        fires = crossed & ~is_quiet & read.is_known
        armed = np.where(read.is_known, ~holds | (crossed & is_quiet), rows["armed"])
        changed = fires | (armed != rows["armed"])
        self.rows["armed"][which] = armed
        self.rows["fresh"][which[read.is_known]] = False
        self.rows["busy"][which[changed]] = True
        self.rows["quiet_until"][which[fires]] = now + quiet_seconds
        reached = furthest(rows, read, ticks)
        return [
            Decision(
                int(rows["id"][at]), int(rows["revision"][at]), bool(fires[at]), bool(armed[at]), int(reached[at]),
                int(ticks["last_price"][at]), now,
            )
            for at in np.flatnonzero(changed)
        ]  # fmt: skip


def joined(first: Ticks, then: Ticks) -> Ticks:
    """Two ticks of one instrument as one: the later values, and the lowest and highest price of both."""
    tick = then.copy()
    lows = [np.where(each["low"] > 0, each["low"], each["last_price"]) for each in (first, then)]
    highs = [np.maximum(each["high"], each["last_price"]) for each in (first, then)]
    tick["low"], tick["high"] = np.minimum(*lows), np.maximum(*highs)
    return tick


def crossings(read: Reading, armed: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which crossed their level, and which are beyond it at the end. Who was beyond it already has to come back first:
    between two batches too, when the near end is short of the level and the last value beyond it again."""
    holds = read.now >= read.level
    return np.where(armed, read.far >= read.level, (read.near < read.level) & holds), holds


def reading(rows: NDArray[np.void], ticks: Ticks) -> Reading:
    """The low, high and last value of each alert's column. What nobody knows yet (0) is no value."""
    last = ticks["last_price"].astype(np.int64)
    low = np.where(ticks["low"] > 0, np.minimum(ticks["low"], last), last)
    high = np.maximum(ticks["high"], last)
    close = ticks["previous_close"].astype(np.int64)
    is_percent, is_price = rows["column"] == Column.CHANGE_PERCENT, rows["column"] <= Column.CHANGE_PERCENT
    count = np.where(rows["column"] == Column.VOLUME, ticks["volume"], ticks["open_interest"]).astype(np.int64)
    values = [
        np.where(is_percent, (price - close) * PERCENT_SCALE, np.where(is_price, price, count))
        for price in (low, high, last)
    ]
    low, high, last = values
    level = np.where(is_percent, rows["level"] * close, rows["level"])
    is_known = np.where(is_price, ticks["last_price"] > 0, count > 0) & (~is_percent | (close > 0))
    sign = rows["direction"].astype(np.int64)
    is_up = sign > 0
    return Reading(np.where(is_up, high, -low), np.where(is_up, low, -high), sign * last, sign * level, is_known)


def furthest(rows: NDArray[np.void], read: Reading, ticks: Ticks) -> Array:
    """The value that went furthest towards the level, in the column's unit."""
    far: Array = read.far * rows["direction"]
    close = np.maximum(ticks["previous_close"], 1).astype(np.float64)
    percent = np.rint(far / close).astype(np.int64)
    return np.where(rows["column"] == Column.CHANGE_PERCENT, percent, far)
