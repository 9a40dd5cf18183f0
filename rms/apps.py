"""Money and exposure."""

from __future__ import annotations

from django.apps import AppConfig


class RmsConfig(AppConfig):
    name = "rms"
    verbose_name = "Risk"

    def ready(self) -> None:
        from feeds.topics import register_topic
        from rms.topics import PREFIX, AccountTopics

        register_topic(PREFIX, AccountTopics())
