"""The topic `watchlist.7`: its items, for its owner. Joining it opens the list for the day."""

from __future__ import annotations

from feeds import clock
from feeds.topics import TopicContents, TopicKind, User
from watchlists import selectors, services
from watchlists.models import Watchlist

PREFIX = "watchlist"


class WatchlistTopics(TopicKind):
    """The rows are the items themselves; options that an item expands to are in their chain's topic."""

    def authorise(self, user: User, name: str) -> bool:
        watchlist = watchlist_named(name)
        if watchlist is None or user.pk is None or watchlist.user_id != user.pk:
            return False
        services.open_watchlist(watchlist)
        return True

    def contents(self, name: str) -> TopicContents | None:
        watchlist = watchlist_named(name)
        if watchlist is None:
            return None
        states = selectors.states(watchlist, clock.exchange_now())
        details = {
            "name": watchlist.name,
            "items": [
                {
                    "id": item.pk,
                    "symbol": item.instrument.symbol,
                    "name": item.instrument.name,
                    "instrument_only": item.instrument_only,
                    "live": reason is None,
                    "not_live": reason and reason.value,
                }
                for item, reason in states
            ],
        }
        return TopicContents(tuple(item.instrument.key for item, _ in states), PREFIX, details=details)


def watchlist_named(name: str) -> Watchlist | None:
    prefix, _, number = name.partition(".")
    if prefix != PREFIX or not (number.isascii() and number.isdigit()) or str(int(number)) != number:
        return None
    return Watchlist.objects.select_related("user").filter(pk=int(number)).first() if len(number) < 19 else None
