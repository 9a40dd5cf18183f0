"""What one account looks like while its orders are checked: read once under its funds lock, then kept up to date."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any, NamedTuple

import orjson
from django.conf import settings

from feeds import clock
from feeds.core.calendar import Phase
from feeds.core.instrument import SECURITY_ID_BITS
from feeds.core.tick import TickFlag
from feeds.rows import fetch_each
from feeds.statements import Query
from oms import trading_day
from oms.core.order import EXITS, STOP_TYPES, OrderStatus, OrderType, Role, Side
from oms.core.protection import protected_price
from oms.core.rules import Context, Contract, Draft, Exposure
from oms.core.sessions import takes_after_market
from oms.models import LIVE_VALUES, Order, Trade
from rms.core.product import Product
from rms.margin import Held, Pending, additional
from rms.market import Market, NoMarketData, market_for
from rms.models import Funds, Holding
from rms.standing import Standing, standings_in, standings_query

NANOSECONDS = 10**9

REQUESTS = """
SELECT told.instrument_id >> %(bits)s AS segment, count(*) AS requests
FROM oms_orderevent event JOIN oms_order told ON told.id = event.order_id
WHERE event.account_id = asked.account_id AND event.recorded_at > now() - interval '1 second'
  AND event.details @> '{"counted": true}'
GROUP BY 1
"""
"""What users asked in the second before this transaction. Under the funds lock all others are counted or wait."""
LIVE_COLUMNS = (
    "id", "instrument_id", "side", "product", "order_type", "quantity - filled_quantity", "limit_price",
    "trigger_price", "protection_price", "status", "group_id", "role", "reduces", "cancel_requested",
)  # fmt: skip
BOOKS = f"""
SELECT asked.account_id, (
  SELECT json_agg(json_build_array({", ".join(LIVE_COLUMNS)}) ORDER BY id)::text FROM oms_order
  WHERE account_id = asked.account_id AND status IN ({", ".join(f"'{value}'" for value in LIVE_VALUES)})
), (SELECT json_object_agg(segment, requests)::text FROM ({REQUESTS}) AS counted)
FROM unnest(%(accounts)s::bigint[]) AS asked (account_id)
"""  # noqa: S608 - our own words
"""The live orders of accounts and their requests of the last second, in one statement."""


POSITIONS = """
SELECT account_id, instrument_id, product, signed_quantity, open_cost FROM rms_position
WHERE account_id = ANY(%s) AND signed_quantity <> 0
"""
PositionRow = tuple[int, str, int, int]
"""Code, product, signed quantity and cost."""


class LiveOrder(NamedTuple):
    """What the checks want to know of an order that has not ended."""

    id: int | None
    """None: of an order that this transaction has let through."""
    code: int
    side: Side
    product: Product
    order_type: OrderType
    remaining: int
    limit_price: int | None
    trigger_price: int | None
    protection_price: int | None
    status: OrderStatus
    group: int | None
    role: Role
    reduces: bool
    cancelling: bool

    @property
    def price(self) -> int | None:
        """What it may trade at at worst; None: a market order that was not matched yet."""
        return self.protection_price or self.limit_price or self.trigger_price

    @property
    def rests(self) -> bool:
        """At the venue, or on its way, with a price that others of the account could meet."""
        if self.status in (OrderStatus.QUEUED, OrderStatus.TRIGGER_PENDING) or self.cancelling:
            return False
        return not (self.order_type in STOP_TYPES and self.status is OrderStatus.TRANSIT)

    @property
    def waits(self) -> bool:
        return self.role in EXITS and self.status is OrderStatus.QUEUED


@dataclass
class Desk:
    """One account's live orders, positions and standing. `now` is exchange time."""

    funds: Funds
    user_id: int | None
    now: datetime
    standing: Standing
    live: list[LiveOrder]
    orders_in_second: dict[int, int]
    """Requests of the last second, by segment."""
    held: list[Held]
    market: Market
    let_through: bool = False
    """Whether this transaction has taken any order."""
    asked: dict[int, int] = field(default_factory=dict)
    """Requests that this transaction has let through already, by segment."""
    available: int = field(init=False)

    def __post_init__(self) -> None:
        self.available = self.funds.available - self.funds.floor

    @classmethod
    def open(cls, funds: Funds, user_id: int | None, now: datetime, codes: Iterable[int]) -> Desk:
        """Read an account whose funds row is locked, and the market of its live orders and of `codes`."""
        users = {funds.account_id: user_id}
        return cls.of_rows(fetch_each(*desk_queries(users)), [funds], users, now, codes)[funds.account_id]

    @classmethod
    def of_rows(
        cls,
        rows: Sequence[Sequence[tuple[Any, ...]]],
        funds: Collection[Funds],
        users: Mapping[int, int | None],
        now: datetime,
        codes: Iterable[int],
    ) -> dict[int, Desk]:
        """The desks of several accounts of what `desk_queries` found; `users` says who trades each. They share one
        market."""
        book_rows, position_rows, standing_rows = rows
        books, positions, standings = books_in(book_rows), positions_in(position_rows), standings_in(standing_rows)
        live_codes = {order.code for live, _ in books.values() for order in live}
        held_codes = {code for rows in positions.values() for code, *_ in rows}
        market = market_for({*codes, *live_codes, *held_codes}, now.date())
        return {
            each.account_id: cls(
                each, users[each.account_id], now, standings[each.account_id], *books[each.account_id],
                [held_of(market, *row) for row in positions.get(each.account_id, ())], market,
            )
            for each in funds
        }  # fmt: skip

    @property
    def account_id(self) -> int:
        return self.funds.account_id

    @property
    def day(self) -> date:
        return self.now.date()

    # --- prices -----------------------------------------------------------------------------------

    def price(self, code: int) -> int | None:
        try:
            return self.market.price(code)
        except NoMarketData:
            return None

    def is_fresh(self, code: int) -> bool:
        """Whether the last price came a moment ago, and nobody said that it is stale."""
        row = self.market.rows.get(code)
        if row is None or not row["last_price"] or int(row["flags"]) & TickFlag.STALE:
            return False
        age = clock.wall_nanoseconds() - int(row["received_at"])
        return age <= settings.EXECUTION_STALE_SECONDS * NANOSECONDS

    def protect(self, contract: Contract, side: Side, price: int) -> int:
        return protected_price(side, price, max(contract.tick_size, 1), contract.instrument_type, self.day)

    def worst_price(self, draft: Draft, contract: Contract) -> int:
        """What a unit may cost at most (a sale: bring at least); 0 when nothing is known."""
        if draft.limit_price is not None:
            return draft.limit_price
        price = draft.trigger_price if draft.order_type in STOP_TYPES else self.price(contract.code)
        return self.protect(contract, draft.side, price) if price is not None and price > 0 else 0

    # --- what the rules ask -----------------------------------------------------------------------

    def context(self, draft: Draft, contract: Contract, phase: Phase, without: int | None = None) -> Context:
        """All that the checks of one order depend on; `without` is the order that a change replaces."""
        others = [order for order in self.live if without is None or order.id != without]
        return Context(
            contract=contract,
            day=self.day,
            phase=phase,
            price=self.price(contract.code),
            is_fresh=self.is_fresh(contract.code),
            value_price=self.worst_price(draft, contract),
            takes_after_market=takes_after_market(contract.segment, self.now, trading_day.trading_calendar()),
            account_enabled=self.standing.enabled,
            stopped=self.standing.stopped,
            limits=self.standing.limits,
            open_order_value=self.open_value(others),
            exposure=self.exposure(draft, contract.code, others),
            deficit=self.funds.deficit,
            available_margin=self.available,
            orders_in_second=self.orders_in_second.get(contract.segment, 0) + self.asked.get(contract.segment, 0),
            orders_per_second=self.orders_per_second,
            orders_today=self.today[0] if self.standing.limits.order_to_trade_ratio else 0,
            trades_today=self.today[1] if self.standing.limits.order_to_trade_ratio else 0,
        )

    def exposure(self, draft: Draft, code: int, others: Sequence[LiveOrder]) -> Exposure:
        here = [order for order in others if order.code == code and not order.waits]
        same = [order for order in here if order.product is draft.product]
        rest = [order for order in here if order.rests]
        sells = [self._meets_at(order) for order in rest if order.side is Side.SELL]
        buys = [self._meets_at(order) for order in rest if order.side is Side.BUY]
        here_now = [each for each in self.held if each.code == code]
        shares = draft.side is Side.SELL and draft.product is Product.CNC
        return Exposure(
            position=sum(each.signed_quantity for each in here_now),
            product_position=sum(each.signed_quantity for each in here_now if each.product is draft.product),
            pending_buys=pending(here, Side.BUY),
            pending_sells=pending(here, Side.SELL),
            product_pending_buys=pending(same, Side.BUY),
            product_pending_sells=pending(same, Side.SELL),
            holding=holding(self.account_id, code) if shares else 0,
            lowest_sell=min(sells, default=None),
            highest_buy=max(buys, default=None),
        )

    def _meets_at(self, order: LiveOrder) -> int:
        return order.price or self.price(order.code) or 0

    def open_value(self, orders: Iterable[LiveOrder]) -> int:
        """What live orders may come to, exits aside: they give back what a position binds."""
        return sum(
            order.remaining * (order.price or self.price(order.code) or 0)
            * self.market.instrument(order.code).multiplier
            for order in orders if not order.reduces
        )  # fmt: skip

    def pending(self, without: int | None = None) -> list[Pending]:
        """The live orders as margin sees them; exits bind nothing."""
        orders = (order for order in self.live if not order.reduces and (without is None or order.id != without))
        return [
            Pending(str(order.id), order.code, order.product, order.side.sign * order.remaining, price)
            for order in orders
            if (price := order.price or self.price(order.code))
        ]

    def margin_of(self, new: Sequence[Pending], without: int | None = None) -> dict[str, int]:
        """What new ones must hold, by reference, beside all that is there. Raises: NoMarketData."""
        others = self.pending(without)
        return additional(self.account_id, new, self.market, self.day, pending=others, positions=self.held)

    @property
    def orders_per_second(self) -> int:
        return allowed_in_second(self.standing)

    @cached_property
    def today(self) -> tuple[int, int]:
        """Orders that were taken today, and trades."""
        orders = Order.objects.filter(account_id=self.account_id, trading_date=self.day)
        trades = Trade.objects.filter(account_id=self.account_id, trading_date=self.day)
        return orders.exclude(status=OrderStatus.REJECTED).count(), trades.count()

    # --- keeping it up to date ----------------------------------------------------------------------

    def add(self, orders: Iterable[Order], held: int) -> None:
        """Orders that were let through bind what they hold, and count in the checks of the next."""
        self.live += map(live_order, orders)
        self.available -= held
        self.let_through = True

    def count(self, segment: int) -> None:
        """One request more that a user has made."""
        self.asked[segment] = self.asked.get(segment, 0) + 1


def desk_queries(users: Mapping[int, int | None]) -> list[Query]:
    """What to ask for the desks of accounts, behind their locks; `users` says who trades each."""
    accounts = list(users)
    return [books_query(accounts), positions_query(accounts), standings_query(users)]


def books_query(account_ids: Sequence[int]) -> Query:
    return BOOKS, {"accounts": list(account_ids), "bits": SECURITY_ID_BITS}


def books_in(rows: Iterable[tuple[int, str | None, str | None]]) -> dict[int, tuple[list[LiveOrder], dict[int, int]]]:
    """By account its live orders, oldest first, and by segment what was asked of it in the last second."""
    return {account_id: (_live_orders(live), _by_segment(asked)) for account_id, live, asked in rows}


def _live_orders(text: str | None) -> list[LiveOrder]:
    return [_live_order(*columns) for columns in orjson.loads(text)] if text else []


def _by_segment(text: str | None) -> dict[int, int]:
    return {int(segment): count for segment, count in orjson.loads(text).items()} if text else {}


def _live_order(pk: int, code: int, side: str, product: str, kind: str, remaining: int, *rest: Any) -> LiveOrder:
    limit, trigger, protection, status, group, role, reduces, cancelling = rest
    return LiveOrder(
        pk, code, Side(side), Product(product), OrderType(kind), remaining, limit, trigger, protection,
        OrderStatus(status), group, Role(role), reduces, cancelling,
    )  # fmt: skip


def positions_query(account_ids: Sequence[int]) -> Query:
    return POSITIONS, [list(account_ids)]


def positions_in(rows: Iterable[tuple[Any, ...]]) -> dict[int, list[PositionRow]]:
    """By account what is open; an account without a position is absent."""
    found: dict[int, list[PositionRow]] = {}
    for account_id, *row in rows:
        found.setdefault(account_id, []).append(tuple(row))
    return found


def held_of(market: Market, code: int, product: str, signed_quantity: int, open_cost: int) -> Held:
    """An open position as margin sees it."""
    units = signed_quantity * market.instrument(code).multiplier
    return Held(code, Product(product), signed_quantity, open_cost // units)


def live_order(order: Order) -> LiveOrder:
    """An order as the desk knows it."""
    return LiveOrder(
        order.pk, order.instrument_id, Side(order.side), Product(order.product), OrderType(order.order_type),
        order.remaining_quantity, order.limit_price, order.trigger_price, order.protection_price,
        OrderStatus(order.status), order.group_id, Role(order.role), order.reduces, order.cancel_requested,
    )  # fmt: skip


def pending(orders: Iterable[LiveOrder], side: Side) -> int:
    """What is left of a side's orders. Of a pair of exits only one fills, so it counts once."""
    alone, pairs = 0, {}
    for order in orders:
        if order.side is not side or order.cancelling:
            continue
        if order.role in EXITS and order.group is not None:
            pairs[order.group] = max(pairs.get(order.group, 0), order.remaining)
        else:
            alone += order.remaining
    return alone + sum(pairs.values())


def holding(account_id: int, code: int) -> int:
    """Settled shares."""
    found = Holding.objects.filter(account_id=account_id, instrument_id=code).values_list("quantity", flat=True)
    return next(iter(found), 0)


def requests_in_second(account_id: int) -> dict[int, int]:
    """What users asked of an account in the last second, by segment. The account's funds row is locked."""
    [rows] = fetch_each(books_query([account_id]))
    return books_in(rows)[account_id][1]


def allowed_in_second(standing: Standing) -> int:
    """The house's limit or the account's own, whichever is smaller."""
    own = standing.limits.orders_per_second
    return settings.ORDERS_PER_SECOND if own is None else min(own, settings.ORDERS_PER_SECOND)
