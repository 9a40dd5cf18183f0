"""What a rule-made exchange lists, and the ids its contracts keep for life."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest

from feeds.core.calendar import Exchange, shipped_calendar
from feeds.core.chains import SHIPPED_CHAINS, resolve_chain
from feeds.core.expiries import expiry_slots
from feeds.core.instrument import ExchangeSegment, InstrumentKey, InstrumentType, OptionType
from feeds.core.listing import (
    Lot,
    Series,
    Underlying,
    listed_options,
    monthly_listing,
    number_contracts,
    rule_listing,
    underlyings,
)

CALENDAR = shipped_calendar()
REFERENCE_DATE = date(2026, 2, 3)
OPTIONS = {InstrumentType.OPTIDX, InstrumentType.OPTFUT}


def options_of(symbol: str, day: date, mode: str) -> list[Series]:
    listing = rule_listing(day, CALENDAR, mode)
    return [series for series in listing if series.underlying.symbol == symbol and series.instrument_type in OPTIONS]


def futures_of(symbol: str, day: date) -> list[str]:
    listing = rule_listing(day, CALENDAR)
    own = (series for series in listing if series.underlying.symbol == symbol and series.instrument_type not in OPTIONS)
    return [series.expiry.isoformat() for series in own]


def figures(mode: str) -> tuple[int, int, int]:
    options = listed_options(rule_listing(REFERENCE_DATE, CALENDAR, mode))
    resolved = [
        resolve_chain(
            chain,
            expiry_slots(chain.underlying, chain.segment, chain.slots, REFERENCE_DATE, CALENDAR),
            options[chain.underlying],
            underlyings()[chain.underlying].level,
        )
        for chain in SHIPPED_CHAINS
    ]
    return tuple(sum(getattr(chain, name) for chain in resolved) for name in ("nominal", "unique", "listed"))


def test_a_spec_exchange_lists_all_2272_and_a_real_one_1380() -> None:
    assert figures("spec") == (2440, 2272, 2272)
    assert figures("exchange") == (2440, 2272, 1380)


@pytest.mark.parametrize(
    ("symbol", "expiries", "eleven"),
    [
        ("NIFTY", 18, 11),
        ("BANKNIFTY", 6, 3),
        ("FINNIFTY", 3, 0),
        ("MIDCPNIFTY", 3, 0),
        ("SENSEX", 20, 11),
        ("BANKEX", 3, 0),
        ("CRUDEOIL", 3, 0),
        ("NATURALGAS", 3, 0),
    ],
)
def test_the_exchange_lists_many_near_strikes_and_few_far_ones(symbol: str, expiries: int, eleven: int) -> None:
    counts = Counter(len(series.strikes) for series in options_of(symbol, REFERENCE_DATE, "exchange"))
    assert sum(counts.values()) == expiries
    assert counts[11] == eleven
    assert all(count >= 41 for count in counts if count != 11)


def test_every_expiry_of_a_spec_exchange_has_at_least_41_strikes() -> None:
    listing = rule_listing(REFERENCE_DATE, CALENDAR, "spec")
    assert min(len(series.strikes) for series in listing if series.instrument_type in OPTIONS) >= 41


def test_a_quarter_end_that_is_also_a_month_end_has_all_its_strikes() -> None:
    by_expiry = {series.expiry: series for series in options_of("NIFTY", REFERENCE_DATE, "exchange")}
    assert len(by_expiry[date(2026, 3, 30)].strikes) >= 41
    assert by_expiry[date(2026, 6, 30)].strikes == tuple(range(18_000_00, 33_000_01, 1_500_00))


def test_flags_lots_and_ticks_of_the_contracts() -> None:
    by_expiry = {series.expiry: series for series in options_of("NIFTY", REFERENCE_DATE, "exchange")}
    flags = [
        by_expiry[day].expiry_flag for day in (REFERENCE_DATE, date(2026, 2, 24), date(2026, 6, 30), date(2027, 6, 29))
    ]
    assert flags == ["W", "M", "Q", "H"]
    assert {(series.lot_size, series.tick_size) for series in by_expiry.values()} == {(65, 5)}
    crude = options_of("CRUDEOIL", REFERENCE_DATE, "exchange")[0]
    assert (crude.lot_size, crude.underlying.multiplier, crude.tick_size) == (1, 100, 10)


@pytest.mark.parametrize(
    ("symbol", "day", "expiry", "far", "lot"),
    [
        ("NIFTY", "2025-12-29", "2025-12-30", False, 75),
        ("NIFTY", "2025-12-29", "2026-01-06", False, 65),
        ("NIFTY", "2025-12-30", "2026-06-30", True, 75),
        ("NIFTY", "2025-12-31", "2026-06-30", True, 65),
        ("BANKNIFTY", "2026-01-05", "2026-01-27", False, 30),
        ("FINNIFTY", "2025-12-29", "2025-12-30", False, 65),
        ("MIDCPNIFTY", "2026-02-03", "2026-02-24", False, 120),
        ("SENSEX", "2026-02-03", "2026-02-05", False, 20),
        ("NATURALGAS", "2026-02-03", "2026-02-20", False, 1),
    ],
)
def test_the_lot_depends_on_the_expiry_and_the_day(symbol: str, day: str, expiry: str, far: bool, lot: int) -> None:
    assert underlyings()[symbol].lot_size(date.fromisoformat(day), date.fromisoformat(expiry), far) == lot


def test_far_nifty_strikes_were_closer_until_the_end_of_2025() -> None:
    nifty = underlyings()["NIFTY"]
    assert (nifty.far_step(date(2025, 12, 30)), nifty.far_step(date(2025, 12, 31))) == (1_000_00, 1_500_00)


def test_six_commodity_futures_and_three_of_an_index() -> None:
    crude = ["2026-02-19", "2026-03-19", "2026-04-20", "2026-05-18", "2026-06-18", "2026-07-20"]
    gas = ["2026-02-24", "2026-03-26", "2026-04-27", "2026-05-26", "2026-06-25", "2026-07-28"]
    assert futures_of("CRUDEOIL", REFERENCE_DATE) == crude
    assert futures_of("NATURALGAS", REFERENCE_DATE) == gas
    assert futures_of("NIFTY", REFERENCE_DATE) == ["2026-02-24", "2026-03-30", "2026-04-28"]


def test_mcx_option_months_fall_to_two_between_an_options_expiry_and_its_futures() -> None:
    def expiries(day: date) -> list[str]:
        return [series.expiry.isoformat() for series in options_of("CRUDEOIL", day, "exchange")]

    assert expiries(date(2026, 2, 17)) == ["2026-02-17", "2026-03-17", "2026-04-16"]
    assert expiries(date(2026, 2, 18)) == ["2026-03-17", "2026-04-16"]
    assert expiries(date(2026, 2, 20)) == ["2026-03-17", "2026-04-16", "2026-05-14"]


def test_strikes_centre_on_the_level_that_is_given() -> None:
    listing = rule_listing(REFERENCE_DATE, CALENDAR, "exchange", levels={"NIFTY": 24_010_00})
    near = next(series for series in listing if series.underlying.symbol == "NIFTY")
    assert near.strikes[len(near.strikes) // 2] == 24_000_00


def test_a_contract_keeps_its_id_on_every_day_and_in_both_modes_and_shares_it_with_none() -> None:
    identity_of: dict[InstrumentKey, tuple[object, ...]] = {}
    key_of: dict[tuple[object, ...], InstrumentKey] = {}
    for offset in range(0, 330, 9):
        for mode in ("spec", "exchange"):
            listing = rule_listing(date(2026, 1, 5) + timedelta(days=offset), CALENDAR, mode)
            for contract in number_contracts(listing):
                series = contract.series
                identity = (series.underlying.symbol, series.expiry, contract.strike, contract.option_type)
                assert identity_of.setdefault(contract.key, identity) == identity
                assert key_of.setdefault(identity, contract.key) == contract.key
    assert max(key.security_id for key in identity_of) < 2**31  # Dhan's packets carry an int32


RELIANCE = Underlying(
    symbol="RELIANCE",
    name="Reliance Industries",
    segment=ExchangeSegment.NSE_FNO,
    number=1,
    option_type=InstrumentType.OPTSTK,
    underlying_security_id=2885,
    level=1_400_00,
    step=10_00,
    option_tick=5,
    future_tick=10,
    lots=(Lot(500, date(2000, 1, 1), None),),
    feed=InstrumentKey(ExchangeSegment.NSE_EQ, 2885),
)


def test_a_stock_has_three_monthly_expiries_of_options_and_futures() -> None:
    listing = monthly_listing(RELIANCE, REFERENCE_DATE, CALENDAR, strikes=41)
    listed = [(series.instrument_type.value, series.expiry.isoformat(), len(series.strikes)) for series in listing]
    assert listed == [
        ("OPTSTK", "2026-02-24", 41),
        ("OPTSTK", "2026-03-30", 41),
        ("OPTSTK", "2026-04-28", 41),
        ("FUTSTK", "2026-02-24", 0),
        ("FUTSTK", "2026-03-30", 0),
        ("FUTSTK", "2026-04-28", 0),
    ]
    assert {series.lot_size for series in listing} == {500}


def test_stock_ids_and_index_ids_never_meet() -> None:
    stocks = {contract.key for contract in number_contracts(monthly_listing(RELIANCE, REFERENCE_DATE, CALENDAR))}
    indices = {contract.key for contract in number_contracts(rule_listing(REFERENCE_DATE, CALENDAR))}
    assert len(stocks) == 3 * (61 * 2 + 1)
    assert stocks.isdisjoint(indices)


def test_a_strike_that_does_not_fit_into_an_id_is_refused() -> None:
    tall = Series(RELIANCE, InstrumentType.OPTSTK, date(2026, 2, 24), 500, "M", strikes=(30_000_00,))
    with pytest.raises(ValueError, match="3000 does not fit into 11 bits"):
        list(number_contracts([tall]))


def test_contracts_are_named_as_dhan_names_them() -> None:
    contracts = list(number_contracts(rule_listing(REFERENCE_DATE, CALENDAR)))
    monthly = next(c for c in contracts if c.name == "NIFTY 24 FEB 26000 PUT")
    assert monthly.symbol == "NIFTY-Feb2026-26000-PE"
    assert (monthly.strike, monthly.option_type) == (26_000_00, OptionType.PUT)
    assert [c.symbol for c in contracts if c.name == "CRUDEOIL FEB FUT"] == ["CRUDEOIL-Feb2026-FUT"]
    halves = monthly_listing(RELIANCE, REFERENCE_DATE, CALENDAR, months=1, strikes=1, level=1_400_00)
    half = Series(RELIANCE, InstrumentType.OPTSTK, halves[0].expiry, 500, "M", strikes=(1_402_50,))
    assert next(number_contracts([half])).name == "RELIANCE 24 FEB 1402.5 CALL"


def test_indices_are_fed_under_their_own_ids_and_commodities_by_a_future() -> None:
    feeds = {symbol: underlying.feed for symbol, underlying in underlyings().items()}
    assert {symbol: key.security_id for symbol, key in feeds.items() if key} == {
        "NIFTY": 13,
        "BANKNIFTY": 25,
        "FINNIFTY": 27,
        "MIDCPNIFTY": 442,
        "SENSEX": 51,
        "BANKEX": 69,
    }
    assert [symbol for symbol, key in feeds.items() if key is None] == ["CRUDEOIL", "NATURALGAS"]
    assert underlyings()["CRUDEOIL"].underlying_security_id == 294


def test_every_trading_day_of_the_calendar_has_a_listing() -> None:
    day = date(2026, 1, 1)
    while day < date(2026, 12, 31):
        assert len(rule_listing(day, CALENDAR, "exchange")) > 60
        day = CALENDAR.next_trading_day(Exchange.NSE_BSE, day) + timedelta(days=13)
