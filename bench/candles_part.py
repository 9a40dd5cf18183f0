"""One-minute candles of the always-on contracts: folded out of ticks, written in one batch, read as a chart.

Run with `python -m bench.candles_part`; prints one JSON object last. The servers are the embedded ones, durable as in
production, in a temporary folder. `write_cpu_ms` is our own process's part: it stays the same on a busy machine.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.machine import describe
from feeds.core.calendar import IST
from feeds.core.candles import BAR, DAY_SECONDS, MINUTE, Aggregator, Hours
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.core.tick import TICK
from terminal.embedded import EmbeddedServers, temporary_data

CONTRACTS = 2_272
MINUTES = 30
FOLDS = 200
CHARTS = 50
CHART_BARS = 500
SESSION_MINUTES = 375
LIMIT_MILLISECONDS = 250.0
DAY = date(2026, 2, 3)
OPENS = int(datetime(2026, 2, 3, 9, 15, tzinfo=IST).timestamp())
SEED = 7

Result = dict[str, float | int]


def measure_candles() -> Result:
    """Milliseconds to write a minute of all contracts, and to answer a chart of 500 bars; see LIMIT_MILLISECONDS.

    Needs Django set up, Redis, and a database that is migrated.
    """
    from feeds import candles

    candles.make_partitions({DAY})
    batches = [minute_of_all(minute) for minute in range(MINUTES)]
    began = process_time()
    spent = [_milliseconds(candles.write, batch) for batch in batches]
    write_cpu = (process_time() - began) * 1_000 / MINUTES
    answered = chart_milliseconds()
    return {
        "contracts": CONTRACTS,
        "write_ms_median": round(median(spent), 1),
        "write_ms_worst": round(max(spent), 1),
        "write_cpu_ms": round(write_cpu, 1),
        "write_again_ms": round(_milliseconds(candles.write, batches[0]), 1),
        "limit_ms": LIMIT_MILLISECONDS,
        "fold_ms_median": fold_milliseconds(),
        "chart_ms_median": round(median(answered), 1),
        "chart_ms_worst": round(max(answered), 1),
    }


def minute_of_all(minute: int) -> NDArray[np.void]:
    random = np.random.default_rng(SEED + minute)
    bars = np.zeros(CONTRACTS, BAR)
    bars["code"], bars["start"] = codes(), OPENS + MINUTE * minute
    bars["open"] = random.integers(100, 50_000, CONTRACTS) * 5
    bars["close"], bars["high"], bars["low"] = bars["open"] + 10, bars["open"] + 40, bars["open"] - 35
    bars["volume"], bars["open_interest"] = random.integers(0, 1_000_000, (2, CONTRACTS))
    return bars


def codes() -> NDArray[np.uint64]:
    first = InstrumentKey(ExchangeSegment.NSE_FNO, 40_000).code
    return np.arange(first, first + CONTRACTS, dtype=np.uint64)


def fold_milliseconds() -> float:
    """One batch in which every contract traded, into the running bars."""
    bars = Aggregator(grace=5.0)
    bars.set_hours({ExchangeSegment.NSE_FNO: Hours(OPENS, OPENS + 22_500)})
    rows, spent = np.zeros(CONTRACTS, TICK), []
    rows["code"], rows["low"], rows["high"], rows["last_price"] = codes(), 100, 110, 105
    for second in range(FOLDS):
        rows["last_traded_at"], rows["volume"] = OPENS + second, second * 75
        spent.append(_milliseconds(bars.take, rows, OPENS + second + 0.5))
    return round(median(spent), 2)


def chart_milliseconds() -> list[float]:
    """REST's answer of 500 one-minute bars: today's own and the history of two weeks, which Redis has."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from rest_framework.test import APIRequestFactory, force_authenticate

    from feeds import clock, history
    from feeds.bus import blocking_redis
    from feeds.chart_views import CandlesView
    from feeds.core.history import Interval, pages
    from feeds.models import Instrument

    settings.EXCHANGE_CLOCK_OFFSET_SECONDS = OPENS + MINUTES * MINUTE - clock.wall_now().timestamp()
    key = InstrumentKey.from_code(int(codes()[0]))
    fields = {"segment": key.segment, "security_id": key.security_id, "symbol": "NIFTY-Feb2026-26000-CE"}
    Instrument.objects.create(code=key.code, instrument_type="OPTIDX", listed_on=DAY, **fields)
    user = User.objects.create(username="bench")
    for page in pages(key, Interval.ONE, DAY - timedelta(days=8), DAY, DAY):
        blocking_redis().set(history.page_key(page), _days(page.first, page.end).tobytes())
    request = APIRequestFactory().get("/", {"limit": CHART_BARS})
    force_authenticate(request, user)
    view = CandlesView.as_view()

    def answer() -> None:
        drawn = view(request, key=str(key)).render()
        assert drawn.content.count(b"[") == CHART_BARS + 2, drawn.content[:200]

    answer()  # the first connects
    return [_milliseconds(answer) for _ in range(CHARTS)]


def _days(first: date, end: date) -> NDArray[np.void]:
    """Whole sessions from a day to before another."""
    days = [OPENS + DAY_SECONDS * (day - DAY.toordinal()) for day in range(first.toordinal(), end.toordinal())]
    bars = np.zeros((len(days), SESSION_MINUTES), BAR)
    bars["start"] = np.array(days)[:, None] + MINUTE * np.arange(SESSION_MINUTES)
    bars["open"] = bars["high"] = bars["low"] = bars["close"] = 15_230
    return bars.ravel()


def _milliseconds(work: Callable[..., Any], *given: Any) -> float:
    began = perf_counter()
    work(*given)
    return (perf_counter() - began) * 1_000


def measure_with_servers() -> Result:
    """The servers are started and the tables made, then it is measured."""
    with temporary_data("bench-") as folder, EmbeddedServers(Path(folder)) as servers:
        os.environ |= servers.environment | {"DJANGO_SETTINGS_MODULE": "terminal.settings"}
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        result = measure_candles()
        connection.close()
    return result


def main() -> None:
    print(json.dumps({"bench": "candles", "machine": describe()} | measure_with_servers()))


if __name__ == "__main__":
    main()
