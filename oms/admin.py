"""The order book and the trade book in the admin: looked at, filtered and exported. Nothing here changes an order."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RelatedDropdownFilter
from unfold.decorators import display

from feeds.core.instrument import ExchangeSegment
from feeds.models import Instrument
from oms.core.order import OrderStatus, Side, Validity
from oms.models import Order, OrderEvent, Trade
from rms.book_admin import BookAdmin, BookInline, clock_text
from rms.rupees import decimal_rupees, grouped

STATUS_LABELS = {
    OrderStatus.QUEUED.value: "info",
    OrderStatus.TRANSIT.value: "info",
    OrderStatus.TRIGGER_PENDING.value: "warning",
    OrderStatus.OPEN.value: "primary",
    OrderStatus.PARTIALLY_FILLED.value: "primary",
    OrderStatus.FILLED.value: "success",
    OrderStatus.CANCELLED.value: "default",
    OrderStatus.EXPIRED.value: "default",
    OrderStatus.REJECTED.value: "danger",
    OrderStatus.UNKNOWN.value: "danger",
}
SIDE_LABELS = {Side.BUY.value: "info", Side.SELL.value: "danger"}
BOOK_FILTERS = (
    ("account", RelatedDropdownFilter),
    ("side", ChoicesDropdownFilter),
    ("product", ChoicesDropdownFilter),
    ("instrument__segment", ChoicesDropdownFilter),
    ("trading_date", RangeDateFilter),
)


def instrument_header(instrument: Instrument) -> list[str]:
    """What it is called, and below it the key that the API knows it by."""
    return [str(instrument), str(instrument.key)]


def average_price(order: Order) -> int | None:
    """Paise, to look at; the exact figure is filled_value / filled_quantity."""
    return round(order.filled_value / order.filled_quantity) if order.filled_quantity else None


def details_text(details: dict[str, Any]) -> str:
    """What an event carries, in words; its prices are paise inside."""
    words = [
        f"{name.replace('_', ' ')} {grouped(value) if name.endswith('price') and value is not None else value}"
        for name, value in details.items()
    ]
    return ", ".join(words) or "-"


class EventInline(BookInline):
    """What happened to the order, in its sequence."""

    model = OrderEvent
    verbose_name_plural = "Timeline"
    fields = readonly_fields = ("sequence", "at", "kind", "status_label", "actor", "why", "what")
    ordering = ("sequence",)

    @display(description="Status", label=STATUS_LABELS)
    def status_label(self, row: OrderEvent) -> str:
        return row.status

    @display(description="Reason")
    def why(self, row: OrderEvent) -> str:
        return " ".join(part for part in (row.reason_code, row.reason) if part) or "-"

    @display(description="Details")
    def what(self, row: OrderEvent) -> str:
        return details_text(row.details)


class TradeInline(BookInline):
    model = Trade
    fields = readonly_fields = ("number", "at", "quantity", "price_rupees", "value_rupees", "epoch")
    ordering = ("number",)

    @display(description="Price")
    def price_rupees(self, row: Trade) -> str:
        return grouped(row.price)

    @display(description="Value")
    def value_rupees(self, row: Trade) -> str:
        return grouped(trade_value(row))


def trade_value(trade: Trade) -> int:
    return trade.quantity * trade.price * trade.multiplier


@admin.register(Order)
class OrderAdmin(BookAdmin):
    list_display = (
        "placed",
        "account",
        "contract",
        "side_label",
        "kind",
        "filled",
        "asked_rupees",
        "average_rupees",
        "status_label",
        "why",
    )
    list_filter = (("status", ChoicesDropdownFilter), *BOOK_FILTERS, ("source", ChoicesDropdownFilter))
    search_fields = ("instrument__symbol", "instrument__name", "client_reference__istartswith")
    search_help_text = "Symbol, name or client reference."
    list_select_related = ("account", "instrument")
    list_fullwidth = True
    inlines = (EventInline, TradeInline)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("account", "user", "source"),
                    ("instrument", "side", "product"),
                    ("order_type", "validity", "role"),
                    ("quantity", "filled_quantity", "disclosed_quantity"),
                    ("limit_rupees", "trigger_rupees", "protection_rupees"),
                    ("average_rupees", "status", "why"),
                )
            },
        ),
        (
            "Its life",
            {
                "fields": (
                    ("client_reference", "group", "sequence"),
                    ("after_market", "forever", "reduces"),
                    ("placed_at", "updated_at", "release_at"),
                    ("cancel_requested", "cancel_requested_by", "modify_request"),
                )
            },
        ),
    )
    readonly_fields = ("limit_rupees", "trigger_rupees", "protection_rupees", "average_rupees", "why")
    export_columns = (
        ("Order", lambda row: row.pk),
        ("Placed", lambda row: row.placed_at.isoformat()),
        ("Account", lambda row: row.account.name),
        ("Instrument", lambda row: str(row.instrument.key)),
        ("Name", lambda row: str(row.instrument)),
        ("Side", lambda row: row.side),
        ("Type", lambda row: row.order_type),
        ("Validity", lambda row: row.validity),
        ("Product", lambda row: row.product),
        ("Quantity", lambda row: row.quantity),
        ("Filled", lambda row: row.filled_quantity),
        ("Limit price", lambda row: decimal_rupees(row.limit_price)),
        ("Trigger price", lambda row: decimal_rupees(row.trigger_price)),
        ("Average price", lambda row: decimal_rupees(average_price(row))),
        ("Status", lambda row: row.status),
        ("Reason code", lambda row: row.reason_code),
        ("Reason", lambda row: row.reason),
        ("Source", lambda row: row.source),
        ("Client reference", lambda row: row.client_reference),
    )

    @display(description="Placed", ordering="placed_at", header=True)
    def placed(self, row: Order) -> list[str]:
        return [clock_text(row.placed_at), f"{row.trading_date:%-d %b}, no. {row.pk}"]

    @display(description="Instrument", ordering="instrument__symbol", header=True)
    def contract(self, row: Order) -> list[str]:
        return instrument_header(row.instrument)

    @display(description="Side", ordering="side", label=SIDE_LABELS)
    def side_label(self, row: Order) -> str:
        return row.side

    @display(description="Type", header=True)
    def kind(self, row: Order) -> list[str]:
        words = row.order_type.replace("_", " ").capitalize()
        return [words, row.product if row.validity == Validity.DAY else f"{row.product} {row.validity}"]

    @display(description="Filled", ordering="quantity")
    def filled(self, row: Order) -> str:
        return f"{row.filled_quantity} / {row.quantity}"

    @display(description="Limit / trigger", ordering="limit_price")
    def asked_rupees(self, row: Order) -> str:
        return grouped(row.limit_price) + (f" / {grouped(row.trigger_price)}" if row.trigger_price else "")

    @display(description="Limit", ordering="limit_price")
    def limit_rupees(self, row: Order) -> str:
        return grouped(row.limit_price)

    @display(description="Trigger", ordering="trigger_price")
    def trigger_rupees(self, row: Order) -> str:
        return grouped(row.trigger_price)

    @display(description="Protection price")
    def protection_rupees(self, row: Order) -> str:
        return grouped(row.protection_price)

    @display(description="Average")
    def average_rupees(self, row: Order) -> str:
        return grouped(average_price(row))

    @display(description="Status", ordering="status", label=STATUS_LABELS)
    def status_label(self, row: Order) -> str:
        return row.status

    @display(description="Reason")
    def why(self, row: Order) -> str:
        return row.reason or row.reason_code or "-"


@admin.register(Trade)
class TradeAdmin(BookAdmin):
    list_display = (
        "time",
        "account",
        "contract",
        "side_label",
        "product",
        "quantity",
        "price_rupees",
        "value_rupees",
        "order",
    )
    list_filter = BOOK_FILTERS
    search_fields = ("instrument__symbol", "instrument__name", "order__client_reference__istartswith")
    search_help_text = "Symbol, name or the order's client reference."
    list_select_related = ("account", "instrument", "order")
    fields = (
        ("order", "number"),
        ("account", "instrument"),
        ("side", "product"),
        ("quantity", "multiplier"),
        ("price_rupees", "value_rupees"),
        ("trading_date", "at", "recorded_at"),
        "epoch",
    )
    readonly_fields = ("price_rupees", "value_rupees")
    export_columns = (
        ("Order", lambda row: row.order_id),
        ("Trade", lambda row: row.number),
        ("Time", lambda row: row.at.isoformat()),
        ("Account", lambda row: row.account.name),
        ("Instrument", lambda row: str(row.instrument.key)),
        ("Name", lambda row: str(row.instrument)),
        ("Segment", lambda row: ExchangeSegment(row.instrument.segment).name),
        ("Side", lambda row: row.side),
        ("Product", lambda row: row.product),
        ("Quantity", lambda row: row.quantity),
        ("Price", lambda row: decimal_rupees(row.price)),
        ("Multiplier", lambda row: row.multiplier),
        ("Value", lambda row: decimal_rupees(trade_value(row))),
        ("Client reference", lambda row: row.order.client_reference),
    )

    @display(description="Time", ordering="at", header=True)
    def time(self, row: Trade) -> list[str]:
        return [clock_text(row.at), f"{row.trading_date:%-d %b}, no. {row.order_id}-{row.number}"]

    @display(description="Instrument", ordering="instrument__symbol", header=True)
    def contract(self, row: Trade) -> list[str]:
        return instrument_header(row.instrument)

    @display(description="Side", ordering="side", label=SIDE_LABELS)
    def side_label(self, row: Trade) -> str:
        return row.side

    @display(description="Price", ordering="price")
    def price_rupees(self, row: Trade) -> str:
        return grouped(row.price)

    @display(description="Value")
    def value_rupees(self, row: Trade) -> str:
        return grouped(trade_value(row))
