"""Signing in and out, API tokens, passwords and the second factor: everything that changes who may enter."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import auth
from django.contrib.auth import password_validation, update_session_auth_hash
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django_otp import login as remember_second_factor
from django_otp.models import Device
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from redis import Redis, RedisError

from feeds import audit, clock
from feeds.core.refusal import Refused
from feeds.fanout.logins import CLOSED_CHANNEL
from feeds.rows import fetch_each, write
from feeds.statements import Query
from terminal.accounts import selectors
from terminal.accounts.models import ApiToken

log = logging.getLogger(__name__)

TOKEN_PREFIX = "btt_"  # noqa: S105 what every token starts with, so that scanners of leaked secrets can tell
TOKEN_BYTES = 32
SHOWN_PREFIX = 12
TOKENS_PER_USER = 50
"""Live ones. Nobody needs more, and each is a way in."""
LAST_USED_SECONDS = 60
NOTED_TOKENS = 10_000
"""`last_used_at` is written at most this often: a token in a loop must not be a write a request."""
NOTE_USES = """
UPDATE accounts_apitoken SET last_used_at = %s WHERE id IN (
  SELECT id FROM accounts_apitoken WHERE digest = ANY(%s) AND (last_used_at IS NULL OR last_used_at < %s)
  FOR UPDATE SKIP LOCKED
)
"""
"""What another process notes at this moment needs no second word."""
REDIS_SECONDS = 1.0


class AccountError(Refused):
    """Who may enter stays as it was."""


class LoginFailed(AccountError):
    """One error for an unknown user, a wrong password and an inactive user."""

    code = "LOGIN_FAILED"

    def __init__(self) -> None:
        super().__init__("The user name or the password is wrong.")


class SecondFactorRequired(AccountError):
    code = "SECOND_FACTOR_REQUIRED"


class SecondFactorWrong(AccountError):
    """The code is wrong, was used before, or too many wrong ones were tried just now."""

    code = "SECOND_FACTOR_WRONG"


class SecondFactorExists(AccountError):
    code = "SECOND_FACTOR_EXISTS"


class SecondFactorMissing(AccountError):
    code = "SECOND_FACTOR_MISSING"


class PasswordWrong(AccountError):
    code = "PASSWORD_WRONG"


class PasswordRefused(AccountError):
    code = "INVALID"


class TooManyTokens(AccountError):
    code = "TOO_MANY_TOKENS"


class TokenExpiryPast(AccountError):
    code = "INVALID"


def session_digest(session_key: str | None) -> str:
    """How a session is named to other processes without handing out its key; empty when there is none."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:32] if session_key else ""


def close_sockets(user: User, *, only_session: str = "", except_session: str = "") -> None:
    """Tell every web process that this user's sockets, or those of one session, must close (4401).

    Published on `users.closed` as {"user", "only_session", "except_session"}; sessions by `session_digest`.
    Redis being away is logged and not an error: the sockets look at their session again by themselves.
    """
    message = {"user": user.pk, "only_session": only_session, "except_session": except_session}
    client = Redis.from_url(settings.REDIS_URL, socket_timeout=REDIS_SECONDS)
    try:
        client.publish(CLOSED_CHANNEL, json.dumps(message))
    except (RedisError, OSError) as error:
        log.warning("could not announce that user %s is signed out (%s)", user.pk, type(error).__name__)
    finally:
        client.close()


# --- sessions -----------------------------------------------------------------------------------


def log_in(*, request: HttpRequest, username: str, password: str, code: str) -> User:
    """Start a session. The session key changes, so that one planted before is worth nothing.

    Raises:
        LoginFailed: unknown, inactive or locked-out user, or a wrong password.
        SecondFactorRequired: the password is right and a code is needed.
        SecondFactorWrong: the code is not right; it counts as a failed login.
    """
    user = auth.authenticate(request, username=username, password=password)
    if not isinstance(user, User):
        raise LoginFailed
    device = None
    if selectors.has_second_factor(user):
        if not code:
            raise SecondFactorRequired("A code of the second factor is needed.")
        device = verify_code(user, code)
        if device is None:
            user_login_failed.send(sender=__name__, credentials={"username": username}, request=request)
            raise SecondFactorWrong("The code is wrong.")
    auth.login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    if device is not None:
        remember_second_factor(request, device)
    return user


def log_out(*, request: HttpRequest) -> None:
    """End this session and close its sockets."""
    user, session = request.user, session_digest(request.session.session_key)
    auth.logout(request)
    close_sockets(user, only_session=session)


def change_password(*, request: HttpRequest, current: str, new: str, revoke_tokens: bool) -> None:
    """Set a new password. This session goes on under a new key; the others end, with their sockets.

    Raises:
        PasswordWrong: `current` is not the password.
        PasswordRefused: `new` is too weak; details say why.
    """
    user = request.user
    if not user.check_password(current):
        user_login_failed.send(sender=__name__, credentials={"username": user.get_username()}, request=request)
        raise PasswordWrong("The current password is wrong.")
    try:
        password_validation.validate_password(new, user)
    except ValidationError as error:
        raise PasswordRefused("The new password is too weak.", new=error.messages) from None
    with transaction.atomic():
        user.set_password(new)
        user.save(update_fields=["password"])
        if revoke_tokens:
            selectors.tokens_of(user).update(revoked_at=clock.wall_now())
        _audit(request, "password.change", user.get_username(), tokens_revoked=revoke_tokens)
    update_session_auth_hash(request, user)
    close_sockets(user, except_session=session_digest(request.session.session_key))


def _audit(request: HttpRequest, action: str, target: str, **details: object) -> None:
    audit.record(request.user, action, target, details=details, address=audit.client_address(request.META))


# --- API tokens ---------------------------------------------------------------------------------


def create_token(*, request: HttpRequest, name: str, expires_at: datetime | None) -> tuple[ApiToken, str]:
    """Make a token; the text is returned here and never again.

    Raises:
        TooManyTokens: the user has 50 live ones.
        TokenExpiryPast: it would be dead already.
    """
    if expires_at is not None and expires_at <= clock.wall_now():
        raise TokenExpiryPast("The token would have expired already.", expires_at=expires_at.isoformat())
    text = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=request.user.pk)  # two at once must not both be the fiftieth
        if selectors.tokens_of(request.user).count() >= TOKENS_PER_USER:
            raise TooManyTokens("Revoke a token first.", limit=TOKENS_PER_USER)
        token = ApiToken.objects.create(
            user=request.user,
            name=name,
            prefix=text[:SHOWN_PREFIX],
            digest=selectors.token_digest(text),
            expires_at=expires_at,
        )
        _audit(request, "token.create", str(token))
    return token, text


def revoke_token(*, request: HttpRequest, token: ApiToken) -> None:
    """End a token; sockets that were opened with it close with all of the user's."""
    with transaction.atomic():
        token.revoked_at = clock.wall_now()
        token.save(update_fields=["revoked_at"])
        _audit(request, "token.revoke", str(token))
    close_sockets(request.user, except_session=session_digest(request.session.session_key))


def user_for_token(text: str) -> User | None:
    """The user whose live token this is, else None. Notes the use, at most once a minute."""
    users, _ = users_for_tokens([text])
    return users.get(text)


def users_for_tokens(texts: Iterable[str], *also: Query) -> tuple[dict[str, User], list[list[tuple[Any, ...]]]]:
    """`user_for_token` of many, by the token's text; those that do not work are absent. And the rows of what is asked
    `also`, in the same round trip."""
    by_digest = {selectors.token_digest(text): text for text in texts}
    owners, rows, *others = fetch_each(*selectors.token_queries(list(by_digest)), *also)
    users = selectors.users_in(owners, rows)
    long_ago = clock.monotonic() - LAST_USED_SECONDS
    _note_uses([digest for digest in users if _noted.get(digest, long_ago) <= long_ago])
    return {by_digest[digest]: user for digest, user in users.items()}, others


_noted: dict[str, float] = {}
"""When this process last noted the use of a token, by digest."""


def _note_uses(digests: Sequence[str]) -> None:
    """Other processes note it too: the row is written by the first of them."""
    if not digests:
        return
    if len(_noted) + len(digests) > NOTED_TOKENS:
        _noted.clear()
    _noted.update(dict.fromkeys(digests, clock.monotonic()))
    now = clock.wall_now()
    write(NOTE_USES, [now, list(digests), now - timedelta(seconds=LAST_USED_SECONDS)])


# --- the second factor --------------------------------------------------------------------------


def begin_second_factor(*, user: User) -> tuple[str, str]:
    """A new secret, as base32 and as an otpauth address for a QR code. Nothing is demanded until it is confirmed.

    Raises:
        SecondFactorExists: one is enrolled; disable it first.
    """
    if selectors.has_second_factor(user):
        raise SecondFactorExists("A second factor is enrolled already.")
    TOTPDevice.objects.filter(user=user, confirmed=False).delete()
    device = TOTPDevice.objects.create(user=user, name="authenticator", confirmed=False)
    return base64.b32encode(device.bin_key).decode(), device.config_url


def confirm_second_factor(*, request: HttpRequest, code: str) -> None:
    """Prove that the secret arrived. From now on a login needs a code; this session counts as having given one.

    Raises:
        SecondFactorMissing: nothing was begun.
        SecondFactorWrong
    """
    if not TOTPDevice.objects.filter(user=request.user, confirmed=False).exists():
        raise SecondFactorMissing("Begin the enrolment first.")
    device = verify_code(request.user, code, confirmed=False)
    if device is None:
        raise SecondFactorWrong("The code is wrong.")
    with transaction.atomic():
        device.confirmed = True
        device.save(update_fields=["confirmed"])
        _audit(request, "second_factor.enrol", request.user.get_username())
    remember_second_factor(request, device)
    close_sockets(request.user, except_session=session_digest(request.session.session_key))


def disable_second_factor(*, request: HttpRequest, code: str, password: str) -> None:
    """Remove it, which takes both: a code and the password.

    Raises:
        SecondFactorMissing, PasswordWrong, SecondFactorWrong
    """
    if not selectors.has_second_factor(request.user):
        raise SecondFactorMissing("No second factor is enrolled.")
    if not request.user.check_password(password):
        raise PasswordWrong("The password is wrong.")
    if verify_code(request.user, code) is None:
        raise SecondFactorWrong("The code is wrong.")
    with transaction.atomic():
        TOTPDevice.objects.filter(user=request.user).delete()
        StaticDevice.objects.filter(user=request.user).delete()
        _audit(request, "second_factor.disable", request.user.get_username())


@transaction.atomic
def verify_code(user: User, code: str, *, confirmed: bool = True) -> Device | None:
    """The device that accepts this code. A code works once, and wrong ones make it wait longer and longer.

    Digits are an authenticator's, letters a recovery code's. The row is locked, so that the same code sent
    twice at once is still accepted once.
    """
    kind = TOTPDevice if code.isdigit() else StaticDevice
    for device in kind.objects.select_for_update().filter(user=user, confirmed=confirmed).order_by("pk"):
        if device.verify_is_allowed()[0] and device.verify_token(code):
            return device
    return None
