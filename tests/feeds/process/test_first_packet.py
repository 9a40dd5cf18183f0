"""The first-packet audit: what was asked for shows itself, is asked for again, or is explained."""

from __future__ import annotations

import numpy as np

from feeds.core.tick import TICK
from feeds.process.first_packet import Due, FirstPacketAudit

NOTHING = Due([], [])


def packets(*codes: int, received_at: int = 100) -> np.ndarray:
    rows = np.zeros(len(codes), TICK)
    rows["code"], rows["received_at"] = codes, received_at
    return rows


def audit_of(*codes: int) -> FirstPacketAudit:
    audit = FirstPacketAudit(seconds=10.0, resends=2)
    audit.written(codes, wall=100, now=0.0)
    return audit


def test_a_packet_ends_the_wait():
    audit = audit_of(1, 2)
    audit.seen(packets(1, 2))
    assert audit.due(10.0) == NOTHING
    assert audit.report()["waiting"] == 0


def test_a_row_from_before_the_subscription_proves_nothing():
    audit = audit_of(1)
    audit.seen(packets(1, received_at=99))
    assert audit.due(10.0).resend == [1]


def test_silence_is_sent_again_twice_and_then_compared():
    audit = audit_of(1)
    assert audit.due(9.9) == NOTHING
    assert audit.due(10.0) == Due([1], [])
    assert audit.due(10.0) == NOTHING
    assert audit.due(20.0) == Due([1], [])
    assert audit.due(30.0) == Due([], [1])
    assert audit.due(1_000.0) == NOTHING
    assert audit.report()["resent"] == 2


def test_sending_again_does_not_start_the_count_afresh():
    audit = audit_of(1)
    for moment in (10.0, 20.0):
        assert audit.due(moment).resend == [1]
        audit.written([1], wall=int(moment), now=moment)
    assert audit.due(30.0) == Due([], [1])


def test_silence_without_trades_is_no_fault():
    audit = audit_of(1)
    audit.due(10.0), audit.due(20.0), audit.due(30.0)
    audit.judge(1, missed=False)
    assert audit.report() == {
        "waiting": 0, "comparing": 0, "resent": 2, "quiet": 1, "missing": 0, "faults": 0,
    }  # fmt: skip


def test_silence_with_trades_is_a_fault_until_it_shows_itself():
    audit = audit_of(1)
    audit.due(10.0), audit.due(20.0), audit.due(30.0)
    audit.judge(1, missed=True)
    assert (audit.report()["missing"], audit.report()["faults"]) == (1, 1)
    audit.seen(packets(1, received_at=200))
    assert (audit.report()["missing"], audit.report()["faults"]) == (0, 1)


def test_a_packet_that_overtakes_the_quote_settles_it():
    audit = audit_of(1)
    audit.due(10.0), audit.due(20.0), audit.due(30.0)
    audit.seen(packets(1))
    audit.judge(1, missed=True)
    assert audit.report()["faults"] == 0


def test_what_was_unsubscribed_is_not_expected():
    audit = audit_of(1, 2)
    audit.forget([1])
    assert audit.due(10.0).resend == [2]


def test_a_fresh_subscription_starts_the_wait_afresh():
    audit = audit_of(1)
    audit.written([1], wall=900, now=8.0)
    assert audit.due(10.0) == NOTHING
    audit.seen(packets(1, received_at=500))
    assert audit.due(18.0).resend == [1]
