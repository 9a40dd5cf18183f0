"""Money and exposure."""

from __future__ import annotations

from django.apps import AppConfig


class RmsConfig(AppConfig):
    name = "rms"
    verbose_name = "Risk"
