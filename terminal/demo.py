"""What a laptop starts with: four users, their paper money, the simulator's account, chains and two watchlists."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction

from feeds import credentials, jobs
from feeds.clock import exchange_today
from feeds.core.chains import shipped_chains
from feeds.core.instrument import InstrumentKey
from feeds.importing import import_master
from feeds.models import ChainDefinition, ChainState, DhanAccount, Instrument
from feeds.services import rebuild_chains
from rms import ledger
from rms.models import LedgerAccount, RiskLimits, TradingAccount, Transfer
from terminal import datadir
from terminal.accounts.roles import Role, ensure_roles
from terminal.stack import TOKEN_NAME
from watchlists.models import Watchlist, WatchlistItem

ACCOUNT = "demo"
LOGINS = "demo-logins.json"
WATCHLISTS = {
    "Indices and banks": ("IDX_I.13", "IDX_I.25", "IDX_I.51", "NSE_EQ.1333"),
    "Oil and gas": ("NSE_EQ.2885",),
}
TRADING_ROLES = (Role.TRADER, Role.RISK)
PAPER_FUNDS = 100_000_000
"""Ten lakh rupees, in paise."""
PAPER_LIMITS: dict[str, int] = {
    "order_value": 500_000_000,
    "open_order_value": 2_000_000_000,
    "daily_loss": 20_000_000,
}
"""Paise. Wide enough for a future of each index, and a loss of two lakh ends the day."""
WORDS = ("amber", "cedar", "coral", "delta", "ember", "fjord", "grove", "harbor", "indigo", "juniper", "lotus", "maple")
"""Passwords are typed by hand on a laptop: three words and four digits, about 24 bits, on loopback only."""


def issue_token(data: Path) -> str:
    """The access token that the simulator accepts and the demo account holds."""
    return datadir.Secrets(data).get_or_create(TOKEN_NAME)


@transaction.atomic
def load(data: Path) -> dict[str, str]:
    """Make whatever of the demo is missing; returns the logins."""
    logins = _logins(data)
    ensure_roles()
    _make_users(logins)
    account = _make_account(issue_token(data))
    _make_chains(account)
    _make_trading_accounts()
    return logins


def _logins(data: Path) -> dict[str, str]:
    path = data / LOGINS
    try:
        return dict(json.loads(path.read_text()))
    except FileNotFoundError:
        logins = {role.value: _password() for role in (Role.TRADER, Role.RISK, Role.OPERATOR, Role.ADMIN)}
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(logins, file, indent=1)
        return logins


def _password() -> str:
    words = [secrets.choice(WORDS) for _ in range(3)]
    return "-".join([*words, str(secrets.randbelow(9000) + 1000)])


def _make_users(logins: dict[str, str]) -> None:
    for name, password in logins.items():
        user, _ = get_user_model().objects.get_or_create(username=name)
        user.is_staff = name != Role.TRADER.value
        user.is_superuser = name == Role.ADMIN.value
        if not user.check_password(password):
            user.set_password(password)
        user.save()
        user.groups.set([Group.objects.get(name=name)])


def _make_account(token: str) -> DhanAccount:
    account, _ = DhanAccount.objects.get_or_create(name=ACCOUNT, defaults={"client_id": settings.SIMULATOR_CLIENT_ID})
    account.access_token = credentials.seal(account, "access_token", token)
    account.save()
    return account


def _make_trading_accounts() -> None:
    """One paper account for each who trades in a demonstration, with money and limits, made once."""
    for role in TRADING_ROLES:
        owner = get_user_model().objects.get(username=role.value)
        name = f"Paper {role.value}"
        if TradingAccount.objects.filter(name=name).exists():
            continue
        account = ledger.open_account(name=name, owner=owner)
        ledger.transfer(
            reference=f"demo.{account.pk}",
            kind=Transfer.Kind.FUNDS_IN,
            account_id=account.pk,
            amount=PAPER_FUNDS,
            against=LedgerAccount.Book.BANK,
            trading_date=exchange_today(),
            reason="demonstration",
        )
        RiskLimits.objects.create(account=account, **PAPER_LIMITS)


def _make_chains(account: DhanAccount) -> None:
    """The shipped definitions; one that an admin has changed or added stays as it is."""
    if ChainDefinition.objects.exists():
        return
    ChainDefinition.objects.bulk_create(
        ChainDefinition(
            underlying_symbol=chain.underlying,
            segment=chain.segment,
            account=account,
            weekly=chain.slots.weekly,
            weekly_counts_monthly_week=chain.slots.weekly_counts_monthly_week,
            monthly=chain.slots.monthly,
            quarterly=chain.slots.quarterly,
            half_yearly=chain.slots.half_yearly,
            strikes=chain.strikes,
            sides=chain.sides,
            position=position,
        )
        for position, chain in enumerate(shipped_chains())
    )


def make_watchlists() -> None:
    """The trader's first watchlists, once the instruments are known. They go live when they are opened."""
    trader = get_user_model().objects.get(username=Role.TRADER.value)
    if trader.watchlists.exists():
        return
    listed = {str(instrument.key): instrument for instrument in Instrument.objects.filter(code__in=_codes())}
    for position, (name, keys) in enumerate(WATCHLISTS.items()):
        watchlist = Watchlist.objects.create(user=trader, name=name, position=position)
        WatchlistItem.objects.bulk_create(
            WatchlistItem(watchlist=watchlist, instrument=listed[key], position=place)
            for place, key in enumerate(keys)
            if key in listed
        )


def _codes() -> list[int]:
    return [InstrumentKey.parse(key).code for keys in WATCHLISTS.values() for key in keys]


def prepare_market() -> None:
    """The day's master and chains, by the jobs of every morning; by hand at an hour when these are not due yet.

    Raises:
        MasterRefused: the master could not be read.
    """
    jobs.run_due()
    day = exchange_today()
    if not Instrument.objects.exists():
        import_master(day=day)
    if not ChainState.objects.filter(trading_date=day).exists():
        rebuild_chains(day)
    make_watchlists()
