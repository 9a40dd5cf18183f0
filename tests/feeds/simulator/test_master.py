"""The simulator's master read back by our own reader."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date

import pytest

from feeds.core.chains import SHIPPED_CHAINS
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType
from feeds.dhan.master import MasterError, MasterRow, MasterSkip, SkipReason, read_master
from feeds.simulator import master
from feeds.simulator.server import listed_on

DAY = date(2026, 2, 3)
LAYOUTS = {"compact": master.compact, "detailed": master.detailed}


@pytest.fixture(scope="module", params=["spec", "exchange"])
def listed(request):
    return listed_on(DAY, request.param)[0]


@pytest.fixture(scope="module", params=LAYOUTS)
def results(request, listed):
    return list(read_master(LAYOUTS[request.param](listed).splitlines(), DAY))


@pytest.fixture(scope="module")
def spec_rows():
    rows = read_master(master.detailed(listed_on(DAY, "spec")[0]).splitlines(), DAY)
    return {row.key: row for row in rows if isinstance(row, MasterRow)}


def test_every_row_reads_back_as_what_was_listed(listed, results):
    read = {row.key: row for row in results if isinstance(row, MasterRow)}

    assert not [row for row in results if isinstance(row, MasterError)]
    assert set(read) == {spot.key for spot in listed.spots} | {contract.key for contract in listed.contracts}
    for contract in listed.contracts:
        row = read[contract.key]
        assert (row.expiry, row.strike, row.option_type) == (
            contract.series.expiry,
            contract.strike,
            contract.option_type,
        )
        assert (row.lot_size, row.tick_size) == (contract.series.lot_size, contract.series.tick_size)
        assert row.underlying_symbol == contract.series.underlying.symbol
    for spot in listed.spots:
        assert (read[spot.key].symbol, read[spot.key].tick_size) == (spot.symbol, spot.tick_size)


def test_the_traps_of_the_real_file_are_in_it(results):
    assert Counter(row.reason for row in results if isinstance(row, MasterSkip)) == {
        SkipReason.TEST: 2,
        SkipReason.EXPIRED: 1,
        SkipReason.CURRENCY: 1,
        SkipReason.NO_FEED: 1,
    }


def test_the_detailed_layout_ends_every_line_with_a_comma():
    lines = master.detailed(listed_on(DAY, "spec")[0]).splitlines()

    assert all(line.endswith(",") for line in lines)
    assert {len(fields) for fields in csv.reader(lines)} == {33}


def test_ticks_are_paise_for_what_trades_and_rupees_for_indices():
    rows = list(csv.DictReader(master.detailed(listed_on(DAY, "spec")[0]).splitlines()))

    assert {row["TICK_SIZE"] for row in rows if row["INSTRUMENT"] == "INDEX"} == {"0.0500", "0.0100"}
    assert {row["TICK_SIZE"] for row in rows if row["INSTRUMENT"] == "OPTIDX"} == {"5.0000"}


def test_bse_derivatives_have_a_mnemonic_or_nothing_for_a_name():
    rows = list(csv.DictReader(master.detailed(listed_on(DAY, "spec")[0]).splitlines()))

    assert {row["SYMBOL_NAME"] for row in rows if row["EXCH_ID"] == "BSE" and row["INSTRUMENT"] == "OPTIDX"} == {
        "BSXOPT",
        "",
    }


@pytest.mark.parametrize(
    ("instrument", "symbol"),
    [
        ("IDX_I.13", "NIFTY"),
        ("IDX_I.25", "BANKNIFTY"),
        ("IDX_I.27", "FINNIFTY"),
        ("IDX_I.442", "MIDCPNIFTY"),
        ("IDX_I.51", "SENSEX"),
        ("IDX_I.69", "BANKEX"),
        ("IDX_I.21", "INDIA VIX"),
        ("NSE_EQ.2885", "RELIANCE"),
        ("NSE_EQ.1594", "INFY"),
        ("NSE_EQ.11536", "TCS"),
        ("NSE_EQ.1333", "HDFCBANK"),
        ("BSE_EQ.500325", "RELIANCE"),
    ],
)
def test_well_known_instruments_have_their_real_ids(spec_rows, instrument, symbol):
    assert spec_rows[InstrumentKey.parse(instrument)].symbol == symbol


def test_spec_lists_more_than_600_underlyings_with_a_window_of_options_and_a_reference_each(spec_rows):
    options = Counter(row.underlying_symbol for row in spec_rows.values() if row.option_type)
    equities = {row.symbol for row in spec_rows.values() if row.key.segment is ExchangeSegment.NSE_EQ}
    stocks = {name: count for name, count in options.items() if name in equities}

    assert len(stocks) == 623
    assert min(stocks.values()) >= 42


def test_spec_lists_everything_that_tier_b_names():
    listed = {}
    for contract in listed_on(DAY, "spec")[0].contracts:
        if contract.strike is not None:
            listed.setdefault(contract.series.underlying.symbol, set()).add(contract.series.expiry)

    assert {chain.underlying for chain in SHIPPED_CHAINS} <= set(listed)
    assert len(listed["NIFTY"]) == 15
    assert len(listed["CRUDEOIL"]) == 4


def test_exchange_lists_about_200_stocks_for_three_months():
    contracts = listed_on(DAY, "exchange")[0].contracts
    stocks = {}
    for contract in contracts:
        if contract.series.instrument_type is InstrumentType.OPTSTK:
            stocks.setdefault(contract.series.underlying.symbol, set()).add(contract.series.expiry)

    assert len(stocks) == 223
    assert {len(expiries) for expiries in stocks.values()} == {3}


def test_security_ids_are_unique_within_a_segment(listed):
    keys = [*(spot.key for spot in listed.spots), *(contract.key for contract in listed.contracts)]

    assert len(keys) == len(set(keys))


def test_commodities_have_lot_1_and_their_own_kinds(spec_rows):
    crude = [row for row in spec_rows.values() if row.underlying_symbol == "CRUDEOIL"]

    assert {row.lot_size for row in crude} == {1}
    assert {row.multiplier for row in crude} == {100}
    assert {row.instrument_type for row in crude} == {InstrumentType.OPTFUT, InstrumentType.FUTCOM}
    assert {row.key.segment for row in crude} == {ExchangeSegment.MCX_COMM}
