"""The calendar's jobs: what is due when, and a row for each (job, trading date) that makes it happen once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from feeds import candles, clock
from feeds.core.calendar import GROUPS, Calendar, Exchange, exchange_of
from feeds.core.instrument import ExchangeSegment
from feeds.importing import import_master
from feeds.interest import CapacityExceeded, forget_withdrawn
from feeds.models import JobRun
from feeds.selectors import market_calendar
from feeds.services import rebuild_chains, release_tier_a
from feeds.volatility import store_day

log = logging.getLogger(__name__)

Report = dict[str, Any]

MASTER_REFRESH = "master_refresh"
PRE_OPEN_REBUILD = "pre_open_rebuild"
EOD_RELEASE = "eod_release"
CANDLE_PARTITIONS = "candle_partitions"
DAILY_VOLATILITY = "daily_volatility"
OPTION_SEGMENTS = {
    Exchange.NSE_BSE: (ExchangeSegment.NSE_FNO, ExchangeSegment.BSE_FNO),
    Exchange.MCX: (ExchangeSegment.MCX_COMM,),
}
ERROR_LENGTH = 300
DAYS_AHEAD = 12
"""How far the next run is looked for: beyond the longest closure that the exchanges have announced."""

CLAIM = """
INSERT INTO feeds_jobrun (job, trading_date, status, attempts, claimed_until, report)
VALUES (%(job)s, %(day)s, 'RUNNING', 1, clock_timestamp() + %(claim)s, '{}')
ON CONFLICT (job, trading_date) DO UPDATE
SET status = 'RUNNING', attempts = feeds_jobrun.attempts + 1, claimed_until = excluded.claimed_until
WHERE feeds_jobrun.status <> 'DONE' AND feeds_jobrun.claimed_until <= clock_timestamp()
RETURNING id, attempts
"""


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do once for a trading date.

    `due_at` says when on a day, None when that day has nothing to do; `step` does it, may be done twice
    without harm, and returns a report as JSON. `catches_up`: the trading day before is made up for.
    """

    name: str
    exchanges: tuple[Exchange, ...]
    due_at: Callable[[date, Calendar], datetime | None]
    step: Callable[[date], Report]
    claim_seconds: float
    catches_up: bool = False
    after: str = ""


def run_due(now: datetime | None = None) -> list[JobRun]:
    """Run every job that is due at an exchange time (default: now) and has not been done; returns what was run.

    Asked each second; asking twice, late or from several processes changes nothing.
    """
    now = now or clock.exchange_now()
    return _run(JOBS, now, _days_due)


@dataclass(frozen=True, slots=True)
class NextRun:
    """What a job has to do next, and since or until when."""

    job: str
    trading_date: date
    due_at: datetime


def next_runs(now: datetime | None = None) -> list[NextRun]:
    """When each job is due next, soonest first. What is due already and not done yet is due since then."""
    now = now or clock.exchange_now()
    calendar, today = market_calendar(), now.astimezone(clock.IST).date()
    days = [today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD)]
    done = JobRun.objects.filter(trading_date__gte=today, status=JobRun.Status.DONE)
    settled = set(done.values_list("job", "trading_date"))
    found = [_next_run(job, [day for day in days if (job.name, day) not in settled], calendar) for job in JOBS]
    return sorted((run for run in found if run), key=lambda run: run.due_at)


def _next_run(job: Job, days: Iterable[date], calendar: Calendar) -> NextRun | None:
    """The first of these days on which it has something to do; None: not within them, as far as is known."""
    trading = (day for day in days if any(calendar.is_trading_day(exchange, day) for exchange in job.exchanges))
    due = ((day, job.due_at(day, calendar)) for day in trading)
    return next((NextRun(job.name, day, at) for day, at in due if at is not None), None)


def catch_up_releases(now: datetime | None = None) -> list[JobRun]:
    """Release what earlier trading days left behind. Call it before Tier A is taken up on a new day."""
    now = now or clock.exchange_now()
    return _run([job for job in JOBS if job.name.startswith(EOD_RELEASE)], now, _days_missed)


def register(job: Job) -> None:
    """Add a job to the table, after those that are there; the same name again takes the earlier one's place."""
    names = [known.name for known in JOBS]
    if job.name in names:
        JOBS[names.index(job.name)] = job
    else:
        JOBS.append(job)


def run_once(
    job: str, trading_date: date, step: Callable[[], Report], claim_seconds: float | None = None
) -> JobRun | None:
    """Run a step unless it is done, or being done, for this job and trading date. None: nothing was to do.

    A claim that is not finished in `claim_seconds` of database time counts as crashed and is taken over; a
    step that fails is tried again after JOB_RETRY_SECONDS. Only the holder of the latest claim writes the end.
    """
    claim = _claim(job, trading_date, settings.JOB_CLAIM_SECONDS if claim_seconds is None else claim_seconds)
    if claim is None:
        return None
    try:
        _finish(claim, JobRun.Status.DONE, step())
    except Exception as error:  # whatever a step raises, its row must say so and the other jobs must run
        log.exception("job %s of %s failed", job, trading_date)
        _finish(claim, JobRun.Status.FAILED, {"error": f"{type(error).__name__}: {error}"[:ERROR_LENGTH]})
    return JobRun.objects.get(pk=claim[0])


# --- the table of due jobs ----------------------------------------------------------------------


def _refresh_master(day: date) -> Report:
    """Import the day's master; one that comes after the rebuild has the chains rebuilt on it."""
    report = import_master(day=day).as_json()
    if _is_done(PRE_OPEN_REBUILD, day):
        report["rebuild"] = _rebuild(day)
    return report


def _rebuild(day: date) -> Report:
    forget_withdrawn()
    try:
        return rebuild_chains(day)
    except CapacityExceeded as error:  # the other chains are rebuilt; trying again would not make room
        return {"refused": error.details}


def _turn_candles(day: date) -> Report:
    """Tables for the days to come, and none any more for those that were kept long enough."""
    calendar = market_calendar()
    made = candles.make_partitions(candles.days_ahead(day, calendar))
    return {"made": made, "dropped": candles.drop_partitions(candles.keep_from(day, calendar))}


def _releaser(segments: tuple[ExchangeSegment, ...]) -> Callable[[date], Report]:
    def release(day: date) -> Report:
        return {"released": release_tier_a(segments), "segments": [segment.name for segment in segments]}

    return release


def _pre_open(day: date, calendar: Calendar) -> datetime:
    return datetime.combine(day, time.fromisoformat(settings.PRE_OPEN_REBUILD_AT), clock.IST)


def _closes(segments: tuple[ExchangeSegment, ...]) -> Callable[[date, Calendar], datetime | None]:
    """At the segments' own close, or when the setting pins it on days that have one."""

    def due_at(day: date, calendar: Calendar) -> datetime | None:
        close = max((at for segment in segments if (at := calendar.close_at(segment, day))), default=None)
        if close is not None and settings.EOD_TIER_A_AT:
            return datetime.combine(day, time.fromisoformat(settings.EOD_TIER_A_AT), clock.IST)
        return close

    return due_at


def _eod_jobs() -> Iterator[Job]:
    """One release for each group of segments that keep the same hours."""
    for group in dict.fromkeys(GROUPS.values()):
        segments = tuple(segment for segment, name in GROUPS.items() if name == group)
        yield Job(
            name=f"{EOD_RELEASE}.{group}",
            exchanges=(exchange_of(segments[0]),),
            due_at=_closes(segments),
            step=_releaser(segments),
            claim_seconds=settings.JOB_CLAIM_SECONDS,
            catches_up=True,
        )


def _volatility_jobs() -> Iterator[Job]:
    """The volatilities of the day, at the close of each exchange's options."""
    for exchange, segments in OPTION_SEGMENTS.items():
        yield Job(
            name=f"{DAILY_VOLATILITY}.{exchange}",
            exchanges=(exchange,),
            due_at=partial(_close, segments[0]),
            step=partial(store_day, segments=segments),
            claim_seconds=settings.JOB_CLAIM_SECONDS,
        )


def _close(segment: ExchangeSegment, day: date, calendar: Calendar) -> datetime | None:
    return calendar.close_at(segment, day)


JOBS = [
    *_eod_jobs(),
    *_volatility_jobs(),
    Job(MASTER_REFRESH, tuple(Exchange), _pre_open, _refresh_master, settings.JOB_MASTER_CLAIM_SECONDS),
    Job(PRE_OPEN_REBUILD, tuple(Exchange), _pre_open, _rebuild, settings.JOB_CLAIM_SECONDS, after=MASTER_REFRESH),
    Job(CANDLE_PARTITIONS, tuple(Exchange), _pre_open, _turn_candles, settings.JOB_CLAIM_SECONDS),
]
"""In the order they are run: what a day left behind goes before the next day is built. Others `register` theirs."""


# --- deciding -----------------------------------------------------------------------------------

Days = Callable[[Job, date, Calendar], Iterable[date]]


def _run(jobs: Iterable[Job], now: datetime, days: Days) -> list[JobRun]:
    calendar, today = market_calendar(), now.astimezone(clock.IST).date()
    due = [(job, day) for job in jobs for day in days(job, today, calendar) if _is_due(job, day, now, calendar)]
    settled = _settled({day for _, day in due})
    runs = []
    for job, day in due:
        if (job.name, day) in settled or (job.after and _is_under_way(job.after, day)):
            continue
        if run := run_once(job.name, day, lambda job=job, day=day: job.step(day), job.claim_seconds):
            runs.append(run)
    return runs


def _days_due(job: Job, today: date, calendar: Calendar) -> list[date]:
    is_today = any(calendar.is_trading_day(exchange, today) for exchange in job.exchanges)
    return [*_days_missed(job, today, calendar), *([today] if is_today else [])]


def _days_missed(job: Job, today: date, calendar: Calendar) -> list[date]:
    """The trading day before today, for a job that is made up for; none in a database that was not there then."""
    if not job.catches_up:
        return []
    before = calendar.previous_trading_day(job.exchanges[0], today)
    existed = JobRun.objects.filter(trading_date__lte=before).exists()
    return [before] if existed else []


def _is_due(job: Job, day: date, now: datetime, calendar: Calendar) -> bool:
    due_at = job.due_at(day, calendar)
    return due_at is not None and due_at <= now


def _settled(days: set[date]) -> set[tuple[str, date]]:
    """What is done, or claimed by somebody: nothing to do now. One query a second, the claim itself decides."""
    runs = JobRun.objects.filter(trading_date__in=days)
    done = runs.filter(status=JobRun.Status.DONE) | runs.filter(claimed_until__gt=Now())
    return set(done.values_list("job", "trading_date"))


def _is_under_way(job: str, day: date) -> bool:
    return JobRun.objects.filter(
        job=job, trading_date=day, status=JobRun.Status.RUNNING, claimed_until__gt=Now()
    ).exists()


def _is_done(job: str, day: date) -> bool:
    return JobRun.objects.filter(job=job, trading_date=day, status=JobRun.Status.DONE).exists()


# --- claiming -----------------------------------------------------------------------------------

Claim = tuple[int, int]
"""Row and attempt: an earlier attempt that wakes up late no longer owns the row."""


def _claim(job: str, day: date, seconds: float) -> Claim | None:
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, {"job": job, "day": day, "claim": timedelta(seconds=seconds)})
        row = cursor.fetchone()
    return (row[0], row[1]) if row else None


def _finish(claim: Claim, status: JobRun.Status, report: Report) -> None:
    """Write the end of a run. A failed one may be claimed again after a while."""
    retry = timedelta(seconds=settings.JOB_RETRY_SECONDS if status is JobRun.Status.FAILED else 0)
    pk, attempt = claim
    JobRun.objects.filter(pk=pk, attempts=attempt, status=JobRun.Status.RUNNING).update(
        status=status, report=report, finished_at=Now(), claimed_until=Now() + retry
    )
