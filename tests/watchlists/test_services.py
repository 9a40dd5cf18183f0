"""Tier A: added, shared, removed, refused whole, waiting for the market, taken up again on another day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import numpy as np
import pytest
from django.contrib.auth.models import User
from pytest_django.fixtures import Settings
from redis import Redis

from feeds.core.instrument import ExchangeSegment
from feeds.interest import CapacityExceeded, capacity
from feeds.models import DhanAccount, Interest
from feeds.selectors import by_symbols
from feeds.services import release_tier_a
from tests.feeds.market_rows import TODAY
from watchlists import selectors, services
from watchlists.models import Watchlist, WatchlistItem
from watchlists.selectors import NotLive
from watchlists.services import Change, TooManyItems, WatchlistMissing, add_items, open_watchlist, remove_items

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market", "account", "redis")]


def add(user: User, *symbols: str, watchlist: int | None = None, instrument_only: bool = False) -> Change:
    instruments = by_symbols(symbols, TODAY)
    return add_items(user=user, instruments=instruments, watchlist_id=watchlist, instrument_only=instrument_only)


def remove(user: User, *symbols: str) -> Change:
    codes = [row.code for row in by_symbols(symbols, TODAY)]
    return remove_items(user=user, codes=codes)


def used() -> tuple[int, int]:
    total = capacity().total
    return total.tier_a, total.references


def states(watchlist: Watchlist, now: datetime) -> dict[str, NotLive | None]:
    return {item.instrument.symbol: reason for item, reason in selectors.states(watchlist, now)}


def test_an_underlying_is_42_subscriptions_and_a_reference(asha: User) -> None:
    change = add(asha, "RELIANCE")
    assert (change.subscriptions, change.references, change.not_today) == (42, 1, ())
    assert (change.watchlist.name, used()) == ("Watchlist", (42, 1))


def test_three_added_and_one_removed(asha: User) -> None:
    assert add(asha, "RELIANCE", "INFY", "TCS").subscriptions == 126
    assert used() == (126, 3)
    assert remove(asha, "INFY").subscriptions == 42
    assert used() == (84, 2)


def test_what_has_no_options_or_shall_stay_alone_is_one(asha: User) -> None:
    assert add(asha, "ZEEL").subscriptions == 1
    assert add(asha, "NIFTY", instrument_only=True).subscriptions == 1
    assert used() == (2, 0)


def test_on_mcx_the_future_of_the_nearest_options_expands_and_another_month_does_not(asha: User) -> None:
    assert add(asha, "CRUDEOIL").subscriptions == 42
    assert add(asha, "CRUDEOIL-Mar2026-FUT").subscriptions == 1


def test_adding_twice_changes_nothing_and_says_the_same(asha: User) -> None:
    first, second = add(asha, "NIFTY"), add(asha, "NIFTY")
    assert (first.subscriptions, first.items) == (second.subscriptions, second.items)
    assert used() == (42, 1)


def test_adding_again_as_instrument_only_changes_its_way(asha: User) -> None:
    add(asha, "NIFTY")
    assert add(asha, "NIFTY", instrument_only=True).subscriptions == 1
    assert used() == (1, 0)


def test_what_somebody_else_wants_stays(asha: User, ravi: User) -> None:
    add(asha, "NIFTY")
    add(ravi, "NIFTY")
    assert used() == (42, 1)
    remove(asha, "NIFTY")
    assert used() == (42, 1)
    remove(ravi, "NIFTY")
    assert used() == (0, 0)


def test_what_does_not_fit_is_refused_whole_with_the_figures(asha: User, settings: Settings) -> None:
    settings.FEED_INSTRUMENTS_TOTAL = 100
    add(asha, "RELIANCE")
    with pytest.raises(CapacityExceeded) as refused:
        add(asha, "INFY", "TCS")
    assert refused.value.details == {
        "requested": 86, "additional": 86, "capacity": 100, "tier_b": 0, "references": 1, "tier_a": 42,
        "used": 43, "free": 57,
    }  # fmt: skip
    assert (WatchlistItem.objects.count(), used()) == (1, (42, 1))
    assert add(asha, "INFY").subscriptions == 42


def test_a_limit_for_each_user_is_of_items_over_all_lists(asha: User, settings: Settings) -> None:
    settings.TIER_A_ITEMS_PER_USER = 2
    add(asha, "RELIANCE", "INFY")
    other = services.create_watchlist(user=asha, name="Other")
    with pytest.raises(TooManyItems) as refused:
        add(asha, "TCS", watchlist=other.pk)
    assert refused.value.details == {"limit": 2, "items": 2}


def test_another_users_list_does_not_exist(asha: User, ravi: User) -> None:
    mine = add(asha, "RELIANCE").watchlist
    with pytest.raises(WatchlistMissing):
        add(ravi, "INFY", watchlist=mine.pk)


def test_after_the_close_an_item_is_stored_and_waits(asha: User, at: Callable[[str], datetime]) -> None:
    now = at("2026-02-03 15:30")
    change = add(asha, "RELIANCE", "CRUDEOIL")
    assert (change.subscriptions, change.references) == (42, 1)  # crude trades on
    assert [item.instrument.symbol for item in change.not_today] == ["RELIANCE"]
    assert states(change.watchlist, now) == {"RELIANCE": NotLive.MARKET_CLOSED, "CRUDEOIL-Feb2026-FUT": None}


def test_released_at_the_close_and_taken_up_when_opened_on_the_next_trading_day(
    asha: User, at: Callable[[str], datetime]
) -> None:
    watchlist = add(asha, "RELIANCE", "INFY").watchlist
    release_tier_a(list(ExchangeSegment))
    assert used() == (0, 0)
    now = at("2026-02-04 09:00")
    assert set(states(watchlist, now).values()) == {NotLive.NOT_OPENED}
    watchlist = open_watchlist(Watchlist.objects.get(pk=watchlist.pk))
    assert (used(), set(states(watchlist, now).values())) == ((84, 2), {None})
    version = Interest.objects.order_by("-version").values_list("version", flat=True).first()
    open_watchlist(watchlist)
    assert Interest.objects.order_by("-version").values_list("version", flat=True).first() == version


def test_what_does_not_fit_any_more_when_opened_says_so_and_does_not_stop_the_rest(
    asha: User, at: Callable[[str], datetime], settings: Settings
) -> None:
    watchlist = add(asha, "RELIANCE", "INFY", "ZEEL").watchlist
    release_tier_a(list(ExchangeSegment))
    settings.FEED_INSTRUMENTS_TOTAL = 50
    now = at("2026-02-04 09:00")
    watchlist = open_watchlist(Watchlist.objects.get(pk=watchlist.pk))
    assert states(watchlist, now) == {"RELIANCE": None, "INFY": NotLive.CAPACITY, "ZEEL": None}
    assert used() == (43, 1)


def test_deleting_a_list_gives_everything_back(asha: User) -> None:
    watchlist = add(asha, "RELIANCE", "INFY").watchlist
    services.delete_watchlist(watchlist=watchlist)
    assert (used(), Watchlist.objects.count()) == ((0, 0), 0)


def test_items_keep_the_order_that_the_user_gives_them(asha: User) -> None:
    change = add(asha, "RELIANCE", "INFY", "TCS")
    ids = [item.pk for item in change.items]
    services.update_watchlist(watchlist=change.watchlist, items=ids[::-1])
    assert [item.pk for item in selectors.items_of(change.watchlist)] == ids[::-1]
    with pytest.raises(services.WatchlistError):
        services.update_watchlist(watchlist=change.watchlist, items=ids[:2])


def test_the_window_is_where_the_underlying_trades(asha: User, account: DhanAccount, redis: Redis) -> None:
    from feeds.bus import BOARDS, board_key
    from feeds.core.tick import TICK

    (nifty,) = by_symbols(["NIFTY"], TODAY)
    row = np.zeros(1, TICK)
    row["code"], row["last_price"] = nifty.code, 2_560_000
    redis.hset(board_key(account.pk), nifty.code.to_bytes(8, "little"), row.tobytes())
    redis.sadd(BOARDS, account.pk)
    item = add(asha, "NIFTY").items[0]
    expansion = selectors.expansions([item], datetime(2026, 2, 3, 10, 0))[item.pk]
    assert min(key.security_id for key in expansion.keys) == 10_000  # the lowest strikes listed, 25,400 up
