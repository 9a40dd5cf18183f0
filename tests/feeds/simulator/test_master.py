"""The simulator's master read back by our own reader."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date
from functools import cache

import pytest

from feeds.core.chains import SHIPPED_CHAINS
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType
from feeds.dhan.master import MasterError, MasterRow, MasterSkip, SkipReason, read_master
from feeds.simulator import master
from feeds.simulator.server import listed_on

DAY = date(2026, 2, 3)
LAYOUTS = {"compact": master.compact, "detailed": master.detailed}


@cache
def listing(size):
    return listed_on(DAY, size)[0]


@cache
def lines(layout, size):
    return LAYOUTS[layout](listing(size)).splitlines()


@cache
def read(layout, size):
    """Fifty or sixty thousand lines, read once for all who ask."""
    return list(read_master(lines(layout, size), DAY))


@pytest.fixture(params=["spec", "exchange"])
def size(request):
    return request.param


@pytest.fixture
def listed(size):
    return listing(size)


@pytest.fixture(params=LAYOUTS)
def results(request, size):
    return read(request.param, size)


@pytest.fixture(scope="module")
def spec_rows():
    return {row.key: row for row in read("detailed", "spec") if isinstance(row, MasterRow)}


@pytest.fixture(scope="module", autouse=True)
def forgotten():
    """What was read is not kept for the other files of the run."""
    yield
    for kept in (listing, lines, read):
        kept.cache_clear()


def test_every_row_reads_back_as_what_was_listed(listed, results):
    found = {row.key: row for row in results if isinstance(row, MasterRow)}

    assert not [row for row in results if isinstance(row, MasterError)]
    assert set(found) == {spot.key for spot in listed.spots} | {contract.key for contract in listed.contracts}
    for contract in listed.contracts:
        row = found[contract.key]
        assert (row.expiry, row.strike, row.option_type) == (
            contract.series.expiry,
            contract.strike,
            contract.option_type,
        )
        assert (row.lot_size, row.tick_size) == (contract.series.lot_size, contract.series.tick_size)
        assert row.underlying_symbol == contract.series.underlying.symbol
    for spot in listed.spots:
        assert (found[spot.key].symbol, found[spot.key].tick_size) == (spot.symbol, spot.tick_size)


def test_the_traps_of_the_real_file_are_in_it(results):
    assert Counter(row.reason for row in results if isinstance(row, MasterSkip)) == {
        SkipReason.TEST: 2,
        SkipReason.EXPIRED: 1,
        SkipReason.CURRENCY: 1,
        SkipReason.NO_FEED: 1,
    }


def test_the_detailed_layout_ends_every_line_with_a_comma():
    assert all(line.endswith(",") for line in lines("detailed", "spec"))
    assert {len(fields) for fields in csv.reader(lines("detailed", "spec"))} == {33}


def test_ticks_are_paise_for_what_trades_and_rupees_for_indices():
    rows = list(csv.DictReader(lines("detailed", "spec")))

    assert {row["TICK_SIZE"] for row in rows if row["INSTRUMENT"] == "INDEX"} == {"0.0500", "0.0100"}
    assert {row["TICK_SIZE"] for row in rows if row["INSTRUMENT"] == "OPTIDX"} == {"5.0000"}


def test_bse_derivatives_have_a_mnemonic_or_nothing_for_a_name():
    rows = list(csv.DictReader(lines("detailed", "spec")))

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
    for contract in listing("spec").contracts:
        if contract.strike is not None:
            listed.setdefault(contract.series.underlying.symbol, set()).add(contract.series.expiry)

    assert {chain.underlying for chain in SHIPPED_CHAINS} <= set(listed)
    assert len(listed["NIFTY"]) == 15
    assert len(listed["CRUDEOIL"]) == 4


def test_exchange_lists_about_200_stocks_for_three_months():
    contracts = listing("exchange").contracts
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
