"""Logs are fields with the request's id, and no secret reaches one: not in a message, a field or a traceback."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from terminal import logs
from terminal.logs import formatter, scrub, scrubbed

CANARY = "S3cretCanary99"


@pytest.mark.parametrize(
    "text",
    [
        f"wss://api-feed.dhan.co?version=2&token={CANARY}&clientId=1000000001&authType=2",
        f"Authorization: Token {CANARY}",
        f"{{'Authorization': 'Bearer {CANARY}'}}",
        f"headers {{'access-token': '{CANARY}', 'client-id': '1'}}",
        f'{{"accessToken": "x", "access_token": "{CANARY}"}}',
        f"pin={CANARY} totp={CANARY}",
        f"password='{CANARY}'",
        f"btt_{CANARY}",
        f"eyJhbGciOiJIUzUxMiJ9.{CANARY}.{CANARY}",
    ],
)
def test_a_secret_is_hidden_however_it_is_written(text: str) -> None:
    assert CANARY not in scrub(text)
    assert "[hidden]" in scrub(text)


@pytest.mark.parametrize(
    "text",
    ["tokens: 5 subscribed", "opinion=3", "spinning=1", "Tier A: 42 of 25000", "the token of account main is old"],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert scrub(text) == text


@pytest.mark.parametrize(
    "field",
    [
        "token",
        "access_token",
        "new_pin",
        "totp_secret",
        "new_totp_secret",
        "password",
        "HTTP_AUTHORIZATION",
        "Set-Cookie",
    ],
)
def test_a_field_named_like_a_secret_is_hidden_whatever_it_holds(field: str) -> None:
    assert scrubbed({"account": [{field: CANARY}]}) == {"account": [{field: "[hidden]"}]}


class Desk:
    """What is no JSON is printed as its text."""

    def __str__(self) -> str:
        return f"desk with pin={CANARY}"


class Printed(io.StringIO):
    """What a handler wrote, line by line."""

    @property
    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def printed(request) -> Iterator[Printed]:
    """The root logger's output in the form that the test asks for, JSON unless told."""
    logs.configure()
    out = Printed()
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter(getattr(request, "param", "JSON")))
    log = logging.getLogger("canary")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield out
    log.removeHandler(handler)


@pytest.mark.parametrize("printed", ["JSON", "LINE"], indirect=True)
def test_no_secret_is_printed_whichever_way_it_came(printed: Printed) -> None:
    log = logging.getLogger("canary")
    try:
        raise ConnectionError(f"refused by wss://feed?token={CANARY}")
    except ConnectionError:
        log.exception("dial %s failed", f"wss://feed?token={CANARY}&x=1")
    log.warning("half a %s message %s", f"token={CANARY}")
    log.warning("an object: %s", Desk())
    bound = structlog.get_logger("canary").bind(access_token=CANARY, headers={"Authorization": f"Token {CANARY}"})
    bound.info("asked", desk=Desk(), body=f"password={CANARY}".encode())
    with bound_contextvars(totp=CANARY):
        log.warning("in a context")
    assert CANARY not in printed.getvalue()
    assert printed.getvalue().count("[hidden]") >= 8
    assert "ConnectionError" in printed.getvalue()


def test_a_line_of_json_has_its_time_level_logger_and_what_is_bound(printed: Printed) -> None:
    with bound_contextvars(request_id="b4c1"):
        logging.getLogger("canary").error("order %d could not be written", 41, extra={"order_id": 41})
    (event,) = printed.events
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "order 41 could not be written", "level": "error", "logger": "canary",
        "request_id": "b4c1", "order_id": 41,
    }  # fmt: skip


@pytest.mark.parametrize("printed", ["LINE"], indirect=True)
def test_a_line_for_people_reads_as_a_sentence_with_its_fields_behind(printed: Printed) -> None:
    logging.getLogger("canary").info("order %d was taken", 41, extra={"order_id": 41})
    assert printed.getvalue().endswith(" INFO canary order 41 was taken order_id=41\n")
