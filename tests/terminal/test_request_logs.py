"""One line a request: its id, who asked, how it ended, and which order it was."""

from __future__ import annotations

import logging

import pytest
from django.http import HttpRequest
from django.test import Client
from django.urls import resolve

from terminal.accounts.roles import Role
from terminal.request_logs import order_ids

pytestmark = pytest.mark.django_db


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="django_structlog.middlewares.request")
    return caplog


def events(lines: pytest.LogCaptureFixture) -> list[dict]:
    return [record.msg for record in lines.records if record.name == "django_structlog.middlewares.request"]


def test_a_request_has_one_line_with_the_id_that_it_was_answered(lines: pytest.LogCaptureFixture) -> None:
    response = Client().get("/api/v2/session?page=1")
    (event,) = events(lines)
    assert (event["event"], event["code"], event["request"]) == ("request_finished", 401, "GET /api/v2/session?page=1")
    assert len(response["X-Request-ID"]) == 36
    assert "user_id" not in event


def test_who_asked_is_told_by_number(lines: pytest.LogCaptureFixture, browser, people) -> None:
    client = browser(Role.TRADER)
    lines.clear()
    client.get("/api/v2/session")
    assert events(lines)[0]["user_id"] == people[Role.TRADER].pk


def test_an_id_from_outside_is_not_taken_over_without_our_proxy(lines: pytest.LogCaptureFixture) -> None:
    assert Client().get("/health/live", headers={"X-Request-ID": "forged"})["X-Request-ID"] != "forged"


def request_of(method: str, path: str) -> HttpRequest:
    request = HttpRequest()
    request.method, request.path_info, request.resolver_match = method, path, resolve(path)
    return request


@pytest.mark.parametrize(
    ("method", "path", "answer", "ids"),
    [
        ("POST", "/api/v2/orders", {"id": 41, "status": "TRANSIT"}, [41]),
        ("POST", "/api/v2/orders", {"code": "MARGIN_SHORTFALL", "details": {"order_id": 42}}, [42]),
        ("PATCH", "/api/v2/orders/43", {"id": 43}, [43]),
        ("DELETE", "/api/v2/orders/43", None, [43]),
        ("GET", "/api/v2/orders/43/events", [], [43]),
        ("POST", "/api/v2/baskets/7/place", {"orders": [{"id": 44}, {"id": 45}]}, [44, 45]),
        ("GET", "/api/v2/orders", {"results": []}, []),
        ("POST", "/api/v2/orders/cancel-all", {"orders": [{"id": 46}]}, [46]),
        ("PATCH", "/api/v2/baskets/7", {"id": 7}, []),
    ],
)
def test_the_line_names_the_orders_that_a_request_was_about(
    method: str, path: str, answer: object, ids: list[int]
) -> None:
    assert order_ids(request_of(method, path), answer) == ids
