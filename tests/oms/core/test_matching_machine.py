"""Whatever happens, in whatever order: the matching engine keeps its promises and agrees with the naive list book."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any

import pytest

from feeds.core.calendar import Phase
from feeds.core.instrument import ExchangeSegment
from feeds.core.tick import TickFlag
from oms.core.matching import (
    Accepted,
    Activated,
    Cancelled,
    Change,
    Engine,
    EngineEvent,
    EngineOrder,
    Expired,
    Filled,
    Modified,
    Protected,
    Rejected,
    Rules,
    Trailed,
    Triggered,
)
from oms.core.order import PRICED_TYPES, Role, Side, Validity
from tests.oms.core.naive_book import NaiveEngine
from tests.oms.core.random_market import RandomMarket

UNUSABLE = TickFlag.STALE | TickFlag.QUARANTINED | TickFlag.SEEDED


class Watched:
    """An engine whose every event is checked against its own account of the orders and of the displayed depth."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.orders: dict[int, EngineOrder] = {}
        self.since: dict[int, datetime] = {}
        self.rows: dict[int, Any] = {}
        self.taken: dict[tuple[int, Side, int], tuple[int, int]] = {}
        self.closable: Counter[int] = Counter()
        """What a group's exits may still close: what its entry filled, or an OCO pair's quantity."""
        self.triggered: set[int] = set()
        self.seen: Counter[str] = Counter()
        self.trades = sha256()
        self.windows: dict[int, datetime] = {}
        self.window: datetime | None = None
        self.traded: dict[int, int] = {}

    # --- the engine's calls, each followed by the checks ---

    def submit(self, order: EngineOrder, at: datetime) -> None:
        self.orders[order.id] = order
        self.since[order.id] = at
        if order.role is Role.TARGET and not order.waits and order.group is not None:
            self.closable[order.group] = order.quantity
        self.engine.submit(order, at)
        self.check()

    def cancel(self, number: int, reason: str, at: datetime) -> None:
        assert self.engine.cancel(number, reason, at) == (number in self.orders)
        self.check()

    def modify(self, number: int, change: Change, at: datetime) -> None:
        self.engine.modify(number, change, at)
        self.check()

    def on_phase(self, segment: ExchangeSegment, phase: Phase, at: datetime) -> None:
        self.engine.on_phase(segment, phase, at)
        self.check()

    def on_ticks(self, rows: Any, at: datetime, source: int) -> None:
        self.window, self.windows[source] = self.windows.get(source), at
        for row in rows:
            code = int(row["code"])
            before = self.rows.get(code)
            self.rows[code] = row.copy()
            self.traded[code] = max(int(row["volume"]) - int(before["volume"]), 0) if before is not None else 0
            self._forget_changed_levels(code, row)
        self.engine.on_ticks(rows, at, source)
        self.check()
        self.window = None
        self.traded.clear()

    def _forget_changed_levels(self, code: int, row: Any) -> None:
        for key, (displayed, _) in list(self.taken.items()):
            if key[0] == code and self._displayed(row, key[1].opposite).get(key[2], 0) != displayed:
                del self.taken[key]

    # --- the checks ---

    def check(self) -> None:
        for event in self.engine.take():
            self.seen[type(event).__name__] += 1
            if isinstance(event, Filled):
                self._check_fill(event)
            self._apply(event)
        self._check_what_is_left()

    def _check_fill(self, event: Filled) -> None:
        order = self.orders[event.order_id]
        limit = self._limit(order)
        self.trades.update(f"{event.order_id} {event.quantity} {event.price} {event.number};".encode())
        assert 0 < event.quantity <= order.remaining, "more than the order has left"
        assert event.number == order.fills + 1
        assert limit is not None, "nothing is filled without a limit"
        assert order.side.sign * (limit - event.price) >= 0, "worse than its limit"
        row = self.rows[order.code]
        assert not row["flags"] & UNUSABLE
        displayed = self._displayed(row, order.side.opposite).get(event.price, 0)
        if not self._is_through(event, order, row):
            key = order.code, order.side, event.price
            taken = self.taken.get(key, (displayed, 0))[1] + event.quantity
            self.taken[key] = displayed, taken
            assert taken <= displayed, "more than is displayed"
            assert self._better(order) == [], "an order with priority was passed over"

    def _is_through(self, event: Filled, order: EngineOrder, row: Any) -> bool:
        """Filled by the batch's volume: only what was there before, at its limit, with a trade beyond it."""
        if self.window is None or self.since[order.id] > self.window or event.price != self._limit(order):
            return False
        beyond = row["low"] and row["low"] < event.price if order.side is Side.BUY else row["high"] > event.price
        if not beyond or event.quantity > self.traded.get(order.code, 0):
            return False
        self.traded[order.code] -= event.quantity
        there = [other for other in self._better(order) if self.since[other.id] <= self.window]
        assert there == [], "an order with priority was passed over"
        return True

    def _better(self, order: EngineOrder) -> list[EngineOrder]:
        place = -order.side.sign * (self._limit(order) or 0), order.priority
        return [
            other
            for other in self.orders.values()
            if other.code == order.code
            and other.side is order.side
            and self._rests(other)
            and (-other.side.sign * (self._limit(other) or 0), other.priority) < place
        ]

    def _check_what_is_left(self) -> None:
        held = {order.id: order for order in self.engine.orders()}
        assert held == self.orders, "the events do not tell how the orders stand"
        best: dict[tuple[int, int, Side], int] = {}
        for order in held.values():
            assert order.remaining > 0
            pending = order.is_pending_stop or order.waits
            assert order.validity is Validity.DAY or pending, "an IOC order rests"
            if self._rests(order):
                key = order.account, order.code, order.side
                best[key] = max(best.get(key, -(2**40)), order.side.sign * (self._limit(order) or 0))
        for (account, code, side), price in best.items():
            opposite = best.get((account, code, side.opposite))
            assert opposite is None or price + opposite < 0, "an account stands against itself"

    def _apply(self, event: EngineEvent) -> None:
        match event:
            case Rejected(order_id) | Cancelled(order_id) | Expired(order_id):
                del self.orders[order_id]
            case Accepted():
                self._set(event.order_id, priority=event.priority)
            case Triggered():
                assert event.order_id not in self.triggered, "a stop fires once"
                self.triggered.add(event.order_id)
                order = self.orders[event.order_id]
                assert order.side.sign * (event.price - (order.trigger_price or 0)) >= 0
                protection = None if order.order_type in PRICED_TYPES else event.limit_price
                self.since[event.order_id] = event.at
                self._set(event.order_id, triggered=True, protection_price=protection, priority=event.priority)
            case Protected():
                self._set(event.order_id, protection_price=event.limit_price)
            case Trailed():
                trail = {"trigger_price": event.trigger_price, "trailing_anchor": event.trailing_anchor}
                order = self.orders[event.order_id]
                assert order.side.sign * (event.trigger_price - (order.trigger_price or 0)) <= 0, "a stop went back"
                self._set(event.order_id, **trail, limit_price=event.limit_price)
            case Activated():
                self.since[event.order_id] = event.at
                anchor = event.trailing_anchor
                state = {"waits": False, "quantity": event.quantity, "priority": event.priority}
                self._set(event.order_id, **state, trailing_anchor=anchor)
            case Modified():
                self._apply_change(event)
            case Filled():
                self._apply_fill(event)

    def _apply_change(self, event: Modified) -> None:
        before = self.orders[event.order_id]
        if event.priority != before.priority:
            self.since[event.order_id] = event.at
        state: dict[str, Any] = {
            "quantity": event.quantity, "limit_price": event.limit_price, "trigger_price": event.trigger_price,
            "priority": event.priority, "disclosed_quantity": event.disclosed_quantity,
            "order_type": event.order_type, "validity": event.validity,
        }  # fmt: skip
        if event.trigger_price != before.trigger_price:
            state["trailing_anchor"] = None
        if event.order_type is not before.order_type:
            state["protection_price"] = None
        self._set(event.order_id, **state)

    def _apply_fill(self, event: Filled) -> None:
        order = self.orders[event.order_id]
        self._set(event.order_id, filled=order.filled + event.quantity, fills=event.number)
        if order.group is not None and order.role is Role.ENTRY:
            self.closable[order.group] += event.quantity
        elif order.group is not None:
            self.closable[order.group] -= event.quantity
            assert self.closable[order.group] >= 0, "exits closed more than their entry opened"
        if not self.orders[event.order_id].remaining:
            del self.orders[event.order_id]

    def _set(self, number: int, **values: Any) -> None:
        self.orders[number] = replace(self.orders[number], **values)

    def _limit(self, order: EngineOrder) -> int | None:
        return order.limit_price if order.order_type in PRICED_TYPES else order.protection_price

    def _rests(self, order: EngineOrder) -> bool:
        return not order.is_pending_stop and not order.waits and self._limit(order) is not None

    def _displayed(self, row: Any, side: Side) -> dict[int, int]:
        name = "bid" if side is Side.BUY else "ask"
        return dict(zip(row["depth"][f"{name}_price"].tolist(), row["depth"][f"{name}_quantity"].tolist(), strict=True))


class TestTheEngine:
    def test_keeps_every_promise_whatever_happens(self):
        watched = run_watched(seed=1, steps=4_000)
        assert min(watched.seen[kind.__name__] for kind in (Filled, Triggered, Trailed, Activated, Modified)) > 20

    @pytest.mark.soak
    @pytest.mark.timeout(1_800)
    def test_keeps_every_promise_for_100_000_steps(self):
        for seed in range(25):
            run_watched(seed=1_000 + seed, steps=4_000)

    def test_gives_the_same_trades_for_the_same_seed(self):
        first, second, other = (run_watched(seed, steps=600).trades.hexdigest() for seed in (7, 7, 8))
        assert first == second != other

    @pytest.mark.parametrize("seed", range(5))
    def test_tells_the_same_as_the_naive_list_book(self, seed):
        compare(seed, steps=4_000)

    @pytest.mark.soak
    @pytest.mark.timeout(3_600)
    def test_tells_the_same_as_the_naive_list_book_for_a_million_operations(self):
        for seed in range(250):
            compare(10_000 + seed, steps=4_000)


def run_watched(seed: int, steps: int) -> Watched:
    watched = Watched()
    for operation in RandomMarket(seed).operations(steps):
        operation(watched)
    return watched


def compare(seed: int, steps: int) -> None:
    """The same operations to the naive book and to the fast one, which takes a batch by rows or in columns: every
    event equal after each, and the books at the end."""
    naive, by_row, in_columns = NaiveEngine(), Engine(), Engine(Rules(column_rows=0))
    for step, operation in enumerate(RandomMarket(seed).operations(steps)):
        for engine in (naive, by_row, in_columns):
            operation(engine)
        assert by_row.take() == in_columns.take() == naive.take(), f"seed {seed}, step {step}"
    assert by_row.orders() == in_columns.orders() == naive.orders()
