"""The figures that ship in `oms/data`: facts of the exchanges, each from a day on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parent.parent / "data"


@cache
def read_data(name: str) -> Any:
    """One of the JSON files. It is shared: nobody changes it."""
    return json.loads((DATA / name).read_text(encoding="utf-8"))


def holding_on(rows: Sequence[Any], day: date) -> Any:
    """The row that holds on a day, of rows in the order of their dates; before the first there is that one."""
    begun = [row for row in rows if date.fromisoformat(row["from"]) <= day]
    return begun[-1] if begun else rows[0]
