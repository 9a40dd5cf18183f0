"""A master arrives whole or not at all: imported, imported again, grown, shrunk, cut and broken."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from feeds import importing
from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.importing import ImportReport, MasterRefused, import_lines
from feeds.models import Instrument
from tests.feeds.dhan.test_master import (
    CRUDE_FUTURE,
    CRUDE_OPTION,
    DAY,
    DETAILED,
    NIFTY_FUTURE,
    NIFTY_INDEX,
    NIFTY_OPTION,
    RELIANCE,
    SENSEX_OPTION,
)

MASTER = [DETAILED, NIFTY_INDEX, NIFTY_OPTION, SENSEX_OPTION, NIFTY_FUTURE, CRUDE_FUTURE, CRUDE_OPTION, RELIANCE]
RELIANCE_CODE = InstrumentKey(ExchangeSegment.NSE_EQ, 2885).code

pytestmark = pytest.mark.django_db


def import_(*lines: str, day: date = DAY) -> ImportReport:
    return import_lines(lines, day=day)


def everything() -> list[dict[str, object]]:
    return list(Instrument.objects.order_by("code").values())


def test_a_master_becomes_instruments_counted_by_type() -> None:
    report = import_(*MASTER)
    assert (report.rows, report.written, report.delisted, report.errors) == (7, 7, 0, 0)
    assert report.by_type == {"INDEX": 1, "OPTIDX": 2, "FUTIDX": 1, "FUTCOM": 1, "OPTFUT": 1, "EQUITY": 1}
    reliance = Instrument.objects.get(code=RELIANCE_CODE)
    assert (reliance.symbol, reliance.tick_size, reliance.lot_size, reliance.listed_on) == ("RELIANCE", 10, 1, DAY)


def test_importing_it_again_writes_nothing() -> None:
    import_(*MASTER)
    before = everything()
    assert import_(*MASTER).written == 0
    assert everything() == before


def test_a_changed_row_is_written_and_the_others_are_not() -> None:
    import_(*MASTER)
    report = import_(*MASTER[:-1], RELIANCE.replace("10.0000", "5.0000"))
    assert report.written == 1
    assert Instrument.objects.get(code=RELIANCE_CODE).tick_size == 5


def test_a_row_that_is_no_longer_named_is_delisted_and_listed_again_when_it_returns() -> None:
    import_(*MASTER)
    assert import_(*MASTER[:-1]).delisted == 1
    assert not Instrument.objects.get(code=RELIANCE_CODE).is_listed
    import_(*MASTER)
    assert Instrument.objects.get(code=RELIANCE_CODE).is_listed


def test_a_contract_past_its_expiry_is_delisted_though_the_file_lingers_on_it() -> None:
    import_(*MASTER)
    report = import_(*MASTER, day=date(2026, 9, 16))
    assert report.skipped == {"EXPIRED": 1}
    assert not Instrument.objects.get(code=InstrumentKey(ExchangeSegment.NSE_FNO, 47317).code).is_listed


def test_a_bad_row_is_reported_and_the_rest_imported() -> None:
    report = import_(*MASTER, RELIANCE.replace("2885", "-1"))
    assert (report.rows, report.errors) == (7, 1)
    assert report.as_json()["first_errors"] == [
        {"line": 9, "reason": "security id is not a whole number that fits: '-1'"}
    ]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "empty"),
        ([DETAILED], "no rows"),
        ([*MASTER[:-1], RELIANCE[:30]], "cut"),
        (MASTER[:4], "looks cut"),
        (["<html>gateway timeout</html>\n"], "not a master"),
        ([DETAILED, *(RELIANCE.replace("2885", "x") for _ in range(200)), NIFTY_INDEX], "200 bad rows"),
    ],
)
def test_what_is_not_a_whole_master_changes_nothing(lines: list[str], reason: str) -> None:
    import_(*MASTER)
    before = everything()
    with pytest.raises(MasterRefused, match=reason):
        import_(*lines)
    assert everything() == before


def test_the_command_imports_a_file_and_sums_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "master.csv"
    file.write_text("".join(MASTER))
    call_command("importinstruments", file=str(file), date=DAY)
    printed = capsys.readouterr().out
    assert "OPTIDX           2" in printed
    assert "7 listed on 2026-09-14, 7 written, 0 delisted, 0 bad rows" in printed


def test_the_command_says_in_one_line_why_it_changed_nothing(tmp_path: Path) -> None:
    file = tmp_path / "master.csv"
    file.write_text("")
    with pytest.raises(CommandError, match=r"^nothing changed: the master is empty$"):
        call_command("importinstruments", file=str(file), date=DAY)


def test_lines_are_whole_however_the_download_is_cut_into_pieces() -> None:
    assert list(importing._lines(["ab", "c\nde", "\n", "f"])) == ["abc\n", "de\n", "f"]
