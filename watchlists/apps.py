"""Watchlists: they bring their topic."""

from __future__ import annotations

from django.apps import AppConfig


class WatchlistsConfig(AppConfig):
    name = "watchlists"

    def ready(self) -> None:
        from feeds.topics import register_topic
        from watchlists.topics import PREFIX, WatchlistTopics

        register_topic(PREFIX, WatchlistTopics())
