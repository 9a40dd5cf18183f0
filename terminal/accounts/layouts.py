"""How a user's terminal looks, kept here so that it is the same at every desk."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from feeds.clock import wall_now
from terminal.accounts.models import Layout
from terminal.accounts.services import AccountError

LARGEST_BYTES = 256 * 1024
"""A workspace of fifty panels is some 30 kB; more is no layout."""


class LayoutChanged(AccountError):
    """Another page saved since this one read."""

    code = "CONFLICT"

    def __init__(self, version: int) -> None:
        super().__init__("Another page saved its layout since this one was read.", version=version)


class LayoutRefused(AccountError):
    code = "INVALID"


class SavedLayout(NamedTuple):
    """One version of it."""

    version: int
    layout: dict[str, Any]


def layout_of(user: AbstractBaseUser) -> SavedLayout:
    """What was saved last; version 0 and empty when nothing ever was."""
    row = Layout.objects.filter(user=user).first() or Layout()
    return SavedLayout(row.version, orjson.loads(row.text))


@transaction.atomic
def save_layout(*, user: AbstractBaseUser, version: int, layout: dict[str, Any]) -> SavedLayout:
    """Put a layout in the place of the version that was read. Of two pages that read the same one saves.

    Raises:
        LayoutRefused: it is larger than 256 kB, or holds what cannot be written again.
        LayoutChanged: that version is not the last one any more.
    """
    text = as_text(layout)
    Layout.objects.bulk_create([Layout(user=user, saved_at=wall_now())], ignore_conflicts=True)
    rows = Layout.objects.filter(user=user)
    if not rows.filter(version=version).update(version=version + 1, text=text, saved_at=wall_now()):
        raise LayoutChanged(rows.values_list("version", flat=True).get())
    return SavedLayout(version + 1, orjson.loads(text))


def as_text(layout: dict[str, Any]) -> str:
    try:
        text = orjson.dumps(layout)
    except TypeError as error:  # numbers beyond 64 bits, half a character, brackets without end
        raise LayoutRefused("This layout cannot be kept.", layout=[str(error)]) from None
    if len(text) > LARGEST_BYTES:
        raise LayoutRefused("A layout may have 256 kB.", layout=[f"{len(text)} bytes"])
    return text.decode()
