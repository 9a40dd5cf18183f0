"""The project's own application: it brings the system checks, the logs' fields and the reports of errors."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings


class TerminalConfig(AppConfig):
    name = "terminal"

    def ready(self) -> None:
        from terminal import checks, logs, request_logs  # noqa: F401  the first and last register

        logs.configure()
        if settings.SENTRY_DSN:  # its library takes as long to load as half of the project
            from terminal import error_reports

            error_reports.start()
