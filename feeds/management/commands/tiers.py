"""`manage.py tiers`: the Tier B chains of any date on a rule-made exchange, with no server and no database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from feeds import clock
from feeds.core.calendar import Calendar, exchange_of, shipped_calendar
from feeds.core.chains import SHIPPED_CHAINS, Chain, Missing, ResolvedChain, reference_future, resolve_chain
from feeds.core.expiries import Slot, expiry_slots
from feeds.core.instrument import OPTION_TYPES, InstrumentKey
from feeds.core.listing import NumberedContract, Series, listed_options, number_contracts, rule_listing, underlyings
from feeds.core.subscriptions import Limits, Planner, SubscriptionClass

FIRST_DATE, LAST_DATE = date(2025, 1, 1), date(2035, 12, 31)
"""From the first day of the shipped calendar to where rule-made ids still hold its farthest expiry."""
HEADINGS = ("chain", "segment", "nominal", "unique", "listed", "subscribed")
MODES = ("spec", "exchange")


@dataclass(frozen=True)
class Tiers:
    """All that is printed: the chains of a day, what they refer to, and the load of each connection."""

    day: date
    mode: str
    chains: list[ResolvedChain]
    references: set[InstrumentKey]
    placement: list[int]
    remarks: list[str]
    provisional: bool


class Command(BaseCommand):
    help = "Print the Tier B chains of a date: expiries, nominal, unique and listed contracts, and what is missing."
    requires_system_checks = []  # they would want the database

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--date", help="YYYY-MM-DD; today by the exchange's clock if not given")
        parser.add_argument(
            "--listing",
            choices=MODES,
            default="spec",
            help="spec: all that the slots name is listed; exchange: what the exchange would list",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")

    def handle(self, *args: Any, **options: Any) -> None:
        day = _date(options["date"]) if options["date"] else clock.exchange_today()
        tiers = resolve_tiers(day, options["listing"])
        self.stdout.write(json.dumps(_as_json(tiers)) if options["json"] else "\n".join(_as_table(tiers)))


def resolve_tiers(day: date, mode: str) -> Tiers:
    """The shipped chains as a rule-made exchange of that mode lists them on the day."""
    calendar = shipped_calendar()
    listing = rule_listing(day, calendar, "exchange" if mode == "exchange" else "spec")
    options = listed_options(listing)
    chains = [_resolve(chain, options.get(chain.underlying, {}), day, calendar) for chain in SHIPPED_CHAINS]
    futures = list(number_contracts(_futures(listing)))
    references = {key for chain in chains if (key := _reference(chain, futures)) is not None}
    remarks = _remarks(day, calendar)
    provisional = not all(calendar.covers(exchange_of(chain.segment), day) for chain in SHIPPED_CHAINS)
    return Tiers(day, mode, chains, references, _placement(chains), remarks, provisional)


def _date(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--date must be YYYY-MM-DD, not {text!r}") from None
    if not FIRST_DATE <= day <= LAST_DATE:
        raise CommandError(f"--date must be from {FIRST_DATE} to {LAST_DATE}")
    return day


def _resolve(chain: Chain, listed: dict[date, list[Any]], day: date, calendar: Calendar) -> ResolvedChain:
    slots = expiry_slots(chain.underlying, chain.segment, chain.slots, day, calendar)
    return resolve_chain(chain, slots, listed, underlyings()[chain.underlying].level)


def _futures(listing: Iterable[Series]) -> Iterable[Series]:
    return (series for series in listing if series.instrument_type not in OPTION_TYPES)


def _reference(resolved: ResolvedChain, futures: list[NumberedContract]) -> InstrumentKey | None:
    underlying = underlyings()[resolved.chain.underlying]
    if underlying.feed is not None or not resolved.expiries:
        return underlying.feed
    own = [(future.series.expiry, future.key) for future in futures if future.series.underlying == underlying]
    return reference_future(own, resolved.expiries[0])


def _placement(chains: list[ResolvedChain]) -> list[int]:
    """How the planner spreads Tier B over the connections, before references even it out."""
    limits = Limits(
        connections=settings.FEED_CONNECTIONS,
        per_connection=settings.FEED_INSTRUMENTS_PER_CONNECTION,
        per_message=settings.FEED_INSTRUMENTS_PER_MESSAGE,
        total=settings.FEED_INSTRUMENTS_TOTAL,
        spread=settings.FEED_SPREAD_LIMIT,
    )
    planner = Planner(limits)
    for resolved in chains:
        codes = [contract.key.code for contract in resolved.contracts]
        planner.want(resolved.chain.underlying, codes, SubscriptionClass.TIER_B)
    planner.plan()
    return planner.loads


def _remarks(day: date, calendar: Calendar) -> list[str]:
    remarks = []
    for exchange in dict.fromkeys(exchange_of(chain.segment) for chain in SHIPPED_CHAINS):
        if not calendar.covers(exchange, day):
            remarks.append(f"{exchange}: provisional, the calendar ends on {calendar.last_day_of(exchange)}")
        if not calendar.is_trading_day(exchange, day):
            remarks.append(
                ", ".join(filter(None, [f"{exchange}: not a trading day", calendar.day_name(exchange, day)]))
            )
    return remarks


def _as_json(tiers: Tiers) -> dict[str, Any]:
    report: dict[str, Any] = {
        **_numbers(tiers.chains),
        "placement": tiers.placement,
        "references": len(tiers.references),
        "chains": [_chain_json(resolved) for resolved in tiers.chains],
    }
    # A published date prints exactly the agreed shape; only a guess carries a word more.
    return {**report, "provisional": True} if tiers.provisional else report


def _chain_json(resolved: ResolvedChain) -> dict[str, Any]:
    return {
        "underlying": resolved.chain.underlying,
        "segment": resolved.chain.segment.name,
        **_numbers([resolved]),
        "slots": [{"kind": slot.kind, "rank": slot.rank, "expiry": _iso(slot.expiry)} for slot in resolved.slots],
        "expiries": [expiry.isoformat() for expiry in resolved.expiries],
        "missing": [
            {"expiry": _iso(missing.expiry), "reason": missing.reason, "count": missing.count}
            for missing in resolved.missing
        ],
    }


def _numbers(chains: Iterable[ResolvedChain]) -> dict[str, int | None]:
    """The four numbers in sum; nothing is subscribed where no server runs."""
    chains = list(chains)
    return {
        "nominal": sum(resolved.nominal for resolved in chains),
        "unique": sum(resolved.unique for resolved in chains),
        "listed": sum(resolved.listed for resolved in chains),
        "subscribed": None,
    }


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None


def _as_table(tiers: Tiers) -> list[str]:
    rows = [(resolved.chain.underlying, resolved.chain.segment.name, *_cells([resolved])) for resolved in tiers.chains]
    rows.append(("total", "", *_cells(tiers.chains)))
    return [
        f"Tier B on {tiers.day:%A} {tiers.day}, rule-made listing: {tiers.mode}",
        *tiers.remarks,
        "",
        *_aligned([HEADINGS, *rows]),
        "",
        f"placement on the connections: {' / '.join(map(str, tiers.placement))}, references: {len(tiers.references)}",
        "",
        *(line for resolved in tiers.chains for line in _expiry_lines(resolved)),
        "? beyond the calendar known on that day: provisional",
    ]


def _cells(chains: Iterable[ResolvedChain]) -> list[str]:
    return ["-" if number is None else f"{number:,}" for number in _numbers(chains).values()]


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _expiry_lines(resolved: ResolvedChain) -> list[str]:
    provisional = {slot.expiry for slot in resolved.slots if slot.provisional}
    dates = (f"{expiry}{'?' * (expiry in provisional)}" for expiry in resolved.expiries)
    lines = [f"{resolved.chain.underlying}: {_counts(resolved.slots)}", f"  {' '.join(dates) or 'no known expiry'}"]
    return lines + [f"  missing {_missing_text(missing)}" for missing in resolved.missing]


def _counts(slots: Iterable[Slot]) -> str:
    kinds = [slot.kind for slot in slots]
    return ", ".join(f"{kinds.count(kind)} {kind.replace('_', '-').lower()}" for kind in dict.fromkeys(kinds))


def _missing_text(missing: Missing) -> str:
    return f"{missing.count:>3} of {missing.expiry or 'an expiry without a date'}: {missing.reason}"
