"""The limits that hold for a user on an account: of both, the stricter of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q

from feeds import audit
from rms.core.limits import Limits, stricter
from rms.models import RiskLimits, TradingAccount


def limits_for(account_id: int, user_id: int | None) -> Limits:
    """The account's and the user's limits together; without either nothing is limited."""
    owners = Q(account=account_id) if user_id is None else Q(account=account_id) | Q(user=user_id)
    rows = [as_value(row) for row in RiskLimits.objects.filter(owners)]
    if not rows:
        return Limits()
    return rows[0] if len(rows) == 1 else stricter(*rows)


def as_value(row: RiskLimits) -> Limits:
    """A row's figures as a value."""
    return Limits(**{field.name: getattr(row, field.name) for field in fields(Limits)})


@transaction.atomic
def set_limits(*, account: TradingAccount, actor: AbstractBaseUser, wanted: Mapping[str, Any]) -> RiskLimits:
    """Set the named limits of an account, leave the others, and say who did it. None takes a limit away."""
    row, _ = RiskLimits.objects.update_or_create(account=account, defaults=dict(wanted))
    told = {name: None if value is None else str(value) for name, value in wanted.items()}
    audit.record(actor, "limits.set", f"account {account.name}", details=told)
    return row
