"""C08: whatever a browser sends is obeyed, answered with an error and its code, or ends the connection by a code."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator

import pytest
import pytest_asyncio

from feeds import clock
from feeds.core.protocol import BadCommand, CloseCode, parse_command
from tests.faults.clients_fixtures import CALL, CHAIN, RawBrowser, Web, on_the_market, until, web_process

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

MESSAGE_BYTES = 65_536
NONSENSE = {
    "nothing": b"",
    "cut JSON": b'{"op":"subscribe","topics":["chain',
    "no JSON": b"subscribe please",
    "a list": b"[]",
    "a number": b"7",
    "null": b"null",
    "no op": b"{}",
    "op is a list": b'{"op":["subscribe"]}',
    "an unknown op": b'{"op":"order"}',
    "an unknown field": b'{"op":"ping","name":"x"}',
    "topics is a text": b'{"op":"subscribe","topics":"chain.NSE_FNO.NIFTY.2026-02-24"}',
    "topics is empty": b'{"op":"subscribe","topics":[]}',
    "a topic is null": b'{"op":"subscribe","topics":[null]}',
    "a topic is no name": b'{"op":"subscribe","topics":["../etc/passwd"]}',
    "a rate is true": b'{"op":"rate","rate":true}',
    "a rate is a text": b'{"op":"rate","rate":"5"}',
    "a rate is NaN": b'{"op":"rate","rate":NaN}',
    "a rate is infinite": b'{"op":"rate","rate":Infinity}',
    "a rate is half": b'{"op":"rate","rate":0.5}',
    "a huge integer": b'{"op":"ack","frame":' + b"9" * 5_000 + b"}",
    "a huge exponent": b'{"op":"ack","frame":1e400}',
    "a negative frame": b'{"op":"ack","frame":-1}',
    "equal keys, the last wrong": b'{"op":"rate","rate":5,"rate":"x"}',
    "a lone surrogate": rb'{"op":"subscribe","topics":["\ud800"]}',
    "deep nesting": b"[" * 60_000,
    "deep nesting in a command": b'{"op":"subscribe","topics":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "a topic of sixty thousand letters": b'{"op":"subscribe","topics":["' + b"x" * 60_000 + b'"]}',
}
TOO_LARGE = {
    "nesting of a hundred thousand": b"[" * 100_000,
    "a text of a megabyte": b'{"op":"subscribe","topics":["' + b"x" * 1_000_000 + b'"]}',
}
VALID = (
    b'{"op":"subscribe","topics":["chain.NSE_FNO.NIFTY.2026-02-24","instrument.NSE_FNO.49001"],"rate":10}',
    b'{"op":"unsubscribe","topics":["instrument.NSE_FNO.49001"]}',
    b'{"op":"rate","rate":2}',
    b'{"op":"ack","frame":17}',
    b'{"op":"ping","id":1}',
)
TOKENS = (
    b"null",
    b"true",
    b"NaN",
    b"-1",
    b"1e999",
    b"[",
    b"]",
    b"{",
    b"}",
    b'"',
    b",",
    b":",
    rb"\ud800",
    b"\\",
    b"\x00",
)
PARSED_IN_TEST = 50_000
SENT_IN_TEST = 3_000
PARSED_IN_SOAK = 1_000_000
SENT_SECONDS_IN_SOAK = 60.0
BATCH = 40
"""A connection's messages at once: under the fifty that are too many commands, over the ten that may be mistakes."""


@pytest.fixture(scope="module", params=["daphne", pytest.param("uvicorn", marks=pytest.mark.soak)])
def process(request, django_db_setup, tmp_path_factory):
    with web_process(request.param, tmp_path_factory.mktemp("web")) as process:
        yield process
        assert "Traceback" not in process[0].log_tail(10_000), process[0].log_tail(10_000)


@pytest_asyncio.fixture
async def web(redis, process):
    async with on_the_market(process, strikes=1) as web:
        yield web


async def test_each_kind_of_nonsense_is_answered_with_an_error_and_its_code(web: Web):
    browser, asked = web.raw(), 0
    for name, text in NONSENSE.items():
        if asked == 10:
            browser.reset()
            browser, asked = web.raw(), 0
        browser.send_text(text)
        asked += 1
        told = await asyncio.to_thread(browser.answer)
        assert told.get("code") == "BAD_MESSAGE", (name, told, browser.close_code)
    browser.send(op="ping", id=3)
    assert (await asyncio.to_thread(browser.answer))["id"] == 3
    browser.reset()


async def test_the_eleventh_mistake_in_a_minute_ends_the_connection(web: Web):
    browser = web.raw()
    for _ in range(11):
        browser.send_text(b"{")
    told = [await asyncio.to_thread(browser.answer) for _ in range(11)]
    assert [message.get("code") for message in told] == ["BAD_MESSAGE"] * 10 + [None]
    assert browser.close_code == 4400


async def test_a_message_beyond_the_limit_ends_the_connection(web: Web):
    for name, text in TOO_LARGE.items():
        browser = web.raw()
        browser.send_text(text)
        await asyncio.to_thread(browser.read_to_the_end)
        assert browser.close_code in {1009, None}, name


async def test_a_binary_message_is_a_mistake_like_any_other(web: Web):
    browser = web.raw()
    browser.socket.sendall(b"\x82\x84" + bytes(4) + b"ping")
    assert (await asyncio.to_thread(browser.answer))["code"] == "BAD_MESSAGE"
    browser.reset()


async def test_equal_keys_count_by_the_last(web: Web):
    browser = web.raw()
    browser.send_text(b'{"op":"ping","id":1,"id":2}')
    assert (await asyncio.to_thread(browser.answer))["id"] == 2
    browser.reset()


def mutations(seed: int) -> Iterator[bytes]:
    """Valid commands, some changed a little: cut, doubled, with bytes or tokens put in or taken out."""
    chance = random.Random(seed)
    while True:
        text = chance.choice(VALID)
        for _ in range(chance.randrange(4)):
            text = mutated(text, chance)
        yield text


def mutated(text: bytes, chance: random.Random) -> bytes:
    at, end = sorted((chance.randrange(len(text) + 1), chance.randrange(len(text) + 1)))
    piece = chance.choice((chance.choice(TOKENS), bytes([chance.randrange(32, 127)]), text[at:end], b""))
    return text[:at] + piece + text[chance.choice((at, min(at + 1, len(text)), end)) :]


def parse_many(count: int) -> Counter[str]:
    """Only BadCommand may come out of the parser beside commands."""
    outcomes: Counter[str] = Counter()
    generated = mutations(seed=8)
    for _ in range(count):
        try:
            command = parse_command(next(generated).decode("utf-8", "surrogateescape"), MESSAGE_BYTES, 10)
            outcomes[type(command).__name__] += 1
        except BadCommand:
            outcomes["BadCommand"] += 1
    return outcomes


async def send_many(web: Web, batches: Iterator[int]) -> Counter[str]:
    """Generated messages over real connections, a batch each; how the server answered."""
    outcomes: Counter[str] = Counter()
    generated = mutations(seed=9)
    for _ in batches:
        browser = web.raw()
        texts = [next(generated) for _ in range(BATCH)]
        outcomes["sent"] += len(texts)
        outcomes.update(await asyncio.to_thread(exchange, browser, texts))
    return outcomes


def exchange(browser: RawBrowser, texts: list[bytes]) -> Counter[str]:
    """Send them, then a ping; read until its pong, or until the server closed."""
    outcomes: Counter[str] = Counter()
    for text in texts:
        browser.send_text(text)
    browser.send(op="ping", id=987_654)
    while (told := browser.answer()).get("id") != 987_654:
        if not told:
            outcomes[f"closed {browser.close_code}"] += 1
            return outcomes
        outcomes[told.get("code", told["type"])] += 1
    browser.reset()
    return outcomes


ALLOWED = {"sent", "pong", "BAD_MESSAGE", "NOT_FOUND", f"closed {int(CloseCode.BAD_MESSAGES)}"}


def test_the_parser_refuses_or_reads_whatever_comes():
    outcomes = parse_many(PARSED_IN_TEST)
    assert outcomes.total() == PARSED_IN_TEST
    assert all(
        outcomes[kind] > 0 for kind in ("BadCommand", "Subscribe", "Unsubscribe", "SetRate", "Acknowledge", "Ping")
    )


async def test_generated_messages_are_obeyed_or_answered_by_a_code(web: Web):
    good = await web.listener(CHAIN, CALL)
    outcomes = await send_many(web, iter(range(SENT_IN_TEST // BATCH)))
    assert set(outcomes) <= ALLOWED, outcomes
    assert outcomes["BAD_MESSAGE"] > 100
    with web.market.held() as price:
        await until(lambda: good.value(CHAIN, "last_price") == price)
    assert good.tally.counts["gaps"] == 0


@pytest.mark.soak
def test_soak_the_parser(say):
    began = clock.monotonic()
    outcomes = parse_many(PARSED_IN_SOAK)
    say(f"C08 parser: {outcomes.total():,} generated messages in {clock.monotonic() - began:.1f} s: {dict(outcomes)}")


@pytest.mark.soak
async def test_soak_generated_messages(web: Web, say):
    ends = clock.monotonic() + SENT_SECONDS_IN_SOAK
    outcomes = await send_many(web, iter(lambda: clock.monotonic() < ends, False))
    assert set(outcomes) <= ALLOWED, outcomes
    say(f"C08 websocket: {outcomes['sent']:,} generated messages in {SENT_SECONDS_IN_SOAK:.0f} s: {dict(outcomes)}")
