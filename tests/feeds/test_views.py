"""The market over REST: rupees as text, times in IST, ages, and what is not known said openly."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import orjson
import pytest
from django.contrib.auth.models import User
from redis import Redis
from rest_framework.test import APIClient

from feeds import clock
from feeds.bus import BOARDS, board_key
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.core.tick import TICK, TickFlag
from feeds.importing import import_lines
from feeds.interest import Source, declare_interest
from feeds.models import ChainDefinition, ChainState, DhanAccount
from feeds.serializers import AnalyticsSerializer
from feeds.volatility import CHAIN_ANALYTICS
from tests.feeds.market_rows import TODAY, index, master, option, share
from tests.watchlists.conftest import FAR, NEAR, account, at, morning, options_of

__all__ = ["account", "at", "morning"]  # fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("morning")]

NIFTY = InstrumentKey(ExchangeSegment.IDX_I, 13)
CALL = InstrumentKey(ExchangeSegment.NSE_FNO, 10_024)


@pytest.fixture
def client(redis: Redis) -> APIClient:
    rows = [index(13, "NIFTY", "Nifty 50"), share(2885, "RELIANCE"), option(9, "RELIANCE", FAR, 1400, "PE")]
    rows += options_of("NIFTY", 10_000, NEAR, 26_000, 50)
    import_lines(master(rows), day=TODAY)
    client = APIClient()
    client.force_login(User.objects.create(username="asha"))
    return client


@pytest.fixture
def ticks(redis: Redis, account: DhanAccount) -> None:
    rows = np.zeros(2, TICK)
    rows["code"] = [NIFTY.code, CALL.code]
    rows["last_price"], rows["previous_close"] = [2_601_235, 15_230], [2_590_000, 0]
    rows["received_at"] = clock.wall_nanoseconds() - 2_500_000_000
    rows["last_traded_at"] = [0, int(datetime(2026, 2, 3, 9, 59, 58, tzinfo=clock.IST).timestamp())]
    rows["flags"] = [0, TickFlag.STALE | TickFlag.GAP]
    rows["depth"]["bid_price"][1][0], rows["depth"]["bid_quantity"][1][0] = 15_225, 65
    redis.hset(board_key(account.pk), mapping={row["code"].tobytes(): row.tobytes() for row in rows})
    redis.sadd(BOARDS, account.pk)


def test_an_instrument_is_read_by_its_key(client: APIClient) -> None:
    answer = client.get("/api/v2/instruments/NSE_FNO.9").json()
    expected = {
        "instrument": "NSE_FNO.9", "segment": "NSE_FNO", "strike": "1400.00", "tick_size": "0.05", "option_type": "PUT",
        "expiry": "2026-02-24",
    }  # fmt: skip
    assert {name: answer[name] for name in expected} == expected


def test_instruments_are_filtered_paged_and_searched(client: APIClient) -> None:
    path = "/api/v2/instruments"
    page = client.get(f"{path}?underlying=nifty&type=OPTIDX&page_size=20&page=3").json()
    assert (page["count"], len(page["results"]), page["next"]) == (50, 10, None)
    (found,) = client.get(f"{path}?strike=26000&segment=NSE_FNO&q=nifty ce").json()["results"]
    assert found["symbol"] == "NIFTY-Feb2026-26000-CE"
    assert client.get(f"{path}?page_size=100000").json()["count"] == 53
    assert len(client.get(f"{path}?page_size=100000").json()["results"]) == 53


def test_what_is_no_option_has_no_side_nor_strike_nor_expiry(client: APIClient) -> None:
    share = client.get("/api/v2/instruments/NSE_EQ.2885").json()
    assert (share["option_type"], share["strike"], share["expiry"]) == (None, None, None)


@pytest.mark.usefixtures("ticks")
def test_a_quote_says_its_price_its_age_and_whether_to_believe_it(client: APIClient) -> None:
    body = {"instruments": [str(CALL), str(NIFTY), "NSE_EQ.2885"]}
    answer = client.post("/api/v2/quotes", body, format="json").json()
    call, nifty = answer["quotes"]
    assert answer["missing"] == ["NSE_EQ.2885"]
    assert (call["last_price"], call["previous_close"], nifty["last_price"]) == ("152.30", None, "26012.35")
    assert (call["stale"], call["flags"], nifty["stale"]) == (True, ["STALE", "GAP"], False)
    assert call["last_traded_at"] == "2026-02-03T09:59:58.000+05:30"
    assert nifty["last_traded_at"] is None
    assert 2.5 <= call["age_seconds"] < 60
    assert call["depth"][0] == {
        "bid_price": "152.25", "bid_quantity": 65, "bid_orders": 0,
        "ask_price": None, "ask_quantity": 0, "ask_orders": 0,
    }  # fmt: skip
    by_query = client.get(f"/api/v2/quotes?instruments={NIFTY},NSE_EQ.2885").json()
    assert [each["instrument"] for each in by_query["quotes"]] == [str(NIFTY)]


def test_more_than_a_thousand_quotes_are_refused(client: APIClient) -> None:
    keys = [f"NSE_EQ.{number}" for number in range(1001)]
    answer = client.post("/api/v2/quotes", {"instruments": keys}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID")


@pytest.mark.usefixtures("ticks")
def test_one_chain_has_its_contracts_by_strike_with_quotes(client: APIClient) -> None:
    answer = client.get("/api/v2/chains/NSE_FNO/NIFTY/2026-02-10").json()
    assert (answer["underlying"], answer["expiry"], len(answer["contracts"])) == ("NIFTY", "2026-02-10", 50)
    first, second = answer["contracts"][:2]
    assert (first["strike"], first["option_type"], second["option_type"]) == ("25400.00", "CALL", "PUT")
    quoted = [each["instrument"] for each in answer["contracts"] if each["quote"]]
    assert quoted == [str(CALL)]


def test_chains_show_their_numbers_with_reasons_and_an_unresolved_one_none(
    client: APIClient, account: DhanAccount
) -> None:
    definitions = [
        ChainDefinition.objects.create(
            underlying_symbol=name, segment=ExchangeSegment.NSE_FNO, account=account, weekly=1
        )
        for name in ("NIFTY", "BANKNIFTY")
    ]
    missing = [{"expiry": "2026-02-10", "reason": "TOO_FEW_STRIKES", "count": 2}]
    ChainState.objects.create(
        definition=definitions[0], trading_date=TODAY, reference_id=NIFTY.code, atm_strike=2_600_000, nominal=42,
        unique=42, listed=40, missing=missing,
    )  # fmt: skip
    resolved, unresolved = client.get("/api/v2/chains").json()
    assert (resolved["reference"], resolved["atm_strike"], resolved["missing"]) == ("IDX_I.13", "26000.00", missing)
    assert [resolved[name] for name in ("nominal", "unique", "listed", "subscribed")] == [42, 42, 40, None]
    assert [unresolved[name] for name in ("nominal", "reference", "missing")] == [None, None, None]


def test_subscriptions_are_by_class_and_account(client: APIClient, account: DhanAccount) -> None:
    declare_interest(Source.WATCHLIST, "1.1", [CALL], references=[NIFTY])
    answer = client.get("/api/v2/subscriptions").json()
    assert answer["total"] == {
        "capacity": 25000, "tier_b": 0, "references": 1, "tier_a": 1, "used": 2, "free": 24998,
    }  # fmt: skip
    assert answer["accounts"][0] == answer["total"] | {"account": account.pk, "name": "main", "connections": []}


def test_a_feed_that_does_not_speak_is_down(client: APIClient, account: DhanAccount) -> None:
    assert client.get("/api/v2/feed-status").json() == [
        {"account": account.pk, "name": "main", "state": "DOWN", "status": {}}
    ]


def test_the_market_status_is_of_exchange_time(client: APIClient) -> None:
    answer = client.get("/api/v2/market-status").json()
    phases = {each["segment"]: each["phase"] for each in answer["segments"]}
    assert answer["exchange_time"].startswith("2026-02-03T10:00")
    assert answer["exchange_time"].endswith("+05:30")
    assert (phases["NSE_FNO"], phases["MCX_COMM"], answer["master_date"]) == ("CONTINUOUS", "CONTINUOUS", "2026-02-03")


def test_underlyings_are_what_has_options_with_lot_size_and_next_expiry(client: APIClient) -> None:
    answer = client.get("/api/v2/underlyings").json()
    assert (answer["count"], answer["next"]) == (2, None)
    nifty, reliance = answer["results"]
    assert nifty == {
        "segment": "NSE_FNO", "underlying": "NIFTY", "instrument_type": "OPTIDX", "lot_size": 65, "multiplier": 1,
        "next_expiry": "2026-02-10",
    }  # fmt: skip
    assert (reliance["underlying"], reliance["instrument_type"]) == ("RELIANCE", "OPTSTK")


def test_expiries_of_an_underlying_and_of_none(client: APIClient) -> None:
    path = "/api/v2/expiries"
    found = client.get(f"{path}?segment=NSE_FNO&underlying=nifty").json()
    assert found == {"segment": "NSE_FNO", "underlying": "NIFTY", "expiries": ["2026-02-10"]}
    assert client.get(f"{path}?segment=BSE_FNO&underlying=NIFTY").status_code == 404
    assert set(client.get(path).json()["details"]) == {"segment", "underlying"}


def test_a_chain_has_what_was_computed_of_it_last(client: APIClient, redis: Redis) -> None:
    path, figures = "/api/v2/chains/NSE_FNO/NIFTY/2026-02-10", dict.fromkeys(AnalyticsSerializer().fields)
    assert client.get(path).json()["analytics"] is None
    prices = {"forward": 2_610_040, "first_strike": 2_560_000, "last_strike": 2_660_000}
    rows = {"columns": ["iv", "iv_reason"], "instruments": ["NSE_FNO.10000"], "rows": [[12.4, None]]}
    redis.hset(CHAIN_ANALYTICS, "chain.NSE_FNO.NIFTY.2026-02-10", orjson.dumps({**figures, **prices, **rows}))
    told = client.get(path).json()["analytics"]
    assert (told["forward"], told["straddle"], told["first_strike"]) == ("26100.40", None, "25600.00")
    assert told["rows"] == [[12.4, None]]
