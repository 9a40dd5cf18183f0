"""`manage.py tiers`, which needs neither a server nor a database."""

from __future__ import annotations

import json
from datetime import date
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from feeds import clock


def tiers(*arguments: str) -> str:
    output = StringIO()
    call_command("tiers", *arguments, stdout=output)
    return output.getvalue()


def report(*arguments: str) -> dict[str, Any]:
    return json.loads(tiers("--json", *arguments))


def test_the_reference_date_in_the_agreed_shape() -> None:
    printed = report("--date", "2026-02-03")
    chains = printed.pop("chains")
    assert printed == {
        "nominal": 2440,
        "unique": 2272,
        "listed": 2272,
        "subscribed": None,
        "placement": [455, 455, 454, 454, 454],
        "references": 8,
    }
    assert [(chain["underlying"], chain["segment"], chain["nominal"], chain["unique"]) for chain in chains] == [
        ("NIFTY", "NSE_FNO", 630, 630),
        ("BANKNIFTY", "NSE_FNO", 378, 378),
        ("SENSEX", "BSE_FNO", 336, 294),
        ("FINNIFTY", "NSE_FNO", 336, 294),
        ("MIDCPNIFTY", "NSE_FNO", 336, 294),
        ("BANKEX", "BSE_FNO", 336, 294),
        ("CRUDEOIL", "MCX_COMM", 44, 44),
        ("NATURALGAS", "MCX_COMM", 44, 44),
    ]
    assert list(chains[0]) == [
        "underlying",
        "segment",
        "nominal",
        "unique",
        "listed",
        "subscribed",
        "slots",
        "expiries",
        "missing",
    ]
    assert chains[0]["slots"][3] == {"kind": "WEEKLY", "rank": 4, "expiry": "2026-03-02"}
    assert chains[0]["expiries"][0] == "2026-02-03"
    assert all(chain["expiries"] == sorted(set(chain["expiries"])) for chain in chains)
    assert all(chain["missing"] == [] for chain in chains)


def test_what_the_real_exchange_lists_is_less_and_says_why() -> None:
    printed = report("--date", "2026-02-03", "--listing", "exchange")
    assert (printed["nominal"], printed["unique"], printed["listed"]) == (2440, 2272, 1380)
    assert sum(printed["placement"]) == 1380
    missing = {chain["underlying"]: chain["missing"] for chain in printed["chains"]}
    assert missing["SENSEX"] == [{"expiry": "2026-06-25", "reason": "TOO_FEW_STRIKES", "count": 20}]
    assert missing["CRUDEOIL"] == [{"expiry": "2026-05-14", "reason": "NOT_LISTED", "count": 11}]
    assert {"expiry": "2027-06-29", "reason": "NOT_LISTED", "count": 42} in missing["BANKNIFTY"]


def test_a_commodity_month_without_a_date_is_missing_as_not_known() -> None:
    crude = report("--date", "2026-11-23")["chains"][6]
    assert (crude["nominal"], crude["unique"], crude["listed"]) == (44, 22, 22)
    assert crude["slots"][3] == {"kind": "MONTHLY", "rank": 4, "expiry": None}
    assert crude["missing"] == [{"expiry": None, "reason": "NOT_KNOWN", "count": 22}]


def test_a_date_beyond_the_calendar_says_provisional() -> None:
    assert report("--date", "2027-03-02")["provisional"] is True
    assert "NSE_BSE: provisional, the calendar ends on 2026-12-31" in tiers("--date", "2027-03-02")


def test_a_holiday_is_named() -> None:
    assert "NSE_BSE: not a trading day, Republic Day" in tiers("--date", "2026-01-26")


def test_the_table_lines_up() -> None:
    lines = tiers("--date", "2026-02-03", "--listing", "exchange").splitlines()
    table = lines[lines.index("") + 1 :][:10]
    assert table[1] == "NIFTY       NSE_FNO       630     630     470           -"
    assert table[9] == "total                   2,440   2,272   1,380           -"
    assert len({len(line) for line in table}) == 1
    assert "  missing  20 of 2026-06-25: TOO_FEW_STRIKES" in lines


def test_without_a_date_it_is_the_exchanges_today() -> None:
    today = clock.exchange_today()
    assert f"{today:%A} {today}" in tiers().splitlines()[0]


@pytest.mark.parametrize("text", ["3 February", "2026-02-30", "1999-01-01", date(2036, 1, 1).isoformat()])
def test_a_date_it_cannot_answer_for_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="--date must be"):
        tiers("--date", text)
