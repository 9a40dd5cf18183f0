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
            ("Alerts", "notifications", "alerts.alert"),
            ("Holidays", "event_busy", "feeds.holiday"),
        ),
    ),
    (
        "Trading",
        (
            ("Position monitor", "monitoring", "ops:positions"),
            ("Order book", "list_alt", "oms.order"),
            ("Trade book", "swap_horiz", "oms.trade"),
            ("Positions", "stacked_line_chart", "rms.position"),
        ),
    ),
    (
        "Money and risk",
        (
            ("Trading accounts", "account_balance_wallet", "rms.tradingaccount"),
            ("Funds in and out", "payments", "rms.fundsrequest"),
            ("Ledger", "menu_book", "rms.entry"),
            ("Transfers", "receipt_long", "rms.transfer"),
            ("Risk limits", "speed", "rms.risklimits"),
            ("Kill switches", "emergency_home", "rms.killswitch"),
            ("Margin by group", "balance", "rms.margingroup"),
            ("Holds", "pan_tool", "rms.hold"),
            ("Settlement prices", "sell", "rms.settlementprice"),
            ("Statements", "description", "rms.statement"),
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

"""Groups of (label, icon, target): a model whose list it is, or one of PAGES."""
PAGES = {"ops:positions": ("admin:ops_positions", "rms.view_all_accounts")}
"""Our own pages: their URL's name, and the permission to see them."""


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The menu's groups, with only what this user may view."""
    dashboard = {"title": "Dashboard", "icon": "monitor_heart", "link": reverse("admin:index")}
    groups = [{"title": None, "items": [dashboard]}]
    for title, entries in MENU:
        items = [
            {"title": label, "icon": icon, "link": address_of(target)}
            for label, icon, target in entries
            if request.user.has_perm(permission_for(target))
        ]
        if items:
            groups.append({"title": title, "separator": True, "items": items})
    return groups


def permission_for(target: str) -> str:
    if target in PAGES:
        return PAGES[target][1]
    application, _, name = target.partition(".")
    return f"{application}.view_{name}"


def address_of(target: str) -> str:
    return reverse(PAGES[target][0] if target in PAGES else f"admin:{target.replace('.', '_')}_changelist")


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
