"""Candles at rest: written once however often, read by instrument, dropped by the day, the newest ones in Redis."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pytest
from django.db import connection
from redis import Redis

from feeds import bus, candles, clock, jobs
from feeds.candles import Tier
from feeds.core.calendar import shipped_calendar
from feeds.core.candles import BAR, RUNNING, BarFlag
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.interest import Source, declare_interest
from feeds.jobs import CANDLE_PARTITIONS, run_due
from feeds.models import DhanAccount

pytestmark = pytest.mark.django_db

TUESDAY, MONDAY = date(2026, 2, 3), date(2026, 2, 2)
OPTION = InstrumentKey(ExchangeSegment.NSE_FNO, 49081)
SHARE = InstrumentKey(ExchangeSegment.NSE_EQ, 2885)


@pytest.fixture(autouse=True)
def _no_partitions(db) -> None:
    """As on the first day: a test elsewhere that committed what the job makes has left its tables behind."""
    with connection.cursor() as cursor:
        for name in candles.partitions():
            cursor.execute(f"DROP TABLE {name}")


def bar(minute: int, close: int, *, key: InstrumentKey = OPTION, flags: int = 0, day: date = TUESDAY) -> np.ndarray:
    """A bar that many minutes after the open."""
    start = int(datetime(day.year, day.month, day.day, 9, 15, tzinfo=clock.IST).timestamp()) + 60 * minute
    return np.array([(key.code, start, close - 5, close + 10, close - 10, close, 75, 1_200, flags)], BAR)


def closes(days: list[date] | None = None, key: InstrumentKey = OPTION) -> list[int]:
    return candles.read(key.code, days or [TUESDAY])["close"].tolist()


def test_what_is_written_is_read_as_it_was() -> None:
    written = np.concatenate([bar(0, 15_000), bar(1, 15_100, flags=BarFlag.PARTIAL)])
    assert candles.write(written) == 2
    assert candles.read(OPTION.code, [TUESDAY]).tolist() == written.tolist()
    assert closes([MONDAY]) == []
    assert closes(key=SHARE) == []


def test_writing_again_changes_nothing_and_a_part_never_replaces_the_whole() -> None:
    candles.write(bar(0, 15_000, flags=BarFlag.PARTIAL))
    candles.write(bar(0, 15_100))
    candles.write(bar(0, 15_100))
    candles.write(bar(0, 99_999, flags=BarFlag.PARTIAL))
    assert closes() == [15_100]


def test_nothing_to_write_asks_nothing() -> None:
    assert candles.write(np.empty(0, BAR)) == 0


def test_a_batch_over_midnight_makes_the_partitions_of_both_days() -> None:
    candles.write(np.concatenate([bar(0, 100, day=MONDAY), bar(0, 200)]))
    assert closes([MONDAY, TUESDAY]) == [100, 200]
    assert set(candles.partitions()) == {
        "feeds_candle_20260202_a", "feeds_candle_20260202_b", "feeds_candle_20260203_a", "feeds_candle_20260203_b",
    }  # fmt: skip


def test_what_is_always_on_is_kept_in_a_table_of_its_own() -> None:
    account = DhanAccount.objects.create(name="one", client_id="1000000001")
    declare_interest(Source.CHAIN, "1", [OPTION], account=account)
    candles.write(np.concatenate([bar(0, 15_000), bar(0, 140_000, key=SHARE)]))
    with connection.cursor() as cursor:
        cursor.execute("SELECT code, tier, trading_date FROM feeds_candle ORDER BY tier")
        assert cursor.fetchall() == [(SHARE.code, Tier.A, TUESDAY), (OPTION.code, Tier.B, TUESDAY)]


def test_an_instrument_that_changed_its_tier_within_the_day_has_each_minute_once() -> None:
    candles.write(bar(0, 15_000))
    account = DhanAccount.objects.create(name="one", client_id="1000000001")
    declare_interest(Source.CHAIN, "1", [OPTION], account=account)
    candles.write(np.concatenate([bar(0, 15_000), bar(1, 15_100)]))
    assert closes() == [15_000, 15_100]


def test_each_tier_is_kept_for_its_own_number_of_trading_days(settings) -> None:
    settings.CANDLE_DAYS_TIER_A, settings.CANDLE_DAYS_TIER_B = 2, 4
    calendar = shipped_calendar()
    # 26 January is a holiday, 1 February a Sunday on which the budget is traded.
    kept = candles.keep_from(date(2026, 2, 2), calendar)
    assert kept == {Tier.A: date(2026, 2, 1), Tier.B: date(2026, 1, 29)}
    days = [date(2026, 1, 28), date(2026, 1, 29), date(2026, 1, 30), date(2026, 2, 1), date(2026, 2, 2)]
    candles.make_partitions(days)
    candles.drop_partitions(kept)
    assert sorted(candles.partitions()) == [
        "feeds_candle_20260129_b", "feeds_candle_20260130_b", "feeds_candle_20260201_a", "feeds_candle_20260201_b",
        "feeds_candle_20260202_a", "feeds_candle_20260202_b",
    ]  # fmt: skip


def test_before_each_open_the_days_to_come_have_their_tables_and_the_old_ones_go(monkeypatch, settings) -> None:
    monkeypatch.setattr(jobs, "JOBS", [job for job in jobs.JOBS if job.name == CANDLE_PARTITIONS])
    settings.CANDLE_DAYS_TIER_A, settings.CANDLE_DAYS_TIER_B = 1, 1
    candles.write(bar(0, 100, day=date(2026, 1, 5)))
    (run,) = run_due(datetime(2026, 2, 3, 8, 16, tzinfo=clock.IST))
    assert run.report["dropped"] == ["feeds_candle_20260105_a", "feeds_candle_20260105_b"]
    assert "feeds_candle_20260203_b" in run.report["made"]
    assert "feeds_candle_20260210_a" in candles.partitions()
    assert run_due(datetime(2026, 2, 3, 8, 17, tzinfo=clock.IST)) == []


def test_the_latest_closes_of_many_are_found_by_instrument() -> None:
    rows = [bar(minute, 100 + minute) for minute in range(5)]
    candles.write(np.concatenate([*rows, bar(3, 900, key=SHARE), bar(0, 7, day=MONDAY)]))
    found = candles.latest_closes([OPTION.code, SHARE.code, 1], TUESDAY, 3)
    assert {code: list(points.values()) for code, points in found.items()} == {
        OPTION.code: [102, 103, 104], SHARE.code: [900], 1: [],
    }  # fmt: skip


def running(minute: int, close: int) -> np.ndarray:
    rows = np.zeros(1, RUNNING)
    for name in BAR.names or ():
        rows[name] = bar(minute, close)[name]
    rows["day_volume"] = 9_000
    return rows


async def test_the_bars_of_the_last_five_minutes_are_in_redis_each_in_its_latest_state(redis: Redis) -> None:
    client = bus.async_redis()
    for minute, close in ((0, 100), (0, 101), (1, 102), (2, 103), (3, 104), (4, 105), (5, 106)):
        await candles.keep_recent(client, running(minute, close))
    left = await candles.all_recent(client)
    await client.aclose()
    assert left["close"].tolist() == [102, 103, 104, 105, 106]
    assert left["day_volume"].tolist() == [9_000] * 5
    assert candles.recent([OPTION.code, SHARE.code])["close"].tolist() == [102, 103, 104, 105, 106]
    assert len(candles.recent([])) == 0


async def test_rows_of_another_build_are_left_out(redis: Redis) -> None:
    redis.hset(candles.recent_key(0), mapping={b"12345678": b"shorter than a row"})
    client = bus.async_redis()
    assert len(await candles.all_recent(client)) == 0
    await client.aclose()
