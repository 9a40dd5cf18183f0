"""What a user is told: facts numbered without a hole, in the transaction that did what they tell of."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial
from typing import Any

from django.db import transaction

from alerts.core.crossing import Column, Direction
from alerts.models import Alert, Firing, UserFact, UserOutbox
from feeds import topics

PREFIX = "user"
ALERT = "ALERT"
ALERT_FIRED = "ALERT_FIRED"
NOTICE = "NOTICE"
DELETED = "DELETED"
"""A status that only facts know."""

Body = dict[str, Any]
Outboxes = dict[int, UserOutbox]


def lock(users: Collection[int]) -> Outboxes:
    """The outboxes of these users, locked in one order; always before the lock on interest."""
    UserOutbox.objects.bulk_create([UserOutbox(user_id=user) for user in users], ignore_conflicts=True)
    rows = UserOutbox.objects.select_for_update().filter(user__in=users).order_by("user")
    return {row.user_id: row for row in rows}


def record(outbox: UserOutbox, kind: str, body: Body) -> None:
    """Add one fact to a locked outbox; `save` writes how far it is."""
    outbox.offset += 1
    UserFact.objects.create(user_id=outbox.user_id, offset=outbox.offset, kind=kind, body=body)


def save(outboxes: Outboxes) -> None:
    """Write the offsets, and after the commit tell every hub that there is something to read."""
    UserOutbox.objects.bulk_update(outboxes.values(), ["offset"])
    transaction.on_commit(partial(topics.facts_changed, *topics_of(outboxes)))


def topics_of(users: Iterable[int]) -> list[str]:
    return [f"{PREFIX}.{user}" for user in users]


def alert_body(alert: Alert) -> Body:
    """The alert as it is now; levels as whole numbers of their unit. A deleted one has the status DELETED."""
    return {
        "id": alert.pk,
        "instrument": str(alert.key),
        "symbol": alert.instrument.symbol,
        "name": alert.instrument.name,
        "column": Column(alert.column).name,
        "direction": Direction(alert.direction).name,
        "level": alert.level,
        "repeat": alert.repeat,
        "note": alert.note,
        "status": alert.status,
        "fired_count": alert.fired_count,
        "fired_at": alert.fired_at and round(alert.fired_at.timestamp() * 1000),
    }


def firing_body(alert: Alert, firing: Firing) -> Body:
    return alert_body(alert) | {
        "number": firing.number,
        "reached": firing.reached,
        "last_price": firing.last_price,
        "at": round(firing.at.timestamp() * 1000),
    }
