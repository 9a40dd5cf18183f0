"""The topic `user.7`: what one user alone is told, with the instruments of their active alerts as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.contrib.auth import get_user_model

from alerts import facts, selectors
from alerts.models import Alert
from feeds.core.instrument import InstrumentKey
from feeds.topics import Fact, FactTopicKind, TopicContents, User
from rms.topics import one_snapshot

PREFIX = facts.PREFIX
LONGEST_ID = 9
"""Digits of a user's id, which is a 32-bit integer."""


class UserTopics(FactTopicKind):
    """For that user, whatever their rights."""

    def authorise(self, user: User, name: str) -> bool:
        return user.pk is not None and user_id(name) == user.pk

    def contents(self, name: str) -> TopicContents | None:
        return self.contents_of([name]).get(name)

    def contents_of(self, names: Sequence[str]) -> dict[str, TopicContents]:
        by_id = {user: name for name in names if (user := user_id(name)) is not None}
        with one_snapshot():
            users = get_user_model().objects.filter(pk__in=by_id).values_list("pk", flat=True)
            offsets = dict.fromkeys(users, 0) | selectors.offsets_of(by_id)
            active = selectors.active_of(by_id)
        return {by_id[user]: contents_from(active.get(user, []), offset) for user, offset in offsets.items()}

    def facts_after(self, wanted: Mapping[str, int], limit: int) -> dict[str, list[Fact]]:
        by_id = {user: name for name in wanted if (user := user_id(name)) is not None}
        found = facts_by_user({user: wanted[name] for user, name in by_id.items()}, limit)
        return {by_id[user]: rows for user, rows in found.items()}


def user_id(name: str) -> int | None:
    """7 of `user.7`; one topic has one spelling."""
    prefix, _, number = name.partition(".")
    is_number = number.isascii() and number.isdigit() and len(number) <= LONGEST_ID and number == str(int(number))
    return int(number) if prefix == PREFIX and is_number else None


def contents_from(active: Sequence[Alert], offset: int) -> TopicContents:
    codes = sorted({alert.instrument_id for alert in active})
    details = {"alerts": [facts.alert_body(alert) for alert in active]}
    return TopicContents(tuple(InstrumentKey.from_code(code) for code in codes), PREFIX, details=details, offset=offset)


def facts_by_user(offsets: Mapping[int, int], limit: int) -> dict[int, list[Fact]]:
    """The next facts of each user after an offset. Most have none, which one query tells of all."""
    known = selectors.offsets_of(offsets)
    behind = {user: after for user, after in offsets.items() if known.get(user, 0) > after}
    return {user: selectors.facts_after(user, after, limit) for user, after in behind.items()}
