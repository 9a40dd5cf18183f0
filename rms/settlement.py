"""The end of a day for one account: futures marked, what expired settled, shares into and out of holdings, interest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from fractions import Fraction

import numpy as np
from django.db.models import Q, QuerySet

from feeds import bus
from feeds.clock import IST
from feeds.core.calendar import Exchange
from feeds.core.instrument import FUTURE_TYPES, OPTION_TYPES, ExchangeSegment, InstrumentType, OptionType
from feeds.core.tick import TICK
from feeds.models import Instrument
from feeds.selectors import market_calendar, reference_of
from rms import facts, ledger, margin
from rms.core.charges import funding_interest
from rms.core.position import cost_share, start_day
from rms.core.product import Product
from rms.core.settlement import (
    Ending,
    PriceSource,
    Quote,
    Settled,
    ending_of_future,
    ending_of_option,
    exercised_quantity,
    hand_out,
    intrinsic,
    settlement_price,
)
from rms.fills import STATE_COLUMNS, Fill, FillEffect, GroupKey, Kind, record_fills, refresh_margins, state_of
from rms.margin import Held
from rms.market import Market, by_code_of, market_for
from rms.models import Holding, Position, PositionChange, SettlementPrice, Transfer


class Group(StrEnum):
    """What is closed together, after its last session."""

    EQUITY = "EQUITY"
    COMMODITY = "COMMODITY"


SEGMENTS = {
    Group.EQUITY: (
        ExchangeSegment.NSE_EQ,
        ExchangeSegment.BSE_EQ,
        ExchangeSegment.NSE_FNO,
        ExchangeSegment.BSE_FNO,
    ),
    Group.COMMODITY: (ExchangeSegment.MCX_COMM,),
}
EXCHANGE = {Group.EQUITY: Exchange.NSE_BSE, Group.COMMODITY: Exchange.MCX}

OPTIONS_LIKE = {InstrumentType.FUTIDX: InstrumentType.OPTIDX, InstrumentType.FUTSTK: InstrumentType.OPTSTK}
"""A future hangs on what options of its kind hang on; an MCX future on nothing but itself."""
CLOSING_SOURCES = frozenset({PriceSource.LAST_TRADED, PriceSource.CLOSE_SEEN_LATER})
"""What pays out an expiry must be of that day; an older price would pay out the wrong amount for good."""


class NoSettlementPrice(Exception):
    """The day cannot be closed: an admin enters these prices, or the feed tells them."""

    def __init__(self, day: date, instruments: Iterable[Instrument]) -> None:
        names = ", ".join(sorted(str(instrument.key) for instrument in instruments))
        super().__init__(f"no settlement price of {names} for {day} is known: enter it by hand")


# --- prices -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DayPrices:
    """What a group's day was settled at: price and source by code; what expired, and what it hangs on, by its code."""

    prices: Mapping[int, Settled]
    underlyings: Mapping[int, Instrument]

    def price(self, code: int) -> int:
        return self.prices[code].price


def fix_prices(day: date, group: Group) -> DayPrices:
    """Give everything that is open a settlement price of the day. A price that is there, by hand or not, stays.

    Raises:
        NoSettlementPrice: something has no price that may settle it.
        bus.REDIS_ERRORS: Redis is away; an older price must not stand in for what it holds.
    """
    contracts = _open_instruments(group, day)
    underlyings = _underlyings(contract for contract in contracts if is_expired(contract, day))
    wanted = {each.code: each for each in (*contracts, *underlyings.values()) if not _is_expired_option(each, day)}
    known = _known_prices(day, wanted)
    fresh = _fresh_prices(day, EXCHANGE[group], wanted.keys() - known.keys())
    closing = {each.code for each in underlyings.values()} | {c.code for c in contracts if is_expired(c, day)}
    found = {**_usable(fresh, closing), **known}
    found |= _closes_of_underlyings(underlyings, found, known)
    _carry(day, wanted.keys() - found.keys() - closing, found)
    if missing := wanted.keys() - found.keys():
        raise NoSettlementPrice(day, (wanted[code] for code in missing))
    _save_prices(day, {code: settled for code, settled in found.items() if code not in known})
    return DayPrices(found, underlyings)


def is_expired(instrument: Instrument, day: date) -> bool:
    """Whether its last trading day has come; one that fell on a holiday declared late ends on the next."""
    return instrument.expiry is not None and instrument.expiry <= day


def _is_expired_option(instrument: Instrument, day: date) -> bool:
    return is_expired(instrument, day) and instrument.instrument_type in OPTION_TYPES


def _open_instruments(group: Group, day: date) -> list[Instrument]:
    codes = open_positions(group, day).values_list("instrument_id", flat=True).distinct().order_by()
    return list(Instrument.objects.filter(code__in=codes))


def open_positions(group: Group, day: date) -> QuerySet[Position]:
    """What is open of the day. A position traded after it, when a missed day is made up for, ends with its own day."""
    rows = Position.objects.filter(instrument__segment__in=SEGMENTS[group], trading_date__lte=day)
    rows = rows.exclude(signed_quantity=0)
    return rows.select_related("instrument").order_by("pk")


def _underlyings(expired: Iterable[Instrument]) -> dict[int, Instrument]:
    """What each expired contract hangs on. Without it the contract cannot be settled."""
    found = {}
    for contract in expired:
        kind = InstrumentType(contract.instrument_type)
        if kind is InstrumentType.FUTCOM or contract.expiry is None:
            continue
        named = (ExchangeSegment(contract.segment), contract.underlying_symbol, OPTIONS_LIKE.get(kind, kind))
        underlying = reference_of(*named, contract.expiry)
        if underlying is None:
            raise NoSettlementPrice(contract.expiry, [contract])
        found[contract.code] = underlying
    return found


def _known_prices(day: date, codes: Collection[int]) -> dict[int, Settled]:
    rows = SettlementPrice.objects.filter(trading_date=day, instrument_id__in=list(codes))
    return {row.instrument_id: Settled(row.price, PriceSource(row.source)) for row in rows}


def _fresh_prices(day: date, exchange: Exchange, codes: Collection[int]) -> dict[int, Settled]:
    next_day = market_calendar().next_trading_day(exchange, day)
    rows = bus.last_rows(list(codes))
    settled = {int(row["code"]): settlement_price(_quote(row), day, next_day) for row in rows}
    return {code: price for code, price in settled.items() if price is not None}


def _quote(row: np.void) -> Quote:
    traded_at = int(row["last_traded_at"])
    traded_on = datetime.fromtimestamp(traded_at, IST).date() if traded_at else None
    return Quote(int(row["last_price"]), traded_on, int(row["previous_close"]))


def _usable(fresh: Mapping[int, Settled], closing: Collection[int]) -> dict[int, Settled]:
    return {code: each for code, each in fresh.items() if code not in closing or each.source in CLOSING_SOURCES}


def _closes_of_underlyings(
    underlyings: Mapping[int, Instrument], found: Mapping[int, Settled], known: Collection[int]
) -> dict[int, Settled]:
    """A future on an index or a share ends at what that closed at, unless somebody entered another price."""
    ending = Instrument.objects.filter(code__in=list(underlyings), instrument_type__in=list(OPTIONS_LIKE))
    closes = {each.code: found.get(underlyings[each.code].code) for each in ending if each.code not in known}
    return {code: Settled(close.price, PriceSource.UNDERLYING_CLOSE) for code, close in closes.items() if close}


def _carry(day: date, codes: Collection[int], found: dict[int, Settled]) -> None:
    """Without any quote the last settlement price stays: nothing is gained or lost that day."""
    rows = SettlementPrice.objects.filter(instrument_id__in=list(codes), trading_date__lt=day)
    for row in rows.order_by("instrument_id", "-trading_date").distinct("instrument_id"):
        found[row.instrument_id] = Settled(row.price, PriceSource.CARRIED)


def _save_prices(day: date, prices: Mapping[int, Settled]) -> None:
    rows = [
        SettlementPrice(instrument_id=code, trading_date=day, price=price, source=source)
        for code, (price, source) in prices.items()
    ]
    SettlementPrice.objects.bulk_create(rows, ignore_conflicts=True)


# --- an account's day ---------------------------------------------------------------------------


@dataclass(frozen=True)
class AccountDay:
    """One account's day in one group, while it is being closed in a transaction that holds its funds row."""

    account_id: int
    day: date
    group: Group
    at: datetime
    next_day: date
    settled: DayPrices
    market: Market

    def open_positions(self) -> list[Position]:
        """What is open now, read again: the step before may have closed some of it."""
        return list(open_positions(self.group, self.day).filter(account_id=self.account_id))

    def fill(self, position: Position, kind: str, word: str, signed_quantity: int, price: int, **more: int) -> Fill:
        """A change of a position, made once for the day by its word."""
        return Fill(
            account_id=self.account_id,
            code=position.instrument_id,
            product=position.product,
            signed_quantity=signed_quantity,
            price=price,
            multiplier=position.instrument.multiplier,
            reference=f"{word}.{self.day}.{position.pk}",
            trading_date=self.day,
            at=self.at,
            kind=PositionChange.Kind(kind),
            **more,
        )

    def record(self, fills: list[Fill]) -> list[FillEffect]:
        return record_fills(fills, self.market) if fills else []


def account_day(account_id: int, day: date, group: Group, at: datetime, settled: DayPrices) -> AccountDay:
    """Margins of this day are computed at what it was settled at, wherever the feed has gone since."""
    codes = {each.instrument_id for each in open_positions(group, day).filter(account_id=account_id)}
    codes |= {settled.underlyings[code].code for code in codes if code in settled.underlyings}
    next_day = market_calendar().next_trading_day(EXCHANGE[group], day)
    return AccountDay(account_id, day, group, at, next_day, settled, _settled_market(codes, day, settled))


def _settled_market(codes: Collection[int], day: date, settled: DayPrices) -> Market:
    live = market_for(codes, day)
    priced = [code for code in live.instruments if code in settled.prices]
    rows = np.zeros(len(priced), TICK)
    rows["code"] = priced
    rows["last_price"] = [settled.price(code) for code in priced]
    return Market(live.instruments, {**live.rows, **by_code_of(rows)}, live.references, day)


def settle(account: AccountDay) -> None:
    """All that the day's end does to positions, holdings and money before charges. Done twice, it changes nothing."""
    expire_options(account)
    close_out_intraday(account)
    mark_to_market(account)
    expire_futures(account)
    settle_delivery(account)
    charge_interest(account)


def expire_options(account: AccountDay) -> None:
    """Index options pay out intrinsic, share options deliver, commodity options become futures, the rest lapses."""
    fills: list[Fill] = []
    for position in account.open_positions():
        if _is_expired_option(position.instrument, account.day):
            fills += _option_fills(account, position)
    account.record(fills)


def _option_fills(account: AccountDay, position: Position) -> list[Fill]:
    contract = position.instrument
    option_type, strike = OptionType(contract.option_type), contract.strike or 0
    underlying = account.settled.underlyings[contract.code]
    close = account.settled.price(underlying.code)
    ending = ending_of_option(InstrumentType(contract.instrument_type), option_type, strike, close)
    price = intrinsic(option_type, strike, close) if ending is Ending.CASH else 0
    fills = [account.fill(position, Kind.EXPIRY, "expiry", -position.signed_quantity, price)]
    if ending in (Ending.DELIVERED, Ending.DEVOLVED):
        quantity = exercised_quantity(option_type, position.signed_quantity)
        fills.append(_received(account, position, underlying, quantity, strike))
    return fills


def _received(account: AccountDay, position: Position, instrument: Instrument, quantity: int, price: int) -> Fill:
    """What a contract becomes: shares, or a position in the future, at a price."""
    product = Product.CNC if instrument.instrument_type == InstrumentType.EQUITY else Product.MARGIN
    received = Position(pk=position.pk, instrument=instrument, product=product)
    return account.fill(received, Kind.EXPIRY, "received", quantity, price)


def close_out_intraday(account: AccountDay) -> None:
    """What the square-off could not sell is closed by the house at the settlement price, and charged as such."""
    left = [each for each in account.open_positions() if each.product == Product.INTRADAY]
    account.record(
        [
            account.fill(
                each, Kind.CLOSE_OUT, "close_out", -each.signed_quantity, account.settled.price(each.instrument_id)
            )
            for each in left
            if not is_expired(each.instrument, account.day)
        ]
    )


def mark_to_market(account: AccountDay) -> None:
    """Futures gain and lose in cash what they moved since they were last marked, or traded."""
    futures = [each for each in account.open_positions() if each.instrument.instrument_type in FUTURE_TYPES]
    account.record(
        [
            account.fill(each, Kind.MARK_TO_MARKET, "mtm", 0, account.settled.price(each.instrument_id))
            for each in futures
        ]
    )


def expire_futures(account: AccountDay) -> None:
    """Expired futures end at the price they were marked at; those on shares deliver them at it."""
    fills: list[Fill] = []
    for position in account.open_positions():
        if position.instrument.instrument_type in FUTURE_TYPES and is_expired(position.instrument, account.day):
            fills += _future_fills(account, position)
    account.record(fills)


def _future_fills(account: AccountDay, position: Position) -> list[Fill]:
    contract = position.instrument
    price = account.settled.price(contract.code)
    fills = [account.fill(position, Kind.EXPIRY, "expiry", -position.signed_quantity, price)]
    if ending_of_future(InstrumentType(contract.instrument_type)) is Ending.DELIVERED:
        share = account.settled.underlyings[contract.code]
        fills.append(_received(account, position, share, position.signed_quantity, price))
    return fills


# --- shares -------------------------------------------------------------------------------------


def settle_delivery(account: AccountDay) -> None:
    """Delivery shares that were bought go into the holdings, those sold come out of them.

    Shares that were sold and are not there are bought in by the house at the close, in place of the auction.
    """
    shares = [each for each in account.open_positions() if each.product == Product.CNC]
    holdings = {each.instrument_id: each for each in _locked_holdings(account, shares)}
    for position in shares:
        holding = holdings.get(position.instrument_id) or Holding(
            account_id=account.account_id, instrument_id=position.instrument_id
        )
        (_take_in if position.signed_quantity > 0 else _hand_out)(account, position, holding)


def _locked_holdings(account: AccountDay, shares: Iterable[Position]) -> QuerySet[Holding]:
    codes = [each.instrument_id for each in shares]
    return Holding.objects.select_for_update().filter(account_id=account.account_id, instrument_id__in=codes)


def _take_in(account: AccountDay, position: Position, holding: Holding) -> None:
    quantity, cost = position.signed_quantity, position.open_cost
    delivery = account.fill(position, Kind.DELIVERY, "delivery", -quantity, _unit_price(cost, quantity))
    if not account.record([delivery])[0].repeated:
        _change_holding(holding, quantity, cost)


def _hand_out(account: AccountDay, position: Position, holding: Holding) -> None:
    out = hand_out(holding.quantity, holding.cost, -position.signed_quantity)
    if out.quantity:
        realised = -cost_share(state_of(position), -out.quantity) - out.cost
        price = _unit_price(out.cost, out.quantity)
        delivery = account.fill(position, Kind.DELIVERY, "delivery", out.quantity, price, realised=realised)
        if not account.record([delivery])[0].repeated:
            _change_holding(holding, -out.quantity, -out.cost)
    if out.short:
        close = account.settled.price(position.instrument_id)
        account.record([account.fill(position, Kind.CLOSE_OUT, "auction", out.short, close)])


def _change_holding(holding: Holding, quantity: int, cost: int) -> None:
    holding.quantity += quantity
    holding.cost += cost
    holding.save()


def _unit_price(cost: int, quantity: int) -> int:
    """For people to read; the exact cost is in the holding."""
    return round(Fraction(cost, quantity))


def charge_interest(account: AccountDay) -> None:
    """Interest on what the house lends for funded shares, for the nights until the next trading day."""
    funded = sum(max(0, each.open_cost - _own_part(account, each)) for each in _funded(account))
    interest = funding_interest(funded, account.day, (account.next_day - account.day).days)
    if interest:
        ledger.transfer(
            reference=f"interest.{account.day}.{account.account_id}",
            kind=Transfer.Kind.INTEREST,
            account_id=account.account_id,
            amount=-interest,
            against=ledger.Book.INTEREST,
            trading_date=account.day,
            details={"funded": funded, "nights": (account.next_day - account.day).days},
        )


def _funded(account: AccountDay) -> list[Position]:
    return [each for each in account.open_positions() if each.product == Product.MTF and each.signed_quantity > 0]


def _own_part(account: AccountDay, position: Position) -> int:
    """What of a funded position the account's own margin pays, in paise."""
    held = Held(position.instrument_id, Product.MTF, position.signed_quantity)
    return margin.requirement([held], (), account.market, account.day).total


# --- the next day -------------------------------------------------------------------------------


def start_next_day(account: AccountDay) -> None:
    """Begin the next day in the group's positions, and bind the margin they need overnight."""
    rows = unfinished_positions(account.group, account.day).filter(account_id=account.account_id)
    positions = list(rows.select_for_update(of=("self",)))
    for position in positions:
        _start_day(account, position)
    Position.objects.bulk_update(positions, [*STATE_COLUMNS, "trading_date"])
    facts.record_many(
        [(each.account_id, facts.POSITION, facts.position_body(each)) for each in positions],
    )
    groups = {GroupKey(account.account_id, margin.group_of(each.instrument)) for each in positions}
    refresh_margins(groups, account.market, account.day)


def unfinished_positions(group: Group, day: date) -> QuerySet[Position]:
    """Positions in which something is open or happened, and whose next day has not begun."""
    rows = Position.objects.filter(NOT_AT_REST, instrument__segment__in=SEGMENTS[group], trading_date__lte=day)
    return rows.select_related("instrument").order_by("pk")


NOT_AT_REST = ~Q(signed_quantity=0) | ~Q(day_buy_quantity=0) | ~Q(day_sell_quantity=0) | ~Q(realised_pnl=0)
NOT_AT_REST |= ~Q(carried_quantity=0)
"""Only these have a next day."""


def _start_day(account: AccountDay, position: Position) -> None:
    settled = account.settled.prices.get(position.instrument_id)
    state = start_day(state_of(position), settled.price if settled else 0)
    for column in STATE_COLUMNS:
        setattr(position, column, getattr(state, column))
    position.trading_date = account.next_day
