"""The shape of one instrument's state, as the board holds it, the tick bus carries it and Redis keeps it."""

from __future__ import annotations

from enum import IntFlag

import numpy as np

DEPTH_LEVELS = 5

DEPTH_LEVEL = np.dtype(
    [
        ("bid_price", "<i4"),
        ("ask_price", "<i4"),
        ("bid_quantity", "<u4"),
        ("ask_quantity", "<u4"),
        ("bid_orders", "<u2"),
        ("ask_orders", "<u2"),
    ]
)

TICK = np.dtype(
    [
        ("code", "<u8"),  # InstrumentKey.code
        ("received_at", "<i8"),  # nanoseconds since 1970, wall clock of the feed process reading the packet
        ("last_traded_at", "<i8"),  # seconds since 1970 UTC (the wire's IST already corrected); 0 = never
        ("volume", "<i8"),  # of the day
        ("last_price", "<i4"),  # paise, as all prices here; 0 = none seen yet
        ("low", "<i4"),  # trade prices since the previous batch, 0 = no trade: conflation loses no stop
        ("high", "<i4"),
        ("average_price", "<i4"),
        ("day_open", "<i4"),
        ("day_high", "<i4"),
        ("day_low", "<i4"),
        ("previous_close", "<i4"),
        ("last_quantity", "<u4"),
        ("total_buy_quantity", "<u4"),
        ("total_sell_quantity", "<u4"),
        ("open_interest", "<u4"),
        ("open_interest_high", "<u4"),
        ("open_interest_low", "<u4"),
        ("previous_open_interest", "<u4"),
        ("flags", "<u4"),  # TickFlag
        ("depth", DEPTH_LEVEL, (DEPTH_LEVELS,)),
    ]
)
"""One row, 196 bytes. A batch of them is `array.tobytes()`; a Redis value is one row's bytes."""


class TickFlag(IntFlag):
    """What a reader must know before believing a row."""

    STALE = 1  # its connection is silent or down, or the segment's canary is
    GAP = 2  # it was moved, resubscribed or reconnected since the previous batch: something may be missing
    QUARANTINED = 4  # the latest packet was impossible; the last good values stand
    NO_TRADE_YET = 8  # subscribed and audited against REST: it simply has not traded today
    SEEDED = 16  # values come from the REST quote or the previous run, not from a packet of this run
