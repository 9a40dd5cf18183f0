"""The prices a decision is made on: instruments, their last rows and what each option hangs on, at one moment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feeds import bus, clock
from feeds.core.instrument import OPTION_TYPES, ExchangeSegment, InstrumentKey, InstrumentType
from feeds.models import Instrument
from feeds.selectors import reference_of
from rms.errors import RiskError

FACTS_SECONDS = 60.0
"""Instruments are read again after this long: the master of the morning may have changed lots, bands and freezes."""

Row = Any
"""One element of a TICK array."""


class NoMarketData(RiskError):
    """An instrument that a decision needs has no price, or is not known at all."""

    code = "NO_MARKET_DATA"

    def __init__(self, code: int, what: str = "price") -> None:
        key = str(InstrumentKey.from_code(code))
        super().__init__(f"No {what} of {key} is known.", instrument=key)


@dataclass
class Facts:
    """Instruments and references that this process has read; dropped as a whole when they are old."""

    day: date
    read_at: float
    instruments: dict[int, Instrument] = field(default_factory=dict)
    references: dict[tuple[int, str, str, date | None], int | None] = field(default_factory=dict)

    def take(self, codes: Iterable[int]) -> dict[int, Instrument]:
        """Those of `codes` that exist."""
        wanted = set(codes)
        if missing := wanted - self.instruments.keys():
            self.instruments |= Instrument.objects.in_bulk(missing)
        return {code: self.instruments[code] for code in wanted if code in self.instruments}

    def reference(self, instrument: Instrument) -> int | None:
        """The code of what an option hangs on; None for what is no option and when it is not listed."""
        kind = InstrumentType(instrument.instrument_type)
        if kind not in OPTION_TYPES or kind is InstrumentType.OPTCUR:
            return None
        key = (instrument.segment, instrument.underlying_symbol, instrument.instrument_type, instrument.expiry)
        if key not in self.references:
            found = reference_of(
                ExchangeSegment(instrument.segment), instrument.underlying_symbol, kind, instrument.expiry or self.day
            )
            if found is not None:
                self.instruments.setdefault(found.code, found)
            self.references[key] = found.code if found is not None else None
        return self.references[key]


_facts: Facts | None = None


def facts(day: date) -> Facts:
    """What this process knows of the day's instruments, never older than a minute."""
    global _facts
    now = clock.monotonic()
    if _facts is None or _facts.day != day or now - _facts.read_at > FACTS_SECONDS:
        _facts = Facts(day, now)
    return _facts


def forget_facts() -> None:
    """Read instruments anew: after an import, and between tests."""
    global _facts
    _facts = None


@dataclass(frozen=True, slots=True)
class Market:
    """Instruments and last rows by code, and by option the code of what it hangs on. Prices are paise."""

    instruments: Mapping[int, Instrument]
    rows: Mapping[int, Row]
    references: Mapping[int, int]
    day: date

    @classmethod
    def of_rows(
        cls,
        instruments: Mapping[int, Instrument] | Iterable[Instrument],
        rows: Mapping[int, Row] | NDArray[np.void],
        day: date | None = None,
    ) -> Market:
        """A market of rows that the caller has, by code or as a TICK array. Give the references' rows too."""
        by_code = instruments if isinstance(instruments, Mapping) else {each.code: each for each in instruments}
        known = facts(day or clock.exchange_today())
        pairs = ((code, known.reference(each)) for code, each in by_code.items())
        references = {code: reference for code, reference in pairs if reference is not None}
        missing = known.take(set(references.values()) - by_code.keys())
        return cls(
            {**by_code, **missing}, rows if isinstance(rows, Mapping) else by_code_of(rows), references, known.day
        )

    def covering(self, codes: Collection[int]) -> Market:
        """This market, with those of `codes` that it lacks, or has no quote of, read as `market_for` reads them."""
        missing = [code for code in codes if not self._covers(code)]
        if not missing:
            return self
        more = market_for(missing, self.day)
        return Market(
            {**more.instruments, **self.instruments},
            {**more.rows, **self.rows},
            {**more.references, **self.references},
            self.day,
        )

    def _covers(self, code: int) -> bool:
        return code in self.instruments and code in self.rows and self.references.get(code, code) in self.rows

    def instrument(self, code: int) -> Instrument:
        """Raises: NoMarketData."""
        if code not in self.instruments:
            raise NoMarketData(code, "instrument")
        return self.instruments[code]

    def row(self, code: int) -> Row:
        """The last TICK row. Raises: NoMarketData."""
        if code not in self.rows:
            raise NoMarketData(code, "quote")
        return self.rows[code]

    def price(self, code: int) -> int:
        """Last traded, else the previous close. Raises: NoMarketData."""
        row = self.row(code)
        price = int(row["last_price"]) or int(row["previous_close"])
        if price <= 0:
            raise NoMarketData(code)
        return price

    def underlying_price(self, code: int) -> int:
        """Of an option the price of its index, share or future; of anything else its own. Raises: NoMarketData."""
        return self.price(self.references.get(code, code))


def market_for(codes: Iterable[int], day: date) -> Market:
    """Instruments and last rows of `codes` and of what they hang on.

    With Redis away no row is known: each price raises NoMarketData when it is asked.
    """
    known = facts(day)
    instruments = known.take(codes)
    references = {code: reference for code, each in instruments.items() if (reference := known.reference(each))}
    instruments |= known.take(references.values())
    return Market(instruments, last_rows(instruments.keys()), references, day)


def last_rows(codes: Collection[int]) -> dict[int, Row]:
    try:
        return by_code_of(bus.last_rows(codes))
    except bus.REDIS_ERRORS:
        return {}


def by_code_of(rows: NDArray[np.void]) -> dict[int, Row]:
    return dict(zip(rows["code"].tolist(), rows, strict=True))


def reference_codes(codes: Iterable[int], day: date) -> set[int]:
    """What the margin of these instruments needs to see besides themselves: interest in held ones names them too."""
    known = facts(day)
    return {reference for each in known.take(codes).values() if (reference := known.reference(each)) is not None}
