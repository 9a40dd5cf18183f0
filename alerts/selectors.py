"""Reading alerts: a user's own, and what the process that watches them has to know."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import numpy as np
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from numpy.typing import NDArray

from alerts.core.crossing import WATCHED
from alerts.models import Alert, AlertClock, Firing, UserFact, UserOutbox
from feeds.topics import Fact


def alerts_of(user: AbstractBaseUser) -> QuerySet[Alert]:
    """A user's alerts, newest first."""
    return Alert.objects.filter(user=user).select_related("instrument").order_by("-pk")


def firings_of(user: AbstractBaseUser) -> QuerySet[Firing]:
    """What a user's alerts fired, newest first."""
    return Firing.objects.filter(user=user).select_related("instrument").order_by("-pk")


def active_of(users: Collection[int]) -> dict[int, list[Alert]]:
    """The active alerts of each user, oldest first."""
    found: dict[int, list[Alert]] = {}
    rows = Alert.objects.filter(user__in=users, status=Alert.Status.ACTIVE).select_related("instrument")
    for alert in rows.order_by("pk"):
        found.setdefault(alert.user_id, []).append(alert)
    return found


def offsets_of(users: Collection[int]) -> dict[int, int]:
    """How many facts each user was told; none of who does not exist."""
    return dict(UserOutbox.objects.filter(user__in=users).values_list("user", "offset"))


def facts_after(user: int, offset: int, limit: int) -> list[Fact]:
    rows = UserFact.objects.filter(user=user, offset__gt=offset).order_by("offset")
    return [Fact(*row) for row in rows.values_list("offset", "kind", "body")[:limit]]


# --- for the watching process ---------------------------------------------------------------------


def version() -> int:
    """Goes up with every change of alerts that was not decided by the watching process itself."""
    return AlertClock.objects.values_list("version", flat=True).first() or 0


def watched(quiet_seconds: float) -> NDArray[np.void]:
    """All active alerts as they are stored."""
    columns = ("id", "revision", "instrument_id", "column", "direction", "level", "armed", "fired_at")
    quiet = timedelta(seconds=quiet_seconds)
    rows = [
        (*known, (fired_at + quiet).timestamp() if fired_at else 0.0, False, True)
        for *known, fired_at in Alert.objects.filter(status=Alert.Status.ACTIVE).values_list(*columns)
    ]
    return np.array(rows, WATCHED)
