"""Signing in and what guards it, over REST as a browser and a program would."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group, User
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django.fixtures import Settings
from redis import Redis
from rest_framework.test import APIClient

from feeds import clock
from feeds.fanout.logins import CLOSED_CHANNEL
from feeds.models import AuditEntry
from terminal.accounts.models import ApiToken
from terminal.accounts.services import user_for_token

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
LOGIN = {"username": "asha", "password": PASSWORD}


@pytest.fixture(autouse=True)
def quick(settings: Settings, redis: Redis) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def asha() -> User:
    user = User.objects.create_user("asha", password=PASSWORD)
    user.groups.add(Group.objects.get(name="trader"))
    return user


@pytest.fixture
def client(asha: User) -> APIClient:
    """A browser that signed in, and sends its CSRF token like ours does."""
    client = APIClient(enforce_csrf_checks=True)
    assert client.post("/api/v2/session", LOGIN, format="json").status_code == 200
    client.credentials(HTTP_X_CSRFTOKEN=client.cookies["csrftoken"].value)
    return client


def code_of(device: TOTPDevice, steps: int = 0) -> str:
    return f"{totp(device.bin_key, drift=steps):06d}"


def enrol(client: APIClient) -> TOTPDevice:
    client.post("/api/v2/second-factor")
    device = TOTPDevice.objects.get()
    assert client.post("/api/v2/second-factor/confirm", {"code": code_of(device)}, format="json").status_code == 204
    return TOTPDevice.objects.get()


def test_signing_in_says_who_and_in_which_roles(client: APIClient, asha: User) -> None:
    assert client.get("/api/v2/session").json() == {
        "id": asha.pk, "username": "asha", "first_name": "", "last_name": "", "roles": ["trader"],
        "second_factor": False,
    }  # fmt: skip


def test_a_wrong_password_an_unknown_and_a_disabled_user_look_the_same(asha: User) -> None:
    User.objects.create_user("gone", password=PASSWORD, is_active=False)
    attempts = [("asha", "wrong"), ("nobody", PASSWORD), ("gone", PASSWORD)]
    answers = [
        APIClient().post("/api/v2/session", {"username": name, "password": password}, format="json")
        for name, password in attempts
    ]
    assert [answer.status_code for answer in answers] == [401] * 3
    assert {answer.content for answer in answers} == {answers[0].content}
    assert answers[0].json()["code"] == "LOGIN_FAILED"


def test_the_session_key_changes_at_login(asha: User) -> None:
    client = APIClient()
    session = client.session
    session["planted"] = True
    session.save()
    before = session.session_key
    client.cookies[django_settings.SESSION_COOKIE_NAME] = before
    client.post("/api/v2/session", LOGIN, format="json")
    assert client.cookies[django_settings.SESSION_COOKIE_NAME].value != before
    thief = APIClient()
    thief.cookies[django_settings.SESSION_COOKIE_NAME] = before
    assert thief.get("/api/v2/session").status_code == 401


def test_signing_out_kills_the_cookie_and_announces_the_session(client: APIClient, asha: User, redis: Redis) -> None:
    listener = redis.pubsub()
    listener.subscribe(CLOSED_CHANNEL)
    listener.get_message(timeout=5)
    cookie = client.cookies[django_settings.SESSION_COOKIE_NAME].value
    assert client.delete("/api/v2/session").status_code == 204
    thief = APIClient()
    thief.cookies[django_settings.SESSION_COOKIE_NAME] = cookie
    assert thief.get("/api/v2/session").status_code == 401
    message = listener.get_message(timeout=5)
    assert f'"user": {asha.pk}' in message["data"].decode()


def test_too_many_failures_lock_that_user_at_that_address_only(asha: User) -> None:
    wrong = {"username": "asha", "password": "wrong"}
    for _ in range(django_settings.AXES_FAILURE_LIMIT):
        answer = APIClient().post("/api/v2/session", wrong, format="json")
    assert answer.status_code == 429
    assert answer.json()["code"] == "LOCKED_OUT"
    assert APIClient().post("/api/v2/session", LOGIN, format="json").status_code == 429
    elsewhere = APIClient(REMOTE_ADDR="192.0.2.7")
    assert elsewhere.post("/api/v2/session", LOGIN, format="json").status_code == 200


def test_changes_need_the_csrf_token(client: APIClient) -> None:
    client.credentials()
    answer = client.post("/api/v2/watchlists", {"name": "x"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (403, "CSRF_FAILED")


def test_json_posted_as_text_is_415(client: APIClient) -> None:
    answer = client.post("/api/v2/session", '{"username": "asha"}', content_type="text/plain")
    assert (answer.status_code, answer.json()["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


# --- tokens ---------------------------------------------------------------------------------------


def test_a_token_is_shown_once_stored_hashed_and_signs_in(client: APIClient, asha: User) -> None:
    made = client.post("/api/v2/tokens", {"name": "algo"}, format="json")
    text = made.json()["token"]
    assert text.startswith("btt_")
    row = ApiToken.objects.get()
    assert text not in str(vars(row))
    assert "token" not in client.get("/api/v2/tokens").json()[0]
    program = APIClient(HTTP_AUTHORIZATION=f"Token {text}")
    assert program.get("/api/v2/session").json()["username"] == "asha"
    assert ApiToken.objects.get().last_used_at is not None
    assert user_for_token(text) == asha


def test_a_revoked_expired_or_unknown_token_is_401(client: APIClient, asha: User) -> None:
    texts = [client.post("/api/v2/tokens", {"name": name}, format="json").json()["token"] for name in ("a", "b", "c")]
    revoked, expired, _ = ApiToken.objects.order_by("pk")
    assert client.delete(f"/api/v2/tokens/{revoked.pk}").status_code == 204
    ApiToken.objects.filter(pk=expired.pk).update(expires_at=clock.wall_now() - timedelta(seconds=1))
    for text in [texts[0], texts[1], "btt_unknown", ""]:
        answer = APIClient(HTTP_AUTHORIZATION=f"Token {text}").get("/api/v2/session")
        assert (answer.status_code, answer.json()["code"]) == (401, "TOKEN_INVALID")
    User.objects.filter(pk=asha.pk).update(is_active=False)
    assert user_for_token(texts[2]) is None


def test_a_token_in_the_address_is_never_looked_at(client: APIClient) -> None:
    text = client.post("/api/v2/tokens", {"name": "algo"}, format="json").json()["token"]
    assert APIClient().get(f"/api/v2/session?token={text}").status_code == 401


def test_using_a_token_writes_at_most_once_a_minute(client: APIClient, django_assert_num_queries: object) -> None:
    text = client.post("/api/v2/tokens", {"name": "algo"}, format="json").json()["token"]
    user_for_token(text)
    with django_assert_num_queries(1):
        user_for_token(text)


def test_a_token_makes_no_tokens_and_changes_no_password(client: APIClient) -> None:
    text = client.post("/api/v2/tokens", {"name": "algo"}, format="json").json()["token"]
    program = APIClient(HTTP_AUTHORIZATION=f"Token {text}")
    for path in ("tokens", "password", "second-factor"):
        assert program.post(f"/api/v2/{path}", {"name": "more"}, format="json").status_code == 401


def test_another_users_token_is_404(client: APIClient) -> None:
    other = User.objects.create(username="ravi")
    token = ApiToken.objects.create(user=other, name="his", prefix="btt_x", digest="0" * 64)
    assert client.delete(f"/api/v2/tokens/{token.pk}").status_code == 404
    assert client.get("/api/v2/tokens").json() == []
    assert ApiToken.objects.get().revoked_at is None


# --- password -------------------------------------------------------------------------------------


def test_a_password_change_ends_the_other_sessions_and_leaves_this_one_and_the_tokens(client: APIClient) -> None:
    other = APIClient()
    other.post("/api/v2/session", LOGIN, format="json")
    text = client.post("/api/v2/tokens", {"name": "algo"}, format="json").json()["token"]
    body = {"current": PASSWORD, "new": "staple gun 42 lamp"}
    assert client.post("/api/v2/password", body, format="json").status_code == 204
    assert client.get("/api/v2/session").status_code == 200
    assert other.get("/api/v2/session").status_code == 401
    assert user_for_token(text) is not None
    assert AuditEntry.objects.filter(action="password.change").count() == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"current": "wrong", "new": "staple gun 42 lamp"}, 403, "PASSWORD_WRONG"),
        ({"current": PASSWORD, "new": "12345678"}, 400, "INVALID"),
        ({"current": PASSWORD}, 400, "INVALID"),
    ],
)
def test_a_password_change_needs_the_old_one_and_a_good_new_one(
    client: APIClient, body: dict[str, str], status: int, code: str
) -> None:
    answer = client.post("/api/v2/password", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


# --- the second factor ------------------------------------------------------------------------------


def test_enrolled_a_login_needs_a_code_that_works_once(client: APIClient) -> None:
    device = enrol(client)
    assert client.get("/api/v2/session").json()["second_factor"] is True
    browser = APIClient()
    assert browser.post("/api/v2/session", LOGIN, format="json").json()["code"] == "SECOND_FACTOR_REQUIRED"
    fresh = code_of(device, steps=1)  # the code of now was spent by the confirmation
    assert browser.post("/api/v2/session", LOGIN | {"code": fresh}, format="json").status_code == 200
    again = APIClient().post("/api/v2/session", LOGIN | {"code": fresh}, format="json")
    assert (again.status_code, again.json()["code"]) == (401, "SECOND_FACTOR_WRONG")


def test_wrong_codes_make_even_the_right_one_wait(client: APIClient) -> None:
    device = enrol(client)
    assert APIClient().post("/api/v2/session", LOGIN | {"code": "000000"}, format="json").status_code == 401
    right = APIClient().post("/api/v2/session", LOGIN | {"code": code_of(device, steps=1)}, format="json")
    assert right.json()["code"] == "SECOND_FACTOR_WRONG"


def test_a_session_from_before_the_enrolment_is_asked_for_the_code(asha: User) -> None:
    old = APIClient()
    old.post("/api/v2/session", LOGIN, format="json")
    TOTPDevice.objects.create(user=asha, confirmed=True)
    answer = old.get("/api/v2/session")
    assert (answer.status_code, answer.json()["code"]) == (401, "SECOND_FACTOR_REQUIRED")


def test_removing_it_takes_code_and_password(client: APIClient) -> None:
    device = enrol(client)
    path = "/api/v2/second-factor/disable"
    fresh = code_of(device, steps=1)
    assert client.post(path, {"code": fresh, "password": "wrong"}, format="json").json()["code"] == "PASSWORD_WRONG"
    assert client.post(path, {"code": fresh, "password": PASSWORD}, format="json").status_code == 204
    assert APIClient().post("/api/v2/session", LOGIN, format="json").status_code == 200


def test_beginning_twice_needs_removing_first(client: APIClient) -> None:
    enrol(client)
    assert client.post("/api/v2/second-factor").json()["code"] == "SECOND_FACTOR_EXISTS"
