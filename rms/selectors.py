"""Reading accounts and their books: what a user may see, and nobody else's."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Q, QuerySet

from feeds.rows import one_row
from rms.errors import AccountMissing
from rms.models import Entry, Funds, Holding, LedgerAccount, Position, TradingAccount

User = AbstractBaseUser | AnonymousUser
VIEW_ALL = "rms.view_all_accounts"


def accounts_of(user: User) -> QuerySet[TradingAccount]:
    """Those that the user owns or was given; all of them with the permission to see every account."""
    if user.has_perm(VIEW_ALL):  # type: ignore[union-attr]
        return TradingAccount.objects.all()
    return TradingAccount.objects.filter(Q(owner=user.pk) | Q(traders=user.pk)).distinct()


def account_for(user: User, pk: int) -> TradingAccount:
    """One of the user's accounts.

    Raises:
        AccountMissing: there is none, or it is somebody else's.
    """
    account = one_row(TradingAccount, "id = %s", [pk])
    # Whose it is costs no query: permissions are read only for the others.
    if account is None or not (may_trade(user, account) or user.has_perm(VIEW_ALL)):  # type: ignore[union-attr]
        raise AccountMissing
    return account


def seen_of(pairs: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Of these (user id, account id) those whose user may see the account now: rights are read anew."""
    accounts = {account for _, account in pairs}
    owners = TradingAccount.objects.filter(pk__in=accounts).values_list("owner", "pk")
    traders = TradingAccount.traders.through.objects.filter(tradingaccount__in=accounts).values_list(
        "user", "tradingaccount"
    )
    own = {*owners, *traders}
    others = get_user_model().objects.filter(pk__in={user for user, account in pairs if (user, account) not in own})
    everywhere = {user.pk for user in others if user.has_perm(VIEW_ALL)}
    return {(user, account) for user, account in pairs if user in everywhere or (user, account) in own}


def may_trade(user: User, account: TradingAccount) -> bool:
    """Its owner and those who were given it; seeing every account is not trading it."""
    return account.owner_id == user.pk or account.traders.filter(pk=user.pk).exists()


def funds_of(account: TradingAccount) -> Funds:
    return Funds.objects.get(pk=account.pk)


def positions_of(account: TradingAccount, *, is_open: bool = False) -> QuerySet[Position]:
    """The day's positions, closed ones too, or only what is open."""
    positions = Position.objects.filter(account=account).select_related("instrument").order_by("pk")
    return positions.exclude(signed_quantity=0) if is_open else positions


def holdings_of(account: TradingAccount) -> QuerySet[Holding]:
    return Holding.objects.filter(account=account, quantity__gt=0).select_related("instrument").order_by("pk")


def ledger_of(account: TradingAccount, first: date | None = None, last: date | None = None) -> QuerySet[Entry]:
    """The entries of the account's cash book with their transfers, newest first, between two trading dates."""
    entries = Entry.objects.filter(ledger_account__account=account, ledger_account__book=LedgerAccount.Book.CASH)
    if first is not None:
        entries = entries.filter(transfer__trading_date__gte=first)
    if last is not None:
        entries = entries.filter(transfer__trading_date__lte=last)
    return entries.select_related("transfer", "transfer__actor").order_by("-pk")
