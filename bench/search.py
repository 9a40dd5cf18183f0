"""python -m bench.search: instrument search at 200,000 rows, ours beside a naive ILIKE, as one JSON object."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

from bench import machine
from terminal.embedded import EmbeddedServers, temporary_data

ROWS = 200_000
DAY = date(2026, 2, 3)
REPEATS = 8
PEER_REPEATS = 2
INDICES = ("NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "SENSEX", "BANKEX")
NAMED = ("RELIANCE", "INFY", "TCS", "HDFCBANK", "ICICIBANK", "SBIN", "M&M", "BAJAJ-AUTO", "NATIONALUM", "NAUKRI")
SHARES = 9_000
STOCKS_WITH_OPTIONS = 200
SERIES_SIZE = 5_000
"""Contracts between one expiry and the next."""
QUERIES = (
    "nifty 26000 ce", "reliance", "banknifty feb fut", "nifty", "n", "re", "nifty 24 feb 26000 pe", "sensex 83000",
    "m&m", "bajaj-auto", "ce", "2026", "feb", "26000", "infy 1500 call", "reliance feb", "bank", "finnifty put",
    "NIFTY-Feb2026-26000-CE", "stock0100 1200", "crude", "hdfc", "icici 900 pe", "nif 25 ce", "zzzz",
)  # fmt: skip
HEADER = (
    "EXCH_ID,SEGMENT,SECURITY_ID,ISIN,INSTRUMENT,UNDERLYING_SECURITY_ID,UNDERLYING_SYMBOL,SYMBOL_NAME,DISPLAY_NAME,"
    "INSTRUMENT_TYPE,SERIES,LOT_SIZE,SM_EXPIRY_DATE,STRIKE_PRICE,OPTION_TYPE,TICK_SIZE,EXPIRY_FLAG,\n"
)


def lines(rows: int = ROWS) -> Iterator[str]:
    """A master of the real one's size and mixture: indices, shares, and options up to the wanted count."""
    yield HEADER
    identity = 1
    for name in INDICES:
        yield f"NSE,I,{identity},NA,INDEX,{identity},{name},{name},{name} Index,INDEX,NA,1,0001-01-01,,XX,0.05,N,\n"
        identity += 1
    shares = [*NAMED, *(f"STOCK{number:04d}" for number in range(SHARES - len(NAMED)))]
    for name in shares:
        yield f"NSE,E,{identity},INE{identity:09d},EQUITY,,{name},{name} LTD,{name} Limited,ES,EQ,1,,,,5,NA,\n"
        identity += 1
    underlyings = [*INDICES * 4, *shares[:STOCKS_WITH_OPTIONS]]
    while identity <= rows:
        for position, name in enumerate(underlyings):
            for strike in range(21):
                yield from contract(identity, name, position, strike)
                identity += 2
                if identity > rows:
                    return


def contract(identity: int, name: str, position: int, strike: int) -> Iterator[str]:
    kind = "OPTIDX" if name in INDICES else "OPTSTK"
    level, step = (26_000, 50) if name in INDICES else (1_000, 5)
    series = identity // SERIES_SIZE
    expiry = DAY + timedelta(days=7 * (series + position % 4))
    level += step * (strike - 10 + 21 * (series % 7 - 3))
    for offset, side, word in ((0, "CE", "CALL"), (1, "PE", "PUT")):
        yield (
            f"NSE,D,{identity + offset},NA,{kind},1,{name},{name}-{expiry:%b%Y}-{level}-{side},"
            f"{name} {expiry.day} {expiry:%b} {level} {word},OP,NA,65,{expiry},{level},{side},5,M,\n"
        )


def milliseconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) * 1000


def naive(text: str) -> None:
    """The peer: every word ILIKE anywhere in symbol or name, as a first version of such a search is written."""
    from feeds.models import Instrument

    rows = Instrument.objects.filter(is_listed=True)
    for word in text.split():
        rows = rows.filter(symbol__icontains=word) | rows.filter(name__icontains=word)
    list(rows.order_by("symbol")[:50])


def percentiles(times: list[float]) -> dict[str, float]:
    ranked = statistics.quantiles(times, n=100, method="inclusive")
    return {"p50_ms": round(ranked[49], 2), "p95_ms": round(ranked[94], 2), "max_ms": round(max(times), 2)}


def measure(folder: Path) -> dict[str, object]:
    with EmbeddedServers(folder) as servers:
        os.environ |= servers.environment | {"DJANGO_SETTINGS_MODULE": "terminal.settings"}
        import django

        django.setup()
        from django.core.management import call_command

        from feeds.importing import import_lines
        from feeds.selectors import search

        call_command("migrate", verbosity=0)
        import_ms = milliseconds(lambda: import_lines(lines(), day=DAY))
        again_ms = milliseconds(lambda: import_lines(lines(), day=DAY))
        for query in QUERIES:
            search(query, DAY)
        by_query = {q: [milliseconds(lambda q=q: search(q, DAY)) for _ in range(REPEATS)] for q in QUERIES}
        ours = percentiles([each for times in by_query.values() for each in times])
        peer = percentiles([milliseconds(lambda q=q: naive(q)) for q in QUERIES for _ in range(PEER_REPEATS)])
    return {
        "bench": "search",
        "rows": ROWS,
        "ours": ours,
        "peer": {"what": "ILIKE on symbol and name", **peer},
        "ratio": round(peer["p95_ms"] / ours["p95_ms"], 1),
        "import_seconds": round(import_ms / 1000, 2),
        "import_again_seconds": round(again_ms / 1000, 2),
        "slowest": {
            q: round(statistics.median(t), 1) for q, t in sorted(by_query.items(), key=lambda i: -max(i[1]))[:8]
        },
        "ok": ours["p95_ms"] < 50,
        "machine": machine.describe(),
    }


def main() -> int:
    with temporary_data("bench-search-") as folder:
        result = measure(Path(folder))
    print(json.dumps(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
