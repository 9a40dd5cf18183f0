"""The web process as it is run: daphne and uvicorn, closed, flooded, never read from and asked for nonsense."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType

import pytest
import pytest_asyncio
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client, RequestFactory
from picows import WSListener, ws_connect

from bench.fanout import SilentBrowser, masked_text
from feeds import clock
from feeds.core.instrument import InstrumentKey
from rms import facts, ledger
from terminal.accounts import services
from terminal.children import Child
from terminal.listeners import Listener, Tally, open_listener
from terminal.stack import PROJECT
from tests.faults.clients_fixtures import web_process
from tests.feeds.market import Feed, in_database, make_chain, row, session_headers

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

CHAIN = "chain.NSE_FNO.NIFTY.2026-02-24"
DEADLINE_SECONDS = 20.0
STRIKES = 100
TIMERS = {"BROWSER_SILENT_SECONDS": "1.5", "BROWSER_HEARTBEAT_SECONDS": "0.5"}


@dataclass
class Web:
    """One web process on the test database, with its timers shortened, and a user signed in."""

    port: int
    child: Child
    headers: dict[str, str]
    token: str
    keys: list[InstrumentKey]
    feed: Feed
    said: int
    """How long its log was when the test began."""

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/market"

    async def listener(self, *topics: str) -> Listener:
        listener = Listener(topics, Tally(), keep_rows=True)
        await open_listener(self.url, self.headers, listener)
        await until(lambda: set(topics) <= set(listener.snapshots))
        return listener

    def log(self) -> str:
        return self.child.log.read_text(errors="replace")[self.said :]


async def until(condition: Callable[[], object], meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():
            if meanwhile is not None:
                await meanwhile()
            await asyncio.sleep(0.05)


def prepare() -> tuple[list[InstrumentKey], dict[str, str], str]:
    keys = make_chain(strikes=STRIKES)
    user = User.objects.create_user("trader")
    request = RequestFactory().post("/")
    request.user, request.session = user, Client().session
    _, token = services.create_token(request=request, name="script", expires_at=None)
    return keys, {"Cookie": session_headers(user)["cookie"]}, token


def load_example(name: str = "market_client") -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, PROJECT / "docs" / "examples" / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=["daphne", "uvicorn"])
def process(request, django_db_setup, tmp_path_factory) -> Iterator[tuple[Child, int]]:
    folder = tmp_path_factory.mktemp("web")
    with web_process(request.param, folder, BROWSER_UNACKED_BYTES="100000", **TIMERS) as process:
        yield process


@pytest_asyncio.fixture
async def web(redis, process: tuple[Child, int]) -> AsyncIterator[Web]:
    """The process of this server, started again when the test before ended it."""
    child, port = process
    keys, headers, token = await in_database(prepare)
    if not child.running:
        child.start()
    feed = Feed(epoch=clock.wall_nanoseconds())  # the process has seen those of the tests before
    try:
        await until(lambda: accepts(port))
        await feed.publish(*[row(key, 10_000) for key in keys], whole=True)
        said = len(child.log.read_text())
        yield Web(port, child, {**headers, "Origin": f"http://127.0.0.1:{port}"}, token, keys, feed, said)
    finally:
        await feed.close()


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_a_stopping_server_says_so_to_its_browsers(web: Web):
    listeners = [await web.listener(CHAIN) for _ in range(3)]
    web.child.signal(signal.SIGTERM)
    await until(lambda: all(listener.gone.is_set() for listener in listeners))
    assert [listener.close_code for listener in listeners] == [1012] * 3
    await until(lambda: not web.child.running)
    assert "Traceback" not in web.log()


async def test_a_killed_server_started_again_serves_a_whole_snapshot(web: Web):
    before = await web.listener(CHAIN)
    web.child.kill()
    await until(before.gone.is_set)
    web.child.start()
    await until(lambda: accepts(web.port))
    after = await web.listener(CHAIN)
    await until(lambda: after.value(CHAIN, "last_price", 1) == 10_000)


async def test_the_example_client_follows_prices_through_a_killed_server(web: Web):
    client = load_example().MarketClient(web.url, web.token, [CHAIN], rate=10)
    changes = client.changes()

    async def price_is(price: int) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            async for change in changes:
                if change.topic.row("NSE_FNO.49001")["last_price"] == price:
                    return

    await price_is(10_000)
    await web.feed.publish(row(web.keys[1], 11_111))
    await price_is(11_111)
    web.child.kill()
    await web.feed.publish(row(web.keys[1], 22_222))
    web.child.start()
    await price_is(22_222)
    await changes.aclose()


async def test_an_unknown_path_is_closed_with_a_code_and_no_traceback(web: Web):
    listener = Listener((), Tally())
    await ws_connect(lambda: listener, f"ws://127.0.0.1:{web.port}/ws/nothing", extra_headers=web.headers)
    await until(listener.gone.is_set)
    assert listener.close_code == 4404
    assert "Traceback" not in web.log()


async def test_a_browser_that_never_reads_is_closed_and_disturbs_nobody(web: Web):
    good = await web.listener(CHAIN)
    silent = SilentBrowser(web.port, web.headers, [CHAIN])
    price = 20_000

    async def publish() -> None:
        nonlocal price
        price += 1
        await web.feed.publish(*[row(key, price) for key in web.keys])

    started = time.monotonic()
    await until(lambda: silent.poll.poll(0), meanwhile=publish)
    assert time.monotonic() - started < 10
    await until(lambda: good.value(CHAIN, "last_price", 1) == price)
    assert good.tally.counts["gaps"] == 0
    assert not good.gone.is_set()
    silent.close()


async def test_pings_do_not_keep_a_browser_alive_that_never_reads(web: Web):
    silent = SilentBrowser(web.port, web.headers, [CHAIN])

    async def ping() -> None:
        await web.feed.publish(*[row(key, 20_000) for key in web.keys])
        with suppress(OSError):  # closed since we looked
            silent.socket.send(masked_text('{"op":"ping"}'))

    await until(lambda: silent.poll.poll(0), meanwhile=ping)
    silent.close()


async def test_a_message_beyond_the_limit_ends_the_connection(web: Web):
    listener = await web.listener(CHAIN)
    listener.send(op="subscribe", topics=["x" * 2_000_000])
    await until(listener.gone.is_set)
    assert "Traceback" not in web.log()
    another = await web.listener(CHAIN)
    assert not another.gone.is_set()


async def test_a_flood_of_commands_is_cut_off(web: Web):
    flooder, good = await web.listener(), await web.listener(CHAIN)
    for number in range(20_000):
        flooder.send(op="ping", id=number)
        if number % 500 == 0:
            await asyncio.sleep(0)
    await until(flooder.gone.is_set)
    await web.feed.publish(row(web.keys[1], 33_333))
    await until(lambda: good.value(CHAIN, "last_price", 1) == 33_333)


async def test_a_page_of_another_site_is_refused_in_the_handshake(web: Web):
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{web.port + 1}", f"https://127.0.0.1:{web.port}"):
        with pytest.raises(Exception, match="403"):
            await ws_connect(WSListener, web.url, extra_headers={**web.headers, "Origin": origin})


async def test_the_trading_example_recovers_what_it_missed_and_then_follows(web: Web):
    def prepare_account() -> int:
        return ledger.open_account(name="one", owner=User.objects.get(username="trader")).pk

    def record(*numbers: int) -> None:
        with transaction.atomic():
            ledger.lock([account])
            facts.record_many([(account, "ALERT", {"n": number}) for number in numbers])

    account = await in_database(prepare_account)
    await in_database(lambda: record(1, 2, 3))
    load_example()
    client = load_example("trading_client").TradingClient(f"http://127.0.0.1:{web.port}", web.token, account, offset=1)
    told = []
    async with asyncio.timeout(20):
        async for fact in client.facts():
            told.append(fact)
            if fact[0] == 3:
                await in_database(lambda: record(4, 5))
            if fact[0] == 5:
                break
    assert told == [(number, "ALERT", {"n": number}) for number in (2, 3, 4, 5)]
    status, answer = await asyncio.to_thread(client.rest.place, {"account": account})
    assert (status, answer["code"]) == (400, "INVALID")
