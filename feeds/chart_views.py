"""Bars of one instrument and sparklines of many, under /api/v2/."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feeds import clock
from feeds.chart import Chart, HistoryState, Source, Window, chart, partial_starts, sparklines
from feeds.core.history import EARLIEST, Interval
from feeds.core.instrument import InstrumentKey
from feeds.core.price import rupees_text
from feeds.models import Instrument
from feeds.serializers import KeyField
from feeds.views import TAGS, parsed

CANDLES_LIMIT = 2_000
CANDLES_USUAL = 500
SPARKLINES_LIMIT = 200
MILLISECONDS = 1_000
LATEST = date(2099, 12, 31)
"""Beyond, sums of days and seconds would leave what a date can hold."""
CANDLE_COLUMNS = ["start", "open", "high", "low", "close", "volume", "open_interest"]


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentField(serializers.Field[Any, Any, Any, Any]):
    """A time with its offset, or a date, which is its midnight in India."""

    def to_internal_value(self, data: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(str(data))
        except ValueError:
            raise serializers.ValidationError("A date, or a time as 2026-02-03T09:15:00+05:30.") from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=clock.IST)
        if not EARLIEST <= moment.date() <= LATEST:
            raise serializers.ValidationError(f"Between {EARLIEST} and {LATEST}.")
        return moment


class CandlesQuerySerializer(serializers.Serializer[Any]):
    """Which bars."""

    interval = serializers.ChoiceField(choices=[each.value for each in Interval], default=Interval.ONE.value)
    limit = serializers.IntegerField(min_value=1, max_value=CANDLES_LIMIT, default=CANDLES_USUAL)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`from` is a word of Python's."""
        moments = {
            "from": MomentField(required=False, help_text="Bars that start then or later."),
            "to": MomentField(required=False, help_text="Bars that start before."),
        }
        return super().get_fields() | moments

    def window(self) -> Window:
        tomorrow = datetime.combine(clock.exchange_today() + timedelta(days=1), time(), clock.IST)
        until = self.validated_data.get("to", tomorrow)
        return Window(self.validated_data.get("from"), until, self.validated_data["limit"])


class CandlesSerializer(serializers.Serializer[Any]):
    """Bars ascending in time."""

    instrument = serializers.CharField()
    interval = serializers.ChoiceField(choices=[each.value for each in Interval])
    candles = serializers.ListField(
        child=serializers.ListField(),
        help_text="[start in epoch milliseconds, open, high, low, close, volume, open interest]; rupees as text.",
    )
    partial = serializers.ListField(
        child=serializers.IntegerField(), help_text="Starts of the bars of which ticks may be missing."
    )
    source = serializers.ChoiceField(choices=[each.value for each in Source])
    history = serializers.ChoiceField(
        choices=[each.value for each in HistoryState], help_text="PENDING: asked for, ask again in a second."
    )


class CandlesView(APIView):
    """The chart of one instrument."""

    @extend_schema(
        operation_id="candles_read",
        summary="Bars of one instrument, the running one last",
        parameters=[
            OpenApiParameter("key", str, OpenApiParameter.PATH, description="NSE_FNO.49081"),
            CandlesQuerySerializer,
        ],
        responses=CandlesSerializer,
        tags=TAGS,
    )
    def get(self, request: Request, key: str) -> Response:
        given = CandlesQuerySerializer(data=request.query_params)
        given.is_valid(raise_exception=True)
        instrument = Instrument.objects.filter(code=parsed(key).code).first()
        if instrument is None:
            raise Http404
        interval = Interval(given.validated_data["interval"])
        return Response(_answer(instrument, interval, chart(instrument, interval, given.window())))


def _answer(instrument: Instrument, interval: Interval, drawn: Chart) -> dict[str, Any]:
    return {
        "instrument": str(instrument.key),
        "interval": interval,
        "candles": [_candle(*bar) for bar in drawn.bars[CANDLE_COLUMNS].tolist()],
        "partial": [start * MILLISECONDS for start in partial_starts(drawn.bars)],
        "source": drawn.source,
        "history": drawn.history,
    }


def _candle(start: int, open_: int, high: int, low: int, close: int, volume: int, interest: int) -> list[int | str]:
    return [start * MILLISECONDS, *map(rupees_text, (open_, high, low, close)), volume, interest]


class SparklinesQuerySerializer(serializers.Serializer[Any]):
    """Which instruments."""

    instruments = serializers.ListField(child=KeyField(), min_length=1, max_length=SPARKLINES_LIMIT)


class SparklinesView(APIView):
    """The day's shape of many instruments."""

    @extend_schema(
        operation_id="sparklines_read",
        summary="Today's last 60 one-minute closes of each instrument",
        parameters=[OpenApiParameter("instruments", str, required=True, description="Keys, separated by commas.")],
        responses={200: {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}}},
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        text = request.query_params.get("instruments", "")
        given = SparklinesQuerySerializer(data={"instruments": [key for key in text.split(",") if key]})
        given.is_valid(raise_exception=True)
        keys: list[InstrumentKey] = list(dict.fromkeys(given.validated_data["instruments"]))
        closes = sparklines([key.code for key in keys])
        return Response({str(key): [rupees_text(close) for close in closes[key.code]] for key in keys})
