"""The topic `ops`: the dashboard's reading, told once a second to the staff who look at it."""

from __future__ import annotations

from typing import Any, ClassVar

from feeds.bus import REDIS_ERRORS, feed_statuses
from feeds.topics import TopicContents, TopicKind, User
from terminal.ops.history import latest_minute
from terminal.ops.status import ops_status

NAME = "ops"


class OpsTopics(TopicKind):
    """Without rows: `details` is sent whole, since nearly all of it changes each second. For staff."""

    changes_itself: ClassVar[bool] = True

    def authorise(self, user: User, name: str) -> bool:
        return name == NAME and bool(getattr(user, "is_staff", False))

    def contents(self, name: str) -> TopicContents | None:
        return TopicContents((), NAME, (), ops_details()) if name == NAME else None


def ops_details() -> dict[str, Any]:
    """The dashboard's reading, with the feeds' own words and the chart's newest minute; `error`: Redis is away."""
    reading = ops_status()
    try:
        return {**reading, "feeds": list(feed_statuses().values()), "minute": latest_minute(), "error": None}
    except REDIS_ERRORS as error:
        return {**reading, "feeds": [], "minute": None, "error": f"Redis is away ({type(error).__name__})"}
