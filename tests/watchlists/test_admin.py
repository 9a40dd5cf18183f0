"""A list or an item deleted in the admin takes its subscriptions with it, and leaves an entry in the trail."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.fixtures import Settings

from feeds.core.instrument import InstrumentKey
from feeds.interest import capacity
from feeds.models import AuditEntry
from feeds.selectors import by_keys
from terminal.accounts.roles import Role, ensure_roles
from watchlists.models import WatchlistItem
from watchlists.services import add_items

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market", "account", "redis")]


@pytest.fixture
def items(asha: User) -> list[WatchlistItem]:
    keys = [InstrumentKey.parse(key) for key in ("NSE_EQ.2885", "NSE_EQ.1594", "NSE_EQ.7")]
    return list(add_items(user=asha, instruments=by_keys(keys)).items)


def browser_of(role: Role, settings: Settings) -> Client:
    settings.DEMO = True
    user = User.objects.create_user(role.value, is_staff=True, is_superuser=role is Role.ADMIN)
    user.groups.add(ensure_roles()[role])
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def tier_a() -> int:
    return capacity().total.tier_a


def test_an_item_deleted_gives_back_its_tier_a_at_once(items: list[WatchlistItem], settings: Settings) -> None:
    assert tier_a() == 42 + 42 + 1
    operator = browser_of(Role.OPERATOR, settings)
    answer = operator.post(f"/admin/watchlists/watchlistitem/{items[0].pk}/delete/", {"post": "yes"})
    assert answer.status_code == 302
    assert tier_a() == 42 + 1
    entry = AuditEntry.objects.get(action="watchlistitem.delete")
    assert (entry.actor.get_username(), "RELIANCE" in entry.target) == ("operator", True)


def test_items_are_deleted_together(items: list[WatchlistItem], settings: Settings) -> None:
    chosen = {"action": "delete_selected", "_selected_action": [item.pk for item in items[:2]], "post": "yes"}
    assert browser_of(Role.ADMIN, settings).post("/admin/watchlists/watchlistitem/", chosen).status_code == 302
    assert tier_a() == 1
    assert AuditEntry.objects.filter(action="watchlistitem.delete").count() == 2


@pytest.mark.parametrize("path", ["{pk}/delete/", ""])
def test_a_list_deleted_gives_back_all_of_it(path: str, items: list[WatchlistItem], settings: Settings) -> None:
    pk = items[0].watchlist_id
    chosen = {"action": "delete_selected", "_selected_action": [pk], "post": "yes"}
    page = "/admin/watchlists/watchlist/" + path.format(pk=pk)
    assert browser_of(Role.ADMIN, settings).post(page, chosen).status_code == 302
    assert (tier_a(), capacity().total.used) == (0, 0)
    assert AuditEntry.objects.filter(action="watchlist.delete").exists()


def test_an_operator_takes_items_and_no_lists_and_risk_only_looks(
    items: list[WatchlistItem], settings: Settings
) -> None:
    item, watchlist = items[0].pk, items[0].watchlist_id
    operator, risk = browser_of(Role.OPERATOR, settings), browser_of(Role.RISK, settings)
    assert operator.post(f"/admin/watchlists/watchlist/{watchlist}/delete/", {"post": "yes"}).status_code == 403
    assert risk.post(f"/admin/watchlists/watchlistitem/{item}/delete/", {"post": "yes"}).status_code == 403
    assert risk.get("/admin/watchlists/watchlistitem/").status_code == 200
    assert tier_a() == 85
