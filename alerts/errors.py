"""Why an alert is not taken."""

from __future__ import annotations


class AlertError(Exception):
    """A refusal with a closed code; nothing was changed."""

    code = "INVALID"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.details = details


class AlertMissing(AlertError):
    """It does not exist (any more)."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no such alert.")


class TooManyAlerts(AlertError):
    code = "ITEM_LIMIT_EXCEEDED"


class NotListed(AlertError):
    """Its instrument has expired or left the master: no price will ever come."""

    code = "NOT_CHANGEABLE"
