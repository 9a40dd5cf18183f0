"""How much a browser may have on the way: nothing waits in line for it, it gets newer news later instead."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

EARLY_SHARE = 0.6
"""Acknowledged within this share of what counts as late, a whole window of frames makes room for one more."""
SMALLEST_WINDOW = 1.0


class SentFrame(NamedTuple):
    number: int
    size: int
    at: float


@dataclass(frozen=True, slots=True)
class WindowLimits:
    """At most this many frames and bytes unacknowledged; later than `late_seconds` counts as a slow line."""

    frames: int = 256
    bytes: int = 1_048_576
    late_seconds: float = 2.0


class CreditWindow:
    """The frames sent and not yet acknowledged. The caller asks `may_send`, sends, and notes it with `sent`.

    Beside the hard limits the window adapts: acknowledgements that come late halve it, in time they open it, so
    that what a slow line carries is fresh instead of a long queue in somebody's buffers.
    """

    def __init__(self, limits: WindowLimits) -> None:
        self._limits = limits
        self._frames: deque[SentFrame] = deque()
        self._window = float(limits.frames)
        self._halved_at_frame = 0
        self.unacknowledged_bytes = 0
        self.last_frame = 0

    @property
    def unacknowledged_frames(self) -> int:
        return len(self._frames)

    def room(self) -> int:
        """Bytes that still fit. With nothing on the way one frame of any size may go."""
        return max(0, self._limits.bytes - self.unacknowledged_bytes)

    def may_send(self, now: float) -> bool:
        if not self._frames:
            return True
        if now - self._frames[0].at > self._limits.late_seconds:
            self._slow_down()
        return len(self._frames) < int(self._window) and self.room() > 0

    def _slow_down(self) -> None:
        """Once for each window full: frames sent before the last cut tell nothing new."""
        if self._frames[0].number > self._halved_at_frame:
            self._window = max(SMALLEST_WINDOW, min(self._window, len(self._frames)) / 2)
            self._halved_at_frame = self.last_frame

    def sent(self, size: int, now: float) -> None:
        """Note that frame `last_frame + 1` is on its way."""
        self.last_frame += 1
        self._frames.append(SentFrame(self.last_frame, size, now))
        self.unacknowledged_bytes += size

    def acknowledge(self, frame: int, now: float) -> None:
        """Everything up to this frame arrived. Numbers of the past or the future are ignored."""
        if frame > self.last_frame:
            return
        while self._frames and self._frames[0].number <= frame:
            done = self._frames.popleft()
            self.unacknowledged_bytes -= done.size
            if now - done.at <= self._limits.late_seconds * EARLY_SHARE:
                self._window = min(float(self._limits.frames), self._window + 1 / self._window)

    def oldest_age(self, now: float) -> float:
        """Seconds since the oldest frame that is not acknowledged was sent; 0 when all are."""
        return now - self._frames[0].at if self._frames else 0.0
