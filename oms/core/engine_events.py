"""What the matching engine is told of orders, and what it tells of them. Prices are paise, times exchange times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar, dataclass_transform

from feeds.core.instrument import ExchangeSegment, InstrumentType
from oms.core.order import EXITS, STOP_TYPES, OrderType, Role, Side, Validity

Kind = TypeVar("Kind")


@dataclass_transform(frozen_default=True)
def record(kind: type[Kind]) -> type[Kind]:
    """A dataclass that nobody changes. mypy holds that: refused at run time, it made an order cost five times that."""
    return dataclass(slots=True, unsafe_hash=True)(kind)


class Reason(StrEnum):
    """Why the engine refused an order or a change, or ended an order that nobody asked it to end."""

    PHASE = "PHASE"  # the segment takes no such order at this time of day
    PRICE_MISSING = "PRICE_MISSING"  # its type needs a limit or a trigger that it has not
    STOP_SIGN = "STOP_SIGN"  # a stop's limit is on the wrong side of its trigger
    NO_PRICE = "NO_PRICE"  # a market order without a fresh last price to protect it by
    SELF_TRADE = "SELF_TRADE"  # it would meet a resting order of its own account
    BELOW_FILLED = "BELOW_FILLED"  # a new quantity that leaves nothing to fill
    TRIGGERED = "TRIGGERED"  # its trigger cannot change any more
    EXIT_QUANTITY = "EXIT_QUANTITY"  # an exit's quantity follows its group
    IOC_REMAINDER = "IOC_REMAINDER"
    OTHER_EXIT = "OTHER_EXIT"  # the other exit of its pair was filled
    ENTRY_ENDED = "ENTRY_ENDED"  # its bracket's entry ended without a fill
    BRACKET_EXITED = "BRACKET_EXITED"  # an exit was filled whole while the entry was still open
    CLOSING_AUCTION = "CLOSING_AUCTION"  # stops and disclosed quantities do not go into a closing auction
    DAY_ENDED = "DAY_ENDED"
    POSITION_CLOSED = "POSITION_CLOSED"  # it may only close a position, and nothing was left of it
    UNWRITABLE = "UNWRITABLE"  # what came of it could not be kept, try after try


@record
class EngineOrder:
    """An order as the engine holds it: what is submitted, and what `Engine.order` and `Engine.orders` give back.

    The fields from `filled` on are state. A new order leaves them alone; a book that is restored after a restart
    gives them as the events told them, and the engine goes on as if nothing had happened.
    """

    id: int
    account: int
    code: int
    segment: ExchangeSegment
    side: Side
    order_type: OrderType
    quantity: int
    """Total, fills included. Of an exit that waits: the whole bracket's; from `Activated` on: what may be closed."""
    limit_price: int | None = None
    trigger_price: int | None = None
    validity: Validity = Validity.DAY
    disclosed_quantity: int = 0
    instrument_type: InstrumentType = InstrumentType.OPTIDX
    tick_size: int = 5
    has_derivatives: bool = True
    """As `Calendar.phase` has it: since August 2026 shares with and without derivatives keep different hours."""
    forever: bool = False
    """Neither the close nor a closing auction ends it; once triggered it is a DAY order like any other."""
    group: int | None = None
    role: Role = Role.SINGLE
    waits: bool = False
    """An exit whose entry has not filled: neither resting nor watching for its trigger until `Activated`."""
    trailing_jump: int = 0

    filled: int = 0
    fills: int = 0
    """How many trades it has; the next one's number is one more."""
    triggered: bool = False
    protection_price: int | None = None
    """The limit of a market order, from the moment its price was known."""
    trailing_anchor: int | None = None
    """The price from which the next `trailing_jump` is counted."""
    priority: int = 0
    """Time priority, lower first; 0: the engine gives the next one. Events tell it, so that it can be kept."""

    @property
    def remaining(self) -> int:
        return self.quantity - self.filled

    @property
    def is_pending_stop(self) -> bool:
        return self.order_type in STOP_TYPES and not self.triggered

    @property
    def is_exit(self) -> bool:
        return self.role in EXITS


@record
class Change:
    """What a modification changes; None leaves a thing as it is. `quantity` is the new total, fills included."""

    quantity: int | None = None
    limit_price: int | None = None
    trigger_price: int | None = None
    disclosed_quantity: int | None = None
    order_type: OrderType | None = None
    validity: Validity | None = None


@record
class Accepted:
    """The order is at the venue: resting, watching for its trigger, or (an exit that waits) held for its entry."""

    order_id: int
    at: datetime
    priority: int


@record
class Triggered:
    """A stop's price was seen; it rests at `limit_price` from now on, last in time at that price."""

    order_id: int
    price: int
    """The price that triggered it."""
    limit_price: int
    at: datetime
    priority: int


@record
class Protected:
    """A market order got the limit that it is matched at."""

    order_id: int
    limit_price: int
    at: datetime


@record
class Filled:
    order_id: int
    quantity: int
    price: int
    at: datetime
    number: int
    """From 1 within its order: with it the trade's identity."""


@record
class Cancelled:
    order_id: int
    reason_code: str
    at: datetime


@record
class Expired:
    order_id: int
    reason_code: str
    at: datetime


@record
class Rejected:
    order_id: int
    code: str
    message: str
    at: datetime


@record
class Modified:
    """The order as it stands after a change that was asked for, or that its group's fills brought with them."""

    order_id: int
    quantity: int
    limit_price: int | None
    trigger_price: int | None
    at: datetime
    priority: int
    disclosed_quantity: int = 0
    order_type: OrderType = OrderType.LIMIT
    validity: Validity = Validity.DAY
    by_group: bool = False
    """Nobody asked: its entry filled further, or the other exit took some of the quantity."""


@record
class ModifyRefused:
    order_id: int
    code: str
    message: str
    at: datetime


@record
class Trailed:
    """A stop followed the price. Its limit, if it has one, moved by as much."""

    order_id: int
    trigger_price: int
    limit_price: int | None
    trailing_anchor: int
    at: datetime


@record
class Activated:
    """An exit's entry has filled: it is at the venue from now on, for that quantity."""

    order_id: int
    quantity: int
    trailing_anchor: int | None
    at: datetime
    priority: int


EngineEvent = (
    Accepted
    | Triggered
    | Protected
    | Filled
    | Cancelled
    | Expired
    | Rejected
    | Modified
    | ModifyRefused
    | Trailed
    | Activated
)
