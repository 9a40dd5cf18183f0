"""The credit window: never more on the way than allowed, and fresh news for slow lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feeds.core.outbox import CreditWindow, WindowLimits


def test_it_stops_at_the_frames_limit_and_goes_on_when_acknowledged():
    window = CreditWindow(WindowLimits(frames=3, bytes=1000))
    for _ in range(3):
        assert window.may_send(0.0)
        window.sent(10, 0.0)
    assert not window.may_send(0.1)
    window.acknowledge(1, 0.1)
    assert window.may_send(0.1)


def test_it_stops_at_the_bytes_limit_yet_lets_one_large_frame_go_alone():
    window = CreditWindow(WindowLimits(frames=100, bytes=1000))
    window.sent(5000, 0.0)
    assert not window.may_send(0.0)
    assert window.room() == 0
    window.acknowledge(1, 0.0)
    assert window.may_send(0.0)
    assert window.room() == 1000


def test_acknowledgements_of_the_past_and_the_future_are_ignored():
    window = CreditWindow(WindowLimits())
    window.sent(10, 0.0)
    window.sent(10, 0.0)
    window.acknowledge(99, 0.0)
    assert window.unacknowledged_frames == 2
    window.acknowledge(2, 0.0)
    window.acknowledge(1, 0.0)
    assert window.unacknowledged_frames == window.unacknowledged_bytes == 0


def test_the_age_is_that_of_the_oldest_frame_on_the_way():
    window = CreditWindow(WindowLimits())
    assert window.oldest_age(5.0) == 0.0
    window.sent(10, 1.0)
    window.sent(10, 4.0)
    assert window.oldest_age(5.0) == 4.0
    window.acknowledge(1, 5.0)
    assert window.oldest_age(5.0) == 1.0


def test_late_acknowledgements_halve_the_window_and_timely_ones_open_it_again():
    window = CreditWindow(WindowLimits(frames=8, bytes=10_000, late_seconds=2.0))
    for _ in range(8):
        window.sent(10, 0.0)
    assert not window.may_send(3.0)  # late: halved to 4
    window.acknowledge(8, 3.0)
    for _ in range(4):
        assert window.may_send(3.0)
        window.sent(10, 3.0)
    assert not window.may_send(3.0)
    window.acknowledge(12, 3.5)  # in time: one more
    window.sent(10, 3.5)
    window.acknowledge(13, 3.6)
    sent = 0
    while window.may_send(3.6):
        window.sent(10, 3.6)
        sent += 1
    assert sent == 5


def read_at(kilobytes_per_second: float, seconds: int, frame: int = 400) -> float:
    """A browser that takes so much, offered ten frames a second; returns the worst age of the last quarter."""
    window = CreditWindow(WindowLimits(late_seconds=2.0))
    line: list[tuple[int, float]] = []
    worst, free_at = 0.0, 0.0
    for step in range(seconds * 10):
        now = step / 10
        while line and line[0][1] <= now:
            window.acknowledge(line.pop(0)[0], now)
        if window.may_send(now):
            window.sent(frame, now)
            free_at = max(free_at, now) + frame / (kilobytes_per_second * 1000)
            line.append((window.last_frame, free_at))
            if step > seconds * 7.5:
                worst = max(worst, free_at - now)
    return worst


def test_a_line_of_one_kilobyte_a_second_settles_at_news_two_seconds_old():
    assert read_at(1.0, seconds=120) <= 2.0


@given(st.lists(st.tuples(st.sampled_from(["send", "ack"]), st.integers(0, 40), st.floats(0.0, 3.0)), max_size=200))
def test_it_never_exceeds_its_limits_and_never_counts_wrong(steps):
    limits = WindowLimits(frames=5, bytes=100)
    window, now, on_the_way = CreditWindow(limits), 0.0, {}
    for action, number, wait in steps:
        now += wait
        if action == "send" and window.may_send(now):
            window.sent(number, now)
            on_the_way[window.last_frame] = number
        elif action == "ack":
            window.acknowledge(number, now)
            if number <= window.last_frame:
                on_the_way = {frame: size for frame, size in on_the_way.items() if frame > number}
        assert window.unacknowledged_frames == len(on_the_way) <= limits.frames
        assert window.unacknowledged_bytes == sum(on_the_way.values()) <= limits.bytes + 40
