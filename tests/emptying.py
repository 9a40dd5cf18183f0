"""Empties the database after a test that commits: what Django does there, at a fraction of the cost."""

from __future__ import annotations

from functools import cache

from django.db import connection, transaction
from django.test import TransactionTestCase

MADE_BY_MIGRATE = frozenset(
    {"django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions"}
)
"""The same for every test. Django throws them away each time, only to make them again by post_migrate."""


def install() -> None:
    """Have every test that commits empty the database by `empty`, where this user may."""
    if may_switch_triggers_off():
        TransactionTestCase._fixture_teardown = lambda self: empty()


def may_switch_triggers_off() -> bool:
    """Somebody's own PostgreSQL may let only its superuser; Django's flush then goes on."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        return bool(cursor.fetchone()[0])


def empty() -> None:
    """Delete what there is. A TRUNCATE of a hundred tables writes and unlinks a file for each, and for each index."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # append-only here, and no foreign keys
        for table in filled_tables():
            cursor.execute(f"DELETE FROM {table}")


def filled_tables() -> list[str]:
    """The tables that have a row, in one question."""
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in tables()))
        return [name for (name,) in cursor.fetchall()]


@cache
def tables() -> list[str]:
    return sorted(set(connection.introspection.table_names()) - MADE_BY_MIGRATE)
