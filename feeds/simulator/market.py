"""Seeded and coherent prices of every listed instrument: the same seed and time give the same prices.

A price path is a function of time, not a walk that has to be lived through: each underlying is a sum of waves of
periods from four seconds to a day, plus a share of the market's own. Futures carry it, options are Black-76 on
their future with a smile, and book, volume and open interest hang on those. Only what is sent is computed.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from feeds.core import greeks
from feeds.core.tick import DEPTH_LEVELS
from feeds.dhan.wire import ResponseCode, blank_packets, wire_time

Rows = NDArray[np.int64]
Times = NDArray[np.float64]


class Kind(IntEnum):
    """What a price is derived from."""

    INDEX = 0
    EQUITY = 1
    FUTURE = 2
    OPTION = 3


INSTRUMENT = np.dtype(
    [
        ("code", "<u8"),  # InstrumentKey.code
        ("kind", "u1"),  # Kind
        ("underlying", "<i4"),  # row of the underlyings
        ("expiry", "<i8"),  # seconds since 1970 UTC of the last trading minute; 0 = none
        ("forward_expiry", "<i8"),  # that of the future an option is priced on
        ("strike", "<f8"),  # rupees
        ("is_call", "?"),
        ("lot", "<i4"),
        ("tick", "<i4"),  # paise
        ("session_start", "<i4"),  # seconds after midnight IST
        ("session_end", "<i4"),
        ("has_open_interest_range", "?"),
    ]
)
UNDERLYING = np.dtype(
    [
        ("level", "<f8"),  # rupees, around which it moves
        ("day_move", "<f8"),  # standard deviation of a day's move: 0.01 is 1 %
    ]
)

RATE = 0.055
"""91-day treasury bill of January 2026, for carry and discount."""
WAVE_PERIODS = np.array([86_400.0, 23_400.0, 5_400.0, 1_300.0, 310.0, 71.0, 17.0, 4.1])
"""Seconds. Amplitudes go with the square root, as a random walk's do; nothing slower than a day, so that no level
ever wanders off the strikes that are listed around it."""
MARKET_SHARE = 0.6
"""How much of an underlying's path is the whole market's."""
TIME_ORIGIN = 1_767_205_800.0
"""2026-01-01 IST: sines keep their digits when times are small."""
TRADING_DAYS_ROOT = 252**0.5
SMILE_SKEW = -0.05
SMILE_CURVE = 0.03
SMILE_LIMIT = 4.0
"""Standard deviations beyond which the smile stays flat."""
SPREAD_SHARE = np.array([0.0, 1e-4, 1e-4, 1e-3])
"""Bid to ask as a share of the price, by Kind; never under one tick."""
IST_SECONDS = 19_800
DAY_SECONDS = 86_400
LONGEST_OPTION_YEARS = 1 / greeks.MINUTES_PER_YEAR
"""An option never has less than its last minute to live, so that greeks stay finite."""
EARLIER_TODAY = np.array([0.0, 0.2, 0.4, 0.6, 0.8])
"""Where the day so far is looked at, to know its open, high and low at the first packet."""
LARGEST_UNSIGNED = 2**32 - 1
BOOK_CHANGES_PER_SECOND = 2


class Market:
    """All listed instruments and what each one's Full packet says at a time.

    `instruments` is an INSTRUMENT array sorted by code, `underlyings` an UNDERLYING array. A share of the
    options (`silent_share`) never trades at all.
    """

    def __init__(
        self, instruments: NDArray[np.void], underlyings: NDArray[np.void], seed: int, silent_share: float = 0.0
    ) -> None:
        self.instruments = instruments
        self.codes = instruments["code"]
        self.underlyings = underlyings
        random = np.random.default_rng(seed)
        self._draw_waves(random, len(underlyings))
        self._draw_activity(random, len(instruments), silent_share)
        self.template = blank_packets(ResponseCode.FULL, self.codes)
        self._forget_day(len(instruments))

    def rows(self, codes: NDArray[np.uint64]) -> Rows:
        """The rows of these instrument codes; -1 for those that are not listed."""
        places = np.searchsorted(self.codes, codes)
        places[places == len(self.codes)] = 0
        return np.where(self.codes[places] == codes, places, -1)

    def packets(self, rows: Rows, at: Times) -> NDArray[np.void]:
        """One Full packet for each row as of its own time (seconds since 1970 UTC, of the exchange's clock).

        A row may come more than once; its times must then ascend. A silent row has a book and no trade.
        """
        self._begin_day(rows, at)
        trades, traded_at = self._trades(rows, at)
        bid, ask, last = self._book_top(rows, traded_at)
        np.maximum.at(self.day_high, rows, last)  # a row may come twice in one call
        np.minimum.at(self.day_low, rows, last)
        packets = self.template[rows]
        self._fill_trade(packets, rows, trades, traded_at, last)
        self._fill_interest(packets, rows, at)
        self._fill_depth(packets, rows, at, bid, ask)
        self._silence(packets, self.silent[rows])
        return packets

    def previous_close(self, rows: Rows, at: Times) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Paise and open interest at the close before the day of `at`."""
        self._begin_day(rows, at)
        return self.close_before[rows], self._open_interest(rows, self._close_time(rows, at))

    def path(self, row: int, at: Times) -> tuple[Rows, Rows, Rows]:
        """Last price (paise), day volume and open interest of one row as its packets would tell them at these times."""
        rows = np.full(len(at), row)
        trades, traded_at = self._trades(rows, at)
        traded = self.instruments["kind"][row] != Kind.INDEX
        volume = trades * int(self.instruments["lot"][row]) * bool(traded)
        return self._book_top(rows, traded_at)[2], volume, self._open_interest(rows, at)

    # --- what is drawn once from the seed ---

    def _draw_waves(self, random: np.random.Generator, count: int) -> None:
        amplitude = np.sqrt(WAVE_PERIODS / DAY_SECONDS)
        self._frequency = 2 * np.pi / (WAVE_PERIODS * random.uniform(0.8, 1.25, (count + 1, len(WAVE_PERIODS))))
        self._phase = random.uniform(0, 2 * np.pi, self._frequency.shape)
        self._amplitude = amplitude * random.uniform(0.7, 1.3, self._frequency.shape)

    def _draw_activity(self, random: np.random.Generator, count: int, silent_share: float) -> None:
        is_option = self.instruments["kind"] == Kind.OPTION
        self.silent = is_option & (random.random(count) < silent_share)
        most = LARGEST_UNSIGNED / self.instruments["lot"] / DAY_SECONDS
        self._trades_per_second = np.minimum(10 ** random.uniform(-0.3, 1.2, count), most)
        self._open_lots = 10 ** random.uniform(2, 4.3, count)
        self._noise = random.integers(1, 2**32, count, dtype=np.uint32)

    def _forget_day(self, count: int) -> None:
        self._day = np.full(count, -1, np.int64)
        self.day_open, self.day_high, self.day_low, self.close_before = (np.zeros(count, np.int64) for _ in range(4))

    # --- prices ---

    def _waves(self, underlying: Rows, at: Times) -> Times:
        angle = self._frequency[underlying] * (at - TIME_ORIGIN)[:, None] + self._phase[underlying]
        waves: Times = (self._amplitude[underlying] * np.sin(angle)).sum(axis=1)
        return waves

    def spot(self, underlying: Rows, at: Times) -> Times:
        """Rupees of each underlying at its time."""
        market = self._waves(np.full(len(underlying), len(self.underlyings)), at)
        path = MARKET_SHARE * market + (1 - MARKET_SHARE) * self._waves(underlying, at)
        spots: Times = self.underlyings["level"][underlying] * np.exp(self.underlyings["day_move"][underlying] * path)
        return spots

    def _fair(self, rows: Rows, at: Times) -> Times:
        """Rupees before the tick."""
        columns = self.instruments[rows]
        value = self.spot(columns["underlying"], at)
        carried = columns["kind"] >= Kind.FUTURE
        years = np.maximum(columns["forward_expiry"] - at, 0) / (greeks.DAYS_PER_YEAR * DAY_SECONDS)
        value = np.where(carried, value * np.exp(RATE * years), value)
        options = np.flatnonzero(columns["kind"] == Kind.OPTION)
        if len(options):
            value[options] = self._premium(columns[options], value[options], at[options])
        return value

    def _premium(self, columns: NDArray[np.void], forward: Times, at: Times) -> Times:
        years = np.maximum((columns["expiry"] - at) / (greeks.DAYS_PER_YEAR * DAY_SECONDS), LONGEST_OPTION_YEARS)
        volatility = self._volatility(columns["underlying"], forward, columns["strike"], years)
        return greeks.price(forward, columns["strike"], years, RATE, volatility, columns["is_call"])

    def _volatility(self, underlying: Rows, forward: Times, strike: Times, years: Times) -> Times:
        """The same for call and put of a strike, so that parity holds."""
        at_the_money = self.underlyings["day_move"][underlying] * TRADING_DAYS_ROOT
        deviations = np.log(strike / forward) / (at_the_money * np.sqrt(years))
        deviations = np.clip(deviations, -SMILE_LIMIT, SMILE_LIMIT)
        volatility: Times = at_the_money * (1 + SMILE_SKEW * deviations + SMILE_CURVE * deviations**2)
        return volatility

    def _book_top(self, rows: Rows, at: Times) -> tuple[Rows, Rows, Rows]:
        """Best bid, best ask and last price in paise: multiples of the tick, the last at one of the two."""
        tick = self.instruments["tick"][rows].astype(np.int64)
        kind = self.instruments["kind"][rows]
        fair = self._fair(rows, at) * 100 / tick
        spread = 1 + np.floor(fair * SPREAD_SHARE[kind])
        bid = np.maximum(1, np.rint(fair - spread / 2)).astype(np.int64)
        ask = bid + spread.astype(np.int64)
        bought = (self._dice(rows, at, 0) & 1).astype(bool)
        last = np.where(kind == Kind.INDEX, np.maximum(1, np.rint(fair)).astype(np.int64), np.where(bought, ask, bid))
        return bid * tick, ask * tick, last * tick

    # --- the day ---

    def _midnight(self, at: Times) -> NDArray[np.int64]:
        midnight: NDArray[np.int64] = (at.astype(np.int64) + IST_SECONDS) // DAY_SECONDS * DAY_SECONDS - IST_SECONDS
        return midnight

    def _close_time(self, rows: Rows, at: Times) -> Times:
        return (self._midnight(at) - DAY_SECONDS + self.instruments["session_end"][rows]).astype(np.float64)

    def _open_time(self, rows: Rows, at: Times) -> Times:
        return np.minimum(self._midnight(at) + self.instruments["session_start"][rows], at)

    def _begin_day(self, rows: Rows, at: Times) -> None:
        """The first look at a row on a day: its open, the range so far and the close before."""
        day = self._midnight(at)
        late = np.flatnonzero(self._day[rows] != day)
        if not len(late):
            return
        rows, first = np.unique(rows[late], return_index=True)
        at = at[late[first]]
        self._day[rows] = day[late[first]]
        opened = self._open_time(rows, at)
        seen = np.array([self._book_top(rows, opened + share * (at - opened))[2] for share in EARLIER_TODAY])
        self.day_open[rows], self.day_high[rows], self.day_low[rows] = seen[0], seen.max(axis=0), seen.min(axis=0)
        self.close_before[rows] = self._book_top(rows, self._close_time(rows, at))[2]

    # --- packets ---

    def _trades(self, rows: Rows, at: Times) -> tuple[Rows, Times]:
        """How many trades of one lot the day has seen, and when the last was: between trades no price moves.

        An index is not traded but calculated, at any time.
        """
        opened = self._open_time(rows, at)
        trades = np.floor((at - opened) * self._trades_per_second[rows])
        times = opened + trades / self._trades_per_second[rows]
        calculated = self.instruments["kind"][rows] == Kind.INDEX
        return 1 + trades.astype(np.int64), np.where(calculated, at, times)

    def _fill_trade(self, packets: NDArray[np.void], rows: Rows, trades: Rows, at: Times, last: Rows) -> None:
        columns = self.instruments[rows]
        traded = columns["kind"] != Kind.INDEX
        dice = self._dice(rows, at, 1)
        open_, high, low = self.day_open[rows], self.day_high[rows], self.day_low[rows]
        packets["last_price"] = last / 100
        packets["last_traded_at"] = wire_time(at)
        packets["last_quantity"] = columns["lot"].astype(np.uint16) * traded  # 16 bits wide: it wraps, as Dhan's
        packets["average_price"] = np.rint((open_ + high + low + last) / 4) / 100 * traded
        packets["volume"] = trades * columns["lot"] * traded
        packets["total_buy_quantity"] = columns["lot"].astype(np.int64) * (200 + (dice >> 8) % 3000) * traded
        packets["total_sell_quantity"] = columns["lot"].astype(np.int64) * (200 + (dice >> 16) % 3000) * traded
        packets["day_open"], packets["day_high"], packets["day_low"] = open_ / 100, high / 100, low / 100
        packets["previous_close"] = self.close_before[rows] / 100

    def _open_interest(self, rows: Rows, at: Times) -> NDArray[np.int64]:
        """Moves once a minute, as Dhan's does."""
        minute = np.floor(at / 60)
        drift = 1 + 0.05 * np.sin(minute / 47 + self._noise[rows] % 628 / 100)
        carried = self.instruments["kind"][rows] >= Kind.FUTURE
        lots = np.rint(self._open_lots[rows] * drift).astype(np.int64)
        return lots * self.instruments["lot"][rows] * carried

    def _fill_interest(self, packets: NDArray[np.void], rows: Rows, at: Times) -> None:
        open_interest = self._open_interest(rows, at)
        opened = self._open_interest(rows, self._open_time(rows, at))
        ranged = self.instruments["has_open_interest_range"][rows]
        packets["open_interest"] = open_interest
        packets["open_interest_high"] = np.maximum(open_interest, opened) * ranged
        packets["open_interest_low"] = np.minimum(open_interest, opened) * ranged

    def _fill_depth(self, packets: NDArray[np.void], rows: Rows, at: Times, bid: Rows, ask: Rows) -> None:
        """Five levels a tick apart, best first; below one tick there is no bid, and its level is empty."""
        columns = self.instruments[rows]
        steps = np.arange(DEPTH_LEVELS) * columns["tick"].astype(np.int64)[:, None]
        dice = self._dice(rows, at, 2)[:, None] >> np.arange(0, 5 * DEPTH_LEVELS, 5)
        lots = columns["lot"].astype(np.int64)[:, None]
        bids = bid[:, None] - steps
        there = (bids > 0) & (columns["kind"] != Kind.INDEX)[:, None]
        offered = np.broadcast_to((columns["kind"] != Kind.INDEX)[:, None], bids.shape)
        depth = packets["depth"]
        depth["bid_price"], depth["ask_price"] = bids / 100 * there, (ask[:, None] + steps) / 100 * offered
        depth["bid_quantity"] = lots * (1 + dice % 40) * there
        depth["ask_quantity"] = lots * (1 + (dice >> 3) % 40) * offered
        depth["bid_orders"], depth["ask_orders"] = (1 + dice % 9) * there, (1 + (dice >> 3) % 9) * offered

    def _silence(self, packets: NDArray[np.void], silent: NDArray[np.bool_]) -> None:
        if silent.any():
            for name in NEVER_TRADED_FIELDS:
                packets[name][silent] = 0

    def _dice(self, rows: Rows, at: Times, salt: int) -> NDArray[np.int64]:
        """32 thrown bits for each row, thrown anew every half second."""
        bucket = (at * BOOK_CHANGES_PER_SECOND).astype(np.uint64)
        mixed = (self._noise[rows].astype(np.uint64) + np.uint64(salt * 0x9E3779B9)) ^ (bucket * np.uint64(0x85EBCA6B))
        mixed = (mixed ^ (mixed >> np.uint64(15))) * np.uint64(0xC2B2AE35)
        return ((mixed ^ (mixed >> np.uint64(13))) & np.uint64(0xFFFFFFFF)).astype(np.int64)


NEVER_TRADED_FIELDS = (
    "last_price",
    "last_quantity",
    "last_traded_at",
    "average_price",
    "volume",
    "day_open",
    "day_high",
    "day_low",
)
