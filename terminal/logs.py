"""Structured logs: every record becomes fields, with the request's and the order's ids, and no secret among them."""

from __future__ import annotations

import logging
import re
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

HIDDEN = "[hidden]"

GUARDED_NAMES = (
    r"access[-_]?token|refresh[-_]?token|api[-_]?token|token|authorization|password|passwd|"
    r"secret|totp(?:[-_]?secret)?|otp|pin|sessionid|csrftoken|x-csrftoken|cookie"
)
PATTERNS = (
    # Authorization: Token btt_...  The scheme's word stays, what follows goes.
    re.compile(r"(?i)(\b(?:token|bearer|basic)\s+)(?!of\b|is\b|was\b|for\b)[A-Za-z0-9._~+/=-]{8,}"),
    # token=..., "pin": "1234", access-token: ..., secret='...'
    re.compile(
        rf"(?i)((?<![a-z0-9])(?:{GUARDED_NAMES})[\"']?\s*[=:]\s*[bB]?[\"']?)(?!\[hidden\]|(?:token|bearer|basic)\s)[^\s\"'&,;}})\]]+"
    ),
    # What is a secret by its looks: our own tokens, and JSON web tokens as Dhan issues them.
    re.compile(r"()\bbtt_[A-Za-z0-9_-]{8,}"),
    re.compile(r"()\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)?"),
)
GUARDED_FIELD = re.compile(rf"(?i)(?:.*[-_])?(?:{GUARDED_NAMES})")
"""A field of this name is a secret whatever it holds: access_token, new_pin, HTTP_AUTHORIZATION."""
EXTRA_FIELDS = ("order_id", "account_id", "job", "trading_date")
"""What `log.error(..., extra={...})` may add as fields of its own."""
LINE_FIELDS = ("timestamp", "level", "logger", "event")
BLOCKS = ("exception", "stack")
"""Tracebacks: on lines of their own for people."""


def scrub(text: str) -> str:
    """The text with every secret that can be recognised replaced by [hidden]."""
    for pattern in PATTERNS:
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return text


def scrubbed(value: Any) -> Any:
    """Any value as JSON has them, with the secrets in it hidden: by their field's name or by their looks."""
    if isinstance(value, dict):
        return {name: HIDDEN if is_guarded(name) and held else scrubbed(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [scrubbed(each) for each in value]
    if isinstance(value, bytes):
        return scrub(value.decode(errors="replace"))
    return scrub(value) if isinstance(value, str) else value


def is_guarded(name: object) -> bool:
    return isinstance(name, str) and GUARDED_FIELD.fullmatch(name) is not None


def redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """The processor before the last: what is printed has passed here."""
    cleaned: EventDict = scrubbed({name: printable(held) for name, held in event.items()})
    return cleaned


def printable(value: Any) -> Any:
    """What is no JSON as its text, so that a secret inside an object is seen too."""
    plain = isinstance(value, str | bytes | int | float | dict | list | tuple | None)
    return value if plain else str(value)


def as_json(logger: WrappedLogger, method: str, event: EventDict) -> str:
    return orjson.dumps(event, default=lambda value: scrub(str(value)), option=orjson.OPT_NON_STR_KEYS).decode()


def as_line(logger: WrappedLogger, method: str, event: EventDict) -> str:
    """For people: time, level, logger, sentence, then the other fields."""
    fields = [f"{name}={held}" for name, held in event.items() if name not in (*LINE_FIELDS, *BLOCKS)]
    line = f"{event['timestamp']} {event['level'].upper()} {event['logger']} {event['event']}"
    return "\n".join([" ".join([line, *fields]), *[str(event[name]) for name in BLOCKS if event.get(name)]])


class Formatter(structlog.stdlib.ProcessorFormatter):
    """Every record of the process, whoever logged it, through the same chain of processors."""

    def format(self, record: logging.LogRecord) -> str:
        try:
            return super().format(record)
        except (TypeError, ValueError, KeyError):  # arguments that do not fit: print both rather than neither
            record.msg, record.args = f"{record.msg} {record.args!r}", None
            return super().format(record)


def formatter(form: str) -> Formatter:
    """The formatter of LOGGING: JSON for machines, anything else for people."""
    return Formatter(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(allow=EXTRA_FIELDS),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            redact,
            as_json if form == "JSON" else as_line,
        ]
    )


def configure() -> None:
    """structlog's own loggers hand over to the standard ones, so that there is one way out."""
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
