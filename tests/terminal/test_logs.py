"""No secret reaches a log: not in the message, its arguments or a traceback."""

from __future__ import annotations

import io
import logging

import pytest

from terminal.logs import SecretFilter, scrub

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


def test_arguments_and_tracebacks_are_scrubbed_too() -> None:
    printed = io.StringIO()
    handler = logging.StreamHandler(printed)
    handler.addFilter(SecretFilter())
    log = logging.Logger("canary")
    log.addHandler(handler)
    try:
        raise ConnectionError(f"refused by wss://feed?token={CANARY}")
    except ConnectionError:
        log.exception("dial %s failed", f"wss://feed?token={CANARY}&x=1")
    log.warning("half a %s message")
    assert CANARY not in printed.getvalue()
    assert "token=[hidden]" in printed.getvalue()
    assert "ConnectionError" in printed.getvalue()
