"""What a chain definition would come to today: its expiry slots and its numbers, before it is saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from feeds.clock import exchange_today
from feeds.core.chains import Chain, Sides
from feeds.core.expiries import Slot, Slots, expiry_dates, expiry_slots
from feeds.core.instrument import ExchangeSegment
from feeds.selectors import market_calendar

SLOT_FIELDS = ("weekly", "monthly", "quarterly", "half_yearly")
SLOT_LIMIT = 60
"""Slots of one kind that a preview works out; no exchange lists nearly as many."""


def preview_of(fields: Mapping[str, str]) -> dict[str, Any]:
    """The preview of an editor's unsaved fields, or {"error": sentence} while they are not a chain."""
    try:
        chain = chain_of(fields)
        slots = expiry_slots(chain.underlying, chain.segment, chain.slots, exchange_today(), market_calendar())
    except (ValueError, KeyError) as error:
        return {"error": str(error.args[0]) if isinstance(error, PreviewError) else "No expiry rule fits these fields."}
    return preview(chain, slots, exchange_today())


class PreviewError(ValueError):
    """The fields are not a chain; the message says which."""


def chain_of(fields: Mapping[str, str]) -> Chain:
    """Read the editor's fields.

    Raises:
        PreviewError: a field is missing or out of range.
    """
    try:
        segment = ExchangeSegment(int(fields.get("segment", "")))
        numbers = {name: int(fields.get(name) or 0) for name in (*SLOT_FIELDS, "strikes")}
        sides = Sides(fields.get("sides", ""))
    except ValueError:
        raise PreviewError("Choose a segment, sides and whole numbers.") from None
    if any(not 0 <= numbers[name] <= SLOT_LIMIT for name in SLOT_FIELDS) or numbers["strikes"] < 1:
        raise PreviewError(f"Slots are 0 to {SLOT_LIMIT} of a kind, strikes at least 1.")
    counts_monthly_week = fields.get("weekly_counts_monthly_week") == "on"
    slots = Slots(weekly_counts_monthly_week=counts_monthly_week, **{name: numbers[name] for name in SLOT_FIELDS})
    return Chain(fields.get("underlying_symbol", "").strip().upper(), segment, slots, numbers["strikes"], sides)


def preview(chain: Chain, slots: Sequence[Slot], day: date) -> dict[str, Any]:
    seen: set[date] = set()
    return {
        "day": day.isoformat(),
        "nominal": len(slots) * chain.contracts_per_expiry,
        "unique": len(expiry_dates(slots)) * chain.contracts_per_expiry,
        "slots": [slot_row(slot, seen) for slot in slots],
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
