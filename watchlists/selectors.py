"""Reading watchlists: whose they are, what their items expand to, and why an item is not live."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time
from enum import StrEnum

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Count, QuerySet

from feeds import clock
from feeds.core.calendar import Calendar
from feeds.core.chains import ListedContract, reference_future
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType
from feeds.interest import Source, unpack
from feeds.models import Instrument, Interest
from feeds.selectors import last_prices, listed, market_calendar, nearest_options, option_underlyings
from watchlists.core.expansion import Expansion, expand
from watchlists.core.hours import is_wanted
from watchlists.models import Watchlist, WatchlistItem


class NotLive(StrEnum):
    """Why an item has no subscription now."""

    CAPACITY = "CAPACITY"  # it did not fit when it was last taken up
    MARKET_CLOSED = "MARKET_CLOSED"  # its segment does not trade any more today
    NOT_OPENED = "NOT_OPENED"  # nobody has opened the watchlist on this trading day
    NOT_LISTED = "NOT_LISTED"  # expired, or gone from the master


def watchlists_of(user: AbstractBaseUser) -> QuerySet[Watchlist]:
    """A user's watchlists in their order, each with `item_count`."""
    return Watchlist.objects.filter(user=user).annotate(item_count=Count("items")).order_by("position", "pk")


def items_of(watchlist: Watchlist) -> list[WatchlistItem]:
    return list(watchlist.items.select_related("instrument"))


def pinned_release() -> time | None:
    return time.fromisoformat(settings.EOD_TIER_A_AT) if settings.EOD_TIER_A_AT else None


def trades_today(segment: ExchangeSegment, now: datetime, calendar: Calendar) -> bool:
    """Whether what is added now in this segment is subscribed today."""
    return is_wanted(segment, now, calendar, pinned_release())


def expansions(items: Iterable[WatchlistItem], now: datetime) -> dict[int, Expansion]:
    """What each item wants, by the item's id; two queries and one look at the last prices, however many there are."""
    items = list(items)
    expanding = [item.instrument for item in items if not item.instrument_only and item.instrument.is_listed]
    options = options_on(expanding, now)
    prices = last_prices(list(options)) if options else {}
    day = now.astimezone(clock.IST).date()
    return {
        item.pk: expand(
            item.instrument.key,
            () if item.instrument_only else options.get(item.instrument_id, ()),
            day,
            prices.get(item.instrument_id),
        )
        for item in items
    }


def options_on(instruments: Sequence[Instrument], now: datetime) -> Mapping[int, list[ListedContract]]:
    """The options of the nearest expiry on each instrument, by its code; those without any are absent."""
    day = now.astimezone(clock.IST).date()
    underlyings = {instrument.code: option_underlyings(instrument) for instrument in instruments}
    nearest = nearest_options({each for several in underlyings.values() for each in several}, day)
    found = {
        code: nearest[underlying]
        for code, several in underlyings.items()
        for underlying in several
        if underlying in nearest
    }
    return _without_other_months(found, instruments)


def _without_other_months(
    options: dict[int, list[ListedContract]], instruments: Sequence[Instrument]
) -> dict[int, list[ListedContract]]:
    """On MCX options are on one future: only that one expands, the other months are instruments like any other."""
    futures = [row for row in instruments if row.instrument_type == InstrumentType.FUTCOM and row.code in options]
    names = {row.underlying_symbol for row in futures}
    months: dict[str, list[tuple[object, InstrumentKey]]] = {}
    if names:
        rows = listed().filter(instrument_type=InstrumentType.FUTCOM, underlying_symbol__in=names)
        for row in rows:
            months.setdefault(row.underlying_symbol, []).append((row.expiry, row.key))
    other = {
        row.code
        for row in futures
        if reference_future(months[row.underlying_symbol], options[row.code][0].expiry) != row.key
    }
    return {code: contracts for code, contracts in options.items() if code not in other}


def owner_of(item: WatchlistItem) -> str:
    """Who an item is in the interest table: one owner each, so that removing one gives back just what it took."""
    return f"{item.watchlist_id}.{item.pk}"


def wanted_by(items: Iterable[WatchlistItem]) -> tuple[int, int]:
    """How many distinct instruments, and references, these items want now."""
    owners = [owner_of(item) for item in items]
    return (
        _distinct(Source.WATCHLIST, owners),
        _distinct(Source.REFERENCE, [f"{Source.WATCHLIST}.{owner}" for owner in owners]),
    )


def _distinct(source: str, owners: Sequence[str]) -> int:
    rows = Interest.objects.filter(source=source, owner__in=owners).values_list("codes", flat=True)
    return len(set[int]().union(*(unpack(codes).tolist() for codes in rows)))


def live_items(watchlist: Watchlist) -> set[int]:
    """The ids of the items that want something now: what the feed was asked for, and not what we remember of it."""
    owners = Interest.objects.filter(source=Source.WATCHLIST, owner__startswith=f"{watchlist.pk}.").exclude(codes=b"")
    return {int(owner.partition(".")[2]) for owner in owners.values_list("owner", flat=True)}


def why_not_live(item: WatchlistItem, watchlist: Watchlist, now: datetime, calendar: Calendar) -> NotLive:
    """The reason to show beside an item that is not among `live_items`."""
    if not item.instrument.is_listed:
        return NotLive.NOT_LISTED
    if not trades_today(ExchangeSegment(item.instrument.segment), now, calendar):
        return NotLive.MARKET_CLOSED
    return NotLive.NOT_OPENED if watchlist.live_on != now.astimezone(clock.IST).date() else NotLive.CAPACITY


def states(watchlist: Watchlist, now: datetime) -> list[tuple[WatchlistItem, NotLive | None]]:
    """The items in order, each with why it is not live (None: it is)."""
    live, calendar = live_items(watchlist), market_calendar()
    return [
        (item, None if item.pk in live else why_not_live(item, watchlist, now, calendar))
        for item in items_of(watchlist)
    ]
