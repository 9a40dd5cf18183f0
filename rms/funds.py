"""Money in and out of an account: asked for with a reason, and above a threshold approved by a second person."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from feeds import audit, clock
from rms import facts, ledger
from rms.errors import AlreadyDecided, RiskError, SecondPersonNeeded
from rms.models import FundsRequest, TradingAccount, Transfer

Direction = FundsRequest.Direction
State = FundsRequest.State

PAISE = 100


@transaction.atomic
def request_funds(
    *,
    account: TradingAccount,
    direction: str,
    amount: int,
    actor: AbstractBaseUser,
    reason: str,
    needs_approval: bool = False,
) -> FundsRequest:
    """Ask to pay `amount` paise in or out. Up to FUNDS_APPROVAL_RUPEES it is done at once, above it waits.

    `needs_approval`: it waits whatever the amount, because the actor does not manage funds.

    Raises:
        InsufficientFunds: paying out would leave less than the account's floor.
        RiskError: the amount is not positive, or no reason was given.
    """
    if amount <= 0:
        raise RiskError("The amount has to be more than zero.", amount=amount)
    if not reason.strip():
        raise RiskError("Say why.")
    ledger.lock([account.pk])
    request = FundsRequest.objects.create(
        account=account, direction=direction, amount=amount, reason=reason, requested_by=actor
    )
    _record(actor, "funds.request", request, reason)
    if amount <= settings.FUNDS_APPROVAL_RUPEES * PAISE and not needs_approval:
        _carry_out(request, actor)
    return request


@transaction.atomic
def approve(*, request: FundsRequest, actor: AbstractBaseUser) -> FundsRequest:
    """Carry out what somebody else asked for.

    Raises:
        SecondPersonNeeded: the actor asked for it.
        AlreadyDecided
        InsufficientFunds: the account has less to spare by now; the request waits on.
    """
    waiting = _waiting(request)
    if waiting.requested_by_id == actor.pk:
        raise SecondPersonNeeded("Somebody other than the person who asked has to approve it.")
    waiting.decided_by = actor
    _record(actor, "funds.approve", waiting)
    _carry_out(waiting, actor)
    return waiting


@transaction.atomic
def refuse(*, request: FundsRequest, actor: AbstractBaseUser, reason: str) -> FundsRequest:
    """Let it not happen; whoever asked may take it back this way.

    Raises:
        AlreadyDecided
    """
    waiting = _waiting(request)
    waiting.state, waiting.refusal = State.REFUSED, reason
    waiting.decided_by, waiting.decided_at = actor, clock.wall_now()
    waiting.save()
    _record(actor, "funds.refuse", waiting, reason)
    return waiting


def _waiting(request: FundsRequest) -> FundsRequest:
    """The request as it stands, locked behind its account."""
    ledger.lock([request.account_id])
    locked = FundsRequest.objects.select_for_update(of=("self",)).get(pk=request.pk)
    if locked.state != State.WAITING:
        raise AlreadyDecided("It was decided already.", state=locked.state)
    return locked


def _carry_out(request: FundsRequest, actor: AbstractBaseUser) -> None:
    is_in = request.direction == Direction.IN
    request.transfer = ledger.transfer(
        reference=f"funds.{request.pk}",
        kind=Transfer.Kind.FUNDS_IN if is_in else Transfer.Kind.FUNDS_OUT,
        account_id=request.account_id,
        amount=request.amount if is_in else -request.amount,
        against=ledger.Book.BANK,
        trading_date=clock.exchange_today(),
        actor=actor,
        reason=request.reason,
    )
    request.state, request.decided_at = State.DONE, clock.wall_now()
    request.save()
    facts.announce([request.account_id])


def _record(actor: AbstractBaseUser, action: str, request: FundsRequest, reason: str = "") -> None:
    details = {"request": request.pk, "direction": request.direction, "amount": request.amount}
    audit.record(actor, action, request.account.name, reason, details)
