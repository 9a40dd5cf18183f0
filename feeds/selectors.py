"""Reading the market's rows: instruments by key, search and underlying; last prices, chains, the calendar."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import Max, Min, Q, QuerySet

from feeds import bus
from feeds.core.calendar import Calendar, HolidayRecord, Phase, shipped_calendar
from feeds.core.chains import ListedContract, reference_future, reference_segment
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType, OptionType
from feeds.importing import WORD
from feeds.models import ChainContract, ChainDefinition, Holiday, Instrument

SEARCH_WORDS_LIMIT = 8
SEARCH_WORD_LENGTH = 32
PREFIX_LENGTH = 3
"""Shorter words match contracts only when they are the whole word (ce, pe, 24): as prefixes they match everything."""
CANDIDATES = 5_000
"""Of more contracts than this the first in the table are ranked: imports write the nearest expiries first."""
OTHER_SPOTS = 20
"""Shares and indices that merely begin like the query; more would push all contracts off the page."""

TRADED_SEGMENTS = (
    ExchangeSegment.NSE_EQ,
    ExchangeSegment.NSE_FNO,
    ExchangeSegment.BSE_EQ,
    ExchangeSegment.BSE_FNO,
    ExchangeSegment.MCX_COMM,
)
OPTION_SEGMENTS = {
    InstrumentType.INDEX: (ExchangeSegment.NSE_FNO, ExchangeSegment.BSE_FNO),
    InstrumentType.EQUITY: (ExchangeSegment.NSE_FNO, ExchangeSegment.BSE_FNO),
    InstrumentType.FUTCOM: (ExchangeSegment.MCX_COMM,),
}
"""Where options on an instrument of this type can be listed; shares: on their own exchange only."""


def listed() -> QuerySet[Instrument]:
    return Instrument.objects.filter(is_listed=True)


# --- search -------------------------------------------------------------------------------------

SPOTS = """
SELECT code FROM feeds_instrument
WHERE search_vector @@ to_tsquery('simple', %(query)s) AND is_listed AND expiry IS NULL {conditions}
ORDER BY symbol = ANY(%(words)s) DESC, starts_with(symbol, %(first)s) DESC, instrument_type = 'INDEX' DESC,
  series = ANY('{{EQ,A,BE}}') DESC, segment, length(symbol), symbol
LIMIT %(limit)s
"""
CONTRACTS = """
SELECT code FROM (
  SELECT code, underlying_symbol, expiry, strike, option_type FROM feeds_instrument
  WHERE search_vector @@ to_tsquery('simple', %(query)s) AND is_listed AND expiry >= %(today)s {conditions}
  LIMIT {candidates}
) AS found
ORDER BY underlying_symbol = ANY(%(words)s) DESC, option_type <> '', expiry, length(underlying_symbol),
  underlying_symbol, strike, option_type
LIMIT %(limit)s
"""


def search(text: str, today: date, limit: int = 50, filters: dict[str, Any] | None = None) -> list[Instrument]:
    """Listed instruments whose words begin with the query's words, the best first, at most `limit`.

    Exact symbols lead, then other indices and shares, then futures, then options by expiry. `filters` are equalities on
    columns (segment, instrument_type, underlying_symbol, expiry, strike).
    """
    words = text.lower().split()[:SEARCH_WORDS_LIMIT]
    conditions, parameters = _conditions(filters or {})
    upper = [word.upper() for word in words]
    parameters |= {"words": upper, "first": upper[0] if upper else "", "today": today}
    codes: list[int] = []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL jit = off")
        for sql, shortest_prefix, most in ((SPOTS, 1, OTHER_SPOTS), (CONTRACTS, PREFIX_LENGTH, limit)):
            query = prefix_query(words, shortest_prefix)
            if query and len(codes) < limit:
                bound = min(most, limit - len(codes))
                statement = sql.format(conditions=conditions, candidates=CANDIDATES)
                cursor.execute(statement, parameters | {"query": query, "limit": bound})
                codes += [code for (code,) in cursor.fetchall()]
    found = Instrument.objects.in_bulk(codes)
    return [found[code] for code in codes if code in found]


FILTER_COLUMNS = ("segment", "instrument_type", "underlying_symbol", "expiry", "strike")


def _conditions(filters: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    names = [name for name in FILTER_COLUMNS if filters.get(name) is not None]
    return " ".join(f"AND {name} = %({name})s" for name in names), {name: filters[name] for name in names}


def prefix_query(words: Iterable[str], shortest_prefix: int) -> str:
    """The words as PostgreSQL's tsquery: all must be there, those long enough as prefixes. Empty: no word at all.

    A word with signs matches squeezed together or part by part: m&m is (mm | m & m).
    """
    return " & ".join(filter(None, (_alternatives(word, shortest_prefix) for word in words)))


def _alternatives(word: str, shortest_prefix: int) -> str:
    parts = WORD.findall(word[:SEARCH_WORD_LENGTH])
    if len(parts) <= 1:
        return "".join(_prefix(part, shortest_prefix) for part in parts)
    split = " & ".join(_prefix(part, max(shortest_prefix, PREFIX_LENGTH)) for part in parts)
    return f"({_prefix(''.join(parts), shortest_prefix)} | ({split}))"


def _prefix(word: str, shortest_prefix: int) -> str:
    return f"{word}:*" if len(word) >= shortest_prefix else word


# --- instruments by name -------------------------------------------------------------------------


class UnknownInstruments(Exception):
    """Keys or symbols that nothing listed has; details name them."""

    code = "UNKNOWN_INSTRUMENT"

    def __init__(self, names: Collection[str]) -> None:
        super().__init__(f"Not listed: {', '.join(sorted(names)[:10])}")
        self.details = {"unknown": sorted(names)}


class AmbiguousSymbol(Exception):
    """A symbol that several contracts share; details say their keys."""

    code = "AMBIGUOUS_SYMBOL"

    def __init__(self, symbol: str, instruments: Sequence[Instrument]) -> None:
        super().__init__(f"{symbol} names {len(instruments)} contracts; say which by its key.")
        self.details = {"symbol": symbol, "instruments": [str(instrument.key) for instrument in instruments]}


def by_keys(keys: Sequence[InstrumentKey]) -> list[Instrument]:
    """Listed instruments in the order asked.

    Raises:
        UnknownInstruments: of any key.
    """
    found = listed().in_bulk([key.code for key in keys])
    if unknown := [str(key) for key in keys if key.code not in found]:
        raise UnknownInstruments(unknown)
    return [found[key.code] for key in keys]


def by_symbols(symbols: Sequence[str], today: date) -> list[Instrument]:
    """Listed instruments by symbol, in the order asked.

    An index comes before a share of that name, NSE before BSE. A commodity's bare name means the future that its
    nearest options are on. Contracts are named exactly as the master does.

    Raises:
        UnknownInstruments: of any symbol.
        AmbiguousSymbol: several contracts carry it.
    """
    wanted = [symbol.strip() for symbol in symbols]
    names = {symbol: symbol.upper() for symbol in wanted}
    spots = _spots(names.values())
    rest = [symbol for symbol in wanted if names[symbol] not in spots]
    commodities = _commodities([names[symbol] for symbol in rest], today) if rest else {}
    contracts = _contracts(rest, today) if rest else {}
    chosen = {
        symbol: spots.get(name) or commodities.get(name) or contracts.get(symbol) for symbol, name in names.items()
    }
    if unknown := [symbol for symbol, instrument in chosen.items() if instrument is None]:
        raise UnknownInstruments(unknown)
    return [chosen[symbol] for symbol in wanted]


def _spots(symbols: Collection[str]) -> dict[str, Instrument]:
    """Indices and shares; of several with one symbol the one that is first in (segment, series)."""
    rows = listed().filter(symbol__in=list(symbols), expiry=None)
    last_first = sorted(rows, key=lambda row: (row.segment, row.series not in {"EQ", "A"}, row.code), reverse=True)
    return {row.symbol: row for row in last_first}


def _commodities(symbols: Collection[str], today: date) -> dict[str, Instrument]:
    rows = listed().filter(segment=ExchangeSegment.MCX_COMM, underlying_symbol__in=symbols, expiry__gte=today)
    options = rows.exclude(option_type="").order_by()
    first_option = dict(options.values_list("underlying_symbol").annotate(Min("expiry")))
    futures = rows.filter(option_type="").order_by("-expiry", "-code")
    return {
        row.underlying_symbol: row for row in futures if row.expiry >= first_option.get(row.underlying_symbol, today)
    }


def _contracts(symbols: Collection[str], today: date) -> dict[str, Instrument]:
    named: dict[str, list[Instrument]] = {}
    for row in listed().filter(symbol__in=symbols, expiry__gte=today).order_by("expiry"):
        named.setdefault(row.symbol, []).append(row)
    for symbol, instruments in named.items():
        if len(instruments) > 1:
            raise AmbiguousSymbol(symbol, instruments)
    return {symbol: instruments[0] for symbol, instruments in named.items()}


# --- options on an instrument --------------------------------------------------------------------

Underlying = tuple[ExchangeSegment, str]
"""Where options are listed, and on what."""


def option_underlyings(instrument: Instrument) -> list[Underlying]:
    """Under which names options on this instrument could be listed; none for what never has any."""
    segments = OPTION_SEGMENTS.get(InstrumentType(instrument.instrument_type), ())
    if instrument.segment in (ExchangeSegment.NSE_EQ, ExchangeSegment.BSE_EQ):
        own = ExchangeSegment.NSE_FNO if instrument.segment == ExchangeSegment.NSE_EQ else ExchangeSegment.BSE_FNO
        segments = (own,)
    return [(segment, instrument.underlying_symbol) for segment in segments]


def nearest_options(underlyings: Collection[Underlying], day: date) -> dict[Underlying, list[ListedContract]]:
    """The listed options of each underlying's nearest expiry from a day on; underlyings without any are absent."""
    rows = listed().filter(
        segment__in={segment for segment, _ in underlyings},
        underlying_symbol__in={symbol for _, symbol in underlyings},
        expiry__gte=day,
        option_type__in=OptionType,
    )
    nearest = {
        (segment, symbol): expiry
        for segment, symbol, expiry in rows.order_by()
        .values_list("segment", "underlying_symbol")
        .annotate(Min("expiry"))
        if (segment, symbol) in underlyings
    }
    found: dict[Underlying, list[ListedContract]] = {}
    columns = ("segment", "underlying_symbol", "expiry", "code", "strike", "option_type")
    for segment, symbol, expiry, code, strike, side in (
        rows.filter(expiry__in=set(nearest.values())).order_by("strike").values_list(*columns)
    ):
        if nearest.get((segment, symbol)) == expiry:
            contract = ListedContract(InstrumentKey.from_code(code), expiry, strike, OptionType(side))
            found.setdefault((ExchangeSegment(segment), symbol), []).append(contract)
    return found


def reference_of(
    segment: ExchangeSegment, underlying: str, instrument_type: InstrumentType, expiry: date
) -> Instrument | None:
    """The index, the share or, on MCX, the future that options of this type, and this or a later expiry, hang on.

    Indices and shares are joined by symbol: the underlying ids in index options are not those of the feed.
    """
    rows = listed().filter(segment=reference_segment(instrument_type, segment))
    if instrument_type is InstrumentType.OPTFUT:
        futures = rows.filter(underlying_symbol=underlying, instrument_type=InstrumentType.FUTCOM)
        key = reference_future(((row.expiry, row.key) for row in futures if row.expiry), expiry)
        return next((row for row in futures if row.key == key), None)
    named = Q(symbol=underlying) | Q(underlying_symbol=underlying)
    spots = rows.filter(named, instrument_type__in=(InstrumentType.INDEX, InstrumentType.EQUITY))
    return min(spots, key=lambda row: (row.symbol != underlying, row.code), default=None)


def last_prices(codes: Collection[int]) -> dict[int, int]:
    """The best known price of each in paise: last traded, else the previous close. Unknown ones are absent.

    With Redis away nothing is known.
    """
    try:
        rows = bus.last_rows(codes)
    except bus.REDIS_ERRORS:
        return {}
    prices = np.where(rows["last_price"] > 0, rows["last_price"], rows["previous_close"])
    return {int(code): int(price) for code, price in zip(rows["code"], prices, strict=True) if price > 0}


# --- the calendar ---------------------------------------------------------------------------------


def market_calendar() -> Calendar:
    """The shipped calendar with the holidays that admins entered."""
    rows = Holiday.objects.all()
    return shipped_calendar(
        HolidayRecord(row.exchange, row.date, row.name, row.morning_open, row.evening_open, row.known_from)
        for row in rows
    )


@dataclass(frozen=True, slots=True)
class SegmentStatus:
    """A segment at a moment: its phase, and today's hours (None: closed all day)."""

    segment: ExchangeSegment
    phase: Phase
    open: datetime | None
    close: datetime | None
    holiday: str


def market_status(now: datetime) -> list[SegmentStatus]:
    """Phase and hours of every segment that trades."""
    calendar = market_calendar()
    statuses = []
    for segment in TRADED_SEGMENTS:
        sessions = calendar.sessions(segment, now.date())
        exchange = "MCX" if segment is ExchangeSegment.MCX_COMM else "NSE_BSE"
        statuses.append(
            SegmentStatus(
                segment,
                calendar.phase(segment, now),
                sessions.open if sessions else None,
                sessions.close if sessions else None,
                calendar.day_name(exchange, now.date()),
            )
        )
    return statuses


# --- chains -----------------------------------------------------------------------------------------


def chain_definitions() -> QuerySet[ChainDefinition]:
    """Enabled chains in the order admins gave them, with their latest resolution."""
    return ChainDefinition.objects.filter(enabled=True).select_related("account", "state", "state__reference")


def chain_contracts(segment: ExchangeSegment, underlying: str, expiry: date) -> list[Instrument]:
    """The listed options of one underlying and expiry, by strike then side."""
    rows = listed().filter(segment=segment, underlying_symbol=underlying, expiry=expiry, option_type__in=OptionType)
    return list(rows.order_by("strike", "option_type"))


def underlyings(today: date) -> QuerySet[Instrument]:
    """For each underlying of listed options one of its nearest expiry, by name."""
    rows = listed().filter(expiry__gte=today, option_type__in=OptionType)
    return rows.order_by("underlying_symbol", "segment", "expiry", "code").distinct("underlying_symbol", "segment")


def option_expiries(segment: ExchangeSegment, underlying: str, today: date) -> list[date]:
    """The days on which the underlying's listed options expire, from today on."""
    rows = listed().filter(segment=segment, underlying_symbol=underlying, expiry__gte=today, option_type__in=OptionType)
    return list(rows.order_by("expiry").values_list("expiry", flat=True).distinct())


def subscribed_by_chain() -> dict[int, int]:
    """How many contracts of each chain definition its feed has subscribed, by id; of a feed that is down none.

    Raises:
        bus.REDIS_ERRORS: Redis is away.
    """
    chains = (status.get("chains", {}) for status in bus.feed_statuses().values())
    return {int(pk): count for each in chains for pk, count in each.items()}


def expiries_by_chain() -> dict[int, list[date]]:
    """The expiries that each chain definition has contracts of, by its id."""
    rows = ChainContract.objects.order_by("expiry").values_list("definition_id", "expiry").distinct()
    found: dict[int, list[date]] = {}
    for definition, expiry in rows:
        found.setdefault(definition, []).append(expiry)
    return found


def master_date() -> date | None:
    """The trading day of the last import."""
    return Instrument.objects.aggregate(last=Max("listed_on"))["last"]
