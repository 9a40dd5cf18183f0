"""After a test that commits: the database empty at a fraction of the cost of Django's flush, and no connection left.

Async code asks from one thread of asgiref, which lives on. Its connection kept the test database from being dropped,
and, when a test cut every connection, failed a later one.
"""

from __future__ import annotations

from functools import cache

from asgiref.sync import SyncToAsync
from django.db import connection, connections, transaction
from django.test import TransactionTestCase

MADE_BY_MIGRATE = frozenset(
    {"django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions"}
)
"""The same for every test. Django throws them away each time, only to make them again by post_migrate."""


def install() -> None:
    """After every test that commits, close what async code left open and empty the database."""
    flush, may_empty = TransactionTestCase._fixture_teardown, may_switch_triggers_off()

    def tear_down(test: TransactionTestCase) -> None:
        SyncToAsync.single_thread_executor.submit(connections.close_all).result()
        if may_empty:
            empty()
        else:
            flush(test)

    TransactionTestCase._fixture_teardown = tear_down


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
