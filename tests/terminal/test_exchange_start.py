"""Where exchange time starts: first, again, after the close, by wish, never backwards."""

from __future__ import annotations

from datetime import datetime

import pytest

from feeds.clock import IST
from feeds.core.calendar import shipped_calendar
from terminal.exchange_start import TimeGoesBack, choose_start, read_at

CALENDAR = shipped_calendar()


def at(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=IST)


def test_the_first_start_is_the_reference_date_at_ten():
    assert choose_start(None, None, CALENDAR) == at("2026-02-03 10:00")


def test_a_later_start_goes_on_where_it_stopped():
    assert choose_start(None, at("2026-02-03 11:42"), CALENDAR) == at("2026-02-03 11:42")


def test_after_the_close_it_goes_on_at_the_next_trading_day():
    assert choose_start(None, at("2026-02-03 15:30"), CALENDAR) == at("2026-02-04 09:15")


@pytest.mark.parametrize("friday", ["2026-02-06 15:31", "2026-02-06 23:59", "2026-02-07 10:00"])
def test_a_weekend_is_stepped_over(friday):
    assert choose_start(None, at(friday), CALENDAR) == at("2026-02-09 09:15")


def test_a_holiday_is_stepped_over():
    assert choose_start(None, at("2026-03-02 15:45"), CALENDAR) == at("2026-03-04 09:15")


def test_a_wish_ahead_of_the_reached_time_is_granted():
    assert choose_start(at("2026-02-03 15:29"), at("2026-02-03 10:05"), CALENDAR) == at("2026-02-03 15:29")


def test_time_never_goes_back():
    with pytest.raises(TimeGoesBack, match="2026-02-03 15:29:00"):
        choose_start(at("2026-02-03 10:00"), at("2026-02-03 15:29"), CALENDAR)


def test_a_wish_is_read_with_or_without_seconds():
    assert read_at("2026-02-03 15:29") == read_at("2026-02-03 15:29:00") == at("2026-02-03 15:29")


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-02-30 10:00", "2026-02-03"])
def test_anything_else_is_refused_in_words(text):
    with pytest.raises(ValueError, match="YYYY-MM-DD HH:MM"):
        read_at(text)
