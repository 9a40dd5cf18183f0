"""The subscription planner: what is wanted, where it is placed, and the steps from one to the other."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray

from feeds.core.instrument import SECURITY_ID_BITS, ExchangeSegment

Codes = NDArray[np.uint64]
"""Sorted, distinct instrument codes (InstrumentKey.code)."""


class SubscriptionClass(StrEnum):
    """What an instrument is counted as. It has one class: the first of these that somebody wants it in."""

    TIER_B = "TIER_B"
    REFERENCE = "REFERENCE"
    TIER_A = "TIER_A"


class Action(StrEnum):
    SUBSCRIBE = "SUBSCRIBE"
    UNSUBSCRIBE = "UNSUBSCRIBE"


class Mode(StrEnum):
    """How much of an instrument Dhan sends. An instrument is subscribed in one mode only."""

    QUOTE = "QUOTE"
    FULL = "FULL"


@dataclass(frozen=True, slots=True)
class Limits:
    """What Dhan allows one account, and how far apart the loads of its connections may drift.

    Raises:
        ValueError: the total is more than the connections can carry.
    """

    connections: int = 5
    per_connection: int = 5000
    per_message: int = 100
    total: int = 25_000
    spread: int = 10  # 0.2 % of a connection: closer would move instruments, and so open gaps, for nothing

    def __post_init__(self) -> None:
        if self.total > self.connections * self.per_connection:
            raise ValueError(f"{self.connections} connections of {self.per_connection} cannot carry {self.total}")


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many instruments are wanted, by class, of how many there may be."""

    total: int
    tier_b: int
    references: int
    tier_a: int

    @property
    def used(self) -> int:
        return self.tier_b + self.references + self.tier_a

    @property
    def free(self) -> int:
        """What may still be wanted; never negative."""
        return max(0, self.total - self.used)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not subscribed: it does not fit. `left_out` counts by class what waits for room."""

    requested: int
    additional: int
    capacity: Capacity
    left_out: Mapping[SubscriptionClass, int]
    reason: str = "CAPACITY_EXCEEDED"


@dataclass(frozen=True, slots=True)
class Step:
    """One request message: at most `Limits.per_message` codes, one connection, one mode.

    `gap` says that packets of these instruments may have been missed: they were moved or resubscribed.
    """

    connection: int
    action: Action
    mode: Mode
    codes: tuple[int, ...]
    gap: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in the order they must be sent: at no instant between them is a limit exceeded."""

    steps: tuple[Step, ...] = ()
    refusal: Refusal | None = None


class _Rank(IntEnum):
    """Who keeps a place when there are too few: the first do. Held instruments are counted in Tier A."""

    TIER_B = 0
    REFERENCE = 1
    HELD = 2
    TIER_A = 3


_CLASS_OF = {
    _Rank.TIER_B: SubscriptionClass.TIER_B,
    _Rank.REFERENCE: SubscriptionClass.REFERENCE,
    _Rank.HELD: SubscriptionClass.TIER_A,
    _Rank.TIER_A: SubscriptionClass.TIER_A,
}


def mode_of(code: int) -> Mode:
    """Indices have no depth and no open interest of their own: a quote says all. Everything else is in full."""
    return Mode.QUOTE if code >> SECURITY_ID_BITS == ExchangeSegment.IDX_I else Mode.FULL


@dataclass(slots=True)
class _Changes:
    """What one plan does, as (connection, code)."""

    released: list[tuple[int, int]] = field(default_factory=list)
    added: list[tuple[int, int]] = field(default_factory=list)
    left: list[tuple[int, int]] = field(default_factory=list)  # moves, on the old connection
    entered: list[tuple[int, int]] = field(default_factory=list)  # the same moves, on the new one


class Planner:
    """An incremental index of who wants what and where it is placed.

    Owners say what they want (`want`, `withdraw`); `plan` turns all that changed since the last plan into
    steps and takes them as done. Its cost follows the change, never the number of subscriptions.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._owners: dict[Hashable, tuple[_Rank, Codes]] = {}
        self._wanted_by: dict[int, list[int]] = {}  # code -> how many owners, by rank
        self._waiting: dict[_Rank, OrderedDict[int, None]] = {rank: OrderedDict() for rank in _Rank}
        self._placed: dict[_Rank, dict[int, None]] = {rank: {} for rank in _Rank}  # in order of arrival
        self._connection_of: dict[int, int] = {}
        self._members: list[set[int]] = [set() for _ in range(self.limits.connections)]
        self._movable: list[dict[int, None]] = [{} for _ in range(self.limits.connections)]  # Tier A of each
        self._unwanted: dict[int, None] = {}  # placed, and wanted by nobody any more
        self._lost: set[int] = set()

    # --- what is wanted -------------------------------------------------------------------------

    def want(
        self, owner: Hashable, codes: Iterable[int] | Codes, klass: SubscriptionClass, *, held: bool = False
    ) -> None:
        """Replace all that `owner` wants. `held` Tier A is neither moved nor refused while other Tier A can be."""
        rank = _Rank.HELD if held and klass is SubscriptionClass.TIER_A else _Rank[klass.name]
        new = _sorted_codes(codes)
        old_rank, old = self._owners.get(owner, (rank, _NOTHING))
        changed_rank = old_rank is not rank
        arrived = new if changed_rank else _only_in_first(new, old)
        departed = old if changed_rank else _only_in_first(old, new)
        for code in arrived.tolist():
            self._count(code, rank, +1)
        for code in departed.tolist():
            self._count(code, old_rank, -1)
        if len(new):
            self._owners[owner] = (rank, new)
        else:
            self._owners.pop(owner, None)

    def withdraw(self, owner: Hashable) -> None:
        """The owner wants nothing any more; unknown owners want nothing already."""
        rank, codes = self._owners.pop(owner, (_Rank.TIER_A, _NOTHING))
        for code in codes.tolist():
            self._count(code, rank, -1)

    def keep_only(self, owners: Collection[Hashable]) -> None:
        """Every other owner wants nothing any more: for when all there are is known and their going is not."""
        for owner in self._owners.keys() - set(owners):
            self.withdraw(owner)

    def fits(self, codes: Iterable[int] | Codes) -> Refusal | None:
        """Whether these could be wanted beside all that is wanted now; if not, the figures."""
        asked = _sorted_codes(codes).tolist()
        additional = sum(code not in self._wanted_by for code in asked)
        capacity = self.capacity()
        if additional <= capacity.free:
            return None
        return Refusal(len(asked), additional, capacity, {SubscriptionClass.TIER_A: additional})

    # --- what is so -----------------------------------------------------------------------------

    @property
    def loads(self) -> list[int]:
        """Instruments on each connection, as the last plan left them."""
        return [len(members) for members in self._members]

    def placement(self, code: int) -> int | None:
        """The connection that feeds an instrument, or None."""
        return self._connection_of.get(code)

    def desired(self, connection: int) -> list[int]:
        """All that one connection should carry, sorted: what to subscribe on a fresh socket."""
        return sorted(self._members[connection])

    def counts(self) -> dict[SubscriptionClass, int]:
        """Instruments placed, by class."""
        counts = dict.fromkeys(SubscriptionClass, 0)
        for rank, placed in self._placed.items():
            counts[_CLASS_OF[rank]] += len(placed)
        return counts

    def left_out(self) -> dict[SubscriptionClass, list[int]]:
        """Instruments wanted for which there is no place, by class, in the order they would get one."""
        waiting: dict[SubscriptionClass, list[int]] = {klass: [] for klass in SubscriptionClass}
        for rank, codes in self._waiting.items():
            waiting[_CLASS_OF[rank]].extend(codes)
        return waiting

    def capacity(self) -> Capacity:
        """Instruments wanted, by class, placed or not."""
        wanted = {rank: len(self._placed[rank]) + len(self._waiting[rank]) for rank in _Rank}
        return Capacity(
            total=self.limits.total,
            tier_b=wanted[_Rank.TIER_B],
            references=wanted[_Rank.REFERENCE],
            tier_a=wanted[_Rank.HELD] + wanted[_Rank.TIER_A],
        )

    # --- from the one to the other ----------------------------------------------------------------

    def forget(self, connection: int) -> None:
        """The connection lost all its subscriptions: the next plan subscribes them again, marked as a gap."""
        self._lost.add(connection)

    def plan(self) -> Plan:
        """The steps from the last plan to what is wanted now; they count as done from here on."""
        changes = _Changes()
        self._release(changes)
        self._admit(changes)
        self._level(changes)
        return Plan(self._steps(changes), self._refusal())

    def _count(self, code: int, rank: _Rank, by: int) -> None:
        counts = self._wanted_by.setdefault(code, [0] * len(_Rank))
        before = _first_wanting(counts)
        counts[rank] += by
        after = _first_wanting(counts)
        if after is None:
            del self._wanted_by[code]
        if before is not after:
            self._change_rank(code, before, after)

    def _change_rank(self, code: int, before: _Rank | None, after: _Rank | None) -> None:
        connection = self._connection_of.get(code)
        index: Mapping[_Rank, dict[int, None]] = self._waiting if connection is None else self._placed
        if before is not None:
            del index[before][code]
        if after is not None:
            index[after][code] = None
        if connection is not None:
            _mark(self._unwanted, code, after is None)
            _mark(self._movable[connection], code, after is _Rank.TIER_A)

    def _release(self, changes: _Changes) -> None:
        for code in self._unwanted:
            changes.released.append((self._take_off(code), code))
        self._unwanted.clear()

    def _admit(self, changes: _Changes) -> None:
        """Place what waits, first by rank and then by arrival, while there is or can be made room."""
        for rank in _Rank:
            waiting = self._waiting[rank]
            while waiting and (len(self._connection_of) < self.limits.total or self._evict(rank, changes)):
                code, _ = waiting.popitem(last=False)
                self._placed[rank][code] = None
                changes.added.append((self._put_on(code, self._place_for(rank), rank), code))

    def _evict(self, rank: _Rank, changes: _Changes) -> bool:
        """Make room for `rank`: of the lowest rank below it, whoever came last has to wait again."""
        for lower in reversed(_Rank):
            if lower <= rank:
                return False
            if self._placed[lower]:
                code, _ = self._placed[lower].popitem()
                self._waiting[lower][code] = None
                self._waiting[lower].move_to_end(code, last=False)
                changes.released.append((self._take_off(code), code))
                return True
        return False

    def _level(self, changes: _Changes) -> None:
        """Move Tier A from the heaviest to the lightest until the loads are close: no way needs fewer moves."""
        while max(map(len, self._members)) - len(self._members[lightest := self._lightest()]) > self.limits.spread:
            donor = self._heaviest_movable()
            if donor is None or len(self._members[donor]) <= len(self._members[lightest]) + 1:
                return
            code, _ = self._movable[donor].popitem()
            self._take_off(code)
            self._put_on(code, lightest, _Rank.TIER_A)
            changes.left.append((donor, code))
            changes.entered.append((lightest, code))

    def _place_for(self, rank: _Rank) -> int:
        """Where a new one goes. What never moves is levelled by itself: the loads stay level when Tier A goes."""
        if rank is _Rank.TIER_A:
            return self._lightest()
        with_room = (c for c, members in enumerate(self._members) if len(members) < self.limits.per_connection)
        return min(with_room, key=lambda c: (len(self._members[c]) - len(self._movable[c]), len(self._members[c])))

    def _lightest(self) -> int:
        return min(range(len(self._members)), key=lambda connection: len(self._members[connection]))

    def _heaviest_movable(self) -> int | None:
        donors = (connection for connection, movable in enumerate(self._movable) if movable)
        return max(donors, key=lambda connection: len(self._members[connection]), default=None)

    def _take_off(self, code: int) -> int:
        connection = self._connection_of.pop(code)
        self._members[connection].remove(code)
        self._movable[connection].pop(code, None)
        return connection

    def _put_on(self, code: int, connection: int, rank: _Rank) -> int:
        self._connection_of[code] = connection
        self._members[connection].add(code)
        _mark(self._movable[connection], code, rank is _Rank.TIER_A)
        return connection

    def _steps(self, changes: _Changes) -> tuple[Step, ...]:
        """Everything that is given up first, then the moved (their gap is open), then the new, then the lost."""
        steps = [
            *self._messages(Action.UNSUBSCRIBE, changes.released),
            *self._messages(Action.UNSUBSCRIBE, changes.left),
            *self._messages(Action.SUBSCRIBE, changes.entered, gap=True),
            *self._messages(Action.SUBSCRIBE, changes.added),
        ]
        if self._lost:
            steps = [step for step in steps if step.connection not in self._lost]
            again = [(connection, code) for connection in sorted(self._lost) for code in self.desired(connection)]
            steps += self._messages(Action.SUBSCRIBE, again, gap=True)
            self._lost.clear()
        return tuple(steps)

    def _messages(self, action: Action, placed: Sequence[tuple[int, int]], gap: bool = False) -> list[Step]:
        groups: dict[tuple[int, Mode], list[int]] = {}
        for connection, code in placed:
            groups.setdefault((connection, mode_of(code)), []).append(code)
        size = self.limits.per_message
        return [
            Step(connection, action, mode, tuple(codes[start : start + size]), gap)
            for (connection, mode), codes in sorted(groups.items())
            for start in range(0, len(codes), size)
        ]

    def _refusal(self) -> Refusal | None:
        left_out = dict.fromkeys(SubscriptionClass, 0)
        for rank, codes in self._waiting.items():
            left_out[_CLASS_OF[rank]] += len(codes)
        waiting = sum(left_out.values())
        if not waiting:
            return None
        return Refusal(len(self._wanted_by), waiting, self.capacity(), left_out)


_NOTHING: Codes = np.empty(0, dtype=np.uint64)


def _sorted_codes(codes: Iterable[int] | Codes) -> Codes:
    if not isinstance(codes, np.ndarray):
        codes = np.fromiter(codes, dtype=np.uint64)
    array: Codes = codes.astype(np.uint64)
    return array if bool(np.all(array[1:] > array[:-1])) else np.unique(array)


def _only_in_first(first: Codes, second: Codes) -> Codes:
    if not len(first) or not len(second):
        return first
    at = np.minimum(np.searchsorted(second, first), len(second) - 1)
    only: Codes = first[second[at] != first]
    return only


def _first_wanting(counts: list[int]) -> _Rank | None:
    return next((rank for rank in _Rank if counts[rank]), None)


def _mark(index: dict[int, None], code: int, present: bool) -> None:
    if present:
        index[code] = None
    else:
        index.pop(code, None)
