"""Watchlists in the admin: looked at, and an item removed in need. Their owners edit them elsewhere."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.decorators import display

from feeds.audited_admin import ReadOnlyAdmin
from watchlists.models import Watchlist, WatchlistItem


class WatchlistItemInline(TabularInline):
    model = WatchlistItem
    fields = readonly_fields = ("instrument", "instrument_only", "position", "live")
    extra = 0
    can_delete = False
    per_page = 50
    tab = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[WatchlistItem]:
        return super().get_queryset(request).select_related("instrument")

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Watchlist)
class WatchlistAdmin(ReadOnlyAdmin):
    """An item is one instrument or 42 subscriptions: adding one goes through the service that checks capacity."""

    list_display = ("name", "user", "items_count", "live_on", "created_at")
    list_filter = ("live_on",)
    search_fields = ("name", "user__username")
    list_select_related = ("user",)
    inlines = (WatchlistItemInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Watchlist]:
        return super().get_queryset(request).annotate(item_count=Count("items"))

    @display(description="Items", ordering="item_count")
    def items_count(self, row: Watchlist) -> int:
        return row.item_count
