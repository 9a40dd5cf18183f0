"""What a chain definition would take of what Dhan allows, worked out before it is saved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from feeds import clock
from feeds.core.chains import ResolvedChain, resolve_chain
from feeds.core.subscriptions import Planner
from feeds.interest import InterestChange, Rehearsal, Source, limits, rehearse_interest
from feeds.models import ChainDefinition, ChainState
from feeds.selectors import last_prices, market_calendar
from feeds.services import Underlying, underlying_of

UNSAVED = "unsaved"
"""The owner of a definition that has no row yet."""


@dataclass(frozen=True, slots=True)
class Centre:
    """What the windows are centred on, in paise. `is_guess`: nothing is known of the price, and a middle must do."""

    price: int | None
    is_guess: bool = False


@dataclass(frozen=True, slots=True)
class ChainEffect:
    """A definition resolved today, and what would become of its account with it. Loads are by connection."""

    day: date
    resolved: ResolvedChain
    centre: Centre
    rehearsal: Rehearsal
    loads_before: tuple[int, ...]
    loads_after: tuple[int, ...]

    @property
    def would_be(self) -> int:
        """How many of its contracts would be subscribed: all, or what there is room for."""
        refusal = self.rehearsal.refusal
        return (
            max(0, self.resolved.listed - (refusal.additional - refusal.capacity.free))
            if refusal
            else self.resolved.listed
        )

    @property
    def sentence(self) -> str:
        """Why it cannot be saved, with the figures; empty when it can."""
        refusal = self.rehearsal.refusal
        if refusal is None:
            return ""
        room = refusal.capacity
        return (
            f"It does not fit: it would take {refusal.additional:,} more instruments, and {room.free:,} of "
            f"{room.total:,} are free (Tier B {room.tier_b:,}, references {room.references:,}, Tier A {room.tier_a:,})."
        )


def effect_of(definition: ChainDefinition, day: date | None = None) -> ChainEffect:
    """Resolve an unsaved (or changed) definition and rehearse it on its account. Nobody is asked, nothing written.

    Raises:
        KeyError: no expiry rule fits its underlying and segment.
    """
    day = day or clock.exchange_today()
    underlying = underlying_of(definition, day, market_calendar())
    centre = centre_of(definition, underlying)
    resolved = resolve_chain(underlying.chain, underlying.slots, underlying.listed, centre.price)
    rehearsal = rehearse(definition, underlying, resolved)
    before, after = loads_of(rehearsal)
    return ChainEffect(day, resolved, centre, rehearsal, before, after)


def centre_of(definition: ChainDefinition, underlying: Underlying) -> Centre:
    """The saved chain's ATM while its underlying is the same, else the last price, else the middle listed strike."""
    chain = underlying.chain
    same = ChainState.objects.filter(
        definition_id=definition.pk,
        definition__underlying_symbol=chain.underlying,
        definition__segment=chain.segment,
    )
    if atm := same.values_list("atm_strike", flat=True).first():
        return Centre(atm)
    reference = underlying.reference
    if reference is not None and (price := last_prices([reference.code]).get(reference.code)):
        return Centre(price)
    strikes = underlying.strikes
    return Centre(strikes[len(strikes) // 2], is_guess=True) if strikes else Centre(None)


def rehearse(definition: ChainDefinition, underlying: Underlying, resolved: ResolvedChain) -> Rehearsal:
    """A disabled chain wants nothing."""
    keys = [contract.key for contract in resolved.contracts] if definition.enabled else []
    references = [underlying.reference] if underlying.reference and definition.enabled else []
    owner = str(definition.pk or UNSAVED)
    return rehearse_interest(Source.CHAIN, owner, keys, definition.account_id, references=references)


def loads_of(rehearsal: Rehearsal) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Instruments on each connection before and after: the planner's own way from the one to the other."""
    planner = Planner(limits())
    want_all(planner, rehearsal.rows_before)
    planner.plan()
    before = tuple(planner.loads)
    want_all(planner, rehearsal.rows_after)
    planner.keep_only([(row.source, row.owner) for row in rehearsal.rows_after])
    planner.plan()
    return before, tuple(planner.loads)


def want_all(planner: Planner, rows: tuple[InterestChange, ...]) -> None:
    for row in rows:
        planner.want((row.source, row.owner), row.codes, row.subscription_class, held=row.held)
