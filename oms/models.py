"""Orders, what happened to them, their trades, and baskets. Prices are paise."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from oms.core.order import LIVE, OrderStatus, OrderType, Role, Side, Source, Validity
from rms.models import PRODUCTS

USER = settings.AUTH_USER_MODEL


def choices_of(words: type) -> list[tuple[str, str]]:
    return [(word.value, word.value) for word in words]


LIVE_VALUES = sorted(status.value for status in LIVE)


class OrderGroup(models.Model):
    """Orders that belong together: a bracket, one-cancels-other, slices of one quantity, the legs of a basket."""

    class Kind(models.TextChoices):
        BRACKET = "BRACKET", "Entry with target and stop"
        OCO = "OCO", "One cancels the other"
        SLICED = "SLICED", "Slices below the freeze quantity"
        BASKET = "BASKET", "Legs of a basket"

    account = models.ForeignKey("rms.TradingAccount", on_delete=models.PROTECT, related_name="order_groups")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    trailing_jump = models.BigIntegerField(default=0, help_text="Paise the stop follows by; 0: it does not trail.")
    details = models.JSONField(default=dict, blank=True)


class Order(models.Model):
    """One order as it stands. The web process inserts it; after TRANSIT only the execution process changes its status.

    Prices are paise, quantities units (lots on MCX). What a user asks of a live order (cancel, modify) is a
    column that the execution process takes up.
    """

    account = models.ForeignKey("rms.TradingAccount", on_delete=models.PROTECT, related_name="orders")
    user = models.ForeignKey(USER, null=True, on_delete=models.PROTECT, related_name="+", help_text="Who placed it.")
    client_reference = models.CharField(max_length=40)
    request_digest = models.CharField(max_length=64, help_text="SHA-256 of what was asked, for repeats.")
    source = models.CharField(max_length=10, choices=choices_of(Source), default=Source.MANUAL)
    instrument = models.ForeignKey("feeds.Instrument", on_delete=models.PROTECT, related_name="+")
    side = models.CharField(max_length=4, choices=choices_of(Side))
    order_type = models.CharField(max_length=16, choices=choices_of(OrderType))
    validity = models.CharField(max_length=3, choices=choices_of(Validity), default=Validity.DAY)
    product = models.CharField(max_length=8, choices=PRODUCTS)
    quantity = models.BigIntegerField()
    disclosed_quantity = models.BigIntegerField(default=0)
    limit_price = models.BigIntegerField(null=True, blank=True)
    trigger_price = models.BigIntegerField(null=True, blank=True)
    protection_price = models.BigIntegerField(
        null=True, blank=True, help_text="The limit of a market order, from the moment it is matched."
    )
    reduces = models.BooleanField(default=False, help_text="May only make a position smaller; binds no margin.")

    status = models.CharField(max_length=16, choices=choices_of(OrderStatus))
    filled_quantity = models.BigIntegerField(default=0)
    filled_value = models.BigIntegerField(default=0, help_text="Sum of quantity x price of its fills, no multiplier.")
    reason_code = models.CharField(max_length=40, blank=True, help_text="Why it was rejected, cancelled or expired.")
    reason = models.CharField(max_length=200, blank=True)
    triggered = models.BooleanField(default=False)
    sequence = models.IntegerField(default=0, help_text="Of its last event.")

    group = models.ForeignKey(OrderGroup, null=True, blank=True, on_delete=models.PROTECT, related_name="orders")
    role = models.CharField(max_length=8, choices=choices_of(Role), default=Role.SINGLE)
    after_market = models.BooleanField(default=False)
    forever = models.BooleanField(default=False, help_text="Waits for its trigger across days.")
    release_at = models.DateTimeField(null=True, blank=True, help_text="Exchange time at which a QUEUED order is sent.")

    cancel_requested = models.BooleanField(default=False)
    cancel_requested_by = models.ForeignKey(USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    modify_request = models.JSONField(
        null=True, blank=True, help_text="quantity, limit_price, trigger_price, ... by whom"
    )

    trading_date = models.DateField()
    placed_at = models.DateTimeField(help_text="Exchange time.")
    updated_at = models.DateTimeField(help_text="Exchange time of the last event.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["account", "client_reference"], name="order_once"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="order_quantity_positive"),
            models.CheckConstraint(
                condition=models.Q(filled_quantity__gte=0, filled_quantity__lte=models.F("quantity")),
                name="order_filled_within",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "trading_date"], name="order_of_day"),
            models.Index(fields=["status"], condition=models.Q(status__in=LIVE_VALUES), name="order_live"),
            models.Index(
                fields=["id"],
                condition=models.Q(status="TRANSIT")
                | models.Q(status__in=LIVE_VALUES) & (models.Q(cancel_requested=True) | ~models.Q(modify_request=None)),
                name="order_to_execute",
            ),
            models.Index(
                fields=["account", "instrument"],
                condition=models.Q(status__in=LIVE_VALUES),
                name="order_live_of_account",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.side} {self.quantity} {self.instrument_id}"

    @property
    def remaining_quantity(self) -> int:
        return self.quantity - self.filled_quantity


class OrderEvent(models.Model):
    """One thing that happened to an order, by whom and why. Rows are only ever added."""

    class Kind(models.TextChoices):
        PLACED = "PLACED", "Placed"
        REJECTED = "REJECTED", "Rejected"
        RELEASED = "RELEASED", "Sent"
        ACCEPTED = "ACCEPTED", "Accepted by the venue"
        TRIGGERED = "TRIGGERED", "Triggered"
        PROTECTED = "PROTECTED", "Given its protection price"
        FILLED = "FILLED", "Filled"
        MODIFY_REQUESTED = "MODIFY_REQUESTED", "Change asked for"
        MODIFIED = "MODIFIED", "Changed"
        MODIFY_REFUSED = "MODIFY_REFUSED", "Change refused"
        CANCEL_REQUESTED = "CANCEL_REQUESTED", "Cancellation asked for"
        CANCELLED = "CANCELLED", "Cancelled"
        EXPIRED = "EXPIRED", "Expired"
        TRAILED = "TRAILED", "Stop moved"
        CONVERTED = "CONVERTED", "Product converted"

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="events")
    account = models.ForeignKey("rms.TradingAccount", on_delete=models.PROTECT, related_name="+")
    sequence = models.IntegerField()
    kind = models.CharField(max_length=16, choices=Kind.choices)
    status = models.CharField(max_length=16, choices=choices_of(OrderStatus), help_text="After it.")
    actor = models.ForeignKey(USER, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    reason_code = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    details = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField(help_text="Exchange time.")
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["order", "sequence"]
        constraints = [models.UniqueConstraint(fields=["order", "sequence"], name="order_event_once")]
        indexes = [models.Index(fields=["account", "recorded_at"], name="order_event_rate")]


class Trade(models.Model):
    """One fill of one order. Rows are only ever added, by the execution process."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="trades")
    account = models.ForeignKey("rms.TradingAccount", on_delete=models.PROTECT, related_name="trades")
    instrument = models.ForeignKey("feeds.Instrument", on_delete=models.PROTECT, related_name="+")
    number = models.IntegerField(help_text="From 1 within its order: with it the trade's identity.")
    side = models.CharField(max_length=4, choices=choices_of(Side))
    product = models.CharField(max_length=8, choices=PRODUCTS)
    quantity = models.BigIntegerField()
    price = models.BigIntegerField()
    multiplier = models.PositiveIntegerField(default=1)
    trading_date = models.DateField()
    at = models.DateTimeField(help_text="Exchange time.")
    epoch = models.BigIntegerField(help_text="Of the execution process' lease.")
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["order", "number"], name="trade_once"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="trade_quantity_positive"),
            models.CheckConstraint(condition=models.Q(price__gte=0), name="trade_price_not_negative"),
        ]
        indexes = [models.Index(fields=["account", "trading_date"], name="trade_of_day")]


class Basket(models.Model):
    """Up to twenty legs that are checked together and placed together. Kept, so that it can be placed again."""

    account = models.ForeignKey("rms.TradingAccount", on_delete=models.PROTECT, related_name="baskets")
    user = models.ForeignKey(USER, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=60)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["account", "name"], name="basket_name")]

    def __str__(self) -> str:
        return self.name


class BasketLeg(models.Model):
    """One leg: an order's fields, not yet an order."""

    basket = models.ForeignKey(Basket, on_delete=models.CASCADE, related_name="legs")
    position = models.PositiveSmallIntegerField()
    instrument = models.ForeignKey("feeds.Instrument", on_delete=models.PROTECT, related_name="+")
    side = models.CharField(max_length=4, choices=choices_of(Side))
    order_type = models.CharField(max_length=16, choices=choices_of(OrderType))
    product = models.CharField(max_length=8, choices=PRODUCTS)
    validity = models.CharField(max_length=3, choices=choices_of(Validity), default=Validity.DAY)
    quantity = models.BigIntegerField()
    limit_price = models.BigIntegerField(null=True, blank=True)
    trigger_price = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["basket", "position"], name="basket_leg_position"),
            models.CheckConstraint(condition=models.Q(quantity__gt=0), name="basket_leg_quantity_positive"),
        ]
