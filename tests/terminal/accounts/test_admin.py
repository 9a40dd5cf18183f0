"""People in the admin: tokens revoked, lockouts lifted, lost devices removed; users stay, the trail names them."""

from __future__ import annotations

import pytest
from axes.models import AccessAttempt
from django.contrib.admin import site
from django.contrib.auth.models import Permission, User
from django.test import Client
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from feeds.models import AuditEntry
from terminal.accounts.models import ApiToken

pytestmark = pytest.mark.django_db


@pytest.fixture
def trader():
    return User.objects.create_user("trader")


@pytest.fixture
def admin(settings):
    """A superuser's browser, in the demo."""
    settings.DEMO = True
    client = Client()
    boss = User.objects.create_superuser("boss", password=None)
    client.force_login(boss, backend="django.contrib.auth.backends.ModelBackend")
    return client


def act(client: Client, page: str, action: str, row) -> int:
    return client.post(f"/admin/{page}/", {"action": action, "_selected_action": [row.pk]}).status_code


def actions() -> list[str]:
    return list(AuditEntry.objects.values_list("action", flat=True))


def test_a_token_is_revoked_once_and_audited_once(redis, admin, trader):
    token = ApiToken.objects.create(user=trader, name="bot", prefix="btt_abc", digest="d" * 64)
    assert act(admin, "accounts/apitoken", "revoke", token) == 302
    token.refresh_from_db()
    revoked_at = token.revoked_at
    assert revoked_at is not None
    act(admin, "accounts/apitoken", "revoke", token)
    token.refresh_from_db()
    assert (token.revoked_at, actions()) == (revoked_at, ["token.revoke"])


def test_a_tokens_hash_is_not_on_its_page(admin, trader):
    token = ApiToken.objects.create(user=trader, name="bot", prefix="btt_abc", digest="d" * 64)
    assert "d" * 64 not in admin.get(f"/admin/accounts/apitoken/{token.pk}/change/").content.decode()


def test_a_lost_device_is_removed_so_that_its_user_enrols_again(admin, trader):
    TOTPDevice.objects.create(user=trader, name="lost", confirmed=True)
    assert act(admin, "auth/user", "remove_second_factor", trader) == 302
    assert not TOTPDevice.objects.exists()
    assert actions() == ["second_factor.remove"]


def test_a_lockout_is_lifted(admin):
    attempt = AccessAttempt.objects.create(username="trader", ip_address="10.0.0.7", failures_since_start=5)
    assert act(admin, "axes/accessattempt", "unlock", attempt) == 302
    assert not AccessAttempt.objects.exists()
    assert actions() == ["login.unlock"]


def test_a_user_is_switched_off_not_deleted(admin, trader):
    assert admin.post(f"/admin/auth/user/{trader.pk}/delete/", {"post": "yes"}).status_code == 403
    fields = {"username": "trader", "date_joined_0": "2026-02-03", "date_joined_1": "10:00:00"}
    assert admin.post(f"/admin/auth/user/{trader.pk}/change/", fields).status_code == 302
    trader.refresh_from_db()
    assert not trader.is_active
    values = AuditEntry.objects.get(action="user.change").details["values"]
    assert values["is_active"] == {"before": "True", "after": "False"}


def test_a_new_password_is_in_nobodys_trail(admin, trader):
    page = f"/admin/auth/user/{trader.pk}/password/"
    words = "violet-canary-4471"
    fields = {"password1": words, "password2": words, "usable_password": "true"}
    assert admin.post(page, fields).status_code == 302
    trader.refresh_from_db()
    assert trader.check_password(words)
    assert "canary" not in str(AuditEntry.objects.get().details)


def test_nobody_can_look_at_another_ones_second_factor():
    assert not site.is_registered(TOTPDevice)
    assert not site.is_registered(StaticDevice)


def test_who_may_only_view_tokens_cannot_revoke_one(settings, trader):
    settings.DEMO = True
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_apitoken"))
    client = Client()
    client.force_login(clerk, backend="django.contrib.auth.backends.ModelBackend")
    token = ApiToken.objects.create(user=trader, name="bot", prefix="btt_abc", digest="d" * 64)
    act(client, "accounts/apitoken", "revoke", token)
    token.refresh_from_db()
    assert token.revoked_at is None
