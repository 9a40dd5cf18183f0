"""Alerts in the admin: seen by staff, removed by who may free capacity, and then the subscription is given back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from alerts import services
from alerts.core.crossing import Column, Direction
from alerts.models import Alert, UserFact
from feeds.interest import capacity
from feeds.models import AuditEntry, Instrument
from terminal.accounts.roles import Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def alert(asha: User, reliance: Instrument) -> Alert:
    return services.create_alert(
        user=asha, instrument=reliance, column=Column.CHANGE_PERCENT, direction=Direction.BELOW, level=-250
    )


def test_the_list_says_what_is_watched(browser: Callable[[Role], Client], alert: Alert) -> None:
    page = browser(Role.RISK).get("/admin/alerts/alert/").content.decode()
    assert "change percent below -2.50" in page
    assert "asha" in page


def test_an_operator_removes_one_and_its_owner_is_told(browser: Callable[[Role], Client], alert: Alert) -> None:
    client = browser(Role.OPERATOR)
    assert client.post(f"/admin/alerts/alert/{alert.pk}/delete/", {"post": "yes"}).status_code == 302
    assert (Alert.objects.count(), capacity().total.used) == (0, 0)
    assert UserFact.objects.order_by("-offset")[0].body["status"] == "DELETED"
    assert AuditEntry.objects.filter(action="alert.delete").exists()


def test_several_are_removed_at_once(
    browser: Callable[[Role], Client], alert: Alert, ravi: User, reliance: Instrument
) -> None:
    other = services.create_alert(
        user=ravi, instrument=reliance, column=Column.VOLUME, direction=Direction.ABOVE, level=1_000
    )
    chosen = {"action": "delete_selected", "_selected_action": [alert.pk, other.pk], "post": "yes"}
    browser(Role.OPERATOR).post("/admin/alerts/alert/", chosen)
    assert (Alert.objects.count(), capacity().total.used) == (0, 0)
