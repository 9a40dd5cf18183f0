"""What the people of the desk may do to money, risk and the day's end, as values beside those of the feed."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminSingleDateWidget

from feeds import jobs
from feeds.clock import exchange_today
from feeds.core.price import PAISE_PER_RUPEE
from feeds.models import JobRun
from oms import services
from oms.core.order import OrderStatus
from oms.errors import OrderError
from oms.models import Order
from rms import funds, kill_switch
from rms.core.product import Product
from rms.errors import RiskError
from rms.market import NoMarketData
from rms.models import FundsRequest, KillSwitch, Position, TradingAccount
from rms.rupees import RupeesField, grouped
from terminal.ops.actions import Action, ActionForm, ActionRefused, Result

MANAGE_FUNDS, MANAGE_RISK = "rms.manage_funds", "rms.manage_risk"
FUNDS_PAGE, SWITCHES_PAGE = "admin:rms_fundsrequest_changelist", "admin:rms_killswitch_changelist"
JOBS_PAGE, POSITIONS_PAGE = "admin:feeds_jobrun_changelist", "admin:ops_positions"


def choice(rows: Any, **options: Any) -> forms.ModelChoiceField:
    return forms.ModelChoiceField(rows, widget=UnfoldAdminSelectWidget(), **options)


# --- funds ------------------------------------------------------------------------------------------


class FundsForm(ActionForm):
    account = choice(TradingAccount.objects.all(), empty_label=None)
    direction = forms.ChoiceField(choices=FundsRequest.Direction.choices, widget=UnfoldAdminSelectWidget())
    amount = RupeesField(minimum=1, label="Rupees")

    def target(self) -> str:
        data = self.cleaned_data
        return f"{data['direction']} {grouped(data['amount'])} rupees, account {data['account']}"


class WaitingRequestField(forms.ModelChoiceField):
    """Says of each request who wants what."""

    def label_from_instance(self, request: FundsRequest) -> str:
        asked = f"{request.get_direction_display()} {grouped(request.amount)}, account {request.account}"
        return f"{asked}, asked by {request.requested_by}: {request.reason}"


class DecisionForm(ActionForm):
    request = WaitingRequestField(
        FundsRequest.objects.filter(state=FundsRequest.State.WAITING).select_related("account", "requested_by"),
        empty_label=None,
        widget=UnfoldAdminSelectWidget(),
    )

    def target(self) -> str:
        return f"funds request {self.cleaned_data['request'].pk}"


def request_funds(data: dict[str, Any], actor: AbstractBaseUser) -> Result:
    asked = {name: data[name] for name in ("account", "direction", "amount", "reason")}
    made = refused_in_words(lambda: funds.request_funds(actor=actor, **asked))
    waits = made.state == FundsRequest.State.WAITING
    word = "waits for a second person" if waits else "is done"
    sentence = f"{made.get_direction_display()} of {grouped(made.amount)} rupees for {made.account} {word}."
    return sentence, {"request": made.pk, "state": made.state}


def approve_funds(data: dict[str, Any], actor: AbstractBaseUser) -> Result:
    made = refused_in_words(lambda: funds.approve(request=data["request"], actor=actor))
    return f"Done: {grouped(made.amount)} rupees, account {made.account}.", {"request": made.pk}


def refuse_funds(data: dict[str, Any], actor: AbstractBaseUser) -> Result:
    made = refused_in_words(lambda: funds.refuse(request=data["request"], actor=actor, reason=data["reason"]))
    return f"Refused: nothing moves in account {made.account}.", {"request": made.pk}


# --- kill switches ----------------------------------------------------------------------------------


class EngageForm(ActionForm):
    account = choice(TradingAccount.objects.all(), required=False, empty_label="-")
    user = choice(get_user_model().objects.order_by("username"), required=False, empty_label="-")
    house = forms.BooleanField(required=False, label="The whole house", help_text="Everybody, in every account.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if sum(bool(cleaned.get(name)) for name in ("account", "user", "house")) != 1:
            raise forms.ValidationError("Choose one: an account, a user, or the whole house.")
        return cleaned

    def target(self) -> str:
        data = self.cleaned_data
        if data["house"]:
            return "the house"
        return f"account {data['account']}" if data["account"] else f"user {data['user']}"


class EngagedSwitchField(forms.ModelChoiceField):
    def label_from_instance(self, switch: KillSwitch) -> str:
        return f"{kill_switch.scope_text(switch)}, by {switch.engaged_by or 'the system'}: {switch.reason}"


class ReleaseSwitchForm(ActionForm):
    switch = EngagedSwitchField(
        KillSwitch.objects.filter(released_at=None).select_related("account", "user", "engaged_by"),
        empty_label=None,
        widget=UnfoldAdminSelectWidget(),
    )

    def target(self) -> str:
        return kill_switch.scope_text(self.cleaned_data["switch"])


def engage(data: dict[str, Any], actor: AbstractBaseUser) -> Result:
    switch = kill_switch.engage(actor=actor, reason=data["reason"], account=data["account"], user=data["user"])
    sentence = f"Stopped: {kill_switch.scope_text(switch)}. Open orders are being cancelled."
    return sentence, {"switch": switch.pk}


def release(data: dict[str, Any], actor: AbstractBaseUser) -> Result:
    asked = {"switch": data["switch"], "reason": data["reason"]}
    switch = refused_in_words(lambda: kill_switch.release(actor=actor, **asked))
    return f"Released: {kill_switch.scope_text(switch)} may trade again.", {"switch": switch.pk}


# --- squaring off -----------------------------------------------------------------------------------


class OpenPositionField(forms.ModelChoiceField):
    def label_from_instance(self, position: Position) -> str:
        return f"{position.account}: {position.signed_quantity} {position.instrument}, {position.product}"


class PositionForm(ActionForm):
    """Offers the one position that the link names: a list of all would be thousands long."""

    position = OpenPositionField(Position.objects.none(), empty_label=None, widget=UnfoldAdminSelectWidget())

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        named = str(self.data.get("position") or self.initial.get("position") or "")
        if named.isdigit():
            rows = Position.objects.exclude(signed_quantity=0).select_related("account", "instrument")
            self.fields["position"].queryset = rows.filter(pk=int(named))

    def target(self) -> str:
        return OpenPositionField.label_from_instance(self.fields["position"], self.cleaned_data["position"])


class TradingAccountForm(ActionForm):
    account = choice(TradingAccount.objects.all(), empty_label=None)

    def target(self) -> str:
        return f"account {self.cleaned_data['account']}"


class EverybodyForm(ActionForm):
    def target(self) -> str:
        return "intraday positions of all accounts"


def square_off_position(data: dict[str, Any], actor: AbstractBaseUser) -> Result:
    position = data["position"]
    orders = refused_in_words(
        lambda: services.square_off(position.account, actor, positions=[position], reason=data["reason"])
    )
    return sent(orders), {"orders": [order.pk for order in orders]}


def square_off_account(data: dict[str, Any], actor: AbstractBaseUser) -> Result:
    orders = refused_in_words(lambda: services.square_off(data["account"], actor, reason=data["reason"]))
    return sent(orders), {"orders": [order.pk for order in orders]}


def square_off_intraday(data: dict[str, Any], actor: AbstractBaseUser) -> Result:
    """Account by account, each in its own transaction: one that cannot be closed does not keep the others open."""
    rows = Position.objects.filter(product=Product.INTRADAY).exclude(signed_quantity=0)
    ordered = rows.select_related("account", "instrument").order_by("account_id", "pk")
    orders, refusals = [], []
    for account, positions in groupby(ordered, key=lambda position: position.account):
        try:
            orders += services.square_off(account, actor, positions=list(positions), reason=data["reason"])
        except REFUSALS as refusal:
            refusals.append(f"{account}: {refusal}")
    return " ".join([sent(orders), *refusals]), {}


def sent(orders: list[Order]) -> str:
    """What became of them, with the first refusal in its own words."""
    refused = [order for order in orders if order.status == OrderStatus.REJECTED]
    if not orders:
        return "Nothing is open there."
    if not refused:
        return f"{len(orders)} closing {'order is' if len(orders) == 1 else 'orders are'} on the way."
    return f"{len(orders) - len(refused)} closing orders are on the way; {len(refused)} refused: {refused[0].reason}"


# --- the day's end ----------------------------------------------------------------------------------


class JobForm(ActionForm):
    job = forms.ChoiceField(
        choices=lambda: [(job.name, job.name) for job in jobs.JOBS], widget=UnfoldAdminSelectWidget()
    )
    trading_date = forms.DateField(initial=exchange_today, widget=UnfoldAdminSingleDateWidget())

    def clean_trading_date(self) -> Any:
        day = self.cleaned_data["trading_date"]
        if day > exchange_today():
            raise forms.ValidationError("That day has not come yet.")
        return day

    def target(self) -> str:
        return f"{self.cleaned_data['job']} of {self.cleaned_data['trading_date']}"


def run_job(data: dict[str, Any], actor: AbstractBaseUser) -> Result:
    day = data["trading_date"]
    job = next(job for job in jobs.JOBS if job.name == data["job"])
    run = jobs.run_once(job.name, day, lambda: job.step(day), job.claim_seconds)
    if run is None:
        raise ActionRefused(f"{job.name} of {day} is done already, or being done now. It is not done twice.")
    if run.status == JobRun.Status.FAILED:
        raise ActionRefused(f"{job.name} of {day} failed: {run.report.get('error', 'see its report')}")
    return f"{job.name} of {day} is done.", {"run": run.pk}


# --- words and table --------------------------------------------------------------------------------


def refused_in_words(call: Any) -> Any:
    """What it returns, or ActionRefused with the sentence of whoever refused."""
    try:
        return call()
    except REFUSALS as refusal:
        raise ActionRefused(str(refusal)) from refusal


REFUSALS = (RiskError, OrderError, NoMarketData, kill_switch.SamePerson)

TRADING_ACTIONS = (
    Action(
        "request-funds",
        "Pay in or out",
        "payments",
        "Money comes into or leaves a trading account, against the bank. "
        f"More than {grouped(settings.FUNDS_APPROVAL_RUPEES * PAISE_PER_RUPEE)} rupees waits for a second person.",
        FundsForm,
        request_funds,
        permission=MANAGE_FUNDS,
        page=FUNDS_PAGE,
    ),
    Action(
        "approve-funds",
        "Approve",
        "check",
        "The money moves now. Who asked for it cannot approve it.",
        DecisionForm,
        approve_funds,
        permission=MANAGE_FUNDS,
        page=FUNDS_PAGE,
    ),
    Action(
        "refuse-funds",
        "Refuse",
        "block",
        "Nothing moves, and the request is closed with your reason.",
        DecisionForm,
        refuse_funds,
        permission=MANAGE_FUNDS,
        page=FUNDS_PAGE,
    ),
    Action(
        "engage-kill-switch",
        "Engage",
        "emergency_home",
        "New orders are refused at once and open orders are cancelled. Positions stay and can be closed. "
        "Only another person can release it.",
        EngageForm,
        engage,
        warning="This stops trading.",
        permission=MANAGE_RISK,
        page=SWITCHES_PAGE,
    ),
    Action(
        "release-kill-switch",
        "Release",
        "lock_open",
        "Trading goes on. Who engaged the switch cannot release it.",
        ReleaseSwitchForm,
        release,
        permission=MANAGE_RISK,
        page=SWITCHES_PAGE,
    ),
    Action(
        "square-off-position",
        "Square off",
        "directions_run",
        "The instrument's open orders in this account are cancelled and the position is closed by a protected market "
        "order.",
        PositionForm,
        square_off_position,
        warning="This trades.",
        permission=MANAGE_RISK,
        page=POSITIONS_PAGE,
    ),
    Action(
        "square-off-account",
        "Square off the account",
        "directions_run",
        "All open positions of the account, of every product, are closed by protected market orders; open orders in "
        "their instruments are cancelled first.",
        TradingAccountForm,
        square_off_account,
        warning="This trades.",
        permission=MANAGE_RISK,
        page=POSITIONS_PAGE,
    ),
    Action(
        "square-off-intraday",
        "Square off all intraday",
        "directions_run",
        "Every INTRADAY position of every account is closed by a protected market order; open orders in their "
        "instruments are cancelled first.",
        EverybodyForm,
        square_off_intraday,
        warning="This trades, in all accounts.",
        permission=MANAGE_RISK,
        page=POSITIONS_PAGE,
        in_transaction=False,  # each account is one of its own
    ),
    Action(
        "run-job",
        "Run a missed job",
        "replay",
        "Runs one job of a trading day now, unless it is done. A job that is done is never done twice.",
        JobForm,
        run_job,
        page=JOBS_PAGE,
        in_transaction=False,  # a job claims its run, works and writes its end in transactions of its own
    ),
)
