"""How the market looks in REST: rupees as text, times in IST, keys as NSE_FNO.49081."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from feeds import clock
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType, OptionType
from feeds.core.option_chain import ForwardSource
from feeds.core.price import paise_from_rupees, rupees_text
from feeds.core.tick import TickFlag
from feeds.models import ChainDefinition, Instrument

SEGMENTS = [segment.name for segment in ExchangeSegment]
QUOTES_LIMIT = 1000
PRICES = ("last_price", "average_price", "day_open", "day_high", "day_low", "previous_close")
QUANTITIES = ("last_quantity", "volume", "total_buy_quantity", "total_sell_quantity", "open_interest")


class KeyField(serializers.CharField):
    """An instrument's key: NSE_FNO.49081."""

    def to_internal_value(self, data: Any) -> InstrumentKey:
        try:
            return InstrumentKey.parse(super().to_internal_value(data))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None

    def to_representation(self, value: Any) -> str:
        return str(value)


class MoneyField(serializers.CharField):
    """Paise inside, rupees with two decimals as text outside."""

    def to_representation(self, value: int) -> str:
        return rupees_text(value)


class SideField(serializers.ChoiceField):
    """CALL or PUT; null of what is no option."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[side.value for side in OptionType], **options)

    def to_representation(self, value: str) -> str | None:
        return value or None


class SegmentField(serializers.ChoiceField):
    """A segment's name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=SEGMENTS, **options)

    def to_internal_value(self, data: Any) -> ExchangeSegment:
        return ExchangeSegment[super().to_internal_value(data)]

    def to_representation(self, value: int) -> str:
        return ExchangeSegment(value).name


class InstrumentSerializer(serializers.ModelSerializer[Instrument]):
    """One listed instrument."""

    instrument = KeyField(source="key", read_only=True)
    segment = SegmentField(read_only=True)
    strike = MoneyField(read_only=True, allow_null=True)
    option_type = SideField(read_only=True, allow_null=True)
    tick_size = MoneyField(read_only=True)
    lower_limit = MoneyField(read_only=True, allow_null=True)
    upper_limit = MoneyField(read_only=True, allow_null=True)

    class Meta:
        model = Instrument
        fields = [
            "instrument", "segment", "security_id", "instrument_type", "symbol", "name", "underlying_symbol", "expiry",
            "strike", "option_type", "lot_size", "tick_size", "multiplier", "freeze_quantity", "lower_limit",
            "upper_limit", "isin", "series", "is_listed", "listed_on",
        ]  # fmt: skip
        read_only_fields = fields


class InstrumentFilterSerializer(serializers.Serializer[Any]):
    """What a list of instruments may be narrowed by."""

    q = serializers.CharField(required=False, max_length=120, help_text="Search words: nifty 26000 ce")
    segment = SegmentField(required=False)
    type = serializers.ChoiceField(choices=[kind.value for kind in InstrumentType], required=False)
    underlying = serializers.CharField(required=False, max_length=64)
    expiry = serializers.DateField(required=False)
    strike = serializers.DecimalField(required=False, max_digits=12, decimal_places=2, help_text="Rupees")

    def columns(self) -> dict[str, Any]:
        """The filters by column, prices in paise."""
        given = self.validated_data
        strike = given.get("strike")
        wanted = {
            "segment": given.get("segment"),
            "instrument_type": given.get("type"),
            "underlying_symbol": given["underlying"].upper() if "underlying" in given else None,
            "expiry": given.get("expiry"),
            "strike": None if strike is None else paise_from_rupees(strike),
        }
        return {name: value for name, value in wanted.items() if value is not None}


class QuoteRequestSerializer(serializers.Serializer[Any]):
    """Whose quotes."""

    instruments = serializers.ListField(child=KeyField(), min_length=1, max_length=QUOTES_LIMIT)


class DepthLevelSerializer(serializers.Serializer[Any]):
    """One level of the market's depth, both sides; a side without orders there has no price."""

    bid_price = MoneyField(allow_null=True)
    bid_quantity = serializers.IntegerField()
    bid_orders = serializers.IntegerField()
    ask_price = MoneyField(allow_null=True)
    ask_quantity = serializers.IntegerField()
    ask_orders = serializers.IntegerField()


class QuoteSerializer(serializers.Serializer[Any]):
    """The last known state of one instrument. Money is null until it was seen."""

    instrument = serializers.CharField()
    last_price = serializers.CharField(allow_null=True)
    average_price = serializers.CharField(allow_null=True)
    day_open = serializers.CharField(allow_null=True)
    day_high = serializers.CharField(allow_null=True)
    day_low = serializers.CharField(allow_null=True)
    previous_close = serializers.CharField(allow_null=True)
    last_quantity = serializers.IntegerField()
    volume = serializers.IntegerField()
    total_buy_quantity = serializers.IntegerField()
    total_sell_quantity = serializers.IntegerField()
    open_interest = serializers.IntegerField()
    last_traded_at = serializers.DateTimeField(allow_null=True)
    as_of = serializers.DateTimeField(help_text="When its last packet was received.")
    age_seconds = serializers.FloatField()
    stale = serializers.BooleanField(help_text="Its connection or segment is silent or down.")
    flags = serializers.ListField(child=serializers.ChoiceField(choices=[str(flag.name) for flag in TickFlag]))
    depth = DepthLevelSerializer(many=True)


class QuotesSerializer(serializers.Serializer[Any]):
    """Quotes of those asked for that have ever been fed; the others are named."""

    quotes = QuoteSerializer(many=True)
    missing = serializers.ListField(child=serializers.CharField())


class MissingSerializer(serializers.Serializer[Any]):
    """Contracts that the slots name and that are not there, and why."""

    expiry = serializers.DateField(allow_null=True)
    reason = serializers.CharField()
    count = serializers.IntegerField()


class ChainSerializer(serializers.ModelSerializer[ChainDefinition]):
    """One always-on chain with its four numbers: nominal, unique, listed (null: not resolved yet), subscribed."""

    segment = SegmentField(read_only=True)
    underlying = serializers.CharField(source="underlying_symbol", read_only=True)
    account = serializers.CharField(source="account.name", read_only=True)
    trading_date = serializers.DateField(source="state.trading_date", default=None, read_only=True, allow_null=True)
    reference = KeyField(source="state.reference.key", default=None, read_only=True, allow_null=True)
    atm_strike = MoneyField(source="state.atm_strike", default=None, read_only=True, allow_null=True)
    nominal = serializers.IntegerField(source="state.nominal", default=None, read_only=True, allow_null=True)
    unique = serializers.IntegerField(source="state.unique", default=None, read_only=True, allow_null=True)
    listed = serializers.IntegerField(source="state.listed", default=None, read_only=True, allow_null=True)
    subscribed = serializers.SerializerMethodField()
    missing = MissingSerializer(source="state.missing", many=True, default=None, read_only=True, allow_null=True)
    expiries = serializers.SerializerMethodField()

    class Meta:
        model = ChainDefinition
        fields = [
            "id", "segment", "underlying", "account", "weekly", "weekly_counts_monthly_week", "monthly", "quarterly",
            "half_yearly", "strikes", "sides", "trading_date", "reference", "atm_strike", "nominal", "unique", "listed",
            "subscribed", "missing", "expiries",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(serializers.IntegerField(allow_null=True, help_text="Null: its feed is down."))
    def get_subscribed(self, definition: ChainDefinition) -> int | None:
        return self.context["subscribed"].get(definition.pk)

    @extend_schema_field(serializers.ListField(child=serializers.DateField()))
    def get_expiries(self, definition: ChainDefinition) -> list[str]:
        return [day.isoformat() for day in self.context["expiries"].get(definition.pk, [])]


class ContractSerializer(serializers.Serializer[Any]):
    """One option with its quote; null when it has never been fed."""

    instrument = serializers.CharField()
    symbol = serializers.CharField()
    strike = serializers.CharField()
    option_type = serializers.CharField()
    quote = QuoteSerializer(allow_null=True)


class AnalyticsSerializer(serializers.Serializer[Any]):
    """What was computed last of a chain (docs/analytics.md): money is text, null is what cannot be said."""

    model = serializers.CharField()
    rate = serializers.FloatField(help_text="Percent, continuous.")
    rate_date = serializers.DateField()
    at = serializers.IntegerField(help_text="Exchange time, epoch milliseconds.")
    years = serializers.FloatField(help_text="To the last trading minute; 0: expired.")
    forward = MoneyField(allow_null=True)
    forward_source = serializers.ChoiceField(choices=[source.value for source in ForwardSource], allow_null=True)
    synthetic_future = MoneyField(allow_null=True)
    atm_strike = MoneyField(allow_null=True)
    atm_iv = serializers.FloatField(allow_null=True, help_text="Percent.")
    straddle = MoneyField(allow_null=True)
    skew = serializers.FloatField(allow_null=True, help_text="IV of the 25 delta put less the call's.")
    pcr_oi = serializers.FloatField(allow_null=True)
    pcr_volume = serializers.FloatField(allow_null=True)
    max_pain = MoneyField(allow_null=True)
    first_strike = MoneyField(help_text="Ratios and pain are over the strikes from this one")
    last_strike = MoneyField(help_text="to this one.")
    iv_rank = serializers.FloatField(allow_null=True)
    iv_rank_reason = serializers.CharField(allow_null=True)
    instruments = serializers.ListField(child=serializers.CharField(), help_text="Whose the rows are, in order.")
    columns = serializers.ListField(child=serializers.CharField())
    rows = serializers.ListField(child=serializers.ListField())


class ChainDetailSerializer(serializers.Serializer[Any]):
    """The listed options of one underlying and expiry."""

    segment = serializers.CharField()
    underlying = serializers.CharField()
    expiry = serializers.DateField()
    reference = serializers.CharField(allow_null=True)
    reference_quote = QuoteSerializer(allow_null=True)
    atm_strike = serializers.CharField(allow_null=True)
    contracts = ContractSerializer(many=True)
    analytics = AnalyticsSerializer(allow_null=True, help_text="Null: nothing was computed of it yet.")


class UnderlyingSerializer(serializers.Serializer[Instrument]):
    """What options are listed on, as its nearest expiry has it."""

    segment = SegmentField()
    underlying = serializers.CharField(source="underlying_symbol")
    instrument_type = serializers.CharField()
    lot_size = serializers.IntegerField()
    multiplier = serializers.IntegerField()
    next_expiry = serializers.DateField(source="expiry")


class ExpiriesFilterSerializer(serializers.Serializer[Any]):
    """Whose expiries."""

    segment = SegmentField()
    underlying = serializers.CharField(max_length=64)


class ExpiriesSerializer(serializers.Serializer[Any]):
    """The days on which an underlying's listed options expire, from today on."""

    segment = SegmentField()
    underlying = serializers.CharField()
    expiries = serializers.ListField(child=serializers.DateField())


class CapacitySerializer(serializers.Serializer[Any]):
    """Subscriptions by class; an instrument counts once, in the first class that wants it."""

    capacity = serializers.IntegerField()
    tier_b = serializers.IntegerField()
    references = serializers.IntegerField()
    tier_a = serializers.IntegerField()
    used = serializers.IntegerField()
    free = serializers.IntegerField()


class ConnectionSerializer(serializers.Serializer[Any]):
    """What one websocket to Dhan carries, as its feed process says."""

    index = serializers.IntegerField()
    state = serializers.CharField()
    subscribed = serializers.IntegerField()
    placed = serializers.IntegerField()


class AccountCapacitySerializer(CapacitySerializer):
    """One account's capacity, and its connections (none: its feed is down)."""

    account = serializers.IntegerField()
    name = serializers.CharField()
    connections = ConnectionSerializer(many=True)


class SubscriptionsSerializer(serializers.Serializer[Any]):
    """Capacity in sum and by account."""

    total = CapacitySerializer()
    accounts = AccountCapacitySerializer(many=True)


class FeedSerializer(serializers.Serializer[Any]):
    """A feed process's word about itself. Down, all but the first three are absent."""

    account = serializers.IntegerField()
    name = serializers.CharField()
    state = serializers.CharField()
    status = serializers.DictField(help_text="As published each second; see docs/architecture.md.")


class SegmentStatusSerializer(serializers.Serializer[Any]):
    """One segment now."""

    segment = SegmentField()
    phase = serializers.CharField()
    open = serializers.DateTimeField(allow_null=True)
    close = serializers.DateTimeField(allow_null=True)
    holiday = serializers.CharField(help_text="Name of today's holiday or special session, if any.")


class MarketStatusSerializer(serializers.Serializer[Any]):
    """The exchange's clock and what each segment does at this moment."""

    exchange_time = serializers.DateTimeField()
    master_date = serializers.DateField(allow_null=True)
    segments = SegmentStatusSerializer(many=True)


def quote(row: np.void, now_nanoseconds: int) -> dict[str, Any]:
    """One row of the board as REST shows it. `now_nanoseconds` is wall time, as its stamp is."""
    received_at, traded_at = int(row["received_at"]), int(row["last_traded_at"])
    flags = TickFlag(int(row["flags"]))
    return {
        "instrument": str(InstrumentKey.from_code(int(row["code"]))),
        **{name: rupees_text(int(row[name])) if row[name] > 0 else None for name in PRICES},
        **{name: int(row[name]) for name in QUANTITIES},
        "last_traded_at": _ist(traded_at) if traded_at else None,
        "as_of": _ist(received_at / 1e9),
        "age_seconds": round(max(0, now_nanoseconds - received_at) / 1e9, 3),
        "stale": TickFlag.STALE in flags,
        "flags": [str(flag.name) for flag in flags],
        "depth": [_depth_level(level) for level in row["depth"]],
    }


def _depth_level(level: np.void) -> dict[str, Any]:
    prices = {name: rupees_text(int(level[name])) if level[name] > 0 else None for name in ("bid_price", "ask_price")}
    sizes = ("bid_quantity", "bid_orders", "ask_quantity", "ask_orders")
    return prices | {name: int(level[name]) for name in sizes}


def _ist(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone(clock.IST).isoformat(timespec="milliseconds")
