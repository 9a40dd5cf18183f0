"""Who may dial Dhan when: one dial at a time for an account, spaced, backed off, and not at all while it is barred.

`DialRules` decides, with times as arguments; `Governor` waits.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from math import inf
from typing import NamedTuple

from django.conf import settings

from feeds import clock
from feeds.dhan.wire import DisconnectReason

log = logging.getLogger(__name__)


class Cause(StrEnum):
    """What ended a connection, or kept it from being made."""

    LOST = "lost"  # reset, closed with or without a frame, refused, timed out: the usual weather
    SILENT = "silent"  # no packet for too long in market hours
    BAD_PACKETS = "bad_packets"
    THROTTLED = "throttled"  # HTTP 429 at the handshake
    CROWDED = "crowded"  # 805: Dhan counts one socket too many, often one of ours that it has not missed yet
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a cause, no secret
    REFUSED = "refused"  # plan, client id or token: nothing that dialling again could mend
    BAD_REQUEST = "bad_request"  # we asked for something wrong; also a fault of ours to be reported
    NO_CREDENTIALS = "no_credentials"  # they could not be read
    ASKED = "asked"  # an operator wants a new connection


class Remedy(StrEnum):
    """What to do about a cause."""

    DIAL = "dial"  # at once, as far as spacing allows
    BACK_OFF = "back_off"  # this connection alone, with growing patience
    ALL_BACK_OFF = "all_back_off"  # every dial of the account, for long
    RENEW = "renew"  # a newer credential, or a long wait
    STOP = "stop"  # until the credential or the configuration changes


REMEDIES = {
    Cause.LOST: Remedy.BACK_OFF,
    Cause.SILENT: Remedy.BACK_OFF,
    Cause.BAD_PACKETS: Remedy.BACK_OFF,
    Cause.THROTTLED: Remedy.ALL_BACK_OFF,
    Cause.CROWDED: Remedy.ALL_BACK_OFF,
    Cause.TOKEN_EXPIRED: Remedy.RENEW,
    Cause.REFUSED: Remedy.STOP,
    Cause.BAD_REQUEST: Remedy.BACK_OFF,
    Cause.NO_CREDENTIALS: Remedy.BACK_OFF,
    Cause.ASKED: Remedy.DIAL,
}

CAUSE_OF_REASON = {
    DisconnectReason.TOO_MANY_INSTRUMENTS: Cause.BAD_REQUEST,
    DisconnectReason.TOO_MANY_REQUESTS: Cause.CROWDED,
    DisconnectReason.NOT_SUBSCRIBED_TO_DATA: Cause.REFUSED,
    DisconnectReason.TOKEN_EXPIRED: Cause.TOKEN_EXPIRED,
    DisconnectReason.AUTHENTICATION_FAILED: Cause.REFUSED,
    DisconnectReason.TOKEN_INVALID: Cause.REFUSED,
    DisconnectReason.CLIENT_ID_INVALID: Cause.REFUSED,
    DisconnectReason.BAD_EXPIRY: Cause.BAD_REQUEST,
    DisconnectReason.BAD_DATE: Cause.BAD_REQUEST,
    DisconnectReason.BAD_SECURITY_ID: Cause.BAD_REQUEST,
    DisconnectReason.BAD_REQUEST: Cause.BAD_REQUEST,
}


class Ending(NamedTuple):
    """How a connection ended: the cause, and what was seen in a few words without any secret."""

    cause: Cause
    detail: str

    def __str__(self) -> str:
        return f"{self.cause}: {self.detail}"


def ending_of_reason(reason: int) -> Ending:
    """What packet 50 means. A reason nobody has documented is weather."""
    try:
        known = DisconnectReason(reason)
    except ValueError:
        return Ending(Cause.LOST, f"disconnect {reason}")
    return Ending(CAUSE_OF_REASON.get(known, Cause.LOST), f"disconnect {reason} {known.name}")


def ending_of_status(status: int) -> Ending:
    """What an HTTP answer to the handshake means, 101 aside."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Ending(Cause.THROTTLED, "HTTP 429")
    if status == HTTPStatus.UNAUTHORIZED:
        return Ending(Cause.REFUSED, "HTTP 401")
    return Ending(Cause.LOST, f"HTTP {status}")


class Credentials(NamedTuple):
    """What opens a socket. `version` changes whenever any of it, or the account's configuration, does."""

    client_id: str
    token: str
    version: int

    def __repr__(self) -> str:
        return f"Credentials(client_id={self.client_id!r}, version={self.version})"


class CredentialsUnavailable(Exception):
    """They cannot be read now, or there are none."""


ReadCredentials = Callable[[], Awaitable[Credentials]]


@dataclass(frozen=True, slots=True)
class DialTimers:
    """Seconds; see the settings of the same names."""

    opening: float
    spacing: float
    first: float
    limit: float
    throttled: float
    throttled_limit: float
    crowded: float
    healthy_after: float

    @classmethod
    def from_settings(cls) -> DialTimers:
        return cls(
            opening=settings.FEED_OPENING_SPACING_SECONDS,
            spacing=settings.FEED_DIAL_SPACING_SECONDS,
            first=settings.FEED_BACKOFF_FIRST_SECONDS,
            limit=settings.FEED_BACKOFF_LIMIT_SECONDS,
            throttled=settings.FEED_BACKOFF_THROTTLED_SECONDS,
            throttled_limit=settings.FEED_BACKOFF_THROTTLED_LIMIT_SECONDS,
            crowded=settings.FEED_BACKOFF_CROWDED_SECONDS,
            healthy_after=settings.FEED_HEALTHY_AFTER_SECONDS,
        )


MAXIMUM_DOUBLINGS = 20
"""Every limit is reached long before; keeps the power small after a night of failures."""


class DialRules:
    """When the next dial may be, from what became of the last ones. Times are monotonic seconds."""

    def __init__(self, timers: DialTimers, randomness: random.Random | None = None) -> None:
        self._timers = timers
        self._random = randomness or random.Random()
        self._failures: Counter[int] = Counter()
        self._throttles = 0
        self._ready_at: dict[int, float] = {}
        self._all_ready_at = -inf
        self._dialled_at = -inf
        self._opened: set[int] = set()
        self._is_opening = True
        self._barred_version: int | None = None
        self._barred_until = -inf

    def earliest(self, index: int) -> float:
        """The moment from which this connection may be dialled, credentials permitting."""
        return max(self._ready_at.get(index, -inf), self._all_ready_at, self._dialled_at + self._spacing(index))

    def _spacing(self, index: int) -> float:
        """The first dials follow each other soon, until one fails: a feed that was killed is back within seconds."""
        is_first = self._is_opening and index not in self._opened
        return min(self._timers.opening, self._timers.spacing) if is_first else self._timers.spacing

    def is_barred(self, version: int, now: float) -> bool:
        """Whether Dhan has refused these credentials: dialling with them again is useless."""
        return version == self._barred_version and now < self._barred_until

    def dialled(self, index: int, now: float) -> None:
        self._dialled_at = now
        self._opened.add(index)

    def ended(self, index: int, ending: Ending, lived: float, version: int | None, now: float) -> None:
        """Learn from an end. `lived` is how long the connection was live, 0 for a dial that failed."""
        self._is_opening = False
        if lived >= self._timers.healthy_after:
            self._failures[index] = 0
            self._throttles = 0
        remedy = REMEDIES[ending.cause]
        if remedy is Remedy.DIAL:
            self._ready_at[index] = now
        elif remedy is Remedy.BACK_OFF:
            self._ready_at[index] = now + self._jittered(index)
        elif remedy is Remedy.ALL_BACK_OFF:
            self._all_ready_at = max(self._all_ready_at, now + self._long_wait(ending.cause))
        else:
            self._bar(version, inf if remedy is Remedy.STOP else now + self._timers.throttled_limit)

    def _bar(self, version: int | None, until: float) -> None:
        again = version == self._barred_version
        self._barred_version, self._barred_until = version, max(until, self._barred_until) if again else until

    def _jittered(self, index: int) -> float:
        """Full jitter: anywhere up to a bound that doubles, so that five sockets never come back in step."""
        bound = self._timers.first * 2.0 ** min(self._failures[index], MAXIMUM_DOUBLINGS)
        self._failures[index] += 1
        return self._random.uniform(0, min(bound, self._timers.limit))

    def _long_wait(self, cause: Cause) -> float:
        """Doubling with each further one. After a 429 never under the minute that clears it, up to twice as long;
        after an 805 until Dhan must have dropped the socket that it counts and we have given up."""
        wait = self._timers.crowded if cause is Cause.CROWDED else self._timers.throttled * self._random.uniform(1, 2)
        wait *= 2.0 ** min(self._throttles, MAXIMUM_DOUBLINGS)
        self._throttles += 1
        return min(wait, self._timers.throttled_limit)


class Governor:
    """Lets the connections of one account dial one after another, when the rules allow it."""

    def __init__(self, credentials: ReadCredentials, rules: DialRules, poll_seconds: float) -> None:
        """`poll_seconds`: how often barred credentials are read again to see whether they changed."""
        self._credentials = credentials
        self._rules = rules
        self._poll_seconds = poll_seconds
        self._turn = asyncio.Lock()
        self._nudged = asyncio.Event()
        self.dials = 0

    @asynccontextmanager
    async def turn(self, index: int, on_barred: Callable[[], None]) -> AsyncIterator[Credentials]:
        """Wait for this connection's turn to dial and hold it during the handshake.

        Calls `on_barred` while the account must not dial at all.

        Raises:
            CredentialsUnavailable: they could not be read; the connection's end is to be reported as any other.
        """
        while True:
            await self._wait_until(lambda: self._rules.earliest(index))
            async with self._turn:
                if clock.monotonic() < self._rules.earliest(index):
                    continue  # another connection dialled, or was throttled, while this one waited for its turn
                credentials = await self._credentials()
                if not self._rules.is_barred(credentials.version, clock.monotonic()):
                    self._rules.dialled(index, clock.monotonic())
                    self.dials += 1
                    yield credentials
                    return
            on_barred()
            await self._pause(self._poll_seconds)

    def ended(self, index: int, ending: Ending, lived: float, version: int | None) -> None:
        self._rules.ended(index, ending, lived, version, clock.monotonic())

    def nudge(self) -> None:
        """Look again now: credentials were changed, or an operator is impatient."""
        self._nudged.set()
        self._nudged = asyncio.Event()

    async def _wait_until(self, earliest: Callable[[], float]) -> None:
        while (seconds := earliest() - clock.monotonic()) > 0:
            await self._pause(seconds)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._nudged.wait()
        except TimeoutError:
            pass
