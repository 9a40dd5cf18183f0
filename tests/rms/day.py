"""A day for the tests of settlement: contracts that expire on it, quotes on the board, and its end for an account."""

from __future__ import annotations

from datetime import date, datetime, time

import numpy as np
from django.conf import settings
from django.db import transaction
from redis import Redis

from feeds import bus
from feeds.clock import IST
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType, OptionType
from feeds.core.tick import TICK
from feeds.models import Instrument
from rms import ledger, settlement, statements
from rms.core.charges import ChargedTrade, Charges
from rms.fills import Fill, record_fills
from rms.market import forget_facts
from rms.models import SettlementPrice, Statement, TradingAccount
from rms.settlement import Group
from tests.rms import desk
from tests.rms.desk import DAY

SHARE_FUTURE = InstrumentKey(ExchangeSegment.NSE_FNO, 50000)
SHARE_CALL = InstrumentKey(ExchangeSegment.NSE_FNO, 50001)
SHARE_PUT = InstrumentKey(ExchangeSegment.NSE_FNO, 50002)
CRUDE_CALL = InstrumentKey(ExchangeSegment.MCX_COMM, 430001)
CRUDE_PUT = InstrumentKey(ExchangeSegment.MCX_COMM, 430002)
FEED = 1


def make_contracts(expiry: date = DAY) -> dict[InstrumentKey, Instrument]:
    """The desk's instruments, and contracts on the share (strike 1,400) and on crude oil (strike 6,000) that expire."""
    on_share = {"underlying_symbol": "RELIANCE", "expiry": expiry, "lot_size": 250}
    on_crude = {"underlying_symbol": "CRUDEOIL", "expiry": expiry, "multiplier": 100}
    option, commodity = InstrumentType.OPTSTK, InstrumentType.OPTFUT
    call, put = OptionType.CALL, OptionType.PUT
    make = desk.make_instrument
    made = [
        make(SHARE_FUTURE, "RELIANCE-FUT", instrument_type=InstrumentType.FUTSTK, **on_share),
        make(SHARE_CALL, "RELIANCE-CE", instrument_type=option, option_type=call, strike=140_000, **on_share),
        make(SHARE_PUT, "RELIANCE-PE", instrument_type=option, option_type=put, strike=140_000, **on_share),
        make(CRUDE_CALL, "CRUDE-CE", instrument_type=commodity, option_type=call, strike=600_000, **on_crude),
        make(CRUDE_PUT, "CRUDE-PE", instrument_type=commodity, option_type=put, strike=600_000, **on_crude),
    ]
    forget_facts()
    return {instrument.key: instrument for instrument in made}


def quote(key: InstrumentKey, price: int, day: date = DAY, previous_close: int = 0) -> None:
    """What the feed said last: a trade at 15:29 of the day."""
    row = np.zeros(1, TICK)
    row["code"], row["last_price"], row["previous_close"] = key.code, price, previous_close
    row["last_traded_at"] = int(datetime.combine(day, time(15, 29), IST).timestamp())
    redis = Redis.from_url(settings.REDIS_URL, socket_timeout=10)
    redis.sadd(bus.BOARDS, FEED)
    redis.hset(bus.board_key(FEED), key.code.to_bytes(8, "little"), row.tobytes())
    redis.close()


def by_hand(key: InstrumentKey, price: int, day: date = DAY) -> None:
    SettlementPrice.objects.create(instrument_id=key.code, trading_date=day, price=price, source="BY_HAND")


def trade(*fills: Fill) -> None:
    """Let fills happen at the desk's prices."""
    forget_facts()
    instruments = Instrument.objects.in_bulk([each.code for each in fills])
    market = desk.market_of({each.key: each for each in [*instruments.values(), *Instrument.objects.all()]})
    with transaction.atomic():
        ledger.lock({each.account_id for each in fills})
        record_fills(fills, market.covering([each.code for each in fills]))


def settle(account: TradingAccount, group: Group = Group.EQUITY, day: date = DAY) -> None:
    """Fix the day's prices and settle the account, without charges and note."""
    prices = settlement.fix_prices(day, group)
    with transaction.atomic():
        ledger.lock([account.pk])
        settlement.settle(_account_day(account, day, group, prices))


def close(
    account: TradingAccount, *trades: ChargedTrade, group: Group = Group.EQUITY, day: date = DAY
) -> tuple[Charges, Statement]:
    """The whole end of the account's day."""
    prices = settlement.fix_prices(day, group)
    with transaction.atomic():
        ledger.lock([account.pk])
        account_day = _account_day(account, day, group, prices)
        settlement.settle(account_day)
        charges = statements.post_charges(account_day, trades)
        note = statements.write_statement(account_day, charges)
        settlement.start_next_day(account_day)
    return charges, note


def _account_day(
    account: TradingAccount, day: date, group: Group, prices: settlement.DayPrices
) -> settlement.AccountDay:
    return settlement.account_day(account.pk, day, group, datetime.combine(day, time(16, 4), IST), prices)
