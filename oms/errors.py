"""What the order desk refuses: closed codes, and a sentence that a trader understands."""

from __future__ import annotations

from feeds.core.refusal import Refused


class OrderError(Refused):
    """An order, or a change of one, that is not taken."""


class OrderRefused(OrderError):
    """An order that was not taken. It is stored as REJECTED under `order_id` (None: its instrument is unknown)."""

    def __init__(self, code: str, message: str, order_id: int | None = None, **details: object) -> None:
        super().__init__(message, **details, order_id=order_id)
        self.code = code
        self.order_id = order_id


class ReferenceTaken(OrderError):
    """The client reference named another request before; nothing was placed."""

    code = "REFERENCE_TAKEN"

    def __init__(self, reference: str, order_id: int) -> None:
        super().__init__(
            f"The reference {reference} was used for another order already.", reference=reference, order_id=order_id
        )


class NotChangeable(OrderError):
    """The order has ended, or is about to."""

    code = "NOT_CHANGEABLE"


class ChangeRefused(OrderError):
    """A change, a conversion or a cancellation that a check refused; the order stays as it is."""

    def __init__(self, code: str, message: str, **details: object) -> None:
        super().__init__(message, **details)
        self.code = code
