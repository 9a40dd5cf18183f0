"""Which option chains there are to compute: those always on, and every other with a contract that is fed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from django.db.models import Count, Max

from feeds import candles
from feeds.core.calendar import Calendar, exchange_of
from feeds.core.chains import reference_future
from feeds.core.instrument import ExchangeSegment, InstrumentKey, OptionType
from feeds.core.option_chain import Contract
from feeds.models import ChainContract, ChainState, Instrument
from feeds.selectors import listed, market_calendar
from feeds.topics import CHAIN_ROWS_LIMIT, ChainName

CLOSING_TIME = timedelta(minutes=15)
"""Open interest that somebody noted so shortly before a close is that of the close."""
OPTION_SEGMENTS = (ExchangeSegment.NSE_FNO, ExchangeSegment.BSE_FNO, ExchangeSegment.MCX_COMM)

Underlying = tuple[int, str]
Row = tuple[int, str, date, int, int, str]
"""Segment, underlying, expiry, code, strike, option type."""


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain as its topic shows it: the same contracts in the same order."""

    name: ChainName
    codes: tuple[int, ...]
    contracts: tuple[Contract, ...]
    last_trade: datetime
    future: int | None
    """The code of the future that its options are priced on; None: there is none, and its forward is synthetic."""


def resolution() -> tuple[Any, ...]:
    """Changes whenever a chain is resolved anew: cheap to ask each second."""
    return tuple(ChainState.objects.aggregate(Max("updated_at"), Count("pk")).values())


def read_chains(fed: Collection[int], today: date) -> list[Chain]:
    """The chains always on, and those of the other options among `fed`; none that expired before today."""
    always_on = _resolved(today)
    known = {row[:3] for row in always_on}
    others = [row for row in _listed(_chains_of(fed, today)) if row[:3] not in known]
    futures, calendar = _futures({row[:2] for row in (*always_on, *others)}, today), market_calendar()
    return [
        _chain(list(rows), futures, calendar) for _, rows in groupby((*always_on, *others), key=lambda row: row[:3])
    ]


def _resolved(today: date) -> list[Row]:
    rows = ChainContract.objects.filter(expiry__gte=today)
    columns = (
        "definition__segment",
        "definition__underlying_symbol",
        "expiry",
        "instrument_id",
        "strike",
        "option_type",
    )
    return list(rows.order_by(*columns[:3], "strike", "option_type").values_list(*columns))


def _chains_of(codes: Collection[int], today: date) -> set[tuple[int, str, date]]:
    rows = Instrument.objects.filter(code__in=codes, expiry__gte=today, option_type__in=OptionType)
    return set(rows.order_by().values_list("segment", "underlying_symbol", "expiry").distinct())


def _listed(chains: Collection[tuple[int, str, date]]) -> Iterator[Row]:
    """All listed contracts of these chains, at most as many of each as a topic shows."""
    segments, underlyings, expiries = (set(column) for column in zip(*chains, strict=True)) if chains else ((), (), ())
    rows = listed().filter(
        segment__in=segments, underlying_symbol__in=underlyings, expiry__in=expiries, option_type__in=OptionType
    )
    columns = ("segment", "underlying_symbol", "expiry", "code", "strike", "option_type")
    ordered = rows.order_by(*columns[:3], "strike", "option_type").values_list(*columns)
    for key, contracts in groupby(ordered, key=lambda row: row[:3]):
        if key in chains:
            yield from list(contracts)[:CHAIN_ROWS_LIMIT]


def _futures(underlyings: Collection[Underlying], today: date) -> dict[Underlying, list[tuple[date, InstrumentKey]]]:
    rows = listed().filter(
        segment__in={segment for segment, _ in underlyings},
        underlying_symbol__in={symbol for _, symbol in underlyings},
        expiry__gte=today,
        option_type="",
    )
    found: dict[Underlying, list[tuple[date, InstrumentKey]]] = {}
    for segment, symbol, expiry, code in rows.order_by().values_list("segment", "underlying_symbol", "expiry", "code"):
        found.setdefault((segment, symbol), []).append((expiry, InstrumentKey.from_code(code)))
    return found


def _chain(rows: list[Row], futures: dict[Underlying, list[tuple[date, InstrumentKey]]], calendar: Calendar) -> Chain:
    segment, symbol, expiry = ExchangeSegment(rows[0][0]), *rows[0][1:3]
    return Chain(
        name=ChainName(segment, symbol, expiry),
        codes=tuple(code for *_, code, _, _ in rows),
        contracts=tuple(Contract(strike, side == OptionType.CALL) for *_, strike, side in rows),
        last_trade=last_trading_moment(segment, expiry, calendar),
        future=_future(segment, expiry, futures.get((segment, symbol), ())),
    )


def _future(segment: ExchangeSegment, expiry: date, futures: Iterable[tuple[date, InstrumentKey]]) -> int | None:
    """Of the same expiry; on MCX options are on a future, which may end later."""
    if segment is ExchangeSegment.MCX_COMM:
        key = reference_future(futures, expiry)
    else:
        key = next((key for ends, key in futures if ends == expiry), None)
    return key.code if key else None


def closing_interest(chains: Iterable[Chain], today: date) -> dict[int, int]:
    """The open interest of each contract when its exchange's session before today closed, by code.

    Dhan sends it with indices alone, so it is our own candles'. Where none is of the last minutes of that day, nobody
    was there at the close, and nothing is known.
    """
    calendar, found = market_calendar(), {}
    by_segment: dict[ExchangeSegment, list[int]] = {}
    for chain in chains:
        by_segment.setdefault(chain.name.segment, []).extend(chain.codes)
    for segment, codes in by_segment.items():
        day = calendar.previous_trading_day(exchange_of(segment), today)
        last, close = candles.closing_interest(codes, day), calendar.close_at(segment, day)
        latest = max((start for start, _ in last.values()), default=0)
        if close is not None and latest >= (close - CLOSING_TIME).timestamp():
            found |= {code: interest for code, (_, interest) in last.items()}
    return found


def last_trading_moment(segment: ExchangeSegment, expiry: date, calendar: Calendar) -> datetime:
    """When contracts of this expiry trade last; one on a day that became a holiday ends the trading day before."""
    sessions = calendar.sessions(segment, expiry)
    while sessions is None:
        expiry = calendar.previous_trading_day(exchange_of(segment), expiry)
        sessions = calendar.sessions(segment, expiry)
    return sessions.last_trade
