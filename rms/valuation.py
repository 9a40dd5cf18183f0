"""What open positions are worth now: thousands of them marked from one batch of ticks, in whole paise."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from django.db.models import Q
from numpy.typing import NDArray

from feeds.core.tick import TickFlag
from rms.core.product import Product
from rms.models import Position

LAST_TRADE_SECONDS = 60
"""A last price older than this says less than what is bid and offered now."""

Integers = NDArray[np.int64]


class PriceSource(IntEnum):
    """Which price a position was marked at; the screens say it."""

    NONE = 0  # nothing is known: it counts at its cost
    LAST = 1
    MID = 2  # the last trade is old, and both sides are quoted
    STALE = 3  # the last price, of a row that is not fed any more, or an old one without two sides to replace it
    PREVIOUS_CLOSE = 4


class Quotes(NamedTuple):
    """One price an instrument: parallel arrays."""

    codes: NDArray[np.uint64]
    prices: Integers
    sources: NDArray[np.uint8]


class Marks(NamedTuple):
    """Parallel to the table's positions, then parallel to its accounts. Paise."""

    unrealised: Integers
    prices: Integers
    sources: NDArray[np.uint8]
    account_unrealised: Integers
    account_realised: Integers


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """One position: `units` are signed and hold the multiplier, `open_cost` is signed alike, both as in its row."""

    account_id: int
    code: int
    product: Product
    units: int
    open_cost: int
    realised: int = 0

    @property
    def identity(self) -> tuple[int, int, Product]:
        return self.account_id, self.code, self.product


def quotes_of(rows: NDArray[np.void], at: float) -> Quotes:
    """The price that each TICK row is marked at: the last by habit, the mid where that is old.

    Args:
        at: exchange time in seconds since 1970.
    """
    last, close = rows["last_price"].astype(np.int64), rows["previous_close"].astype(np.int64)
    best = rows["depth"][:, 0]
    bid, ask = best["bid_price"].astype(np.int64), best["ask_price"].astype(np.int64)
    fed = rows["flags"] & (TickFlag.STALE | TickFlag.QUARANTINED) == 0
    old = at - rows["last_traded_at"] > LAST_TRADE_SECONDS
    quoted = fed & (bid > 0) & (ask >= bid)
    conditions = [old & quoted, (last > 0) & fed & ~old, last > 0, close > 0]
    prices = np.select(conditions, [_middle(bid, ask), last, last, close], 0)
    sources = np.select(
        conditions, [PriceSource.MID, PriceSource.LAST, PriceSource.STALE, PriceSource.PREVIOUS_CLOSE], PriceSource.NONE
    )
    return Quotes(rows["code"], prices, sources.astype(np.uint8))


def _middle(bid: Integers, ask: Integers) -> Integers:
    """Half to even: neither buyers nor sellers gain by it."""
    total = bid + ask
    half = total // 2
    return half + (total & half & 1)


class PositionTable:
    """Open positions as columns, sorted by account; instruments keep their last price between batches.

    Positions come in by `update`, whenever some changed; prices by `mark`, whenever a batch came.
    """

    def __init__(self, positions: Iterable[OpenPosition] = ()) -> None:
        self._positions = {each.identity: each for each in positions}
        self._known: dict[int, tuple[int, int]] = {}
        self._build()

    @classmethod
    def load(cls, account_ids: Collection[int] | None = None) -> PositionTable:
        """What the database holds open, or realised something today; of all accounts unless told."""
        return cls(open_positions(account_ids))

    def __len__(self) -> int:
        return len(self.positions)

    def update(self, positions: Iterable[OpenPosition]) -> None:
        """These positions as they are now; what is closed and realised nothing leaves."""
        for each in positions:
            if each.units or each.realised:
                self._positions[each.identity] = each
            else:
                self._positions.pop(each.identity, None)
        self._keep_prices()
        self._build()

    def mark_rows(self, rows: NDArray[np.void], at: float) -> Marks:
        """Take the prices of a batch of TICK rows; `at` is exchange time in seconds since 1970."""
        return self.mark(*quotes_of(rows, at))

    def mark(
        self,
        codes: NDArray[np.uint64],
        prices: Integers,
        sources: NDArray[np.uint8] | None = None,
    ) -> Marks:
        """Take these prices (parallel to `codes`, paise) and value every position at the last that is known of it."""
        if len(self.codes):
            place = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
            ours = self.codes[place] == codes
            self._prices[place[ours]] = prices[ours]
            self._sources[place[ours]] = PriceSource.LAST if sources is None else sources[ours]
        return self.marks()

    def marks(self) -> Marks:
        """Every position at the last known price of its instrument."""
        price, source = self._prices[self._instrument], self._sources[self._instrument]
        unrealised = np.where(source != PriceSource.NONE, self._units * price - self._open_cost, 0)
        return Marks(unrealised, price, source, self._by_account(unrealised), self._by_account(self._realised))

    def _by_account(self, values: Integers) -> Integers:
        if not len(values):
            return np.zeros(0, np.int64)
        result: Integers = np.add.reduceat(values, self._first_of_account)
        return result

    def _keep_prices(self) -> None:
        known = zip(self.codes.tolist(), self._prices.tolist(), self._sources.tolist(), strict=True)
        self._known = {code: (price, source) for code, price, source in known}

    def _build(self) -> None:
        self.positions = sorted(self._positions.values(), key=lambda each: each.identity)
        accounts = _integers(each.account_id for each in self.positions)
        self.account_ids, self._first_of_account = np.unique(accounts, return_index=True)
        self._units = _integers(each.units for each in self.positions)
        self._open_cost = _integers(each.open_cost for each in self.positions)
        self._realised = _integers(each.realised for each in self.positions)
        codes = np.fromiter((each.code for each in self.positions), np.uint64)
        self.codes, self._instrument = np.unique(codes, return_inverse=True)
        known = [self._known.get(code, (0, PriceSource.NONE)) for code in self.codes.tolist()]
        self._prices = _integers(price for price, _ in known)
        self._sources = np.fromiter((source for _, source in known), np.uint8)


def open_positions(account_ids: Collection[int] | None = None) -> list[OpenPosition]:
    """From the database: what is open, or realised something today."""
    rows = Position.objects.exclude(Q(signed_quantity=0) & Q(realised_pnl=0)).order_by()
    if account_ids is not None:
        rows = rows.filter(account_id__in=account_ids)
    columns = (
        "account_id",
        "instrument_id",
        "product",
        "signed_quantity",
        "open_cost",
        "realised_pnl",
        "instrument__multiplier",
    )
    return [
        OpenPosition(account_id, code, Product(product), quantity * multiplier, open_cost, realised)
        for account_id, code, product, quantity, open_cost, realised, multiplier in rows.values_list(*columns)
    ]


def _integers(values: Iterable[Any]) -> Integers:
    return np.fromiter(values, np.int64)
