"""Prices that hang together: the same again from the same seed, on the tick, and free of arbitrage."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pytest

from feeds.clock import IST
from feeds.core import greeks
from feeds.core.board import Arrival, Board
from feeds.core.instrument import InstrumentKey
from feeds.core.tick import TickFlag
from feeds.dhan import wire
from feeds.simulator.market import RATE, Kind, Market
from feeds.simulator.server import listed_on

DAY = date(2026, 2, 3)
OPEN = datetime(2026, 2, 3, 9, 15, tzinfo=IST).timestamp()
MORNING = datetime(2026, 2, 3, 10, tzinfo=IST).timestamp()
NIFTY = InstrumentKey.parse("IDX_I.13").code
YEAR_SECONDS = 365 * 86_400


def market(seed: int = 7, silent_share: float = 0.0) -> Market:
    _, instruments, underlyings = listed_on(DAY, "spec")
    return Market(instruments, underlyings, seed, silent_share)


def all_rows(market: Market) -> np.ndarray:
    return np.arange(len(market.codes))


def packets_at(market: Market, rows: np.ndarray, at: float) -> np.ndarray:
    return market.packets(rows, np.full(len(rows), at))


def nifty_options(market: Market) -> np.ndarray:
    """Rows of NIFTY's options of the nearest expiry."""
    instruments = market.instruments
    underlying = instruments["underlying"][market.rows(np.array([NIFTY], np.uint64))[0]]
    options = (instruments["kind"] == Kind.OPTION) & (instruments["underlying"] == underlying)
    return np.flatnonzero(options & (instruments["expiry"] == instruments["expiry"][options].min()))


def test_the_same_seed_and_time_give_the_same_packets():
    one, other = market(), market()
    rows = all_rows(one)[::50]

    assert packets_at(one, rows, MORNING).tobytes() == packets_at(other, rows, MORNING).tobytes()


def test_another_seed_gives_another_market():
    rows = np.arange(100)

    assert (
        packets_at(market(1), rows, MORNING)["last_price"] != packets_at(market(2), rows, MORNING)["last_price"]
    ).any()


def test_an_older_packet_can_be_asked_for_after_a_newer_one():
    asked = market()
    rows = np.arange(200)
    before = packets_at(asked, rows, MORNING)
    packets_at(asked, rows, MORNING + 60)

    again = packets_at(asked, rows, MORNING)

    assert (again["last_price"] == before["last_price"]).all()
    assert (again["volume"] == before["volume"]).all()


def test_every_price_of_every_instrument_is_a_multiple_of_its_tick():
    asked = market()
    packets = packets_at(asked, all_rows(asked), MORNING)
    ticks = asked.instruments["tick"][:, None].astype(np.float64)
    prices = np.column_stack(
        [
            *(packets[name] for name in ("last_price", "day_open", "day_high", "day_low")),
            packets["depth"]["bid_price"],
            packets["depth"]["ask_price"],
        ]
    )

    paise = np.rint(prices.astype(np.float64) * 100)
    assert (paise % ticks == 0).all()


def test_the_book_is_ordered_and_holds_the_last_price():
    asked = market()
    rows = np.flatnonzero(asked.instruments["kind"] != Kind.INDEX)
    packets = packets_at(asked, rows, MORNING)
    bids, asks = packets["depth"]["bid_price"], packets["depth"]["ask_price"]

    assert (np.diff(asks, axis=1) > 0).all()
    assert ((np.diff(bids, axis=1) < 0) | (bids[:, 1:] == 0)).all()
    assert (bids[:, 0] < asks[:, 0]).all()
    assert ((packets["last_price"] == bids[:, 0]) | (packets["last_price"] == asks[:, 0])).all()
    assert ((packets["depth"]["bid_quantity"] > 0) == (bids > 0)).all()


def test_the_day_contains_the_last_price_the_open_and_the_average():
    asked = market()
    packets = [packets_at(asked, all_rows(asked), MORNING + seconds) for seconds in (0, 1, 30)][-1]
    traded = asked.instruments["kind"] != Kind.INDEX

    for name in ("last_price", "day_open"):
        assert (packets["day_low"] <= packets[name]).all()
        assert (packets[name] <= packets["day_high"]).all()
    assert (packets["average_price"][traded] <= packets["day_high"][traded] + 0.01).all()
    assert (packets["average_price"][traded] >= packets["day_low"][traded] - 0.01).all()


def test_no_price_moves_without_a_trade():
    asked = market()
    rows = np.flatnonzero(asked.instruments["kind"] == Kind.OPTION)[:2000]
    before, after = packets_at(asked, rows, MORNING), packets_at(asked, rows, MORNING + 0.2)
    untraded = before["volume"] == after["volume"]

    assert untraded.any()
    assert not untraded.all()
    assert (before["last_price"][untraded] == after["last_price"][untraded]).all()
    assert (before["last_traded_at"][untraded] == after["last_traded_at"][untraded]).all()
    assert (after["volume"] >= before["volume"]).all()


def test_volume_comes_in_lots_and_fits_32_bits_to_the_end_of_the_day():
    asked = market()
    rows = np.flatnonzero(asked.instruments["kind"] != Kind.INDEX)
    packets = packets_at(asked, rows, datetime(2026, 2, 3, 23, 55, tzinfo=IST).timestamp())

    assert (packets["volume"] % asked.instruments["lot"][rows] == 0).all()
    assert (packets["volume"] > 0).all()


def test_call_and_put_of_a_strike_agree_on_the_future():
    asked = market()
    rows = nifty_options(asked)
    columns = asked.instruments[rows]
    prices = packets_at(asked, rows, MORNING)["last_price"].astype(np.float64)
    years = (columns["expiry"] - MORNING) / YEAR_SECONDS
    calls, puts = columns["is_call"], ~columns["is_call"]
    order_of_calls, order_of_puts = np.argsort(columns["strike"][calls]), np.argsort(columns["strike"][puts])

    forwards = columns["strike"][calls][order_of_calls] + np.exp(RATE * years[0]) * (
        prices[calls][order_of_calls] - prices[puts][order_of_puts]
    )

    assert len(forwards) == 61
    # Each of the two trades lies up to a spread away, and at its own moment.
    assert forwards == pytest.approx(np.median(forwards), abs=25)


def test_options_have_a_smile():
    asked = market()
    rows = nifty_options(asked)
    columns = asked.instruments[rows]
    prices = packets_at(asked, rows, MORNING)["last_price"].astype(np.float64)
    spot = float(packets_at(asked, asked.rows(np.array([NIFTY], np.uint64)), MORNING)["last_price"][0])
    years = (columns["expiry"] - MORNING) / YEAR_SECONDS
    volatility = greeks.implied_volatility(prices, spot, columns["strike"], years, RATE, columns["is_call"])

    def near(distance: float) -> float:
        wanted = columns["is_call"] == (distance > 0)
        return float(volatility[wanted][np.argmin(np.abs(columns["strike"][wanted] - spot * (1 + distance)))])

    assert 0.05 < near(0.0005) < 0.2
    assert near(-0.015) > near(-0.002)


def test_premiums_fall_with_the_strike_for_calls_and_rise_for_puts():
    asked = market()
    rows = nifty_options(asked)
    columns = asked.instruments[rows]
    prices = packets_at(asked, rows, MORNING)["last_price"]

    for is_call, direction in ((True, -1), (False, 1)):
        side = columns["is_call"] == is_call
        ordered = prices[side][np.argsort(columns["strike"][side])].astype(np.float64)
        # Far out both neighbours stand at a few ticks and their spreads overlap.
        assert (direction * np.diff(ordered) > -1).all()


def test_a_future_carries_its_index():
    asked = market()
    instruments = asked.instruments
    nifty = asked.rows(np.array([NIFTY], np.uint64))
    futures = np.flatnonzero(
        (instruments["kind"] == Kind.FUTURE) & (instruments["underlying"] == instruments["underlying"][nifty[0]])
    )
    spot = float(packets_at(asked, nifty, MORNING)["last_price"][0])
    prices = packets_at(asked, futures, MORNING)["last_price"][np.argsort(instruments["expiry"][futures])]

    assert len(prices) == 3
    assert spot < prices[0] < prices[1] < prices[2] < spot * 1.03


def test_an_index_has_no_book_no_volume_and_no_open_interest():
    asked = market()
    packet = packets_at(asked, asked.rows(np.array([NIFTY], np.uint64)), MORNING)[0]

    assert packet["last_price"] > 20_000
    assert [packet[name] for name in ("volume", "last_quantity", "open_interest", "total_buy_quantity")] == [0, 0, 0, 0]
    assert not packet["depth"]["bid_price"].any()


def test_a_trade_time_is_the_indian_wall_clock_read_as_utc():
    asked = market()
    packet = packets_at(asked, asked.rows(np.array([NIFTY], np.uint64)), MORNING)[0]

    assert packet["last_traded_at"] == 1_770_112_800  # 2026-02-03T10:00:00, as if it were UTC


def test_a_silent_option_has_a_book_and_never_traded():
    asked = market(silent_share=0.3)
    rows = np.flatnonzero(asked.silent)
    packets = packets_at(asked, rows, MORNING)

    assert 0.25 < len(rows) / (asked.instruments["kind"] == Kind.OPTION).sum() < 0.35
    assert not packets["last_price"].any()
    assert not packets["last_traded_at"].any()
    assert (packets["depth"]["ask_price"][:, 0] > 0).all()
    assert (packets["previous_close"] > 0).all()


def test_every_level_stays_within_its_listed_strikes_all_day():
    asked = market()
    instruments = asked.instruments
    options = np.flatnonzero(instruments["kind"] == Kind.OPTION)
    for at in np.arange(OPEN, OPEN + 6 * 3600, 1800):
        underlying = np.arange(len(asked.underlyings))
        spots = asked.spot(underlying, np.full(len(underlying), at))
        strikes, owners = instruments["strike"][options], instruments["underlying"][options]
        above = np.bincount(owners, strikes > spots[owners], len(underlying))
        below = np.bincount(owners, strikes < spots[owners], len(underlying))
        listed = np.bincount(owners, minlength=len(underlying)) > 0
        # Two sides of ten strikes in one expiry at the least.
        assert (above[listed] >= 20).all()
        assert (below[listed] >= 20).all()


def test_an_unlisted_instrument_has_no_row():
    asked = market()

    assert asked.rows(np.array([NIFTY, 12_345_678_901], np.uint64)).tolist() == [asked.rows(np.array([NIFTY]))[0], -1]


def test_a_row_may_come_twice_in_one_call_at_later_times():
    asked = market()
    row = asked.rows(np.array([NIFTY], np.uint64))[0]
    packets = asked.packets(np.array([row] * 50), MORNING + np.arange(50) * 0.3)

    assert (np.diff(packets["last_traded_at"].astype(np.int64)) >= 0).all()
    assert (packets["day_low"] <= packets["last_price"]).all()
    assert (packets["last_price"] <= packets["day_high"]).all()


def test_the_board_believes_every_packet():
    asked = market()
    rows = all_rows(asked)
    board = Board(len(rows))
    board.add(asked.codes.tolist(), asked.instruments["tick"].tolist())
    for second in (0.0, 0.3, 5.0, 60.0):
        packets = wire.decode(packets_at(asked, rows, MORNING + second).tobytes())
        board.apply(packets, Arrival(1, second, MORNING + second))
    state = board.rows(asked.codes)
    sent = packets_at(asked, rows, MORNING + 60.0)

    assert not (state["flags"] & np.uint32(TickFlag.QUARANTINED)).any()
    assert (state["last_price"] == np.rint(sent["last_price"].astype(np.float64) * 100)).all()
    assert (state["volume"] == sent["volume"]).all()


def test_a_new_day_begins_with_its_own_open_range_and_volume():
    asked = market()
    rows = np.flatnonzero(asked.instruments["kind"] == Kind.EQUITY)
    evening = packets_at(asked, rows, MORNING + 5 * 3600)
    next_morning = packets_at(asked, rows, MORNING + 86_400 - 44 * 60)

    assert (next_morning["volume"] < evening["volume"]).all()
    assert (next_morning["day_open"] != evening["day_open"]).mean() > 0.9
    assert (next_morning["day_high"] - next_morning["day_low"] < evening["day_high"] - evening["day_low"]).mean() > 0.9
