"""Positions marked at the last prices: values for the screens, and what a day's loss brings about."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import partial
from typing import Any

from django.db import transaction

from feeds import clock
from feeds.core.instrument import InstrumentKey
from oms.core.order import Source
from oms.models import LIVE_VALUES, Order
from oms.process.fencing import require_epoch
from oms.process.prices import Prices
from oms.services import square_off
from rms import facts, gate, kill_switch, ledger
from rms.core.limits import Limits, stricter
from rms.limits import as_value
from rms.models import AccountFact, Position, RiskLimits, TradingAccount
from rms.valuation import Marks, PositionTable, PriceSource

log = logging.getLogger(__name__)

WARNING = "DAILY_LOSS_WARNING"
REACHED = "DAILY_LOSS"
RELOAD_SECONDS = 30.0
"""Positions also change at a day's end, in another process."""
AGAIN_SECONDS = 10.0
"""Between two tries to close what a loss has to close: a price may have been too old for it."""

Values = dict[str, tuple[str, dict[str, Any]]]


class Watch:
    """The table of positions, and what was told and done today already."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self._table = PositionTable()
        self._loaded_at: float | None = None
        self._told: dict[int, tuple[int, int]] = {}
        self._done: set[tuple[int, date, str]] = set()
        self._closing: dict[int, float] = {}

    def changed(self) -> None:
        """A fill was written: the table is to be read again."""
        self._loaded_at = None

    def reload(self) -> None:
        """Read the positions, if they may have changed."""
        now = clock.monotonic()
        if self._loaded_at is None or now - self._loaded_at > RELOAD_SECONDS:
            self._loaded_at = now
            self._table = PositionTable.load()

    def mark(self, prices: Prices) -> Marks:
        rows = prices.rows(self._table.codes.tolist())
        return self._table.mark_rows(rows, clock.exchange_now().timestamp())

    def totals(self, marks: Marks) -> dict[int, int]:
        """Profit or loss of the day in paise, by account."""
        sums = (marks.account_unrealised + marks.account_realised).tolist()
        return dict(zip(self._table.account_ids.tolist(), sums, strict=True))

    def values(self, marks: Marks) -> Values:
        """What is new since the last call, by topic: `PNL` bodies in paise."""
        positions: dict[int, dict[str, Any]] = defaultdict(dict)
        columns = (marks.unrealised.tolist(), marks.prices.tolist(), marks.sources.tolist())
        for position, unrealised, price, source in zip(self._table.positions, *columns, strict=True):
            name = f"{InstrumentKey.from_code(position.code)}.{position.product}"
            positions[position.account_id][name] = {
                "unrealised": unrealised, "price": price, "source": PriceSource(source).name,
            }  # fmt: skip
        at = round(clock.exchange_now().timestamp() * 1000)
        sums = zip(marks.account_unrealised.tolist(), marks.account_realised.tolist(), strict=True)
        told = dict(zip(self._table.account_ids.tolist(), sums, strict=True))
        fresh = {account: pair for account, pair in told.items() if self._told.get(account) != pair}
        self._told = told
        return {
            f"account.{account}": (
                "PNL", {"unrealised": pair[0], "realised": pair[1], "at": at, "positions": positions[account]},
            )
            for account, pair in fresh.items()
        }  # fmt: skip

    # --- losses

    def act(self, totals: Mapping[int, int]) -> None:
        """Warn, stop and close where a day's loss has come to its limit. In a thread: it asks the database."""
        losing = {account: -total for account, total in totals.items() if total < 0}
        if not losing:
            return
        for account, limits in limits_of(losing).items():
            allowed, loss = limits.daily_loss, losing[account]
            if allowed is None:
                continue
            if loss >= allowed:
                self._reached(account, loss, limits)
            elif loss * 100 >= allowed * limits.daily_loss_warn_percent:
                self._once(account, WARNING, partial(warn, account, loss, allowed))

    def _reached(self, account: int, loss: int, limits: Limits) -> None:
        self._once(account, REACHED, partial(stop, account, loss, limits.daily_loss or 0, self._epoch))
        now = clock.monotonic()
        if limits.square_off_at_loss and now - self._closing.get(account, 0.0) > AGAIN_SECONDS:
            self._closing[account] = now
            close_what_is_left(account, self._epoch)

    def _once(self, account: int, code: str, act: Callable[[], None]) -> None:
        """A day, whatever was restarted: the alert that goes with the act says that it was done."""
        key = (account, clock.exchange_today(), code)
        if key in self._done:
            return
        if not was_told(account, key[1], code):
            act()
        self._done.add(key)


def limits_of(accounts: Iterable[int]) -> dict[int, Limits]:
    """The stricter of what the account's and its owner's rows say."""
    owners = dict(TradingAccount.objects.filter(pk__in=list(accounts)).values_list("pk", "owner_id"))
    rows = RiskLimits.objects.filter(account__in=owners) | RiskLimits.objects.filter(user__in=owners.values())
    by_account = {row.account_id: as_value(row) for row in rows if row.account_id is not None}
    by_user = {row.user_id: as_value(row) for row in rows if row.user_id is not None}
    both = {pk: [v for v in (by_account.get(pk), by_user.get(owner)) if v is not None] for pk, owner in owners.items()}
    return {pk: found[0] if len(found) == 1 else stricter(*found) for pk, found in both.items() if found}


def was_told(account: int, day: date, code: str) -> bool:
    return AccountFact.objects.filter(
        account=account, kind=facts.ALERT, body__code=code, body__day=day.isoformat()
    ).exists()


def alert(account: int, code: str, loss: int, allowed: int) -> None:
    body = {"code": code, "day": clock.exchange_today().isoformat(), "loss": loss, "limit": allowed}
    facts.record(account, facts.ALERT, body)
    facts.announce([account])


@transaction.atomic
def warn(account: int, loss: int, allowed: int) -> None:
    ledger.lock([account])
    alert(account, WARNING, loss, allowed)


@transaction.atomic
def stop(account_id: int, loss: int, allowed: int, epoch: int) -> None:
    """A kill switch of the system's own, which cancels what is open; somebody has to release it."""
    gate.exclusive()
    require_epoch(epoch)
    account = TradingAccount.objects.get(pk=account_id)
    log.error("account %s has lost %d paise today, of %d allowed: stopped", account.name, loss, allowed)
    kill_switch.engage(actor=None, reason="The daily loss limit was reached.", account=account)
    ledger.lock([account_id])
    alert(account_id, REACHED, loss, allowed)


@transaction.atomic
def close_what_is_left(account_id: int, epoch: int) -> None:
    """Close the positions that no order of a square-off is closing already, while the account is stopped."""
    require_epoch(epoch)
    if kill_switch.standing(account_id, None) is None:
        return
    closing = Order.objects.filter(account=account_id, status__in=LIVE_VALUES, source=Source.SQUARE_OFF)
    positions = Position.objects.filter(account=account_id).exclude(signed_quantity=0)
    left = list(positions.exclude(instrument_id__in=closing.values("instrument_id")))
    if left:
        account = TradingAccount.objects.get(pk=account_id)
        square_off(account, None, left, reason="The daily loss limit was reached.")
