"""Watchlists in the admin: looked at, and a list or an item removed in need. Their owners edit them elsewhere."""

from __future__ import annotations

from itertools import groupby

from django.contrib import admin
from django.db import transaction
from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.decorators import display

from feeds.audited_admin import RemovableAdmin
from watchlists import services
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
class WatchlistAdmin(RemovableAdmin):
    """An item is one instrument or 42 subscriptions: what comes and goes goes through the service that counts them."""

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

    def delete_model(self, request: HttpRequest, obj: Watchlist) -> None:
        services.delete_watchlist(watchlist=obj)

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Watchlist]) -> None:
        for watchlist in queryset:
            services.delete_watchlist(watchlist=watchlist)


@admin.register(WatchlistItem)
class WatchlistItemAdmin(RemovableAdmin):
    """Every item of everybody: who watches an instrument, and what to take away when capacity is short."""

    list_display = ("instrument", "watchlist", "owner", "instrument_only", "live")
    list_filter = ("live", "instrument_only")
    search_fields = ("instrument__symbol", "watchlist__name", "watchlist__user__username")
    list_select_related = ("instrument", "watchlist__user")

    @display(description="User", ordering="watchlist__user__username")
    def owner(self, row: WatchlistItem) -> str:
        return row.watchlist.user.get_username()

    def delete_model(self, request: HttpRequest, obj: WatchlistItem) -> None:
        remove([obj])

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[WatchlistItem]) -> None:
        ordered = queryset.select_related("watchlist__user").order_by("watchlist__user", "watchlist")
        for _, items in groupby(ordered, key=lambda item: item.watchlist_id):
            remove(list(items))


def remove(items: list[WatchlistItem]) -> None:
    """Take items of one watchlist out of it, and give back what they subscribe."""
    watchlist = items[0].watchlist
    codes = [item.instrument_id for item in items]
    services.remove_items(user=watchlist.user, codes=codes, watchlist_id=watchlist.pk)
