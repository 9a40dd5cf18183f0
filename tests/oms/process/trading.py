"""An account with money, a NIFTY option, orders on their way, and a session whose steps a test takes one by one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime

import numpy as np
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from redis import Redis

from feeds import bus, clock
from feeds.bus import Batch
from feeds.core.instrument import InstrumentKey
from feeds.core.tick import TICK
from feeds.leases import LeaseKeeper
from feeds.models import Instrument
from feeds.offload import Offload
from oms.models import Order, OrderGroup
from oms.process.database import StepDatabase
from oms.process.fencing import LEASE
from oms.process.session import ExecutionSession
from oms.process.timers import ExecutionTimers
from rms import holds, ledger
from rms.models import LedgerAccount, TradingAccount, Transfer

DAY = date(2026, 2, 3)
MORNING = datetime(2026, 2, 3, 10, 0, tzinfo=clock.IST)
CODE = InstrumentKey.parse("NSE_FNO.49081").code
FEED = 1


def an_option(code: int = CODE) -> Instrument:
    key = InstrumentKey.from_code(code)
    return Instrument.objects.create(
        code=code, segment=key.segment, security_id=key.security_id, instrument_type="OPTIDX",
        symbol=f"NIFTY-{key.security_id}-CE", underlying_symbol="NIFTY", expiry=date(2026, 2, 24), strike=2_600_000,
        option_type="CE", lot_size=75, tick_size=5, listed_on=DAY,
    )  # fmt: skip


def an_account(rupees: int = 1_000_000, name: str = "Alpha") -> TradingAccount:
    user, _ = User.objects.get_or_create(username="trader")
    account = ledger.open_account(name=name, owner=user)
    ledger.transfer(
        reference=f"in.{account.pk}", kind=Transfer.Kind.FUNDS_IN, account_id=account.pk, amount=rupees * 100,
        against=LedgerAccount.Book.BANK, trading_date=DAY, reason="first money",
    )  # fmt: skip
    return account


@transaction.atomic
def send(account: TradingAccount, *, held: int = 0, group: OrderGroup | None = None, **fields: object) -> Order:
    """An order that a web process has accepted: TRANSIT, its margin held."""
    number = Order.objects.count() + 1
    values = {
        "client_reference": f"mine-{number}", "side": "BUY", "order_type": "LIMIT", "product": "INTRADAY",
        "quantity": 75, "status": "TRANSIT", "trading_date": DAY, "placed_at": MORNING, "updated_at": MORNING,
        "instrument_id": CODE, "user": account.owner, **fields,
    }  # fmt: skip
    order = Order.objects.create(account=account, group=group, **values)
    if held:
        holds.place(account.pk, {f"order.{order.pk}": held})
    return order


def row(
    last: int = 12_000,
    *,
    bids: Sequence[tuple[int, int]] = (),
    asks: Sequence[tuple[int, int]] = (),
    low: int = 0,
    high: int = 0,
    volume: int = 1000,
    code: int = CODE,
) -> np.ndarray:
    """One row received now. Prices in paise; a level is (price, quantity)."""
    rows = np.zeros(1, TICK)
    rows["code"], rows["last_price"], rows["previous_close"], rows["volume"] = code, last, last, volume
    rows["low"], rows["high"] = low, high
    rows["received_at"], rows["last_traded_at"] = clock.wall_nanoseconds(), clock.exchange_now().timestamp()
    for place, (price, quantity) in enumerate(bids):
        rows["depth"]["bid_price"][0, place], rows["depth"]["bid_quantity"][0, place] = price, quantity
    for place, (price, quantity) in enumerate(asks):
        rows["depth"]["ask_price"][0, place], rows["depth"]["ask_quantity"][0, place] = price, quantity
    return rows


class Desk:
    """A session under a lease of its own, stepped by hand."""

    def __init__(self, session: ExecutionSession, lease: LeaseKeeper) -> None:
        self.session, self.lease = session, lease
        self._sequence = 0

    async def ticks(self, *rows: np.ndarray) -> None:
        """One batch, and the step that matches it."""
        self.tell(*rows)
        await self.step()

    def tell(self, *rows: np.ndarray) -> None:
        """One batch that waits for the next step."""
        self._sequence += 1
        now = clock.wall_nanoseconds()
        self.session._ticks.append(Batch(FEED, 1, self._sequence, now, now, np.concatenate(rows)))

    async def step(self) -> None:
        self.session._look, self.session._released_at = True, 0.0
        await self.session._step()


@asynccontextmanager
async def a_desk() -> AsyncIterator[Desk]:
    """The session of a process that has just taken the lease and loaded the book."""
    database, offload, redis = StepDatabase(), Offload(), bus.async_redis()
    try:
        lease = LeaseKeeper(LEASE)
        assert await database.run(lease.acquire)
        session = ExecutionSession(lease, redis, database, offload, ExecutionTimers.from_settings())
        await session._open()
        yield Desk(session, lease)
    finally:
        await database.run(lease.release)
        database.close()
        offload.close()
        await redis.aclose()


def tell_redis(rows: np.ndarray) -> None:
    """As the feed keeps its board, for whoever reads last rows."""
    with Redis.from_url(settings.REDIS_URL) as redis:
        redis.sadd(bus.BOARDS, FEED)
        redis.hset(
            bus.board_key(FEED), mapping={int(each["code"]).to_bytes(8, "little"): each.tobytes() for each in rows}
        )
