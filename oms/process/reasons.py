"""Why an order ended that the venue took, as a trader reads it."""

from __future__ import annotations

from oms.core.engine_events import Reason

REQUESTED = "REQUESTED"
"""Somebody asked for it: the request says who and why."""

SENTENCES = {
    REQUESTED: "Cancelled on request.",
    Reason.IOC_REMAINDER: "Immediate or cancel: nothing more could be had at once.",
    Reason.SELF_TRADE: "It would have traded with a resting order of the same account.",
    Reason.OTHER_EXIT: "The other exit of its pair was filled.",
    Reason.ENTRY_ENDED: "Its entry ended without a fill.",
    Reason.BRACKET_EXITED: "An exit of its bracket was filled.",
    Reason.CLOSING_AUCTION: "Stops and disclosed quantities do not go into the closing auction.",
    Reason.POSITION_CLOSED: "It may only close a position, and nothing was left to close.",
    Reason.UNWRITABLE: "It could not be processed; nothing of it was traded. Please tell the house.",
    Reason.DAY_ENDED: "It was good for the day, and the day has ended.",
}


def sentence(code: str) -> str:
    """The sentence of a code; the code itself where there is none."""
    return SENTENCES.get(code, code)
