"""The hub from the bus to the browser: real Valkey, real PostgreSQL, the real ASGI application."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import pytest_asyncio
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db.backends.utils import CursorWrapper

from feeds import bus, topics
from feeds.core.instrument import InstrumentKey
from feeds.core.tick import TickFlag
from feeds.fanout import hub
from feeds.models import Instrument
from terminal.accounts.services import close_sockets
from tests.feeds.market import Browser, Feed, in_database, make_chain, row, session_headers

pytestmark = [pytest.mark.django_db(transaction=True)]

CHAIN = "chain.NSE_FNO.NIFTY.2026-02-24"
CALL = "instrument.NSE_FNO.49001"


@contextmanager
def count_queries(executed: list[str]) -> Iterator[None]:
    """Every statement of every thread: the connections' own wrappers are one thread's."""
    execute = CursorWrapper.execute

    def counting(self, sql, params=None):
        executed.append(str(sql))
        return execute(self, sql, params)

    CursorWrapper.execute = counting
    try:
        yield
    finally:
        CursorWrapper.execute = execute


@dataclass
class Stage:
    """A chain of four options on an index, one trader and one feed."""

    keys: list[InstrumentKey]
    user: User
    headers: dict[str, str]
    feed: Feed

    async def browser(self, *topics: str) -> Browser:
        """A browser of the trader that is on these topics, their snapshots received."""
        browser = Browser(self.headers)
        await browser.open()
        if topics:
            await browser.send(op="subscribe", topics=list(topics))
            await browser.until(lambda: set(topics) <= set(browser.topics))
        return browser

    async def publish_all(self) -> None:
        """Every instrument at 10,000 paise and its place."""
        await self.feed.publish(*[row(key, 10_000 + i) for i, key in enumerate(self.keys)], whole=True)


def prepare() -> tuple[list[InstrumentKey], User, dict[str, str]]:
    keys, user = make_chain(), User.objects.create_user("trader")
    return keys, user, session_headers(user)


@pytest_asyncio.fixture
async def stage(redis) -> AsyncIterator[Stage]:
    feed = Feed()
    yield Stage(*await in_database(prepare), feed)
    await feed.close()
    await hub.stop_hub()


async def test_a_browser_gets_a_snapshot_then_numbered_updates(stage):
    await stage.publish_all()
    browser = Browser(stage.headers)
    welcome = await browser.open()
    assert (welcome["type"], welcome["window"]) == ("welcome", {"frames": 256, "bytes": 1_048_576})
    await browser.send(op="subscribe", topics=[CHAIN])
    await browser.until(lambda: CHAIN in browser.topics)
    told = browser.topics[CHAIN]
    assert told["instruments"] == ["IDX_I.13"] + [f"NSE_FNO.{n}" for n in range(49001, 49005)]
    assert told["details"]["strikes"] == [2_600_000, 2_600_000, 2_605_000, 2_605_000]
    await browser.until(lambda: browser.value(CHAIN, "last_price", 4) == 10_004)
    await stage.feed.publish(row(stage.keys[2], 20_000, volume=75))
    await browser.until(lambda: browser.value(CHAIN, "last_price", 2) == 20_000)
    assert browser.value(CHAIN, "volume", 2) == 75
    assert browser.gaps == 0


async def test_two_browsers_get_the_same_text_for_a_topic(stage):
    one, two = await stage.browser(CHAIN), await stage.browser(CHAIN)
    await stage.publish_all()
    for browser in (one, two):
        await browser.until(lambda browser=browser: browser.value(CHAIN, "last_price") == 10_000)
    encoded = hub.current_hub(None).counters["parts"]
    await stage.feed.publish(row(stage.keys[1], 11_111))
    for browser in (one, two):
        await browser.until(lambda browser=browser: browser.value(CHAIN, "last_price", 1) == 11_111)
    assert hub.current_hub(None).counters["parts"] == encoded + 1


async def test_a_value_of_a_chain_is_told_to_who_is_there_and_with_the_snapshot_of_who_comes_later(stage):
    first = await stage.browser(CHAIN)
    await asyncio.to_thread(topics.values_changed, {CHAIN: ("ANALYTICS", {"pcr_oi": 0.91})})
    await first.until(lambda: first.values.get(CHAIN) == [["ANALYTICS", {"pcr_oi": 0.91}]])
    second = await stage.browser(CALL, CHAIN)
    assert second.values == {CHAIN: [["ANALYTICS", {"pcr_oi": 0.91}]]}


async def test_an_instrument_nobody_feeds_has_a_row_of_zeros_flagged_stale(stage):
    browser = await stage.browser(CALL)
    assert browser.value(CALL, "last_price") == 0
    assert browser.value(CALL, "flags") == TickFlag.STALE
    assert "bid_price_5" in browser.topics[CALL]["columns"]


async def test_a_slower_rate_widens_the_updates_and_breaks_no_chain(stage):
    await stage.publish_all()
    slow, fast = await stage.browser(CHAIN), await stage.browser(CHAIN)
    await slow.send(op="rate", rate=2)
    await slow.send(op="ping", id=1)
    await slow.until(lambda: slow.messages[-1]["type"] == "pong")
    frames = {slow: slow.frames, fast: fast.frames}
    for price in range(1, 21):
        await stage.feed.publish(row(stage.keys[1], price))
        await asyncio.sleep(0.1)
    for browser in (slow, fast):
        await browser.until(lambda browser=browser: browser.value(CHAIN, "last_price", 1) == 20)
        assert browser.gaps == 0
    assert slow.frames - frames[slow] < (fast.frames - frames[fast]) / 2


async def test_a_feed_that_starts_again_shows_its_gap_with_a_new_snapshot(stage):
    await stage.publish_all()
    browser = await stage.browser(CHAIN)
    epoch = browser.topics[CHAIN]["epoch"]
    restarted = Feed(epoch=2)
    await restarted.publish(*[row(key, 30_000) for key in stage.keys], whole=True)
    await browser.until(lambda: browser.topics[CHAIN]["gap"])
    assert browser.topics[CHAIN]["epoch"] != epoch
    assert browser.value(CHAIN, "last_price", 3) == 30_000
    assert {"feed": 1, "state": "LIVE", "gap": True}.items() <= browser.feeds[1].items()
    await restarted.close()


async def test_redis_restarted_empty_is_a_gap_and_then_right_again(stage, redis):
    await stage.publish_all()
    browser = await stage.browser(CHAIN)
    redis.flushall()
    with pytest.raises(bus.BoardLost):
        await stage.feed.publish(row(stage.keys[1], 1))
    await stage.feed.publish(*[row(key, 40_000) for key in stage.keys], whole=True)
    await browser.until(lambda: browser.topics[CHAIN]["gap"] and browser.value(CHAIN, "last_price", 1) == 40_000)


async def test_a_silent_feed_is_said_to_be_down_and_then_live_again(stage):
    await stage.publish_all()
    browser = await stage.browser(CHAIN)
    await browser.until(lambda: browser.feeds.get(1, {}).get("state") == "DOWN")
    await stage.feed.publish()
    await browser.until(lambda: browser.feeds[1]["state"] == "LIVE")


async def test_a_quiet_topic_still_tells_its_position_in_heartbeats(stage, settings):
    settings.BROWSER_HEARTBEAT_SECONDS = 0.2
    await stage.publish_all()
    browser = await stage.browser(CHAIN)
    await browser.until(lambda: browser.messages[-1].get("positions"))
    told = browser.topics[CHAIN]
    assert browser.messages[-1]["positions"] == {str(told["id"]): told["sequence"]}


async def test_a_browser_that_never_acknowledges_is_stopped_at_the_window_and_closed(stage, settings):
    settings.BROWSER_UNACKED_FRAMES, settings.BROWSER_SILENT_SECONDS = 4, 1.5
    await stage.publish_all()
    silent = Browser(stage.headers, acknowledges=False)
    await silent.open()
    await silent.send(op="subscribe", topics=[CHAIN])
    for price in range(1, 16):
        await stage.feed.publish(row(stage.keys[1], price))
        await silent.send(op="ping", id=price)  # tiny messages must not keep it alive
        await asyncio.sleep(0.1)
    assert await silent.until_closed() == 4008
    assert silent.frames + silent.unread <= 4
    assert hub.current_hub(None).browsers == set()


async def test_a_topic_that_changes_is_sent_whole_again(stage):
    browser = await stage.browser(CHAIN)
    await in_database(lambda: Instrument.objects.filter(code=stage.keys[4].code).update(is_listed=False))
    topics.changed(CHAIN)
    await browser.until(lambda: len(browser.topics[CHAIN]["instruments"]) == 4)
    assert len(browser.topics[CHAIN]["rows"]) == 4


async def test_a_topic_that_is_gone_says_so(stage):
    browser = await stage.browser(CALL)
    await in_database(lambda: Instrument.objects.filter(code=stage.keys[1].code).update(is_listed=False))
    topics.changed(CALL)
    await browser.until(lambda: browser.messages[-1].get("code") == "TOPIC_GONE")
    assert browser.messages[-1]["details"] == {"topic": CALL}


async def test_staff_see_the_feeds_and_the_web_processes_once_a_second(stage):
    await in_database(lambda: User.objects.filter(pk=stage.user.pk).update(is_staff=True))
    await stage.publish_all()
    await stage.feed.redis.set("feed.1.status", b'{"account":1,"state":"LIVE"}')
    browser = await stage.browser("ops")
    await browser.until(lambda: browser.topics["ops"]["details"]["web"])
    details = browser.topics["ops"]["details"]
    assert details["feeds"] == [{"account": 1, "state": "LIVE"}]
    assert details["web"][0]["browsers"] == 1


async def test_a_storm_of_returning_browsers_costs_two_queries_each_at_most(stage):
    await stage.publish_all()
    first = await stage.browser(CHAIN)
    await first.until(lambda: first.value(CHAIN, "last_price", 1) == 10_001)
    executed: list[str] = []
    with count_queries(executed):
        storm = await asyncio.gather(*[stage.browser(CHAIN) for _ in range(20)])
        assert all(browser.value(CHAIN, "last_price", 1) == 10_001 for browser in storm)
    mine = [sql for sql in executed if "django_session" in sql or "auth_user" in sql or "feeds_" in sql]
    logins_checks = sum("IN (" in sql for sql in mine)
    assert len(mine) - logins_checks <= 2 * len(storm)
    await first.close()


class SlowTopics(topics.TopicKind):
    """The database answers when it is let go."""

    open_to_all = True

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def contents(self, name: str) -> topics.TopicContents:
        assert self.let_go.wait(10)
        return topics.TopicContents((), "slow", ())


async def test_a_browser_that_leaves_while_a_topic_is_loaded_takes_nobody_else_along(stage, monkeypatch):
    kind = SlowTopics()
    monkeypatch.setattr(topics, "_kinds", dict(topics._kinds))
    topics.register_topic("slow", kind)
    web = hub.Hub(None)
    leaving, staying = (asyncio.create_task(web._load(["slow"])) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    kind.let_go.set()
    await staying
    assert "slow" in web.topics
    await web.stop()


async def test_rows_of_long_ago_are_forgotten_and_no_browser_notices(stage, monkeypatch):
    monkeypatch.setattr(hub, "TABLE_ROWS", 6)
    expired = [row(InstrumentKey(stage.keys[1].segment, number), 5) for number in range(9)]
    for old in expired:
        old["received_at"] = 1
    await stage.publish_all()
    browser = await stage.browser(CHAIN)
    web = hub.current_hub(None)
    await stage.feed.publish(*expired)
    await stage.feed.publish(row(stage.keys[2], 20_000, volume=75))
    await browser.until(lambda: browser.value(CHAIN, "last_price", 2) == 20_000)
    assert web.table.size == len(stage.keys)
    assert [browser.value(CHAIN, "last_price", place) for place in range(5)] == [10_000, 10_001, 20_000, 10_003, 10_004]
    assert browser.gaps == 0


async def test_signing_out_closes_the_sockets_of_that_session_at_once(stage):
    browser = await stage.browser(CHAIN)
    await in_database(lambda: close_sockets(stage.user))
    assert await browser.until_closed() == 4401


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "other"}, {"is_staff": True}])
async def test_a_user_who_is_disabled_or_changed_is_closed_within_seconds(stage, change):
    browser = await stage.browser(CHAIN)
    await in_database(lambda: User.objects.filter(pk=stage.user.pk).update(**change))
    assert await browser.until_closed() == 4401


async def test_a_session_deleted_behind_our_back_is_closed_too(stage):
    browser = await stage.browser(CHAIN)
    await in_database(lambda: Session.objects.all().delete())
    assert await browser.until_closed() == 4401


async def test_stopping_closes_every_browser_as_restarting(stage):
    browser = await stage.browser(CHAIN)
    await hub.stop_hub()
    assert await browser.until_closed() == 1012
