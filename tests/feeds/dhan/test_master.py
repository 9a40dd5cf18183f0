"""The master's traps, one by one on small literal rows, and the real rows when they are at hand."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType, OptionType
from feeds.dhan.master import MasterError, MasterRow, MasterSkip, SkipReason, UnreadableMaster, read_master

SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "reference" / "dhan-samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the real sample rows are not on this machine")

DETAILED = (
    "EXCH_ID,SEGMENT,SECURITY_ID,ISIN,INSTRUMENT,UNDERLYING_SECURITY_ID,UNDERLYING_SYMBOL,SYMBOL_NAME,"
    "DISPLAY_NAME,INSTRUMENT_TYPE,SERIES,LOT_SIZE,SM_EXPIRY_DATE,STRIKE_PRICE,OPTION_TYPE,TICK_SIZE,EXPIRY_FLAG,"
    "SM_UPPER_LIMIT,SM_LOWER_LIMIT,SM_FREEZE_QTY,\n"
)
COMPACT = (
    "SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,SEM_INSTRUMENT_NAME,SEM_EXPIRY_CODE,SEM_TRADING_SYMBOL,"
    "SEM_LOT_UNITS,SEM_CUSTOM_SYMBOL,SEM_EXPIRY_DATE,SEM_STRIKE_PRICE,SEM_OPTION_TYPE,SEM_TICK_SIZE,"
    "SEM_EXPIRY_FLAG,SEM_EXCH_INSTRUMENT_TYPE,SEM_SERIES,SM_SYMBOL_NAME\n"
)
NIFTY_OPTION = (
    "NSE,D,47317,NA,OPTIDX,26000,NIFTY,NIFTY-Sep2026-23950-CE,NIFTY 15 SEP 23950 CALL,OP,NA,65.0,2026-09-15,"
    "23950.00000,CE,5.0000,W,4500.4000,3369.3000,1756,\n"
)
SENSEX_OPTION = (
    "BSE,D,869699,NA,OPTIDX,1,SENSEX,BSXOPT,SENSEX 17 SEP 74300 CALL,OPTIDX,NA,20.0,2026-09-17,74300.00000,CE,"
    "5.0000,W,0,0,1000,\n"
)
NIFTY_FUTURE = (
    "NSE,D,68407,NA,FUTIDX,26000,NIFTY,NIFTY-Sep2026-FUT,NIFTY SEP FUT,FUT,NA,65.0,2026-09-29,-0.01000,XX,10.0000,M,"
    "0,0,1756,\n"
)
CRUDE_FUTURE = (
    "MCX,M,565899,NA,FUTCOM,294,CRUDEOIL,CRUDEOIL,CRUDEOIL SEP FUT,FUTCOM,2,1.0,2026-09-21,0.00000,XX,100.0000,M,"
    "0,0,100,\n"
)
CRUDE_OPTION = (
    "MCX,M,576398,NA,OPTFUT,294,CRUDEOIL,CRUDEOIL,CRUDEOIL 17 SEP 9500 CALL,OPTFUT,2,1.0,2026-09-17,9500.00000,CE,"
    "10.0000,M,0,0,100,\n"
)
RELIANCE = (
    "NSE,E,2885,INE002A01018,EQUITY,,RELIANCE,RELIANCE INDUSTRIES LTD,Reliance Industries,ES,EQ,1.0,,,,10.0000,NA,"
    "0,0,0,\n"
)
NIFTY_INDEX = "NSE,I,13,NA,INDEX,13,NIFTY,NIFTY,Nifty 50,INDEX,NA,1.0,0001-01-01,,XX,0.0500,N,0.0000,0.0000,0,\n"
DAY = date(2026, 9, 14)


def read(*lines: str, header: str = DETAILED, day: date = DAY) -> list[MasterRow | MasterSkip | MasterError]:
    return list(read_master([header, *lines], day))


def only_row(*lines: str, header: str = DETAILED) -> MasterRow:
    (row,) = read(*lines, header=header)
    assert isinstance(row, MasterRow), row
    return row


def test_an_option_of_the_detailed_layout_is_read_whole() -> None:
    assert only_row(NIFTY_OPTION) == MasterRow(
        line=2,
        key=InstrumentKey(ExchangeSegment.NSE_FNO, 47317),
        instrument_type=InstrumentType.OPTIDX,
        symbol="NIFTY-Sep2026-23950-CE",
        name="NIFTY 15 SEP 23950 CALL",
        underlying_symbol="NIFTY",
        underlying_security_id=26000,
        expiry=date(2026, 9, 15),
        strike=2_395_000,
        option_type=OptionType.CALL,
        lot_size=65,
        tick_size=5,
        multiplier=1,
        freeze_quantity=1756,
        lower_limit=336_930,
        upper_limit=450_040,
        isin="",
        series="",
        expiry_flag="W",
    )


@pytest.mark.parametrize(
    ("line", "tick_size"),
    [(NIFTY_OPTION, 5), (RELIANCE, 10), (CRUDE_FUTURE, 100), (CRUDE_OPTION, 10), (NIFTY_INDEX, 5)],
)
def test_ticks_are_paise_for_what_is_traded_and_rupees_for_indices(line: str, tick_size: int) -> None:
    assert only_row(line).tick_size == tick_size


@pytest.mark.parametrize("line", [NIFTY_FUTURE, CRUDE_FUTURE, CRUDE_FUTURE.replace("0.00000", "")])
def test_a_future_has_no_strike_however_the_file_says_so(line: str) -> None:
    row = only_row(line)
    assert (row.strike, row.option_type) == (None, None)


def test_the_lot_of_crude_is_one_and_its_multiplier_a_hundred() -> None:
    row = only_row(CRUDE_FUTURE)
    assert (row.lot_size, row.multiplier, row.freeze_quantity) == (1, 100, 100)


def test_a_mnemonic_is_replaced_by_a_symbol_that_says_what_it_is() -> None:
    assert only_row(SENSEX_OPTION).symbol == "SENSEX-17Sep2026-74300-CE"
    assert only_row(CRUDE_FUTURE).symbol == "CRUDEOIL-21Sep2026-FUT"


def test_blank_names_fall_back_to_the_symbol() -> None:
    row = only_row(SENSEX_OPTION.replace("BSXOPT", "").replace("SENSEX 17 SEP 74300 CALL", ""))
    assert row.symbol == row.name == "SENSEX-17Sep2026-74300-CE"


def test_an_index_has_no_expiry_though_the_file_names_the_year_one() -> None:
    row = only_row(NIFTY_INDEX)
    assert (row.expiry, row.key, row.symbol, row.name) == (
        None,
        InstrumentKey(ExchangeSegment.IDX_I, 13),
        "NIFTY",
        "Nifty 50",
    )


def test_a_share_is_called_by_its_ticker_and_not_by_its_company() -> None:
    row = only_row(RELIANCE)
    assert (row.symbol, row.name, row.isin, row.series) == ("RELIANCE", "Reliance Industries", "INE002A01018", "EQ")


def test_test_scrips_expired_contracts_and_currencies_are_skipped_with_their_reason() -> None:
    assert read(
        NIFTY_FUTURE.replace("NIFTY", "011NSETEST"),
        NIFTY_OPTION.replace("2026-09-15", "2026-09-13"),
        NIFTY_FUTURE.replace("NSE,D", "BSE,C").replace("FUTIDX", "FUTCUR"),
        NIFTY_FUTURE.replace("NSE,D", "NSE,M"),
    ) == [
        MasterSkip(2, SkipReason.TEST),
        MasterSkip(3, SkipReason.EXPIRED),
        MasterSkip(4, SkipReason.CURRENCY),
        MasterSkip(5, SkipReason.NO_FEED),
    ]


def test_a_contract_still_lists_on_the_day_it_expires() -> None:
    (row,) = read(NIFTY_OPTION, day=date(2026, 9, 15))
    assert isinstance(row, MasterRow)


def test_dates_left_by_a_spreadsheet_are_day_month_year() -> None:
    assert only_row(NIFTY_FUTURE.replace("2026-09-29", "31/12/26")).expiry == date(2026, 12, 31)


def test_the_compact_layout_finds_the_underlying_in_the_symbol() -> None:
    rows = read(
        "MCX,M,569900,FUTCOM,0,CRUDEOIL-19Oct2026-FUT,1.0,CRUDEOIL OCT FUT,2026-10-19 23:30:00,0.00000,"
        "XX,100.0000,M,FUTCOM,2,CRUDEOIL\n",
        "NSE,D,58932,FUTSTK,0,BAJAJ-AUTO-Sep2026-FUT,75.0,BAJAJ-AUTO SEP FUT,2026-09-29 14:30:00,-0.01000,"
        "XX,5.0000,M,FUT,,\n",
        "BSE,D,869699,OPTIDX,0,BSXOPT,20.0,SENSEX 17 SEP 74300 CALL,2026-09-17 14:30:00,74300.00000,"
        "CE,5.0000,W,OPTIDX,,\n",
        "NSE,I,13,INDEX,0,NIFTY,1,Nifty 50,0001-01-01,,XX,0.05,,INDEX,X,NIFTY\n",
        "NSE,E,2885,EQUITY,0,RELIANCE,1,Reliance Industries,,,,10,NA,ES,EQ,RELIANCE INDUSTRIES LTD\n",
        header=COMPACT,
    )
    assert [(row.underlying_symbol, row.symbol, row.expiry) for row in rows if isinstance(row, MasterRow)] == [
        ("CRUDEOIL", "CRUDEOIL-19Oct2026-FUT", date(2026, 10, 19)),
        ("BAJAJ-AUTO", "BAJAJ-AUTO-Sep2026-FUT", date(2026, 9, 29)),
        ("SENSEX", "SENSEX-17Sep2026-74300-CE", date(2026, 9, 17)),
        ("NIFTY", "NIFTY", None),
        ("RELIANCE", "RELIANCE", None),
    ]


def test_columns_are_found_by_name_in_any_order_with_a_byte_order_mark() -> None:
    names = DETAILED.strip().rstrip(",").split(",")
    values = NIFTY_OPTION.strip().rstrip(",").split(",")
    header = "\ufeff" + ",".join(reversed(names)) + "\r\n"
    line = ",".join(reversed(values)) + "\r\n"
    (row,) = read_master([header, line], DAY)
    assert isinstance(row, MasterRow)
    assert row == only_row(NIFTY_OPTION)


def test_a_quoted_comma_belongs_to_the_name() -> None:
    assert only_row(RELIANCE.replace("Reliance Industries", '"Reliance, Industries"')).name == "Reliance, Industries"


def test_a_stray_quote_costs_one_line_and_not_the_file() -> None:
    bad, good = read(RELIANCE.replace("Reliance Industries", '"Reliance'), NIFTY_OPTION)
    assert isinstance(bad, MasterError)
    assert isinstance(good, MasterRow)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (",47317,", ",,", "security id is not a number: ''"),
        (",47317,", ",47317.5,", "security id is not a whole number that fits: '47317.5'"),
        (",47317,", ",99999999999,", "security id is not a whole number that fits: '99999999999'"),
        ("OPTIDX", "WARRANT", "unknown instrument 'WARRANT'"),
        ("NSE,D", "LSE,D", "unknown exchange and segment 'LSE' 'D'"),
        ("23950.00000,CE", "0,CE", "OPTIDX without a strike: '0'"),
        ("23950.00000,CE", "23950.00000,XX", "option type 'XX' is neither CE nor PE"),
        ("2026-09-15", "0001-01-01", "OPTIDX without an expiry"),
        ("2026-09-15", "2026-13-15", "not a date: '2026-13-15'"),
        (",65.0,", ",0,", "lot size is 0"),
        (",5.0000,", ",0.25,", "tick size is not whole paise: '0.25'"),
        ("1756,\n", "1756,,,\n", "23 fields, the header has 21"),
        ("NIFTY 15", "NIFTY \ufffd", "not UTF-8 text"),
        ("NIFTY 15", "NIFTY" * 40, "name is longer than 160 characters"),
    ],
)
def test_a_bad_row_is_an_error_with_its_line_and_reason_and_the_next_is_read(old: str, new: str, reason: str) -> None:
    bad, good = read(NIFTY_OPTION.replace(old, new, 1), RELIANCE)
    assert bad == MasterError(2, reason)
    assert isinstance(good, MasterRow)


def test_a_key_named_twice_is_an_error_the_second_time() -> None:
    first, second = read(NIFTY_OPTION, NIFTY_OPTION)
    assert isinstance(first, MasterRow)
    assert second == MasterError(3, "NSE_FNO.47317 again: first on line 2")


@pytest.mark.parametrize("lines", [[], [DETAILED], ["hello,world\n", "1,2\n"], ["<html>\n", "</html>\n"]])
def test_what_is_not_a_master_is_refused(lines: list[str]) -> None:
    with pytest.raises(UnreadableMaster):
        list(read_master(lines, DAY))


@given(st.integers(min_value=1, max_value=len(RELIANCE) - 2))
def test_a_file_cut_anywhere_in_its_last_line_is_refused(length: int) -> None:
    with pytest.raises(UnreadableMaster):
        list(read_master([DETAILED, NIFTY_OPTION, RELIANCE[:length]], DAY))


@given(st.text(max_size=200))
@example('"\r0')
def test_any_line_is_a_row_a_skip_or_an_error_and_never_an_exception(text: str) -> None:
    results = read(text.replace("\n", ""), NIFTY_OPTION)
    assert isinstance(results[-1], MasterRow)


def sample(name: str) -> Iterator[str]:
    path = SAMPLES / name
    with gzip.open(path, "rt") if name.endswith(".gz") else path.open() as file:  # type: ignore[attr-defined]
        yield from file


@needs_samples
@pytest.mark.parametrize(
    ("name", "day", "rows", "skips"),
    [
        (
            "detailed_nse_equity_2026-04-15.csv.gz",
            date(2026, 4, 15),
            {"EQUITY": 9_328, "INDEX": 119},
            {"TEST": 22},
        ),
        ("detailed_nse_index_rows_2026-04-15.csv", date(2026, 4, 15), {"INDEX": 119}, {}),
        ("detailed_nse_futstk_2025-07.csv", date(2025, 7, 1), {"FUTSTK": 644}, {"TEST": 18}),
        ("detailed_nse_futstk_2025-07.csv", date(2025, 8, 1), {"FUTSTK": 420}, {"TEST": 18, "EXPIRED": 224}),
        ("compact_index_rows_2026-06-29.csv", date(2026, 6, 29), {"INDEX": 191}, {}),
        ("compact_rows_mixed_2026.csv", date(2026, 9, 14), {"INDEX": 1, "EQUITY": 1, "FUTCOM": 4}, {}),
        ("compact_rows_shape_only.csv", date(2026, 9, 14), {"FUTSTK": 1}, {}),
        (
            "detailed_rows_real_2026-09-14_trimmed.csv",
            date(2026, 9, 14),
            {"INDEX": 1, "OPTIDX": 3, "FUTIDX": 1, "FUTCOM": 1, "OPTFUT": 1, "EQUITY": 1},
            {},
        ),
        ("detailed_full_header_2026-08-26_rows.csv", date(2026, 8, 26), {"INDEX": 1, "OPTIDX": 2}, {}),
    ],
)
def test_the_real_rows_read_with_the_right_counts(
    name: str, day: date, rows: dict[str, int], skips: dict[str, int]
) -> None:
    results = list(read_master(sample(name), day))
    assert [result for result in results if isinstance(result, MasterError)] == []
    assert Counter(result.instrument_type.value for result in results if isinstance(result, MasterRow)) == rows
    assert Counter(result.reason.value for result in results if isinstance(result, MasterSkip)) == skips
