"""What unfold asks us for: the side menu, the badge that names the environment, our stylesheet."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

MENU: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "Market data",
        (
            ("Chain definitions", "lan", "feeds.chaindefinition"),
            ("Instruments", "search", "feeds.instrument"),
            ("Watchlists", "star", "watchlists.watchlist"),
            ("Watched instruments", "visibility", "watchlists.watchlistitem"),
            ("Holidays", "event_busy", "feeds.holiday"),
        ),
    ),
    (
        "Processes",
        (
            ("Dhan accounts", "key", "feeds.dhanaccount"),
            ("Job runs", "task_alt", "feeds.jobrun"),
            ("Leases", "lock_clock", "feeds.lease"),
        ),
    ),
    (
        "People",
        (
            ("Users", "person", "auth.user"),
            ("Roles", "group", "auth.group"),
            ("API tokens", "vpn_key", "accounts.apitoken"),
            ("Failed logins", "gpp_maybe", "axes.accessattempt"),
            ("Audit trail", "history", "feeds.auditentry"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The menu's groups, with only what this user may view."""
    dashboard = {"title": "Dashboard", "icon": "monitor_heart", "link": reverse("admin:index")}
    groups = [{"title": None, "items": [dashboard]}]
    for title, entries in MENU:
        items = [
            {"title": label, "icon": icon, "link": changelist_url(model)}
            for label, icon, model in entries
            if request.user.has_perm(view_permission(model))
        ]
        if items:
            groups.append({"title": title, "separator": True, "items": items})
    return groups


def view_permission(model: str) -> str:
    application, _, name = model.partition(".")
    return f"{application}.view_{name}"


def changelist_url(model: str) -> str:
    return reverse(f"admin:{model.replace('.', '_')}_changelist")


def environment(request: HttpRequest) -> list[str]:
    """A badge beside the user's menu, so that nobody takes the demo for the real thing."""
    if settings.DEMO:
        return ["Demo", "info"]
    if settings.EXCHANGE_CLOCK_OFFSET_SECONDS:
        return ["Shifted clock", "warning"]
    return ["Live", "success"]


def stylesheet(request: HttpRequest) -> str:
    return static("ops/ops.css")


def favicon(request: HttpRequest) -> str:
    return static("ops/favicon.svg")
