"""The board: literal packets in, rows out; and, for any packets in any batches, the same as one at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.core.board import Arrival, Board, BoardFull, Count
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.core.tick import TICK, TickFlag
from feeds.dhan import wire
from feeds.dhan.wire import ResponseCode, wire_time

NIFTY = InstrumentKey(ExchangeSegment.IDX_I, 13).code
RELIANCE = InstrumentKey(ExchangeSegment.NSE_EQ, 2885).code
OPTION = InstrumentKey(ExchangeSegment.NSE_FNO, 49081).code
STRANGER = InstrumentKey(ExchangeSegment.NSE_FNO, 1).code

T = 1_770_093_000
"""2026-02-03 10:00 IST."""

ARRIVAL = Arrival(received_at=T * 10**9, monotonic=100.0, exchange_time=float(T + 60))


def board_with(*codes: int, tick_size: int = 5) -> Board:
    board = Board(16)
    board.add(codes, [tick_size] * len(codes))
    return board


def full(code: int = OPTION, price: float = 100.0, at: int = T, volume: int = 10, **fields: Any) -> bytes:
    values: dict[str, Any] = {"day_high": price, "day_low": price, "previous_close": 99.0, "average_price": price}
    return wire.encode_full([code], last_price=price, last_traded_at=wire_time(at), volume=volume, **(values | fields))


def with_book(bid: float, ask: float, **fields: Any) -> bytes:
    rows = np.frombuffer(bytearray(full(**fields)), wire.FULL)
    rows["depth"]["bid_price"][0, 0], rows["depth"]["ask_price"][0, 0] = bid, ask
    rows["depth"]["bid_quantity"][0, 0] = rows["depth"]["ask_quantity"][0, 0] = 75
    return rows.tobytes()


def quote(code: int = NIFTY, price: float = 25_000.0, at: int = T, **fields: Any) -> bytes:
    return wire.encode_quote([code], last_price=price, last_traded_at=wire_time(at), **fields)


def apply(board: Board, *frames: bytes, arrival: Arrival = ARRIVAL) -> None:
    board.apply(wire.decode(list(frames)), arrival)


def row(board: Board, code: int = OPTION) -> np.void:
    return board.rows([code])[0]


# --- what a packet becomes ------------------------------------------------------------------------


def test_a_full_packet_becomes_whole_paise_on_the_tick() -> None:
    board = board_with(OPTION)
    rows = np.frombuffer(bytearray(full(price=152.3, last_quantity=75, open_interest=3060785)), wire.FULL)
    rows["depth"]["bid_price"] = [[3.1, 3.05, 3.0, 2.95, 2.9]]
    rows["depth"]["ask_price"] = [[3.45, 3.5, 3.55, 3.6, 3.65]]
    rows["depth"]["bid_quantity"] = [[65, 130, 195, 260, 325]]
    apply(board, rows.tobytes())
    seen = row(board)
    assert (seen["last_price"], seen["previous_close"], seen["volume"], seen["last_traded_at"]) == (15230, 9900, 10, T)
    assert (seen["last_quantity"], seen["open_interest"], seen["received_at"]) == (75, 3060785, T * 10**9)
    assert seen["depth"]["bid_price"].tolist() == [310, 305, 300, 295, 290]
    assert seen["depth"]["ask_price"].tolist() == [345, 350, 355, 360, 365]
    assert seen["depth"]["bid_quantity"].tolist() == [65, 130, 195, 260, 325]
    assert seen["flags"] == 0


def test_a_price_above_the_reach_of_float32_still_lands_on_its_tick() -> None:
    board = board_with(OPTION)
    apply(board, full(price=131072.05, previous_close=131_000))
    assert row(board)["last_price"] == 13107205


def test_an_average_price_need_not_lie_on_a_tick() -> None:
    board = board_with(OPTION)
    apply(board, full(price=100.0, average_price=100.03))
    assert row(board)["average_price"] == 10003


def test_an_index_takes_its_previous_close_from_packet_6_and_keeps_it_when_its_quote_says_zero() -> None:
    board = board_with(NIFTY)
    apply(board, wire.encode_previous_close([NIFTY], previous_close=24_900.1), quote(previous_close=0.0))
    assert row(board, NIFTY)["previous_close"] == 2_490_010


def test_an_index_moves_within_one_second_although_nothing_counts_its_volume() -> None:
    board = board_with(NIFTY)
    apply(board, quote(price=25_000.0, volume=7), quote(price=25_001.0, volume=7), quote(price=24_999.0, volume=7))
    seen = row(board, NIFTY)
    assert (seen["last_price"], seen["low"], seen["high"], seen["volume"]) == (2_499_900, 2_499_900, 2_500_100, 0)


def test_open_interest_and_ticker_packets_change_only_their_fields() -> None:
    board = board_with(OPTION)
    apply(board, full(open_interest=5, last_quantity=75))
    apply(board, wire.encode_open_interest([OPTION], open_interest=900))
    apply(board, wire.encode_ticker([OPTION], last_price=101.0, last_traded_at=wire_time(T + 1)))
    seen = row(board)
    assert (seen["open_interest"], seen["last_price"], seen["last_quantity"], seen["volume"]) == (900, 10100, 75, 10)


def test_an_instrument_that_was_not_added_is_counted_and_left_out() -> None:
    board = board_with(OPTION)
    apply(board, full(STRANGER), full(OPTION))
    assert board.counters[Count.UNKNOWN_INSTRUMENT] == 1
    assert board.cut()["code"].tolist() == [OPTION]


# --- cutting ----------------------------------------------------------------------------------------


def test_a_cut_holds_what_changed_and_the_next_one_nothing() -> None:
    board = board_with(OPTION, RELIANCE)
    apply(board, full(OPTION))
    assert board.cut()["code"].tolist() == [OPTION]
    assert len(board.cut()) == 0


def test_no_wick_is_lost_between_two_cuts_and_each_starts_afresh() -> None:
    board = board_with(OPTION)
    apply(board, full(price=100, volume=10), full(price=90, volume=11), full(price=112, volume=12))
    apply(board, full(price=101, volume=13))
    (first,) = board.cut()
    assert (first["low"], first["high"], first["last_price"]) == (9000, 11200, 10100)
    apply(board, full(price=102, volume=14))
    (second,) = board.cut()
    assert (second["low"], second["high"], second["last_price"]) == (10200, 10200, 10200)


def test_a_change_of_the_book_alone_is_cut_without_a_trade() -> None:
    board = board_with(OPTION)
    apply(board, full(total_buy_quantity=0))
    board.cut()
    apply(board, full(last_quantity=1))
    (seen,) = board.cut()
    assert (seen["low"], seen["high"], seen["last_price"]) == (0, 0, 10000)


def test_flags_are_set_cut_and_cleared_and_a_gap_is_told_once() -> None:
    board = board_with(OPTION, RELIANCE)
    board.mark([OPTION, STRANGER], TickFlag.GAP | TickFlag.STALE)
    assert [(seen["code"], seen["flags"]) for seen in board.cut()] == [(OPTION, TickFlag.GAP | TickFlag.STALE)]
    board.mark([OPTION], TickFlag.STALE)
    assert len(board.cut()) == 0
    board.clear([OPTION, RELIANCE], TickFlag.STALE)
    assert [(seen["code"], seen["flags"]) for seen in board.cut()] == [(OPTION, 0)]


def test_a_good_packet_ends_staleness_and_a_price_ends_no_trade_yet() -> None:
    board = board_with(OPTION)
    board.mark([OPTION], TickFlag.STALE | TickFlag.SEEDED | TickFlag.NO_TRADE_YET | TickFlag.GAP)
    apply(board, full(price=0.0, at=0, volume=0))
    assert row(board)["flags"] == TickFlag.NO_TRADE_YET | TickFlag.GAP
    apply(board, full())
    assert row(board)["flags"] == TickFlag.GAP


# --- order --------------------------------------------------------------------------------------------


def test_an_older_packet_changes_the_book_and_no_price() -> None:
    board = board_with(OPTION)
    apply(board, with_book(99, 101, price=100, at=T, volume=10))
    apply(board, with_book(98, 102, price=90, at=T - 1, volume=9))
    seen = row(board)
    assert (seen["last_price"], seen["low"], seen["volume"]) == (10000, 10000, 10)
    assert (seen["depth"]["bid_price"][0], seen["depth"]["ask_price"][0]) == (9800, 10200)
    assert board.counters[Count.OUT_OF_ORDER] == 1


def test_a_second_price_for_the_same_second_and_volume_is_no_trade() -> None:
    board = board_with(OPTION)
    apply(board, full(price=100), full(price=107))
    assert row(board)["last_price"] == 10000


def test_volume_beyond_32_bits_goes_on_and_a_new_day_begins_again() -> None:
    board = board_with(OPTION)
    apply(board, full(volume=2**32 - 5), full(volume=3, at=T + 1))
    assert row(board)["volume"] == 2**32 + 3
    tomorrow = T + 86_400
    apply(board, full(volume=7, at=tomorrow), arrival=ARRIVAL._replace(exchange_time=float(tomorrow)))
    assert row(board)["volume"] == 7
    assert (board.counters[Count.VOLUME_WRAPPED], board.counters[Count.VOLUME_RESET]) == (1, 1)


TOMORROW = T + 86_400
NEXT_DAY = Arrival(received_at=TOMORROW * 10**9, monotonic=86_500.0, exchange_time=float(TOMORROW))


@pytest.mark.parametrize(
    "packet",
    [
        full(price=0.0, at=0, volume=0, average_price=0.0, previous_close=101.0, total_buy_quantity=0),
        full(price=101.0, at=T, volume=0, average_price=0.0, previous_close=101.0, day_high=0.0, day_low=0.0),
    ],
    ids=["all zeros", "yesterday's trade"],
)
def test_a_new_day_without_a_trade_yet_has_its_own_close_and_no_volume(packet: bytes) -> None:
    board = board_with(OPTION)
    apply(board, full(price=100.0, volume=500), full(price=101.0, volume=900))
    board.cut()
    apply(board, packet, packet, arrival=NEXT_DAY)
    (seen,) = board.cut()
    assert (seen["volume"], seen["previous_close"], seen["day_high"], seen["flags"]) == (0, 10_100, 0, 0)
    assert (seen["last_price"], seen["last_traded_at"], seen["low"], seen["high"]) == (10_100, T, 0, 0)
    apply(board, full(price=103.0, at=TOMORROW, volume=75), arrival=NEXT_DAY)
    assert (row(board)["last_price"], row(board)["volume"], row(board)["low"]) == (10_300, 75, 10_300)


MORNING_PACKETS = [
    full(price=100.0, at=T, volume=500),
    full(price=100.0, at=T, volume=0),
    full(price=0.0, at=0, volume=0, average_price=0.0),
    full(price=99.0, at=0, volume=0),
    full(price=102.0, at=TOMORROW, volume=75),
    full(price=103.0, at=TOMORROW + 1, volume=600),
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(MORNING_PACKETS), max_size=12))
def test_a_morning_in_one_batch_ends_as_one_at_a_time(morning: list[bytes]) -> None:
    together, singly = board_with(OPTION), board_with(OPTION)
    apply(together, *morning, arrival=NEXT_DAY)
    for packet in morning:
        apply(singly, packet, arrival=NEXT_DAY)
    assert row(together).tobytes() == row(singly).tobytes()


def test_no_volume_on_the_same_day_is_old_news() -> None:
    board = board_with(OPTION)
    apply(board, full(volume=500), full(volume=0, previous_close=1.0))
    assert (row(board)["volume"], row(board)["previous_close"]) == (500, 9_900)


# --- quarantine ---------------------------------------------------------------------------------------

IMPOSSIBLE = {
    "not a number": full(price=math.nan, volume=11),
    "infinite": full(price=math.inf, volume=11),
    "negative": full(price=-1.0, volume=11),
    "zero after a price": full(price=0.0, volume=11),
    "beyond 32 bits": full(price=1e30, volume=11),
    "fifty times the last": full(price=5000.0, volume=11),
    "high below low": full(volume=11, day_high=99.0, day_low=100.0),
    "a day's low that is no number": full(volume=11, day_low=math.nan),
    "a crossed book": with_book(101.0, 100.0, volume=11),
    "a bid that is no number": with_book(math.nan, 100.0, volume=11),
    "a depth of zeros": full(volume=11, total_buy_quantity=5),
    "volume going back": full(at=T + 1, volume=4),
    "a trade of next year": full(at=T + 31_536_000, volume=11),
}


@pytest.mark.parametrize("packet", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_an_impossible_packet_is_set_aside_whole_and_the_next_good_one_clears_it(packet: bytes) -> None:
    board = board_with(OPTION)
    apply(board, with_book(99, 101))
    good = row(board)
    board.cut()
    apply(board, packet)
    (seen,) = board.cut()
    assert seen["flags"] == TickFlag.QUARANTINED
    for name in set(TICK.names or ()) - {"flags", "low", "high"}:
        assert seen[name].tobytes() == good[name].tobytes(), name
    apply(board, with_book(99, 101, volume=12))
    assert (row(board)["flags"], row(board)["volume"]) == (0, 12)


def test_outside_continuous_trading_a_book_may_be_crossed_and_its_packet_is_believed() -> None:
    board = board_with(OPTION, RELIANCE)
    board.allow_crossed({ExchangeSegment.NSE_EQ})
    for code in (OPTION, RELIANCE):
        apply(board, with_book(99, 101, code=code), with_book(102, 98, code=code, price=101.0, volume=11))
    assert (row(board, RELIANCE)["last_price"], row(board, RELIANCE)["flags"]) == (10_100, 0)
    assert row(board, RELIANCE)["depth"][0].tolist()[:2] == (10_200, 9_800)
    assert (row(board, OPTION)["last_price"], row(board, OPTION)["flags"]) == (10_000, TickFlag.QUARANTINED)
    board.allow_crossed(set())
    apply(board, with_book(102, 98, code=RELIANCE, price=102.0, volume=12))
    assert (row(board, RELIANCE)["last_price"], row(board, RELIANCE)["flags"]) == (10_100, TickFlag.QUARANTINED)


def test_a_sudden_fall_to_a_thirtieth_is_doubted() -> None:
    board = board_with(OPTION)
    apply(board, full(price=3_000.0, previous_close=2_900.0), full(price=100.0, volume=11))
    assert (row(board)["last_price"], row(board)["flags"]) == (300_000, TickFlag.QUARANTINED)


def test_a_first_price_far_from_the_previous_close_is_doubted_too() -> None:
    board = board_with(OPTION)
    apply(board, full(price=9_900.0))
    assert (row(board)["last_price"], row(board)["flags"]) == (0, TickFlag.QUARANTINED)


def test_the_third_doubtful_packet_in_a_row_is_believed() -> None:
    board = board_with(OPTION)
    apply(board, full())
    for volume in (11, 12):
        apply(board, full(price=5000.0, volume=volume))
        assert row(board)["last_price"] == 10000
    apply(board, full(price=5000.0, volume=13))
    assert (row(board)["last_price"], row(board)["flags"]) == (500_000, 0)


def test_an_option_of_five_paise_may_trade_at_many_times_that() -> None:
    board = board_with(OPTION)
    apply(board, full(price=0.05, previous_close=0.05), full(price=40.0, volume=11))
    assert row(board)["last_price"] == 4000


def test_an_empty_book_without_quantities_is_simply_empty() -> None:
    board = board_with(OPTION)
    apply(board, with_book(99, 101), full(volume=11))
    assert row(board)["flags"] == 0
    assert row(board)["depth"]["bid_price"].tolist() == [0, 0, 0, 0, 0]


@settings(deadline=None)
@given(st.binary(min_size=154, max_size=154))
def test_no_packet_whatever_puts_an_impossible_price_on_the_board(body: bytes) -> None:
    board = board_with(OPTION)
    apply(board, full())
    apply(board, full()[:8] + body, full()[:8] + body, full()[:8] + body)
    seen = row(board)
    assert seen["last_price"] > 0
    assert min(seen[name] for name in ("average_price", "day_open", "day_high", "day_low", "previous_close")) >= 0
    assert seen["depth"]["bid_price"].min() >= 0
    assert seen["day_high"] >= seen["day_low"]
    assert seen["last_traded_at"] <= ARRIVAL.exchange_time + 3600


# --- instruments, seeds and the hub's side ---------------------------------------------------------------


def test_rows_are_found_by_code_and_a_freed_one_is_clean_for_the_next() -> None:
    board = Board(2)
    board.add([OPTION, RELIANCE], [5, 10])
    apply(board, full(OPTION))
    with pytest.raises(BoardFull):
        board.add([NIFTY], [5])
    board.remove([OPTION, STRANGER])
    board.add([NIFTY], [5])
    assert len(board) == 2
    assert row(board, NIFTY)["last_price"] == 0
    assert row(board, OPTION).tobytes() == np.array((OPTION, *np.zeros(1, TICK)[0].item()[1:]), TICK).tobytes()
    with pytest.raises(KeyError):
        board.slot(OPTION)
    assert board.slots([NIFTY, OPTION]).tolist() == [board.slot(NIFTY), -1]
    assert len(board.cut()) == 0


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(list(ExchangeSegment)), st.integers(0, 2**32 - 1)), unique=True, max_size=8))
def test_any_ids_are_found_and_those_taken_away_are_not(keys: list[tuple[ExchangeSegment, int]]) -> None:
    codes = [InstrumentKey(segment, security_id).code for segment, security_id in keys]
    board = Board(16)
    for code in codes:
        board.add([code], [5])
    board.remove(codes[::2])
    assert board.slots(codes).tolist() == [-1 if code in codes[::2] else board.slot(code) for code in codes]
    assert board.slots([code ^ 1 for code in codes if code ^ 1 not in codes]).max(initial=-1) == -1


def test_ages_are_by_the_monotonic_clock_and_endless_before_the_first_packet() -> None:
    board = board_with(OPTION, RELIANCE)
    apply(board, full(OPTION))
    assert board.ages([OPTION, RELIANCE, STRANGER], 102.5).tolist() == [2.5, math.inf, math.inf]


def test_a_seed_fills_only_what_no_packet_has_told() -> None:
    board = board_with(OPTION, RELIANCE)
    apply(board, full(OPTION))
    seeds = np.zeros(3, TICK)
    seeds["code"], seeds["last_price"] = [OPTION, RELIANCE, STRANGER], 777
    assert board.seed(seeds) == 1
    assert row(board, OPTION)["last_price"] == 10000
    assert (row(board, RELIANCE)["last_price"], row(board, RELIANCE)["flags"]) == (777, TickFlag.SEEDED)


def test_a_hub_merges_a_cut_and_then_holds_the_same_rows() -> None:
    feed, hub = board_with(OPTION, RELIANCE), Board(16)
    apply(feed, full(OPTION), full(RELIANCE, price=1382.9))
    rows = feed.cut()
    slots = hub.merge(rows)
    assert slots.tolist() == [hub.slot(OPTION), hub.slot(RELIANCE)]
    assert hub.rows([OPTION, RELIANCE]).tobytes() == rows.tobytes()


def test_merging_the_cuts_gives_the_last_state_of_the_feed() -> None:
    feed, hub = board_with(OPTION, RELIANCE, NIFTY), Board(16)
    for volume in range(11, 40):
        apply(feed, full([OPTION, RELIANCE][volume % 2], price=volume, volume=volume), quote(at=T + volume - 60))
        hub.merge(feed.cut())
    names = [name for name in TICK.names or () if name not in {"low", "high"}]
    for code in (OPTION, RELIANCE, NIFTY):
        assert all(row(feed, code)[name].tobytes() == row(hub, code)[name].tobytes() for name in names)


# --- the same as one packet at a time ----------------------------------------------------------------------


@dataclass
class NaiveBoard:
    """The rules in plain Python, one packet and one field at a time: the judge of the fast one."""

    tick: int
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)

    def add(self, code: int) -> None:
        names = [name for name in TICK.names or () if name != "depth"]
        self.rows[code] = dict.fromkeys(names, 0) | {"code": code, "doubts": 0, "book": [(0, 0, 0, 0, 0, 0)] * 5}

    def paise(self, rupees: float, tick: int) -> int:
        if not math.isfinite(rupees):
            return -1
        paise = round(rupees * 100 / tick) * tick
        return paise if 0 <= paise <= 2**31 - 1 else -1

    def apply(self, kind: str, packet: np.void) -> None:
        code = int(packet["segment"]) << 32 | int(packet["security_id"])
        state = self.rows[code]
        if kind == "open_interest":
            state["open_interest"] = int(packet["open_interest"])
        elif kind == "previous_close":
            close = self.paise(float(packet["previous_close"]), 1)
            if close <= 0:
                state["flags"] |= TickFlag.QUARANTINED
                return
            state["previous_close"], state["previous_open_interest"] = close, int(packet["previous_open_interest"])
        elif not self.apply_trade(kind, packet, state):
            state["flags"] |= TickFlag.QUARANTINED
            return
        state["received_at"] = ARRIVAL.received_at
        state["flags"] &= ~(TickFlag.QUARANTINED | TickFlag.STALE | TickFlag.SEEDED)

    def apply_trade(self, kind: str, packet: np.void, state: dict[str, Any]) -> bool:
        last = self.paise(float(packet["last_price"]), self.tick)
        at = int(packet["last_traded_at"])
        volume = state["volume"]
        if kind != "ticker":
            volume = 0 if state["code"] >> 32 == 0 else int(packet["volume"])
        prices = [last]
        if kind != "ticker":
            day = {name: self.paise(float(packet[name]), self.tick) for name in ("day_open", "day_high", "day_low")}
            average = self.paise(float(packet["average_price"]), 1)
            close = self.paise(float(packet["previous_close"]), 1)
            prices += [*day.values(), average, close]
        book = []
        if kind == "full":
            for level in packet["depth"]:
                bid = self.paise(float(level["bid_price"]), self.tick)
                ask = self.paise(float(level["ask_price"]), self.tick)
                prices += [bid, ask]
                rest = [int(level[name]) for name in ("bid_quantity", "ask_quantity", "bid_orders", "ask_orders")]
                book.append((bid, ask, *rest))
        if min(prices) < 0 or at > ARRIVAL.exchange_time + 3600:
            return self.refuse(state)
        if last == 0 and (volume > 0 or state["last_price"] > 0):
            return self.refuse(state)
        if kind != "ticker" and day["day_high"] < day["day_low"]:
            return self.refuse(state)
        if book:
            bid, ask, bids, asks, *_ = book[0]
            if bid > ask > 0:
                return self.refuse(state)
            totals = int(packet["total_buy_quantity"]) + int(packet["total_sell_quantity"])
            if bid == ask == bids == asks == 0 and totals > 0:
                return self.refuse(state)
        newer = at > state["last_traded_at"] or volume > state["volume"]
        same = at == state["last_traded_at"] and volume == state["volume"]
        uncounted = same and (volume == 0 or kind == "ticker")
        reference = state["last_price"] or state["previous_close"] or (close if kind != "ticker" else 0)
        far = reference > 0 and (last > 20 * max(reference, 500) or 20 * max(last, 500) < reference)
        back = at > state["last_traded_at"] and volume < state["volume"]
        if newer and (far or back):
            state["doubts"] += 1
            if state["doubts"] < 3:
                return False
        state["doubts"] = 0
        if kind != "ticker":
            state["total_buy_quantity"] = int(packet["total_buy_quantity"])
            state["total_sell_quantity"] = int(packet["total_sell_quantity"])
        if book:
            state["book"] = book
        if not (newer or uncounted or (same and last == state["last_price"])):
            return True
        if newer or (uncounted and last != state["last_price"]):
            state["low"] = min(state["low"] or last, last)
            state["high"] = max(state["high"], last)
        state["last_price"], state["last_traded_at"], state["volume"] = last, at, volume
        if last > 0:
            state["flags"] &= ~TickFlag.NO_TRADE_YET
        if kind != "ticker":
            state.update(day, average_price=average, last_quantity=int(packet["last_quantity"]))
            state["previous_close"] = close or state["previous_close"]
        if kind == "full":
            for name in ("open_interest", "open_interest_high", "open_interest_low"):
                state[name] = int(packet[name])
        return True

    def refuse(self, state: dict[str, Any]) -> bool:
        state["doubts"] = 0
        return False


KINDS = {
    "full": ResponseCode.FULL,
    "quote": ResponseCode.QUOTE,
    "ticker": ResponseCode.TICKER,
    "open_interest": ResponseCode.OPEN_INTEREST,
    "previous_close": ResponseCode.PREVIOUS_CLOSE,
}
PRICES = st.one_of(
    st.sampled_from([100.0, 100.05, 99.95, 101.0]),
    st.sampled_from([100.0, 5_000.0, 2.0, 0.0, -5.0, math.nan, math.inf, 1e30]),
)


@st.composite
def packets(draw: st.DrawFn) -> tuple[str, bytes]:
    """Mostly sound packets of a few instruments within a few seconds, some impossible."""
    kind = draw(st.sampled_from(list(KINDS)))
    rows = wire.blank_packets(KINDS[kind], [draw(st.sampled_from([NIFTY, OPTION, RELIANCE]))])
    names = set(rows.dtype.names or ())
    if "last_price" in names:
        rows["last_price"] = draw(PRICES)
        rows["last_traded_at"] = wire_time(T + draw(st.integers(0, 3)))
    if "volume" in names:
        rows["volume"] = draw(st.integers(0, 4))
        rows["average_price"] = draw(st.sampled_from([100.0, 100.03]))
        rows["day_high"] = draw(st.sampled_from([100.0, 110.0]))
        rows["day_low"] = draw(st.sampled_from([90.0, 100.0, 105.0]))
        rows["total_buy_quantity"] = draw(st.integers(0, 1))
        rows["last_quantity"] = draw(st.integers(0, 9))
    for name in names & {"open_interest", "previous_open_interest"}:
        rows[name] = draw(st.integers(0, 9))
    if "previous_close" in names:
        rows["previous_close"] = draw(st.sampled_from([0.0, 99.0, 100.02]))
    if "depth" in names:
        rows["depth"]["bid_price"] = draw(st.sampled_from([0.0, 99.9, 100.1]))
        rows["depth"]["ask_price"] = draw(st.sampled_from([0.0, 100.0, 100.2]))
        rows["depth"]["bid_quantity"] = draw(st.integers(0, 3))
    return kind, rows.tobytes()


@settings(max_examples=300, deadline=None)
@given(st.lists(packets(), max_size=40), st.data())
def test_any_packets_in_any_batches_and_stacks_give_the_state_of_one_at_a_time(
    sequence: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    board, naive = board_with(NIFTY, OPTION, RELIANCE), NaiveBoard(tick=5)
    for code in (NIFTY, OPTION, RELIANCE):
        naive.add(code)
    while sequence:
        size = data.draw(st.integers(1, len(sequence)))
        batch, sequence = sequence[:size], sequence[size:]
        for kind, packet in batch:
            naive.apply(kind, getattr(wire.decode(packet), kind).rows[0])
        if data.draw(st.booleans()):
            apply(board, b"".join(packet for _, packet in batch))
        else:
            apply(board, *(packet for _, packet in batch))
        for code, state in naive.rows.items():
            seen = row(board, code)
            book = [tuple(int(level[name]) for name in BOOK_ORDER) for level in seen["depth"]]
            assert book == state["book"]
            assert {name: int(seen[name]) for name in state if name not in {"doubts", "book"}} == {
                name: value for name, value in state.items() if name not in {"doubts", "book"}
            }


BOOK_ORDER = ("bid_price", "ask_price", "bid_quantity", "ask_quantity", "bid_orders", "ask_orders")


@settings(deadline=None)
@given(st.permutations(range(12)), st.lists(st.integers(0, 11), max_size=10))
def test_shuffled_and_repeated_trades_end_in_the_same_last_price(order: list[int], repeats: list[int]) -> None:
    trades = [full(price=100 + number / 2, at=T + number // 3, volume=10 + number) for number in range(12)]
    in_order, shuffled = board_with(OPTION), board_with(OPTION)
    apply(in_order, *trades)
    apply(shuffled, *(trades[number] for number in [*order, *repeats]))
    for name in ("last_price", "last_traded_at", "volume", "last_quantity", "average_price"):
        assert row(shuffled)[name] == row(in_order)[name]
