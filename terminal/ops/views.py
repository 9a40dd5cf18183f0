"""The dashboard's figures, the position monitor, the actions' confirmation page and the chain editor's preview."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from feeds import audit
from feeds.bus import REDIS_ERRORS
from terminal.ops import history
from terminal.ops.actions import FEED_ACTIONS, FOR_ALL_ACCOUNTS, OPERATE, Action, ActionForm, ActionRefused
from terminal.ops.positions import position_reading
from terminal.ops.preview import preview_of
from terminal.ops.status import ops_status
from terminal.ops.trading_actions import TRADING_ACTIONS

POLL_MILLISECONDS = 1000
ACTIONS = {action.name: action for action in (*FEED_ACTIONS, *TRADING_ACTIONS)}
VIEW_POSITIONS, MANAGE_RISK = "rms.view_all_accounts", "rms.manage_risk"


def dashboard_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What admin/index.html needs beside unfold's own; called by unfold."""
    context["ops"] = {
        "status": ops_status(),
        "minutes_url": reverse("admin:ops_minutes"),
        "chain_url": reverse("admin:feeds_chaindefinition_changelist"),
        "action_url": reverse("admin:ops_action", args=["_"]).removesuffix("_"),
        "positions_url": reverse("admin:ops_positions"),
        "orders_url": reverse("admin:oms_order_changelist"),
        "accounts_url": reverse("admin:rms_tradingaccount_changelist"),
        "switches_url": reverse("admin:rms_killswitch_changelist"),
        "funds_url": reverse("admin:rms_fundsrequest_changelist"),
        "may_operate": request.user.has_perm(OPERATE),
        "may_see_positions": request.user.has_perm(VIEW_POSITIONS),
        "may_edit_chains": request.user.has_perm("feeds.view_chaindefinition"),
    }
    context["ops_actions"] = FOR_ALL_ACCOUNTS if request.user.has_perm(OPERATE) else ()
    return context


@require_GET
def status(request: HttpRequest) -> JsonResponse:
    return JsonResponse(ops_status())


@require_GET
def minutes(request: HttpRequest) -> JsonResponse:
    """The chart of the last hours; empty while Redis is away, as the page then says anyway."""
    try:
        return JsonResponse(history.table(history.history()))
    except REDIS_ERRORS:
        return JsonResponse(history.table([]))


@require_GET
def positions(request: HttpRequest) -> HttpResponse:
    """Everybody's positions, live."""
    require(request, VIEW_POSITIONS)
    page = {
        "reading": position_reading(),
        "url": reverse("admin:ops_positions_reading"),
        "poll_milliseconds": POLL_MILLISECONDS,
        "action_url": reverse("admin:ops_action", args=["_"]).removesuffix("_"),
        "account_url": reverse("admin:rms_tradingaccount_changelist"),
        "may_square_off": request.user.has_perm(MANAGE_RISK),
    }
    context = {**admin.site.each_context(request), "title": "Position monitor", "page": page, "is_fullwidth": "1"}
    return TemplateResponse(request, "admin/ops/positions.html", context)


@require_GET
def positions_reading(request: HttpRequest) -> JsonResponse:
    require(request, VIEW_POSITIONS)
    return JsonResponse(position_reading())


def require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


@require_GET
def chain_preview(request: HttpRequest) -> JsonResponse:
    """The numbers that a chain definition would have, from the editor's unsaved fields."""
    require(request, "feeds.view_chaindefinition")
    return JsonResponse(preview_of(request.GET))


@require_http_methods(["GET", "POST"])
def act(request: HttpRequest, name: str) -> HttpResponse:
    """Ask for a reason, then do it. Who may not is refused, and the refusal is kept too."""
    action = ACTIONS.get(name)
    if action is None:
        raise Http404
    if not request.user.has_perm(action.permission):
        refuse(request, action)
    form = action.form(request.POST or None, initial=request.GET.dict())
    if request.method == "POST" and form.is_valid():
        try:
            messages.success(request, perform(request, action, form))
            return redirect(action.page)
        except ActionRefused as refusal:
            form.add_error(None, str(refusal))
    return TemplateResponse(request, "admin/ops/action.html", confirmation(request, action, form))


def refuse(request: HttpRequest, action: Action) -> None:
    address = audit.client_address(request.META)
    audit.record(request.user, f"ops.{action.name}.refused", reason="not permitted", address=address)
    raise PermissionDenied


def perform(request: HttpRequest, action: Action, form: ActionForm) -> str:
    """Run it and write its audit entry; returns the sentence to show.

    Raises:
        ActionRefused: it cannot be done.
    """
    if not action.in_transaction:
        keep(request, action, form, {})
        return action.run(form.cleaned_data, request.user)[0]
    with transaction.atomic():
        sentence, details = action.run(form.cleaned_data, request.user)
        keep(request, action, form, details)
    return sentence


def keep(request: HttpRequest, action: Action, form: ActionForm, details: dict[str, Any]) -> None:
    audit.record(
        request.user,
        f"ops.{action.name}",
        form.target(),
        reason=form.cleaned_data["reason"],
        details=details,
        address=audit.client_address(request.META),
    )


def confirmation(request: HttpRequest, action: Action, form: ActionForm) -> dict[str, Any]:
    return {**admin.site.each_context(request), "title": action.title, "action": action, "form": form}
