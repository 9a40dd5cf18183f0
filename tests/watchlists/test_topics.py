"""`watchlist.7` on the browser websocket: its owner's only, opened by joining, its items and not their options."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from django.contrib.auth.models import AnonymousUser, User

from feeds.core.instrument import ExchangeSegment
from feeds.interest import capacity
from feeds.selectors import by_symbols
from feeds.services import release_tier_a
from feeds.topics import authorised, contents_of
from tests.feeds.market_rows import TODAY
from watchlists.services import add_items

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("market", "account", "redis")]


@pytest.fixture
def name(asha: User) -> str:
    change = add_items(user=asha, instruments=by_symbols(["NIFTY", "ZEEL"], TODAY))
    return f"watchlist.{change.watchlist.pk}"


def test_only_the_owner_may_join(name: str, asha: User, ravi: User) -> None:
    assert authorised(asha, [name]) == {name}
    assert authorised(ravi, [name]) == set()
    assert authorised(AnonymousUser(), [name]) == set()


@pytest.mark.parametrize(
    "bad", ["watchlist", "watchlist.", "watchlist.x", "watchlist.-1", "watchlist.007", "watchlist.9" * 9]
)
def test_what_is_no_watchlist_may_not_be_joined(asha: User, bad: str) -> None:
    assert authorised(asha, [bad]) == set()
    assert contents_of([bad]) == {}


def test_it_holds_the_items_in_order_and_says_what_is_live(name: str) -> None:
    contents = contents_of([name])[name]
    assert [str(key) for key in contents.instruments] == ["IDX_I.13", "NSE_EQ.7"]
    assert [(item["symbol"], item["live"]) for item in contents.details["items"]] == [("NIFTY", True), ("ZEEL", True)]


def test_joining_opens_it_on_another_day(name: str, asha: User, at: Callable[[str], datetime]) -> None:
    release_tier_a(list(ExchangeSegment))
    assert capacity().total.used == 0
    at("2026-02-04 10:00")
    authorised(asha, [name])
    assert (capacity().total.tier_a, capacity().total.references) == (43, 1)
