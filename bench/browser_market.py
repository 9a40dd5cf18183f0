"""What bench.browser shows: a chain of 42 strikes, 150 shares, and a feed that moves each ten times a second.

Run as `python -m bench.browser_market` it is that feed, with the chain's analytics once a second.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feeds import bus, clock
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType, OptionType
from feeds.core.tick import TICK

STRIKES = 42
SHARES = 150
LISTS = 3
SPOT = 2_600_000
STEP = 5_000
ACCOUNT = 1
FLUSH_SECONDS = 0.1
FLUSHES_BETWEEN_ANALYTICS = 10
REFERENCE = InstrumentKey(ExchangeSegment.IDX_I, 13)
OPTIONS = [InstrumentKey(ExchangeSegment.NSE_FNO, 40_001 + number) for number in range(2 * STRIKES)]
SHARE_KEYS = [InstrumentKey(ExchangeSegment.NSE_EQ, 1_001 + number) for number in range(SHARES)]
KEYS = [REFERENCE, *OPTIONS, *SHARE_KEYS]
CHARTED = OPTIONS[STRIKES]
"""A call at the money."""
EXPIRY = clock.exchange_today() + timedelta(days=2)
CHAIN = f"chain.NSE_FNO.NIFTY.{EXPIRY.isoformat()}"


def instrument_fields() -> list[dict[str, Any]]:
    """Fields of feeds.models.Instrument for all of KEYS, in their order."""
    return [_fields(REFERENCE, InstrumentType.INDEX, "NIFTY"), *_option_fields(), *_share_fields()]


def _option_fields() -> list[dict[str, Any]]:
    lowest = SPOT - STEP * STRIKES // 2
    return [
        {
            **_fields(key, InstrumentType.OPTIDX, f"NIFTY {place}"),
            "underlying_symbol": "NIFTY",
            "underlying_security_id": REFERENCE.security_id,
            "expiry": EXPIRY,
            "strike": lowest + STEP * (place // 2),
            "option_type": (OptionType.CALL, OptionType.PUT)[place % 2],
            "lot_size": 65,
        }
        for place, key in enumerate(OPTIONS)
    ]


def _share_fields() -> list[dict[str, Any]]:
    return [_fields(key, InstrumentType.EQUITY, f"SHARE{place:03}") for place, key in enumerate(SHARE_KEYS)]


def _fields(key: InstrumentKey, kind: InstrumentType, symbol: str) -> dict[str, Any]:
    return {
        "code": key.code,
        "segment": key.segment,
        "security_id": key.security_id,
        "instrument_type": kind,
        "symbol": symbol,
        "listed_on": clock.exchange_today(),
    }


class Market:
    """Prices that walk: every row is another at every flush."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(1)
        self.rows = np.zeros(len(KEYS), TICK)
        self.rows["code"] = [key.code for key in KEYS]
        self.rows["last_price"] = self._random.integers(5_000, 90_000, len(KEYS))
        self.rows["last_price"][0] = SPOT
        self.rows["previous_close"] = self.rows["day_open"] = self.rows["last_price"]
        self.rows["open_interest"] = self._random.integers(100_000, 5_000_000, len(KEYS))
        for name in ("bid_quantity", "ask_quantity"):
            self.rows["depth"][name] = self._random.integers(65, 9_000, (len(KEYS), 5))

    def moved(self) -> NDArray[np.void]:
        now = clock.wall_nanoseconds()
        rows = self.rows
        rows["last_price"] = np.maximum(rows["last_price"] + self._random.integers(-20, 21, len(rows)) * 5, 500)
        rows["volume"] += 65
        rows["open_interest"] += self._random.integers(0, 50, len(rows)).astype(np.uint32)
        rows["last_traded_at"] = int(clock.exchange_now().timestamp())
        rows["received_at"] = now
        steps = 5 * np.arange(1, 6)
        rows["depth"]["bid_price"] = rows["last_price"][:, None] - steps
        rows["depth"]["ask_price"] = rows["last_price"][:, None] + steps
        rows["depth"]["bid_orders"] = rows["depth"]["ask_orders"] = 3
        return rows

    def analytics(self) -> dict[str, Any]:
        """The shape that the analytics process tells, with figures that change."""
        figures = self._random.uniform(0.1, 20, (len(OPTIONS), 5)).round(4).tolist()
        return {
            "model": "BLACK_76", "rate": 5.34, "rate_date": "2026-02-04", "at": clock.wall_nanoseconds() // 1_000_000,
            "years": 0.0055, "forward": SPOT, "forward_source": "SYNTHETIC", "synthetic_future": SPOT,
            "atm_strike": SPOT, "atm_iv": 12.4, "straddle": 41_230, "pcr_oi": 0.91, "pcr_volume": 1.02,
            "max_pain": SPOT, "iv_rank": None, "iv_rank_reason": "NO_HISTORY",
            "columns": ["iv", "delta", "gamma", "theta", "vega", "oi_change", "build_up", "iv_reason"],
            "rows": [[*row, int(1_000 * row[0]), "LONG_BUILDUP", None] for row in figures],
        }  # fmt: skip


async def feed() -> None:
    """Publish on a fixed grid as a feed process would, until the process is ended."""
    from feeds.topics import values_changed

    market = Market()
    publisher = bus.TickPublisher(bus.async_redis(), ACCOUNT, epoch=clock.wall_nanoseconds())
    await publisher.publish(market.moved(), 0, clock.wall_nanoseconds(), whole=True)
    due, flushes = clock.monotonic(), 0
    while True:
        now = clock.wall_nanoseconds()
        await publisher.publish(market.moved(), now, now)
        flushes += 1
        if flushes % FLUSHES_BETWEEN_ANALYTICS == 0:
            await asyncio.to_thread(values_changed, {CHAIN: ("ANALYTICS", market.analytics())})
        due = max(due + FLUSH_SECONDS, clock.monotonic() - FLUSH_SECONDS)
        await asyncio.sleep(max(0.0, due - clock.monotonic()))


if __name__ == "__main__":
    import django

    django.setup()
    asyncio.run(feed())
