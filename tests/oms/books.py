"""One account with a row in every book of trading: what pages and addresses show and name."""

from __future__ import annotations

from datetime import date, datetime

from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db.models import Model
from django.http import StreamingHttpResponse

from feeds.clock import IST
from feeds.models import Instrument
from oms.models import Order, OrderEvent, Trade
from rms import ledger
from rms.models import (
    Entry,
    Funds,
    FundsRequest,
    Hold,
    KillSwitch,
    LedgerAccount,
    MarginGroup,
    Position,
    RiskLimits,
    SettlementPrice,
    Statement,
    TradingAccount,
    Transfer,
)

DAY = date(2026, 2, 3)
QUIET_DAY = {
    "trades": [], "settlements": [], "positions": [], "fifo": [], "holdings": [], "charges": {"lines": {}, "total": 0},
    "cash": {
        "opening": 0, "trades": 0, "mark_to_market": 0, "expiry": 0, "interest": 0, "charges": 0, "net": 0,
        "other": 10_000_000, "closing": 10_000_000,
    },
}  # fmt: skip
"""A statement of a day on which only money came in."""
AT = datetime(2026, 2, 3, 10, 15, tzinfo=IST)


def make_order(account: TradingAccount, user: User, instrument: Instrument, **fields: object) -> Order:
    values = {
        "client_reference": "mine-1", "side": "BUY", "order_type": "LIMIT", "product": "INTRADAY", "quantity": 75,
        "limit_price": 15230, "status": "OPEN", "sequence": 1, "trading_date": DAY, "placed_at": AT, "updated_at": AT,
        **fields,
    }  # fmt: skip
    order = Order.objects.create(account=account, user=user, instrument=instrument, **values)
    OrderEvent.objects.create(
        order=order, account=account, sequence=1, kind="PLACED", status="TRANSIT", actor=user, at=AT
    )
    return order


def fill(order: Order, quantity: int, price: int, number: int = 1) -> Trade:
    return Trade.objects.create(
        order=order, account=order.account, instrument=order.instrument, number=number, side=order.side,
        product=order.product, quantity=quantity, price=price, trading_date=order.trading_date, at=AT, epoch=1,
    )  # fmt: skip


def pay_in(account: TradingAccount, amount: int, reference: str = "first.1") -> Transfer:
    return ledger.transfer(
        reference=reference, kind=Transfer.Kind.FUNDS_IN, account_id=account.pk, amount=amount,
        against=LedgerAccount.Book.BANK, trading_date=DAY, reason="first money",
    )  # fmt: skip


def make_books(owner: User, instrument: Instrument) -> dict[str, Model]:
    """Application and model, as an address names them -> a row of it. The account has 1,00,000 rupees."""
    account = ledger.open_account(name="Alpha", owner=owner)
    transfer = pay_in(account, 10_000_000)
    order = make_order(account, owner, instrument, filled_quantity=25, filled_value=25 * 15230)
    Funds.objects.filter(pk=account.pk).update(held_margin=1_000_000, used_margin=380_750)
    return {
        "oms/order": order,
        "oms/trade": fill(order, 25, 15230),
        "rms/entry": Entry.objects.get(ledger_account__account=account),
        "rms/fundsrequest": FundsRequest.objects.create(
            account=account, direction="IN", amount=60_000_000, reason="more", requested_by=owner
        ),
        "rms/hold": Hold.objects.create(
            account=account, reference=f"order.{order.pk}", amount=1_000_000, original_amount=1_000_000
        ),
        "rms/killswitch": KillSwitch.objects.create(account=account, reason="too many orders"),
        "rms/margingroup": MarginGroup.objects.create(account=account, group="NSE_FNO.NIFTY", used_margin=380_750),
        "rms/position": Position.objects.create(
            account=account, instrument=instrument, product="INTRADAY", signed_quantity=25, open_cost=380_750,
            day_buy_quantity=25, day_buy_value=380_750, trading_date=DAY,
        ),
        "rms/risklimits": RiskLimits.objects.create(account=account, daily_loss=5_000_000),
        "rms/settlementprice": SettlementPrice.objects.create(
            instrument=instrument, trading_date=DAY, price=15_000, source="LAST_TRADED"
        ),
        "rms/statement": Statement.objects.create(account=account, trading_date=DAY, group="EQUITY", content=QUIET_DAY),
        "rms/tradingaccount": account,
        "rms/transfer": transfer,
    }  # fmt: skip


def exported(answer: StreamingHttpResponse) -> list[str]:
    """The lines of a streamed file, read as a server reads it."""

    async def parts() -> bytes:
        return b"".join([part async for part in answer])

    return async_to_sync(parts)().decode().splitlines()
