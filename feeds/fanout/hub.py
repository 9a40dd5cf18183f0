"""The hub: inside each web process, from the tick bus to every browser's next frame.

One task reads the bus into a table of rows. Each flush finds the topics whose rows changed, encodes each
topic's part once, and sends every browser that is due one frame of what it has not seen. Nothing is queued
for a browser: one that cannot take a frame now gets a wider update later. Database work runs elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from functools import partial
from weakref import WeakKeyDictionary

import numpy as np
from django.conf import settings
from django.db import Error as DatabaseError

from feeds import bus, clock, topics
from feeds.core.fact_log import KEPT
from feeds.core.live_table import LiveTable, Slots
from feeds.core.protocol import CloseCode, ErrorCode, error_text, json_text
from feeds.core.topic_state import TopicIndex, TopicState
from feeds.fanout import web_status
from feeds.fanout.browsers import Browser
from feeds.fanout.facts import FACTS_A_READ, FACTS_SECONDS, FactTexts, read_facts
from feeds.fanout.links import Link, when_daphne_stops
from feeds.fanout.logins import Admission, Login, closes
from feeds.fanout.notices import (
    FactsChanged,
    Listening,
    Notice,
    TopicsChanged,
    UsersClosed,
    ValuesChanged,
    notices,
)
from feeds.offload import Offload, Overloaded

log = logging.getLogger(__name__)

BROWSERS_A_TURN = 25
"""Frames sent before other work gets the loop: about two milliseconds on daphne."""
TOPICS_A_TURN = 100
SNAPSHOTS_A_FRAME = 200
"""More wait for the next frame, so that one greedy browser holds nobody up."""
ROWS_A_TURN = 5_000
TABLE_ROWS = 100_000
"""More rows than this, and those that nothing shows and nobody has fed for days are forgotten: contracts expire."""
FED_LATELY_MILLISECONDS = 4 * 86_400_000
"""Longer than a weekend with a holiday."""
EARLIEST_FLUSH = 0.8
LATEST_FLUSH = 1.5
"""Flushes follow the feed's batches; these many flush intervals apart at least and at most."""
WATCH_SECONDS = 0.25
LOGINS_SECONDS = 1.0
STATUS_SECONDS = 1.0
LINGER_SECONDS = 30.0
"""A topic nobody is on is kept so long: a storm of returning browsers asks the database nothing."""
AUTHORISED_SECONDS = 30.0
RETRY_SECONDS = 1.0
FAREWELL_SECONDS = 1.0
CANCEL_AGAIN_SECONDS = 0.2
"""A cancellation can be lost in Python 3.11 when what a task waited for comes at the same moment."""
RETRY_HINT_MILLISECONDS = (200, 3000)
"""Each browser is told another delay before it comes back, so that they do not all come at once."""


class TopicsRefused(Exception):
    """These topics do not exist for this user; nothing was subscribed."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = sorted(names)
        super().__init__(f"no such topics: {', '.join(self.names[:5])}")


class FeedStates:
    """What browsers are told of each feed: LIVE, STALE or DOWN, since when, and whether something was missed."""

    def __init__(self) -> None:
        self.version = 0
        self.text = ""
        self._told: dict[int, dict[str, object]] = {}

    def state(self, account_id: int) -> object:
        told = self._told.get(account_id)
        return told["state"] if told else None

    def say(self, account_id: int, state: str, gap: bool = False) -> None:
        if not gap and self.state(account_id) == state:
            return
        since = clock.wall_nanoseconds() // 1_000_000
        self._told[account_id] = {"feed": account_id, "state": state, "since": since, "gap": gap}
        self.text = ",".join(json_text(told) for told in self._told.values())
        self.version += 1


class Hub:
    """All browsers of one web process and the topics they are on. Lives on one event loop."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._offload = Offload()
        self.table = LiveTable()
        self.feeds = FeedStates()
        self.flush = 0
        self.browsers: set[Browser] = set()
        self.topics: dict[str, TopicState] = {}
        self.counters: Counter[str] = Counter()
        self._audience: dict[TopicState, set[Browser]] = {}
        self._valued: set[TopicState] = set()  # those that were told a value
        self._contents: dict[str, topics.TopicContents] = {}
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._empty_since: dict[TopicState, float] = {}
        self._authorised: dict[tuple[object, str], float] = {}
        self._topic_sets: dict[frozenset[TopicState], frozenset[TopicState]] = {}
        self._joined: dict[tuple[frozenset[TopicState], int], tuple[str, list[TopicState]]] = {}
        self._index: TopicIndex | None = None
        self._token = secrets.token_hex(4)
        self._gaps = 0
        self._last_topic_id = 0
        self._last_change = 0
        self._table_limit = TABLE_ROWS
        self._arrived = asyncio.Event()
        self._facts_hinted: set[str] = set()
        self._outdated: set[str] = set()  # topics whose contents must be read again because of facts
        self._facts_wanted = asyncio.Event()
        self._started_at = clock.wall_nanoseconds() // 1_000_000
        self._tasks: list[asyncio.Task[None]] = []

    # --- life

    def start(self) -> None:
        work = (self._read_bus, self._flush_forever, self._watch_browsers, self._watch_logins)
        work += (self._read_notices, self._follow_facts, self._tell_status)
        self._tasks = [asyncio.create_task(forever(step), name=step.__name__) for step in work]
        when_daphne_stops(self._say_restarting)

    def _say_restarting(self) -> None:
        for browser in self.browsers:
            browser.link.close_at_once(CloseCode.RESTARTING)

    async def stop(self) -> None:
        """Close every browser with 1012 and end the tasks."""
        for browser in list(self.browsers):
            await self.close(browser, CloseCode.RESTARTING)
        while running := [task for task in self._tasks if not task.done()]:
            for task in running:
                task.cancel()
            await asyncio.wait(running, timeout=CANCEL_AGAIN_SECONDS)
        self._offload.close()

    @property
    def epoch(self) -> str:
        """Changes with the process and after every gap: sequences of different epochs do not compare."""
        return f"{self._token}.{self._gaps}"

    # --- browsers come and go

    async def admit(self, headers: dict[str, str]) -> Login | None:
        """Who these headers prove.

        Raises:
            Overloaded, DatabaseError: nobody can say now.
        """
        return await self._offload.run(partial(self._admission.admit, headers))

    def origin_allowed(self, headers: dict[str, str]) -> bool:
        return self._admission.origin_allowed(headers)

    def connections_of(self, login: Login) -> int:
        return sum(browser.login.user.pk == login.user.pk for browser in self.browsers)

    def attach(self, link: Link, login: Login) -> Browser:
        browser = Browser(f"{self._token}-{secrets.token_hex(4)}", link, login)
        browser.position = self.flush
        self.browsers.add(browser)
        return browser

    def welcome(self, browser: Browser) -> str:
        return json_text(
            {
                "type": "welcome",
                "connection": browser.id,
                "window": {"frames": settings.BROWSER_UNACKED_FRAMES, "bytes": settings.BROWSER_UNACKED_BYTES},
                "rate": browser.rate,
                "heartbeat_seconds": settings.BROWSER_HEARTBEAT_SECONDS,
                "retry_milliseconds": random.randint(*RETRY_HINT_MILLISECONDS),
            }
        )

    def detach(self, browser: Browser) -> None:
        self.browsers.discard(browser)
        self._set_topics(browser, frozenset())

    async def close(self, browser: Browser, code: int) -> None:
        self.detach(browser)
        self.counters[f"closed_{int(code)}"] += 1
        await browser.link.close(code)

    # --- topics come and go

    async def subscribe(self, browser: Browser, names: Collection[str]) -> None:
        """Put the browser on these topics, all or none; it gets their snapshots at once.

        Raises:
            TopicsRefused: some do not exist, or not for this user.
            Overloaded, DatabaseError: the database cannot say now.
        """
        permitted = await self._permitted(browser.login, names)
        await self._load(permitted)
        if refused := {name for name in names if name not in permitted or name not in self.topics}:
            raise TopicsRefused(refused)
        if browser not in self.browsers:
            return  # it left meanwhile
        joined = [self.topics[name] for name in names]
        browser.needs_snapshot.update(dict.fromkeys(joined, False))
        for topic in joined:
            browser.fact_offsets.pop(topic, None)
            self._renew_if_old(topic)
        self._set_topics(browser, browser.topics | frozenset(joined))
        await self._serve(browser)

    def unsubscribe(self, browser: Browser, names: Collection[str]) -> None:
        leaving = {topic for name in names if (topic := self.topics.get(name)) is not None}
        self._set_topics(browser, browser.topics - leaving)

    def _set_topics(self, browser: Browser, wanted: frozenset[TopicState]) -> None:
        for topic in browser.topics - wanted:
            browser.needs_snapshot.pop(topic, None)
            browser.fact_offsets.pop(topic, None)
            self._audience[topic].discard(browser)
            if not self._audience[topic]:
                self._empty_since[topic] = clock.monotonic()
        for topic in wanted - browser.topics:
            self._audience[topic].add(browser)
            self._empty_since.pop(topic, None)
        browser.topics = self._topic_sets.setdefault(wanted, wanted)

    async def _permitted(self, login: Login, names: Collection[str]) -> set[str]:
        """Those the user may join; remembered for a while, so that a returning browser costs no query."""
        now = clock.monotonic()
        permitted = {name for name in names if (kind := topics.kind_of(name)) is not None and kind.open_to_all}
        asked = [name for name in names if name not in permitted and topics.kind_of(name) is not None]
        known = {name for name in asked if self._authorised.get((login.user.pk, name), 0.0) > now}
        if unknown := [name for name in asked if name not in known]:
            found = await self._offload.run(partial(topics.authorised, login.user, unknown))
            self._authorised.update({(login.user.pk, name): now + AUTHORISED_SECONDS for name in found})
            known |= found
        return permitted | known

    async def _load(self, names: Iterable[str]) -> None:
        """Have these topics, one question for all who ask at the same time."""
        missing = [name for name in names if name not in self.topics]
        if not missing:
            return  # without a pause: what is there now is there for the caller
        if new := [name for name in missing if name not in self._loading]:
            task = asyncio.create_task(self._load_now(new))
            self._loading.update(dict.fromkeys(new, task))
        await wait_for_all({self._loading[name] for name in missing if name in self._loading})

    async def _load_now(self, names: list[str]) -> None:
        try:
            found = await self._offload.run(partial(topics.contents_of, names))
            for number, (name, contents) in enumerate(found.items(), start=1):
                self._define(name, contents)
                if number % TOPICS_A_TURN == 0:
                    await asyncio.sleep(0)
        finally:
            for name in names:
                self._loading.pop(name, None)

    def _define(self, name: str, contents: topics.TopicContents) -> None:
        topic = self.topics.get(name)
        if topic is None:
            self._last_topic_id += 1
            topic = self.topics[name] = TopicState(self._last_topic_id, name)
            self._audience[topic] = set()
            self._empty_since[topic] = clock.monotonic()
        self._contents[name] = contents
        topic.define(
            contents.kind, contents.instruments, contents.columns, contents.details, self.table, contents.offset
        )
        self._index = None

    async def _reload(self, names: Collection[str]) -> None:
        """Read again what these topics hold; who is on one that changed gets a snapshot, on one that is gone a word."""
        live = [name for name in names if name in self.topics]
        if not live:
            return
        found = await self._offload.run(partial(topics.contents_of, live))
        for name in live:
            if name not in self.topics:
                continue
            if name not in found:
                await self._drop(self.topics[name])
            elif found[name] != self._contents[name]:
                shows_others = not has_same_rows(found[name], self._contents[name])
                self._define(name, found[name])
                if shows_others or not topics.has_facts(name):  # else the facts tell what changed
                    self._call_for_snapshots(self.topics[name], gap=False)
        self._arrived.set()

    def _call_for_snapshots(self, topic: TopicState, gap: bool) -> None:
        topic.mark_changed(self.flush)
        for browser in self._audience[topic]:
            browser.needs_snapshot[topic] = gap or browser.needs_snapshot.get(topic, False)
        self._renew_if_old(topic)

    async def _drop(self, topic: TopicState) -> None:
        audience = list(self._audience[topic])
        for browser in audience:
            self._set_topics(browser, browser.topics - {topic})
        self._forget(topic)
        await self._tell_gone(topic.name, audience)

    async def _tell_gone(self, name: str, browsers: Iterable[Browser]) -> None:
        text = error_text(ErrorCode.TOPIC_GONE, "this topic is no more", topic=name)
        told = [asyncio.create_task(browser.link.send(text)) for browser in browsers]
        if told:  # a full line may take its time, and the others' news does not wait for it
            await asyncio.wait(told, timeout=FAREWELL_SECONDS)

    def _forget(self, topic: TopicState) -> None:
        self._valued.discard(topic)
        del self.topics[topic.name], self._audience[topic], self._contents[topic.name]
        self._empty_since.pop(topic, None)
        self._index = None

    # --- facts: numbered, from the database, each once and in order

    async def _follow_facts(self) -> None:
        """Read new facts when told of some, and each second whatever was told: a hint may be lost."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._facts_wanted.wait(), FACTS_SECONDS)
            hinted = self._facts_hinted if self._facts_wanted.is_set() else set(self.topics)
            self._facts_wanted.clear()
            self._facts_hinted = set()
            await self._read_facts(hinted)
            await self._renew_contents()

    async def _read_facts(self, names: Iterable[str]) -> None:
        """All new facts of these topics, those of many accounts in one query."""
        behind = set(names)
        while wanted := {name: self.topics[name].facts.offset for name in behind if self._shows_facts(name)}:
            found = await self._offload.run(partial(read_facts, wanted))
            self._take_facts(found)
            behind = {name for name, facts in found.items() if len(facts) == FACTS_A_READ}

    def _shows_facts(self, name: str) -> bool:
        return name in self.topics and self.topics[name].offset is not None

    def _take_facts(self, found: FactTexts) -> None:
        for name in found.keys() & self.topics.keys():
            topic = self.topics[name]
            new = topic.facts.append(found[name])
            self.counters["facts"] += len(new)
            if any(fact.instrument is not None and fact.instrument not in topic.instruments for fact in new):
                self._outdated.add(name)
            self._renew_if_old(topic)
        self._arrived.set()

    def _renew_if_old(self, topic: TopicState) -> None:
        """Have its contents read again when no snapshot can be made of them: for somebody who was told of later
        facts, or soon for anybody, because those after it will not be kept."""
        if topic.offset is None or topic.offset >= topic.facts.offset:
            return
        told = [
            browser.fact_offsets.get(topic, 0) for browser in self._audience[topic] if topic in browser.needs_snapshot
        ]
        if topic.facts.offset - topic.offset > KEPT // 2 or max(told, default=0) > topic.offset:
            self._renew(topic)

    def _renew(self, topic: TopicState) -> None:
        self._outdated.add(topic.name)
        self._facts_wanted.set()

    async def _renew_contents(self) -> None:
        """Then the facts up to them, for a snapshot waits for those. No fact is taken meanwhile, so that none is
        later than the new contents."""
        if outdated := set(self._outdated):
            await self._reload(outdated)
            self._outdated -= outdated
            await self._read_facts(outdated)

    # --- from the bus

    async def _read_bus(self) -> None:
        redis = bus.async_redis()
        try:
            async for event in bus.TickSubscriber(redis, missed=self.feeds.version > 0):
                await self._on_event(event)
        finally:
            await redis.aclose()

    async def _on_event(self, event: bus.Event) -> None:
        if isinstance(event, bus.Batch):
            self._merge(event.rows, event.account_id)
            self._on_sign_of_life(event.account_id)
        elif isinstance(event, bus.Snapshot):
            await self._on_snapshot(event)
        elif isinstance(event, bus.FeedDown):
            self.feeds.say(event.account_id, "DOWN")
        else:
            self.feeds.say(event.account_id, browser_state(event.status.get("state")))
        if self.table.size > self._table_limit:
            self._forget_old_rows()
        self._arrived.set()

    def _on_sign_of_life(self, account_id: int) -> None:
        if self.feeds.state(account_id) in {None, "DOWN"}:
            self.feeds.say(account_id, "LIVE")

    def _merge(self, rows: bus.Rows, account_id: int) -> Slots:
        self.counters["rows"] += len(rows)
        return self.table.merge(rows, self.flush + 1, account_id)

    async def _on_snapshot(self, event: bus.Snapshot) -> None:
        """The whole board of one account. After a gap every topic that shows any of it starts anew."""
        touched = []
        for first in range(0, len(event.rows), ROWS_A_TURN):
            touched.append(self._merge(event.rows[first : first + ROWS_A_TURN], event.account_id))
            await asyncio.sleep(0)
        if event.gap:
            self._gaps += 1
            self.feeds.say(event.account_id, "LIVE", gap=True)
            self._mark_gap(np.concatenate([np.empty(0, np.intp), *touched]))
        else:
            self._on_sign_of_life(event.account_id)

    def _forget_old_rows(self) -> None:
        """Only between two events of the bus: every slot changes, and with it where each topic finds its rows."""
        lately = self.table.fed_since(clock.wall_nanoseconds() // 1_000_000 - FED_LATELY_MILLISECONDS)
        self.table.keep_only(np.concatenate([lately, *(topic.slots for topic in self.topics.values())]))
        for name in self.topics:
            self._define(name, self._contents[name])
        self._table_limit = max(TABLE_ROWS, 2 * self.table.size)

    def _mark_gap(self, slots: Slots) -> None:
        is_touched = np.zeros(self.table.size, np.bool_)
        is_touched[slots] = True
        for topic in self.topics.values():
            if is_touched[topic.slots].any():
                self._call_for_snapshots(topic, gap=True)

    # --- to the browsers

    async def _flush_forever(self) -> None:
        interval = settings.FEED_FLUSH_SECONDS
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), interval * LATEST_FLUSH)
            self._arrived.clear()
            started = clock.monotonic()
            await self._fan_out()
            await asyncio.sleep(max(0.0, started + interval * EARLIEST_FLUSH - clock.monotonic()))

    async def _fan_out(self) -> None:
        """One flush: mark what changed, then a frame to each browser that is due and has something to see."""
        self.flush += 1
        self._joined.clear()
        if self._index is None:
            self._index = TopicIndex(self.topics.values())
        for topic in self._index.changed(self.table, self.flush):
            topic.mark_changed(self.flush)
            self._last_change = self.flush
        sent = 0
        for browser in list(self.browsers):
            if browser.is_due(self.flush) and await self._serve(browser):
                sent += 1
                if sent % BROWSERS_A_TURN == 0:
                    await asyncio.sleep(0)

    async def _serve(self, browser: Browser) -> bool:
        """Send what the browser has not seen, if there is any and it can take it."""
        if self._has_seen_all(browser):
            browser.position = self.flush
            return False
        now = clock.monotonic()
        if not browser.may_send(now):
            self.counters["held_back"] += 1
            return False
        parts = self._parts_for(browser)
        browser.position = self.flush
        if not parts:
            return False
        self.counters["frames"] += 1
        self.counters["bytes"] += await browser.send_frame(parts, now)
        return True

    def _has_seen_all(self, browser: Browser) -> bool:
        return (
            browser.position >= self._last_change
            and not browser.needs_snapshot
            and not browser.is_behind_facts()
            and browser.feeds_version == self.feeds.version
        )

    def _parts_for(self, browser: Browser) -> str:
        parts = []
        if browser.feeds_version != self.feeds.version:
            browser.feeds_version = self.feeds.version
            parts.append(self.feeds.text)
        if updates := self._updates_for(browser):
            parts.append(updates)
        self._add_values(browser, parts)
        self._add_facts(browser, parts)
        self._add_snapshots(browser, parts)
        self._add_facts(browser, parts)
        return ",".join(parts)

    def _add_values(self, browser: Browser, parts: list[str]) -> None:
        """Of topics that it has a snapshot of: the others' values come with theirs."""
        valued = (self._valued & browser.topics) - browser.needs_snapshot.keys()
        parts += [topic.value for topic in valued if topic.value_at > browser.position]

    def _add_facts(self, browser: Browser, parts: list[str]) -> None:
        """What each followed topic has that the browser was not told; up to a snapshot's offset while one is due."""
        room = browser.window.room()
        for topic, told in browser.fact_offsets.items():
            if parts and sum(map(len, parts)) > room:
                return
            is_due = topic in browser.needs_snapshot and told <= (topic.offset or 0)
            until = min(topic.facts.offset, topic.offset or 0) if is_due else topic.facts.offset
            if not topic.facts.holds(told):
                self._skip_facts(browser, topic)
            elif until > told:
                text, browser.fact_offsets[topic] = topic.facts_part(told, until)
                parts.append(text)

    def _skip_facts(self, browser: Browser, topic: TopicState) -> None:
        """It is further behind than is kept: a snapshot, whose offset tells it what to ask the REST API for."""
        browser.needs_snapshot[topic] = True
        if topic.offset is not None and topic.facts.holds(topic.offset):
            browser.fact_offsets[topic] = topic.offset
        else:
            self._renew(topic)

    def _updates_for(self, browser: Browser) -> str:
        if browser.needs_snapshot:
            wanted: Iterable[TopicState] = browser.topics - browser.needs_snapshot.keys()
            text, lost = self._join_updates(wanted, browser.position)
        else:
            key = (browser.topics, browser.position)
            if key not in self._joined:
                self._joined[key] = self._join_updates(*key)
            text, lost = self._joined[key]
        browser.needs_snapshot.update(dict.fromkeys(lost, True))
        return text

    def _join_updates(self, wanted: Iterable[TopicState], position: int) -> tuple[str, list[TopicState]]:
        """The updates since that flush in one text, and the topics that changed too long ago for one."""
        changed = [topic for topic in wanted if topic.changed_at > position]
        parts = [(topic, topic.update_part(position, self.table)) for topic in changed]
        self.counters["parts"] += len(parts)
        text = ",".join(part for _, part in parts if part is not None)
        return text, [topic for topic, part in parts if part is None]

    def _add_snapshots(self, browser: Browser, parts: list[str]) -> None:
        room = browser.window.room() - sum(map(len, parts))
        due = [each for each in browser.needs_snapshot.items() if browser.may_have_snapshot(each[0])]
        for topic, gap in due[:SNAPSHOTS_A_FRAME]:
            text = ",".join(filter(None, (topic.snapshot_part(self.epoch, gap, self.table), topic.value)))
            if parts and len(text) > room:
                return
            parts.append(text)
            room -= len(text)
            del browser.needs_snapshot[topic]
            if topic.offset is not None:
                browser.fact_offsets[topic] = topic.offset

    # --- what is looked at from time to time

    async def _watch_browsers(self) -> None:
        while True:
            await asyncio.sleep(min(WATCH_SECONDS, settings.BROWSER_HEARTBEAT_SECONDS / 4))
            now = clock.monotonic()
            for browser in list(self.browsers):
                if browser.is_too_slow(now):
                    await self.close(browser, CloseCode.TOO_SLOW)
                elif browser.is_quiet(now) and browser.may_send(now):
                    self.counters["heartbeats"] += 1
                    await browser.send_heartbeat(now)
            self._tidy(now)

    def _tidy(self, now: float) -> None:
        if not self._loading:  # whoever waits for one topic may count on another that was there
            for topic in [topic for topic, since in self._empty_since.items() if now - since > LINGER_SECONDS]:
                self._forget(topic)
        for key in [key for key, until in self._authorised.items() if until <= now]:
            del self._authorised[key]
        if len(self._topic_sets) > 2 * len(self.browsers) + 16:
            self._topic_sets = {browser.topics: browser.topics for browser in self.browsers}

    async def _watch_logins(self) -> None:
        """Close within two seconds whoever signed out, was disabled or lost rights, told or not."""
        while True:
            await asyncio.sleep(LOGINS_SECONDS)
            await self._end_withdrawn()
            if not self.browsers:
                continue
            logins = [browser.login for browser in self.browsers]
            ended = await self._offload.run(partial(self._admission.ended, logins))
            await self._close_where(lambda login, ended=ended: login in ended)

    async def _end_withdrawn(self) -> None:
        """Take from topics whoever may not be there any more, and forget that they were allowed."""
        joined = {
            (browser.login.user.pk, topic.name)
            for topic, audience in self._audience.items()
            if topics.can_be_withdrawn(topic.name)
            for browser in audience
        }
        joined |= {key for key in self._authorised if topics.can_be_withdrawn(key[1])}
        if not joined:
            return
        for user, name in await self._offload.run(partial(topics.withdrawn, joined)):
            self._authorised.pop((user, name), None)
            if (topic := self.topics.get(name)) is None:
                continue
            leaving = [browser for browser in self._audience[topic] if browser.login.user.pk == user]
            for browser in leaving:
                self._set_topics(browser, browser.topics - {topic})
            await self._tell_gone(name, leaving)

    async def _close_where(self, is_over: Callable[[Login], bool]) -> None:
        for browser in [browser for browser in self.browsers if is_over(browser.login)]:
            await self.close(browser, CloseCode.SIGNED_OUT)

    async def _read_notices(self) -> None:
        redis = bus.async_redis()
        try:
            async for notice in notices(redis):
                await self._on_notice(notice)
        finally:
            await redis.aclose()

    async def _on_notice(self, notice: Notice) -> None:
        if isinstance(notice, UsersClosed):
            await self._close_where(partial(closes, notice.message))
        elif isinstance(notice, TopicsChanged):
            self._authorised.clear()
            await self._wait_for_loading(notice.names)
            await self._reload(notice.names)
        elif isinstance(notice, FactsChanged):
            self._facts_hinted |= self.topics.keys() & notice.names
            self._facts_wanted.set()
        elif isinstance(notice, ValuesChanged):
            self._take_values(notice.values)
        elif isinstance(notice, Listening):
            self._authorised.clear()
            await self._reload(list(self.topics))

    def _take_values(self, values: Mapping[str, tuple[str, Mapping[str, object]]]) -> None:
        """The newest only: a browser gets them at its own rate, and never more often."""
        for name in self.topics.keys() & values.keys():
            self.topics[name].set_value(*values[name], self.flush + 1)
            self._valued.add(self.topics[name])
            self._last_change = self.flush + 1
        self._arrived.set()

    async def _wait_for_loading(self, names: Iterable[str]) -> None:
        with suppress(DatabaseError, Overloaded):  # those who asked are told
            await wait_for_all({self._loading[name] for name in names if name in self._loading})

    async def _tell_status(self) -> None:
        """Once a second: this process' own figures to Redis, and the topics that change by themselves again."""
        before: Counter[str] = Counter()
        while True:
            await asyncio.sleep(STATUS_SECONDS)
            rates = {f"{name}_per_second": count - before[name] for name, count in self.counters.items()}
            before = self.counters.copy()
            with suppress(*bus.REDIS_ERRORS):
                await self._offload.run(partial(web_status.publish_status, self.status() | {"rates": rates}))
            changing = [name for name in self.topics if is_changing(name)]
            if changing:
                await self._reload(changing)

    def status(self) -> dict[str, object]:
        now = clock.monotonic()
        return {
            "key": web_status.status_key(),
            "started_at": self._started_at,
            "at": clock.wall_nanoseconds() // 1_000_000,
            "browsers": len(self.browsers),
            "slow": sum(browser.is_late(now) for browser in self.browsers),
            "users": len({browser.login.user.pk for browser in self.browsers}),
            "topics": len(self.topics),
            "memory_bytes": web_status.resident_bytes(),
            "counters": dict(self.counters),
        }


async def wait_for_all(tasks: Collection[asyncio.Task[None]]) -> None:
    """Wait for tasks that others wait for too: whoever leaves does not cancel them, as it would with gather.

    Raises:
        What one of them raised.
    """
    if tasks:
        await asyncio.wait(tasks)
    for task in tasks:
        task.result()


def has_same_rows(one: topics.TopicContents, other: topics.TopicContents) -> bool:
    return (one.instruments, one.columns) == (other.instruments, other.columns)


def is_changing(name: str) -> bool:
    kind = topics.kind_of(name)
    return kind is not None and kind.changes_itself


def browser_state(state: object) -> str:
    """The feed's own word as one of the three that browsers know: whatever else it is, it is not live."""
    return str(state) if state in {"LIVE", "STALE"} else "DOWN"


async def forever(step: Callable[[], Awaitable[None]]) -> None:
    """Run an endless step; when it fails say why, and begin it again: no fault of one may stop the fan-out."""
    while True:
        try:
            await step()
        except DatabaseError as error:
            log.warning("%s: the database is away (%s)", step.__name__, type(error).__name__)
        except Exception:
            log.exception("%s failed and starts again", step.__name__)
        await asyncio.sleep(RETRY_SECONDS)


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def current_hub(admission: Admission) -> Hub:
    """The hub of this event loop, started with the first websocket."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = Hub(admission)
        hub.start()
    return hub


async def stop_hub() -> None:
    """End this event loop's hub, if there is one (tests, and servers that tell us when they stop)."""
    hub = _hubs.pop(asyncio.get_running_loop(), None)
    if hub is not None:
        await hub.stop()
