"""The limit holds for a hundred at once, for forged addresses, and while Redis is away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from pytest_django.fixtures import Settings
from redis import Redis
from rest_framework.test import APIClient

from terminal.throttling import seconds_to_wait


def test_of_a_hundred_at_once_exactly_the_limit_pass(redis: Redis) -> None:
    with ThreadPoolExecutor(20) as threads:
        waits = list(threads.map(lambda _: seconds_to_wait("user.1", 30), range(100)))
    assert sum(wait == 0 for wait in waits) == 30
    assert all(0 < wait <= 60 for wait in waits if wait)


@pytest.mark.django_db
def test_over_the_limit_is_429_with_the_time_to_come_again(redis: Redis, settings: Settings) -> None:
    settings.REST_RATE_PER_MINUTE = 2
    client = APIClient()
    client.force_login(User.objects.create(username="asha"))
    answers = [client.get("/api/v2/session") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "THROTTLED"
    assert 1 <= int(answers[2]["Retry-After"]) <= 60


@pytest.mark.django_db
def test_a_forged_address_escapes_nothing(redis: Redis, settings: Settings) -> None:
    settings.LOGIN_RATE_PER_MINUTE = 3
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    codes = [
        APIClient()
        .post(
            "/api/v2/session", {"username": f"u{n}", "password": "x"}, format="json", HTTP_X_FORWARDED_FOR=f"10.0.0.{n}"
        )
        .status_code
        for n in range(5)
    ]
    assert codes == [401, 401, 401, 429, 429]


@pytest.mark.django_db
def test_guesses_of_the_password_in_an_open_session_are_counted_too(redis: Redis, settings: Settings) -> None:
    settings.LOGIN_RATE_PER_MINUTE = 3
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    client = APIClient()
    client.force_login(User.objects.create_user("asha", password="right"), "django.contrib.auth.backends.ModelBackend")
    guess = {"current": "wrong", "new": "x"}
    codes = [client.post("/api/v2/password", guess, format="json").status_code for _ in range(5)]
    assert codes == [403, 403, 403, 429, 429]
    assert client.get("/api/v2/session").status_code == 200


@pytest.mark.django_db
def test_with_redis_away_reading_goes_on_and_signing_in_does_not(settings: Settings) -> None:
    client = APIClient()
    client.force_login(User.objects.create(username="asha"))
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert client.get("/api/v2/session").status_code == 200
    answer = APIClient().post("/api/v2/session", {"username": "asha", "password": "x"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
    assert client.get("/api/v2/quotes?instruments=IDX_I.13").json()["code"] == "UNAVAILABLE"
