"""What the trading day does by the clock: positions squared off, orders expired, the days ended, each once."""

from __future__ import annotations

from datetime import date, datetime, time

import pytest
from django.db import transaction

from feeds import clock
from feeds.clock import IST
from feeds.core.calendar import shipped_calendar
from feeds.jobs import JOBS, run_due
from feeds.models import Instrument, JobRun
from oms import jobs, trading_day
from oms.models import Order
from rms import ledger
from rms.core.product import Product
from rms.fills import record_fills
from rms.market import forget_facts
from rms.models import Position, Statement
from tests.rms import desk
from tests.rms.day import quote
from tests.rms.desk import CALL, DAY, FUTURE, NEXT_DAY, SHARE, fill

CALENDAR = shipped_calendar()
OURS = [job for job in JOBS if job.name.partition(".")[0] in ("square_off", "order_expiry", "day_end")]

TIMES = [
    # in February 2026; on Budget Sunday (MCX until 17:00); in regime B; in regime C
    ("square_off.DERIVATIVES", "15:20", "15:20", "15:20", "15:20"),
    ("square_off.CASH", "15:20", "15:20", "15:20", "15:20"),
    ("square_off.CASH_WITH_DERIVATIVES", "15:20", "15:20", "15:10", "15:10"),
    ("square_off.COMMODITY", "23:40", "16:45", "23:15", "23:40"),
    ("order_expiry.DERIVATIVES", "15:32", "15:32", "15:42", "15:47"),
    ("order_expiry.CASH", "16:02", "16:02", "16:02", "16:02"),
    ("order_expiry.COMMODITY", "23:57", "17:02", "23:32", "23:57"),
    ("day_end.EQUITY", "16:04", "16:04", "16:04", "16:04"),
    ("day_end.COMMODITY", "23:59", "17:04", "23:34", "23:59"),
]
DAYS = (date(2026, 2, 3), date(2026, 2, 1), date(2026, 9, 8), date(2026, 12, 8))


@pytest.fixture
def at(settings):
    """Exchange time stands at a moment of DAY."""

    def set_clock(hour: int, minute: int, day: date = DAY) -> datetime:
        now = datetime.combine(day, time(hour, minute), IST)
        settings.EXCHANGE_CLOCK_OFFSET_SECONDS = (now - clock.wall_now()).total_seconds()
        return now

    return set_clock


@pytest.fixture
def account(db, redis):
    forget_facts()
    trading_day.forget_trading_day()
    desk.make_instruments()
    return desk.make_account(100_000_000)


def open_position(account, key, quantity: int, price: int, product: Product = Product.INTRADAY) -> None:
    with transaction.atomic():
        ledger.lock([account.pk])
        market = desk.market_of({each.key: each for each in Instrument.objects.all()})
        record_fills([fill(account, key, quantity, price, product=product)], market)


def step(name: str):
    return next(job.step for job in OURS if job.name == name)


def test_every_job_is_registered_once() -> None:
    assert [job.name for job in OURS] == [row[0] for row in TIMES]


@pytest.mark.parametrize("row", TIMES, ids=[row[0] for row in TIMES])
def test_each_job_is_due_by_the_hours_of_its_day(row: tuple) -> None:
    name, *expected = row
    due_at = next(job.due_at for job in OURS if job.name == name)
    assert [due_at(day, CALENDAR).strftime("%H:%M") for day in DAYS] == expected


def test_a_day_without_known_hours_has_nothing_to_do() -> None:
    diwali, saturday = date(2026, 11, 8), date(2026, 2, 7)
    assert {job.due_at(day, CALENDAR) for job in OURS for day in (diwali, saturday)} == {None}


def test_a_day_that_ends_early_squares_off_before_its_close(settings) -> None:
    settings.SQUARE_OFF_AT = {**settings.SQUARE_OFF_AT, "CASH": "15:45"}
    assert jobs.square_off_at(jobs.CASH, DAY, CALENDAR) == datetime.combine(DAY, time(15, 15), IST)


def test_intraday_positions_are_closed_by_orders_of_the_house_and_others_stay(account, at) -> None:
    at(15, 20)
    quote(CALL, 15_000)
    open_position(account, CALL, 65, 15_000)
    open_position(account, FUTURE, 65, 2_600_000, Product.MARGIN)
    assert step("square_off.DERIVATIVES")(DAY) == {"cancelled_orders": 0, "positions": 1}
    order = Order.objects.get()
    assert (order.instrument_id, order.side, order.quantity) == (CALL.code, "SELL", 65)
    assert (order.source, order.user_id, order.product) == ("SQUARE_OFF", None, "INTRADAY")


def test_shares_are_squared_off_at_the_time_of_their_kind(account, at) -> None:
    at(15, 20)
    quote(SHARE, 140_000)
    open_position(account, SHARE, 10, 140_000)
    assert step("square_off.CASH_WITH_DERIVATIVES")(DAY)["positions"] == 0
    assert step("square_off.CASH")(DAY)["positions"] == 1


def test_an_intraday_order_that_rests_is_cancelled_with_the_positions(account, at) -> None:
    now = at(15, 20)
    values = {
        "user": account.owner, "side": "BUY", "order_type": "LIMIT", "quantity": 65, "limit_price": 100,
        "status": "OPEN", "trading_date": DAY, "placed_at": now, "updated_at": now, "instrument_id": CALL.code,
    }  # fmt: skip
    intraday = Order.objects.create(account=account, client_reference="1", product="INTRADAY", **values)
    carried = Order.objects.create(account=account, client_reference="2", product="MARGIN", **values)
    assert step("square_off.DERIVATIVES")(DAY) == {"cancelled_orders": 1, "positions": 0}
    intraday.refresh_from_db()
    carried.refresh_from_db()
    assert (intraday.cancel_requested, carried.cancel_requested) == (True, False)


def test_after_the_close_no_order_is_sent_any_more(account, at) -> None:
    at(15, 31)
    open_position(account, CALL, 65, 15_000)
    assert step("square_off.DERIVATIVES")(DAY) == {"too_late": True}
    assert not Order.objects.exists()


def test_the_clock_closes_what_was_left_open_and_closes_it_once(account, at) -> None:
    open_position(account, CALL, 65, 15_000)
    quote(CALL, 16_000)
    now = at(16, 4)
    done = {run.job: run.status for run in run_due(now) if run.job in {job.name for job in OURS}}
    assert done["day_end.EQUITY"] == "DONE"
    assert Position.objects.get().signed_quantity == 0
    assert Statement.objects.count() == 1
    assert [run.job for run in run_due(now) if run.job in done] == []


def test_a_day_end_that_was_slept_through_is_made_up_for_in_the_morning(account, at) -> None:
    open_position(account, CALL, 65, 15_000)
    quote(CALL, 16_000)
    JobRun.objects.create(job="some.job", trading_date=DAY, status="DONE", claimed_until=at(9, 0))
    runs = {(run.job, run.trading_date, run.status) for run in run_due(at(9, 0, NEXT_DAY))}
    assert ("day_end.EQUITY", DAY, "DONE") in runs
    assert Statement.objects.get().trading_date == DAY
