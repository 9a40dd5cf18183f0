"""The least HTTP/1.1 that a REST client and a websocket handshake need, on one port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

import orjson

HEAD_LIMIT = 16_384
BODY_LIMIT = 1_048_576
CHUNK_BYTES = 262_144
"""A master of 20 MB leaves in pieces, as the reader takes them."""


@dataclass(frozen=True, slots=True)
class WebRequest:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    raw: bytes  # as received, for whoever shakes hands
    from_loopback: bool = True

    @property
    def is_websocket(self) -> bool:
        return self.headers.get("upgrade", "").lower() == "websocket"


@dataclass(frozen=True, slots=True)
class WebResponse:
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    def head(self) -> bytes:
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode()


def json_response(value: object, status: int = 200) -> WebResponse:
    return WebResponse(status, orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY))


class BadHead(ValueError):
    """The first lines are not HTTP, or too long."""


class WebProtocol(asyncio.Protocol):
    """One client's requests, one after another; a websocket request is handed over and leaves this protocol."""

    def __init__(
        self,
        respond: Callable[[WebRequest], WebResponse],
        open_websocket: Callable[[asyncio.Transport, WebRequest], None],
    ) -> None:
        self._respond = respond
        self._open_websocket = open_websocket
        self._received = bytearray()
        self._unsent = memoryview(b"")
        self._may_write = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        peer = transport.get_extra_info("peername")
        self._from_loopback = bool(peer) and ip_address(peer[0]).is_loopback

    def data_received(self, data: bytes) -> None:
        self._received += data
        try:
            while (request := take_request(self._received, self._from_loopback)) is not None:
                if request.is_websocket:
                    self._open_websocket(self._transport, request)
                    return
                self._answer(request)
        except BadHead:
            self._transport.close()

    def _answer(self, request: WebRequest) -> None:
        response = self._respond(request)
        self._transport.write(response.head())
        self._unsent = memoryview(response.body)
        self._send()

    def _send(self) -> None:
        while self._may_write and len(self._unsent):
            self._transport.write(self._unsent[:CHUNK_BYTES])
            self._unsent = self._unsent[CHUNK_BYTES:]

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._send()


def take_request(received: bytearray, from_loopback: bool = True) -> WebRequest | None:
    """Cut the first whole request off the buffer; None while it is not all there.

    Raises:
        BadHead: it never will be.
    """
    end = received.find(b"\r\n\r\n")
    if end < 0:
        if len(received) > HEAD_LIMIT:
            raise BadHead
        return None
    method, target, headers = _parse_head(bytes(received[:end]))
    size = int(headers.get("content-length", "0"))
    if size > BODY_LIMIT:
        raise BadHead
    stop = end + 4 + size
    if len(received) < stop:
        return None
    raw = bytes(received[:stop])
    del received[:stop]
    parts = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return WebRequest(method, parts.path, query, headers, raw[end + 4 :], raw, from_loopback)


def _parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    try:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        pairs = (line.split(":", 1) for line in lines)
        return method, target, {name.strip().lower(): value.strip() for name, value in pairs}
    except ValueError as error:
        raise BadHead from error
