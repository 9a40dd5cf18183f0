"""Keep secrets out of logs: every record passes here before a handler prints it."""

from __future__ import annotations

import logging
import re

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


def scrub(text: str) -> str:
    """The text with every secret that can be recognised replaced by [hidden]."""
    for pattern in PATTERNS:
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return text


class SecretFilter(logging.Filter):
    """Scrubs the message, its arguments and the traceback. It lets every record pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            record.msg, record.args = scrub(record.getMessage()), None
        except (TypeError, ValueError, KeyError):  # arguments that do not fit: the handler reports that itself
            return True
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = scrub(record.exc_text)
        if record.stack_info:
            record.stack_info = scrub(record.stack_info)
        return True
