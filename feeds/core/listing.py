"""What a rule-made exchange lists on a day: series of options and futures, and stable ids for their contracts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Literal, NamedTuple

from feeds.core.calendar import Calendar, read_data
from feeds.core.chains import SHIPPED_CHAINS, Chain, ListedContract
from feeds.core.expiries import (
    MONTHS,
    Slot,
    SlotKind,
    Slots,
    commodity_futures,
    commodity_option_expiry,
    expiry_slots,
)
from feeds.core.instrument import OPTION_TYPES, ExchangeSegment, InstrumentKey, InstrumentType, OptionType
from feeds.core.price import paise_from_rupees

Mode = Literal["spec", "exchange"]
"""`spec` lists everything that the shipped chains' slots name, `exchange` what the real exchange would."""

NEAR_STRIKES = 61
"""Strikes of a weekly or monthly expiry: the exchange's least is 41; the rest is room for ATM to move in."""
FAR_STRIKES = 11
"""5-1-5: all that a quarterly or half-yearly expiry carries on the exchange."""
FUTURE_MONTHS = 3
MONTHLY_ONLY = Slots(monthly=FUTURE_MONTHS)
COMMODITY_FUTURE_MONTHS = 6
COMMODITY_OPTION_MONTHS = 3
EXPIRY_FLAGS = {SlotKind.MONTHLY: "M", SlotKind.WEEKLY: "W", SlotKind.QUARTERLY: "Q", SlotKind.HALF_YEARLY: "H"}
"""Dhan's one flag for an expiry that may be several things: the first of these that it is."""
NEAR_KINDS = frozenset({SlotKind.WEEKLY, SlotKind.MONTHLY})
FUTURE_OF = {
    InstrumentType.OPTIDX: InstrumentType.FUTIDX,
    InstrumentType.OPTSTK: InstrumentType.FUTSTK,
    InstrumentType.OPTFUT: InstrumentType.FUTCOM,
}
MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
CODES = {OptionType.CALL: "CE", OptionType.PUT: "PE"}

# A rule-made security id packs (family, underlying, expiry, strike, side) into the 31 bits that Dhan's int32
# leaves: a contract keeps its id for life, on every day and in both modes, and no table has to be stored.
ID_EPOCH = date(2020, 1, 1)
SIDE_BITS, STRIKE_BITS, DAY_BITS, MONTH_BITS = 1, 11, 13, 8
INDEX_NUMBER_BITS = 30 - SIDE_BITS - STRIKE_BITS - DAY_BITS
STOCK_NUMBER_BITS = 30 - SIDE_BITS - STRIKE_BITS - MONTH_BITS
INDEX_FAMILY = 1 << 30
"""Indices and commodities name an expiry by its day; stocks, which are many and monthly, by its month."""


class Lot(NamedTuple):
    """Units of one contract, for contracts expiring from a date; listed far ones change on `far_from`."""

    size: int
    expiring_from: date
    far_from: date | None


@dataclass(frozen=True)
class Underlying:
    """What options and futures are written on. Prices, ticks and steps in paise.

    `number` is its place in rule-made ids and never changes. `feed` is where it is fed itself (the spot
    index or the equity); None on MCX, where a future stands for it. `level` is about where it stood on
    2026-02-03. `far_steps` are (listing day, step) of quarterlies and half-yearlies.
    """

    symbol: str
    name: str
    segment: ExchangeSegment
    number: int
    option_type: InstrumentType
    underlying_security_id: int
    level: int
    step: int
    option_tick: int
    future_tick: int
    lots: tuple[Lot, ...]
    feed: InstrumentKey | None = None
    spot_tick: int = 5
    multiplier: int = 1
    listed: Slots = MONTHLY_ONLY
    far_steps: tuple[tuple[date, int], ...] = ()

    def lot_size(self, day: date, expiry: date, far: bool = False) -> int:
        """Units of one contract of an expiry as listed on a day (MCX: 1, and `multiplier` units in it)."""
        holding = [lot for lot in self.lots if expiry >= lot.expiring_from and not _still_old(lot, day, far)]
        return max(holding, key=lambda lot: lot.expiring_from).size

    def far_step(self, day: date) -> int:
        return next((step for start, step in reversed(self.far_steps) if start <= day), self.step)


@dataclass(frozen=True)
class Series:
    """One expiry of one underlying as listed: its futures contract, or all its options.

    `strikes` in paise, ascending, each with a call and a put; empty for a future.
    """

    underlying: Underlying
    instrument_type: InstrumentType
    expiry: date
    lot_size: int
    expiry_flag: str
    strikes: tuple[int, ...] = ()

    @property
    def tick_size(self) -> int:
        is_option = self.instrument_type in OPTION_TYPES
        return self.underlying.option_tick if is_option else self.underlying.future_tick


@dataclass(frozen=True)
class NumberedContract:
    """One contract of a series with its rule-made security id; strike (paise) and side None for a future."""

    key: InstrumentKey
    series: Series
    strike: int | None = None
    option_type: OptionType | None = None

    @property
    def symbol(self) -> str:
        """As Dhan writes it: NIFTY-Feb2026-26000-CE, NIFTY-Feb2026-FUT."""
        series = self.series
        stem = f"{series.underlying.symbol}-{MONTH_NAMES[series.expiry.month - 1]}{series.expiry.year}"
        if self.strike is None or self.option_type is None:
            return f"{stem}-FUT"
        return f"{stem}-{_rupees(self.strike)}-{CODES[self.option_type]}"

    @property
    def name(self) -> str:
        """As Dhan shows it: NIFTY 24 FEB 26000 CALL, NIFTY FEB FUT."""
        series = self.series
        month = MONTH_NAMES[series.expiry.month - 1].upper()
        if self.strike is None or self.option_type is None:
            return f"{series.underlying.symbol} {month} FUT"
        return f"{series.underlying.symbol} {series.expiry.day:02d} {month} {_rupees(self.strike)} {self.option_type}"


def rule_listing(
    day: date, calendar: Calendar, mode: Mode = "spec", levels: Mapping[str, int] | None = None
) -> list[Series]:
    """The options and futures of the shipped chains' underlyings that are listed on a day.

    Args:
        levels: paise by symbol, where the strikes centre; what is absent stands where it did on 2026-02-03.
    """
    listing: list[Series] = []
    for chain in SHIPPED_CHAINS:
        underlying = underlyings()[chain.underlying]
        level = (levels or {}).get(underlying.symbol, underlying.level)
        listing += _option_series(underlying, chain, day, calendar, mode, level)
        listing += _future_series(underlying, day, calendar)
    return listing


def monthly_listing(
    underlying: Underlying,
    day: date,
    calendar: Calendar,
    months: int = FUTURE_MONTHS,
    strikes: int = NEAR_STRIKES,
    level: int | None = None,
) -> list[Series]:
    """Options and futures of a stock: the next monthly expiries of its exchange, `strikes` around the level."""
    slots = expiry_slots(underlying.symbol, underlying.segment, Slots(monthly=months), day, calendar)
    ladder = _ladder(level or underlying.level, underlying.step, strikes)
    options = [
        _series(underlying, underlying.option_type, expiry, day, [kind], ladder) for kind, expiry in _dated(slots)
    ]
    return options + [_as_future(series) for series in options]


def number_contracts(listing: Iterable[Series]) -> Iterator[NumberedContract]:
    """Every contract of a listing with its id, unique within its segment.

    Raises:
        ValueError: a strike, expiry or number does not fit into an id.
    """
    for series in listing:
        if not series.strikes:
            yield NumberedContract(_key(series, 0, 0), series)
        for strike in series.strikes:
            for side, option_type in enumerate(CODES):
                yield NumberedContract(_key(series, strike, side), series, strike, option_type)


def listed_options(listing: Iterable[Series]) -> dict[str, dict[date, list[ListedContract]]]:
    """Options by underlying and expiry, as `resolve_chain` takes them."""
    options: dict[str, dict[date, list[ListedContract]]] = {}
    for contract in number_contracts(series for series in listing if series.strikes):
        if contract.strike is not None and contract.option_type is not None:
            expiry = contract.series.expiry
            by_date = options.setdefault(contract.series.underlying.symbol, {})
            by_date.setdefault(expiry, []).append(
                ListedContract(contract.key, expiry, contract.strike, contract.option_type)
            )
    return options


@cache
def underlyings() -> dict[str, Underlying]:
    """The underlyings of `feeds/data/contracts.json` by symbol."""
    return {row["symbol"]: _underlying(row) for row in read_data("contracts.json")["underlyings"]}


def _option_series(
    underlying: Underlying, chain: Chain, day: date, calendar: Calendar, mode: Mode, level: int
) -> list[Series]:
    kinds: dict[date, list[SlotKind]] = {}
    for kind, expiry in _option_expiries(underlying, chain, day, calendar, mode):
        kinds.setdefault(expiry, []).append(kind)
    near = _ladder(level, underlying.step, NEAR_STRIKES)
    far = near if mode == "spec" else _ladder(level, underlying.far_step(day), FAR_STRIKES)
    return [
        _series(underlying, underlying.option_type, expiry, day, named, far if _is_far(named) else near)
        for expiry, named in sorted(kinds.items())
    ]


def _option_expiries(
    underlying: Underlying, chain: Chain, day: date, calendar: Calendar, mode: Mode
) -> list[tuple[SlotKind, date]]:
    if mode == "exchange" and underlying.segment == ExchangeSegment.MCX_COMM:
        return [(SlotKind.MONTHLY, expiry) for expiry in _commodity_option_expiries(underlying.symbol, day, calendar)]
    slots = underlying.listed if mode == "exchange" else chain.slots
    return _dated(expiry_slots(underlying.symbol, underlying.segment, slots, day, calendar))


def _commodity_option_expiries(symbol: str, day: date, calendar: Calendar) -> list[date]:
    """The options of the nearest future months: one fewer once the first of them have expired."""
    months = commodity_futures(symbol, day)[:COMMODITY_OPTION_MONTHS]
    expiries = [commodity_option_expiry(future, day, calendar) for future in months]
    return [expiry for expiry in expiries if expiry >= day]


def _future_series(underlying: Underlying, day: date, calendar: Calendar) -> list[Series]:
    instrument_type = FUTURE_OF[underlying.option_type]
    if underlying.segment == ExchangeSegment.MCX_COMM:
        expiries = commodity_futures(underlying.symbol, day)[:COMMODITY_FUTURE_MONTHS]
    else:
        slots = Slots(monthly=FUTURE_MONTHS)
        expiries = [
            expiry for _, expiry in _dated(expiry_slots(underlying.symbol, underlying.segment, slots, day, calendar))
        ]
    return [_series(underlying, instrument_type, expiry, day, [SlotKind.MONTHLY]) for expiry in expiries]


def _series(
    underlying: Underlying,
    instrument_type: InstrumentType,
    expiry: date,
    day: date,
    kinds: Iterable[SlotKind],
    strikes: tuple[int, ...] = (),
) -> Series:
    named = set(kinds)
    flag = next(flag for kind, flag in EXPIRY_FLAGS.items() if kind in named)
    lot_size = underlying.lot_size(day, expiry, far=_is_far(named))
    return Series(underlying, instrument_type, expiry, lot_size, flag, strikes)


def _as_future(series: Series) -> Series:
    return Series(
        series.underlying, FUTURE_OF[series.instrument_type], series.expiry, series.lot_size, series.expiry_flag
    )


def _is_far(kinds: Iterable[SlotKind]) -> bool:
    return NEAR_KINDS.isdisjoint(kinds)


def _still_old(lot: Lot, day: date, far: bool) -> bool:
    """Whether a far contract, listed long before the lot changed, still has the lot before this one."""
    return far and lot.far_from is not None and day < lot.far_from


def _dated(slots: Iterable[Slot]) -> list[tuple[SlotKind, date]]:
    return [(slot.kind, slot.expiry) for slot in slots if slot.expiry is not None]


def _ladder(level: int, step: int, count: int) -> tuple[int, ...]:
    """`count` strikes on multiples of the step around a level; fewer where they would fall to zero."""
    centre = round(level / step)
    lowest = max(centre - count // 2, 1)
    return tuple(step * position for position in range(lowest, centre + count // 2 + 1))


def _key(series: Series, strike: int, side: int) -> InstrumentKey:
    underlying = series.underlying
    position = strike // underlying.step
    if underlying.option_type is InstrumentType.OPTSTK:
        month = (series.expiry.year - ID_EPOCH.year) * MONTHS + series.expiry.month
        fields = ((underlying.number, STOCK_NUMBER_BITS), (month, MONTH_BITS))
        family = 0
    else:
        fields = ((underlying.number, INDEX_NUMBER_BITS), ((series.expiry - ID_EPOCH).days, DAY_BITS))
        family = INDEX_FAMILY
    packed = _packed((*fields, (position, STRIKE_BITS), (side, SIDE_BITS)))
    return InstrumentKey(underlying.segment, family | packed)


def _packed(fields: Iterable[tuple[int, int]]) -> int:
    """(value, bits) one after another in one integer."""
    packed = 0
    for value, bits in fields:
        if not 0 <= value < 1 << bits:
            raise ValueError(f"{value} does not fit into {bits} bits of a security id")
        packed = packed << bits | value
    return packed


def _rupees(strike: int) -> str:
    return f"{strike / 100:g}" if strike % 100 else str(strike // 100)


def _underlying(row: Any) -> Underlying:
    segment = ExchangeSegment[row["segment"]]
    is_index = row["feed_id"] is not None
    return Underlying(
        symbol=row["symbol"],
        name=row["name"],
        segment=segment,
        number=row["number"],
        option_type=InstrumentType.OPTIDX if is_index else InstrumentType.OPTFUT,
        underlying_security_id=row["underlying_security_id"],
        level=paise_from_rupees(row["level"]),
        step=paise_from_rupees(row["step"]),
        option_tick=paise_from_rupees(row["option_tick"]),
        future_tick=paise_from_rupees(row["future_tick"]),
        lots=tuple(map(_lot, row["lots"])),
        feed=InstrumentKey(ExchangeSegment.IDX_I, row["feed_id"]) if is_index else None,
        spot_tick=paise_from_rupees(row.get("index_tick", row["future_tick"])),
        multiplier=row["multiplier"],
        listed=Slots(**row["listed"]),
        far_steps=tuple((date.fromisoformat(far["from"]), paise_from_rupees(far["step"])) for far in row["far_steps"]),
    )


def _lot(row: Any) -> Lot:
    far_from = row.get("far_from")
    return Lot(row["lot"], date.fromisoformat(row["expiring_from"]), date.fromisoformat(far_from) if far_from else None)
