"""When an alert fires: at every touch between two batches, once for each crossing, after a restart too."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.crossing import WATCHED, Column, Decision, Direction, Watch
from feeds.core.tick import TICK, TickFlag

CODE = 8589983673
NOW = 1_770_093_000.0
PRICES = st.integers(95, 105)


def alert(level: int, direction: Direction = Direction.ABOVE, **fields: Any) -> np.ndarray:
    """One row to watch: alert 1 on CODE."""
    row = np.zeros(1, WATCHED)
    row["id"], row["revision"], row["code"], row["column"] = 1, 1, CODE, Column.LAST_PRICE
    row["direction"], row["level"], row["armed"] = direction, level, True
    for name, value in fields.items():
        row[name] = value
    return row


def tick(last: int, low: int = 0, high: int = 0, **fields: Any) -> np.ndarray:
    row = np.zeros(1, TICK)
    row["code"], row["last_price"], row["low"], row["high"] = CODE, last, low or last, high or last
    for name, value in fields.items():
        row[name] = value
    return row


def watching(*rows: np.ndarray) -> Watch:
    watch = Watch()
    watch.load(np.concatenate(rows))
    return watch


def fired(watch: Watch, ticks: np.ndarray, now: float = NOW, quiet: float = 0.0) -> list[int]:
    """Ids that fire; what was decided is stored at once."""
    decisions = watch.decide(ticks, now, quiet)
    watch.stored({decision.id: decision.revision + 1 for decision in decisions})
    return [decision.id for decision in decisions if decision.fires]


def test_it_fires_at_its_level_and_not_before() -> None:
    watch = watching(alert(2_600_000))
    assert fired(watch, tick(2_599_995)) == []
    assert fired(watch, tick(2_600_000)) == [1]


def test_a_touch_between_two_batches_counts() -> None:
    assert fired(watching(alert(2_600_000)), tick(2_599_000, high=2_600_005)) == [1]
    assert fired(watching(alert(2_500_000, Direction.BELOW)), tick(2_501_000, low=2_500_000)) == [1]
    assert fired(watching(alert(2_500_000, Direction.BELOW)), tick(2_501_000, low=2_500_005)) == []


def test_it_says_how_far_it_went() -> None:
    (decision,) = watching(alert(100)).decide(tick(98, low=97, high=103), NOW, 0.0)
    assert decision == Decision(1, 1, fires=True, armed=True, reached=103, last_price=98, at=NOW)
    (decision,) = watching(alert(98, Direction.BELOW)).decide(tick(97, low=95, high=99), NOW, 0.0)
    assert (decision.reached, decision.armed) == (95, False)


def test_it_fires_again_only_after_it_went_back() -> None:
    watch = watching(alert(100))
    assert fired(watch, tick(101)) == [1]
    assert fired(watch, tick(102)) == []
    assert fired(watch, tick(99)) == []
    assert fired(watch, tick(100)) == [1]


def test_back_and_across_between_two_batches_is_a_crossing_too() -> None:
    watch = watching(alert(100, armed=False))
    assert fired(watch, tick(101, low=99, high=102)) == [1]
    assert fired(watch, tick(101, low=100, high=102)) == []


def test_what_it_decided_waits_until_that_is_stored() -> None:
    watch = watching(alert(100))
    assert [decision.fires for decision in watch.decide(tick(101), NOW, 0.0)] == [True]
    assert watch.decide(tick(99), NOW, 0.0) == []
    assert watch.decide_on_held(NOW, 0.0) == []
    watch.stored({1: 2})
    (decision,) = watch.decide_on_held(NOW, 0.0)
    assert (decision.fires, decision.armed, decision.revision) == (False, True, 2)


def test_a_touch_while_a_decision_is_being_stored_is_told_after_it() -> None:
    watch = watching(alert(100))
    watch.decide(tick(101), NOW, 0.0)
    for price in (99, 98, 104, 102):
        assert watch.decide(tick(price), NOW, 0.0) == []
    watch.stored({1: 2})
    (decision,) = watch.decide_on_held(NOW, 0.0)
    assert (decision.fires, decision.armed, decision.reached, decision.last_price) == (True, False, 104, 102)
    watch.stored({1: 3})
    assert watch.decide_on_held(NOW, 0.0) == []


def test_what_was_held_for_an_alert_that_its_owner_changed_is_forgotten() -> None:
    watch = watching(alert(100))
    watch.decide(tick(101), NOW, 0.0)
    watch.decide(tick(99), NOW, 0.0)
    watch.load(alert(90, revision=7))
    assert watch.decide_on_held(NOW, 0.0) == []


def test_a_price_that_dances_around_the_level_is_told_once_in_a_while() -> None:
    watch = watching(alert(100))
    assert fired(watch, tick(101), NOW, quiet=5.0) == [1]
    for second in (1, 2, 3):
        assert fired(watch, tick(99), NOW + second, quiet=5.0) == []
        assert fired(watch, tick(101), NOW + second + 0.5, quiet=5.0) == []
    assert fired(watch, tick(101), NOW + 5.0, quiet=5.0) == [1], "it is beyond the level when it may speak again"


def test_change_is_since_the_previous_close() -> None:
    up = alert(250, column=Column.CHANGE_PERCENT)  # 2.50 percent
    assert fired(watching(up), tick(10_249, previous_close=10_000)) == []
    assert fired(watching(up), tick(10_250, previous_close=10_000)) == [1]
    assert fired(watching(up), tick(10_250)) == [], "without a previous close there is no change"
    down = alert(-250, Direction.BELOW, column=Column.CHANGE_PERCENT)
    (decision,) = watching(down).decide(tick(9_800, low=9_700, previous_close=10_000), NOW, 0.0)
    assert (decision.fires, decision.reached) == (True, -300)


def test_open_interest_and_volume_are_watched_too() -> None:
    oi = alert(1_000, Direction.BELOW, column=Column.OPEN_INTEREST)
    assert fired(watching(oi), tick(1, open_interest=1_001)) == []
    assert fired(watching(oi), tick(1, open_interest=0)) == [], "0 is not known"
    assert fired(watching(oi), tick(1, open_interest=999)) == [1]
    volume = alert(5_000_000_000, column=Column.VOLUME)
    assert fired(watching(volume), tick(1, volume=4_999_999_999)) == []
    assert fired(watching(volume), tick(1, volume=5_000_000_000)) == [1]


def test_what_is_stale_or_not_known_fires_nothing() -> None:
    below = alert(100, Direction.BELOW)
    assert fired(watching(below), tick(0)) == []
    assert fired(watching(below), tick(99, flags=TickFlag.STALE)) == []
    assert fired(watching(below), tick(99, flags=TickFlag.SEEDED)) == [1]


def test_stored_rows_count_by_their_last_value_alone() -> None:
    old = tick(99, low=98, high=103)
    assert watching(alert(100)).decide_on_last(old, NOW, 0.0, only_fresh=False) == []
    assert [d.fires for d in watching(alert(99)).decide_on_last(old, NOW, 0.0, only_fresh=True)] == [True]


def test_only_who_saw_no_tick_yet_is_judged_by_a_stored_row() -> None:
    watch = watching(alert(100))
    assert watch.fresh_codes() == [CODE]
    fired(watch, tick(99))
    assert watch.fresh_codes() == []
    assert watch.decide_on_last(tick(101), NOW, 0.0, only_fresh=True) == []


def test_loading_again_keeps_what_is_not_stored_yet() -> None:
    watch = watching(alert(100))
    watch.decide(tick(101), NOW, 0.0)
    watch.load(np.concatenate([alert(100), alert(50, id=2)]), undecided=[1])
    assert [d.id for d in watch.decide(tick(101), NOW, 0.0) if d.fires] == [2]
    watch.load(alert(100, revision=7), undecided=[1])  # its owner changed it meanwhile
    assert [d.revision for d in watch.decide(tick(101), NOW, 0.0)] == [7]


def test_every_alert_finds_its_own_instrument() -> None:
    rows = [alert(100 + n, id=n, code=CODE + n % 7) for n in range(50)]
    ticks = np.concatenate([tick(120, code=CODE + n) for n in (3, 1, 5)])
    assert sorted(fired(watching(*rows), ticks)) == [n for n in range(50) if n % 7 in (1, 3, 5) and 100 + n <= 120]


@given(st.lists(PRICES, min_size=1, max_size=30), st.sampled_from(Direction), st.integers(1, 6))
def test_batches_of_any_length_fire_as_a_walk_step_by_step_does(
    prices: list[int], direction: Direction, length: int
) -> None:
    """A walk that begins short of the level: each batch that holds a crossing fires once, and no other."""
    level = 100
    prices = [level - 5 * direction, *prices]
    beyond = [price * direction >= level * direction for price in prices]
    crossings = [at for at in range(1, len(prices)) if beyond[at] and not beyond[at - 1]]
    watch = watching(alert(level, direction))
    fired(watch, tick(prices[0]))
    for first in range(1, len(prices), length):
        batch = prices[first : first + length]
        is_due = any(first <= at < first + length for at in crossings)
        told = bool(fired(watch, tick(batch[-1], low=min(batch), high=max(batch))))
        ambiguous = beyond[first - 1] and not beyond[first + len(batch) - 1]  # out, in and out look like only out
        assert told == is_due or (ambiguous and not told)


@given(st.lists(PRICES, min_size=2, max_size=30), st.integers(1, 28))
def test_who_starts_again_in_between_fires_nothing_twice(prices: list[int], at: int) -> None:
    """The stored row and the last price are all that a new process has."""
    whole, first = watching(alert(100)), watching(alert(100))
    told = [len(fired(whole, tick(price))) for price in prices]
    before = [len(fired(first, tick(price))) for price in prices[:at]]
    again = Watch()
    again.load(first.rows.copy())
    at_once = again.decide_on_last(tick(prices[min(at, len(prices)) - 1]), NOW, 0.0, only_fresh=False)
    assert not any(decision.fires for decision in at_once)
    again.stored({decision.id: decision.revision + 1 for decision in at_once})
    after = [len(fired(again, tick(price))) for price in prices[at:]]
    assert before + after == told
