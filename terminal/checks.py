"""System checks that refuse a dangerous configuration before anything starts."""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured

SECRET_KEY_LENGTH = 40
DHAN_URL_SETTINGS = ("DHAN_FEED_URL", "DHAN_REST_URL", "DHAN_MASTER_URL")


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine. "" (no host: a socket or a file) is ours too."""
    name = host.strip("[]").lower()
    if name in {"", "localhost"} or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def public_hosts() -> list[str]:
    """The hosts in ALLOWED_HOSTS and PUBLIC_ORIGINS under which strangers could reach us."""
    origins = [urlsplit(origin).hostname or origin for origin in settings.PUBLIC_ORIGINS]
    return [host for host in [*settings.ALLOWED_HOSTS, *origins] if not is_loopback(host)]


def real_dhan_urls() -> list[str]:
    """Which of the Dhan settings point away from this machine."""
    names = DHAN_URL_SETTINGS + (("DHAN_DEPTH_URL",) if settings.DEPTH_TWENTY else ())
    return [name for name in names if not is_loopback(urlsplit(getattr(settings, name)).hostname or "")]


@register(Tags.security)
def check_demo(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    if settings.DEMO and (hosts := public_hosts()):
        return [
            Error(
                f"Demo users exist (DEMO=1), but the site is reachable as {', '.join(hosts)}.",
                hint="Set DEMO=0, or keep ALLOWED_HOSTS and PUBLIC_ORIGINS to localhost.",
                id="terminal.E001",
            )
        ]
    return []


@register(Tags.security)
def check_clock(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    if settings.EXCHANGE_CLOCK_OFFSET_SECONDS and (names := real_dhan_urls()):
        return [
            Error(
                f"The exchange clock is shifted by {settings.EXCHANGE_CLOCK_OFFSET_SECONDS:.0f} s, "
                f"but {', '.join(names)} is the real Dhan.",
                hint="Unset EXCHANGE_CLOCK_OFFSET_SECONDS (or remove clock.json from DATA_DIR), or use the simulator.",
                id="terminal.E002",
            )
        ]
    return []


@register(Tags.security)
def check_failpoints(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    if settings.FAILPOINTS and not settings.DEMO:
        return [
            Error(
                "FAILPOINTS lets a file kill this process, and this is no demonstration (DEMO=0).",
                hint="Unset FAILPOINTS.",
                id="terminal.E005",
            )
        ]
    return []


@register(Tags.security)
def check_debug(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    if settings.DEBUG and (hosts := public_hosts()):
        return [
            Warning(
                f"DEBUG shows source and settings to {', '.join(hosts)}.",
                hint="Set DEBUG=0.",
                id="terminal.W001",
            )
        ]
    return []


@register(Tags.security)
def check_weak_settings(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """What passes on a laptop and does not on a public host."""
    messages: list[CheckMessage] = []
    if len(settings.SECRET_KEY) < SECRET_KEY_LENGTH:
        messages.append(
            Error(
                f"SECRET_KEY has fewer than {SECRET_KEY_LENGTH} characters.",
                hint="Unset it: a good one is generated under DATA_DIR.",
                id="terminal.E003",
            )
        )
    if "*" in settings.ALLOWED_HOSTS:
        messages.append(
            Warning("ALLOWED_HOSTS accepts any host.", hint="Name the hosts that you serve.", id="terminal.W002")
        )
    if public_hosts() and not settings.HTTPS:
        messages.append(
            Warning(
                "The site is public, but cookies travel without TLS.",
                hint="End TLS in front of it and set HTTPS=1 (and BEHIND_PROXY=1).",
                id="terminal.W003",
            )
        )
    if bare := [origin for origin in settings.PUBLIC_ORIGINS if urlsplit(origin).scheme not in {"http", "https"}]:
        messages.append(
            Error(
                f"PUBLIC_ORIGINS needs full origins, not {', '.join(bare)}.",
                hint="Write https://desk.example.in: without a scheme, plain http and any port would pass.",
                id="terminal.E004",
            )
        )
    return messages


def require_safe() -> None:
    """For processes that no management command starts (daphne, celery): the same refusals, at import.

    Raises:
        ImproperlyConfigured: a check above found an error.
    """
    found = [*check_demo(), *check_clock(), *check_failpoints(), *check_weak_settings()]
    if errors := [message for message in found if isinstance(message, Error)]:
        raise ImproperlyConfigured("; ".join(f"{error.msg} {error.hint}" for error in errors))
