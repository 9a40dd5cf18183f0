"""Accounts, limits and money in the admin: accounts and limits are edited, everything that is money is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import Model
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET
from unfold.admin import StackedInline
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateFilter, RelatedDropdownFilter
from unfold.decorators import display

from feeds.admin import pretty
from feeds.audited_admin import AuditedAdmin, ReasonForm
from rms import ledger, statements
from rms.book_admin import BookAdmin, BookInline, Tool, moment_text
from rms.models import (
    Entry,
    FundsRequest,
    Hold,
    Holding,
    KillSwitch,
    MarginGroup,
    Position,
    RiskLimits,
    SettlementPrice,
    Statement,
    TradingAccount,
    Transfer,
)
from rms.rupees import RupeesField, decimal_rupees, grouped

MONEY_LIMITS = {
    "order_value": "Most that one order may be worth.",
    "open_order_value": "Most that all open orders may be worth together.",
    "daily_loss": "Of a day, realised and unrealised. When it is reached, new orders are blocked.",
}
BALANCES = """
SELECT id, balance FROM (
    SELECT id, sum(amount) OVER (PARTITION BY ledger_account_id ORDER BY id) AS balance
    FROM rms_entry WHERE ledger_account_id = ANY(%s)
) AS running WHERE id = ANY(%s)
"""
BY_HAND = "BY_HAND"
MANAGE_FUNDS, MANAGE_RISK = "rms.manage_funds", "rms.manage_risk"


# --- accounts and limits ----------------------------------------------------------------------------


class RiskLimitsForm(ReasonForm):
    """Money in rupees; an empty field is no limit."""

    order_value = RupeesField(required=False, minimum=1, help_text=MONEY_LIMITS["order_value"])
    open_order_value = RupeesField(required=False, minimum=1, help_text=MONEY_LIMITS["open_order_value"])
    daily_loss = RupeesField(required=False, minimum=1, help_text=MONEY_LIMITS["daily_loss"])

    class Meta:
        model = RiskLimits
        exclude = ()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if "user" in cleaned and bool(cleaned.get("user")) == bool(cleaned.get("account")):
            raise forms.ValidationError("Limits are of an account or of a user: choose one of the two.")
        return cleaned


class LimitsInlineForm(RiskLimitsForm):
    """Beside its account, which is asked for the reason."""

    reason = None

    class Meta:
        model = RiskLimits
        exclude = ("user",)


class LimitsInline(StackedInline):
    model = RiskLimits
    form = LimitsInlineForm
    extra = 0
    max_num = 1
    can_delete = False
    hide_title = True
    tab = False
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("order_value", "open_order_value"),
                    ("order_quantity", "net_position"),
                    ("orders_per_second", "order_to_trade_ratio"),
                    ("daily_loss", "daily_loss_warn_percent"),
                    ("price_deviation_percent", "square_off_at_loss"),
                )
            },
        ),
    )


def readable_values(form: forms.ModelForm, values: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The trail names money in rupees, as the form did."""
    for name in values:
        if isinstance(form.fields[name], RupeesField):
            values[name] = {"before": grouped(form.initial.get(name)), "after": grouped(form.cleaned_data.get(name))}
    return values


class HoldingInline(BookInline):
    model = Holding
    fields = readonly_fields = ("instrument", "quantity", "cost_rupees")

    @display(description="Cost")
    def cost_rupees(self, row: Holding) -> str:
        return grouped(row.cost)


@admin.register(TradingAccount)
class TradingAccountAdmin(AuditedAdmin):
    """An account is opened with its funds row, and never deleted: its books name it."""

    form = type("TradingAccountForm", (ReasonForm,), {"__doc__": "Asks why."})
    list_display = ("name", "owner", "cash_rupees", "held_rupees", "used_rupees", "available_rupees", "state")
    list_filter = ("enabled", "route")
    search_fields = ("name", "owner__username")
    list_select_related = ("owner", "funds")
    autocomplete_fields = ("owner", "traders")
    inlines = (LimitsInline, HoldingInline)
    fieldsets = (
        (None, {"fields": (("name", "owner"), "traders", "enabled", "reason")}),
        (
            "Funds",
            {
                "fields": (
                    ("cash_rupees", "available_rupees"),
                    ("held_rupees", "used_rupees"),
                    ("floor_rupees", "state"),
                )
            },
        ),
    )
    readonly_fields = ("cash_rupees", "held_rupees", "used_rupees", "available_rupees", "floor_rupees", "state")

    def get_fieldsets(self, request: HttpRequest, obj: TradingAccount | None = None) -> Any:
        return self.fieldsets if obj else self.fieldsets[:1]

    def get_inlines(self, request: HttpRequest, obj: TradingAccount | None) -> Any:
        return self.inlines if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: TradingAccount, form: forms.ModelForm, change: bool) -> None:
        if not change:
            opened = ledger.open_account(name=obj.name, owner=obj.owner)
            enabled, obj.pk, obj._state = obj.enabled, opened.pk, opened._state
            obj.refresh_from_db()
            obj.enabled = enabled
        super().save_model(request, obj, form, change)

    def save_formset(
        self, request: HttpRequest, form: forms.ModelForm, formset: BaseInlineFormSet, change: bool
    ) -> None:
        """The account's entry in the trail carries the limits' values too."""
        super().save_formset(request, form, formset, change)
        for limits in (each for each in formset.forms if each.has_changed()):
            values = readable_values(limits, self.changed_values(limits))
            form.instance._audit_values |= {f"limits.{name}": value for name, value in values.items()}

    @display(description="Cash", ordering="funds__cash")
    def cash_rupees(self, row: TradingAccount) -> str:
        return grouped(row.funds.cash)

    @display(description="Held for orders", ordering="funds__held_margin")
    def held_rupees(self, row: TradingAccount) -> str:
        return grouped(row.funds.held_margin)

    @display(description="Used by positions", ordering="funds__used_margin")
    def used_rupees(self, row: TradingAccount) -> str:
        return grouped(row.funds.used_margin)

    @display(description="Available")
    def available_rupees(self, row: TradingAccount) -> str:
        return grouped(row.funds.available)

    @display(description="Floor")
    def floor_rupees(self, row: TradingAccount) -> str:
        return grouped(row.funds.floor)

    @display(description="State", label={"trades": "success", "deficit": "danger", "disabled": "default"})
    def state(self, row: TradingAccount) -> str:
        if row.funds.deficit:
            return "deficit"
        return "trades" if row.enabled else "disabled"


@admin.register(RiskLimits)
class RiskLimitsAdmin(AuditedAdmin):
    """For who may set limits without editing accounts, and for limits of a user over all accounts."""

    form = RiskLimitsForm
    list_display = ("whose", "order_rupees", "open_order_rupees", "loss_rupees", "orders_per_second", "net_position")
    list_select_related = ("account", "user")
    fieldsets = ((None, {"fields": (("account", "user"),)}), *LimitsInline.fieldsets, ("Why", {"fields": ("reason",)}))

    def changed_values(self, form: forms.ModelForm) -> dict[str, dict[str, str]]:
        return readable_values(form, super().changed_values(form))

    def get_readonly_fields(self, request: HttpRequest, obj: RiskLimits | None = None) -> tuple[str, ...]:
        return ("account", "user") if obj else ()

    @display(description="Of")
    def whose(self, row: RiskLimits) -> str:
        return f"account {row.account}" if row.account_id else f"user {row.user}"

    @display(description="Order value", ordering="order_value")
    def order_rupees(self, row: RiskLimits) -> str:
        return grouped(row.order_value)

    @display(description="Open order value", ordering="open_order_value")
    def open_order_rupees(self, row: RiskLimits) -> str:
        return grouped(row.open_order_value)

    @display(description="Daily loss", ordering="daily_loss")
    def loss_rupees(self, row: RiskLimits) -> str:
        return grouped(row.daily_loss)


# --- decisions that a second person takes -----------------------------------------------------------


def action_link(action: str, label: str, **query: Any) -> SafeString:
    address = reverse("admin:ops_action", args=[action], query=query)
    return format_html('<a class="ops-link" href="{}">{}</a>', address, label)


@admin.register(FundsRequest)
class FundsRequestAdmin(BookAdmin):
    list_display = (
        "asked",
        "account",
        "direction_label",
        "amount_rupees",
        "reason",
        "state_label",
        "decided",
        "decide",
    )
    list_filter = (
        ("account", RelatedDropdownFilter),
        ("state", ChoicesDropdownFilter),
        ("direction", ChoicesDropdownFilter),
        ("requested_at", RangeDateFilter),
    )
    list_select_related = ("account", "requested_by", "decided_by")
    tools = (Tool("Pay in or out", "payments", "request-funds", MANAGE_FUNDS),)
    fields = (
        ("account", "direction", "amount_rupees"),
        "reason",
        ("requested_by", "requested_at"),
        ("state", "decided_by", "decided_at"),
        ("refusal", "transfer"),
    )
    readonly_fields = ("amount_rupees",)

    @display(description="Asked for", ordering="requested_at", header=True)
    def asked(self, row: FundsRequest) -> list[str]:
        return [moment_text(row.requested_at), f"by {row.requested_by}"]

    @display(description="Direction", label={"Pay in": "success", "Pay out": "warning"})
    def direction_label(self, row: FundsRequest) -> str:
        return row.get_direction_display()

    @display(description="Rupees", ordering="amount")
    def amount_rupees(self, row: FundsRequest) -> str:
        return grouped(row.amount)

    @display(description="State", label={"WAITING": "warning", "DONE": "success", "REFUSED": "danger"})
    def state_label(self, row: FundsRequest) -> str:
        return row.state

    @display(description="Decided")
    def decided(self, row: FundsRequest) -> str:
        if row.decided_by is None:
            return "-"
        return f"by {row.decided_by}" + (f": {row.refusal}" if row.refusal else "")

    @display(description="")
    def decide(self, row: FundsRequest) -> SafeString | str:
        if row.state != FundsRequest.State.WAITING:
            return ""
        approve = action_link("approve-funds", "Approve", request=row.pk)
        return format_html("{} &nbsp; {}", approve, action_link("refuse-funds", "Refuse", request=row.pk))


@admin.register(KillSwitch)
class KillSwitchAdmin(BookAdmin):
    list_display = ("scope", "state_label", "engaged", "reason", "released", "release")
    list_filter = (("account", RelatedDropdownFilter), ("engaged_at", RangeDateFilter))
    list_select_related = ("account", "user", "engaged_by", "released_by")
    tools = (Tool("Engage a kill switch", "emergency_home", "engage-kill-switch", MANAGE_RISK),)
    fields = (
        ("account", "user"),
        ("engaged_by", "engaged_at"),
        "reason",
        ("released_by", "released_at"),
        "release_reason",
    )

    @display(description="Stops")
    def scope(self, row: KillSwitch) -> str:
        if row.account_id:
            return f"account {row.account}"
        return f"user {row.user}" if row.user_id else "the whole house"

    @display(description="State", label={"engaged": "danger", "released": "success"})
    def state_label(self, row: KillSwitch) -> str:
        return "released" if row.released_at else "engaged"

    @display(description="Engaged", ordering="engaged_at", header=True)
    def engaged(self, row: KillSwitch) -> list[str]:
        return [moment_text(row.engaged_at), f"by {row.engaged_by or 'the system'}"]

    @display(description="Released")
    def released(self, row: KillSwitch) -> str:
        return f"{moment_text(row.released_at)} by {row.released_by}: {row.release_reason}" if row.released_at else "-"

    @display(description="")
    def release(self, row: KillSwitch) -> SafeString | str:
        return "" if row.released_at else action_link("release-kill-switch", "Release", switch=row.pk)


# --- the ledger -------------------------------------------------------------------------------------


class EntryInline(BookInline):
    model = Entry
    fields = readonly_fields = ("ledger_account", "amount_rupees")

    @display(description="Rupees")
    def amount_rupees(self, row: Entry) -> str:
        return grouped(row.amount)


@admin.register(Transfer)
class TransferAdmin(BookAdmin):
    list_display = (
        "reference",
        "account",
        "kind_label",
        "trading_date",
        "amount_rupees",
        "actor",
        "reason",
        "created_at",
    )
    list_filter = (
        ("account", RelatedDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("trading_date", RangeDateFilter),
    )
    search_fields = ("reference__istartswith", "reason")
    search_help_text = "Reference or reason."
    list_select_related = ("account", "actor")
    inlines = (EntryInline,)
    fields = (
        ("reference", "kind_label"),
        ("account", "trading_date"),
        ("actor", "reason"),
        "what",
        "created_at",
    )
    readonly_fields = ("kind_label", "what")
    export_columns = (
        ("Transfer", lambda row: row.pk),
        ("Reference", lambda row: row.reference),
        ("Kind", lambda row: row.kind),
        ("Account", lambda row: row.account.name),
        ("Trading date", lambda row: row.trading_date),
        ("Rupees", lambda row: decimal_rupees(row.cash_amount)),
        ("Actor", lambda row: row.actor),
        ("Reason", lambda row: row.reason),
        ("Recorded", lambda row: row.created_at.isoformat()),
    )

    def complete(self, rows: Sequence[Transfer]) -> None:
        """What each did to its account's cash."""
        entries = Entry.objects.filter(transfer__in=[row.pk for row in rows], ledger_account__book="CASH")
        amounts = dict(entries.values_list("transfer", "amount"))
        for row in rows:
            row.cash_amount = amounts.get(row.pk, 0)

    @display(description="Kind", ordering="kind")
    def kind_label(self, row: Transfer) -> str:
        return row.kind.replace("_", " ").capitalize()

    @display(description="Rupees")
    def amount_rupees(self, row: Transfer) -> str:
        return grouped(row.cash_amount)

    @display(description="Details")
    def what(self, row: Transfer) -> SafeString | str:
        return pretty(row.details) if row.details else "-"


@admin.register(Entry)
class EntryAdmin(BookAdmin):
    """The ledger as a bank prints it: each line with the balance of its account after it."""

    list_display = ("when", "book", "kind", "received_rupees", "paid_rupees", "balance_rupees", "reference")
    list_filter = (
        ("ledger_account__account", RelatedDropdownFilter),
        ("ledger_account__book", ChoicesDropdownFilter),
        ("transfer__kind", ChoicesDropdownFilter),
        ("transfer__trading_date", RangeDateFilter),
    )
    search_fields = ("transfer__reference__istartswith", "transfer__reason")
    search_help_text = "Reference or reason."
    ordering = ("-pk",)
    list_select_related = ("ledger_account__account", "transfer")
    fields = ("transfer", "ledger_account", "amount_rupees")
    readonly_fields = ("amount_rupees",)
    export_columns = (
        ("Entry", lambda row: row.pk),
        ("Recorded", lambda row: row.transfer.created_at.isoformat()),
        ("Trading date", lambda row: row.transfer.trading_date),
        ("Ledger account", lambda row: row.ledger_account),
        ("Kind", lambda row: row.transfer.kind),
        ("Rupees", lambda row: decimal_rupees(row.amount)),
        ("Balance", lambda row: decimal_rupees(row.balance)),
        ("Reference", lambda row: row.transfer.reference),
        ("Reason", lambda row: row.transfer.reason),
    )

    def complete(self, rows: Sequence[Entry]) -> None:
        """The balances come from all entries of these accounts, whatever the filters hide."""
        balances = balances_after(rows)
        for row in rows:
            row.balance = balances[row.pk]

    @display(description="Recorded", ordering="pk", header=True)
    def when(self, row: Entry) -> list[str]:
        return [moment_text(row.transfer.created_at), f"for {row.transfer.trading_date:%d %b %Y}"]

    @display(description="Ledger account", ordering="ledger_account")
    def book(self, row: Entry) -> str:
        return str(row.ledger_account)

    @display(description="Kind", header=True)
    def kind(self, row: Entry) -> list[str]:
        return [row.transfer.kind.replace("_", " ").capitalize(), row.transfer.reason]

    @display(description="Received")
    def received_rupees(self, row: Entry) -> str:
        return grouped(row.amount) if row.amount > 0 else ""

    @display(description="Paid")
    def paid_rupees(self, row: Entry) -> str:
        return grouped(-row.amount) if row.amount < 0 else ""

    @display(description="Balance")
    def balance_rupees(self, row: Entry) -> str:
        return grouped(row.balance)

    @display(description="Rupees")
    def amount_rupees(self, row: Entry) -> str:
        return grouped(row.amount)

    @display(description="Reference", ordering="transfer__reference")
    def reference(self, row: Entry) -> SafeString:
        address = reverse("admin:rms_transfer_change", args=[row.transfer_id])
        return format_html('<a class="ops-link" href="{}">{}</a>', address, row.transfer.reference)


def balances_after(entries: Sequence[Entry]) -> dict[int, int]:
    """Entry id -> its ledger account's balance once it was posted, in paise."""
    accounts = list({entry.ledger_account_id for entry in entries})
    with connection.cursor() as cursor:
        cursor.execute(BALANCES, [accounts, [entry.pk for entry in entries]])
        return {entry_id: int(balance) for entry_id, balance in cursor.fetchall()}


# --- margin and positions ---------------------------------------------------------------------------


@admin.register(Hold)
class HoldAdmin(BookAdmin):
    list_display = (
        "reference",
        "account",
        "amount_rupees",
        "original_rupees",
        "posted_rupees",
        "state_label",
        "created_at",
    )
    list_filter = (("account", RelatedDropdownFilter), ("state", ChoicesDropdownFilter))
    search_fields = ("reference__istartswith",)
    list_select_related = ("account",)
    ordering = ("-pk",)
    fields = (
        ("reference", "account"),
        ("amount_rupees", "original_rupees", "posted_rupees"),
        ("state", "created_at"),
    )
    readonly_fields = ("amount_rupees", "original_rupees", "posted_rupees")

    @display(description="Still held", ordering="amount")
    def amount_rupees(self, row: Hold) -> str:
        return grouped(row.amount)

    @display(description="At first", ordering="original_amount")
    def original_rupees(self, row: Hold) -> str:
        return grouped(row.original_amount)

    @display(description="Posted")
    def posted_rupees(self, row: Hold) -> str:
        return grouped(row.posted_amount)

    @display(description="State", label={"HELD": "warning", "POSTED": "success", "VOIDED": "default"})
    def state_label(self, row: Hold) -> str:
        return row.state


@admin.register(MarginGroup)
class MarginGroupAdmin(BookAdmin):
    list_display = ("account", "group", "amount_rupees", "policy")
    list_filter = (("account", RelatedDropdownFilter),)
    search_fields = ("group",)
    list_select_related = ("account",)
    ordering = ("account", "group")
    fields = (("account", "group", "amount_rupees"), "what")
    readonly_fields = ("amount_rupees", "what")

    @display(description="Used margin", ordering="used_margin")
    def amount_rupees(self, row: MarginGroup) -> str:
        return grouped(row.used_margin)

    @display(description="By")
    def policy(self, row: MarginGroup) -> str:
        return str(row.details.get("policy", "-"))

    @display(description="Details, in paise")
    def what(self, row: MarginGroup) -> SafeString:
        return pretty(row.details)


@admin.register(Position)
class PositionAdmin(BookAdmin):
    """As stored; with live prices they are on the position monitor."""

    list_display = (
        "account",
        "contract",
        "product",
        "signed_quantity",
        "cost_rupees",
        "realised_rupees",
        "trading_date",
    )
    list_filter = (
        ("account", RelatedDropdownFilter),
        ("product", ChoicesDropdownFilter),
        ("instrument__segment", ChoicesDropdownFilter),
    )
    search_fields = ("instrument__symbol", "instrument__name")
    list_select_related = ("account", "instrument")
    ordering = ("account", "instrument__symbol")
    fields = (
        ("account", "instrument", "product"),
        ("signed_quantity", "cost_rupees", "realised_rupees"),
        ("day_buy_quantity", "bought", "day_sell_quantity", "sold"),
        ("carried_quantity", "carried_at", "trading_date"),
    )
    readonly_fields = ("cost_rupees", "realised_rupees", "bought", "sold", "carried_at")
    export_columns = (
        ("Account", lambda row: row.account.name),
        ("Instrument", lambda row: str(row.instrument.key)),
        ("Name", lambda row: str(row.instrument)),
        ("Product", lambda row: row.product),
        ("Quantity", lambda row: row.signed_quantity),
        ("Cost", lambda row: decimal_rupees(row.open_cost)),
        ("Realised", lambda row: decimal_rupees(row.realised_pnl)),
        ("Trading date", lambda row: row.trading_date),
    )

    @display(description="Instrument", ordering="instrument__symbol", header=True)
    def contract(self, row: Position) -> list[str]:
        return [str(row.instrument), str(row.instrument.key)]

    @display(description="Cost", ordering="open_cost")
    def cost_rupees(self, row: Position) -> str:
        return grouped(row.open_cost)

    @display(description="Realised today", ordering="realised_pnl")
    def realised_rupees(self, row: Position) -> str:
        return grouped(row.realised_pnl)

    @display(description="Bought today for")
    def bought(self, row: Position) -> str:
        return grouped(row.day_buy_value)

    @display(description="Sold today for")
    def sold(self, row: Position) -> str:
        return grouped(row.day_sell_value)

    @display(description="Carried at")
    def carried_at(self, row: Position) -> str:
        return grouped(row.carried_price)


# --- the end of a day -------------------------------------------------------------------------------


class SettlementPriceForm(ReasonForm):
    price = RupeesField(minimum=0)

    class Meta:
        model = SettlementPrice
        fields = ("instrument", "trading_date", "price")


@admin.register(SettlementPrice)
class SettlementPriceAdmin(AuditedAdmin):
    """What the day end found, and what somebody enters because it found none or a wrong one."""

    form = SettlementPriceForm
    list_display = ("instrument", "trading_date", "amount_rupees", "source")
    list_filter = (("trading_date", RangeDateFilter), "source", ("instrument__segment", ChoicesDropdownFilter))
    list_filter_submit = True
    search_fields = ("instrument__symbol", "instrument__name")
    list_select_related = ("instrument",)
    autocomplete_fields = ("instrument",)
    ordering = ("-trading_date", "instrument__symbol")
    fields = (("instrument", "trading_date"), "price", "reason")

    def get_readonly_fields(self, request: HttpRequest, obj: SettlementPrice | None = None) -> tuple[str, ...]:
        return ("instrument", "trading_date") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def changed_values(self, form: forms.ModelForm) -> dict[str, dict[str, str]]:
        return readable_values(form, super().changed_values(form))

    def save_model(self, request: HttpRequest, obj: SettlementPrice, form: forms.ModelForm, change: bool) -> None:
        obj.source = BY_HAND
        super().save_model(request, obj, form, change)

    @display(description="Price", ordering="price")
    def amount_rupees(self, row: SettlementPrice) -> str:
        return grouped(row.price)


@admin.register(Statement)
class StatementAdmin(BookAdmin):
    """A contract note as a page to print and as a file; both are drawn from what was written at the day's end."""

    list_display = ("trading_date", "account", "group", "created_at", "papers")
    list_filter = (("account", RelatedDropdownFilter), ("trading_date", RangeDateFilter))
    list_select_related = ("account",)
    fields = (("account", "trading_date"), ("group", "papers"), "what")
    readonly_fields = ("papers", "what")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/print/", view(self.print_view), name="rms_statement_print"),
            path("<int:pk>/csv/", view(self.csv_view), name="rms_statement_csv"),
            *super().get_urls(),
        ]

    @method_decorator(require_GET)
    def print_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return HttpResponse(statements.render_html(self.statement(request, pk)))

    @method_decorator(require_GET)
    def csv_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        note = self.statement(request, pk)
        response = HttpResponse(statements.render_csv(note), content_type="text/csv; charset=utf-8")
        name = f"statement-{note.account_id}-{note.trading_date}-{note.group}.csv"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def statement(self, request: HttpRequest, pk: int) -> Statement:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return get_object_or_404(Statement.objects.select_related("account"), pk=pk)

    @display(description="Papers")
    def papers(self, row: Statement) -> SafeString:
        page, file = (reverse(f"admin:rms_statement_{name}", args=[row.pk]) for name in ("print", "csv"))
        return format_html(
            '<a class="ops-link" href="{}">Print</a> &nbsp; <a class="ops-link" href="{}">CSV</a>', page, file
        )

    @display(description="Content, in paise")
    def what(self, row: Statement) -> SafeString:
        return pretty(row.content)
