"""Our board compared with Dhan's REST quotes, a bounded number at a time: who has not traded, and whom we miss."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from itertools import islice

import httpx
import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from feeds import clock
from feeds.core.board import Board
from feeds.core.instrument import SECURITY_ID_BITS, ExchangeSegment, InstrumentKey
from feeds.core.tick import TickFlag
from feeds.dhan.governor import CredentialsUnavailable
from feeds.dhan.rest import QUOTES_PER_REQUEST, DhanRest, DhanRestError
from feeds.process.first_packet import FirstPacketAudit
from feeds.process.watchdog import InstrumentWatch, trades_unknown

log = logging.getLogger(__name__)

Codes = NDArray[np.uint64]
Rows = NDArray[np.void]

NAMED_IN_LOG = 5
NANOSECONDS = 1_000_000_000


class Comparer:
    """Asks REST about those the audit gave up on, those to be seeded, and, when nobody else waits, the long silent."""

    def __init__(
        self,
        board: Board,
        audit: FirstPacketAudit,
        watch: InstrumentWatch,
        rest: DhanRest,
        send_again: Callable[[Iterable[int]], None],
    ) -> None:
        self._board = board
        self._audit = audit
        self._watch = watch
        self._rest = rest
        self._send_again = send_again
        self._to_seed: dict[int, None] = {}
        self.counters: Counter[str] = Counter()

    def seed(self, codes: Iterable[int]) -> None:
        """Ask for the quotes of these when there is time, for those no packet has told about by then."""
        self._to_seed.update(dict.fromkeys(codes))

    async def compare(self, placed: Codes, is_open: Collection[ExchangeSegment]) -> None:
        """One request's worth, if anybody is to be compared. `placed`: all that is subscribed on live connections."""
        for waiting, act in ((self._audit.comparing, self._judge), (self._to_seed, self._seeded)):
            if batch := list(islice(waiting, QUOTES_PER_REQUEST)):
                if (rows := await self._quotes(batch)) is not None:
                    act(batch, rows)
                return
        now = clock.monotonic()
        codes = placed[np.isin(placed >> np.uint64(SECURITY_ID_BITS), list(is_open))]
        codes = codes[~np.isin(codes, list(self._audit.pending()))]
        silent = self._watch.suspects(codes, self._board.ages(codes, now), now)
        if suspects := [code for code in silent if not self._audit.owns(code)]:  # just subscribed is not yet silent
            self._watch.compared(suspects, now)
            if (rows := await self._quotes(suspects)) is not None:
                self._find_missed(rows)

    async def _quotes(self, codes: Collection[int]) -> Rows | None:
        try:
            rows = await self._rest.quotes(codes)
        except (DhanRestError, httpx.HTTPError, CredentialsUnavailable) as error:
            self.counters["rest_failed"] += 1
            log.warning(
                "quotes could not be had: %s", error if isinstance(error, DhanRestError) else type(error).__name__
            )
            return None
        self.counters["quotes"] += len(rows)
        return rows

    def _judge(self, asked: Collection[int], rows: Rows) -> None:
        """The audit's verdicts, and fresher values where the quote has them. Whom the quotes do not know is missing."""
        rows["flags"] |= np.where(traded_today(rows, clock.exchange_now()), 0, TickFlag.NO_TRADE_YET).astype(np.uint32)
        unknown = trades_unknown(self._board.rows(rows["code"]), rows)
        asked_at = np.array([self._audit.comparing.get(code, 0) for code in rows["code"].tolist()], np.int64)
        since = asked_at // NANOSECONDS + int(settings.EXCHANGE_CLOCK_OFFSET_SECONDS)
        missed = unknown & (rows["last_traded_at"] > since)
        verdicts = dict.fromkeys(asked, True) | dict(zip(rows["code"].tolist(), missed.tolist(), strict=True))
        for code, verdict in verdicts.items():
            self._audit.judge(code, verdict)
        self._refresh(rows, unknown)
        if faults := [str(InstrumentKey.from_code(code)) for code, verdict in verdicts.items() if verdict]:
            log.error("no packet of %d subscribed instruments that trade: %s", len(faults), faults[:NAMED_IN_LOG])

    def _refresh(self, rows: Rows, unknown: NDArray[np.bool_]) -> None:
        """Take quotes for rows without a packet, and those with trades we do not know even over packets."""
        self._board.seed(rows)
        newer = rows[unknown & (self._board.slots(rows["code"]) >= 0)]
        newer["flags"] |= np.uint32(TickFlag.GAP)
        self._board.merge(newer)

    def _seeded(self, asked: Collection[int], rows: Rows) -> None:
        for code in asked:
            self._to_seed.pop(code, None)
        self._board.seed(rows)

    def _find_missed(self, rows: Rows) -> None:
        unknown = trades_unknown(self._board.rows(rows["code"]), rows)
        codes = self._watch.overdue(rows["code"][unknown].tolist(), clock.monotonic())
        if not codes:
            return
        self._board.mark(codes, TickFlag.STALE)
        news = [code for code in codes if self._watch.missed(code)]
        if news:
            names = [str(InstrumentKey.from_code(code)) for code in news[:NAMED_IN_LOG]]
            log.error("%d instruments are silent while they trade: %s", len(news), names)
        self._send_again(codes)


def traded_today(rows: Rows, now: datetime) -> NDArray[np.bool_]:
    """Whether each quote's last trade was on this exchange day (`now` is aware, in IST)."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return np.asarray(rows["last_traded_at"] >= int(midnight.timestamp()), np.bool_)
