"""How watchlists look in REST."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from feeds.interest import capacity_figures
from feeds.serializers import CapacitySerializer, KeyField
from watchlists.models import Watchlist, WatchlistItem
from watchlists.selectors import NotLive
from watchlists.services import ITEMS_PER_WATCHLIST, Change

SYMBOL_LENGTH = 64


class WatchlistSerializer(serializers.ModelSerializer[Watchlist]):
    """A watchlist without its items."""

    item_count = serializers.IntegerField(read_only=True, default=0)

    class Meta:
        model = Watchlist
        fields = ["id", "name", "position", "item_count", "live_on", "created_at"]
        read_only_fields = ["id", "position", "live_on", "created_at"]
        # The user is not among the fields, so one list's name in another user's is none of DRF's business.
        validators: list[Any] = []


class WatchlistUpdateSerializer(serializers.Serializer[Any]):
    """What may change: the name, the place among the user's lists, the order of the items."""

    name = serializers.CharField(max_length=60, required=False)
    position = serializers.IntegerField(min_value=0, max_value=1000, required=False)
    items = serializers.ListField(
        child=serializers.IntegerField(), max_length=ITEMS_PER_WATCHLIST, required=False, help_text="All ids, in order."
    )


class WatchlistItemSerializer(serializers.ModelSerializer[WatchlistItem]):
    """One item; `not_live` says why it has no subscription now."""

    instrument = KeyField(source="instrument.key", read_only=True)
    symbol = serializers.CharField(source="instrument.symbol", read_only=True)
    name = serializers.CharField(source="instrument.name", read_only=True)
    live = serializers.BooleanField(read_only=True)
    not_live = serializers.ChoiceField(choices=[each.value for each in NotLive], allow_null=True, read_only=True)

    class Meta:
        model = WatchlistItem
        fields = ["id", "instrument", "symbol", "name", "instrument_only", "position", "live", "not_live"]
        read_only_fields = fields


class WatchlistDetailSerializer(WatchlistSerializer):
    """A watchlist with its items."""

    items = WatchlistItemSerializer(many=True, read_only=True)

    class Meta(WatchlistSerializer.Meta):
        fields = [*WatchlistSerializer.Meta.fields, "items"]


class WatchlistChangeSerializer(serializers.Serializer[Any]):
    """Instruments by key or by symbol, of one watchlist (default: the user's first)."""

    watchlist = serializers.IntegerField(required=False, min_value=1)
    instruments = serializers.ListField(child=KeyField(), required=False, max_length=ITEMS_PER_WATCHLIST)
    symbols = serializers.ListField(
        child=serializers.CharField(max_length=SYMBOL_LENGTH), required=False, max_length=ITEMS_PER_WATCHLIST
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.get("instruments") and not attrs.get("symbols"):
            raise serializers.ValidationError("Name instruments or symbols.")
        return attrs


class WatchlistAddSerializer(WatchlistChangeSerializer):
    """An addition."""

    instrument_only = serializers.BooleanField(default=False, help_text="Do not expand to the option window.")


class ChangeSerializer(serializers.Serializer[Any]):
    """What a change came to."""

    watchlist = serializers.IntegerField()
    items = serializers.ListField(child=serializers.CharField(), help_text="Keys of the items that it concerns.")
    subscriptions = serializers.IntegerField(help_text="Distinct instruments that these items subscribe.")
    references = serializers.IntegerField()
    capacity = CapacitySerializer()
    not_today = serializers.ListField(
        child=serializers.CharField(), help_text="Stored, but their market is closed for today."
    )


def change_json(change: Change) -> dict[str, Any]:
    return {
        "watchlist": change.watchlist.pk,
        "items": [str(item.instrument.key) for item in change.items],
        "subscriptions": change.subscriptions,
        "references": change.references,
        "capacity": capacity_figures(change.capacity),
        "not_today": [str(item.instrument.key) for item in change.not_today],
    }
