"""Topics: what a browser rebuilds from a snapshot and updates is what the table holds, whatever it was spared."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.core.live_table import TOP_COLUMNS, LiveTable
from feeds.core.tick import TICK
from feeds.core.topic_state import HISTORY, TopicIndex, TopicState

KEYS = [InstrumentKey(ExchangeSegment.NSE_FNO, number) for number in range(1, 6)]
PRICE = TOP_COLUMNS.index("last_price")


def topic_on(table: LiveTable, keys: list[InstrumentKey], identity: int = 1) -> TopicState:
    topic = TopicState(identity, f"watchlist.{identity}")
    topic.define("watchlist", keys, TOP_COLUMNS, {"name": "mine"}, table)
    return topic


def merge(table: LiveTable, flush: int, prices: dict[int, int]) -> None:
    rows = np.zeros(len(prices), TICK)
    rows["code"] = [KEYS[place].code for place in prices]
    rows["last_price"] = list(prices.values())
    table.merge(rows, flush)


def test_a_snapshot_names_its_columns_and_instruments():
    table = LiveTable()
    topic = topic_on(table, KEYS[:2])
    merge(table, 1, {1: 500})
    topic.mark_changed(1)
    told = json.loads(topic.snapshot_part("e.1", False, table))
    assert (told["topic"], told["id"], told["epoch"], told["sequence"], told["gap"]) == (
        "watchlist.1",
        1,
        "e.1",
        1,
        False,
    )
    assert told["instruments"] == ["NSE_FNO.1", "NSE_FNO.2"]
    assert told["rows"][1][told["columns"].index("last_price")] == 500


def test_an_update_holds_the_rows_that_changed_since():
    table = LiveTable()
    topic = topic_on(table, KEYS)
    for flush, prices in [(1, {0: 10}), (2, {3: 30}), (4, {0: 11, 4: 40})]:
        merge(table, flush, prices)
        topic.mark_changed(flush)
    identity, start, end, rows = json.loads(topic.update_part(3, table))
    assert (identity, start, end) == (1, 2, 3)
    assert [(row[0], row[1 + PRICE]) for row in rows] == [(0, 11), (4, 40)]
    assert json.loads(topic.update_part(0, table))[1] == 0


def test_an_update_is_encoded_once_for_all_who_are_at_the_same_sequence():
    table = LiveTable()
    topic = topic_on(table, KEYS)
    merge(table, 5, {0: 10})
    topic.mark_changed(5)
    assert topic.update_part(2, table) is topic.update_part(4, table)


def test_who_is_too_far_behind_needs_a_snapshot():
    table = LiveTable()
    topic = topic_on(table, KEYS)
    for flush in range(1, 2 * HISTORY + 2):
        topic.mark_changed(flush)
    assert topic.update_part(HISTORY - 1, table) is None
    assert topic.sequence_at(HISTORY) == HISTORY
    assert topic.sequence_at(2 * HISTORY) == 2 * HISTORY


def test_a_topic_without_rows_is_json_too():
    topic = TopicState(1, "ops")
    topic.define("ops", [], [], {"feeds": []}, LiveTable())
    assert json.loads(topic.snapshot_part("e", False, LiveTable()))["rows"] == []


def test_the_index_finds_every_changed_topic_at_once():
    table = LiveTable()
    topics = [topic_on(table, KEYS[:2], 1), topic_on(table, [], 2), topic_on(table, KEYS[2:], 3)]
    merge(table, 7, {3: 1})
    assert [topic.id for topic in TopicIndex(topics).changed(table, 7)] == [3]
    assert TopicIndex([]).changed(table, 7) == []


@given(
    st.lists(
        st.tuples(st.dictionaries(st.integers(0, 4), st.integers(1, 10**6), max_size=5), st.booleans()), max_size=40
    )
)
def test_snapshot_and_updates_rebuild_the_table_however_many_flushes_were_skipped(flushes):
    table = LiveTable()
    topic = topic_on(table, KEYS)
    told = json.loads(topic.snapshot_part("e", False, table))
    position, sequence, rows = 0, told["sequence"], told["rows"]
    for flush, (prices, is_due) in enumerate([*flushes, ({}, True)], start=1):
        if prices:
            merge(table, flush, prices)
        for changed in TopicIndex([topic]).changed(table, flush):
            changed.mark_changed(flush)
        if is_due and topic.changed_at > position:
            _, start, end, changes = json.loads(topic.update_part(position, table))
            assert start == sequence
            sequence = end
            for place, *values in changes:
                rows[place] = values
        if is_due:
            position = flush
    assert sequence == topic.sequence
    assert rows == json.loads(topic.snapshot_part("e", False, table))["rows"]
