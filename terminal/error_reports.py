"""Errors told to Sentry when a DSN is given: where it broke, and nothing of whom or with what."""

from __future__ import annotations

import logging
from typing import Any

import sentry_sdk
from django.conf import settings
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.logging import LoggingIntegration

from terminal.logs import scrubbed

RELEASE = "broking-terminal@2.0.0"
LEFT_OUT = ("cookies", "data", "env")
"""Of a request: what may hold a person or a password."""


def start() -> None:
    """Report errors from here on; without a DSN nothing is done at all."""
    if settings.SENTRY_DSN:
        sentry_sdk.init(**options(settings.SENTRY_DSN))


def options(dsn: str) -> dict[str, Any]:
    """Errors only, no traces. Local variables and bodies hold prices, names and tokens: they stay here."""
    return {
        "dsn": dsn,
        "release": RELEASE,
        "environment": "demo" if settings.DEMO else "production",
        "data_collection": {
            "user_info": False,
            "cookies": {"mode": "off"},
            "http_bodies": [],
            "database_query_data": False,
            "queues": False,
            "stack_frame_variables": False,
        },
        "auto_enabling_integrations": False,
        "integrations": [
            DjangoIntegration(middleware_spans=False, signals_spans=False),
            CeleryIntegration(),
            LoggingIntegration(level=logging.INFO, event_level=logging.ERROR),
        ],
        "before_send": before_send,
        "before_breadcrumb": before_breadcrumb,
    }


def before_send(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    """The event without people and secrets. A log's arguments stand in its sentence, where a name guards them."""
    event.pop("user", None)
    if "logentry" in event:
        event["logentry"].pop("params", None)
    event["request"] = {name: held for name, held in event.get("request", {}).items() if name not in LEFT_OUT}
    return dict(scrubbed(event))


def before_breadcrumb(crumb: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    return dict(scrubbed(crumb))
