"""The dashboard's reading: what the feeds say, what the database knows, and an honest word for what is missing."""

from __future__ import annotations

from datetime import UTC, date, datetime

import orjson
import pytest

from feeds import audit, bus, clock
from feeds.fanout.web_status import WEBS
from feeds.models import ChainDefinition, ChainState, DhanAccount, JobRun
from terminal.accounts.roles import Role
from terminal.ops.status import account_status, ops_status, totals

pytestmark = pytest.mark.django_db

CONNECTION = {
    "index": 0, "state": "LIVE", "since": 1770093000000, "subscribed": 456, "placed": 456, "packets_per_second": 1200.0,
    "age_seconds": 0.1, "lag_ms_p50": 400, "lag_ms_p99": 950, "reconnects": 2, "last_reason": "silence",
}  # fmt: skip


def at(settings, moment: datetime) -> None:
    """Shift the exchange clock to a moment."""
    settings.EXCHANGE_CLOCK_OFFSET_SECONDS = (moment - clock.wall_now()).total_seconds()


def now_milliseconds() -> int:
    return clock.wall_nanoseconds() // 1_000_000


def speak(redis, account: DhanAccount, **figures) -> None:
    """What the account's feed process writes each second."""
    status = {
        "account": account.pk, "name": account.name, "epoch": 3, "state": "LIVE", "at": now_milliseconds(),
        "connections": [CONNECTION], "packets_per_second": 1200.0, "tier_b": 2272, "references": 8, "tier_a": 126,
        "capacity": 25000, **figures,
    }  # fmt: skip
    redis.sadd(bus.BOARDS, account.pk)
    redis.set(bus.status_key(account.pk), orjson.dumps(status), ex=10)


def test_a_fresh_database_is_all_empty_and_nothing_fails(redis):
    reading = ops_status()
    assert (reading["redis"], reading["accounts"], reading["chains"], reading["endings"]) == (True, [], [], [])
    assert {job["status"] for job in reading["jobs"]} == {None}
    assert reading["totals"] == {
        "tier_b": 0, "references": 0, "tier_a": 0, "capacity": 0, "used": 0,
        "packets_per_second": 0, "lag_ms_p50": None, "lag_ms_p99": None, "reconnects": 0,
    }  # fmt: skip
    assert reading["browsers"] == 0


def test_a_feed_that_speaks_is_told_in_its_own_words(redis, account):
    speak(redis, account)
    (shown,) = ops_status()["accounts"]
    assert (shown["state"], shown["tier_b"], shown["connections"]) == ("LIVE", 2272, [CONNECTION])


def test_a_feed_that_fell_silent_is_down_since_its_last_batch(redis, account):
    redis.sadd(bus.BOARDS, account.pk)
    redis.hset(bus.meta_key(account.pk), "flushed_at", 1770093000123000000)
    (shown,) = ops_status()["accounts"]
    assert (shown["state"], shown["last_data_at"], shown["connections"]) == ("DOWN", 1770093000123, [])


def test_a_feed_that_flushes_without_a_live_connection_tells_its_last_packet(redis, account):
    silent = [CONNECTION | {"state": "WAITING", "age_seconds": age} for age in (30.0, 20.5, None)]
    spoke_at = now_milliseconds()
    speak(redis, account, state="DOWN", connections=silent, at=spoke_at)
    redis.hset(bus.meta_key(account.pk), "flushed_at", clock.wall_nanoseconds())
    (shown,) = ops_status()["accounts"]
    assert (shown["state"], shown["last_data_at"]) == ("DOWN", spoke_at - 20500)


def test_a_status_that_redis_still_keeps_is_not_believed_for_long(redis, account):
    speak(redis, account, at=now_milliseconds() - 3_500)
    reading = ops_status()
    assert (reading["accounts"][0]["state"], reading["totals"]["capacity"]) == ("DOWN", 0)


def test_a_feed_that_never_spoke_is_down_without_a_moment(redis, account):
    (shown,) = ops_status()["accounts"]
    assert (shown["state"], shown["last_data_at"]) == ("DOWN", None)


def test_a_disabled_account_is_not_called_down(account):
    account.enabled = False
    assert account_status(account, None, None)["state"] == "DISABLED"


def test_figures_of_several_accounts_are_summed_and_the_worst_lag_is_shown(redis, account):
    other = DhanAccount.objects.create(name="second", client_id="1000000002")
    speak(redis, account)
    speak(redis, other, tier_b=0, references=1, tier_a=42, connections=[CONNECTION | {"lag_ms_p99": 1500}])
    reading = ops_status()["totals"]
    assert (reading["capacity"], reading["used"], reading["tier_a"]) == (50000, 2449, 168)
    assert (reading["packets_per_second"], reading["lag_ms_p99"], reading["reconnects"]) == (2400.0, 1500, 4)


def test_a_silent_feed_adds_nothing_to_the_sums(account):
    assert totals([account_status(account, None, None)])["capacity"] == 0


def test_with_redis_away_the_database_still_answers(account, settings):
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    reading = ops_status()
    assert (reading["redis"], reading["browsers"]) == (False, None)
    assert reading["accounts"][0]["state"] == "DOWN"


def test_browsers_are_summed_over_the_web_processes(redis):
    for number, browsers in enumerate((30, 20)):
        redis.set(f"web.{number}.status", orjson.dumps({"browsers": browsers}))
        redis.sadd(WEBS, f"web.{number}.status")
    assert ops_status()["browsers"] == 50


def test_a_chain_shows_its_numbers_and_the_reasons_between_them(redis, account):
    chain = ChainDefinition.objects.create(underlying_symbol="FINNIFTY", segment=2, account=account, monthly=3)
    missing = [{"expiry": "2026-09-24", "reason": "NOT_LISTED", "count": 42}]
    ChainState.objects.create(
        definition=chain, trading_date=date(2026, 2, 3), atm_strike=2_600_000, nominal=336, unique=294, listed=252,
        missing=missing,
    )  # fmt: skip
    (shown,) = ops_status()["chains"]
    assert (shown["nominal"], shown["unique"], shown["listed"], shown["missing"]) == (336, 294, 252, missing)
    assert (shown["underlying"], shown["segment"], shown["atm_strike"]) == ("FINNIFTY", "NSE_FNO", 2_600_000)


def test_a_chain_that_was_never_resolved_says_so(redis, account):
    ChainDefinition.objects.create(underlying_symbol="NIFTY", segment=2, account=account, weekly=4)
    (shown,) = ops_status()["chains"]
    assert (shown["resolved"], shown["subscribed"]) == (False, None)


def test_each_job_is_shown_by_its_last_run(redis):
    moment = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)
    for job, day in (("eod", 2), ("eod", 3), ("rebuild", 3)):
        JobRun.objects.create(
            job=job, trading_date=date(2026, 2, day), status="DONE", claimed_until=moment, finished_at=moment
        )
    shown = {(run["job"], run["trading_date"]) for run in ops_status()["jobs"] if run["status"]}
    assert shown == {("eod", "2026-02-03"), ("rebuild", "2026-02-03")}


def test_what_is_due_next_stands_first_and_what_never_is_stands_last(redis, settings):
    at(settings, datetime(2026, 2, 3, 10, 0, tzinfo=clock.IST))
    JobRun.objects.create(job="retired", trading_date=date(2025, 1, 1), status="DONE", claimed_until=clock.wall_now())
    for job in ("master_refresh", "pre_open_rebuild"):
        JobRun.objects.create(job=job, trading_date=date(2026, 2, 3), status="DONE", claimed_until=clock.wall_now())
    jobs = ops_status()["jobs"]
    due = {job["job"]: job["due_at"] for job in jobs}
    assert jobs[-1]["job"] == "retired"
    assert due["master_refresh"] == datetime(2026, 2, 4, 8, 15, tzinfo=clock.IST).timestamp() * 1000
    assert due["square_off.DERIVATIVES"] == datetime(2026, 2, 3, 15, 20, tzinfo=clock.IST).timestamp() * 1000
    assert [job["due_at"] for job in jobs[:-1]] == sorted(job["due_at"] for job in jobs[:-1])


def test_the_reconnect_history_of_all_feeds_is_told_newest_first(redis, account):
    for moment, reason in ((1770093000000, "process began, epoch 3"), (1770093060000, "SILENT: no packet for 15.2 s")):
        ending = {"at": moment, "connection": None, "lived_seconds": 0.0, "reason": reason}
        redis.rpush(bus.endings_key(account.pk), orjson.dumps(ending))
    shown = [(ending["name"], ending["at"]) for ending in ops_status()["endings"]]
    assert shown == [("desk", 1770093060000), ("desk", 1770093000000)]


def test_the_clock_is_exchange_time_with_each_markets_phase(redis, settings):
    reading = ops_status()["clock"]
    assert [phase["market"] for phase in reading["phases"]] == ["NSE and BSE equity", "NSE and BSE F&O", "MCX"]


def test_the_status_answers_staff_only(redis, browser, client):
    assert client.get("/admin/ops/status").status_code == 302
    assert browser(Role.TRADER).get("/admin/ops/status").status_code == 302
    assert browser(Role.RISK).get("/admin/ops/status").json()["redis"] is True


def test_the_first_page_carries_a_first_reading(redis, browser, account, people):
    audit.record(people[Role.OPERATOR], "ops.resync", "account desk", reason="looked <b>odd</b>")
    page = browser(Role.OPERATOR).get("/admin/")
    assert page.context["ops"]["status"]["accounts"][0]["name"] == "desk"
    assert b"<b>odd</b>" not in page.content
    assert b"/admin/ops/actions/rebuild" in page.content


def test_who_may_only_read_sees_no_actions(redis, browser):
    page = browser(Role.RISK).get("/admin/")
    assert page.context["ops"]["may_operate"] is False
    assert b"/admin/ops/actions/rebuild" not in page.content
