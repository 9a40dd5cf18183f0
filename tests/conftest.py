"""Fixtures that every test may use."""

from __future__ import annotations

import pytest
import redis as redis_client
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client

from feeds import pauses
from terminal.accounts.roles import STAFF_ROLES, Role, ensure_roles
from tests import emptying


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Tests that commit empty every table afterwards: what is append-only, and only here, lets TRUNCATE pass."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgname LIKE '%no\\_truncate'")
        for table, trigger in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
        emptying.install()


def pytest_addoption(parser):
    parser.addoption("--soak", action="store_true", help="Run the soak tests, and the faults at full length.")


HEAVIEST = (
    "tests/browser/test_terminal.py",
    "tests/terminal/test_asgi.py",
    "tests/faults/test_trading.py",
    "tests/flows/test_recovery.py",
    "tests/terminal/test_access.py",
    "tests/flows/test_trading.py",
    "tests/faults/test_clients.py",
    "tests/faults/test_connections.py",
    "tests/faults/test_clients_access.py",
    "tests/flows/test_load.py",
    "tests/terminal/test_schema_fuzz.py",
    "tests/feeds/fanout/test_hub.py",
    "tests/feeds/process/test_runtime.py",
    "tests/faults/test_subscriptions.py",
    "tests/terminal/test_web.py",
    "tests/terminal/test_up.py",
    "tests/feeds/fanout/test_consumers.py",
    "tests/feeds/fanout/test_facts.py",
    "tests/feeds/simulator/test_master.py",
    "tests/faults/test_two_feeds.py",
    "tests/faults/test_burst.py",
    "tests/faults/test_clients_storm.py",
)
"""These files first, so that no worker is left alone with one; the longest before all others. Who needs the morning of
`tests.flows.server` comes after the one who makes it, and not beside it."""


@pytest.hookimpl(trylast=True)  # pytest-django sorts by kind of database before
def pytest_collection_modifyitems(config, items):
    place = {path: number for number, path in enumerate(HEAVIEST)}
    items.sort(key=lambda item: place.get(item.location[0], len(place)))
    if config.getoption("--soak"):
        return
    kept = [item for item in items if "soak" not in item.keywords]
    config.hook.pytest_deselected(items=[item for item in items if "soak" in item.keywords])
    items[:] = kept


@pytest.fixture
def redis():
    """A client of this process's Valkey, emptied before the test."""
    client = redis_client.Redis.from_url(settings.REDIS_URL, socket_timeout=10)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def people(db, settings):
    """Users named after their roles, in the demo: no second factor is asked for."""
    settings.DEMO = True
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick; nothing here tests hashing
    ensure_roles()
    found = {}
    for role in Role:
        user = User.objects.create_user(
            role.value, password="a-long-pass-4711", is_staff=role in STAFF_ROLES, is_superuser=role is Role.ADMIN
        )
        user.groups.add(Group.objects.get(name=role.value))
        found[role] = user
    return found


@pytest.fixture
def browser(people):
    """`browser(Role.OPERATOR)`: a client that is signed in."""

    def sign_in(role: Role) -> Client:
        client = Client()
        client.force_login(people[role], backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


def pytest_collection_finish():
    """What was imported for all tests is not looked through again for garbage while they run."""
    pauses.keep_short()
