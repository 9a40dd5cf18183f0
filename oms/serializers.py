"""How orders look in REST: rupees as text, times in IST, keys as NSE_FNO.49081."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from feeds.core.instrument import InstrumentKey
from feeds.core.price import rupees_text
from feeds.serializers import KeyField, MoneyField
from oms.core.order import OrderStatus, OrderType, Side, Source, Validity
from oms.facts import average_price
from oms.models import Basket, BasketLeg, Order, OrderEvent, Trade
from rms.serializers import (
    LEGS_LIMIT,
    PRODUCTS,
    AccountField,
    CodeField,
    PriceField,
    QuantityField,
    RupeesField,
)

SIDES = [side.value for side in Side]
ORDER_TYPES = [kind.value for kind in OrderType]
VALIDITIES = [validity.value for validity in Validity]
STATUSES = [status.value for status in OrderStatus]
ALL_SOURCES = [source.value for source in Source]
SOURCES = [Source.MANUAL.value, Source.PROGRAM.value]
"""What a caller may say of itself; the others are ours to say."""
REFERENCE_LENGTH = 36
REFERENCE = r"^[A-Za-z0-9 _.:-]{1,36}$"
BASKET_REFERENCE_LENGTH = 32
"""Room for the number of a leg behind it."""
ORDERS_BY = ["-id", "id", "-updated_at", "updated_at"]
AS_STORED = (
    "id", "client_reference", "source", "side", "order_type", "validity", "product", "quantity", "filled_quantity",
    "disclosed_quantity", "reduces", "status", "reason_code", "reason", "triggered", "sequence", "role",
    "after_market", "forever", "cancel_requested",
)  # fmt: skip
TIME = serializers.DateTimeField()


def rupees(paise: int | None) -> str | None:
    return None if paise is None else rupees_text(paise)


# --- orders -------------------------------------------------------------------------------------


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Limit order",
            {
                "account": 3, "instrument": "NSE_FNO.49081", "side": "BUY", "quantity": 75, "product": "MARGIN",
                "order_type": "LIMIT", "limit_price": "152.30", "client_reference": "breakout-17",
            },
            request_only=True,
        ),
        OpenApiExample(
            "Bracket with a trailing stop",
            {
                "account": 3, "instrument": "NSE_FNO.49081", "side": "BUY", "quantity": 75, "product": "INTRADAY",
                "order_type": "LIMIT", "limit_price": "152.30", "target_price": "170.00", "stop_price": "145.00",
                "trailing_jump": "1.00", "client_reference": "breakout-18",
            },
            request_only=True,
        ),
        OpenApiExample(
            "Forever pair of exits",
            {
                "account": 3, "instrument": "NSE_EQ.2885", "side": "SELL", "quantity": 10, "product": "CNC",
                "oco": True, "forever": True, "target_price": "1520.00", "stop_price": "1370.00",
                "client_reference": "exit-4",
            },
            request_only=True,
        ),
    ]
)  # fmt: skip
class PlaceSerializer(serializers.Serializer[Any]):
    """An order to place. With `client_reference` (or the header Idempotency-Key) a repeat gets the first answer."""

    account = AccountField()
    instrument = KeyField()
    side = serializers.ChoiceField(choices=SIDES)
    quantity = QuantityField(help_text="Units, lots on MCX; the total of all slices.")
    product = serializers.ChoiceField(choices=PRODUCTS)
    order_type = serializers.ChoiceField(choices=ORDER_TYPES, default=OrderType.LIMIT.value)
    validity = serializers.ChoiceField(choices=VALIDITIES, default=Validity.DAY.value)
    limit_price = PriceField(required=False, allow_null=True, default=None)
    trigger_price = PriceField(required=False, allow_null=True, default=None)
    disclosed_quantity = QuantityField(min_value=0, default=0)
    client_reference = serializers.RegexField(
        REFERENCE, required=False, max_length=REFERENCE_LENGTH, help_text="Yours, once in the account."
    )
    after_market = serializers.BooleanField(default=False, help_text="Sent when the market opens.")
    slice = serializers.BooleanField(default=False, help_text="Cut what is above the freeze quantity into several.")
    target_price = PriceField(required=False, allow_null=True, default=None, help_text="Of a bracket or an OCO pair.")
    stop_price = PriceField(required=False, allow_null=True, default=None, help_text="Of a bracket or an OCO pair.")
    trailing_jump = RupeesField(required=False, default=0, help_text="The stop follows by as much; 0: it stays.")
    oco = serializers.BooleanField(default=False, help_text="Two exits without an entry; one cancels the other.")
    forever = serializers.BooleanField(default=False, help_text="Waits for its trigger across days.")
    reduces = serializers.BooleanField(default=False, help_text="May only make a position smaller; binds no margin.")
    source = serializers.ChoiceField(choices=SOURCES, default=Source.MANUAL.value)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        missing = [name for name in ("target_price", "stop_price") if attrs["oco"] and attrs[name] is None]
        if missing:
            raise serializers.ValidationError(dict.fromkeys(missing, "A pair of exits needs it."))
        return attrs


class ModifySerializer(serializers.Serializer[Any]):
    """What may change of a live order. The quantity is the total, what is filled included."""

    order_type = serializers.ChoiceField(choices=ORDER_TYPES, required=False)
    validity = serializers.ChoiceField(choices=VALIDITIES, required=False)
    quantity = QuantityField(required=False)
    disclosed_quantity = QuantityField(min_value=0, required=False)
    limit_price = PriceField(required=False)
    trigger_price = PriceField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError("Say what to change.")
        return attrs


class OrderSerializer(serializers.ModelSerializer[Order]):
    """An order as it stands."""

    account = serializers.IntegerField(source="account_id", read_only=True)
    user = serializers.CharField(source="user.username", default=None, read_only=True, allow_null=True)
    instrument = CodeField(source="instrument_id", read_only=True)
    symbol = serializers.CharField(source="instrument.symbol", read_only=True)
    limit_price = MoneyField(read_only=True, allow_null=True)
    trigger_price = MoneyField(read_only=True, allow_null=True)
    protection_price = MoneyField(read_only=True, allow_null=True)
    average_price = serializers.SerializerMethodField(help_text="Of its fills, to the paisa.")
    group = serializers.IntegerField(source="group_id", read_only=True, allow_null=True)
    modify_requested = serializers.SerializerMethodField()

    class Meta:
        model = Order
        fields = [
            "id", "account", "user", "client_reference", "source", "instrument", "symbol", "side", "order_type",
            "validity", "product", "quantity", "filled_quantity", "average_price", "disclosed_quantity", "limit_price",
            "trigger_price", "protection_price", "reduces", "status", "reason_code", "reason", "triggered", "sequence",
            "group", "role", "after_market", "forever", "release_at", "cancel_requested", "modify_requested",
            "trading_date", "placed_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(MoneyField(allow_null=True))
    def get_average_price(self, order: Order) -> str | None:
        return rupees(average_price(order))

    @extend_schema_field(serializers.BooleanField())
    def get_modify_requested(self, order: Order) -> bool:
        return order.modify_request is not None

    def to_representation(self, order: Order) -> dict[str, Any]:
        """What the fields above say, written out: building thirty fields costs more than storing the order."""
        return {
            **{name: getattr(order, name) for name in AS_STORED},
            "account": order.account_id,
            "user": order.user.username if order.user else None,
            "instrument": str(InstrumentKey.from_code(order.instrument_id)),
            "symbol": order.instrument.symbol,
            "average_price": self.get_average_price(order),
            "limit_price": rupees(order.limit_price),
            "trigger_price": rupees(order.trigger_price),
            "protection_price": rupees(order.protection_price),
            "group": order.group_id,
            "modify_requested": self.get_modify_requested(order),
            "release_at": TIME.to_representation(order.release_at) if order.release_at else None,
            "trading_date": order.trading_date.isoformat(),
            "placed_at": TIME.to_representation(order.placed_at),
            "updated_at": TIME.to_representation(order.updated_at),
        }


class PlacedSerializer(OrderSerializer):
    """An order as it stands, and with it those it was placed with: exits of a bracket, the other of a pair, slices."""

    together = OrderSerializer(many=True, read_only=True)

    class Meta(OrderSerializer.Meta):
        fields = [*OrderSerializer.Meta.fields, "together"]

    def to_representation(self, order: Order) -> dict[str, Any]:
        together = [super(PlacedSerializer, self).to_representation(each) for each in order.together]
        return {**super().to_representation(order), "together": together}


class TakenSerializer(serializers.Serializer[Any]):
    """What one part of the day takes; nothing: no orders."""

    order_types = serializers.ListField(child=serializers.ChoiceField(choices=ORDER_TYPES))
    validities = serializers.ListField(child=serializers.ChoiceField(choices=VALIDITIES))
    disclosed = serializers.BooleanField(help_text="Whether a part of the quantity may be hidden.")


class ProtectedSerializer(serializers.Serializer[Any]):
    """The worst price a market order trades at, by its side."""

    BUY = MoneyField()
    SELL = MoneyField()


class TermsSerializer(serializers.Serializer[Any]):
    """What orders in one instrument may say now. `when_open` holds for orders that are sent later."""

    instrument = serializers.CharField()
    phase = serializers.CharField()
    now = TakenSerializer()
    when_open = TakenSerializer()
    after_market = serializers.BooleanField(help_text="After-market orders are taken now.")
    next_open = serializers.DateTimeField(allow_null=True, help_text="When an after-market order would be sent.")
    products = serializers.ListField(child=serializers.ChoiceField(choices=PRODUCTS))
    lot = serializers.IntegerField(help_text="Quantities are multiples of it; 1 on MCX, whose quantities are lots.")
    tick_size = MoneyField()
    multiplier = serializers.IntegerField()
    freeze_quantity = serializers.IntegerField(allow_null=True)
    lower_limit = MoneyField(allow_null=True)
    upper_limit = MoneyField(allow_null=True)
    least_disclosed_percent = serializers.CharField(allow_null=True, help_text="Null: nothing may be hidden.")
    last_price = MoneyField(allow_null=True)
    protected_price = ProtectedSerializer(allow_null=True)


class OrdersQuerySerializer(serializers.Serializer[Any]):
    """Which orders, and in which order."""

    account = AccountField(required=False)
    status = serializers.MultipleChoiceField(choices=STATUSES, required=False, help_text="Any of these")
    live = serializers.BooleanField(required=False, allow_null=True, default=None, help_text="Not ended yet, or ended")
    instrument = KeyField(required=False)
    side = serializers.ChoiceField(choices=SIDES, required=False)
    product = serializers.ChoiceField(choices=PRODUCTS, required=False)
    group = AccountField(required=False, help_text="Placed together")
    first = serializers.DateField(required=False, help_text="Trading dates from this one on")
    last = serializers.DateField(required=False, help_text="and up to this one.")
    order_by = serializers.ChoiceField(choices=ORDERS_BY, default="-id")


class OrderEventSerializer(serializers.ModelSerializer[OrderEvent]):
    """One thing that happened to an order, by whom and why. Prices in `details` are paise."""

    actor = serializers.CharField(source="actor.username", default=None, read_only=True, allow_null=True)

    class Meta:
        model = OrderEvent
        fields = ["sequence", "kind", "status", "actor", "reason_code", "reason", "details", "at", "recorded_at"]
        read_only_fields = fields


class TradeSerializer(serializers.ModelSerializer[Trade]):
    """One fill."""

    account = serializers.IntegerField(source="account_id", read_only=True)
    order = serializers.IntegerField(source="order_id", read_only=True)
    instrument = CodeField(source="instrument_id", read_only=True)
    symbol = serializers.CharField(source="instrument.symbol", read_only=True)
    price = MoneyField(read_only=True)

    class Meta:
        model = Trade
        fields = [
            "id", "account", "order", "number", "instrument", "symbol", "side", "product", "quantity", "price",
            "multiplier", "trading_date", "at",
        ]  # fmt: skip
        read_only_fields = fields


class TradesQuerySerializer(serializers.Serializer[Any]):
    """Which trades."""

    account = AccountField(required=False)
    order = AccountField(required=False)
    instrument = KeyField(required=False)
    side = serializers.ChoiceField(choices=SIDES, required=False)
    product = serializers.ChoiceField(choices=PRODUCTS, required=False)
    first = serializers.DateField(required=False, help_text="Trading dates from this one on")
    last = serializers.DateField(required=False, help_text="and up to this one.")
    order_by = serializers.ChoiceField(choices=["-id", "id"], default="-id")


class CancelAllSerializer(serializers.Serializer[Any]):
    """Whose orders; without a list in whatever instrument."""

    account = AccountField()
    instruments = serializers.ListField(child=KeyField(), required=False, min_length=1, max_length=200)


class OrdersSerializer(serializers.Serializer[Any]):
    """Several orders at once."""

    orders = OrderSerializer(many=True)


# --- positions ----------------------------------------------------------------------------------


class SquareOffSerializer(serializers.Serializer[Any]):
    """Which positions to close; without a list all of them."""

    account = AccountField()
    instruments = serializers.ListField(child=KeyField(), required=False, min_length=1, max_length=200)
    reason = serializers.CharField(max_length=200, default="Squared off.")


class ConvertSerializer(serializers.Serializer[Any]):
    """Another product for some of a position."""

    account = AccountField()
    instrument = KeyField()
    quantity = QuantityField()
    from_product = serializers.ChoiceField(choices=PRODUCTS)
    to_product = serializers.ChoiceField(choices=PRODUCTS)
    client_reference = serializers.RegexField(REFERENCE, required=False, max_length=REFERENCE_LENGTH)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["from_product"] == attrs["to_product"]:
            raise serializers.ValidationError({"to_product": "It is in this product already."})
        return attrs


# --- baskets ------------------------------------------------------------------------------------


class LegSerializer(serializers.ModelSerializer[BasketLeg]):
    """One leg: an order's fields."""

    instrument = KeyField(source="instrument.key")
    symbol = serializers.CharField(source="instrument.symbol", read_only=True)
    quantity = QuantityField()
    limit_price = PriceField(required=False, allow_null=True)
    trigger_price = PriceField(required=False, allow_null=True)

    class Meta:
        model = BasketLeg
        fields = [
            "position", "instrument", "symbol", "side", "order_type", "product", "validity", "quantity", "limit_price",
            "trigger_price",
        ]  # fmt: skip
        read_only_fields = ["position"]


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A call spread",
            {
                "account": 3, "name": "February spread",
                "legs": [
                    {
                        "instrument": "NSE_FNO.49081", "side": "BUY", "order_type": "LIMIT", "product": "MARGIN",
                        "quantity": 75, "limit_price": "152.30",
                    },
                    {
                        "instrument": "NSE_FNO.49083", "side": "SELL", "order_type": "LIMIT", "product": "MARGIN",
                        "quantity": 75, "limit_price": "101.10",
                    },
                ],
            },
            request_only=True,
        )
    ]
)  # fmt: skip
class BasketSerializer(serializers.ModelSerializer[Basket]):
    """Up to twenty legs, kept, so that they can be placed again."""

    account = AccountField(source="account_id")
    user = serializers.CharField(source="user.username", read_only=True)
    name = serializers.CharField(max_length=60)
    legs = LegSerializer(many=True, min_length=1, max_length=LEGS_LIMIT)

    class Meta:
        model = Basket
        fields = ["id", "account", "user", "name", "legs", "created_at"]
        read_only_fields = ["id", "created_at"]
        validators: list[Any] = []


class BasketUpdateSerializer(serializers.Serializer[Any]):
    """What may change: the name, and the legs as a whole."""

    name = serializers.CharField(max_length=60, required=False)
    legs = LegSerializer(many=True, min_length=1, max_length=LEGS_LIMIT, required=False)


class BasketsQuerySerializer(serializers.Serializer[Any]):
    """Which baskets."""

    account = AccountField(required=False)


class PlaceBasketSerializer(serializers.Serializer[Any]):
    """A reference for the whole, so that a repeat gets the first answer."""

    client_reference = serializers.RegexField(
        REFERENCE, required=False, max_length=BASKET_REFERENCE_LENGTH, help_text="Each leg's number is added to it."
    )


class LegReportSerializer(serializers.Serializer[Any]):
    """One leg; an empty code: it would be taken."""

    instrument = KeyField()
    side = serializers.ChoiceField(choices=SIDES)
    quantity = serializers.IntegerField()
    code = serializers.CharField(allow_blank=True)
    message = serializers.CharField(allow_blank=True)


class PreviewSerializer(serializers.Serializer[Any]):
    """What it would need. Null: a leg has no price, and its report says so."""

    basket = serializers.IntegerField()
    total = MoneyField(allow_null=True, help_text="What placing it would hold.")
    without_benefit = MoneyField(allow_null=True, help_text="What its legs would hold each alone.")
    benefit = MoneyField(allow_null=True)
    available = MoneyField()
    sufficient = serializers.BooleanField(allow_null=True)
    legs = LegReportSerializer(many=True)
