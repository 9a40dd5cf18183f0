"""Which instruments tick next, and their frames: a round through all subscriptions at the configured rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from feeds.core.instrument import SECURITY_ID_BITS, ExchangeSegment
from feeds.dhan.wire import FULL, LAYOUTS, FeedMode, ResponseCode, blank_packets
from feeds.simulator import frames
from feeds.simulator.connection import FeedConnection
from feeds.simulator.market import Kind, Market
from feeds.simulator.prices import Scripts, Step
from feeds.simulator.switches import Unconfirmed

FIRST_PACKETS_PER_STEP = 5000
"""First packets go ahead of the round, but a reconnect of 25,000 is spread over a few steps."""


class Slots(NamedTuple):
    """Columns: the connection's number, the market's row and the mode of each subscription."""

    connection: NDArray[np.int64]
    row: NDArray[np.int64]
    mode: NDArray[np.uint8]

    def pick(self, chosen: NDArray[Any] | slice) -> Slots:
        return Slots(self.connection[chosen], self.row[chosen], self.mode[chosen])


def _joined(parts: list[Slots]) -> Slots:
    if not parts:
        return Slots(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8))
    return Slots(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


@dataclass
class Override:
    """What the next packets of one instrument say instead of the truth."""

    values: dict[str, float]
    packets_left: int


@dataclass
class Pump:
    """`step` writes the packets that are due to the connections given by `connections()`.

    `rate` is packets a second over everything, `instrument_rate` the most for one instrument (0: no limit).
    `sent` holds each instrument's last packet as it left: the truth that tests compare with.
    """

    market: Market
    switches: Unconfirmed
    connections: Callable[[], dict[int, FeedConnection]]
    seed: int
    rate: float
    instrument_rate: float
    frozen: set[int] = field(default_factory=set)  # instrument codes
    overrides: dict[int, Override] = field(default_factory=dict)  # by row
    packets_sent: int = 0
    packets_skipped: int = 0

    def __post_init__(self) -> None:
        self.sent = np.zeros(len(self.market.codes), FULL)
        self.times_sent = np.zeros(len(self.market.codes), np.int64)
        self.scripts = Scripts(self.market)
        self._random = np.random.default_rng(self.seed)
        self._volume_sent = np.zeros(len(self.market.codes), np.uint32)
        self._parts: dict[int, Slots] = {}
        self._changed: set[int] = set()
        self._round = _joined([])
        self._place = 0
        self._owed = 0.0
        self._first: list[Slots] = []
        self._burst_until = 0.0
        self._burst_rate = 0.0

    # --- what the server tells it ---

    def subscriptions_changed(self, connection: FeedConnection) -> None:
        self._changed.add(connection.number)

    def connection_gone(self, connection: FeedConnection) -> None:
        self._changed.add(connection.number)

    def first_packets(self, connection: FeedConnection, codes: list[int], mode: FeedMode) -> None:
        """The state of these instruments goes out with the next step, previous closes at once."""
        wanted = np.array(codes, np.uint64)
        self._first.append(self._slots(connection.number, wanted, np.full(len(codes), mode, np.uint8)))

    def burst(self, rate: float, until: float) -> None:
        """Another rate until a (monotonic) time."""
        self._burst_rate, self._burst_until = rate, until

    # --- one step ---

    def step(self, at: float, now: float, elapsed: float) -> None:
        """Send what is due.

        Args:
            at: exchange time, seconds since 1970 UTC.
            now: monotonic seconds.
            elapsed: seconds since the step before.
        """
        for row in self.scripts.advance(at, now):
            self._send_scripted(row)
        slots = _joined([self._take_first(), self._take_round(now, elapsed)])
        slots = slots.pick(self._allowed(slots))
        if not len(slots.row):
            return
        times = at - elapsed * (1 - (np.arange(len(slots.row)) + 1) / len(slots.row))
        packets = self.market.packets(slots.row, times)
        if not self.switches.volume_is_cumulative:
            self._make_volume_incremental(slots.row, packets)
        self.scripts.apply(slots.row, packets)
        self._override(slots.row, packets)
        self._send(slots, packets)

    def script(self, code: int, steps: list[Step], seconds: float, at: float, now: float) -> None:
        """An instrument takes these steps, the first at once, and shows nothing else until it is released.

        Raises:
            KeyError: it is not listed.
        """
        row = self._row(code)
        self.scripts.walk(row, steps, seconds, at, now)
        self._send_scripted(row)

    def release(self, code: int) -> None:
        """An instrument goes its own path again.

        Raises:
            KeyError: it is not listed.
        """
        self.scripts.release(self._row(code))

    def _send_scripted(self, row: int) -> None:
        """Out of turn, to everybody who has it subscribed: a step is seen at once."""
        code = int(self.market.codes[row])
        if code in self.frozen:
            return
        packet = self.scripts.packet(row)
        slots = [(number, row, mode) for number, mode in self._holders(code)]
        if slots:
            numbers, rows, modes = zip(*slots, strict=True)
            chosen = Slots(np.array(numbers), np.array(rows), np.array(modes, np.uint8))
            chosen = chosen.pick(self._allowed(chosen))
            self._send(chosen, np.repeat(packet, len(chosen.row)))

    def send_again(self, code: int, seconds_old: float, at: float, times: int = 1) -> int:
        """Packets of one instrument out of turn: its last one again, or as it was some seconds ago."""
        row = self._row(code)
        packets = self.sent[row : row + 1]
        if seconds_old:
            packets = self.market.packets(np.array([row]), np.array([at - seconds_old]))
        for number, mode in self._holders(code):
            data = b"".join(self._frames(np.repeat(packets, times), mode))
            self.connections()[number].send(data)
        return times

    def override(self, code: int, values: dict[str, float], packets: int) -> None:
        """The next packets of an instrument carry these fields instead.

        Raises:
            KeyError: the instrument is not listed.
            ValueError: a packet has no such field.
        """
        unknown = set(values) - set(FULL.names or ()) - LEVEL_FIELDS
        if unknown:
            raise ValueError(f"a Full packet has no {', '.join(sorted(unknown))}")
        self.overrides[self._row(code)] = Override(values, packets)

    def last_sent(self, code: int) -> np.void:
        """The Full packet, all zeros if none was sent.

        Raises:
            KeyError: it is not listed.
        """
        return cast(np.void, self.sent[self._row(code)])

    # --- choosing ---

    def _slots(self, number: int, codes: NDArray[np.uint64], modes: NDArray[np.uint8]) -> Slots:
        rows = self.market.rows(codes)
        listed = rows >= 0
        return Slots(np.full(listed.sum(), number), rows[listed], modes[listed])

    def _take_first(self) -> Slots:
        if not self._first:
            return _joined([])
        waiting = _joined(self._first)
        self._first = [waiting.pick(slice(FIRST_PACKETS_PER_STEP, None))]
        if not len(self._first[0].row):
            self._first = []
        taken = waiting.pick(slice(FIRST_PACKETS_PER_STEP))
        return taken.pick(~self.market.silent[taken.row])

    def _take_round(self, now: float, elapsed: float) -> Slots:
        size = len(self._current_round().row)
        rate = self._burst_rate if now < self._burst_until else self.rate
        if self.instrument_rate and now >= self._burst_until:
            rate = min(rate, size * self.instrument_rate)
        self._owed += rate * elapsed
        count = int(self._owed) if size else 0
        self._owed -= int(self._owed)
        chosen = (self._place + np.arange(count)) % max(size, 1)
        self._place = (self._place + count) % max(size, 1)
        return self._round.pick(chosen)

    def _current_round(self) -> Slots:
        """All subscriptions that trade, in an order drawn anew whenever they change."""
        if self._changed:
            self._read_changes()
            slots = _joined(list(self._parts.values()))
            slots = slots.pick(~self.market.silent[slots.row])
            self._round = slots.pick(self._random.permutation(len(slots.row)))
        return self._round

    def _read_changes(self) -> None:
        connections = self.connections()
        for number in self._changed:
            self._parts.pop(number, None)
            if number in connections:
                self._parts[number] = self._slots(number, *connections[number].slots())
        self._changed.clear()

    def _allowed(self, slots: Slots) -> NDArray[np.bool_]:
        connections = self.connections()
        takers = [number for number, connection in connections.items() if connection.takes_ticks]
        allowed = np.isin(slots.connection, takers)
        if self.frozen:
            allowed &= ~np.isin(self.market.codes[slots.row], np.fromiter(self.frozen, np.uint64))
        if self.switches.index_in_full_mode == "silent":
            allowed &= ~((slots.mode == FeedMode.FULL) & self._is_index(slots.row))
        return allowed

    def _is_index(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        is_index: NDArray[np.bool_] = self.market.codes[rows] >> np.uint64(SECURITY_ID_BITS) == ExchangeSegment.IDX_I
        return is_index

    def _row(self, code: int) -> int:
        row = int(self.market.rows(np.array([code], np.uint64))[0])
        if row < 0:
            raise KeyError(f"instrument {code} is not listed")
        return row

    def _holders(self, code: int) -> Iterator[tuple[int, FeedMode]]:
        for number, connection in self.connections().items():
            for mode in connection.modes_of(code):
                yield number, mode

    def _make_volume_incremental(self, rows: NDArray[np.int64], packets: NDArray[np.void]) -> None:
        """Volume since the packet before of the same row, which may be in this very step."""
        order = np.argsort(rows, kind="stable")
        rows, volume = rows[order], packets["volume"][order]
        before = self._volume_sent[rows]
        later = np.flatnonzero(rows[1:] == rows[:-1]) + 1
        before[later] = volume[later - 1]
        packets["volume"][order] = volume - np.minimum(before, volume)
        self._volume_sent[rows] = volume

    def _override(self, rows: NDArray[np.int64], packets: NDArray[np.void]) -> None:
        for row, override in list(self.overrides.items()):
            places = np.flatnonzero(rows == row)[: override.packets_left]
            for name, value in override.values.items():
                target = packets["depth"] if name in LEVEL_FIELDS else packets
                with np.errstate(all="ignore"):  # NaN into a whole number is part of the fault
                    target[name][places] = value
            override.packets_left -= len(places)
            if override.packets_left <= 0:
                del self.overrides[row]

    # --- writing ---

    def _send(self, slots: Slots, packets: NDArray[np.void]) -> None:
        """One write for each connection; whoever is too far behind misses this step."""
        order = np.argsort(slots.connection, kind="stable")
        numbers, starts = np.unique(slots.connection[order], return_index=True)
        for number, places in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
            data, count = self._data(slots.pick(places), packets[places])
            if self.connections()[number].send_packets(data, count):
                self.packets_sent += count
                self.sent[slots.row[places]] = packets[places]
                np.add.at(self.times_sent, slots.row[places], 1)
            else:
                self.packets_skipped += count

    def _data(self, slots: Slots, packets: NDArray[np.void]) -> tuple[bytes, int]:
        parts, count = [], 0
        modes = self._effective_modes(slots)
        for mode in FeedMode:
            places = np.flatnonzero(modes == mode)
            if len(places):
                parts += list(self._frames(packets[places], mode))
                count += len(places)
        return b"".join(parts), count

    def _effective_modes(self, slots: Slots) -> NDArray[np.uint8]:
        if self.switches.index_in_full_mode != "quote":
            return slots.mode
        return np.where((slots.mode == FeedMode.FULL) & self._is_index(slots.row), FeedMode.QUOTE, slots.mode)

    def _frames(self, packets: NDArray[np.void], mode: FeedMode) -> Iterator[bytes]:
        """The packets as their mode sends them."""
        code = RESPONSE_OF_MODE[mode]
        projected = packets if code is ResponseCode.FULL else _project(packets, code)
        if mode is FeedMode.QUOTE and not self.switches.index_quote_carries_close:
            projected["previous_close"][projected["segment"] == ExchangeSegment.IDX_I] = 0
        yield frames.frames(projected, self.switches.packets_per_frame)
        if mode is FeedMode.QUOTE and self.switches.open_interest_with_quote:
            derivatives = packets[packets["open_interest"] > 0]
            yield frames.frames(_project(derivatives, ResponseCode.OPEN_INTEREST), self.switches.packets_per_frame)

    def previous_closes(self, codes: list[int], at: float) -> bytes:
        """Code 6 for those instruments that get one."""
        rows = self.market.rows(np.array(codes, np.uint64))
        rows = rows[rows >= 0]
        if self.switches.previous_close_for == "nobody":
            return b""
        if self.switches.previous_close_for == "indices":
            rows = rows[self.market.instruments["kind"][rows] == Kind.INDEX]
        paise, open_interest = self.market.previous_close(rows, np.full(len(rows), at))
        packets = blank_packets(ResponseCode.PREVIOUS_CLOSE, self.market.codes[rows])
        packets["previous_close"], packets["previous_open_interest"] = paise / 100, open_interest
        return frames.frames(packets, self.switches.packets_per_frame)


LEVEL_FIELDS = frozenset({"bid_price", "ask_price", "bid_quantity", "ask_quantity", "bid_orders", "ask_orders"})
RESPONSE_OF_MODE = {
    FeedMode.TICKER: ResponseCode.TICKER,
    FeedMode.QUOTE: ResponseCode.QUOTE,
    FeedMode.FULL: ResponseCode.FULL,
}


def _project(packets: NDArray[np.void], code: ResponseCode) -> NDArray[np.void]:
    """Full packets cut down to the fields of another code."""
    layout = LAYOUTS[code]
    cut = np.empty(len(packets), layout)
    for name in layout.names or ():
        cut[name] = packets[name]
    cut["response_code"], cut["length"] = code, layout.itemsize
    return cut
