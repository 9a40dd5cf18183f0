"""Re-encrypt every stored credential with the first key of CREDENTIAL_KEYS, so that older keys can be removed."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from feeds import credentials


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            changed = credentials.rotate()
        except credentials.CredentialError as error:
            raise CommandError(f"nothing was changed: {error}") from None
        first = credentials.credential_keys()[0].id
        self.stdout.write(f"{changed} values sealed again; all are under key {first!r} now")
