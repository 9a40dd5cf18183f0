"""Orders and their execution."""

from __future__ import annotations

from django.apps import AppConfig


class OmsConfig(AppConfig):
    name = "oms"
    verbose_name = "Orders"

    def ready(self) -> None:
        from oms.topics import parts_of
        from rms.topics import register_part

        register_part(parts_of)
