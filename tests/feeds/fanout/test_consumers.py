"""The handshake and the commands, through the real ASGI application."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django_otp.plugins.otp_totp.models import TOTPDevice

from feeds.fanout import hub
from terminal.accounts import services
from tests.feeds.market import Browser, in_database, make_chain, session_headers

pytestmark = [pytest.mark.django_db(transaction=True)]

CHAIN = "chain.NSE_FNO.NIFTY.2026-02-24"
CALL = "instrument.NSE_FNO.49001"


@dataclass
class Desk:
    user: User
    session: dict[str, str]
    token: dict[str, str]


def prepare() -> Desk:
    make_chain()
    user = User.objects.create_user("trader")
    request = RequestFactory().post("/")
    request.user, request.session = user, Client().session
    _, text = services.create_token(request=request, name="script", expires_at=None)
    return Desk(user, session_headers(user), {"authorization": f"Token {text}"})


@pytest_asyncio.fixture
async def desk(redis) -> AsyncIterator[Desk]:
    yield await in_database(prepare)
    await hub.stop_hub()


async def outcome(headers: dict[str, str], path: str = "ws/market") -> int | str:
    """The close code after accepting, "refused" before it, or "welcome"."""
    browser = Browser(headers, path)
    connected, _ = await browser.socket.connect(timeout=10)
    if not connected:
        return "refused"
    output = await browser.socket.receive_output(timeout=10)
    return output["code"] if output["type"] == "websocket.close" else "welcome"


async def test_a_session_with_our_origin_is_welcome(desk):
    assert await outcome(desk.session) == "welcome"


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "http://localhost:8001",
        "https://localhost:8000",
        "http://localhost",
        "http://localhost:8000.evil.example",
        "http://evil.localhost:8000",
        "http://evil@localhost:8000",
        "http://lоcalhost:8000",
        "http://localhost:8000/path",
        "http://localhost:bad",
    ],
)
async def test_another_origin_is_refused_in_the_handshake(desk, origin):
    headers = {**desk.session, "origin": origin.encode("idna" if "о" in origin else "ascii").decode()}
    assert await outcome(headers) == "refused"


async def test_an_origin_is_compared_as_browsers_write_it_whatever_its_case(desk):
    assert await outcome({**desk.session, "origin": "http://LOCALHOST:8000"}) == "welcome"


async def test_a_host_that_is_not_ours_is_refused_although_the_origin_equals_it(desk):
    rebound = {"origin": "http://rebound.example:8000", "host": "rebound.example:8000"}
    assert await outcome({**desk.session, **rebound}) == "refused"


async def test_public_origins_alone_count_when_there_are_any(desk, settings):
    settings.PUBLIC_ORIGINS = ["https://desk.example.in"]
    assert await outcome(desk.session) == "refused"
    assert await outcome({**desk.session, "origin": "https://desk.example.in"}) == "welcome"
    assert await outcome({**desk.session, "origin": "http://desk.example.in"}) == "refused"


async def test_an_api_token_needs_no_origin(desk):
    assert await outcome(desk.token) == "welcome"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://localhost:8000", "host": "localhost:8000"},
        {"origin": "http://localhost:8000", "host": "localhost:8000", "cookie": "sessionid=nothing"},
        {"origin": "http://localhost:8000", "host": "localhost:8000", "cookie": "=;=;\x00"},
        {"authorization": "Token btt_wrong"},
        {"authorization": "Token"},
        {"authorization": "Basic dHJhZGVyOnB3"},
    ],
)
async def test_who_is_not_signed_in_is_closed_with_4401(desk, headers):
    assert await outcome(headers) == 4401


async def test_a_session_without_its_second_factor_is_not_signed_in(desk):
    await in_database(lambda: TOTPDevice.objects.create(user=desk.user, confirmed=True, name="phone"))
    assert await outcome(desk.session) == 4401


async def test_a_disabled_user_is_not_signed_in(desk):
    await in_database(lambda: User.objects.filter(pk=desk.user.pk).update(is_active=False))
    assert await outcome(desk.session) == 4401
    assert await outcome(desk.token) == 4401


async def test_a_revoked_token_closes_its_sockets(desk):
    browser = Browser(desk.token)
    await browser.open()
    await in_database(lambda: desk.user.api_tokens.update(revoked_at="2026-01-01T00:00:00Z"))
    assert await browser.until_closed() == 4401


async def test_an_unknown_path_has_its_own_code(desk):
    assert await outcome(desk.session, "ws/nothing") == 4404
    assert await outcome(desk.session, "ws/market/") == 4404


async def test_one_user_may_have_so_many_connections(desk, settings):
    settings.BROWSER_CLIENTS_PER_USER = 2
    first, second = Browser(desk.session), Browser(desk.session)
    await first.open()
    await second.open()
    assert await outcome(desk.session) == 4009
    await second.close()
    assert await outcome(desk.session) == "welcome"


async def answer(browser: Browser, text: str) -> dict:
    await browser.socket.send_to(text_data=text)
    while (message := await browser.receive())["type"] == "frame":
        pass
    return message


async def test_a_mistake_is_answered_and_too_many_close(desk):
    browser = Browser(desk.session)
    await browser.open()
    for _ in range(10):
        assert (await answer(browser, "[" * 1000))["code"] == "BAD_MESSAGE"
    await browser.socket.send_to(text_data="nonsense")
    assert await browser.until_closed() == 4400


async def test_a_binary_message_is_a_mistake(desk):
    browser = Browser(desk.session)
    await browser.open()
    await browser.socket.send_to(bytes_data=b'{"op":"ping"}')
    assert (await browser.receive())["code"] == "BAD_MESSAGE"


async def test_a_message_that_is_too_long_is_a_mistake(desk):
    browser = Browser(desk.session)
    await browser.open()
    assert "bytes" in (await answer(browser, '{"op":"ping"' + " " * 70_000 + "}"))["message"]


async def test_too_many_commands_close(desk):
    browser = Browser(desk.session)
    await browser.open()
    for number in range(200):
        await browser.send(op="ping", id=number)
    assert await browser.until_closed() == 4029


async def test_a_subscription_is_all_or_nothing(desk):
    browser = Browser(desk.session)
    await browser.open()
    await browser.send(op="subscribe", topics=[CALL, "instrument.NSE_FNO.1", "ops", "watchlist.999"])
    error = await browser.receive()
    assert error["code"] == "NOT_FOUND"
    assert error["details"]["topics"] == ["instrument.NSE_FNO.1", "ops", "watchlist.999"]
    [served] = hub.current_hub(None).browsers
    assert served.topics == frozenset()


async def test_one_connection_may_have_so_many_topics(desk, settings):
    settings.BROWSER_TOPICS_PER_CLIENT = 3
    browser = Browser(desk.session)
    await browser.open()
    await browser.send(op="subscribe", topics=[f"instrument.NSE_FNO.{number}" for number in range(49001, 49005)])
    error = await browser.receive()
    assert (error["code"], error["details"]) == ("TOO_MANY_TOPICS", {"limit": 3, "wanted": 4})
    await browser.send(op="subscribe", topics=[CALL, CHAIN])
    await browser.until(lambda: len(browser.topics) == 2)


async def test_unsubscribing_ends_the_updates_and_frees_the_place(desk, settings):
    settings.BROWSER_TOPICS_PER_CLIENT = 1
    browser = Browser(desk.session)
    await browser.open()
    for topic in (CALL, CHAIN):
        await browser.send(op="subscribe", topics=[topic])
        await browser.until(lambda topic=topic: topic in browser.topics)
        await browser.send(op="unsubscribe", topics=[topic, "instrument.never.joined"])
    assert (await answer(browser, '{"op":"ping","id":9}'))["id"] == 9
    [served] = hub.current_hub(None).browsers
    assert served.topics == frozenset()


async def test_subscribing_twice_gives_a_second_snapshot_and_one_place(desk):
    browser = Browser(desk.session)
    await browser.open()
    for _ in range(2):
        browser.topics.clear()
        await browser.send(op="subscribe", topics=[CALL], rate=5)
        await browser.until(lambda: CALL in browser.topics)
    [served] = hub.current_hub(None).browsers
    assert (len(served.topics), served.rate) == (1, 5)


async def test_thousands_of_mutated_messages_never_end_in_an_error_of_ours(desk, settings, caplog):
    settings.BROWSER_COMMANDS_PER_SECOND = 1_000_000
    seeds = [
        '{"op":"subscribe","topics":["instrument.NSE_FNO.49001"],"rate":5}',
        '{"op":"ack","frame":1}',
        '{"op":"ping"}',
    ]
    random_source = random.Random(2)
    for _ in range(60):
        browser = Browser(desk.session)
        await browser.open()
        for _ in range(50):
            text = list(random_source.choice(seeds))
            for _ in range(random_source.randint(0, 4)):
                text[random_source.randrange(len(text))] = random_source.choice('{}[]",:0e-\\u\x00é😀')
            await browser.socket.send_to(text_data="".join(text))
        assert await browser.until_closed() == 4400
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    await asyncio.sleep(0)
