"""`manage.py auditledger`: prove the books from their history; exits 1 on any difference."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from rms.audit_ledger import audit


class Command(BaseCommand):
    help = "Prove every balance, hold, position and fact number from the history; exit 1 on any difference."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        result = audit()
        if options["json"]:
            self.stdout.write(json.dumps(result.as_json()))
        else:
            for name, count in result.counts.items():
                self.stdout.write(f"{name}: {count} looked at")
            for difference in result.differences:
                self.stdout.write(self.style.ERROR(str(difference)))
            self.stdout.write(f"{len(result.differences)} differences")
        if result.differences:
            raise SystemExit(1)
