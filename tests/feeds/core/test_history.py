"""Pages of history: the same ones for every chart, no day twice, none left out, nothing of today."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.core.history import BASES, PAGE_WEEKS, Interval, first_day, page_of_today, pages
from feeds.core.instrument import ExchangeSegment, InstrumentKey

OPTION = InstrumentKey(ExchangeSegment.NSE_FNO, 49081)
TUESDAY = date(2026, 2, 3)
DAYS = st.dates(date(2021, 1, 1), date(2026, 12, 31))


def spans(base: Interval, first: date, end: date) -> list[tuple[str, str]]:
    return [(str(page.first), str(page.end)) for page in pages(OPTION, base, first, end, TUESDAY)]


def test_pages_by_the_minute_are_weeks_the_newest_first_and_end_yesterday() -> None:
    found = spans(Interval.ONE, date(2026, 1, 28), date(2026, 2, 4))
    assert found == [("2026-02-02", "2026-02-03"), ("2026-01-26", "2026-02-02")]


def test_nothing_is_asked_of_today_but_by_the_minute() -> None:
    assert spans(Interval.FIFTEEN, TUESDAY, date(2026, 2, 4)) == []
    page = page_of_today(OPTION, TUESDAY)
    assert (page.base, str(page.first), str(page.end)) == ("1", "2026-02-03", "2026-02-04")


@settings(max_examples=50)
@given(first=DAYS, length=st.integers(1, 100), base=st.sampled_from(sorted(PAGE_WEEKS)))
def test_pages_hold_every_day_once_and_two_charts_share_them(first: date, length: int, base: Interval) -> None:
    end, today = first + timedelta(days=length), date(2030, 1, 1)
    found = pages(OPTION, base, first, end, today)[::-1]
    assert found[0].first <= first < found[0].end
    assert found[-1].first < end <= found[-1].end
    assert all(one.end == two.first for one, two in pairwise(found))
    assert set(found) <= set(pages(OPTION, base, first - timedelta(days=90), end + timedelta(days=90), today))
    assert base is Interval.DAY or all(page.end - page.first <= timedelta(days=90) for page in found)


def test_dhan_is_never_asked_for_intervals_that_it_has_not() -> None:
    assert {base.value for base in BASES.values()} == {"1", "5", "15", "D"}


def test_so_many_bars_are_surely_had_from_the_first_day_on() -> None:
    assert first_day(TUESDAY, 500, 375) <= date(2026, 1, 30)
    assert (TUESDAY - first_day(TUESDAY, 500, 1)).days > 700
