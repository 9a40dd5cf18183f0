"""ATM moves, chains follow: watches the references' prices on the board and has the services move the windows."""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial

from django.db import Error as DatabaseError

from feeds import clock
from feeds.core.board import Board
from feeds.core.tick import TickFlag
from feeds.interest import CapacityExceeded
from feeds.offload import Offload, Overloaded
from feeds.services import WatchedChain, recentre_chain, watched_chains

log = logging.getLogger(__name__)

RELOAD_SECONDS = 60.0
"""Definitions and listed strikes change a few times a day; a rebuild is noticed at once by its interest."""
DOUBTED = TickFlag.STALE | TickFlag.SEEDED


class Recentring:
    """The chains of one account, each with the tracker that says when its ATM has moved."""

    def __init__(self, account_id: int, board: Board, database: Offload) -> None:
        self._account_id = account_id
        self._board = board
        self._database = database
        self._chains: list[WatchedChain] = []
        self._load_at = 0.0
        self.counters: Counter[str] = Counter()

    def reload_soon(self) -> None:
        """A chain's interest changed: its strikes may have too."""
        self._load_at = 0.0

    async def follow(self) -> None:
        """Look at every reference once; move the chains whose ATM has moved.

        Raises:
            django.db.Error: the database is away; nothing is lost by asking again.
        """
        if clock.monotonic() >= self._load_at:
            self._load_at = clock.monotonic() + RELOAD_SECONDS
            self._chains = await self._database.run(partial(watched_chains, self._account_id))
        for chain in self._chains:
            row = self._board.rows(chain.reference)[0]
            if not row["flags"] & DOUBTED and chain.tracker.update(int(row["last_price"])):
                await self._move(chain, int(row["last_price"]))

    async def _move(self, chain: WatchedChain, price: int) -> None:
        try:
            moved = await self._database.run(partial(recentre_chain, chain.definition_id, price))
        except (CapacityExceeded, DatabaseError, Overloaded) as error:
            self._load_at = clock.monotonic() + 1.0  # the tracker is ahead of the chain now: take it anew
            log.warning("chain %s could not follow its reference: %s", chain.definition_id, type(error).__name__)
            self.counters["recentre_failed"] += 1
            return
        self.counters["recentred"] += moved
