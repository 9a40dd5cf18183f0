"""Finding instruments: by words as people type them, by symbol, by what their options are on."""

from __future__ import annotations

from datetime import date

import pytest

from feeds.core.instrument import ExchangeSegment, InstrumentKey
from feeds.importing import import_lines
from feeds.models import Instrument
from feeds.selectors import (
    AmbiguousSymbol,
    UnknownInstruments,
    by_keys,
    by_symbols,
    nearest_options,
    option_underlyings,
    prefix_query,
    search,
)
from tests.feeds.market_rows import TODAY, future, index, master, option, share

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def market() -> None:
    expiries = (date(2026, 2, 10), date(2026, 2, 24), date(2026, 3, 30))
    rows = [
        index(13, "NIFTY", "Nifty 50"),
        index(25, "BANKNIFTY", "Nifty Bank"),
        index(38, "NIFTYNXT50", "Nifty Next 50"),
    ]
    rows += [
        share(2885, "RELIANCE"),
        share(500325, "RELIANCE", exchange="BSE"),
        share(2031, "M&M"),
        share(99, "RELINFRA"),
    ]
    rows += [future(900 + n, "BANKNIFTY", expiry) for n, expiry in enumerate(expiries)]
    identity = 1000
    for name, strikes in (("NIFTY", (25_900, 26_000, 26_100)), ("RELIANCE", (1400, 1420))):
        for expiry in expiries:
            for strike in strikes:
                for side in ("CE", "PE"):
                    rows.append(option(identity, name, expiry, strike, side))
                    identity += 1
    rows += [
        future(1, "CRUDEOIL", date(2026, 2, 19), exchange="MCX"),
        future(2, "CRUDEOIL", date(2026, 3, 19), exchange="MCX"),
    ]
    rows += [option(3, "CRUDEOIL", date(2026, 2, 17), 5700, "CE", exchange="MCX")]
    import_lines(master(rows), day=TODAY)


def found(text: str, **filters: object) -> list[str]:
    return [row.symbol for row in search(text, TODAY, filters=filters)]


def test_an_option_is_found_by_underlying_strike_and_side_nearest_expiry_first() -> None:
    rows = search("nifty 26000 ce", TODAY)
    assert [(row.strike, row.option_type, row.expiry) for row in rows] == [
        (2_600_000, "CALL", date(2026, 2, 10)),
        (2_600_000, "CALL", date(2026, 2, 24)),
        (2_600_000, "CALL", date(2026, 3, 30)),
    ]


@pytest.mark.parametrize("text", ["nifty 24 feb 26000 pe", "NIFTY 24FEB2026 26000 put", "26000 put nifty 2026-02-24"])
def test_the_expiry_may_be_said_in_several_ways(text: str) -> None:
    (row,) = search(text, TODAY)
    assert (row.expiry, row.option_type) == (date(2026, 2, 24), "PUT")


def test_an_exact_symbol_comes_first_nse_before_bse_then_what_begins_like_it() -> None:
    rows = search("reliance", TODAY)
    assert [str(row.key) for row in rows[:2]] == ["NSE_EQ.2885", "BSE_EQ.500325"]
    assert found("rel")[:3] == ["RELIANCE", "RELINFRA", "RELIANCE"]
    assert found("nifty")[:2] == ["NIFTY", "NIFTYNXT50"]


def test_futures_are_found_by_month() -> None:
    assert [row.expiry for row in search("banknifty feb fut", TODAY)] == [date(2026, 2, 10), date(2026, 2, 24)]


def test_a_commodity_shows_its_futures_before_its_options() -> None:
    assert [str(row.key) for row in search("crudeoil", TODAY)] == ["MCX_COMM.1", "MCX_COMM.2", "MCX_COMM.3"]


def test_however_much_matches_the_nearest_expiries_come_first() -> None:
    contracts = [row.expiry for row in search("options", TODAY, limit=10)]
    assert set(contracts) == {date(2026, 2, 10)}


@pytest.mark.parametrize("text", ["m&m", "mm", "M&M"])
def test_a_name_with_a_sign_in_it_is_found_with_and_without_it(text: str) -> None:
    assert found(text)[0] == "M&M"


def test_one_letter_finds_indices_and_shares_and_not_every_contract() -> None:
    assert found("n")[:3] == ["NIFTY", "NIFTYNXT50", "BANKNIFTY"]
    assert {row.expiry for row in search("n", TODAY)} == {None}


def test_filters_narrow_a_search() -> None:
    assert {row.expiry for row in search("nifty", TODAY, filters={"expiry": date(2026, 2, 24)})} == {date(2026, 2, 24)}
    assert found("reliance", segment=ExchangeSegment.BSE_EQ) == ["RELIANCE"]


@pytest.mark.parametrize("text", ["", "   ", "&&&", "'; drop table", "a:* | b", "(", "!nifty", "\\", "x" * 5000])
def test_no_text_breaks_a_search(text: str) -> None:
    search(text, TODAY)


def test_expired_contracts_are_not_found() -> None:
    assert {row.expiry for row in search("banknifty fut", date(2026, 2, 11))} == {date(2026, 2, 24), date(2026, 3, 30)}


def test_the_query_language_of_the_database_is_never_reached() -> None:
    assert prefix_query(["nifty", "26000", "ce"], 3) == "nifty:* & 26000:* & ce"
    assert prefix_query(["m&m"], 1) == "(mm:* | (m & m))"
    assert prefix_query(["!", "a|b:*"], 3) == "(ab | (a & b))"


def test_symbols_name_the_index_the_nse_share_and_the_future_of_the_nearest_options() -> None:
    assert [str(row.key) for row in by_symbols(["NIFTY", "reliance", "CRUDEOIL"], TODAY)] == [
        "IDX_I.13",
        "NSE_EQ.2885",
        "MCX_COMM.1",
    ]


def test_a_symbol_that_several_contracts_share_is_refused_with_their_keys() -> None:
    with pytest.raises(AmbiguousSymbol) as refused:
        by_symbols(["NIFTY-Feb2026-26000-CE"], TODAY)
    assert len(refused.value.details["instruments"]) == 2


def test_unknown_names_are_all_named() -> None:
    with pytest.raises(UnknownInstruments) as refused:
        by_symbols(["NIFTY", "NOSUCH", "NOR-THIS"], TODAY)
    assert refused.value.details == {"unknown": ["NOR-THIS", "NOSUCH"]}
    with pytest.raises(UnknownInstruments) as refused:
        by_keys([InstrumentKey(ExchangeSegment.NSE_EQ, 1)])
    assert refused.value.details == {"unknown": ["NSE_EQ.1"]}


def test_the_nearest_options_of_an_index_a_share_and_a_commodity() -> None:
    rows = by_symbols(["NIFTY", "RELIANCE", "CRUDEOIL", "RELINFRA"], TODAY)
    underlyings = [underlying for row in rows for underlying in option_underlyings(row)]
    options = nearest_options(underlyings, date(2026, 2, 11))
    assert {name: (len(contracts), contracts[0].expiry) for (_, name), contracts in options.items()} == {
        "NIFTY": (6, date(2026, 2, 24)),
        "RELIANCE": (4, date(2026, 2, 24)),
        "CRUDEOIL": (1, date(2026, 2, 17)),
    }


def test_a_bse_share_does_not_expand_to_options_of_the_nse() -> None:
    (bse,) = by_keys([InstrumentKey(ExchangeSegment.BSE_EQ, 500325)])
    assert nearest_options(option_underlyings(bse), TODAY) == {}


def test_the_whole_market_of_this_test_is_listed() -> None:
    assert Instrument.objects.filter(is_listed=True).count() == 43
