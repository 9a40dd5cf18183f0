"""The four roles, as groups: what each may see and do in the admin."""

from __future__ import annotations

from enum import StrEnum

from django.contrib.auth.models import Group, Permission
from django.db import transaction


class Role(StrEnum):
    """A trader has no admin; risk reads all accounts, stops trading and approves money; an operator acts on the feed,
    the tiers and the day's end; an admin may do all."""

    TRADER = "trader"
    RISK = "risk"
    OPERATOR = "operator"
    ADMIN = "admin"


STAFF_ROLES = frozenset({Role.RISK, Role.OPERATOR, Role.ADMIN})

MARKET_ROWS = (
    "feeds.view_instrument",
    "feeds.view_chaindefinition",
    "feeds.view_holiday",
    "feeds.view_jobrun",
    "feeds.view_lease",
    "feeds.view_dhanaccount",
    "feeds.view_auditentry",
    "watchlists.view_watchlist",
    "watchlists.view_watchlistitem",
    "alerts.view_alert",
)
OPERATIONS = (
    "feeds.operate_feed",
    "feeds.add_chaindefinition",
    "feeds.change_chaindefinition",
    "feeds.add_holiday",
    "feeds.change_holiday",
    "watchlists.delete_watchlistitem",
    "alerts.delete_alert",
)
TRADING_BOOKS = (
    "oms.view_order",
    "oms.view_orderevent",
    "oms.view_trade",
    "rms.view_tradingaccount",
    "rms.view_risklimits",
    "rms.view_fundsrequest",
    "rms.view_killswitch",
    "rms.view_transfer",
    "rms.view_entry",
    "rms.view_hold",
    "rms.view_holding",
    "rms.view_margingroup",
    "rms.view_position",
    "rms.view_settlementprice",
    "rms.view_statement",
)
LIMITS = ("rms.add_risklimits", "rms.change_risklimits")
DAY_END = ("rms.add_settlementprice", "rms.change_settlementprice")
ALL_ACCOUNTS = ("rms.view_all_accounts",)
RISK_CONTROL = ("rms.manage_risk",)
MONEY = ("rms.manage_funds",)
"""Risk and admin: of a large sum one asks, the other approves. Who runs the day's end moves no money by hand."""
PERMISSIONS: dict[Role, tuple[str, ...]] = {
    Role.TRADER: (),
    Role.RISK: (*MARKET_ROWS, *TRADING_BOOKS, *ALL_ACCOUNTS, *RISK_CONTROL, *MONEY, *LIMITS),
    Role.OPERATOR: (*MARKET_ROWS, *OPERATIONS, *TRADING_BOOKS, *ALL_ACCOUNTS, *DAY_END),
    Role.ADMIN: (),  # a superuser: has_perm says yes to everything
}


@transaction.atomic
def ensure_roles() -> dict[Role, Group]:
    """Create the groups and give each exactly its permissions; run at every start, it does no harm."""
    groups = {}
    for role, names in PERMISSIONS.items():
        groups[role], _ = Group.objects.get_or_create(name=role.value)
        groups[role].permissions.set(permissions_named(names))
    return groups


def permissions_named(names: tuple[str, ...]) -> list[Permission]:
    """Raises:
    LookupError: a name that no migration has created.
    """
    wanted = set(names)
    codenames = [name.partition(".")[2] for name in wanted]
    found = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.filter(codename__in=codenames).select_related("content_type")
    }
    if missing := wanted - found.keys():
        raise LookupError(f"unknown permissions: {', '.join(sorted(missing))}")
    return [found[name] for name in sorted(wanted)]
