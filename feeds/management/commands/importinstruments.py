"""manage.py importinstruments: read Dhan's instrument master into the database."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import date
from typing import Any

import httpx
from django.core.management.base import BaseCommand, CommandError

from feeds import clock
from feeds.importing import ImportReport, MasterRefused, import_master


class Command(BaseCommand):
    """Progress and summary on stdout; a bad row is named and does not stop the rest."""

    help = "Import the instrument master (compact or detailed). A cut or empty file changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        source = parser.add_mutually_exclusive_group()
        source.add_argument("--file", help="a CSV file")
        source.add_argument("--url", help="an http address; default: DHAN_MASTER_URL")
        parser.add_argument("--date", type=date.fromisoformat, help="trading day; default: today on the exchange")
        parser.add_argument("--json", action="store_true", help="print the report as one JSON object")

    def handle(self, **options: Any) -> None:
        day = options["date"] or clock.exchange_today()
        progress = None if options["json"] else self._progress
        try:
            report = import_master(options["file"] or options["url"], day=day, progress=progress)
        except (MasterRefused, OSError, httpx.HTTPError) as error:
            raise CommandError(f"nothing changed: {error}") from None
        self.stdout.write(json.dumps(report.as_json()) if options["json"] else self._summary(report))

    def _progress(self, rows: int) -> None:
        self.stdout.write(f"{rows:>9,} rows read")

    def _summary(self, report: ImportReport) -> str:
        lines = [f"{kind:<8} {count:>9,}" for kind, count in sorted(report.by_type.items())]
        lines += [f"skipped  {count:>9,}  {reason}" for reason, count in sorted(report.skipped.items())]
        lines += [f"line {error.line}: {error.reason}" for error in report.first_errors]
        total = f"{report.rows:,} listed on {report.day}, {report.written:,} written, {report.delisted:,} delisted"
        return "\n".join([*lines, f"{total}, {report.errors:,} bad rows"])
