"""The market's rows in the admin: chains, holidays and accounts are edited, the rest is looked at."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import date
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget

from feeds import credentials, interest, services
from feeds.audited_admin import AuditedAdmin, ReadOnlyAdmin, ReasonForm
from feeds.chain_effect import effect_of
from feeds.clock import exchange_today, wall_now
from feeds.core.instrument import OPTION_TYPES, ExchangeSegment
from feeds.core.price import rupees_text
from feeds.models import AuditEntry, ChainDefinition, DhanAccount, Holiday, Instrument, JobRun, Lease

SLOT_FIELDS = ("weekly", "monthly", "quarterly", "half_yearly")
MOST_SLOTS = 60
"""Of one kind. No exchange lists nearly as many; a typing mistake has one digit too many."""
MOST_STRIKES = 201
LABELS = {"RUNNING": "info", "DONE": "success", "FAILED": "danger"}


class ChainDefinitionForm(ReasonForm):
    """Says in a sentence what is wrong, and with which field."""

    class Meta:
        model = ChainDefinition
        fields = (
            "underlying_symbol",
            "segment",
            "account",
            "enabled",
            *SLOT_FIELDS,
            "weekly_counts_monthly_week",
            "strikes",
            "sides",
            "position",
        )

    def clean_underlying_symbol(self) -> str:
        return str(self.cleaned_data["underlying_symbol"]).strip().upper()

    def clean_strikes(self) -> int:
        strikes = int(self.cleaned_data["strikes"])
        if strikes % 2 == 0:
            raise forms.ValidationError(
                "Strikes is an odd number: ATM in the middle, as many above as below (e.g. %(less)s or %(more)s).",
                params={"less": max(strikes - 1, 1), "more": strikes + 1},
            )
        if strikes > MOST_STRIKES:
            raise forms.ValidationError(f"At most {MOST_STRIKES} strikes: no expiry lists more.")
        return strikes

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        for name in SLOT_FIELDS:
            if (cleaned.get(name) or 0) > MOST_SLOTS:
                self.add_error(name, f"At most {MOST_SLOTS} slots of a kind.")
        if not self.errors:
            self._check_slots(cleaned)
            self._check_underlying(cleaned["underlying_symbol"], cleaned["segment"])
        if not self.errors and cleaned["enabled"]:
            self._check_capacity(cleaned)
        return cleaned

    def _check_slots(self, cleaned: dict[str, Any]) -> None:
        if not any(cleaned[name] for name in SLOT_FIELDS):
            raise forms.ValidationError("A chain needs at least one expiry slot of some kind.")
        is_commodity = cleaned["segment"] == ExchangeSegment.MCX_COMM
        if is_commodity and (extra := [name for name in SLOT_FIELDS if name != "monthly" and cleaned[name]]):
            self.add_error(extra[0], "MCX lists monthly options only.")
        if cleaned["weekly_counts_monthly_week"] and not cleaned["weekly"]:
            self.add_error("weekly_counts_monthly_week", "It counts among the weeklies, and there are none.")

    def _check_underlying(self, symbol: str, segment: int) -> None:
        """Only against a master that has this segment's options: before the first import nothing can be known."""
        listed = Instrument.objects.filter(segment=segment, is_listed=True, instrument_type__in=OPTION_TYPES)
        if listed.exists() and not listed.filter(underlying_symbol=symbol).exists():
            name = ExchangeSegment(segment).name
            self.add_error("underlying_symbol", f"Today's instruments list no options of {symbol} in {name}.")

    def _check_capacity(self, cleaned: dict[str, Any]) -> None:
        """What would not fit is not saved. Saving declares it under a lock, should another be quicker."""
        fields = {name: held for name, held in cleaned.items() if name != "reason"}
        try:
            effect = effect_of(ChainDefinition(pk=self.instance.pk, **fields))
        except KeyError:
            raise forms.ValidationError("No expiry rule fits this underlying and segment.") from None
        if effect.sentence:
            raise forms.ValidationError(effect.sentence)


@admin.register(ChainDefinition)
class ChainDefinitionAdmin(AuditedAdmin):
    """The editor of Tier B. The preview beside the form is worked out by /admin/ops/chains/preview."""

    form = ChainDefinitionForm
    list_display = ("chain", "account", "slots", "window", "numbers", "atm", "enabled")
    list_filter = ("segment", "account", "enabled")
    search_fields = ("underlying_symbol",)
    list_select_related = ("account", "state")
    change_form_before_template = "admin/ops/chain_preview.html"
    fieldsets = (
        (None, {"fields": (("underlying_symbol", "segment"), ("account", "position"), "enabled")}),
        (
            "Expiry slots",
            {
                "fields": (("weekly", "monthly"), ("quarterly", "half_yearly"), "weekly_counts_monthly_week"),
                "description": "How many expiries of each kind. Two slots that name one date are one expiry.",
            },
        ),
        ("Strikes", {"fields": (("strikes", "sides"), "reason")}),
    )

    @display(description="Chain", header=True, ordering="underlying_symbol")
    def chain(self, row: ChainDefinition) -> list[str]:
        return [row.underlying_symbol, ExchangeSegment(row.segment).name]

    @display(description="Slots")
    def slots(self, row: ChainDefinition) -> str:
        parts = [f"{getattr(row, name)} {name.replace('_', '-')}" for name in SLOT_FIELDS if getattr(row, name)]
        return " + ".join(parts) or "none"

    @display(description="Strikes")
    def window(self, row: ChainDefinition) -> str:
        sides = row.get_sides_display()
        return f"{row.strikes}, {sides[0].lower()}{sides[1:]}"

    @display(description="Nominal / unique / listed")
    def numbers(self, row: ChainDefinition) -> str:
        state = getattr(row, "state", None)
        return f"{state.nominal} / {state.unique} / {state.listed}" if state else "not resolved yet"

    @display(description="ATM")
    def atm(self, row: ChainDefinition) -> str:
        state = getattr(row, "state", None)
        return rupees_text(state.atm_strike).removesuffix(".00") if state and state.atm_strike else "-"

    def save_model(self, request: HttpRequest, obj: ChainDefinition, form: forms.ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        transaction.on_commit(lambda: resolve_again(request))

    def delete_model(self, request: HttpRequest, obj: ChainDefinition) -> None:
        super().delete_model(request, obj)
        transaction.on_commit(lambda: resolve_again(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ChainDefinition]) -> None:
        super().delete_queryset(request, queryset)
        transaction.on_commit(lambda: resolve_again(request))


@admin.register(Instrument)
class InstrumentAdmin(ReadOnlyAdmin):
    list_display = (
        "contract",
        "segment",
        "instrument_type",
        "expiry",
        "strike_rupees",
        "option_type",
        "lot_size",
        "tick_rupees",
        "is_listed",
    )
    list_filter = ("segment", "instrument_type", "option_type", "is_listed")
    search_fields = ("symbol", "name", "underlying_symbol", "isin", "security_id")
    search_help_text = "Symbol, name, underlying, ISIN or security id."
    show_full_result_count = False  # counting 200,000 rows again for every search is the slow part
    list_per_page = 50

    @display(description="Instrument", header=True, ordering="symbol")
    def contract(self, row: Instrument) -> list[str]:
        return [row.symbol, row.name]

    @display(description="Strike", ordering="strike")
    def strike_rupees(self, row: Instrument) -> str:
        return rupees_text(row.strike) if row.strike is not None else "-"

    @display(description="Tick", ordering="tick_size")
    def tick_rupees(self, row: Instrument) -> str:
        return rupees_text(row.tick_size)


class HolidayForm(ReasonForm):
    """`known_from` decides which past answers change, so it may not lie after the day itself."""

    class Meta:
        model = Holiday
        fields = ("exchange", "date", "name", "morning_open", "evening_open", "known_from")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        day, known_from = cleaned.get("date"), cleaned.get("known_from")
        if day and known_from and known_from > day:
            self.add_error("known_from", "It cannot have been announced after the day itself.")
        if cleaned.get("exchange") == Holiday.Exchange.NSE_BSE and cleaned.get("evening_open"):
            self.add_error("evening_open", "NSE and BSE have no evening session: tick the morning for a whole day.")
        return cleaned


@admin.register(Holiday)
class HolidayAdmin(AuditedAdmin):
    form = HolidayForm
    list_display = ("date", "exchange", "name", "opens", "known_from")
    list_filter = ("exchange",)
    search_fields = ("name",)
    date_hierarchy = "date"

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        today: date = exchange_today()
        return {"known_from": today, **super().get_changeform_initial_data(request)}

    @display(description="Trades")
    def opens(self, row: Holiday) -> str:
        if row.exchange == Holiday.Exchange.NSE_BSE:
            return "whole day" if row.morning_open else "closed"
        halves = [name for name, is_open in (("morning", row.morning_open), ("evening", row.evening_open)) if is_open]
        return " and ".join(halves) or "closed"


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    list_display = ("job", "trading_date", "state", "attempts", "started_at", "finished_at")
    list_filter = ("job", "status")
    date_hierarchy = "trading_date"
    fields = ("job", "trading_date", "status", "attempts", "claimed_until", "started_at", "finished_at", "what_it_did")
    list_before_template = "admin/ops/job_tools.html"

    @display(description="Status", label=LABELS, ordering="status")
    def state(self, row: JobRun) -> str:
        return row.status

    @display(description="Report")
    def what_it_did(self, row: JobRun) -> SafeString:
        return pretty(row.report)


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin):
    list_display = ("name", "holder", "epoch", "expires_at", "is_held")

    @display(description="Held", label={"held": "success", "expired": "danger"})
    def is_held(self, row: Lease) -> str:
        return "held" if row.expires_at > wall_now() else "expired"


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "action", "target", "reason", "address")
    list_filter = ("action", "actor")
    search_fields = ("target", "reason", "actor__username")
    date_hierarchy = "at"
    list_select_related = ("actor",)
    fields = ("at", "actor", "action", "target", "reason", "address", "all_details")

    @display(description="Details")
    def all_details(self, row: AuditEntry) -> SafeString:
        return pretty(row.details)


def secret_field(label: str, help_text: str) -> forms.CharField:
    """A field that is written and never read back."""
    widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
    return forms.CharField(label=label, required=False, help_text=help_text, widget=widget, max_length=4096)


class DhanAccountForm(ReasonForm):
    """Secrets go in and never come out: the fields are always empty, and empty keeps what is stored."""

    new_access_token = secret_field("Access token", "From Dhan's developer page. Empty keeps the stored one.")
    new_pin = secret_field("PIN", "Four to six digits. Empty keeps the stored one.")
    new_totp_secret = secret_field("TOTP secret", "The base32 key behind Dhan's authenticator code. Empty keeps it.")

    class Meta:
        model = DhanAccount
        fields = ("name", "client_id", "enabled", "token_expires_at")

    def clean_client_id(self) -> str:
        client_id = str(self.cleaned_data["client_id"]).strip()
        if not client_id.isdigit():
            raise forms.ValidationError("Dhan's client id is a number of about ten digits.")
        return client_id

    def clean_new_access_token(self) -> str:
        token = str(self.cleaned_data["new_access_token"]).strip()
        if any(letter.isspace() or not letter.isprintable() for letter in token):
            raise forms.ValidationError("The token holds a blank or a line break: paste it in one piece.")
        return token

    def clean_new_pin(self) -> str:
        pin = str(self.cleaned_data["new_pin"]).strip()
        if pin and not (pin.isdigit() and 4 <= len(pin) <= 6):
            raise forms.ValidationError("The PIN has four to six digits.")
        return pin

    def clean_new_totp_secret(self) -> str:
        secret = str(self.cleaned_data["new_totp_secret"]).replace(" ", "").upper()
        try:
            base64.b32decode(secret + "=" * (-len(secret) % 8))
        except binascii.Error:
            raise forms.ValidationError("The secret is base32: letters A to Z and digits 2 to 7.") from None
        return secret

    def secrets(self) -> dict[str, str]:
        """Column -> text, of those that were filled in."""
        return {name: text for name in credentials.SEALED_FIELDS if (text := self.cleaned_data.get(f"new_{name}"))}


@admin.register(DhanAccount)
class DhanAccountAdmin(AuditedAdmin):
    form = DhanAccountForm
    secret_fields = tuple(f"new_{name}" for name in credentials.SEALED_FIELDS)
    list_display = ("name", "client_id", "enabled", "stored", "token_expires_at", "credential_version")
    readonly_fields = ("stored", "credential_version")
    fieldsets = (
        (None, {"fields": (("name", "client_id"), "enabled")}),
        (
            "Credentials",
            {
                "fields": (
                    "stored",
                    "new_access_token",
                    "token_expires_at",
                    ("new_pin", "new_totp_secret"),
                    "credential_version",
                ),
                "description": "Sealed before they are stored, and never shown again.",
            },
        ),
        ("Why", {"fields": ("reason",)}),
    )

    @display(description="Stored secrets")
    def stored(self, row: DhanAccount) -> str:
        names = [name.replace("_", " ") for name in credentials.SEALED_FIELDS if row.pk and getattr(row, name)]
        return ", ".join(names) or "none"

    def save_model(self, request: HttpRequest, obj: DhanAccount, form: DhanAccountForm, change: bool) -> None:
        super().save_model(request, obj, form, change)  # first: a secret is bound to its row's primary key
        if secrets := form.secrets():
            for name, text in secrets.items():
                credentials.seal(obj, name, text)
            obj.credential_version += 1
            obj.save(update_fields=[*secrets, "credential_version"])
        transaction.on_commit(lambda: interest.nudge(obj.pk))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """An account is disabled, not deleted: its chains and its history name it."""
        return False


def pretty(value: Any) -> SafeString:
    return format_html('<pre class="ops-json">{}</pre>', json.dumps(value, indent=2, ensure_ascii=False, default=str))


def resolve_again(request: HttpRequest) -> None:
    """After a commit: what was saved is saved, and a rebuild that does not fit says so beside it."""
    try:
        services.rebuild_chains()
    except interest.CapacityExceeded as error:
        messages.error(request, f"Saved, but not subscribed: {error}.")
