"""Trading days and hours, as they are and as they were known."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import exchange_calendars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.core.calendar import (
    IST,
    BeyondCalendar,
    Calendar,
    Exchange,
    HolidayRecord,
    Phase,
    exchange_of,
    shipped_calendar,
)
from feeds.core.instrument import ExchangeSegment

NSE_EQ, NSE_FNO, BSE_FNO, MCX = (
    ExchangeSegment.NSE_EQ,
    ExchangeSegment.NSE_FNO,
    ExchangeSegment.BSE_FNO,
    ExchangeSegment.MCX_COMM,
)
NSE_BSE = Exchange.NSE_BSE
CALENDAR = shipped_calendar()
ANY_DAY = st.dates(date(2025, 1, 1), date(2032, 12, 31))
WHOLE_2026 = [date(2026, 1, 1) + timedelta(days=offset) for offset in range(365)]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=IST)


def close(segment: ExchangeSegment, day: str, **options: object) -> str | None:
    moment = CALENDAR.close_at(segment, date.fromisoformat(day), **options)  # type: ignore[arg-type]
    return f"{moment:%H:%M}" if moment else None


def test_2026_has_245_weekday_sessions_and_two_sundays() -> None:
    days = [day for day in WHOLE_2026 if CALENDAR.is_trading_day(NSE_BSE, day)]
    assert len([day for day in days if day.weekday() < 5]) == 245
    assert [day for day in days if day.weekday() >= 5] == [date(2026, 2, 1), date(2026, 11, 8)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pandas, inside exchange-calendars
def test_we_agree_with_exchange_calendars_but_for_the_special_sessions() -> None:
    theirs = exchange_calendars.get_calendar("XBOM", start="2025-01-01", end="2026-12-31")
    sessions = {stamp.date() for stamp in theirs.sessions}
    days = [date(2025, 1, 1) + timedelta(days=offset) for offset in range(730)]
    ours = {day for day in days if CALENDAR.is_trading_day(NSE_BSE, day)}
    assert sessions - ours == set()
    assert ours - sessions == {
        date(2025, 2, 1),  # Budget on a Saturday: a full session
        date(2025, 10, 21),  # Muhurat, 13:45 to 14:45
        date(2026, 2, 1),  # Budget on a Sunday: a full session
        date(2026, 11, 8),  # Muhurat on a Sunday, hours not announced
    }


def test_a_holiday_declared_late_was_a_trading_day_until_then() -> None:
    election = date(2026, 1, 15)
    assert CALENDAR.is_trading_day(NSE_BSE, election, known_on=date(2026, 1, 10))
    assert not CALENDAR.is_trading_day(NSE_BSE, election, known_on=date(2026, 1, 12))
    assert not CALENDAR.is_trading_day(NSE_BSE, election)
    assert CALENDAR.previous_trading_day(NSE_BSE, date(2026, 1, 16)) == date(2026, 1, 14)
    assert CALENDAR.previous_trading_day(NSE_BSE, date(2026, 1, 16), known_on=date(2026, 1, 10)) == election


def test_the_next_years_list_was_not_known_in_november() -> None:
    in_november = date(2025, 11, 6)
    assert CALENDAR.last_day_of(NSE_BSE, known_on=in_november) == date(2025, 12, 31)
    assert CALENDAR.is_trading_day(NSE_BSE, date(2026, 3, 26), known_on=in_november)
    assert not CALENDAR.is_trading_day(NSE_BSE, date(2026, 3, 26))


def test_the_budget_sunday_was_announced_in_january() -> None:
    assert not CALENDAR.is_trading_day(NSE_BSE, date(2026, 2, 1), known_on=date(2026, 1, 15))
    assert close(NSE_FNO, "2026-02-01") == "15:30"
    assert close(MCX, "2026-02-01") == "17:00"


def test_a_muhurat_session_without_hours_is_not_tradable() -> None:
    muhurat = date(2026, 11, 8)
    assert CALENDAR.is_trading_day(NSE_BSE, muhurat)
    assert CALENDAR.sessions(NSE_FNO, muhurat) is None
    assert CALENDAR.close_at(NSE_FNO, muhurat) is None
    assert CALENDAR.phase(NSE_FNO, at("2026-11-08 18:30")) is Phase.CLOSED


def test_a_muhurat_session_with_hours_is_one_continuous_hour() -> None:
    sessions = CALENDAR.sessions(NSE_FNO, date(2025, 10, 21))
    assert sessions is not None
    assert (sessions.open, sessions.close) == (at("2025-10-21 13:45"), at("2025-10-21 14:45"))
    assert sessions.pre_open is None
    assert [span.phase for span in sessions.phases] == [Phase.CONTINUOUS]


@pytest.mark.parametrize(
    ("segment", "day", "expected"),
    [
        (NSE_FNO, "2025-12-05", "15:30"),
        (NSE_FNO, "2026-02-03", "15:30"),
        (BSE_FNO, "2026-07-31", "15:30"),
        (NSE_FNO, "2026-08-03", "15:40"),
        (BSE_FNO, "2026-12-04", "15:40"),
        (NSE_FNO, "2026-12-07", "15:45"),
        (NSE_EQ, "2026-02-03", "15:30"),
        (NSE_EQ, "2026-08-03", "15:35"),
        (NSE_EQ, "2026-12-07", "15:40"),
        (ExchangeSegment.IDX_I, "2026-08-03", "15:40"),
        (ExchangeSegment.NSE_CURRENCY, "2026-02-03", "17:00"),
        (MCX, "2026-02-03", "23:55"),
        (MCX, "2026-03-06", "23:55"),
        (MCX, "2026-03-09", "23:30"),
        (MCX, "2026-10-30", "23:30"),
        (MCX, "2026-11-02", "23:55"),
    ],
)
def test_the_close_follows_the_regime_of_the_day(segment: ExchangeSegment, day: str, expected: str) -> None:
    assert close(segment, day) == expected


def test_a_share_without_derivatives_has_no_closing_auction() -> None:
    assert close(NSE_EQ, "2026-08-03", has_derivatives=False) == "15:30"
    moment = at("2026-08-03 15:22")
    assert CALENDAR.phase(NSE_EQ, moment) is Phase.CLOSING_AUCTION
    assert CALENDAR.phase(NSE_EQ, moment, has_derivatives=False) is Phase.CONTINUOUS


def test_nobody_knew_of_the_longer_session_in_february() -> None:
    assert close(NSE_FNO, "2026-08-03", known_on=date(2026, 2, 3)) == "15:30"
    assert close(NSE_FNO, "2026-08-03", known_on=date(2026, 5, 29)) == "15:40"


def test_expiring_contracts_stop_earlier_in_regime_c() -> None:
    regime_b, regime_c = (CALENDAR.sessions(NSE_FNO, day) for day in (date(2026, 12, 1), date(2026, 12, 8)))
    assert regime_b is not None
    assert regime_c is not None
    assert regime_b.last_trade == regime_b.close == at("2026-12-01 15:40")
    assert (regime_c.last_trade, regime_c.close) == (at("2026-12-08 15:30"), at("2026-12-08 15:45"))


@pytest.mark.parametrize(
    ("segment", "moment", "phase"),
    [
        (NSE_EQ, "2026-02-03 08:59:59", Phase.CLOSED),
        (NSE_EQ, "2026-02-03 09:00", Phase.PRE_OPEN),
        (NSE_EQ, "2026-02-03 09:08", Phase.PRE_OPEN_MATCHING),
        (NSE_EQ, "2026-02-03 09:12", Phase.BUFFER),
        (NSE_EQ, "2026-02-03 09:15", Phase.CONTINUOUS),
        (NSE_EQ, "2026-02-03 15:30", Phase.CLOSED),
        (NSE_EQ, "2026-02-03 15:45", Phase.POST_CLOSE),
        (NSE_EQ, "2026-09-07 09:06", Phase.PRE_OPEN_LIMIT_ONLY),
        (NSE_EQ, "2026-08-03 15:17", Phase.CLOSING_REFERENCE),
        (NSE_EQ, "2026-08-03 15:26", Phase.CLOSING_LIMIT_ONLY),
        (NSE_EQ, "2026-08-03 15:31", Phase.CLOSING_MATCHING),
        (NSE_FNO, "2025-12-05 09:05", Phase.CLOSED),
        (NSE_FNO, "2025-12-08 09:05", Phase.PRE_OPEN),
        (NSE_FNO, "2026-02-03 15:29:59", Phase.CONTINUOUS),
        (NSE_FNO, "2026-01-26 12:00", Phase.CLOSED),
        (MCX, "2026-02-03 08:50", Phase.CANCEL_ONLY),
        (MCX, "2026-02-03 23:54", Phase.CONTINUOUS),
        (MCX, "2026-03-03 12:00", Phase.CLOSED),
        (MCX, "2026-03-03 17:00", Phase.CONTINUOUS),
        (MCX, "2026-01-01 16:59", Phase.CONTINUOUS),
        (MCX, "2026-01-01 17:00", Phase.CLOSED),
    ],
)
def test_the_phase_of_a_moment(segment: ExchangeSegment, moment: str, phase: Phase) -> None:
    assert CALENDAR.phase(segment, at(moment)) is phase


def test_a_phase_is_the_same_moment_in_any_time_zone() -> None:
    assert CALENDAR.phase(NSE_FNO, datetime(2026, 2, 3, 4, 0, tzinfo=ZoneInfo("UTC"))) is Phase.CONTINUOUS


def test_the_mcx_evening_follows_daylight_saving_in_new_york() -> None:
    for day in (day for day in WHOLE_2026 if day.weekday() < 5 and CALENDAR.is_trading_day(Exchange.MCX, day)):
        sessions = CALENDAR.sessions(MCX, day)
        assert sessions is not None
        summer = datetime.combine(day, time(12), ZoneInfo("America/New_York")).dst()
        evening_close = "17:00" if day == date(2026, 1, 1) else "23:30" if summer else "23:55"
        assert f"{sessions.close:%H:%M}" == evening_close


def test_a_holiday_may_close_only_one_half_of_a_commodity_day() -> None:
    assert CALENDAR.is_trading_day(Exchange.MCX, date(2026, 3, 3))
    assert not CALENDAR.is_trading_day(NSE_BSE, date(2026, 3, 3))
    assert not CALENDAR.is_trading_day(Exchange.MCX, date(2026, 4, 3))


def test_settlement_holidays_trade_without_settling() -> None:
    for day in (date(2026, 2, 1), date(2026, 2, 19), date(2026, 3, 19), date(2026, 4, 1), date(2026, 8, 26)):
        assert CALENDAR.is_trading_day(NSE_BSE, day)
        assert not CALENDAR.is_settlement_day(NSE_BSE, day)
    assert CALENDAR.is_settlement_day(NSE_BSE, date(2026, 2, 3))


def test_live_trading_is_refused_beyond_the_end_of_the_calendar() -> None:
    assert CALENDAR.last_day == date(2026, 12, 31)
    CALENDAR.require_known(date(2026, 12, 31))
    with pytest.raises(BeyondCalendar, match="2027-01-01 is outside the NSE_BSE calendar, which ends on 2026-12-31"):
        CALENDAR.require_known(date(2027, 1, 1))
    with pytest.raises(BeyondCalendar):
        CALENDAR.require_known(date(2025, 6, 2), Exchange.MCX)  # its list of 2025 is not shipped


@pytest.mark.parametrize("day", ["2028-01-26", "2029-05-01", "2029-08-15", "2028-10-02", "2029-12-25"])
def test_beyond_the_calendar_only_the_fixed_holidays_are_skipped(day: str) -> None:
    closed = date.fromisoformat(day)
    assert closed.weekday() < 5
    assert not CALENDAR.covers(NSE_BSE, closed)
    assert not CALENDAR.is_trading_day(NSE_BSE, closed)


def announce(day: date, known_from: date, exchange: str = "NSE_BSE", morning: bool = False, evening: bool = False):
    return shipped_calendar([HolidayRecord(exchange, day, "announced", morning, evening, known_from)])


def test_an_admins_holiday_closes_a_day_from_when_it_was_announced() -> None:
    mourning = date(2026, 7, 6)
    calendar = announce(mourning, known_from=date(2026, 7, 5))
    assert not calendar.is_trading_day(NSE_BSE, mourning)
    assert calendar.is_trading_day(NSE_BSE, mourning, known_on=date(2026, 7, 4))
    assert calendar.is_trading_day(Exchange.MCX, mourning)
    assert calendar.day_name(NSE_BSE, mourning) == "announced"


def test_an_admins_row_outweighs_a_shipped_one_known_on_the_same_day() -> None:
    calendar = announce(date(2026, 3, 3), known_from=date(2025, 12, 23), morning=True)
    assert calendar.is_trading_day(NSE_BSE, date(2026, 3, 3))


def test_an_admin_can_close_half_a_commodity_day() -> None:
    day = date(2026, 7, 6)
    morning = announce(day, date(2026, 7, 5), "MCX", morning=True).sessions(MCX, day)
    evening = announce(day, date(2026, 7, 5), "MCX", evening=True).sessions(MCX, day)
    assert morning is not None
    assert evening is not None
    assert (morning.open, morning.close) == (at("2026-07-06 09:00"), at("2026-07-06 17:00"))
    assert (evening.open, evening.close) == (at("2026-07-06 17:00"), at("2026-07-06 23:30"))


@given(day=ANY_DAY, exchange=st.sampled_from(Exchange))
def test_the_next_day_is_a_trading_day_with_none_between(day: date, exchange: Exchange) -> None:
    following = CALENDAR.next_trading_day(exchange, day)
    assert following > day
    assert CALENDAR.is_trading_day(exchange, following)
    between = (day + timedelta(days=offset) for offset in range(1, (following - day).days))
    assert not any(CALENDAR.is_trading_day(exchange, each) for each in between)


@given(day=ANY_DAY, segment=st.sampled_from(ExchangeSegment), has_derivatives=st.booleans())
def test_a_segment_with_sessions_is_open_in_order_within_its_day(
    day: date, segment: ExchangeSegment, has_derivatives: bool
) -> None:
    sessions = CALENDAR.sessions(segment, day, has_derivatives=has_derivatives)
    if sessions is None:
        return
    assert CALENDAR.is_trading_day(exchange_of(segment), day)
    assert sessions.open < sessions.last_trade <= sessions.close
    assert sessions.close.date() == day
    ends = [span.end for span in sessions.phases]
    starts = [span.start for span in sessions.phases]
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))


def test_building_a_calendar_leaves_the_shipped_one_as_it_was() -> None:
    announce(date(2026, 7, 6), known_from=date(2026, 7, 5))
    assert shipped_calendar().is_trading_day(NSE_BSE, date(2026, 7, 6))
    assert isinstance(CALENDAR, Calendar)
