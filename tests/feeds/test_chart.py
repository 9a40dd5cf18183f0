"""Charts over REST: our own minutes and the history as one series, the running one last, and never a long wait."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import orjson
import pytest
from django.contrib.auth.models import User
from redis import Redis
from rest_framework.test import APIClient

from feeds import candles, clock, history
from feeds.core.candles import BAR, RUNNING, BarFlag
from feeds.core.history import Interval, Page, pages
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType
from feeds.models import Instrument
from tests.feeds.market import make_instrument

pytestmark = pytest.mark.django_db

TUESDAY, MONDAY = date(2026, 2, 3), date(2026, 2, 2)
OPTION = InstrumentKey(ExchangeSegment.NSE_FNO, 49081)
CRUDE = InstrumentKey(ExchangeSegment.MCX_COMM, 467013)
MINUTE, QUARTER = timedelta(minutes=1), timedelta(minutes=15)
PATH = f"/api/v2/candles/{OPTION}"


def moment(hour: int, minute: int = 0, day: date = TUESDAY) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=clock.IST)


@pytest.fixture(autouse=True)
def ten_o_clock(settings) -> None:
    settings.EXCHANGE_CLOCK_OFFSET_SECONDS = moment(10).timestamp() - clock.wall_now().timestamp()


@pytest.fixture
def client(redis: Redis) -> APIClient:
    make_instrument(OPTION, "NIFTY-Feb2026-26000-CE", instrument_type=InstrumentType.OPTIDX)
    client = APIClient()
    client.force_login(User.objects.create(username="asha"))
    return client


def bars(first: datetime, last: datetime, close: int, step: timedelta = MINUTE, flags: int = 0) -> np.ndarray:
    """A bar every step from the first moment to the last, both among them."""
    count = (last - first) // step + 1
    rows = np.zeros(count, BAR)
    rows["code"], rows["flags"] = OPTION.code, flags
    rows["start"] = int(first.timestamp()) + int(step.total_seconds()) * np.arange(count)
    rows["open"] = rows["high"] = rows["low"] = rows["close"] = close
    rows["volume"], rows["open_interest"] = 75, 1_200
    return rows


def tell(redis: Redis, page: Page, rows: np.ndarray) -> None:
    """What a feed process would have stored."""
    rows["flags"] |= np.uint32(BarFlag.HISTORY)
    redis.set(history.page_key(page), rows.tobytes())


def run(redis: Redis, rows: np.ndarray) -> None:
    running = np.zeros(len(rows), RUNNING)
    for name in BAR.names or ():
        running[name] = rows[name]
    for row in running:
        redis.hset(candles.recent_key(int(row["start"])), row["code"].tobytes(), row.tobytes())


def week(base: Interval = Interval.ONE) -> list[Page]:
    """The pages of two weeks by the minute: that before, and Monday."""
    return [Page(OPTION, base, date(2026, 1, 26), MONDAY), Page(OPTION, base, MONDAY, TUESDAY)]


def times(answer: dict[str, Any]) -> list[str]:
    moments = (datetime.fromtimestamp(candle[0] / 1000, clock.IST) for candle in answer["candles"])
    return [f"{each:%d %H:%M}" for each in moments]


def wanted(redis: Redis) -> list[str]:
    return [" ".join(map(str, orjson.loads(each)[1:4])) for each in redis.lrange(history.WANTED, 0, -1)]


def test_the_running_minute_is_the_last_bar_and_prices_are_rupees(client: APIClient, redis: Redis) -> None:
    candles.write(bars(moment(9, 15), moment(9, 58), 15_230))
    run(redis, bars(moment(9, 59), moment(9, 59), 15_240))
    answer = client.get(f"{PATH}?limit=2").json()
    assert (answer["instrument"], answer["interval"], answer["source"]) == (str(OPTION), "1", "OWN")
    assert answer["candles"] == [
        [int(moment(9, 58).timestamp() * 1000), "152.30", "152.30", "152.30", "152.30", 75, 1200],
        [int(moment(9, 59).timestamp() * 1000), "152.40", "152.40", "152.40", "152.40", 75, 1200],
    ]


def test_a_minute_not_yet_written_is_read_from_redis_and_the_latest_word_on_it_counts(
    client: APIClient, redis: Redis
) -> None:
    candles.write(bars(moment(9, 15), moment(9, 57), 15_000))
    run(redis, bars(moment(9, 57), moment(9, 58), 15_100))
    answer = client.get(f"{PATH}?limit=3").json()
    assert [(candle[4]) for candle in answer["candles"]] == ["150.00", "151.00", "151.00"]


def test_own_minutes_and_history_meet_without_a_hole_and_without_a_double(client: APIClient, redis: Redis) -> None:
    """The server began at 09:40 today; the history has Monday and today up to 09:55."""
    before, monday = week()
    tell(redis, before, bars(moment(15, 0, date(2026, 1, 30)), moment(15, 29, date(2026, 1, 30)), 100))
    tell(redis, monday, bars(moment(9, 15, MONDAY), moment(15, 29, MONDAY), 200))
    tell(redis, Page(OPTION, Interval.ONE, TUESDAY, date(2026, 2, 4)), bars(moment(9, 15), moment(9, 55), 300))
    candles.write(bars(moment(9, 40), moment(9, 40), 390, flags=BarFlag.PARTIAL))
    candles.write(bars(moment(9, 41), moment(9, 59), 400))
    answer = client.get(f"{PATH}?limit=420").json()
    starts = [candle[0] for candle in answer["candles"]]
    today = [f"03 {clock_:%H:%M}" for clock_ in (moment(9, 15) + MINUTE * number for number in range(45))]
    assert times(answer)[-45:] == today
    assert times(answer)[-46] == "02 15:29"
    assert len(answer["candles"]) == 420
    assert starts == sorted(set(starts))
    assert [candle[4] for candle in answer["candles"][-45:]] == ["3.00"] * 26 + ["4.00"] * 19
    assert (answer["source"], answer["history"], answer["partial"]) == ("OWN+DHAN", "COMPLETE", [])


def test_what_is_missing_is_asked_for_once_the_newest_first_and_said_to_be_pending(
    client: APIClient, redis: Redis
) -> None:
    for _ in range(3):
        answer = client.get(f"{PATH}?limit=100").json()
    assert (answer["candles"], answer["source"], answer["history"]) == ([], "NONE", "PENDING")
    assert wanted(redis) == ["1 2026-02-02 2026-02-03", "1 2026-01-26 2026-02-02", "1 2026-02-03 2026-02-04"]


def test_with_every_minute_of_today_our_own_dhan_is_not_asked_for_today(client: APIClient, redis: Redis) -> None:
    candles.write(bars(moment(9, 15), moment(9, 56), 400))
    client.get(f"{PATH}?from=2026-02-03")
    assert wanted(redis) == []


def test_what_dhan_refuses_leaves_the_chart_with_our_own(client: APIClient, redis: Redis) -> None:
    candles.write(bars(moment(15, 29, MONDAY), moment(15, 29, MONDAY), 200))
    candles.write(bars(moment(9, 15), moment(9, 59), 400))
    for page in week():
        redis.set(history.page_key(page), history.REFUSED)
    answer = client.get(f"{PATH}?limit=46").json()
    assert (times(answer)[0], answer["source"], answer["history"]) == ("02 15:29", "OWN", "UNAVAILABLE")


def test_what_is_no_longer_listed_is_drawn_from_our_own_and_nobody_is_asked(client: APIClient, redis: Redis) -> None:
    Instrument.objects.update(is_listed=False)
    candles.write(bars(moment(15, 29, MONDAY), moment(15, 29, MONDAY), 200))
    answer = client.get(PATH).json()
    assert (times(answer), answer["history"], wanted(redis)) == (["02 15:29"], "UNAVAILABLE", [])


def test_an_hour_is_made_of_quarters_of_the_history_and_of_today_s_minutes(client: APIClient, redis: Redis) -> None:
    (page,) = [page for page in pages_of_quarters() if page.end == TUESDAY]
    tell(redis, page, bars(moment(9, 15, MONDAY), moment(15, 15, MONDAY), 200, QUARTER))
    candles.write(bars(moment(9, 15), moment(9, 59), 400))
    answer = client.get(f"{PATH}?interval=60&from=2026-02-02").json()
    assert times(answer) == [*(f"02 {hour:02}:15" for hour in range(9, 16)), "03 09:15"]
    assert [candle[5] for candle in answer["candles"]] == [300] * 6 + [75, 3_375]


def pages_of_quarters() -> list[Page]:
    return pages(OPTION, Interval.FIFTEEN, MONDAY, TUESDAY, TUESDAY)


def test_days_that_the_history_lacks_are_filled_from_our_own(client: APIClient, redis: Redis) -> None:
    (page,) = pages_of_quarters()
    friday = date(2026, 1, 30)
    tell(redis, page, bars(moment(9, 15, friday), moment(9, 15, friday), 100, QUARTER))
    candles.write(bars(moment(9, 15, MONDAY), moment(9, 44, MONDAY), 200))
    candles.write(bars(moment(9, 15, friday), moment(9, 44, friday), 999))
    answer = client.get(f"{PATH}?interval=15&from=2026-01-30&to=2026-02-03").json()
    assert list(zip(times(answer), (candle[4] for candle in answer["candles"]), strict=True)) == [
        ("30 09:15", "1.00"), ("02 09:15", "2.00"), ("02 09:30", "2.00"),
    ]  # fmt: skip


def test_a_day_s_bar_is_the_history_s_before_today_and_ours_today(client: APIClient, redis: Redis) -> None:
    (page,) = pages(OPTION, Interval.DAY, MONDAY, TUESDAY, TUESDAY)
    tell(redis, page, bars(moment(0, 0, date(2026, 2, 1)), moment(0, 0, MONDAY), 200, timedelta(days=1)))
    candles.write(bars(moment(9, 15), moment(9, 59), 400))
    answer = client.get(f"{PATH}?interval=D&from=2026-02-01").json()
    assert times(answer) == ["01 00:00", "02 00:00", "03 00:00"]
    assert answer["candles"][-1][5] == 45 * 75


def test_commodities_are_aligned_to_nine_o_clock(client: APIClient, redis: Redis) -> None:
    make_instrument(CRUDE, "CRUDEOIL-Feb2026-FUT", instrument_type=InstrumentType.FUTCOM)
    rows = bars(moment(9, 0), moment(9, 59), 600_000)
    rows["code"] = CRUDE.code
    candles.write(rows)
    answer = client.get(f"/api/v2/candles/{CRUDE}?interval=30&from=2026-02-03").json()
    assert times(answer) == ["03 09:00", "03 09:30"]


def test_a_minute_of_which_ticks_may_be_missing_is_named(client: APIClient, redis: Redis) -> None:
    candles.write(bars(moment(9, 20), moment(9, 20), 400, flags=BarFlag.PARTIAL))
    answer = client.get(f"{PATH}?interval=5").json()
    assert answer["partial"] == [int(moment(9, 20).timestamp() * 1000)]


def test_bars_before_a_moment_are_paged_backwards(client: APIClient, redis: Redis) -> None:
    candles.write(bars(moment(9, 15), moment(9, 59), 400))
    answer = client.get(PATH, {"to": "2026-02-03T09:30:00+05:30", "limit": 5}).json()
    assert times(answer) == ["03 09:25", "03 09:26", "03 09:27", "03 09:28", "03 09:29"]


@pytest.mark.parametrize(
    "query", ["interval=2", "limit=0", "limit=2001", "from=yesterday", "to=0001-01-01", "from=2026-02-03T25:00"]
)
def test_what_makes_no_sense_is_refused(client: APIClient, query: str) -> None:
    answer = client.get(f"{PATH}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID")


def test_an_unknown_instrument_is_not_found(client: APIClient) -> None:
    for key in ("NSE_FNO.1", "nonsense"):
        assert client.get(f"/api/v2/candles/{key}").status_code == 404


def test_a_sparkline_is_the_last_sixty_closes_of_today_with_the_running_one(client: APIClient, redis: Redis) -> None:
    candles.write(bars(moment(8, 30), moment(9, 58), 15_000))
    candles.write(bars(moment(9, 15, MONDAY), moment(9, 20, MONDAY), 1))
    run(redis, bars(moment(9, 58), moment(9, 59), 15_100))
    answer = client.get(f"/api/v2/sparklines?instruments={OPTION},NSE_EQ.2885").json()
    assert answer == {str(OPTION): ["150.00"] * 58 + ["151.00"] * 2, "NSE_EQ.2885": []}


def test_sparklines_of_nothing_and_of_too_many_are_refused(client: APIClient) -> None:
    many = ",".join(f"NSE_EQ.{number}" for number in range(201))
    for keys in ("", "nonsense", many):
        assert client.get(f"/api/v2/sparklines?instruments={keys}").status_code == 400
