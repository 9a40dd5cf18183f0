"""Actions ask why, are for operators, reach the feed, and leave exactly one audit entry each."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.test import Client

from feeds.core.instrument import InstrumentKey
from feeds.interest import Source, capacity, declare_interest
from feeds.models import AuditEntry, ChainDefinition, ChainState, DhanAccount
from terminal.accounts.roles import Role

pytestmark = pytest.mark.django_db

REASON = {"reason": "exchange notice 14/2026"}


def act(client: Client, name: str, **fields):
    return client.post(f"/admin/ops/actions/{name}", REASON | fields)


def told(account: DhanAccount) -> dict:
    """The command that the account's feed process would receive next."""
    return async_to_sync(get_channel_layer().receive)(f"feed-{account.pk}")


@pytest.mark.parametrize(
    ("name", "fields", "command"),
    [
        ("resync", {}, {"type": "sync.now"}),
        ("reconnect", {"connection": 3}, {"type": "reconnect", "connection": 2}),
        ("reseed", {}, {"type": "reseed"}),
    ],
)
def test_a_command_reaches_the_feed_once_committed(
    redis, browser, account, django_capture_on_commit_callbacks, name, fields, command
):
    with django_capture_on_commit_callbacks(execute=True):
        response = act(browser(Role.OPERATOR), name, account=account.pk, **fields)
    assert response.url == "/admin/"
    assert told(account) == command


def test_an_action_is_kept_with_who_what_why_and_from_where(redis, browser, account):
    act(browser(Role.OPERATOR), "reconnect", account=account.pk, connection=3)
    entry = AuditEntry.objects.get()
    kept = (entry.actor.username, entry.action, entry.target, entry.reason, entry.address)
    assert kept == ("operator", "ops.reconnect", "account desk, connection 3", "exchange notice 14/2026", "127.0.0.1")


def test_asking_for_the_page_does_nothing(redis, browser, account):
    page = browser(Role.OPERATOR).get("/admin/ops/actions/reconnect", {"account": account.pk, "connection": 4})
    assert page.status_code == 200
    assert b'value="4"' in page.content
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("reason", ["", "   ", "ok"])
def test_without_a_reason_nothing_happens(redis, browser, account, reason):
    response = act(browser(Role.OPERATOR), "resync", account=account.pk, reason=reason)
    assert response.status_code == 200
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("connection", ["0", "6", "x", ""])
def test_a_connection_that_does_not_exist_is_refused(redis, browser, account, connection):
    assert act(browser(Role.OPERATOR), "reconnect", account=account.pk, connection=connection).status_code == 200
    assert not AuditEntry.objects.exists()


def test_who_may_only_read_is_refused_and_the_attempt_is_kept(redis, browser, account):
    assert act(browser(Role.RISK), "disable", account=account.pk).status_code == 403
    entry = AuditEntry.objects.get()
    assert (entry.actor.username, entry.action) == ("risk", "ops.disable.refused")
    account.refresh_from_db()
    assert account.enabled


def test_a_trader_and_a_stranger_do_not_get_that_far(redis, browser, account, client):
    assert act(browser(Role.TRADER), "disable", account=account.pk).status_code == 302
    assert act(client, "disable", account=account.pk).status_code == 302
    assert not AuditEntry.objects.exists()


def test_an_account_is_disabled_and_enabled(redis, browser, account):
    operator = browser(Role.OPERATOR)
    for name, enabled in (("disable", False), ("enable", True)):
        act(operator, name, account=account.pk)
        account.refresh_from_db()
        assert account.enabled is enabled
    assert [entry.details for entry in AuditEntry.objects.order_by("pk")] == [
        {"before": True, "after": False},
        {"before": False, "after": True},
    ]


def test_tier_a_is_released_by_segment_and_nothing_else(redis, browser, account):
    keys = [InstrumentKey.parse(name) for name in ("NSE_FNO.49081", "MCX_COMM.7", "NSE_EQ.2885")]
    declare_interest(Source.WATCHLIST, "7", keys)
    declare_interest(Source.CHAIN, "1", [InstrumentKey.parse("NSE_FNO.50000")], account)
    act(browser(Role.OPERATOR), "release", segments=[2, 5])
    assert (capacity().total.tier_a, capacity().total.tier_b) == (1, 1)
    entry = AuditEntry.objects.get()
    assert (entry.target, entry.details) == ("Tier A of NSE_FNO, MCX_COMM", {"released": 2})


def test_a_rebuild_resolves_every_definition(redis, browser, account):
    ChainDefinition.objects.create(underlying_symbol="NIFTY", segment=2, account=account, weekly=4, monthly=3)
    act(browser(Role.OPERATOR), "rebuild")
    assert ChainState.objects.get().nominal == 294
    assert AuditEntry.objects.get().action == "ops.rebuild"


def test_an_unknown_action_is_not_found(redis, browser):
    assert act(browser(Role.ADMIN), "format-disk").status_code == 404


def test_a_forged_form_is_refused(redis, people, account):
    client = Client(enforce_csrf_checks=True)
    client.force_login(people[Role.OPERATOR], backend="django.contrib.auth.backends.ModelBackend")
    assert act(client, "disable", account=account.pk).status_code == 403
    assert not AuditEntry.objects.exists()
