"""Gainers, losers, the most active and where open interest moved, under /api/v2/movers."""

from __future__ import annotations

from typing import Any

import numpy as np
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feeds import clock
from feeds.core.instrument import InstrumentType
from feeds.core.movers import MoverKind, change_percent, traded_value
from feeds.core.price import rupees_text
from feeds.core.tick import TickFlag
from feeds.models import Instrument
from feeds.movers import current_market, ranked
from feeds.views import TAGS

USUAL = 20
MOST = 100


class TypesField(serializers.CharField):
    """Instrument types, separated by commas."""

    def to_internal_value(self, data: Any) -> list[str]:
        names = [name for name in super().to_internal_value(data).split(",") if name]
        if unknown := set(names) - {kind.value for kind in InstrumentType}:
            raise serializers.ValidationError(f"No instrument type: {min(unknown)[:20]}")
        return names


class MoversQuerySerializer(serializers.Serializer[Any]):
    """Which movers."""

    kind = serializers.ChoiceField(choices=[kind.value for kind in MoverKind])
    types = TypesField(required=False, default="", help_text="EQUITY,FUTIDX: of these only.")
    limit = serializers.IntegerField(min_value=1, max_value=MOST, default=USUAL)


class MoverSerializer(serializers.Serializer[Any]):
    """One that moved."""

    instrument = serializers.CharField()
    symbol = serializers.CharField()
    name = serializers.CharField()
    instrument_type = serializers.CharField()
    last_price = serializers.CharField(allow_null=True)
    change = serializers.CharField(allow_null=True, help_text="Rupees since the previous close.")
    change_percent = serializers.FloatField()
    volume = serializers.IntegerField()
    value = serializers.CharField(help_text="Rupees traded: volume at the day's average price.")
    open_interest = serializers.IntegerField()
    open_interest_change = serializers.IntegerField()
    open_interest_percent = serializers.FloatField()
    stale = serializers.BooleanField()


class MoversSerializer(serializers.Serializer[Any]):
    """The furthest first."""

    kind = serializers.ChoiceField(choices=[kind.value for kind in MoverKind])
    age_seconds = serializers.FloatField(help_text="Since the rows were read.")
    subscribed = serializers.IntegerField(help_text="Of how many instruments.")
    results = MoverSerializer(many=True)


class MoversView(APIView):
    """Over what is subscribed, not over the whole exchange."""

    @extend_schema(
        operation_id="movers_list",
        summary="Gainers, losers, most active, open interest gained and lost, over what is subscribed",
        parameters=[MoversQuerySerializer],
        responses=MoversSerializer,
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        given = MoversQuerySerializer(data=request.query_params)
        given.is_valid(raise_exception=True)
        kind, asked = MoverKind(given.validated_data["kind"]), given.validated_data
        subscribed = current_market().subscribed()
        found = ranked(subscribed, kind, asked["limit"], asked["types"])
        return Response(
            {
                "kind": kind,
                "age_seconds": round(clock.monotonic() - subscribed.read_at, 3),
                "subscribed": len(subscribed.rows),
                "results": [mover(instrument, row) for instrument, row in found],
            }
        )


def mover(instrument: Instrument, row: np.void) -> dict[str, Any]:
    last, close = int(row["last_price"]), int(row["previous_close"])
    interest, before = int(row["open_interest"]), int(row["previous_open_interest"])
    is_priced = last > 0 and close > 0
    return {
        "instrument": str(instrument.key),
        "symbol": instrument.symbol,
        "name": instrument.name,
        "instrument_type": instrument.instrument_type,
        "last_price": rupees_text(last) if last > 0 else None,
        "change": rupees_text(last - close) if is_priced else None,
        "change_percent": percent(row, "last_price", "previous_close"),
        "volume": int(row["volume"]),
        "value": rupees_text(int(traded_value(row, np.int64(instrument.multiplier)))),
        "open_interest": interest,
        "open_interest_change": interest - before if interest and before else 0,
        "open_interest_percent": percent(row, "open_interest", "previous_open_interest"),
        "stale": bool(row["flags"] & TickFlag.STALE),
    }


def percent(row: np.void, now: str, before: str) -> float:
    return round(float(change_percent(row[now], row[before])), 2)
