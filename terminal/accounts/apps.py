"""Accounts: who signs in, by what, and in which role."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "terminal.accounts"
    label = "accounts"

    def ready(self) -> None:
        from terminal import openapi  # noqa: F401  registers how one signs in

        # Permissions are made app by app; when the last one's are there, so are all that the roles name.
        *_, last = apps.get_app_configs()
        post_migrate.connect(make_roles, sender=last)


def make_roles(**_: Any) -> None:
    from terminal.accounts.roles import ensure_roles

    ensure_roles()
