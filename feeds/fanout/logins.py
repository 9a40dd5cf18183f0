"""Who is behind a websocket, and what the hub must be told to keep believing it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from django.contrib.auth.models import AbstractBaseUser

CLOSED_CHANNEL = "users.closed"
"""Published at logout, password change and revocation: {"user", "only_session", "except_session"}."""


@dataclass(frozen=True, eq=False, slots=True)
class Login:
    """One proof of identity as it was when the websocket opened: a session (by digest) or an API token (by digest)."""

    user: AbstractBaseUser
    session: str = ""
    session_key: str = ""
    token: str = ""


class Admission(Protocol):
    """How the project knows its people. All but the first run on threads of the hub and may use the ORM."""

    def origin_allowed(self, headers: Mapping[str, str]) -> bool:
        """Whether a page of this origin may speak for the user whose cookie it brings."""
        ...

    def admit(self, headers: Mapping[str, str]) -> Login | None:
        """The login that a handshake's headers prove, if any."""
        ...

    def ended(self, logins: Collection[Login]) -> set[Login]:
        """Those that are worth nothing any more: signed out, expired, revoked, disabled, password or rights changed."""
        ...


def closes(message: Mapping[str, Any], login: Login) -> bool:
    """Whether a `users.closed` message means this login."""
    if message.get("user") != login.user.pk:
        return False
    if only := message.get("only_session"):
        return bool(login.session == only)
    return not login.session or login.session != message.get("except_session")
