"""Secrets of a Dhan account, encrypted at rest: AES-256-GCM, bound to the row and field they belong to.

A sealed value is `BTC1`, the length of the key's id, the id, a 12-byte nonce, the ciphertext and its tag. The
table, the row, the field and the key id are authenticated with it, so a value copied to another row or field
does not open.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import Model

from feeds.models import DhanAccount

MAGIC = b"BTC1"
NONCE_BYTES = 12
KEY_BYTES = 32
KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,16}")
GENERATED_KEY_ID = "local"
SEALED_FIELDS = ("access_token", "pin", "totp_secret")


class CredentialError(Exception):
    """A sealed value does not open. The message names row, field and key id, never the secret."""


@dataclass(frozen=True, slots=True)
class Key:
    """An AES-256 key and the id that sealed values name it by."""

    id: str
    secret: bytes = field(repr=False)


def credential_keys() -> list[Key]:
    """The keys in force; the first one seals, all of them open.

    Raises:
        ImproperlyConfigured: CREDENTIAL_KEYS is malformed (the message tells which entry, by number).
    """
    if not settings.CREDENTIAL_KEYS:
        return [Key(GENERATED_KEY_ID, _decoded(settings.SECRETS.get_or_create("credential_key", KEY_BYTES)))]
    keys = [_parse(number, entry) for number, entry in enumerate(settings.CREDENTIAL_KEYS.split(","), start=1)]
    if len({key.id for key in keys}) != len(keys):
        raise ImproperlyConfigured("CREDENTIAL_KEYS names one key id twice")
    return keys


def _parse(number: int, entry: str) -> Key:
    key_id, _, encoded = entry.strip().partition(":")
    secret = _decoded(encoded)
    if not KEY_ID.fullmatch(key_id) or len(secret) != KEY_BYTES:
        raise ImproperlyConfigured(f"CREDENTIAL_KEYS, entry {number}: expected id:base64 of {KEY_BYTES} bytes")
    return Key(key_id, secret)


def _decoded(text: str) -> bytes:
    """Base64 of either alphabet, padded or not; what is neither gives nothing, which no key is."""
    standard = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except binascii.Error:
        return b""


def seal(row: Model, field: str, text: str) -> bytes:
    """Put `text`, encrypted by the first key, into the row's field; the caller saves the row. Returns what it put.

    Raises:
        CredentialError: the row has no primary key yet, so nothing can be bound to it.
    """
    if row.pk is None:
        raise CredentialError(f"save the {row._meta.verbose_name} before sealing its {field}")
    key = credential_keys()[0]
    nonce = os.urandom(NONCE_BYTES)
    ciphertext = AESGCM(key.secret).encrypt(nonce, text.encode(), _bound_to(row, field, key.id))
    sealed = MAGIC + bytes([len(key.id)]) + key.id.encode() + nonce + ciphertext
    setattr(row, field, sealed)
    return sealed


def open_sealed(row: Model, field: str) -> str | None:
    """The text that was sealed into the row's field, None where there is none.

    Raises:
        CredentialError: its key is not among CREDENTIAL_KEYS, or it was changed or moved.
    """
    sealed = getattr(row, field)
    if not sealed:
        return None
    place = f"{row._meta.db_table} {row.pk}, field {field}"
    key_id, nonce, ciphertext = _split(bytes(sealed), place)
    key = next((key for key in credential_keys() if key.id == key_id), None)
    if key is None:
        raise CredentialError(f"{place}: sealed by key {key_id!r}, which CREDENTIAL_KEYS does not name")
    try:
        return AESGCM(key.secret).decrypt(nonce, ciphertext, _bound_to(row, field, key_id)).decode()
    except InvalidTag:
        raise CredentialError(f"{place}: does not open with key {key_id!r}: another key, or moved here") from None


def _split(sealed: bytes, place: str) -> tuple[str, bytes, bytes]:
    id_at = len(MAGIC) + 1
    nonce_at = id_at + (sealed[len(MAGIC)] if len(sealed) >= id_at else 0)
    if not sealed.startswith(MAGIC) or len(sealed) < nonce_at + NONCE_BYTES:
        raise CredentialError(f"{place}: not a sealed value")
    key_id = sealed[id_at:nonce_at].decode("ascii", errors="replace")
    return key_id, sealed[nonce_at : nonce_at + NONCE_BYTES], sealed[nonce_at + NONCE_BYTES :]


def _bound_to(row: Model, field: str, key_id: str) -> bytes:
    return f"{row._meta.db_table}:{row.pk}:{field}:{key_id}".encode()


def rotate() -> int:
    """Seal everything with the first key again; returns how many values changed. Readers need not stop.

    Raises:
        CredentialError: a value does not open; nothing was changed.
    """
    with transaction.atomic():
        return sum(_rotate_row(account) for account in DhanAccount.objects.select_for_update().order_by("pk"))


def _rotate_row(account: DhanAccount) -> int:
    first = credential_keys()[0].id
    changed = [name for name in SEALED_FIELDS if _sealed_by(account, name) not in (None, first)]
    for name in changed:
        seal(account, name, open_sealed(account, name) or "")
    if changed:
        account.save(update_fields=changed)
    return len(changed)


def _sealed_by(account: DhanAccount, name: str) -> str | None:
    sealed = getattr(account, name)
    return _split(bytes(sealed), name)[0] if sealed else None
