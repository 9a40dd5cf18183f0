"""C04: every browser is dropped at once and comes back by itself to the right prices, two queries each."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import pytest_asyncio
from django.conf import settings
from django.db import connection

from feeds import clock
from tests.faults.clients_fixtures import (
    CALL,
    CHAIN,
    ReturningBrowser,
    Web,
    on_the_market,
    until,
    wait_until_accepting,
    web_process,
)
from tests.feeds.market import in_database

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

BROWSERS = 60
BROWSERS_IN_SOAK = 500
STORM_SECONDS = 60.0
QUERIES_A_BROWSER = 2
STATEMENT = re.compile("LOG:  (statement|execute)")
CHECK = re.compile("LOG:  statement: $")
"""The pool asks with an empty statement whether the connection it gives still lives; it reads nothing."""
LOGIN_WATCH = re.compile(r'"(id|session_key)" IN \(')
QUERIES_OF_TOPICS = 20
"""A process that starts with no topic asks for each once, however many wait for it."""


@pytest.fixture(scope="module")
def process(django_db_setup, tmp_path_factory):
    with web_process("daphne", tmp_path_factory.mktemp("web")) as process:
        yield process


@pytest_asyncio.fixture
async def web(redis, process):
    await in_database(lambda: log_statements("all"))
    async with on_the_market(process, strikes=20) as web:
        yield web
    await in_database(lambda: log_statements("none"))


def log_statements(what: str) -> None:
    """Have PostgreSQL write the statements of new connections to its log: "all" or "none"."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {connection.settings_dict['NAME']} SET log_statement = '{what}'")


def statements() -> list[str]:
    """What was asked so far, beside the login watch, which asks twice a second however many browsers there are."""
    log = settings.DATA_DIR / "postgres.log"
    if not log.exists():
        pytest.skip("counts queries in the embedded PostgreSQL's log")
    asked = [line for line in log.read_text(errors="replace").splitlines() if STATEMENT.search(line)]
    return [line for line in asked if not LOGIN_WATCH.search(line)]


@asynccontextmanager
async def crowd(web: Web, count: int) -> AsyncIterator[list[ReturningBrowser]]:
    """So many browsers on a chain and one of its options, all with their snapshots."""
    browsers = [ReturningBrowser([web.url], web.headers, [CHAIN, CALL]) for _ in range(count)]
    lives = [asyncio.create_task(browser.live()) for browser in browsers]
    try:
        await until(lambda: all(browser.is_complete for browser in browsers), STORM_SECONDS)
        yield browsers
    finally:
        for life in lives:
            life.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*lives)
        for browser in browsers:
            browser.drop()


def checks_among(asked: list[str]) -> int:
    return sum(CHECK.search(line) is not None for line in asked)


async def weather(web: Web, count: int, storm) -> tuple[float, int, int]:
    """Cause a storm among so many browsers; seconds until all were back and right, the queries that it took, and the
    pool's checks beside them."""
    async with crowd(web, count) as browsers:
        opened = {browser: browser.opened for browser in browsers}
        before, began = len(statements()), clock.monotonic()
        await storm(web, browsers)
        await until(lambda: all(b.is_complete and b.opened > opened[b] for b in browsers), STORM_SECONDS)
        took, asked = clock.monotonic() - began, statements()[before:]
        with web.market.held() as price:
            await until(lambda: all(is_right(browser, price) for browser in browsers))
    checks = checks_among(asked)
    return took, len(asked) - checks, checks


def is_right(browser: ReturningBrowser, price: int) -> bool:
    listener = browser.listener
    return listener.value(CHAIN, "last_price") == price and listener.value(CALL, "last_price") == price + 1


async def drop_all(web: Web, browsers: list[ReturningBrowser]) -> None:
    for browser in browsers:
        browser.drop()


async def kill_the_server(web: Web, browsers: list[ReturningBrowser]) -> None:
    web.child.kill()
    web.child.start()
    await asyncio.to_thread(wait_until_accepting, web.child, web.port)


@pytest.mark.parametrize("storm", [drop_all, kill_the_server])
async def test_all_come_back_to_the_right_prices_for_two_queries_each(web: Web, storm):
    _, queries, checks = await weather(web, BROWSERS, storm)
    assert BROWSERS <= queries <= QUERIES_A_BROWSER * BROWSERS + QUERIES_OF_TOPICS
    assert checks <= BROWSERS + QUERIES_OF_TOPICS


@pytest.mark.soak
@pytest.mark.parametrize("storm", [drop_all, kill_the_server])
async def test_soak_storm(web: Web, storm, say):
    took, queries, checks = await weather(web, BROWSERS_IN_SOAK, storm)
    count = f"{queries} queries and {checks} checks of a connection"
    say(f"C04 {storm.__name__}: {BROWSERS_IN_SOAK} browsers back and right after {took:.1f} s, {count}")
    assert queries <= QUERIES_A_BROWSER * BROWSERS_IN_SOAK + QUERIES_OF_TOPICS
