"""Dhan's instrument master: lines of CSV in, rows, skips and errors out. Pure, streamed, by header name.

Both layouts are read, compact (SEM_... names) and detailed. Dhan's own traps are resolved here, so that
nothing behind this module knows them: ticks in paise beside ticks in rupees, strikes of -0.01, expiries of
year 1, exchange mnemonics for names, test scrips, contracts that expired long ago.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from feeds.core.instrument import (
    FUTURE_TYPES,
    OPTION_TYPES,
    SECURITY_ID_MASK,
    ExchangeSegment,
    InstrumentKey,
    InstrumentType,
    OptionType,
)

SEGMENTS = {
    ("NSE", "I"): ExchangeSegment.IDX_I,
    ("BSE", "I"): ExchangeSegment.IDX_I,
    ("NSE", "E"): ExchangeSegment.NSE_EQ,
    ("BSE", "E"): ExchangeSegment.BSE_EQ,
    ("NSE", "D"): ExchangeSegment.NSE_FNO,
    ("BSE", "D"): ExchangeSegment.BSE_FNO,
    ("MCX", "M"): ExchangeSegment.MCX_COMM,
}
DEAD_SEGMENT_LETTERS = frozenset({"C"})
"""Currency: listed in the file, not fed any more, and ticking in fractions of a paisa."""
SEGMENTS_WITHOUT_FEED = frozenset({("NSE", "M"), ("BSE", "M"), ("MCX", "I")})
"""NSE's and BSE's commodities and MCX's indices have no segment byte on the live feed."""

MCX_MULTIPLIERS = {"CRUDEOIL": 100, "CRUDEOILM": 10, "NATURALGAS": 1250, "NATGASMINI": 250}
"""Units of one lot. The file says lot 1 and nothing else; a contract that is not known here counts as 1."""

TEST_SCRIP = re.compile(r"NSETEST|BSETEST|MCXTEST")
CONTRACT_SYMBOL = re.compile(r"^(?P<underlying>.+?)-(?:\d{1,2})?[A-Za-z]{3}\d{4}-")
"""RELIANCE-Sep2026-FUT, BAJAJ-AUTO-Sep2026-9000-CE, CRUDEOIL-19Oct2026-FUT."""
CONTRACT_NAME = re.compile(r"^(?P<underlying>.+?) (?:\d{1,2} )?(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)\b")
"""SENSEX 17 SEP 74300 CALL, CRUDEOIL OCT FUT."""

TEXT_LIMITS = {"symbol": 64, "name": 160, "underlying_symbol": 64, "isin": 12, "series": 8, "expiry_flag": 2}
NONE_WORDS = frozenset({"", "NA", "N/A", "NULL", "NONE"})
FIRST_EXPIRY_YEAR = 1990
"""Dhan writes 0001-01-01 where nothing expires."""
MAXIMUM_INTEGER = 2**31 - 1


class SkipReason(StrEnum):
    """Why a good row is left out."""

    TEST = "TEST"
    EXPIRED = "EXPIRED"
    CURRENCY = "CURRENCY"
    NO_FEED = "NO_FEED"


class MasterRow(NamedTuple):
    """One instrument as the master lists it; prices in paise, quantities in units (MCX: lots)."""

    line: int
    key: InstrumentKey
    instrument_type: InstrumentType
    symbol: str
    name: str
    underlying_symbol: str
    underlying_security_id: int | None
    expiry: date | None
    strike: int | None
    option_type: OptionType | None
    lot_size: int
    tick_size: int
    multiplier: int
    freeze_quantity: int | None
    lower_limit: int | None
    upper_limit: int | None
    isin: str
    series: str
    expiry_flag: str


class MasterSkip(NamedTuple):
    """A row that is well-formed and not wanted."""

    line: int
    reason: SkipReason


class MasterError(NamedTuple):
    """A row that cannot be read, and why."""

    line: int
    reason: str


class UnreadableMaster(ValueError):
    """The file as a whole is not a master: empty, an unknown header, or its last line is cut."""


COMPACT_COLUMNS = {
    "exchange": "SEM_EXM_EXCH_ID",
    "segment": "SEM_SEGMENT",
    "security_id": "SEM_SMST_SECURITY_ID",
    "instrument": "SEM_INSTRUMENT_NAME",
    "symbol": "SEM_TRADING_SYMBOL",
    "display_name": "SEM_CUSTOM_SYMBOL",
    "lot_size": "SEM_LOT_UNITS",
    "expiry": "SEM_EXPIRY_DATE",
    "strike": "SEM_STRIKE_PRICE",
    "option_type": "SEM_OPTION_TYPE",
    "tick_size": "SEM_TICK_SIZE",
}
COMPACT_OPTIONAL_COLUMNS = {
    "expiry_flag": "SEM_EXPIRY_FLAG",
    "series": "SEM_SERIES",
    "symbol_name": "SM_SYMBOL_NAME",
}
DETAILED_COLUMNS = {
    "exchange": "EXCH_ID",
    "segment": "SEGMENT",
    "security_id": "SECURITY_ID",
    "instrument": "INSTRUMENT",
    "underlying_symbol": "UNDERLYING_SYMBOL",
    "symbol": "SYMBOL_NAME",
    "display_name": "DISPLAY_NAME",
    "lot_size": "LOT_SIZE",
    "expiry": "SM_EXPIRY_DATE",
    "strike": "STRIKE_PRICE",
    "option_type": "OPTION_TYPE",
    "tick_size": "TICK_SIZE",
}
DETAILED_OPTIONAL_COLUMNS = {
    "underlying_security_id": "UNDERLYING_SECURITY_ID",
    "isin": "ISIN",
    "series": "SERIES",
    "expiry_flag": "EXPIRY_FLAG",
    "upper_limit": "SM_UPPER_LIMIT",
    "lower_limit": "SM_LOWER_LIMIT",
    "freeze_quantity": "SM_FREEZE_QTY",
}


class _Fields:
    """One line's fields by our names; a column that the layout lacks reads as empty."""

    __slots__ = ("_positions", "_values")

    def __init__(self, positions: dict[str, int], values: Sequence[str]) -> None:
        self._positions = positions
        self._values = values

    def __getitem__(self, name: str) -> str:
        position = self._positions.get(name)
        return "" if position is None else self._values[position].strip()

    def text(self, name: str) -> str:
        value = self[name]
        return "" if value.upper() in NONE_WORDS else value


def read_master(lines: Iterable[str], day: date) -> Iterator[MasterRow | MasterSkip | MasterError]:
    """Read a master, line by line, as of a trading day (contracts that expired before it are skipped).

    `lines` are the file's lines, line ends kept or not. Yields one result a line after the header, in order.

    Raises:
        UnreadableMaster: no line at all, a header we do not know, or a last line that is cut short. It comes
            when it is met, so what was yielded before must not be believed until the iterator ends.
    """
    numbered = enumerate(lines, start=1)
    header = _header(numbered)
    positions = _positions(header)
    seen: dict[int, int] = {}
    line, values = 1, header
    for line, text in numbered:
        if not text.strip("\r\n \x00"):
            continue
        values = _split(text)
        result = _read_line(line, text, values, len(header), positions, day)
        if isinstance(result, MasterRow):
            earlier = seen.setdefault(result.key.code, line)
            if earlier != line:
                result = MasterError(line, f"{result.key} again: first on line {earlier}")
        yield result
    if line == 1:
        raise UnreadableMaster("the master has a header and no rows")
    if len(values) < len(header):
        raise UnreadableMaster(f"the master is cut: line {line}, its last, has {len(values)} of {len(header)} fields")


def _header(numbered: Iterator[tuple[int, str]]) -> list[str]:
    for _, text in numbered:
        return [name.strip().upper() for name in _split(text.removeprefix("\ufeff"))]
    raise UnreadableMaster("the master is empty")


def _positions(header: list[str]) -> dict[str, int]:
    """Where each of our columns is in this header.

    Raises:
        UnreadableMaster: a column that must be there is missing from both layouts.
    """
    place = {name: index for index, name in reversed(list(enumerate(header)))}
    for required, optional in (
        (DETAILED_COLUMNS, DETAILED_OPTIONAL_COLUMNS),
        (COMPACT_COLUMNS, COMPACT_OPTIONAL_COLUMNS),
    ):
        if all(name in place for name in required.values()):
            return {ours: place[name] for ours, name in (required | optional).items() if name in place}
    raise UnreadableMaster(f"not a master's header: {','.join(header)[:120]!r}")


def _split(text: str) -> list[str]:
    """The fields of one line. Quotes are honoured within the line only: a stray one must not swallow the file."""
    text = text.rstrip("\r\n")
    try:
        return next(csv.reader([text]), []) if '"' in text else text.split(",")
    except csv.Error:  # a carriage return within: the number of fields, or what is in them, tells on the line
        return text.split(",")


def _read_line(
    line: int, text: str, values: list[str], width: int, positions: dict[str, int], day: date
) -> MasterRow | MasterSkip | MasterError:
    if not width <= len(values) <= width + 1:  # one more is the trailing comma that some headers lack
        return MasterError(line, f"{len(values)} fields, the header has {width}")
    if "\x00" in text or "\ufffd" in text:
        return MasterError(line, "not UTF-8 text")
    fields = _Fields(positions, values)
    try:
        return _skipped(line, fields, day) or _row(line, fields)
    except ValueError as error:
        return MasterError(line, str(error))


def _skipped(line: int, fields: _Fields, day: date) -> MasterSkip | None:
    market = fields["exchange"].upper(), fields["segment"].upper()
    if market[1] in DEAD_SEGMENT_LETTERS:
        return MasterSkip(line, SkipReason.CURRENCY)
    if market in SEGMENTS_WITHOUT_FEED:
        return MasterSkip(line, SkipReason.NO_FEED)
    if TEST_SCRIP.search(fields["symbol"] + fields["underlying_symbol"] + fields["display_name"]):
        return MasterSkip(line, SkipReason.TEST)
    expiry = _date(fields["expiry"])
    return MasterSkip(line, SkipReason.EXPIRED) if expiry is not None and expiry < day else None


def _row(line: int, fields: _Fields) -> MasterRow:
    kind = _instrument_type(fields["instrument"])
    segment = _segment(fields)
    expiry, strike, option_type = _contract_terms(kind, fields)
    underlying = _underlying(kind, fields)
    symbol = _symbol(kind, fields, underlying, expiry, strike, option_type)
    row = MasterRow(
        line=line,
        key=InstrumentKey(segment, _whole("security id", fields["security_id"], SECURITY_ID_MASK)),
        instrument_type=kind,
        symbol=symbol,
        name=fields.text("display_name") or symbol,
        underlying_symbol=underlying,
        underlying_security_id=_optional_whole("underlying security id", fields.text("underlying_security_id")),
        expiry=expiry,
        strike=strike,
        option_type=option_type,
        lot_size=_lot_size(fields["lot_size"]),
        tick_size=_tick_size(kind, fields["tick_size"]),
        multiplier=MCX_MULTIPLIERS.get(underlying, 1) if segment is ExchangeSegment.MCX_COMM else 1,
        freeze_quantity=_optional_whole("freeze quantity", fields.text("freeze_quantity")),
        lower_limit=_optional_price("lower limit", fields.text("lower_limit")),
        upper_limit=_optional_price("upper limit", fields.text("upper_limit")),
        isin=fields.text("isin"),
        series=fields.text("series"),
        expiry_flag=fields.text("expiry_flag"),
    )
    _check_lengths(row)
    return row


def _instrument_type(text: str) -> InstrumentType:
    try:
        return InstrumentType(text.upper())
    except ValueError:
        raise ValueError(f"unknown instrument {text[:20]!r}") from None


def _segment(fields: _Fields) -> ExchangeSegment:
    market = fields["exchange"].upper(), fields["segment"].upper()
    if market not in SEGMENTS:
        raise ValueError(f"unknown exchange and segment {market[0][:10]!r} {market[1][:10]!r}")
    return SEGMENTS[market]


def _contract_terms(kind: InstrumentType, fields: _Fields) -> tuple[date | None, int | None, OptionType | None]:
    """Expiry, strike and option type: an option has all three, a future the first, the rest none."""
    if kind not in OPTION_TYPES | FUTURE_TYPES:
        return None, None, None
    expiry = _date(fields["expiry"])
    if expiry is None:
        raise ValueError(f"{kind} without an expiry")
    if kind in FUTURE_TYPES:
        return expiry, None, None
    strike = _optional_price("strike", fields["strike"])
    if strike is None:
        raise ValueError(f"{kind} without a strike: {fields['strike'][:20]!r}")
    return expiry, strike, _option_type(fields["option_type"])


def _option_type(text: str) -> OptionType:
    try:
        return {"CE": OptionType.CALL, "PE": OptionType.PUT}[text.upper()]
    except KeyError:
        raise ValueError(f"option type {text[:10]!r} is neither CE nor PE") from None


def _underlying(kind: InstrumentType, fields: _Fields) -> str:
    """The join key. The compact layout has none: there it is the head of the contract's symbol or name."""
    known = fields.text("underlying_symbol")
    if known:
        return known
    if kind not in OPTION_TYPES | FUTURE_TYPES:
        return fields.text("symbol") or fields.text("display_name")
    for pattern, name in ((CONTRACT_SYMBOL, "symbol"), (CONTRACT_NAME, "display_name")):
        match = pattern.match(fields.text(name))
        if match:
            return match["underlying"]
    raise ValueError(f"{kind} without an underlying: {fields['symbol'][:40]!r}")


def _symbol(
    kind: InstrumentType,
    fields: _Fields,
    underlying: str,
    expiry: date | None,
    strike: int | None,
    option_type: OptionType | None,
) -> str:
    """The trading symbol. Contracts that are named by a mnemonic (BSXOPT) or by nothing get one of the same form."""
    if expiry is None:
        if not underlying:
            raise ValueError(f"{kind} without a symbol")
        return underlying
    listed = fields.text("symbol")
    if listed.startswith(f"{underlying}-"):
        return listed
    day = f"{expiry.day:02d}{expiry:%b%Y}"
    if strike is None:
        return f"{underlying}-{day}-FUT"
    rupees = format((Decimal(strike) / 100).normalize(), "f")
    return f"{underlying}-{day}-{rupees}-{'CE' if option_type is OptionType.CALL else 'PE'}"


def _check_lengths(row: MasterRow) -> None:
    for name, limit in TEXT_LIMITS.items():
        if len(getattr(row, name)) > limit:
            raise ValueError(f"{name} is longer than {limit} characters")


@lru_cache(maxsize=4096)
def _date(text: str) -> date | None:
    """2026-09-15, 2026-09-15 14:30:00 (the time is not the real cut-off), 31/07/25 as spreadsheets leave it."""
    day = text.partition(" ")[0].partition("T")[0]
    if day.upper() in NONE_WORDS:
        return None
    try:
        if "/" in day:
            day_of_month, month, year = (int(part) for part in day.split("/"))
            found = date(year + 2000 if year < 100 else year, month, day_of_month)
        else:
            found = date.fromisoformat(day)
    except ValueError:
        raise ValueError(f"not a date: {text[:30]!r}") from None
    return found if found.year >= FIRST_EXPIRY_YEAR else None


@lru_cache(maxsize=8192)
def _decimal(name: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{name} is not a number: {text[:30]!r}") from None
    if not number.is_finite():
        raise ValueError(f"{name} is not a number: {text[:30]!r}")
    return number


@lru_cache(maxsize=8192)
def _whole(name: str, text: str, maximum: int = MAXIMUM_INTEGER) -> int:
    number = _decimal(name, text)
    if number != number.to_integral_value() or not 0 <= number <= maximum:
        raise ValueError(f"{name} is not a whole number that fits: {text[:30]!r}")
    return int(number)


def _optional_whole(name: str, text: str) -> int | None:
    """A whole number; 0 and nothing mean that the file does not say."""
    return (_whole(name, text) or None) if text else None


@lru_cache(maxsize=65536)
def _optional_price(name: str, text: str) -> int | None:
    """Rupees to paise; nothing, 0 and Dhan's -0.01 mean none."""
    if text.upper() in NONE_WORDS:
        return None
    paise = _decimal(name, text) * 100
    if paise > MAXIMUM_INTEGER * 100:
        raise ValueError(f"{name} does not fit: {text[:30]!r}")
    return int(paise.to_integral_value()) if paise >= 1 else None


def _lot_size(text: str) -> int:
    lot = _whole("lot size", text)
    if lot < 1:
        raise ValueError("lot size is 0")
    return lot


@lru_cache(maxsize=256)
def _tick_size(kind: InstrumentType, text: str) -> int:
    """Paise. The file has paise for what is traded and rupees for indices; 0 is read as one paisa."""
    tick = _decimal("tick size", text) * (100 if kind is InstrumentType.INDEX else 1)
    if tick != tick.to_integral_value() or not 0 <= tick <= MAXIMUM_INTEGER:
        raise ValueError(f"tick size is not whole paise: {text[:30]!r}")
    return max(int(tick), 1)
