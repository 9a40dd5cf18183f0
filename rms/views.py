"""Accounts and their money under /api/v2/; what belongs to another account does not exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from feeds import clock
from feeds.core.instrument import InstrumentKey
from feeds.core.tick import TickFlag
from feeds.selectors import by_keys
from rms import charges, facts, fills, funds, kill_switch, limits, market, selectors, serializers, statements
from rms.core.position import average_price, unrealised_pnl
from rms.core.product import Product
from rms.errors import AccountMissing
from rms.models import Entry, FundsRequest, KillSwitch, Position, RiskLimits, Statement, TradingAccount

TAGS = ["accounts"]
MONEY_TAGS = ["funds"]
RISK_TAGS = ["risk"]
MANAGE_RISK = "rms.manage_risk"
MANAGE_FUNDS = "rms.manage_funds"


def valid(kind: type[Serializer[Any]], data: Any, **options: Any) -> dict[str, Any]:
    """Raises: ValidationError."""
    if isinstance(data, Mapping) and not options:
        return _shared(kind).run_validation(data)
    given = kind(data=data, **options)
    given.is_valid(raise_exception=True)
    return given.validated_data


@lru_cache(maxsize=64)
def _shared(kind: type[Serializer[Any]]) -> Serializer[Any]:
    """One of a kind for all requests: making its fields anew costs more than using them. Validating keeps nothing."""
    return kind()


def require(is_allowed: bool, message: str) -> None:
    """Raises: PermissionDenied."""
    if not is_allowed:
        raise exceptions.PermissionDenied(message)


def require_trading(user: Any, account: TradingAccount) -> None:
    """Seeing an account is not trading it.

    Raises:
        PermissionDenied
    """
    require(selectors.may_trade(user, account), "You may look at this account, but not trade it.")


def own_context(request: Request) -> dict[str, Any]:
    """Which accounts the caller trades, asked once for a whole list."""
    mine = TradingAccount.objects.filter(Q(owner=request.user.pk) | Q(traders=request.user.pk))
    return {"tradable": set(mine.values_list("pk", flat=True))}


class AccountsView(ListAPIView[TradingAccount]):
    """The caller's accounts; with the permission to see them, all."""

    serializer_class = serializers.AccountSerializer

    def get_queryset(self) -> QuerySet[TradingAccount]:
        return selectors.accounts_of(self.request.user).select_related("owner").order_by("name")

    def get_serializer_context(self) -> dict[str, Any]:
        return super().get_serializer_context() | own_context(self.request)

    @extend_schema(operation_id="accounts_list", summary="Trading accounts you may see", tags=TAGS)
    def get(self, request: Request) -> Response:
        return self.list(request)


class AccountView(APIView):
    """One account."""

    @extend_schema(
        operation_id="accounts_read", summary="One account", responses=serializers.AccountSerializer, tags=TAGS
    )
    def get(self, request: Request, pk: int) -> Response:
        account = selectors.account_for(request.user, pk)
        return Response(serializers.AccountSerializer(account, context=own_context(request)).data)


class FactsView(APIView):
    """What a websocket client missed."""

    @extend_schema(
        operation_id="accounts_facts",
        summary="Numbered facts after an offset, as the websocket carries them",
        parameters=[serializers.FactsQuerySerializer],
        responses=serializers.FactsSerializer,
        tags=TAGS,
    )
    def get(self, request: Request, pk: int) -> Response:
        account = selectors.account_for(request.user, pk)
        wanted = valid(serializers.FactsQuerySerializer, request.query_params)
        rows = facts.facts_after(account.pk, wanted["after"], wanted["limit"])
        found = [{"offset": offset, "kind": kind, "body": body} for offset, kind, body in rows]
        latest = selectors.funds_of(account).fact_offset
        reached = rows[-1][0] if rows else wanted["after"]
        return Response({"account": account.pk, "offset": latest, "facts": found, "more": reached < latest})


# --- books --------------------------------------------------------------------------------------


class FundsView(APIView):
    """Cash and what is bound."""

    @extend_schema(
        operation_id="funds_read",
        summary="Cash, margin held and used, and what is available",
        responses=serializers.FundsSerializer,
        tags=MONEY_TAGS,
    )
    def get(self, request: Request, pk: int) -> Response:
        account = selectors.account_for(request.user, pk)
        return Response(serializers.FundsSerializer(selectors.funds_of(account)).data)


class PositionsView(APIView):
    """The day's positions, marked at the last prices."""

    @extend_schema(
        operation_id="positions_list",
        summary="Positions with realised and unrealised profit, marked live",
        parameters=[serializers.PositionsQuerySerializer],
        responses=serializers.PositionsSerializer,
        tags=TAGS,
    )
    def get(self, request: Request, pk: int) -> Response:
        account = selectors.account_for(request.user, pk)
        wanted = valid(serializers.PositionsQuerySerializer, request.query_params)
        rows = list(selectors.positions_of(account, is_open=wanted["open"]))
        marks = market.market_for([row.instrument_id for row in rows], clock.exchange_today())
        shown = [marked(row, marks) for row in rows]
        known = [each["unrealised_pnl"] for each in shown if each["unrealised_pnl"] is not None]
        answer = {
            "account": account.pk,
            "pnl_method": serializers.PNL_METHOD,
            "unrealised_pnl": sum(known),
            "realised_pnl": sum(row.realised_pnl for row in rows),
            "complete": len(known) == len(shown),
            "positions": shown,
        }
        return Response(serializers.PositionsSerializer(answer).data)


def marked(position: Position, marks: market.Market) -> dict[str, Any]:
    """A position beside its last price; without one its unrealised profit is not known."""
    code, units = position.instrument_id, position.instrument.multiplier
    average = average_price(position.signed_quantity, position.open_cost, units)
    price, row = last_price(marks, code), marks.rows.get(code)
    profit = None if price is None else unrealised_pnl(fills.state_of(position), price, units)
    return {
        **{name: getattr(position, name) for name in fills.STATE_COLUMNS},
        "instrument": str(InstrumentKey.from_code(code)),
        "symbol": position.instrument.symbol,
        "product": position.product,
        "quantity": position.signed_quantity,
        "multiplier": units,
        "average_price": None if average is None else round(average),
        "last_price": price,
        "priced_at": None if row is None else datetime.fromtimestamp(int(row["received_at"]) / 1e9, UTC),
        "stale": row is None or TickFlag.STALE in TickFlag(int(row["flags"])),
        "unrealised_pnl": profit if position.signed_quantity else 0,
        "trading_date": position.trading_date,
    }


def last_price(marks: market.Market, code: int) -> int | None:
    try:
        return marks.price(code)
    except market.NoMarketData:
        return None


class HoldingsView(APIView):
    """Settled shares."""

    @extend_schema(
        operation_id="holdings_list",
        summary="Settled shares",
        responses=serializers.HoldingSerializer(many=True),
        tags=TAGS,
    )
    def get(self, request: Request, pk: int) -> Response:
        account = selectors.account_for(request.user, pk)
        return Response(serializers.HoldingSerializer(selectors.holdings_of(account), many=True).data)


class LedgerView(ListAPIView[Entry]):
    """The account's cash book, newest first."""

    serializer_class = serializers.LedgerEntrySerializer

    def get_queryset(self) -> QuerySet[Entry]:
        if getattr(self, "swagger_fake_view", False):
            return Entry.objects.none()
        account = selectors.account_for(self.request.user, self.kwargs["pk"])
        wanted = valid(serializers.LedgerQuerySerializer, self.request.query_params)
        entries = selectors.ledger_of(account, wanted.get("first"), wanted.get("last"))
        return entries.filter(transfer__kind=wanted["kind"]) if "kind" in wanted else entries

    @extend_schema(
        operation_id="ledger_list",
        summary="Every movement of the account's cash, newest first",
        parameters=[serializers.LedgerQuerySerializer],
        tags=MONEY_TAGS,
    )
    def get(self, request: Request, pk: int) -> Response:
        return self.list(request)


# --- statements ---------------------------------------------------------------------------------


class StatementsView(ListAPIView[Statement]):
    """The account's days as they were closed."""

    serializer_class = serializers.StatementSerializer

    def get_queryset(self) -> QuerySet[Statement]:
        if getattr(self, "swagger_fake_view", False):
            return Statement.objects.none()
        account = selectors.account_for(self.request.user, self.kwargs["pk"])
        return Statement.objects.filter(account=account).order_by("-trading_date", "-pk")

    @extend_schema(operation_id="statements_list", summary="Statements, newest first", tags=MONEY_TAGS)
    def get(self, request: Request, pk: int) -> Response:
        return self.list(request)


def statement_for(request: Request, pk: int) -> Statement:
    """Raises: NotFound."""
    visible = Statement.objects.filter(account__in=selectors.accounts_of(request.user))
    found = visible.select_related("account").filter(pk=pk).first()
    if found is None:
        raise exceptions.NotFound("There is no such statement.")
    return found


class StatementView(APIView):
    """One day."""

    @extend_schema(
        operation_id="statements_read",
        summary="A day's statement",
        responses=serializers.StatementDetailSerializer,
        tags=MONEY_TAGS,
    )
    def get(self, request: Request, pk: int) -> Response:
        return Response(serializers.StatementDetailSerializer(statement_for(request, pk)).data)


class StatementPageView(APIView):
    """One day, to be printed or saved as PDF."""

    @extend_schema(
        operation_id="statements_page",
        summary="A day's statement as a page to print",
        responses={(200, "text/html"): str},
        tags=MONEY_TAGS,
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        return HttpResponse(statements.render_html(statement_for(request, pk)))


class StatementFileView(APIView):
    """One day as a file."""

    @extend_schema(
        operation_id="statements_file",
        summary="A day's statement as CSV",
        responses={(200, "text/csv"): str},
        tags=MONEY_TAGS,
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        note = statement_for(request, pk)
        name = f"statement-{note.account_id}-{note.trading_date}-{note.group.lower()}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return HttpResponse(statements.render_csv(note), content_type="text/csv", headers=headers)


# --- money in and out ---------------------------------------------------------------------------


class FundsRequestsView(ListAPIView[FundsRequest]):
    """What was asked for this account."""

    serializer_class = serializers.FundsRequestSerializer

    def get_queryset(self) -> QuerySet[FundsRequest]:
        if getattr(self, "swagger_fake_view", False):
            return FundsRequest.objects.none()
        account = selectors.account_for(self.request.user, self.kwargs["pk"])
        return FundsRequest.objects.filter(account=account).select_related("requested_by", "decided_by")

    @extend_schema(operation_id="funds_requests_list", summary="Money asked in and out, newest first", tags=MONEY_TAGS)
    def get(self, request: Request, pk: int) -> Response:
        return self.list(request)

    @extend_schema(
        operation_id="funds_requests_create",
        summary="Ask to pay in or out; who does not manage funds, or asks for much, waits for a second person",
        request=serializers.FundsRequestSerializer,
        responses={201: serializers.FundsRequestSerializer},
        tags=MONEY_TAGS,
    )
    def post(self, request: Request, pk: int) -> Response:
        account = selectors.account_for(request.user, pk)
        manages = request.user.has_perm(MANAGE_FUNDS)
        may_ask = manages or selectors.may_trade(request.user, account)
        require(may_ask, "You may look at this account, but not move its money.")
        asked = valid(serializers.FundsRequestSerializer, request.data)
        made = funds.request_funds(account=account, actor=request.user, needs_approval=not manages, **asked)
        return Response(serializers.FundsRequestSerializer(made).data, status=201)


def funds_request_for(request: Request, pk: int) -> FundsRequest:
    """One that the caller may decide.

    Raises:
        RequestMissing: there is none, or it is of somebody else's account.
        PermissionDenied: the caller may see it and not decide it.
    """
    visible = FundsRequest.objects.filter(account__in=selectors.accounts_of(request.user))
    found = visible.select_related("account").filter(pk=pk).first()
    if found is None:
        raise RequestMissing
    require(request.user.has_perm(MANAGE_FUNDS), "Only those who manage funds decide this.")
    return found


class RequestMissing(AccountMissing):
    """There is no such request, or it is of somebody else's account."""

    def __str__(self) -> str:
        return "There is no such request."


class ApproveView(APIView):
    """A second person says yes."""

    @extend_schema(
        operation_id="funds_requests_approve",
        summary="Approve: the money moves",
        request=None,
        responses=serializers.FundsRequestSerializer,
        tags=MONEY_TAGS,
    )
    def post(self, request: Request, pk: int) -> Response:
        decided = funds.approve(request=funds_request_for(request, pk), actor=request.user)
        return Response(serializers.FundsRequestSerializer(decided).data)


class RefuseView(APIView):
    """A second person says no."""

    @extend_schema(
        operation_id="funds_requests_refuse",
        summary="Refuse: nothing moves",
        request=serializers.ReasonSerializer,
        responses=serializers.FundsRequestSerializer,
        tags=MONEY_TAGS,
    )
    def post(self, request: Request, pk: int) -> Response:
        asked = funds_request_for(request, pk)
        reason = valid(serializers.ReasonSerializer, request.data)["reason"]
        decided = funds.refuse(request=asked, actor=request.user, reason=reason)
        return Response(serializers.FundsRequestSerializer(decided).data)


# --- limits and kill switches -------------------------------------------------------------------


def limits_answer(request: Request, account: TradingAccount) -> dict[str, Any]:
    own = RiskLimits.objects.filter(account=account).first()
    effective = limits.limits_for(account.pk, request.user.pk)
    return serializers.AccountLimitsSerializer({"account": own, "effective": effective}).data


class LimitsView(APIView):
    """What the account may do at most."""

    @extend_schema(
        operation_id="limits_read",
        summary="The account's limits, and what holds for you on it",
        responses=serializers.AccountLimitsSerializer,
        tags=RISK_TAGS,
    )
    def get(self, request: Request, pk: int) -> Response:
        return Response(limits_answer(request, selectors.account_for(request.user, pk)))

    @extend_schema(
        operation_id="limits_update",
        summary="Set some of the account's limits; null takes one away",
        request=serializers.LimitsSerializer,
        responses=serializers.AccountLimitsSerializer,
        tags=RISK_TAGS,
    )
    def patch(self, request: Request, pk: int) -> Response:
        account = selectors.account_for(request.user, pk)
        require(request.user.has_perm(MANAGE_RISK), "Only those who manage risk set limits.")
        wanted = valid(serializers.LimitsSerializer, request.data, partial=True)
        limits.set_limits(account=account, actor=request.user, wanted=wanted)
        return Response(limits_answer(request, account))


def switches_for(request: Request) -> QuerySet[KillSwitch]:
    """Those that stop the caller, or one of the accounts that the caller sees; all for those who manage risk."""
    switches = KillSwitch.objects.select_related("account", "user", "engaged_by", "released_by")
    if request.user.has_perm(selectors.VIEW_ALL):
        return switches
    house = Q(account=None, user=None)
    return switches.filter(house | Q(user=request.user.pk) | Q(account__in=selectors.accounts_of(request.user)))


class KillSwitchesView(ListAPIView[KillSwitch]):
    """Stops of trading."""

    serializer_class = serializers.KillSwitchSerializer

    def get_queryset(self) -> QuerySet[KillSwitch]:
        switches = switches_for(self.request)
        wanted = valid(serializers.SwitchesQuerySerializer, self.request.query_params)
        return switches.filter(released_at=None) if wanted["standing"] else switches

    @extend_schema(
        operation_id="kill_switches_list",
        summary="Kill switches that concern you, newest first",
        parameters=[serializers.SwitchesQuerySerializer],
        tags=RISK_TAGS,
    )
    def get(self, request: Request) -> Response:
        return self.list(request)

    @extend_schema(
        operation_id="kill_switches_engage",
        summary="Stop trading at once: nothing new is taken, what is open is cancelled, closing stays possible",
        request=serializers.EngageSerializer,
        responses={201: serializers.KillSwitchSerializer},
        tags=RISK_TAGS,
    )
    def post(self, request: Request) -> Response:
        wanted = valid(serializers.EngageSerializer, request.data)
        scope = stopped(request.user, wanted)
        switch = kill_switch.engage(actor=request.user, reason=wanted["reason"], **scope)
        return Response(serializers.KillSwitchSerializer(switch).data, status=201)


def stopped(user: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    """Whom the caller may stop: themselves, an account they trade, or with the permission anybody.

    Raises:
        AccountMissing, UserMissing, PermissionDenied
    """
    manages = user.has_perm(MANAGE_RISK)
    if wanted["scope"] == "ACCOUNT":
        account = selectors.account_for(user, wanted["account"])
        require(manages or selectors.may_trade(user, account), "Only those who manage risk stop another's account.")
        return {"account": account}
    name = wanted.get("user", user.username)
    if wanted["scope"] == "USER" and name == user.username:
        return {"user": user}
    require(manages, "Only those who manage risk stop others, or the house.")
    return {"user": user_named(name)} if wanted["scope"] == "USER" else {}


class UserMissing(AccountMissing):
    """Nobody has that name."""

    def __str__(self) -> str:
        return "There is no such user."


def user_named(name: str) -> Any:
    """Raises: UserMissing."""
    found = get_user_model().objects.filter(username=name).first()
    if found is None:
        raise UserMissing
    return found


class ReleaseView(APIView):
    """Trading goes on."""

    @extend_schema(
        operation_id="kill_switches_release",
        summary="Release a kill switch; not whoever engaged it",
        request=serializers.ReasonSerializer,
        responses=serializers.KillSwitchSerializer,
        tags=RISK_TAGS,
    )
    def post(self, request: Request, pk: int) -> Response:
        switch = switches_for(request).filter(pk=pk).first()
        if switch is None:
            raise exceptions.NotFound("There is no such kill switch.")
        require(request.user.has_perm(MANAGE_RISK), "Only those who manage risk release a kill switch.")
        reason = valid(serializers.ReasonSerializer, request.data)["reason"]
        released = kill_switch.release(switch=switch, actor=request.user, reason=reason)
        return Response(serializers.KillSwitchSerializer(released).data)


# --- what it would cost -------------------------------------------------------------------------


class ChargesView(APIView):
    """Charges before the order."""

    @extend_schema(
        operation_id="charges_estimate",
        summary="What orders would cost beside their price, by line",
        request=serializers.ChargesRequestSerializer,
        responses=serializers.ChargesSerializer,
        tags=MONEY_TAGS,
    )
    def post(self, request: Request) -> Response:
        day = clock.exchange_today()
        asked = valid(serializers.ChargesRequestSerializer, request.data)["orders"]
        found = charges.estimate(planned_orders(asked, day), day)
        lines = [{"line": line, "amount": amount} for line, amount in found.lines.items()]
        answer = {"trading_date": day, "total": found.total, "lines": lines}
        return Response(serializers.ChargesSerializer(answer).data)


def planned_orders(asked: Sequence[dict[str, Any]], day: date) -> list[charges.Planned]:
    """Raises: UnknownInstruments, NoMarketData for a price that was left out and is not known."""
    by_key = {each.key: each for each in by_keys([order["instrument"] for order in asked])}
    marks = market.market_for([each.code for each in by_key.values()], day)
    return [
        charges.Planned(
            by_key[order["instrument"]],
            Product(order["product"]),
            order["quantity"] if order["side"] == "BUY" else -order["quantity"],
            order["price"] if "price" in order else marks.price(order["instrument"].code),
        )
        for order in asked
    ]
