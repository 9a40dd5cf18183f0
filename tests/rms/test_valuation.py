"""Marking positions: exact sums, and which price was believed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.core.tick import TICK, TickFlag
from rms.core.product import Product
from rms.models import Position
from rms.valuation import OpenPosition, PositionTable, PriceSource, quotes_of
from tests.rms import desk
from tests.rms.desk import CALL, CRUDE, DAY, FUTURE

NOW = 1_770_090_000


def row(code: int = 1, last: int = 0, age: int = 0, bid: int = 0, ask: int = 0, close: int = 0, flags: int = 0):
    rows = np.zeros(1, TICK)
    rows["code"], rows["last_price"], rows["previous_close"], rows["flags"] = code, last, close, flags
    rows["last_traded_at"] = NOW - age
    rows["depth"]["bid_price"][0, 0], rows["depth"]["ask_price"][0, 0] = bid, ask
    return rows


@pytest.mark.parametrize(
    ("told", "price", "source"),
    [
        (row(last=10_000, age=5, bid=9_900, ask=9_950), 10_000, PriceSource.LAST),
        (row(last=10_000, age=61, bid=9_900, ask=9_950), 9_925, PriceSource.MID),
        (row(last=10_000, age=61, bid=9_901, ask=9_902), 9_902, PriceSource.MID),
        (row(last=10_000, age=61, bid=9_903, ask=9_904), 9_904, PriceSource.MID),
        (row(last=10_000, age=61, bid=9_902, ask=9_903), 9_902, PriceSource.MID),
        (row(last=10_000, age=61, bid=9_900), 10_000, PriceSource.STALE),
        (row(last=10_000, age=61, bid=9_950, ask=9_900), 10_000, PriceSource.STALE),
        (row(last=10_000, age=5, bid=9_900, ask=9_950, flags=TickFlag.STALE), 10_000, PriceSource.STALE),
        (row(last=10_000, age=61, bid=9_900, ask=9_950, flags=TickFlag.QUARANTINED), 10_000, PriceSource.STALE),
        (row(close=8_000, age=NOW), 8_000, PriceSource.PREVIOUS_CLOSE),
        (row(close=8_000, age=NOW, bid=9_900, ask=9_950), 9_925, PriceSource.MID),
        (row(), 0, PriceSource.NONE),
    ],
)
def test_the_last_price_counts_by_habit_and_the_mid_when_it_is_old(told, price, source):
    quotes = quotes_of(told, NOW)

    assert (quotes.prices[0], quotes.sources[0]) == (price, source)


def position(account: int, code: int, units: int, cost: int, realised: int = 0, product: Product = Product.MARGIN):
    return OpenPosition(account, code, product, units, cost, realised)


def test_positions_and_accounts_are_marked_to_the_paisa():
    table = PositionTable(
        [position(2, 9, -100, -60_000_000, 5), position(1, 7, 75, 1_042_500), position(1, 9, 1, 600_000)]
    )

    marks = table.mark(np.array([7, 9, 12], np.uint64), np.array([16_750, 590_000, 1]))

    assert [(each.account_id, each.code) for each in table.positions] == [(1, 7), (1, 9), (2, 9)]
    assert marks.unrealised.tolist() == [75 * 16_750 - 1_042_500, -10_000, 1_000_000]
    assert table.account_ids.tolist() == [1, 2]
    assert marks.account_unrealised.tolist() == [213_750 - 10_000, 1_000_000]
    assert marks.account_realised.tolist() == [0, 5]


def test_a_position_without_a_price_counts_at_its_cost_and_says_so():
    marks = PositionTable([position(1, 7, 75, 1_042_500)]).marks()

    assert (marks.unrealised.tolist(), marks.sources.tolist()) == ([0], [PriceSource.NONE])


def test_a_price_stays_until_the_next_also_when_positions_change():
    table = PositionTable([position(1, 7, 75, 75_000)])
    table.mark(np.array([7], np.uint64), np.array([1_100]))

    table.update([position(1, 7, 50, 50_000, realised=2_500), position(1, 8, 1, 10)])

    assert table.marks().unrealised.tolist() == [5_000, 0]
    assert table.marks().account_realised.tolist() == [2_500]


def test_a_closed_position_stays_for_what_it_realised_and_leaves_without():
    table = PositionTable([position(1, 7, 75, 75_000), position(1, 8, 1, 10)])

    table.update([position(1, 7, 0, 0, realised=9), position(1, 8, 0, 0)])

    assert [each.code for each in table.positions] == [7]


def test_an_empty_table_takes_a_batch():
    marks = PositionTable().mark_rows(row(last=5), NOW)

    assert marks.account_unrealised.tolist() == []


POSITIONS = st.lists(
    st.builds(
        position, st.integers(1, 5), st.integers(1, 30), st.integers(-(10**6), 10**6), st.integers(-(10**12), 10**12)
    ),
    max_size=40,
    unique_by=lambda each: each.identity,
)


@given(
    POSITIONS, st.lists(st.tuples(st.integers(1, 40), st.integers(1, 2**31 - 1)), max_size=40, unique_by=lambda p: p[0])
)
@settings(max_examples=60, deadline=None)
def test_columns_say_what_plain_arithmetic_says(positions, prices):
    table, known = PositionTable(positions), dict(prices)
    marks = table.mark(np.array(list(known), np.uint64), np.array(list(known.values()), np.int64))

    expected = [each.units * known[each.code] - each.open_cost if each.code in known else 0 for each in table.positions]
    assert marks.unrealised.tolist() == expected
    for account, total in zip(table.account_ids.tolist(), marks.account_unrealised.tolist(), strict=True):
        mine = zip(table.positions, expected, strict=True)
        assert total == sum(value for each, value in mine if each.account_id == account)


@pytest.mark.django_db
def test_the_table_loads_what_is_open_or_realised_something(instruments, account):
    def row_of(key, quantity, cost, realised=0):
        return Position(
            account=account, instrument_id=key.code, product=Product.MARGIN, signed_quantity=quantity, open_cost=cost,
            realised_pnl=realised, trading_date=DAY,
        )  # fmt: skip

    other = desk.make_account()
    Position.objects.bulk_create([row_of(CRUDE, 2, 120_000_000), row_of(CALL, 0, 0, 77), row_of(FUTURE, 0, 0)])

    table = PositionTable.load([account.pk, other.pk])

    assert {(each.code, each.units, each.realised) for each in table.positions} == {
        (CRUDE.code, 200, 0),
        (CALL.code, 0, 77),
    }
    assert len(PositionTable.load([other.pk])) == 0
    assert len(PositionTable.load()) == 2
