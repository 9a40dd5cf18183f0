"""What an operator may do to the running system, as values: a name, a form and one function each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django import forms
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from feeds import audit, interest, services
from feeds.core.instrument import ExchangeSegment
from feeds.models import DhanAccount

REASON_MINIMUM = 4
"""Enough for a word: an empty reason explains nothing to whoever reads the trail."""
OPERATE = "feeds.operate_feed"
INTERRUPTS = "This interrupts live prices for those who watch them."
TIER_A_SEGMENTS = (
    ExchangeSegment.NSE_EQ,
    ExchangeSegment.NSE_FNO,
    ExchangeSegment.BSE_EQ,
    ExchangeSegment.BSE_FNO,
    ExchangeSegment.MCX_COMM,
    ExchangeSegment.IDX_I,
)


class ActionRefused(Exception):
    """What was asked cannot be done; the sentence is for who asked, and nothing has changed."""


class ActionForm(forms.Form):
    """Every action asks why."""

    reason = forms.CharField(
        min_length=REASON_MINIMUM,
        max_length=audit.REASON_LENGTH,
        help_text="Kept in the audit trail with your name, the time and your address.",
        widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True}),
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """The reason is asked for last, whatever else a form asks."""
        super().__init__(*arguments, **options)
        self.order_fields([name for name in self.fields if name != "reason"])

    def target(self) -> str:
        return "all accounts"


class AccountForm(ActionForm):
    account = forms.ModelChoiceField(DhanAccount.objects.all(), empty_label=None, widget=UnfoldAdminSelectWidget())

    def target(self) -> str:
        return f"account {self.cleaned_data['account']}"


class ConnectionForm(AccountForm):
    connection = forms.IntegerField(
        min_value=1,
        max_value=settings.FEED_CONNECTIONS,
        help_text=f"1 to {settings.FEED_CONNECTIONS}, as on the dashboard.",
        widget=UnfoldAdminIntegerFieldWidget(),
    )

    def target(self) -> str:
        return f"account {self.cleaned_data['account']}, connection {self.cleaned_data['connection']}"


class ReleaseForm(ActionForm):
    segments = forms.TypedMultipleChoiceField(
        choices=[(segment.value, segment.name) for segment in TIER_A_SEGMENTS],
        coerce=lambda value: ExchangeSegment(int(value)),
        help_text="Tier A of these segments ends for everyone. Watchlists stay; opening one takes it up again.",
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )

    def target(self) -> str:
        return "Tier A of " + ", ".join(segment.name for segment in self.cleaned_data["segments"])


Result = tuple[str, dict[str, Any]]
"""What to tell, and what to keep in the trail."""
Run = Callable[[dict[str, Any], AbstractBaseUser], Result]


@dataclass(frozen=True)
class Action:
    """`run` takes the valid form's data and who asked.

    `warning` is what the page says in colour before a button that it also colours. `page` is where it leads
    afterwards. `in_transaction`: it and its entry in the trail are one transaction; what asks somebody else on
    its way, or is a transaction of its own, has its entry written first.
    """

    name: str
    title: str
    icon: str
    explanation: str
    form: type[ActionForm]
    run: Run
    warning: str = ""
    permission: str = OPERATE
    page: str = "admin:index"
    in_transaction: bool = True


def tell_feed(account: DhanAccount, message: dict[str, Any]) -> None:
    """Send a command to the account's feed process once this transaction is committed."""
    send = async_to_sync(get_channel_layer().send)
    transaction.on_commit(lambda: send(f"feed-{account.pk}", message))


def resync(data: dict[str, Any], actor: AbstractBaseUser) -> Result:
    tell_feed(data["account"], {"type": "sync.now"})
    return f"{data['account']} compares what is wanted with what is subscribed now.", {}


def reconnect(data: dict[str, Any], actor: AbstractBaseUser) -> Result:
    index = data["connection"] - 1  # people count from 1, the feed from 0
    tell_feed(data["account"], {"type": "reconnect", "connection": index})
    return f"Connection {data['connection']} of {data['account']} closes and dials again.", {"index": index}


def reseed(data: dict[str, Any], actor: AbstractBaseUser) -> Result:
    tell_feed(data["account"], {"type": "reseed"})
    return f"{data['account']} reads the last values again by REST.", {}


def set_enabled(enabled: bool) -> Run:
    def run(data: dict[str, Any], actor: AbstractBaseUser) -> Result:
        account = DhanAccount.objects.select_for_update().get(pk=data["account"].pk)
        before, account.enabled = account.enabled, enabled
        account.save(update_fields=["enabled"])
        transaction.on_commit(lambda: interest.nudge(account.pk))
        word = "enabled" if enabled else "disabled"
        return f"{account} is {word}.", {"before": before, "after": enabled}

    return run


def rebuild(data: dict[str, Any], actor: AbstractBaseUser) -> Result:
    try:
        report = services.rebuild_chains()
    except interest.CapacityExceeded as error:
        return f"Rebuilt, but a chain does not fit and keeps what it had: {error}.", error.details
    return f"Tier B is rebuilt: {report['unique']} unique contracts, {report['listed']} of them listed.", report


def release(data: dict[str, Any], actor: AbstractBaseUser) -> Result:
    names = [segment.name for segment in data["segments"]]
    released = services.release_tier_a(data["segments"])
    for account in DhanAccount.objects.filter(enabled=True):
        tell_feed(account, {"type": "sync.now"})
    return f"{released} instruments of Tier A are released in {', '.join(names)}.", {"released": released}


FEED_ACTIONS = (
    Action(
        "rebuild",
        "Rebuild chains",
        "refresh",
        "Every chain definition is resolved again: expiries, ATM and strikes from the instruments of today. "
        "What no longer belongs is unsubscribed, what is new is subscribed; the rest is not touched.",
        ActionForm,
        rebuild,
        in_transaction=False,  # it asks Dhan on its way
    ),
    Action(
        "resync",
        "Resync",
        "sync",
        "The feed compares what is wanted with what is subscribed at once, instead of at its next second. "
        "Nothing is interrupted.",
        AccountForm,
        resync,
    ),
    Action(
        "reconnect",
        "Reconnect one",
        "cable",
        "One connection closes, dials again and subscribes all it carried. Its instruments show a gap until then.",
        ConnectionForm,
        reconnect,
        warning=INTERRUPTS,
    ),
    Action(
        "reseed",
        "Reseed",
        "published_with_changes",
        "The feed reads the last values of all its instruments by REST and corrects its board. Nothing is interrupted.",
        AccountForm,
        reseed,
    ),
    Action(
        "release",
        "Release Tier A",
        "eject",
        "What watchlists subscribed ends now, as at the close. Tier B, references and held instruments stay.",
        ReleaseForm,
        release,
        warning=INTERRUPTS,
    ),
    Action(
        "enable",
        "Enable account",
        "toggle_on",
        "The account's feed process may dial again and takes its part of the instruments.",
        AccountForm,
        set_enabled(True),
    ),
    Action(
        "disable",
        "Disable account",
        "toggle_off",
        "The account's connections close and stay closed. What only it fed has no prices until it is enabled.",
        AccountForm,
        set_enabled(False),
        warning=INTERRUPTS,
    ),
)
ACTIONS = {action.name: action for action in FEED_ACTIONS}
FOR_ALL_ACCOUNTS = (ACTIONS["rebuild"], ACTIONS["release"])
"""Buttons at the top of the dashboard; the others stand beside the account or connection that they are about."""
