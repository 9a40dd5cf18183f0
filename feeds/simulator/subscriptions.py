"""What one connection asked for. Pure: request texts in, codes and modes out, and the limits of Dhan in between."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import NamedTuple

from feeds.core.instrument import SECURITY_ID_MASK, ExchangeSegment, InstrumentKey
from feeds.dhan.wire import DisconnectReason, FeedMode, RequestCode
from feeds.simulator.switches import Limits, Unconfirmed

MODES = tuple(FeedMode)


class BadRequest(ValueError):
    """A text that is no request."""


class Request(NamedTuple):
    """One message of a client; `declared` is its own count of them."""

    code: RequestCode
    codes: list[int]
    declared: int

    @property
    def mode(self) -> FeedMode | None:
        """The mode it subscribes to or takes back."""
        return next((mode for mode in MODES if self.code in (mode, mode + 1)), None)

    @property
    def takes_back(self) -> bool:
        return self.code - 1 in MODES


def parse_request(text: str | bytes) -> Request:
    """
    Raises:
        BadRequest: not JSON, an unknown request code, or an instrument that cannot be named.
    """
    try:
        message = json.loads(text)
        codes = [code_of(instrument) for instrument in message.get("InstrumentList", ())]
        return Request(RequestCode(message["RequestCode"]), codes, int(message.get("InstrumentCount", 0)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRequest(str(error)) from error


def code_of(instrument: dict[str, str]) -> int:
    """Raises BadRequest, KeyError, ValueError: it cannot be named."""
    security_id = instrument["SecurityId"]
    if not isinstance(security_id, str) or not 0 <= int(security_id) <= SECURITY_ID_MASK:
        raise BadRequest(f"SecurityId must be a string of digits, not {security_id!r}")
    return InstrumentKey(ExchangeSegment[instrument["ExchangeSegment"]], int(security_id)).code


@dataclass
class Subscriptions:
    """The instruments of one connection and the modes of each, and the largest number there ever was."""

    limits: Limits
    switches: Unconfirmed
    modes: dict[int, set[FeedMode]] = field(default_factory=dict)
    largest: int = 0

    @property
    def count(self) -> int:
        if self.switches.limit_counts_modes:
            return sum(map(len, self.modes.values()))
        return len(self.modes)

    def breach(self, request: Request) -> DisconnectReason | None:
        """The reason this request closes the connection, before anything of it is done."""
        limit = self.limits.instruments_per_message
        if max(len(request.codes), request.declared) > limit and self.switches.too_many_in_message == "refuse":
            return DisconnectReason.BAD_REQUEST
        if not request.takes_back and self._count_with(request) > self.limits.instruments_per_connection:
            return DisconnectReason.TOO_MANY_INSTRUMENTS
        return None

    def apply(self, request: Request) -> list[int]:
        """Do it; answers the codes that are now due a first packet, those subscribed again among them."""
        mode = request.mode
        if mode is None:
            return []
        if request.takes_back:
            self._take_back(request.codes, mode)
            return []
        wanted = list(dict.fromkeys(request.codes))
        for code in wanted:
            if self.switches.mode_change_replaces:
                self.modes[code] = {mode}
            else:
                self.modes.setdefault(code, set()).add(mode)
        self.largest = max(self.largest, self.count)
        return wanted

    def _take_back(self, codes: list[int], mode: FeedMode) -> None:
        """Only the same mode's: another mode of the instrument lives on."""
        for code in codes:
            left = self.modes.get(code)
            if left is not None:
                left.discard(mode)
                if not left:
                    del self.modes[code]

    def _count_with(self, request: Request) -> int:
        if self.switches.limit_counts_modes:
            new = sum(request.mode not in self.modes.get(code, ()) for code in set(request.codes))
        else:
            new = sum(code not in self.modes for code in set(request.codes))
        return self.count + new
