"""The four roles: what each may do in the admin, and nothing beside."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User

from terminal.accounts.roles import PERMISSIONS, Role, ensure_roles, permissions_named

pytestmark = pytest.mark.django_db


def user_in(role: Role) -> User:
    user = User.objects.create_user(role.value, is_staff=True)
    user.groups.add(ensure_roles()[role])
    return user


def test_every_role_is_a_group():
    ensure_roles()
    assert {"trader", "risk", "operator", "admin"} <= set(Group.objects.values_list("name", flat=True))


def test_a_trader_may_nothing_in_the_admin():
    assert user_in(Role.TRADER).get_all_permissions() == set()


def test_risk_looks_sets_limits_stops_trading_and_moves_money_and_nothing_else():
    acts = {name for name in user_in(Role.RISK).get_all_permissions() if ".view_" not in name}
    assert acts == {"rms.add_risklimits", "rms.change_risklimits", "rms.manage_risk", "rms.manage_funds"}


def test_an_operator_acts_on_the_feed_and_the_days_end_but_not_on_money_risk_or_people():
    operator = user_in(Role.OPERATOR)
    assert operator.has_perms(["feeds.operate_feed", "feeds.change_chaindefinition", "feeds.add_holiday"])
    assert operator.has_perm("rms.add_settlementprice")
    for name in ("rms.manage_funds", "rms.manage_risk", "rms.change_risklimits"):
        assert not operator.has_perm(name), name
    for name in ("feeds.change_dhanaccount", "feeds.change_auditentry", "auth.view_user", "accounts.view_apitoken"):
        assert not operator.has_perm(name), name


def test_making_the_roles_again_takes_back_what_was_added_by_hand():
    risk = ensure_roles()[Role.RISK]
    risk.permissions.add(Permission.objects.get(codename="operate_feed"))
    ensure_roles()
    assert risk.permissions.count() == len(PERMISSIONS[Role.RISK])


def test_a_permission_that_does_not_exist_is_an_error():
    with pytest.raises(LookupError, match=r"feeds\.fly"):
        permissions_named(("feeds.fly",))
