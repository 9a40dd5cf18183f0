"""How money and exposure look in REST: rupees as text, times in IST, keys as NSE_FNO.49081."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from feeds.core.instrument import InstrumentKey
from feeds.core.price import MAXIMUM_PAISE, paise_from_rupees, rupees_text
from feeds.serializers import KeyField, MoneyField
from rms.core.charges import Line
from rms.core.product import Product
from rms.core.statement import average_text
from rms.models import (
    Entry,
    Funds,
    FundsRequest,
    Holding,
    KillSwitch,
    RiskLimits,
    Statement,
    TradingAccount,
    Transfer,
)

PRODUCTS = [product.value for product in Product]
LARGEST_ID = 2**63 - 1
QUANTITY_LIMIT = 10**9
"""Units in one request: more than any freeze quantity, and values stay within a bigint."""
MONEY_LIMIT = 10**15
"""Paise; a thousand crore rupees at once is a mistake."""
LEGS_LIMIT = 20
FACTS_LIMIT = 1000
REASON_LENGTH = 200
PNL_METHOD = "MOVING_AVERAGE"
"""Realised profit is against the moving average of the open quantity; statements show first-in-first-out beside it."""


class RupeesField(serializers.DecimalField):
    """Rupees with at most two decimals, as text or number outside; whole paise inside. Limits are in paise."""

    def __init__(self, *, least: int = 0, most: int = MONEY_LIMIT, **options: Any) -> None:
        bounds = [
            MinValueValidator(least, f"At least {rupees_text(least)}."),
            MaxValueValidator(most, f"At most {rupees_text(most)}."),
        ]
        super().__init__(max_digits=16, decimal_places=2, coerce_to_string=True, **options)
        self.validators += bounds

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, bool):
            self.fail("invalid")
        return paise_from_rupees(super().to_internal_value(data))

    def to_representation(self, value: int | Decimal) -> str:
        return rupees_text(int(value))


class PriceField(RupeesField):
    """A price: at least one paisa, and no more than a tick can hold."""

    def __init__(self, *, least: int = 1, **options: Any) -> None:
        super().__init__(least=least, most=MAXIMUM_PAISE, **options)


class QuantityField(serializers.IntegerField):
    """Units, lots on MCX."""

    def __init__(self, *, min_value: int = 1, **options: Any) -> None:
        super().__init__(min_value=min_value, max_value=QUANTITY_LIMIT, **options)


class CodeField(serializers.CharField):
    """An instrument's key of the code in the database."""

    def to_representation(self, value: int) -> str:
        return str(InstrumentKey.from_code(value))


class AccountField(serializers.IntegerField):
    """A trading account's id."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=LARGEST_ID, **options)


class ReasonSerializer(serializers.Serializer[Any]):
    """Why somebody does what is recorded."""

    reason = serializers.CharField(max_length=REASON_LENGTH)


# --- accounts -----------------------------------------------------------------------------------


class AccountSerializer(serializers.ModelSerializer[TradingAccount]):
    """Whose money it is. `can_trade`: you may place orders here, and not only look."""

    owner = serializers.CharField(source="owner.username", read_only=True)
    can_trade = serializers.SerializerMethodField()

    class Meta:
        model = TradingAccount
        fields = ["id", "name", "owner", "route", "enabled", "can_trade", "created_at"]
        read_only_fields = fields

    @extend_schema_field(serializers.BooleanField())
    def get_can_trade(self, account: TradingAccount) -> bool:
        return account.pk in self.context["tradable"]


class FactSerializer(serializers.Serializer[Any]):
    """One fact as the websocket carries it: prices in whole paise, times in epoch milliseconds."""

    offset = serializers.IntegerField()
    kind = serializers.CharField()
    body = serializers.DictField()


class FactsSerializer(serializers.Serializer[Any]):
    """Facts after an offset, oldest first. `more`: ask again after the last of these."""

    account = serializers.IntegerField()
    offset = serializers.IntegerField(help_text="Of the account's latest fact.")
    facts = FactSerializer(many=True)
    more = serializers.BooleanField()


class FactsQuerySerializer(serializers.Serializer[Any]):
    """Which facts."""

    after = serializers.IntegerField(min_value=0, max_value=LARGEST_ID, default=0, help_text="The last offset you have")
    limit = serializers.IntegerField(min_value=1, max_value=FACTS_LIMIT, default=FACTS_LIMIT)


# --- books --------------------------------------------------------------------------------------


class FundsSerializer(serializers.ModelSerializer[Funds]):
    """What the account has and what of it is bound. available = cash - held_margin - used_margin."""

    account = serializers.IntegerField(source="pk", read_only=True)
    cash = MoneyField(read_only=True)
    held_margin = MoneyField(read_only=True, help_text="By orders that are not filled yet.")
    used_margin = MoneyField(read_only=True, help_text="By positions.")
    available = MoneyField(read_only=True)
    floor = MoneyField(read_only=True, help_text="What orders and withdrawals must leave available.")

    class Meta:
        model = Funds
        fields = ["account", "cash", "held_margin", "used_margin", "available", "floor", "deficit"]
        read_only_fields = fields


class PositionSerializer(serializers.Serializer[Any]):
    """One instrument in one product. Marked live at the last traded price; null where nothing is known of it."""

    instrument = serializers.CharField()
    symbol = serializers.CharField()
    product = serializers.ChoiceField(choices=PRODUCTS)
    quantity = serializers.IntegerField(help_text="Signed: negative is short.")
    multiplier = serializers.IntegerField()
    average_price = MoneyField(allow_null=True, help_text="Of what is open, rounded to the paisa.")
    open_cost = MoneyField(help_text="Exact, signed like the quantity.")
    last_price = MoneyField(allow_null=True)
    priced_at = serializers.DateTimeField(allow_null=True, help_text="When that price's packet was received.")
    stale = serializers.BooleanField(help_text="The price is old: its feed is silent or nobody feeds it.")
    unrealised_pnl = MoneyField(allow_null=True)
    realised_pnl = MoneyField(help_text="Of the trading date, before charges.")
    day_buy_quantity = serializers.IntegerField()
    day_buy_value = MoneyField()
    day_sell_quantity = serializers.IntegerField()
    day_sell_value = MoneyField()
    carried_quantity = serializers.IntegerField()
    carried_price = MoneyField()
    trading_date = serializers.DateField()


class PositionsSerializer(serializers.Serializer[Any]):
    """The day's positions, closed ones too. Sums leave out what has no price, and then `complete` is false."""

    account = serializers.IntegerField()
    pnl_method = serializers.ChoiceField(choices=[PNL_METHOD])
    unrealised_pnl = MoneyField()
    realised_pnl = MoneyField()
    complete = serializers.BooleanField()
    positions = PositionSerializer(many=True)


class PositionsQuerySerializer(serializers.Serializer[Any]):
    """Which positions."""

    open = serializers.BooleanField(default=False, help_text="Leave out what was closed today.")


class HoldingSerializer(serializers.ModelSerializer[Holding]):
    """Settled shares."""

    instrument = CodeField(source="instrument_id", read_only=True)
    symbol = serializers.CharField(source="instrument.symbol", read_only=True)
    cost = MoneyField(read_only=True)

    class Meta:
        model = Holding
        fields = ["instrument", "symbol", "quantity", "cost"]
        read_only_fields = fields


class LedgerEntrySerializer(serializers.ModelSerializer[Entry]):
    """One movement of the account's cash. Positive: received."""

    reference = serializers.CharField(source="transfer.reference", read_only=True)
    kind = serializers.ChoiceField(source="transfer.kind", choices=Transfer.Kind.choices, read_only=True)
    amount = MoneyField(read_only=True)
    trading_date = serializers.DateField(source="transfer.trading_date", read_only=True)
    actor = serializers.CharField(source="transfer.actor.username", default=None, read_only=True, allow_null=True)
    reason = serializers.CharField(source="transfer.reason", read_only=True)
    created_at = serializers.DateTimeField(source="transfer.created_at", read_only=True)

    class Meta:
        model = Entry
        fields = ["id", "reference", "kind", "amount", "trading_date", "actor", "reason", "created_at"]
        read_only_fields = fields


class LedgerQuerySerializer(serializers.Serializer[Any]):
    """Which movements."""

    first = serializers.DateField(required=False, help_text="Trading dates from this one on")
    last = serializers.DateField(required=False, help_text="and up to this one.")
    kind = serializers.ChoiceField(choices=Transfer.Kind.choices, required=False)


class StatementSerializer(serializers.ModelSerializer[Statement]):
    """A day as it was closed, without its content."""

    account = serializers.IntegerField(source="account_id", read_only=True)

    class Meta:
        model = Statement
        fields = ["id", "account", "trading_date", "group", "created_at"]
        read_only_fields = fields


COUNTED = frozenset({"quantity", "account"})
"""Whole numbers in a statement that are no money."""


def content_in_rupees(value: Any, name: str = "") -> Any:
    """A statement's content, stored in paise, as REST tells it."""
    if isinstance(value, dict):
        return {key: content_in_rupees(each, key) for key, each in value.items()}
    if name == "lots":
        return [{"quantity": quantity, "price": rupees_text(price)} for quantity, price in value]
    if name == "average":
        return average_text(value)
    if isinstance(value, list):
        return [content_in_rupees(each, name) for each in value]
    return rupees_text(value) if type(value) is int and name not in COUNTED else value


class StatementDetailSerializer(StatementSerializer):
    """With its content: trades, charges by line, settlement and balances."""

    content = serializers.SerializerMethodField()

    @extend_schema_field(serializers.DictField())
    def get_content(self, note: Statement) -> dict[str, Any]:
        return content_in_rupees(note.content)

    class Meta(StatementSerializer.Meta):
        fields = [*StatementSerializer.Meta.fields, "content"]


# --- money in and out ---------------------------------------------------------------------------


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Pay in", {"direction": "IN", "amount": "100000.00", "reason": "Transfer of 2 February"}, request_only=True
        )
    ]
)
class FundsRequestSerializer(serializers.ModelSerializer[FundsRequest]):
    """Money in or out that somebody asks for; above a threshold a second person approves it."""

    account = serializers.IntegerField(source="account_id", read_only=True)
    amount = RupeesField(least=1)
    reason = serializers.CharField(max_length=REASON_LENGTH)
    requested_by = serializers.CharField(source="requested_by.username", read_only=True)
    decided_by = serializers.CharField(source="decided_by.username", default=None, read_only=True, allow_null=True)

    class Meta:
        model = FundsRequest
        fields = [
            "id", "account", "direction", "amount", "reason", "state", "requested_by", "requested_at", "decided_by",
            "decided_at", "refusal",
        ]  # fmt: skip
        read_only_fields = ["id", "account", "state", "requested_at", "decided_at", "refusal"]


# --- limits and kill switches -------------------------------------------------------------------


class LimitsSerializer(serializers.ModelSerializer[RiskLimits]):
    """Null: no such limit."""

    order_value = RupeesField(allow_null=True, required=False)
    open_order_value = RupeesField(allow_null=True, required=False)
    order_quantity = QuantityField(min_value=0, allow_null=True, required=False)
    net_position = QuantityField(min_value=0, allow_null=True, required=False)
    daily_loss = RupeesField(allow_null=True, required=False)
    orders_per_second = serializers.IntegerField(min_value=0, max_value=1000, allow_null=True, required=False)
    daily_loss_warn_percent = serializers.IntegerField(min_value=1, max_value=100, required=False)
    price_deviation_percent = serializers.DecimalField(
        max_digits=5, decimal_places=2, min_value=Decimal(0), allow_null=True, required=False
    )
    order_to_trade_ratio = serializers.IntegerField(min_value=0, max_value=10**6, allow_null=True, required=False)

    class Meta:
        model = RiskLimits
        fields = [
            "order_value", "open_order_value", "order_quantity", "net_position", "orders_per_second", "daily_loss",
            "daily_loss_warn_percent", "square_off_at_loss", "price_deviation_percent", "order_to_trade_ratio",
        ]  # fmt: skip


class AccountLimitsSerializer(serializers.Serializer[Any]):
    """The account's own limits, and what holds for you on it: the stricter of its and yours."""

    account = LimitsSerializer(allow_null=True)
    effective = LimitsSerializer()


class KillSwitchSerializer(serializers.ModelSerializer[KillSwitch]):
    """One stop of trading: of an account, of a user, or (neither) of the whole house."""

    scope = serializers.SerializerMethodField()
    account = serializers.IntegerField(source="account_id", read_only=True, allow_null=True)
    user = serializers.CharField(source="user.username", default=None, read_only=True, allow_null=True)
    engaged_by = serializers.CharField(
        source="engaged_by.username", default=None, read_only=True, allow_null=True, help_text="Null: a limit did it."
    )
    released_by = serializers.CharField(source="released_by.username", default=None, read_only=True, allow_null=True)

    class Meta:
        model = KillSwitch
        fields = [
            "id", "scope", "account", "user", "engaged_by", "engaged_at", "reason", "released_by", "released_at",
            "release_reason",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=["ACCOUNT", "USER", "HOUSE"]))
    def get_scope(self, switch: KillSwitch) -> str:
        if switch.account_id is not None:
            return "ACCOUNT"
        return "USER" if switch.user_id is not None else "HOUSE"


class SwitchesQuerySerializer(serializers.Serializer[Any]):
    """Which kill switches."""

    standing = serializers.BooleanField(default=False, help_text="Leave out those that were released.")


@extend_schema_serializer(
    examples=[
        OpenApiExample("An account", {"scope": "ACCOUNT", "account": 3, "reason": "Orders look wrong"}),
        OpenApiExample("Myself", {"scope": "USER", "reason": "Enough for today"}),
        OpenApiExample("The house", {"scope": "HOUSE", "reason": "Prices look wrong"}),
    ]
)
class EngageSerializer(ReasonSerializer):
    """Whom to stop."""

    scope = serializers.ChoiceField(choices=["ACCOUNT", "USER", "HOUSE"])
    account = AccountField(required=False)
    user = serializers.CharField(required=False, max_length=150, help_text="Default: yourself.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs["scope"] == "ACCOUNT") != ("account" in attrs):
            raise serializers.ValidationError({"account": "Give the account, with scope ACCOUNT and no other."})
        if attrs["scope"] != "USER" and "user" in attrs:
            raise serializers.ValidationError({"user": "Only with scope USER."})
        return attrs


# --- margin and charges -------------------------------------------------------------------------


class PlannedSerializer(serializers.Serializer[Any]):
    """An order that could be placed."""

    instrument = KeyField()
    side = serializers.ChoiceField(choices=["BUY", "SELL"])
    product = serializers.ChoiceField(choices=PRODUCTS)
    quantity = QuantityField()
    price = PriceField(required=False, help_text="Default: the last traded price.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A short straddle's first leg",
            {
                "account": 3,
                "orders": [
                    {
                        "instrument": "NSE_FNO.49081",
                        "side": "SELL",
                        "product": "MARGIN",
                        "quantity": 75,
                        "price": "152.30",
                    }
                ],
            },
            request_only=True,
        )
    ]
)
class MarginRequestSerializer(serializers.Serializer[Any]):
    """One order or a basket, on top of an account's positions and open orders."""

    account = AccountField()
    orders = PlannedSerializer(many=True, min_length=1, max_length=LEGS_LIMIT)


class NeededSerializer(serializers.Serializer[Any]):
    """What one of them must hold, those before it counted in."""

    instrument = KeyField()
    amount = MoneyField()


class GroupMarginSerializer(serializers.Serializer[Any]):
    """What the account's positions in one underlying bind."""

    group = serializers.CharField()
    before = MoneyField()
    after = MoneyField()


class PortfolioMarginSerializer(serializers.Serializer[Any]):
    """The orders as one portfolio. `total` is bound while they are held; `to_open` is needed to begin."""

    scan = MoneyField()
    calendar_charge = MoneyField()
    short_option_minimum = MoneyField()
    span = MoneyField()
    net_option_value = MoneyField(help_text="Long positive, short negative.")
    span_after_option_value = MoneyField()
    exposure = MoneyField()
    expiry_day = MoneyField()
    delivery = MoneyField()
    share_margin = MoneyField()
    premium = MoneyField()
    total = MoneyField()
    to_open = MoneyField()
    policy = serializers.CharField(help_text="Which rules and parameters it comes from.")
    is_estimate = serializers.BooleanField()


class MarginSerializer(serializers.Serializer[Any]):
    """What the orders need. `benefit` is what they save by being together: `alone` less the portfolio's `to_open`."""

    account = serializers.IntegerField()
    trading_date = serializers.DateField()
    total = MoneyField(help_text="What placing them in this order would hold.")
    alone = MoneyField(help_text="What each would need by itself, added up.")
    benefit = MoneyField()
    available = MoneyField()
    sufficient = serializers.BooleanField()
    needed = NeededSerializer(many=True)
    groups = GroupMarginSerializer(many=True)
    together = PortfolioMarginSerializer()


class ChargesRequestSerializer(serializers.Serializer[Any]):
    """Orders as if each was executed whole at its price, today."""

    orders = PlannedSerializer(many=True, min_length=1, max_length=LEGS_LIMIT)


class ChargeLineSerializer(serializers.Serializer[Any]):
    """One line of a contract note."""

    line = serializers.ChoiceField(choices=[line.value for line in Line])
    amount = MoneyField()


class ChargesSerializer(serializers.Serializer[Any]):
    """What they would cost, by the tariff of the trading date."""

    trading_date = serializers.DateField()
    total = MoneyField()
    lines = ChargeLineSerializer(many=True)
