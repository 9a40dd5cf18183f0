"""What risk refuses: closed codes, and a sentence that a person understands."""

from __future__ import annotations

from feeds.core.refusal import Refused


class RiskError(Refused):
    """The transaction it was raised in must not commit."""


class AccountMissing(RiskError):
    """It does not exist, or is somebody else's: the caller cannot tell which."""

    code = "NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is no such trading account.")


class ReferenceTaken(RiskError):
    """The reference names something else already."""

    code = "REFERENCE_TAKEN"

    def __init__(self, reference: str) -> None:
        super().__init__(f"{reference} was used for something else.", reference=reference)


class InsufficientMargin(RiskError):
    """A hold would leave less than the account's floor. Details, in paise: required, available, shortfall."""

    code = "INSUFFICIENT_MARGIN"


class InsufficientFunds(RiskError):
    """A withdrawal would leave less than the account's floor. Details, in paise: required, available, shortfall."""

    code = "INSUFFICIENT_FUNDS"


class SecondPersonNeeded(RiskError):
    """Nobody approves what he asked for."""

    code = "SECOND_PERSON_NEEDED"


class AlreadyDecided(RiskError):
    """The request was carried out or refused before."""

    code = "ALREADY_DECIDED"


class HoldEnded(RiskError):
    """The hold was posted or voided, for good."""

    code = "HOLD_ENDED"
