"""Alerts under /api/v2/; another user's does not exist."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from alerts import selectors, serializers, services
from alerts.models import Alert, Firing
from feeds.selectors import by_keys

TAGS = ["alerts"]


def valid(serializer: Serializer[Any]) -> Any:
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


def own(request: Request, pk: int) -> Alert:
    return get_object_or_404(selectors.alerts_of(request.user), pk=pk)


class AlertsView(ListAPIView[Alert]):
    """The caller's alerts."""

    serializer_class = serializers.AlertSerializer

    def get_queryset(self) -> Any:
        given = serializers.AlertFilterSerializer(data=self.request.query_params)
        valid(given)
        return selectors.alerts_of(self.request.user).filter(**given.columns())

    @extend_schema(
        operation_id="alerts_list",
        summary="Your alerts, newest first",
        parameters=[serializers.AlertFilterSerializer],
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        return self.list(request)

    @extend_schema(
        operation_id="alerts_create",
        summary="Watch a price, its change, an open interest or a volume",
        request=serializers.NewAlertSerializer,
        responses={201: serializers.AlertSerializer},
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        wanted = valid(serializers.NewAlertSerializer(data=request.data))
        (instrument,) = by_keys([wanted.pop("instrument")])
        alert = services.create_alert(user=request.user, instrument=instrument, **wanted)
        return Response(serializers.AlertSerializer(alert).data, status=201)


class AlertView(APIView):
    """One alert."""

    @extend_schema(operation_id="alerts_read", summary="An alert", responses=serializers.AlertSerializer, tags=TAGS)
    def get(self, request: Request, pk: int) -> Response:
        return Response(serializers.AlertSerializer(own(request, pk)).data)

    @extend_schema(
        operation_id="alerts_update",
        summary="Set another level, pause it, take it up again",
        request=serializers.AlertChangeSerializer,
        responses=serializers.AlertSerializer,
        tags=TAGS,
    )
    def patch(self, request: Request, pk: int) -> Response:
        alert = own(request, pk)
        changes = valid(serializers.AlertChangeSerializer(data=request.data, context={"column": alert.column}))
        return Response(serializers.AlertSerializer(services.update_alert(alert=alert, **changes)).data)

    @extend_schema(operation_id="alerts_delete", summary="Delete it", responses={204: None}, tags=TAGS)
    def delete(self, request: Request, pk: int) -> Response:
        services.delete_alert(alert=own(request, pk))
        return Response(status=204)


class FiringsView(ListAPIView[Firing]):
    """What the caller's alerts fired."""

    serializer_class = serializers.FiringSerializer

    def get_queryset(self) -> Any:
        return selectors.firings_of(self.request.user)

    @extend_schema(operation_id="alerts_fired", summary="What your alerts fired, newest first", tags=TAGS)
    def get(self, request: Request) -> Response:
        return self.list(request)
