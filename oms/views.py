"""Orders, trades, baskets and what changes positions, under /api/v2/; another's do not exist."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feeds import clock
from feeds.core.instrument import InstrumentKey
from feeds.models import Instrument
from feeds.selectors import by_keys
from feeds.views import parsed
from oms import baskets, intake, selectors, serializers, services
from oms.baskets import Leg, Preview
from oms.core.order import OrderType, Side, Source, Validity
from oms.core.sessions import Taken
from oms.desk import Desk
from oms.models import Basket, Order, Trade
from oms.requests import OrderRequest
from oms.terms import Terms, terms_of
from rms.core.product import Product
from rms.margin import Pending, WhatIf, what_if
from rms.market import market_for
from rms.models import TradingAccount
from rms.selectors import account_for, funds_of, may_trade, positions_of
from rms.serializers import MarginRequestSerializer, MarginSerializer, PositionSerializer
from rms.views import MANAGE_RISK, marked, require, require_trading, valid

TAGS = ["orders"]
BASKET_TAGS = ["baskets"]
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, description="The same as `client_reference` in the body."
)
WORDS = {
    "side": Side,
    "product": Product,
    "order_type": OrderType,
    "validity": Validity,
    "source": Source,
}


def filtered(rows: QuerySet[Any], wanted: Mapping[str, Any]) -> QuerySet[Any]:
    """A book narrowed by what the query says; prices and people are no filters."""
    columns = {
        "account": "account_id",
        "order": "order_id",
        "group": "group_id",
        "side": "side",
        "product": "product",
        "first": "trading_date__gte",
        "last": "trading_date__lte",
    }
    rows = rows.filter(**{column: wanted[name] for name, column in columns.items() if name in wanted})
    if "instrument" in wanted:
        rows = rows.filter(instrument_id=wanted["instrument"].code)
    return rows.order_by(wanted["order_by"])


# --- orders -------------------------------------------------------------------------------------


class OrdersView(ListAPIView[Order]):
    """The order book, and its door."""

    serializer_class = serializers.OrderSerializer

    def get_queryset(self) -> QuerySet[Order]:
        wanted = valid(serializers.OrdersQuerySerializer, self.request.query_params)
        orders = filtered(selectors.orders_of(self.request.user).select_related("user"), wanted)
        if wanted.get("status"):
            orders = orders.filter(status__in=wanted["status"])
        if wanted["live"] is None:
            return orders
        live = orders.filter(status__in=selectors.LIVE_VALUES)
        return live if wanted["live"] else orders.exclude(status__in=selectors.LIVE_VALUES)

    @extend_schema(
        operation_id="orders_list",
        summary="The order book, newest first",
        parameters=[serializers.OrdersQuerySerializer],
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        return self.list(request)

    @extend_schema(
        operation_id="orders_place",
        summary="Place an order; a repeat of its reference gets the first answer",
        description="Refused, it is stored as REJECTED and answered by 422 with the reason's code, a sentence and "
        "`details.order_id`. The same reference with another body is 422 `REFERENCE_TAKEN`.",
        parameters=[IDEMPOTENCY_KEY],
        request=serializers.PlaceSerializer,
        responses={201: serializers.PlacedSerializer},
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        asked = valid(serializers.PlaceSerializer, request.data)
        account = account_for(request.user, asked.pop("account"))
        require_trading(request.user, account)
        reference = reference_of(key_of(request), asked)
        order = intake.place_order(order_request(account, asked, reference), request.user)
        return Response(placed(order, request.user), status=201)


def key_of(request: Request) -> str | None:
    return request.headers.get("Idempotency-Key")


def reference_of(key: str | None, asked: dict[str, Any]) -> str:
    """The body's, the header's (`key`), or one of our own.

    Raises:
        ValidationError: both were given and differ, or the header is no reference.
    """
    own = asked.pop("client_reference", None)
    if key is None:
        return own or uuid.uuid4().hex
    field = serializers.PlaceSerializer().fields["client_reference"]
    try:
        key = field.run_validation(key)
    except exceptions.ValidationError as error:
        raise exceptions.ValidationError({"Idempotency-Key": error.detail}) from None
    if own is not None and own != key:
        raise exceptions.ValidationError({"client_reference": ["It differs from the header Idempotency-Key."]})
    return key


def order_request(account: TradingAccount, asked: Mapping[str, Any], reference: str) -> OrderRequest:
    words = {name: kind(asked[name]) for name, kind in WORDS.items()}
    rest = {name: value for name, value in asked.items() if name not in WORDS and name != "instrument"}
    return OrderRequest(
        account_id=account.pk, code=asked["instrument"].code, client_reference=reference, **words, **rest
    )


def placed(order: Order, caller: Any) -> dict[str, Any]:
    """The order and those that were made with it, as they are now, for who has just placed it."""
    if order.user_id == caller.pk:
        order.user = caller  # known already; the row need not be read for its name
    order.together = []
    if order.group_id:
        same = Order.objects.filter(group=order.group_id).exclude(pk=order.pk)
        order.together = list(same.select_related("instrument", "user").order_by("pk"))
    return serializers.PlacedSerializer(order).data


class OrderView(APIView):
    """One order."""

    @extend_schema(operation_id="orders_read", summary="One order", responses=serializers.OrderSerializer, tags=TAGS)
    def get(self, request: Request, pk: int) -> Response:
        return Response(serializers.OrderSerializer(selectors.order_for(request.user, pk)).data)

    @extend_schema(
        operation_id="orders_modify",
        summary="Ask for a change; the quantity is the total",
        request=serializers.ModifySerializer,
        responses=serializers.OrderSerializer,
        tags=TAGS,
    )
    def patch(self, request: Request, pk: int) -> Response:
        order = selectors.order_for(request.user, pk)
        require_trading(request.user, order.account)
        changes = valid(serializers.ModifySerializer, request.data)
        changed = services.modify_order(order, request.user, **changes)
        return Response(serializers.OrderSerializer(changed).data)

    @extend_schema(
        operation_id="orders_cancel",
        summary="Ask for its cancellation",
        responses={200: serializers.OrderSerializer},
        tags=TAGS,
    )
    def delete(self, request: Request, pk: int) -> Response:
        order = selectors.order_for(request.user, pk)
        require_closing(request.user, order.account)
        return Response(serializers.OrderSerializer(services.cancel_order(order, request.user)).data)


def require_closing(user: Any, account: TradingAccount) -> None:
    """Who manages risk may cancel and close in every account; opening is for those who trade it.

    Raises:
        PermissionDenied
    """
    is_allowed = may_trade(user, account) or user.has_perm(MANAGE_RISK)
    require(is_allowed, "You may look at this account, but not trade it.")


class OrderEventsView(APIView):
    """Its history."""

    @extend_schema(
        operation_id="orders_events",
        summary="What happened to an order, in sequence",
        responses=serializers.OrderEventSerializer(many=True),
        tags=TAGS,
    )
    def get(self, request: Request, pk: int) -> Response:
        events = selectors.events_of(selectors.order_for(request.user, pk))
        return Response(serializers.OrderEventSerializer(events, many=True).data)


class OrderTermsView(APIView):
    """What an order may say."""

    @extend_schema(
        operation_id="orders_terms",
        summary="What orders in an instrument may say now: types, products, steps, and what protects a market order",
        parameters=[OpenApiParameter("key", str, OpenApiParameter.PATH, description="NSE_FNO.49081")],
        responses=serializers.TermsSerializer,
        tags=TAGS,
    )
    def get(self, request: Request, key: str) -> Response:
        instrument = Instrument.objects.filter(code=parsed(key).code).first()
        if instrument is None:
            raise exceptions.NotFound("There is no such instrument.")
        found = terms_of(instrument, clock.exchange_now())
        return Response(serializers.TermsSerializer(terms_answer(str(instrument.key), found)).data)


def terms_answer(key: str, found: Terms) -> dict[str, Any]:
    contract = found.contract
    return {
        "instrument": key,
        "phase": found.phase.value,
        "now": taken_answer(found.now),
        "when_open": taken_answer(found.when_open),
        "after_market": found.takes_after_market,
        "next_open": found.next_open,
        "products": [product for product in Product if product in found.products],
        "lot": contract.lot,
        "tick_size": max(contract.tick_size, 1),
        "multiplier": contract.multiplier,
        "freeze_quantity": contract.freeze_quantity,
        "lower_limit": contract.lower_limit,
        "upper_limit": contract.upper_limit,
        "least_disclosed_percent": found.least_disclosed_percent,
        "last_price": found.last_price,
        "protected_price": found.protected,
    }


def taken_answer(taken: Taken) -> dict[str, Any]:
    """In the order in which people think of them, whatever order a set has."""
    return {
        "order_types": [kind for kind in OrderType if kind in taken.types],
        "validities": [validity for validity in Validity if validity in taken.validities],
        "disclosed": taken.disclosed,
    }


class TradesView(ListAPIView[Trade]):
    """The trade book."""

    serializer_class = serializers.TradeSerializer

    def get_queryset(self) -> QuerySet[Trade]:
        wanted = valid(serializers.TradesQuerySerializer, self.request.query_params)
        return filtered(selectors.trades_of(self.request.user), wanted)

    @extend_schema(
        operation_id="trades_list",
        summary="The trade book, newest first",
        parameters=[serializers.TradesQuerySerializer],
        tags=TAGS,
    )
    def get(self, request: Request) -> Response:
        return self.list(request)


class CancelAllView(APIView):
    """Every live order at once."""

    @extend_schema(
        operation_id="orders_cancel_all",
        summary="Ask for the cancellation of every live order of an account",
        request=serializers.CancelAllSerializer,
        responses=serializers.OrdersSerializer,
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        asked = valid(serializers.CancelAllSerializer, request.data)
        account = account_for(request.user, asked["account"])
        require_closing(request.user, account)
        codes = [key.code for key in asked["instruments"]] if "instruments" in asked else None
        return Response(several(services.cancel_all(account, request.user, codes=codes)))


def several(orders: Sequence[Order]) -> dict[str, Any]:
    rows = Order.objects.filter(pk__in=[order.pk for order in orders]).select_related("instrument", "user")
    return serializers.OrdersSerializer({"orders": rows.order_by("pk")}).data


# --- positions ----------------------------------------------------------------------------------


class SquareOffView(APIView):
    """Closing."""

    @extend_schema(
        operation_id="positions_square_off",
        summary="Close positions with protected market orders, their orders cancelled first",
        description="Allowed while a kill switch stands. Refused orders (a closed market) are among the answer.",
        request=serializers.SquareOffSerializer,
        responses=serializers.OrdersSerializer,
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        asked = valid(serializers.SquareOffSerializer, request.data)
        account = account_for(request.user, asked["account"])
        require_closing(request.user, account)
        positions = positions_of(account, is_open=True)
        if "instruments" in asked:
            positions = positions.filter(instrument__in=[key.code for key in asked["instruments"]])
        orders = services.square_off(account, request.user, positions, asked["reason"])
        return Response(several(orders))


class ConvertView(APIView):
    """Another product."""

    @extend_schema(
        operation_id="positions_convert",
        summary="Convert some of a position to another product at its average price",
        parameters=[IDEMPOTENCY_KEY],
        request=serializers.ConvertSerializer,
        responses=PositionSerializer(many=True),
        tags=TAGS,
    )
    def post(self, request: Request) -> Response:
        asked = valid(serializers.ConvertSerializer, request.data)
        account = account_for(request.user, asked["account"])
        require_trading(request.user, account)
        reference, code = reference_of(key_of(request), asked), asked["instrument"].code
        position = positions_of(account, is_open=True).filter(instrument=code, product=asked["from_product"]).first()
        if position is None:
            raise exceptions.NotFound("There is no such open position.")
        product, quantity = Product(asked["to_product"]), asked["quantity"]
        services.convert(position, request.user, product=product, quantity=quantity, client_reference=reference)
        rows, marks = positions_of(account).filter(instrument=code), market_for([code], clock.exchange_today())
        return Response(PositionSerializer([marked(row, marks) for row in rows], many=True).data)


# --- margin -------------------------------------------------------------------------------------


class MarginView(APIView):
    """What orders would need."""

    @extend_schema(
        operation_id="margin_estimate",
        summary="Margin of one order or a basket beside what the account has, with the benefit; nothing is placed",
        request=MarginRequestSerializer,
        responses=MarginSerializer,
        tags=["funds"],
    )
    def post(self, request: Request) -> Response:
        asked = valid(MarginRequestSerializer, request.data)
        account = account_for(request.user, asked["account"])
        codes = [each.code for each in by_keys([order["instrument"] for order in asked["orders"]])]
        desk = Desk.open(funds_of(account), request.user.pk, clock.exchange_now(), codes)
        wanted = [pending(str(place), order, desk) for place, order in enumerate(asked["orders"])]
        found = what_if(account.pk, wanted, desk.market, desk.day, desk.pending())
        return Response(MarginSerializer(margin_answer(desk, wanted, found)).data)


def pending(reference: str, order: Mapping[str, Any], desk: Desk) -> Pending:
    """Raises: NoMarketData for a price that was left out and is not known."""
    code = order["instrument"].code
    quantity = Side(order["side"]).sign * order["quantity"]
    price = order["price"] if "price" in order else desk.market.price(code)
    return Pending(reference, code, Product(order["product"]), quantity, price)


def margin_answer(desk: Desk, wanted: Sequence[Pending], found: WhatIf) -> dict[str, Any]:
    groups = sorted(found.before.by_group.keys() | found.after.by_group.keys())
    available = desk.funds.available - desk.funds.floor
    return {
        "account": desk.account_id,
        "trading_date": desk.day,
        "total": found.total,
        "alone": found.alone,
        "benefit": found.benefit,
        "available": available,
        "sufficient": found.total <= available,
        "needed": [
            {"instrument": InstrumentKey.from_code(each.code), "amount": found.additional[each.reference]}
            for each in wanted
        ],
        "groups": [
            {
                "group": group,
                "before": found.before.by_group.get(group, 0),
                "after": found.after.by_group.get(group, 0),
            }
            for group in groups
        ],
        "together": asdict(found.together),
    }


# --- baskets ------------------------------------------------------------------------------------


class BasketsView(ListAPIView[Basket]):
    """What is kept to be placed together."""

    serializer_class = serializers.BasketSerializer

    def get_queryset(self) -> QuerySet[Basket]:
        wanted = valid(serializers.BasketsQuerySerializer, self.request.query_params)
        found = selectors.baskets_of(self.request.user).select_related("user").order_by("-pk")
        return found.filter(account=wanted["account"]) if "account" in wanted else found

    @extend_schema(
        operation_id="baskets_list",
        summary="Baskets, newest first",
        parameters=[serializers.BasketsQuerySerializer],
        tags=BASKET_TAGS,
    )
    def get(self, request: Request) -> Response:
        return self.list(request)

    @extend_schema(
        operation_id="baskets_create",
        summary="Keep a basket of up to twenty legs; nothing is placed",
        request=serializers.BasketSerializer,
        responses={201: serializers.BasketSerializer},
        tags=BASKET_TAGS,
    )
    def post(self, request: Request) -> Response:
        asked = valid(serializers.BasketSerializer, request.data)
        account = account_for(request.user, asked["account_id"])
        require_trading(request.user, account)
        legs = legs_of(asked["legs"])
        basket = baskets.save_basket(account=account, user=request.user, name=asked["name"], legs=legs)
        return Response(serializers.BasketSerializer(selectors.basket_for(request.user, basket.pk)).data, status=201)


def legs_of(asked: Sequence[Mapping[str, Any]]) -> list[Leg]:
    """Legs as values; the serializer read a key into `instrument.key`.

    Raises:
        UnknownInstruments
    """
    codes = [each.code for each in by_keys([leg["instrument"]["key"] for leg in asked])]
    return [
        Leg(
            code=code,
            quantity=leg["quantity"],
            limit_price=leg.get("limit_price"),
            trigger_price=leg.get("trigger_price"),
            **{name: WORDS[name](leg[name]) for name in ("side", "product", "order_type", "validity") if name in leg},
        )
        for code, leg in zip(codes, asked, strict=True)
    ]


class BasketView(APIView):
    """One basket."""

    @extend_schema(
        operation_id="baskets_read", summary="A basket", responses=serializers.BasketSerializer, tags=BASKET_TAGS
    )
    def get(self, request: Request, pk: int) -> Response:
        return Response(serializers.BasketSerializer(selectors.basket_for(request.user, pk)).data)

    @extend_schema(
        operation_id="baskets_update",
        summary="Rename it, or give it other legs",
        request=serializers.BasketUpdateSerializer,
        responses=serializers.BasketSerializer,
        tags=BASKET_TAGS,
    )
    def patch(self, request: Request, pk: int) -> Response:
        basket = selectors.basket_for(request.user, pk)
        require_trading(request.user, basket.account)
        asked = valid(serializers.BasketUpdateSerializer, request.data)
        legs = legs_of(asked["legs"]) if "legs" in asked else baskets.legs_of(basket)
        name = asked.get("name", basket.name)
        baskets.save_basket(account=basket.account, user=request.user, name=name, legs=legs, basket=basket)
        return Response(serializers.BasketSerializer(selectors.basket_for(request.user, pk)).data)

    @extend_schema(operation_id="baskets_delete", summary="Forget it", responses={204: None}, tags=BASKET_TAGS)
    def delete(self, request: Request, pk: int) -> Response:
        basket = selectors.basket_for(request.user, pk)
        require_trading(request.user, basket.account)
        basket.delete()
        return Response(status=204)


class BasketPreviewView(APIView):
    """Before it is placed."""

    @extend_schema(
        operation_id="baskets_preview",
        summary="What a basket would need, with and without the benefit of its hedges, and what would be refused",
        request=None,
        responses=serializers.PreviewSerializer,
        tags=BASKET_TAGS,
    )
    def post(self, request: Request, pk: int) -> Response:
        basket = selectors.basket_for(request.user, pk)
        found = baskets.preview(basket.account, baskets.legs_of(basket), request.user)
        return Response(serializers.PreviewSerializer(preview_answer(basket, found)).data)


def preview_answer(basket: Basket, found: Preview) -> dict[str, Any]:
    legs = [
        {
            "instrument": leg.instrument.key,
            "side": leg.side,
            "quantity": leg.quantity,
            "code": refusal.code if refusal else "",
            "message": refusal.message if refusal else "",
        }
        for leg, refusal in zip(basket.legs.all(), found.refusals, strict=True)
    ]
    sufficient = None if found.total is None else found.total <= found.available
    amounts = {name: getattr(found, name) for name in ("total", "without_benefit", "benefit", "available")}
    return {"basket": basket.pk, **amounts, "sufficient": sufficient, "legs": legs}


class BasketPlaceView(APIView):
    """All or none."""

    @extend_schema(
        operation_id="baskets_place",
        summary="Place every leg, hedges first, or none",
        description="Refused, it is 422 `BASKET_REFUSED` with a report leg by leg in `details.legs`.",
        parameters=[IDEMPOTENCY_KEY],
        request=serializers.PlaceBasketSerializer,
        responses={201: serializers.OrdersSerializer},
        tags=BASKET_TAGS,
    )
    def post(self, request: Request, pk: int) -> Response:
        basket = selectors.basket_for(request.user, pk)
        require_trading(request.user, basket.account)
        reference = reference_of(key_of(request), valid(serializers.PlaceBasketSerializer, request.data))
        orders = baskets.place_basket(basket, request.user, client_reference=reference)
        return Response(several(orders), status=201)
