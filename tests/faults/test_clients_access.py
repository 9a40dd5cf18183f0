"""C06: who may not, or no longer, is refused at the handshake or closed 4401 within two seconds."""

from __future__ import annotations

import asyncio
import http.cookies
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session

from feeds import clock
from terminal.accounts.models import ApiToken
from terminal.accounts.selectors import token_digest
from terminal.listeners import sign_in
from tests.faults.clients_fixtures import CALL, PASSWORD, Web, on_the_market, until, web_process
from tests.feeds.market import in_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

TOKEN = "btt_a-token-of-the-tests"
DESK = "https://desk.example.in"
CLOSED_SECONDS = 2.0
MACHINE_SECONDS = 1.5
"""What a busy machine may add."""


@pytest.fixture(scope="module")
def process(django_db_setup, tmp_path_factory):
    with web_process("daphne", tmp_path_factory.mktemp("web")) as process:
        yield process
        assert "Traceback" not in process[0].log_tail(10_000), process[0].log_tail(10_000)


@pytest_asyncio.fixture
async def web(redis, process):
    async with on_the_market(process, strikes=1) as web:
        yield web


def session_of(web: Web) -> Session:
    morsel = http.cookies.SimpleCookie(web.headers["Cookie"])[settings.SESSION_COOKIE_NAME]
    return Session.objects.get(session_key=morsel.value)


def make_token(web: Web, **fields) -> ApiToken:
    return ApiToken.objects.create(user=web.user, name="bot", prefix="btt_", digest=token_digest(TOKEN), **fields)


def disable(web: Web) -> None:
    User.objects.filter(pk=web.user.pk).update(is_active=False)


def expire(web: Web) -> None:
    Session.objects.filter(pk=session_of(web).pk).update(expire_date=clock.wall_now() - timedelta(seconds=1))


def sign_out_elsewhere(web: Web) -> None:
    session_of(web).delete()


def change_password_by_hand(web: Web) -> None:
    web.user.set_password("another long password 2")
    web.user.save()


def lose_role(web: Web) -> None:
    User.objects.filter(pk=web.user.pk).update(is_staff=True)


def remove(web: Web) -> None:
    User.objects.filter(pk=web.user.pk).delete()


class TestAtTheHandshake:
    """Accepted and closed 4401 at once: only so can a page's script read why."""

    async def test_no_session(self, web: Web):
        for cookie in ("", "sessionid=", "sessionid=no-such-session", "sessionid=%00;;=", "other=1"):
            assert await code_of(web, {"Cookie": cookie, "Origin": web.base}) == 4401, cookie

    @pytest.mark.parametrize("fault", [disable, expire, sign_out_elsewhere, change_password_by_hand, remove])
    async def test_a_session_that_is_worth_nothing_any_more(self, web: Web, fault: Callable[[Web], None]):
        await in_database(lambda: fault(web))
        assert await code_of(web, web.headers) == 4401

    async def test_no_token(self, web: Web):
        for header in ("Token unknown", "Token", "Bearer x", "Basic dHJhZGVyOnB3", "Token \x80"):
            assert await code_of(web, {"Authorization": header}) == 4401, header

    async def test_a_bad_token_is_not_made_good_by_a_session(self, web: Web):
        assert await code_of(web, {**web.headers, "Authorization": "Token unknown"}) == 4401

    @pytest.mark.parametrize("fields", [{"revoked_at": clock.wall_now}, {"expires_at": clock.wall_now}])
    async def test_a_token_that_is_worth_nothing_any_more(self, web: Web, fields: dict[str, Callable]):
        await in_database(lambda: make_token(web, **{name: now() for name, now in fields.items()}))
        assert await code_of(web, {"Authorization": f"Token {TOKEN}"}) == 4401

    async def test_a_token_in_the_address_is_not_looked_at(self, web: Web):
        await in_database(lambda: make_token(web))
        browser = web.raw({"Origin": web.base}, path=f"/ws/market?token={TOKEN}")
        assert await asyncio.to_thread(browser.read_to_the_end) == 4401

    async def test_a_live_token_needs_no_origin(self, web: Web):
        await in_database(lambda: make_token(web))
        listener = await web.listener(CALL, headers={"Authorization": f"Token {TOKEN}"})
        assert listener.close_code is None


async def code_of(web: Web, headers: dict[str, str]) -> int | None:
    browser = await asyncio.to_thread(web.raw, headers)
    code = await asyncio.to_thread(browser.read_to_the_end)
    assert browser.messages == []
    return code


class TestWhileItIsOpen:
    """Closed 4401 within two seconds, whether somebody told the web process or only the database knows."""

    @pytest.mark.parametrize("fault", [disable, expire, sign_out_elsewhere, change_password_by_hand, lose_role, remove])
    async def test_only_the_database_knows(self, web: Web, fault: Callable[[Web], None]):
        await self.is_closed(web, lambda: in_database(lambda: fault(web)))

    @pytest.mark.parametrize("fields", [{"revoked_at": clock.wall_now}, {"expires_at": clock.wall_now}])
    async def test_a_token_ends(self, web: Web, fields: dict[str, Callable]):
        token = await in_database(lambda: make_token(web))
        update = {name: now() for name, now in fields.items()}
        change = lambda: in_database(lambda: ApiToken.objects.filter(pk=token.pk).update(**update))  # noqa: E731
        await self.is_closed(web, change, {"Authorization": f"Token {TOKEN}"})

    async def test_signing_out_closes_that_session_alone(self, web: Web):
        mine = await asyncio.to_thread(sign_in, web.base, "trader", PASSWORD)
        other = await web.listener(CALL)
        await self.is_closed(web, lambda: rest(web, mine, "DELETE", "/api/v2/session"), mine)
        assert not other.gone.is_set()

    async def test_a_new_password_closes_all_but_the_session_that_set_it(self, web: Web):
        mine = await asyncio.to_thread(sign_in, web.base, "trader", PASSWORD)
        body = {"current": PASSWORD, "new": "yet another password 3"}
        await self.is_closed(web, lambda: rest(web, mine, "POST", "/api/v2/password", body))

    async def is_closed(self, web: Web, change: Callable, headers: dict[str, str] | None = None) -> None:
        listener = await web.listener(CALL, headers=headers)
        began = clock.monotonic()
        await change()
        await until(listener.gone.is_set, CLOSED_SECONDS + MACHINE_SECONDS)
        assert listener.close_code == 4401
        assert clock.monotonic() - began <= CLOSED_SECONDS + MACHINE_SECONDS


async def rest(web: Web, headers: dict[str, str], method: str, path: str, body: dict | None = None) -> None:
    """A request of a page of ours; the CSRF token is the cookie's own."""
    token = "t" * 32
    cookies = {"Cookie": f"{headers['Cookie']}; csrftoken={token}", "X-CSRFToken": token}
    async with httpx.AsyncClient(base_url=web.base) as client:
        answer = await client.request(method, path, json=body, headers={**headers, **cookies})
        assert answer.status_code == 204, answer.text


async def test_a_laptop_takes_only_its_own_page(web: Web):
    """A cookie counts only from a page of ours: same scheme, host and port; only their case does not matter."""
    cookie = {"Cookie": web.headers["Cookie"]}
    refused = [
        "null",
        f"https://127.0.0.1:{web.port}",
        "http://127.0.0.1",
        f"http://127.0.0.1:{web.port + 1}",
        f"http://sub.127.0.0.1:{web.port}",
        f"http://127.0.0.1.evil.com:{web.port}",
        "http://evil.com",
        f"http://localhost:{web.port}",
        f"http://127.0.0.1:{web.port}@evil.com",
        f"http://evil.com#127.0.0.1:{web.port}",
        "file://",
    ]
    assert await status_of(web, cookie) == 403
    for origin in refused:
        assert await status_of(web, {**cookie, "Origin": origin}) == 403, origin
    assert await status_of(web, {**cookie, "Origin": f"HTTP://127.0.0.1:{web.port}"}) == 101


async def status_of(web: Web, headers: dict[str, str]) -> int:
    browser = await asyncio.to_thread(web.raw, headers)
    browser.reset()
    return browser.status


@pytest.fixture(scope="module")
def public_process(django_db_setup, tmp_path_factory):
    folder = tmp_path_factory.mktemp("public")
    with web_process("daphne", folder, PUBLIC_ORIGINS=DESK, DEMO="0") as process:
        yield process


@pytest_asyncio.fixture
async def public_web(redis, public_process):
    async with on_the_market(public_process, DESK, strikes=1) as web:
        yield web


async def test_a_public_site_takes_exactly_its_own_origins(public_web: Web):
    cookie = {"Cookie": public_web.headers["Cookie"]}
    refused = [
        "null",
        "http://desk.example.in",
        "https://desk.example.in:8443",
        "https://sub.desk.example.in",
        "https://desk.example.in.evil.com",
        "https://example.in",
        "https://DESK.example.in",
        "https://dеsk.example.in".encode().decode("latin-1"),
        f"http://127.0.0.1:{public_web.port}",
    ]
    for origin in refused:
        assert await status_of(public_web, {**cookie, "Origin": origin}) == 403, origin
    assert await status_of(public_web, cookie) == 403
    assert await status_of(public_web, {**cookie, "Origin": DESK}) == 101
