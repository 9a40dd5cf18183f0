"""What a chain definition would come to today: its expiry slots and its numbers, before it is saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from feeds.bus import REDIS_ERRORS, feed_statuses
from feeds.clock import exchange_today
from feeds.core.chains import ResolvedChain, Sides, resolve_chain
from feeds.core.expiries import Slot
from feeds.core.instrument import ExchangeSegment
from feeds.models import ChainDefinition, ChainState
from feeds.selectors import last_prices, market_calendar
from feeds.services import Underlying, underlying_of

SLOT_FIELDS = ("weekly", "monthly", "quarterly", "half_yearly")
SLOT_LIMIT = 60
"""Slots of one kind that a preview works out; no exchange lists nearly as many."""


class NotAChain(ValueError):
    """The fields are not a chain yet; the message says which."""


def preview_of(fields: Mapping[str, str]) -> dict[str, Any]:
    """The preview of an editor's unsaved fields, or {"error": sentence} while they are not a chain."""
    day = exchange_today()
    try:
        definition = definition_of(fields)
        underlying = underlying_of(definition, day, market_calendar())
    except NotAChain as error:
        return {"error": str(error)}
    except KeyError:
        return {"error": "No expiry rule fits this underlying and segment."}
    atm = atm_of(fields.get("id", ""), underlying)
    resolved = resolve_chain(underlying.chain, underlying.slots, underlying.listed, atm)
    return numbers(resolved, day) | {"atm_strike": atm, "subscribed": subscribed(fields.get("id", ""))}


def definition_of(fields: Mapping[str, str]) -> ChainDefinition:
    """An unsaved definition from the editor's fields.

    Raises:
        NotAChain: a field is missing or out of range.
    """
    try:
        segment = ExchangeSegment(int(fields.get("segment", "")))
        figures = {name: int(fields.get(name) or 0) for name in (*SLOT_FIELDS, "strikes")}
        sides = Sides(fields.get("sides", ""))
    except ValueError:
        raise NotAChain("Choose a segment, sides and whole numbers.") from None
    if any(not 0 <= figures[name] <= SLOT_LIMIT for name in SLOT_FIELDS) or figures["strikes"] < 1:
        raise NotAChain(f"Slots are 0 to {SLOT_LIMIT} of a kind, strikes at least 1.")
    return ChainDefinition(
        underlying_symbol=fields.get("underlying_symbol", "").strip().upper(),
        segment=segment,
        weekly_counts_monthly_week=fields.get("weekly_counts_monthly_week") == "on",
        sides=sides,
        **figures,
    )


def atm_of(chain_id: str, underlying: Underlying) -> int | None:
    """Where the windows are centred: the saved chain's ATM while its underlying is the same, else the last price's."""
    state = ChainState.objects.filter(
        definition_id=chain_id if chain_id.isdigit() else None,
        definition__underlying_symbol=underlying.chain.underlying,
        definition__segment=underlying.chain.segment,
    ).first()
    if state and state.atm_strike:
        return state.atm_strike
    if underlying.reference is None:
        return None
    return last_prices([underlying.reference.code]).get(underlying.reference.code)


def subscribed(chain_id: str) -> int | None:
    """How many contracts of the saved chain its feed has subscribed; None when no feed speaks of it."""
    try:
        chains = [status.get("chains", {}) for status in feed_statuses().values()]
    except REDIS_ERRORS:
        return None
    return next((counts[chain_id] for counts in chains if chain_id in counts), None)


def numbers(resolved: ResolvedChain, day: date) -> dict[str, Any]:
    seen: set[date] = set()
    return {
        "day": day.isoformat(),
        "nominal": resolved.nominal,
        "unique": resolved.unique,
        "listed": resolved.listed,
        "missing": [asdict(missing) for missing in resolved.missing],
        "slots": [slot_row(slot, seen) for slot in resolved.slots],
    }


def slot_row(slot: Slot, seen: set[date]) -> dict[str, Any]:
    """One slot; `repeats` marks a date that an earlier slot names already."""
    repeats = slot.expiry in seen
    if slot.expiry is not None:
        seen.add(slot.expiry)
    return {
        "kind": slot.kind,
        "rank": slot.rank,
        "expiry": slot.expiry.isoformat() if slot.expiry else None,
        "provisional": slot.provisional,
        "reason": slot.reason,
        "repeats": repeats,
    }
