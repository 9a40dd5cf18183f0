"""Watchlists under /api/v2/; another user's does not exist."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feeds import clock
from feeds.core.instrument import InstrumentType
from feeds.models import Instrument
from feeds.selectors import UnknownInstruments, by_keys, by_symbols
from watchlists import selectors, serializers, services
from watchlists.models import Watchlist

TAGS = ["watchlists"]


def own(request: Request, pk: int) -> Watchlist:
    return get_object_or_404(selectors.watchlists_of(request.user), pk=pk)


def detail(watchlist: Watchlist) -> dict[str, Any]:
    """The list with its items as they are now."""
    states = selectors.states(watchlist, clock.exchange_now())
    for item, reason in states:
        item.live, item.not_live = reason is None, reason
    watchlist.item_count = len(states)
    items = serializers.WatchlistItemSerializer([item for item, _ in states], many=True).data
    return serializers.WatchlistSerializer(watchlist).data | {"items": items}


class WatchlistsView(ListAPIView[Watchlist]):
    """The caller's watchlists."""

    serializer_class = serializers.WatchlistSerializer

    def get_queryset(self) -> Any:
        return selectors.watchlists_of(self.request.user)

    @extend_schema(operation_id="watchlists_list", summary="Your watchlists", tags=TAGS)
    def get(self, request: Request) -> Response:
        return self.list(request)

    @extend_schema(
        operation_id="watchlists_create",
        summary="Make a watchlist",
        responses={201: serializers.WatchlistSerializer},
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        wanted = serializers.WatchlistSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        watchlist = services.create_watchlist(user=request.user, name=wanted.validated_data["name"])
        return Response(serializers.WatchlistSerializer(watchlist).data, status=201)


class WatchlistView(APIView):
    """One watchlist. Reading it opens it: what its items want is subscribed for the day."""

    @extend_schema(
        operation_id="watchlists_read",
        summary="A watchlist with its items; opens it for the day",
        responses=serializers.WatchlistDetailSerializer,
        tags=TAGS,
    )
    def get(self, request: Request, pk: int) -> Response:
        return Response(detail(services.open_watchlist(own(request, pk))))

    @extend_schema(
        operation_id="watchlists_update",
        summary="Rename it, move it, put its items in order",
        request=serializers.WatchlistUpdateSerializer,
        responses=serializers.WatchlistDetailSerializer,
        tags=TAGS,
    )
    def patch(self, request: Request, pk: int) -> Response:
        wanted = serializers.WatchlistUpdateSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        return Response(detail(services.update_watchlist(watchlist=own(request, pk), **wanted.validated_data)))

    @extend_schema(operation_id="watchlists_delete", summary="Delete it", responses={204: None}, tags=TAGS)
    def delete(self, request: Request, pk: int) -> Response:
        services.delete_watchlist(watchlist=own(request, pk))
        return Response(status=204)


class AddView(APIView):
    """POST watchlist/add."""

    @extend_schema(
        operation_id="watchlist_add",
        summary="Add instruments and subscribe what they want, all or nothing",
        request=serializers.WatchlistAddSerializer,
        responses=serializers.ChangeSerializer,
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        wanted = serializers.WatchlistAddSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        change = services.add_items(
            user=request.user,
            instruments=instruments_to_add(wanted.validated_data),
            watchlist_id=wanted.validated_data.get("watchlist"),
            instrument_only=wanted.validated_data["instrument_only"],
        )
        return Response(serializers.change_json(change))


class RemoveView(APIView):
    """POST watchlist/remove."""

    @extend_schema(
        operation_id="watchlist_remove",
        summary="Remove instruments and give back what nobody else wants",
        request=serializers.WatchlistChangeSerializer,
        responses=serializers.ChangeSerializer,
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        wanted = serializers.WatchlistChangeSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        given = wanted.validated_data
        change = services.remove_items(
            user=request.user, watchlist_id=given.get("watchlist"), codes=codes_to_remove(given)
        )
        return Response(serializers.change_json(change))


def instruments_to_add(given: dict[str, Any]) -> list[Instrument]:
    """Raises: UnknownInstruments, AmbiguousSymbol."""
    return by_keys(given.get("instruments", [])) + by_symbols(given.get("symbols", []), clock.exchange_today())


def codes_to_remove(given: dict[str, Any]) -> list[int]:
    """What is no longer listed can still be removed: by its key, or by a symbol that any instrument ever had.

    Raises:
        UnknownInstruments: a symbol that nothing has.
    """
    codes = [key.code for key in given.get("instruments", [])]
    symbols = {symbol.strip() for symbol in given.get("symbols", [])}
    spelled = symbols | {symbol.upper() for symbol in symbols}
    rows = list(Instrument.objects.filter(symbol__in=spelled).values_list("code", "symbol"))
    commodities = [symbol for symbol in symbols if not {symbol, symbol.upper()} & {name for _, name in rows}]
    # The future alone, as when adding: the bare name takes no option away that was added by its key.
    futures = Instrument.objects.filter(
        instrument_type=InstrumentType.FUTCOM, underlying_symbol__in=[name.upper() for name in commodities]
    )
    rows += futures.values_list("code", "underlying_symbol")
    known = {name for _, name in rows}
    if unknown := [symbol for symbol in symbols if not {symbol, symbol.upper()} & known]:
        raise UnknownInstruments(unknown)
    return codes + [code for code, _ in rows]
