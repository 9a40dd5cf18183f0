"""What orders in one instrument may say now: types, validities, products, steps, and what protects a market order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from feeds.core.calendar import Phase
from feeds.core.instrument import ExchangeSegment, InstrumentType
from feeds.models import Instrument
from oms import trading_day
from oms.core.order import Side
from oms.core.protection import protected_price
from oms.core.rules import PRODUCTS_OF, Contract, is_contract
from oms.core.sessions import GROUPS, NOTHING, Taken, least_disclosed_percent, next_open, taken_in, takes_after_market
from rms.core.product import Product
from rms.market import NoMarketData, market_for


@dataclass(frozen=True, slots=True)
class Terms:
    """Prices in paise, quantities as in an order. The checks of `core/rules.py` have the last word."""

    contract: Contract
    phase: Phase
    now: Taken
    when_open: Taken
    takes_after_market: bool
    next_open: datetime | None
    products: frozenset[Product]
    least_disclosed_percent: str | None
    last_price: int | None
    protected: dict[Side, int] | None
    """The worst that a market order trades at, as of the last price; None: there is none."""


def terms_of(instrument: Instrument, moment: datetime) -> Terms:
    """As of an exchange time. What cannot be traded here takes nothing."""
    contract = trading_day.contract_of(instrument)
    segment, kind, day = contract.segment, contract.instrument_type, moment.date()
    tradable = segment in GROUPS and kind is not InstrumentType.INDEX
    phase = trading_day.phase_of(instrument, moment)
    last_price = last_price_of(instrument, moment)
    return Terms(
        contract=contract,
        phase=phase,
        now=taken_in(phase, segment, kind, day) if tradable else NOTHING,
        when_open=taken_in(Phase.CONTINUOUS, segment, kind, day) if tradable else NOTHING,
        takes_after_market=tradable and takes_after_market(segment, moment, trading_day.trading_calendar()),
        next_open=next_opening(segment, moment) if tradable else None,
        products=PRODUCTS_OF[is_contract(kind)] if tradable else frozenset(),
        least_disclosed_percent=least_disclosed_percent(segment, day) if tradable else None,
        last_price=last_price,
        protected=protections(contract, last_price, moment) if tradable and last_price else None,
    )


def last_price_of(instrument: Instrument, moment: datetime) -> int | None:
    try:
        return market_for([instrument.code], moment.date()).price(instrument.code)
    except NoMarketData:
        return None


def next_opening(segment: ExchangeSegment, moment: datetime) -> datetime | None:
    return next_open(segment, moment, trading_day.trading_calendar())


def protections(contract: Contract, last_price: int, moment: datetime) -> dict[Side, int]:
    tick, day = max(contract.tick_size, 1), moment.date()
    return {side: protected_price(side, last_price, tick, contract.instrument_type, day) for side in Side}
