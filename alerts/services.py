"""Changing alerts, and storing what the process that watches them decided."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import F, Q

from alerts import facts
from alerts.core.crossing import Decision
from alerts.errors import AlertMissing, NotListed, TooManyAlerts
from alerts.models import Alert, AlertClock, Firing, UserFact
from feeds import clock
from feeds.clock import IST
from feeds.interest import Source, Want, declare_interests, withdraw_interests
from feeds.models import Instrument
from feeds.topics import changed

CLOCK = 1
"""Primary key of the AlertClock row."""
ENDED_KEPT = 200
"""Fired and expired alerts of one user; of more the oldest go. What they fired stays."""
SET_AGAIN = frozenset({"direction", "level"})
"""Who changes one of these wants to be told again."""

Status = Alert.Status
STANDING = (Status.ACTIVE, Status.PAUSED)
"""What a user may have so many of."""


@transaction.atomic
def create_alert(
    *,
    user: AbstractBaseUser,
    instrument: Instrument,
    column: int,
    direction: int,
    level: int,
    repeat: bool = False,
    note: str = "",
) -> Alert:
    """Watch an instrument, which is fed from now on if it was not.

    Raises:
        TooManyAlerts
        CapacityExceeded: nobody feeds the instrument, and there is no room.
    """
    outboxes = facts.lock([user.pk])
    require_room(user)
    alert = Alert.objects.create(
        user=user, instrument=instrument, column=column, direction=direction, level=level, repeat=repeat, note=note
    )
    want([alert])
    forget_ended(user)
    tell(outboxes, [alert])
    return alert


@transaction.atomic
def update_alert(*, alert: Alert, active: bool | None = None, **values: Any) -> Alert:
    """Change its level, direction, note or repeating; pause it, or take it up again.

    Raises:
        AlertMissing: it was deleted meanwhile.
        NotListed: it cannot be taken up: its instrument is gone.
        TooManyAlerts, CapacityExceeded: there is no room to take it up.
    """
    outboxes = facts.lock([alert.user_id])
    alert = as_stored(alert)
    was = alert.status
    for name, value in values.items():
        setattr(alert, name, value)
    is_set_again = bool(SET_AGAIN & values.keys())
    alert.status = status_after(alert.status, active, is_set_again)
    if alert.status == Status.ACTIVE and was != Status.ACTIVE:
        require_takeable(alert, was)
    if was != Status.ACTIVE or is_set_again:
        alert.armed = True
    alert.revision += 1
    alert.save()
    want([alert])
    tell(outboxes, [alert])
    return alert


def status_after(status: str, active: bool | None, is_set_again: bool) -> str:
    """Asked for nothing else, a fired alert whose level is set again is active again."""
    if active is None:
        return Status.ACTIVE if is_set_again and status == Status.FIRED else status
    if active:
        return Status.ACTIVE
    return Status.PAUSED if status == Status.ACTIVE else status


@transaction.atomic
def delete_alert(*, alert: Alert) -> None:
    """Forget it, and give back what it had fed; what it fired stays in the history.

    Raises:
        AlertMissing: it was deleted meanwhile.
    """
    outboxes = facts.lock([alert.user_id])
    alert = as_stored(alert)
    facts.record(outboxes[alert.user_id], facts.ALERT, facts.alert_body(alert) | {"status": facts.DELETED})
    give_back([alert])
    alert.delete()
    finish(outboxes)


# --- what the watching process decided ------------------------------------------------------------


@transaction.atomic
def store(decisions: Sequence[Decision]) -> dict[int, int]:
    """Write firings with their facts, and who is armed again. Returns the new revision of each alert still active.

    A decision on an alert that was changed since, or that another process decided already, is dropped.
    """
    by_id = {decision.id: decision for decision in decisions}
    users = Alert.objects.filter(pk__in=by_id).values_list("user", flat=True)
    outboxes = facts.lock(sorted(set(users)))
    rows = Alert.objects.select_related("instrument").filter(pk__in=by_id, status=Status.ACTIVE).order_by("pk")
    current = [alert for alert in rows if alert.revision == by_id[alert.pk].revision]
    for alert in current:
        apply(alert, by_id[alert.pk])
    Alert.objects.bulk_update(current, ["status", "armed", "revision", "fired_count", "fired_at"])
    fire([alert for alert in current if by_id[alert.pk].fires], by_id, outboxes)
    return {alert.pk: alert.revision for alert in current if alert.status == Status.ACTIVE}


def apply(alert: Alert, decision: Decision) -> None:
    alert.revision += 1
    alert.armed = decision.armed
    if decision.fires:
        alert.fired_count += 1
        alert.fired_at = datetime.fromtimestamp(decision.at, IST)
        alert.status = Status.ACTIVE if alert.repeat else Status.FIRED


def fire(fired: Sequence[Alert], by_id: Mapping[int, Decision], outboxes: facts.Outboxes) -> None:
    if not fired:
        return
    for alert in fired:
        firing = Firing.objects.create(
            user_id=alert.user_id, alert=alert, number=alert.fired_count, instrument=alert.instrument,
            column=alert.column, direction=alert.direction, level=alert.level, reached=by_id[alert.pk].reached,
            last_price=by_id[alert.pk].last_price, note=alert.note, at=alert.fired_at,
        )  # fmt: skip
        facts.record(outboxes[alert.user_id], facts.ALERT_FIRED, facts.firing_body(alert, firing))
    give_back([alert for alert in fired if alert.status != Status.ACTIVE])
    facts.save(outboxes)
    announce(outboxes)


def end_expired(today: date) -> int:
    """End alerts on contracts that are over, and say so to their owners. Returns how many; a second time none."""
    is_over = Q(instrument__expiry__lt=today) | Q(instrument__is_listed=False)
    waiting = Alert.objects.filter(is_over, status__in=STANDING)
    return _end_expired(waiting) if waiting.exists() else 0


@transaction.atomic
def _end_expired(waiting: Any) -> int:
    outboxes = facts.lock(sorted(set(waiting.values_list("user", flat=True))))
    over = list(waiting.select_related("instrument").filter(user__in=outboxes).order_by("pk"))
    for alert in over:
        alert.status, alert.revision = Status.EXPIRED, alert.revision + 1
        facts.record(outboxes[alert.user_id], facts.NOTICE, expiry_notice(alert))
    Alert.objects.bulk_update(over, ["status", "revision"])
    give_back(over)
    tell(outboxes, over)
    return len(over)


def expiry_notice(alert: Alert) -> facts.Body:
    name = alert.instrument.name or alert.instrument.symbol
    message = f"The alert on {name} has ended: the instrument is not listed any more."
    return {"code": "ALERT_EXPIRED", "message": message, "alert": alert.pk, "instrument": str(alert.key)}


def forget_old(age: timedelta) -> None:
    """Delete history by exchange time, and facts by the wall's, which may be months apart."""
    Firing.objects.filter(at__lt=clock.exchange_now() - age).delete()
    UserFact.objects.filter(created_at__lt=clock.wall_now() - age).delete()


# --- rules and what goes with every change --------------------------------------------------------


def require_room(user: AbstractBaseUser) -> None:
    """Raises: TooManyAlerts."""
    limit = settings.ALERTS_PER_USER
    if Alert.objects.filter(user=user, status__in=STANDING).count() >= limit:
        raise TooManyAlerts("You have as many alerts as you may: delete one first.", limit=limit)


def require_takeable(alert: Alert, was: str) -> None:
    """Raises: NotListed, TooManyAlerts."""
    if not alert.instrument.is_listed:
        raise NotListed("This instrument is not listed any more.", instrument=str(alert.key))
    if was not in STANDING:
        require_room(alert.user)


def as_stored(alert: Alert) -> Alert:
    """The alert as it is now that its owner's outbox is locked. Raises: AlertMissing."""
    found = Alert.objects.select_related("instrument", "user").filter(pk=alert.pk).first()
    if found is None:
        raise AlertMissing
    return found


def want(alerts: Sequence[Alert]) -> None:
    """Have the instruments of active alerts fed, each for its own, and give back those of the others.

    Raises:
        CapacityExceeded
    """
    active = [alert for alert in alerts if alert.status == Status.ACTIVE]
    give_back([alert for alert in alerts if alert.status != Status.ACTIVE])
    if active:
        declare_interests(Source.ALERT, {str(alert.pk): Want([alert.key]) for alert in active})


def give_back(alerts: Sequence[Alert]) -> None:
    if alerts:
        withdraw_interests(Source.ALERT, [str(alert.pk) for alert in alerts])


def tell(outboxes: facts.Outboxes, alerts: Iterable[Alert]) -> None:
    """These changed: a fact of each to its owner, and the watching process reads them anew."""
    for alert in alerts:
        facts.record(outboxes[alert.user_id], facts.ALERT, facts.alert_body(alert))
    finish(outboxes)


def finish(outboxes: facts.Outboxes) -> None:
    facts.save(outboxes)
    announce(outboxes)
    AlertClock.objects.bulk_create([AlertClock(pk=CLOCK)], ignore_conflicts=True)
    AlertClock.objects.filter(pk=CLOCK).update(version=F("version") + 1)


def announce(users: Collection[int]) -> None:
    """The topic's instruments are those of the active alerts: hubs read them again."""
    names = facts.topics_of(users)
    transaction.on_commit(lambda: changed(*names))


def forget_ended(user: AbstractBaseUser) -> None:
    """Keep the newest of what is over, so that who sets alerts all day does not fill the table."""
    ended = Alert.objects.filter(user=user).exclude(status__in=STANDING).order_by("-pk")
    Alert.objects.filter(pk__in=list(ended.values_list("pk", flat=True)[ENDED_KEPT:])).delete()
