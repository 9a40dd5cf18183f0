"""What the line about each request says beside its id: who asked, from where, how long it took, which order it was."""

from __future__ import annotations

from typing import Any

import structlog
from django.dispatch import receiver
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django_structlog.signals import bind_extra_request_finished_metadata, bind_extra_request_metadata

from feeds import clock
from feeds.audit import client_address
from terminal.ops.headers import knows_who_asks

REQUEST_ID_HEADER = "X-Request-ID"
ORDERS_PATH = "/api/v2/orders"


@receiver(bind_extra_request_metadata, dispatch_uid="terminal.request_logs")
def on_start(request: HttpRequest, **_: Any) -> None:
    structlog.contextvars.bind_contextvars(address=client_address(request.META))
    request.began_at = clock.monotonic()


@receiver(bind_extra_request_finished_metadata, dispatch_uid="terminal.request_logs")
def on_finish(request: HttpRequest, response: HttpResponseBase, log_kwargs: dict[str, Any], **_: Any) -> None:
    response[REQUEST_ID_HEADER] = structlog.contextvars.get_contextvars().get("request_id", "")
    log_kwargs["milliseconds"] = round((clock.monotonic() - request.began_at) * 1000, 1)
    if (knows_who_asks(request) or getattr(request, "auth", None)) and request.user.is_authenticated:
        log_kwargs["user_id"] = request.user.pk
    if orders := order_ids(request, getattr(response, "data", None)):
        log_kwargs["order_id"] = orders if len(orders) > 1 else orders[0]


def order_ids(request: HttpRequest, answer: object) -> list[int]:
    """The orders that a request named in its address or was answered with."""
    named = request.resolver_match.kwargs.get("pk") if request.resolver_match else None
    if named is not None and request.path_info.startswith(f"{ORDERS_PATH}/"):
        return [named]
    if request.method == "GET" or not isinstance(answer, dict):
        return []
    if request.path_info == ORDERS_PATH:
        return order_ids_in(answer)
    orders = answer.get("orders")
    return ids_in(orders) if isinstance(orders, list) else []


def order_ids_in(answer: dict[str, Any]) -> list[int]:
    """The order that was taken, or that was stored as refused."""
    return ids_in([answer, answer.get("details")])


def ids_in(rows: list[Any]) -> list[int]:
    """Of a taken order `id`, of a refusal its details' `order_id`."""
    found = [row.get(name) for row in rows if isinstance(row, dict) for name in ("id", "order_id")]
    return [pk for pk in found if isinstance(pk, int)]
