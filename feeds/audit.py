"""The audit trail: who did what, when, why and from where. Rows are only ever added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser

from feeds.models import AuditEntry

REASON_LENGTH = AuditEntry._meta.get_field("reason").max_length or 0
TARGET_LENGTH = AuditEntry._meta.get_field("target").max_length or 0


def record(
    actor: AbstractBaseUser | None,
    action: str,
    target: str = "",
    reason: str = "",
    details: Mapping[str, Any] | None = None,
    address: str | None = None,
) -> AuditEntry:
    """Add one entry. Call it inside the action's transaction: without its entry, the action does not happen.

    `actor` is None for the system itself; `address` is the client's IP, from `client_address`.
    """
    return AuditEntry.objects.create(
        actor=actor,
        action=action,
        target=printable(target)[:TARGET_LENGTH],
        reason=printable(reason)[:REASON_LENGTH],
        details=dict(details or {}),
        address=address,
    )


def printable(text: str) -> str:
    """Control characters become escapes, so that no entry can forge a line in a log or a terminal."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def client_address(meta: Mapping[str, Any]) -> str | None:
    """The client's IP from a request's META; X-Forwarded-For counts only behind our proxy, and its last hop only."""
    if settings.NUM_PROXIES:
        hops = [hop.strip() for hop in str(meta.get("HTTP_X_FORWARDED_FOR", "")).split(",") if hop.strip()]
        if len(hops) >= settings.NUM_PROXIES:
            return hops[-settings.NUM_PROXIES]
    return meta.get("REMOTE_ADDR") or None
