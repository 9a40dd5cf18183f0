"""A topic's latest facts: in order, once, and only so many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feeds.core.fact_log import FACTS_A_PART, KEPT, FactLog, FactText


def fact(offset: int) -> FactText:
    return FactText(offset, str(offset), None)


def log_of(first: int, last: int) -> FactLog:
    log = FactLog(first)
    log.append([fact(offset) for offset in range(first + 1, last + 1)])
    return log


def test_it_tells_what_comes_after_an_offset() -> None:
    log = log_of(40, 43)
    assert (log.text(40, 43), log.text(42, 43), log.text(40, 41)) == (("41,42,43", 43), ("43", 43), ("41", 41))


def test_it_tells_no_more_than_a_part_at_once() -> None:
    text, last = log_of(0, 3 * FACTS_A_PART).text(FACTS_A_PART, 3 * FACTS_A_PART)
    assert (last, text.split(",")[0], text.split(",")[-1]) == (2 * FACTS_A_PART, "201", "400")


def test_a_hole_begins_it_anew() -> None:
    log = log_of(0, 3)
    log.append([fact(7), fact(8)])
    assert (log.holds(3), log.holds(6), log.text(6, 8)) == (False, True, ("7,8", 8))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 400)), max_size=30))
def test_reads_that_overlap_count_once_and_the_oldest_are_forgotten(reads: list[tuple[int, int]]) -> None:
    log, told = FactLog(0), []
    for back, count in reads:
        start = max(log.offset - back, 0)
        told += log.append([fact(offset) for offset in range(start + 1, start + 1 + count)])
    assert [each.offset for each in told] == list(range(1, log.offset + 1))
    assert log.offset - log.forgotten <= 2 * KEPT
    after = log.forgotten
    while after < log.offset:
        text, last = log.text(after, log.offset)
        assert text.split(",") == [str(offset) for offset in range(after + 1, last + 1)]
        after = last
