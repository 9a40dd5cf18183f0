"""Alerts: they bring their topic and their duty of the analytics process."""

from __future__ import annotations

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "alerts"

    def ready(self) -> None:
        from alerts.topics import PREFIX, UserTopics
        from alerts.watching import AlertDuty
        from feeds.analytics.duty import register_duty
        from feeds.topics import register_topic

        register_topic(PREFIX, UserTopics())
        register_duty(AlertDuty)
