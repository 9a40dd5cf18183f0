"""The matching engine of paper orders: pure and deterministic. The same calls give the same events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from feeds.core.calendar import TRADING_PHASES, Phase
from feeds.core.instrument import ExchangeSegment
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
from oms.core.groups import Group
from oms.core.order import OrderType, Role, Validity
from oms.core.protection import protected_price
from oms.core.quote import Levels, Quote, Taken, read_quote
from oms.core.resting import Book, Ladder, Resting
from oms.core.screen import Rows, Screen
from oms.core.trailing import Trail, follow
from oms.core.venue import CLOSING_PHASES, Refusal, changed, loses_priority, refusal_of, refusal_of_change

__all__ = [
    "Accepted",
    "Activated",
    "Cancelled",
    "Change",
    "Engine",
    "EngineEvent",
    "EngineOrder",
    "Expired",
    "Filled",
    "Modified",
    "ModifyRefused",
    "Protected",
    "Reason",
    "Rejected",
    "Rules",
    "Trailed",
    "Triggered",
]

NANOSECONDS = 1_000_000_000
SessionKey = tuple[ExchangeSegment, bool]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the engine goes by. `wall_offset_seconds`: exchange time less wall time, for the age of a row."""

    stale_seconds: float = 5.0
    wall_offset_seconds: float = 0.0
    column_rows: int = 32
    """Batches of fewer rows are gone through row by row; the events are the same."""


class Session:
    """The phase that a segment is in, and the instruments of it that hold orders."""

    __slots__ = ("books", "opened_at", "phase")

    def __init__(self) -> None:
        self.phase = Phase.CLOSED
        self.opened_at: datetime | None = None
        self.books: list[Book] = []


class Engine:
    """Orders of paper accounts against the displayed market. Call it from one thread, in the order of time.

    `at` is always an aware exchange time; a batch's is the moment it was flushed. What comes of a call is taken
    with `take()`. A segment is CLOSED until `on_phase` says otherwise. The rules are in docs/matching.md.
    """

    def __init__(self, rules: Rules | None = None) -> None:
        self._rules = rules or Rules()
        self._screen = Screen(self._rules.column_rows)
        self._books: dict[int, Book] = {}
        """By their slot; `_book_of` by their instrument's code."""
        self._book_of: dict[int, Book] = {}
        self._sessions: dict[SessionKey, Session] = {}
        self._held: dict[int, Resting] = {}
        self._groups: dict[int, Group] = {}
        self._windows: dict[int, datetime] = {}
        self._events: list[EngineEvent] = []
        self._changed: set[Book] = set()
        self._immediate: list[Resting] = []
        self._is_settled = True
        self._last_priority = 0
        self._moment: datetime | None = None
        self._oldest_at_moment = 0

    # --- what is asked ---

    def submit(self, order: EngineOrder, at: datetime) -> None:
        """Accept or reject a new order and match it against the last row. A bracket's exits come with `waits`, before
        or after their entry; the exits of an OCO pair come without. All orders of a group are of one instrument.

        Raises:
            ValueError: it is held already.
        """
        if order.id in self._held:
            raise ValueError(f"order {order.id} is held already")
        book = self._book(order)
        quote = self._quote(book, at)
        refusal = self._refusal(order, book, quote, at)
        if refusal is not None:
            self._reject(order, refusal, at)
            return
        held = self._hold(order, book, at)
        self._tell(Accepted(held.id, at, held.priority))
        if held.group is not None and order.is_exit:
            self._join_late(held, held.group, at)
        if held.id in self._held and not held.waits and held.home is None:
            self._enter(held, quote, at)
        self._settle(book, quote, at)

    def restore(self, orders: Iterable[EngineOrder], at: datetime) -> None:
        """Take up orders that were accepted before a restart: no event, no check, no match."""
        for order in sorted(orders, key=lambda order: (order.priority, order.id)):
            book = self._book(order)
            held = self._hold(order, book, at)
            if not held.waits:
                self._put(held)

    def cancel(self, order_id: int, reason_code: str, at: datetime) -> bool:
        """False when the engine does not hold the order (it ended meanwhile, or never came)."""
        held = self._held.get(order_id)
        if held is None:
            return False
        self._cancel(held, reason_code, at)
        return True

    def modify(self, order_id: int, change: Change, at: datetime) -> bool:
        """Modified or ModifyRefused follows. False when the engine does not hold the order."""
        held = self._held.get(order_id)
        if held is None:
            return False
        before = held.as_order()
        after = changed(before, change)
        quote = self._quote(held.book, at)
        refusal = refusal_of_change(before, change) or self._refusal(after, held.book, quote, at)
        if refusal is not None:
            self._tell(ModifyRefused(order_id, refusal.code, refusal.message, at))
            return True
        self._change(held, before, after, quote, at)
        self._settle(held.book, quote, at)
        return True

    # --- what the market does ---

    def on_ticks(self, rows: Rows, at: datetime, source: int = 0) -> None:
        """One batch of TICK rows. `source`: the feed's account id; each has batches of its own."""
        window = self._windows.get(source)
        self._windows[source] = at
        self._take_rows(rows, at, window)

    def on_snapshot(self, rows: Rows, at: datetime, source: int = 0) -> None:
        """Rows that were not cut from the batch before: their depth and last price count, their low and high not."""
        self._windows[source] = at
        self._take_rows(rows, at, None)

    def on_phase(self, segment: ExchangeSegment, phase: Phase, at: datetime, has_derivatives: bool = True) -> None:
        """From now on the segment (of cash segments: the shares with or without derivatives) is in this phase."""
        session = self._session(segment, has_derivatives)
        before, session.phase = session.phase, phase
        if phase is Phase.CONTINUOUS and before is not phase:
            session.opened_at = at
        if before is Phase.CONTINUOUS and phase in CLOSING_PHASES:
            self._leave_auction(session, at)
        if before in TRADING_PHASES and phase not in TRADING_PHASES:
            self.expire(segment, at, has_derivatives)
        for book in session.books:
            self._follow_session(book, session)

    def expire(self, segment: ExchangeSegment, at: datetime, has_derivatives: bool = True) -> None:
        """End the DAY orders of a segment, as its close does: for a process that starts after it."""
        for held in self._of_session(self._session(segment, has_derivatives)):
            outlives = held.order.forever and not held.triggered
            if held.id in self._held and not outlives:
                self._drop(held)
                self._tell(Expired(held.id, Reason.DAY_ENDED, at))
                self._after_end(held, at)
        self._groups = {number: group for number, group in self._groups.items() if group}

    # --- what came of it ---

    def take(self) -> list[EngineEvent]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def order(self, order_id: int) -> EngineOrder | None:
        """An order that the engine holds, as it stands."""
        held = self._held.get(order_id)
        return held.as_order() if held is not None else None

    def orders(self) -> list[EngineOrder]:
        """All that it holds, by id: restored in another engine, that one goes on from here."""
        return [self._held[order_id].as_order() for order_id in sorted(self._held)]

    # --- holding orders ---

    def _hold(self, order: EngineOrder, book: Book, at: datetime) -> Resting:
        held = Resting(order, book, at)
        if order.priority:
            self._last_priority = max(self._last_priority, order.priority)
        else:
            held.priority = self._next_priority()
        self._held[held.id] = held
        held.group = self._group(order)
        if held.group is not None:
            held.group.join(held)
        return held

    def _next_priority(self) -> int:
        self._last_priority += 1
        return self._last_priority

    def _put(self, held: Resting) -> None:
        held.book.add(held)
        self._changed.add(held.book)
        self._mark_immediate(held)

    def _mark_immediate(self, held: Resting) -> None:
        if held.validity is Validity.IOC and not held.is_pending_stop:
            self._immediate.append(held)

    def _enter(self, held: Resting, quote: Quote | None, at: datetime) -> None:
        """Put a new or changed order where it belongs, a market order at its protection when there is a price."""
        if held.order_type is OrderType.MARKET and held.limit is None and quote is not None:
            self._protect(held, quote, at)
        self._put(held)

    def _drop(self, held: Resting) -> None:
        held.book.remove(held)
        del self._held[held.id]
        self._changed.add(held.book)
        if held.group is not None:
            held.group.leave(held)

    def _cancel(self, held: Resting, reason_code: str, at: datetime) -> None:
        self._drop(held)
        self._tell(Cancelled(held.id, reason_code, at))
        self._after_end(held, at)

    def _after_end(self, held: Resting, at: datetime) -> None:
        """An entry that ends without a fill takes the exits that waited for it along."""
        if held.group is not None and held.order.role is Role.ENTRY and not held.filled:
            self._cancel_waiting(held.group, at)

    def _cancel_waiting(self, group: Group, at: datetime) -> None:
        for waiting in [held for held in group.exits if held.waits]:
            self._cancel(waiting, Reason.ENTRY_ENDED, at)

    def _reject(self, order: EngineOrder, refusal: Refusal, at: datetime) -> None:
        self._tell(Rejected(order.id, refusal.code, refusal.message, at))
        group = self._group(order)
        if order.role is Role.ENTRY and group is not None:
            group.entry_unfilled = True
            self._cancel_waiting(group, at)

    def _change(
        self, held: Resting, before: EngineOrder, after: EngineOrder, quote: Quote | None, at: datetime
    ) -> None:
        moves = loses_priority(before, after) and not held.waits
        if moves:
            held.book.remove(held)
            held.priority, held.since = self._next_priority(), at
        held.become(after)
        if before.trigger_price != after.trigger_price:
            held.anchor = None
        self._tell_modified(held, at, by_group=False)
        if moves:
            self._enter(held, quote, at)
        elif not held.waits:
            self._mark_immediate(held)

    # --- refusing ---

    def _refusal(self, order: EngineOrder, book: Book, quote: Quote | None, at: datetime) -> Refusal | None:
        refusal = refusal_of(order, book.phase)
        if refusal is not None or order.waits or order.is_pending_stop:
            return refusal
        limit = order.protection_price or order.limit_price
        if order.order_type is OrderType.MARKET and order.protection_price is None:
            if not book.is_open:
                return None
            if quote is None or not quote.last_price:
                return Refusal(Reason.NO_PRICE, "There is no fresh price to protect a market order by.")
            limit = self._protection(order, quote, at)
        if limit is not None and book.crossing(order.account, order.side, limit):
            return Refusal(Reason.SELF_TRADE, "It would trade with a resting order of the same account.")
        return None

    def _protection(self, order: EngineOrder, quote: Quote, at: datetime) -> int:
        return protected_price(order.side, quote.last_price, order.tick_size, order.instrument_type, at.date())

    # --- matching ---

    def _take_rows(self, rows: Rows, at: datetime, window: datetime | None) -> None:
        if self._screen.uses_columns(rows):
            self._watch_changed()
        touched = self._screen.take(rows, self._oldest(at))
        for slot, row, usable, traded in zip(*touched, strict=True):
            book = self._books.get(slot)
            if book is None:
                continue
            quote = read_quote(row)
            book.quote, book.stamp = quote, self._screen.stamp(slot)
            self._changed.add(book)
            forgotten = book.taken_bids.refresh(quote.bids) + book.taken_asks.refresh(quote.asks)
            if usable and book.is_open:
                self._match(book, quote, window, traded - forgotten, at)

    def _watch_changed(self) -> None:
        for book in self._changed:
            self._screen.watch(book.slot, book.thresholds)
        self._changed.clear()

    def _match(self, book: Book, quote: Quote, window: datetime | None, traded: int, at: datetime) -> None:
        """What the batch told to orders that were there when it began, and what stands at its end."""
        if window is None or book.opened_at is None or book.opened_at > window:
            self._settle(book, quote, at)
            return
        if book.has_conditions:
            self._trigger(book, quote, window, at)
            self._trail(book, quote, window, at)
        traded -= self._settle(book, quote, at)
        if traded > 0 and quote.low:
            self._fill_through(book, quote, window, traded, at)
            self._settle(book, quote, at)

    def _settle(self, book: Book, quote: Quote | None, at: datetime) -> int:
        """Match against the closing depth and the last price until nothing new comes into the book; gives the
        quantity that was filled."""
        filled = 0
        self._is_settled = quote is None
        while quote is not None and not self._is_settled:
            self._is_settled = True
            if book.has_conditions:
                self._protect_waiting(book, quote, at)
                self._trail(book, quote, None, at)
                self._trigger(book, quote, None, at)
            filled += self._fill_from_depth(book.buys, quote.asks, book.taken_asks, at)
            filled += self._fill_from_depth(book.sells, quote.bids, book.taken_bids, at)
        if self._immediate:
            self._end_immediate(at)
        return filled

    def _protect_waiting(self, book: Book, quote: Quote, at: datetime) -> None:
        if not quote.last_price:
            return
        for held in list(book.unpriced):
            book.remove(held)
            self._protect(held, quote, at)
            self._clear_way(held, at)
            self._put(held)

    def _protect(self, held: Resting, quote: Quote, at: datetime) -> None:
        price = self._protection(held.order, quote, at)
        held.protect(price)
        self._tell(Protected(held.id, price, at))

    def _trigger(self, book: Book, quote: Quote, window: datetime | None, at: datetime) -> None:
        """Stops whose price the batch told (`window`), or whose price is the last one (None)."""
        if not quote.last_price:
            return
        for stops, extreme in ((book.buy_stops, quote.highest), (book.sell_stops, quote.lowest)):
            seen = extreme if window is not None else quote.last_price
            for held in stops.reaching(seen) if stops else ():
                if held.home is stops and (window is None or held.since <= window):
                    self._fire(held, seen, quote, at)

    def _fire(self, held: Resting, seen: int, quote: Quote, at: datetime) -> None:
        held.book.remove(held)
        held.triggered, held.since, held.priority = True, at, self._next_priority()
        if held.order_type is OrderType.STOP_LOSS_MARKET:
            held.protect(self._protection(held.order, quote, at))
        self._tell(Triggered(held.id, seen, held.limit or 0, at, held.priority))
        self._clear_way(held, at)
        self._put(held)

    def _trail(self, book: Book, quote: Quote, window: datetime | None, at: datetime) -> None:
        if not quote.last_price:
            return
        for trails, extreme in ((book.buy_trails, quote.lowest), (book.sell_trails, quote.highest)):
            seen = extreme if window is not None else quote.last_price
            for held in trails.reaching(seen) if trails else ():
                if window is None or (held.since <= window and held.anchor is not None):
                    self._follow(held, seen, at)

    def _follow(self, held: Resting, price: int, at: datetime) -> None:
        before = held.trigger_price or 0
        anchor = price if held.anchor is None else held.anchor
        trail = follow(held.side, Trail(before, anchor), held.order.trailing_jump, price)
        held.book.remove(held)
        held.trigger_price, held.anchor = trail
        if held.limit_price is not None:
            held.limit = held.limit_price = held.limit_price + trail.trigger_price - before
        self._put(held)
        self._tell(Trailed(held.id, trail.trigger_price, held.limit_price, trail.anchor, at))

    def _fill_through(self, book: Book, quote: Quote, window: datetime, traded: int, at: datetime) -> None:
        """Trades beyond a limit fill it at the limit, up to the batch's volume: once for all orders, buys first."""
        for ladder, beyond in ((book.buys, quote.low + 1), (book.sells, quote.high - 1)):
            for held in ladder.reaching(beyond):
                if held.home is ladder and held.since <= window and traded > 0:
                    quantity = min(traded, held.remaining)
                    traded -= quantity
                    self._fill(held, quantity, held.limit or 0, at)

    def _fill_from_depth(self, ladder: Ladder, levels: Levels, taken: Taken, at: datetime) -> int:
        """Displayed quantity, best price first, to our orders in price-time priority, at the displayed price."""
        filled, prices = 0, ladder.prices
        for price, displayed in levels if prices else ():
            left = taken.left(price, displayed)
            while left > 0:
                held = ladder.best() if prices and prices[-1] >= ladder.direction * price else None
                if held is None:
                    return filled
                quantity = min(left, held.remaining)
                taken.take(price, displayed, quantity)
                left -= quantity
                filled += quantity
                self._fill(held, quantity, price, at)
        return filled

    def _fill(self, held: Resting, quantity: int, price: int, at: datetime) -> None:
        held.filled += quantity
        held.fills += 1
        self._tell(Filled(held.id, quantity, price, at, held.fills))
        if not held.remaining:
            self._drop(held)
        if held.group is not None:
            self._share(held, held.group, quantity, price, at)

    def _end_immediate(self, at: datetime) -> None:
        immediate, self._immediate = self._immediate, []
        for held in immediate:
            if held.id in self._held:
                self._cancel(held, Reason.IOC_REMAINDER, at)

    def _clear_way(self, held: Resting, at: datetime) -> None:
        """What is triggered or activated was asked for to protect: a resting order of its account that it would
        meet gives way."""
        if held.limit is not None:
            for other in held.book.crossing(held.order.account, held.side, held.limit):
                self._cancel(other, Reason.SELF_TRADE, at)

    # --- groups ---

    def _group(self, order: EngineOrder) -> Group | None:
        """Slices and legs have a group too, but nothing happens to one because of another."""
        if order.group is None or not (order.role is Role.ENTRY or order.is_exit):
            return None
        return self._groups.setdefault(order.group, Group())

    def _share(self, held: Resting, group: Group, quantity: int, price: int, at: datetime) -> None:
        """Tell a fill to the rest of the group."""
        if held.order.role is Role.ENTRY:
            group.open_quantity += quantity
            group.entry_price = group.entry_price or price
            for exit_ in list(group.exits):
                self._open(exit_, group, quantity, at)
        else:
            group.open_quantity -= quantity
            group.closed_quantity += quantity
            self._close(held, group, quantity, at)

    def _open(self, exit_: Resting, group: Group, quantity: int, at: datetime) -> None:
        if exit_.waits:
            self._activate(exit_, group, at)
        else:
            exit_.quantity += quantity
            self._tell_modified(exit_, at, by_group=True)

    def _close(self, held: Resting, group: Group, quantity: int, at: datetime) -> None:
        """The other exit may close that much less; when one exit is done, the other and the entry end."""
        for other in group.others(held):
            if held.remaining:
                self._shrink(other, quantity, at)
            else:
                self._cancel(other, Reason.OTHER_EXIT, at)
        if not held.remaining and group.entry is not None:
            self._cancel(group.entry, Reason.BRACKET_EXITED, at)

    def _activate(self, exit_: Resting, group: Group, at: datetime) -> None:
        exit_.waits, exit_.quantity = False, group.open_quantity
        exit_.since, exit_.priority = at, self._next_priority()
        if exit_.order.trailing_jump:
            exit_.anchor = group.entry_price
        self._tell(Activated(exit_.id, exit_.quantity, exit_.anchor, at, exit_.priority))
        if not exit_.is_pending_stop:
            self._clear_way(exit_, at)
        self._put(exit_)
        self._is_settled = False

    def _join_late(self, exit_: Resting, group: Group, at: datetime) -> None:
        """What has happened to an exit's group before the exit came."""
        if exit_.waits and group.entry_unfilled:
            self._cancel(exit_, Reason.ENTRY_ENDED, at)
        elif exit_.waits and group.open_quantity > 0:
            self._activate(exit_, group, at)
        elif exit_.waits and group.entry_price:
            self._cancel(exit_, Reason.OTHER_EXIT, at)
        elif not exit_.waits and group.closed_quantity:
            self._shrink(exit_, group.closed_quantity, at)

    def _shrink(self, exit_: Resting, quantity: int, at: datetime) -> None:
        exit_.quantity -= quantity
        if exit_.remaining <= 0:
            self._cancel(exit_, Reason.OTHER_EXIT, at)
        else:
            self._tell_modified(exit_, at, by_group=True)

    # --- sessions and instruments ---

    def _session(self, segment: ExchangeSegment, has_derivatives: bool) -> Session:
        return self._sessions.setdefault((segment, has_derivatives), Session())

    def _of_session(self, session: Session) -> list[Resting]:
        books = set(session.books)
        return [self._held[order_id] for order_id in sorted(self._held) if self._held[order_id].book in books]

    def _leave_auction(self, session: Session, at: datetime) -> None:
        """Stops that have not fired and orders with a disclosed quantity do not go into a closing auction."""
        for held in self._of_session(session):
            stays = held.order.forever and not held.triggered
            if held.id in self._held and not stays and (held.is_pending_stop or held.disclosed_quantity):
                self._cancel(held, Reason.CLOSING_AUCTION, at)

    def _follow_session(self, book: Book, session: Session) -> None:
        book.phase, book.opened_at = session.phase, session.opened_at
        self._changed.add(book)

    def _book(self, order: EngineOrder) -> Book:
        book = self._book_of.get(order.code)
        return book if book is not None else self._new_book(order)

    def _new_book(self, order: EngineOrder) -> Book:
        book = Book(self._screen.slot(order.code))
        self._book_of[order.code] = self._books[book.slot] = book
        session = self._session(order.segment, order.has_derivatives)
        session.books.append(book)
        self._follow_session(book, session)
        return book

    def _quote(self, book: Book, at: datetime) -> Quote | None:
        """The instrument's last row, None when nothing may be filled by it now."""
        if not book.is_open:
            return None
        stamp = self._screen.stamp(book.slot)
        row = self._screen.row(book.slot) if book.stamp != stamp else None
        if row is not None:
            book.quote, book.stamp = read_quote(row), stamp
        quote = book.quote
        return quote if quote is not None and quote.is_usable and quote.received_at >= self._oldest(at) else None

    def _oldest(self, at: datetime) -> int:
        """Rows received before this (wall clock, nanoseconds) are too old to believe. Much is asked of one moment."""
        if at is not self._moment:
            seconds = at.timestamp() - self._rules.wall_offset_seconds - self._rules.stale_seconds
            self._moment, self._oldest_at_moment = at, int(seconds * NANOSECONDS)
        return self._oldest_at_moment

    # --- telling ---

    def _tell(self, event: EngineEvent) -> None:
        self._events.append(event)

    def _tell_modified(self, held: Resting, at: datetime, by_group: bool) -> None:
        self._tell(
            Modified(
                order_id=held.id,
                quantity=held.quantity,
                limit_price=held.limit_price,
                trigger_price=held.trigger_price,
                at=at,
                priority=held.priority,
                disclosed_quantity=held.disclosed_quantity,
                order_type=held.order_type,
                validity=held.validity,
                by_group=by_group,
            )
        )
