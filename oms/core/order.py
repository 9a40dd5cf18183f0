"""The words of an order, and the one table that says which status may follow which."""

from __future__ import annotations

from enum import StrEnum


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sale: what makes a quantity signed."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> Side:
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """Dhan's orderType. MARKET becomes a limit at its protection price before it is matched."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_MARKET = "STOP_LOSS_MARKET"


STOP_TYPES = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_MARKET})
PRICED_TYPES = frozenset({OrderType.LIMIT, OrderType.STOP_LOSS})


class Validity(StrEnum):
    DAY = "DAY"
    IOC = "IOC"


class Role(StrEnum):
    """What an order is to the group it belongs to."""

    SINGLE = "SINGLE"
    ENTRY = "ENTRY"  # of a bracket: its exits wait for its fills
    TARGET = "TARGET"  # an exit at a better price; one cancels the other
    STOP = "STOP"  # an exit at a worse price, which may trail
    SLICE = "SLICE"  # part of a quantity above the freeze
    LEG = "LEG"  # of a basket


EXITS = frozenset({Role.TARGET, Role.STOP})


class Source(StrEnum):
    """Who made the order: the exchange wants to know it, and so does whoever reads the book."""

    MANUAL = "MANUAL"
    PROGRAM = "PROGRAM"
    SQUARE_OFF = "SQUARE_OFF"
    BASKET = "BASKET"
    SYSTEM = "SYSTEM"


class OrderStatus(StrEnum):
    QUEUED = "QUEUED"  # accepted, not sent: after-market, forever, an exit that waits for its entry
    TRANSIT = "TRANSIT"  # on its way to the venue
    TRIGGER_PENDING = "TRIGGER_PENDING"
    OPEN = "OPEN"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"  # sent to a broker that has not told the outcome


_S = OrderStatus
_ENDS = {_S.CANCELLED, _S.EXPIRED, _S.REJECTED}

TRANSITIONS: dict[OrderStatus | None, frozenset[OrderStatus]] = {
    None: frozenset({_S.QUEUED, _S.TRANSIT, _S.REJECTED}),
    _S.QUEUED: frozenset({_S.TRANSIT, *_ENDS}),
    _S.TRANSIT: frozenset({_S.TRIGGER_PENDING, _S.OPEN, _S.PARTIALLY_FILLED, _S.FILLED, _S.UNKNOWN, *_ENDS}),
    _S.UNKNOWN: frozenset({_S.TRIGGER_PENDING, _S.OPEN, _S.PARTIALLY_FILLED, _S.FILLED, *_ENDS}),
    _S.TRIGGER_PENDING: frozenset({_S.OPEN, _S.PARTIALLY_FILLED, _S.FILLED, *_ENDS}),
    _S.OPEN: frozenset({_S.PARTIALLY_FILLED, _S.FILLED, *_ENDS}),
    _S.PARTIALLY_FILLED: frozenset({_S.PARTIALLY_FILLED, _S.FILLED, _S.CANCELLED, _S.EXPIRED}),
    _S.FILLED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.REJECTED: frozenset(),
    _S.EXPIRED: frozenset(),
}
"""Every change of a status is an edge of this table."""

TERMINAL = frozenset(status for status, later in TRANSITIONS.items() if status is not None and not later)
LIVE = frozenset(OrderStatus) - TERMINAL
AT_THE_VENUE = frozenset({_S.TRIGGER_PENDING, _S.OPEN, _S.PARTIALLY_FILLED})


class ImpossibleTransition(Exception):
    """An order was to take a status that cannot follow the one it has: a defect, never a user's mistake."""

    def __init__(self, before: OrderStatus | None, after: OrderStatus) -> None:
        super().__init__(f"an order cannot go from {before} to {after}")


def next_status(before: OrderStatus | None, after: OrderStatus) -> OrderStatus:
    """`after`, when it may follow `before`.

    Raises:
        ImpossibleTransition
    """
    if after not in TRANSITIONS[before]:
        raise ImpossibleTransition(before, after)
    return after
