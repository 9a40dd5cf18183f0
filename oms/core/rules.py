"""The checks before an order is taken: pure, one function each, in the order in which refusals are told.

Their order is the trade's own: who, what, when, how much, at which price, how large, margin, positions, then manners.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from feeds.core.calendar import Phase
from feeds.core.instrument import FUTURE_TYPES, OPTION_TYPES, ExchangeSegment, InstrumentType
from feeds.core.price import MAXIMUM_PAISE, rupees_text
from oms.core.order import EXITS, PRICED_TYPES, STOP_TYPES, OrderType, Role, Side, Source, Validity
from oms.core.price_range import operating_range, stop_range
from oms.core.sessions import GROUPS, Taken, least_disclosed_percent, taken_in
from rms.core.limits import Limit, Limits, breach
from rms.core.product import Product

MAXIMUM_QUANTITY = 10**9
"""More cannot be meant, and would not fit where quantity x price is kept."""


class RefusalCode(StrEnum):
    """Why an order is not taken: all the reasons there are."""

    KILL_SWITCH = "KILL_SWITCH"
    ACCOUNT_DISABLED = "ACCOUNT_DISABLED"
    UNKNOWN_INSTRUMENT = "UNKNOWN_INSTRUMENT"
    NOT_TRADABLE = "NOT_TRADABLE"
    NO_MARKET_DATA = "NO_MARKET_DATA"
    MARKET_CLOSED = "MARKET_CLOSED"
    ORDER_TYPE_NOT_TAKEN = "ORDER_TYPE_NOT_TAKEN"
    VALIDITY_NOT_TAKEN = "VALIDITY_NOT_TAKEN"
    AFTER_MARKET_HOURS = "AFTER_MARKET_HOURS"
    INVALID_QUANTITY = "INVALID_QUANTITY"
    LOT_SIZE = "LOT_SIZE"
    DISCLOSED_QUANTITY = "DISCLOSED_QUANTITY"
    INVALID_PRICE = "INVALID_PRICE"
    TICK_SIZE = "TICK_SIZE"
    NO_LAST_PRICE = "NO_LAST_PRICE"
    PRICE_BAND = "PRICE_BAND"
    PRICE_RANGE = "PRICE_RANGE"
    PRICE_DEVIATION = "PRICE_DEVIATION"
    STOP_SIDE = "STOP_SIDE"
    STOP_RANGE = "STOP_RANGE"
    INVALID_EXITS = "INVALID_EXITS"
    FREEZE_QUANTITY = "FREEZE_QUANTITY"
    ORDER_QUANTITY = "ORDER_QUANTITY"
    ORDER_VALUE = "ORDER_VALUE"
    OPEN_ORDER_VALUE = "OPEN_ORDER_VALUE"
    PRODUCT_NOT_ALLOWED = "PRODUCT_NOT_ALLOWED"
    INSUFFICIENT_MARGIN = "INSUFFICIENT_MARGIN"
    DEFICIT = "DEFICIT"
    REDUCE_ONLY = "REDUCE_ONLY"
    INSUFFICIENT_HOLDINGS = "INSUFFICIENT_HOLDINGS"
    NET_POSITION = "NET_POSITION"
    SELF_TRADE = "SELF_TRADE"
    RATE_EXCEEDED = "RATE_EXCEEDED"
    ORDER_TO_TRADE = "ORDER_TO_TRADE"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why, and in which words. Details are JSON, money in paise."""

    code: RefusalCode
    message: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contract:
    """What the checks need to know of an instrument. Prices are paise, the freeze quantity units (lots on MCX)."""

    code: int
    name: str
    segment: ExchangeSegment
    instrument_type: InstrumentType
    lot: int
    """What quantities are multiples of: the lot on NSE and BSE, 1 on MCX, whose quantities are lots."""
    tick_size: int
    multiplier: int = 1
    expiry: date | None = None
    is_listed: bool = True
    freeze_quantity: int | None = None
    lower_limit: int | None = None
    upper_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """One order that somebody wants, checked as it would be sent."""

    side: Side
    order_type: OrderType
    quantity: int
    product: Product
    validity: Validity = Validity.DAY
    limit_price: int | None = None
    trigger_price: int | None = None
    disclosed_quantity: int = 0
    after_market: bool = False
    forever: bool = False
    reduces: bool = False
    waits: bool = False
    """An exit whose entry has not filled: nothing is known of the position it will close."""
    role: Role = Role.SINGLE
    source: Source = Source.MANUAL

    @property
    def signed_quantity(self) -> int:
        return self.side.sign * self.quantity

    @property
    def sent_later(self) -> bool:
        return self.after_market or self.forever or self.waits


@dataclass(frozen=True, slots=True)
class Exposure:
    """What an account has and may get in one instrument, in units. Buys and sells are its live orders' remainders."""

    position: int = 0
    """Signed, over all products."""
    product_position: int = 0
    """Signed, in the product that is asked for."""
    pending_buys: int = 0
    pending_sells: int = 0
    product_pending_buys: int = 0
    product_pending_sells: int = 0
    holding: int = 0
    """Settled shares."""
    lowest_sell: int | None = None
    highest_buy: int | None = None
    """Prices of its own orders at the venue: who crosses them would trade with themselves."""


@dataclass(frozen=True, slots=True)
class Context:
    """All that the answer depends on besides the order itself. Money and prices in paise."""

    contract: Contract
    day: date
    phase: Phase
    price: int | None
    """Last traded, else the previous close; None: nothing is known."""
    is_fresh: bool
    """Whether that price is recent enough for a market order."""
    value_price: int
    """What the order may cost at worst, a unit: its limit, or the price that protects it."""
    takes_after_market: bool = False
    account_enabled: bool = True
    stopped: str | None = None
    """Whom a kill switch stops (``account Alpha``), None: nobody."""
    limits: Limits = field(default_factory=Limits)
    open_order_value: int = 0
    exposure: Exposure = field(default_factory=Exposure)
    deficit: bool = False
    required_margin: int = 0
    available_margin: int = 0
    orders_in_second: int = 0
    orders_per_second: int = 10
    orders_today: int = 0
    trades_today: int = 0

    @property
    def is_option(self) -> bool:
        return self.contract.instrument_type in OPTION_TYPES

    @property
    def taken(self) -> Taken:
        contract = self.contract
        return taken_in(self.phase, contract.segment, contract.instrument_type, self.day)


Rule = Callable[[Draft, Context], Refusal | None]


def check(draft: Draft, context: Context) -> Refusal | None:
    """The first reason to refuse an order, None when there is none."""
    return check_before_margin(draft, context) or check_from_margin(draft, context)


def check_before_margin(draft: Draft, context: Context) -> Refusal | None:
    """The checks that come before margin: its figures need not be known yet."""
    return _first(BEFORE_MARGIN, draft, context)


def check_from_margin(draft: Draft, context: Context) -> Refusal | None:
    """Margin and the checks behind it."""
    return _first(FROM_MARGIN, draft, context)


def _first(rules: tuple[Rule, ...], draft: Draft, context: Context) -> Refusal | None:
    return next((refusal for rule in rules if (refusal := rule(draft, context)) is not None), None)


# --- who and what -----------------------------------------------------------------------------------


def may_trade(draft: Draft, context: Context) -> Refusal | None:
    """A stop of trading leaves squaring off possible, a disabled account every exit."""
    squares_off = draft.source is Source.SQUARE_OFF and draft.reduces
    if context.stopped is not None and not squares_off:
        return Refusal(RefusalCode.KILL_SWITCH, f"Trading is stopped for {context.stopped}.")
    if not context.account_enabled and not draft.reduces:
        return Refusal(RefusalCode.ACCOUNT_DISABLED, "The account is closed for new orders; exits are still possible.")
    return None


def is_tradable(draft: Draft, context: Context) -> Refusal | None:
    contract = context.contract
    if contract.segment not in GROUPS or contract.instrument_type is InstrumentType.INDEX:
        return _refuse(RefusalCode.NOT_TRADABLE, f"{contract.name} cannot be traded here.")
    if not contract.is_listed:
        return _refuse(RefusalCode.NOT_TRADABLE, f"{contract.name} is not listed any more.")
    if contract.expiry is not None and contract.expiry < context.day:
        return _refuse(RefusalCode.NOT_TRADABLE, f"{contract.name} expired on {contract.expiry}.")
    return None


# --- when ---------------------------------------------------------------------------------------------


def is_taken_now(draft: Draft, context: Context) -> Refusal | None:
    """The table of phase, type and validity. What is sent later is checked as of an open market."""
    if draft.after_market and not context.takes_after_market:
        return _refuse(RefusalCode.AFTER_MARKET_HOURS, "After-market orders are taken when the market has closed.")
    taken = context.taken if not draft.sent_later else _taken_when_open(context)
    if not taken.types:
        return _refuse(RefusalCode.MARKET_CLOSED, _closed_text(context), phase=context.phase.value)
    if draft.forever and draft.order_type is OrderType.MARKET:
        return _refuse(
            RefusalCode.ORDER_TYPE_NOT_TAKEN, "A forever order waits for a price: give a limit or a trigger."
        )
    if draft.order_type not in taken.types:
        words = ", ".join(sorted(taken.types))
        message = f"{draft.order_type} orders are not taken for {context.contract.name} now; {words} are."
        return _refuse(RefusalCode.ORDER_TYPE_NOT_TAKEN, message, phase=context.phase.value)
    if draft.validity not in taken.validities or (draft.sent_later and draft.validity is not Validity.DAY):
        return _refuse(RefusalCode.VALIDITY_NOT_TAKEN, f"{draft.validity} orders are not taken now; DAY orders are.")
    return None


def _taken_when_open(context: Context) -> Taken:
    contract = context.contract
    return taken_in(Phase.CONTINUOUS, contract.segment, contract.instrument_type, context.day)


def _closed_text(context: Context) -> str:
    if context.phase is Phase.CLOSED:
        return "The market is closed; an after-market order waits for its opening."
    words = context.phase.replace("_", " ").lower()
    return f"No new orders in {context.contract.name} are taken in this part of the day ({words})."


# --- how much -----------------------------------------------------------------------------------------


def is_whole_lots(draft: Draft, context: Context) -> Refusal | None:
    lot = context.contract.lot
    if not 0 < draft.quantity <= MAXIMUM_QUANTITY:
        return _refuse(RefusalCode.INVALID_QUANTITY, "The quantity must be a positive whole number.")
    if draft.quantity % lot:
        return _refuse(RefusalCode.LOT_SIZE, f"The quantity must be a multiple of the lot size {lot}.", lot_size=lot)
    return None


def discloses_enough(draft: Draft, context: Context) -> Refusal | None:
    shown = draft.disclosed_quantity
    if not shown:
        return None
    least = least_disclosed_percent(context.contract.segment, context.day)
    if least is None or not (context.taken.disclosed or draft.sent_later) or draft.validity is Validity.IOC:
        return _refuse(RefusalCode.DISCLOSED_QUANTITY, "A disclosed quantity is not possible for this order.")
    if not 0 < shown <= draft.quantity or shown % context.contract.lot:
        return _refuse(RefusalCode.DISCLOSED_QUANTITY, "The disclosed quantity must be whole lots of the quantity.")
    if shown * 100 < draft.quantity * Decimal(least):
        return _refuse(RefusalCode.DISCLOSED_QUANTITY, f"At least {least} % of the quantity must be disclosed.")
    return None


# --- at which price -------------------------------------------------------------------------------------


def has_its_prices(draft: Draft, context: Context) -> Refusal | None:
    """Each type carries the prices it needs and no other, positive and on the tick."""
    if (draft.limit_price is not None) != (draft.order_type in PRICED_TYPES):
        word = "needs a" if draft.order_type in PRICED_TYPES else "has no"
        return _refuse(RefusalCode.INVALID_PRICE, f"A {draft.order_type} order {word} limit price.")
    if (draft.trigger_price is not None) != (draft.order_type in STOP_TYPES):
        word = "needs a" if draft.order_type in STOP_TYPES else "has no"
        return _refuse(RefusalCode.INVALID_PRICE, f"A {draft.order_type} order {word} trigger price.")
    tick = max(context.contract.tick_size, 1)
    for price in (draft.limit_price, draft.trigger_price):
        if price is not None and not 0 < price <= MAXIMUM_PAISE:
            return _refuse(RefusalCode.INVALID_PRICE, "Prices must be greater than zero, and not absurd.")
        if price is not None and price % tick:
            message = f"Prices must be multiples of the tick {rupees_text(tick)}."
            return _refuse(RefusalCode.TICK_SIZE, message, tick_size=tick)
    return None


def has_a_last_price(draft: Draft, context: Context) -> Refusal | None:
    """A market order is protected by the last price, so there must be one, of now when trading is continuous."""
    if draft.order_type is not OrderType.MARKET:
        return None
    stale = context.phase is Phase.CONTINUOUS and not draft.sent_later and not context.is_fresh
    if context.price is None or stale:
        message = f"There is no fresh price of {context.contract.name} to protect a market order; give a limit price."
        return _refuse(RefusalCode.NO_LAST_PRICE, message)
    return None


def is_inside_the_band(draft: Draft, context: Context) -> Refusal | None:
    """The circuit limits of the day, for limit and trigger."""
    low, high = context.contract.lower_limit or 0, context.contract.upper_limit
    for price in (draft.limit_price, draft.trigger_price):
        if price is not None and not draft.forever and (price < low or (high is not None and price > high)):
            upper = rupees_text(high) if high is not None else "any"
            message = f"The price {rupees_text(price)} is outside today's band {rupees_text(low)} to {upper}."
            return _refuse(RefusalCode.PRICE_BAND, message, lower_limit=low, upper_limit=high)
    return None


def is_near_the_market(draft: Draft, context: Context) -> Refusal | None:
    """The exchange's limit price protection. A stop's limit is tested when it is triggered, against that price."""
    if draft.limit_price is None or context.price is None or draft.sent_later or draft.order_type in STOP_TYPES:
        return None
    contract = context.contract
    allowed = operating_range(contract.segment, contract.instrument_type, context.price, context.day)
    if allowed is not None and draft.limit_price not in allowed:
        message = (
            f"The exchange takes limits from {rupees_text(allowed.low)} to {rupees_text(allowed.high)} now, "
            f"around {rupees_text(context.price)}."
        )
        return _refuse(RefusalCode.PRICE_RANGE, message, low=allowed.low, high=allowed.high)
    return None


def is_near_enough_for_us(draft: Draft, context: Context) -> Refusal | None:
    """The house's own guard against slips of the finger."""
    percent = context.limits.price_deviation_percent
    if percent is None or draft.limit_price is None or not context.price or draft.sent_later:
        return None
    if abs(draft.limit_price - context.price) * 100 > percent * context.price:
        message = f"The limit is more than {percent} % away from the last price {rupees_text(context.price)}."
        return _refuse(RefusalCode.PRICE_DEVIATION, message, price=context.price)
    return None


def is_on_its_stop_side(draft: Draft, context: Context) -> Refusal | None:
    """A buy stops at or above the last price with its limit not below the trigger; a sale the other way round."""
    trigger, sign = draft.trigger_price, draft.side.sign
    if draft.order_type not in STOP_TYPES or trigger is None:
        return None
    word = "below" if draft.side is Side.BUY else "above"
    if draft.limit_price is not None and sign * (draft.limit_price - trigger) < 0:
        return _refuse(RefusalCode.STOP_SIDE, f"The limit of a stop {draft.side} may not be {word} its trigger.")
    known = context.price is not None and not draft.waits
    if known and context.price is not None and sign * (trigger - context.price) < 0:
        message = f"The trigger of a stop {draft.side} may not be {word} the last price {rupees_text(context.price)}."
        return _refuse(RefusalCode.STOP_SIDE, message, price=context.price)
    return None


def is_inside_the_stop_range(draft: Draft, context: Context) -> Refusal | None:
    if draft.order_type is not OrderType.STOP_LOSS or draft.trigger_price is None:
        return None
    contract = context.contract
    allowed = stop_range(contract.segment, contract.instrument_type, draft.trigger_price, context.day)
    if allowed is not None and draft.limit_price not in allowed:
        return _refuse(
            RefusalCode.STOP_RANGE,
            f"The limit is too far from the trigger: the exchange takes {rupees_text(allowed.low)} to "
            f"{rupees_text(allowed.high)}.",
            low=allowed.low,
            high=allowed.high,
        )
    return None


def exits_are_sound(
    entry_side: Side, entry_price: int | None, target: int | None, stop: int | None, trailing_jump: int, tick_size: int
) -> Refusal | None:
    """Of a bracket or a pair: the target beyond the entry (or last) price, the stop before it, a whole jump."""
    code, sign = RefusalCode.INVALID_EXITS, entry_side.sign
    if any(price is not None and price <= 0 for price in (target, stop)):
        return _refuse(code, "Prices must be greater than zero.")
    if entry_price is not None and target is not None and sign * (target - entry_price) <= 0:
        return _refuse(code, f"The target must be on the profitable side of {rupees_text(entry_price)}.")
    if entry_price is not None and stop is not None and sign * (entry_price - stop) <= 0:
        return _refuse(code, f"The stop must be on the losing side of {rupees_text(entry_price)}.")
    if trailing_jump and (stop is None or trailing_jump < 0 or trailing_jump % max(tick_size, 1)):
        return _refuse(code, "The trailing jump must be whole ticks, and needs a stop.")
    return None


# --- how large ------------------------------------------------------------------------------------------


def is_below_the_freeze(draft: Draft, context: Context) -> Refusal | None:
    freeze = context.contract.freeze_quantity
    if freeze is None or draft.quantity <= freeze:
        return None
    message = f"More than {freeze} in one order is frozen by the exchange; slice it."
    return _refuse(RefusalCode.FREEZE_QUANTITY, message, freeze_quantity=freeze)


def order_value(draft: Draft, context: Context) -> int:
    """What the order may be worth at most, in paise."""
    return draft.quantity * context.value_price * context.contract.multiplier


LIMIT_TEXTS = {
    Limit.ORDER_QUANTITY: (RefusalCode.ORDER_QUANTITY, "The quantity {value} is above your limit of {allowed}."),
    Limit.ORDER_VALUE: (RefusalCode.ORDER_VALUE, "The order is worth {value}; your limit is {allowed}."),
    Limit.OPEN_ORDER_VALUE: (
        RefusalCode.OPEN_ORDER_VALUE,
        "With it your open orders would be worth {value}; your limit is {allowed}.",
    ),
    Limit.NET_POSITION: (RefusalCode.NET_POSITION, "The position could come to {value}; your limit is {allowed}."),
}
IN_PAISE = frozenset({Limit.ORDER_VALUE, Limit.OPEN_ORDER_VALUE})


def is_inside_the_value_limits(draft: Draft, context: Context) -> Refusal | None:
    """What only makes a position smaller is never too large."""
    if draft.reduces:
        return None
    value = order_value(draft, context)
    return _limited(context, value=value, open_value=context.open_order_value + value, quantity=draft.quantity)


def is_inside_the_position_limit(draft: Draft, context: Context) -> Refusal | None:
    if draft.reduces:
        return None
    exposure = context.exposure
    pending = exposure.pending_buys if draft.side is Side.BUY else -exposure.pending_sells
    most = exposure.position + pending + draft.signed_quantity
    return _limited(context, net_position=most, previous_net_position=exposure.position)


def _limited(context: Context, **figures: int) -> Refusal | None:
    zeros = dict.fromkeys(("value", "open_value", "quantity", "net_position", "previous_net_position"), 0)
    found = breach(context.limits, **(zeros | figures))
    if found is None:
        return None
    code, text = LIMIT_TEXTS[found.limit]
    shown = rupees_text if found.limit in IN_PAISE else str
    message = text.format(value=shown(found.value), allowed=shown(found.allowed))
    return _refuse(code, message, value=found.value, allowed=found.allowed)


# --- product, margin, positions ---------------------------------------------------------------------------


def has_a_product_of_its_segment(draft: Draft, context: Context) -> Refusal | None:
    """Delivery and funded delivery are for shares, carrying over is for contracts."""
    if draft.product in PRODUCTS_OF[is_contract(context.contract.instrument_type)]:
        return None
    kind = "contracts" if is_contract(context.contract.instrument_type) else "shares"
    return _refuse(RefusalCode.PRODUCT_NOT_ALLOWED, f"{draft.product} is not possible for {kind}.")


def is_contract(instrument_type: InstrumentType) -> bool:
    return instrument_type in OPTION_TYPES or instrument_type in FUTURE_TYPES


PRODUCTS_OF = {
    True: frozenset({Product.INTRADAY, Product.MARGIN}),
    False: frozenset({Product.CNC, Product.INTRADAY, Product.MTF}),
}


def has_margin(draft: Draft, context: Context) -> Refusal | None:
    required, available = context.required_margin, context.available_margin
    if required <= 0 or required <= available:
        return None
    return margin_refusal(required, available)


def margin_refusal(required: int, available: int) -> Refusal:
    message = f"This needs a margin of {rupees_text(required)}, and {rupees_text(available)} are available."
    details = {"required": required, "available": available, "shortfall": required - available}
    return Refusal(RefusalCode.INSUFFICIENT_MARGIN, message, details)


def only_reduces(draft: Draft, context: Context) -> Refusal | None:
    """What must reduce may not exceed what is open, less what other live orders will close already."""
    if draft.waits or not (draft.reduces or context.deficit):
        return None
    closable = closable_quantity(draft, context.exposure)
    if draft.quantity <= closable:
        return None
    if draft.reduces:
        message = f"This may only close a position, and {closable} are left to close on that side."
        return _refuse(RefusalCode.REDUCE_ONLY, message, closable=closable)
    message = "The account is in deficit: until it is covered, positions may only be made smaller."
    return _refuse(RefusalCode.DEFICIT, message, closable=closable)


def closable_quantity(draft: Draft, exposure: Exposure) -> int:
    """How much of the product's position this side may still close."""
    if draft.side is Side.SELL:
        settled = exposure.holding if draft.product is Product.CNC else 0
        return max(settled + exposure.product_position - exposure.product_pending_sells, 0)
    return max(-exposure.product_position - exposure.product_pending_buys, 0)


def has_the_shares(draft: Draft, context: Context) -> Refusal | None:
    """Delivery cannot be sold short: there must be settled shares or a position to sell."""
    if draft.side is not Side.SELL or draft.product not in (Product.CNC, Product.MTF) or draft.waits:
        return None
    exposure = context.exposure
    settled = exposure.holding if draft.product is Product.CNC else 0
    available = max(settled + exposure.product_position - exposure.product_pending_sells, 0)
    if draft.quantity <= available:
        return None
    message = f"You can sell {available} of {context.contract.name} as {draft.product}."
    return _refuse(RefusalCode.INSUFFICIENT_HOLDINGS, message, available=available)


# --- manners --------------------------------------------------------------------------------------------------


def crosses_none_of_its_own(draft: Draft, context: Context) -> Refusal | None:
    """An order that would meet the account's own at the venue. What waits for a trigger is the engine's to watch."""
    if draft.sent_later or draft.order_type in STOP_TYPES or draft.role in EXITS:
        return None
    buys = draft.side is Side.BUY
    resting = context.exposure.lowest_sell if buys else context.exposure.highest_buy
    if resting is None or draft.side.sign * (context.value_price - resting) < 0:
        return None
    message = f"It would trade with your own order at {rupees_text(resting)}; cancel or change that one first."
    return _refuse(RefusalCode.SELF_TRADE, message, price=resting)


def keeps_the_rate(draft: Draft, context: Context) -> Refusal | None:
    """Orders, changes and cancellations of the last second on the segment. Squaring off is never held up."""
    if draft.source is Source.SQUARE_OFF or context.orders_in_second < context.orders_per_second:
        return None
    return rate_refusal(context.orders_per_second)


def rate_refusal(allowed: int) -> Refusal:
    message = f"More than {allowed} orders, changes and cancellations in one second; try again in a moment."
    return Refusal(RefusalCode.RATE_EXCEEDED, message, {"allowed": allowed})


def keeps_the_ratio(draft: Draft, context: Context) -> Refusal | None:
    allowed = context.limits.order_to_trade_ratio
    if allowed is None or draft.reduces or context.orders_today < allowed * max(context.trades_today, 1):
        return None
    message = (
        f"{context.orders_today} orders today brought {context.trades_today} trades; {allowed} a trade is the limit."
    )
    return _refuse(RefusalCode.ORDER_TO_TRADE, message, orders=context.orders_today, trades=context.trades_today)


def _refuse(code: RefusalCode, message: str, **details: object) -> Refusal:
    return Refusal(code, message, details)


BEFORE_MARGIN: tuple[Rule, ...] = (
    may_trade,
    is_tradable,
    is_taken_now,
    is_whole_lots,
    discloses_enough,
    has_its_prices,
    has_a_last_price,
    is_inside_the_band,
    is_near_the_market,
    is_near_enough_for_us,
    is_on_its_stop_side,
    is_inside_the_stop_range,
    is_below_the_freeze,
    is_inside_the_value_limits,
    has_a_product_of_its_segment,
)
FROM_MARGIN: tuple[Rule, ...] = (
    has_margin,
    only_reduces,
    has_the_shares,
    is_inside_the_position_limit,
    crosses_none_of_its_own,
    keeps_the_rate,
    keeps_the_ratio,
)
