"""A dangerous configuration is refused, each danger on its own."""

from __future__ import annotations

import runpy

import pytest
from django.core.exceptions import ImproperlyConfigured

from terminal import celery, checks

REAL_FEED = "wss://api-feed.dhan.co"
SIMULATOR = {
    "DHAN_FEED_URL": "ws://127.0.0.1:9010",
    "DHAN_REST_URL": "http://localhost:9010/v2",
    "DHAN_MASTER_URL": "http://[::1]:9010/master.csv",
}


@pytest.fixture
def laptop(settings):
    """A configuration that every check accepts."""
    settings.DEBUG = False
    settings.DEMO = False
    settings.FAILPOINTS = ""
    settings.HTTPS = False
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
    settings.PUBLIC_ORIGINS = []
    settings.SECRET_KEY = "s" * 64
    settings.EXCHANGE_CLOCK_OFFSET_SECONDS = 0.0
    for name, url in SIMULATOR.items():
        setattr(settings, name, url)
    return settings


def found(*functions) -> list[str]:
    every = functions or (checks.check_demo, checks.check_clock, checks.check_debug, checks.check_weak_settings)
    return [message.id for function in every for message in function()]


def test_a_laptop_passes_every_check(laptop):
    assert found() == []


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.3.4.5", "[::1]", "::1", "", "a.localhost"])
def test_loopback_names(host):
    assert checks.is_loopback(host)


@pytest.mark.parametrize("host", ["*", ".example.in", "10.0.0.1", "0.0.0.0", "127.0.0.1.nip.io"])
def test_names_that_are_not_loopback(host):
    assert not checks.is_loopback(host)


def test_failpoints_belong_to_a_demonstration(laptop):
    laptop.FAILPOINTS = "failpoints"
    assert found(checks.check_failpoints) == ["terminal.E005"]
    laptop.DEMO = True
    assert found(checks.check_failpoints) == []


def test_demo_users_are_fine_on_loopback(laptop):
    laptop.DEMO = True
    laptop.PUBLIC_ORIGINS = ["http://localhost:8000"]
    assert found() == []


@pytest.mark.parametrize(
    ("hosts", "origins"),
    [
        (["desk.example.in"], []),
        (["*"], []),
        (["localhost", "192.168.1.4"], []),
        (["localhost"], ["https://desk.example.in"]),
    ],
)
def test_demo_users_are_refused_off_loopback(laptop, hosts, origins):
    laptop.DEMO, laptop.ALLOWED_HOSTS, laptop.PUBLIC_ORIGINS = True, hosts, origins
    assert found(checks.check_demo) == ["terminal.E001"]


def test_a_shifted_clock_is_fine_beside_the_simulator(laptop):
    laptop.EXCHANGE_CLOCK_OFFSET_SECONDS = -3600.0
    assert found() == []


@pytest.mark.parametrize("name", ["DHAN_FEED_URL", "DHAN_REST_URL", "DHAN_MASTER_URL"])
def test_a_shifted_clock_is_refused_beside_any_real_dhan_url(laptop, name):
    laptop.EXCHANGE_CLOCK_OFFSET_SECONDS = 1.0
    setattr(laptop, name, REAL_FEED)
    assert found() == ["terminal.E002"]


def test_a_true_clock_is_fine_beside_the_real_dhan(laptop):
    laptop.DHAN_FEED_URL = REAL_FEED
    assert found() == []


def test_debug_off_loopback_is_warned_about(laptop):
    laptop.DEBUG = True
    assert found(checks.check_debug) == []
    laptop.ALLOWED_HOSTS = ["desk.example.in"]
    assert found(checks.check_debug) == ["terminal.W001"]


def test_weak_settings_are_named(laptop):
    laptop.SECRET_KEY = "short"
    laptop.ALLOWED_HOSTS = ["*"]
    laptop.PUBLIC_ORIGINS = ["desk.example.in"]
    assert found(checks.check_weak_settings) == ["terminal.E003", "terminal.W002", "terminal.W003", "terminal.E004"]


def test_a_public_site_behind_tls_passes(laptop):
    laptop.HTTPS = True
    laptop.ALLOWED_HOSTS = ["desk.example.in"]
    laptop.PUBLIC_ORIGINS = ["https://desk.example.in"]
    assert found() == []


def test_processes_without_a_management_command_refuse_too(laptop):
    checks.require_safe()
    laptop.DEMO, laptop.ALLOWED_HOSTS = True, ["desk.example.in"]
    with pytest.raises(ImproperlyConfigured, match=r"desk\.example\.in"):
        checks.require_safe()


def test_worker_and_beat_do_not_start_with_what_the_checks_refuse(laptop):
    laptop.DEMO, laptop.ALLOWED_HOSTS = True, ["desk.example.in"]
    with pytest.raises(ImproperlyConfigured, match=r"desk\.example\.in"):
        runpy.run_path(celery.__file__)
