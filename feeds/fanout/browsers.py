"""One browser's websocket as the hub sees it: its topics, its rate, how far it was told, and its window."""

from __future__ import annotations

from django.conf import settings

from feeds import clock
from feeds.core.outbox import CreditWindow, WindowLimits
from feeds.core.protocol import frame_text, heartbeat_text
from feeds.core.topic_state import TopicState
from feeds.fanout.links import Link
from feeds.fanout.logins import Login

LATE_SECONDS = 2.0
"""A browser acknowledges once a second; twice that is late."""
MILLISECONDS = 1_000_000


class Browser:
    """What the hub keeps for one connection. Everything it was sent is covered by `position`, one flush number."""

    def __init__(self, identity: str, link: Link, login: Login) -> None:
        self.id = identity
        self.link = link
        self.login = login
        self.rate = settings.BROWSER_RATE_LIMIT
        self.topics: frozenset[TopicState] = frozenset()
        self.needs_snapshot: dict[TopicState, bool] = {}  # topic -> whether a gap is the reason
        self.fact_offsets: dict[TopicState, int] = {}  # the last fact it was told, of topics it has a snapshot of
        self.position = 0
        self.feeds_version = 0
        self.sent_at = clock.monotonic()
        self.window = CreditWindow(
            WindowLimits(settings.BROWSER_UNACKED_FRAMES, settings.BROWSER_UNACKED_BYTES, LATE_SECONDS)
        )

    def is_due(self, flush: int) -> bool:
        """Whether this flush is one of the browser's: slower browsers share theirs, so that parts are shared too."""
        every = round(1 / (self.rate * settings.FEED_FLUSH_SECONDS))
        return every <= 1 or flush % every == 0

    def is_behind_facts(self) -> bool:
        return any(topic.facts.offset > told for topic, told in self.fact_offsets.items())

    def may_have_snapshot(self, topic: TopicState) -> bool:
        """A snapshot tells of everything up to its offset: whoever follows the facts gets those before it first."""
        return self.fact_offsets.get(topic, topic.offset) == topic.offset

    def may_send(self, now: float) -> bool:
        return not self.link.closed and self.window.may_send(now) and self.link.has_room()

    def is_too_slow(self, now: float) -> bool:
        return self.window.oldest_age(now) >= settings.BROWSER_SILENT_SECONDS

    def is_late(self, now: float) -> bool:
        """Whether it has owed an acknowledgement for so long that it gets fewer frames than are due."""
        return self.window.oldest_age(now) > LATE_SECONDS

    def is_quiet(self, now: float) -> bool:
        return now - self.sent_at >= settings.BROWSER_HEARTBEAT_SECONDS

    async def send_frame(self, parts: str, now: float) -> int:
        """Send one frame around these parts; returns its size."""
        text = frame_text(self.window.last_frame + 1, clock.wall_nanoseconds() // MILLISECONDS, parts)
        return await self._send_numbered(text, now)

    async def send_heartbeat(self, now: float) -> int:
        told = [
            (topic.id, sequence)
            for topic in self.topics
            if topic not in self.needs_snapshot and (sequence := topic.sequence_at(self.position)) is not None
        ]
        wall = clock.wall_nanoseconds() // MILLISECONDS
        return await self._send_numbered(heartbeat_text(self.window.last_frame + 1, wall, told), now)

    async def _send_numbered(self, text: str, now: float) -> int:
        self.window.sent(len(text), now)
        self.sent_at = now
        await self.link.send(text)
        return len(text)
