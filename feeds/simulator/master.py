"""Dhan's instrument master as the simulator serves it: both layouts, with the traps of the real file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from feeds.core.instrument import ExchangeSegment, InstrumentType
from feeds.core.listing import NumberedContract
from feeds.simulator.universe import BSE_INDEX_IDS, Spot, Universe

COMPACT_HEADER = (
    "SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,SEM_INSTRUMENT_NAME,SEM_EXPIRY_CODE,SEM_TRADING_SYMBOL,"
    "SEM_LOT_UNITS,SEM_CUSTOM_SYMBOL,SEM_EXPIRY_DATE,SEM_STRIKE_PRICE,SEM_OPTION_TYPE,SEM_TICK_SIZE,SEM_EXPIRY_FLAG,"
    "SEM_EXCH_INSTRUMENT_TYPE,SEM_SERIES,SM_SYMBOL_NAME"
)
DETAILED_HEADER = (
    "EXCH_ID,SEGMENT,SECURITY_ID,ISIN,INSTRUMENT,UNDERLYING_SECURITY_ID,UNDERLYING_SYMBOL,SYMBOL_NAME,DISPLAY_NAME,"
    "INSTRUMENT_TYPE,SERIES,LOT_SIZE,SM_EXPIRY_DATE,STRIKE_PRICE,OPTION_TYPE,TICK_SIZE,EXPIRY_FLAG,BRACKET_FLAG,"
    "COVER_FLAG,ASM_GSM_FLAG,ASM_GSM_CATEGORY,BUY_SELL_INDICATOR,BUY_CO_MIN_MARGIN_PER,BUY_CO_SL_RANGE_MAX_PERC,"
    "BUY_CO_SL_RANGE_MIN_PERC,BUY_BO_MIN_MARGIN_PER,BUY_BO_PROFIT_RANGE_MAX_PERC,BUY_BO_PROFIT_RANGE_MIN_PERC,"
    "MTF_LEVERAGE,SM_UPPER_LIMIT,SM_LOWER_LIMIT,SM_FREEZE_QTY,"
)
DETAILED_MIDDLE = "N,N,N,NA,A,0,0,0,0,0,0,0"
"""Flags and margins between the expiry flag and the circuit limits."""

MARKETS = {
    ExchangeSegment.NSE_EQ: ("NSE", "E"),
    ExchangeSegment.BSE_EQ: ("BSE", "E"),
    ExchangeSegment.NSE_FNO: ("NSE", "D"),
    ExchangeSegment.BSE_FNO: ("BSE", "D"),
    ExchangeSegment.MCX_COMM: ("MCX", "M"),
}
BSE_MNEMONICS = {"SENSEX": ("BSXOPT", "BSXFUT"), "BANKEX": ("", "BKXFUT")}
"""Symbol names of BSE's options and futures: a mnemonic, or nothing at all."""
COMMODITY_FREEZE_LOTS = {"CRUDEOIL": 100, "NATURALGAS": 48}
INDEX_FREEZE_UNITS = 1800
STOCK_FREEZE_LOTS = 40
EXPIRY_TIMES = {"NSE": "14:30:00", "BSE": "14:30:00", "MCX": "23:30:00"}
"""The compact layout adds a time that is not the real cut-off."""
PRICE_BAND = 0.2
LONG_AGO = timedelta(days=7)


class Line(NamedTuple):
    """One row of either layout; texts as they are written."""

    exchange: str
    segment: str
    security_id: int
    instrument: str
    underlying_security_id: str
    underlying_symbol: str
    symbol: str  # of the compact layout
    symbol_name: str
    display_name: str
    instrument_type: str
    series: str
    lot_size: str
    expiry: date | None
    strike: str
    option_type: str
    tick_size: str
    expiry_flag: str
    upper_limit: float
    lower_limit: float
    freeze_quantity: int
    isin: str = "NA"


def compact(universe: Universe) -> str:
    """The whole file in 16 columns."""
    return "\n".join([COMPACT_HEADER, *map(_compact_line, _lines(universe)), ""])


def detailed(universe: Universe) -> str:
    """The whole file in 32 columns and the trailing comma."""
    return "\n".join([DETAILED_HEADER, *map(_detailed_line, _lines(universe)), ""])


def _lines(universe: Universe) -> Iterator[Line]:
    yield from map(_spot_line, universe.spots)
    yield from map(_contract_line, universe.contracts)
    yield from _trap_lines(universe.day)


def _spot_line(spot: Spot) -> Line:
    if spot.instrument_type is InstrumentType.INDEX:
        return _index_line(spot)
    exchange, segment = MARKETS[spot.key.segment]
    upper, lower = (spot.level * (1 + share) / 100 for share in (PRICE_BAND, -PRICE_BAND))
    series = "EQ" if exchange == "NSE" else "A"
    return Line(
        exchange, segment, spot.key.security_id, "EQUITY", "", spot.symbol, spot.symbol, spot.name, spot.display_name,
        "ES", series, "1.0", None, "", "", f"{spot.tick_size}.0000", "NA", upper, lower, 0, spot.isin,
    )  # fmt: skip


def _index_line(spot: Spot) -> Line:
    """Indices alone carry their tick in rupees."""
    exchange = "BSE" if spot.key.security_id in BSE_INDEX_IDS else "NSE"
    return Line(
        exchange, "I", spot.key.security_id, "INDEX", str(spot.key.security_id), spot.symbol, spot.symbol, spot.symbol,
        spot.display_name, "INDEX", "NA", "1.0", date.min, "", "XX", f"{spot.tick_size / 100:.4f}", "N", 0, 0, 0,
    )  # fmt: skip


def _contract_line(contract: NumberedContract) -> Line:
    series = contract.series
    underlying = series.underlying
    exchange, segment = MARKETS[contract.key.segment]
    is_future = contract.strike is None
    level = underlying.level / 100
    # An option's band is only for show: no premium of a listed strike comes near its underlying's level.
    upper, lower = (level * (1 + PRICE_BAND), level * (1 - PRICE_BAND)) if is_future else (level, 0.05)
    return Line(
        exchange, segment, contract.key.security_id, series.instrument_type, str(underlying.underlying_security_id),
        underlying.symbol, contract.symbol, _symbol_name(contract), contract.name, _exchange_type(contract),
        "2" if exchange == "MCX" else "NA", f"{series.lot_size}.0", series.expiry, _strike(contract),
        "XX" if is_future else contract.symbol[-2:], f"{series.tick_size}.0000", series.expiry_flag,
        upper, lower, _freeze(contract),
    )  # fmt: skip


def _symbol_name(contract: NumberedContract) -> str:
    symbol = contract.series.underlying.symbol
    if symbol in BSE_MNEMONICS:
        return BSE_MNEMONICS[symbol][contract.strike is None]
    return symbol if contract.key.segment is ExchangeSegment.MCX_COMM else contract.symbol


def _exchange_type(contract: NumberedContract) -> str:
    if contract.key.segment is ExchangeSegment.NSE_FNO:
        return "FUT" if contract.strike is None else "OP"
    return contract.series.instrument_type


def _strike(contract: NumberedContract) -> str:
    if contract.strike is not None:
        return f"{contract.strike / 100:.5f}"
    return "0.00000" if contract.key.segment is ExchangeSegment.MCX_COMM else "-0.01000"


def _freeze(contract: NumberedContract) -> int:
    """One more than the largest order, as the real file has it; lots on MCX."""
    series = contract.series
    if series.underlying.symbol in COMMODITY_FREEZE_LOTS:
        return COMMODITY_FREEZE_LOTS[series.underlying.symbol]
    if series.instrument_type in (InstrumentType.OPTSTK, InstrumentType.FUTSTK):
        return STOCK_FREEZE_LOTS * series.lot_size + 1
    return INDEX_FREEZE_UNITS // series.lot_size * series.lot_size + 1


def _trap_lines(day: date) -> Iterator[Line]:
    """Rows of the real file that must not become instruments: tests, dead segments, what has expired."""
    last_week = day - LONG_AGO
    far = date(2036, 11, 27)
    test = ("14747", "011NSETEST", "011NSETEST-Nov2036-FUT", "011NSETEST-Nov2036-FUT", "011NSETEST 27 NOV FUT")
    expired = f"NIFTY-{last_week:%b%Y}-25000-CE"
    yield Line("NSE", "D", 36687, "FUTSTK", *test, "FUT", "NA", "50.0", far, "-0.01000", "XX", "5.0000", "M", 0, 0, 0)
    yield Line(
        "NSE", "E", 14747, "EQUITY", "", "011NSETEST", "011NSETEST", "011NSETEST", "011NSETEST", "ES", "EQ", "1.0",
        None, "", "", "5.0000", "NA", 0, 0, 0,
    )  # fmt: skip
    yield Line(
        "NSE", "D", 35001, "OPTIDX", "26000", "NIFTY", expired, expired, f"NIFTY {last_week:%d %b} 25000 CALL".upper(),
        "OP", "NA", "65.0", last_week, "25000.00000", "CE", "5.0000", "W", 0, 0, 1756,
    )  # fmt: skip
    yield Line(
        "BSE", "C", 1140999, "FUTCUR", "1", "USDINR", "USDINR-Dec2024-FUT", "", "USDINR DEC FUT", "FUTCUR", "NA",
        "1.0", date(2024, 12, 27), "-0.01000", "XX", "0.2500", "M", 0, 0, 0,
    )  # fmt: skip
    yield Line(
        "NSE", "M", 900999, "FUTCOM", "77", "CRUDEOIL", "CRUDEOIL-Nov2036-FUT", "CRUDEOIL", "CRUDEOIL NOV FUT",
        "FUTCOM", "NA", "1.0", far, "0.00000", "XX", "100.0000", "M", 0, 0, 0,
    )  # fmt: skip


def _compact_line(line: Line) -> str:
    tick = f"{line.tick_size.rstrip('0').rstrip('.')}"
    return (
        f"{line.exchange},{line.segment},{line.security_id},{line.instrument},0,{line.symbol},{line.lot_size},"
        f"{line.display_name},{_compact_expiry(line)},{line.strike},{line.option_type},{tick},{line.expiry_flag},"
        f"{line.instrument_type},{line.series},{_quoted(line.symbol_name)}"
    )


def _compact_expiry(line: Line) -> str:
    if line.expiry is None or line.expiry == date.min:
        return _expiry(line)
    return f"{line.expiry.isoformat()} {EXPIRY_TIMES[line.exchange]}"


def _detailed_line(line: Line) -> str:
    return (
        f"{line.exchange},{line.segment},{line.security_id},{line.isin},{line.instrument},{line.underlying_security_id},"
        f"{line.underlying_symbol},{_quoted(line.symbol_name)},{line.display_name},{line.instrument_type},{line.series},"
        f"{line.lot_size},{_expiry(line)},{line.strike},{line.option_type},{line.tick_size},{line.expiry_flag},"
        f"{DETAILED_MIDDLE},{line.upper_limit:.4f},{line.lower_limit:.4f},{line.freeze_quantity},"
    )


def _expiry(line: Line) -> str:
    return line.expiry.isoformat() if line.expiry is not None else ""


def _quoted(text: str) -> str:
    return f'"{text}"' if "," in text else text
