"""What is told to Sentry, as it goes over the wire: where it broke, and no secret and no person."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread

import pytest
import sentry_sdk

from terminal import error_reports

CANARY = "S3cretCanary99"
PERSON = "asha"
"""Not written where it is used: the lines of code around an error are part of its report."""
WAIT_SECONDS = 10.0


class Inbox(ThreadingHTTPServer):
    """Takes envelopes on loopback, as Sentry's ingest does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.envelopes: Queue[str] = Queue()

    @property
    def dsn(self) -> str:
        return f"http://public@127.0.0.1:{self.server_port}/1"


class Receiver(BaseHTTPRequestHandler):
    server: Inbox

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.envelopes.put(
            (gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body).decode()
        )
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def inbox(settings) -> Iterator[Inbox]:
    server = Inbox()
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    settings.SENTRY_DSN = server.dsn
    yield server
    sentry_sdk.get_client().close(timeout=1)
    sentry_sdk.init()
    server.shutdown()
    thread.join()
    server.server_close()


def broken_login(password: str) -> None:
    raise ValueError(f"cannot dial wss://feed?token={password}")


def test_an_error_arrives_without_secrets_people_or_variables(inbox: Inbox) -> None:
    error_reports.start()
    sentry_sdk.set_user({"username": PERSON})
    logging.getLogger("feeds.dhan").info("dialling with access_token=%s", CANARY)
    try:
        broken_login(CANARY)
    except ValueError:
        logging.getLogger("feeds.dhan").exception("dial failed, Authorization: Token %s", CANARY)
    sentry_sdk.flush(timeout=WAIT_SECONDS)
    envelope = inbox.envelopes.get(timeout=WAIT_SECONDS)
    assert "ValueError" in envelope
    assert "broken_login" in envelope
    assert "wss://feed?token=[hidden]" in envelope
    assert CANARY not in envelope
    assert PERSON not in envelope


def test_what_a_request_brought_stays_here() -> None:
    request = {
        "url": "http://desk/api/v2/orders", "query_string": f"pin={CANARY}", "data": {"a": 1}, "cookies": {"b": "2"},
        "headers": {"Authorization": f"Token {CANARY}", "Accept": "*/*"},
    }  # fmt: skip
    sent = error_reports.before_send({"request": request, "user": {"ip_address": "10.0.0.1"}}, {})
    assert sent == {
        "request": {
            "url": "http://desk/api/v2/orders", "query_string": "pin=[hidden]",
            "headers": {"Authorization": "[hidden]", "Accept": "*/*"},
        }
    }  # fmt: skip


def test_without_a_dsn_nothing_is_started(settings) -> None:
    settings.SENTRY_DSN = ""
    error_reports.start()
    assert sentry_sdk.get_client().transport is None
