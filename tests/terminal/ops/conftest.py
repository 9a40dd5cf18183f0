"""People of every role, and browsers that are signed in as them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from feeds.models import DhanAccount
from terminal.accounts.roles import STAFF_ROLES, Role, ensure_roles


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


@pytest.fixture
def account(db):
    return DhanAccount.objects.create(name="desk", client_id="1000000001")
