"""Prices by script: what one instrument shows instead of its own path, so that a price can be walked through orders."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feeds.core.tick import DEPTH_LEVELS
from feeds.dhan.wire import wire_time
from feeds.simulator.market import Market

LOTS_A_LEVEL = 10
"""Of levels that a script does not name."""
FIELDS = frozenset({"last_price", "trade", "quantity", "bids", "asks"})

Level = Sequence[float]
"""Rupees and units."""


@dataclass(frozen=True, slots=True)
class Step:
    """What changes at once. Prices in rupees, quantities in units.

    `last_price` trades there and moves the book around it, `trade` trades there and leaves the book. `bids` and `asks`,
    best first, replace their side; what is named there is all that is displayed on it.
    """

    last_price: float | None = None
    trade: float | None = None
    quantity: int | None = None  # of the trade; None: one lot
    bids: tuple[Level, ...] | None = None
    asks: tuple[Level, ...] | None = None

    @classmethod
    def parse(cls, value: Any) -> Step:
        """From JSON: a number is a last price.

        Raises:
            ValueError: it is no step.
        """
        if isinstance(value, int | float):
            return cls(last_price=float(value))
        if not isinstance(value, dict) or not value or set(value) - FIELDS:
            raise ValueError(f"a step is a price or has some of {', '.join(sorted(FIELDS))}, not {value!r}")
        sides = {name: tuple(map(_level, value[name])) for name in ("bids", "asks") if name in value}
        return cls(**{**value, **sides})


def _level(value: Any) -> Level:
    price, quantity = value
    return float(price), int(quantity)


@dataclass(slots=True)
class Scripted:
    """An instrument under script: its packet as it stands, and the steps it has still to take."""

    packet: NDArray[np.void]  # one Full packet
    steps: deque[Step] = field(default_factory=deque)
    seconds: float = 0.0  # between two steps
    due_at: float = 0.0  # monotonic


class Scripts:
    """All instruments under script, by their row of the market."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._scripted: dict[int, Scripted] = {}
        self._added: dict[int, int] = {}  # by script, to the volume of the own path
        self._shown: dict[int, int] = {}  # volume when it was released: packets of a step lie in the time before it

    def change(self, row: int, step: Step, at: float) -> None:
        """Take one step at once. `at`: exchange time, seconds since 1970 UTC."""
        scripted = self._scripted.get(row)
        if scripted is None:
            scripted = self._scripted[row] = Scripted(self._own(row, at))
        lot, tick = self._market.instruments["lot"][row], self._market.instruments["tick"][row] / 100
        if (price := step.last_price if step.trade is None else step.trade) is not None:
            self._trade(row, scripted.packet, price, int(lot) if step.quantity is None else step.quantity, at)
        if step.last_price is not None:
            away = tick * np.arange(1, DEPTH_LEVELS + 1)
            _show(scripted.packet, "bid", [(step.last_price - each, lot * LOTS_A_LEVEL) for each in away])
            _show(scripted.packet, "ask", [(step.last_price + each, lot * LOTS_A_LEVEL) for each in away])
        if step.bids is not None:
            _show(scripted.packet, "bid", step.bids)
        if step.asks is not None:
            _show(scripted.packet, "ask", step.asks)

    def walk(self, row: int, steps: Sequence[Step], seconds: float, at: float, now: float) -> None:
        """Take the first step at once, and the others `seconds` apart. `now` is monotonic."""
        first, *others = steps
        self.change(row, first, at)
        scripted = self._scripted[row]
        scripted.steps, scripted.seconds, scripted.due_at = deque(others), seconds, now + seconds

    def release(self, row: int) -> None:
        """Back to its own path. What was traded stays in its volume, which never falls."""
        if (scripted := self._scripted.pop(row, None)) is not None:
            self._shown[row] = int(scripted.packet["volume"][0])

    def clear(self) -> None:
        for row in list(self._scripted):
            self.release(row)

    def advance(self, at: float, now: float) -> Iterator[int]:
        """Take the steps that are due; yields the rows that changed, once for each step."""
        for row, scripted in self._scripted.items():
            while scripted.steps and scripted.due_at <= now:
                self.change(row, scripted.steps.popleft(), at)
                scripted.due_at += scripted.seconds
                yield row

    def packet(self, row: int) -> NDArray[np.void]:
        """The one Full packet that the instrument shows.

        Raises:
            KeyError: it is not under script.
        """
        return self._scripted[row].packet

    def apply(self, rows: NDArray[np.int64], packets: NDArray[np.void]) -> None:
        """Put what is scripted in place of packets that are about to be sent."""
        for row, scripted in self._scripted.items():
            packets[rows == row] = scripted.packet
        for row, shown in self._shown.items():
            if row not in self._scripted:
                places = rows == row
                own = packets["volume"][places] + np.uint32(self._added.get(row, 0))
                packets["volume"][places] = np.maximum(own, np.uint32(shown))

    def _own(self, row: int, at: float) -> NDArray[np.void]:
        packet = self._market.packets(np.array([row]), np.array([at]))
        packet["volume"] += np.uint32(self._added.get(row, 0))
        return packet

    def _trade(self, row: int, packet: NDArray[np.void], price: float, quantity: int, at: float) -> None:
        self._added[row] = self._added.get(row, 0) + quantity
        packet["last_price"], packet["last_quantity"] = price, quantity % 2**16
        packet["last_traded_at"] = wire_time(np.array([at]))
        packet["volume"] += np.uint32(quantity)
        packet["day_high"], packet["day_low"] = max(packet["day_high"][0], price), min(packet["day_low"][0], price)
        paise = round(price * 100)
        self._market.day_high[row] = max(self._market.day_high[row], paise)
        self._market.day_low[row] = min(self._market.day_low[row], paise)


def _show(packet: NDArray[np.void], side: str, levels: Sequence[Level]) -> None:
    """Display these levels on one side, and nothing else."""
    depth = packet["depth"][0]
    for name in ("price", "quantity", "orders"):
        depth[f"{side}_{name}"] = 0
    there = [(price, quantity) for price, quantity in levels[:DEPTH_LEVELS] if price > 0]
    for place, (price, quantity) in enumerate(there):
        depth[f"{side}_price"][place], depth[f"{side}_quantity"][place] = price, quantity
        depth[f"{side}_orders"][place] = 1
    packet["total_buy_quantity" if side == "bid" else "total_sell_quantity"] = sum(quantity for _, quantity in there)
