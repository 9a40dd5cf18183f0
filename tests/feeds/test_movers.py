"""/movers over what is subscribed: read once a second, narrowed by type."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import pytest
from django.contrib.auth.models import User
from redis import Redis
from rest_framework.test import APIClient

from feeds import bus
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType
from feeds.core.tick import TickFlag
from feeds.interest import Source, declare_interest
from feeds.models import DhanAccount
from feeds.movers import current_market
from tests.feeds.market import make_instrument, row

pytestmark = pytest.mark.django_db

SHARE = InstrumentKey(ExchangeSegment.NSE_EQ, 2885)
FUTURE = InstrumentKey(ExchangeSegment.NSE_FNO, 49_000)
UNWANTED = InstrumentKey(ExchangeSegment.NSE_EQ, 7)


def put(redis: Redis, key: InstrumentKey, last: int, close: int, **fields: int) -> None:
    rows = row(key, last, fields.pop("volume", 0))
    rows["previous_close"] = close
    for name, value in fields.items():
        rows[name] = value
    redis.hset(bus.board_key(1), key.code.to_bytes(8, "little"), rows.tobytes())
    redis.sadd(bus.BOARDS, 1)


@pytest.fixture(autouse=True)
def market(redis: Redis) -> Iterator[None]:
    DhanAccount.objects.create(name="main", client_id="1000000001")
    make_instrument(SHARE, "RELIANCE", name="Reliance Industries")
    expiry = date(2026, 2, 24)
    make_instrument(FUTURE, "NIFTY-Feb2026-FUT", instrument_type=InstrumentType.FUTIDX, expiry=expiry)
    make_instrument(UNWANTED, "ZEEL")
    declare_interest(Source.HELD, "1", [SHARE, FUTURE])
    put(redis, SHARE, 150_000, 140_000, volume=1_000, average_price=145_000)
    put(redis, FUTURE, 2_610_000, 2_600_000, open_interest=1_500, previous_open_interest=1_000, flags=TickFlag.STALE)
    put(redis, UNWANTED, 20_000, 10_000)
    current_market().forget()
    yield
    current_market().forget()


@pytest.fixture
def client(db: None) -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create(username="asha"))
    return client


def told(client: APIClient, **query: object) -> list[str]:
    return [each["symbol"] for each in client.get("/api/v2/movers", query).json()["results"]]


def test_only_what_is_subscribed_counts(client: APIClient) -> None:
    answer = client.get("/api/v2/movers", {"kind": "GAINERS"}).json()
    assert (answer["kind"], answer["subscribed"]) == ("GAINERS", 2)
    first = answer["results"][0]
    assert [each["symbol"] for each in answer["results"]] == ["RELIANCE", "NIFTY-Feb2026-FUT"]
    assert (first["last_price"], first["change"], first["change_percent"], first["value"], first["stale"]) == (
        "1500.00", "100.00", 7.14, "1450000.00", False,
    )  # fmt: skip


def test_types_and_limit_narrow_it(client: APIClient) -> None:
    assert told(client, kind="GAINERS", types="FUTIDX,FUTSTK") == ["NIFTY-Feb2026-FUT"]
    assert told(client, kind="GAINERS", limit=1) == ["RELIANCE"]
    assert told(client, kind="LOSERS") == []


def test_open_interest_that_grew_and_old_prices_say_so(client: APIClient) -> None:
    (future,) = client.get("/api/v2/movers", {"kind": "OI_GAINERS"}).json()["results"]
    assert (future["open_interest_change"], future["open_interest_percent"], future["stale"]) == (500, 50.0, True)


def test_it_is_read_once_however_many_ask(client: APIClient, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000.0]
    monkeypatch.setattr("feeds.movers.clock.monotonic", lambda: now[0])
    current_market().forget()
    assert told(client, kind="LOSERS") == []
    put(redis, SHARE, 130_000, 140_000)
    now[0] += 0.9
    assert told(client, kind="LOSERS") == []
    now[0] += 0.1
    assert told(client, kind="LOSERS") == ["RELIANCE"]


@pytest.mark.parametrize(
    "query", [{}, {"kind": "BEST"}, {"kind": "GAINERS", "types": "X"}, {"kind": "GAINERS", "limit": 0}]
)
def test_what_makes_no_sense_is_refused(client: APIClient, query: dict[str, object]) -> None:
    assert client.get("/api/v2/movers", query).status_code == 400


def test_with_nothing_subscribed_nobody_moved(client: APIClient) -> None:
    declare_interest(Source.HELD, "1", np.empty(0, np.uint64))
    current_market().forget()
    assert told(client, kind="GAINERS") == []
