"""The first-packet audit: Dhan acknowledges no subscription, so each one must show a packet or explain itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class Waiting:
    """A subscription that was written and has shown nothing yet. `written_at` is wall ns, `due_at` monotonic."""

    written_at: int
    due_at: float
    resends: int = 0


@dataclass(frozen=True, slots=True)
class Due:
    """What the audit wants done: these subscribed again, those compared with the REST quote."""

    resend: list[int]
    compare: list[int]


class FirstPacketAudit:
    """Who is still waiting for a first packet, by instrument code. Costs nothing while nobody waits.

    Silence is answered in order: the subscription is sent again, at most `resends` times, `seconds` apart; then
    the REST quote says whether the instrument is merely quiet, or trades without our hearing of it: a fault.
    """

    def __init__(self, seconds: float, resends: int) -> None:
        self._seconds = seconds
        self._resends = resends
        self._waiting: dict[int, Waiting] = {}
        self.comparing: dict[int, int] = {}  # code -> when its subscription was written, wall ns
        self.quiet: set[int] = set()
        self.faulty: set[int] = set()
        self.resent = 0
        self.faults = 0

    def written(self, codes: Iterable[int], wall: int, now: float) -> None:
        """Subscriptions went out on a socket, for the first time or again."""
        for code in codes:
            before = self._waiting.get(code)
            self._waiting[code] = Waiting(wall, now + self._seconds, before.resends if before else 0)
            self.comparing.pop(code, None)
            self.quiet.discard(code)

    def owns(self, code: int) -> bool:
        """Whether its silence is being looked into here."""
        return code in self._waiting or code in self.comparing

    def forget(self, codes: Iterable[int]) -> None:
        """Unsubscribed, or the socket is gone: nothing is expected of these."""
        for code in codes:
            self._waiting.pop(code, None)
            self.comparing.pop(code, None)
            self.quiet.discard(code)
            self.faulty.discard(code)

    def seen(self, rows: NDArray[np.void]) -> None:
        """Rows that packets just changed: these subscriptions were acted on."""
        if not (self._waiting or self.comparing or self.quiet or self.faulty):
            return
        for code, received_at in zip(rows["code"].tolist(), rows["received_at"].tolist(), strict=True):
            waiting = self._waiting.get(code)
            if waiting is None or received_at >= waiting.written_at:
                self.forget((code,))

    def pending(self) -> set[int]:
        """Those this audit will still say something about."""
        return self._waiting.keys() | self.comparing.keys()

    def due(self, now: float) -> Due:
        """Whose patience is over. Those to be compared stay out of the audit until `judge`."""
        resend, compare = [], []
        for code, waiting in self._waiting.items():
            if waiting.due_at > now:
                continue
            (resend if waiting.resends < self._resends else compare).append(code)
        for code in resend:
            self._waiting[code].resends += 1
            self._waiting[code].due_at = now + self._seconds
        self.resent += len(resend)
        for code in compare:
            self.comparing[code] = self._waiting.pop(code).written_at
        return Due(resend, compare)

    def judge(self, code: int, missed: bool) -> None:
        """The quote's verdict: without trades since the subscription, silence is no fault; with them it is ours."""
        if self.comparing.pop(code, None) is None:
            return
        if not missed:
            self.quiet.add(code)
        elif code not in self.faulty:
            self.faulty.add(code)
            self.faults += 1

    def report(self) -> dict[str, int]:
        """For the status: who waits, who was sent again, who is merely quiet, who is missing."""
        return {
            "waiting": len(self._waiting),
            "comparing": len(self.comparing),
            "resent": self.resent,
            "quiet": len(self.quiet),
            "missing": len(self.faulty),
            "faults": self.faults,
        }
