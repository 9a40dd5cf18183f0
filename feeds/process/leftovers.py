"""What earlier runs left on the account's board in Redis: what nobody feeds is marked, what is delisted forgotten."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date
from functools import partial

import numpy as np
from numpy.typing import NDArray
from redis.asyncio import Redis as AsyncRedis

from feeds import bus, clock
from feeds.core.board import Board
from feeds.core.tick import TickFlag
from feeds.models import Instrument
from feeds.offload import Offload

Codes = NDArray[np.uint64]
Rows = NDArray[np.void]


class Leftovers:
    """Once at the start of a reign and once each day: a killed feed marks nothing, and contracts expire every week.

    Last values of what is listed stay, for they are shown; they are STALE as long as nobody feeds them.
    """

    def __init__(
        self, redis: AsyncRedis, account_id: int, board: Board, database: Offload, publish: Callable[[Rows], None]
    ) -> None:
        self._redis = redis
        self._account_id = account_id
        self._board = board
        self._database = database
        self._publish = publish
        self._tidied_on: date | None = None

    async def tidy(self) -> None:
        """Go through the board, if that was not done today.

        Raises:
            REDIS_ERRORS, django.db.Error: nothing is lost by asking again.
        """
        today = clock.exchange_today()
        if self._tidied_on != today:
            async for rows in bus.board_pages(self._redis, self._account_id):
                await self._tidy(rows[~self._is_fed(rows["code"])])
            self._tidied_on = today

    async def _tidy(self, rows: Rows) -> None:
        gone = await self._database.run(partial(delisted, rows["code"].tolist()))
        still = rows[~self._is_fed(rows["code"])]  # somebody may have wanted one meanwhile
        is_gone = np.isin(still["code"], np.array(gone, np.uint64))
        believed = still[~is_gone & (still["flags"] & np.uint32(TickFlag.STALE) == 0)]
        if len(believed):
            believed["flags"] |= np.uint32(TickFlag.STALE)
            believed["low"] = believed["high"] = 0
            self._publish(believed)
        await bus.forget_rows(self._redis, self._account_id, still["code"][is_gone])

    def _is_fed(self, codes: Codes) -> NDArray[np.bool_]:
        return np.asarray(self._board.slots(codes) >= 0, np.bool_)


def delisted(codes: Collection[int]) -> list[int]:
    """Those of these instruments that the latest master no longer names."""
    return list(Instrument.objects.filter(code__in=list(codes), is_listed=False).values_list("code", flat=True))
