"""The operations panel, and Django's admin with our site in place of the stock one."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class OpsConfig(AppConfig):
    name = "terminal.ops"
    label = "ops"
    verbose_name = "Operations"

    def ready(self) -> None:
        from feeds.topics import register_topic
        from terminal.ops.topics import NAME, OpsTopics

        register_topic(NAME, OpsTopics())


class OpsAdminConfig(admin_apps.AdminConfig):
    default = False  # named in INSTALLED_APPS in place of django.contrib.admin
    default_site = "terminal.ops.site.OpsAdminSite"
