"""What a chain definition would come to today, before it is saved: slots, strikes, its numbers and its effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from itertools import groupby
from typing import Any

from feeds.bus import REDIS_ERRORS, feed_statuses
from feeds.chain_effect import ChainEffect, effect_of
from feeds.core.chains import ResolvedChain, Sides
from feeds.core.expiries import Slot
from feeds.core.instrument import ExchangeSegment
from feeds.interest import capacity_figures
from feeds.models import ChainDefinition, DhanAccount

SLOT_FIELDS = ("weekly", "monthly", "quarterly", "half_yearly")
SLOT_LIMIT = 60
"""Slots of one kind that a preview works out; no exchange lists nearly as many."""
STRIKES_LIMIT = 201


class NotAChain(ValueError):
    """The fields are not a chain yet; the message says which."""


def preview_of(fields: Mapping[str, str]) -> dict[str, Any]:
    """The preview of an editor's unsaved fields, or {"error": sentence} while they are not a chain."""
    try:
        effect = effect_of(definition_of(fields))
    except NotAChain as error:
        return {"error": str(error)}
    except KeyError:
        return {"error": "No expiry rule fits this underlying and segment."}
    return numbers(effect) | consequences(effect) | {"subscribed": subscribed(fields.get("id", ""))}


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
    if (
        any(not 0 <= figures[name] <= SLOT_LIMIT for name in SLOT_FIELDS)
        or not 1 <= figures["strikes"] <= STRIKES_LIMIT
    ):
        raise NotAChain(f"Slots are 0 to {SLOT_LIMIT} of a kind, strikes 1 to {STRIKES_LIMIT}.")
    return ChainDefinition(
        pk=number_in(fields.get("id", "")),
        underlying_symbol=fields.get("underlying_symbol", "").strip().upper(),
        segment=segment,
        account=account_in(fields.get("account", "")),
        enabled=fields.get("enabled") == "on",
        weekly_counts_monthly_week=fields.get("weekly_counts_monthly_week") == "on",
        sides=sides,
        **figures,
    )


def number_in(text: str) -> int | None:
    """A primary key as a form sends it; None while there is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def account_in(text: str) -> DhanAccount:
    """The account that the editor names.

    Raises:
        NotAChain: none is chosen yet.
    """
    account = DhanAccount.objects.filter(pk=number_in(text)).first()
    if account is None:
        raise NotAChain("Choose the account that will feed it.")
    return account


def subscribed(chain_id: str) -> int | None:
    """How many contracts of the saved chain its feed has subscribed; None when no feed speaks of it."""
    try:
        chains = [status.get("chains", {}) for status in feed_statuses().values()]
    except REDIS_ERRORS:
        return None
    return next((counts[chain_id] for counts in chains if chain_id in counts), None)


def numbers(effect: ChainEffect) -> dict[str, Any]:
    resolved, seen = effect.resolved, set[date]()
    return {
        "day": effect.day.isoformat(),
        "nominal": resolved.nominal,
        "unique": resolved.unique,
        "listed": resolved.listed,
        "would_be": effect.would_be,
        "missing": [asdict(missing) for missing in resolved.missing],
        "slots": [slot_row(slot, seen) for slot in resolved.slots],
        "strikes": strike_rows(resolved),
        "atm_strike": effect.centre.price,
        "atm_is_guess": effect.centre.is_guess,
    }


def consequences(effect: ChainEffect) -> dict[str, Any]:
    """What becomes of the account, and of all accounts together; `refusal` is why it would not be saved."""
    rehearsal = effect.rehearsal
    connections = zip(effect.loads_before, effect.loads_after, strict=True)
    return {
        "refusal": effect.sentence or None,
        "account": {"before": capacity_figures(rehearsal.before), "after": capacity_figures(rehearsal.after)},
        "total": {"before": capacity_figures(rehearsal.total_before), "after": capacity_figures(rehearsal.total_after)},
        "connections": [{"before": before, "after": after} for before, after in connections],
    }


def strike_rows(resolved: ResolvedChain) -> list[dict[str, Any]]:
    """By expiry the window that would be subscribed: its lowest and highest strike, and how many."""
    ordered = sorted(resolved.contracts, key=lambda contract: contract.expiry)
    rows = []
    for expiry, contracts in groupby(ordered, key=lambda contract: contract.expiry):
        strikes = sorted({contract.strike for contract in contracts})
        rows.append({"expiry": expiry.isoformat(), "low": strikes[0], "high": strikes[-1], "count": len(strikes)})
    return rows


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
