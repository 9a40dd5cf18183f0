"""A seeded stream of everything that can happen to a matching engine, for the fast book and the naive one alike."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from feeds.core.calendar import Phase
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.core.tick import TICK, TickFlag
from oms.core.engine_events import Change, EngineOrder
from oms.core.order import OrderType, Role, Side, Validity
from tests.oms.core.market import nanoseconds, seconds

FNO, CASH = ExchangeSegment.NSE_FNO, ExchangeSegment.NSE_EQ
TICK_SIZE = 5
Operation = Callable[[Any], object]
"""What is done to an engine; the same one is done to each."""


class RandomMarket:
    """Prices wander around 100 rupees in instruments of two segments; orders of few accounts crowd around them."""

    def __init__(self, seed: int, instruments: int = 4, accounts: int = 6, live: int = 60) -> None:
        self.random = random.Random(seed)
        self.codes = [InstrumentKey(CASH if n % 2 else FNO, 100 + n).code for n in range(instruments)]
        self.accounts, self.live = accounts, live
        self.last = dict.fromkeys(self.codes, 10_000)
        self.volume = dict.fromkeys(self.codes, 0)
        self.depth = {code: self._depth(10_000) for code in self.codes}
        self.number = 0
        self.numbers: list[int] = []
        self.moment = 0.0

    def operations(self, count: int) -> Iterator[Operation]:
        for segment in (FNO, CASH):
            yield self._phase(segment, Phase.CONTINUOUS)
        for _ in range(count):
            yield self._next()

    def _next(self) -> Operation:
        self.moment += self.random.choice((0, 0.01, 0.1, 0.2))
        kind = self.random.choices(
            (self._order, self._bracket, self._pair, self._cancel, self._modify, self._ticks, self._change_phase),
            (24, 3, 2, 8 + len(self.numbers) // self.live * 40, 16, 50, 0.4),
        )[0]
        return kind()

    @property
    def now(self) -> datetime:
        return seconds(self.moment)

    def _new(self, code: int, side: Side, kind: OrderType, **fields: Any) -> EngineOrder:
        self.number += 1
        self.numbers.append(self.number)
        price = self._near(self.last[code], 30)
        if kind is OrderType.LIMIT or kind is OrderType.STOP_LOSS:
            fields.setdefault("limit_price", price)
        if kind in (OrderType.STOP_LOSS, OrderType.STOP_LOSS_MARKET):
            beyond = self.random.randrange(-1, 6) * TICK_SIZE
            trigger = fields.get("limit_price", price) - side.sign * beyond
            fields.setdefault("trigger_price", max(trigger, TICK_SIZE))
        fields.setdefault("account", self.random.randrange(self.accounts))
        fields.setdefault("quantity", self.random.randrange(1, 120))
        return EngineOrder(self.number, code=code, segment=self._segment(code), side=side, order_type=kind, **fields)

    def _order(self) -> Operation:
        code, side = self.random.choice(self.codes), self.random.choice((Side.BUY, Side.SELL))
        kind = self.random.choices(tuple(OrderType), (2, 10, 3, 2))[0]
        fields: dict[str, Any] = {}
        if self.random.random() < 0.15:
            fields["validity"] = Validity.IOC
        if self.random.random() < 0.05:
            fields["disclosed_quantity"] = 10
        if self.random.random() < 0.1:
            fields["forever"] = True
        if self.random.random() < 0.3 and kind.startswith("STOP"):
            fields["trailing_jump"] = self.random.choice((5, 10, 20))
        order, at = self._new(code, side, kind, **fields), self.now
        return lambda engine: engine.submit(order, at)

    def _bracket(self) -> Operation:
        code, side = self.random.choice(self.codes), self.random.choice((Side.BUY, Side.SELL))
        entry = self._new(code, side, self.random.choice((OrderType.LIMIT, OrderType.MARKET)), role=Role.ENTRY)
        group, price = entry.id, entry.limit_price or self.last[code]
        common: dict[str, Any] = {"account": entry.account, "quantity": entry.quantity, "group": group, "waits": True}
        target = self._new(
            code, side.opposite, OrderType.LIMIT, role=Role.TARGET, limit_price=self._off(price, side, 1), **common
        )
        trigger = self._off(price, side, -1)
        stop = self._new(
            code, side.opposite, OrderType.STOP_LOSS_MARKET, role=Role.STOP, trigger_price=trigger,
            trailing_jump=self.random.choice((0, 5, 10)), **common,
        )  # fmt: skip
        orders = [replace(entry, group=group), target, stop]
        if self.random.random() < 0.3:
            orders = orders[1:] + orders[:1]
        at = self.now
        return lambda engine: [engine.submit(order, at) for order in orders]

    def _pair(self) -> Operation:
        code, side = self.random.choice(self.codes), self.random.choice((Side.BUY, Side.SELL))
        price, quantity = self.last[code], self.random.randrange(1, 120)
        common: dict[str, Any] = {"account": self.random.randrange(self.accounts), "quantity": quantity}
        common["group"] = self.number + 1
        target = self._new(
            code, side, OrderType.LIMIT, role=Role.TARGET, limit_price=self._off(price, side, -1), **common
        )
        stop = self._new(
            code, side, OrderType.STOP_LOSS_MARKET, role=Role.STOP, trigger_price=self._off(price, side, 1), **common
        )
        at = self.now
        return lambda engine: [engine.submit(order, at) for order in (target, stop)]

    def _off(self, price: int, side: Side, direction: int) -> int:
        return price + side.sign * direction * self.random.randrange(1, 12) * TICK_SIZE

    def _cancel(self) -> Operation:
        at, number = self.now, self._some_number()
        if self.numbers and number == self.numbers[0]:
            self.numbers.pop(0)
        return lambda engine: engine.cancel(number, "ASKED", at)

    def _modify(self) -> Operation:
        price = self._near(10_000, 40)
        change = self.random.choice(
            (
                Change(quantity=self.random.randrange(1, 150)),
                Change(limit_price=price),
                Change(trigger_price=price),
                Change(order_type=OrderType.MARKET),
                Change(order_type=OrderType.LIMIT, limit_price=price),
                Change(order_type=OrderType.STOP_LOSS),
                Change(quantity=self.random.randrange(1, 150), limit_price=price),
                Change(validity=Validity.IOC),
                Change(disclosed_quantity=5),
            )
        )
        at, number = self.now, self._some_number()
        return lambda engine: engine.modify(number, change, at)

    def _some_number(self) -> int:
        recent = self.numbers[-self.random.choice((5, 15, self.live)) :]
        return self.random.choice(recent) if recent and self.random.random() < 0.8 else (self.numbers or [0])[0]

    def _change_phase(self) -> Operation:
        segment = self.random.choice((FNO, CASH))
        phases = (
            *[Phase.CONTINUOUS] * 12,
            Phase.CLOSING_AUCTION,
            Phase.PRE_OPEN,
            Phase.CLOSED,
            Phase.CLOSING_LIMIT_ONLY,
        )
        return self._phase(segment, self.random.choice(phases))

    def _phase(self, segment: ExchangeSegment, phase: Phase) -> Operation:
        at = self.now

        def change(engine: Any) -> None:
            engine.on_phase(segment, phase, at)
            if phase is not Phase.CONTINUOUS:
                engine.on_phase(segment, Phase.CONTINUOUS, at + timedelta(milliseconds=5))

        if self.random.random() < 0.5:
            return change
        return lambda engine: engine.on_phase(segment, phase, at)

    def _ticks(self) -> Operation:
        codes = self.random.sample(self.codes, self.random.randrange(1, len(self.codes) + 1))
        rows = np.concatenate([self._row(code) for code in codes])
        at, source = self.now, int(self.random.random() < 0.1)
        return lambda engine: engine.on_ticks(rows, at, source)

    def _row(self, code: int) -> Any:
        rows = np.zeros(1, TICK)
        rows["code"], rows["received_at"] = code, nanoseconds(self.now)
        if self.random.random() < 0.02:
            rows["received_at"] -= 6_000_000_000
        path = [self.last[code]]
        for _ in range(self.random.randrange(0, 4)):
            path.append(self._near(path[-1], 8))
        self.last[code] = 10_000 if abs(path[-1] - 10_000) > 600 else path[-1]
        if len(path) > 1:
            rows["low"], rows["high"] = min(path[1:]), max(path[1:])
            self.volume[code] += self.random.randrange(0, 100)
        rows["last_price"], rows["volume"] = path[-1], self.volume[code]
        rows["flags"] = self.random.choices((0, *TickFlag), (60, *[1] * len(TickFlag)))[0]
        if self.random.random() < 0.7:
            self.depth[code] = self._depth(self.last[code])
        rows["depth"] = self.depth[code]
        return rows

    def _depth(self, price: int) -> Any:
        depth = np.zeros(5, TICK["depth"].base)
        for level in range(self.random.randrange(0, 6)):
            depth["bid_price"][level] = price - (level + 1) * TICK_SIZE
            depth["ask_price"][level] = price + level * TICK_SIZE
            depth["bid_quantity"][level] = self.random.randrange(0, 90)
            depth["ask_quantity"][level] = self.random.randrange(0, 90)
        return depth

    def _near(self, price: int, ticks: int) -> int:
        return max(price + self.random.randrange(-ticks, ticks + 1) * TICK_SIZE, TICK_SIZE)

    def _segment(self, code: int) -> ExchangeSegment:
        return InstrumentKey.from_code(code).segment
