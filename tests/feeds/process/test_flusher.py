"""What could not be sent waits merged: one row a code, no extreme and no gap lost."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from feeds import clock
from feeds.core.board import Arrival, Board
from feeds.core.instrument import InstrumentKey
from feeds.core.tick import TICK, TickFlag
from feeds.dhan.wire import decode, encode_full, wire_time
from feeds.process.flusher import Flusher, Unsent, merged, packets_among

CODE = InstrumentKey.parse("NSE_EQ.2885").code

CUT = st.dictionaries(
    st.integers(1, 6), st.tuples(st.integers(1, 99), st.integers(0, 9), st.sampled_from([0, 2])), min_size=1
)


def rows(cut: dict[int, tuple[int, int, int]]) -> np.ndarray:
    """Rows of (last price, half the spread of the extremes, flags); no spread means no trade."""
    made = np.zeros(len(cut), TICK)
    made["code"] = list(cut)
    for row, (price, spread, flags) in zip(made, cut.values(), strict=True):
        row["last_price"], row["flags"] = price, flags
        row["low"], row["high"] = (price, price + spread) if spread else (0, 0)
    return made


@given(st.lists(CUT, min_size=1, max_size=6))
def test_merging_cuts_equals_one_long_cut(cuts):
    waiting = rows(cuts[0])
    for cut in cuts[1:]:
        waiting = merged(waiting, rows(cut))
    assert sorted(waiting["code"].tolist()) == sorted({code for cut in cuts for code in cut})
    for row in waiting:
        mine = [cut[int(row["code"])] for cut in cuts if int(row["code"]) in cut]
        trades = [(price, price + spread) for price, spread, _ in mine if spread]
        assert row["last_price"] == mine[-1][0]
        assert row["low"] == min((low for low, _ in trades), default=0)
        assert row["high"] == max((high for _, high in trades), default=0)
        assert bool(row["flags"] & TickFlag.GAP) == any(flags for _, _, flags in mine)


def test_the_oldest_packet_is_the_first_one_that_waits():
    unsent = Unsent()
    cut = rows({1: (10, 1, 0), 2: (20, 1, 0)})
    cut["received_at"] = [900, 700]
    unsent.add(cut, cut)
    later = rows({1: (11, 1, 0)})
    later["received_at"] = 950
    unsent.add(later, later)
    assert unsent.oldest_received_at == 700
    both = unsent.followed_by(Unsent())
    assert (len(both.rows), both.oldest_received_at) == (2, 700)
    assert (len(Unsent().followed_by(both).rows), Unsent().followed_by(both).oldest_received_at) == (2, 700)


def test_rows_that_were_only_marked_or_seeded_are_not_packets():
    cut = rows({1: (10, 0, 0), 2: (20, 0, TickFlag.SEEDED), 3: (30, 0, TickFlag.GAP)})
    assert packets_among(cut, np.array([0.3, np.inf, 0.05]), seconds=0.1)["code"].tolist() == [3]


async def test_a_packet_read_before_a_cut_and_applied_after_it_is_told_with_the_next():
    told: list[int] = []
    board = Board(10)
    board.add([CODE], [5])
    flusher = Flusher(board, None, 1.0, lambda packets: told.extend(packets["code"].tolist()), lambda: None)
    read_at = clock.wall_nanoseconds()
    flusher.collect()
    packets = decode(encode_full([CODE], last_price=100.0, last_traded_at=wire_time(1), volume=5))
    board.apply(packets, Arrival(read_at, clock.monotonic(), clock.exchange_now().timestamp()))
    flusher.collect()
    assert told == [CODE]
    board.mark([CODE], TickFlag.STALE)
    flusher.collect()
    assert told == [CODE]
