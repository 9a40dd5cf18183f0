"""The market under /api/v2/: instruments, quotes, chains, subscriptions, feeds, hours."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from feeds import bus, clock, selectors, serializers
from feeds.core.instrument import InstrumentKey
from feeds.core.price import rupees_text
from feeds.interest import capacity, capacity_figures
from feeds.models import DhanAccount, Instrument
from feeds.topics import ChainName, chain_contents
from feeds.volatility import last_figures

TAGS = ["market"]


def quotes_of(codes: Collection[int]) -> dict[int, dict[str, Any]]:
    """The quote of each code that has ever been fed."""
    now = clock.wall_nanoseconds()
    return {int(row["code"]): serializers.quote(row, now) for row in bus.last_rows(codes)}


class InstrumentsView(ListAPIView[Instrument]):
    """Listed instruments: filtered and paged, or the best matches of a search."""

    serializer_class = serializers.InstrumentSerializer

    @extend_schema(
        operation_id="instruments_list",
        summary="Listed instruments; with q= the best matches of a search",
        parameters=[serializers.InstrumentFilterSerializer],
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        given = serializers.InstrumentFilterSerializer(data=request.query_params)
        given.is_valid(raise_exception=True)
        if text := given.validated_data.get("q"):
            return self._found(text, given.columns())
        page = self.paginate_queryset(selectors.listed().filter(**given.columns()).order_by("symbol", "code"))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def _found(self, text: str, filters: dict[str, Any]) -> Response:
        """One page: who does not find it among the best matches needs another word, not another page."""
        limit = self.paginator.get_page_size(self.request) or api_settings.PAGE_SIZE
        rows = selectors.search(text, clock.exchange_today(), limit, filters)
        results = self.get_serializer(rows, many=True).data
        return Response({"count": len(rows), "next": None, "previous": None, "results": results})


class InstrumentView(APIView):
    """One instrument by its key."""

    @extend_schema(
        operation_id="instruments_read",
        summary="One instrument",
        responses=serializers.InstrumentSerializer,
        parameters=[OpenApiParameter("key", str, OpenApiParameter.PATH, description="NSE_EQ.2885")],
        tags=TAGS,
    )
    def get(self, request: Request, key: str) -> Response:
        instrument = Instrument.objects.filter(code=parsed(key).code).first()
        if instrument is None:
            raise Http404
        return Response(serializers.InstrumentSerializer(instrument).data)


def parsed(key: str) -> InstrumentKey:
    try:
        return InstrumentKey.parse(key)
    except ValueError:
        raise Http404 from None


class QuotesView(APIView):
    """Last known states, up to 1,000 at once."""

    @extend_schema(
        operation_id="quotes_read",
        summary="Quotes by query: ?instruments=NSE_EQ.2885,IDX_I.13",
        parameters=[OpenApiParameter("instruments", str, required=True, description="Keys, separated by commas.")],
        responses=serializers.QuotesSerializer,
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        text = request.query_params.get("instruments", "")
        return self._answer({"instruments": [key for key in text.split(",") if key]})

    @extend_schema(
        operation_id="quotes_query",
        summary="Quotes by body",
        request=serializers.QuoteRequestSerializer,
        responses=serializers.QuotesSerializer,
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        return self._answer(request.data)

    def _answer(self, data: Any) -> Response:
        wanted = serializers.QuoteRequestSerializer(data=data)
        wanted.is_valid(raise_exception=True)
        keys = list(dict.fromkeys(wanted.validated_data["instruments"]))
        quotes = quotes_of([key.code for key in keys])
        found = [quotes[key.code] for key in keys if key.code in quotes]
        return Response({"quotes": found, "missing": [str(key) for key in keys if key.code not in quotes]})


class ChainsView(APIView):
    """The always-on chains of Tier B."""

    @extend_schema(
        operation_id="chains_list",
        summary="Always-on chains with their four numbers",
        responses=serializers.ChainSerializer(many=True),
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        definitions = list(selectors.chain_definitions())
        context = {
            "subscribed": selectors.subscribed_by_chain(),
            "expiries": selectors.expiries_by_chain(),
        }
        return Response(serializers.ChainSerializer(definitions, many=True, context=context).data)


class ChainView(APIView):
    """One underlying's options of one expiry."""

    @extend_schema(
        operation_id="chains_read",
        summary="The options of one expiry with quotes",
        responses=serializers.ChainDetailSerializer,
        parameters=[
            OpenApiParameter("segment", str, OpenApiParameter.PATH, enum=["NSE_FNO", "BSE_FNO", "MCX_COMM"]),
            OpenApiParameter("expiry", date, OpenApiParameter.PATH),
        ],
        tags=TAGS,
    )
    def get(self, request: Request, segment: str, underlying: str, expiry: str) -> Response:
        # The database has no word for a NUL, and so no chain of that name.
        chain = None if "\x00" in underlying else ChainName.parse(f"chain.{segment}.{underlying}.{expiry}")
        rows = selectors.chain_contracts(chain.segment, chain.underlying, chain.expiry) if chain else []
        if chain is None or not rows:
            raise Http404
        contracts = [(row.code, row.strike, row.option_type, row.instrument_type) for row in rows]
        details = chain_contents(chain, contracts).details
        figures = last_figures([str(chain)]).get(str(chain))
        shown = figures and serializers.AnalyticsSerializer(figures).data
        return Response({**_chain(chain, rows, details), "analytics": shown})


def _chain(chain: ChainName, rows: list[Instrument], details: Any) -> dict[str, Any]:
    reference = details["reference"]
    reference_code = InstrumentKey.parse(reference).code if reference else None
    quotes = quotes_of([row.code for row in rows] + ([reference_code] if reference_code is not None else []))
    atm = details["atm_strike"]
    return {
        "segment": chain.segment.name,
        "underlying": chain.underlying,
        "expiry": chain.expiry.isoformat(),
        "reference": reference,
        "reference_quote": quotes.get(reference_code),
        "atm_strike": None if atm is None else rupees_text(atm),
        "contracts": [
            {
                "instrument": str(row.key),
                "symbol": row.symbol,
                "strike": rupees_text(row.strike),
                "option_type": row.option_type,
                "quote": quotes.get(row.code),
            }
            for row in rows
        ],
    }


class UnderlyingsView(ListAPIView[Instrument]):
    """What options are listed on."""

    serializer_class = serializers.UnderlyingSerializer

    @extend_schema(operation_id="underlyings_list", summary="What has options, with lot size", tags=TAGS)
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(selectors.underlyings(clock.exchange_today()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class ExpiriesView(APIView):
    """The expiries of one underlying."""

    @extend_schema(
        operation_id="expiries_read",
        summary="The expiries of an underlying's options",
        parameters=[serializers.ExpiriesFilterSerializer],
        responses=serializers.ExpiriesSerializer,
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        given = serializers.ExpiriesFilterSerializer(data=request.query_params)
        given.is_valid(raise_exception=True)
        segment, underlying = given.validated_data["segment"], given.validated_data["underlying"].upper()
        expiries = selectors.option_expiries(segment, underlying, clock.exchange_today())
        if not expiries:
            raise Http404
        found = {"segment": segment, "underlying": underlying, "expiries": expiries}
        return Response(serializers.ExpiriesSerializer(found).data)


class SubscriptionsView(APIView):
    """How much of the Dhan accounts is used, by class and by connection."""

    @extend_schema(
        operation_id="subscriptions_read",
        summary="Capacity by class, account and connection",
        responses=serializers.SubscriptionsSerializer,
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        report, statuses = capacity(), bus.feed_statuses()
        accounts = [
            {
                "account": each.account_id,
                "name": each.name,
                **capacity_figures(each.capacity),
                "connections": _connections(statuses.get(each.account_id, {})),
            }
            for each in report.accounts
        ]
        return Response({"total": capacity_figures(report.total), "accounts": accounts})


def _connections(status: dict[str, Any]) -> list[dict[str, Any]]:
    names = ("index", "state", "subscribed", "placed")
    return [{name: connection.get(name) for name in names} for connection in status.get("connections", [])]


class FeedStatusView(APIView):
    """The feed processes."""

    @extend_schema(
        operation_id="feed_status",
        summary="State of each feed process",
        responses=serializers.FeedSerializer(many=True),
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        statuses = bus.feed_statuses()
        accounts = DhanAccount.objects.filter(enabled=True).values_list("pk", "name")
        return Response(
            [
                {
                    "account": pk,
                    "name": name,
                    "state": statuses.get(pk, {}).get("state", "DOWN"),
                    "status": statuses.get(pk, {}),
                }
                for pk, name in accounts
            ]
        )


class MarketStatusView(APIView):
    """The exchange's clock."""

    @extend_schema(
        operation_id="market_status",
        summary="Phase and hours of each segment now",
        responses=serializers.MarketStatusSerializer,
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        now = clock.exchange_now()
        status = {
            "exchange_time": now,
            "master_date": selectors.master_date(),
            "segments": selectors.market_status(now),
        }
        return Response(serializers.MarketStatusSerializer(status).data)
