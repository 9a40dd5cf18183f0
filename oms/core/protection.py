"""Market price protection: the limit that a market order is matched at. Prices are paise."""

from __future__ import annotations

import json
from datetime import date
from functools import cache
from pathlib import Path
from typing import NamedTuple

from feeds.core.instrument import OPTION_TYPES, InstrumentType
from oms.core.order import Side

DATA = Path(__file__).resolve().parent.parent / "data" / "market_protection.json"


class Step(NamedTuple):
    """Up to this last price (paise), that many per cent."""

    up_to: int
    percent: int


class Table(NamedTuple):
    """The steps in force from a day on, cheapest first."""

    start: date
    steps: tuple[Step, ...]


def protected_price(side: Side, last_price: int, tick_size: int, instrument_type: InstrumentType, on: date) -> int:
    """The last price and the protection of that day, on the tick and never beyond the protection; one tick at least."""
    percent = _percent(last_price, instrument_type, on)
    beyond = last_price * (100 + side.sign * percent)
    ticks = beyond // (100 * tick_size) if side is Side.BUY else -(-beyond // (100 * tick_size))
    return max(ticks, 1) * tick_size


def _percent(last_price: int, instrument_type: InstrumentType, on: date) -> int:
    tables = _tables("options" if instrument_type in OPTION_TYPES else "others")
    steps = next((table.steps for table in reversed(tables) if table.start <= on), tables[0].steps)
    return next((step.percent for step in steps if last_price <= step.up_to), steps[-1].percent)


@cache
def _tables(kind: str) -> tuple[Table, ...]:
    rows = json.loads(DATA.read_text(encoding="utf-8"))[kind]
    return tuple(
        Table(date.fromisoformat(row["from"]), tuple(Step(step["up_to"], step["percent"]) for step in row["steps"]))
        for row in rows
    )
