"""Orders and their execution."""

from __future__ import annotations

from django.apps import AppConfig


class OmsConfig(AppConfig):
    name = "oms"
    verbose_name = "Orders"
