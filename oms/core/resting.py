"""Orders that the engine holds, in price-time priority, and what rests in one instrument."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from feeds.core.calendar import Phase
from oms.core.engine_events import EngineOrder
from oms.core.groups import Group
from oms.core.order import PRICED_TYPES, STOP_TYPES, Side
from oms.core.quote import Quote, Taken
from oms.core.trailing import next_move_at

NEVER_RISES = 2**31 - 1
NEVER_FALLS = -1
"""Thresholds that no price reaches: prices are int32 and not negative."""

HIGHEST_FIRST, LOWEST_FIRST = 1, -1


class Resting:
    """One order and what has become of it. `limit`: the price that it rests at; None while it has none."""

    __slots__ = (
        "account_side", "anchor", "book", "disclosed_quantity", "filled", "fills", "group", "home", "id", "is_buy",
        "limit", "limit_price", "order", "order_type", "priority", "protection", "quantity", "side", "since",
        "trigger_price", "triggered", "validity", "waits",
    )  # fmt: skip

    def __init__(self, order: EngineOrder, book: Book, since: datetime) -> None:
        self.order, self.book, self.since = order, book, since
        self.id, self.side, self.order_type, self.validity = order.id, order.side, order.order_type, order.validity
        self.quantity, self.filled, self.fills = order.quantity, order.filled, order.fills
        self.limit_price, self.trigger_price = order.limit_price, order.trigger_price
        self.disclosed_quantity, self.priority = order.disclosed_quantity, order.priority
        self.triggered, self.protection, self.anchor = order.triggered, order.protection_price, order.trailing_anchor
        self.waits = order.waits
        self.is_buy = order.side is Side.BUY
        self.account_side = account_side(order.account, self.is_buy)
        self.home: Ladder | None = None
        self.group: Group | None = None
        self.limit = self._limit()

    def _limit(self) -> int | None:
        return self.limit_price if self.order_type in PRICED_TYPES else self.protection

    @property
    def remaining(self) -> int:
        return self.quantity - self.filled

    @property
    def is_pending_stop(self) -> bool:
        return self.order_type in STOP_TYPES and not self.triggered

    def as_order(self) -> EngineOrder:
        """What would be submitted or restored for it to stand as it does."""
        order = self.order
        return EngineOrder(
            order.id, order.account, order.code, order.segment, order.side, self.order_type, self.quantity,
            limit_price=self.limit_price, trigger_price=self.trigger_price, validity=self.validity,
            disclosed_quantity=self.disclosed_quantity, instrument_type=order.instrument_type,
            tick_size=order.tick_size, has_derivatives=order.has_derivatives, forever=order.forever,
            group=order.group, role=order.role, waits=self.waits, trailing_jump=order.trailing_jump,
            filled=self.filled, fills=self.fills, triggered=self.triggered, protection_price=self.protection,
            trailing_anchor=self.anchor, priority=self.priority,
        )  # fmt: skip

    def become(self, order: EngineOrder) -> None:
        """Take a changed order's terms; what has happened to it stays."""
        self.order_type, self.validity, self.quantity = order.order_type, order.validity, order.quantity
        self.limit_price, self.trigger_price = order.limit_price, order.trigger_price
        self.disclosed_quantity, self.protection = order.disclosed_quantity, order.protection_price
        self.limit = self._limit()

    def protect(self, price: int) -> None:
        self.protection = self.limit = price


class Ladder:
    """Orders by price, then time. `direction`: whether the highest or the lowest price comes first.

    `prices` are those at which any stands, times the direction and ascending: the first to be served is the last.
    """

    __slots__ = ("_levels", "_price_of", "direction", "prices")

    def __init__(self, direction: int) -> None:
        self.direction = direction
        self.prices: list[int] = []
        self._levels: dict[int, dict[int, Resting]] = {}
        """By such a price the orders there by their id, the first to be served first."""
        self._price_of: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self.prices)

    def __len__(self) -> int:
        return len(self._price_of)

    def __contains__(self, held: Resting) -> bool:
        return held.id in self._price_of

    def __iter__(self) -> Iterator[Resting]:
        """First to be served first. Change nothing meanwhile."""
        for price in reversed(self.prices):
            yield from self._levels[price].values()

    def add(self, held: Resting, price: int) -> None:
        price *= self.direction
        level = self._levels.get(price)
        if level is None:
            self._levels[price] = {held.id: held}
            insort(self.prices, price)
        elif next(reversed(level.values())).priority < held.priority:
            level[held.id] = held
        else:
            self._levels[price] = in_time([*level.values(), held])
        self._price_of[held.id] = price

    def remove(self, held: Resting) -> None:
        price = self._price_of.pop(held.id)
        level = self._levels[price]
        del level[held.id]
        if not level:
            del self._levels[price]
            del self.prices[bisect_left(self.prices, price)]

    def best(self) -> Resting | None:
        return next(iter(self._levels[self.prices[-1]].values())) if self.prices else None

    def best_price(self, empty: int) -> int:
        return self.direction * self.prices[-1] if self.prices else empty

    def reaching(self, price: int) -> list[Resting]:
        """Those at this price or before it, first to be served first."""
        start = bisect_left(self.prices, self.direction * price)
        return [held for level in reversed(self.prices[start:]) for held in self._levels[level].values()]


def in_time(orders: list[Resting]) -> dict[int, Resting]:
    return {held.id: held for held in sorted(orders, key=lambda held: held.priority)}


class Thresholds(NamedTuple):
    """What a row must reach for an instrument to be looked at: a traded price at or above `rise` or at or below
    `fall`, an ask at or below `buy`, a bid at or above `sell`; or `awake`: any row."""

    rise: int
    fall: int
    buy: int
    sell: int
    awake: bool


ASLEEP = Thresholds(NEVER_RISES, NEVER_FALLS, NEVER_FALLS, NEVER_RISES, awake=False)


class Book:
    """What rests in one instrument, what waits there for a price, and what was taken of its depth."""

    __slots__ = (
        "buy_stops", "buy_trails", "buys", "limits_of", "opened_at", "phase", "quote", "sell_stops", "sell_trails",
        "sells", "slot", "stamp", "taken_asks", "taken_bids", "unpriced",
    )  # fmt: skip

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.stamp = -1
        self.quote: Quote | None = None
        self.phase = Phase.CLOSED
        self.opened_at: datetime | None = None
        self.buys, self.sells = Ladder(HIGHEST_FIRST), Ladder(LOWEST_FIRST)
        self.buy_stops, self.sell_stops = Ladder(LOWEST_FIRST), Ladder(HIGHEST_FIRST)
        self.buy_trails, self.sell_trails = Ladder(HIGHEST_FIRST), Ladder(LOWEST_FIRST)
        self.unpriced = Ladder(LOWEST_FIRST)
        self.taken_bids, self.taken_asks = Taken(), Taken()
        self.limits_of: dict[int, int] = {}
        """How many limits rest, by account and side."""

    def add(self, held: Resting) -> None:
        """Put an order where its type and state belong."""
        if held.is_pending_stop:
            self._watch(held)
        elif held.limit is None:
            self._settle_in(held, self.unpriced, 0)
        else:
            self._settle_in(held, self.buys if held.is_buy else self.sells, held.limit)
            self.limits_of[held.account_side] = self.limits_of.get(held.account_side, 0) + 1

    def remove(self, held: Resting) -> None:
        home = held.home
        if home is None:
            return
        home.remove(held)
        if home is self.buys or home is self.sells:
            self.limits_of[held.account_side] -= 1
        elif held.order.trailing_jump and held in self.trails(held.side):
            self.trails(held.side).remove(held)
        held.home = None

    def crossing(self, account: int, side: Side, limit: int) -> list[Resting]:
        """The account's resting orders that an order of this side and limit would meet."""
        is_buy = side is Side.BUY
        if not self.limits_of.get(account_side(account, not is_buy)):
            return []
        met = (self.sells if is_buy else self.buys).reaching(limit)
        return [held for held in met if held.order.account == account]

    @property
    def is_open(self) -> bool:
        return self.phase is Phase.CONTINUOUS

    @property
    def has_conditions(self) -> bool:
        """Whether anything waits for a price: stops (those that trail are among them) and market orders without one."""
        return bool(self.unpriced.prices or self.buy_stops.prices or self.sell_stops.prices)

    @property
    def thresholds(self) -> Thresholds:
        if not self.is_open:
            return ASLEEP if not (self.taken_bids or self.taken_asks) else ASLEEP._replace(awake=True)
        buy, sell = self.buys.best_price(NEVER_FALLS), self.sells.best_price(NEVER_RISES)
        return Thresholds(
            min(self.buy_stops.best_price(NEVER_RISES), self.sell_trails.best_price(NEVER_RISES), sell),
            max(self.sell_stops.best_price(NEVER_FALLS), self.buy_trails.best_price(NEVER_FALLS), buy),
            buy,
            sell,
            bool(self.unpriced or self.taken_bids or self.taken_asks),
        )

    def _watch(self, held: Resting) -> None:
        stops = self.buy_stops if held.side is Side.BUY else self.sell_stops
        self._settle_in(held, stops, held.trigger_price or 0)
        if held.order.trailing_jump:
            self.trails(held.side).add(held, _moves_at(held))

    def _settle_in(self, held: Resting, ladder: Ladder, price: int) -> None:
        ladder.add(held, price)
        held.home = ladder

    def trails(self, side: Side) -> Ladder:
        return self.buy_trails if side is Side.BUY else self.sell_trails


def account_side(account: int, is_buy: bool) -> int:
    """One number for both: a tuple with an enumeration costs a tenth of an order to hash."""
    return 2 * account + is_buy


def _moves_at(held: Resting) -> int:
    """The price at which a trailing stop moves next; one without an anchor takes the first that comes."""
    if held.anchor is None:
        return NEVER_RISES if held.side is Side.BUY else 0
    return next_move_at(held.side, held.anchor, held.order.trailing_jump)
