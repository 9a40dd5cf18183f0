"""The matching engine written the slow and obvious way: one list of orders, looked through from end to end each time.

It knows the rules of docs/matching.md and nothing of ladders, thresholds or columns. It tells the same events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from feeds.core.calendar import TRADING_PHASES, Phase
from feeds.core.instrument import ExchangeSegment
from feeds.core.tick import TickFlag
from oms.core.engine_events import (
    Accepted,
    Activated,
    Cancelled,
    Change,
    EngineEvent,
    EngineOrder,
    Expired,
    Filled,
    Modified,
    ModifyRefused,
    Protected,
    Reason,
    Rejected,
    Trailed,
    Triggered,
)
from oms.core.order import OrderType, Role, Side, Validity
from oms.core.protection import protected_price

AUCTIONS = {Phase.PRE_OPEN, Phase.PRE_OPEN_LIMIT_ONLY, Phase.CLOSING_AUCTION, Phase.CLOSING_LIMIT_ONLY}
STALE_NANOSECONDS = 5_000_000_000


class NaiveEngine:
    def __init__(self) -> None:
        self.list: list[EngineOrder] = []
        self.since: dict[int, datetime] = {}
        self.phases: dict[tuple[ExchangeSegment, bool], Phase] = {}
        self.opened: dict[tuple[ExchangeSegment, bool], datetime] = {}
        self.windows: dict[int, datetime] = {}
        self.rows: dict[int, Any] = {}
        self.taken: dict[tuple[int, Side, int], tuple[int, int]] = {}
        self.opened_by_entry: dict[int, int] = {}
        self.closed_by_exits: dict[int, int] = {}
        self.entry_price: dict[int, int] = {}
        self.unfilled_entries: set[int] = set()
        self.last_priority = 0
        self.events: list[EngineEvent] = []

    # --- the list ---

    def find(self, number: int) -> EngineOrder | None:
        for order in self.list:
            if order.id == number:
                return order
        return None

    def where(self, wanted: Callable[[EngineOrder], bool]) -> list[EngineOrder]:
        return [order for order in self.list if wanted(order)]

    def change(self, number: int, **values: Any) -> EngineOrder:
        for place, order in enumerate(self.list):
            if order.id == number:
                self.list[place] = replace(order, **values)
                return self.list[place]
        raise KeyError(number)

    def end(self, order: EngineOrder, event: EngineEvent) -> None:
        self.list = [other for other in self.list if other.id != order.id]
        self.events.append(event)
        current_fills = order.filled
        if order.role is Role.ENTRY and order.group is not None and not current_fills:
            self.unfilled_entries.add(order.group)
            at = event.at
            for exit_ in self.where(lambda other: other.group == order.group and other.waits):
                self.end(exit_, Cancelled(exit_.id, Reason.ENTRY_ENDED, at))

    def priority(self) -> int:
        self.last_priority += 1
        return self.last_priority

    def take(self) -> list[EngineEvent]:
        events, self.events = self.events, []
        return events

    def orders(self) -> list[EngineOrder]:
        return sorted(self.list, key=lambda order: order.id)

    # --- what is asked ---

    def submit(self, order: EngineOrder, at: datetime) -> None:
        refusal = self.refusal(order, at)
        if refusal is not None:
            self.events.append(Rejected(order.id, *refusal, at))
            if order.role is Role.ENTRY and order.group is not None:
                self.unfilled_entries.add(order.group)
                for exit_ in self.where(lambda other: other.group == order.group and other.waits):
                    self.end(exit_, Cancelled(exit_.id, Reason.ENTRY_ENDED, at))
            return
        order = replace(order, priority=order.priority or self.priority())
        self.list.append(order)
        self.since[order.id] = at
        self.events.append(Accepted(order.id, at, order.priority))
        if order.waits:
            self.catch_up(order, at)
        else:
            self.shrink(order, at)
            if self.fresh(order, at):
                self.protect_if_market(order, at)
        self.settle(order.code, at)
        self.end_immediate(at)

    def shrink(self, order: EngineOrder, at: datetime) -> None:
        """An exit that comes when the other exit of its pair has filled some."""
        closed = self.closed_by_exits.get(order.group or 0, 0) if order.role in (Role.TARGET, Role.STOP) else 0
        if closed:
            order = self.change(order.id, quantity=order.quantity - closed)
            if order.remaining > 0:
                self.tell_modified(order, at, by_group=True)
            else:
                self.end(order, Cancelled(order.id, Reason.OTHER_EXIT, at))

    def restore(self, orders: Iterable[EngineOrder], at: datetime) -> None:
        """Plain orders that rest already; groups are not restored here."""
        for order in sorted(orders, key=lambda order: order.id):
            self.list.append(replace(order, priority=self.priority()))
            self.since[order.id] = at

    def catch_up(self, order: EngineOrder, at: datetime) -> None:
        group = order.group or 0
        if group in self.unfilled_entries:
            self.end(order, Cancelled(order.id, Reason.ENTRY_ENDED, at))
        elif self.opened_by_entry.get(group, 0) > 0:
            self.activate(order, at)
        elif group in self.entry_price:
            self.end(order, Cancelled(order.id, Reason.OTHER_EXIT, at))

    def cancel(self, number: int, reason: str, at: datetime) -> bool:
        order = self.find(number)
        if order is not None:
            self.end(order, Cancelled(number, reason, at))
        return order is not None

    def modify(self, number: int, change: Change, at: datetime) -> bool:
        before = self.find(number)
        if before is None:
            return False
        values = {f.name: getattr(change, f.name) for f in fields(Change) if getattr(change, f.name) is not None}
        if "limit_price" in values and (before.order_type is OrderType.MARKET or before.protection_price):
            values.setdefault("order_type", OrderType.LIMIT)
        if "limit_price" in values or "order_type" in values:
            values["protection_price"] = None
        if values.get("order_type", before.order_type) in (OrderType.MARKET, OrderType.STOP_LOSS_MARKET):
            values["limit_price"] = None
        after = replace(before, **values)
        refusal = self.refusal_of_change(before, change) or self.refusal(after, at)
        if refusal is not None:
            self.events.append(ModifyRefused(number, *refusal, at))
            return True
        price_of = lambda order: (order.order_type, order.limit_price, order.trigger_price, order.protection_price)  # noqa: E731
        loses = (price_of(before) != price_of(after) or after.quantity > before.quantity) and not before.waits
        if loses:
            values["priority"] = self.priority()
            self.since[number] = at
        if before.trigger_price != after.trigger_price:
            values["trailing_anchor"] = None
        order = self.change(number, **values)
        self.tell_modified(order, at, by_group=False)
        if loses and self.fresh(order, at):
            self.protect_if_market(order, at)
        self.settle(order.code, at)
        self.end_immediate(at)
        return True

    def refusal_of_change(self, order: EngineOrder, change: Change) -> tuple[str, str] | None:
        if change.quantity is not None and order.group is not None and order.role in (Role.TARGET, Role.STOP):
            return Reason.EXIT_QUANTITY, "An exit's quantity follows its entry and the other exit."
        if change.quantity is not None and change.quantity <= order.filled:
            return Reason.BELOW_FILLED, f"{order.filled} are filled already; a new quantity must be more."
        if order.triggered and change.trigger_price is not None and change.trigger_price != order.trigger_price:
            return Reason.TRIGGERED, "The stop has been triggered; its trigger cannot change any more."
        return None

    def refusal(self, order: EngineOrder, at: datetime) -> tuple[str, str] | None:
        phase = self.phase(order)
        has_limit = order.order_type in (OrderType.LIMIT, OrderType.STOP_LOSS)
        has_trigger = order.order_type in (OrderType.STOP_LOSS, OrderType.STOP_LOSS_MARKET)
        if (has_limit and order.limit_price is None) or (has_trigger and order.trigger_price is None):
            return Reason.PRICE_MISSING, f"A {order.order_type} order needs its limit and trigger prices."
        if order.order_type is OrderType.STOP_LOSS and (
            order.limit_price < order.trigger_price
            if order.side is Side.BUY
            else order.limit_price > order.trigger_price
        ):
            return Reason.STOP_SIGN, "A stop's limit must not be below its trigger for a buy, nor above it for a sale."
        if order.waits:
            return None
        if phase is not Phase.CONTINUOUS:
            if phase not in AUCTIONS:
                return Reason.PHASE, f"The segment takes no orders now ({phase})."
            if (order.trigger_price and order.order_type.startswith("STOP")) or order.validity is Validity.IOC:
                return (
                    Reason.PHASE,
                    f"No stop, IOC or disclosed quantity while prices are found by auction ({phase}).",
                )
            if order.disclosed_quantity:
                return (
                    Reason.PHASE,
                    f"No stop, IOC or disclosed quantity while prices are found by auction ({phase}).",
                )
            if order.order_type is OrderType.MARKET and phase.endswith("LIMIT_ONLY"):
                return Reason.PHASE, f"Only limit orders are taken now ({phase})."
        if self.is_pending(order):
            return None
        limit = self.limit(order)
        if limit is None and phase is Phase.CONTINUOUS:
            row = self.fresh(order, at)
            if row is None or not row["last_price"]:
                return Reason.NO_PRICE, "There is no fresh price to protect a market order by."
            limit = self.protection(order, row, at)
        if limit is not None and self.own_crossing(order, limit):
            return Reason.SELF_TRADE, "It would trade with a resting order of the same account."
        return None

    def own_crossing(self, order: EngineOrder, limit: int) -> list[EngineOrder]:
        own = self.where(
            lambda other: (
                other.account == order.account
                and other.code == order.code
                and other.side is not order.side
                and self.rests(other)
                and (limit - self.limit(other)) * order.side.sign >= 0
            )
        )
        return sorted(own, key=lambda other: (-other.side.sign * self.limit(other), other.priority))

    # --- what the market does ---

    def on_ticks(self, rows: Any, at: datetime, source: int = 0) -> None:
        window = self.windows.get(source)
        self.windows[source] = at
        for row in rows:
            self.on_row(row, at, window)

    def on_row(self, row: Any, at: datetime, window: datetime | None) -> None:
        code = int(row["code"])
        before, self.rows[code] = self.rows.get(code), row.copy()
        row = self.rows[code]
        traded = 0
        if before is not None and not row["flags"] & TickFlag.GAP:
            traded = max(int(row["volume"]) - int(before["volume"]), 0)
        traded -= self.forget(code, row)
        if not self.usable(row, at):
            return
        for key, phase in self.phases.items():
            if phase is Phase.CONTINUOUS and any(self.key(order) == key and order.code == code for order in self.list):
                if window is not None and self.opened[key] <= window:
                    self.trigger(code, row, at, window)
                    self.trail(code, row, at, window)
                told = len(self.events)
                self.settle(code, at)
                self.end_immediate(at)
                traded -= sum(event.quantity for event in self.events[told:] if isinstance(event, Filled))
                if window is not None and self.opened[key] <= window:
                    self.fill_through(code, row, at, window, traded)
                    self.settle(code, at)
                    self.end_immediate(at)

    def forget(self, code: int, row: Any) -> int:
        forgotten = 0
        for key, (displayed, quantity) in list(self.taken.items()):
            of_code, side, price = key
            if of_code == code and dict(self.levels(row, side)).get(price) != displayed:
                del self.taken[key]
                forgotten += quantity
        return forgotten

    def settle(self, code: int, at: datetime) -> None:
        told = -1
        while told != len(self.events):
            told = len(self.events)
            row = self.rows.get(code)
            if row is None or not self.usable(row, at):
                return
            if not any(order.code == code and self.phase(order) is Phase.CONTINUOUS for order in self.list):
                return
            waiting = self.where(
                lambda order: (
                    order.code == code
                    and order.order_type is OrderType.MARKET
                    and self.limit(order) is None
                    and not order.waits
                )
            )
            for order in sorted(waiting, key=lambda order: order.priority):
                self.protect_if_market(order, at)
                self.clear_way(order.id, at)
            self.trail(code, row, at, None)
            self.trigger(code, row, at, None)
            self.fill_from_depth(code, Side.BUY, row, at)
            self.fill_from_depth(code, Side.SELL, row, at)

    def trigger(self, code: int, row: Any, at: datetime, window: datetime | None) -> None:
        for side in (Side.BUY, Side.SELL):
            seen = self.extreme(row, side is Side.BUY, window)
            pending = [order for order in self.watching(code) if order.side is side]
            for order in sorted(pending, key=lambda order: (side.sign * order.trigger_price, order.priority)):
                saw = window is None or self.since[order.id] <= window
                if seen and saw and side.sign * (seen - order.trigger_price) >= 0 and self.find(order.id):
                    self.fire(order, seen, row, at)

    def fire(self, order: EngineOrder, seen: int, row: Any, at: datetime) -> None:
        values: dict[str, Any] = {"triggered": True, "priority": self.priority()}
        if order.order_type is OrderType.STOP_LOSS_MARKET:
            values["protection_price"] = self.protection(order, row, at)
        order = self.change(order.id, **values)
        self.since[order.id] = at
        self.events.append(Triggered(order.id, seen, self.limit(order), at, order.priority))
        self.clear_way(order.id, at)

    def trail(self, code: int, row: Any, at: datetime, window: datetime | None) -> None:
        for side in (Side.BUY, Side.SELL):
            seen = self.extreme(row, side is Side.SELL, window)
            if not seen:
                continue
            trailing = [order for order in self.watching(code) if order.side is side and order.trailing_jump]
            moving = []
            for order in trailing:
                if order.trailing_anchor is None:
                    if window is None:
                        moving.append((-1, order.priority, order))
                elif window is None or self.since[order.id] <= window:
                    gain = (order.trailing_anchor - seen) * side.sign
                    if gain >= order.trailing_jump:
                        next_at = order.trailing_anchor - side.sign * order.trailing_jump
                        moving.append((-side.sign * next_at + 2**32, order.priority, order))
            for _, _, order in sorted(moving, key=lambda item: item[:2]):
                self.follow(order, seen, at)

    def follow(self, order: EngineOrder, seen: int, at: datetime) -> None:
        anchor, trigger, limit = order.trailing_anchor, order.trigger_price, order.limit_price
        if anchor is None:
            anchor = seen
        while (anchor - seen) * order.side.sign >= order.trailing_jump:
            anchor -= order.side.sign * order.trailing_jump
            trigger -= order.side.sign * order.trailing_jump
            limit = None if limit is None else limit - order.side.sign * order.trailing_jump
        self.change(order.id, trailing_anchor=anchor, trigger_price=trigger, limit_price=limit)
        self.events.append(Trailed(order.id, trigger, limit, anchor, at))

    def fill_through(self, code: int, row: Any, at: datetime, window: datetime, traded: int) -> None:
        if not row["low"]:
            return
        for side in (Side.BUY, Side.SELL):
            for order in self.queue(code, side):
                beyond = self.limit(order) > row["low"] if side is Side.BUY else self.limit(order) < row["high"]
                current = self.find(order.id)
                if beyond and current is not None and self.since[order.id] <= window and traded > 0:
                    quantity = min(traded, current.remaining)
                    traded -= quantity
                    self.fill(current, quantity, self.limit(current), at)

    def fill_from_depth(self, code: int, side: Side, row: Any, at: datetime) -> None:
        for price, displayed in self.levels(row, side.opposite):
            while True:
                queue = self.queue(code, side)
                taken = self.taken.get((code, side.opposite, price), (displayed, 0))[1]
                if not queue or displayed == taken or side.sign * (self.limit(queue[0]) - price) < 0:
                    break
                quantity = min(displayed - taken, queue[0].remaining)
                self.taken[code, side.opposite, price] = displayed, taken + quantity
                self.fill(queue[0], quantity, price, at)

    def queue(self, code: int, side: Side) -> list[EngineOrder]:
        resting = self.where(lambda order: order.code == code and order.side is side and self.rests(order))
        return sorted(resting, key=lambda order: (-side.sign * self.limit(order), order.priority))

    def fill(self, order: EngineOrder, quantity: int, price: int, at: datetime) -> None:
        order = self.change(order.id, filled=order.filled + quantity, fills=order.fills + 1)
        self.events.append(Filled(order.id, quantity, price, at, order.fills))
        if not order.remaining:
            self.list = [other for other in self.list if other.id != order.id]
        if order.group is not None and order.role is Role.ENTRY:
            self.entry_filled(order, quantity, price, at)
        elif order.group is not None and order.role in (Role.TARGET, Role.STOP):
            self.exit_filled(order, quantity, at)

    def entry_filled(self, entry: EngineOrder, quantity: int, price: int, at: datetime) -> None:
        group = entry.group or 0
        self.opened_by_entry[group] = self.opened_by_entry.get(group, 0) + quantity
        self.entry_price.setdefault(group, price)
        for exit_ in self.exits(group):
            if exit_.waits:
                self.activate(exit_, at)
            else:
                grown = self.change(exit_.id, quantity=exit_.quantity + quantity)
                self.tell_modified(grown, at, by_group=True)

    def exit_filled(self, done: EngineOrder, quantity: int, at: datetime) -> None:
        group = done.group or 0
        self.opened_by_entry[group] = self.opened_by_entry.get(group, 0) - quantity
        self.closed_by_exits[group] = self.closed_by_exits.get(group, 0) + quantity
        for other in self.exits(group):
            if other.id == done.id:
                continue
            other = self.change(other.id, quantity=other.quantity - quantity)
            if not done.remaining or other.remaining <= 0:
                self.end(other, Cancelled(other.id, Reason.OTHER_EXIT, at))
            else:
                self.tell_modified(other, at, by_group=True)
        for entry in self.where(lambda order: order.group == group and order.role is Role.ENTRY):
            if not done.remaining:
                self.end(entry, Cancelled(entry.id, Reason.BRACKET_EXITED, at))

    def exits(self, group: int) -> list[EngineOrder]:
        return self.where(lambda order: order.group == group and order.role in (Role.TARGET, Role.STOP))

    def activate(self, exit_: EngineOrder, at: datetime) -> None:
        group = exit_.group or 0
        values: dict[str, Any] = {"waits": False, "quantity": self.opened_by_entry[group], "priority": self.priority()}
        if exit_.trailing_jump:
            values["trailing_anchor"] = self.entry_price[group]
        exit_ = self.change(exit_.id, **values)
        self.since[exit_.id] = at
        self.events.append(Activated(exit_.id, exit_.quantity, exit_.trailing_anchor, at, exit_.priority))
        if self.rests(exit_):
            self.clear_way(exit_.id, at)

    def clear_way(self, number: int, at: datetime) -> None:
        order = self.find(number)
        if order is not None and self.limit(order) is not None:
            for other in self.own_crossing(order, self.limit(order)):
                self.end(other, Cancelled(other.id, Reason.SELF_TRADE, at))

    def end_immediate(self, at: datetime) -> None:
        """In the order in which they came to rest."""
        resting = self.where(
            lambda order: order.validity is Validity.IOC and not order.waits and not self.is_pending(order)
        )
        for order in sorted(resting, key=lambda order: order.priority):
            self.end(order, Cancelled(order.id, Reason.IOC_REMAINDER, at))

    # --- the clock ---

    def on_phase(self, segment: ExchangeSegment, phase: Phase, at: datetime, has_derivatives: bool = True) -> None:
        key = segment, has_derivatives
        before = self.phases.get(key, Phase.CLOSED)
        self.phases[key] = phase
        if phase is Phase.CONTINUOUS and before is not phase:
            self.opened[key] = at
        if before is Phase.CONTINUOUS and phase.startswith("CLOSING"):
            for order in self.of_session(key):
                stays = order.forever and not order.triggered
                if self.find(order.id) and not stays and (self.is_pending(order) or order.disclosed_quantity):
                    self.end(order, Cancelled(order.id, Reason.CLOSING_AUCTION, at))
        if before in TRADING_PHASES and phase not in TRADING_PHASES:
            for order in self.of_session(key):
                if self.find(order.id) and not (order.forever and not order.triggered):
                    self.end(order, Expired(order.id, Reason.DAY_ENDED, at))

    def of_session(self, key: tuple[ExchangeSegment, bool]) -> Iterable[EngineOrder]:
        return sorted(self.where(lambda order: self.key(order) == key), key=lambda order: order.id)

    # --- small answers ---

    def key(self, order: EngineOrder) -> tuple[ExchangeSegment, bool]:
        return order.segment, order.has_derivatives

    def phase(self, order: EngineOrder) -> Phase:
        return self.phases.get(self.key(order), Phase.CLOSED)

    def is_pending(self, order: EngineOrder) -> bool:
        return order.order_type in (OrderType.STOP_LOSS, OrderType.STOP_LOSS_MARKET) and not order.triggered

    def watching(self, code: int) -> list[EngineOrder]:
        return self.where(lambda order: order.code == code and self.is_pending(order) and not order.waits)

    def rests(self, order: EngineOrder) -> bool:
        return not self.is_pending(order) and not order.waits and self.limit(order) is not None

    def limit(self, order: EngineOrder) -> Any:
        return (
            order.limit_price if order.order_type in (OrderType.LIMIT, OrderType.STOP_LOSS) else order.protection_price
        )

    def protection(self, order: EngineOrder, row: Any, at: datetime) -> int:
        return protected_price(order.side, int(row["last_price"]), order.tick_size, order.instrument_type, at.date())

    def protect_if_market(self, order: EngineOrder, at: datetime) -> None:
        row = self.rows[order.code]
        if order.order_type is OrderType.MARKET and self.limit(order) is None and row["last_price"]:
            price = self.protection(order, row, at)
            self.change(order.id, protection_price=price)
            self.events.append(Protected(order.id, price, at))

    def fresh(self, order: EngineOrder, at: datetime) -> Any:
        row = self.rows.get(order.code)
        is_open = self.phase(order) is Phase.CONTINUOUS
        return row if row is not None and is_open and self.usable(row, at) else None

    def usable(self, row: Any, at: datetime) -> bool:
        bad = TickFlag.STALE | TickFlag.QUARANTINED | TickFlag.SEEDED
        return not row["flags"] & bad and row["received_at"] >= int(at.timestamp() * 1e9) - STALE_NANOSECONDS

    def extreme(self, row: Any, highest: bool, window: datetime | None) -> int:
        last, low, high = int(row["last_price"]), int(row["low"]), int(row["high"])
        if window is None or not last:
            return last
        return max(high, last) if highest else min(low or last, last)

    def levels(self, row: Any, side: Side) -> list[tuple[int, int]]:
        name = "bid" if side is Side.BUY else "ask"
        prices, quantities = row["depth"][f"{name}_price"].tolist(), row["depth"][f"{name}_quantity"].tolist()
        return [(price, quantity) for price, quantity in zip(prices, quantities, strict=True) if price and quantity]

    def tell_modified(self, order: EngineOrder, at: datetime, by_group: bool) -> None:
        self.events.append(
            Modified(
                order.id,
                order.quantity,
                order.limit_price,
                order.trigger_price,
                at,
                order.priority,
                order.disclosed_quantity,
                order.order_type,
                order.validity,
                by_group,
            )
        )
