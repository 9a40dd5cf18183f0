"""The matrix of live rows: every instrument keeps its slot, every column its unit."""

from __future__ import annotations

import numpy as np
import pytest

from feeds.core.live_table import COLUMN_INDEX, DEPTH_COLUMNS, TOP_COLUMNS, LiveTable
from feeds.core.tick import TICK, TickFlag


def ticks(*codes: int) -> np.ndarray:
    rows = np.zeros(len(codes), TICK)
    rows["code"] = codes
    return rows


def test_times_become_milliseconds_and_the_best_level_stands_among_the_top_columns():
    rows = ticks(7)
    rows["received_at"], rows["last_traded_at"] = 1_770_000_000_123_456_789, 1_770_000_000
    rows["depth"]["bid_price"] = [[100, 99, 98, 97, 96]]
    rows["depth"]["ask_orders"] = [[1, 2, 3, 4, 5]]
    table = LiveTable()
    [slot] = table.merge(rows, 1)
    told = {name: table.values[slot, index] for name, index in COLUMN_INDEX.items()}
    assert (told["received_at"], told["last_traded_at"]) == (1_770_000_000_123, 1_770_000_000_000)
    assert (told["bid_price"], told["bid_price_1"], told["bid_price_5"], told["ask_orders_4"]) == (100, 100, 96, 4)


def test_a_slot_is_for_ever_and_survives_growth():
    table = LiveTable()
    first = table.slots([5, 3])
    table.slots(np.arange(10_000, 20_000))
    assert list(table.slots([5, 3])) == list(first)
    assert len(set(table.slots(np.arange(10_000, 20_000)))) == 10_000


def test_what_was_never_heard_of_is_stale_until_it_is():
    table = LiveTable()
    [slot] = table.slots([9])
    assert table.values[slot, COLUMN_INDEX["flags"]] == TickFlag.STALE
    table.merge(ticks(9), 4)
    assert table.values[slot, COLUMN_INDEX["flags"]] == 0
    assert table.changed_at[slot] == 4


def test_an_instrument_that_moved_keeps_what_its_new_account_says():
    table = LiveTable()

    def say(account: int, price: int, received_at: int) -> int:
        rows = np.zeros(1, TICK)
        rows["code"], rows["last_price"], rows["received_at"] = 7, price, received_at * 1_000_000
        table.merge(rows, 1, account)
        return int(table.values[table.slots([7])[0], COLUMN_INDEX["last_price"]])

    assert say(1, 100, received_at=10) == 100
    assert say(2, 101, received_at=11) == 101
    assert say(1, 100, received_at=10) == 101  # the old account's board is loaded again
    assert say(2, 102, received_at=5) == 102  # a clock was set back: an account is believed about its own
    assert say(1, 103, received_at=12) == 103


def test_rows_that_are_not_kept_are_forgotten_and_the_rest_is_found_again():
    table = LiveTable()
    rows = ticks(5, 9, 7, 3)
    rows["last_price"] = [500, 900, 700, 300]
    rows["received_at"] = np.array([1, 2, 3, 4]) * 1_000_000
    table.merge(rows, 6)
    table.keep_only(np.concatenate([table.fed_since(3), table.slots([9])]))
    assert table.size == 3
    slots = table.slots([3, 7, 9])
    assert table.values[slots, COLUMN_INDEX["last_price"]].tolist() == [300, 700, 900]
    assert table.changed_at[slots].tolist() == [6, 6, 6]
    forgotten = table.slots([5])
    assert table.size == 4
    assert table.values[forgotten, COLUMN_INDEX["last_price"]].tolist() == [0]
    assert table.values[forgotten, COLUMN_INDEX["flags"]].tolist() == [TickFlag.STALE]
    many = table.slots(np.arange(100, 10_000))
    assert len(set(many.tolist()) | set(table.slots([3, 5, 7, 9]).tolist())) == 9_904


def test_only_tick_rows_are_taken():
    with pytest.raises(ValueError, match="not TICK rows"):
        LiveTable().merge(np.zeros(1, [("code", "<u8")]), 1)


def test_column_names_are_distinct():
    assert len(set(TOP_COLUMNS + DEPTH_COLUMNS)) == len(TOP_COLUMNS) + len(DEPTH_COLUMNS)
