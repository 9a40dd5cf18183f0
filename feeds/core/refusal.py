"""What every package refuses with: a closed code for programs, a sentence for people, and what it was about."""

from __future__ import annotations


class Refused(Exception):
    """What was asked did not happen. `details` are safe to show; the codes are listed in terminal/errors.py."""

    code = "INVALID"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message, self.details = message, details
