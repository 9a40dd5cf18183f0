"""Nobody is in the admin without password, role and second factor; guessing is locked out."""

from __future__ import annotations

import pytest
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from feeds.models import AuditEntry
from terminal.accounts.roles import Role

LOGIN = "/admin/login/"
PASSWORD = "a-long-pass-4711"


def sign_in(client: Client, name: str, password: str = PASSWORD, code: str = ""):
    return client.post(
        f"{LOGIN}?next=/admin/", {"username": name, "password": password, "otp_token": code, "next": "/admin/"}
    )


def code_of(device: TOTPDevice) -> str:
    return f"{totp(device.bin_key):06d}"


@pytest.fixture
def device(people):
    return TOTPDevice.objects.create(user=people[Role.OPERATOR], name="phone", confirmed=True)


def test_a_stranger_is_sent_to_the_login(people):
    response = Client().get("/admin/")
    assert (response.status_code, response.url) == (302, "/admin/login/?next=/admin/")


def test_in_the_demo_a_password_is_enough(people):
    client = Client()
    assert sign_in(client, "operator").status_code == 302
    assert client.get("/admin/").status_code == 200


def test_a_trader_has_no_admin(people):
    client = Client()
    assert b"staff account" in sign_in(client, "trader").content
    assert client.get("/admin/").status_code == 302


def test_outside_the_demo_staff_without_a_device_are_sent_to_enrol(people, settings):
    settings.DEMO = False
    client = Client()
    sign_in(client, "operator")
    assert client.get("/admin/").status_code == 302
    response = client.get(LOGIN, {"next": "/admin/"})
    assert response.url == "/admin/ops/enrol?next=%2Fadmin%2F"


def test_enrolling_takes_the_first_code_and_opens_the_admin(people, settings):
    settings.DEMO = False
    client = Client()
    sign_in(client, "operator")
    assert client.get("/admin/ops/enrol").status_code == 200
    device = TOTPDevice.objects.get(user=people[Role.OPERATOR])
    wrong = "000000" if code_of(device) != "000000" else "111111"
    assert b"That code is not right" in client.post("/admin/ops/enrol", {"code": wrong}).content
    assert client.get("/admin/").status_code == 302
    device.throttle_reset()
    response = client.post("/admin/ops/enrol?next=/admin/feeds/holiday/", {"code": code_of(device)})
    assert response.url == "/admin/feeds/holiday/"
    assert client.get("/admin/").status_code == 200
    assert AuditEntry.objects.filter(action="second_factor.enrol", actor=people[Role.OPERATOR]).count() == 1


def test_a_mistyped_code_does_not_change_the_key(people, settings):
    settings.DEMO = False
    client = Client()
    sign_in(client, "operator")
    client.get("/admin/ops/enrol")
    key = TOTPDevice.objects.get().key
    client.post("/admin/ops/enrol", {"code": "12"})
    client.get("/admin/ops/enrol")
    assert TOTPDevice.objects.get().key == key


def test_enrolling_leads_only_to_our_own_pages(people, settings):
    settings.DEMO = False
    client = Client()
    sign_in(client, "operator")
    client.get("/admin/ops/enrol")
    response = client.post("/admin/ops/enrol?next=https://evil.example/", {"code": code_of(TOTPDevice.objects.get())})
    assert response.url == "/admin/"


def test_nobody_enrols_a_second_device_past_the_first(device, settings):
    settings.DEMO = False
    client = Client()
    client.force_login(device.user, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/admin/ops/enrol").url == "/admin/"
    assert TOTPDevice.objects.count() == 1


@pytest.mark.parametrize("demo", [True, False])
def test_with_a_device_the_password_alone_does_not_open_the_admin(device, settings, demo):
    settings.DEMO = demo
    client = Client()
    assert b"Enter the code" in sign_in(client, "operator").content
    client.force_login(device.user, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/admin/").status_code == 302


def test_with_a_device_password_and_code_open_the_admin_and_the_code_works_once(device, settings):
    settings.DEMO = False
    code, client = code_of(device), Client()
    assert sign_in(client, "operator", code=code).status_code == 302
    assert client.get("/admin/").status_code == 200
    again = Client()
    assert sign_in(again, "operator", code=code).status_code == 200
    assert again.get("/admin/").status_code == 302


def test_a_recovery_code_opens_the_admin_once(device):
    recovery = StaticDevice.objects.create(user=device.user, name="recovery", confirmed=True)
    recovery.token_set.create(token="abcd2345")
    assert sign_in(Client(), "operator", code="abcd2345").status_code == 302
    assert sign_in(Client(), "operator", code="abcd2345").status_code == 200


def test_after_five_failures_even_the_right_password_waits(people, settings):
    client = Client()
    answers = [sign_in(client, "operator", password="wrong").status_code for _ in range(settings.AXES_FAILURE_LIMIT)]
    assert answers[-1] == 429
    locked = sign_in(client, "operator")
    assert locked.status_code == 429
    assert b"Too many failed logins. Wait 15 minutes" in locked.content


def test_a_lockout_is_for_one_user_at_one_address(people, settings):
    for _ in range(settings.AXES_FAILURE_LIMIT):
        sign_in(Client(REMOTE_ADDR="10.0.0.66"), "operator", password="wrong")
    assert sign_in(Client(REMOTE_ADDR="10.0.0.66"), "operator").status_code == 429
    assert sign_in(Client(REMOTE_ADDR="10.0.0.7"), "operator").status_code == 302
    assert sign_in(Client(REMOTE_ADDR="10.0.0.66"), "risk").status_code == 302


def test_the_session_key_changes_at_login(people):
    client = Client()
    client.get(LOGIN)
    planted = client.session
    planted["a"] = 1
    planted.save()
    client.cookies["sessionid"] = planted.session_key
    sign_in(client, "operator")
    assert client.session.session_key != planted.session_key
