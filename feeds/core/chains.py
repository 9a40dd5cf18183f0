"""Option chains: a definition and the listed contracts in; contracts, the four numbers and reasons out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

from feeds.core.calendar import read_data
from feeds.core.expiries import Slot, Slots, expiry_dates
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType, OptionType
from feeds.core.strikes import RankedStrike, window

TIER_A_STRIKES = 21
"""A watchlist item with options expands to its nearest expiry: 21 strikes x call and put = 42."""


class Sides(StrEnum):
    """Which contracts of a strike a chain holds: both, or the out-of-the-money one."""

    BOTH = "BOTH"
    OTM = "OTM"


class MissingReason(StrEnum):
    """Why a contract that the slots name is not there. The list is closed."""

    NOT_KNOWN = "NOT_KNOWN"  # the exchange has not published the expiry yet
    NOT_LISTED = "NOT_LISTED"  # the master has no contract of that expiry
    TOO_FEW_STRIKES = "TOO_FEW_STRIKES"  # the expiry carries fewer strikes than the window
    SIDE_NOT_LISTED = "SIDE_NOT_LISTED"  # the strike is there, its call or put is not
    NO_REFERENCE_PRICE = "NO_REFERENCE_PRICE"  # nothing to centre the window on yet


@dataclass(frozen=True)
class Chain:
    """The definition of an always-on chain as a value."""

    underlying: str
    segment: ExchangeSegment
    slots: Slots
    strikes: int
    sides: Sides = Sides.BOTH

    @property
    def contracts_per_expiry(self) -> int:
        return self.strikes * (2 if self.sides is Sides.BOTH else 1)


class ListedContract(NamedTuple):
    """An option that the instrument master has; strike in paise."""

    key: InstrumentKey
    expiry: date
    strike: int
    option_type: OptionType


class ResolvedContract(NamedTuple):
    """A listed option that a chain or a window chose, and the strike rank that chose it."""

    key: InstrumentKey
    expiry: date
    strike: int
    option_type: OptionType
    rank: int


@dataclass(frozen=True)
class Missing:
    """`count` contracts of an expiry (None: its date is not known) that are not there, and why."""

    expiry: date | None
    reason: MissingReason
    count: int


@dataclass(frozen=True)
class ResolvedChain:
    """What a chain comes to on a day.

    `nominal` is slots x strikes x sides, `unique` the same after dates that two slots name are one,
    and `listed` what the master really has. `listed` and `missing` add up: every unique contract is
    in one of them, and slots without a date are missing beyond that.
    """

    chain: Chain
    slots: tuple[Slot, ...]
    contracts: tuple[ResolvedContract, ...]
    missing: tuple[Missing, ...]

    @property
    def nominal(self) -> int:
        return len(self.slots) * self.chain.contracts_per_expiry

    @property
    def unique(self) -> int:
        return len(self.expiries) * self.chain.contracts_per_expiry

    @property
    def listed(self) -> int:
        return len(self.contracts)

    @property
    def expiries(self) -> list[date]:
        return expiry_dates(self.slots)


Listed = Mapping[date, Sequence[ListedContract]]


def by_expiry(contracts: Iterable[ListedContract]) -> dict[date, list[ListedContract]]:
    """Listed contracts grouped for `resolve_chain` and `option_window`."""
    grouped: dict[date, list[ListedContract]] = {}
    for contract in contracts:
        grouped.setdefault(contract.expiry, []).append(contract)
    return grouped


def resolve_chain(chain: Chain, slots: Sequence[Slot], listed: Listed, reference: int | None) -> ResolvedChain:
    """Choose a chain's contracts among the listed ones; no security id is ever invented.

    Args:
        slots: of `expiry_slots` for the chain on the day.
        listed: the underlying's listed options by expiry.
        reference: what the windows centre on in paise, an ATM strike or a price; one for all slots.
    """
    contracts: list[ResolvedContract] = []
    missing = _undated(chain, slots)
    for expiry in expiry_dates(slots):
        chosen, lacking = _resolve_expiry(chain, expiry, listed.get(expiry, ()), reference)
        contracts += chosen
        missing += lacking
    return ResolvedChain(chain, tuple(slots), tuple(contracts), tuple(missing))


def option_window(
    listed: Listed, day: date, reference: int | None, strikes: int = TIER_A_STRIKES
) -> list[ResolvedContract]:
    """Calls and puts around the reference at the nearest listed expiry: what an underlying in a watchlist adds.

    Empty when nothing is listed from the day on or there is no reference price (paise).
    """
    expiry = nearest_expiry(listed, day)
    if expiry is None or reference is None:
        return []
    contracts = listed[expiry]
    ranked = window(_strikes(contracts), reference, strikes)
    return list(_chosen(contracts, [(strike, side) for strike in ranked for side in OptionType]))


def nearest_expiry(listed: Listed, day: date) -> date | None:
    """The first listed expiry that has not passed."""
    return min((expiry for expiry, contracts in listed.items() if expiry >= day and contracts), default=None)


def reference_segment(instrument_type: InstrumentType, segment: ExchangeSegment) -> ExchangeSegment:
    """Where an option's underlying is fed: the spot index, the equity of its exchange or, on MCX, a future.

    Raises:
        ValueError: the instrument type is not an option's.
    """
    if instrument_type is InstrumentType.OPTIDX:
        return ExchangeSegment.IDX_I
    if instrument_type is InstrumentType.OPTSTK:
        return ExchangeSegment.BSE_EQ if segment == ExchangeSegment.BSE_FNO else ExchangeSegment.NSE_EQ
    if instrument_type is InstrumentType.OPTFUT:
        return segment
    raise ValueError(f"{instrument_type} has no reference")


def reference_future(futures: Iterable[tuple[date, InstrumentKey]], option_expiry: date) -> InstrumentKey | None:
    """The future that an MCX option month is priced on: the first to expire on or after the option.

    The master shares one underlying id between a commodity's options and futures and links no month, so
    the dates are the link. Give it the nearest option expiry: one reference serves all slots of a chain.
    """
    live = [(expiry, key) for expiry, key in futures if expiry >= option_expiry]
    return min(live)[1] if live else None


def shipped_chains() -> tuple[Chain, ...]:
    """The eight chains of `feeds/data/chains.json`, in the order they are shown."""
    return tuple(_chain(row) for row in read_data("chains.json"))


def _chain(row: Any) -> Chain:
    return Chain(
        underlying=row["underlying"],
        segment=ExchangeSegment[row["segment"]],
        slots=Slots(**row["slots"]),
        strikes=row["strikes"],
        sides=Sides(row["sides"]),
    )


def _undated(chain: Chain, slots: Sequence[Slot]) -> list[Missing]:
    unknown = sum(slot.expiry is None for slot in slots)
    return [Missing(None, MissingReason.NOT_KNOWN, unknown * chain.contracts_per_expiry)] if unknown else []


def _resolve_expiry(
    chain: Chain, expiry: date, contracts: Sequence[ListedContract], reference: int | None
) -> tuple[list[ResolvedContract], list[Missing]]:
    reason = _absent(contracts, reference)
    if reason is not None or reference is None:
        return [], [Missing(expiry, reason or MissingReason.NO_REFERENCE_PRICE, chain.contracts_per_expiry)]
    ranked = window(_strikes(contracts), reference, chain.strikes)
    wanted = [(strike, side) for strike in ranked for side in _sides(chain, strike)]
    chosen = list(_chosen(contracts, wanted))
    lacking = Counter(
        {
            MissingReason.TOO_FEW_STRIKES: chain.contracts_per_expiry - len(wanted),
            MissingReason.SIDE_NOT_LISTED: len(wanted) - len(chosen),
        }
    )
    return chosen, [Missing(expiry, reason, count) for reason, count in lacking.items() if count]


def _absent(contracts: Sequence[ListedContract], reference: int | None) -> MissingReason | None:
    """Why an expiry gives nothing at all."""
    if not contracts:
        return MissingReason.NOT_LISTED
    return MissingReason.NO_REFERENCE_PRICE if reference is None else None


def _sides(chain: Chain, strike: RankedStrike) -> tuple[OptionType, ...]:
    if chain.sides is Sides.BOTH:
        return (OptionType.CALL, OptionType.PUT)
    return (OptionType.PUT,) if strike.rank < 0 else (OptionType.CALL,)


def _strikes(contracts: Iterable[ListedContract]) -> list[int]:
    return sorted({contract.strike for contract in contracts})


def _chosen(
    contracts: Iterable[ListedContract], wanted: Iterable[tuple[RankedStrike, OptionType]]
) -> Iterator[ResolvedContract]:
    listed = {(contract.strike, contract.option_type): contract for contract in contracts}
    for strike, side in wanted:
        contract = listed.get((strike.strike, side))
        if contract is not None:
            yield ResolvedContract(*contract, rank=strike.rank)


SHIPPED_CHAINS = shipped_chains()
