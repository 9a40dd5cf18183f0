"""The market's rows in the admin: clear refusals, secrets that never come back, and an entry for every change."""

from __future__ import annotations

from datetime import date

import pytest
from django.contrib.auth.models import User
from django.test import Client

from feeds import audit, credentials
from feeds.models import AuditEntry, ChainDefinition, DhanAccount, Holiday, Instrument, JobRun, Lease

pytestmark = pytest.mark.django_db

TOKEN = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzUxMiJ9.canary"
CHAIN = {
    "underlying_symbol": " nifty ", "segment": "2", "enabled": "on", "weekly": "4", "monthly": "3", "quarterly": "3",
    "half_yearly": "5", "strikes": "21", "sides": "BOTH", "position": "0", "reason": "new quarter",
}  # fmt: skip


@pytest.fixture
def admin(settings):
    """A superuser's browser, in the demo."""
    settings.DEMO = True
    user = User.objects.create_superuser("boss", password=None)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def account(db):
    return DhanAccount.objects.create(name="desk", client_id="1000000001")


def errors_of(response) -> dict[str, list[str]]:
    assert response.status_code == 200, "it was saved"
    return {name: list(found) for name, found in response.context["adminform"].form.errors.items()}


def option(symbol: str, segment: int, security_id: int) -> Instrument:
    return Instrument.objects.create(
        code=segment << 32 | security_id, segment=segment, security_id=security_id, instrument_type="OPTIDX",
        symbol=f"{symbol}-OPTION", underlying_symbol=symbol, option_type="CALL", strike=2_600_000,
        expiry=date(2026, 2, 24), listed_on=date(2026, 2, 3),
    )  # fmt: skip


def test_a_chain_is_added_with_its_symbol_in_capitals_and_audited(admin, account):
    assert admin.post("/admin/feeds/chaindefinition/add/", CHAIN | {"account": account.pk}).status_code == 302
    chain = ChainDefinition.objects.get()
    assert (chain.underlying_symbol, chain.weekly, chain.strikes) == ("NIFTY", 4, 21)
    entry = AuditEntry.objects.get()
    assert (entry.actor.username, entry.action, entry.reason) == ("boss", "chaindefinition.add", "new quarter")


def test_a_change_is_kept_with_before_and_after(admin, account):
    chain = ChainDefinition.objects.create(underlying_symbol="NIFTY", segment=2, account=account, weekly=4, monthly=3)
    changed = CHAIN | {"account": account.pk, "weekly": "2", "quarterly": "0", "half_yearly": "0"}
    admin.post(f"/admin/feeds/chaindefinition/{chain.pk}/change/", changed)
    entry = AuditEntry.objects.get(action="chaindefinition.change")
    assert entry.details["values"]["weekly"] == {"before": "4", "after": "2"}


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        ({"strikes": "20"}, "strikes", "odd number"),
        ({"strikes": "0"}, "strikes", "odd number"),
        ({"strikes": "999"}, "strikes", "At most 201"),
        ({"weekly": "61"}, "weekly", "At most 60"),
        ({"weekly": "0", "monthly": "0", "quarterly": "0", "half_yearly": "0"}, "__all__", "at least one expiry slot"),
        ({"segment": "5"}, "weekly", "MCX lists monthly options only"),
        ({"weekly": "0", "weekly_counts_monthly_week": "on"}, "weekly_counts_monthly_week", "there are none"),
    ],
)
def test_a_chain_that_cannot_be_is_refused_in_a_sentence(admin, account, wrong, field, words):
    response = admin.post("/admin/feeds/chaindefinition/add/", CHAIN | {"account": account.pk} | wrong)
    assert words in errors_of(response)[field][0]
    assert not ChainDefinition.objects.exists()


def test_an_underlying_without_listed_options_is_refused(admin, account):
    option("NIFTY", 2, 1)
    wrong = CHAIN | {"account": account.pk, "underlying_symbol": "NIFTI"}
    response = admin.post("/admin/feeds/chaindefinition/add/", wrong)
    assert "no options of NIFTI in NSE_FNO" in errors_of(response)["underlying_symbol"][0]


def test_secrets_are_sealed_never_shown_and_kept_when_left_empty(admin, account):
    page = f"/admin/feeds/dhanaccount/{account.pk}/change/"
    fields = {"name": "desk", "client_id": "1000000001", "enabled": "on"}
    secrets = {"new_access_token": TOKEN, "new_pin": "123456", "new_totp_secret": "JBSW Y3DP EHPK 3PXP"}
    assert admin.post(page, fields | secrets).status_code == 302
    account.refresh_from_db()
    assert credentials.open_sealed(account, "access_token") == TOKEN
    assert credentials.open_sealed(account, "totp_secret") == "JBSWY3DPEHPK3PXP"
    assert account.credential_version == 2
    assert TOKEN.encode() not in bytes(account.access_token)

    shown = admin.get(page).content.decode()
    assert "canary" not in shown
    assert "123456" not in shown
    assert "access token, pin, totp secret" in shown

    admin.post(page, fields | {"name": "desk two"})
    account.refresh_from_db()
    assert (account.name, account.credential_version) == ("desk two", 2)
    assert credentials.open_sealed(account, "pin") == "123456"


def test_secrets_are_not_in_the_trail(admin, account):
    page = f"/admin/feeds/dhanaccount/{account.pk}/change/"
    admin.post(page, {"name": "desk", "client_id": "1000000001", "new_access_token": TOKEN, "new_pin": "987654"})
    entry = AuditEntry.objects.get()
    assert entry.details["values"]["new_access_token"] == {"before": "(secret)", "after": "(secret)"}
    assert "canary" not in str(entry.details)
    assert "987654" not in str(entry.details)


def test_a_refused_form_does_not_send_the_secret_back(admin, account):
    page = f"/admin/feeds/dhanaccount/{account.pk}/change/"
    response = admin.post(page, {"name": "desk", "client_id": "not a number", "new_access_token": TOKEN})
    assert "client_id" in errors_of(response)
    assert "canary" not in response.content.decode()


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("new_pin", "12"), ("new_pin", "12345x"), ("new_access_token", "two words"), ("new_totp_secret", "0189!")],
)
def test_a_secret_that_cannot_be_one_is_refused(admin, account, field, wrong):
    page = f"/admin/feeds/dhanaccount/{account.pk}/change/"
    response = admin.post(page, {"name": "desk", "client_id": "1000000001", field: wrong})
    assert field in errors_of(response)


def test_a_new_account_is_saved_with_its_secrets(admin):
    fields = {"name": "two", "client_id": "1000000002", "enabled": "on", "new_access_token": TOKEN}
    assert admin.post("/admin/feeds/dhanaccount/add/", fields).status_code == 302
    assert credentials.open_sealed(DhanAccount.objects.get(), "access_token") == TOKEN


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"known_from": "2026-11-09"}, "known_from"), ({"evening_open": "on"}, "evening_open")],
)
def test_a_holiday_that_cannot_be_is_refused(admin, wrong, field):
    fields = {"exchange": "NSE_BSE", "date": "2026-11-08", "name": "Extra", "known_from": "2026-11-01"}
    assert field in errors_of(admin.post("/admin/feeds/holiday/add/", fields | wrong))


def test_a_holiday_is_added_and_audited(admin):
    fields = {
        "exchange": "MCX",
        "date": "2026-11-08",
        "name": "Muhurat",
        "evening_open": "on",
        "known_from": "2026-11-01",
    }
    assert admin.post("/admin/feeds/holiday/add/", fields | {"evening_open": "on"}).status_code == 302
    assert Holiday.objects.get().evening_open
    assert AuditEntry.objects.get().action == "holiday.add"


def test_what_the_processes_write_cannot_be_edited_here(admin):
    entry = audit.record(None, "test")
    rows = {
        "auditentry": entry,
        "instrument": option("NIFTY", 2, 1),
        "lease": Lease.objects.create(name="feed-1", holder="h", expires_at="2026-02-03T10:00:00Z"),
        "jobrun": JobRun.objects.create(job="eod", trading_date="2026-02-03", claimed_until="2026-02-03T10:00:00Z"),
    }
    for name, row in rows.items():
        assert admin.get(f"/admin/feeds/{name}/").status_code == 200
        assert admin.get(f"/admin/feeds/{name}/{row.pk}/change/").status_code == 200
        assert admin.post(f"/admin/feeds/{name}/{row.pk}/change/", {"reason": "x"}).status_code == 403
        assert admin.post(f"/admin/feeds/{name}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
        assert admin.get(f"/admin/feeds/{name}/add/").status_code == 403


def test_every_list_and_form_of_the_admin_opens(admin, account):
    ChainDefinition.objects.create(underlying_symbol="NIFTY", segment=2, account=account, weekly=4)
    looked_at = ("feeds/instrument", "feeds/jobrun", "feeds/lease", "feeds/auditentry", "watchlists/watchlist")
    looked_at += ("accounts/apitoken", "axes/accessattempt")
    edited = ("feeds/chaindefinition", "feeds/holiday", "feeds/dhanaccount", "auth/user", "auth/group")
    for name in (*looked_at, *edited):
        assert admin.get(f"/admin/{name}/").status_code == 200, name
    for name in edited:
        assert admin.get(f"/admin/{name}/add/").status_code == 200, name
