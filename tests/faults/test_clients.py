"""Browsers that do not read, read too slowly, ask for too much or flood: cut off by a code, and nobody else notices."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from channels.db import database_sync_to_async as in_database
from django.db import connection, transaction

from feeds import clock
from terminal.listeners import Listener, Tally, open_listeners
from tests.faults.clients_fixtures import (
    CALL,
    CHAIN,
    MEGABYTE,
    SHORT,
    RawBrowser,
    Web,
    on_the_market,
    until,
    web_process,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

BAD_BROWSERS = 10
MEMORY_A_BAD_BROWSER = 2 * MEGABYTE
TRICKLE_BYTES = 100
TRICKLE_SECONDS = 0.1
TRICKLE_AGE_MS = 6_000
"""At 1 kB/s the first snapshot takes a second, and what was sent before the window closed some more."""
TINY_MESSAGES = (b'{"op":"ping"}', b'{"op":"ack","frame":0}', b'{"op":"ack","frame":9999999}')
FLOOD = 40_000
SOAK_BROWSERS = 200
MEASURED_SECONDS = 10.0
CLOSED_SECONDS = 10.0
FLOOD_MEMORY = 8 * MEGABYTE


@pytest.fixture(scope="module", params=["daphne", pytest.param("uvicorn", marks=pytest.mark.soak)])
def hasty(request, django_db_setup, tmp_path_factory):
    with web_process(request.param, tmp_path_factory.mktemp("web"), **SHORT) as process:
        yield process
        assert "Traceback" not in process[0].log_tail(10_000), process[0].log_tail(10_000)


@pytest.fixture(scope="module", params=["daphne", pytest.param("uvicorn", marks=pytest.mark.soak)])
def patient(request, django_db_setup, tmp_path_factory):
    """With the product's own timers."""
    with web_process(request.param, tmp_path_factory.mktemp("web")) as process:
        yield process


@pytest_asyncio.fixture
async def web(redis, hasty):
    async with on_the_market(hasty) as web:
        yield web


@pytest_asyncio.fixture
async def patient_web(redis, patient):
    async with on_the_market(patient) as web:
        yield web


class TestC01NeverReads:
    """Closed 4008 once the window is full for too long; no more memory than the window; the others go on."""

    async def test_browsers_that_never_read_are_closed_and_cost_little(self, web: Web):
        good = await web.listener(CHAIN)
        closed_before, before, peak = web.closed(4008), web.memory(), 0
        silent = [web.silent(CHAIN) for _ in range(BAD_BROWSERS)]

        async def look() -> None:
            nonlocal peak
            peak = max(peak, web.memory())

        await until(lambda: all(browser.has_ended for browser in silent), meanwhile=look)
        assert peak - before <= MEMORY_A_BAD_BROWSER * BAD_BROWSERS
        await until(lambda: web.closed(4008) == closed_before + BAD_BROWSERS)
        await stays_right(good, web)

    async def test_a_browser_that_reads_but_never_acknowledges_reads_the_code(self, web: Web):
        silent = web.silent(CHAIN)
        assert await asyncio.to_thread(silent.read_to_the_end) == 4008

    async def test_c02_what_it_sends_keeps_no_browser_alive_that_never_reads(self, web: Web):
        good = await web.listener(CHAIN)
        silent = {web.silent(CHAIN): message for message in TINY_MESSAGES}

        async def send() -> None:
            for browser, message in silent.items():
                with suppress(ConnectionError):  # it may be ended between the look and the word
                    if not browser.has_ended:
                        browser.send_text(message)
            await asyncio.sleep(0.1)

        await until(lambda: all(browser.has_ended for browser in silent), meanwhile=send)
        await stays_right(good, web)


@pytest.mark.soak
async def test_soak_two_hundred_that_never_read_beside_two_hundred_that_do(redis, patient, say):
    """C01 at the product's timers: closed within ten seconds, the others' latency before and beside."""
    async with on_the_market(patient, strikes=20) as web:
        tally = Tally()
        await open_listeners(web.url, [web.headers], [[CHAIN]] * SOAK_BROWSERS, tally)
        alone = await latency(tally)
        before, peak = web.memory(), 0
        opening = asyncio.create_task(asyncio.to_thread(open_silent, web))

        async def look() -> None:
            nonlocal peak
            peak = max(peak, web.memory())

        tally.begin()
        await until(opening.done, meanwhile=look)
        silent = opening.result()
        lived: dict[RawBrowser, float] = {}

        async def note() -> None:
            await look()
            now = clock.monotonic()
            lived.update({b: now - at for b, at in silent.items() if b not in lived and b.has_ended})

        await until(lambda: len(lived) == len(silent), 30, note)
        beside = tally.age.summary()
        each = (peak - before) / SOAK_BROWSERS
        say(f"C01 {SOAK_BROWSERS} never read: closed after {max(lived.values()):.1f} s, {each / 1000:.0f} kB each")
        say(f"C01 {SOAK_BROWSERS} others: ms alone {alone}, beside them {beside}, gaps {tally.counts['gaps']}")
        assert each <= MEMORY_A_BAD_BROWSER
        assert tally.counts["gaps"] == 0
        assert max(lived.values()) <= CLOSED_SECONDS


async def latency(tally: Tally) -> dict[str, int | None]:
    tally.begin()
    await asyncio.sleep(MEASURED_SECONDS)
    return tally.age.summary()


def open_silent(web: Web) -> dict[RawBrowser, float]:
    """So many that never read, and when each was opened."""
    return {web.silent(CHAIN): clock.monotonic() for _ in range(SOAK_BROWSERS)}


async def stays_right(good: Listener, web: Web, topic: str = CHAIN, place: int = 0) -> None:
    """The latest price arrives, without a gap before it."""
    with web.market.held() as price:
        await until(lambda: good.value(topic, "last_price") == price + place)
    assert good.tally.counts["gaps"] == 0
    assert not good.gone.is_set()


class TestC03ReadsAtOneKilobyteASecond:
    """Conflated to the latest: what it reads is never long ago, and the last value is the right one."""

    async def test_it_gets_fewer_and_newer_updates(self, patient_web: Web):
        browser = patient_web.raw(buffer=2048)
        browser.send(op="subscribe", topics=[CALL])
        reader = TrickleReader(browser)
        await asyncio.to_thread(reader.read_until, lambda: reader.frames >= 20)
        settled = reader.frames
        await asyncio.to_thread(reader.read_until, lambda: reader.frames >= settled + 10)
        assert max(reader.ages[settled:]) < TRICKLE_AGE_MS
        with patient_web.market.held() as price:
            await asyncio.to_thread(reader.read_until, lambda: reader.last_price == price + 1)
        assert browser.close_code is None
        browser.reset()


class TrickleReader:
    """Reads a hundred bytes ten times a second, acknowledges what it has read, and keeps the latest price."""

    def __init__(self, browser: RawBrowser) -> None:
        self.browser = browser
        self.columns: list[str] = []
        self.row: list[int] = []
        self.ages: list[int] = []

    @property
    def frames(self) -> int:
        return len(self.ages)

    @property
    def last_price(self) -> int:
        return self.row[self.columns.index("last_price")] if self.row else 0

    def read_until(self, condition: Callable[[], bool]) -> None:
        deadline = clock.monotonic() + 60
        while not condition():
            assert clock.monotonic() < deadline, (self.frames, self.ages[-5:], self.browser.close_code)
            assert self.browser.read(TRICKLE_BYTES)
            self._take()
            time.sleep(TRICKLE_SECONDS)

    def _take(self) -> None:
        for message in self.browser.messages:
            if message["type"] == "frame":
                self._take_frame(message)
        self.browser.messages.clear()

    def _take_frame(self, frame: dict[str, Any]) -> None:
        for part in frame["parts"]:
            if isinstance(part, list):
                self.row = part[3][0][1:]
            elif "topic" in part:
                self.columns, self.row = part["columns"], part["rows"][0]
        if self.row:
            received_at = self.row[self.columns.index("received_at")]
            self.ages.append(clock.wall_nanoseconds() // 1_000_000 - received_at)
        self.browser.send(op="ack", frame=frame["frame"])


class TestC05TooMuchAtOnce:
    """Refused with an error or a close, and nothing of it is done."""

    async def test_more_topics_than_the_cap_are_refused_whole(self, web: Web):
        browser = web.raw()
        browser.send(op="subscribe", topics=[CALL] + [f"instrument.NSE_FNO.{n}" for n in range(49002, 49602)])
        told = await asyncio.to_thread(browser.answer)
        assert (told["code"], told["details"]) == ("TOO_MANY_TOPICS", {"limit": 500, "wanted": 601})
        browser.send(op="subscribe", topics=[CHAIN])
        assert await asyncio.to_thread(first_snapshots, browser) == [CHAIN]
        browser.reset()

    async def test_two_hundred_instruments_in_one_message_come_in_frames_as_large_as_they_are(self, web: Web):
        names = [f"instrument.NSE_FNO.{n}" for n in range(49001, 49201)]
        good = await web.listener(*names)
        assert good.close_code is None
        assert set(good.snapshots) == set(names)

    async def test_the_cap_counts_what_was_subscribed_before(self, web: Web):
        browser = web.raw()
        browser.send(op="subscribe", topics=[f"instrument.NSE_FNO.{n}" for n in range(49001, 49201)])
        browser.send(op="subscribe", topics=[f"instrument.NSE_FNO.{n}" for n in range(50001, 50302)])
        told = await asyncio.to_thread(browser.answer)
        assert (told["code"], told["details"]) == ("TOO_MANY_TOPICS", {"limit": 500, "wanted": 501})
        browser.reset()

    async def test_one_unknown_topic_refuses_all(self, web: Web):
        browser = web.raw()
        browser.send(op="subscribe", topics=[CALL, CHAIN, "instrument.NSE_FNO.1"])
        told = await asyncio.to_thread(browser.answer)
        assert (told["code"], told["details"]) == ("NOT_FOUND", {"topics": ["instrument.NSE_FNO.1"]})
        browser.send(op="subscribe", topics=[CALL])
        assert await asyncio.to_thread(first_snapshots, browser) == [CALL]
        browser.reset()

    async def test_ten_thousand_subscriptions_in_one_message_end_the_connection(self, web: Web):
        browser = web.raw()
        browser.send(op="subscribe", topics=[f"instrument.NSE_FNO.{n}" for n in range(10_000)])
        await asyncio.to_thread(browser.read_to_the_end)
        assert browser.close_code in {1009, None}  # too big; daphne may cut before the frame is out
        assert not browser.snapshots
        await answers_as_ever(web)

    async def test_ten_thousand_messages_are_cut_off_by_a_code(self, web: Web):
        browser = web.raw()
        commands = [{"op": "subscribe", "topics": [f"instrument.NSE_FNO.{49_001 + n % 200}"]} for n in range(10_000)]
        await asyncio.to_thread(browser.blast, [orjson.dumps(command) for command in commands])
        assert browser.close_code == 4029
        assert len(browser.snapshots) <= 100
        await answers_as_ever(web)


class TestC10Flood:
    """Forty thousand messages of a kilobyte: cut off before any work, the memory of the process bounded."""

    async def test_a_flood_is_cut_off_and_held_by_no_queue(self, patient_web: Web):
        good = await patient_web.listener(CHAIN)
        browser = patient_web.raw()
        before, peak = patient_web.memory(), 0
        browser.send(op="subscribe", topics=[CALL])  # answered by the database, while the flood goes on
        flooding = asyncio.create_task(asyncio.to_thread(browser.blast, flood()))

        async def look() -> None:
            nonlocal peak
            peak = max(peak, patient_web.memory())

        await until(flooding.done, meanwhile=look)
        assert browser.close_code in {4029, None}  # a reset may overtake the close frame
        await until(lambda: browser.has_ended, meanwhile=look)
        assert peak - before <= FLOOD_MEMORY
        await stays_right(good, patient_web)

    async def test_a_flood_of_one_that_is_not_let_in_yet_waits_in_the_kernel(self, patient_web: Web):
        good = await patient_web.listener(CHAIN)
        before = patient_web.memory()
        browser, during = await in_database(flooded_before_it_is_let_in)(patient_web)
        assert during - before <= FLOOD_MEMORY
        await asyncio.to_thread(browser.read_to_the_end)
        assert browser.close_code in {4029, None}  # a reset may overtake the close frame
        assert patient_web.memory() - before <= FLOOD_MEMORY
        await stays_right(good, patient_web)


def flood() -> list[bytes]:
    return [b'{"op":"ping","id":%d%s}' % (n, b" " * 1000) for n in range(FLOOD)]


def flooded_before_it_is_let_in(web: Web) -> tuple[RawBrowser, int]:
    """A browser that sends while the database does not say yet who it is, and the memory of the process meanwhile."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE django_session IN ACCESS EXCLUSIVE MODE")
        browser = web.raw(waits=False)
        browser.fill(flood())
        return browser, web.memory()


class TestC12UnknownPath:
    async def test_a_websocket_is_closed_4404(self, web: Web):
        for path in ("/ws/nothing", "/ws/market/", "/", "/ws/%00%ff"):
            browser = web.raw(path=path)
            assert await asyncio.to_thread(browser.read_to_the_end) == 4404, path

    async def test_http_is_404_and_no_traceback(self, web: Web):
        async with httpx.AsyncClient(base_url=web.base) as client:
            for path in ("/nothing", "/api/v2/nothing", "/ws/market"):
                answer = await client.get(path)
                assert answer.status_code == 404, path
                assert "Traceback" not in answer.text


def first_snapshots(browser: RawBrowser) -> list[str]:
    while not browser.snapshots:
        assert browser.read()
    return browser.snapshots


async def answers_as_ever(web: Web) -> None:
    good = await web.listener(CALL)
    await stays_right(good, web, CALL, place=1)
