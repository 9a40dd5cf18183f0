"""TICK rows and times that read well in tests of matching: prices in paise, seconds after ten o'clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.core.tick import TICK
from oms.core.engine_events import EngineOrder
from oms.core.order import OrderType, Side

TEN = datetime(2026, 2, 3, 10, 0, tzinfo=ZoneInfo("Asia/Kolkata"))
"""A Tuesday, so a NIFTY expiry; regime A."""
OPTION = InstrumentKey(ExchangeSegment.NSE_FNO, 49081).code
BUY, SELL = Side.BUY, Side.SELL
Levels = tuple[tuple[int, int], ...]


def seconds(after_ten: float) -> datetime:
    return TEN + timedelta(seconds=after_ten)


def nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000_000)


def row(
    at: datetime,
    last: int = 0,
    *,
    code: int = OPTION,
    bids: Levels = (),
    asks: Levels = (),
    low: int = 0,
    high: int = 0,
    volume: int = 0,
    flags: int = 0,
) -> NDArray[np.void]:
    """One TICK row that was received at `at`."""
    rows = np.zeros(1, TICK)
    values: dict[str, Any] = {"code": code, "received_at": nanoseconds(at), "last_price": last}
    values |= {"low": low or high, "high": high or low, "volume": volume, "flags": flags}
    for name, value in values.items():
        rows[name] = value
    for side, levels in (("bid", bids), ("ask", asks)):
        for number, (price, quantity) in enumerate(levels):
            rows["depth"][f"{side}_price"][0, number] = price
            rows["depth"][f"{side}_quantity"][0, number] = quantity
    return rows


def order(number: int, side: Side, quantity: int, limit: int | None = None, **fields: Any) -> EngineOrder:
    """A limit order on the option by an account of its own, unless the fields say otherwise."""
    defaults: dict[str, Any] = {"account": number, "code": OPTION, "segment": ExchangeSegment.NSE_FNO}
    defaults["order_type"] = OrderType.LIMIT if limit is not None else OrderType.MARKET
    return EngineOrder(number, side=side, quantity=quantity, limit_price=limit, **(defaults | fields))


def stop(number: int, side: Side, quantity: int, trigger: int, limit: int | None = None, **fields: Any) -> EngineOrder:
    kind = OrderType.STOP_LOSS if limit is not None else OrderType.STOP_LOSS_MARKET
    return order(number, side, quantity, limit, trigger_price=trigger, order_type=kind, **fields)
