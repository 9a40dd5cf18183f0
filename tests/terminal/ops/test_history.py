"""The chart of the last hours: minutes made of samples, in a ring that one process writes."""

from __future__ import annotations

import orjson
import pytest

from feeds import clock
from feeds.leases import Holder, LeaseKeeper
from terminal.accounts.roles import Role
from terminal.ops import history
from terminal.ops.history import COLUMNS, KEY, MINUTES, fold, latest_minute, record_sample
from terminal.ops.status import ops_status

SAMPLE = {
    "packets_per_second": 100.0, "orders_per_second": 1.0, "fills_per_second": 0.5, "lag_ms_p50": 400,
    "lag_ms_p99": 900, "browsers": 3, "slow": 0, "subscribed": 2272, "reconnects": 4, "result": 5_000, "margin": 70_000,
}  # fmt: skip
AT = 1770093000000


def test_a_minute_is_the_mean_of_rates_the_worst_of_lags_and_the_last_of_levels():
    minute = fold(None, AT, SAMPLE)
    minute = fold(minute, AT, SAMPLE | {"packets_per_second": 200.0, "lag_ms_p99": 700, "browsers": 5, "result": -10})
    minute = fold(minute, AT, SAMPLE | {"packets_per_second": 0.0, "lag_ms_p99": None, "browsers": 4, "result": 7})
    assert minute == {
        "at": AT, "samples": 3, "packets_per_second": 100.0, "orders_per_second": 1.0, "fills_per_second": 0.5,
        "lag_ms_p50": 400, "lag_ms_p99": 900, "browsers": 5, "slow": 0, "subscribed": 2272, "reconnects": 4,
        "result": 7, "margin": 70_000,
    }  # fmt: skip


def test_what_is_not_measured_is_nothing_and_not_zero():
    assert fold(None, AT, SAMPLE | {"lag_ms_p99": None, "browsers": None})["lag_ms_p99"] is None


@pytest.fixture
def keeper(db, monkeypatch):
    keeper = LeaseKeeper("ops.history")
    monkeypatch.setattr(history, "_keeper", keeper)
    return keeper


def this_minute() -> int:
    return clock.wall_nanoseconds() // 60_000_000_000


@pytest.mark.django_db
def test_samples_of_one_minute_make_one_row(redis):
    at = this_minute() * 60_000
    for second in (5, 10, 59):
        history.add(ops_status() | {"at": at + second * 1_000})
    (minute,) = history.history()
    assert (minute["at"], minute["samples"]) == (at, 3)


def test_the_ring_holds_no_more_than_its_minutes_and_shows_none_of_yesterday(redis, keeper):
    old = (this_minute() - MINUTES - 3) * 60_000
    redis.hset(KEY, str(old // 60_000 % MINUTES), orjson.dumps(fold(None, old, SAMPLE)))
    assert history.history() == []
    assert record_sample()
    assert [minute["at"] // 60_000 for minute in history.history()] == [this_minute()]
    assert redis.hlen(KEY) <= MINUTES


def test_only_the_process_with_the_lease_writes(redis, keeper):
    other = LeaseKeeper("ops.history", Holder("elsewhere", 1, 1))
    assert other.acquire()
    assert record_sample() is False
    assert redis.hlen(KEY) == 0
    other.release()
    assert record_sample() is True
    assert record_sample() is True


def test_the_topic_tells_the_last_whole_minute(redis, db):
    before = (this_minute() - 1) * 60_000
    redis.hset(KEY, str(before // 60_000 % MINUTES), orjson.dumps(fold(None, before, SAMPLE)))
    minute = latest_minute()
    assert minute is None or minute["at"] == before  # None: a minute has ended since


@pytest.mark.django_db
def test_the_page_gets_columns_once_and_rows_by_time(redis, browser):
    for back in (1, 3, 2):
        at = (this_minute() - back) * 60_000
        redis.hset(KEY, str(at // 60_000 % MINUTES), orjson.dumps(fold(None, at, SAMPLE)))
    answer = browser(Role.RISK).get("/admin/ops/minutes").json()
    assert answer["columns"] == list(COLUMNS)
    assert [row[0] for row in answer["rows"]] == sorted(row[0] for row in answer["rows"])
    assert answer["rows"][0][1:] == [100.0, 1.0, 0.5, 400, 900, 3, 0, 2272, 4, 5_000, 70_000]
