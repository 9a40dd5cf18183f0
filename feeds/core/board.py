"""The market board: the last known state of every fed instrument, in one numpy array of TICK rows.

Packets are applied a batch at a time; what changed is cut out for the tick bus. A row never holds an impossible
value: a packet that carries one is set aside whole, the last good row stands and says QUARANTINED.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from feeds.core.instrument import SECURITY_ID_BITS, SECURITY_ID_MASK, ExchangeSegment
from feeds.core.price import snap
from feeds.core.tick import DEPTH_LEVELS, TICK, TickFlag

JUMP_FACTOR = 20
"""A price this many times above or below the last good one is doubted."""

JUMP_FLOOR = 500
"""Paise. Below five rupees an option may well trade at many times its last price."""

BELIEVED_AFTER = 3
"""Doubted packets in a row after which they are believed: a true move must not be shut out for ever."""

CLOCK_TOLERANCE_SECONDS = 3_600
"""A trade further than this in the exchange's future is impossible; believed, it would shut out all true ones."""

IST_OFFSET_SECONDS = 19_800
DAY_SECONDS = 86_400
VOLUME_WRAP = 1 << 32
"""The wire's volume is 32 bits wide; a fall of more than half of that is a wrap, not a mistake."""

NO_PRICE = np.iinfo(np.int32).max
"""Stands for "no trade" while a lowest price is looked for."""

TABLE_CELLS = 1 << 24
"""Cells of the id table at most: 64 MB of addresses, of which only those in use cost memory. Beyond it, a dict."""

PACKET_FLAGS = TickFlag.STALE | TickFlag.QUARANTINED | TickFlag.SEEDED
"""What a good packet disproves. NO_TRADE_YET goes with the first price; GAP with the batch that carried it."""

ROW_BLOCK = np.dtype((np.void, TICK.itemsize))
COUNTS_BLOCK = np.dtype((np.void, 12))
"""Bid and ask quantity (4 bytes each), bid and ask orders (2 each)."""

Rows = NDArray[np.void]
Slots = NDArray[np.int64]
Mask = NDArray[np.bool_]
Located = tuple[str, Rows, Slots, NDArray[np.int64]]
"""One kind's packets: the kind, the packets, their slots, their places in the batch."""


class Packets(Protocol):
    """What a board can apply: for each kind the packets in order of arrival, and each one's place in the batch.

    Fields are named as in TICK; prices are float32 rupees, times seconds since 1970 UTC (0: never).
    """

    @property
    def ticker(self) -> tuple[Rows, NDArray[np.int64]]: ...
    @property
    def quote(self) -> tuple[Rows, NDArray[np.int64]]: ...
    @property
    def full(self) -> tuple[Rows, NDArray[np.int64]]: ...
    @property
    def open_interest(self) -> tuple[Rows, NDArray[np.int64]]: ...
    @property
    def previous_close(self) -> tuple[Rows, NDArray[np.int64]]: ...


KINDS = ("full", "quote", "ticker", "open_interest", "previous_close")
TRADE_KINDS = frozenset({"full", "quote", "ticker"})


class Arrival(NamedTuple):
    """When a batch came in, by each of the three clocks."""

    received_at: int  # wall clock, nanoseconds since 1970
    monotonic: float  # seconds
    exchange_time: float  # market time, seconds since 1970 UTC


class Count(StrEnum):
    """What the board counts beside the packets it applied."""

    APPLIED = "applied"
    UNKNOWN_INSTRUMENT = "unknown_instrument"
    OUT_OF_ORDER = "out_of_order"
    QUARANTINED = "quarantined"
    DOUBT_BELIEVED = "doubt_believed"
    VOLUME_RESET = "volume_reset"
    VOLUME_WRAPPED = "volume_wrapped"


class BoardFull(ValueError):
    """More instruments than the board has rows."""


class Predecessors(NamedTuple):
    """What was known of each packet's instrument just before it."""

    traded_at: NDArray[np.int64]
    volume: NDArray[np.int64]
    last_price: NDArray[np.int64]
    previous_close: NDArray[np.int64]


class Verdict(NamedTuple):
    """What each packet of one batch is worth, before anything is written. The last axis is the packet."""

    prices: NDArray[np.int32]  # last, open, high, low, five bids, five asks, as far as its kind has them; paise
    off_tick: NDArray[np.int32]  # average price and previous close: paise that need not lie on a tick
    traded_at: NDArray[np.int64]
    volume: NDArray[np.int64]
    impossible: Mask
    doubtful: Mask
    accepted: Mask  # its trade is at least as new as the known one; if not, only its book is taken
    traded: Mask  # it tells of a trade not known before
    disordered: Mask  # older than its predecessor in time or in volume, or not to be judged by its packet alone
    resets: Mask
    wraps: Mask

    def irregular(self) -> Mask:
        """Packets after which the last of a batch does not say everything, or whose worth the one before decides."""
        close = self.off_tick[1]
        unsaid: Mask = (self.prices[0] == 0) | ((close == 0) & (np.roll(close, 1) > 0))
        return unsaid | self.impossible | self.doubtful | ~self.accepted | self.disordered | self.resets | self.wraps

    def of(self, packets: Mask) -> Verdict:
        return Verdict._make(column.compress(packets, -1) for column in self)

    def at(self, places: Slots) -> Verdict:
        return Verdict._make(column.take(places, -1) for column in self)


class Board:
    """Rows for up to `capacity` instruments. Not thread safe: one task applies, cuts and marks.

    Among packets of one instrument, those with the same or older trade time and no more volume do not change the
    last price; the book is always the latest to arrive. `low` and `high` span every trade since the last cut.
    """

    def __init__(self, capacity: int) -> None:
        self._rows = np.zeros(capacity, TICK)
        # The same memory without fields: rows are gathered and scattered as blocks, thirty times as fast.
        self._blocks = self._rows.view(ROW_BLOCK)
        self._tick_sizes = np.zeros(capacity, np.int32)
        self._is_index = np.zeros(capacity, np.bool_)
        self._may_cross = np.zeros(256, np.bool_)  # by segment
        self._heard = np.full(capacity, -np.inf)
        self._doubts = np.zeros(capacity, np.uint8)
        self._doubting = False  # whether any of them is not zero
        self._changed = np.zeros(capacity, np.bool_)
        self._last_seen = np.zeros(capacity, np.int64)
        self._slots: dict[int, int] = {}
        self._free = list(range(capacity - 1, -1, -1))
        self._table: NDArray[np.int32] | None = None
        self._build_table()
        self.counters: Counter[Count] = Counter()

    def __len__(self) -> int:
        return len(self._slots)

    # --- which instruments ---------------------------------------------------------------------

    def add(self, codes: Iterable[int], tick_sizes: Iterable[int]) -> None:
        """Give each instrument a row; known ones only take the tick size (paise).

        Raises:
            BoardFull: nothing was added.
        """
        wanted = dict(zip(map(int, codes), map(int, tick_sizes), strict=True))
        new = [code for code in wanted if code not in self._slots]
        if len(new) > len(self._free):
            raise BoardFull(f"{len(new)} more instruments, room for {len(self._free)}")
        for code in new:
            slot = self._slots[code] = self._free.pop()
            self._rows[slot]["code"] = code
            self._is_index[slot] = code >> SECURITY_ID_BITS == ExchangeSegment.IDX_I
        for code, tick_size in wanted.items():
            self._tick_sizes[self._slots[code]] = tick_size
        self._index(new)

    def remove(self, codes: Iterable[int]) -> None:
        """Forget these instruments; unknown ones are ignored."""
        gone = {code: self._slots.pop(code) for code in map(int, codes) if code in self._slots}
        slots = np.fromiter(gone.values(), np.int64, len(gone))
        self._rows[slots] = np.zeros((), TICK)
        self._heard[slots] = -np.inf
        self._doubts[slots] = 0
        self._changed[slots] = False
        self._free.extend(gone.values())
        self._index(list(gone))

    def slot(self, code: int) -> int:
        """Raises KeyError for an instrument that was not added."""
        return self._slots[code]

    def slots(self, codes: ArrayLike) -> Slots:
        """The slot of each code, -1 for those that were not added."""
        wanted = np.atleast_1d(np.asarray(codes, np.uint64))
        if self._table is None:
            return np.fromiter((self._slots.get(code, -1) for code in wanted.tolist()), np.int64, len(wanted))
        segments = (wanted >> np.uint64(SECURITY_ID_BITS)).astype(np.uint8)
        ids = np.minimum(wanted & np.uint64(SECURITY_ID_MASK), self._last_ids[segments]).astype(np.int64)
        found: Slots = self._table[self._segment_starts[segments] + ids].astype(np.int64) - 1
        return found

    def _index(self, codes: Sequence[int]) -> None:
        """Note where these codes are, or that they are gone.

        One table holds all ids of all segments up to the greatest in use: a search among 25,000 sorted codes took
        a quarter of all the work. A cell is the slot plus one, so that 0 is nobody, also for every greater id: they
        share the last cell of their segment.
        """
        if self._table is not None and all(
            code & SECURITY_ID_MASK < self._last_ids[code >> SECURITY_ID_BITS] for code in codes
        ):
            for code in codes:
                start = self._segment_starts[code >> SECURITY_ID_BITS]
                self._table[start + (code & SECURITY_ID_MASK)] = self._slots.get(code, -1) + 1
        else:
            self._build_table()

    def _build_table(self) -> None:
        codes = np.fromiter(self._slots.keys(), np.uint64, len(self._slots))
        slots = np.fromiter(self._slots.values(), np.int32, len(self._slots))
        segments = (codes >> np.uint64(SECURITY_ID_BITS)).astype(np.int64)
        ids = codes & np.uint64(SECURITY_ID_MASK)
        self._last_ids = np.zeros(256, np.uint64)
        np.maximum.at(self._last_ids, segments, ids + np.uint64(1))
        sizes = self._last_ids.astype(np.int64) + 1
        self._segment_starts = np.cumsum(sizes) - sizes
        self._table = None
        if int(sizes.sum()) <= TABLE_CELLS:
            self._table = np.zeros(int(sizes.sum()), np.int32)
            self._table[self._segment_starts[segments] + ids.astype(np.int64)] = slots + 1

    # --- reading -------------------------------------------------------------------------------

    def rows(self, codes: ArrayLike) -> Rows:
        """A copy of these instruments' rows, in their order; one that was not added is empty but for its code."""
        wanted = np.atleast_1d(np.asarray(codes, np.uint64))
        slots = self.slots(wanted)
        rows = self._take(slots)
        rows[slots < 0] = np.zeros((), TICK)
        rows["code"] = wanted
        return rows

    def ages(self, codes: ArrayLike, monotonic: float) -> NDArray[np.float64]:
        """Seconds since the last good packet of each; infinite where none has come."""
        slots = self.slots(codes)
        return np.where(slots < 0, np.inf, monotonic - self._heard[slots])

    def cut(self) -> Rows:
        """A copy of every row that changed since the last cut; from here low, high and GAP start afresh."""
        slots = np.flatnonzero(self._changed)
        rows = self._take(slots)
        self._rows["low"][slots] = 0
        self._rows["high"][slots] = 0
        self._rows["flags"][slots] &= ~np.uint32(TickFlag.GAP)
        self._changed[slots] = False
        return rows

    def _take(self, slots: Slots) -> Rows:
        return self._blocks.take(slots).view(TICK)

    # --- writing from outside -------------------------------------------------------------------

    def merge(self, rows: Rows) -> Slots:
        """Rows of the tick bus replace ours, unknown instruments are added. Returns their slots."""
        slots = self.slots(rows["code"])
        if (slots < 0).any():
            new = rows["code"][slots < 0]
            self.add(new.tolist(), [0] * len(new))
            slots = self.slots(rows["code"])
        self._rows[slots] = rows
        self._changed[slots] = True
        return slots

    def seed(self, rows: Rows) -> int:
        """Values of the REST quote or of the previous run, for instruments of ours that no packet has told about.

        Returns how many were taken; each is marked SEEDED.
        """
        slots = self.slots(rows["code"])
        wanted = (slots >= 0) & np.isneginf(self._heard[slots])
        slots = slots[wanted]
        standing = self._rows["flags"][slots]
        self._rows[slots] = rows[wanted]
        self._rows["flags"][slots] |= standing | np.uint32(TickFlag.SEEDED)
        self._changed[slots] = True
        return len(slots)

    def mark(self, codes: ArrayLike, flag: TickFlag) -> None:
        """Set a flag on those of these instruments that do not carry it yet."""
        slots = self._known(codes)
        slots = slots[self._rows["flags"][slots] & np.uint32(flag) != flag]
        self._rows["flags"][slots] |= np.uint32(flag)
        self._changed[slots] = True

    def clear(self, codes: ArrayLike, flag: TickFlag) -> None:
        """Take a flag away."""
        slots = self._known(codes)
        slots = slots[self._rows["flags"][slots] & np.uint32(flag) != 0]
        self._rows["flags"][slots] &= ~np.uint32(flag)
        self._changed[slots] = True

    def _known(self, codes: ArrayLike) -> Slots:
        slots = self.slots(codes)
        return slots[slots >= 0]

    # --- packets -------------------------------------------------------------------------------

    def allow_crossed(self, segments: Collection[ExchangeSegment]) -> None:
        """Books may be crossed in these segments alone: outside continuous trading orders gather unmatched."""
        self._may_cross[:] = False
        self._may_cross[list(segments)] = True

    def apply(self, packets: Packets, arrival: Arrival) -> None:
        """Apply one batch. The result is that of applying its packets one at a time, in order of arrival."""
        groups = [(kind, *self._located(*getattr(packets, kind))) for kind in KINDS]
        groups = [group for group in groups if len(group[1])]
        contested = self._contested([slots for _, _, slots, _ in groups]) if len(groups) > 1 else None
        for kind, rows, slots, _ in groups:
            if contested is None:
                self._apply_group(kind, rows, slots, arrival)
            else:
                alone = ~contested[slots]
                self._apply_group(kind, rows[alone], slots[alone], arrival)
        if contested is not None:
            self._apply_in_turn(groups, contested, arrival)

    def _located(self, rows: Rows, places: NDArray[np.int64]) -> tuple[Rows, Slots, NDArray[np.int64]]:
        """The packets whose instrument is on the board, with their slots."""
        if not len(rows):
            return rows, np.empty(0, np.int64), places
        slots = self.slots(rows["segment"].astype(np.uint64) << np.uint64(SECURITY_ID_BITS) | rows["security_id"])
        known = slots >= 0
        if known.all():
            return rows, slots, places
        self.counters[Count.UNKNOWN_INSTRUMENT] += int(len(rows) - known.sum())
        return rows[known], slots[known], places[known]

    def _contested(self, groups: Sequence[Slots]) -> Mask | None:
        """Which instruments more than one kind of packet speaks of, so that the order between kinds matters."""
        spoken = np.zeros(len(self._rows), np.uint8)
        for slots in groups:
            once = np.zeros(len(self._rows), np.bool_)
            once[slots] = True
            spoken += once
        contested = spoken > 1
        return contested if contested.any() else None

    def _apply_in_turn(self, groups: Sequence[Located], contested: Mask, arrival: Arrival) -> None:
        """Apply the packets of contested instruments in order of arrival, as runs of one kind."""
        places = np.concatenate([places[contested[slots]] for _, _, slots, places in groups])
        members = np.concatenate([np.flatnonzero(contested[slots]) for _, _, slots, _ in groups])
        kinds = np.repeat(np.arange(len(groups)), [int(contested[slots].sum()) for _, _, slots, _ in groups])
        order = np.argsort(places)
        kinds, members = kinds[order], members[order]
        starts = np.flatnonzero(np.diff(kinds, prepend=-1))
        for start, run in zip(starts, np.split(members, starts[1:]), strict=True):
            kind, rows, slots, _ = groups[kinds[start]]
            self._apply_group(kind, rows[run], slots[run], arrival)

    def _apply_group(self, kind: str, rows: Rows, slots: Slots, arrival: Arrival) -> None:
        if not len(rows):
            return
        self.counters[Count.APPLIED] += len(rows)
        if kind in TRADE_KINDS:
            self._apply_trades(rows, slots, arrival)
        elif kind == "open_interest":
            self._apply_open_interest(rows, slots, arrival)
        else:
            self._apply_previous_close(rows, slots, arrival)

    def _apply_open_interest(self, rows: Rows, slots: Slots, arrival: Arrival) -> None:
        self._rows["open_interest"][slots] = rows["open_interest"]
        self._heard_good(slots, arrival)

    def _apply_previous_close(self, rows: Rows, slots: Slots, arrival: Arrival) -> None:
        paise = snap(rows["previous_close"], np.zeros(len(rows), np.int32))
        good = paise > 0
        self._rows["previous_close"][slots[good]] = paise[good]
        self._rows["previous_open_interest"][slots[good]] = rows["previous_open_interest"][good]
        self._heard_good(slots[good], arrival)
        self._quarantine(slots[~good & self._is_last(slots)])

    def _heard_good(self, slots: Slots, arrival: Arrival) -> None:
        self._rows["received_at"][slots] = arrival.received_at
        self._rows["flags"][slots] &= ~np.uint32(PACKET_FLAGS)
        self._heard[slots] = arrival.monotonic
        self._changed[slots] = True

    def _quarantine(self, slots: Slots) -> None:
        self.counters[Count.QUARANTINED] += len(slots)
        self._rows["flags"][slots] |= np.uint32(TickFlag.QUARANTINED)
        self._changed[slots] = True

    # --- packets that carry a price -------------------------------------------------------------

    def _apply_trades(self, rows: Rows, slots: Slots, arrival: Arrival) -> None:
        if not self._is_last(slots).all():
            # Two bytes are sorted by counting, eight by comparing: several times as long.
            order = np.argsort(slots.astype(np.uint16) if len(self._rows) <= 1 << 16 else slots, kind="stable")
            self._apply_repeated(_taken(rows, order), slots[order], arrival)
        else:
            held = self._take(slots)
            verdict = self._judge(rows, slots, _standing(held), arrival)
            last = verdict.prices[0]
            lows, highs = np.where(verdict.traded, last, NO_PRICE), np.where(verdict.traded, last, 0)
            self._write(held, rows, slots, verdict, lows, highs, arrival)

    def _is_last(self, slots: Slots) -> Mask:
        """Which packets are their instrument's last of the batch: a later place overwrites the earlier."""
        places = np.arange(len(slots))
        self._last_seen[slots] = places
        last: Mask = self._last_seen[slots] == places
        return last

    def _apply_repeated(self, rows: Rows, slots: Slots, arrival: Arrival) -> None:
        """Packets sorted by slot, each judged against the one before it.

        Where all of an instrument's packets are in good order the last one says everything but the lowest and
        highest price; where one is not, they go one at a time.
        """
        starts = np.flatnonzero(np.diff(slots, prepend=-1))
        counts = np.diff(starts, append=len(slots))
        crowded = 2 * len(starts) < len(slots)  # else picking out the last ones costs more than writing all in order
        held = self._take(slots[starts] if crowded else slots)
        standing = _standing(held)
        if crowded:
            standing = Predecessors(*(np.repeat(column, counts) for column in standing))
        verdict = self._judge(rows, slots, self._before(standing, rows, slots), arrival)
        irregular = np.repeat((counts > 1) & np.logical_or.reduceat(verdict.irregular(), starts), counts)
        if irregular.any():
            self._one_at_a_time(rows[irregular], slots[irregular], arrival)
            if not irregular.all():
                self._apply_repeated(rows[~irregular], slots[~irregular], arrival)
            return
        last, ends = verdict.prices[0], starts + counts - 1
        lows = np.minimum.reduceat(np.where(verdict.traded, last, NO_PRICE), starts)
        highs = np.maximum.reduceat(np.where(verdict.traded, last, 0), starts)
        if crowded:
            self._write(held, _taken(rows, ends), slots[ends], verdict.at(ends), lows, highs, arrival)
        else:
            self._write(held, rows, slots, verdict, np.repeat(lows, counts), np.repeat(highs, counts), arrival)

    def _one_at_a_time(self, rows: Rows, slots: Slots, arrival: Arrival) -> None:
        """Every instrument's first packet, then every second one, and so on. Sorted by slot."""
        starts = np.flatnonzero(np.diff(slots, prepend=-1))
        ranks = np.arange(len(slots)) - np.repeat(starts, np.diff(starts, append=len(slots)))
        for rank in range(int(ranks.max()) + 1):
            chosen = ranks == rank
            self._apply_trades(rows[chosen], slots[chosen], arrival)

    def _before(self, standing: Predecessors, rows: Rows, slots: Slots) -> Predecessors:
        """What the board holds before each instrument's first packet; the packet before, for the later ones."""
        volume = self._volume(rows, slots, standing.volume)
        later = np.flatnonzero(slots[1:] == slots[:-1]) + 1
        standing.traded_at[later] = rows["last_traded_at"][later - 1]
        standing.volume[later] = volume[later - 1]
        standing.last_price[later] = snap(rows["last_price"][later - 1], self._tick_sizes[slots[later]])
        return standing

    def _volume(self, rows: Rows, slots: Slots, standing: NDArray[np.int64]) -> NDArray[np.int64]:
        """The day's volume in 64 bits. An index has none, whatever its packet says; a ticker does not tell."""
        if "volume" not in _fields(rows):
            return standing.copy()
        volume: NDArray[np.int64] = rows["volume"].astype(np.int64)
        if standing.max(initial=0) >= VOLUME_WRAP:
            volume += standing & ~np.int64(VOLUME_WRAP - 1)
        volume[self._is_index[slots]] = 0
        return volume

    def _judge(self, rows: Rows, slots: Slots, before: Predecessors, arrival: Arrival) -> Verdict:
        """What each packet is worth against what was known before it. Writes nothing."""
        ticks = self._tick_sizes[slots]
        prices = snap(_tick_prices(rows), ticks)
        off_tick = snap(_off_tick_prices(rows), np.zeros_like(ticks))
        traded_at = rows["last_traded_at"].astype(np.int64)
        volume, resets, wraps = _continued(self._volume(rows, slots, before.volume), traded_at, before)
        untraded = _untraded(rows, traded_at, before, arrival) & ~self._is_index[slots]
        if untraded.any():  # the day's own values are taken, the last trade stays the earlier day's
            prices[0] = np.where(untraded & (prices[0] == 0), before.last_price, prices[0])
            traded_at = np.where(untraded, before.traded_at, traded_at)
            volume, wraps = np.where(untraded, 0, volume), wraps & ~untraded
            resets = resets | (untraded & (before.volume > 0))
        last = prices[0].astype(np.int64)
        same_time, same_volume = traded_at == before.traded_at, volume == before.volume
        newer = (traded_at > before.traded_at) | (volume > before.volume)
        # Where nothing counts volume a second may hold several prices: the latest to arrive stands.
        uncounted = same_time & same_volume & ((volume == 0) | ("volume" not in _fields(rows)))
        repeated = same_time & same_volume & (last == before.last_price)
        impossible = _impossible(rows, prices, off_tick, volume, before, self._may_cross)
        impossible |= traded_at > arrival.exchange_time + CLOCK_TOLERANCE_SECONDS
        backwards = (traded_at > before.traded_at) & (volume < before.volume) & ~resets
        return Verdict(
            prices=prices,
            off_tick=off_tick,
            traded_at=traded_at,
            volume=volume,
            impossible=impossible,
            doubtful=(newer | untraded) & ~impossible & (backwards | _jumped(last, off_tick, before)),
            accepted=newer | uncounted | repeated | untraded,
            traded=newer | (uncounted & ~repeated & ~untraded),
            disordered=(traded_at < before.traded_at) | (volume < before.volume) | untraded,
            resets=resets,
            wraps=wraps,
        )

    def _write(
        self,
        held: Rows,
        rows: Rows,
        slots: Slots,
        verdict: Verdict,
        lows: NDArray[np.int32],
        highs: NDArray[np.int32],
        arrival: Arrival,
    ) -> None:
        """Write one packet for each of these slots, as far as it is believed. `held` is a copy of their rows."""
        refused = verdict.impossible | self._still_doubted(slots, verdict.doubtful)
        if refused.any():
            self._quarantine(slots[refused])
            good = ~refused
            held, rows, slots, verdict = held[good], rows[good], slots[good], verdict.of(good)
            lows, highs = lows[good], highs[good]
        _write_book(held, rows, verdict)
        if verdict.accepted.all():
            _write_trade(held, rows, verdict, lows, highs)
        else:
            self._write_accepted(held, rows, verdict, lows, highs)
        held["received_at"] = arrival.received_at
        held["flags"] &= ~np.uint32(PACKET_FLAGS)
        self._blocks[slots] = held.view(ROW_BLOCK)
        self._heard[slots] = arrival.monotonic
        self._changed[slots] = True
        self.counters[Count.VOLUME_RESET] += int(verdict.resets.sum())
        self.counters[Count.VOLUME_WRAPPED] += int(verdict.wraps.sum())

    def _write_accepted(
        self, held: Rows, rows: Rows, verdict: Verdict, lows: NDArray[np.int32], highs: NDArray[np.int32]
    ) -> None:
        """Old news changes no price: only the packets that are accepted write their trade."""
        accepted = verdict.accepted
        self.counters[Count.OUT_OF_ORDER] += int(len(accepted) - accepted.sum())
        fresh = held[accepted]
        _write_trade(fresh, rows[accepted], verdict.of(accepted), lows[accepted], highs[accepted])
        held[accepted] = fresh

    def _still_doubted(self, slots: Slots, doubtful: Mask) -> Mask:
        """Which doubtful packets to refuse; the last of several in a row is believed."""
        if not (doubtful.any() or self._doubting):
            return doubtful
        doubts = self._doubts[slots]
        believed = doubtful & (doubts + 1 >= BELIEVED_AFTER)
        refused = doubtful & ~believed
        self._doubts[slots] = np.where(refused, doubts + 1, 0)
        self._doubting = bool(self._doubts.any())
        self.counters[Count.DOUBT_BELIEVED] += int(believed.sum())
        return refused


# --- one batch, without a board ---------------------------------------------------------------------


def _fields(rows: Rows) -> tuple[str, ...]:
    return rows.dtype.names or ()


def _taken(rows: Rows, places: Slots) -> Rows:
    """`rows[places]`, each row copied as one block."""
    return rows.view(np.dtype((np.void, rows.dtype.itemsize))).take(places).view(rows.dtype)


def _standing(held: Rows) -> Predecessors:
    return Predecessors(
        traded_at=held["last_traded_at"].copy(),
        volume=held["volume"].copy(),
        last_price=held["last_price"].astype(np.int64),
        previous_close=held["previous_close"].astype(np.int64),
    )


def _tick_prices(rows: Rows) -> NDArray[np.float32]:
    """The prices that lie on a tick, as rupees: last, open, high, low, five bids, five asks."""
    if "day_open" not in _fields(rows):
        last: NDArray[np.float32] = rows["last_price"][np.newaxis]
        return last
    has_depth = "depth" in _fields(rows)
    prices = np.empty((4 + 2 * DEPTH_LEVELS if has_depth else 4, len(rows)), np.float32)
    for column, name in zip(prices, ("last_price", "day_open", "day_high", "day_low"), strict=False):
        column[:] = rows[name]
    if has_depth:
        prices[4 : 4 + DEPTH_LEVELS] = rows["depth"]["bid_price"].T
        prices[4 + DEPTH_LEVELS :] = rows["depth"]["ask_price"].T
    return prices


def _off_tick_prices(rows: Rows) -> NDArray[np.float32]:
    """Average price and previous close, as rupees: results of a division or a settlement."""
    if "average_price" not in _fields(rows):
        return np.zeros((2, len(rows)), np.float32)
    return np.stack([rows["average_price"], rows["previous_close"]])


def _continued(
    volume: NDArray[np.int64], traded_at: NDArray[np.int64], before: Predecessors
) -> tuple[NDArray[np.int64], Mask, Mask]:
    """Volume carried over a wrap of 32 bits, and where it began again because a day did. Returns it, resets, wraps."""
    known = traded_at >= before.traded_at
    # Both are rare: a volume that fell, and one that is already past 32 bits and might have to begin again.
    changed = known & ((volume < before.volume) | (before.volume >= VOLUME_WRAP))
    if not changed.any():
        return volume, changed, changed
    resets = changed & (_day(traded_at) > _day(before.traded_at))
    wraps = known & ~resets & (before.volume - volume > VOLUME_WRAP // 2)
    volume = np.where(resets, volume & (VOLUME_WRAP - 1), np.where(wraps, volume + VOLUME_WRAP, volume))
    return volume, resets, wraps


def _untraded(rows: Rows, traded_at: NDArray[np.int64], before: Predecessors, arrival: Arrival) -> Mask:
    """Packets of a day on which nothing has traded yet: no volume, while the trade that we know is an earlier day's."""
    midnight = arrival.exchange_time - (arrival.exchange_time + IST_OFFSET_SECONDS) % DAY_SECONDS
    earlier: Mask = (before.traded_at < midnight) & (before.traded_at > 0)
    if "volume" not in _fields(rows) or not earlier.any():
        return np.zeros(len(rows), np.bool_)
    untraded: Mask = earlier & (rows["volume"] == 0) & (traded_at <= before.traded_at)
    return untraded


def _day(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Days since 1970 in India."""
    return (seconds + IST_OFFSET_SECONDS) // DAY_SECONDS


def _impossible(
    rows: Rows,
    prices: NDArray[np.int32],
    off_tick: NDArray[np.int32],
    volume: NDArray[np.int64],
    before: Predecessors,
    may_cross: Mask,
) -> Mask:
    """Packets that cannot be true, whatever came before: not one of their values is taken."""
    impossible: Mask = (prices.min(axis=0) < 0) | (off_tick.min(axis=0) < 0)
    impossible |= (prices[0] == 0) & ((volume > 0) | (before.last_price > 0))
    if len(prices) > 1:
        impossible |= prices[2] < prices[3]
    if len(prices) > 4:
        bid, ask = prices[4], prices[4 + DEPTH_LEVELS]
        crossed = (bid > ask) & (ask > 0)
        if crossed.any():
            impossible |= crossed & ~may_cross[rows["segment"]]
        bare = (bid == 0) & (ask == 0)
        if bare.any():
            impossible |= bare & _wanted_without_book(rows)
    return impossible


def _wanted_without_book(rows: Rows) -> Mask:
    """Total quantities, and yet five empty levels: a depth of zeros. With no quantities it is a book without orders."""
    best = rows["depth"][:, 0]
    shown = (best["bid_quantity"] > 0) | (best["ask_quantity"] > 0)
    wanted: Mask = (rows["total_buy_quantity"] > 0) | (rows["total_sell_quantity"] > 0)
    return wanted & ~shown


def _jumped(last: NDArray[np.int64], off_tick: NDArray[np.int32], before: Predecessors) -> Mask:
    """Last prices far from the last good one or, where there is none, from the previous close."""
    close = np.where(before.previous_close > 0, before.previous_close, off_tick[1])
    reference = np.where(before.last_price > 0, before.last_price, close)
    above = last > JUMP_FACTOR * np.maximum(reference, JUMP_FLOOR)
    below = JUMP_FACTOR * np.maximum(last, JUMP_FLOOR) < reference
    return (reference > 0) & (above | below)


def _write_book(held: Rows, rows: Rows, verdict: Verdict) -> None:
    """The book carries no time: the latest to arrive stands."""
    if "total_buy_quantity" not in _fields(rows):
        return
    held["total_buy_quantity"] = rows["total_buy_quantity"]
    held["total_sell_quantity"] = rows["total_sell_quantity"]
    if "depth" not in _fields(rows):
        return
    depth, counts = held["depth"], _counts(held["depth"])
    counts[:] = _counts(rows["depth"])
    for level in range(DEPTH_LEVELS):  # level by level: numpy is slow where the innermost axis is short
        depth["bid_price"][:, level] = verdict.prices[4 + level]
        depth["ask_price"][:, level] = verdict.prices[4 + DEPTH_LEVELS + level]


def _counts(depth: Rows) -> Rows:
    """The four counts of every level as one block: both layouts hold them side by side, in this order."""
    offset = dict(depth.dtype.fields or ())["bid_quantity"][1]
    counts: Rows = depth.getfield(COUNTS_BLOCK, offset)
    return counts


def _write_trade(held: Rows, rows: Rows, verdict: Verdict, lows: NDArray[np.int32], highs: NDArray[np.int32]) -> None:
    last = verdict.prices[0]
    held["last_price"] = last
    held["last_traded_at"] = verdict.traded_at
    held["volume"] = verdict.volume
    standing = np.where(held["low"] == 0, NO_PRICE, held["low"])
    lows = np.minimum(standing, lows)
    held["low"] = np.where(lows == NO_PRICE, 0, lows)
    held["high"] = np.maximum(held["high"], highs)
    held["flags"] &= np.where(last > 0, ~np.uint32(TickFlag.NO_TRADE_YET), ~np.uint32(0))
    if "day_open" in _fields(rows):
        for name, paise in zip(("day_open", "day_high", "day_low"), verdict.prices[1:4], strict=True):
            held[name] = paise
        held["average_price"] = verdict.off_tick[0]
        # An index sends no close in its Quote: what packet 6 said stands.
        held["previous_close"] = np.where(verdict.off_tick[1] > 0, verdict.off_tick[1], held["previous_close"])
    for name in ("last_quantity", "open_interest", "open_interest_high", "open_interest_low"):
        if name in _fields(rows):
            held[name] = rows[name]
