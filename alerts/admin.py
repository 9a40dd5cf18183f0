"""Alerts in the admin: looked at, and removed in need, because each takes a subscription."""

from __future__ import annotations

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from alerts import services
from alerts.core.crossing import Column, Direction
from alerts.models import Alert
from alerts.serializers import value_text
from feeds.audited_admin import RemovableAdmin


@admin.register(Alert)
class AlertAdmin(RemovableAdmin):
    list_display = ("instrument", "user", "what", "repeat", "status", "fired_count", "fired_at")
    list_filter = ("status", "repeat")
    search_fields = ("instrument__symbol", "user__username")
    list_select_related = ("instrument", "user")

    @display(description="When")
    def what(self, row: Alert) -> str:
        column = Column(row.column).name.replace("_", " ").lower()
        return f"{column} {Direction(row.direction).name.lower()} {value_text(row.column, row.level)}"

    def delete_model(self, request: HttpRequest, obj: Alert) -> None:
        services.delete_alert(alert=obj)

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        for alert in queryset.order_by("user", "pk"):
            services.delete_alert(alert=alert)
