"""Interest is all or nothing, counted once by class, fed by one account, and seen in the order it was committed."""

from __future__ import annotations

import random
import threading

import numpy as np
import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import connection

from feeds import clock, interest
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.core.subscriptions import Capacity
from feeds.interest import (
    CapacityExceeded,
    InterestChanges,
    Source,
    changes_since,
    declare_interest,
    forget_withdrawn,
    release_source,
    withdraw_interest,
)
from feeds.models import DhanAccount, Interest, InterestClock

pytestmark = pytest.mark.django_db

NIFTY, RELIANCE = InstrumentKey(ExchangeSegment.IDX_I, 13), InstrumentKey(ExchangeSegment.NSE_EQ, 2885)
CRUDE = InstrumentKey(ExchangeSegment.MCX_COMM, 400)


def options(first: int, count: int) -> list[InstrumentKey]:
    return [InstrumentKey(ExchangeSegment.NSE_FNO, first + number) for number in range(count)]


def codes(keys: list[InstrumentKey]) -> list[int]:
    return sorted(key.code for key in keys)


def fed(account: DhanAccount) -> dict[tuple[str, str], list[int]]:
    """What a feed process of the account finds at its start."""
    return {(row.source, row.owner): row.codes.tolist() for row in changes_since(account.pk, 0).rows}


@pytest.fixture
def account() -> DhanAccount:
    return DhanAccount.objects.create(name="one", client_id="1000000001")


@pytest.fixture
def second() -> DhanAccount:
    return DhanAccount.objects.create(name="two", client_id="1000000002")


@pytest.fixture
def small(settings):
    """Accounts that carry fifty."""
    settings.FEED_INSTRUMENTS_TOTAL = 50


def test_an_item_is_its_options_and_one_reference(account: DhanAccount) -> None:
    declared = declare_interest(Source.WATCHLIST, "7", options(1, 42), references=[RELIANCE])
    assert (declared.subscriptions, declared.references) == (42, 1)
    assert declared.capacity == Capacity(total=25_000, tier_b=0, references=1, tier_a=42)
    assert fed(account) == {
        ("watchlist", "7"): codes(options(1, 42)),
        ("reference", "watchlist.7"): [RELIANCE.code],
    }


def test_each_instrument_is_counted_once_in_its_first_class(account: DhanAccount) -> None:
    declare_interest(Source.CHAIN, "1", options(1, 10), account, references=[NIFTY])
    declare_interest(Source.WATCHLIST, "7", [*options(6, 10), NIFTY])
    declare_interest(Source.HELD, "order 1", options(15, 2))
    assert interest.capacity().total == Capacity(total=25_000, tier_b=10, references=1, tier_a=6)


def test_declaring_replaces_and_withdrawing_releases_only_what_nobody_else_wants(account: DhanAccount) -> None:
    declare_interest(Source.WATCHLIST, "7", options(1, 10), references=[NIFTY])
    declare_interest(Source.WATCHLIST, "8", options(6, 10), references=[NIFTY])
    declare_interest(Source.WATCHLIST, "7", options(3, 5), references=[NIFTY])
    assert interest.capacity().total == Capacity(total=25_000, tier_b=0, references=1, tier_a=13)
    withdraw_interest(Source.WATCHLIST, "8")
    assert interest.capacity().total == Capacity(total=25_000, tier_b=0, references=1, tier_a=5)
    withdraw_interest(Source.WATCHLIST, "8")


@pytest.mark.usefixtures("small")
def test_what_does_not_fit_is_refused_whole_with_figures(account: DhanAccount) -> None:
    declare_interest(Source.CHAIN, "1", options(1, 20), account, references=[NIFTY])
    declare_interest(Source.WATCHLIST, "7", options(101, 20))
    before = InterestClock.objects.get().version
    with pytest.raises(CapacityExceeded, match="11 more subscriptions were asked for and 9 are free") as refused:
        declare_interest(Source.WATCHLIST, "7", options(101, 30), references=[RELIANCE])
    assert refused.value.code == "CAPACITY_EXCEEDED"
    assert refused.value.details == {
        "requested": 31, "additional": 11, "free": 9,
        "capacity": 50, "used": 41, "tier_b": 20, "references": 1, "tier_a": 20,
    }  # fmt: skip
    assert fed(account)["watchlist", "7"] == codes(options(101, 20))
    assert InterestClock.objects.get().version == before


@pytest.mark.usefixtures("small")
def test_a_full_account_still_lets_an_owner_exchange_what_it_has(account: DhanAccount) -> None:
    declare_interest(Source.CHAIN, "1", options(1, 50), account)
    declare_interest(Source.CHAIN, "1", options(11, 50), account)
    assert fed(account) == {("chain", "1"): codes(options(11, 50))}


def test_without_an_account_nothing_fits() -> None:
    with pytest.raises(CapacityExceeded):
        declare_interest(Source.WATCHLIST, "7", options(1, 1))


def test_a_feed_reads_changes_in_order_and_sees_withdrawals(account: DhanAccount) -> None:
    declare_interest(Source.WATCHLIST, "7", options(1, 2))
    declare_interest(Source.WATCHLIST, "8", options(5, 2))
    first = changes_since(account.pk, 0)
    assert changes_since(account.pk, first.version).rows == ()
    withdraw_interest(Source.WATCHLIST, "7")
    changes = changes_since(account.pk, first.version)
    assert [(row.owner, row.codes.tolist()) for row in changes.rows] == [("7", [])]
    assert changes.version > first.version
    assert set(fed(account)) == {("watchlist", "8")}


def test_a_feed_that_missed_a_withdrawal_which_is_forgotten_is_told_everything(account: DhanAccount) -> None:
    declare_interest(Source.WATCHLIST, "7", options(1, 2))
    declare_interest(Source.WATCHLIST, "8", options(5, 2))
    slow = changes_since(account.pk, 0)
    assert slow.whole
    withdraw_interest(Source.WATCHLIST, "7")
    quick = changes_since(account.pk, slow.version)
    assert forget_withdrawn() == 1
    assert Interest.objects.count() == 1
    told = changes_since(account.pk, slow.version)
    assert told.whole
    assert [row.owner for row in told.rows] == ["8"]
    for version in (quick.version, told.version):
        assert changes_since(account.pk, version) == InterestChanges(version, ())
    declare_interest(Source.WATCHLIST, "9", options(9, 2))
    assert [row.owner for row in changes_since(account.pk, told.version).rows] == ["9"]
    assert forget_withdrawn() == 0


def test_declaring_the_same_again_is_no_change(account: DhanAccount) -> None:
    declare_interest(Source.WATCHLIST, "7", options(1, 2))
    version = InterestClock.objects.get().version
    declare_interest(Source.WATCHLIST, "7", np.array(codes(options(1, 2)), dtype=np.uint64))
    assert InterestClock.objects.get().version == version


@pytest.mark.usefixtures("small")
def test_tier_a_goes_where_it_is_fed_already_and_the_rest_to_most_room(
    account: DhanAccount, second: DhanAccount
) -> None:
    declare_interest(Source.CHAIN, "1", options(1, 10), account)
    declare_interest(Source.WATCHLIST, "7", options(6, 10))
    assert fed(account)["watchlist", "7"] == codes(options(6, 5))
    assert fed(second)["watchlist", "7"] == codes(options(11, 5))


@pytest.mark.usefixtures("small")
def test_tier_a_stays_where_it_is_when_its_owner_adds_more(account: DhanAccount, second: DhanAccount) -> None:
    declare_interest(Source.WATCHLIST, "7", options(1, 10))
    declare_interest(Source.CHAIN, "1", options(101, 5), second)
    declare_interest(Source.WATCHLIST, "7", options(1, 12))
    assert fed(account) == {("watchlist", "7"): codes(options(1, 10))}
    assert fed(second)["watchlist", "7"] == codes(options(11, 2))


@pytest.mark.usefixtures("small")
def test_several_accounts_are_filled_to_their_sum(account: DhanAccount, second: DhanAccount) -> None:
    declare_interest(Source.WATCHLIST, "7", options(1, 100))
    assert [len(fed(each)["watchlist", "7"]) for each in (account, second)] == [50, 50]
    assert interest.capacity().total == Capacity(total=100, tier_b=0, references=0, tier_a=100)
    with pytest.raises(CapacityExceeded):
        declare_interest(Source.WATCHLIST, "8", options(101, 1))


def test_a_chain_takes_over_tier_a_that_another_account_feeds(account: DhanAccount, second: DhanAccount) -> None:
    declare_interest(Source.WATCHLIST, "7", options(1, 10))
    declare_interest(Source.CHAIN, "1", options(1, 4), second)
    assert fed(account) == {("watchlist", "7"): codes(options(5, 6))}
    assert fed(second) == {("chain", "1"): codes(options(1, 4)), ("watchlist", "7"): codes(options(1, 4))}
    assert interest.capacity().total == Capacity(total=50_000, tier_b=4, references=0, tier_a=6)


def test_a_reference_shared_by_chains_of_two_accounts_is_fed_by_one(account: DhanAccount, second: DhanAccount) -> None:
    declare_interest(Source.CHAIN, "1", options(1, 4), account, references=[NIFTY])
    declare_interest(Source.CHAIN, "2", options(11, 4), second, references=[NIFTY])
    assert fed(account)["reference", "chain.2"] == [NIFTY.code]
    assert ("reference", "chain.2") not in fed(second)


def test_a_disabled_account_is_given_nothing(account: DhanAccount, second: DhanAccount) -> None:
    DhanAccount.objects.filter(pk=account.pk).update(enabled=False)
    declare_interest(Source.WATCHLIST, "7", options(1, 10))
    assert fed(account) == {}
    assert [each.name for each in interest.capacity().accounts] == ["two"]


def test_releasing_a_source_by_segment_leaves_chains_held_and_other_segments(account: DhanAccount) -> None:
    declare_interest(Source.CHAIN, "1", options(1, 10), account, references=[NIFTY])
    declare_interest(Source.WATCHLIST, "7", [*options(6, 10), CRUDE], references=[RELIANCE, NIFTY, CRUDE])
    declare_interest(Source.HELD, "order 1", options(12, 1))
    assert release_source(Source.WATCHLIST, [ExchangeSegment.NSE_FNO]) == 10
    assert fed(account) == {
        ("chain", "1"): codes(options(1, 10)),
        ("reference", "chain.1"): [NIFTY.code],
        ("held", "order 1"): codes(options(12, 1)),
        ("watchlist", "7"): [CRUDE.code],
        ("reference", "watchlist.7"): [CRUDE.code],
    }
    version = InterestClock.objects.get().version
    assert release_source(Source.WATCHLIST, [ExchangeSegment.NSE_FNO]) == 0
    assert InterestClock.objects.get().version == version
    assert release_source(Source.WATCHLIST) == 1


def test_a_share_stays_as_a_reference_while_its_options_trade(account: DhanAccount) -> None:
    declare_interest(Source.WATCHLIST, "7", options(1, 42), references=[RELIANCE])
    release_source(Source.WATCHLIST, [ExchangeSegment.NSE_EQ])
    assert fed(account)["reference", "watchlist.7"] == [RELIANCE.code]


def test_five_hundred_items_fit_beside_tier_b_and_the_next_that_does_not_is_refused(account: DhanAccount) -> None:
    declare_interest(Source.CHAIN, "1", options(1, 2272), account, references=[NIFTY])
    shares = [InstrumentKey(ExchangeSegment.NSE_EQ, 1 + number) for number in range(500)]
    declare_interest(Source.WATCHLIST, "7", options(10_000, 21_000), references=shares)
    assert interest.capacity().total == Capacity(total=25_000, tier_b=2272, references=501, tier_a=21_000)
    declare_interest(Source.WATCHLIST, "8", options(40_000, 1200))
    with pytest.raises(CapacityExceeded) as refused:
        declare_interest(Source.WATCHLIST, "9", options(50_000, 42), references=[RELIANCE])
    assert (refused.value.additional, refused.value.capacity.free) == (43, 27)


def test_the_feed_is_nudged_once_the_change_is_committed(
    account: DhanAccount, redis, django_capture_on_commit_callbacks
) -> None:
    before = clock.wall_nanoseconds()
    with django_capture_on_commit_callbacks(execute=True):
        declare_interest(Source.WATCHLIST, "7", options(1, 2))
    command = async_to_sync(get_channel_layer().receive)(f"feed-{account.pk}")
    assert command["type"] == "sync.now"
    assert before <= command["at"] <= clock.wall_nanoseconds()  # of the commit: what sync is measured from


@pytest.mark.usefixtures("small")
def test_whatever_owners_do_no_account_carries_too_much_and_each_instrument_is_fed_by_one(
    account: DhanAccount, second: DhanAccount
) -> None:
    dice = random.Random(11)
    model: dict[tuple[str, str], set[int]] = {}
    refusals = 0
    for _ in range(250):
        source = dice.choice([Source.CHAIN, Source.WATCHLIST, Source.WATCHLIST, Source.HELD])
        number = dice.randrange(4)
        keys = dice.sample(options(1, 160), dice.choice([0, 5, 20, 60]))
        if source == Source.CHAIN:  # chains never share a contract: each has an underlying of its own
            keys = [key for key in keys if key.security_id % 4 == number]
        named = (account, second)[number % 2] if source == Source.CHAIN else None
        try:
            declare_interest(source, str(number), keys, named)
            model[source, str(number)] = set(codes(keys))
        except CapacityExceeded:
            refusals += 1
        first, other = ({code for row in fed(each).values() for code in row} for each in (account, second))
        assert len(first) <= 50
        assert len(other) <= 50
        assert not first & other
        assert first | other == set().union(*model.values())
    assert 20 < refusals < 230
    for owner, expected in model.items():
        found = [set(fed(each).get(owner, [])) for each in (account, second)]
        assert found[0] | found[1] == expected


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("small", "redis")
def test_owners_that_declare_at_once_never_pass_the_capacity_together(account: DhanAccount) -> None:
    refused: list[CapacityExceeded] = []

    def declare(owner: int) -> None:
        try:
            declare_interest(Source.WATCHLIST, str(owner), options(100 * owner, 20))
        except CapacityExceeded as error:
            refused.append(error)
        connection.close()

    threads = [threading.Thread(target=declare, args=(owner,)) for owner in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(refused) == 4
    assert interest.capacity().total.used == 40
    versions = sorted(Interest.objects.exclude(codes=b"").values_list("version", flat=True))
    assert versions == [1, 2]
