"""Who is behind a token or a session, and what they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, User
from django.db.models import QuerySet
from django_otp import user_has_device

from feeds import clock
from feeds.rows import instances, select
from feeds.statements import Query
from terminal.accounts.models import ApiToken
from terminal.accounts.roles import Role

LIVE_TOKENS = """
FROM accounts_apitoken WHERE digest = ANY(%s) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > %s)
"""


def token_digest(text: str) -> str:
    """What is stored of a token. It is 256 random bits, so a fast hash without salt is enough."""
    return hashlib.sha256(text.encode()).hexdigest()


def token_queries(digests: Sequence[str]) -> tuple[Query, Query]:
    """What to ask for `users_in`."""
    live = [list(digests), clock.wall_now()]
    return (
        (f"SELECT digest, user_id {LIVE_TOKENS}", live),
        select(User, f"is_active AND id IN (SELECT user_id {LIVE_TOKENS})", live),
    )


def users_in(owners: Iterable[tuple[str, int]], rows: Iterable[tuple[Any, ...]]) -> dict[str, User]:
    """By digest the users whose tokens work now: not revoked, not expired, the user active."""
    users = {user.pk: user for user in instances(User, rows)}
    return {digest: users[owner] for digest, owner in owners if owner in users}


def tokens_of(user: AbstractBaseUser) -> QuerySet[ApiToken]:
    """A user's tokens that were not revoked, newest first."""
    return ApiToken.objects.filter(user=user, revoked_at=None)


def has_second_factor(user: AbstractBaseUser) -> bool:
    """Whether a login needs a code: an authenticator or recovery codes are enrolled."""
    return bool(user_has_device(user))


def roles_of(user: User) -> list[str]:
    """The user's roles by name; a superuser is an admin whatever the groups say."""
    names = set(user.groups.values_list("name", flat=True)) & {role.value for role in Role}
    return sorted(names | ({Role.ADMIN.value} if user.is_superuser else set()))
