"""Orders stand in price-time priority, and a book tells which prices concern it."""

from __future__ import annotations

import random

from feeds.core.calendar import Phase
from oms.core.quote import Quote, Taken
from oms.core.resting import (
    ASLEEP,
    HIGHEST_FIRST,
    LOWEST_FIRST,
    NEVER_FALLS,
    NEVER_RISES,
    Book,
    Ladder,
    Resting,
    Thresholds,
)
from tests.oms.core.market import BUY, SELL, order, seconds, stop


def resting(book: Book, number: int, side, price: int, priority: int) -> Resting:
    return Resting(order(number, side, 10, price, priority=priority), book, seconds(0))


def ladder_of(direction: int, *prices: int) -> Ladder:
    ladder, book = Ladder(direction), Book(0)
    for number, price in enumerate(prices, 1):
        ladder.add(resting(book, number, BUY, price, number), price)
    return ladder


def ids(orders) -> list[int]:
    return [held.id for held in orders]


def test_buys_are_served_highest_first_and_the_earlier_of_equals_first():
    assert ids(ladder_of(HIGHEST_FIRST, 100, 105, 100, 105, 95)) == [2, 4, 1, 3, 5]


def test_sales_are_served_lowest_first():
    assert ids(ladder_of(LOWEST_FIRST, 100, 105, 100, 105, 95)) == [5, 1, 3, 2, 4]


def test_reaching_gives_those_at_a_price_or_before_it():
    assert ids(ladder_of(HIGHEST_FIRST, 100, 105, 95).reaching(100)) == [2, 1]
    assert ids(ladder_of(LOWEST_FIRST, 100, 105, 95).reaching(100)) == [3, 1]
    assert ids(ladder_of(LOWEST_FIRST, 100).reaching(99)) == []


def test_a_ladder_is_a_sorted_list_whatever_is_added_and_removed():
    numbers, book, ladder = random.Random(3), Book(0), Ladder(HIGHEST_FIRST)
    there: list[Resting] = []
    for number in range(2_000):
        if there and numbers.random() < 0.45:
            gone = there.pop(numbers.randrange(len(there)))
            ladder.remove(gone)
            assert gone not in ladder
        else:
            held = resting(book, number, BUY, numbers.randrange(50), number)
            ladder.add(held, held.limit or 0)
            there.append(held)
        best = max(there, key=lambda held: (held.limit, -held.priority), default=None)
        assert ladder.best() is best
        assert len(ladder) == len(there)
    assert list(ladder) == sorted(there, key=lambda held: (-held.limit, held.priority))


def test_a_book_that_is_closed_or_empty_sleeps():
    book = Book(0)
    book.add(resting(book, 1, BUY, 100_00, 1))
    assert book.thresholds == ASLEEP
    book.phase = Phase.CONTINUOUS
    assert book.thresholds == Thresholds(NEVER_RISES, 100_00, 100_00, NEVER_RISES, awake=False)


def test_a_book_wakes_at_its_best_limits_and_nearest_stops():
    book = Book(0)
    book.phase = Phase.CONTINUOUS
    for held in (
        resting(book, 1, BUY, 98_00, 1),
        resting(book, 2, SELL, 104_00, 2),
        Resting(stop(3, BUY, 10, 103_00), book, seconds(0)),
        Resting(stop(4, SELL, 10, 99_00), book, seconds(0)),
    ):
        book.add(held)
    assert book.thresholds == Thresholds(rise=103_00, fall=99_00, buy=98_00, sell=104_00, awake=False)


def test_a_trailing_stop_wakes_its_book_at_its_next_move():
    book = Book(0)
    book.phase = Phase.CONTINUOUS
    book.add(Resting(stop(1, SELL, 10, 95_00, trailing_jump=1_00, trailing_anchor=100_00), book, seconds(0)))
    assert book.thresholds == Thresholds(101_00, 95_00, NEVER_FALLS, NEVER_RISES, awake=False)


def test_what_is_removed_leaves_nothing_behind():
    book = Book(0)
    book.phase = Phase.CONTINUOUS
    held = Resting(stop(1, SELL, 10, 95_00, trailing_jump=1_00, trailing_anchor=100_00), book, seconds(0))
    book.add(held)
    book.remove(held)
    book.remove(held)
    assert book.thresholds == ASLEEP


def test_an_account_crosses_its_own_orders_only():
    book = Book(0)
    for number, price in ((1, 100_00), (2, 101_00), (3, 102_00)):
        book.add(resting(book, number, SELL, price, number))
    assert ids(book.crossing(2, BUY, 101_00)) == [2]
    assert ids(book.crossing(2, BUY, 100_95)) == []
    assert ids(book.crossing(9, BUY, 200_00)) == []


def test_what_was_taken_stays_taken_until_the_level_changes():
    taken = Taken()
    taken.take(100_00, 50, 20)
    taken.take(100_00, 50, 10)
    assert taken.left(100_00, 50) == 20
    assert taken.refresh([(100_00, 50), (100_05, 75)]) == 0
    assert taken.left(100_00, 50) == 20
    assert taken.refresh([(100_00, 60)]) == 30
    assert taken.left(100_00, 60) == 60
    assert not taken


def test_a_level_that_is_gone_is_forgotten():
    taken = Taken()
    taken.take(100_00, 50, 50)
    assert taken.refresh([]) == 50
    assert taken.left(100_00, 50) == 50


def test_the_last_price_counts_among_those_that_a_batch_told():
    quote = Quote(0, 0, last_price=98_00, low=99_00, high=101_00, bids=[], asks=[])
    assert (quote.lowest, quote.highest) == (98_00, 101_00)
    without_trades = quote._replace(low=0, high=0)
    assert (without_trades.lowest, without_trades.highest) == (98_00, 98_00)
