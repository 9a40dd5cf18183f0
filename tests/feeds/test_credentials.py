"""Sealed credentials open only in their own row and field, with a key we still hold."""

from __future__ import annotations

import base64
import threading
from io import StringIO

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection

from feeds import credentials
from feeds.credentials import CredentialError, open_sealed, seal
from feeds.models import DhanAccount

OLD = "old:" + base64.b64encode(b"o" * 32).decode()
NEW = "new:" + base64.b64encode(b"n" * 32).decode()
TOKEN = "eyJhbGciOi.canary-token"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _old_key(settings):
    settings.CREDENTIAL_KEYS = OLD


def account(client_id: str = "1100000001", token: str = TOKEN) -> DhanAccount:
    made = DhanAccount.objects.create(name=f"account {client_id}", client_id=client_id)
    seal(made, "access_token", token)
    made.save()
    return DhanAccount.objects.get(pk=made.pk)


def test_what_was_sealed_opens():
    assert open_sealed(account(), "access_token") == TOKEN


def test_the_secret_is_not_in_the_database():
    assert TOKEN.encode() not in bytes(account().access_token)


def test_the_same_secret_is_never_sealed_the_same_way_twice():
    made = account()
    assert seal(made, "access_token", TOKEN) != seal(made, "access_token", TOKEN)


def test_an_empty_field_opens_as_none():
    assert open_sealed(account(), "pin") is None


def test_rows_swapped_do_not_open():
    one, two = account("1"), account("2")
    one.access_token, two.access_token = two.access_token, one.access_token
    for row in (one, two):
        with pytest.raises(CredentialError, match="moved here"):
            open_sealed(row, "access_token")


def test_a_value_moved_to_another_field_does_not_open():
    made = account()
    made.pin = made.access_token
    with pytest.raises(CredentialError):
        open_sealed(made, "pin")


def test_one_flipped_bit_anywhere_is_refused():
    made = account()
    sealed = bytes(made.access_token)
    for at in range(len(sealed)):
        made.access_token = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(CredentialError) as refusal:
            open_sealed(made, "access_token")
        assert TOKEN not in str(refusal.value)


def test_every_cut_is_refused():
    made = account()
    sealed = bytes(made.access_token)
    for end in range(1, len(sealed)):
        made.access_token = sealed[:end]
        with pytest.raises(CredentialError):
            open_sealed(made, "access_token")


def test_a_wrong_key_is_named_without_the_secret(settings):
    made = account()
    settings.CREDENTIAL_KEYS = NEW
    with pytest.raises(CredentialError, match="sealed by key 'old', which CREDENTIAL_KEYS does not name"):
        open_sealed(made, "access_token")
    settings.CREDENTIAL_KEYS = NEW.replace("new:", "old:")
    with pytest.raises(CredentialError, match="does not open with key 'old'"):
        open_sealed(made, "access_token")


def test_an_unsaved_row_cannot_be_sealed():
    with pytest.raises(CredentialError, match="save the"):
        seal(DhanAccount(name="new", client_id="3"), "access_token", TOKEN)


@pytest.mark.parametrize(
    "keys", ["old", "old:", "old:AAAA", "o d:" + OLD[4:], f"{OLD},{OLD}", OLD + "!", ",".join([NEW, "x:AA"])]
)
def test_malformed_keys_stop_the_process_without_showing_themselves(settings, keys):
    settings.CREDENTIAL_KEYS = keys
    with pytest.raises(ImproperlyConfigured) as refusal:
        credentials.credential_keys()
    assert OLD[4:] not in str(refusal.value)


def test_without_keys_one_is_generated_under_the_data_folder(settings):
    settings.CREDENTIAL_KEYS = ""
    made = account()
    assert open_sealed(made, "access_token") == TOKEN
    assert (settings.SECRETS.folder / "credential_key").stat().st_mode & 0o777 == 0o600


def test_after_rotation_the_old_key_can_be_removed(settings):
    made = account()
    settings.CREDENTIAL_KEYS = f"{NEW},{OLD}"
    assert open_sealed(made, "access_token") == TOKEN
    output = StringIO()
    call_command("rotatecredentials", stdout=output)
    assert output.getvalue() == "1 values sealed again; all are under key 'new' now\n"
    settings.CREDENTIAL_KEYS = NEW
    made.refresh_from_db()
    assert open_sealed(made, "access_token") == TOKEN
    assert credentials.rotate() == 0


def test_a_rotation_that_cannot_open_everything_changes_nothing(settings):
    first = account("1")
    settings.CREDENTIAL_KEYS = NEW
    account("2")
    settings.CREDENTIAL_KEYS = "third:" + base64.b64encode(b"t" * 32).decode() + "," + NEW
    before = bytes(first.access_token)
    with pytest.raises(CommandError, match="nothing was changed"):
        call_command("rotatecredentials")
    first.refresh_from_db()
    assert bytes(first.access_token) == before


@pytest.mark.django_db(transaction=True)
def test_rotation_disturbs_no_reader(settings):
    made = account()
    settings.CREDENTIAL_KEYS = f"{NEW},{OLD}"
    stop, opened = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            opened.append(open_sealed(DhanAccount.objects.get(pk=made.pk), "access_token"))
        connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for turn in range(6):
            settings.CREDENTIAL_KEYS = f"{NEW},{OLD}" if turn % 2 == 0 else f"{OLD},{NEW}"
            assert credentials.rotate() == 1
    finally:
        stop.set()
        reader.join(10)
    assert opened
    assert set(opened) == {TOKEN}
