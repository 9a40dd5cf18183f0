"""The audit trail only grows: neither the model, nor a query, nor SQL changes or removes an entry."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.db.models import ProtectedError

from feeds import audit
from feeds.models import AppendOnlyError, AuditEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def entry():
    user = User.objects.create_user("operator")
    return audit.record(
        user, "ops.rebuild", "all accounts", reason="new expiries", details={"n": 1}, address="10.1.2.3"
    )


def test_an_entry_says_who_did_what_when_why_and_from_where(entry):
    entry.refresh_from_db()
    kept = (entry.actor.username, entry.action, entry.target, entry.reason, entry.details, entry.address)
    assert kept == ("operator", "ops.rebuild", "all accounts", "new expiries", {"n": 1}, "10.1.2.3")
    assert entry.at is not None


def test_the_system_itself_may_be_the_actor():
    assert audit.record(None, "eod.release").actor is None


def test_the_model_refuses_to_save_an_entry_again(entry):
    entry.reason = "something nicer"
    with pytest.raises(AppendOnlyError):
        entry.save()


def test_the_model_refuses_to_delete_an_entry(entry):
    with pytest.raises(AppendOnlyError):
        entry.delete()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE feeds_auditentry SET reason = ''",
        "UPDATE feeds_auditentry SET reason = '' WHERE false",
        "DELETE FROM feeds_auditentry",
    ],
)
def test_the_database_refuses_past_the_model(entry, statement):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert AuditEntry.objects.get().reason == "new expiries"


def test_a_query_that_forgets_the_rule_is_refused_too(entry):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEntry.objects.all().update(actor=None)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEntry.objects.all().delete()


def test_truncate_is_refused_where_the_trigger_is_on(entry):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # ALTER TABLE waits for no pending check
        cursor.execute("ALTER TABLE feeds_auditentry ENABLE TRIGGER audit_no_truncate")  # rolled back with the test
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            cursor.execute("TRUNCATE feeds_auditentry")


def test_a_user_who_did_something_cannot_be_deleted(entry):
    with pytest.raises(ProtectedError):
        entry.actor.delete()


def test_control_characters_cannot_forge_a_line():
    entry = audit.record(None, "test", "a\r\nb", reason="red \x1b[31m, bell \x07, kept: é ₹ नमस्ते")
    assert entry.target == r"a\r\nb"
    assert entry.reason == r"red \x1b[31m, bell \x07, kept: é ₹ नमस्ते"


def test_what_is_too_long_is_cut_rather_than_lost():
    entry = audit.record(None, "test", "t" * 999, reason="r" * 999)
    assert (len(entry.target), len(entry.reason)) == (160, 400)


def test_the_address_is_the_peers_own(settings):
    settings.NUM_PROXIES = 0
    assert audit.client_address({"REMOTE_ADDR": "10.0.0.9", "HTTP_X_FORWARDED_FOR": "6.6.6.6"}) == "10.0.0.9"


def test_behind_our_proxy_the_address_is_the_one_the_proxy_saw(settings):
    settings.NUM_PROXIES = 1
    meta = {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "6.6.6.6, 10.0.0.9"}
    assert audit.client_address(meta) == "10.0.0.9"
    assert audit.client_address({"REMOTE_ADDR": "127.0.0.1"}) == "127.0.0.1"


def test_a_unix_socket_has_no_address():
    assert audit.client_address({"REMOTE_ADDR": ""}) is None
