"""The project's own application: it brings the system checks."""

from __future__ import annotations

from django.apps import AppConfig


class TerminalConfig(AppConfig):
    name = "terminal"

    def ready(self) -> None:
        from terminal import checks  # noqa: F401  registers itself
