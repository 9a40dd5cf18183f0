"""Chain analytics: once a second all chains are computed again, and those that changed are told."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Mapping
from datetime import date, datetime
from functools import partial
from math import inf
from typing import Any

import numpy as np
import orjson
from django.conf import settings
from django.db import Error as DatabaseError
from numpy.typing import NDArray

from feeds import clock
from feeds.analytics.duty import Desk, Ticks
from feeds.analytics.figures import PERCENT, Body, bodies
from feeds.analytics.listing import OPTION_SEGMENTS, Chain, closing_interest, read_chains, resolution
from feeds.bus import REDIS_ERRORS, Batch
from feeds.core import option_chain
from feeds.core.instrument import SECURITY_ID_BITS
from feeds.core.live_table import COLUMN_INDEX, LiveTable, Slots
from feeds.core.option_chain import Layout, Market, Terms
from feeds.core.tick import TickFlag
from feeds.offload import Overloaded
from feeds.topics import values_changed
from feeds.volatility import CHAIN_ANALYTICS, Range, Underlying, ranges

log = logging.getLogger(__name__)

STORE_AWAY = (DatabaseError, Overloaded, *REDIS_ERRORS)
KIND = "ANALYTICS"
SILENT_SECONDS = 3.0
"""A feed that sends no batch for so long is down, for browsers as for us: its prices are old."""
DOUBTED = TickFlag.STALE | TickFlag.SEEDED
"""Rows that no packet of this run stands behind."""
MILLISECONDS = 1_000

Seconds = NDArray[np.int64]


class Book:
    """All chains laid end to end, and where their rows are in the table."""

    def __init__(self, chains: list[Chain], closing_interest: Mapping[int, int], table: LiveTable) -> None:
        self.chains = chains
        self.layout = Layout([chain.contracts for chain in chains])
        self.slots = table.slots([code for chain in chains for code in chain.codes])
        self.futures = table.slots([chain.future or 0 for chain in chains])  # code 0 is nobody's: its row stays empty
        self.last_trade: Seconds = np.array([int(chain.last_trade.timestamp()) for chain in chains], np.int64)
        codes = [code for chain in chains for code in chain.codes]
        self.codes = frozenset(codes)
        self.closing_interest = np.array([closing_interest.get(code, 0) for code in codes], np.int64)

    def changed_since(self, flush: int, table: LiveTable) -> NDArray[np.bool_]:
        """By chain, whether any of its rows or its future's changed after this flush."""
        contracts = table.changed_at[self.slots] > flush
        changed = np.logical_or.reduceat(contracts, self.layout.first_contract)
        return np.asarray(changed | (table.changed_at[self.futures] > flush), np.bool_)


class Chains:
    """Keeps the last row of every instrument; tells each second of the chains whose rows changed."""

    name = "chains"

    def __init__(self, desk: Desk) -> None:
        self.counters: Counter[str] = Counter()
        self._desk = desk
        self._table = LiveTable()
        self._round = 1
        self._heard_at: dict[int, float] = {}
        self._told_at = 0  # the round whose changes were told last
        self._silent: frozenset[int] = frozenset()
        self._book: Book | None = None
        self._read: tuple[Any, ...] = ()
        self._unknown: frozenset[int] = frozenset()
        self._ranges: Mapping[Underlying, Range] = {}

    def take(self, event: Ticks) -> None:
        self._table.merge(event.rows, self._round, event.account_id)
        if isinstance(event, Batch):
            self._heard_at[event.account_id] = clock.monotonic()

    async def run(self) -> None:
        while True:
            await self._attempt(self._follow_listing(clock.exchange_today()))
            if not await self._attempt(self._tell(self._look(clock.exchange_now()))):
                self._told_at = 0  # who knows what arrived: all is told again
            await asyncio.sleep(settings.ANALYTICS_SECONDS)

    async def _attempt(self, work: Coroutine[Any, Any, None]) -> bool:
        """Whether it was done: a store that is away costs this one thing, and only now."""
        try:
            await work
        except STORE_AWAY as error:
            self.counters["stores_away"] += 1
            log.warning("chains: a store is away (%s)", type(error).__name__)
            return False
        return True

    # --- which chains

    async def _follow_listing(self, today: date) -> None:
        """Read the chains again on another day, when they were resolved anew, or an unknown option is fed."""
        fed = self._fed_options()
        read = (today, await self._desk.database.run(resolution), fed - (self._book.codes if self._book else fed))
        if self._book is not None and read[:2] == self._read[:2] and read[2] <= self._unknown:
            return
        chains = await self._desk.database.run(partial(read_chains, fed, today))
        self._ranges = await self._desk.database.run(partial(ranges, today))
        interest = await self._desk.database.run(partial(closing_interest, chains, today))
        self._take_over(Book(chains, interest, self._table) if chains else None, fed)
        self._read = read
        await self._forget_others()

    def _fed_options(self) -> frozenset[int]:
        table = self._table
        codes = table.codes()
        is_fed = (table.values[table.slots(codes), COLUMN_INDEX["flags"]] & TickFlag.STALE) == 0
        return frozenset(codes[is_fed & np.isin(codes >> np.uint64(SECURITY_ID_BITS), OPTION_SEGMENTS)].tolist())

    def _take_over(self, book: Book | None, fed: frozenset[int]) -> None:
        self._book, self._told_at = book, 0
        self._unknown = fed - (book.codes if book else frozenset())  # expired, or no master has them
        self.counters["chains"] = len(book.chains) if book else 0
        self.counters["contracts"] = len(book.slots) if book else 0

    async def _forget_others(self) -> None:
        """Nobody asks for chains that are gone; what was told of the others stays."""
        kept = {str(chain.name) for chain in self._book.chains} if self._book else set()
        told = {topic.decode() for topic in await self._desk.redis.hkeys(CHAIN_ANALYTICS)}
        if gone := told - kept:
            await self._desk.redis.hdel(CHAIN_ANALYTICS, *gone)

    # --- what they say

    def _look(self, now: datetime) -> dict[str, Body]:
        """The figures of every chain that changed since the last look, by topic."""
        book, silent = self._book, self._silent_accounts()
        if book is None:
            return {}
        changed = book.changed_since(self._told_at, self._table) | (silent != self._silent)
        self._told_at, self._round, self._silent = self._round, self._round + 1, silent
        self.counters["looks"] += 1
        if not changed.any():
            return {}
        rate = settings.ANALYTICS_RATE_PERCENT / PERCENT
        seconds = int(now.timestamp())
        terms = Terms(option_chain.years_left(book.last_trade, seconds), self._future_prices(book, seconds))
        found = option_chain.slices(book.layout, self._contracts(book), terms, rate, seconds)
        return bodies(book.chains, found, np.flatnonzero(changed).tolist(), now, self._ranges)

    def _silent_accounts(self) -> frozenset[int]:
        """Whose rows nobody stands behind now: heard of once, and not lately."""
        now = clock.monotonic()
        known = set(np.unique(self._table.sources(self._book.slots)).tolist()) if self._book else set()
        return frozenset(each for each in known if now - self._heard_at.get(each, -inf) > SILENT_SECONDS)

    def _market(self, slots: Slots) -> Market:
        values = self._table.values[slots]
        columns = {name: values[:, COLUMN_INDEX[name]] for name in Market._fields if name != "is_doubted"}
        columns["last_traded_at"] = columns["last_traded_at"] // MILLISECONDS
        silent = np.isin(self._table.sources(slots), list(self._silent))
        return Market(**columns, is_doubted=silent | ((values[:, COLUMN_INDEX["flags"]] & DOUBTED) != 0))

    def _contracts(self, book: Book) -> Market:
        market = self._market(book.slots)
        told = market.previous_open_interest
        return market._replace(previous_open_interest=np.where(told > 0, told, book.closing_interest))

    def _future_prices(self, book: Book, now: int) -> option_chain.FloatArray:
        prices, _ = option_chain.usable_prices(self._market(book.futures), now, option_chain.FRESH_SECONDS_NEAR)
        return prices

    async def _tell(self, told: dict[str, Body]) -> None:
        if not told:
            return
        await self._desk.redis.hset(CHAIN_ANALYTICS, mapping={name: orjson.dumps(body) for name, body in told.items()})
        await self._desk.database.run(partial(values_changed, {name: (KIND, body) for name, body in told.items()}))
        self.counters["told"] += len(told)
