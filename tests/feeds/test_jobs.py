"""A job happens once for a trading date: whoever asks, however often, however late, and after any crash."""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import F

from feeds import interest, jobs
from feeds.clock import IST
from feeds.core.calendar import Exchange
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.interest import Source, declare_interest
from feeds.jobs import JOBS, catch_up_releases, next_runs, run_due, run_once
from feeds.models import ChainDefinition, DhanAccount, Holiday, JobRun

pytestmark = pytest.mark.django_db

TUESDAY, MONDAY = date(2026, 2, 3), date(2026, 2, 2)
OPTION = InstrumentKey(ExchangeSegment.NSE_FNO, 49081)
SHARE = InstrumentKey(ExchangeSegment.NSE_EQ, 2885)
CRUDE = InstrumentKey(ExchangeSegment.MCX_COMM, 400)
RELEASES = [job for job in JOBS if job.name.startswith(jobs.EOD_RELEASE)]


def at(day: date, hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=IST)


def crash(job: str) -> None:
    """The process that claimed the job has died, long ago."""
    JobRun.objects.filter(job=job).update(claimed_until=F("claimed_until") - timedelta(hours=1))


def names(runs: list[JobRun]) -> list[str]:
    return [run.job for run in runs]


def live() -> int:
    return interest.capacity().total.tier_a


@pytest.fixture
def account() -> DhanAccount:
    return DhanAccount.objects.create(name="one", client_id="1000000001")


@pytest.fixture
def releases_only(monkeypatch):
    """The table without the jobs that need a master."""
    monkeypatch.setattr(jobs, "JOBS", tuple(RELEASES))


@pytest.fixture
def past():
    """The database has seen Monday."""
    JobRun.objects.create(job="some.job", trading_date=MONDAY, status="DONE", claimed_until=at(MONDAY, 9, 0))


class Step:
    def __init__(self, *outcomes: object) -> None:
        self.calls = 0
        self.outcomes = list(outcomes)

    def __call__(self) -> dict[str, object]:
        self.calls += 1
        outcome = self.outcomes.pop(0) if self.outcomes else "fine"
        if isinstance(outcome, Exception):
            raise outcome
        return {"outcome": outcome}


def test_a_step_runs_once_for_a_trading_date() -> None:
    step = Step()
    first = run_once("report", TUESDAY, step)
    assert first is not None
    assert (first.status, first.report, first.attempts) == ("DONE", {"outcome": "fine"}, 1)
    assert run_once("report", TUESDAY, step) is None
    assert step.calls == 1
    assert run_once("report", MONDAY, step) is not None


def test_a_claim_that_crashed_is_taken_over_and_not_before() -> None:
    assert jobs._claim("report", TUESDAY, 60) is not None
    step = Step()
    assert run_once("report", TUESDAY, step) is None
    crash("report")
    run = run_once("report", TUESDAY, step)
    assert run is not None
    assert (run.status, run.attempts, step.calls) == ("DONE", 2, 1)


def test_an_attempt_that_wakes_up_late_no_longer_owns_the_row() -> None:
    late = jobs._claim("report", TUESDAY, 60)
    assert late is not None
    crash("report")
    run_once("report", TUESDAY, Step("by the second"))
    jobs._finish(late, JobRun.Status.FAILED, {"outcome": "by the first"})
    assert JobRun.objects.get().report == {"outcome": "by the second"}


def test_a_step_that_fails_says_why_and_is_tried_again() -> None:
    step = Step(ValueError("no file"))
    failed = run_once("report", TUESDAY, step)
    assert failed is not None
    assert (failed.status, failed.report) == ("FAILED", {"error": "ValueError: no file"})
    assert run_once("report", TUESDAY, step) is None
    crash("report")
    again = run_once("report", TUESDAY, step)
    assert again is not None
    assert (again.status, again.attempts) == ("DONE", 2)


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_runs_it() -> None:
    step, ready = Step(), threading.Barrier(6)

    def run() -> None:
        ready.wait(10)
        run_once("report", TUESDAY, step)
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert step.calls == 1


@pytest.mark.usefixtures("releases_only")
def test_tier_a_is_released_at_the_close_of_its_segment_and_not_a_second_before(account: DhanAccount) -> None:
    declare_interest(Source.CHAIN, "1", [InstrumentKey(ExchangeSegment.NSE_FNO, 1)], account)
    declare_interest(Source.WATCHLIST, "7", [OPTION, CRUDE], references=[SHARE])
    declare_interest(Source.HELD, "order 1", [SHARE])
    assert run_due(at(TUESDAY, 15, 29, 59)) == []
    assert names(run_due(at(TUESDAY, 15, 30))) == ["eod_release.cash_with_derivatives", "eod_release.derivatives"]
    total = interest.capacity().total
    assert (total.tier_b, total.references, total.tier_a) == (1, 0, 2)
    assert run_due(at(TUESDAY, 15, 30, 1)) == []
    run_due(at(TUESDAY, 23, 59))
    assert live() == 1


@pytest.mark.usefixtures("releases_only")
def test_derivatives_trade_ten_minutes_longer_since_august_2026(account: DhanAccount) -> None:
    declare_interest(Source.WATCHLIST, "7", [OPTION], references=[SHARE])
    day = date(2026, 9, 1)
    run_due(at(day, 15, 39, 59))
    assert (live(), interest.capacity().total.references) == (1, 1)
    run_due(at(day, 15, 40))
    assert (live(), interest.capacity().total.references) == (0, 0)


@pytest.mark.usefixtures("releases_only")
def test_a_setting_pins_the_release_of_every_segment(account: DhanAccount, settings) -> None:
    settings.EOD_TIER_A_AT = "15:30"
    declare_interest(Source.WATCHLIST, "7", [OPTION, CRUDE])
    run_due(at(TUESDAY, 15, 30))
    assert live() == 0


@pytest.mark.usefixtures("releases_only", "past")
def test_a_release_missed_yesterday_is_made_up_for_before_anything_of_today(account: DhanAccount) -> None:
    declare_interest(Source.WATCHLIST, "7", [OPTION, CRUDE])
    runs = catch_up_releases(at(TUESDAY, 8, 0))
    assert {run.trading_date for run in runs} == {MONDAY}
    assert len(runs) == len(RELEASES)
    assert live() == 0
    declare_interest(Source.WATCHLIST, "7", [OPTION])
    assert run_due(at(TUESDAY, 9, 30)) == []
    assert live() == 1


@pytest.mark.usefixtures("releases_only")
def test_a_database_without_a_past_has_nothing_to_make_up_for(account: DhanAccount) -> None:
    declare_interest(Source.WATCHLIST, "7", [OPTION])
    assert run_due(at(TUESDAY, 10, 0)) == []
    assert live() == 1


@pytest.mark.usefixtures("releases_only")
def test_a_closed_day_has_nothing_to_do(account: DhanAccount) -> None:
    declare_interest(Source.WATCHLIST, "7", [OPTION, CRUDE])
    assert run_due(at(date(2026, 2, 7), 23, 59)) == []
    assert live() == 2


@pytest.mark.usefixtures("releases_only")
def test_a_holiday_that_an_admin_entered_counts(account: DhanAccount) -> None:
    Holiday.objects.create(exchange="NSE_BSE", date=TUESDAY, name="Election", known_from=MONDAY)
    declare_interest(Source.WATCHLIST, "7", [OPTION, CRUDE])
    assert names(run_due(at(TUESDAY, 23, 59))) == ["eod_release.mcx"]
    assert live() == 1


def test_before_the_open_the_master_is_read_and_then_the_chains_are_rebuilt(monkeypatch) -> None:
    order: list[str] = []

    def step(name: str):
        return lambda day: {"order": order.append(f"{name} {day}")}

    table = [
        jobs.Job(job.name, job.exchanges, job.due_at, step(job.name), job.claim_seconds, job.catches_up, job.after)
        for job in JOBS
    ]
    monkeypatch.setattr(jobs, "JOBS", tuple(table))
    assert run_due(at(TUESDAY, 8, 14, 59)) == []
    run_due(at(TUESDAY, 8, 15))
    assert order == [f"{job} 2026-02-03" for job in ("master_refresh", "pre_open_rebuild", "candle_partitions")]
    JobRun.objects.all().delete()
    jobs._claim(jobs.MASTER_REFRESH, TUESDAY, 60)
    assert names(run_due(at(TUESDAY, 8, 15))) == ["candle_partitions"]


def test_a_master_that_cannot_be_read_leaves_the_chains_to_be_rebuilt_on_the_last_one(settings, tmp_path) -> None:
    settings.DHAN_MASTER_URL = str(tmp_path / "absent.csv")
    runs = {run.job: run.status for run in run_due(at(TUESDAY, 8, 15))}
    assert runs == {"master_refresh": "FAILED", "pre_open_rebuild": "DONE", "candle_partitions": "DONE"}


def test_every_segment_is_released_by_one_job() -> None:
    assert {job.exchanges for job in RELEASES} == {(Exchange.NSE_BSE,), (Exchange.MCX,)}
    assert len(RELEASES) == 4


def test_another_package_adds_its_job_once_and_it_is_run_after_those_that_are_there(monkeypatch) -> None:
    monkeypatch.setattr(jobs, "JOBS", list(RELEASES))
    step = Step()
    job = jobs.Job("count", (Exchange.NSE_BSE,), lambda day, _: at(day, 16, 0), lambda _: step(), 60)
    jobs.register(job)
    jobs.register(job)
    assert names(run_due(at(TUESDAY, 16, 0)))[-1] == "count"
    assert run_due(at(TUESDAY, 16, 0, 1)) == []
    assert (step.calls, len(jobs.JOBS)) == (1, len(RELEASES) + 1)


def test_no_definition_is_a_rebuild_of_nothing() -> None:
    assert not ChainDefinition.objects.exists()
    run = run_once("rebuild", TUESDAY, lambda: jobs._rebuild(TUESDAY))
    assert run is not None
    assert run.report == {
        "day": "2026-02-03", "nominal": 0, "unique": 0, "listed": 0, "without_reference_price": [], "chains": [],
    }  # fmt: skip


# --- what comes next ----------------------------------------------------------------------------


def due(now: datetime) -> dict[str, datetime]:
    return {run.job: run.due_at for run in next_runs(now)}


def test_a_job_is_due_next_today_until_it_is_done_and_then_on_the_next_trading_day():
    assert due(at(TUESDAY, 10, 0))["eod_release.mcx"].date() == TUESDAY
    JobRun.objects.create(job="eod_release.mcx", trading_date=TUESDAY, status="DONE", claimed_until=at(TUESDAY, 9, 0))
    assert due(at(TUESDAY, 10, 0))["eod_release.mcx"].date() == TUESDAY + timedelta(days=1)


def test_what_was_missed_or_failed_today_is_due_since_then():
    JobRun.objects.create(job="master_refresh", trading_date=TUESDAY, status="FAILED", claimed_until=at(TUESDAY, 9, 0))
    assert due(at(TUESDAY, 10, 0))["master_refresh"] == at(TUESDAY, 8, 15)


def test_a_weekend_has_nothing_to_do():
    saturday = date(2026, 2, 7)
    assert due(at(saturday, 10, 0))["master_refresh"] == at(date(2026, 2, 9), 8, 15)


def test_the_soonest_stands_first():
    runs = [run.due_at for run in next_runs(at(TUESDAY, 10, 0))]
    assert runs == sorted(runs)
