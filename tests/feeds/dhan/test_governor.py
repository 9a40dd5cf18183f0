"""Who may dial when: the decisions with literal times, then the waiting itself."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds import clock
from feeds.dhan.governor import (
    REMEDIES,
    Cause,
    Credentials,
    DialRules,
    DialTimers,
    Ending,
    Governor,
    Remedy,
    ending_of_reason,
    ending_of_status,
)

TIMERS = DialTimers(
    opening=0.5, spacing=2, first=0.25, limit=30, throttled=60, throttled_limit=300, crowded=30, healthy_after=60
)
LOST = Ending(Cause.LOST, "close 1006")
THROTTLED = Ending(Cause.THROTTLED, "HTTP 429")
CROWDED = Ending(Cause.CROWDED, "disconnect 805")
REFUSED = Ending(Cause.REFUSED, "disconnect 808")
EXPIRED = Ending(Cause.TOKEN_EXPIRED, "disconnect 807")


def rules(seed: int = 1) -> DialRules:
    return DialRules(TIMERS, random.Random(seed))


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        (800, Remedy.BACK_OFF),
        (804, Remedy.BACK_OFF),
        (805, Remedy.ALL_BACK_OFF),
        (806, Remedy.STOP),
        (807, Remedy.RENEW),
        (808, Remedy.STOP),
        (809, Remedy.STOP),
        (810, Remedy.STOP),
        (811, Remedy.BACK_OFF),
        (814, Remedy.BACK_OFF),
        (999, Remedy.BACK_OFF),
    ],
)
def test_each_disconnect_reason_has_its_remedy(reason: int, remedy: Remedy) -> None:
    assert REMEDIES[ending_of_reason(reason).cause] is remedy
    assert str(reason) in ending_of_reason(reason).detail


@pytest.mark.parametrize(
    ("status", "cause"), [(429, Cause.THROTTLED), (401, Cause.REFUSED), (403, Cause.LOST), (503, Cause.LOST)]
)
def test_each_answer_to_the_handshake_has_its_cause(status: int, cause: Cause) -> None:
    assert ending_of_status(status).cause is cause


def test_every_cause_has_a_remedy() -> None:
    assert set(REMEDIES) == set(Cause)


def test_dials_of_one_account_are_spaced_whichever_connection_asks() -> None:
    dial = rules()
    assert dial.earliest(0) == -inf
    dial.ended(3, LOST, lived=0, version=1, now=90.0)
    dial.dialled(0, 100.0)
    assert dial.earliest(0) == dial.earliest(4) == 102.0


def test_the_first_dials_follow_each_other_soon_until_one_fails() -> None:
    dial = rules()
    dial.dialled(0, 100.0)
    assert (dial.earliest(0), dial.earliest(1)) == (102.0, 100.5)
    dial.dialled(1, 100.5)
    assert dial.earliest(2) == 101.0
    dial.ended(1, LOST, lived=0, version=1, now=100.6)
    assert dial.earliest(2) == 102.5


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30))
def test_the_wait_after_losses_is_anywhere_up_to_a_bound_that_doubles_to_its_limit(seed: int, losses: int) -> None:
    dial = rules(seed)
    for _ in range(losses):
        dial.ended(0, LOST, lived=0, version=1, now=100.0)
    assert 100.0 <= dial.earliest(0) <= 100.0 + min(30.0, 0.25 * 2 ** (losses - 1))
    assert dial.earliest(1) == -inf


def test_the_wait_starts_small_again_only_after_a_healthy_minute() -> None:
    short, healthy = rules(3), rules(3)
    for dial, lived in ((short, 59.9), (healthy, 60.0)):
        for _ in range(10):
            dial.ended(0, LOST, lived=0, version=1, now=0.0)
        dial.ended(0, LOST, lived=lived, version=1, now=1000.0)
    assert short.earliest(0) > 1000.25
    assert healthy.earliest(0) <= 1000.25


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_throttling_holds_every_connection_for_a_minute_at_least_and_five_at_most(seed: int, times: int) -> None:
    dial = rules(seed)
    for _ in range(times):
        dial.ended(2, THROTTLED, lived=5, version=1, now=100.0)
    for index in range(5):
        assert 160.0 <= dial.earliest(index) <= 400.0


def test_one_socket_too_many_holds_every_connection_until_dhan_must_have_dropped_it() -> None:
    dial = rules()
    waits = []
    for _ in range(6):
        dial.ended(2, CROWDED, lived=5, version=1, now=100.0)
        waits.append(dial.earliest(4) - 100.0)
    assert waits == [30, 60, 120, 240, 300, 300]


def test_refused_credentials_are_barred_until_they_change() -> None:
    dial = rules()
    dial.ended(0, REFUSED, lived=0, version=7, now=0.0)
    assert dial.is_barred(7, 1e9)
    assert not dial.is_barred(8, 0.0)


def test_an_expired_token_is_barred_until_it_changes_or_a_long_wait_is_over() -> None:
    dial = rules()
    dial.ended(0, EXPIRED, lived=100, version=7, now=1000.0)
    assert dial.is_barred(7, 1299.9)
    assert not dial.is_barred(7, 1300.0)
    assert not dial.is_barred(8, 1000.0)


def test_an_expiry_does_not_soften_a_refusal_of_the_same_credentials() -> None:
    dial = rules()
    dial.ended(0, REFUSED, lived=0, version=7, now=0.0)
    dial.ended(1, EXPIRED, lived=0, version=7, now=0.0)
    assert dial.is_barred(7, 1e9)


def test_credentials_never_show_their_token() -> None:
    assert "secret" not in repr(Credentials("1000000001", "secret", 3))


QUICK = DialTimers(
    opening=0.02,
    spacing=0.02,
    first=0.001,
    limit=0.01,
    throttled=0.1,
    throttled_limit=0.3,
    crowded=0.1,
    healthy_after=10,
)


async def test_five_connections_dial_one_at_a_time_and_spaced() -> None:
    async def credentials() -> Credentials:
        return Credentials("1", "t", 1)

    governor = Governor(credentials, DialRules(QUICK), poll_seconds=0.01)
    starts: list[float] = []
    dialling = 0

    async def dial(index: int) -> None:
        nonlocal dialling
        async with governor.turn(index, lambda: None):
            dialling += 1
            assert dialling == 1
            starts.append(clock.monotonic())
            await asyncio.sleep(0.005)
            dialling -= 1

    await asyncio.gather(*(dial(index) for index in range(5)))
    assert governor.dials == 5
    assert all(later - earlier >= 0.02 for earlier, later in pairwise(starts))


async def test_a_barred_account_does_not_dial_until_its_credentials_change() -> None:
    current = Credentials("1", "old", 1)
    barred = asyncio.Event()

    async def credentials() -> Credentials:
        return current

    governor = Governor(credentials, DialRules(QUICK), poll_seconds=30)
    governor.ended(0, REFUSED, 0, 1)

    async def dial() -> str:
        async with governor.turn(0, barred.set) as found:
            return found.token

    waiting = asyncio.create_task(dial())
    await asyncio.wait_for(barred.wait(), 5)
    assert governor.dials == 0
    current = Credentials("1", "new", 2)
    while not waiting.done():
        governor.nudge()
        await asyncio.sleep(0.001)
    assert (await waiting, governor.dials) == ("new", 1)
