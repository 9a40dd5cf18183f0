"""Trading days and session hours of NSE, BSE and MCX, effective-dated and answered as they were known."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from feeds.core.instrument import ExchangeSegment

IST = ZoneInfo("Asia/Kolkata")
DATA = Path(__file__).resolve().parent.parent / "data"
ONE_DAY = timedelta(days=1)
SATURDAY = 5
MCX_HALVES_MEET = time(17)
"""A commodity day has a morning and an evening; holidays often close only one of them."""
FIXED_HOLIDAYS = frozenset({(1, 26), (5, 1), (8, 15), (10, 2), (12, 25)})
"""(month, day) closed every year: all that is certain of a year whose list is not published yet."""
ALWAYS_KNOWN = date.min


class Exchange(StrEnum):
    """NSE and BSE publish the same trading days; MCX has its own."""

    NSE_BSE = "NSE_BSE"
    MCX = "MCX"


class Phase(StrEnum):
    """What the exchange does at a moment."""

    CLOSED = "CLOSED"
    CANCEL_ONLY = "CANCEL_ONLY"
    PRE_OPEN = "PRE_OPEN"
    PRE_OPEN_LIMIT_ONLY = "PRE_OPEN_LIMIT_ONLY"
    PRE_OPEN_MATCHING = "PRE_OPEN_MATCHING"
    BUFFER = "BUFFER"
    CONTINUOUS = "CONTINUOUS"
    CLOSING_REFERENCE = "CLOSING_REFERENCE"
    CLOSING_AUCTION = "CLOSING_AUCTION"
    CLOSING_LIMIT_ONLY = "CLOSING_LIMIT_ONLY"
    CLOSING_MATCHING = "CLOSING_MATCHING"
    POST_CLOSE = "POST_CLOSE"


PRE_OPEN_PHASES = frozenset({Phase.PRE_OPEN, Phase.PRE_OPEN_LIMIT_ONLY, Phase.PRE_OPEN_MATCHING})
TRADING_PHASES = frozenset(
    {
        Phase.CONTINUOUS,
        Phase.CLOSING_REFERENCE,
        Phase.CLOSING_AUCTION,
        Phase.CLOSING_LIMIT_ONLY,
        Phase.CLOSING_MATCHING,
    }
)
"""From the first to the last of these a segment is open; post-close trades at a fixed price do not count."""

GROUPS = {
    ExchangeSegment.NSE_EQ: "cash_with_derivatives",
    ExchangeSegment.BSE_EQ: "cash_with_derivatives",
    ExchangeSegment.NSE_FNO: "derivatives",
    ExchangeSegment.BSE_FNO: "derivatives",
    # An index is wanted for as long as its options trade.
    ExchangeSegment.IDX_I: "derivatives",
    ExchangeSegment.NSE_CURRENCY: "currency",
    ExchangeSegment.BSE_CURRENCY: "currency",
    ExchangeSegment.MCX_COMM: "mcx",
}
CASH_SEGMENTS = frozenset({ExchangeSegment.NSE_EQ, ExchangeSegment.BSE_EQ})


class BeyondCalendar(Exception):
    """Nothing may trade live on a day that no published calendar covers."""

    def __init__(self, exchange: Exchange, day: date, last_day: date) -> None:
        super().__init__(f"{day} is outside the {exchange} calendar, which ends on {last_day}")
        self.exchange, self.day, self.last_day = exchange, day, last_day


@dataclass(frozen=True)
class HolidayRecord:
    """A change announced after the shipped data: a row that an admin entered."""

    exchange: str
    day: date
    name: str
    morning_open: bool
    evening_open: bool
    known_from: date


@dataclass(frozen=True)
class DayRule:
    """How one day differs from a plain weekday. `opens` and `closes` None: the regime's own hours."""

    name: str
    known_from: date
    trades: bool
    hours_known: bool = True
    opens: time | None = None
    closes: time | None = None


class PhaseSpan(NamedTuple):
    """A phase and the aware datetimes it runs from and to (to is exclusive)."""

    phase: Phase
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Sessions:
    """One segment's day in aware IST datetimes.

    `open` starts continuous trading, `close` ends the last continuous or closing session, and
    `last_trade` is when contracts that expire on this day stop, at or before `close`.
    """

    pre_open: datetime | None
    open: datetime
    close: datetime
    last_trade: datetime
    phases: tuple[PhaseSpan, ...]


class Regime(NamedTuple):
    """The phases that a group of segments keeps from a day on."""

    start: date
    known_from: date
    phases: tuple[tuple[Phase, time, time], ...]
    expiring_close: time | None


class PublishedList(NamedTuple):
    """A stretch of days that an exchange has published the holidays of, and since when that was known."""

    first_day: date
    last_day: date
    known_from: date


class ExchangeDays(NamedTuple):
    """Everything known about one exchange's days; the rules of a date are in the order they became known."""

    lists: tuple[PublishedList, ...]
    rules: dict[date, list[DayRule]]
    settlement_holidays: frozenset[date]


class Calendar:
    """Answers about days and hours; `known_on` (a date) answers as one knew on that day, None with all we know.

    A day outside the published lists is answered provisionally: weekdays trade but for five fixed dates.
    """

    def __init__(self, days: dict[Exchange, ExchangeDays], regimes: dict[str, tuple[Regime, ...]]) -> None:
        self._days = days
        self._regimes = regimes

    @property
    def last_day(self) -> date:
        """The last day that every exchange has published."""
        return min(self.last_day_of(exchange) for exchange in Exchange)

    def last_day_of(self, exchange: str, known_on: date | None = None) -> date:
        """Where the published calendar of an exchange ends; the day before its first list if none was known yet."""
        lists = self._days[Exchange(exchange)].lists
        known = [published.last_day for published in lists if _is_known(published.known_from, known_on)]
        return max(known, default=lists[0].first_day - ONE_DAY)

    def covers(self, exchange: str, day: date, known_on: date | None = None) -> bool:
        """Whether the day was inside a published list; if not, answers about it are provisional."""
        return any(
            published.first_day <= day <= published.last_day and _is_known(published.known_from, known_on)
            for published in self._days[Exchange(exchange)].lists
        )

    def require_known(self, day: date, exchange: str = Exchange.NSE_BSE) -> None:
        """Refuse live trading on a day that no published list covers.

        Raises:
            BeyondCalendar: it is outside.
        """
        if not self.covers(exchange, day):
            raise BeyondCalendar(Exchange(exchange), day, self.last_day_of(exchange))

    def is_trading_day(self, exchange: str, day: date, known_on: date | None = None) -> bool:
        """Whether the exchange trades at all that day; a special session whose hours are unknown counts."""
        rule = self._rule(exchange, day, known_on)
        if rule is not None:
            return rule.trades
        if day.weekday() >= SATURDAY:
            return False
        return self.covers(exchange, day, known_on) or (day.month, day.day) not in FIXED_HOLIDAYS

    def is_settlement_day(self, exchange: str, day: date, known_on: date | None = None) -> bool:
        """Whether money and shares move that day: some trading days have no pay-in."""
        settles = day not in self._days[Exchange(exchange)].settlement_holidays
        return settles and day.weekday() < SATURDAY and self.is_trading_day(exchange, day, known_on)

    def previous_trading_day(self, exchange: str, day: date, known_on: date | None = None) -> date:
        """The last trading day strictly before the day."""
        return self._step(exchange, day, -ONE_DAY, known_on)

    def next_trading_day(self, exchange: str, day: date, known_on: date | None = None) -> date:
        """The first trading day strictly after the day."""
        return self._step(exchange, day, ONE_DAY, known_on)

    def day_name(self, exchange: str, day: date, known_on: date | None = None) -> str:
        """The holiday's or special session's name; empty for a plain day."""
        rule = self._rule(exchange, day, known_on)
        return rule.name if rule is not None else ""

    def sessions(
        self,
        segment: ExchangeSegment,
        day: date,
        known_on: date | None = None,
        has_derivatives: bool = True,
    ) -> Sessions | None:
        """A segment's phases on a day; None when it is closed or when its hours are not known.

        `has_derivatives` matters in the cash segments alone: since August 2026 only shares with
        derivatives end the day in a closing auction.
        """
        exchange = exchange_of(segment)
        rule = self._rule(exchange, day, known_on)
        if not self.is_trading_day(exchange, day, known_on) or (rule is not None and not rule.hours_known):
            return None
        regime = self._regime(_group(segment, has_derivatives), day, known_on)
        return _sessions(day, regime, rule)

    def close_at(
        self,
        segment: ExchangeSegment,
        day: date,
        has_derivatives: bool = True,
        known_on: date | None = None,
    ) -> datetime | None:
        """When the last continuous or closing session ends; None as in `sessions`."""
        sessions = self.sessions(segment, day, known_on, has_derivatives)
        return sessions.close if sessions is not None else None

    def phase(self, segment: ExchangeSegment, moment: datetime, has_derivatives: bool = True) -> Phase:
        """The phase at an aware moment; CLOSED between phases and on days that do not trade."""
        sessions = self.sessions(segment, moment.astimezone(IST).date(), has_derivatives=has_derivatives)
        spans = sessions.phases if sessions is not None else ()
        return next((span.phase for span in spans if span.start <= moment < span.end), Phase.CLOSED)

    def _rule(self, exchange: str, day: date, known_on: date | None) -> DayRule | None:
        rules = self._days[Exchange(exchange)].rules.get(day, [])
        return next((rule for rule in reversed(rules) if _is_known(rule.known_from, known_on)), None)

    def _step(self, exchange: str, day: date, step: timedelta, known_on: date | None) -> date:
        day += step
        while not self.is_trading_day(exchange, day, known_on):
            day += step
        return day

    def _regime(self, group: str, day: date, known_on: date | None) -> Regime:
        known = [regime for regime in self._regimes[group] if _is_known(regime.known_from, known_on)]
        position = bisect_right(known, day, key=lambda regime: regime.start)
        return known[max(position - 1, 0)]


def exchange_of(segment: ExchangeSegment) -> Exchange:
    """Whose trading days a segment keeps."""
    return Exchange.MCX if segment == ExchangeSegment.MCX_COMM else Exchange.NSE_BSE


def shipped_calendar(extra: Iterable[HolidayRecord] = ()) -> Calendar:
    """The calendar of `feeds/data/{holidays,sessions}.json`, with an admin's rows on top."""
    records = list(extra)
    days = {exchange: _read_days(exchange, records) for exchange in Exchange}
    return Calendar(days, _shipped_regimes())


def read_data(name: str) -> Any:
    """One of the JSON files that ship in `feeds/data`."""
    return json.loads((DATA / name).read_text(encoding="utf-8"))


def _is_known(known_from: date, known_on: date | None) -> bool:
    return known_on is None or known_from <= known_on


def _group(segment: ExchangeSegment, has_derivatives: bool) -> str:
    return "cash" if segment in CASH_SEGMENTS and not has_derivatives else GROUPS[segment]


def _sessions(day: date, regime: Regime, rule: DayRule | None) -> Sessions | None:
    spans = tuple(
        PhaseSpan(phase, datetime.combine(day, start, IST), datetime.combine(day, end, IST))
        for phase, start, end in _phases_of_day(regime, rule)
    )
    trading = [span for span in spans if span.phase in TRADING_PHASES]
    close = trading[-1].end
    expiring = datetime.combine(day, regime.expiring_close, IST) if regime.expiring_close else close
    pre_open = next((span.start for span in spans if span.phase in PRE_OPEN_PHASES), None)
    return Sessions(pre_open, trading[0].start, close, min(expiring, close), spans)


def _phases_of_day(regime: Regime, rule: DayRule | None) -> tuple[tuple[Phase, time, time], ...]:
    """The regime's phases, or one continuous session when the day has hours of its own."""
    if rule is None or (rule.opens is None and rule.closes is None):
        return regime.phases
    trading = [phase for phase in regime.phases if phase[0] in TRADING_PHASES]
    return ((Phase.CONTINUOUS, rule.opens or trading[0][1], rule.closes or trading[-1][2]),)


def _read_days(exchange: Exchange, extra: list[HolidayRecord]) -> ExchangeDays:
    data = _shipped_holidays()[exchange]
    rules: dict[date, list[DayRule]] = {}
    for day, rule in (*_shipped_rules(data), *_admin_rules(exchange, extra)):
        rules.setdefault(day, []).append(rule)
    for same_day in rules.values():
        same_day.sort(key=lambda rule: rule.known_from)  # stable: at a tie the later row, the admin's, counts
    lists = tuple(
        PublishedList(*(date.fromisoformat(entry[field]) for field in ("from", "to", "known_from")))
        for entry in data["lists"]
    )
    return ExchangeDays(lists, rules, frozenset(map(date.fromisoformat, data["settlement_holidays"])))


def _shipped_rules(data: Any) -> Iterator[tuple[date, DayRule]]:
    rows = [(row, entry["known_from"]) for entry in data["lists"] for row in entry["days"]]
    rows += [(row, row["known_from"]) for row in data["changes"]]
    for row, known_from in rows:
        yield date.fromisoformat(row["date"]), _rule(row, date.fromisoformat(known_from))


def _rule(row: Any, known_from: date) -> DayRule:
    trades = row.get("trades", "CLOSED")
    if isinstance(trades, list):
        opens, closes = map(time.fromisoformat, trades)
        return DayRule(row["name"], known_from, trades=True, opens=opens, closes=closes)
    return DayRule(
        row["name"],
        known_from,
        trades=trades != "CLOSED",
        hours_known=trades != "HOURS_UNKNOWN",
        opens=MCX_HALVES_MEET if trades == "EVENING" else None,
        closes=MCX_HALVES_MEET if trades == "MORNING" else None,
    )


def _admin_rules(exchange: Exchange, extra: list[HolidayRecord]) -> Iterator[tuple[date, DayRule]]:
    for record in extra:
        if record.exchange == exchange:
            yield record.day, _rule({"name": record.name, "trades": _trades(record)}, record.known_from)


def _trades(record: HolidayRecord) -> str:
    """An admin's two ticks in the words of the data; NSE and BSE have one session, told by the morning's."""
    if record.exchange == Exchange.NSE_BSE:
        return "NORMAL" if record.morning_open else "CLOSED"
    if record.morning_open:
        return "NORMAL" if record.evening_open else "MORNING"
    return "EVENING" if record.evening_open else "CLOSED"


@cache
def _shipped_holidays() -> Any:
    return read_data("holidays.json")


@cache
def _shipped_regimes() -> dict[str, tuple[Regime, ...]]:
    data = read_data("sessions.json")
    return {group: tuple(map(_regime, data[group])) for group in {*GROUPS.values(), "cash"}}


def _regime(row: Any) -> Regime:
    return Regime(
        start=date.fromisoformat(row["from"]),
        known_from=date.fromisoformat(row["known_from"]) if "known_from" in row else ALWAYS_KNOWN,
        phases=tuple(
            (Phase(phase), time.fromisoformat(start), time.fromisoformat(end)) for phase, start, end in row["phases"]
        ),
        expiring_close=time.fromisoformat(row["expiring_close"]) if "expiring_close" in row else None,
    )
