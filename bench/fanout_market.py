"""The market that bench.fanout fans out: 2,272 contracts in 54 chains of one index, and rows that look real."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from feeds import clock
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType, OptionType
from feeds.core.tick import TICK

UNDERLYING = "NIFTY"
CHAIN_SIZES = [42] * 53 + [46]
CONTRACTS = sum(CHAIN_SIZES)
FIRST_EXPIRY = date(2026, 2, 3)
FIRST_SECURITY_ID = 40_001
REFERENCE = InstrumentKey(ExchangeSegment.IDX_I, 13)
KEYS = [InstrumentKey(ExchangeSegment.NSE_FNO, FIRST_SECURITY_ID + number) for number in range(CONTRACTS)]
EXPIRIES = [FIRST_EXPIRY + timedelta(days=7 * number) for number in range(len(CHAIN_SIZES))]
CHAIN_TOPICS = [f"chain.NSE_FNO.{UNDERLYING}.{expiry}" for expiry in EXPIRIES]
INSTRUMENT_TOPICS = [f"instrument.{key}" for key in KEYS]
CHAIN_STARTS = np.cumsum([0, *CHAIN_SIZES])[:-1]


def contract_rows() -> list[dict[str, object]]:
    """Fields of feeds.models.Instrument for every contract, in the order of KEYS."""
    rows = []
    for start, size, expiry in zip(CHAIN_STARTS, CHAIN_SIZES, EXPIRIES, strict=True):
        for place in range(size):
            key = KEYS[start + place]
            rows.append(
                {
                    "code": key.code,
                    "segment": key.segment,
                    "security_id": key.security_id,
                    "instrument_type": InstrumentType.OPTIDX,
                    "symbol": f"{UNDERLYING}-{expiry}-{place}",
                    "underlying_symbol": UNDERLYING,
                    "underlying_security_id": REFERENCE.security_id,
                    "expiry": expiry,
                    "strike": 2_500_000 + 5_000 * (place // 2),
                    "option_type": (OptionType.CALL, OptionType.PUT)[place % 2],
                    "listed_on": FIRST_EXPIRY,
                }
            )
    return rows


class Market:
    """Prices that walk. `changed` gives TICK rows as one flush of a feed process would publish them."""

    def __init__(self, seed: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        self.rows = np.zeros(CONTRACTS, TICK)
        self.rows["code"] = [key.code for key in KEYS]
        self.rows["last_price"] = self._random.integers(5_000, 90_000, CONTRACTS)
        self.rows["volume"] = self._random.integers(100_000, 9_000_000, CONTRACTS)
        self.rows["open_interest"] = self._random.integers(100_000, 5_000_000, CONTRACTS)
        for name in ("average_price", "day_open", "day_high", "day_low", "previous_close"):
            self.rows[name] = self.rows["last_price"]
        self.rows["previous_open_interest"] = self.rows["open_interest"]
        self.rows["depth"]["bid_quantity"] = self.rows["depth"]["ask_quantity"] = 1_875
        self.changed(np.arange(CONTRACTS))

    def changed(self, places: NDArray[np.intp]) -> NDArray[np.void]:
        """Move these contracts' prices; the rows are stamped as read from the wire just now."""
        now = clock.wall_nanoseconds()
        moved = np.maximum(self.rows["last_price"][places] + self._random.integers(-20, 21, len(places)) * 5, 500)
        self.rows["last_price"][places] = moved
        self.rows["volume"][places] += 75
        self.rows["last_traded_at"][places] = now // 1_000_000_000
        self.rows["received_at"][places] = now
        self.rows["depth"]["bid_price"][places, 0] = moved - 5
        self.rows["depth"]["ask_price"][places, 0] = moved + 5
        return self.rows[places]

    def some_of_each_chain(self, chains: int, count: int) -> NDArray[np.intp]:
        """Places of `count` contracts in each of the first `chains` chains."""
        offsets = self._random.integers(0, min(CHAIN_SIZES) - count + 1, chains)
        return (CHAIN_STARTS[:chains, None] + offsets[:, None] + np.arange(count)).ravel()

    def some_of_all(self, count: int) -> NDArray[np.intp]:
        return self._random.choice(CONTRACTS, count, replace=False)
