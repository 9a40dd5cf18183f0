"""Why an alert is not taken."""

from __future__ import annotations

from feeds.core.refusal import Refused


class AlertError(Refused):
    """Nothing was changed."""


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
