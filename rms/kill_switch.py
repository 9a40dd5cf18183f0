"""Stop trading at once, of one user, one account or the whole house; only somebody else lets it go on."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from feeds import audit
from rms import gate
from rms.models import KillSwitch, TradingAccount

OnEngage = Callable[[KillSwitch], None]

_on_engage: list[OnEngage] = []


class SamePerson(Exception):
    """Whoever engaged a switch does not release it."""

    code = "SECOND_PERSON_NEEDED"

    def __init__(self) -> None:
        super().__init__("Somebody other than the person who engaged the kill switch has to release it.")
        self.details: dict[str, object] = {}


def register_on_engage(callback: OnEngage) -> None:
    """Have `callback(switch)` called inside the engaging transaction, behind the closed gate."""
    if callback not in _on_engage:
        _on_engage.append(callback)


@transaction.atomic
def engage(
    *,
    actor: AbstractBaseUser | None,
    reason: str,
    account: TradingAccount | None = None,
    user: AbstractBaseUser | None = None,
) -> KillSwitch:
    """Stop an account, a user, or (neither) the house. Engaged already: the standing switch is returned.

    `actor` None is the system itself (a daily loss). Nothing new commits after this has; what is open is cancelled.
    """
    gate.exclusive()
    standing_already = _standing().filter(account=account, user=user).first()
    if standing_already is not None:
        return standing_already
    switch = KillSwitch.objects.create(account=account, user=user, engaged_by=actor, reason=reason)
    audit.record(actor, "kill_switch.engage", scope_text(switch), reason, {"switch": switch.pk})
    for callback in _on_engage:
        callback(switch)
    return switch


@transaction.atomic
def release(*, switch: KillSwitch, actor: AbstractBaseUser, reason: str) -> KillSwitch:
    """Let trading go on. A switch that was released already stays as it is.

    Raises:
        SamePerson: `actor` engaged it.
    """
    locked = KillSwitch.objects.select_for_update().get(pk=switch.pk)
    if locked.released_at is not None:
        return locked
    if locked.engaged_by_id == actor.pk:
        raise SamePerson
    KillSwitch.objects.filter(pk=locked.pk).update(released_by=actor, released_at=Now(), release_reason=reason)
    audit.record(actor, "kill_switch.release", scope_text(locked), reason, {"switch": locked.pk})
    locked.refresh_from_db()
    return locked


def standing(account_id: int, user_id: int | None) -> KillSwitch | None:
    """The switch that stops this user on this account, the widest first; None: neither is stopped."""
    scopes = Q(account=None, user=None) | Q(account=account_id)
    if user_id is not None:
        scopes |= Q(user=user_id)
    found = list(_standing().filter(scopes))
    return min(found, key=lambda switch: (switch.account_id is not None, switch.user_id is not None), default=None)


def scope_text(switch: KillSwitch) -> str:
    """Whom it stops, as a refusal and the audit trail name it."""
    if switch.account_id is not None:
        return f"account {switch.account.name}"
    return f"user {switch.user}" if switch.user_id is not None else "the house"


def _standing() -> QuerySet[KillSwitch]:
    return KillSwitch.objects.filter(released_at=None)
