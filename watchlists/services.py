"""Changing watchlists, and taking up and giving back the subscriptions (Tier A) that their items want."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Max

from feeds import clock, jobs, topics
from feeds.core.refusal import Refused
from feeds.core.subscriptions import Capacity
from feeds.interest import CapacityExceeded, Source, Want, capacity, declare_interests
from feeds.models import Instrument
from feeds.selectors import market_calendar
from watchlists import selectors
from watchlists.core.expansion import Expansion
from watchlists.models import Watchlist, WatchlistItem

DEFAULT_NAME = "Watchlist"
WATCHLISTS_PER_USER = 50
ITEMS_PER_WATCHLIST = 1000
"""More is a data feed and not a list that somebody watches."""


class WatchlistError(Refused):
    """Nothing was changed."""


class WatchlistMissing(WatchlistError):
    """It does not exist, or is somebody else's: the caller cannot tell which."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no such watchlist.")


class NameTaken(WatchlistError):
    code = "NAME_TAKEN"


class TooManyWatchlists(WatchlistError):
    code = "WATCHLIST_LIMIT_EXCEEDED"


class TooManyItems(WatchlistError):
    code = "ITEM_LIMIT_EXCEEDED"


@dataclass(frozen=True, slots=True)
class Change:
    """What an addition or removal came to. `subscriptions` and `references` are those of its items, distinct.

    `not_today`: items that are stored and wait, because their market is closed for today.
    """

    watchlist: Watchlist
    items: tuple[WatchlistItem, ...]
    subscriptions: int
    references: int
    capacity: Capacity
    not_today: tuple[WatchlistItem, ...] = ()


# --- the lists ------------------------------------------------------------------------------------


@transaction.atomic
def create_watchlist(*, user: AbstractBaseUser, name: str) -> Watchlist:
    """A new empty list behind the user's others.

    Raises:
        NameTaken, TooManyWatchlists
    """
    _lock(user)
    mine = Watchlist.objects.filter(user=user)
    if mine.filter(name=name).exists():
        raise NameTaken(f"You have a watchlist called {name}.", name=name)
    if mine.count() >= WATCHLISTS_PER_USER:
        raise TooManyWatchlists("Delete a watchlist first.", limit=WATCHLISTS_PER_USER)
    last = mine.aggregate(last=Max("position"))["last"]
    return Watchlist.objects.create(user=user, name=name, position=0 if last is None else last + 1)


@transaction.atomic
def update_watchlist(
    *, watchlist: Watchlist, name: str | None = None, position: int | None = None, items: Sequence[int] | None = None
) -> Watchlist:
    """Rename, move among the user's lists (0 is first), or put the items in this order (ids, all of them).

    Raises:
        NameTaken
        WatchlistError: the ids are not exactly those of the items.
    """
    _lock(watchlist.user)
    if name is not None and name != watchlist.name:
        if Watchlist.objects.filter(user=watchlist.user, name=name).exists():
            raise NameTaken(f"You have a watchlist called {name}.", name=name)
        Watchlist.objects.filter(pk=watchlist.pk).update(name=name)
    if position is not None:
        _move(watchlist, position)
    if items is not None:
        _reorder(watchlist, items)
    _announce(watchlist.pk)
    return Watchlist.objects.get(pk=watchlist.pk)


def _move(watchlist: Watchlist, position: int) -> None:
    others = [each for each in Watchlist.objects.filter(user=watchlist.user) if each.pk != watchlist.pk]
    others.insert(position, watchlist)
    for place, each in enumerate(others):
        each.position = place
    Watchlist.objects.bulk_update(others, ["position"])


def _reorder(watchlist: Watchlist, ids: Sequence[int]) -> None:
    items = {item.pk: item for item in watchlist.items.all()}
    if sorted(ids) != sorted(items):
        raise WatchlistError("Name every item of the watchlist once.", items=sorted(items))
    for place, pk in enumerate(ids):
        items[pk].position = place
    WatchlistItem.objects.bulk_update(items.values(), ["position"])


@transaction.atomic
def delete_watchlist(*, watchlist: Watchlist) -> None:
    """Remove the list with its items and give back what they wanted."""
    _lock(watchlist.user)
    pk = watchlist.pk
    _give_back(watchlist.items.all())
    watchlist.delete()
    _announce(pk)


# --- the items ------------------------------------------------------------------------------------


def add_items(
    *,
    user: AbstractBaseUser,
    instruments: Sequence[Instrument],
    watchlist_id: int | None = None,
    instrument_only: bool = False,
    now: datetime | None = None,
) -> Change:
    """Put instruments into a watchlist and subscribe what they want, all or nothing.

    Without an id it is the user's first list, made if there is none. What is there already stays as it is (or
    changes to the way now asked for) and counts the same. What no longer trades today is stored and waits.

    Raises:
        WatchlistMissing, TooManyItems
        CapacityExceeded: with the figures; nothing was stored.
    """
    now = now or clock.exchange_now()
    _clear_yesterday(user, watchlist_id, now)
    with transaction.atomic():
        return _add(user, instruments, watchlist_id, instrument_only, now)


def _add(
    user: AbstractBaseUser,
    instruments: Sequence[Instrument],
    watchlist_id: int | None,
    instrument_only: bool,
    now: datetime,
) -> Change:
    _lock(user)
    watchlist = _find(user, watchlist_id, create=True)
    _require_space(user, watchlist, instruments)
    _open(watchlist, now)
    items = _store(watchlist, instruments, instrument_only)
    expansions = selectors.expansions(items, now)
    calendar = market_calendar()
    today = [item for item in items if selectors.trades_today(expansions[item.pk].segment, now, calendar)]
    declared = declare_interests(Source.WATCHLIST, _wants(today, expansions))
    _mark(today, live=True)
    _announce(watchlist.pk)
    waiting = tuple(item for item in items if item not in today)
    return Change(watchlist, tuple(items), declared.subscriptions, declared.references, declared.capacity, waiting)


@transaction.atomic
def remove_items(
    *,
    user: AbstractBaseUser,
    codes: Collection[int],
    watchlist_id: int | None = None,
    now: datetime | None = None,
) -> Change:
    """Take instruments out of a watchlist; what somebody else wants stays subscribed. What is not in it is ignored.

    Raises:
        WatchlistMissing
    """
    now = now or clock.exchange_now()
    _lock(user)
    watchlist = _find(user, watchlist_id, create=False)
    items = list(watchlist.items.select_related("instrument").filter(instrument_id__in=codes))
    subscriptions, references = selectors.wanted_by(items)
    _give_back(items)
    WatchlistItem.objects.filter(pk__in=[item.pk for item in items]).delete()
    _announce(watchlist.pk)
    return Change(watchlist, tuple(items), subscriptions, references, capacity().total)


def open_watchlist(watchlist: Watchlist, now: datetime | None = None) -> Watchlist:
    """Take up again what the items want, once a trading day: whoever looks at the list calls this.

    In the list's order; an item that does not fit is marked not live and does not stop those behind it.
    """
    now = now or clock.exchange_now()
    if watchlist.live_on == now.astimezone(clock.IST).date():
        return watchlist
    _clear_yesterday(watchlist.user, watchlist.pk, now)
    with transaction.atomic():
        _lock(watchlist.user)
        watchlist = Watchlist.objects.get(pk=watchlist.pk)
        _open(watchlist, now)
    return watchlist


def _open(watchlist: Watchlist, now: datetime) -> None:
    today = now.astimezone(clock.IST).date()
    if watchlist.live_on == today:
        return
    items = [item for item in selectors.items_of(watchlist) if item.instrument.is_listed]
    expansions = selectors.expansions(items, now)
    calendar = market_calendar()
    trading = [item for item in items if selectors.trades_today(expansions[item.pk].segment, now, calendar)]
    taken = _take_up(trading, expansions)
    _mark(taken, live=True)
    _mark([item for item in trading if item not in taken], live=False)
    watchlist.live_on = today
    watchlist.save(update_fields=["live_on"])
    _announce(watchlist.pk)


def _take_up(items: Sequence[WatchlistItem], expansions: dict[int, Expansion]) -> list[WatchlistItem]:
    """Declare what fits, in order, by halves: one declaration when all fits, and few more when not."""
    if not items:
        return []
    try:
        declare_interests(Source.WATCHLIST, _wants(items, expansions))
    except CapacityExceeded:
        if len(items) == 1:
            return []
        half = len(items) // 2
        first = _take_up(items[:half], expansions)
        return first + _take_up(items[half:], expansions)
    return list(items)


def _clear_yesterday(user: AbstractBaseUser, watchlist_id: int | None, now: datetime) -> None:
    """Before a list is opened on a new day: what yesterday left behind would take the room of today."""
    mine = Watchlist.objects.filter(user=user, live_on=now.astimezone(clock.IST).date())
    if not (mine.filter(pk=watchlist_id) if watchlist_id is not None else mine).exists():
        jobs.catch_up_releases(now)


def _find(user: AbstractBaseUser, watchlist_id: int | None, create: bool) -> Watchlist:
    mine = Watchlist.objects.filter(user=user)
    if watchlist_id is not None:
        mine = mine.filter(pk=watchlist_id)
    watchlist = mine.first()
    if watchlist is None and watchlist_id is None and create:
        return create_watchlist(user=user, name=DEFAULT_NAME)
    if watchlist is None:
        raise WatchlistMissing
    return watchlist


def _require_space(user: AbstractBaseUser, watchlist: Watchlist, instruments: Sequence[Instrument]) -> None:
    held = set(watchlist.items.values_list("instrument_id", flat=True))
    new = {instrument.code for instrument in instruments} - held
    if len(held) + len(new) > ITEMS_PER_WATCHLIST:
        raise TooManyItems("The watchlist is full.", limit=ITEMS_PER_WATCHLIST, items=len(held))
    limit = settings.TIER_A_ITEMS_PER_USER
    items = WatchlistItem.objects.filter(watchlist__user=user).count() if limit else 0
    if limit and new and items + len(new) > limit:
        raise TooManyItems("You watch as many instruments as you may.", limit=limit, items=items)


def _store(watchlist: Watchlist, instruments: Sequence[Instrument], instrument_only: bool) -> list[WatchlistItem]:
    """The items of these instruments, in the order given, new ones behind the others."""
    last = watchlist.items.aggregate(last=Max("position"))["last"]
    first = 0 if last is None else last + 1
    distinct = {instrument.code: instrument for instrument in instruments}
    WatchlistItem.objects.bulk_create(
        [
            WatchlistItem(
                watchlist=watchlist, instrument=instrument, instrument_only=instrument_only, position=first + place
            )
            for place, instrument in enumerate(distinct.values())
        ],
        update_conflicts=True,
        unique_fields=["watchlist", "instrument"],
        update_fields=["instrument_only"],
    )
    stored = watchlist.items.select_related("instrument").filter(instrument_id__in=distinct)
    by_code = {item.instrument_id: item for item in stored}
    return [by_code[code] for code in distinct]


# --- interest -------------------------------------------------------------------------------------


def _wants(items: Iterable[WatchlistItem], expansions: dict[int, Expansion]) -> dict[str, Want]:
    return {
        selectors.owner_of(item): Want(expansion.keys, [expansion.reference] if expansion.reference else [])
        for item in items
        for expansion in [expansions[item.pk]]
    }


def _give_back(items: Iterable[WatchlistItem]) -> None:
    declare_interests(Source.WATCHLIST, {selectors.owner_of(item): Want(()) for item in items})


def _mark(items: Collection[WatchlistItem], *, live: bool) -> None:
    for item in items:
        item.live = live
    WatchlistItem.objects.filter(pk__in=[item.pk for item in items]).exclude(live=live).update(live=live)


def _lock(user: AbstractBaseUser) -> None:
    """One change of a user's lists at a time; always before the lock on interest."""
    get_user_model().objects.select_for_update().only("pk").get(pk=user.pk)


def _announce(watchlist_id: int) -> None:
    transaction.on_commit(partial(topics.changed, f"watchlist.{watchlist_id}"))
