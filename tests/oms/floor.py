"""A trading floor for the tests: 3 February 2026 at ten, an account with money, and a market that can be moved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from itertools import count

import numpy as np
import pytest
from django.contrib.auth.models import User
from redis import Redis

from feeds import bus, clock
from feeds.core.instrument import InstrumentKey
from feeds.core.tick import TICK
from feeds.models import DhanAccount, Instrument
from oms import services, trading_day
from oms.changes import change, save_changes
from oms.core.order import OrderStatus, OrderType, Side
from oms.errors import OrderRefused
from oms.models import Order
from oms.requests import OrderRequest
from rms.core.product import Product
from rms.fills import record_fills
from rms.market import forget_facts
from rms.models import Funds, TradingAccount
from tests.rms import desk
from tests.rms.desk import CALL, CRUDE, FUTURE, PUT, SHARE

__all__ = ["CALL", "CRUDE", "FUTURE", "PUT", "SHARE"]

DAY = date(2026, 2, 3)
TEN = datetime(2026, 2, 3, 10, 0, tzinfo=clock.IST)
RUPEES = 100
FEED = 1

_references = count(1)


@dataclass
class Floor:
    """One account of one trader, in a market of `tests.rms.desk.PRICES`."""

    account: TradingAccount
    trader: User
    instruments: dict[InstrumentKey, Instrument]
    redis: Redis
    settings: object

    def at(self, text: str) -> datetime:
        """Move exchange time to ``2026-02-03 15:31``; prices stay fresh, they are aged by the wall clock."""
        moment = datetime.fromisoformat(text).replace(tzinfo=clock.IST)
        self.settings.EXCHANGE_CLOCK_OFFSET_SECONDS = (moment - clock.wall_now()).total_seconds()
        trading_day.forget_trading_day()
        return moment

    def tick(self, key: InstrumentKey, last_price: int, age_seconds: float = 0.0) -> None:
        """The last row of an instrument, in paise, as the feed keeps it in Redis."""
        row = np.zeros(1, TICK)
        row["code"], row["last_price"] = key.code, last_price
        row["received_at"] = clock.wall_nanoseconds() - int(age_seconds * 10**9)
        self.redis.hset(bus.board_key(FEED), key.code.to_bytes(8, "little"), row.tobytes())
        self.redis.sadd(bus.BOARDS, FEED)

    def request(self, key: InstrumentKey = CALL, **fields: object) -> OrderRequest:
        """A buy of one lot of the call at 150.00 unless told otherwise, with a reference of its own."""
        values = {
            "account_id": self.account.pk,
            "code": key.code,
            "side": Side.BUY,
            "quantity": 65,
            "product": Product.MARGIN,
            "client_reference": f"mine-{next(_references)}",
            "order_type": OrderType.LIMIT,
            "limit_price": 15_000,
        }
        return OrderRequest(**values | fields)

    def place(self, key: InstrumentKey = CALL, **fields: object) -> Order:
        return services.place_order(self.request(key, **fields), self.trader)

    def refusal(self, key: InstrumentKey = CALL, **fields: object) -> OrderRefused:
        """Place what must be refused; returns the refusal, and proves that it was stored."""
        with pytest.raises(OrderRefused) as refused:
            services.place_order(self.request(key, **fields), self.trader)
        stored = Order.objects.get(pk=refused.value.order_id)
        assert (stored.status, stored.reason_code) == ("REJECTED", refused.value.code)
        assert stored.reason == refused.value.message
        return refused.value

    def fill(self, key: InstrumentKey, signed_quantity: int, price: int, **fields: object) -> None:
        """A position out of nowhere: the account's fills as the execution process would record them."""
        market = desk.market_of(self.instruments)
        record_fills([desk.fill(self.account, key, signed_quantity, price, **fields)], market)

    def to(self, order: Order, *statuses: str) -> Order:
        """What the venue would have made of an order, one status after another."""
        for status in statuses:
            row = Order.objects.get(pk=order.pk)
            save_changes([change(row, "ACCEPTED", OrderStatus(status), at=clock.exchange_now())])
        return Order.objects.get(pk=order.pk)

    @property
    def funds(self) -> Funds:
        return Funds.objects.get(pk=self.account.pk)


def open_floor(settings: object, redis: Redis, rupees: int = 1_000_000) -> Floor:
    forget_facts()
    DhanAccount.objects.create(name="Primary", client_id="1000000001")
    trader = desk.make_user()
    account = desk.make_account(rupees * RUPEES, owner=trader)
    instruments = desk.make_instruments()
    floor = Floor(account, trader, instruments, redis, settings)
    floor.at("2026-02-03 10:00")
    for key, price in desk.PRICES.items():
        floor.tick(key, price)
    return floor
