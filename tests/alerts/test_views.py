"""Alerts over REST: levels in the unit of their column, one's own only."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from alerts import services
from alerts.core.crossing import Decision
from alerts.models import Alert
from feeds.models import Instrument

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("reliance")]
ABOVE = {"instrument": "NSE_EQ.2885", "column": "LAST_PRICE", "direction": "ABOVE", "value": "1500.00"}


@pytest.fixture
def client(asha: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(asha)
    return client


def post(client: APIClient, **values: Any) -> Any:
    return client.post("/api/v2/alerts", {**ABOVE, **values}, format="json")


def test_it_comes_back_as_it_was_asked_for(client: APIClient) -> None:
    answer = post(client, repeat=True, note="breakout")
    assert answer.status_code == 201
    told = answer.json()
    assert (told["instrument"], told["symbol"], told["column"], told["direction"], told["value"]) == (
        "NSE_EQ.2885", "RELIANCE", "LAST_PRICE", "ABOVE", "1500.00",
    )  # fmt: skip
    assert (told["repeat"], told["note"], told["status"], told["fired_count"], told["fired_at"]) == (
        True, "breakout", "ACTIVE", 0, None,
    )  # fmt: skip
    assert client.get(f"/api/v2/alerts/{told['id']}").json() == told
    assert client.get("/api/v2/alerts").json()["results"] == [told]


@pytest.mark.parametrize(
    ("column", "value", "level"),
    [
        ("LAST_PRICE", "0.05", 5),
        ("CHANGE_PERCENT", "-2.5", -250),
        ("OPEN_INTEREST", "1250000", 1_250_000),
        ("VOLUME", "5000000000", 5_000_000_000),
    ],
)
def test_levels_are_kept_whole(client: APIClient, column: str, value: str, level: int) -> None:
    answer = post(client, column=column, value=value)
    assert answer.status_code == 201
    assert Alert.objects.get().level == level


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("LAST_PRICE", "0"),
        ("LAST_PRICE", "-1"),
        ("LAST_PRICE", "1.234"),
        ("LAST_PRICE", "30000000"),
        ("LAST_PRICE", "NaN"),
        ("CHANGE_PERCENT", "-101"),
        ("OPEN_INTEREST", "1.5"),
        ("VOLUME", "0"),
        ("LTP", "1"),
    ],
)
def test_what_is_no_level_is_refused(client: APIClient, column: str, value: str) -> None:
    answer = post(client, column=column, value=value)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID")


def test_what_is_not_listed_has_no_alerts(client: APIClient) -> None:
    answer = post(client, instrument="NSE_EQ.1")
    assert (answer.status_code, answer.json()["code"]) == (422, "UNKNOWN_INSTRUMENT")


def test_what_does_not_fit_is_refused_with_the_figures(
    client: APIClient, options: list[Instrument], settings: Settings
) -> None:
    settings.FEED_INSTRUMENTS_TOTAL = 1
    assert post(client).status_code == 201
    answer = post(client, instrument=str(options[0].key))
    assert (answer.status_code, answer.json()["code"]) == (409, "CAPACITY_EXCEEDED")
    assert (answer.json()["details"]["additional"], answer.json()["details"]["free"]) == (1, 0)


def test_too_many_are_refused(client: APIClient, settings: Settings) -> None:
    settings.ALERTS_PER_USER = 1
    post(client)
    answer = post(client)
    assert (answer.status_code, answer.json()["code"], answer.json()["details"]) == (
        409, "ITEM_LIMIT_EXCEEDED", {"limit": 1},
    )  # fmt: skip


def test_it_is_changed_paused_and_deleted(client: APIClient) -> None:
    path = f"/api/v2/alerts/{post(client).json()['id']}"
    changed = client.patch(path, {"value": "1600.00", "direction": "BELOW", "note": "stop"}, format="json").json()
    assert (changed["value"], changed["direction"], changed["note"]) == ("1600.00", "BELOW", "stop")
    assert client.patch(path, {"active": False}, format="json").json()["status"] == "PAUSED"
    assert client.patch(path, {"value": "0.001"}, format="json").status_code == 400
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


def test_lists_are_narrowed_by_status_and_instrument(client: APIClient, options: list[Instrument]) -> None:
    post(client)
    other = post(client, instrument=str(options[0].key)).json()["id"]
    client.patch(f"/api/v2/alerts/{other}", {"active": False}, format="json")
    ids = [row["id"] for row in client.get("/api/v2/alerts", {"status": "PAUSED"}).json()["results"]]
    assert ids == [other]
    assert client.get("/api/v2/alerts", {"instrument": str(options[0].key)}).json()["count"] == 1
    assert client.get("/api/v2/alerts", {"status": "GONE"}).status_code == 400


def test_the_history_outlives_the_alert(client: APIClient) -> None:
    post(client)
    alert = Alert.objects.get()
    services.store([Decision(alert.pk, 1, True, False, 150_010, 149_990, 1_770_093_900.0)])
    services.delete_alert(alert=alert)
    (told,) = client.get("/api/v2/alerts/fired").json()["results"]
    assert (told["alert"], told["number"], told["value"], told["reached"], told["last_price"], told["at"]) == (
        None, 1, "1500.00", "1500.10", "1499.90", "2026-02-03T10:15:00+05:30",
    )  # fmt: skip


def test_another_ones_alert_is_not_there(client: APIClient, ravi: User) -> None:
    path = f"/api/v2/alerts/{post(client).json()['id']}"
    stranger = APIClient()
    stranger.force_authenticate(ravi)
    answers = [stranger.get(path), stranger.patch(path, {"note": "x"}, format="json"), stranger.delete(path)]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert stranger.get("/api/v2/alerts").json()["count"] == 0
    assert Alert.objects.count() == 1
