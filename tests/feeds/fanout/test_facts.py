"""Facts from the database to the browser: each once, in order, whatever is late, lost or restarted meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
import pytest_asyncio
from django.contrib.auth.models import User
from django.db import connection, transaction

from feeds import topics
from feeds.core import fact_log
from feeds.core.instrument import InstrumentKey
from feeds.fanout import facts as fanout_facts
from feeds.fanout import hub
from rms import facts, ledger
from rms.models import Position, TradingAccount
from tests.feeds.market import DAY, Browser, Feed, in_database, make_chain, row, session_headers

pytestmark = [pytest.mark.django_db(transaction=True)]


@dataclass
class Desk:
    """Two accounts of one trader, and instruments to hold."""

    keys: list[InstrumentKey]
    accounts: list[TradingAccount]
    headers: dict[str, str]
    redis: Any

    @property
    def names(self) -> list[str]:
        return [f"account.{account.pk}" for account in self.accounts]

    async def browser(self, *names: str) -> Browser:
        browser = Browser(self.headers)
        await browser.open()
        await browser.send(op="subscribe", topics=list(names))
        await browser.until(lambda: set(names) <= set(browser.topics))
        return browser

    async def record(self, *bodies: dict[str, Any], account: int = 0, told: bool = True) -> None:
        """Facts of one transaction, with or without the hint behind it."""
        pk = self.accounts[account].pk
        await in_database(lambda: write(pk, bodies))
        if told:
            self.redis.publish(topics.FACTS_CHANNEL, orjson.dumps([f"account.{pk}"]))


@transaction.atomic
def write(account_id: int, bodies: tuple[dict[str, Any], ...]) -> None:
    ledger.lock([account_id])
    for body in bodies:
        facts.record(account_id, "ALERT", body)


def prepare() -> tuple[list[InstrumentKey], list[TradingAccount], dict[str, str]]:
    keys, user = make_chain(), User.objects.create_user("trader")
    return keys, [ledger.open_account(name=name, owner=user) for name in ("one", "two")], session_headers(user)


@pytest_asyncio.fixture
async def desk(redis) -> AsyncIterator[Desk]:
    yield Desk(*await in_database(prepare), redis)
    await hub.stop_hub()


def numbers(browser: Browser, name: str) -> list[int]:
    return [fact[0] for fact in browser.facts.get(name, [])]


def has_facts(browser: Browser, name: str, last: int) -> Callable[[], bool]:
    return lambda: numbers(browser, name)[-1:] == [last]


async def test_a_snapshot_tells_its_offset_and_facts_follow_from_there(desk):
    await desk.record({"text": "before"})
    name = desk.names[0]
    browser = await desk.browser(name)
    told = browser.topics[name]
    assert (told["kind"], told["offset"], told["rows"]) == ("account", 1, [])
    assert (told["details"]["name"], told["details"]["funds"]["cash"]) == ("one", 0)
    await desk.record({"text": "a"}, {"text": "b"})
    await browser.until(has_facts(browser, name, 3))
    assert browser.facts[name] == [[2, "ALERT", {"text": "a"}], [3, "ALERT", {"text": "b"}]]
    assert browser.gaps == 0


async def test_facts_whose_hint_was_lost_come_all_the_same(desk):
    name = desk.names[0]
    browser = await desk.browser(name)
    await desk.record({}, told=False)
    await browser.until(has_facts(browser, name, 1))


async def test_each_account_gets_its_own_facts_of_one_query(desk):
    one, two = desk.names
    browser = await desk.browser(one, two)
    await desk.record({"account": "one"}, {"account": "one"}, told=False)
    await desk.record({"account": "two"}, account=1)
    await browser.until(lambda: numbers(browser, one) == [1, 2] and numbers(browser, two) == [1])
    assert [fact[2]["account"] for fact in browser.facts[one]] == ["one", "one"]


async def test_who_comes_later_gets_the_snapshot_and_the_facts_since_it(desk):
    name = desk.names[0]
    first = await desk.browser(name)
    await desk.record({}, {})
    await first.until(has_facts(first, name, 2))
    second = await desk.browser(name)
    assert second.topics[name]["offset"] == 0
    await second.until(has_facts(second, name, 2))
    assert (numbers(second, name), second.gaps) == ([1, 2], 0)


async def test_an_instrument_new_to_the_account_brings_its_prices(desk):
    name, key = desk.names[0], desk.keys[1]
    feed = Feed()
    await feed.publish(row(key, 15_230), whole=True)
    browser = await desk.browser(name)

    def hold() -> None:
        account = desk.accounts[0].pk
        with transaction.atomic():
            ledger.lock([account])
            Position.objects.create(
                account_id=account, instrument_id=key.code, product="MARGIN", signed_quantity=75, trading_date=DAY
            )
            facts.record(account, "POSITION", {"instrument": str(key)})

    await desk.record({}, {})
    await browser.until(has_facts(browser, name, 2))
    await in_database(hold)
    await browser.until(lambda: browser.topics[name]["instruments"] == [str(key)])
    await browser.until(lambda: browser.value(name, "last_price") == 15_230)
    assert browser.topics[name]["offset"] == 3
    assert browser.topics[name]["details"]["positions"][0]["quantity"] == 75
    assert numbers(browser, name) == [1, 2, 3]
    await feed.close()


async def test_a_gap_in_the_feed_sends_no_fact_twice(desk):
    name, key = desk.names[0], desk.keys[1]

    def hold() -> None:
        Position.objects.create(
            account=desk.accounts[0], instrument_id=key.code, product="MARGIN", signed_quantity=75, trading_date=DAY
        )

    await in_database(hold)
    feed = Feed()
    await feed.publish(row(key, 15_230), whole=True)
    browser = await desk.browser(name)
    await desk.record({}, {})
    await browser.until(has_facts(browser, name, 2))
    restarted = Feed(epoch=2)
    await restarted.publish(row(key, 16_000), whole=True)
    await browser.until(lambda: browser.topics[name]["gap"])
    assert browser.topics[name]["offset"] == 2
    await desk.record({})
    await browser.until(has_facts(browser, name, 3))
    assert (numbers(browser, name), browser.gaps) == ([1, 2, 3], 0)
    await feed.close()
    await restarted.close()


async def test_many_facts_at_once_come_in_order_over_several_reads_and_parts(desk, monkeypatch):
    monkeypatch.setattr(hub, "FACTS_A_READ", 7)
    monkeypatch.setattr(fanout_facts, "FACTS_A_READ", 7)
    monkeypatch.setattr(fact_log, "FACTS_A_PART", 4)
    name = desk.names[0]
    browser = await desk.browser(name)
    await desk.record(*[{"n": n} for n in range(1, 61)])
    await browser.until(has_facts(browser, name, 60))
    assert (numbers(browser, name), browser.gaps) == (list(range(1, 61)), 0)


async def test_who_is_further_behind_than_is_kept_finds_out_by_the_snapshot(desk, settings, monkeypatch):
    for module in (hub, fact_log):
        monkeypatch.setattr(module, "KEPT", 5)
    name = desk.names[0]
    settings.BROWSER_UNACKED_FRAMES = 2
    slow = await desk.browser(name)
    fast = await desk.browser(name)
    slow.acknowledges = False
    for last in range(5, 41, 5):
        await desk.record(*[{}] * 5)
        await fast.until(has_facts(fast, name, last))
    await slow.send(op="ack", frame=slow.frames + 2)
    slow.acknowledges = True
    await slow.until(lambda: slow.offsets[name] == 40)
    assert slow.topics[name]["gap"]
    assert slow.topics[name]["offset"] > numbers(slow, name)[0]
    assert numbers(fast, name) == list(range(1, 41))


async def test_redis_restarted_empty_loses_no_fact(desk):
    name = desk.names[0]
    browser = await desk.browser(name)
    desk.redis.flushall()
    desk.redis.client_kill_filter(_type="pubsub")
    await desk.record({}, {})
    await browser.until(has_facts(browser, name, 2))
    assert browser.gaps == 0


async def test_a_database_that_cut_every_connection_loses_no_fact(desk):
    name = desk.names[0]
    browser = await desk.browser(name)

    def cut() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    for number in range(1, 4):
        await in_database(cut)
        await desk.record({"n": number})
    await browser.until(has_facts(browser, name, 3))
    assert (numbers(browser, name), browser.gaps) == ([1, 2, 3], 0)


async def test_the_newest_value_is_told_and_older_ones_are_not_kept(desk):
    name = desk.names[0]
    browser = await desk.browser(name)
    for profit in (1, 2, 3):
        topics.values_changed({name: ("PNL", {"unrealised_pnl": profit}), "account.999": ("PNL", {})})
    await browser.until(lambda: browser.values.get(name) == [["PNL", {"unrealised_pnl": 3}]])
    assert numbers(browser, name) == []


async def test_another_ones_account_is_not_found(desk):
    stranger = await in_database(lambda: session_headers(User.objects.create_user("stranger")))
    browser = Browser(stranger)
    await browser.open()
    await browser.send(op="subscribe", topics=[desk.names[0]])
    await browser.until(lambda: browser.messages[-1]["type"] == "error")
    assert browser.messages[-1]["code"] == "NOT_FOUND"


async def test_who_may_no_longer_see_an_account_is_taken_from_its_topic_and_not_let_in_again(desk):
    one, two = desk.names
    browser = await desk.browser(one, two)
    other = await in_database(lambda: User.objects.create_user("other"))
    await in_database(lambda: TradingAccount.objects.filter(pk=desk.accounts[0].pk).update(owner=other))
    await browser.until(lambda: browser.messages[-1].get("code") == "TOPIC_GONE")
    assert browser.messages[-1]["details"] == {"topic": one}
    await desk.record({"secret": True})
    await desk.record({}, account=1)
    await browser.until(has_facts(browser, two, 1))
    assert numbers(browser, one) == []
    await browser.send(op="subscribe", topics=[one])
    await browser.until(lambda: browser.messages[-1]["type"] == "error")
    assert browser.messages[-1]["code"] == "NOT_FOUND"
