"""Everything the simulated exchanges list on a day: the shipped chains, stocks with their contracts, and spots."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from feeds.core.calendar import IST, Calendar
from feeds.core.instrument import FUTURE_TYPES, ExchangeSegment, InstrumentKey, InstrumentType, OptionType
from feeds.core.listing import (
    Lot,
    Mode,
    NumberedContract,
    Series,
    Underlying,
    monthly_listing,
    number_contracts,
    rule_listing,
    underlyings,
)
from feeds.simulator.market import INSTRUMENT, UNDERLYING, Kind

STOCKS_FILE = Path(__file__).with_name("stocks.csv")
"""Shares with derivatives: ids, lots and ticks of Dhan's masters of 2025 and 2026; levels of April 2026."""
GENERATED_STOCKS = 400
"""Beside the real names in `spec`, so that 500 watchlist items of 42 instruments can be had."""
FIRST_GENERATED_ID = 900_001
FIRST_GENERATED_NUMBER = 201

STOCK_MONTHS = 3
SPEC_OPTION_MONTHS = 1
SPEC_STRIKES = 31
"""Of each stock in `spec`: a window of 21 and room for its ATM to move; more would only make the master long."""
EXCHANGE_STRIKES = 41
STRIKE_STEPS = (10, 25, 50, 100, 250, 500, 1000, 2000, 5000, 10_000, 25_000, 50_000, 100_000)
"""Paise."""
SMALLEST_STEP_SHARE = 0.009
"""Of the level: ten strikes on each side then stay listed whatever the day does."""
OPTION_TICK = 5

INDEX_DAY_MOVE = 0.006
STOCK_DAY_MOVE = 0.013
COMMODITY_DAY_MOVES = {"CRUDEOIL": 0.018, "NATURALGAS": 0.03}

EXTRA_INDICES = (
    ("NIFTYNXT50", "Nifty Next 50", 38, 6_900_000, 5),
    ("SENSEX50", "BSE SENSEX 50", 83, 2_650_000, 1),
    ("INDIA VIX", "India VIX", 21, 1_225, 5),
)
"""Symbol, name, feed id, level and tick in paise of indices without a chain of ours."""
BSE_INDEX_IDS = frozenset({51, 69, 83})
BSE_EQUITIES = {"RELIANCE": 500325, "TCS": 532540, "INFY": 500209, "HDFCBANK": 500180, "SBIN": 500112}

EQUITY_SESSION = (time(9, 15), time(15, 30))
COMMODITY_SESSION = (time(9), time(23, 30))
"""On days when the exchange is closed and somebody tries the simulator all the same."""


class Spot(NamedTuple):
    """An index or an equity. Level and tick in paise."""

    key: InstrumentKey
    instrument_type: InstrumentType
    symbol: str
    name: str
    display_name: str
    level: int
    tick_size: int
    isin: str = ""


@dataclass(frozen=True)
class Universe:
    """What is listed on `day`, ready to be priced and to be written as a master."""

    day: date
    mode: Mode
    spots: list[Spot]
    contracts: list[NumberedContract]

    def price_columns(self, calendar: Calendar) -> tuple[NDArray[np.void], NDArray[np.void]]:
        """INSTRUMENT rows sorted by code, and the UNDERLYING rows they point to."""
        levels = self._levels()
        places = {symbol: place for place, symbol in enumerate(levels)}
        table = np.array([(level / 100, _day_move(symbol)) for symbol, level in levels.items()], UNDERLYING)
        hours = {segment: _hours(calendar, segment, self.day) for segment in ExchangeSegment}
        rows = [_spot_row(spot, places[spot.symbol], hours) for spot in self.spots]
        rows += _contract_rows(self.contracts, places, hours)
        instruments = np.array(rows, INSTRUMENT)
        return instruments[np.argsort(instruments["code"])], table

    def _levels(self) -> dict[str, int]:
        levels = {spot.symbol: spot.level for spot in self.spots}
        return levels | {
            underlying.symbol: underlying.level
            for underlying in underlyings().values()
            if underlying.feed is None  # a commodity has no spot of its own; its futures still carry a level
        }


def universe(day: date, calendar: Calendar, mode: Mode = "spec") -> Universe:
    """What the simulated exchanges list on a day in one of the two modes."""
    stocks = [*known_stocks(), *(generated_stocks() if mode == "spec" else ())]
    series = rule_listing(day, calendar, mode)
    for stock, _ in stocks:
        series += _stock_series(stock, day, calendar, mode)
    return Universe(day, mode, [*_indices(), *_equities(stocks)], list(number_contracts(series)))


def _stock_series(stock: Underlying, day: date, calendar: Calendar, mode: Mode) -> Iterable[Series]:
    """In `spec` only the nearest month has options."""
    strikes = SPEC_STRIKES if mode == "spec" else EXCHANGE_STRIKES
    listed = monthly_listing(stock, day, calendar, STOCK_MONTHS, strikes)
    option_expiries = sorted({series.expiry for series in listed if series.strikes})
    if mode == "spec":
        option_expiries = option_expiries[:SPEC_OPTION_MONTHS]
    return [series for series in listed if not series.strikes or series.expiry in option_expiries]


# --- stocks and indices ---


@cache
def known_stocks() -> tuple[tuple[Underlying, Spot], ...]:
    """The shares of `stocks.csv`, in its order, which fixes their place in contract ids."""
    with STOCKS_FILE.open(newline="") as file:
        return tuple(
            _stock(
                number,
                row["symbol"],
                (row["name"], row["display_name"], row["isin"]),
                int(row["security_id"]),
                round(float(row["level"]) * 100),
                int(row["lot_size"]),
                int(row["tick_size"]),
            )
            for number, row in enumerate(csv.DictReader(file))
        )


@cache
def generated_stocks() -> tuple[tuple[Underlying, Spot], ...]:
    first = len(known_stocks())
    return tuple(_generated_stock(first + place, place) for place in range(GENERATED_STOCKS))


def _generated_stock(number: int, place: int) -> tuple[Underlying, Spot]:
    name = f"{FIRST_GENERATED_NUMBER + place}"
    level = 8_000 + place * 997 % 420_000
    names = (f"SIMULATED {name}, LIMITED", f"Simulated {name}", f"SIM000A{number:05d}")
    return _stock(number, f"SIM{name}", names, FIRST_GENERATED_ID + place, level, 100 * (1 + place % 20), 5)


def _stock(
    number: int, symbol: str, names: tuple[str, str, str], security_id: int, level: int, lot: int, tick: int
) -> tuple[Underlying, Spot]:
    name, display_name, isin = names
    key = InstrumentKey(ExchangeSegment.NSE_EQ, security_id)
    step = next(step for step in STRIKE_STEPS if step >= level * SMALLEST_STEP_SHARE)
    underlying = Underlying(
        symbol=symbol,
        name=display_name,
        segment=ExchangeSegment.NSE_FNO,
        number=number,
        option_type=InstrumentType.OPTSTK,
        underlying_security_id=security_id,
        level=level,
        step=step,
        option_tick=OPTION_TICK,
        future_tick=max(tick, OPTION_TICK),
        lots=(Lot(lot, date.min, None),),
        feed=key,
        spot_tick=tick,
    )
    return underlying, Spot(key, InstrumentType.EQUITY, symbol, name, display_name, level, tick, isin)


def _equities(stocks: Iterable[tuple[Underlying, Spot]]) -> Iterator[Spot]:
    for _, spot in stocks:
        yield spot
        if spot.symbol in BSE_EQUITIES:
            yield spot._replace(key=InstrumentKey(ExchangeSegment.BSE_EQ, BSE_EQUITIES[spot.symbol]))


def _indices() -> Iterator[Spot]:
    for underlying in underlyings().values():
        if underlying.feed is not None:
            yield _index(underlying.feed, underlying.symbol, underlying.name, underlying.level, underlying.spot_tick)
    for symbol, name, feed_id, level, tick in EXTRA_INDICES:
        yield _index(InstrumentKey(ExchangeSegment.IDX_I, feed_id), symbol, name, level, tick)


def _index(key: InstrumentKey, symbol: str, name: str, level: int, tick: int) -> Spot:
    return Spot(key, InstrumentType.INDEX, symbol, symbol, name, level, tick)


# --- columns ---


class Hours(NamedTuple):
    """Seconds after midnight IST."""

    start: int
    end: int


def _hours(calendar: Calendar, segment: ExchangeSegment, day: date) -> Hours:
    sessions = calendar.sessions(segment, day)
    if sessions is None:
        return Hours(*map(_seconds, COMMODITY_SESSION if segment is ExchangeSegment.MCX_COMM else EQUITY_SESSION))
    return Hours(_seconds(sessions.open.time()), _seconds(sessions.close.time()))


def _seconds(moment: time) -> int:
    return moment.hour * 3600 + moment.minute * 60 + moment.second


def _day_move(symbol: str) -> float:
    if symbol in COMMODITY_DAY_MOVES:
        return COMMODITY_DAY_MOVES[symbol]
    is_index = symbol in underlyings() or symbol in {index[0] for index in EXTRA_INDICES}
    return INDEX_DAY_MOVE if is_index else STOCK_DAY_MOVE


def _spot_row(spot: Spot, place: int, hours: dict[ExchangeSegment, Hours]) -> tuple[object, ...]:
    kind = Kind.INDEX if spot.instrument_type is InstrumentType.INDEX else Kind.EQUITY
    start, end = hours[spot.key.segment]
    return spot.key.code, kind, place, 0, 0, 0.0, False, 1, spot.tick_size, start, end, False


def _contract_rows(
    contracts: list[NumberedContract], places: dict[str, int], hours: dict[ExchangeSegment, Hours]
) -> Iterator[tuple[object, ...]]:
    futures = _commodity_futures(contracts)
    for contract in contracts:
        series = contract.series
        segment = contract.key.segment
        start, end = hours[segment]
        yield (
            contract.key.code,
            Kind.FUTURE if contract.strike is None else Kind.OPTION,
            places[series.underlying.symbol],
            _last_minute(series.expiry, end),
            _last_minute(_forward_expiry(series, futures), end),
            (contract.strike or 0) / 100,
            contract.option_type is OptionType.CALL,
            series.lot_size,
            series.tick_size,
            start,
            end,
            segment is ExchangeSegment.NSE_FNO,
        )


def _commodity_futures(contracts: Iterable[NumberedContract]) -> dict[str, list[date]]:
    expiries: dict[str, set[date]] = {}
    for contract in contracts:
        if contract.series.instrument_type is InstrumentType.FUTCOM:
            expiries.setdefault(contract.series.underlying.symbol, set()).add(contract.series.expiry)
    return {symbol: sorted(dates) for symbol, dates in expiries.items()}


def _forward_expiry(series: Series, commodity_futures: dict[str, list[date]]) -> date:
    """A commodity option devolves into the first future that outlives it; elsewhere the future ends with it."""
    if series.instrument_type in FUTURE_TYPES or series.underlying.feed is not None:
        return series.expiry
    later = (expiry for expiry in commodity_futures[series.underlying.symbol] if expiry >= series.expiry)
    return next(later, series.expiry)


@cache
def _last_minute(expiry: date, end: int) -> int:
    return int(datetime.combine(expiry, time(), IST).timestamp()) + end
