"""A desk for the tests: an owner, accounts with money, instruments of every kind, a market of prices, and fills."""

from __future__ import annotations

from datetime import date, datetime, time
from itertools import count
from typing import Any

import numpy as np
from django.contrib.auth.models import User

from feeds.clock import IST
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType, OptionType
from feeds.core.tick import TICK
from feeds.models import Instrument
from rms import ledger
from rms.core.product import Product
from rms.fills import Fill
from rms.market import Market
from rms.models import TradingAccount

DAY = date(2026, 2, 3)
NEXT_DAY = date(2026, 2, 4)
EXPIRY = date(2026, 2, 24)
SPOT = InstrumentKey(ExchangeSegment.IDX_I, 13)
CALL = InstrumentKey(ExchangeSegment.NSE_FNO, 49081)
PUT = InstrumentKey(ExchangeSegment.NSE_FNO, 49082)
FUTURE = InstrumentKey(ExchangeSegment.NSE_FNO, 49000)
SHARE = InstrumentKey(ExchangeSegment.NSE_EQ, 2885)
CRUDE = InstrumentKey(ExchangeSegment.MCX_COMM, 430000)

PRICES = {SPOT: 2_600_000, CALL: 15_000, PUT: 14_000, FUTURE: 2_605_000, SHARE: 140_000, CRUDE: 600_000}
"""Paise."""

_numbers = count(1)


def make_user(name: str = "", **fields: Any) -> User:
    return User.objects.create_user(name or f"user{next(_numbers)}", **fields)


def make_account(cash: int = 0, *, owner: User | None = None, name: str = "", floor: int = 0) -> TradingAccount:
    """An account whose owner paid in `cash` paise."""
    number = next(_numbers)
    account = ledger.open_account(name=name or f"Account {number}", owner=owner or make_user(), floor=floor)
    if cash:
        pay(account, cash)
    return account


def pay(account: TradingAccount, amount: int, reference: str = "") -> None:
    """Pay paise in, or out when negative."""
    ledger.transfer(
        reference=reference or f"funds.{next(_numbers)}",
        kind=ledger.Kind.FUNDS_IN if amount > 0 else ledger.Kind.FUNDS_OUT,
        account_id=account.pk,
        amount=amount,
        against=ledger.Book.BANK,
        trading_date=DAY,
    )


def make_instrument(key: InstrumentKey, symbol: str, **fields: Any) -> Instrument:
    return Instrument.objects.create(
        code=key.code, segment=key.segment, security_id=key.security_id, symbol=symbol, listed_on=DAY, **fields
    )


def make_instruments() -> dict[InstrumentKey, Instrument]:
    """NIFTY with a call, a put and a future, a share, and crude oil, of which a lot is 100 barrels."""
    nifty = {"underlying_symbol": "NIFTY", "underlying_security_id": 13, "expiry": EXPIRY, "lot_size": 65}
    option = {**nifty, "instrument_type": InstrumentType.OPTIDX, "strike": 2_600_000}
    made = [
        make_instrument(SPOT, "NIFTY", instrument_type=InstrumentType.INDEX),
        make_instrument(CALL, "NIFTY-Feb2026-26000-CE", option_type=OptionType.CALL, **option),
        make_instrument(PUT, "NIFTY-Feb2026-26000-PE", option_type=OptionType.PUT, **option),
        make_instrument(FUTURE, "NIFTY-Feb2026-FUT", instrument_type=InstrumentType.FUTIDX, **nifty),
        make_instrument(SHARE, "RELIANCE", instrument_type=InstrumentType.EQUITY, series="EQ"),
        make_instrument(
            CRUDE, "CRUDEOIL-Feb2026-FUT", instrument_type=InstrumentType.FUTCOM, underlying_symbol="CRUDEOIL",
            expiry=EXPIRY, multiplier=100, tick_size=100,
        ),
    ]  # fmt: skip
    return {instrument.key: instrument for instrument in made}


def market_of(instruments: dict[InstrumentKey, Instrument], **prices: int) -> Market:
    """The instruments at PRICES; `future=2_600_000` and the like override one."""
    names = {"spot": SPOT, "call": CALL, "put": PUT, "future": FUTURE, "share": SHARE, "crude": CRUDE}
    told = PRICES | {names[name]: price for name, price in prices.items()}
    rows = np.zeros(len(told), TICK)
    rows["code"] = [key.code for key in told]
    rows["last_price"] = list(told.values())
    return Market.of_rows(list(instruments.values()), rows, DAY)


def fill(account: TradingAccount, key: InstrumentKey, signed_quantity: int, price: int, **fields: Any) -> Fill:
    """One fill in the product that is usual for the instrument, with a reference of its own."""
    usual = Product.CNC if key.segment is ExchangeSegment.NSE_EQ else Product.MARGIN
    values = {
        "product": usual,
        "multiplier": 100 if key == CRUDE else 1,
        "reference": f"{next(_numbers)}.1",
        "trading_date": DAY,
        "at": datetime.combine(DAY, time(10, 0), IST),
    }
    return Fill(account_id=account.pk, code=key.code, signed_quantity=signed_quantity, price=price, **values | fields)
