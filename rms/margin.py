"""What positions and what somebody wants to trade bind of an account's money: rows and prices in, paise out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from math import exp
from typing import Any

from django.conf import settings

from feeds.core.calendar import Calendar
from feeds.core.greeks import DAYS_PER_YEAR
from feeds.core.instrument import OPTION_TYPES, ExchangeSegment, InstrumentType, OptionType
from feeds.models import Instrument
from feeds.rows import fetch_each
from feeds.selectors import market_calendar
from rms.core.margin import Group, Leg, Margin, margin_of, prepare, worst_of
from rms.core.parameters import Parameters, parameters_on
from rms.core.product import Product, Style, style_of
from rms.market import Market, NoMarketData, facts
from rms.span_files import span_file

ENDING_DAYS = 14
"""Only contracts that end this soon, in calendar days, can be in their last trading days."""
ENDING_TYPES = frozenset({InstrumentType.FUTSTK, InstrumentType.OPTSTK, InstrumentType.FUTCOM, InstrumentType.OPTFUT})
"""What is delivered, or has pre-expiry margin: index contracts are neither."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What somebody wants to trade: a signed quantity at the worst price it may trade at (paise)."""

    reference: str
    code: int
    product: Product
    signed_quantity: int
    price: int


@dataclass(frozen=True, slots=True)
class Held:
    """An open position: signed quantity, and its average price (paise), used where the market has none."""

    code: int
    product: Product
    signed_quantity: int
    average_price: int = 0


@dataclass(frozen=True, slots=True)
class Requirement:
    """Paise bound in all and by margin group, and how each came about."""

    total: int
    by_group: dict[str, int]
    margins: dict[str, Margin] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Legs that somebody thinks of trading. Paise.

    `additional` is what each must hold, hedges counted as far as they come before; `alone` is what the legs need each
    by itself and `together` as one portfolio, premiums counted in; `before` and `after` are the account's groups.
    """

    additional: dict[str, int]
    total: int
    alone: int
    together: Margin
    benefit: int
    before: Requirement
    after: Requirement


def group_of(instrument: Instrument) -> str:
    """Segment and underlying of a contract (``NSE_FNO.NIFTY``), of a share its key (``NSE_EQ.2885``)."""
    if instrument.expiry is None:
        return str(instrument.key)
    return f"{ExchangeSegment(instrument.segment).name}.{instrument.underlying_symbol}"


# --- questions ------------------------------------------------------------------------------------


def requirement(positions: Iterable[Held], pending: Iterable[Pending], market: Market, on: date) -> Requirement:
    """The worst of (positions), (with pending buys), (with pending sells), group by group.

    Raises:
        NoMarketData: of a pending one. A position without a price counts at its average price.
    """
    held, wanted = list(positions), list(pending)
    market = market.covering({each.code for each in (*held, *wanted)})
    legs = [_leg_of_position(each, market, on) for each in held]
    extra = [_leg(each.code, each.product, each.signed_quantity, market, on) for each in wanted]
    parameters, span = _parameters(on), span_file()
    margins = {
        group: worst_of(_in_group(legs, group), _in_group(extra, group), parameters, on, span)
        for group in sorted({leg.group for leg in (*legs, *extra)})
    }
    by_group = {group: margin.total for group, margin in margins.items()}
    return Requirement(sum(by_group.values()), by_group, margins)


def used_margin(account_id: int, group: str, market: Market, on: date) -> tuple[int, dict[str, Any]]:
    """What the account's positions in a group bind now, and how it came about as JSON (`margin_body`).

    Raises:
        NoMarketData
    """
    used = used_margins([(account_id, group)], market, on)[account_id, group]
    if isinstance(used, NoMarketData):
        raise used
    return used.total, margin_body(used)


def used_margins(
    groups: Collection[tuple[int, str]], market: Market, on: date
) -> dict[tuple[int, str], Margin | NoMarketData]:
    """`used_margin` of many (account id, group): one query for all. What lacks a price has its error."""
    held: dict[tuple[int, str], list[Held]] = {key: [] for key in groups}
    for account_id, group, position in _grouped_positions({account_id for account_id, _ in groups}, market):
        if (account_id, group) in held:
            held[account_id, group].append(position)
    market = market.covering({each.code for positions in held.values() for each in positions})
    return {key: _used(positions, market, on) for key, positions in held.items()}


def _used(positions: Iterable[Held], market: Market, on: date) -> Margin | NoMarketData:
    try:
        legs = [_leg_of_position(each, market, on) for each in positions]
    except NoMarketData as error:
        return error
    return margin_of(legs, _parameters(on), on, span_file())


def additional(
    account_id: int,
    new: Sequence[Pending],
    market: Market,
    on: date,
    pending: Sequence[Pending] = (),
    positions: Sequence[Held] | None = None,
) -> dict[str, int]:
    """What each new one must hold, in paise by reference; in the order given, so that hedges come first.

    - Buying what is paid (options, delivery shares) holds its whole value at its price.
    - Anything else holds what it adds to its group's margin, less the premium it brings. The part that closes a
      position holds nothing, unless that position was the hedge of another.
    - `pending` are the account's live ones, which rms does not know: those of the same side are taken as done
      before, so that two cannot both close one position or lean on one hedge. Those of the other side count for
      nothing: they may be cancelled.

    `positions`: the account's, when the caller has read them.

    Raises:
        NoMarketData: of a new one. What is held or pending counts at its own price where the market has none.
    """
    concerned = sorted({group_of(market.instrument(each.code)) for each in new})
    held = positions_in(account_id, concerned, market) if positions is None else positions
    instruments = _instruments({each.code for each in (*held, *pending, *new)}, market)
    groups = {code: group_of(instrument) for code, instrument in instruments.items()}
    market = market.covering([code for code, group in groups.items() if group in concerned])
    amounts: dict[str, int] = {}
    for group in concerned:
        rows = ([each for each in kind if groups[each.code] == group] for kind in (held, pending, new))
        amounts |= _Increments(*rows, market, on).amounts()
    return {each.reference: amounts[each.reference] for each in new}


def what_if(
    account_id: int, new: Sequence[Pending], market: Market, on: date, pending: Sequence[Pending] = ()
) -> WhatIf:
    """What legs would need, alone, together and beside what the account has; nothing is held.

    Raises:
        NoMarketData
    """
    groups = sorted({group_of(market.instrument(each.code)) for each in new})
    positions = positions_in(account_id, groups, market)
    market = market.covering({each.code for each in positions})
    amounts = additional(account_id, new, market, on, pending, positions)
    legs = [_leg(each.code, each.product, each.signed_quantity, market, on) for each in new]
    parameters, span = _parameters(on), span_file()
    together = margin_of(legs, parameters, on, span)
    alone = sum(margin_of([leg], parameters, on, span).to_open for leg in legs)
    after = [*positions, *(Held(each.code, each.product, each.signed_quantity) for each in new)]
    return WhatIf(
        additional=amounts,
        total=sum(amounts.values()),
        alone=alone,
        together=together,
        benefit=alone - together.to_open,
        before=requirement(positions, (), market, on),
        after=requirement(after, (), market, on),
    )


def margin_body(margin: Margin) -> dict[str, Any]:
    """As JSON: paise, the policy that they follow, and whether they are an estimate."""
    return asdict(margin)


POSITIONS = """
SELECT account_id, instrument_id, product, signed_quantity, open_cost FROM rms_position
WHERE account_id = ANY(%s) AND signed_quantity <> 0
"""
"""Without a join: the instruments are known, and the order path asks this for each step."""


def positions_in(account_id: int, groups: Collection[str], market: Market) -> list[Held]:
    """The account's open positions in margin groups: one query."""
    return [position for _, group, position in _grouped_positions([account_id], market) if group in groups]


def _grouped_positions(account_ids: Collection[int], market: Market) -> list[tuple[int, str, Held]]:
    """Account, margin group and position of all that is open in these accounts."""
    [rows] = fetch_each((POSITIONS, [list(account_ids)]))
    instruments = _instruments({code for _, code, *_ in rows}, market)
    return [
        (
            account_id,
            group_of(instruments[code]),
            Held(code, Product(product), quantity, open_cost // (quantity * instruments[code].multiplier)),
        )
        for account_id, code, product, quantity, open_cost in rows
    ]


def _instruments(codes: Collection[int], market: Market) -> dict[int, Instrument]:
    """From the market, or as this process knows them: their prices are not asked for yet."""
    unknown = facts(market.day).take(code for code in codes if code not in market.instruments)
    return {code: unknown.get(code) or market.instrument(code) for code in codes}


# --- what each new one adds -----------------------------------------------------------------------


class _Increments:
    """The new ones of one margin group, each on top of the positions, the pending of its side and those before it."""

    def __init__(
        self, held: Sequence[Held], pending: Sequence[Pending], new: Sequence[Pending], market: Market, on: date
    ) -> None:
        self._new = new
        keys = dict.fromkeys((each.code, each.product) for each in (*held, *pending, *new))
        self._index = {key: index for index, key in enumerate(keys)}
        own_prices = {(each.code, each.product): each.average_price for each in held}
        own_prices |= {(each.code, each.product): each.price for each in pending}
        certain = {(each.code, each.product) for each in new}
        self._legs = [_leg(*key, 0, market, on, None if key in certain else own_prices[key]) for key in keys]
        self._group: Group = prepare(self._legs, _parameters(on), on, span_file())
        self._positions = self._summed(held)
        self._buys = self._summed(each for each in pending if each.signed_quantity > 0)
        self._sells = self._summed(each for each in pending if each.signed_quantity < 0)

    def amounts(self) -> dict[str, int]:
        taken = [0] * len(self._legs)
        amounts: dict[str, int] = {}
        for each in self._new:
            side = self._buys if each.signed_quantity > 0 else self._sells
            base = [sum(column) for column in zip(self._positions, side, taken, strict=True)]
            amounts[each.reference] = self._amount(each, base)
            taken[self._index[each.code, each.product]] += each.signed_quantity
        return amounts

    def _amount(self, each: Pending, base: list[int]) -> int:
        """What its closing part adds, then what its opening part does: a flip is charged for what it opens."""
        index = self._index[each.code, each.product]
        sign = 1 if each.signed_quantity > 0 else -1
        closing = min(max(-sign * base[index], 0), abs(each.signed_quantity))
        opening = abs(each.signed_quantity) - closing
        amount = 0
        for quantity, opens in ((sign * closing, False), (sign * opening, True)):
            if quantity:
                before, base[index] = self._group.margin(base).total, base[index] + quantity
                amount += self._added(each, index, quantity, opens, self._group.margin(base).total - before)
        return amount

    def _added(self, each: Pending, index: int, quantity: int, opens: bool, difference: int) -> int:
        leg = self._legs[index]
        if style_of(leg.instrument_type, each.product) is not Style.PAID:
            return max(difference, 0)
        units = quantity * leg.multiplier
        if quantity > 0 and opens:
            return units * each.price + max(difference, 0)
        # What a sale brings counts at no more than the market pays now: its value then is in the margin too.
        price = each.price if quantity > 0 else min(each.price, leg.price)
        return max(difference + units * price, 0)

    def _summed(self, rows: Iterable[Held | Pending]) -> list[int]:
        quantities = [0] * len(self._index)
        for row in rows:
            quantities[self._index[row.code, row.product]] += row.signed_quantity
        return quantities


# --- legs -----------------------------------------------------------------------------------------


def _in_group(legs: Iterable[Leg], group: str) -> list[Leg]:
    return [leg for leg in legs if leg.group == group]


def _leg_of_position(held: Held, market: Market, on: date) -> Leg:
    return _leg(held.code, held.product, held.signed_quantity, market, on, held.average_price)


def _leg(
    code: int, product: Product, signed_quantity: int, market: Market, on: date, fallback: int | None = None
) -> Leg:
    """A leg at the market's prices. With a `fallback` price it never fails: what is held needs its margin anyhow.

    Raises:
        NoMarketData: there is no price, and no fallback.
    """
    instrument = market.instrument(code)
    kind = InstrumentType(instrument.instrument_type)
    strike = instrument.strike or 0
    underlying_price = _price(
        market, market.references.get(code, code), None if fallback is None else strike or fallback
    )
    return Leg(
        code=code,
        group=group_of(instrument),
        instrument_type=kind,
        underlying=instrument.underlying_symbol or instrument.symbol,
        signed_quantity=signed_quantity,
        price=_price(market, code, fallback),
        product=product,
        option_type=OptionType(instrument.option_type) if instrument.option_type in set(OptionType) else None,
        strike=strike,
        expiry=instrument.expiry,
        multiplier=instrument.multiplier,
        underlying_price=underlying_price,
        forward=_forward(kind, underlying_price, instrument.expiry, on),
        trading_days_left=_trading_days_left(kind, instrument.expiry, on),
    )


def _price(market: Market, code: int, fallback: int | None) -> int:
    try:
        return market.price(code)
    except NoMarketData:
        if fallback is None:
            raise
        return fallback


def _forward(kind: InstrumentType, underlying_price: int, expiry: date | None, on: date) -> int:
    """The future that an option is priced on: the spot carried to its expiry; on MCX the reference is a future."""
    if kind not in OPTION_TYPES or kind is InstrumentType.OPTFUT or expiry is None:
        return underlying_price
    years = max((expiry - on).days, 0) / DAYS_PER_YEAR
    return round(underlying_price * exp(settings.MARGIN_RISK_FREE_PERCENT / 100 * years))


def _trading_days_left(kind: InstrumentType, expiry: date | None, on: date) -> int | None:
    if expiry is None or kind not in ENDING_TYPES or not 0 <= (expiry - on).days <= ENDING_DAYS:
        return None
    exchange = "MCX" if kind in (InstrumentType.FUTCOM, InstrumentType.OPTFUT) else "NSE_BSE"
    return _trading_days(exchange, on, expiry)


@lru_cache(maxsize=1024)
def _trading_days(exchange: str, on: date, expiry: date) -> int:
    days = (on + timedelta(days=number) for number in range(1, (expiry - on).days + 1))
    return sum(_calendar(on).is_trading_day(exchange, day) for day in days)


@lru_cache(maxsize=2)
def _calendar(on: date) -> Calendar:
    """As it was known when this process first needed it on that day."""
    return market_calendar()


# --- parameters -----------------------------------------------------------------------------------


def _parameters(on: date) -> Parameters:
    return parameters_on(on, settings.MARGIN_RISK_FREE_PERCENT)
