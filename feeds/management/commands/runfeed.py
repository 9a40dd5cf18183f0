"""Run the feed process of one Dhan account: its five sockets, its board and its tick bus."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

import uvloop
from django.core.management.base import CommandError

from feeds import pauses
from feeds.management.process_command import ProcessCommand
from feeds.models import DhanAccount
from feeds.process.runtime import run_until_signalled


class Command(ProcessCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", required=True, help="Name of the DhanAccount.")

    def handle(self, *args: Any, account: str, **options: Any) -> None:
        pauses.keep_short()
        try:
            uvloop.run(run_until_signalled(account))
        except DhanAccount.DoesNotExist:
            raise CommandError(f"there is no Dhan account named {account!r}") from None
