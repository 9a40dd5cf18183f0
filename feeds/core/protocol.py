"""The browser's protocol (docs/websocket.md): commands read strictly, and the texts that answer them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

import orjson

TOPIC_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.&-]{0,99}")
"""Long enough for every underlying (M&M, BAJAJ-AUTO); anything else cannot be a topic."""
LARGEST_NUMBER = 2**53 - 1
"""What JavaScript counts exactly. A frame number or ping id beyond it is a mistake."""


class CloseCode(IntEnum):
    """Why the server closed; 1012 is the standard's "service restart"."""

    RESTARTING = 1012
    BAD_MESSAGES = 4400
    SIGNED_OUT = 4401
    BAD_ORIGIN = 4403
    UNKNOWN_PATH = 4404
    TOO_SLOW = 4008
    TOO_MANY_CONNECTIONS = 4009
    TOO_MANY_COMMANDS = 4029


class ErrorCode(StrEnum):
    BAD_MESSAGE = "BAD_MESSAGE"
    NOT_FOUND = "NOT_FOUND"
    TOO_MANY_TOPICS = "TOO_MANY_TOPICS"
    TOPIC_GONE = "TOPIC_GONE"
    UNAVAILABLE = "UNAVAILABLE"


class BadCommand(ValueError):
    """What the browser sent is not a command; the message tells its author why."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    topics: tuple[str, ...]
    rate: int | None


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SetRate:
    rate: int


@dataclass(frozen=True, slots=True)
class Acknowledge:
    frame: int


@dataclass(frozen=True, slots=True)
class Ping:
    id: int | None


Command = Subscribe | Unsubscribe | SetRate | Acknowledge | Ping

FIELDS = {
    "subscribe": {"op", "topics", "rate"},
    "unsubscribe": {"op", "topics"},
    "rate": {"op", "rate"},
    "ack": {"op", "frame"},
    "ping": {"op", "id"},
}


def parse_command(text: str, size_limit: int, rate_limit: int) -> Command:
    """Read one message. Equal keys: the last counts. Numbers are whole; NaN and lone surrogates are not JSON here.

    Raises:
        BadCommand: it is too large, not JSON, not an object with exactly the fields of its op, or of wrong types.
    """
    if len(text) > size_limit:
        raise BadCommand(f"a message may have {size_limit} bytes")
    message = read_object(text)
    op = message.get("op")
    fields = FIELDS.get(op) if isinstance(op, str) else None
    if fields is None:
        raise BadCommand("op must be one of " + ", ".join(FIELDS))
    if unknown := sorted(set(message) - fields):
        raise BadCommand(f"{op} has no field {unknown[0][:40]!r}")
    return build_command(str(op), message, rate_limit)


def read_object(text: str) -> dict[str, Any]:
    try:
        message = orjson.loads(text)
    except ValueError:
        raise BadCommand("not JSON") from None
    if not isinstance(message, dict):
        raise BadCommand("a message is one JSON object")
    return message


def build_command(op: str, message: dict[str, Any], rate_limit: int) -> Command:
    if op == "subscribe":
        rate = read_number(message, "rate", 1, rate_limit) if "rate" in message else None
        return Subscribe(read_topics(message), rate)
    if op == "unsubscribe":
        return Unsubscribe(read_topics(message))
    if op == "rate":
        return SetRate(read_number(message, "rate", 1, rate_limit))
    if op == "ack":
        return Acknowledge(read_number(message, "frame", 0, LARGEST_NUMBER))
    return Ping(read_number(message, "id", 0, LARGEST_NUMBER) if "id" in message else None)


def read_topics(message: dict[str, Any]) -> tuple[str, ...]:
    topics = message.get("topics")
    if not isinstance(topics, list) or not topics:
        raise BadCommand("topics must be a list of names")
    for topic in topics:
        if not isinstance(topic, str) or not TOPIC_NAME.fullmatch(topic):
            raise BadCommand("a topic is a name such as chain.NSE_FNO.NIFTY.2026-02-24")
    return tuple(dict.fromkeys(topics))


def read_number(message: dict[str, Any], field: str, minimum: int, maximum: int) -> int:
    number = message.get(field)
    if type(number) is not int or not minimum <= number <= maximum:  # a bool is an int too, but not here
        raise BadCommand(f"{field} must be a whole number from {minimum} to {maximum}")
    return number


class Allowance:
    """So many events each period, all at once if they like; what is not used does not add up."""

    def __init__(self, events: int, seconds: float, now: float) -> None:
        self._limit = float(events)
        self._a_second = events / seconds
        self._left = float(events)
        self._at = now

    def take(self, now: float) -> bool:
        """Use one; False when there is none left."""
        self._left = min(self._limit, self._left + (now - self._at) * self._a_second)
        self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


def json_text(value: Mapping[str, Any]) -> str:
    return orjson.dumps(value).decode()


def error_text(code: ErrorCode, message: str, **details: Any) -> str:
    return json_text({"type": "error", "code": code, "message": message, "details": details})


def pong_text(identity: int | None, sent_at: int) -> str:
    return json_text({"type": "pong", "id": identity, "sent_at": sent_at})


def frame_text(frame: int, sent_at: int, parts: str) -> str:
    """One frame around parts that are JSON already; `sent_at` in epoch milliseconds."""
    return f'{{"type":"frame","frame":{frame},"sent_at":{sent_at},"parts":[{parts}]}}'


def heartbeat_text(frame: int, sent_at: int, positions: Sequence[tuple[int, int]]) -> str:
    """A frame with nothing but how far each topic is, so that a browser finds a gap by itself."""
    told = ",".join(f'"{topic}":{sequence}' for topic, sequence in positions)
    return f'{{"type":"frame","frame":{frame},"sent_at":{sent_at},"parts":[],"positions":{{{told}}}}}'
