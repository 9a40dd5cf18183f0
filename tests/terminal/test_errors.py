"""Every error has one shape, wherever it comes from."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import InterfaceError, OperationalError
from redis import Redis
from rest_framework.test import APIClient

from terminal.errors import ALL_CODES, DOMAIN_STATUSES

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(redis: Redis) -> APIClient:
    client = APIClient()
    client.force_login(User.objects.create(username="asha"))
    return client


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type", "status", "code"),
    [
        ("get", "nothing/here", "", "", 404, "NOT_FOUND"),
        ("get", "instruments/NSE_EQ.1", "", "", 404, "NOT_FOUND"),
        ("get", "instruments/hello", "", "", 404, "NOT_FOUND"),
        ("get", "chains/NSE_FNO/NIFTY/2026-02-30", "", "", 404, "NOT_FOUND"),
        ("get", "chains/NSE_FNO/NIF%00TY/2026-02-24", "", "", 404, "NOT_FOUND"),
        ("get", "instruments?q=%00", "", "", 400, "INVALID"),
        ("get", "instruments?expiry=0000-00-00", "", "", 400, "INVALID"),
        ("get", "instruments?strike=NaN", "", "", 400, "INVALID"),
        ("get", "instruments?strike=-1e999", "", "", 400, "INVALID"),
        ("post", "watchlist/add", '{"symbols": ["\\ud800"]}', "application/json", 400, "INVALID"),
        ("post", "watchlist/add", '{"symbols": ["X"], "watchlist": 1e30}', "application/json", 400, "INVALID"),
        ("post", "watchlists", '{"name": "\\u0000"}', "application/json", 400, "INVALID"),
        ("post", "quotes", '{"instruments": [{}, null, 5]}', "application/json", 400, "INVALID"),
        ("get", "watchlists/99999999999999999999", "", "", 404, "NOT_FOUND"),
        ("get", "instruments?segment=LSE", "", "", 400, "INVALID"),
        ("get", "instruments?page=99", "", "", 404, "NOT_FOUND"),
        ("get", "quotes", "", "", 400, "INVALID"),
        ("put", "watchlist/add", "{}", "application/json", 405, "METHOD_NOT_ALLOWED"),
        ("get", "watchlist/add", "", "", 405, "METHOD_NOT_ALLOWED"),
        ("post", "watchlist/add", "{", "application/json", 400, "PARSE_ERROR"),
        ("post", "watchlist/add", "[" * 100_000, "application/json", 400, "PARSE_ERROR"),
        ("post", "watchlist/add", "[]", "application/json", 400, "INVALID"),
        ("post", "watchlist/add", "\xff", "application/json", 400, "PARSE_ERROR"),
        ("post", "watchlist/add", "{}", "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"),
    ],
)
def test_an_error_is_code_message_and_details(
    client: APIClient, method: str, path: str, body: str, content_type: str, status: int, code: str
) -> None:
    arguments = {"data": body.encode("latin-1"), "content_type": content_type} if content_type else {}
    answer = getattr(client, method)(f"/api/v2/{path}", **arguments)
    assert answer.status_code == status, answer.content
    assert set(answer.json()) == {"code", "message", "details"}
    assert answer.json()["code"] == code


def test_nobody_signed_in_is_401_everywhere() -> None:
    for path in ("session", "instruments", "quotes", "chains", "watchlists", "subscriptions", "feed-status", "tokens"):
        answer = APIClient().get(f"/api/v2/{path}")
        assert (answer.status_code, answer.json()["code"]) == (401, "NOT_AUTHENTICATED"), path


def test_a_bug_answers_500_and_says_nothing_about_itself(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("the secret of the house")

    monkeypatch.setattr("feeds.selectors.market_status", broken)
    client.raise_request_exception = False
    answer = client.get("/api/v2/market-status")
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert b"secret" not in answer.content


@pytest.mark.parametrize("error", [OperationalError("server closed the connection"), InterfaceError("closed")])
def test_a_database_that_is_away_is_503(client: APIClient, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def away(*_: object) -> None:
        raise error

    monkeypatch.setattr("feeds.selectors.market_status", away)
    answer = client.get("/api/v2/market-status")
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
    assert "closed" not in answer.content.decode()


def test_every_domain_code_is_in_the_closed_list() -> None:
    assert set(DOMAIN_STATUSES) <= set(ALL_CODES)
