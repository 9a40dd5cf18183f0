"""Reading a clearing house's .spn file: risk arrays, calendar charges and scan ranges of the underlyings wanted.

PC-SPAN fileFormat 4.00 (market-rules, section 5.2): XML of 57 MB, read as a stream. Values are rupees of one unit and
become whole paise; a loss of a long unit is positive; scenarios 15 and 16 are weighted already.
"""

from __future__ import annotations

import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import IO, NamedTuple
from xml.etree.ElementTree import Element, ParseError, iterparse

from feeds.core.price import PAISE_PER_RUPEE
from rms.core.scenarios import PRICE_MOVES, UnitRisk

PORTFOLIOS = frozenset({"phyPf", "futPf", "oopPf", "oofPf"})
"""Spots, futures, options on spots (NSE, BSE) and options on futures (MCX)."""
DONE_WITH = frozenset({"phy", "fut", "series", "ccDef"}) | PORTFOLIOS
"""Elements that are read as a whole when they end, and emptied then."""


class BadSpanFile(ValueError):
    """Not a .spn file, or cut short."""


class SpanContract(NamedTuple):
    """One contract of the file: its price in paise and the risk of a long unit."""

    price: int
    risk: UnitRisk


OptionKey = tuple[date, int, bool]
"""Expiry, strike in paise, whether it is a call."""


@dataclass
class SpanUnderlying:
    """What the file holds of one underlying. Money is paise of one unit."""

    code: str
    spot: int = 0
    price_scan: int = 0
    volatility_scan: float = 0.0
    short_option_minimum: int = 0
    futures: dict[date, SpanContract] = field(default_factory=dict)
    options: dict[OptionKey, SpanContract] = field(default_factory=dict)
    calendar_charges: dict[tuple[date, date], int] = field(default_factory=dict)

    def risk(self, expiry: date, strike: int, is_call: bool | None) -> UnitRisk | None:
        """Of a future (`is_call` None) or an option; None when the file does not list it."""
        found = self.futures.get(expiry) if is_call is None else self.options.get((expiry, strike, is_call))
        return found.risk if found else None


@dataclass(frozen=True)
class SpanFile:
    """A whole file: its name, the day it is of, and its underlyings by the file's own code."""

    name: str
    day: date
    underlyings: dict[str, SpanUnderlying]


def read_span(path: Path, wanted: Collection[str] | None = None) -> SpanFile:
    """Read a .spn file, zipped or not; only the underlyings `wanted` by the file's codes (None: all).

    Raises:
        BadSpanFile: no XML, no date, or a value that is no number.
        OSError
    """
    reader = _Reader(wanted)
    try:
        with _opened(path) as stream:
            for event, element in iterparse(stream, events=("start", "end")):  # noqa: S314
                reader.take(event, element)
    except (ParseError, ValueError, OverflowError, zipfile.BadZipFile) as error:
        raise BadSpanFile(f"{path.name}: {error}") from error
    if reader.day is None:
        raise BadSpanFile(f"{path.name}: no pointInTime/date")
    return SpanFile(path.name, reader.day, reader.underlyings)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if not zipfile.is_zipfile(path):
        with path.open("rb") as plain:
            yield plain
        return
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".spn")]
        if not names:
            raise BadSpanFile(f"{path.name}: no .spn in the archive")
        with archive.open(names[0]) as inner:
            yield inner


class _Reader:
    """Takes elements as they end and lets go of them, so that the document is never whole in memory."""

    def __init__(self, wanted: Collection[str] | None) -> None:
        self.underlyings: dict[str, SpanUnderlying] = {}
        self.day: date | None = None
        self._wanted = wanted
        self._path: list[str] = []
        self._current: SpanUnderlying | None = None

    def take(self, event: str, element: Element) -> None:
        if event == "start":
            self._path.append(element.tag)
            if element.tag in PORTFOLIOS:
                self._current = None
            return
        self._path.pop()
        parent = self._path[-1] if self._path else ""
        self._ended(element, parent)
        if element.tag in DONE_WITH:
            element.clear()

    def _ended(self, element: Element, parent: str) -> None:
        if element.tag == "date" and parent == "pointInTime":
            self.day = _date(element.text)
        elif element.tag == "pfCode" and parent in PORTFOLIOS:
            self._current = self._underlying(element.text or "")
        elif element.tag == "ccDef":
            _take_definition(element, self._underlying(_text(element, "cc")))
        elif self._current is not None:
            _take_contract(element, self._current)

    def _underlying(self, code: str) -> SpanUnderlying | None:
        if self._wanted is not None and code not in self._wanted:
            return None
        return self.underlyings.setdefault(code, SpanUnderlying(code))


def _take_definition(element: Element, underlying: SpanUnderlying | None) -> None:
    """Calendar charges by pair of expiries, and the short option minimum."""
    if underlying is None:
        return
    for spread in element.iter("dSpread"):
        expiries = sorted(_date(leg.text) for leg in spread.iterfind("pLeg/pe"))
        if len(expiries) == 2:
            underlying.calendar_charges[expiries[0], expiries[1]] = _paise(_text(spread, "rate/val"))
    minimum = element.find("somTiers/tier/rate/val")
    if minimum is not None:
        underlying.short_option_minimum = _paise(minimum.text)


def _take_contract(element: Element, underlying: SpanUnderlying) -> None:
    if element.tag == "phy":
        underlying.spot = _paise(_text(element, "p"))
    elif element.tag == "fut":
        underlying.futures[_date(_text(element, "pe"))] = _contract(element)
        _take_ranges(element, underlying)
    elif element.tag == "series":
        expiry = _date(_text(element, "pe"))
        for option in element.iterfind("opt"):
            key = (expiry, _paise(_text(option, "k")), _text(option, "o") == "C")
            underlying.options[key] = _contract(option, _text(element, "cvf", "1"))


def _take_ranges(element: Element, underlying: SpanUnderlying) -> None:
    """Of the nearest future, which the file lists first."""
    if not underlying.price_scan:
        underlying.price_scan = _paise(_text(element, "scanRate/priceScan", "0"))
        underlying.volatility_scan = float(_text(element, "scanRate/volScan", "0"))


def _contract(element: Element, contract_value_factor: str = "1") -> SpanContract:
    units = float(_text(element, "cvf", contract_value_factor))
    losses = tuple(round(float(each.text or "") * PAISE_PER_RUPEE / units) for each in element.iterfind("ra/a"))
    if len(losses) != len(PRICE_MOVES):
        raise ValueError(f"a risk array of {len(losses)} values")
    return SpanContract(_paise(_text(element, "p")), UnitRisk(losses, float(_text(element, "ra/d", "1")), True))


def _text(element: Element, path: str, default: str | None = None) -> str:
    text = element.findtext(path, default)
    if text is None:
        raise ValueError(f"<{element.tag}> without {path}")
    return text.strip()


def _paise(text: str | None) -> int:
    return round(float(text or "") * PAISE_PER_RUPEE)


def _date(text: str | None) -> date:
    return date.fromisoformat(text.strip()) if text else date.min
