"""Who may open a websocket: a session whose page has our origin and whose second factor was given, or an API token."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, Q
from django.http.request import split_domain_port, validate_host
from django.utils.crypto import constant_time_compare
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.plugins.otp_totp.models import TOTPDevice

from feeds import clock
from feeds.fanout.logins import Login
from terminal.accounts import services
from terminal.accounts.authentication import KEYWORD
from terminal.accounts.models import ApiToken
from terminal.accounts.selectors import token_digest

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})


class ProjectAdmission:
    """The project's users, sessions and tokens, as feeds.fanout.logins.Admission wants to know them."""

    def origin_allowed(self, headers: Mapping[str, str]) -> bool:
        """A token needs no origin: no page of another site can send one. A cookie goes wherever the browser goes."""
        return "authorization" in headers or is_own_origin(headers.get("origin", ""), headers.get("host", ""))

    def admit(self, headers: Mapping[str, str]) -> Login | None:
        if "authorization" in headers:
            return token_login(headers["authorization"])
        return session_login(session_key_in(headers.get("cookie", "")))

    def ended(self, logins: Collection[Login]) -> set[Login]:
        """At most three queries, however many logins."""
        users = {user.pk: user for user in User.objects.filter(pk__in={login.user.pk for login in logins})}
        now = clock.wall_now()
        keys = {login.session_key for login in logins if login.session_key}
        sessions = live_sessions(keys, now) if keys else set()
        digests = {login.token for login in logins if login.token}
        tokens = live_tokens(digests, now) if digests else set()
        return {
            login
            for login in logins
            if not is_same_user(login.user, users.get(login.user.pk))
            or (login.session_key and login.session_key not in sessions)
            or (login.token and login.token not in tokens)
        }


def live_sessions(keys: Collection[str], now: datetime) -> set[str]:
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=now)
    return set(rows.values_list("session_key", flat=True))


def live_tokens(digests: Collection[str], now: datetime) -> set[str]:
    unexpired = Q(expires_at=None) | Q(expires_at__gt=now)
    rows = ApiToken.objects.filter(unexpired, digest__in=digests, revoked_at=None)
    return set(rows.values_list("digest", flat=True))


def is_same_user(then: User, now: User | None) -> bool:
    """Still there, active, with the same password and the same rights: else the browser signs in anew."""
    watched = ("is_active", "password", "is_staff", "is_superuser")
    return now is not None and all(getattr(then, name) == getattr(now, name) for name in watched)


def is_own_origin(origin: str, host: str) -> bool:
    """Exact scheme, host and port. Without PUBLIC_ORIGINS only a laptop's own page counts: the origin is the host."""
    if settings.PUBLIC_ORIGINS:
        return origin in settings.PUBLIC_ORIGINS
    scheme = "https" if settings.HTTPS else "http"
    domain, _ = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return False
    is_laptop = settings.DEBUG or settings.DEMO or domain in LOOPBACK_HOSTS
    return is_laptop and same_origin(origin, f"{scheme}://{host}")


def same_origin(one: str, other: str) -> bool:
    return origin_parts(one) is not None and origin_parts(one) == origin_parts(other)


def origin_parts(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port with the scheme's own filled in; None for what is no origin (null, a path, a bad port)."""
    try:
        parts = urlsplit(origin)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port


def token_login(header: str) -> Login | None:
    keyword, _, text = header.partition(" ")
    text = text.strip()
    if keyword.lower() != KEYWORD.lower() or not text:
        return None
    user = services.user_for_token(text)
    return Login(user, token=token_digest(text)) if user is not None else None


def session_key_in(cookie: str) -> str:
    try:
        morsel = SimpleCookie(cookie).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def session_login(key: str) -> Login | None:
    """The user of a live session. Two queries: the session; the user, with whether a second factor is due."""
    session = import_module(settings.SESSION_ENGINE).SessionStore(key) if key else {}
    if SESSION_KEY not in session:
        return None
    has_second_factor = Exists(TOTPDevice.objects.filter(user=OuterRef("pk"), confirmed=True))
    users = User.objects.filter(pk=session[SESSION_KEY], is_active=True)
    user = users.annotate(has_second_factor=has_second_factor).first()
    if user is None or not constant_time_compare(session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()):
        return None
    if user.has_second_factor and DEVICE_ID_SESSION_KEY not in session:
        return None
    return Login(user, session=services.session_digest(key), session_key=key)
