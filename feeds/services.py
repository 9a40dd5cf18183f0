"""Tier B as it should be today: definitions resolved against listed instruments, recentred as the market moves."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import httpx
import numpy as np
from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import transaction
from numpy.typing import NDArray

from feeds import clock, topics
from feeds.core.calendar import Calendar
from feeds.core.chains import (
    Chain,
    ListedContract,
    MissingReason,
    ResolvedChain,
    Sides,
    by_expiry,
    resolve_chain,
)
from feeds.core.expiries import Slot, Slots, expiry_dates, expiry_slots
from feeds.core.instrument import OPTION_TYPES, ExchangeSegment, InstrumentKey, InstrumentType, OptionType
from feeds.core.strikes import HYSTERESIS_TICKS, AtmTracker
from feeds.credentials import CredentialError, open_sealed
from feeds.dhan.rest import Credentials, DhanRest, DhanRestError
from feeds.interest import CapacityExceeded, Source, declare_interest, release_source, withdraw_interest
from feeds.models import ChainContract, ChainDefinition, ChainState, DhanAccount, Instrument, Interest
from feeds.selectors import last_prices, market_calendar, reference_of
from feeds.topics import ChainName

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Underlying:
    """What a chain hangs on today: its slots, its listed options, its reference and that one's tick in paise."""

    chain: Chain
    slots: tuple[Slot, ...]
    listed: dict[date, list[ListedContract]]
    reference: InstrumentKey | None
    tick_size: int

    @property
    def strikes(self) -> list[int]:
        """Those of the nearest listed expiry among the slots: ATM is one of them."""
        nearest = next((expiry for expiry in expiry_dates(self.slots) if expiry in self.listed), None)
        return sorted({contract.strike for contract in self.listed.get(nearest, ())}) if nearest else []

    def tracker(self, atm: int | None) -> AtmTracker:
        return AtmTracker(self.strikes, HYSTERESIS_TICKS * self.tick_size, atm)


@dataclass(frozen=True, slots=True)
class WatchedChain:
    """What a feed process needs to see ATM move: feed `tracker` the reference's prices, then call `recentre_chain`."""

    definition_id: int
    reference: int
    tracker: AtmTracker


def rebuild_chains(day: date | None = None) -> dict[str, Any]:
    """Resolve every enabled definition for a trading day (default: today's exchange date) and declare its interest.

    A chain that does not fit keeps what it had. Returns the numbers of each chain and in sum, as JSON.

    Raises:
        CapacityExceeded: of the first chain that did not fit, after all others are done.
    """
    day = day or clock.exchange_today()
    calendar = market_calendar()
    withdraw_retired_chains()
    definitions = list(ChainDefinition.objects.filter(enabled=True).select_related("account", "state"))
    underlyings = {definition.pk: underlying_of(definition, day, calendar) for definition in definitions}
    prices = reference_prices(definitions, underlyings)
    refused: list[CapacityExceeded] = []
    for definition in definitions:
        try:
            resolve_definition(definition, underlyings[definition.pk], prices.get(definition.pk), day)
        except CapacityExceeded as error:
            log.error("chain %s does not fit: %s", definition, error)
            refused.append(error)
    if refused:
        raise refused[0]
    return rebuild_report(day)


def recentre_chain(definition_id: int, price: int, day: date | None = None) -> bool:
    """Move a chain's windows to where its reference trades (paise), if that is far enough from ATM.

    One declaration replaces the chain's set: the planner then unsubscribes before it subscribes.
    Returns whether ATM moved.

    Raises:
        CapacityExceeded: contracts that leave the window stay wanted by others and the new ones do not fit
            beside them; the chain keeps the windows it has.
    """
    day = day or clock.exchange_today()
    definition = (
        ChainDefinition.objects.select_related("account", "state").filter(pk=definition_id, enabled=True).first()
    )
    if definition is None:
        return False
    underlying = underlying_of(definition, day, market_calendar())
    if not underlying.tracker(_atm_of(definition)).update(price):
        return False
    resolve_definition(definition, underlying, price, day)
    return True


def watched_chains(account_id: int, day: date | None = None) -> list[WatchedChain]:
    """The chains of an account whose reference is known. Ask again after a rebuild."""
    day, calendar = day or clock.exchange_today(), market_calendar()
    watched = []
    definitions = ChainDefinition.objects.filter(enabled=True, account_id=account_id).select_related("state")
    for definition in definitions:
        underlying = underlying_of(definition, day, calendar)
        if underlying.reference is not None:
            tracker = underlying.tracker(_atm_of(definition))
            watched.append(WatchedChain(definition.pk, underlying.reference.code, tracker))
    return watched


def release_tier_a(segments: Collection[ExchangeSegment]) -> int:
    """Release what watchlists want in these segments; chains and held instruments stay. Returns how many."""
    return release_source(Source.WATCHLIST, segments)


def withdraw_retired_chains() -> None:
    """Definitions that were deleted or disabled want nothing any more."""
    enabled = {str(pk) for pk in ChainDefinition.objects.filter(enabled=True).values_list("pk", flat=True)}
    declared = Interest.objects.filter(source=Source.CHAIN).exclude(codes=b"").values_list("owner", flat=True)
    waiting = Interest.objects.filter(source=Source.REFERENCE, owner__startswith=f"{Source.CHAIN}.").exclude(codes=b"")
    owners = {*declared, *(owner.partition(".")[2] for owner in waiting.values_list("owner", flat=True))}
    for owner in owners - enabled:
        withdraw_interest(Source.CHAIN, owner)
    ChainContract.objects.filter(definition__enabled=False).delete()
    ChainState.objects.filter(definition__enabled=False).delete()


# --- resolving one ------------------------------------------------------------------------------


@transaction.atomic
def resolve_definition(
    definition: ChainDefinition, underlying: Underlying, price: int | None, day: date
) -> ResolvedChain:
    """Choose a chain's contracts, declare them with their reference and remember both. No socket in here.

    Without a price the last ATM serves; without that the chain is missing, with the reason NO_REFERENCE_PRICE,
    and its reference alone is wanted: its first price centres the chain.
    """
    locked = ChainDefinition.objects.select_for_update(of=("self",)).select_related("account", "state")
    definition = locked.get(pk=definition.pk)
    tracker = underlying.tracker(_atm_of(definition))
    tracker.update(price or 0)
    resolved = resolve_chain(underlying.chain, underlying.slots, underlying.listed, tracker.atm)
    references = [underlying.reference] if underlying.reference else []
    keys = [contract.key for contract in resolved.contracts]
    declare_interest(Source.CHAIN, str(definition.pk), keys, definition.account, references=references)
    _write_contracts(definition, resolved)
    _write_state(definition, resolved, underlying.reference, tracker.atm, day)
    return resolved


def underlying_of(definition: ChainDefinition, day: date, calendar: Calendar) -> Underlying:
    """Read what is listed for a definition on a day."""
    chain = chain_of(definition)
    slots = tuple(expiry_slots(chain.underlying, chain.segment, chain.slots, day, calendar))
    rows = list(
        Instrument.objects.filter(
            segment=chain.segment, underlying_symbol=chain.underlying, is_listed=True,
            instrument_type__in=OPTION_TYPES, expiry__in=expiry_dates(slots),
        ).values_list("code", "expiry", "strike", "option_type", "instrument_type")
    )  # fmt: skip
    listed = by_expiry(
        ListedContract(InstrumentKey.from_code(code), expiry, strike, OptionType(side))
        for code, expiry, strike, side, _ in rows
    )
    found = reference_of(chain.segment, chain.underlying, InstrumentType(rows[0][4]), min(listed)) if rows else None
    key, tick_size = (found.key, found.tick_size) if found else (None, 0)
    return Underlying(chain, slots, listed, key, tick_size)


def chain_of(definition: ChainDefinition) -> Chain:
    """The definition as a value."""
    slots = Slots(
        weekly=definition.weekly,
        weekly_counts_monthly_week=definition.weekly_counts_monthly_week,
        monthly=definition.monthly,
        quarterly=definition.quarterly,
        half_yearly=definition.half_yearly,
    )
    segment = ExchangeSegment(definition.segment)
    return Chain(definition.underlying_symbol, segment, slots, definition.strikes, Sides(definition.sides))


def _atm_of(definition: ChainDefinition) -> int | None:
    state: ChainState | None = getattr(definition, "state", None)
    return state.atm_strike if state else None


def _write_contracts(definition: ChainDefinition, resolved: ResolvedChain) -> None:
    expiries = set(definition.contracts.values_list("expiry", flat=True))
    expiries |= {contract.expiry for contract in resolved.contracts}
    segment, symbol = ExchangeSegment(definition.segment), definition.underlying_symbol
    names = [str(ChainName(segment, symbol, expiry)) for expiry in expiries]
    transaction.on_commit(partial(topics.changed, *names))
    definition.contracts.exclude(instrument_id__in=[contract.key.code for contract in resolved.contracts]).delete()
    ChainContract.objects.bulk_create(
        [
            ChainContract(
                definition=definition,
                instrument_id=contract.key.code,
                expiry=contract.expiry,
                strike=contract.strike,
                option_type=contract.option_type,
                rank=contract.rank,
            )
            for contract in resolved.contracts
        ],
        update_conflicts=True,
        unique_fields=["definition", "instrument"],
        update_fields=["expiry", "strike", "option_type", "rank"],
    )


def _write_state(
    definition: ChainDefinition, resolved: ResolvedChain, reference: InstrumentKey | None, atm: int | None, day: date
) -> None:
    ChainState.objects.update_or_create(
        definition=definition,
        defaults={
            "trading_date": day,
            "reference_id": reference.code if reference else None,
            "atm_strike": atm,
            "nominal": resolved.nominal,
            "unique": resolved.unique,
            "listed": resolved.listed,
            "missing": [
                {
                    "expiry": missing.expiry.isoformat() if missing.expiry else None,
                    "reason": missing.reason.value,
                    "count": missing.count,
                }
                for missing in resolved.missing
            ],
        },
    )


# --- what the references cost -------------------------------------------------------------------


def reference_prices(definitions: Iterable[ChainDefinition], underlyings: dict[int, Underlying]) -> dict[int, int]:
    """The price in paise to centre each definition on, by its id: the last one known here, else Dhan's own answer.

    Definitions whose reference has none are left out.
    """
    wanted: dict[DhanAccount, dict[int, int]] = {}
    for definition in definitions:
        if reference := underlyings[definition.pk].reference:
            wanted.setdefault(definition.account, {})[definition.pk] = reference.code
    prices: dict[int, int] = {}
    for account, codes in wanted.items():
        known = _prices(account, set(codes.values()))
        prices |= {pk: known[code] for pk, code in codes.items() if code in known}
    return prices


def _prices(account: DhanAccount, codes: set[int]) -> dict[int, int]:
    known = last_prices(codes)
    lacking = codes - known.keys()
    return known | _quotes(account, lacking) if lacking else known


def _quotes(account: DhanAccount, codes: Collection[int]) -> dict[int, int]:
    """What Dhan says they cost: last traded, else the previous close. Nothing when it cannot be asked."""
    try:
        token = open_sealed(account, "access_token")
        if not token:
            return {}
        who = Credentials(account.client_id, token, account.credential_version)
        rows = async_to_sync(_ask_quotes)(who, codes)
    except (CredentialError, DhanRestError, httpx.HTTPError) as error:
        log.warning("no quotes for the references of account %s: %s", account.pk, type(error).__name__)
        return {}
    prices = np.where(rows["last_price"] > 0, rows["last_price"], rows["previous_close"])
    return {int(code): int(price) for code, price in zip(rows["code"], prices, strict=True) if price > 0}


async def _ask_quotes(who: Credentials, codes: Collection[int]) -> NDArray[np.void]:
    async def credentials() -> Credentials:
        return who

    rest = DhanRest(settings.DHAN_REST_URL, credentials)
    try:
        return await rest.quotes(codes)
    finally:
        await rest.aclose()


# --- what came of it ----------------------------------------------------------------------------


def rebuild_report(day: date) -> dict[str, Any]:
    """The numbers of every enabled chain, and in sum, as JSON."""
    states = ChainState.objects.filter(definition__enabled=True).select_related("definition").order_by("definition")
    chains = [
        {
            "underlying": state.definition.underlying_symbol,
            "segment": ExchangeSegment(state.definition.segment).name,
            "atm_strike": state.atm_strike,
            "nominal": state.nominal,
            "unique": state.unique,
            "listed": state.listed,
            "missing": state.missing,
        }
        for state in states
    ]
    sums = {name: sum(chain[name] for chain in chains) for name in ("nominal", "unique", "listed")}
    unpriced = [
        chain["underlying"]
        for chain in chains
        if any(missing["reason"] == MissingReason.NO_REFERENCE_PRICE for missing in chain["missing"])
    ]
    return {"day": day.isoformat(), **sums, "without_reference_price": unpriced, "chains": chains}
