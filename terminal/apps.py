"""The project's own application: it brings the system checks, the logs' fields and the reports of errors."""

from __future__ import annotations

from django.apps import AppConfig


class TerminalConfig(AppConfig):
    name = "terminal"

    def ready(self) -> None:
        from terminal import checks, error_reports, logs, request_logs  # noqa: F401  the first and last register

        logs.configure()
        error_reports.start()
