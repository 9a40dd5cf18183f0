"""Who wants which instrument: the one way to want one, checked against capacity before anything is written."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from asgiref.sync import async_to_sync
from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from numpy.typing import NDArray
from redis.exceptions import RedisError

from feeds.clock import wall_nanoseconds
from feeds.core.instrument import SECURITY_ID_BITS, ExchangeSegment, InstrumentKey
from feeds.core.subscriptions import Capacity, Codes, Limits, SubscriptionClass
from feeds.models import DhanAccount, Interest, InterestClock

log = logging.getLogger(__name__)

Source = Interest.Source

CLASS_OF_SOURCE = {
    Source.CHAIN: SubscriptionClass.TIER_B,
    Source.REFERENCE: SubscriptionClass.REFERENCE,
    Source.WATCHLIST: SubscriptionClass.TIER_A,
    Source.HELD: SubscriptionClass.TIER_A,
    Source.ALERT: SubscriptionClass.TIER_A,
}
REFERENCE_FOLLOWS = {
    ExchangeSegment.IDX_I: ExchangeSegment.NSE_FNO,
    ExchangeSegment.NSE_EQ: ExchangeSegment.NSE_FNO,
    ExchangeSegment.BSE_EQ: ExchangeSegment.BSE_FNO,
    ExchangeSegment.MCX_COMM: ExchangeSegment.MCX_COMM,
}
"""A reference is released with the options it serves, which may trade longer than it does itself."""
CLOCK = 1
"""Primary key of the InterestClock row that everybody locks."""
FORGOTTEN = 2
"""Primary key of the one that says up to which version withdrawn rows may be gone."""
PACKED = np.dtype("<u8")
NOTHING: Codes = np.empty(0, dtype=np.uint64)

Keys = Iterable[InstrumentKey] | Codes


class Owner(NamedTuple):
    """Whose interest a row is."""

    source: str
    owner: str

    @property
    def references(self) -> Owner:
        """Who owns the references of this owner's instruments."""
        return Owner(Source.REFERENCE, f"{self.source}.{self.owner}")

    @property
    def gives_way(self) -> bool:
        """Tier A and its references go where a chain's account is; chains and their references stay where they are."""
        return self.source != Source.CHAIN and not self.owner.startswith(f"{Source.CHAIN}.")


class CapacityExceeded(Exception):
    """What was asked does not fit, and nothing was written. `capacity` is without the owner's own present set."""

    code = "CAPACITY_EXCEEDED"

    def __init__(self, requested: int, additional: int, capacity: Capacity) -> None:
        super().__init__(f"{additional} more subscriptions were asked for and {capacity.free} are free")
        self.requested, self.additional, self.capacity = requested, additional, capacity

    @property
    def details(self) -> dict[str, int]:
        return {"requested": self.requested, "additional": self.additional, **capacity_figures(self.capacity)}


@dataclass(frozen=True, slots=True)
class Declared:
    """What an owner now wants: distinct instruments and references; `capacity` in sum after it."""

    capacity: Capacity
    subscriptions: int
    references: int


@dataclass(frozen=True, slots=True)
class AccountCapacity:
    account_id: int
    name: str
    capacity: Capacity


@dataclass(frozen=True, slots=True)
class CapacityReport:
    """Capacity of every enabled account, and in sum."""

    accounts: tuple[AccountCapacity, ...]
    total: Capacity


@dataclass(frozen=True, slots=True)
class InterestChange:
    """All that an owner wants from the account now; no codes: it wants nothing any more."""

    source: str
    owner: str
    codes: Codes

    @property
    def subscription_class(self) -> SubscriptionClass:
        return CLASS_OF_SOURCE[Source(self.source)]

    @property
    def held(self) -> bool:
        return self.source == Source.HELD


@dataclass(frozen=True, slots=True)
class InterestChanges:
    """Rows changed after a version, and the version to ask from next time."""

    version: int
    rows: tuple[InterestChange, ...]
    whole: bool = False  # these are all there are: owners that are not among them want nothing


@transaction.atomic
def declare_interest(
    source: str, owner: str, keys: Keys, account: DhanAccount | None = None, *, references: Keys = ()
) -> Declared:
    """Replace what an owner wants, and the references of it, all or nothing.

    Without an account an instrument stays with the account that feeds it already, and the rest goes to the one
    with most room. A named account (a chain's) takes over what Tier A has elsewhere. Nothing is written when the
    union of all interests would pass what an account may carry.

    Raises:
        CapacityExceeded: it does not fit; carries the figures.
    """
    who = Owner(source, str(owner))
    wanted = {who: pack(keys), who.references: pack(references)}
    book = _Book.locked()
    was = book.take_out(wanted)
    for each, codes in wanted.items():
        if account is None:
            book.spread(each, codes, was[each])
        else:
            book.concentrate(each, codes, account.pk)
    book.require_capacity(wanted, account.pk if account else None)
    book.save()
    return Declared(book.total(), len(wanted[who]), len(wanted[who.references]))


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A declaration that was worked out and not written: its account, and all of them, before and after it.

    `refusal` is what it would be refused with; then `after` is what it would take if there were room.
    """

    before: Capacity
    after: Capacity
    total_before: Capacity
    total_after: Capacity
    rows_before: tuple[InterestChange, ...]
    rows_after: tuple[InterestChange, ...]
    refusal: CapacityExceeded | None


def rehearse_interest(source: str, owner: str, keys: Keys, account_id: int, *, references: Keys = ()) -> Rehearsal:
    """What `declare_interest` with an account would do now. Nothing is locked: a moment later it may be otherwise."""
    who = Owner(source, owner)
    wanted = {who: pack(keys), who.references: pack(references)}
    book = _Book.read()
    before, total_before, rows_before = book.capacity(account_id), book.total(), book.wanted_from(account_id)
    book.take_out(wanted)
    for each, codes in wanted.items():
        book.concentrate(each, codes, account_id)
    try:
        book.require_capacity(wanted, account_id)
        refusal = None
    except CapacityExceeded as error:
        refusal = error if error.additional else None  # who takes less is let, however full it is
    after, rows_after = book.capacity(account_id), book.wanted_from(account_id)
    return Rehearsal(before, after, total_before, book.total(), rows_before, rows_after, refusal)


class Want(NamedTuple):
    """What one owner wants; nothing at all withdraws it."""

    keys: Keys
    references: Keys = ()


@transaction.atomic
def declare_interests(source: str, wants: Mapping[str, Want]) -> Declared:
    """`declare_interest` without an account for several owners of a source at once: all of them or none.

    Counts in the answer are of distinct instruments, over all these owners.

    Raises:
        CapacityExceeded: they do not fit together; carries the figures.
    """
    wanted: dict[Owner, Codes] = {}
    for owner, want in wants.items():
        who = Owner(source, str(owner))
        wanted |= {who: pack(want.keys), who.references: pack(want.references)}
    book = _Book.locked()
    book.spread_together(wanted, book.take_out(wanted), Owner(source, ""))
    book.require_capacity(wanted, None)
    book.save()
    subscriptions = _union(codes for who, codes in wanted.items() if who.source == source)
    references = _union(codes for who, codes in wanted.items() if who.source != source)
    return Declared(book.total(), len(subscriptions), len(references))


@transaction.atomic
def withdraw_interest(source: str, owner: str) -> None:
    """The owner wants nothing any more, nor do its references serve anybody. Harmless when it is so already."""
    withdraw_interests(source, [owner])


@transaction.atomic
def withdraw_interests(source: str, owners: Iterable[str]) -> None:
    """`withdraw_interest` for several owners at once. Unlike a declaration of nothing it asks for no capacity."""
    whos = [Owner(source, str(owner)) for owner in owners]
    book = _Book.locked()
    book.take_out([each for who in whos for each in (who, who.references)])
    book.save()


@transaction.atomic
def release_source(source: str, segments: Collection[ExchangeSegment] | None = None) -> int:
    """Take instruments of these segments (None: all) from every owner of a source, and the references they used.

    Running it twice changes nothing. Returns how many instruments were taken from owners.
    """
    book = _Book.locked()
    chosen = frozenset(ExchangeSegment) if segments is None else frozenset(segments)
    followers = frozenset(segment for segment, options in REFERENCE_FOLLOWS.items() if options in chosen)
    released = 0
    for row, codes in list(book.rows.items()):
        if row.who.source == source:
            released += book.put(row, codes[~_in_segments(codes, chosen)])
        elif row.who.source == Source.REFERENCE and row.who.owner.startswith(f"{source}."):
            book.put(row, codes[~_in_segments(codes, followers)])
    book.save()
    return released


def changes_since(account_id: int, version: int) -> InterestChanges:
    """Rows of one account changed after a version; all of them for version 0, or one from before rows were forgotten.

    No lock: versions commit in order, because whoever takes one holds the InterestClock row until then.
    """
    changes = _changes_after(account_id, version) if version else None
    # Asked after the rows: what is forgotten in between only makes the answer whole.
    if changes is None or InterestClock.objects.filter(pk=FORGOTTEN, version__gt=version).exists():
        return _everything(account_id, version)
    return changes


def _changes_after(account_id: int, version: int) -> InterestChanges:
    changed = Interest.objects.filter(account_id=account_id, version__gt=version)
    return _as_changes(changed, version)


def _everything(account_id: int, version: int) -> InterestChanges:
    """All that is wanted. Its version covers what was forgotten before, so that the next answer is small again."""
    forgotten = InterestClock.objects.filter(pk=FORGOTTEN).values_list("version", flat=True).first() or 0
    wanted = Interest.objects.filter(account_id=account_id).exclude(codes=b"")
    return replace(_as_changes(wanted, max(version, forgotten)), whole=True)


def _as_changes(changed: QuerySet[Interest], version: int) -> InterestChanges:
    found = list(changed.order_by("version").values_list("version", "source", "owner", "codes"))
    rows = tuple(InterestChange(source, owner, unpack(codes)) for _, source, owner, codes in found)
    return InterestChanges(max([version, *(row[0] for row in found)]), rows)


@transaction.atomic
def forget_withdrawn() -> int:
    """Delete the rows of owners that want nothing any more: each item ever watched leaves one. Returns how many.

    A feed that had not read of a withdrawal yet is answered with everything instead.
    """
    clock = InterestClock.objects.select_for_update().filter(pk=CLOCK).first()
    deleted, _ = Interest.objects.filter(codes=b"").delete()
    if clock is not None and deleted:
        InterestClock.objects.update_or_create(pk=FORGOTTEN, defaults={"version": clock.version})
    return deleted


def limits() -> Limits:
    """What Dhan allows one account, as the settings say."""
    return Limits(
        connections=settings.FEED_CONNECTIONS,
        per_connection=settings.FEED_INSTRUMENTS_PER_CONNECTION,
        per_message=settings.FEED_INSTRUMENTS_PER_MESSAGE,
        total=settings.FEED_INSTRUMENTS_TOTAL,
        spread=settings.FEED_SPREAD_LIMIT,
    )


def capacity() -> CapacityReport:
    """How much of each enabled account is wanted, by class, and in sum."""
    book = _Book.read()
    names = dict(DhanAccount.objects.values_list("pk", "name"))
    accounts = (AccountCapacity(account, names[account], book.capacity(account)) for account in book.accounts)
    return CapacityReport(tuple(accounts), book.total())


def capacity_figures(capacity: Capacity) -> dict[str, int]:
    """Capacity as an error's details, an API answer and a status carry it."""
    return {
        "capacity": capacity.total,
        "tier_b": capacity.tier_b,
        "references": capacity.references,
        "tier_a": capacity.tier_a,
        "used": capacity.used,
        "free": capacity.free,
    }


def nudge(account_id: int) -> None:
    """Ask a feed process to sync now. Only a hint: it syncs every second anyway, so a Redis that is away costs that."""
    try:
        command = {"type": "sync.now", "at": wall_nanoseconds()}
        async_to_sync(get_channel_layer().send)(f"feed-{account_id}", command)
    except (RedisError, OSError, ChannelFull) as error:
        log.warning("feed %s was not nudged (%s)", account_id, type(error).__name__)


def pack(keys: Keys) -> Codes:
    """Sorted, distinct codes of keys."""
    if isinstance(keys, np.ndarray):
        return np.unique(keys.astype(np.uint64))
    return np.unique(np.fromiter((key.code for key in keys), dtype=np.uint64))


def unpack(codes: bytes | memoryview) -> Codes:
    """Codes as an Interest row holds them."""
    return np.frombuffer(codes, dtype=PACKED).astype(np.uint64)


class _Row(NamedTuple):
    who: Owner
    account_id: int


class _Book:
    """All interest as one value: read under the lock, changed in memory, checked whole, then written."""

    def __init__(self, rows: dict[_Row, Codes], accounts: Sequence[int], version: int) -> None:
        self.rows = rows
        self.accounts = accounts  # the enabled ones
        self._stored = dict(rows)
        self._version = version

    @classmethod
    def read(cls, version: int = 0) -> _Book:
        found = Interest.objects.exclude(codes=b"").values_list("source", "owner", "account_id", "codes")
        rows = {_Row(Owner(source, owner), account): unpack(codes) for source, owner, account, codes in found}
        return cls(rows, list(DhanAccount.objects.filter(enabled=True).values_list("pk", flat=True)), version)

    @classmethod
    def locked(cls) -> _Book:
        """Read while nobody else can change it: until the end of this transaction."""
        InterestClock.objects.bulk_create([InterestClock(pk=CLOCK)], ignore_conflicts=True)
        return cls.read(InterestClock.objects.select_for_update().get(pk=CLOCK).version)

    # --- reading ----------------------------------------------------------------------------------

    def fed(self, account_id: int, sources: Collection[str] = tuple(Source)) -> Codes:
        """The union of what all owners of these sources want from an account."""
        return _union(
            codes for row, codes in self.rows.items() if row.account_id == account_id and row.who.source in sources
        )

    def wanted_from(self, account_id: int) -> tuple[InterestChange, ...]:
        """Every owner's row of an account, as its feed would read it."""
        own = ((row.who, codes) for row, codes in self.rows.items() if row.account_id == account_id)
        return tuple(InterestChange(who.source, who.owner, codes) for who, codes in own)

    def room(self, account_id: int) -> int:
        return max(0, settings.FEED_INSTRUMENTS_TOTAL - len(self.fed(account_id)))

    def capacity(self, account_id: int) -> Capacity:
        """Each instrument counted once, in the first class that wants it."""
        tier_b = self.fed(account_id, (Source.CHAIN,))
        references = _without(self.fed(account_id, (Source.REFERENCE,)), tier_b)
        used = len(self.fed(account_id))
        tier_a = used - len(tier_b) - len(references)
        return Capacity(settings.FEED_INSTRUMENTS_TOTAL, len(tier_b), len(references), tier_a)

    def total(self) -> Capacity:
        """In sum over the enabled accounts: an instrument is fed by one of them only."""
        parts = [self.capacity(account) for account in self.accounts]
        return Capacity(
            sum(part.total for part in parts),
            sum(part.tier_b for part in parts),
            sum(part.references for part in parts),
            sum(part.tier_a for part in parts),
        )

    # --- changing ---------------------------------------------------------------------------------

    def put(self, row: _Row, codes: Codes) -> int:
        """Put codes in the place of a row's; returns how many fewer they are."""
        before = self.rows.pop(row, NOTHING)
        if len(codes):
            self.rows[row] = codes
        return len(before) - len(codes)

    def take_out(self, owners: Collection[Owner]) -> dict[Owner, dict[int, Codes]]:
        """Take owners out of the book; returns where they had what."""
        had: dict[Owner, dict[int, Codes]] = {owner: {} for owner in owners}
        for row in [row for row in self.rows if row.who in had]:
            had[row.who][row.account_id] = self.rows.pop(row)
        return had

    def spread(self, who: Owner, codes: Codes, was: dict[int, Codes]) -> None:
        """Leave each instrument where somebody has it, else where the owner had it, else where most room is."""
        for fed in ({account: self.fed(account) for account in self.accounts}, was):
            for account in self.accounts:
                stays = _common(codes, fed.get(account, NOTHING))
                self._give(who, account, stays)
                codes = _without(codes, stays)
        for account in sorted(self.accounts, key=self.room, reverse=True):
            room = self.room(account)
            self._give(who, account, codes[:room])
            codes = codes[room:]

    def spread_together(self, wanted: Mapping[Owner, Codes], was: dict[Owner, dict[int, Codes]], pool: Owner) -> None:
        """`spread` for several owners at the price of one: their union finds its places, then each takes its own."""
        before: dict[int, Codes] = {}
        for had in was.values():
            for account, codes in had.items():
                before[account] = _union([before.get(account, NOTHING), codes])
        self.spread(pool, _union(wanted.values()), before)
        for row in [row for row in self.rows if row.who == pool]:
            placed = self.rows.pop(row)
            for who, codes in wanted.items():
                self._give(who, row.account_id, _common(codes, placed))

    def concentrate(self, who: Owner, codes: Codes, account_id: int) -> None:
        """Give all to one account: Tier A gives way elsewhere; what a chain has elsewhere stays with that chain."""
        for row, there in list(self.rows.items()):
            shared = _common(codes, there) if row.account_id != account_id else NOTHING
            if not len(shared):
                continue
            if row.who.gives_way:
                self.put(row, _without(there, shared))
                self._give(row.who, account_id, shared)
            else:
                self._give(who, row.account_id, shared)
                codes = _without(codes, shared)
        self._give(who, account_id, codes)

    def _give(self, who: Owner, account_id: int, codes: Codes) -> None:
        if len(codes):
            row = _Row(who, account_id)
            self.rows[row] = _union([self.rows.get(row, NOTHING), codes])

    # --- checking and writing ---------------------------------------------------------------------

    def require_capacity(self, wanted: Mapping[Owner, Codes], account_id: int | None) -> None:
        """See that all that is wanted found a place, and that no account carries too much.

        Raises:
            CapacityExceeded: with the figures of the named account, else in sum.
        """
        placed = _union(codes for row, codes in self.rows.items() if row.who in wanted)
        asked = _union(wanted.values())
        limit = settings.FEED_INSTRUMENTS_TOTAL
        if len(placed) < len(asked) or any(len(self.fed(account)) > limit for account in self.accounts):
            raise self._refusal(wanted, asked, account_id)

    def _refusal(self, wanted: Mapping[Owner, Codes], asked: Codes, account_id: int | None) -> CapacityExceeded:
        """The figures beside what the owner already has and would keep."""
        kept = {
            row: _common(codes, wanted[row.who]) if row.who in wanted else codes for row, codes in self._stored.items()
        }
        base = _Book(kept, self.accounts, self._version)
        accounts = self.accounts if account_id is None else [account_id]
        additional = _without(asked, _union(base.fed(account) for account in accounts))
        capacity = base.total() if account_id is None else base.capacity(account_id)
        return CapacityExceeded(len(asked), len(additional), capacity)

    def save(self) -> None:
        """Write what differs from what was read, under the next version; its feeds are nudged once it is committed."""
        changed = [
            row
            for row in self.rows.keys() | self._stored.keys()
            if not np.array_equal(self.rows.get(row, NOTHING), self._stored.get(row, NOTHING))
        ]
        if not changed:
            return
        Interest.objects.bulk_create(
            [self._as_model(row) for row in changed],
            update_conflicts=True,
            unique_fields=["source", "owner", "account"],
            update_fields=["codes", "version"],
        )
        InterestClock.objects.filter(pk=CLOCK).update(version=self._version + 1)
        for account in {row.account_id for row in changed}:
            transaction.on_commit(partial(nudge, account))

    def _as_model(self, row: _Row) -> Interest:
        return Interest(
            source=row.who.source,
            owner=row.who.owner,
            account_id=row.account_id,
            codes=self.rows.get(row, NOTHING).astype(PACKED).tobytes(),
            version=self._version + 1,
        )


def _union(parts: Iterable[Codes]) -> Codes:
    return np.unique(np.concatenate([NOTHING, *parts]))


def _common(first: Codes, second: Codes) -> Codes:
    few, many = sorted((first, second), key=len)
    return few[_among(few, many)]


def _without(first: Codes, second: Codes) -> Codes:
    return first[~_among(first, second)]


def _among(codes: Codes, others: Codes) -> NDArray[np.bool_]:
    """Which codes are among others. All codes here are sorted: a few are found in many without reading them all."""
    places = np.searchsorted(others, codes)
    found = places < len(others)
    found[found] = others[places[found]] == codes[found]
    return found


def _in_segments(codes: Codes, segments: Collection[ExchangeSegment]) -> NDArray[np.bool_]:
    return np.isin(codes >> np.uint64(SECURITY_ID_BITS), np.array(sorted(segments), dtype=np.uint64))
