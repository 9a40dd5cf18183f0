"""Request texts, modes and limits of one connection."""

from __future__ import annotations

import json

import pytest

from feeds.dhan.wire import DisconnectReason, FeedMode, RequestCode
from feeds.simulator.subscriptions import BadRequest, Request, Subscriptions, parse_request
from feeds.simulator.switches import Limits, Unconfirmed

RELIANCE = 1 << 32 | 2885
NIFTY = 13


def subscriptions(instruments_per_connection: int = 5000, **switches) -> Subscriptions:
    return Subscriptions(Limits(instruments_per_connection=instruments_per_connection), Unconfirmed(**switches))


def asking(mode: FeedMode, *codes: int) -> Request:
    return Request(RequestCode(mode), list(codes), len(codes))


def taking_back(mode: FeedMode, *codes: int) -> Request:
    return Request(RequestCode(mode + 1), list(codes), len(codes))


def test_a_request_names_its_code_and_instruments():
    text = json.dumps(
        {
            "RequestCode": 21,
            "InstrumentCount": 1,
            "InstrumentList": [{"ExchangeSegment": "NSE_EQ", "SecurityId": "2885"}],
        }
    )

    assert parse_request(text) == Request(RequestCode.SUBSCRIBE_FULL, [RELIANCE], 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"RequestCode": 99}',
        '{"RequestCode": 21, "InstrumentList": [{"ExchangeSegment": "NSE_EQ", "SecurityId": 2885}]}',
        '{"RequestCode": 21, "InstrumentList": [{"ExchangeSegment": "NYSE", "SecurityId": "1"}]}',
        '{"RequestCode": 21, "InstrumentList": [{"ExchangeSegment": "NSE_EQ", "SecurityId": "-1"}]}',
    ],
)
def test_what_is_no_request_is_refused(text):
    with pytest.raises(BadRequest):
        parse_request(text)


def test_another_mode_is_added_beside_the_first():
    held = subscriptions()
    held.apply(asking(FeedMode.QUOTE, RELIANCE))
    held.apply(asking(FeedMode.FULL, RELIANCE))

    assert held.modes == {RELIANCE: {FeedMode.QUOTE, FeedMode.FULL}}
    assert held.count == 1


def test_another_mode_replaces_the_first_when_switched_so():
    held = subscriptions(mode_change_replaces=True)
    held.apply(asking(FeedMode.QUOTE, RELIANCE))
    held.apply(asking(FeedMode.FULL, RELIANCE))

    assert held.modes == {RELIANCE: {FeedMode.FULL}}


def test_unsubscribing_another_mode_changes_nothing():
    held = subscriptions()
    held.apply(asking(FeedMode.FULL, RELIANCE))
    held.apply(taking_back(FeedMode.QUOTE, RELIANCE))

    assert held.modes == {RELIANCE: {FeedMode.FULL}}


def test_unsubscribing_the_mode_forgets_the_instrument():
    held = subscriptions()
    held.apply(asking(FeedMode.FULL, RELIANCE, NIFTY))
    held.apply(taking_back(FeedMode.FULL, RELIANCE))

    assert set(held.modes) == {NIFTY}
    assert held.largest == 2


def test_the_limit_is_reached_and_not_passed():
    held = subscriptions(instruments_per_connection=2)
    held.apply(asking(FeedMode.FULL, 1))

    assert held.breach(asking(FeedMode.FULL, 1, 2)) is None
    assert held.breach(asking(FeedMode.FULL, 2, 3)) is DisconnectReason.TOO_MANY_INSTRUMENTS


def test_modes_count_when_switched_so():
    held = subscriptions(instruments_per_connection=1, limit_counts_modes=True)
    held.apply(asking(FeedMode.FULL, 1))

    assert held.breach(asking(FeedMode.QUOTE, 1)) is DisconnectReason.TOO_MANY_INSTRUMENTS


def test_a_message_holds_a_hundred_instruments():
    held = subscriptions()

    assert held.breach(asking(FeedMode.FULL, *range(100))) is None
    assert held.breach(asking(FeedMode.FULL, *range(101))) is DisconnectReason.BAD_REQUEST
    assert subscriptions(too_many_in_message="accept").breach(asking(FeedMode.FULL, *range(101))) is None
