"""Everything that is subscribed, with its last row: read once a second however many ask who moved."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from feeds import bus, clock
from feeds.core.movers import MoverKind, movers
from feeds.interest import unpack
from feeds.models import Instrument, Interest

CACHE_SECONDS = 1.0
INSTRUMENTS_SECONDS = 300.0
"""Instruments are read again after this long: the master of the morning may name them anew."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The rows of what is wanted and was ever fed, each with its instrument."""

    rows: bus.Rows
    instruments: tuple[Instrument, ...]
    types: NDArray[np.str_]
    multipliers: NDArray[np.int64]
    read_at: float


class Market:
    """One process's reading of it, shared by its threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._subscribed: Subscribed | None = None
        self._known: dict[int, Instrument] = {}
        self._known_at = 0.0

    def subscribed(self) -> Subscribed:
        """Never older than a second.

        Raises:
            REDIS_ERRORS: Redis is away.
        """
        with self._lock:
            if self._subscribed is None or clock.monotonic() - self._subscribed.read_at >= CACHE_SECONDS:
                self._subscribed = self._read()
            return self._subscribed

    def forget(self) -> None:
        """Read all anew."""
        with self._lock:
            self._subscribed, self._known = None, {}

    def _read(self) -> Subscribed:
        now = clock.monotonic()
        rows = bus.last_rows(wanted_codes())
        known = self._instruments(rows["code"].tolist(), now)
        rows = rows[np.isin(rows["code"], np.fromiter(known, np.uint64, len(known)))]
        found = tuple(known[code] for code in rows["code"].tolist())
        types = np.array([each.instrument_type for each in found], np.str_)
        return Subscribed(rows, found, types, np.array([each.multiplier for each in found], np.int64), now)

    def _instruments(self, codes: list[int], now: float) -> dict[int, Instrument]:
        if now - self._known_at > INSTRUMENTS_SECONDS:
            self._known, self._known_at = {}, now
        if missing := set(codes) - self._known.keys():
            self._known |= Instrument.objects.in_bulk(missing)
        return self._known


def wanted_codes() -> list[int]:
    """What anybody wants to be fed now."""
    packed = Interest.objects.exclude(codes=b"").values_list("codes", flat=True)
    codes: list[int] = np.unique(np.concatenate([np.empty(0, np.uint64), *map(unpack, packed)])).tolist()
    return codes


_market = Market()


def current_market() -> Market:
    return _market


def ranked(
    subscribed: Subscribed, kind: MoverKind, limit: int, types: Collection[str] = ()
) -> list[tuple[Instrument, np.void]]:
    """The instruments of these types (none: all) that moved most, with their rows."""
    is_asked = np.isin(subscribed.types, list(types)) if types else np.ones(len(subscribed.rows), np.bool_)
    which = np.flatnonzero(is_asked)
    places = which[movers(subscribed.rows[which], subscribed.multipliers[which], kind, limit)]
    return [(subscribed.instruments[place], subscribed.rows[place]) for place in places]
