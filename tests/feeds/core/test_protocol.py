"""Commands: what is not exactly one is refused with a reason, and nothing else ever happens."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.core.protocol import (
    Acknowledge,
    Allowance,
    BadCommand,
    Ping,
    SetRate,
    Subscribe,
    Unsubscribe,
    frame_text,
    heartbeat_text,
    parse_command,
)


def parse(text: str):
    return parse_command(text, size_limit=65_536, rate_limit=10)


def test_each_command_is_read():
    assert parse('{"op":"subscribe","topics":["watchlist.7","ops"],"rate":5}') == Subscribe(("watchlist.7", "ops"), 5)
    assert parse('{"op":"subscribe","topics":["ops","ops"]}') == Subscribe(("ops",), None)
    assert parse('{"op":"unsubscribe","topics":["chain.NSE_FNO.M&M.2026-02-24"]}').topics == (
        "chain.NSE_FNO.M&M.2026-02-24",
    )
    assert parse('{"op":"rate","rate":1}') == SetRate(1)
    assert parse('{"op":"ack","frame":17}') == Acknowledge(17)
    assert parse('{"op":"ping"}') == Ping(None)


def test_of_equal_keys_the_last_counts():
    assert parse('{"op":"ping","id":1,"id":2}') == Ping(2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "[]",
        "null",
        "{}",
        '{"op":"buy"}',
        '{"op":["ping"]}',
        '{"op":"ping","extra":1}',
        '{"op":"ping","id":NaN}',
        '{"op":"ping","id":1.0}',
        '{"op":"ping","id":true}',
        '{"op":"ping","id":' + "9" * 5000 + "}",
        '{"op":"ping","id":-1}',
        '{"op":"rate","rate":0}',
        '{"op":"rate","rate":11}',
        '{"op":"rate","rate":"5"}',
        '{"op":"ack"}',
        '{"op":"ack","frame":9007199254740992}',
        '{"op":"subscribe","topics":[]}',
        '{"op":"subscribe","topics":"ops"}',
        '{"op":"subscribe","topics":[7]}',
        '{"op":"subscribe","topics":["a b"]}',
        '{"op":"subscribe","topics":["' + "x" * 101 + '"]}',
        '{"op":"subscribe","topics":["\\ud800"]}',
        '{"op":"subscribe","topics":["ops"],"rate":null}',
        "[" * 100_000,
        '{"op":' * 10_000,
        '"' + "x" * 1_000_000 + '"',
        "\ud800",
    ],
)
def test_what_is_not_a_command_is_refused(text):
    with pytest.raises(BadCommand):
        parse(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(["op", "topics", "rate", "frame", "id", "x"])
values = json_values | st.sampled_from(["subscribe", "unsubscribe", "rate", "ack", "ping", ["ops"], 5])


@given(st.text() | st.dictionaries(fields, values).map(json.dumps))
def test_any_text_is_a_command_or_a_bad_command(text):
    try:
        command = parse(text)
    except BadCommand:
        return
    assert isinstance(command, Subscribe | Unsubscribe | SetRate | Acknowledge | Ping)


def test_an_allowance_refills_with_time_and_never_beyond_its_size():
    allowance = Allowance(events=10, seconds=60.0, now=0.0)
    assert [allowance.take(0.0) for _ in range(11)] == [True] * 10 + [False]
    assert not allowance.take(5.0)
    assert allowance.take(6.1)
    assert [allowance.take(10_000.0) for _ in range(11)] == [True] * 10 + [False]


def test_frames_are_json():
    assert json.loads(frame_text(3, 1000, '[1,2,3,[]],{"feed":1}'))["parts"] == [[1, 2, 3, []], {"feed": 1}]
    assert json.loads(heartbeat_text(4, 1000, [(1, 7), (2, 0)]))["positions"] == {"1": 7, "2": 0}
