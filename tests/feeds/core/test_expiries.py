"""Expiry slots against real listings, the reference date and every trading day of 2026."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.core.calendar import Exchange, shipped_calendar
from feeds.core.chains import SHIPPED_CHAINS, Chain, Sides
from feeds.core.expiries import (
    NOT_KNOWN,
    SlotKind,
    Slots,
    commodity_futures,
    commodity_option_expiry,
    expiry_dates,
    expiry_slots,
)
from feeds.core.instrument import ExchangeSegment

NSE, BSE, MCX = ExchangeSegment.NSE_FNO, ExchangeSegment.BSE_FNO, ExchangeSegment.MCX_COMM
CALENDAR = shipped_calendar()
REFERENCE_DATE = date(2026, 2, 3)
CHAINS = {chain.underlying: chain for chain in SHIPPED_CHAINS}

NIFTY_LISTED = Slots(weekly=4, monthly=3, quarterly=3, half_yearly=8)
SENSEX_LISTED = Slots(weekly=7, weekly_counts_monthly_week=True, monthly=3, quarterly=3, half_yearly=8)
BANKNIFTY_LISTED = Slots(monthly=3, quarterly=3)
THREE_MONTHS = Slots(monthly=3)


def dates(underlying: str, segment: ExchangeSegment, slots: Slots, day: str | date) -> list[str]:
    on = date.fromisoformat(day) if isinstance(day, str) else day
    return [expiry.isoformat() for expiry in expiry_dates(expiry_slots(underlying, segment, slots, on, CALENDAR))]


def chain_slots(underlying: str, day: date):
    chain = CHAINS[underlying]
    return expiry_slots(underlying, chain.segment, chain.slots, day, CALENDAR)


# What instrument masters of brokers really held, by the trading date they stood for.
OBSERVED = [
    (
        "2025-10-17",
        "SENSEX",
        BSE,
        SENSEX_LISTED,
        "2025-10-23 2025-10-30 2025-11-06 2025-11-13 2025-11-20 2025-11-27 2025-12-04 2025-12-24 2026-03-26 2026-06-25"
        " 2026-09-24 2026-12-31 2027-06-24 2027-12-30 2028-06-29 2028-12-28 2029-06-28 2029-12-27 2030-06-27",
    ),
    ("2025-10-17", "BANKEX", BSE, THREE_MONTHS, "2025-10-30 2025-11-27 2025-12-24"),
    (
        "2025-10-27",
        "SENSEX",
        BSE,
        SENSEX_LISTED,
        "2025-10-30 2025-11-06 2025-11-13 2025-11-20 2025-11-27 2025-12-04 2025-12-11 2025-12-24 2026-03-26 2026-06-25"
        " 2026-09-24 2026-12-31 2027-06-24 2027-12-30 2028-06-29 2028-12-28 2029-06-28 2029-12-27 2030-06-27",
    ),
    ("2025-10-27", "BANKEX", BSE, THREE_MONTHS, "2025-10-30 2025-11-27 2025-12-24"),
    (
        "2025-11-06",
        "SENSEX",
        BSE,
        SENSEX_LISTED,
        "2025-11-06 2025-11-13 2025-11-20 2025-11-27 2025-12-04 2025-12-11 2025-12-18 2025-12-24 2026-01-29 2026-03-26"
        " 2026-06-25 2026-09-24 2026-12-31 2027-06-24 2027-12-30 2028-06-29 2028-12-28 2029-06-28 2029-12-27"
        " 2030-06-27",
    ),
    ("2025-11-06", "BANKEX", BSE, THREE_MONTHS, "2025-11-27 2025-12-24 2026-01-29"),
    (
        "2025-11-11",
        "SENSEX",
        BSE,
        SENSEX_LISTED,
        "2025-11-13 2025-11-20 2025-11-27 2025-12-04 2025-12-11 2025-12-18 2025-12-24 2026-01-29 2026-03-26 2026-06-25"
        " 2026-09-24 2026-12-31 2027-06-24 2027-12-30 2028-06-29 2028-12-28 2029-06-28 2029-12-27 2030-06-27",
    ),
    ("2025-11-11", "BANKEX", BSE, THREE_MONTHS, "2025-11-27 2025-12-24 2026-01-29"),
    (
        "2026-03-05",
        "SENSEX",
        BSE,
        SENSEX_LISTED,
        "2026-03-05 2026-03-12 2026-03-19 2026-03-25 2026-04-02 2026-04-09 2026-04-16 2026-04-30 2026-05-27 2026-06-25"
        " 2026-09-24 2026-12-31 2027-06-24 2027-12-30 2028-06-29 2028-12-28 2029-06-28 2029-12-27 2030-06-27"
        " 2030-12-26",
    ),
    ("2026-03-05", "BANKEX", BSE, THREE_MONTHS, "2026-03-25 2026-04-30 2026-05-27"),
    (
        "2026-03-24",
        "SENSEX",
        BSE,
        SENSEX_LISTED,
        "2026-03-25 2026-04-02 2026-04-09 2026-04-16 2026-04-23 2026-04-30 2026-05-07 2026-05-27 2026-06-25 2026-09-24"
        " 2026-12-31 2027-06-24 2027-12-30 2028-06-29 2028-12-28 2029-06-28 2029-12-27 2030-06-27 2030-12-26",
    ),
    ("2026-03-24", "BANKEX", BSE, THREE_MONTHS, "2026-03-25 2026-04-30 2026-05-27"),
    (
        "2026-08-19",
        "SENSEX",
        BSE,
        SENSEX_LISTED,
        "2026-08-20 2026-08-27 2026-09-03 2026-09-10 2026-09-17 2026-09-24 2026-10-01 2026-10-29 2026-12-31 2027-03-25"
        " 2027-06-24 2027-12-30 2028-06-29 2028-12-28 2029-06-28 2029-12-27 2030-06-27 2030-12-26 2031-06-26",
    ),
    ("2026-08-19", "BANKEX", BSE, THREE_MONTHS, "2026-08-27 2026-09-24 2026-10-29"),
    (
        "2026-08-18",
        "NIFTY",
        NSE,
        NIFTY_LISTED,
        "2026-08-18 2026-08-25 2026-09-01 2026-09-08 2026-09-15 2026-09-29 2026-10-27 2026-12-29 2027-03-30 2027-06-29"
        " 2027-12-28 2028-06-27 2028-12-26 2029-06-26 2029-12-24 2030-06-25 2030-12-31 2031-06-24",
    ),
    (
        "2026-08-18",
        "BANKNIFTY",
        NSE,
        BANKNIFTY_LISTED,
        "2026-08-25 2026-09-29 2026-10-27 2026-12-29 2027-03-30 2027-06-29",
    ),
    ("2026-08-18", "FINNIFTY", NSE, THREE_MONTHS, "2026-08-25 2026-09-29 2026-10-27"),
    ("2026-08-18", "MIDCPNIFTY", NSE, THREE_MONTHS, "2026-08-25 2026-09-29 2026-10-27"),
    (
        "2026-08-18",
        "SENSEX",
        BSE,
        SENSEX_LISTED,
        "2026-08-20 2026-08-27 2026-09-03 2026-09-10 2026-09-17 2026-09-24 2026-10-01 2026-10-29 2026-12-31 2027-03-25"
        " 2027-06-24 2027-12-30 2028-06-29 2028-12-28 2029-06-28 2029-12-27 2030-06-27 2030-12-26 2031-06-26",
    ),
    ("2026-08-18", "BANKEX", BSE, THREE_MONTHS, "2026-08-27 2026-09-24 2026-10-29"),
]


@pytest.mark.parametrize(("day", "underlying", "segment", "slots", "expected"), OBSERVED)
def test_the_rule_reproduces_what_masters_listed(
    day: str, underlying: str, segment: ExchangeSegment, slots: Slots, expected: str
) -> None:
    assert dates(underlying, segment, slots, day) == expected.split()


@pytest.mark.parametrize(
    ("underlying", "expected"),
    [
        (
            "NIFTY",
            "2026-02-03 2026-02-10 2026-02-17 2026-02-24 2026-03-02 2026-03-30 2026-04-28 2026-06-30 2026-09-29"
            " 2026-12-29 2027-06-29 2027-12-28 2028-06-27 2028-12-26 2029-06-26",
        ),
        (
            "BANKNIFTY",
            "2026-02-24 2026-03-30 2026-04-28 2026-06-30 2026-09-29 2026-12-29 2027-06-29 2027-12-28 2028-06-27",
        ),
        ("SENSEX", "2026-02-05 2026-02-12 2026-02-19 2026-02-26 2026-03-25 2026-04-30 2026-06-25"),
        ("FINNIFTY", "2026-02-03 2026-02-10 2026-02-17 2026-02-24 2026-03-30 2026-04-28 2026-06-30"),
        ("MIDCPNIFTY", "2026-02-03 2026-02-10 2026-02-17 2026-02-24 2026-03-30 2026-04-28 2026-06-30"),
        ("BANKEX", "2026-02-05 2026-02-12 2026-02-19 2026-02-26 2026-03-25 2026-04-30 2026-06-25"),
        ("CRUDEOIL", "2026-02-17 2026-03-17 2026-04-16 2026-05-14"),
        ("NATURALGAS", "2026-02-20 2026-03-24 2026-04-23 2026-05-22"),
    ],
)
def test_the_expiries_of_the_shipped_chains_on_the_reference_date(underlying: str, expected: str) -> None:
    chain = CHAINS[underlying]
    assert dates(underlying, chain.segment, chain.slots, REFERENCE_DATE) == expected.split()


def test_a_weekly_slot_and_a_monthly_slot_may_name_one_date() -> None:
    slots = chain_slots("SENSEX", REFERENCE_DATE)
    named = [slot for slot in slots if slot.expiry == date(2026, 2, 26)]
    assert [(slot.kind, slot.rank) for slot in named] == [(SlotKind.WEEKLY, 4), (SlotKind.MONTHLY, 1)]
    assert len(slots) == 8
    assert len(expiry_dates(slots)) == 7


def test_slots_come_by_kind_and_count_from_one() -> None:
    slots = chain_slots("NIFTY", REFERENCE_DATE)
    assert [(slot.kind, slot.rank) for slot in slots] == [
        *((SlotKind.WEEKLY, rank) for rank in (1, 2, 3, 4)),
        *((SlotKind.MONTHLY, rank) for rank in (1, 2, 3)),
        *((SlotKind.QUARTERLY, rank) for rank in (1, 2, 3)),
        *((SlotKind.HALF_YEARLY, rank) for rank in (1, 2, 3, 4, 5)),
    ]


def index_contracts(chain: Chain, day: date) -> int:
    return len(expiry_dates(expiry_slots(chain.underlying, chain.segment, chain.slots, day, CALENDAR))) * 42


def test_2272_holds_on_211_of_the_245_weekdays_of_2026_as_they_were_known() -> None:
    indices = [chain for chain in SHIPPED_CHAINS if chain.sides is Sides.BOTH]
    commodities = 2 * 44
    days = [date(2026, 1, 1) + timedelta(days=offset) for offset in range(365)]
    weekdays = [day for day in days if day.weekday() < 5 and CALENDAR.is_trading_day(Exchange.NSE_BSE, day)]
    totals = Counter(sum(index_contracts(chain, day) for chain in indices) + commodities for day in weekdays)
    assert totals == {2272: 211, 2356: 31, 2440: 3}


@pytest.mark.parametrize(
    ("day", "slots", "expected"),
    [
        ("2026-03-02", Slots(weekly=1), "2026-03-02"),  # Tuesday 3 March is Holi
        ("2026-03-03", Slots(weekly=1), "2026-03-10"),
        ("2026-03-25", Slots(monthly=1), "2026-03-30"),  # Tuesday 31 March is Mahavir Jayanti
        ("2029-12-03", Slots(monthly=1), "2029-12-24"),  # Christmas is known years ahead
        (
            "2025-08-26",
            Slots(weekly=2, weekly_counts_monthly_week=True),
            "2025-08-28 2025-09-02",
        ),  # Thursday to Tuesday
        ("2025-06-24", Slots(monthly=4), "2025-06-26 2025-07-31 2025-08-28 2025-09-25"),  # the day before it was known
    ],
)
def test_nifty_moves_to_the_previous_trading_day_and_with_the_rules(day: str, slots: Slots, expected: str) -> None:
    assert dates("NIFTY", NSE, slots, day) == expected.split()


def test_a_holiday_declared_late_moves_the_expiry_only_from_then() -> None:
    assert dates("SENSEX", BSE, Slots(weekly=1), "2026-01-10") == ["2026-01-15"]
    assert dates("SENSEX", BSE, Slots(weekly=1), "2026-01-12") == ["2026-01-14"]


def test_dates_beyond_the_calendar_are_provisional() -> None:
    slots = chain_slots("NIFTY", REFERENCE_DATE)
    assert {slot.expiry.year for slot in slots if slot.provisional and slot.expiry} == {2027, 2028, 2029}
    assert {slot.expiry.year for slot in slots if not slot.provisional and slot.expiry} == {2026}


@pytest.mark.parametrize(
    ("underlying", "future", "option"),
    [
        ("CRUDEOIL", "2026-03-19", "2026-03-17"),
        ("CRUDEOIL", "2026-04-20", "2026-04-16"),
        ("CRUDEOIL", "2026-05-18", "2026-05-14"),
        ("CRUDEOIL", "2026-06-18", "2026-06-16"),
        ("CRUDEOIL", "2026-09-21", "2026-09-17"),
        ("CRUDEOIL", "2026-10-19", "2026-10-15"),
        ("NATURALGAS", "2026-03-26", "2026-03-24"),
        ("NATURALGAS", "2026-04-27", "2026-04-23"),
        ("NATURALGAS", "2026-05-26", "2026-05-22"),
        ("NATURALGAS", "2026-08-26", "2026-08-24"),
        ("NATURALGAS", "2026-09-25", "2026-09-23"),
        ("NATURALGAS", "2026-10-27", "2026-10-23"),
    ],
)
def test_mcx_options_expire_two_business_days_before_their_future(underlying: str, future: str, option: str) -> None:
    expiry = date.fromisoformat(future)
    assert expiry in commodity_futures(underlying, REFERENCE_DATE)
    assert commodity_option_expiry(expiry, REFERENCE_DATE, CALENDAR) == date.fromisoformat(option)


def test_an_mcx_month_without_a_published_future_is_a_slot_without_a_date() -> None:
    slots = chain_slots("CRUDEOIL", date(2026, 11, 23))
    assert [(slot.rank, slot.expiry, slot.reason) for slot in slots] == [
        (1, date(2026, 12, 16), ""),
        (2, date(2027, 1, 15), ""),
        (3, None, NOT_KNOWN),
        (4, None, NOT_KNOWN),
    ]
    assert [slot.provisional for slot in slots] == [False, True, False, False]


def test_a_commodity_we_have_no_dates_of_is_not_known() -> None:
    slots = expiry_slots("GOLD", MCX, Slots(monthly=2), REFERENCE_DATE, CALENDAR)
    assert [(slot.expiry, slot.reason) for slot in slots] == [(None, NOT_KNOWN), (None, NOT_KNOWN)]


def test_no_mcx_date_is_known_before_the_data_begins() -> None:
    assert commodity_futures("CRUDEOIL", date(2025, 12, 31)) == []


COUNTS = st.integers(0, 8)
ANY_SLOTS = st.builds(Slots, COUNTS, st.booleans(), COUNTS, COUNTS, COUNTS)


@settings(max_examples=150)
@given(
    day=st.dates(date(2025, 1, 1), date(2028, 12, 31)),
    slots=ANY_SLOTS,
    segment=st.sampled_from([NSE, BSE, MCX]),
)
def test_slots_are_all_answered_on_or_after_the_day_in_order(day: date, slots: Slots, segment: ExchangeSegment) -> None:
    answered = expiry_slots("CRUDEOIL", segment, slots, day, CALENDAR)
    assert len(answered) == slots.count
    assert all((slot.expiry is None) == (slot.reason == NOT_KNOWN) for slot in answered)
    for kind in SlotKind:
        expiries = [slot.expiry for slot in answered if slot.kind is kind and slot.expiry]
        assert expiries == sorted(set(expiries))
        assert all(expiry >= day for expiry in expiries)


@settings(max_examples=150)
@given(day=st.dates(date(2025, 9, 1), date(2028, 12, 31)), slots=ANY_SLOTS, segment=st.sampled_from([NSE, BSE]))
def test_an_index_expires_on_a_day_that_trades_as_far_as_was_known(
    day: date, slots: Slots, segment: ExchangeSegment
) -> None:
    expiries = expiry_dates(expiry_slots("ANY", segment, slots, day, CALENDAR))
    assert all(CALENDAR.is_trading_day(Exchange.NSE_BSE, expiry, known_on=day) for expiry in expiries)
